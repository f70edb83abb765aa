"""What private functions cost and how far off they are: the tables of `docs/private_functions.md`.

Costs are those of `ct.estimate`, bounds those of `crypten_lite.functions.bounds`. Errors are measured on what the parties
reveal, bit for bit, for arguments and masks of a seeded generator.

Run: python docs/private_functions.py        (writes docs/private_functions.md)
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import crypten_lite as ct
from crypten_lite import functions
from crypten_lite.functions.bounds import bound
from crypten_lite.functions.piecewise import Piecewise
from crypten_lite.functions.tables import apply

PAGE = Path(__file__).with_name("private_functions.md")
SIZE, SAMPLES, FRACTION = 1000, 20000, 16


def derivative(function: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    """Times a cotangent: what `jax.grad` makes of a function."""
    return lambda x, t: jax.vjp(function, x)[1](t)[0]


def gelu(x: Any) -> Any:
    """The exact one, by erf."""
    return jax.nn.gelu(x, approximate=False)


# as it is written: the function, and its table
ROWS: dict[str, tuple[Callable[..., Any], Piecewise]] = {
    "jnp.exp(x)": (jnp.exp, functions.EXP),
    "jnp.exp(x - x.max())": (lambda x: jnp.exp(-jax.nn.relu(x)), functions.EXP_NEGATIVE),
    "jnp.log(x)": (jnp.log, functions.LOG),
    "jnp.sqrt(x)": (jnp.sqrt, functions.SQRT),
    "jax.lax.rsqrt(x)": (jax.lax.rsqrt, functions.RSQRT),
    "1 / jax.nn.relu(x)": (lambda x: 1 / jax.nn.relu(x), functions.RECIPROCAL),
    "1 / x": (lambda x: 1 / x, functions.RECIPROCAL_SIGNED),
    "jax.nn.sigmoid(x)": (jax.nn.sigmoid, functions.SIGMOID),
    "jnp.tanh(x)": (jnp.tanh, functions.TANH),
    "jax.scipy.special.erf(x)": (jax.scipy.special.erf, functions.ERF),
    "jax.scipy.special.erfc(x)": (jax.scipy.special.erfc, functions.ERFC),
    "jax.nn.gelu(x)": (jax.nn.gelu, functions.GELU_TANH),
    "jax.nn.gelu(x, approximate=False)": (gelu, functions.GELU),
    "jax.nn.silu(x)": (jax.nn.silu, functions.SILU),
    "jax.nn.softplus(x)": (jax.nn.softplus, functions.SOFTPLUS),
    "derivative of sigmoid": (derivative(jax.nn.sigmoid), functions.SIGMOID_DERIVATIVE),
    "derivative of tanh": (derivative(jnp.tanh), functions.TANH_DERIVATIVE),
    "derivative of erf": (derivative(jax.scipy.special.erf), functions.ERF_DERIVATIVE),
    "derivative of gelu(x)": (derivative(jax.nn.gelu), functions.GELU_TANH_DERIVATIVE),
    "derivative of gelu(x, approximate=False)": (derivative(gelu), functions.GELU_DERIVATIVE),
    "derivative of silu": (derivative(jax.nn.silu), functions.SILU_DERIVATIVE),
}
POSITIVE = ("jnp.exp(x - x.max())", "1 / jax.nn.relu(x)")  # known not to be negative: a relu comes first


def layer_norm(x: Any) -> Any:
    """As it is written most often."""
    return (x - x.mean(-1, keepdims=True)) * jax.lax.rsqrt(x.var(-1, keepdims=True) + 1e-5)


COMPOSED: dict[str, tuple[Callable[..., Any], tuple[int, int], str]] = {
    "jax.nn.softmax": (jax.nn.softmax, (128, 10), "2e-4"),
    "jax.nn.softmax, 1000 classes": (jax.nn.softmax, (128, 1000), "2e-4"),
    "jax.nn.log_softmax": (jax.nn.log_softmax, (128, 10), "3e-4"),
    "LayerNorm": (layer_norm, (64, 128), "3e-4, and 6e-5 / deviation"),
}


def measured(function: Piecewise) -> float:
    """The largest error that a seeded search finds, relative if the stated one is."""
    rng, low, high = np.random.default_rng(0), *np.clip(function.domain, -40, 4096)
    x = rng.uniform(low, high, SAMPLES)
    if high > 40:  # numbers of all sizes
        x = 2 ** rng.uniform(-12, 12, SAMPLES) * (rng.choice([-1, 1], SAMPLES) if low < 0 else 1)
    edges = np.array([t + d for t in function.thresholds for d in (-1e-3, 0, 1e-3)])
    x = np.append(x, edges)
    z = np.round(x[(x >= low) & (x < high)] * 2**FRACTION).astype(np.int64)
    found = np.ldexp(
        apply(function, z, rng.integers(0, 2**64, z.shape, dtype=np.uint64), FRACTION).astype(float), -32
    )
    exact = function.function(np.ldexp(z.astype(float), -FRACTION))
    scale = np.maximum(np.abs(exact), function.floor) if function.relative else 1.0
    return float((np.abs(found - exact) / scale).max())


def rounded_up(error: float, digits: int = 1) -> str:
    """To few digits: what rounding in the last places changes is not seen."""
    exponent = math.floor(math.log10(error))
    unit = 10.0 ** (exponent + 1 - digits)
    return f"{math.ceil(error / unit - 0.02) * unit:.{digits - 1}e}".replace("e-0", "e-")


def domain(function: Piecewise) -> str:
    """Where the error is stated."""
    low, high = function.domain
    if (low, high) == (-math.inf, math.inf):
        return "any"
    return f"{power(low)} to {power(high)}"


def power(x: float) -> str:
    """A number as people write it."""
    if math.isfinite(x) and x and abs(math.log2(abs(x))) >= 5 and math.log2(abs(x)).is_integer():
        return f"{'-' if x < 0 else ''}2^{int(math.log2(abs(x)))}"
    return f"{x:g}"


def costs(name: str) -> tuple[int, float, float]:
    """Rounds, bytes a party and dealer bytes an element; revealing is left out, and so is what makes arguments positive."""
    function = ROWS[name][0]
    array = jax.ShapeDtypeStruct((SIZE,), np.float32)
    arguments = [array] * (2 if name.startswith("derivative") else 1)
    total = ct.estimate(function, *arguments)
    spent = [total.rounds - 1, total.bytes_per_party - 8 * SIZE, total.dealer_bytes]
    if name in POSITIVE:
        first = ct.estimate(jax.nn.relu, array)
        spent = [
            a - b
            for a, b in zip(
                spent, (first.rounds - 1, first.bytes_per_party - 8 * SIZE, first.dealer_bytes), strict=True
            )
        ]
    return spent[0], spent[1] / SIZE, spent[2] / SIZE


def table() -> list[str]:
    """One row a function."""
    lines = [
        "| function | domain | stated error | derived | measured | rounds | bytes an element | dealer bytes an element |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, (_, function) in ROWS.items():
        rounds, sent, dealt = costs(name)
        kind = " relative" if function.relative and not function.floor else ""
        kind = f" of max(value, {power(function.floor)})" if function.relative and function.floor else kind
        lines.append(
            f"| `{name}` | {domain(function)} | {rounded_up(function.error, 2)}{kind} | {rounded_up(bound(function), 2)} | "
            f"{rounded_up(measured(function))} | {rounds} | {sent:.1f} | {dealt:,.0f} |"
        )
    return lines


def composed() -> list[str]:
    """What is made of several functions."""
    lines = [
        "| function | shape | stated error | rounds | bytes a party | dealer bytes |",
        "|---|---|---|---|---|---|",
    ]
    for name, (function, shape, error) in COMPOSED.items():
        cost = ct.estimate(function, jax.ShapeDtypeStruct(shape, np.float32))
        sent = cost.bytes_per_party - 8 * math.prod(shape)
        lines.append(
            f"| {name} | {shape[0]} x {shape[1]} | {error} | {cost.rounds - 1} | {sent:,} | {cost.dealer_bytes:,} |"
        )
    return lines


HEAD = """# Private functions

What functions of secret numbers cost, and how far off they are, with two parties and 16 binary places. The arguments are
shared inputs, which are open under a mask already: others cost a round and 8 bytes an element more. Revealing is not
counted. A derivative is that times a secret cotangent, as `jax.grad` needs it. Errors are absolute unless it is said.
The page is written by `python docs/private_functions.py` with JAX {version}; costs are those of `ct.estimate`. Each protocol's
own are in [protocols.md](protocols.md).

"""

MECHANISM = """
## How it works

A secret number z is opened once as D = z + mask, which tells nothing. D is public modulo 2^k too: its upper bits name a
segment, its lower bits d the place in it. The dealer, who knows the mask, knows for each segment where it begins as a number,
so that z = begin + d with d public. On each segment it fits the function by a polynomial in d and shares the
coefficients. Each party reads the row of the public segment and adds up its shares times public integers: no
rounds, no bytes. Only the ends cost something: beyond the table the function is a line (zero, one, z itself), and
comparisons with the thresholds, three rounds for all of them together, choose. (`crypten_lite.functions.tables`;
splines on shares: Boyle, Gilboa, Ishai 2019, IACR ePrint 2019/1095; Wagh 2022, doi:10.56553/popets-2022-0113; one-time tables: Ishai et al.
2013, doi:10.1007/978-3-642-36594-2_34.)

- **The derived error** is the interpolation error from the Chebyshev coefficients of each segment plus the rounding of
  coefficients and of the public polynomials (`crypten_lite.functions.bounds`). Tests hold that what is seen is below it.
- **A chain of elementwise operations is one function**: `0.5 * x * (1 + jnp.tanh(...))` is recognised as gelu by what it does to
  public test arguments, and so are sigmoid, silu, softplus and tanh however they are written, and their derivatives.
  What is not recognised is computed step by step.
- **What is known without looking** saves comparisons: a number less the maximum of its row is not positive, the sum of a
  softmax lies between 1 and the number of classes, and a row over the root of its own squares is bounded.
- **Roots of sums of squares** (LayerNorm, lengths, deviations) are looked up on the sum itself, for rows of any size.
- **Inverses keep their places**: in `x / y` and `x * rsqrt(y)` the other factor is split into its whole part and the rest,
  so that the inverse of a large number is not cut to 16 binary places first.

## Outside of the domain

Nothing fails and nothing is told, because that would tell something about a secret: a function stays at the value of
the nearer end. `exp` is exp(17) from 17 on, `log` lies between -8.318 and 8.318, `sqrt` is 0 below and 64 above, `rsqrt` lies between
1/64 and 64, `1 / x` is 4096 or 1 / 4096, with the sign of x, and 0 closer to zero than 2^-12. Sums of squares, and
other numbers whose range is known, have tables for all of it. Two things to know:

- The variance as a mean of squares less the square of a mean (flax's default, `jax.nn.standardize`) loses what the mean
  is rounded by: rows that deviate by less than 0.3 come out inexact. With `use_fast_variance=False` they do not.
- More binary places (`ct.simulate(fraction=20)`) leave less room: `exp` then ends at 15 instead of 17. A function whose values
  have no room at all raises a `ValueError` with its name before anything is sent.
"""


def page() -> str:
    """The whole page."""
    lines = [*table(), "", "Of several functions together:", "", *composed()]
    return HEAD.format(version=jax.__version__) + "\n".join(lines) + "\n" + MECHANISM


if __name__ == "__main__":
    PAGE.write_text(page())
