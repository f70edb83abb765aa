"""Axes merged, parted, turned, repeated and taken in pieces; shapes computed from shapes stay NumPy."""

import math
from collections.abc import Sequence

import jax
import numpy as np

from namedtensor.interop.onnx.errors import OnnxError
from namedtensor.interop.onnx.evaluate import Call
from namedtensor.interop.onnx.table import operator
from namedtensor.interop.onnx.values import Value, bounded, known, numpy_or_jax


def axes_of(axes: Value | Sequence[int], rank: int) -> tuple[int, ...]:
    """Axes counted from the front.

    Raises:
      OnnxError: one that is not there, or is named twice.
    """
    told = [int(a) for a in np.asarray(axes).reshape(-1)]
    found = tuple(a + rank if a < 0 else a for a in told)
    if any(not 0 <= a < rank for a in found) or len(set(found)) < len(found):
        raise OnnxError(f"the axes {told} are not different axes of {rank} dimensions.")
    return found


def axis_of(axis: int, rank: int) -> int:
    """An axis counted from the front."""
    return axes_of([axis], rank)[0]


@operator("Reshape", since=5, static=("shape",))
def reshape(x: Value, shape: Value, *, allowzero: int = 0) -> Value:
    """Another shape: -1 is what remains, and 0 is the size that was there (unless ``allowzero``)."""
    sizes = [int(n) for n in shape]
    if not allowzero:
        if any(n == 0 and i >= np.ndim(x) for i, n in enumerate(sizes)):
            raise OnnxError(
                f"the shape {sizes} copies a size that an array of {np.ndim(x)} dimensions has not."
            )
        sizes = [np.shape(x)[i] if n == 0 else n for i, n in enumerate(sizes)]
    bounded([n for n in sizes if n != -1])
    return numpy_or_jax(x).reshape(x, tuple(sizes))


@operator("Reshape")
def reshape_by_attribute(
    x: Value, *, shape: Sequence[int] = (), consumed_inputs: Sequence[int] = ()
) -> Value:
    """As `reshape`, with the shape in the file."""
    return reshape(x, np.asarray(shape, np.int64))


@operator("Flatten")
def flatten(x: Value, *, axis: int = 1) -> Value:
    """A matrix: the axes before ``axis``, and those from there on."""
    if not -np.ndim(x) <= axis <= np.ndim(x):
        raise OnnxError(f"the axis {axis} is none of {np.ndim(x)} dimensions.")
    front = np.shape(x)[:axis]
    return numpy_or_jax(x).reshape(x, (math.prod(front), math.prod(np.shape(x)[len(front) :])))


@operator("Squeeze", since=13, static=("axes",))
def squeeze(x: Value, axes: Value = None) -> Value:
    """Without axes of size 1: these, or all of them."""
    return numpy_or_jax(x).squeeze(x, None if axes is None else axes_of(axes, np.ndim(x)))


@operator("Squeeze")
def squeeze_by_attribute(x: Value, *, axes: Sequence[int] | None = None) -> Value:
    """As `squeeze`, with the axes in the file."""
    return squeeze(x, axes)


@operator("Unsqueeze", since=13, static=("axes",))
def unsqueeze(x: Value, axes: Value) -> Value:
    """With new axes of size 1, at these places of the result."""
    return numpy_or_jax(x).expand_dims(x, axes_of(axes, np.ndim(x) + np.size(axes)))


@operator("Unsqueeze")
def unsqueeze_by_attribute(x: Value, *, axes: Sequence[int]) -> Value:
    """As `unsqueeze`, with the axes in the file."""
    return unsqueeze(x, axes)


@operator("Transpose")
def transpose(x: Value, *, perm: Sequence[int] | None = None) -> Value:
    """The axes in another order; reversed where none is given."""
    return numpy_or_jax(x).transpose(x, perm)


@operator("Expand", static=("shape",))
def expand(x: Value, shape: Value) -> Value:
    """Repeated to a shape; where either has size 1, the other's size counts."""
    sizes = np.broadcast_shapes(np.shape(x), bounded(shape))
    x = x.reshape((1,) * (len(sizes) - np.ndim(x)) + np.shape(x))
    return numpy_or_jax(x).broadcast_to(x, bounded(sizes))


@operator("Tile", since=6, static=("repeats",))
def tile(x: Value, repeats: Value) -> Value:
    """One copy after another, so many along each axis."""
    if np.size(repeats) != np.ndim(x):
        raise OnnxError(f"it has {np.size(repeats)} repeats for {np.ndim(x)} dimensions.")
    bounded([n * int(r) for n, r in zip(np.shape(x), repeats, strict=True)])
    return numpy_or_jax(x).tile(x, tuple(int(r) for r in repeats))


@operator("Tile", static=("tiles", "axis"))
def tile_along(x: Value, tiles: Value, axis: Value) -> Value:
    """As `tile`, along one axis."""
    repeats = np.ones(np.ndim(x), np.int64)
    repeats[axis_of(int(axis.item()), np.ndim(x))] = int(tiles.item())
    return tile(x, repeats)


@operator("Concat")
def concat(*xs: Value, axis: int = 1) -> Value:
    """One array after another along an axis."""
    return numpy_or_jax(*xs).concatenate(xs, axis)


def taken(x: Value, slices: Sequence[slice]) -> Value:
    """A piece of an array, as slices of its axes say; they may go backwards."""
    if known(x):
        return x[tuple(slices)]
    ranges = [range(n)[s] for n, s in zip(np.shape(x), slices, strict=True)]
    back = tuple(i for i, r in enumerate(ranges) if r.step < 0)
    rising = [r[::-1] if r.step < 0 else r for r in ranges]
    piece = jax.lax.slice(
        x,
        [r.start if r else 0 for r in rising],
        [r[-1] + 1 if r else 0 for r in rising],
        [r.step for r in rising],
    )
    return jax.lax.rev(piece, back) if back else piece


@operator("Slice", since=10, static=("starts", "ends", "axes", "steps"))
def slice_(x: Value, starts: Value, ends: Value, axes: Value = None, steps: Value = None) -> Value:
    """From a start to an end, by steps, along some axes; what lies outside of the array is cut off."""
    places = axes_of(np.arange(np.size(starts)) if axes is None else axes, np.ndim(x))
    steps = np.ones(len(places), np.int64) if steps is None else steps
    slices = [slice(None)] * np.ndim(x)
    for axis, start, end, step in zip(places, starts, ends, steps, strict=True):
        slices[axis] = slice(int(start), int(end), int(step))
    return taken(x, slices)


@operator("Slice")
def slice_by_attributes(
    x: Value, *, starts: Sequence[int], ends: Sequence[int], axes: Sequence[int] | None = None
) -> Value:
    """As `slice_`, with the bounds in the file."""
    return slice_(x, np.asarray(starts), np.asarray(ends), axes)


@operator("Split", since=13, static=("split",))
def split_by_operand(
    x: Value, split: Value = None, *, axis: int = 0, num_outputs: int | None = None, node: Call
) -> list[Value]:
    """Pieces along an axis: of these sizes, or of equal ones (the last may be smaller)."""
    axis = axis_of(axis, np.ndim(x))
    count, size = num_outputs or len(node.wanted), np.shape(x)[axis]
    if split is None:
        if num_outputs is None and size % count:
            raise OnnxError(f"its axis of size {size} has no {count} equal parts.")
        each = -(-size // count)
        split = np.asarray([max(min(each, size - i * each), 0) for i in range(count)])
    if np.sum(split) != size or np.any(split < 0):
        raise OnnxError(f"the parts {list(map(int, split))} are not those of an axis of size {size}.")
    ends = np.cumsum(split)
    return [
        taken(x, [slice(None)] * axis + [slice(int(e - n), int(e))] + [slice(None)] * (np.ndim(x) - axis - 1))
        for n, e in zip(split, ends, strict=True)
    ]


@operator("Split", static=("sizes",))
def split_by_attribute(
    x: Value, sizes: Value = None, *, split: Sequence[int] | None = None, axis: int = 0, node: Call
) -> list[Value]:
    """As `split_by_operand`, with the sizes in the file."""
    return split_by_operand(x, np.asarray(split) if split is not None else sizes, axis=axis, node=node)
