"""The geometry that all window operations share: which pixels a window reads, and who reads a pixel."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import lax

Pair = tuple[int, int]


class Window(NamedTuple):
    """A window sliding over an image.

    Attributes:
      size: height and width of the window.
      strides: along height and width.
      padding: below and above, along height and width; negative numbers crop.
      image: height and width of the image.
    """

    size: Pair
    strides: Pair
    padding: tuple[Pair, Pair]
    image: Pair

    @property
    def out(self) -> Pair:
        """Height and width of the result."""
        height, width = (
            max(0, (n + low + high - k) // s + 1)
            for n, (low, high), k, s in zip(self.image, self.padding, self.size, self.strides, strict=True)
        )
        return height, width

    @property
    def taps(self) -> list[Pair]:
        """The places in the window, row by row."""
        return [(i, j) for i in range(self.size[0]) for j in range(self.size[1])]


def padded(x: Any, low: Pair, size: Pair, fill: float = 0.0) -> Any:
    """An image with ``low`` rows and columns in front, filled up or cropped to ``size``."""
    edges = [(b, n - x.shape[a] - b, 0) for a, (b, n) in enumerate(zip(low, size, strict=True), start=1)]
    if not any(map(any, edges)):
        return x
    return lax.pad(x, jnp.asarray(fill, x.dtype), [(0, 0, 0), *edges, (0, 0, 0)])


def strided(x: Any, start: Pair, size: Pair, strides: Pair) -> Any:
    """``size`` pixels of an image from ``start`` on, every ``strides``-th."""
    n, _, _, c = x.shape
    limits = [b + (k - 1) * s + 1 for b, k, s in zip(start, size, strides, strict=True)]
    return lax.slice(x, (0, *start, 0), (n, *limits, c), (1, *strides, 1))


def read(x: Any, window: Window, fill: float = 0.0) -> list[Any]:
    """For each place in the window, what the windows read there: ``[batch, *window.out, channel]``."""
    out, strides = window.out, window.strides
    spans = [(o - 1) * s + k for o, s, k in zip(out, strides, window.size, strict=True)]
    lows = (window.padding[0][0], window.padding[1][0])
    x = padded(x, lows, (spans[0], spans[1]), fill)
    return [strided(x, tap, out, strides) for tap in window.taps]


def readers(window: Window, axis: int) -> list[list[Pair]]:
    """Along one axis: for each phase, the places in the window that read it, with their shifts.

    Pixel ``stride * q + phase`` is read at the place ``t`` by the window number ``q + shift``.
    """
    low, stride = window.padding[axis][0], window.strides[axis]
    taps = range(window.size[axis])
    return [
        [(t, (phase + low - t) // stride) for t in taps if (phase + low - t) % stride == 0]
        for phase in range(stride)
    ]


def phases(window: Window) -> list[tuple[Pair, list[tuple[Pair, Pair]]]]:
    """For each phase of the pixels: the places that read it, ``((i, j), (row shift, column shift))``."""
    rows, columns = readers(window, 0), readers(window, 1)
    return [
        ((a, b), [((i, j), (di, dj)) for i, di in rows[a] for j, dj in columns[b]])
        for a in range(window.strides[0])
        for b in range(window.strides[1])
    ]


def spread_out(y: Any, window: Window) -> tuple[Any, Pair, Pair]:
    """Window results with a margin, so that every reader of a pixel is there (as 0, beyond the edge).

    Returns the results, how many pixels each phase has, and where number 0 now stands.
    """
    lows, sizes, counts = [], [], []
    for axis in (0, 1):
        shifts = [d for phase in readers(window, axis) for _, d in phase] or [0]
        count = -(-window.image[axis] // window.strides[axis])
        lows.append(max(0, -min(shifts)))
        sizes.append(lows[-1] + max(1, count + max(shifts)))
        counts.append(count)
    low, size = (lows[0], lows[1]), (sizes[0], sizes[1])
    return padded(y, low, size), (counts[0], counts[1]), low


def interleaved(parts: Sequence[Any], strides: Pair, image: Pair) -> Any:
    """Phases, row by row, ``[batch, rows, columns, channel]`` each, as one image."""
    (a, b), (n, rows, columns, c) = strides, parts[0].shape
    if a == b == 1:
        return parts[0][:, : image[0], : image[1]]
    lines = [jnp.stack(parts[i * b : (i + 1) * b], axis=3) for i in range(a)]
    whole = jnp.stack(lines, axis=2).reshape(n, rows * a, columns * b, c)
    return whole[:, : image[0], : image[1]]
