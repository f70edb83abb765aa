"""Rules U and B: elementwise operations keep the names, and several operands give their union.

A shared name must have the same size: size 1 never stretches, and there is nothing to line up by
position. Each line of the tables below is a whole operation.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from namedtensor._plan import Body, Operation, run
from namedtensor._tensor import NamedTensor
from namedtensor.ops._align import broadcasting
from namedtensor.ops._table import attach, method, named_function, operator, public


def _unary(name: str, positional: Callable[..., Any]) -> Callable[[Any], NamedTensor]:
    operation = Operation(name, broadcasting(positional))

    def call(x: Any) -> NamedTensor:
        return run(operation, (x,))

    return method(named_function(call, name, "Names: those of ``x``, unchanged."))


def _binary(name: str, positional: Callable[..., Any]) -> Callable[[Any, Any], NamedTensor]:
    operation = Operation(name, broadcasting(positional))

    def call(x: Any, y: Any) -> NamedTensor:
        return run(operation, (x, y))

    rule = """Names: the union of both. A shared name must have one size (``SizeMismatch``); a raw array
    of one or more axes is refused (``MissingName``); numbers combine freely."""
    return method(named_function(call, name, rule))


# one line an operation ------------------------------------------------------------------------
absolute = _unary("absolute", jnp.absolute)
bitwise_not = _unary("bitwise_not", jnp.bitwise_not)
ceil = _unary("ceil", jnp.ceil)
cos = _unary("cos", jnp.cos)
elu = _unary("elu", jax.nn.elu)
exp = _unary("exp", jnp.exp)
expm1 = _unary("expm1", jnp.expm1)
floor = _unary("floor", jnp.floor)
gelu = _unary("gelu", jax.nn.gelu)
isfinite = _unary("isfinite", jnp.isfinite)
isnan = _unary("isnan", jnp.isnan)
leaky_relu = _unary("leaky_relu", jax.nn.leaky_relu)
log = _unary("log", jnp.log)
log1p = _unary("log1p", jnp.log1p)
logical_not = _unary("logical_not", jnp.logical_not)
negative = _unary("negative", jnp.negative)
reciprocal = _unary("reciprocal", jnp.reciprocal)
relu = _unary("relu", jax.nn.relu)
rsqrt = _unary("rsqrt", jax.lax.rsqrt)
sigmoid = _unary("sigmoid", jax.nn.sigmoid)
sign = _unary("sign", jnp.sign)
silu = _unary("silu", jax.nn.silu)
sin = _unary("sin", jnp.sin)
softplus = _unary("softplus", jax.nn.softplus)
sqrt = _unary("sqrt", jnp.sqrt)
square = _unary("square", jnp.square)
stop_gradient = _unary("stop_gradient", jax.lax.stop_gradient)
tanh = _unary("tanh", jnp.tanh)

add = _binary("add", jnp.add)
bitwise_and = _binary("bitwise_and", jnp.bitwise_and)
bitwise_or = _binary("bitwise_or", jnp.bitwise_or)
bitwise_xor = _binary("bitwise_xor", jnp.bitwise_xor)
divide = _binary("divide", jnp.divide)
equal_to = _binary("equal_to", jnp.equal)
floor_divide = _binary("floor_divide", jnp.floor_divide)
greater = _binary("greater", jnp.greater)
greater_equal = _binary("greater_equal", jnp.greater_equal)
less = _binary("less", jnp.less)
less_equal = _binary("less_equal", jnp.less_equal)
logical_and = _binary("logical_and", jnp.logical_and)
logical_or = _binary("logical_or", jnp.logical_or)
logical_xor = _binary("logical_xor", jnp.logical_xor)
maximum = _binary("maximum", jnp.maximum)
minimum = _binary("minimum", jnp.minimum)
multiply = _binary("multiply", jnp.multiply)
not_equal = _binary("not_equal", jnp.not_equal)
power = _binary("power", jnp.power)
remainder = _binary("remainder", jnp.remainder)
subtract = _binary("subtract", jnp.subtract)

_ARITHMETIC = {
    "add": add, "sub": subtract, "mul": multiply, "truediv": divide, "floordiv": floor_divide,
    "mod": remainder, "pow": power, "and": bitwise_and, "or": bitwise_or, "xor": bitwise_xor,
}  # fmt: skip
_COMPARISONS = {
    "eq": equal_to, "ne": not_equal, "lt": less, "le": less_equal, "gt": greater, "ge": greater_equal,
}  # fmt: skip

for _name, _function in _ARITHMETIC.items():
    operator(_name, _function)
for _name, _function in _COMPARISONS.items():
    operator(_name, _function, reflected=False)
attach("__neg__", negative)
attach("__abs__", absolute)
attach("__invert__", bitwise_not)
attach("__hash__", None)  # == is elementwise, so there is no hash that agrees with it

_where = Operation("where", broadcasting(jnp.where))
_clip = Operation("clip", broadcasting(lambda x, low, high: jnp.minimum(jnp.maximum(x, low), high)))


def where(condition: Any, x: Any, y: Any) -> NamedTensor:
    """``x`` where ``condition`` holds, else ``y``; names: the union of all three.

    Example:
      >>> import namedtensor as nt
      >>> x = nt.tensor([-1.0, 2.0], "embed")
      >>> nt.where(x > 0, x, 0.0).array
      Array([0., 2.], dtype=float32)
    """
    return run(_where, (condition, x, y))


@method
def clip(x: Any, low: Any, high: Any) -> NamedTensor:
    """``x`` limited to ``low`` .. ``high``; names: the union of all three."""
    return run(_clip, (x, low, high))


_astype = Operation("astype", lambda names, dtype: Body(lambda a: jnp.asarray(a, dtype), *names), ("dtype",))


@method
def astype(x: NamedTensor, dtype: Any) -> NamedTensor:
    """``x`` converted to ``dtype``; names unchanged."""
    return run(_astype, (x,), (dtype,))


__all__ = public(globals())
