"""XRAI: regions of an image instead of pixels."""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax.numpy as jnp
import numpy as np

from captum_lite._blur import image_axes
from captum_lite._estimate import Estimate
from captum_lite._function_method import GradientMethod
from captum_lite._inputs import Layout, is_concrete
from captum_lite._problem import Problem
from captum_lite._segments import masks_of, over_segments
from captum_lite.methods.integrated_gradients import IntegratedGradients
from namedtensor import Dims, is_named
from namedtensor._errors import describe

_RADIUS, _SIDE = 5, 224  # regions are widened by 5 pixels of an image of 224


@dataclass(frozen=True)
class XRAI(GradientMethod):
    """Regions by the density of their integrated gradients, the densest first.

    The image is cut into regions at several scales; its integrated gradients, the mean of those from a
    black and from a white baseline, are summed over channels; then, again and again, the region is taken
    whose pixels that no region has covered have the largest mean. Each pixel's value is that mean for the
    region that took it (``values="rank"``: the fraction of the image that was still to be covered, 1 for
    the first region). So thresholding the result gives whole regions. Costs ``2 n_steps`` gradient
    evaluations for each example, and segmentations on the host.

    Regions are those of Felzenszwalb and Huttenlocher at the six scales of the authors' code, in
    proportion to the image's size, widened by 5 pixels in 224; or those that are given.

    Args:
      over: the dims or axes of height and width; None is ``("height", "width")`` of a named input, axes 1
        and 2 of a plain one. What else there is (channels) is summed.

    Options of `attribute`:
      segments: labels instead, as integers ``[height, width]`` for all examples or ``[batch, height,
        width]``, or a list of such (several scales). They are taken as they are, not widened.
      values: ``"gain"`` or ``"rank"``.
      ends: the values of black and of white; None is the least and the largest of each example.
      n_steps, method, internal_batch_size: as for `IntegratedGradients`, which is fixed, not adaptive.

    Returns of `attribute`:
      ``[batch, height, width]``, named if the input is: the channels are gone.

    Raises:
      ValueError: several inputs, no height and width, labels that do not fit, or no values (jax.jit).

    Example:
      >>> import jax.numpy as jnp
      >>> from captum_lite import XRAI
      >>> image = jnp.ones((1, 2, 2)).at[0, 0, 0].set(0.0)
      >>> halves = jnp.array([[0, 0], [1, 1]])
      >>> XRAI(lambda x: x[:, 1].sum(1)).attribute(image, segments=halves, values="rank")
      Array([[[0.5, 0.5],
              [1. , 1. ]]], dtype=float32)

    Source: Kapishnikov et al. 2019, arXiv:1906.02825.
    """

    over: Sequence[str | int] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        """Dims are kept in a tuple, so that a method has a hash."""
        super().__post_init__()
        if self.over is not None:
            object.__setattr__(self, "over", tuple(self.over))

    def steps(
        self,
        problem: Problem,
        *,
        segments: Any = None,
        values: str = "gain",
        ends: tuple[float, float] | None = None,
        n_steps: int = 50,
        method: str = "gausslegendre",
        internal_batch_size: int | None = None,
    ) -> Iterator[Estimate]:
        """The integrated gradients from black, those from white, and then the regions."""
        if values not in ("gain", "rank"):
            raise ValueError(f"values={values!r} is not known: choose 'gain' or 'rank'.")
        axes, layout = self._image(problem)
        images = np.moveaxis(np.asarray(problem.inputs[0]), axes, (1, 2))
        images = images.reshape(*images.shape[:3], -1)
        labels = _labels(segments, images.shape[:3], layout)
        total, seen = 0, 0
        black, white = _black_and_white(problem, ends)
        how = {"n_steps": n_steps, "method": method, "internal_batch_size": internal_batch_size}
        for part, baselines in enumerate((black, white)):
            compared = dataclasses.replace(problem, baselines=(baselines,))
            estimate = None
            for estimate in IntegratedGradients(self.fun).steps(compared, **how):
                if estimate.done < 1:
                    maps = total + _by_pixel(estimate.attributions[0], axes)
                    done = (part + estimate.done) / 2
                    counts = seen + estimate.gradients
                    yield Estimate((jnp.asarray(maps),), done, counts, layout=layout)
            assert estimate is not None
            total, seen = total + _by_pixel(estimate.attributions[0], axes), seen + estimate.gradients
        heat = _heat(np.asarray(total / 2), images, labels, values)
        yield Estimate((jnp.asarray(heat),), 1.0, seen, layout=layout)

    def _image(self, problem: Problem) -> tuple[tuple[int, ...], Layout]:
        """The axes of height and width, and the layout of a map of them."""
        if not is_concrete(problem):
            raise ValueError(
                "XRAI cuts images into regions by their values, and under jax.jit or jax.vmap there are "
                "none: call it outside."
            )
        if len(problem.inputs) != 1:
            raise ValueError(f"XRAI explains one image, and there are {len(problem.inputs)} inputs.")
        axes = image_axes(problem.inputs, problem.layout, self.over, "XRAI")[0]
        if len(axes) != 2:
            raise ValueError(f"over={self.over!r}: XRAI needs two, the height and the width.")
        dims = problem.layout.dims[0]
        kept = None if dims is None else Dims([dims[0], *(dims[a] for a in axes)])
        return axes, Layout(problem.layout.single, (kept,))


def _by_pixel(values: Any, axes: tuple[int, ...]) -> np.ndarray:
    """``[batch, height, width]``, summed over what else there is."""
    array = np.asarray(values)
    others = tuple(a for a in range(1, array.ndim) if a not in axes)
    summed = array.sum(others)
    return summed if axes[0] < axes[1] else summed.swapaxes(1, 2)


def _black_and_white(problem: Problem, ends: tuple[float, float] | None) -> tuple[Any, Any]:
    (x,) = problem.inputs
    if ends is not None:
        black, white = (jnp.full_like(x, v) for v in ends)
        return black, white
    each = tuple(range(1, x.ndim))
    black, white = (jnp.broadcast_to(f(x, axis=each, keepdims=True), x.shape) for f in (jnp.min, jnp.max))
    return black, white


def _labels(segments: Any, shape: tuple[int, ...], layout: Layout) -> list[np.ndarray] | None:
    """Given labels as arrays ``[batch, height, width]``, one for each scale."""
    if segments is None:
        return None
    parts = segments if isinstance(segments, tuple | list) else (segments,)
    return [_fit(part, shape, layout.dims[0]) for part in parts]


def _fit(part: Any, shape: tuple[int, ...], dims: Any) -> np.ndarray:
    if is_named(part) and dims is not None and set(part.dims) <= set(dims):
        found = part.to_array([d for d in dims if d in part.dims])
    else:
        found = part
    array = np.asarray(found) if not is_named(found) else np.zeros(0)
    if array.shape not in (shape, shape[1:]) or array.dtype.kind not in "iub":
        raise ValueError(
            f"segments is {describe(part)}: give integers {list(shape[1:])} [height, width] for all "
            f"examples, or {list(shape)} [batch, height, width], or a list of such."
        )
    return np.broadcast_to(array, shape)


def _heat(maps: np.ndarray, images: np.ndarray, labels: list[np.ndarray] | None, values: str) -> np.ndarray:
    """The values of the regions of each example, ``[batch, height, width]``.

    Args:
      maps: attributions ``[batch, height, width]``.
      images: ``[batch, height, width, channel]``.
      labels: if they are given.
      values: what a region's pixels are given.
    """
    heat, radius = np.empty_like(maps), 0 if labels else round(_RADIUS * max(maps.shape[1:]) / _SIDE)
    for i, (one, image) in enumerate(zip(maps, images, strict=True)):
        parts = over_segments(image) if labels is None else [part[i] for part in labels]
        gain, rank = ranked(one.ravel(), masks_of(parts, radius))
        heat[i] = (gain if values == "gain" else rank).reshape(one.shape)
    return heat


def ranked(values: np.ndarray, masks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each pixel the mean of ``values`` over what its region has added, and what was still to be covered.

    Args:
      values: ``[pixels]``.
      masks: ``[regions, pixels]``, which cover all pixels.
    """
    gain, rank = np.zeros((2, len(values)))
    sums, counts = masks @ values.astype(float), masks.sum(1)
    left = np.ones(len(values), bool)
    while left.any():
        best = int(np.argmax(np.where(counts > 0, sums / np.maximum(counts, 1), -np.inf)))
        new = masks[best] & left
        gain[new], rank[new] = sums[best] / counts[best], left.mean()
        left &= ~new
        counts = counts - masks[:, new].sum(1)
        sums = np.where(counts > 0, sums - masks[:, new] @ values[new].astype(float), 0.0)
    return gain, rank
