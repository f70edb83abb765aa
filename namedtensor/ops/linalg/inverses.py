"""Inverses, powers and the exponential of a matrix."""

import jax
import jax.numpy as jnp

from namedtensor._dims import Spec
from namedtensor._errors import showing
from namedtensor._plan import run
from namedtensor._tensor import NamedTensor
from namedtensor.ops._static import whole
from namedtensor.ops._table import public
from namedtensor.ops.linalg._matrix import matrix

_inv = matrix("inv", jnp.linalg.inv, "col row", square=True)
_pinv = matrix("pinv", jnp.linalg.pinv, "col row", ("rtol", "hermitian"))
_expm = matrix("expm", jax.scipy.linalg.expm, "row col", square=True)
_power = matrix("matrix_power", jnp.linalg.matrix_power, "row col", ("n",), square=True)
_inverse_power = matrix("matrix_power", jnp.linalg.matrix_power, "col row", ("n",), square=True)


def inv(x: NamedTensor, over: Spec) -> NamedTensor:
    """The inverse: ``sum over col of x[row col] y[col row'] = 1 where row = row', else 0``.

    It maps back, so its rows are the columns of ``x``: ``inv(x, "row col").to_array("col row")`` is
    ``jnp.linalg.inv(x.to_array("row col"))``. Where sizes differ (`pinv`) there is no other way.

    Args:
      x: ``[... row col]``.
      over: ``"row col"``; all other dims are batch dims.

    Returns:
      ``[... col row]``; infinities or NaN where ``x`` is singular.

    Raises:
      SizeMismatch: the matrix is not square.

    Example:
      >>> import namedtensor as nt
      >>> x = nt.tensor([[1.0, 2.0], [0.0, 1.0]], "row col")
      >>> x.dot("col", nt.linalg.inv(x, "row col").rename(row="row'")).array
      Array([[1., 0.],
             [0., 1.]], dtype=float32)
    """
    return run(_inv, (x,), (over,))


def pinv(x: NamedTensor, over: Spec, *, rtol: float | None = None, hermitian: bool = False) -> NamedTensor:
    """The pseudo-inverse of Moore and Penrose; its names are those of `inv`.

    Args:
      x: ``[... row col]`` of any two sizes.
      over: ``"row col"``; all other dims are batch dims.
      rtol: singular values below ``rtol`` times the largest count as zero.
      hermitian: whether ``x`` is known to be symmetric (Hermitian), which is faster.

    Returns:
      ``[... col row]``.

    Example:
      >>> import namedtensor as nt
      >>> nt.linalg.pinv(nt.ones("row:3 col:2"), "row col").shape
      Shape(col:2 row:3)
    """
    return run(_pinv, (x,), (over, rtol, hermitian))


def matrix_power(x: NamedTensor, over: Spec, n: int) -> NamedTensor:
    """``x x ... x``, ``n`` times, as if ``row`` and ``col`` were one dim; of the inverse where ``n < 0``.

    Args:
      x: ``[... row col]``.
      over: ``"row col"``; all other dims are batch dims.
      n: an integer.

    Returns:
      ``[... row col]``; for negative ``n`` ``[... col row]``, as for `inv`.

    Raises:
      SizeMismatch: the matrix is not square.
      BadPattern: ``n`` is no integer.

    Example:
      >>> import namedtensor as nt
      >>> nt.linalg.matrix_power(nt.tensor([[1.0, 1.0], [0.0, 1.0]], "row col"), "row col", 3).array
      Array([[1., 3.],
             [0., 1.]], dtype=float32)
    """
    with showing(f"nt.linalg.matrix_power(over={over!r}, n={n!r})", x):
        power = whole(n, "n")
    return run(_inverse_power if power < 0 else _power, (x,), (over, power))


def expm(x: NamedTensor, over: Spec) -> NamedTensor:
    """The exponential ``1 + x + x x / 2 + x x x / 6 + ...``, as if ``row`` and ``col`` were one dim.

    By scaling and squaring (Higham 2005, doi:10.1137/04061101X).

    Args:
      x: ``[... row col]``.
      over: ``"row col"``; all other dims are batch dims.

    Returns:
      ``[... row col]``.

    Raises:
      SizeMismatch: the matrix is not square.

    Example:
      >>> import namedtensor as nt
      >>> nt.linalg.expm(nt.tensor([[0.0, 3.0], [0.0, 0.0]], "row col"), "row col").array
      Array([[1., 3.],
             [0., 1.]], dtype=float32)
    """
    return run(_expm, (x,), (over,))


__all__ = public(globals())
