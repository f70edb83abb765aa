"""Systems of equations: the dims of the right-hand side that the matrix lacks are solved for at once."""

import math
from collections.abc import Callable, Hashable
from typing import Any

import jax
import jax.numpy as jnp

from namedtensor._dims import Dims, Spec, require, without
from namedtensor._errors import DuplicateDim
from namedtensor._plan import Body, Operation, run
from namedtensor._tensor import NamedTensor
from namedtensor.ops._align import align
from namedtensor.ops._table import public
from namedtensor.ops.linalg._matrix import check_precision, check_square, settings


def _system(
    name: str, positional: Callable[..., Any], options: tuple[str, ...] = (), *, square: bool
) -> Operation:
    """The operation of a function that finds ``[... col k]`` from ``[... row col]`` and ``[... row k]``."""

    def rule(names: tuple[Dims, ...], over: Dims, *given: Hashable) -> Body:
        matrix_dims, right = names
        row, col = require(matrix_dims, over)
        require(right, [row])
        if col in right:
            raise DuplicateDim(
                f"{col!r} is a dim of the solution, and the right-hand side has it too.",
                f"Rename it there: b.rename({col}='{col}_2').",
            )
        batch, columns = without(matrix_dims, over), without(right, matrix_dims)
        k = len(batch) + 1
        keywords = dict(zip(options, given, strict=True))

        def solved(a, b):
            a = align(a, matrix_dims, Dims([*batch, row, col]))
            b = align(b, right, Dims([*batch, row, *columns]))
            if square:
                check_square(a, over)
            check_precision(jnp.result_type(a, b))
            found = positional(a, b.reshape(*b.shape[:k], math.prod(b.shape[k:])), **keywords)
            return found.reshape(*found.shape[:k], *b.shape[k:])

        return Body(solved, Dims([*batch, col, *columns]))

    return Operation(f"linalg.{name}", rule, ("over", *options), settings(options))


def _lstsq_batched(a: Any, b: Any, rcond: float | None) -> Any:
    def one(a, b):
        return jnp.linalg.lstsq(a, b, rcond)[0]

    return jnp.vectorize(one, signature="(m,n),(m,k)->(n,k)")(a, b)


_solve = _system("solve", jnp.linalg.solve, square=True)
_lstsq = _system("lstsq", _lstsq_batched, ("rcond",), square=False)
_solve_triangular = _system(
    "solve_triangular", jax.scipy.linalg.solve_triangular, ("lower", "unit_diagonal"), square=True
)


def solve(a: NamedTensor, b: NamedTensor, over: Spec) -> NamedTensor:
    """``x`` with ``sum over col of a[row col] x[col ...] = b[row ...]``.

    Dims of ``b`` that ``a`` has too are batch dims; the others are right-hand sides of one matrix, which is
    factorised once.

    Args:
      a: ``[... row col]``.
      b: ``[row ...]``.
      over: ``"row col"``, dims of ``a``.

    Returns:
      The dims of ``b`` with ``col`` in the place of ``row``, and the batch dims of ``a``.

    Raises:
      UnknownDim: ``b`` lacks ``row``.
      DuplicateDim: ``b`` has ``col``.
      SizeMismatch: the matrix is not square, or ``row`` has two sizes.

    Example:
      >>> import namedtensor as nt
      >>> a, b = nt.tensor([[2.0, 0.0], [0.0, 4.0]], "row col"), nt.tensor([2.0, 2.0], "row")
      >>> nt.linalg.solve(a, b, over="row col").array
      Array([1. , 0.5], dtype=float32)
    """
    return run(_solve, (a, b), (over,))


def solve_triangular(
    a: NamedTensor, b: NamedTensor, over: Spec, *, lower: bool, unit_diagonal: bool = False
) -> NamedTensor:
    """`solve` for a triangular matrix; the other triangle of ``a`` is not read.

    ``trans`` of SciPy is unnecessary: the transposed matrix is ``over="col row"``, and its triangle is then
    the other one.

    Args:
      a: ``[... row col]``.
      b: ``[row ...]``.
      over: ``"row col"``, dims of ``a``.
      lower: whether ``a`` is zero for ``col > row``, or for ``col < row``.
      unit_diagonal: whether to take the diagonal as ones.

    Returns:
      The dims of ``b`` with ``col`` in the place of ``row``, and the batch dims of ``a``.

    Raises:
      UnknownDim: ``b`` lacks ``row``.
      DuplicateDim: ``b`` has ``col``.
      SizeMismatch: the matrix is not square, or ``row`` has two sizes.

    Example:
      >>> import namedtensor as nt
      >>> a, b = nt.tensor([[2.0, 0.0], [2.0, 4.0]], "row col"), nt.tensor([2.0, 4.0], "row")
      >>> nt.linalg.solve_triangular(a, b, over="row col", lower=True).array
      Array([1. , 0.5], dtype=float32)
    """
    return run(_solve_triangular, (a, b), (over, lower, unit_diagonal))


def lstsq(a: NamedTensor, b: NamedTensor, over: Spec, *, rcond: float | None = None) -> NamedTensor:
    """The ``x`` with the least ``sum over row of (sum over col of a[row col] x[col ...] - b[row ...])^2``.

    The solution alone, and of several the shortest: residuals, rank and singular values are
    ``a.dot("col", x) - b``, `matrix_rank` and `svdvals`.

    Args:
      a: ``[... row col]`` of any two sizes.
      b: ``[row ...]``; its other dims as for `solve`.
      over: ``"row col"``, dims of ``a``.
      rcond: singular values below ``rcond`` times the largest count as zero.

    Returns:
      The dims of ``b`` with ``col`` in the place of ``row``, and the batch dims of ``a``.

    Raises:
      UnknownDim: ``b`` lacks ``row``.
      DuplicateDim: ``b`` has ``col``.
      SizeMismatch: ``row`` has two sizes.

    Example:
      >>> import namedtensor as nt
      >>> a, b = nt.ones("row:4 col:2"), nt.ones("row:4 column:3")
      >>> nt.linalg.lstsq(a, b, over="row col").shape
      Shape(col:2 column:3)
    """
    return run(_lstsq, (a, b), (over, rcond))


__all__ = public(globals())
