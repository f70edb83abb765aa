"""Kernels in plain JAX that a backend needs: on CPU, convolutions faster than those of XLA.

Images are ``[batch, height, width, channel]`` here, kernels ``[height, width, channel, feature]``.
XLA for CPU convolves slowly inside loops and in most backward passes; dots are fast everywhere. So
each kernel is made of slices and dots, with a backward pass of its own.
"""

from namedtensor.kernels.convolution import Prepared, convolve, prepare
from namedtensor.kernels.pool import max_pool
from namedtensor.kernels.window import Window

__all__ = ["Prepared", "Window", "convolve", "max_pool", "prepare"]
