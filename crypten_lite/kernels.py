"""Kernels: pure functions of flat arrays, run piece by piece where the pieces stay in the cache.

Whole pieces run compiled, the rest in NumPy: so a kernel is compiled once for all networks, and small
programs compile nothing and can be stepped through with a debugger.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

PIECE = 32768  # elements: a quarter of a megabyte of 64-bit words


class Kernels:
    """Runs ``kernel(xp, *arrays, **options)`` on arrays whose last axis is the same.

    A kernel is written once, for the namespace ``xp``, and acts on each element of the last axis by itself.
    Arrays whose last axis is one are the same for all elements.
    """

    def __call__(self, kernel: Callable[..., Any], *arrays: Any, **options: Any) -> Any:
        """The kernel's results, whole."""
        size = max(a.shape[-1] for a in arrays)
        if size < PIECE or not all(a.size for a in arrays):
            return kernel(np, *arrays, **options)
        whole: list[Any] = []
        for start in range(0, size, PIECE):
            piece = [a[..., start : start + PIECE] if a.shape[-1] > 1 else a for a in arrays]
            results = self._piece(kernel, piece, options, min(PIECE, size - start))
            whole = whole or [np.empty((*r.shape[:-1], size), r.dtype) for r in results]
            for w, r in zip(whole, results, strict=True):
                w[..., start : start + PIECE] = r
        return tuple(whole)

    def _piece(self, kernel: Callable[..., Any], piece: list[Any], options: dict[str, Any], size: int) -> Any:
        if size < PIECE:
            return kernel(np, *piece, **options)
        with jax.enable_x64(True):  # 64-bit words would be cut in half
            return [np.asarray(r) for r in compiled(kernel, **options)(*piece)]


@functools.cache
def compiled(kernel: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """A kernel as one compiled program."""
    return jax.jit(functools.partial(kernel, jnp, **options))
