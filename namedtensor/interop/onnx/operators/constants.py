"""Values that the file holds, and those that come from shapes alone: they are always known."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from namedtensor.interop.onnx.errors import OnnxError
from namedtensor.interop.onnx.table import operator
from namedtensor.interop.onnx.tensors import dtype_of
from namedtensor.interop.onnx.values import Value, bounded


@operator("Constant")
def constant(
    *,
    value: np.ndarray | None = None,
    value_float: float | None = None,
    value_floats: Sequence[float] | None = None,
    value_int: int | None = None,
    value_ints: Sequence[int] | None = None,
    value_string: str | None = None,
    value_strings: Sequence[str] | None = None,
) -> Value:
    """The array or the numbers of the node."""
    if value_string is not None or value_strings is not None:
        raise OnnxError("texts are not supported.")
    for numbers, dtype in ((value_float, np.float32), (value_floats, np.float32)):
        value = np.asarray(numbers, dtype) if numbers is not None else value
    for numbers in (value_int, value_ints):
        value = np.asarray(numbers, np.int64) if numbers is not None else value
    if value is None:
        raise OnnxError("it holds no value.")
    return value


@operator("ConstantOfShape", static=("shape",))
def constant_of_shape(shape: Value, *, value: np.ndarray | None = None) -> Value:
    """One number everywhere; zeros of float32 where none is given."""
    number = np.zeros(1, np.float32) if value is None else np.reshape(value, (1,))
    return np.broadcast_to(number[0], bounded(shape))


@operator("Range", static=("start", "limit", "delta"))
def range_(start: Value, limit: Value, delta: Value, *, stash_type: int = 1) -> Value:
    """``start + i delta`` below ``limit``; 16-bit floats are computed in 32."""
    first, last, step = (np.asarray(x).item() for x in (start, limit, delta))
    if step == 0:
        raise OnnxError("its step is 0.")
    count = max(_ceiling(first, last, step), 0)
    (count,) = bounded([count])
    dtype = np.asarray(start).dtype
    inner = dtype if dtype.kind in "iu" or dtype.itemsize > 2 else np.dtype(dtype_of(stash_type))
    return (np.asarray(first, inner) + np.arange(count).astype(inner) * np.asarray(step, inner)).astype(dtype)


def _ceiling(first: Any, last: Any, step: Any) -> int:
    if all(isinstance(x, int) for x in (first, last, step)):
        return -((first - last) // step)  # exact for numbers that floats do not hold
    return math.ceil((last - first) / step)


@operator("EyeLike", reads_shape=True)
def eye_like(x: Value, *, dtype: int | None = None, k: int = 0) -> Value:
    """Ones on a diagonal, in the shape of a matrix."""
    rows, columns = np.shape(x)
    return np.eye(rows, columns, k, x.dtype if dtype is None else dtype_of(dtype))


@operator("Shape", reads_shape=True)
def shape_(x: Value, *, start: int = 0, end: int | None = None) -> Value:
    """The sizes of the axes, or of some of them."""
    return np.asarray(np.shape(x)[slice(start, end)], np.int64)


@operator("Size", reads_shape=True)
def size(x: Value) -> Value:
    """The number of elements."""
    return np.asarray(math.prod(np.shape(x)), np.int64)
