"""XLA's own convolution forwards, which is fast outside of loops, and a dot backwards (see `im2col`)."""

from typing import Any

from jax import lax

from namedtensor.kernels.im2col import backward, matrices
from namedtensor.kernels.window import Window

__all__ = ["backward", "forward", "matrices"]


def forward(x: Any, prepared: tuple[Any, ...], window: Window) -> Any:
    """The convolution of ``x`` ``[batch, height, width, channel]``."""
    kernel = prepared[0].reshape(*window.size, x.shape[3], -1)
    spec = ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(x, kernel, window.strides, window.padding, dimension_numbers=spec)
