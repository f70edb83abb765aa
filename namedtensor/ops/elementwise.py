"""Rules U and B: elementwise operations keep the names, and several operands give their union.

A shared name must have the same size: size 1 never stretches, and there is nothing to line up by
position. Each line of the tables below is a whole operation.
"""

from typing import Any

import jax
import jax.numpy as jnp

from namedtensor._errors import BadPattern
from namedtensor._plan import Body, Operation, run
from namedtensor._tensor import NamedTensor
from namedtensor.ops._build import binary, unary
from namedtensor.ops._options import TENSOR
from namedtensor.ops._table import alias, attach, method, operator, public
from namedtensor.ops.logic import (
    bitwise_and,
    bitwise_not,
    bitwise_or,
    bitwise_xor,
    equal_to,
    greater,
    greater_equal,
    left_shift,
    less,
    less_equal,
    not_equal,
    right_shift,
)

# one line an operation ------------------------------------------------------------------------
absolute = unary("absolute", jnp.absolute)
angle = unary("angle", jnp.angle, deg=False)
arccos = unary("arccos", jnp.arccos)
arccosh = unary("arccosh", jnp.arccosh)
arcsin = unary("arcsin", jnp.arcsin)
arcsinh = unary("arcsinh", jnp.arcsinh)
arctan = unary("arctan", jnp.arctan)
arctanh = unary("arctanh", jnp.arctanh)
cbrt = unary("cbrt", jnp.cbrt)
ceil = unary("ceil", jnp.ceil)
conj = unary("conj", jnp.conj)
cos = unary("cos", jnp.cos)
cosh = unary("cosh", jnp.cosh)
deg2rad = unary("deg2rad", jnp.deg2rad)
exp = unary("exp", jnp.exp)
exp2 = unary("exp2", jnp.exp2)
expm1 = unary("expm1", jnp.expm1)
fabs = unary("fabs", jnp.fabs)
floor = unary("floor", jnp.floor)
frexp = unary("frexp", jnp.frexp, results=2)
imag = unary("imag", jnp.imag)
log = unary("log", jnp.log)
log10 = unary("log10", jnp.log10)
log1p = unary("log1p", jnp.log1p)
log2 = unary("log2", jnp.log2)
modf = unary("modf", jnp.modf, results=2)
nan_to_num = unary("nan_to_num", jnp.nan_to_num, nan=0.0, posinf=TENSOR, neginf=TENSOR)
negative = unary("negative", jnp.negative)
positive = unary("positive", jnp.positive)
rad2deg = unary("rad2deg", jnp.rad2deg)
real = unary("real", jnp.real)
reciprocal = unary("reciprocal", jnp.reciprocal)
reduce_precision = unary("reduce_precision", jax.lax.reduce_precision, exponent_bits=int, mantissa_bits=int)
rint = unary("rint", jnp.rint)
round = unary("round", jnp.round, decimals=0)
rsqrt = unary("rsqrt", jax.lax.rsqrt)
sign = unary("sign", jnp.sign)
sin = unary("sin", jnp.sin)
sinc = unary("sinc", jnp.sinc)
sinh = unary("sinh", jnp.sinh)
spacing = unary("spacing", jnp.spacing)
sqrt = unary("sqrt", jnp.sqrt)
square = unary("square", jnp.square)
stop_gradient = unary("stop_gradient", jax.lax.stop_gradient)
tan = unary("tan", jnp.tan)
tanh = unary("tanh", jnp.tanh)
trunc = unary("trunc", jnp.trunc)

add = binary("add", jnp.add)
arctan2 = binary("arctan2", jnp.arctan2)
copysign = binary("copysign", jnp.copysign)
divide = binary("divide", jnp.divide)
divmod = binary("divmod", jnp.divmod, results=2)
float_power = binary("float_power", jnp.float_power)
floor_divide = binary("floor_divide", jnp.floor_divide)
fmax = binary("fmax", jnp.fmax)
fmin = binary("fmin", jnp.fmin)
fmod = binary("fmod", jnp.fmod)
gcd = binary("gcd", jnp.gcd)
heaviside = binary("heaviside", jnp.heaviside)
hypot = binary("hypot", jnp.hypot)
lcm = binary("lcm", jnp.lcm)
ldexp = binary("ldexp", jnp.ldexp)
logaddexp = binary("logaddexp", jnp.logaddexp)
logaddexp2 = binary("logaddexp2", jnp.logaddexp2)
maximum = binary("maximum", jnp.maximum)
minimum = binary("minimum", jnp.minimum)
multiply = binary("multiply", jnp.multiply)
nextafter = binary("nextafter", jnp.nextafter)
_power = binary("power", jnp.power)
remainder = binary("remainder", jnp.remainder)
subtract = binary("subtract", jnp.subtract)

# the second names that jax.numpy has
abs = alias("abs", absolute)
acos = alias("acos", arccos)
acosh = alias("acosh", arccosh)
around = alias("around", round)
asin = alias("asin", arcsin)
asinh = alias("asinh", arcsinh)
atan = alias("atan", arctan)
atan2 = alias("atan2", arctan2)
atanh = alias("atanh", arctanh)
conjugate = alias("conjugate", conj)
degrees = alias("degrees", rad2deg)
mod = alias("mod", remainder)
radians = alias("radians", deg2rad)
true_divide = alias("true_divide", divide)

_whole_power = Operation("power", lambda names, n: Body(lambda a: jnp.power(a, n), *names), ("exponent",))


@method
def power(x: Any, y: Any) -> NamedTensor:
    """``x`` to the power of ``y``; names: the union of both.

    A whole number written in Python is part of the plan, so that ``x**2`` is a multiplication and has a
    derivative where ``x`` is zero or negative.

    Example:
      >>> import namedtensor as nt
      >>> (nt.tensor([-2.0, 3.0], "seq") ** 2).array
      Array([4., 9.], dtype=float32)
    """
    return run(_whole_power, (x,), (y,)) if type(y) is int else _power(x, y)


pow = alias("pow", power)

_ARITHMETIC = {
    "add": add, "sub": subtract, "mul": multiply, "truediv": divide, "floordiv": floor_divide,
    "mod": remainder, "divmod": divmod, "pow": power, "and": bitwise_and, "or": bitwise_or,
    "xor": bitwise_xor, "lshift": left_shift, "rshift": right_shift,
}  # fmt: skip
_COMPARISONS = {
    "eq": equal_to, "ne": not_equal, "lt": less, "le": less_equal, "gt": greater, "ge": greater_equal,
}  # fmt: skip

for _name, _function in _ARITHMETIC.items():
    operator(_name, _function)
for _name, _function in _COMPARISONS.items():
    operator(_name, _function, reflected=False)
attach("__neg__", negative)
attach("__pos__", positive)
attach("__abs__", absolute)
attach("__invert__", bitwise_not)
attach("__round__", lambda x, decimals=None: round(x, decimals=decimals))
attach("__hash__", None)  # == is elementwise, so there is no hash that agrees with it
attach("real", property(real))  # as in NumPy, JAX and PyTorch
attach("imag", property(imag))


def _dtype(dtype: Any) -> tuple[Any]:
    try:
        hash(jnp.dtype(dtype))
    except TypeError:
        raise BadPattern(f"{dtype!r} is no dtype.", "Write 'float32' or jnp.float32.") from None
    return (dtype,)


_astype = Operation(
    "astype", lambda names, dtype: Body(lambda a: jnp.asarray(a, dtype), *names), ("dtype",), _dtype
)


@method
def astype(x: NamedTensor, dtype: Any) -> NamedTensor:
    """``x`` converted to ``dtype``; names unchanged.

    Example:
      >>> import namedtensor as nt
      >>> nt.tensor([0.0, 2.0], "seq").astype(bool).array
      Array([False,  True], dtype=bool)
    """
    return run(_astype, (x,), (dtype,))


__all__ = public(globals())
