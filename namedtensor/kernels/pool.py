"""Max-pooling that remembers the winner as one byte: its backward pass needs no search.

XLA's own (``select_and_scatter``) compares all over again, one window at a time.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp

from namedtensor.kernels.window import Window, interleaved, phases, read, spread_out


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def max_pool(x: Any, window: Window) -> Any:
    """The maximum of each window of ``x`` ``[batch, height, width, channel]``; of equals the first wins.

    The padding counts as minus infinity. Windows of at most 127 places.
    """
    return functools.reduce(jnp.maximum, read(x, window, -jnp.inf))


def _forward(x: Any, window: Window) -> tuple[Any, Any]:
    best, *others = read(x, window, -jnp.inf)
    winner = jnp.zeros(best.shape, jnp.int8)
    for number, value in enumerate(others, start=1):
        winner = jnp.where(value > best, jnp.int8(number), winner)
        best = jnp.maximum(best, value)
    return best, winner


def _backward(window: Window, winner: Any, y: Any) -> tuple[Any]:
    spread, counts, low = spread_out(y, window)
    won, _, _ = spread_out(winner, window)
    zero = jnp.zeros((), y.dtype)
    parts = []
    for _, places in phases(window):
        total = jnp.zeros((y.shape[0], *counts, y.shape[3]), y.dtype)
        for (i, j), (di, dj) in places:
            rows = slice(low[0] + di, low[0] + di + counts[0])
            columns = slice(low[1] + dj, low[1] + dj + counts[1])
            mine = won[:, rows, columns] == i * window.size[1] + j
            total = total + jnp.where(mine, spread[:, rows, columns], zero)
        parts.append(total)
    return (interleaved(parts, window.strides, window.image),)


max_pool.defvjp(_forward, _backward)
