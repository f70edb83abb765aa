"""Convolutions in a ring: the windows laid out by NumPy, then one exact product of matrices."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from crypten_lite.products import product

Pairs = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Geometry:
    """How a convolution slides, in the words of `jax.lax.conv_general_dilated`.

    Attributes:
      strides: of the window.
      padding: below and above each spatial axis; negative numbers crop.
      lhs_dilation: the distance of the pixels, where zeros lie between them (transposed convolutions).
      rhs_dilation: the distance of the window's places.
      feature_groups: groups of channels that are convolved apart.
      batch_groups: groups of examples, each with its own features (the gradient of grouped weights).
    """

    strides: Sequence[int]
    padding: Pairs
    lhs_dilation: Sequence[int]
    rhs_dilation: Sequence[int]
    feature_groups: int = 1
    batch_groups: int = 1


def convolve(x: Any, kernel: Any, geometry: Geometry) -> Any:
    """The convolution of images ``[n, channel, *space]`` with ``[feature, channel / groups, *window]``.

    Args:
      x: unsigned integers of NumPy.
      kernel: of the same dtype.
      geometry: of the window.

    Returns:
      ``[n, feature, *out]``, modulo the range of the dtype: the caller wraps it where its ring is smaller.

    Raises:
      ValueError: channels, examples or features that the groups do not divide, or that do not fit.

    Example:
      >>> import numpy as np
      >>> from crypten_lite.convolutions import Geometry, convolve
      >>> x, kernel = np.arange(5, dtype=np.uint64).reshape(1, 1, 5), np.array([[[1, 2**64 - 1]]], np.uint64)
      >>> convolve(x, kernel, Geometry(strides=(2,), padding=[(1, 0)], lhs_dilation=(1,), rhs_dilation=(1,)))
      array([[[                   0, 18446744073709551615, 18446744073709551615]]], dtype=uint64)
    """
    groups = _groups(x.shape, kernel.shape, geometry)
    images = np.split(x, groups, axis=1 if geometry.feature_groups > 1 else 0)
    results = [_convolve(i, k, geometry) for i, k in zip(images, np.split(kernel, groups), strict=True)]
    return results[0] if groups == 1 else np.concatenate(results, axis=1)


def _groups(images: Sequence[int], kernels: Sequence[int], geometry: Geometry) -> int:
    features, examples = geometry.feature_groups, geometry.batch_groups
    wrong = images[1] != kernels[1] * features or images[0] % examples or kernels[0] % (features * examples)
    if wrong or min(features, examples) > 1:
        raise ValueError(
            f"images {list(images)}, kernels {list(kernels)} with {features} groups of features and "
            f"{examples} of examples: images have groups times the channels of a kernel, and groups divide "
            "examples and features; only one of both can be grouped."
        )
    return features * examples


def _convolve(x: Any, kernel: Any, geometry: Geometry) -> Any:
    # Channels and places of the window are summed over in the order in which the kernel has them in memory.
    order = sorted(range(1, kernel.ndim), key=lambda axis: -kernel.strides[axis])
    seen = windows(x, kernel.shape[2:], geometry, [axis - 1 for axis in order])
    n, *out = seen.shape[kernel.ndim - 1 :]
    weights = kernel.transpose(*order, 0)
    terms = int(np.prod(weights.shape[:-1]))
    result = product(weights.reshape(terms, -1), seen.reshape(terms, -1))
    return result.reshape(len(kernel), n, *out).swapaxes(0, 1)


def windows(x: Any, size: Sequence[int], geometry: Geometry, order: Sequence[int] | None = None) -> Any:
    """What the windows read of images ``[n, channel, *space]``.

    Args:
      x: the images.
      size: of the window.
      geometry: of the window.
      order: of the result's first axes, which are ``[channel, *size]`` by default.

    Returns:
      ``[channel, *size, n, *out]``, a copy.
    """
    spread = _spread(x, geometry)
    reach = [(k - 1) * d + 1 for k, d in zip(size, geometry.rhs_dilation, strict=True)]
    short = [max(0, r - n) for n, r in zip(spread.shape[2:], reach, strict=True)]
    if any(short):  # no window fits, but NumPy asks for one
        spread = np.pad(spread, [(0, 0), (0, 0), *((0, s) for s in short)])
    seen = np.lib.stride_tricks.sliding_window_view(spread, reach, tuple(range(2, x.ndim)))
    ends = [0 if s else None for s in short]
    every = [slice(None, end, step) for end, step in zip(ends, geometry.strides, strict=True)]
    places = [slice(None, None, d) for d in geometry.rhs_dilation]
    seen = seen[(slice(None), slice(None), *every, *places)]
    axes = [1, *range(x.ndim, 2 * x.ndim - 2)]
    chosen = [axes[i] for i in order] if order is not None else axes
    return np.ascontiguousarray(seen.transpose(*chosen, 0, *range(2, x.ndim)))


def _spread(x: Any, geometry: Geometry) -> Any:
    """The images with zeros between and around their pixels, or cropped."""
    if any(d > 1 for d in geometry.lhs_dilation):
        sizes = [max(0, (n - 1) * d + 1) for n, d in zip(x.shape[2:], geometry.lhs_dilation, strict=True)]
        wide = np.zeros((*x.shape[:2], *sizes), x.dtype)
        wide[(..., *(slice(None, None, d) for d in geometry.lhs_dilation))] = x
        x = wide
    added = [(max(0, a), max(0, b)) for a, b in geometry.padding]
    x = np.pad(x, [(0, 0), (0, 0), *added]) if any(map(any, added)) else x
    ends = [max(0, n + min(0, b)) for (_, b), n in zip(geometry.padding, x.shape[2:], strict=True)]
    return x[(..., *(slice(max(0, -a), end) for (a, _), end in zip(geometry.padding, ends, strict=True)))]
