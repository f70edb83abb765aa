"""Chains of elementwise operations as one function: gelu is one table, however it was written.

JAX writes gelu as a cube, a tanh and some products, each of which would cost rounds. So an elementwise
operation on one secret number is not computed at once: it notes what the chain so far does to some test
arguments. When the result is needed, and the chain does to them what a known function does, that function's
table is looked up on the number that the chain began with. So are derivatives, which are such a chain times
a cotangent. Otherwise the operations are computed one by one.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from crypten_lite.functions.erf import ERF_DERIVATIVE
from crypten_lite.functions.gelu import GELU, GELU_DERIVATIVE, GELU_TANH, GELU_TANH_DERIVATIVE
from crypten_lite.functions.piecewise import Piecewise
from crypten_lite.functions.reals import erf, sigmoid
from crypten_lite.functions.sigmoid import SIGMOID, SIGMOID_DERIVATIVE
from crypten_lite.functions.silu import SILU, SILU_DERIVATIVE
from crypten_lite.functions.softplus import SOFTPLUS
from crypten_lite.functions.tanh import TANH, TANH_DERIVATIVE
from crypten_lite.values import Number, Secret
from namedtensor.interpreter import Equation

KNOWN: tuple[Piecewise, ...] = (
    GELU,
    GELU_TANH,
    SILU,
    SOFTPLUS,
    SIGMOID,
    TANH,
    GELU_DERIVATIVE,
    GELU_TANH_DERIVATIVE,
    SILU_DERIVATIVE,
    SIGMOID_DERIVATIVE,
    TANH_DERIVATIVE,
    ERF_DERIVATIVE,
)
_LONGEST = 64  # of a chain

_far = np.array([50.0, 300.0, 2e3, 3e4])
ARGUMENTS = np.concatenate([np.linspace(-20.3, 20.1, 97), np.linspace(-3.1, 3.3, 61), [0.0], _far, -_far])


@dataclass(frozen=True, eq=False)
class Chain:
    """What elementwise operations make of a number.

    Attributes:
      root: the number.
      values: of the function at the test arguments.
      length: operations.
      times: the number that the function is multiplied by, or None.
    """

    root: Number
    values: Any
    length: int = 0
    times: Number | None = None


def chained(eqn: Equation, operands: Sequence[Any]) -> Chain | None:
    """The chain that an equation continues: None if it is not elementwise, or has several numbers."""
    apply = _OPERATIONS.get(eqn.primitive)
    if apply is None or not jnp.issubdtype(eqn.outputs[0].dtype, jnp.floating):
        return None
    links = [_link(v) for v in operands]
    chains = [link for link in links if isinstance(link, Chain)]
    if any(link is None for link in links):
        return None
    if eqn.primitive in ("mul", "div") and len(chains) == 2:
        with np.errstate(all="ignore"):
            product = _with_factor(*chains) if eqn.primitive == "mul" else _over(*chains)
        if product is not None:
            return product
    roots = {id(c.root) for c in chains}
    length = max(c.length for c in chains) + 1
    factors = {id(c.times) for c in chains}
    if len(roots) > 1 or length > _LONGEST or len(factors) > 1 or not _keeps_factor(eqn, operands, chains):
        return None
    arguments = [link.values if isinstance(link, Chain) else link for link in links]
    with np.errstate(all="ignore"):
        chain = Chain(chains[0].root, apply(eqn, *arguments), length, chains[0].times)
    if chain.times is None and _multiple(chain) is None:
        chain.root.known[_BENT] = True
    return chain


def _link(value: Any) -> Chain | float | None:
    if isinstance(value, Number):
        return value.known.get("chain") or Chain(value, ARGUMENTS)
    if isinstance(value, Secret):
        return None
    array = np.asarray(value, np.float64)
    return float(array.flat[0]) if array.size and (array == array.flat[0]).all() else None


def _with_factor(a: Chain, b: Chain) -> Chain | None:
    """A function of one number times another number: one of its own, or one that the chain has already.

    Of two plain numbers the function's is the one of which there is a function elsewhere: a derivative has
    such products among its terms.
    """
    length = max(a.length, b.length) + 1
    if length > _LONGEST:
        return None
    for function, other in ((a, b), (b, a)):
        if function.times is None and other.times is not None and function.root is other.root:
            return Chain(other.root, other.values * function.values, length, other.times)
    for function, other in ((a, b), (b, a)):
        multiple = _multiple(other)
        apart = other.root is not function.root and function.times is None and other.times is None
        if apart and multiple is not None and (_multiple(function) is None or _BENT in function.root.known):
            return Chain(function.root, multiple * function.values, length, other.root)
    return None


def _over(a: Chain, b: Chain) -> Chain | None:
    """A number, or a function with a factor, divided by a function."""
    return _with_factor(a, Chain(b.root, 1 / b.values, b.length)) if b.times is None else None


_BENT = "has a function"


def _multiple(chain: Chain) -> float | None:
    """The factor of a chain that only multiplies its number."""
    factor = float(chain.values[0] / ARGUMENTS[0])
    if not np.isfinite(chain.values).all():
        return None
    return factor if np.allclose(chain.values, factor * ARGUMENTS, rtol=1e-12, atol=0) else None


def _keeps_factor(eqn: Equation, operands: Sequence[Any], chains: Sequence[Chain]) -> bool:
    """Whether a common factor stays one: in sums of such chains, and in multiples."""
    if all(c.times is None for c in chains):
        return True
    if eqn.primitive in ("add", "add_any", "sub"):
        return len(chains) == 2
    multiple = eqn.primitive == "mul" or (eqn.primitive == "div" and isinstance(operands[0], Secret))
    return eqn.primitive == "neg" or (multiple and len(chains) == 1)


def recognized(chain: Chain) -> Piecewise | None:
    """The known function that does the same to the test arguments."""
    if chain.length < 2:
        return None
    return next((f for f, values in _known() if _agree(chain.values, values)), None)


def _agree(values: Any, known: Any) -> bool:
    """Whether a chain is a function. Far away it may overflow, as ``exp(-x) / (1 + exp(-x)) ** 2`` does."""
    overflowed = np.isnan(values) & (np.abs(ARGUMENTS) > 100)
    near = np.where(overflowed, known, values)
    return bool(np.isfinite(near).all()) and bool(
        np.allclose(near, known, rtol=3e-5, atol=3e-6)
    )  # constants of the user's are of 24 bits


@functools.cache
def _known() -> tuple[tuple[Piecewise, Any], ...]:
    with np.errstate(all="ignore"):
        return tuple((f, f.function(ARGUMENTS)) for f in KNOWN)


def _of(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda eqn, *values: function(*values)


_OPERATIONS: dict[str, Callable[..., Any]] = {
    "add": _of(np.add),
    "add_any": _of(np.add),
    "sub": _of(np.subtract),
    "mul": _of(np.multiply),
    "div": _of(np.divide),
    "neg": _of(np.negative),
    "abs": _of(np.abs),
    "max": _of(np.maximum),
    "square": _of(np.square),
    "one_minus_square": _of(lambda x: 1 - np.square(x)),
    "integer_pow": lambda eqn, x: x ** float(eqn.params["y"]),
    "exp": _of(np.exp),
    "exp2": _of(np.exp2),
    "expm1": _of(np.expm1),
    "log1p": _of(np.log1p),
    "log": _of(np.log),
    "tanh": _of(np.tanh),
    "logistic": _of(sigmoid),
    "erf": _of(erf),
    "erfc": _of(lambda x: 1 - erf(x)),
}
