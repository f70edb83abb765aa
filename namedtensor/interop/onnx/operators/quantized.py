"""Quantized numbers: integers with a scale and a zero point, of a whole array, of an axis, or of blocks."""

import jax
import jax.numpy as jnp
import numpy as np

from namedtensor.interop.onnx.errors import OnnxError
from namedtensor.interop.onnx.operators._rounding import centred, fitting, integers, rescaled, saturated
from namedtensor.interop.onnx.table import operator
from namedtensor.interop.onnx.tensors import dtype_of
from namedtensor.interop.onnx.values import Value, cast, known, lined_up, numpy_or_jax

MICROSOFT = "com.microsoft"


def _spread(v: Value, shape: tuple[int, ...], axis: int, block_size: int) -> Value:
    """A scale or a zero point as it is broadcast against an array."""
    if v.ndim == 0 or (v.size == 1 and not block_size):
        return v.reshape((1,) * len(shape))
    if not -len(shape) <= axis < len(shape):
        raise OnnxError(f"axis {axis} of an array of shape {shape}.")
    axis %= len(shape)
    if block_size:
        xp = numpy_or_jax(v)
        rows = np.arange(shape[axis]) // block_size
        if v.ndim != len(shape) or v.shape[axis] != -(-shape[axis] // block_size):
            raise OnnxError(f"blocks of {block_size} of an array {shape} have no scales of shape {v.shape}.")
        return xp.take(v, rows, axis)
    if v.ndim != 1 or len(v) != shape[axis]:
        raise OnnxError(f"axis {axis} of an array of shape {shape} has no scales of shape {v.shape}.")
    return fitting(v, len(shape), axis)


@operator("QuantizeLinear")
@operator("QuantizeLinear", domain=MICROSOFT)
def quantize(
    x: Value,
    scale: Value,
    zero: Value = None,
    *,
    axis: int = 1,
    block_size: int = 0,
    output_dtype: int = 0,
    precision: int = 0,
    saturate: int = 1,
) -> Value:
    """``round(x / scale) + zero``, the largest or smallest number where that is too large or too small."""
    del saturate  # of float8 only
    dtype = zero.dtype if zero is not None else dtype_of(output_dtype) if output_dtype else np.uint8
    scale = _spread(scale, x.shape, axis, block_size)
    wide = dtype_of(precision) if precision else jnp.promote_types(x.dtype, jnp.float32)
    quotient = _divided(cast(x, wide), cast(scale, wide))
    offset = np.zeros((1,) * x.ndim, wide) if zero is None else _spread(zero, x.shape, axis, block_size)
    return saturated(quotient, offset, dtype)


def _divided(x: Value, scale: Value) -> Value:
    """The exact quotient: XLA would multiply by the reciprocal, and ties would be rounded elsewhere."""
    if known(x, scale):
        return x / scale
    return x / jax.lax.optimization_barrier(jnp.broadcast_to(scale, x.shape))


@operator("DequantizeLinear")
@operator("DequantizeLinear", domain=MICROSOFT)
def dequantize(
    x: Value, scale: Value, zero: Value = None, *, axis: int = 1, block_size: int = 0, output_dtype: int = 0
) -> Value:
    """``(x - zero) * scale``."""
    xp, dtype = numpy_or_jax(x, scale, zero), dtype_of(output_dtype) if output_dtype else scale.dtype
    integers(x.dtype, "int32")
    whole = cast(x, np.int32)
    if zero is not None:
        whole = whole - cast(_spread(zero, x.shape, axis, block_size), np.int32)
    wide = xp.promote_types(scale.dtype, np.float32)
    return cast(cast(whole, wide) * cast(_spread(scale, x.shape, axis, block_size), wide), dtype)


@operator("DynamicQuantizeLinear", since=11)
def quantize_dynamically(x: Value) -> tuple[Value, Value, Value]:
    """8 bits from the smallest number (zero at most) to the largest; the scale, and the zero point."""
    low, high = jnp.minimum(jnp.min(x), 0), jnp.maximum(jnp.max(x), 0)
    scale = (high - low) / 255
    scale = jnp.where(scale == 0, jnp.ones_like(scale), scale)
    zero = jnp.clip(jnp.rint(-low / scale), 0, 255).astype(np.uint8)
    return quantize(x, scale, zero), scale, zero


@operator("QLinearMatMul")
def matmul_quantized(
    a: Value,
    a_scale: Value,
    a_zero: Value,
    b: Value,
    b_scale: Value,
    b_zero: Value,
    y_scale: Value,
    y_zero: Value,
) -> Value:
    """The product of two quantized matrices, summed in 32 bits and quantized again."""
    left, right = centred(a, _of_rows(a_zero)), centred(b, _of_columns(b_zero))
    scales = _of_rows(a_scale), _of_columns(b_scale), _of_rows(y_scale)
    return requantized(jnp.matmul(*lined_up(left, right)), *scales, _of_rows(y_zero))


def requantized(total: Value, a_scale: Value, b_scale: Value, y_scale: Value, y_zero: Value) -> Value:
    """Sums of products as numbers of another scale."""
    total, a, b, y, zero = lined_up(total, *(jnp.asarray(v) for v in (a_scale, b_scale, y_scale, y_zero)))
    return rescaled(total, a * b / y, zero)


def _of_rows(v: Value) -> Value:
    return v.reshape(-1, 1) if v.ndim == 1 else v


def _of_columns(v: Value) -> Value:
    return v.reshape(1, -1) if v.ndim == 1 else v
