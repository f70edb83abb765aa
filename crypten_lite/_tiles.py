"""Products of matrices of integers, by tiles that stay in the cache: a few programs serve all shapes.

XLA's own integer dot multiplies number by number. A sum of outer products ``column * row`` over a tile of the
result is vectorized instead, and `_RANK` of them share one pass over the tile, which fits the second-level
cache. Operands are cut into slabs of the tile's width, with the summed axis first.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from crypten_lite._memory import aligned

_RANK = 16  # outer products in one pass: as many as there are registers for
_DEPTH = 512  # terms of the sums that one call adds


@dataclass(frozen=True)
class Tile:
    """What a program is compiled for, beside the dtype.

    Attributes:
      rows: of the result.
      columns: of the result.
      speed: of a multiplication, against the fastest tile's (benchmarks/ring.py).
    """

    rows: int
    columns: int
    speed: float

    def cost(self, rows: int, columns: int) -> float:
        """Of a result of this size, in multiplications of the fastest tile for each term."""
        tiles = -(-rows // self.rows) * -(-columns // self.columns)
        return tiles * self.rows * self.columns / self.speed


TILES = (Tile(256, 128, 1.0), Tile(256, 64, 0.8), Tile(256, 32, 0.45), Tile(512, 16, 0.4), Tile(64, 64, 0.4))


def multiply(a: Any, b: Any) -> Any:
    """``sum over k of a[s, k, m] * b[s, k, n]`` of unsigned integers: ``[s, k, m], [s, k, n] -> [s, m, n]``.

    Args:
      a: of NumPy, with its axes in any order in memory; least is copied where ``k`` comes first.
      b: of the same dtype.

    Returns:
      The products, modulo the range of the dtype.
    """
    (_, _, m), n = a.shape, b.shape[2]
    out = np.empty((len(a), m, n), a.dtype)
    upright = min((tile.cost(m, n), i) for i, tile in enumerate(TILES))
    turned = min((tile.cost(n, m), i) for i, tile in enumerate(TILES))
    if upright <= turned:
        _fill(out, TILES[upright[1]], a, b)
    else:
        _fill(out.swapaxes(1, 2), TILES[turned[1]], b, a)
    return out


def _fill(out: Any, tile: Tile, a: Any, b: Any) -> None:
    """Write the products; tiles are computed while the next ones are begun."""
    with jax.enable_x64(True):
        for place, left, right in zip(out, a, b, strict=True):
            lefts, rights = _slabs(left, tile.rows), _slabs(right, tile.columns)
            begun = [
                (place[i : i + tile.rows, j : j + tile.columns], _total(tile, len(left), x, y))
                for i, x in zip(range(0, out.shape[1], tile.rows), lefts, strict=True)
                for j, y in zip(range(0, out.shape[2], tile.columns), rights, strict=True)
            ]
            for part, total in begun:
                part[...] = np.asarray(total)[: part.shape[0], : part.shape[1]]


def _slabs(matrix: Any, width: int) -> list[list[Any]]:
    """A matrix ``[k, size]`` cut into slabs, each of them into pieces ``[_DEPTH, width]``."""
    k, size = matrix.shape
    return [
        [_piece(matrix[i : i + _DEPTH, start : start + width], width) for i in range(0, k, _DEPTH)]
        for start in range(0, size, width)
    ]


def _piece(part: Any, width: int) -> Any:
    """A part where it lies, if it is whole; or else a copy with zeros for what is missing."""
    if part.shape == (_DEPTH, width) and part.flags.c_contiguous:
        return part
    terms, size = part.shape
    piece = aligned((_DEPTH, width), part.dtype)
    piece[:terms, :size] = part
    piece[:terms, size:] = 0
    piece[terms : terms + -terms % _RANK] = 0  # further rows are not read
    return piece


def _total(tile: Tile, terms: int, left: list[Any], right: list[Any]) -> Any:
    """One tile of the result."""
    total: Any = aligned((tile.rows, tile.columns), left[0].dtype)
    total[...] = 0
    for start, x, y in zip(range(0, terms, _DEPTH), left, right, strict=True):
        total = _add_products(total, x, y, -(-min(_DEPTH, terms - start) // _RANK))
    return total


@jax.jit
def _add_products(total: Any, a: Any, b: Any, steps: Any) -> Any:
    """``total`` and the products of columns ``a[k]`` and rows ``b[k]``, for ``_RANK * steps`` of them."""

    def step(i: Any, total: Any) -> Any:
        columns, rows = (lax.dynamic_slice_in_dim(x, _RANK * i, _RANK) for x in (a, b))
        for r in range(_RANK):
            total = total + columns[r][:, None] * rows[r][None, :]
        return total

    return lax.fori_loop(0, jnp.asarray(steps, jnp.int32), step, total)
