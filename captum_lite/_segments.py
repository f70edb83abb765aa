"""Over-segmentation of images: which pixels belong together, at several scales.

scikit-image has the algorithm too, and would bring five packages for these forty lines; its labels, or
anyone's, are what ``XRAI(...).attribute(segments=)`` takes.
"""

from typing import Any

import numpy as np

from captum_lite._blur import blur

# Felzenszwalb's scales as XRAI has them, for images of 224 by 224 with values in [-1, 1]
SCALES = (50, 100, 150, 250, 500, 1200)
_AREA, _SMALLEST, _SIGMA = 224 * 224, 150, 0.8
# to half of a pixel's eight neighbours; the others have it as theirs
_STEPS = ((0, 1), (1, 0), (1, 1), (1, -1))


class _Sets:
    """Disjoint sets of pixels: which one a pixel is in, its size, and the largest step inside it."""

    def __init__(self, n: int):
        self.parent, self.size, self.inside = list(range(n)), [1] * n, [0.0] * n

    def find(self, i: int) -> int:
        """The representative of a pixel's set."""
        parent = self.parent
        while parent[i] != i:
            parent[i] = i = parent[parent[i]]
        return i

    def join(self, a: int, b: int, step: float) -> None:
        """Make one of two sets, given by their representatives."""
        if self.size[a] < self.size[b]:
            a, b = b, a
        self.parent[b] = a
        self.size[a] += self.size[b]
        self.inside[a] = step


def felzenszwalb(image: np.ndarray, scale: float, smallest: int) -> np.ndarray:
    """Regions of an image: neighbours are joined while their step is no larger than those inside.

    Args:
      image: ``[height, width, channel]``.
      scale: how much larger a step may be between small regions: by ``scale / pixels``.
      smallest: regions of fewer pixels are joined to a neighbour.

    Returns:
      Labels from 0 on, ``[height, width]``.

    Source: Felzenszwalb, Huttenlocher 2004, Efficient graph-based image segmentation, IJCV 59(2).
    """
    ends, steps = _edges(image)
    sets = _Sets(image.shape[0] * image.shape[1])
    for (i, j), step in zip(ends, steps, strict=True):
        a, b = sets.find(i), sets.find(j)
        if a == b:
            continue
        if step <= min(sets.inside[k] + scale / sets.size[k] for k in (a, b)):
            sets.join(a, b, step)
    for (i, j), step in zip(ends, steps, strict=True):
        a, b = sets.find(i), sets.find(j)
        if a != b and min(sets.size[a], sets.size[b]) < smallest:
            sets.join(a, b, step)
    found = [sets.find(i) for i in range(len(sets.parent))]
    return np.unique(found, return_inverse=True)[1].reshape(image.shape[:2])


def _edges(image: np.ndarray) -> tuple[list[list[int]], list[float]]:
    """Pairs of neighbouring pixels by rising distance of their colours."""
    height, width = image.shape[:2]
    numbers = np.arange(height * width).reshape(height, width)
    ends, steps = [], []
    for down, right in _STEPS:
        here = np.s_[: height - down, max(-right, 0) : width - max(right, 0)]
        there = np.s_[down:, max(right, 0) : width + min(right, 0)]
        ends.append(np.stack([numbers[here].ravel(), numbers[there].ravel()], axis=1))
        steps.append(np.sqrt(((image[here] - image[there]) ** 2).sum(-1)).ravel())
    order = np.argsort(np.concatenate(steps), kind="stable")
    return np.concatenate(ends)[order].tolist(), np.concatenate(steps)[order].tolist()


def over_segments(image: np.ndarray) -> list[np.ndarray]:
    """Labels ``[height, width]`` of an image ``[height, width, channel]``, at each of `SCALES`.

    They are XRAI's for the image at 224 by 224, without enlarging it, which would make steps smaller and
    regions larger: scales go with the side, sizes with the area.
    """
    low, high = image.min(), image.max()
    spread = np.asarray(2 * (image - low) / max(high - low, np.finfo(np.float32).tiny) - 1, np.float32)
    share = image.shape[0] * image.shape[1] / _AREA
    smooth = np.asarray(blur(spread, _SIGMA * share**0.5, (0, 1)), float)
    smallest = max(1, round(_SMALLEST * share))
    return [felzenszwalb(smooth, scale / 255 * share**0.5, smallest) for scale in SCALES]


def widened(mask: np.ndarray, radius: int) -> np.ndarray:
    """A mask ``[height, width]`` with the pixels that are at most ``radius`` away, in a disk."""
    from scipy.ndimage import binary_dilation  # (0.2 s, needed for this alone)

    across = np.arange(-radius, radius + 1)
    return binary_dilation(mask, across[:, None] ** 2 + across**2 <= radius**2)


def masks_of(labels: list[np.ndarray], radius: int) -> np.ndarray:
    """One mask ``[pixels]`` for each region of each segmentation, widened: ``[regions, pixels]``."""
    regions: list[Any] = [part == k for part in labels for k in np.unique(part)]
    return np.stack([(widened(r, radius) if radius else r).ravel() for r in regions])
