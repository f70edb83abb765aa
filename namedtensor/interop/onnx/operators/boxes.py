"""Boxes of images, read as a grid of the same size for each: RoiAlign and its predecessor."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from namedtensor.interop.onnx.errors import OnnxError
from namedtensor.interop.onnx.evaluate import is_traced
from namedtensor.interop.onnx.graph import Node
from namedtensor.interop.onnx.table import operator
from namedtensor.interop.onnx.values import Value, bounded, cast, numpy_or_jax

_AT_ONCE = 8  # boxes: each reads a whole image, so all at once would need too much memory


def _each(one: Callable[..., Value], *rows: Value) -> Value:
    return jax.lax.map(lambda row: one(*row), rows, batch_size=_AT_ONCE)


def _counts(node: Node) -> tuple[str, ...]:
    """The largest of all samples is taken of so many as the boxes ask for, unless the file says how many."""
    adaptive = not node.attributes.get("sampling_ratio")
    return ("rois",) if adaptive and node.attributes.get("mode") == "max" else ()


@operator("RoiAlign", since=10, static=_counts)
def roi_align_unmoved(
    x: Value,
    rois: Value,
    batch_indices: Value,
    *,
    mode: str = "avg",
    output_height: int = 1,
    output_width: int = 1,
    sampling_ratio: int = 0,
    spatial_scale: float = 1.0,
) -> Value:
    """As `roi_align`, with the places of pixels at their corners, as the first opset had it."""
    return roi_align(
        x,
        rois,
        batch_indices,
        coordinate_transformation_mode="output_half_pixel",
        mode=mode,
        output_height=output_height,
        output_width=output_width,
        sampling_ratio=sampling_ratio,
        spatial_scale=spatial_scale,
    )


@operator("RoiAlign", since=16, static=_counts)
def roi_align(
    x: Value,
    rois: Value,
    batch_indices: Value,
    *,
    coordinate_transformation_mode: str = "half_pixel",
    mode: str = "avg",
    output_height: int = 1,
    output_width: int = 1,
    sampling_ratio: int = 0,
    spatial_scale: float = 1.0,
) -> Value:
    """Boxes ``rois[box (x1 y1 x2 y2)]`` of images in bins whose samples are averaged, ``[box channel *bin]``.

    References:
      He et al. 2017, Mask R-CNN.
    """
    half = {"half_pixel": True, "output_half_pixel": False}.get(coordinate_transformation_mode)
    if half is None or mode not in ("avg", "max"):
        raise OnnxError(f"mode {mode!r} with {coordinate_transformation_mode!r} is not known.")
    bounded((len(rois), x.shape[1], output_height, output_width))
    offset = 0.5 if half else 0.0
    corners = cast(rois, jnp.promote_types(x.dtype, jnp.float32)) * spatial_scale - offset
    low, size = corners[:, :2][:, ::-1], (corners[:, 2:] - corners[:, :2])[:, ::-1]
    size = size if half else size.clip(1.0)  # no box is smaller than a pixel
    read = _averaged if mode == "avg" else _largest
    places = [
        _samples(low[:, a], size[:, a] / bins, bins, x.shape[2 + a], sampling_ratio)
        for a, bins in enumerate((output_height, output_width))
    ]
    images, at = jnp.asarray(x, corners.dtype), jnp.reshape(batch_indices, -1)
    return _each(lambda i, *rows: read(images[i], *rows), at, *places).astype(x.dtype)


Samples = tuple[Value, Value, Value, Value]


def _samples(low: Value, width: Value, bins: int, n: int, ratio: int) -> Samples:
    """Along one axis: places ``[box bin sample]`` of samples, which there are, which are inside, how many."""
    xp = numpy_or_jax(low)
    count = xp.full_like(width, ratio) if ratio > 0 else xp.ceil(width).clip(0)
    step = width / count.clip(1)
    start = low[:, None] + np.arange(bins).astype(low.dtype)[None] * width[:, None]
    first = xp.zeros_like(start)
    if ratio > 0 or not is_traced(count):
        most = ratio if ratio > 0 else int(np.max(np.asarray(count), initial=0))
    else:  # samples lie more than half a row apart, so no more than this many of a bin are in the image
        most = 2 * n + 4
        first = xp.ceil((-1 - start) / step[:, None] - 1).clip(0)
    bounded((len(low), bins, most))
    number = first[..., None] + np.arange(most).astype(low.dtype)[None, None]
    at = start[..., None] + (number + 0.5) * step[:, None, None]
    inside = (at >= -1) & (at <= n)
    there = xp.broadcast_to(number < count[:, None, None], at.shape)
    return at.clip(0, n - 1), there, inside, count


def _averaged(image: Value, down: Samples, across: Samples) -> Value:
    """The mean of each bin: interpolation along one axis after the other, as two products of matrices."""
    rows, columns = (_hats(s, n) for s, n in zip((down, across), image.shape[1:], strict=True))
    total = jnp.einsum("ph,chw,qw->cpq", rows, image, columns, precision=jax.lax.Precision.HIGHEST)
    return total / jnp.maximum(down[3] * across[3], 1)


def _hats(samples: Samples, n: int) -> Value:
    """``[bin row]``: what the samples of each bin take of each row."""
    at, there, inside, _ = samples
    taken = jnp.maximum(1 - jnp.abs(at[..., None] - np.arange(n).astype(at.dtype)[None, None]), 0)
    return jnp.where((there & inside)[..., None], taken, 0).sum(1)


def _largest(image: Value, down: Samples, across: Samples) -> Value:
    """The largest of all weighted neighbours of all samples of each bin."""
    (rows, y), (columns, x) = (
        _neighbours(s, n) for s, n in zip((down, across), image.shape[1:], strict=True)
    )
    bins, taps = y.shape
    read = image[:, rows.reshape(-1)][:, :, columns.reshape(-1)].reshape(-1, bins, taps, *x.shape)
    there = (jnp.isfinite(y)[:, :, None, None] & jnp.isfinite(x)[None, None])[None]
    weight = jnp.where(jnp.isfinite(y), y, 0)[:, :, None, None] * jnp.where(jnp.isfinite(x), x, 0)[None, None]
    found = jnp.where(there, read * weight[None], -jnp.inf).max((2, 4), initial=-jnp.inf)
    return jnp.where(jnp.isfinite(found), found, 0)


def _neighbours(samples: Samples, n: int) -> tuple[Value, Value]:
    """The two rows beside each sample and their weights, ``[bin tap]``; infinite where there is no sample."""
    at, there, inside, _ = samples
    low = jnp.minimum(jnp.floor(at), n - 1)
    high = jnp.minimum(low + 1, n - 1)
    weights = jnp.stack([1 - (at - low), at - low], -1)
    weights = jnp.where(inside[..., None], weights, 0)
    weights = jnp.where(there[..., None], weights, jnp.inf)
    rows = jnp.stack([low, high], -1).astype(jnp.int32)
    return rows.reshape(len(at), -1), weights.reshape(len(at), -1)


@operator("MaxRoiPool")
def max_roi_pool(x: Value, rois: Value, *, pooled_shape: Sequence[int], spatial_scale: float = 1.0) -> Value:
    """The largest number of each bin of boxes ``rois[box (image x1 y1 x2 y2)]`` on whole pixels.

    References:
      Girshick 2015, Fast R-CNN.
    """
    bounded((len(rois), x.shape[1], *pooled_shape))
    rois, images = jnp.asarray(rois, jnp.promote_types(rois.dtype, jnp.float32)), jnp.asarray(x)
    at = rois[:, 1:] * spatial_scale
    at = jnp.sign(at) * jnp.floor(jnp.abs(at) + 0.5)  # halves away from zero
    rows, columns = (
        _bins(at[:, 1 - a], at[:, 3 - a], bins, x.shape[2 + a]) for a, bins in enumerate(pooled_shape)
    )

    def one(i: Value, down: Value, across: Value) -> Value:
        held = jnp.where(down[None, :, :, None], images[i][:, None], -jnp.inf).max(2)
        found = jnp.where(across[None, None], held[:, :, None], -jnp.inf).max(3)
        return jnp.where(jnp.isneginf(found), 0, found)

    return _each(one, rois[:, 0].astype(jnp.int32), rows, columns).astype(x.dtype)


def _bins(low: Value, high: Value, bins: int, n: int) -> Value:
    """``[box bin row]``: whether a row belongs to a bin."""
    width = jnp.maximum(high - low + 1, 1)[:, None] / bins
    numbers, rows = np.arange(bins).astype(low.dtype)[None], np.arange(n).astype(low.dtype)[None, None]
    first = jnp.clip(jnp.floor(numbers * width) + low[:, None], 0, n)
    last = jnp.clip(jnp.ceil((numbers + 1) * width) + low[:, None], 0, n)
    return (rows >= first[..., None]) & (rows < last[..., None])
