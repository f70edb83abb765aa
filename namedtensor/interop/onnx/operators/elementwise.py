"""Operators of one number at a time, with ONNX's broadcasting by position."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from namedtensor.interop.onnx.errors import OnnxError
from namedtensor.interop.onnx.table import operator
from namedtensor.interop.onnx.tensors import dtype_of
from namedtensor.interop.onnx.values import Value, cast, known, lined_up, numpy_or_jax

# ONNX's name -> the name that NumPy and jax.numpy have for it
_ONE = {
    "Abs": "abs", "Acos": "arccos", "Acosh": "arccosh", "Asin": "arcsin", "Asinh": "arcsinh",
    "Atan": "arctan", "Atanh": "arctanh", "BitwiseNot": "bitwise_not",
    "Ceil": "ceil", "Cos": "cos", "Cosh": "cosh",
    "Exp": "exp", "Floor": "floor", "IsNaN": "isnan", "Log": "log", "Neg": "negative", "Not": "logical_not",
    "Round": "round", "Sign": "sign", "Sin": "sin", "Sinh": "sinh", "Sqrt": "sqrt",
    "Tan": "tan", "Tanh": "tanh",
}  # fmt: skip
_TWO = {
    "Add": "add", "And": "logical_and", "BitwiseAnd": "bitwise_and", "BitwiseOr": "bitwise_or",
    "BitwiseXor": "bitwise_xor", "Equal": "equal", "Greater": "greater", "GreaterOrEqual": "greater_equal",
    "Less": "less", "LessOrEqual": "less_equal", "Mul": "multiply", "Or": "logical_or", "Sub": "subtract",
    "Xor": "logical_xor",
}  # fmt: skip
_MANY = {"Max": "maximum", "Min": "minimum", "Sum": "add"}


def _one(name: str) -> Callable[[Value], Value]:
    def call(x: Value) -> Value:
        return getattr(numpy_or_jax(x), name)(x).astype(bool if name in ("isnan", "logical_not") else x.dtype)

    return call


def _two(name: str) -> Callable[[Value, Value], Value]:
    def call(a: Value, b: Value) -> Value:
        return getattr(numpy_or_jax(a, b), name)(*lined_up(a, b))

    return call


def _many(name: str) -> Callable[..., Value]:
    def call(*xs: Value) -> Value:
        return functools.reduce(getattr(numpy_or_jax(*xs), name), lined_up(*xs))

    return call


def _along(a: Value, b: Value, axis: int | None) -> Value:
    """``b`` with axes behind it, so that its first one lies at ``axis`` of ``a``, as before opset 7."""
    behind = np.ndim(a) - np.ndim(b) - (np.ndim(a) - np.ndim(b) if axis is None else axis % np.ndim(a))
    return b.reshape(np.shape(b) + (1,) * behind)


def _before_7(two: Callable[[Value, Value], Value]) -> Callable[..., Value]:
    def call(
        a: Value, b: Value, *, broadcast: int = 0, axis: int | None = None, consumed_inputs: Any = None
    ) -> Value:
        return two(a, _along(a, b, axis) if broadcast else b)

    return call


for _names, _how, _since in ((_ONE, _one, 1), (_TWO, _two, 7), (_MANY, _many, 1)):
    for _onnx, _numpy in _names.items():
        operator(_onnx, since=_since)(_how(_numpy))


@operator("Mean")
def mean(*xs: Value) -> Value:
    """The mean of several arrays, number by number."""
    return _many("add")(*xs) / np.asarray(len(xs), xs[0].dtype)


@operator("Identity")
def identity(x: Value) -> Value:
    """The same."""
    return x


@operator("Reciprocal")
def reciprocal(x: Value) -> Value:
    """``1 / x``."""
    return np.ones((), x.dtype) / x


@operator("Erf")
def erf(x: Value) -> Value:
    """The error function; NumPy has none."""
    return cast(jax.scipy.special.erf(x), x.dtype)


@operator("Div", since=7)
def div(a: Value, b: Value) -> Value:
    """The quotient; of integers, truncated towards zero."""
    a, b = lined_up(a, b)
    if a.dtype.kind not in "iu":
        return a / b
    return _numpy_division(a, b) if known(a, b) else jax.lax.div(*jnp.broadcast_arrays(a, b))


def _numpy_division(a: Value, b: Value) -> Value:
    if not np.all(b):
        raise OnnxError("an integer is divided by zero.")
    quotient = np.floor_divide(a, b)
    return (quotient + ((quotient < 0) & (quotient * b != a))).astype(a.dtype)


@operator("Mod")
def mod(a: Value, b: Value, *, fmod: int = 0) -> Value:
    """The remainder, with the sign of the divisor; with ``fmod``, of the dividend."""
    return getattr(numpy_or_jax(a, b), "fmod" if fmod else "mod")(*lined_up(a, b))


@operator("Pow", since=7)
def power(a: Value, b: Value) -> Value:
    """``a ** b`` in the dtype of ``a``."""
    xp = numpy_or_jax(a, b)
    if known(b) and b.size == 1 and not known(a):
        exponent = b.item()
        whole = (
            float(exponent).is_integer() and abs(exponent) <= 8
        )  # a product, which private execution likes too
        if whole and (exponent >= 0 or a.dtype.kind not in "iu"):
            return jax.lax.integer_pow(a, int(exponent)).reshape(
                np.broadcast_shapes(np.shape(a), np.shape(b))
            )
    a, b = lined_up(a, b)
    if a.dtype.kind in "iu" and b.dtype.kind not in "iu":
        return cast(xp.power(a.astype(float if xp is np else jnp.float32), b), a.dtype)
    return cast(xp.power(a, b if a.dtype.kind not in "iu" else b.astype(a.dtype)), a.dtype)


@operator("Where")
def where(condition: Value, x: Value, y: Value) -> Value:
    """``x`` where the condition holds, else ``y``."""
    return numpy_or_jax(condition, x, y).where(*lined_up(condition, x, y))


@operator("Clip", since=11)
def clip(x: Value, low: Value = None, high: Value = None) -> Value:
    """Not below ``low``, nor above ``high``."""
    xp = numpy_or_jax(x, low, high)
    x = x if low is None else xp.maximum(*lined_up(x, low))
    return x if high is None else xp.minimum(*lined_up(x, high))


@operator("Clip")
def clip_by_attributes(x: Value, *, min: float | None = None, max: float | None = None) -> Value:
    """As `clip`, with bounds in the file."""
    bounds = [None if b is None else np.asarray(b, x.dtype) for b in (min, max)]
    return clip(x, *bounds)


@operator("IsInf")
def is_inf(x: Value, *, detect_negative: int = 1, detect_positive: int = 1) -> Value:
    """Whether a number is infinite, of the signs asked for."""
    xp = numpy_or_jax(x)
    return (xp.isposinf(x) & bool(detect_positive)) | (xp.isneginf(x) & bool(detect_negative))


@operator("BitShift")
def bit_shift(a: Value, b: Value, *, direction: str) -> Value:
    """Bits moved; those that leave are lost."""
    xp = numpy_or_jax(a, b)
    return {"LEFT": xp.left_shift, "RIGHT": xp.right_shift}[direction](*lined_up(a, b))


@operator("Cast")
def convert(x: Value, *, to: int, saturate: int = 1, round_mode: str = "up") -> Value:
    """Another dtype; numbers that become integers lose their fraction."""
    dtype = dtype_of(to)
    if dtype is None:
        raise OnnxError("texts are not supported: cast to numbers.")
    return x if x.dtype == dtype else cast(x, dtype)


@operator("CastLike")
def convert_like(x: Value, y: Value, *, saturate: int = 1, round_mode: str = "up") -> Value:
    """The dtype of another array."""
    return cast(x, y.dtype)


for _onnx, _numpy in _TWO.items():
    operator(_onnx)(_before_7(_two(_numpy)))
operator("Div")(_before_7(div))
operator("Pow")(_before_7(power))
