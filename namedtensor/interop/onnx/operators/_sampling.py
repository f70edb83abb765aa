"""Numbers between the places of an array, by interpolation of those around them."""

import itertools
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from namedtensor.interop.onnx.errors import OnnxError
from namedtensor.interop.onnx.values import Value

Taps = list[tuple[int, Callable[[Value], Value]]]  # offset, and its weight by the fraction behind the base
_A = -0.75  # of cubic convolution; the file has no choice


def _near(d: Value) -> Value:
    return ((_A + 2) * d - (_A + 3)) * d * d + 1


def _far(d: Value) -> Value:
    return ((_A * d - 5 * _A) * d + 8 * _A) * d - 4 * _A


TAPS: dict[str, Taps] = {
    "nearest": [(0, lambda t: jnp.ones_like(t))],
    "linear": [(0, lambda t: 1 - t), (1, lambda t: t)],
    "cubic": [
        (-1, lambda t: _far(1 + t)),
        (0, _near),
        (1, lambda t: _near(1 - t)),
        (2, lambda t: _far(2 - t)),
    ],
}


def sampled(x: Value, at: Value, mode: str = "linear", outside: str = "zeros", borders: Any = None) -> Value:
    """``x[channel *space]`` at places ``at[*out axis]``, counted in rows: ``[channel *out]``.

    Args:
      x: the array.
      at: places, the axes in the order of the array's.
      mode: which of its neighbours make a number.
      outside: what there is beyond the edges: ``zeros``, the ``border``, or its ``reflection``.
      borders: the two edges of each axis, at which it is reflected.
    """
    if mode not in TAPS:
        raise OnnxError(f"mode {mode!r} is none of {', '.join(TAPS)}.")
    space, columns = x.shape[1:], [at[..., a] for a in range(at.shape[-1])]
    columns = [jnp.rint(c) if mode == "nearest" else c for c in columns]
    if outside != "zeros" and mode != "cubic":  # whose neighbours are moved one by one, as PyTorch does it
        each = zip(columns, space, borders, strict=True)
        columns = [jnp.where((c < b[0]) | (c > b[1]), moved(c, n, b, outside), c) for c, n, b in each]
    bases = [jnp.floor(c) for c in columns]
    total = 0
    for taps in itertools.product(TAPS[mode], repeat=len(space)):
        weight, index = jnp.ones((), x.dtype), []
        for (offset, weigh), column, base, n, edges in zip(
            taps, columns, bases, space, borders or [(0.0, 0.0)] * len(space), strict=True
        ):
            row = base + offset
            weight = weight * weigh(column - base).astype(x.dtype)
            if outside == "zeros":
                weight = weight * ((row >= 0) & (row < n)).astype(x.dtype)
            else:
                row = moved(row, n, edges, outside)
            index.append(jnp.clip(row, 0, n - 1).astype(jnp.int32))
        total = total + x[(slice(None), *index)] * weight[None]
    return jnp.asarray(total)


def moved(at: Value, n: int, edges: tuple[float, float], outside: str) -> Value:
    """A place beyond the edges as one inside."""
    if outside == "border":
        return jnp.clip(at, 0, n - 1)
    if outside != "reflection":
        raise OnnxError(f"padding_mode {outside!r} is none of zeros, border, reflection.")
    low, high = edges
    if high <= low:
        return jnp.zeros_like(at)
    there = jnp.mod(at - low, 2 * (high - low))
    return low + jnp.where(there > high - low, 2 * (high - low) - there, there)
