"""Memory that XLA uses where it lies."""

import math
from typing import Any

import numpy as np

_LINE = 64  # bytes: XLA copies what is not aligned to them


def aligned(shape: tuple[int, ...], dtype: Any) -> Any:
    """An array that a compiled program reads without a copy; its numbers are whatever lay there before."""
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    memory = np.empty(size + _LINE, np.uint8)
    start = -memory.ctypes.data % _LINE
    return memory[start : start + size].view(dtype).reshape(shape)
