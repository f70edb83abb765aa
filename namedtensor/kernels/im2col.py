"""Convolutions as one dot over gathered windows: large strides, stems, small kernels of any size."""

from typing import Any

import jax.numpy as jnp

from namedtensor.kernels.window import Window, interleaved, phases, read, spread_out


def matrices(kernel: Any) -> tuple[Any, Any]:
    """The kernel as the dots want it: ``[places * channel, feature]``, and for the way back its transpose."""
    flat = kernel.reshape(-1, kernel.shape[3])
    return flat, flat.T


def forward(x: Any, prepared: tuple[Any, ...], window: Window) -> Any:
    """The convolution of ``x`` ``[batch, height, width, channel]``."""
    return _dot(jnp.concatenate(read(x, window), axis=3), prepared[0])


def backward(y: Any, prepared: tuple[Any, ...], window: Window) -> Any:
    """What `forward` is the transpose of: the dot first, then each column added to its pixel."""
    columns = _dot(y, prepared[1])
    channel = columns.shape[3] // len(window.taps)
    spread, counts, low = spread_out(columns, window)
    parts = []
    for _, places in phases(window):
        total = None
        for (i, j), (di, dj) in places:
            at = (i * window.size[1] + j) * channel
            rows = slice(low[0] + di, low[0] + di + counts[0])
            one = spread[:, rows, low[1] + dj : low[1] + dj + counts[1], at : at + channel]
            total = one if total is None else total + one
        parts.append(total)
    # Phases that no window reads (a stride larger than the window) are zeros.
    zeros = jnp.zeros_like(next(p for p in parts if p is not None))
    parts = [zeros if p is None else p for p in parts]
    return interleaved(parts, window.strides, window.image)


def _dot(x: Any, matrix: Any) -> Any:
    *images, size = x.shape
    return (x.reshape(-1, size) @ matrix).reshape(*images, -1)
