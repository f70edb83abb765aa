"""Distributions of numbers, a line each: the names of the parameters and what they are by default."""

import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from namedtensor._dims import Dims
from namedtensor._errors import BadPattern, Unsupported, showing
from namedtensor._plan import Body, Operation, run
from namedtensor._tensor import NamedTensor
from namedtensor.ops._table import named_function, public
from namedtensor.ops.random._draw import as_key, drawing, parse_shape

_REQUIRED = inspect.Parameter.empty


def _distribution(
    name: str,
    parameters: str = "",
    defaults: tuple[float, ...] = (),
    *,
    positional: Callable[..., Any] | None = None,
    shape_first: bool = False,
    takes_dtype: bool = True,
) -> Callable[..., NamedTensor]:
    sampler = positional or getattr(jax.random, name)
    symbols = parameters.split()
    signature = _signature(symbols, defaults, shape_first=shape_first, takes_dtype=takes_dtype)

    def rule(names: tuple[Dims, ...], shape: tuple, dtype: Any) -> Body:
        options = {} if dtype is None else {"dtype": dtype}
        return drawing(names, shape, lambda *values, shape: sampler(*values, shape=shape, **options))

    operation = Operation(f"random.{name}", rule, (), lambda shape, dtype: (parse_shape(shape), dtype))

    def call(*args: Any, **kwargs: Any) -> NamedTensor:
        given = signature.bind(*args, **kwargs)
        given.apply_defaults()
        values = given.arguments
        with showing(f"nt.random.{name}", *args[:1]):
            key = as_key(values["key"])
            if not symbols and values["shape"] is None:
                raise BadPattern("there is no shape.", "Write it as 'batch:8 embed:64'.")
        operands = (key, *[values[symbol] for symbol in symbols])
        return run(operation, operands, (values["shape"], values.get("dtype")))

    call.__signature__ = signature  # pyright: ignore[reportFunctionMemberAccess]
    return named_function(call, name, _text(name, symbols, str(signature).split(" -> ")[0]))


def _signature(
    symbols: list[str], defaults: tuple[float, ...], *, shape_first: bool, takes_dtype: bool
) -> inspect.Signature:
    def parameter(name: str, default: Any = _REQUIRED, kind: Any = inspect.Parameter.POSITIONAL_OR_KEYWORD):
        return inspect.Parameter(name, kind, default=default)

    values = [*[_REQUIRED] * (len(symbols) - len(defaults)), *defaults]
    shape = [parameter("shape", _REQUIRED if shape_first or not symbols else None)]
    numbers = [parameter(s, v) for s, v in zip(symbols, values, strict=True)]
    dtype = [parameter("dtype", None, inspect.Parameter.KEYWORD_ONLY)] if takes_dtype else []
    middle = [*shape, *numbers] if shape_first else [*numbers, *shape]
    return inspect.Signature([parameter("key"), *middle, *dtype], return_annotation=NamedTensor)


def _text(name: str, symbols: list[str], signature: str) -> str:
    numbers = "".join(f"\n  {s}: a number or a tensor." for s in symbols)
    shape = "names and sizes, ``'batch:8 embed:64'`` or a mapping"
    if symbols:
        shape += "; those of the parameters by default, and in any case these too"
    return f"""``nt.random.{name}{signature}``

Args:
  key: a random key; one with dims draws for each of its keys.{numbers}
  shape: {shape}.

Raises:
  Unsupported: a key that is none.
  SizeMismatch: a name of the shape that a parameter has with another size."""


def _randint(key: Any, low: Any, high: Any, **how: Any) -> Any:
    for end in (low, high):
        if not jnp.issubdtype(end.dtype, jnp.integer):  # JAX would cut the fraction off
            raise Unsupported(f"an end is {end.dtype}.", "Give whole numbers.")
    return jax.random.randint(key, minval=low, maxval=high, **how)


def _uniform(key: Any, low: Any, high: Any, **how: Any) -> Any:
    return jax.random.uniform(key, minval=low, maxval=high, **how)


def _double_sided_maxwell(key: Any, loc: Any, scale: Any, **how: Any) -> Any:
    # JAX's puts the shape of its parameters behind the one that is asked for
    return jax.random.double_sided_maxwell(key, 0.0, 1.0, **how) * scale + loc


def _bernoulli(key: Any, p: Any, *, shape: tuple[int, ...]) -> Any:
    p = p if jnp.issubdtype(p.dtype, jnp.floating) else p.astype(float)  # JAX refuses the number 1
    return jax.random.bernoulli(key, p, shape)


# one line a distribution ----------------------------------------------------------------------
bernoulli = _distribution("bernoulli", "p", (0.5,), positional=_bernoulli, takes_dtype=False)
beta = _distribution("beta", "a b")
binomial = _distribution("binomial", "n p")
bits = _distribution("bits")
cauchy = _distribution("cauchy")
chisquare = _distribution("chisquare", "df")
double_sided_maxwell = _distribution("double_sided_maxwell", "loc scale", positional=_double_sided_maxwell)
exponential = _distribution("exponential")
f = _distribution("f", "dfnum dfden")
gamma = _distribution("gamma", "a")
generalized_normal = _distribution("generalized_normal", "p")
geometric = _distribution("geometric", "p")
gumbel = _distribution("gumbel")
laplace = _distribution("laplace")
loggamma = _distribution("loggamma", "a")
logistic = _distribution("logistic")
lognormal = _distribution("lognormal", "sigma", (1.0,))
maxwell = _distribution("maxwell")
normal = _distribution("normal")
pareto = _distribution("pareto", "b")
poisson = _distribution("poisson", "lam")
rademacher = _distribution("rademacher")
randint = _distribution("randint", "low high", positional=_randint, shape_first=True)
rayleigh = _distribution("rayleigh", "scale")
t = _distribution("t", "df")
triangular = _distribution("triangular", "left mode right")
truncated_normal = _distribution("truncated_normal", "lower upper")
uniform = _distribution("uniform", "low high", (0.0, 1.0), positional=_uniform, shape_first=True)
wald = _distribution("wald", "mean")
weibull_min = _distribution("weibull_min", "scale concentration")


__all__ = public(globals())
