"""Generated images with a known answer: an object planted in a texture decides the class.

An explanation of a classifier has no ground truth on photographs. Here it has one: whatever tells the
classes apart is on the object, and the generator knows where it put that.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from namedtensor._tensor import NamedTensor, tensor

_GLYPHS = {
    "ring": ".#####. #.....# #.....# #.....# #.....# #.....# .#####.",
    "cross": "#.....# .#...#. ..#.#.. ...#... ..#.#.. .#...#. #.....#",
    "plus": "...#... ...#... ...#... ####### ...#... ...#... ...#...",
    "triangle": "...#... ...#... ..#.#.. ..#.#.. .#...#. .#...#. #######",
    "bars": "####### ....... ....... ####### ....... ....... #######",
    "zigzag": "#...... .#..... ..#.... ...#... ..#.... .#..... #######",
    "hook": "####### ......# ......# ......# ......# #.....# .#####.",
    "fork": "#..#..# #..#..# #..#..# #..#..# ####### ...#... ...#...",
}
CLASSES = tuple(_GLYPHS)
SIDE = 7  # pixels of a glyph
_SEEDS = {"train": 1, "heldout": 2}
_SIZES = {"train": 8000, "heldout": 1000}


@dataclass(frozen=True)
class Planted:
    """Images, their labels, and where the objects are.

    Attributes:
      images: ``[batch height width channel:3]``, float32, 0 to 1.
      labels: ``[batch]``, int32, an index of `CLASSES`.
      masks: ``[batch height width]``, booleans: true on the 7 x 7 square of the object.
      strokes: ``[batch height width]``, booleans: true on the object's own pixels.
    """

    images: NamedTensor
    labels: NamedTensor
    masks: NamedTensor
    strokes: NamedTensor

    def __len__(self) -> int:
        return self.labels.shape["batch"]


def generate(n: int, *, seed: int = 0, size: int = 24, distractors: int = 2) -> Planted:
    """Images with one object each, in a coloured texture, beside pieces of objects that decide nothing.

    The texture is smooth noise of random scale and colour. The object is one of eight glyphs of 7 x 7
    pixels, in a colour that is lighter or darker than its surroundings, anywhere. A distractor is such a
    square with as many pixels of one colour as a glyph has, at random; it does not touch the object. Each
    example depends on ``seed`` and its own number alone.

    Args:
      n: how many images.
      seed: which ones.
      size: height and width in pixels.
      distractors: how many squares of random pixels an image has (fewer where there is no room).

    Raises:
      ValueError: an image smaller than a glyph, or no image.

    Example:
      >>> from namedtensor.datasets import planted
      >>> some = planted.generate(4, seed=1)
      >>> some.images.shape, int(some.masks.sum())
      (Shape(batch:4 height:24 width:24 channel:3), 196)
    """
    if n < 1 or size < SIDE or distractors < 0:
        raise ValueError(
            f"n={n}, size={size}, distractors={distractors}: give at least one image, of at least "
            f"{SIDE} pixels, and no fewer than 0 distractors."
        )
    each = [_example(np.random.default_rng((seed, i)), size, distractors) for i in range(n)]
    images, labels, masks, strokes = (np.stack(parts) for parts in zip(*each, strict=True))
    return Planted(
        tensor(images.astype(np.float32), "batch height width channel"),
        tensor(labels.astype(np.int32), "batch"),
        tensor(masks, "batch height width"),
        tensor(strokes, "batch height width"),
    )


def load(split: str = "train") -> Planted:
    """A fixed part: ``"train"`` (8000 images) or ``"heldout"`` (1000), about a second for each thousand.

    Raises:
      ValueError: another ``split``.
    """
    if split not in _SEEDS:
        raise ValueError(f"split={split!r} is not known: choose one of {', '.join(map(repr, _SEEDS))}.")
    return generate(_SIZES[split], seed=_SEEDS[split])


def _glyph(name: str) -> np.ndarray:
    return np.array([[c == "#" for c in row] for row in _GLYPHS[name].split()])


def _example(rng: np.random.Generator, size: int, distractors: int) -> tuple[Any, ...]:
    label, image = rng.integers(len(CLASSES)), _texture(rng, size)
    place = rng.integers(size - SIDE + 1, size=2)
    for other in rng.integers(size - SIDE + 1, size=(distractors, 2)):
        pixels = rng.permutation(_glyph(CLASSES[rng.integers(len(CLASSES))]).ravel()).reshape(SIDE, SIDE)
        if np.abs(other - place).max() > SIDE:
            _plant(rng, image, pixels, other)
    return image, label, *_plant(rng, image, _glyph(CLASSES[label]), place)


def _texture(rng: np.random.Generator, size: int) -> np.ndarray:
    """Noise with a random power spectrum in each of three random colour directions, 0.2 to 0.8."""
    f = np.hypot(*np.meshgrid(np.fft.fftfreq(size), np.fft.rfftfreq(size), indexing="ij"))
    f[0, 0] = np.inf  # no constant part
    noise = np.fft.rfft2(rng.normal(size=(3, size, size))) * f ** -rng.uniform(0.5, 1.5)
    fields = np.fft.irfft2(noise, (size, size))
    fields /= np.abs(fields).max((1, 2), keepdims=True)
    mixed = np.einsum("khw,kc->hwc", fields, rng.dirichlet((1, 1, 1), size=3).T)
    return np.clip(0.5 + 0.3 * mixed, 0.2, 0.8)


def _plant(
    rng: np.random.Generator, image: np.ndarray, pixels: np.ndarray, place: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Draw pixels in a colour that stands out there; the square and the pixels drawn, as masks."""
    square = tuple(slice(start, start + SIDE) for start in place)
    strokes, masks = np.zeros((2, *image.shape[:2]), bool)
    strokes[square], masks[square] = pixels, True
    light = rng.choice([-1, 1]) * rng.uniform(0.25, 0.5, size=3)
    image[strokes] = np.clip(image[square].mean((0, 1)) + light, 0, 1)
    return masks, strokes
