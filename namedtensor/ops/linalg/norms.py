"""Norms of vectors and matrices, and the condition number, which is made of two."""

import math
import numbers
from typing import Any

import jax.numpy as jnp

from namedtensor._dims import Dims, Spec, dims, require, without
from namedtensor._errors import BadPattern, RankMismatch, showing
from namedtensor._plan import Body, Operation, run
from namedtensor._tensor import NamedTensor, named
from namedtensor.ops._table import public
from namedtensor.ops.linalg._matrix import check_precision, matrix

_MATRIX_ORDERS = ("fro", "nuc", math.inf, -math.inf, 1, -1, 2, -2)
_BY_SINGULAR_VALUES = ("nuc", 2, -2)


def _of_a_matrix(ord: Any) -> Any:
    if ord in _MATRIX_ORDERS and not isinstance(ord, bool):
        return ord
    listed = ", ".join(map(repr, _MATRIX_ORDERS))
    raise BadPattern(f"{ord!r} is no norm of a matrix.", f"There are {listed}.")


def _of_a_vector(ord: Any) -> Any:
    if isinstance(ord, numbers.Real) and not isinstance(ord, bool):
        return ord
    raise BadPattern(f"{ord!r} is no norm of a vector.", "Give a number: 2, 1, or float('inf').")


def _vector_norm_rule(names: tuple[Dims, ...], over: Dims | None, ord: Any) -> Body:
    (there,) = names
    gone = there if over is None else require(there, over)
    axes = tuple(there.index(d) for d in gone)
    return Body(lambda array: jnp.linalg.vector_norm(array, axis=axes, ord=ord), without(there, gone))


def _norm(array: Any, ord: Any) -> Any:
    if _of_a_matrix(ord) in _BY_SINGULAR_VALUES:
        check_precision(array.dtype)
    return jnp.linalg.matrix_norm(array, ord=ord)


def _condition(array: Any, p: Any) -> Any:
    return jnp.linalg.cond(array, p if p is None else _of_a_matrix(p))


_cond = matrix("cond", _condition, "", ("p",))
_square_cond = matrix("cond", _condition, "", ("p",), square=True)
_matrix_norm = matrix("matrix_norm", _norm, "", ("ord",), factorised=False)
_vector_norm = Operation(
    "linalg.vector_norm",
    _vector_norm_rule,
    ("over", "ord"),
    lambda over, ord: (None if over is None else dims(over), _of_a_vector(ord)),
)


def cond(x: NamedTensor, over: Spec, *, p: Any = None) -> NamedTensor:
    """The condition number ``|x| |inverse of x|`` of each matrix: how much it can magnify a relative error.

    Args:
      x: ``[... row col]``.
      over: ``"row col"``; all other dims are batch dims.
      p: the norm, as for `matrix_norm`; the largest singular value by default.

    Returns:
      ``[...]``.

    Raises:
      SizeMismatch: the matrix is not square, and ``p`` is not by singular values (None, 2, -2).
      BadPattern: ``p`` is no norm.

    Example:
      >>> import namedtensor as nt
      >>> nt.linalg.cond(nt.tensor([[8.0, 0.0], [0.0, 2.0]], "row col"), "row col").item()
      4.0
    """
    needs_no_inverse = p is None or (isinstance(p, numbers.Real) and abs(p) == 2)
    return run(_cond if needs_no_inverse else _square_cond, (x,), (over, p))


def matrix_norm(x: NamedTensor, over: Spec, *, ord: Any = "fro") -> NamedTensor:
    """A norm of each matrix.

    Args:
      x: ``[... row col]``.
      over: ``"row col"``; all other dims are batch dims.
      ord: ``"fro"`` the root of the sum of squares, ``"nuc"`` the sum of the singular values, 2 and -2 the
        largest and smallest of them; 1 and -1 the largest and smallest sum over rows of absolute values, and
        ``inf`` and ``-inf`` those over columns.

    Returns:
      ``[...]``.

    Raises:
      BadPattern: another ``ord``.

    Example:
      >>> import namedtensor as nt
      >>> nt.linalg.matrix_norm(nt.tensor([[3.0, 0.0], [0.0, 4.0]], "row col"), "row col").item()
      5.0
    """
    return run(_matrix_norm, (x,), (over, ord))


def vector_norm(x: NamedTensor, over: Spec | None = None, *, ord: float = 2) -> NamedTensor:
    """``(sum over ``over`` of |x|^ord)^(1/ord)``; several dims count as one long vector.

    Args:
      x: a tensor.
      over: one or more dims; all of them by default.
      ord: a number; ``inf`` is the largest absolute value, 0 counts what is not zero.

    Returns:
      The dims of ``x`` without ``over``.

    Raises:
      BadPattern: ``ord`` is no number.

    Example:
      >>> import namedtensor as nt
      >>> nt.linalg.vector_norm(nt.tensor([[3.0, 4.0], [0.0, 1.0]], "batch xy"), "xy").array
      Array([5., 1.], dtype=float32)
    """
    return run(_vector_norm, (x,), (over, ord))


def norm(x: NamedTensor, over: Spec | None = None, *, ord: Any = None) -> NamedTensor:
    """NumPy's ``norm``: `vector_norm` over one dim, `matrix_norm` over two; without ``ord`` over any number.

    Args:
      x: a tensor.
      over: the dims; all of them by default.
      ord: as for the two functions; by default the root of the sum of squares.

    Returns:
      The dims of ``x`` without ``over``.

    Raises:
      RankMismatch: ``ord`` is given, and ``over`` is not one or two dims.

    Example:
      >>> import namedtensor as nt
      >>> nt.linalg.norm(nt.ones("height:2 width:2 channel:4")).item()
      4.0
    """
    if ord is None:
        return vector_norm(x, over)
    with showing(f"nt.linalg.norm(over={over!r}, ord={ord!r})", x):
        gone = named(x).dims if over is None else dims(over)
        if len(gone) not in (1, 2):
            raise RankMismatch(
                f"ord={ord!r} is the norm of a vector or of a matrix, and '{gone}' are {len(gone)} dims.",
                "Name one or two dims in over=, or leave ord out.",
            )
    return matrix_norm(x, gone, ord=ord) if len(gone) == 2 else vector_norm(x, gone, ord=ord)


__all__ = public(globals())
