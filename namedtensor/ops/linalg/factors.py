"""A matrix as a product: Cholesky, QR, singular values, eigenvalues. Their inner dim gets a name."""

import jax.numpy as jnp

from namedtensor._dims import Spec
from namedtensor._plan import run
from namedtensor._tensor import NamedTensor
from namedtensor.ops._table import public
from namedtensor.ops.linalg._matrix import matrix

_cholesky = matrix("cholesky", jnp.linalg.cholesky, "row col", ("upper", "symmetrize_input"), square=True)
_qr = matrix("qr", jnp.linalg.qr, "row new, new col", ("new",))
_svd = matrix("svd", lambda a: jnp.linalg.svd(a, full_matrices=False), "row new, new, new col", ("new",))
_svdvals = matrix("svdvals", jnp.linalg.svdvals, "new", ("new",))
_eig = matrix("eig", jnp.linalg.eig, "new, row new", ("new",), square=True)
_eigvals = matrix("eigvals", jnp.linalg.eigvals, "new", ("new",), square=True)
_eigh = matrix("eigh", jnp.linalg.eigh, "new, row new", ("new", "symmetrize_input"), square=True)
_eigvalsh = matrix("eigvalsh", jnp.linalg.eigvalsh, "new", ("new", "symmetrize_input"), square=True)


def cholesky(
    x: NamedTensor, over: Spec, *, upper: bool = False, symmetrize_input: bool = True
) -> NamedTensor:
    """The triangular ``l`` with ``x[row col] = sum over k of l[row k] l[col k]``.

    To solve with it (``cho_solve`` of SciPy), solve twice, the second time with the transposed factor:
    ``y = solve_triangular(l, b, over="row col", lower=True)``, then
    ``solve_triangular(l, y, over="col row", lower=False)``.

    Args:
      x: ``[... row col]``, symmetric (Hermitian) and positive definite; NaN results where it is not.
      over: ``"row col"``; all other dims are batch dims.
      upper: whether to return ``l`` transposed (and conjugated) instead.
      symmetrize_input: whether to take ``(x + x transposed) / 2`` first, which makes derivatives symmetric.

    Returns:
      ``[... row col]``, with zeros above the diagonal (``upper``: below it).

    Raises:
      SizeMismatch: the matrix is not square.

    Example:
      >>> import namedtensor as nt
      >>> nt.linalg.cholesky(nt.tensor([[4.0, 2.0], [2.0, 5.0]], "row col"), "row col").array
      Array([[2., 0.],
             [1., 2.]], dtype=float32)
    """
    return run(_cholesky, (x,), (over, upper, symmetrize_input))


def qr(x: NamedTensor, over: Spec, *, new: str) -> tuple[NamedTensor, NamedTensor]:
    """Orthonormal columns times a triangle: ``x[row col] = sum over k of q[row k] r[k col]``.

    Args:
      x: ``[... row col]``.
      over: ``"row col"``; all other dims are batch dims.
      new: the name of the inner dim, whose size is that of the smaller of the two.

    Returns:
      ``q[... row new]`` and ``r[... new col]``.

    Raises:
      DuplicateDim: ``x`` has ``new`` already.

    Example:
      >>> import namedtensor as nt
      >>> q, r = nt.linalg.qr(nt.ones("batch:2 row:3 col:4"), "row col", new="k")
      >>> q.shape, r.shape
      (Shape(batch:2 row:3 k:3), Shape(batch:2 k:3 col:4))
    """
    return run(_qr, (x,), (over, new))


def svd(x: NamedTensor, over: Spec, *, new: str) -> tuple[NamedTensor, NamedTensor, NamedTensor]:
    """Singular values: ``x[row col] = sum over k of u[row k] s[k] vh[k col]``, the largest first.

    The thin decomposition: with ``full_matrices`` the inner dims of ``u`` and ``vh`` have two sizes, which
    one name cannot be. `nt.lift` reaches them.

    Args:
      x: ``[... row col]``.
      over: ``"row col"``; all other dims are batch dims.
      new: the name of the inner dim, whose size is that of the smaller of the two.

    Returns:
      ``u[... row new]``, ``s[... new]`` and ``vh[... new col]``.

    Raises:
      DuplicateDim: ``x`` has ``new`` already.

    Example:
      >>> import namedtensor as nt
      >>> u, s, vh = nt.linalg.svd(nt.ones("row:3 col:4"), "row col", new="k")
      >>> u.shape, s.shape, vh.shape
      (Shape(row:3 k:3), Shape(k:3), Shape(k:3 col:4))
    """
    return run(_svd, (x,), (over, new))


def svdvals(x: NamedTensor, over: Spec, *, new: str) -> NamedTensor:
    """The singular values ``[... new]`` alone, the largest first; arguments as for `svd`.

    Example:
      >>> import namedtensor as nt
      >>> nt.linalg.svdvals(nt.tensor([[0.0, 2.0], [3.0, 0.0]], "row col"), "row col", new="k").array
      Array([3., 2.], dtype=float32)
    """
    return run(_svdvals, (x,), (over, new))


def eig(x: NamedTensor, over: Spec, *, new: str) -> tuple[NamedTensor, NamedTensor]:
    """Eigenvalues and vectors: ``sum over col of x[row col] v[col k] = w[k] v[row k]``.

    Args:
      x: ``[... row col]``, any square matrix.
      over: ``"row col"``; all other dims are batch dims.
      new: the name of the dim that counts the eigenvalues.

    Returns:
      ``w[... new]`` and ``v[... row new]``, both complex. For the formula above rename ``v``:
      ``x.dot("col", v.rename(row="col"))``.

    Raises:
      SizeMismatch: the matrix is not square.
      DuplicateDim: ``x`` has ``new`` already.

    Example:
      >>> import namedtensor as nt
      >>> w, v = nt.linalg.eig(nt.ones("batch:2 row:3 col:3"), "row col", new="k")
      >>> w.shape, v.shape
      (Shape(batch:2 k:3), Shape(batch:2 row:3 k:3))
    """
    return run(_eig, (x,), (over, new))


def eigvals(x: NamedTensor, over: Spec, *, new: str) -> NamedTensor:
    """The eigenvalues ``[... new]`` alone, complex and in no order; arguments as for `eig`.

    Example:
      >>> import namedtensor as nt
      >>> nt.linalg.eigvals(nt.tensor([[0.0, 1.0], [-1.0, 0.0]], "row col"), "row col", new="k").array.imag
      Array([ 1., -1.], dtype=float32)
    """
    return run(_eigvals, (x,), (over, new))


def eigh(
    x: NamedTensor, over: Spec, *, new: str, symmetrize_input: bool = True
) -> tuple[NamedTensor, NamedTensor]:
    """`eig` of a symmetric (Hermitian) matrix: ``x[row col] = sum over k of v[row k] w[k] conj(v[col k])``.

    Args:
      x: ``[... row col]``.
      over: ``"row col"``; all other dims are batch dims.
      new: the name of the dim that counts the eigenvalues.
      symmetrize_input: whether to take ``(x + x transposed) / 2`` first, which makes derivatives symmetric.

    Returns:
      ``w[... new]``, real, the smallest first, and ``v[... row new]``, orthonormal.

    Raises:
      SizeMismatch: the matrix is not square.
      DuplicateDim: ``x`` has ``new`` already.

    Example:
      >>> import namedtensor as nt
      >>> w, v = nt.linalg.eigh(nt.tensor([[2.0, 0.0], [0.0, 1.0]], "row col"), "row col", new="k")
      >>> w.array
      Array([1., 2.], dtype=float32)
    """
    return run(_eigh, (x,), (over, new, symmetrize_input))


def eigvalsh(x: NamedTensor, over: Spec, *, new: str, symmetrize_input: bool = True) -> NamedTensor:
    """The eigenvalues ``[... new]`` of a symmetric matrix alone, the smallest first; arguments as for `eigh`.

    Example:
      >>> import namedtensor as nt
      >>> nt.linalg.eigvalsh(nt.tensor([[2.0, 0.0], [0.0, 1.0]], "row col"), "row col", new="k").array
      Array([1., 2.], dtype=float32)
    """
    return run(_eigvalsh, (x,), (over, new, symmetrize_input))


__all__ = public(globals())
