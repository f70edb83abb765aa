"""Resized arrays: each axis times the matrix of its weights."""

from collections.abc import Sequence
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np

from namedtensor.interop.onnx.errors import OnnxError
from namedtensor.interop.onnx.operators._resampling import Axis, cubic, hat
from namedtensor.interop.onnx.table import operator
from namedtensor.interop.onnx.values import Value, bounded


@operator("Resize", since=11, static=("roi", "scales", "sizes"))
def resize(
    x: Value,
    roi: Value = None,
    scales: Value = None,
    sizes: Value = None,
    *,
    antialias: int = 0,
    axes: Sequence[int] | None = None,
    coordinate_transformation_mode: str = "half_pixel",
    cubic_coeff_a: float = -0.75,
    exclude_outside: int = 0,
    extrapolation_value: float = 0.0,
    keep_aspect_ratio_policy: str = "stretch",
    mode: str = "nearest",
    nearest_mode: str = "round_prefer_floor",
) -> Value:
    """``x`` with other sizes of some axes, given as numbers or as ratios."""
    chosen = [a % x.ndim for a in (range(x.ndim) if axes is None else axes)]
    found = _axes([x.shape[a] for a in chosen], scales, sizes, keep_aspect_ratio_policy)
    crop = coordinate_transformation_mode == "tf_crop_and_resize"
    if crop:
        found = [replace(f, roi=edges) for f, edges in zip(found, _edges(roi, len(found)), strict=True)]
    bounded([f.new for f in found] + [n for a, n in enumerate(x.shape) if a not in chosen])
    changed = {a: f for a, f in zip(chosen, found, strict=True) if crop or f.new != f.size or f.scale != 1}
    how = coordinate_transformation_mode
    if mode == "nearest":
        y = jnp.asarray(x)
        for a, axis in changed.items():
            y = jnp.take(y, axis.nearest(how, nearest_mode), a, mode="clip")
    else:
        kernel, reach = _kernel(mode, cubic_coeff_a)
        matrices = {
            a: axis.weights(how, kernel, reach, bool(antialias), bool(exclude_outside))
            for a, axis in changed.items()
        }
        y = _times(x, matrices)
    return _extrapolated(y, changed, extrapolation_value) if crop else y


def _kernel(mode: str, a: float) -> tuple:
    if mode not in ("linear", "cubic"):
        raise OnnxError(f"mode {mode!r} is none of nearest, linear, cubic.")
    return (hat, 1) if mode == "linear" else (cubic(a), 2)


def _edges(roi: Value, n: int) -> list[tuple[float, float]]:
    if roi is None or np.size(roi) != 2 * n:
        raise OnnxError(f"a crop needs {2 * n} numbers as roi: the starts of {n} axes, then their ends.")
    starts, ends = np.asarray(roi, np.float64).reshape(2, n)
    return list(zip(starts.tolist(), ends.tolist(), strict=True))


def _axes(before: list[int], scales: Value, sizes: Value, policy: str) -> list[Axis]:
    by_size = sizes is not None and np.size(sizes) > 0
    given = sizes if by_size else scales
    if given is None or np.size(given) != len(before):
        count = 0 if given is None else np.size(given)
        raise OnnxError(f"there are {count} scales or sizes, for {len(before)} axes.")
    if any(n < 1 for n in before):
        raise OnnxError(f"an axis of sizes {before} has no row: there is nothing to resize.")
    if not by_size:
        ratios = np.asarray(given, np.float32)
        if not (np.isfinite(ratios) & (ratios > 0)).all():
            raise OnnxError(f"scales {ratios.tolist()} are not all positive numbers.")
        news = np.floor(ratios * np.asarray(before, np.float32)).astype(np.int64)
        return [
            Axis(n, int(new), float(r), exact=False) for n, new, r in zip(before, news, ratios, strict=True)
        ]
    wanted = [int(n) for n in np.ravel(given)]
    if policy == "stretch":
        return [Axis(n, new, new / n, exact=True) for n, new in zip(before, wanted, strict=True)]
    if policy not in ("not_larger", "not_smaller"):
        raise OnnxError(f"keep_aspect_ratio_policy {policy!r} is none of stretch, not_larger, not_smaller.")
    pick = min if policy == "not_larger" else max
    scale = pick(new / n for n, new in zip(before, wanted, strict=True))
    return [Axis(n, int(np.floor(scale * n + 0.5)), scale, exact=False) for n in before]


def _times(x: Value, matrices: dict[int, np.ndarray]) -> Value:
    wide = jnp.promote_types(x.dtype, jnp.float32)
    y = jnp.asarray(x, wide)
    for a, matrix in matrices.items():
        product = jnp.tensordot(y, matrix.T.astype(wide), ((a,), (0,)), precision=jax.lax.Precision.HIGHEST)
        y = jnp.moveaxis(product, -1, a)
    return y.astype(x.dtype)


def _extrapolated(y: Value, axes: dict[int, Axis], value: float) -> Value:
    outside = np.zeros((1,) * y.ndim, bool)
    for a, axis in axes.items():
        shape = [-1 if i == a else 1 for i in range(y.ndim)]
        outside = outside | axis.outside("tf_crop_and_resize").reshape(shape)
    return jnp.where(outside, np.asarray(value, y.dtype).reshape((1,) * y.ndim), y)


@operator("Upsample", since=9, static=("scales",))
@operator("Resize", since=10, static=("scales",))
def upsample(x: Value, scales: Value, *, mode: str = "nearest") -> Value:
    """As `resize`, with the rules of early opsets: new places lie at multiples of the ratio."""
    return resize(
        x,
        None,
        scales,
        mode="linear" if mode in ("linear", "bilinear") else mode,
        coordinate_transformation_mode="asymmetric",
        nearest_mode="simple",
    )


@operator("Upsample", since=7)
def upsample_by_attribute(x: Value, *, mode: str = "nearest", scales: Sequence[float]) -> Value:
    """As `upsample`, with the ratios in the file."""
    return upsample(x, np.asarray(scales, np.float32), mode=mode)


@operator("Upsample")
def upsample_images(x: Value, *, height_scale: float, mode: str = "nearest", width_scale: float) -> Value:
    """As `upsample`, of images."""
    return upsample(x, np.asarray([1, 1, height_scale, width_scale], np.float32), mode=mode)
