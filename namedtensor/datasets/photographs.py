"""The two photographs that scikit-learn carries, with a hand-drawn map of what is where.

A photograph's explanation has no right answer, as nobody planted one. Pasted into the other photograph, an
object has: whatever speaks for it must lie where it was pasted.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from namedtensor._optional import optional
from namedtensor._tensor import NamedTensor, tensor

CLASSES = ("sky", "leaves", "temple", "dahlia")
NAMES = ("china", "flower")
SIZE = (427, 640)  # height and width of both
_MIDDLE = {"china": 205, "flower": 305}  # the columns through the temple and through the dahlia
_MOVED = (-60, 185)  # rows and columns by which the dahlia is moved into the other photograph

_DAHLIA = (
    "315 84 345 92 372 98 390 112 410 130 425 145 432 175 443 205 446 225 440 245 436 262 430 280 420 300 "
    "408 318 390 332 365 345 330 357 300 360 275 352 250 350 230 338 205 320 190 300 180 280 172 255 168 "
    "225 170 205 176 190 180 172 188 150 200 133 212 118 235 108 260 97 285 92"
)
_TEMPLE = (
    "196 30 213 30 217 60 235 80 265 100 300 112 320 122 318 128 295 138 295 160 328 172 328 182 320 190 "
    "320 225 328 240 350 252 350 262 341 272 342 305 350 315 348 330 370 335 365 345 325 375 300 372 310 "
    "395 250 388 215 382 180 358 160 343 150 328 110 328 75 335 78 325 82 285 62 275 65 262 90 250 98 225 "
    "98 190 85 185 85 172 118 158 118 135 95 130 97 115 115 105 150 92 180 75 194 60"
)
# later ones cover earlier ones; pairs of column and row in the full photograph
_OUTLINES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "china": (
        ("sky", "0 0 640 0 640 125 600 125 565 180 545 200 80 195 40 185 15 140 0 140"),
        ("leaves", "0 160 10 165 20 185 45 200 60 225 50 240 25 270 0 272"),
        ("leaves", "0 300 25 300 30 330 60 345 110 345 145 335 160 350 190 370 230 395 280 427 0 427"),
        (
            "leaves",
            "345 427 340 380 380 345 420 315 480 295 540 280 552 250 555 225 575 185 600 140 620 145 640 165 "
            "640 427",
        ),
        ("temple", _TEMPLE),
    ),
    "flower": (
        ("leaves", "0 0 640 0 640 427 0 427"),
        ("dahlia", _DAHLIA),
        ("dahlia", "288 427 288 408 310 393 330 388 345 375 368 390 392 378 415 380 435 390 442 418 480 427"),
    ),
}


@dataclass(frozen=True)
class Photograph:
    """A photograph, and what is where in it.

    Attributes:
      image: ``[height width channel:3]``, float32, 0 to 1.
      classes: ``[height width]``, int32, an index of `CLASSES`; -1 where no outline decides, as between two
        of them and on the water.
      middle: the column that cuts the temple, or the dahlia, in half: train left of it, test right of it.
    """

    image: NamedTensor
    classes: NamedTensor
    middle: int


@dataclass(frozen=True)
class Pasted:
    """The temple and, beside it, the dahlia of the other photograph.

    Attributes:
      image: ``[height width channel:3]``, float32, 0 to 1.
      masks: class -> ``[height width]``, booleans: true on the ``"temple"``, and on the ``"dahlia"``.
    """

    image: NamedTensor
    masks: dict[str, NamedTensor]


def load(name: str = "china", *, shrink: int = 1) -> Photograph:
    """A photograph: ``"china"``, a temple between trees and sky, or ``"flower"``, a dahlia before leaves.

    Args:
      name: one of `NAMES`.
      shrink: how many pixels in a row make one: the mean of such a square; rows that fill none are cut.

    Raises:
      ValueError: another name, or a ``shrink`` that leaves no pixel.
      ImportError: scikit-learn or pillow is not installed.

    Example:
      >>> from namedtensor.datasets import photographs
      >>> photographs.load("flower", shrink=4).image.shape
      Shape(height:106 width:160 channel:3)

    Source: the sample images of scikit-learn, by danielbuechele and vultilion on Flickr, CC BY 2.0; the
    outlines are drawn by hand.
    """
    _check(name, shrink)
    classes = _painted([(CLASSES.index(c), outline) for c, outline in _OUTLINES[name]])
    return Photograph(
        _means(_pixels(name), shrink),
        tensor(_agreed(classes, shrink), "height width"),
        _MIDDLE[name] // shrink,
    )


def pasted(*, shrink: int = 1) -> Pasted:
    """The temple's photograph with the dahlia pasted in on its right, and where the two of them are.

    Args:
      shrink: as for `load`.

    Raises:
      ValueError: a ``shrink`` that leaves no pixel.
      ImportError: scikit-learn or pillow is not installed.

    Example:
      >>> from namedtensor.datasets import photographs
      >>> {name: int(mask.sum()) for name, mask in photographs.pasted(shrink=4).masks.items()}
      {'temple': 4004, 'dahlia': 3599}
    """
    _check("china", shrink)
    image = _pixels("china")
    there = _painted([(1, _DAHLIA)]) == 1
    rows, columns = (at + by for at, by in zip(np.nonzero(there), _MOVED, strict=True))
    image[rows, columns] = _pixels("flower")[there]
    seen = _painted([(CLASSES.index("temple"), _TEMPLE)])
    seen[rows, columns] = CLASSES.index("dahlia")
    small = _agreed(seen, shrink)
    masks = {c: tensor(small == CLASSES.index(c), "height width") for c in ("temple", "dahlia")}
    return Pasted(_means(image, shrink), masks)


def _check(name: str, shrink: int) -> None:
    if name not in NAMES:
        raise ValueError(f"there is no photograph {name!r}; there are: {', '.join(map(repr, NAMES))}.")
    if not 1 <= shrink <= min(SIZE):
        raise ValueError(
            f"shrink={shrink}: the photographs are {SIZE[0]} x {SIZE[1]}; give 1 to {min(SIZE)}."
        )


def _pixels(name: str) -> np.ndarray:
    with optional("models"):
        import PIL  # noqa: F401  (scikit-learn's own message names no extra of ours)
        from sklearn.datasets import load_sample_image
    return load_sample_image(f"{name}.jpg").astype(np.float32) / 255


def _painted(outlines: list[tuple[int, str]]) -> np.ndarray:
    """The number of the last outline that a pixel is in, -1 where it is in none."""
    with optional("models"):
        from PIL import Image, ImageDraw
    height, width = SIZE
    canvas = Image.new("I", (width, height), -1)
    for number, outline in outlines:
        ImageDraw.Draw(canvas).polygon(list(map(int, outline.split())), fill=number)
    return np.array(canvas)


def _squares(pixels: np.ndarray, side: int) -> np.ndarray:
    """``[rows, columns, side * side, ...]``: the pixels of each square."""
    rows, columns = (n // side for n in pixels.shape[:2])
    cut = pixels[: rows * side, : columns * side].reshape(rows, side, columns, side, *pixels.shape[2:])
    return np.moveaxis(cut, 2, 1).reshape(rows, columns, side * side, *pixels.shape[2:])


def _means(pixels: np.ndarray, side: int) -> NamedTensor:
    return tensor(_squares(pixels, side).mean(2), "height width channel")


def _agreed(classes: np.ndarray, side: int) -> np.ndarray:
    """The class of a square all of whose pixels have it, else -1."""
    each = _squares(classes, side)
    return np.where((each == each[:, :, :1]).all(2), each[:, :, 0], -1).astype(np.int32)
