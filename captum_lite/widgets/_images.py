"""The images that a widget explains: one at a time for the model, and as it is shown.

A browser shows about a million pixels well. A larger picture is shown in squares: of the image their mean, of
an attribution their sum, so that it still adds up to the same.
"""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from captum_lite._counting import first, sizes
from captum_lite.viz._inputs import map_of, picture_of
from namedtensor import is_named

MOST_PIXELS = 2**20


@dataclass(frozen=True, eq=False)
class Samples:
    """Images with what is known of them; see `AttributionExplorer` for the first four.

    Attributes:
      images: what the model is asked about.
      display: what is drawn, of the same shape.
      labels: the true classes, ``[batch]``.
      class_names: by number.
      own_display: whether what is drawn is something else than what the model sees.
      shrink: how many pixels in a row are shown as one.
    """

    images: Any = field(repr=False)
    display: Any = field(repr=False)
    labels: np.ndarray | None
    class_names: tuple[str, ...] | None
    own_display: bool
    shrink: int

    def __len__(self) -> int:
        return _size(self.images)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return _plane(self.images)

    def within(self, most: int) -> "Samples":
        """The same, shown with so many pixels at most."""
        height, width = self.shape
        shrink = math.ceil(math.sqrt(height * width / max(most, 1)))
        return dataclasses.replace(self, shrink=max(self.shrink, shrink))

    def one(self, i: int) -> Any:
        """A batch of one."""
        return row(self.images, i)

    def picture(self, i: int) -> np.ndarray:
        """``[height, width]`` or ``[height, width, 3]`` from 0 to 1, as it is shown."""
        image = picture_of(_example(self.display, i))
        if image.shape[2:] == (4,):  # on white paper
            image = image[..., :3] * image[..., 3:] + 1 - image[..., 3:]
        squares = _sums(np.ones(self.shape), self.shrink)
        return _sums(image, self.shrink) / (squares if image.ndim == 2 else squares[..., None])

    def map(self, attributions: Any) -> np.ndarray:
        """``[height, width]`` of one example, summed over all else (channels), as it is shown."""
        found = map_of(attributions)
        values = found.array
        if found.features is not None:  # a feature of several pixels counts once in a square
            values = np.where(first(found.features, _squares(self.shape, self.shrink)), values, 0)
        return _sums(values, self.shrink)

    def sizes(self, attributions: Any) -> np.ndarray:
        """How much of |attribution| lies on what is shown; that of a feature lies evenly on its pixels."""
        found = map_of(attributions)
        if found.features is None:
            return np.abs(_sums(found.array, self.shrink))
        return _sums(np.abs(found.array) / sizes(found.features), self.shrink)

    def coordinates(self) -> dict[str, list[int]]:
        """Which pixel a shown one begins at, where it is not the same."""
        if self.shrink == 1:
            return {}
        return {
            d: list(range(0, n, self.shrink)) for d, n in zip(("height", "width"), self.shape, strict=True)
        }

    def remark(self) -> str:
        """What to say where the picture is not shown pixel by pixel."""
        k = self.shrink
        return "" if k == 1 else f"shown in squares of {k} x {k} pixels: their sum (image: their mean)"

    def class_name(self, number: int) -> str:
        """The name of a class."""
        names = self.class_names
        return f"class {number}" if names is None or not 0 <= number < len(names) else names[number]

    def truth(self, i: int) -> str | None:
        """The name of the true class, if it is known."""
        return None if self.labels is None else self.class_name(int(self.labels[i]))


def samples(
    images: Any,
    labels: Any,
    class_names: Sequence[str] | None,
    display: Any,
) -> Samples:
    """The checked images.

    Raises:
      ValueError: no images, another shape, labels of another number, or a display that is not from 0 to 1.
    """
    images = _checked(images)
    shown = images if display is None else _checked(display)
    if tuple(np.shape(_array(shown))[:1]) != tuple(np.shape(_array(images))[:1]):
        raise ValueError(
            f"there are {_size(images)} images and {_size(shown)} in display: give one for each."
        )
    _require_unit_range(shown, given=display is not None)
    labels = None if labels is None else np.asarray(_array(labels))
    if labels is not None and labels.shape != (_size(images),):
        raise ValueError(
            f"there are {_size(images)} images and labels of shape {labels.shape}: give one for each."
        )
    names = None if class_names is None else tuple(map(str, class_names))
    made = Samples(images, shown, labels, names, display is not None, 1).within(MOST_PIXELS)
    if _plane(shown) != made.shape:
        raise ValueError(f"display shows {_plane(shown)} pixels, and the images have {made.shape}.")
    if picture_of(_example(shown, 0)).shape[:2] != made.shape:
        raise ValueError(
            f"images have the shape {tuple(shown.shape)}: channels come last, "
            "[batch, height, width, channel]."
        )
    return made


def row(images: Any, i: int) -> Any:
    """One of a batch, as a batch; what is no batch of several (a number, one example) as it is."""
    if not hasattr(images, "shape") or not np.ndim(_array(images)):
        return images
    if is_named(images):
        return images.isel(batch=slice(i, i + 1)) if images.shape.get("batch", 1) > 1 else images
    return images[i : i + 1] if len(images) > 1 else images


def scores_of(output: Any) -> np.ndarray:
    """The scores ``[class]`` of one image.

    Raises:
      ValueError: the output is not ``[1, classes]``.
    """
    output = output.to_array("batch ...") if is_named(output) else output
    scores = np.asarray(output)
    if scores.ndim != 2 or scores.shape[0] != 1:
        raise ValueError(
            f"the function returned shape {scores.shape} for one image: the explorer needs [1, classes]."
        )
    return scores[0]


def _checked(images: Any) -> Any:
    images = images if is_named(images) else np.asarray(images)
    if is_named(images):
        images.expect("batch height width channel" if "channel" in images.dims else "batch height width")
    elif images.ndim not in (3, 4):
        raise ValueError(
            f"images have the shape {images.shape}: "
            "give [batch, height, width] or [batch, height, width, channel]."
        )
    if not _size(images):
        raise ValueError("there are no images: the batch is empty.")
    return images


def _require_unit_range(shown: Any, *, given: bool) -> None:
    values = np.asarray(_array(shown))
    low, high = float(values.min()), float(values.max())
    is_bytes = values.dtype.kind in "iu" and low >= 0 and high <= 255
    if is_bytes or not np.isfinite([low, high]).all() or (low >= -0.01 and high <= 1.01):
        return  # what is not finite is told with its place when it is shown
    what = "display runs" if given else "the images run"
    raise ValueError(
        f"{what} from {low:g} to {high:g}, and pictures are drawn from 0 to 1: say how to draw them, "
        f"display=(images - {low:g}) / {high - low:g}."
    )


def _array(x: Any) -> Any:
    return x.order(["batch", "..."]).array if is_named(x) and "batch" in x.dims else getattr(x, "array", x)


def _size(images: Any) -> int:
    return images.shape["batch"] if is_named(images) else images.shape[0]


def _example(images: Any, i: int) -> Any:
    return images.isel(batch=i) if is_named(images) else images[i]


def _plane(images: Any) -> tuple[int, int]:
    """Height and width."""
    if is_named(images):
        return images.shape["height"], images.shape["width"]
    return images.shape[1], images.shape[2]


def _squares(shape: tuple[int, int], side: int) -> np.ndarray:
    """The number of the square that each pixel is in."""
    rows, columns = (np.arange(n) // side for n in shape)
    return np.add.outer(rows * shape[1], columns)


def _sums(pixels: np.ndarray, side: int) -> np.ndarray:
    """Over squares of pixels; those at the end may be smaller."""
    for axis in (0, 1) if side > 1 else ():
        pixels = np.add.reduceat(pixels, np.arange(0, pixels.shape[axis], side), axis=axis)
    return pixels
