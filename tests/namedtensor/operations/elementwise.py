"""Rules U and B: elementwise operations."""

import jax
import jax.numpy as jnp

import namedtensor as nt
from tests.namedtensor.operations.row import Row, jax_only, same

# rule U: name -> (positional, values, differentiable, roundings)
UNARY = {
    **{
        k: (same(k), "real", True, 4)
        for k in ("absolute", "cos", "exp", "expm1", "negative", "sin", "square", "tanh")
    },
    **{k: (same(k), "positive", True, 4) for k in ("log", "log1p", "reciprocal", "sqrt")},
    **{k: (same(k), "real", True, 0) for k in ("ceil", "floor", "sign")},
    **{k: (same(k), "special", False, 0) for k in ("isfinite", "isnan")},
    **{
        k: (jax_only(getattr(jax.nn, k)), "real", True, 8)
        for k in ("elu", "gelu", "leaky_relu", "relu", "sigmoid", "silu", "softplus")
    },
    "bitwise_not": (same("bitwise_not"), "integer", False, 0),
    "logical_not": (same("logical_not"), "bool", False, 0),
    "rsqrt": (lambda xp, x: 1 / xp.sqrt(x), "positive", True, 4),
    "stop_gradient": (jax_only(jax.lax.stop_gradient), "real", True, 0),
}

# rule B: name -> (positional, values of both, differentiable)
BINARY = {
    **{k: (same(k), ("real", "real"), True) for k in ("add", "maximum", "minimum", "multiply", "subtract")},
    **{
        k: (same(k), ("integer", "integer"), False)
        for k in ("greater", "greater_equal", "less", "less_equal", "not_equal")
    },
    **{k: (same(k), ("integer", "integer"), False) for k in ("bitwise_and", "bitwise_or", "bitwise_xor")},
    **{k: (same(k), ("bool", "bool"), False) for k in ("logical_and", "logical_or", "logical_xor")},
    **{k: (same(k), ("integer", "count"), False) for k in ("floor_divide", "remainder")},
    "divide": (same("divide"), ("real", "positive"), True),
    "equal_to": (same("equal"), ("integer", "integer"), False),
    "power": (same("power"), ("positive", "real"), True),
}


# fmt: off
def elementwise_rows():
    for name, (positional, values, slopes, roundings) in UNARY.items():
        yield Row(name, "a b -> a b", lambda d, x, f=getattr(nt, name): f(x), positional,
                  values=(values,), slopes=slopes, roundings=roundings)
    for name, (positional, values, slopes) in BINARY.items():
        yield Row(name, "a b, b c -> a b c", lambda d, x, y, f=getattr(nt, name): f(x, y),
                  lambda xp, x, y, f=positional: f(xp, x[:, :, None], y[None]),
                  values=values, slopes=slopes, roundings=4)
    yield Row("where", "a b, b c, c -> a b c", lambda d, p, x, y: nt.where(p, x, y),
              lambda xp, p, x, y: xp.where(p[:, :, None], x[None], y[None, None]), values=("bool",), slopes=True)
    yield Row("clip", "a b, b, c -> a b c", lambda d, x, low, high: nt.clip(x, low, high),
              lambda xp, x, low, high: xp.clip(x[:, :, None], low[None, :, None], high[None, None]),
              values=("real", "low", "high"), slopes=True)
    yield Row("astype", "a b -> a b", lambda d, x: nt.astype(x, jnp.int32), lambda xp, x: x.astype("int32"))
    yield Row("astype", "a -> a", lambda d, x: x.astype(float), lambda xp, x: x.astype("float32"),
              values=("bool",), label="from bool")
# fmt: on


ROWS = [*elementwise_rows()]
