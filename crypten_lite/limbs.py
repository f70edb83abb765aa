"""Products of integers from products of floats: for machines whose float64 is fast (GPU).

A number is written in limbs of 16 bits. A product of limbs has 32 bits and a sum of ``2 ** 21`` of them
53, which float64 holds exactly. Of the sixteen products of two numbers of 64 bits, the six whose weight is a
multiple of ``2 ** 64`` are not needed.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

_BITS = 16
_MOST = 1 << 21  # terms of a sum that stays exact


def multiply(a: Any, b: Any) -> Any:
    """``sum over k of a[s, k, m] * b[s, k, n]`` of unsigned integers: ``[s, k, m], [s, k, n] -> [s, m, n]``.

    Args:
      a: of NumPy.
      b: of the same dtype.

    Returns:
      The products, modulo the range of the dtype, of NumPy.
    """
    with jax.enable_x64(True):
        total: Any = 0
        for start in range(0, a.shape[1], _MOST):
            total = total + _multiply(*(x[:, start : start + _MOST] for x in (a, b)))
        return np.asarray(total).astype(a.dtype)


@jax.jit
def _multiply(a: Any, b: Any) -> Any:
    limbs = range(max(1, a.dtype.itemsize * 8 // _BITS))
    lows, highs = ([_limb(x.astype(jnp.uint64), i) for i in limbs] for x in (a, b))
    return sum(_dot(lows[i], highs[j]) << (_BITS * (i + j)) for i in limbs for j in limbs[: len(limbs) - i])


def _limb(x: Any, i: int) -> Any:
    return ((x >> (_BITS * i)) & (2**_BITS - 1)).astype(jnp.float64)


def _dot(a: Any, b: Any) -> Any:
    return jnp.einsum("skm,skn->smn", a, b, precision="highest").astype(jnp.uint64)
