"""Numbers of a matrix that no change of basis alters: determinant, trace, rank."""

from typing import Any

import jax.numpy as jnp

from namedtensor._dims import Spec
from namedtensor._plan import run
from namedtensor._tensor import NamedTensor
from namedtensor.ops._table import public
from namedtensor.ops.linalg._matrix import matrix


def _rank(array: Any, rtol: float | None, hermitian: bool) -> Any:
    if rtol is None:
        return jnp.linalg.matrix_rank(array, hermitian=hermitian)
    # by hand because JAX (0.10 to 0.12) takes what it calls rtol as an absolute tolerance
    values = jnp.linalg.svd(array, compute_uv=False, hermitian=hermitian)
    return jnp.sum(values > rtol * values.max(-1, keepdims=True, initial=0), axis=-1)


_det = matrix("det", jnp.linalg.det, "", square=True)
_slogdet = matrix("slogdet", jnp.linalg.slogdet, ",", square=True)
_trace = matrix("trace", jnp.linalg.trace, "", square=True, factorised=False)
_matrix_rank = matrix("matrix_rank", _rank, "", ("rtol", "hermitian"))


def det(x: NamedTensor, over: Spec) -> NamedTensor:
    """The determinant of each matrix.

    Args:
      x: ``[... row col]``.
      over: ``"row col"``; all other dims are batch dims.

    Returns:
      ``[...]``.

    Raises:
      SizeMismatch: the matrix is not square.

    Example:
      >>> import namedtensor as nt
      >>> nt.linalg.det(nt.tensor([[2.0, 1.0], [0.0, 3.0]], "row col"), "row col").item()
      6.0
    """
    return run(_det, (x,), (over,))


def slogdet(x: NamedTensor, over: Spec) -> tuple[NamedTensor, NamedTensor]:
    """The sign of the determinant, and the logarithm of its absolute value, which never overflows.

    Args:
      x: ``[... row col]``.
      over: ``"row col"``; all other dims are batch dims.

    Returns:
      The sign ``[...]`` (0 for a singular matrix) and the logarithm ``[...]``.

    Raises:
      SizeMismatch: the matrix is not square.

    Example:
      >>> import namedtensor as nt
      >>> sign, logarithm = nt.linalg.slogdet(nt.tensor([[0.0, 1.0], [1.0, 0.0]], "row col"), "row col")
      >>> sign.item(), logarithm.item()
      (-1.0, 0.0)
    """
    return run(_slogdet, (x,), (over,))


def trace(x: NamedTensor, over: Spec) -> NamedTensor:
    """The sum of the diagonal of each matrix.

    Args:
      x: ``[... row col]``.
      over: ``"row col"``; all other dims are batch dims.

    Returns:
      ``[...]``.

    Raises:
      SizeMismatch: the matrix is not square.

    Example:
      >>> import namedtensor as nt
      >>> nt.linalg.trace(nt.tensor([[2.0, 1.0], [0.0, 3.0]], "row col"), "row col").item()
      5.0
    """
    return run(_trace, (x,), (over,))


def matrix_rank(
    x: NamedTensor, over: Spec, *, rtol: float | None = None, hermitian: bool = False
) -> NamedTensor:
    """How many singular values of each matrix are above ``rtol`` times the largest.

    Args:
      x: ``[... row col]``.
      over: ``"row col"``; all other dims are batch dims.
      rtol: by default the larger size times the spacing of the dtype's numbers at 1.
      hermitian: whether ``x`` is known to be symmetric (Hermitian), which is faster.

    Returns:
      ``[...]``, integers.

    Example:
      >>> import namedtensor as nt
      >>> nt.linalg.matrix_rank(nt.ones("row:3 col:4"), "row col").item()
      1
    """
    return run(_matrix_rank, (x,), (over, rtol, hermitian))


__all__ = public(globals())
