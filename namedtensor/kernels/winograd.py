"""3x3 convolutions of stride 1 with 2.25 times fewer multiplications: Winograd F(2x2, 3x3).

Each 4x4 patch and the kernel are transformed, multiplied place by place (sixteen dots over the
channels), and transformed back to 2x2 results. The transforms are sums and halves, so the error stays
that of any float convolution; the larger F(4x4, 3x3) loses a digit and is not used.

Source: Lavin, Gray 2015, arXiv:1509.09308.
"""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from jax import lax

from namedtensor.kernels.window import Pair, Window, padded, strided


def matrices(kernel: Any) -> tuple[Any, ...]:
    """The transforms of a kernel for `forward`, and those for `backward`: sixteen matrices each.

    The second follow from the first, but would be read against their order; where the dots are few and
    long that is three times as slow, and costs more than the memory of both. In one array each dot would
    copy its matrix out of it.
    """
    return *transform(kernel), *transform(kernel[::-1, ::-1].swapaxes(2, 3))


def transform(kernel: Any) -> tuple[Any, ...]:
    """``G g G^T`` of each 3x3 kernel: ``[3, 3, channel, feature]`` to sixteen ``[channel, feature]``."""
    rows = _kernel_rows(kernel[0], kernel[1], kernel[2])
    return tuple(place for r in rows for place in _kernel_rows(r[0], r[1], r[2]))


def _kernel_rows(a: Any, b: Any, c: Any) -> list[Any]:
    outer = a + c
    return [a, (outer + b) * 0.5, (outer - b) * 0.5, c]


def forward(x: Any, prepared: tuple[Any, ...], window: Window) -> Any:
    """The convolution of ``x`` ``[batch, height, width, channel]``."""
    low = (window.padding[0][0], window.padding[1][0])
    return _convolve(x, prepared[:16], low, window.out)


def backward(y: Any, prepared: tuple[Any, ...], window: Window) -> Any:
    """What `forward` is the transpose of: a convolution with the flipped kernel, channels swapped."""
    low = (2 - window.padding[0][0], 2 - window.padding[1][0])
    return _convolve(y, prepared[16:], low, window.image)


def _convolve(x: Any, transformed: Sequence[Any], low: Pair, out: Pair) -> Any:
    tiles = (-(-out[0] // 2), -(-out[1] // 2))
    x = padded(x, low, (2 * tiles[0] + 2, 2 * tiles[1] + 2))
    places = _multiply(_patches(x, tiles), transformed)
    return _whole(places, (x.shape[0], *tiles))[:, : out[0], : out[1]]


def _patches(x: Any, tiles: Pair) -> list[list[Any]]:
    """``B^T d B`` of all 4x4 patches, place by place."""
    rows = [strided(x, (i, 0), (tiles[0], x.shape[2]), (2, 1)) for i in range(4)]
    # Without the barrier XLA computes the rows again for each column.
    rows = lax.optimization_barrier(_patch_rows(*rows))
    return [_patch_rows(*(strided(r, (0, j), tiles, (1, 2)) for j in range(4))) for r in rows]


def _patch_rows(a: Any, b: Any, c: Any, d: Any) -> list[Any]:
    return [a - c, b + c, c - b, b - d]


def _multiply(patches: list[list[Any]], transformed: Sequence[Any]) -> list[list[Any]]:
    """The dots over the channels, place by place: ``[patches, feature]`` each."""
    flat = [[p.reshape(-1, p.shape[-1]) for p in row] for row in patches]
    return [[p @ transformed[4 * i + j] for j, p in enumerate(row)] for i, row in enumerate(flat)]


def _whole(places: list[list[Any]], tiles: tuple[int, int, int]) -> Any:
    """``A^T m A`` of all places, put together to images."""
    columns = [_result_rows(*(places[i][j] for i in range(4))) for j in range(4)]
    pixels = [_result_rows(*(columns[j][a] for j in range(4))) for a in range(2)]
    n, rows, width = tiles
    pixels = [[p.reshape(n, rows, width, -1) for p in row] for row in pixels]
    whole = jnp.stack([jnp.stack(row, axis=3) for row in pixels], axis=2)
    return whole.reshape(n, 2 * rows, 2 * width, -1)


def _result_rows(a: Any, b: Any, c: Any, d: Any) -> list[Any]:
    return [a + b + c, b - c - d]
