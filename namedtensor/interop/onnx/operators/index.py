"""Numbers read from places, and written to places, that other numbers say.

Indices that are known are checked; of those that are traced, one that lies outside reads NaN (the
smallest integer, of integers) and writes nothing.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from namedtensor.interop.onnx.errors import OnnxError
from namedtensor.interop.onnx.operators.shapes import axis_of, taken
from namedtensor.interop.onnx.table import operator
from namedtensor.interop.onnx.values import Value, beside_traced, bounded, cast, known, numpy_or_jax

_REDUCTIONS = {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}


def _inside(indices: Value, size: int) -> Value:
    """Indices from the front: known ones are checked and made so, traced ones may be negative."""
    if not known(indices):
        return indices
    if np.size(indices) and (indices.min() < -size or indices.max() >= size):
        raise OnnxError(
            f"the indices {indices.min()} to {indices.max()} are not all those of an axis of size {size}."
        )
    return np.where(indices < 0, indices + size, indices)


@operator("Gather")
def gather(x: Value, indices: Value, *, axis: int = 0) -> Value:
    """The slices along an axis that the indices name, in their shape."""
    axis = axis_of(axis, np.ndim(x))
    indices = _inside(indices, np.shape(x)[axis])
    if known(indices) and not known(x) and np.ndim(indices) == 0:  # one slice needs no gather
        here = slice(int(indices), int(indices) + 1)
        piece = taken(x, [slice(None)] * axis + [here] + [slice(None)] * (np.ndim(x) - axis - 1))
        return jnp.squeeze(piece, axis)
    return numpy_or_jax(x, indices).take(x, beside_traced(indices) if not known(x) else indices, axis)


@operator("GatherElements")
def gather_elements(x: Value, indices: Value, *, axis: int = 0) -> Value:
    """For each place of the indices, the number at that place but for ``axis``, where the index counts."""
    axis = axis_of(axis, np.ndim(x))
    indices = _inside(indices, np.shape(x)[axis])
    x = taken(x, [slice(None) if a == axis else slice(n) for a, n in enumerate(np.shape(indices))])
    return numpy_or_jax(x, indices).take_along_axis(x, indices, axis)


@operator("GatherND")
def gather_nd(x: Value, indices: Value, *, batch_dims: int = 0) -> Value:
    """What the indices name, each row of them a place in the first axes after those of the batch."""
    shape = np.shape(indices)[:-1]
    batch = [_along(n, a, len(shape)) for a, n in enumerate(shape[:batch_dims])]
    place = (*batch, *_rows(indices, np.shape(x)[batch_dims:]))
    place = tuple(np.broadcast_to(i, shape) if known(i) else i for i in place)
    return x[place] if known(x, indices) else jnp.asarray(x).at[place].get(mode="fill")


def _rows(indices: Value, sizes: tuple[int, ...]) -> list[Value]:
    """Indices of places, an array for each axis."""
    count = np.shape(indices)[-1]
    if count > len(sizes):
        raise OnnxError(f"its indices name {count} axes, and the array has {len(sizes)} of them.")
    return [_inside(indices[..., i], sizes[i]) for i in range(count)]


def _along(size: int, axis: int, rank: int) -> np.ndarray:
    """0, 1, 2, ... along an axis."""
    return np.arange(size).reshape([-1 if a == axis else 1 for a in range(rank)])


@operator("ScatterElements")
@operator("Scatter", since=9)
def scatter_elements(
    x: Value, indices: Value, updates: Value, *, axis: int = 0, reduction: str = "none"
) -> Value:
    """``x`` with each update at its own place but for ``axis``, where the index counts."""
    axis, shape = axis_of(axis, np.ndim(x)), np.shape(indices)
    place: list[Value] = [np.broadcast_to(_along(n, a, len(shape)), shape) for a, n in enumerate(shape)]
    place[axis] = _inside(indices, np.shape(x)[axis])
    return _written(x, tuple(place), updates, reduction)


@operator("ScatterND")
def scatter_nd(x: Value, indices: Value, updates: Value, *, reduction: str = "none") -> Value:
    """``x`` with each update at the place that its row of the indices names: written, added, ..."""
    return _written(x, tuple(_rows(indices, np.shape(x))), updates, reduction)


def _written(x: Value, place: tuple[Value, ...], updates: Value, reduction: str) -> Value:
    if reduction != "none" and reduction not in _REDUCTIONS:
        raise OnnxError(f"the reduction {reduction!r} is none of none, {', '.join(_REDUCTIONS)}.")
    if known(x, updates, *place):
        return _written_in_numpy(x, place, updates, reduction)
    x, updates = jnp.asarray(x), jnp.asarray(updates)
    if reduction == "mul":
        return _multiplied(x, place, updates)
    return getattr(x.at[place], {"none": "set"}.get(reduction, reduction))(updates)


def _multiplied(x: Value, place: tuple[Value, ...], updates: Value) -> Value:
    """One update after the other: JAX has no derivative of several factors for the same place."""
    flat = tuple(jnp.reshape(p, -1) for p in place)
    factors = updates.reshape(-1, *updates.shape[np.ndim(place[0]) :])

    def step(x: Value, row: Any) -> Any:
        return x.at[row[0]].multiply(row[1], unique_indices=True), None

    return jax.lax.scan(step, x, (flat, factors))[0]


def _written_in_numpy(x: Value, place: tuple[Value, ...], updates: Value, reduction: str) -> Value:
    out = np.array(x)
    if reduction == "none":
        out[place] = updates
    else:
        _REDUCTIONS[reduction].at(out, place, updates)
    return out


@operator("TensorScatter")
def tensor_scatter(
    x: Value, update: Value, write_indices: Value = None, *, axis: int = -2, mode: str = "linear"
) -> Value:
    """``x`` with consecutive slices replaced, from a start that each example has."""
    axis, rank = axis_of(axis, np.ndim(x)), np.ndim(x)
    if axis == 0 or mode not in ("linear", "circular"):
        raise OnnxError(
            f"axis {axis} and mode {mode!r}: the first axis is the batch, the modes are linear and circular."
        )
    starts = np.zeros(np.shape(x)[0], np.int64) if write_indices is None else write_indices
    step = _along(np.shape(update)[axis], axis, rank)
    where = starts.reshape((-1,) + (1,) * (rank - 1)) + step.astype(starts.dtype)
    where = where % np.shape(x)[axis] if mode == "circular" else where
    return scatter_elements(x, numpy_or_jax(where).broadcast_to(where, np.shape(update)), update, axis=axis)


@operator("OneHot", static=("depth",))
def one_hot(indices: Value, depth: Value, values: Value, *, axis: int = -1) -> Value:
    """A new axis with one of two numbers at the index, and the other elsewhere."""
    count, rank = int(np.asarray(depth).item()), np.ndim(indices) + 1
    axis = axis_of(axis, rank)
    bounded([*np.shape(indices), count])
    xp = numpy_or_jax(indices, values)
    indices = xp.expand_dims(indices if indices.dtype.kind in "iu" else cast(indices, np.int64), axis)
    place = _along(count, axis, rank)
    place = place.astype(indices.dtype) if count <= np.iinfo(indices.dtype).max else place
    hit = (indices == place) | (indices == place - count) if indices.dtype.kind == "i" else indices == place
    off, on = (xp.reshape(values[i], (1,) * rank) for i in range(2))
    return xp.where(hit, on, off)
