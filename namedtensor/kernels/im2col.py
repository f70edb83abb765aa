"""Convolutions as one dot over gathered windows: large strides, stems, small kernels of any size."""

from typing import Any

import jax.numpy as jnp
from jax import lax

from namedtensor.kernels.window import Window, interleaved, phases, read, spread_out

# A dot with so few columns wastes most of each vector register: gather after it instead of before.
_FEW_CHANNELS = 8


def matrices(kernel: Any, window: Window) -> tuple[Any, ...]:
    """The kernel as the dots want it, for both directions.

    Forward ``[places * channel, feature]``; backward one ``[places * feature, channel]`` for each phase
    of the pixels, or the transpose of the forward one where there are few channels.
    """
    height, width, channel, feature = kernel.shape
    flat = kernel.reshape(height * width * channel, feature)
    if channel < _FEW_CHANNELS:
        return (flat,)
    swapped = jnp.swapaxes(kernel, 2, 3)
    back = [
        jnp.stack([swapped[i, j] for (i, j), _ in places]).reshape(-1, channel)
        for _, places in phases(window)
        if places
    ]
    return (flat, *back)


def forward(x: Any, prepared: tuple[Any, ...], window: Window) -> Any:
    """The convolution of ``x`` ``[batch, height, width, channel]``."""
    patches = jnp.concatenate(read(x, window), axis=3)
    return _dot(patches, prepared[0])


def backward(y: Any, prepared: tuple[Any, ...], window: Window) -> Any:
    """What `forward` is the transpose of."""
    if len(prepared) == 1:
        return _scattered(y, prepared[0], window)
    spread, counts, low = spread_out(y, window)
    matrix = iter(prepared[1:])
    parts = []
    for _, places in phases(window):
        shifts = [(low[0] + di, low[1] + dj) for _, (di, dj) in places]
        seen = [_at(spread, shift, counts) for shift in shifts]
        parts.append(_dot(jnp.concatenate(seen, axis=3), next(matrix)) if seen else None)
    return interleaved(_filled(parts), window.strides, window.image)


def _scattered(y: Any, matrix: Any, window: Window) -> Any:
    """The dot first, then each of its columns added to the pixel that it belongs to (col2im)."""
    n, height, width, feature = y.shape
    columns = lax.dot_general(y.reshape(-1, feature), matrix, (((1,), (1,)), ((), ())))
    spread, counts, low = spread_out(columns.reshape(n, height, width, -1), window)
    channel = matrix.shape[0] // len(window.taps)
    parts = []
    for _, places in phases(window):
        total = None
        for (i, j), (di, dj) in places:
            at = (i * window.size[1] + j) * channel
            one = _at(spread[..., at : at + channel], (low[0] + di, low[1] + dj), counts)
            total = one if total is None else total + one
        parts.append(total)
    return interleaved(_filled(parts), window.strides, window.image)


def _at(y: Any, start: tuple[int, int], size: tuple[int, int]) -> Any:
    return y[:, start[0] : start[0] + size[0], start[1] : start[1] + size[1]]


def _filled(parts: list[Any]) -> list[Any]:
    """Phases that no window reads are zeros (a stride larger than the window)."""
    zeros = jnp.zeros_like(next(p for p in parts if p is not None))
    return [zeros if p is None else p for p in parts]


def _dot(patches: Any, matrix: Any) -> Any:
    *images, size = patches.shape
    return (patches.reshape(-1, size) @ matrix).reshape(*images, -1)
