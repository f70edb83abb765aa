"""1x1 convolutions: a dot over the channels, of every stride-th pixel."""

from typing import Any

import jax.numpy as jnp
from jax import lax

from namedtensor.kernels.window import Window, strided


def forward(x: Any, prepared: tuple[Any, ...], window: Window) -> Any:
    """The convolution of ``x`` ``[batch, height, width, channel]`` with a matrix ``[channel, feature]``."""
    (matrix,) = prepared
    return _dot(strided(x, (0, 0), window.out, window.strides), matrix, 0)


def backward(y: Any, prepared: tuple[Any, ...], window: Window) -> Any:
    """What `forward` is the transpose of: the pixels that it skips get 0."""
    (matrix,) = prepared
    x = _dot(y, matrix, 1)
    edges = [
        (0, n - (o - 1) * s - 1, s - 1)
        for n, o, s in zip(window.image, window.out, window.strides, strict=True)
    ]
    return lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *edges, (0, 0, 0)])


def _dot(x: Any, matrix: Any, over: int) -> Any:
    *images, size = x.shape
    y = lax.dot_general(x.reshape(-1, size), matrix, (((1,), (over,)), ((), ())))
    return y.reshape(*images, -1)
