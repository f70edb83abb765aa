"""Rounding to integers of few bits: half to even, and what is too large becomes the largest."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from namedtensor.interop.onnx.errors import OnnxError
from namedtensor.interop.onnx.values import Value, numpy_or_jax

_KINDS = ("int8", "uint8", "int16", "uint16")


def integers(dtype: Any, *more: str) -> np.dtype:
    """A dtype of quantized numbers: one of 8 or 16 bits, or one of ``more``.

    Raises:
      OnnxError: one that is not supported.
    """
    dtype = np.dtype(dtype)
    if dtype.name not in (kinds := (*_KINDS, *more)):
        raise OnnxError(f"quantized numbers of kind {dtype.name} are not supported, only {', '.join(kinds)}.")
    return dtype


def saturated(x: Value, zero: Value, dtype: Any) -> Value:
    """``round(x) + zero`` in an integer dtype; what lies outside of it becomes its limit."""
    xp, dtype = numpy_or_jax(x, zero), integers(dtype)
    limits = np.iinfo(dtype)
    moved = xp.rint(x) + xp.asarray(zero).astype(x.dtype)
    return xp.clip(moved, np.asarray(limits.min, x.dtype), np.asarray(limits.max, x.dtype)).astype(dtype)


def rescaled(total: Value, scale: Value, zero: Value) -> Value:
    """Sums of 32 bits, scaled and rounded to the dtype of the zero point."""
    wide = jnp.promote_types(scale.dtype, jnp.float32)
    zero = fitting(jnp.asarray(zero), total.ndim)
    return saturated(total.astype(wide) * scale.astype(wide), zero, zero.dtype)


def centred(x: Value, zero: Value = None) -> Value:
    """``x - zero`` in 32 bits; the zero point has the same rank, or is one number."""
    x = jnp.asarray(x).astype(jnp.int32)
    if zero is None:
        return x
    zero = jnp.asarray(zero).astype(jnp.int32)
    return x - (zero if zero.ndim == x.ndim else fitting(zero, x.ndim))


def fitting(v: Value, ndim: int, axis: int | None = None) -> Value:
    """One number, or one for each position of an axis, as it is broadcast against ``ndim`` axes."""
    if v.size == 1:
        return v.reshape((1,) * ndim)
    return v if axis is None else v.reshape([-1 if a == axis else 1 for a in range(ndim)])
