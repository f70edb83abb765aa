"""What lies beyond the border: padding, cropping to a size, and the triangles of matrices."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from namedtensor.interop.onnx.errors import OnnxError
from namedtensor.interop.onnx.operators.shapes import axes_of, taken
from namedtensor.interop.onnx.table import operator
from namedtensor.interop.onnx.values import Value, beside_traced, bounded, known, numpy_or_jax

_MODES = ("constant", "reflect", "edge", "wrap")


@operator("Pad", since=11, static=("pads", "axes"))
def pad(x: Value, pads: Value, value: Value = None, axes: Value = None, *, mode: str = "constant") -> Value:
    """More at both ends of axes: a number, or what the array has there; less where it is negative."""
    places = axes_of(np.arange(np.ndim(x)) if axes is None else axes, np.ndim(x))
    if np.size(pads) != 2 * len(places):
        raise OnnxError(f"it has {np.size(pads)} pads for {len(places)} axes: two for each are needed.")
    widths = [(0, 0)] * np.ndim(x)
    for axis, before, after in zip(places, pads[: len(places)], pads[len(places) :], strict=True):
        widths[axis] = (int(before), int(after))
    bounded([n + sum(w) for n, w in zip(np.shape(x), widths, strict=True)])
    if mode not in _MODES:
        raise OnnxError(f"the mode {mode!r} is none of {', '.join(_MODES)}.")
    return _constant(x, widths, value) if mode == "constant" else _continued(x, widths, mode)


def _constant(x: Value, widths: Sequence[tuple[int, int]], value: Value) -> Value:
    value = np.zeros((), x.dtype) if value is None else value.reshape(()).astype(x.dtype)
    if not known(x, value):
        return jax.lax.pad(x, beside_traced(value), [(*w, 0) for w in widths])
    x = _cropped(x, widths)
    return np.pad(x, [(max(a, 0), max(b, 0)) for a, b in widths], constant_values=value.item())


def _continued(x: Value, widths: Sequence[tuple[int, int]], mode: str) -> Value:
    x = _cropped(x, widths)
    return numpy_or_jax(x).pad(x, [(max(a, 0), max(b, 0)) for a, b in widths], mode=mode)


def _cropped(x: Value, widths: Sequence[tuple[int, int]]) -> Value:
    return taken(
        x, [slice(max(-a, 0), n - max(-b, 0)) for n, (a, b) in zip(np.shape(x), widths, strict=True)]
    )


@operator("Pad", since=2)
def pad_by_attribute(x: Value, *, pads: Sequence[int], mode: str = "constant", value: float = 0.0) -> Value:
    """As `pad`, with the sizes in the file."""
    return pad(x, np.asarray(pads), np.asarray(value, x.dtype), mode=mode)


@operator("Pad")
def pad_by_paddings(
    x: Value, *, paddings: Sequence[int], mode: str = "constant", value: float = 0.0
) -> Value:
    """As `pad`, as opset 1 called it."""
    return pad_by_attribute(x, pads=paddings, mode=mode, value=value)


@operator("CenterCropPad", static=("shape",))
def center_crop_pad(x: Value, shape: Value, *, axes: Sequence[int] | None = None) -> Value:
    """Axes cut, or filled with zeros, to a size, the same at both ends; an odd one at the end."""
    widths = [(0, 0)] * np.ndim(x)
    for axis, size in zip(
        axes_of(range(np.ndim(x)) if axes is None else axes, np.ndim(x)), shape, strict=True
    ):
        more = int(size) - np.shape(x)[axis]
        before = abs(more) // 2 * (1 if more > 0 else -1)
        widths[axis] = (before, more - before)
    bounded([n + sum(w) for n, w in zip(np.shape(x), widths, strict=True)])
    return _constant(x, widths, None)


@operator("Trilu", static=("k",))
def triangle(x: Value, k: Value = None, *, upper: int = 1) -> Value:
    """The upper or the lower triangle of matrices, from the ``k``-th diagonal; zeros elsewhere."""
    rows, columns = np.shape(x)[-2:]
    shift = 0 if k is None else int(np.asarray(k).item())
    distance = np.arange(columns) - np.arange(rows)[:, None]
    kept = distance >= shift if upper else distance <= shift
    kept = kept.reshape((1,) * (np.ndim(x) - 2) + (rows, columns))
    return numpy_or_jax(x).where(kept, x, (np if known(x) else jnp).zeros((), x.dtype))
