"""Matrix products in a ring, exact, by whatever is fastest for the size and the machine.

NumPy multiplies integers one by one, without a library, but compiles nothing; XLA's integer dot is no faster.
Large products go by tiles on a CPU, and by limbs in float64 where the machine is good at those.
"""

from typing import Any

import jax
import numpy as np

from crypten_lite import _tiles, limbs

_FEW_OPERATIONS = 1_000_000  # that NumPy makes in about a millisecond (benchmarks/ring.py)


def matmul(a: Any, b: Any) -> Any:
    """The products of matrices ``[..., m, k]`` and ``[..., k, n]`` of unsigned integers.

    They are modulo the range of the dtype. A ring that is smaller than its dtype divides that range, so the
    caller wraps the result, once (`Ring.wrap`).

    Args:
      a: of NumPy or JAX; the leading axes are a stack, and broadcast.
      b: of the same dtype.

    Returns:
      ``[..., m, n]``, of NumPy.

    Raises:
      ValueError: operands that do not fit, or no unsigned integers of one dtype.

    Example:
      >>> import numpy as np
      >>> from crypten_lite.products import matmul
      >>> matmul(np.array([[2**63, 3]], np.uint64), np.array([[2], [5]], np.uint64))
      array([[15]], dtype=uint64)
    """
    a, b = np.asarray(a), np.asarray(b)
    if min(a.ndim, b.ndim) < 2 or a.shape[-1] != b.shape[-2]:
        raise ValueError(f"{a.shape} @ {b.shape}: the last axis of the one is the last but one of the other.")
    _require_unsigned(a, b)
    stack = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    if a.shape[-1] * a.shape[-2] * b.shape[-1] * int(np.prod(stack)) < _FEW_OPERATIONS:
        return a @ b
    left, right = (np.broadcast_to(x, (*stack, *x.shape[-2:])).reshape(-1, *x.shape[-2:]) for x in (a, b))
    return _large(left.swapaxes(1, 2), right).reshape(*stack, a.shape[-2], b.shape[-1])


def product(a: Any, b: Any) -> Any:
    """``sum over k of a[k, m] * b[k, n]``, modulo the range of the dtype: ``[k, m], [k, n] -> [m, n]``.

    Operands with ``k`` first are the ones that need no copy; see `matmul` for small rings.

    Raises:
      ValueError: no unsigned integers of one dtype, or another ``k``.
    """
    a, b = np.asarray(a), np.asarray(b)
    _require_unsigned(a, b)
    if a.ndim != 2 or b.ndim != 2 or a.shape[0] != b.shape[0]:
        raise ValueError(
            f"a product of {list(a.shape)} and {list(b.shape)}: both have the same first of two axes."
        )
    if a.shape[0] * a.shape[1] * b.shape[1] < _FEW_OPERATIONS:
        return np.ascontiguousarray(a.T) @ b  # NumPy reads it row by row
    return _large(a[None], b[None])[0]


def _large(a: Any, b: Any) -> Any:
    """``[s, k, m], [s, k, n] -> [s, m, n]``."""
    if jax.default_backend() != "cpu" and a.dtype == np.uint64:
        return limbs.multiply(a, b)
    return _tiles.multiply(a, b)


def _require_unsigned(a: Any, b: Any) -> None:
    if a.dtype != b.dtype or a.dtype.kind != "u":
        raise ValueError(f"a product of {a.dtype} and {b.dtype}: both are of one unsigned dtype.")
