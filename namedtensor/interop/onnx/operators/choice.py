"""Which number is the largest: sorted out, named by its place, or marked."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from namedtensor.interop.onnx.errors import OnnxError
from namedtensor.interop.onnx.operators.shapes import axis_of
from namedtensor.interop.onnx.table import operator
from namedtensor.interop.onnx.values import Value, cast, known, numpy_or_jax


@operator("TopK", since=10, static=("k",))
def top_k(x: Value, k: Value, *, axis: int = -1, largest: int = 1, sorted: int = 1) -> tuple[Value, Value]:
    """The ``k`` largest (or smallest) numbers along an axis, and their places; equal ones in their order."""
    axis, count = axis_of(axis, np.ndim(x)), int(np.asarray(k).item())
    if not 0 <= count <= np.shape(x)[axis]:
        raise OnnxError(f"the {count} largest of {np.shape(x)[axis]} numbers were asked for.")
    if known(x):
        places = np.argsort(_turned(x) if largest else x, axis, kind="stable")
        places = places.take(range(count), axis)
        return np.take_along_axis(x, places, axis), places.astype(np.int64)
    last = jnp.moveaxis(x, axis, -1)
    values, places = jax.lax.top_k(last if largest else _turned(last), count)
    values = values if largest else _turned(values)
    return jnp.moveaxis(values, -1, axis), cast(jnp.moveaxis(places, -1, axis), np.int64)


def _turned(x: Value) -> Value:
    """Numbers in the opposite order; the complement has room for the smallest integer, too."""
    return ~x if x.dtype.kind in "iu" else -x


@operator("TopK")
def top_k_by_attribute(x: Value, *, k: int, axis: int = -1) -> tuple[Value, Value]:
    """As `top_k`, with the count in the file."""
    return top_k(x, np.asarray(k), axis=axis)


@operator("ArgMax")
def arg_max(x: Value, *, axis: int = 0, keepdims: int = 1, select_last_index: int = 0) -> Value:
    """Where the largest number along an axis is: the first of equal ones, or the last."""
    return _place("argmax", x, axis, keepdims, select_last_index)


@operator("ArgMin")
def arg_min(x: Value, *, axis: int = 0, keepdims: int = 1, select_last_index: int = 0) -> Value:
    """Where the smallest number along an axis is: the first of equal ones, or the last."""
    return _place("argmin", x, axis, keepdims, select_last_index)


def _place(name: str, x: Value, axis: int, keepdims: int, last: int) -> Value:
    xp, axis = numpy_or_jax(x), axis_of(axis, np.ndim(x))
    place = getattr(xp, name)(xp.flip(x, axis) if last else x, axis, keepdims=bool(keepdims))
    return cast(np.shape(x)[axis] - 1 - place if last else place, np.int64)


@operator("Hardmax", since=13)
def hardmax(x: Value, *, axis: int = -1) -> Value:
    """1 where the largest number along an axis is (the first of equal ones), else 0."""
    axis = axis_of(axis, np.ndim(x))
    steps = np.arange(np.shape(x)[axis]).reshape([-1 if a == axis else 1 for a in range(np.ndim(x))])
    return (numpy_or_jax(x).argmax(x, axis, keepdims=True) == steps).astype(x.dtype)


@operator("Hardmax")
def hardmax_of_rows(x: Value, *, axis: int = 1) -> Value:
    """As `hardmax`, over all axes from ``axis`` on together."""
    return hardmax(rows(x, axis)).reshape(np.shape(x))


def rows(x: Value, axis: int) -> Value:
    """A matrix of the axes before ``axis``, and those from there on: how some operators saw arrays."""
    if not -np.ndim(x) <= axis <= np.ndim(x):
        raise OnnxError(f"the axis {axis} is none of {np.ndim(x)} dimensions.")
    return x.reshape(math.prod(np.shape(x)[:axis]), -1)
