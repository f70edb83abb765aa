"""Rule S, two dims as rows and columns: diagonals and triangles."""

from typing import Any

import jax.numpy as jnp

from namedtensor._dims import Dims, Spec, axis_of, check_name, require, require_new, without
from namedtensor._errors import MissingName
from namedtensor._plan import Body, Operation, run
from namedtensor._tensor import NamedTensor
from namedtensor.ops._align import align
from namedtensor.ops._static import pair, whole
from namedtensor.ops._table import method, public


def _diag_rule(names: tuple[Dims, ...], over: Dims, new: str, offset: int) -> Body:
    (there,) = names
    rows, columns = (there.index(d) for d in require(there, over))
    rest = without(there, over)
    require_new(rest, new)
    return Body(lambda array: jnp.diagonal(array, offset, rows, columns), Dims([*rest, new]))


def _named(over: Spec, new: str | None) -> str:
    if new is None:
        raise MissingName("the diagonal has no name.", f"Give it one: x.diag({str(pair(over))!r}, 'k').")
    return check_name(new)


def _diag_embed_rule(names: tuple[Dims, ...], dim: str, new: Dims, offset: int) -> Body:
    (there,) = names
    axis_of(there, dim)
    rest = without(there, [dim])
    for name in new:
        require_new(rest, name)

    def embed(array):
        vectors = align(array, there, Dims([*rest, dim]))
        size = vectors.shape[-1]
        whole_size = size + abs(offset)
        i = jnp.arange(size)
        matrices = jnp.zeros((*vectors.shape[:-1], whole_size, whole_size), vectors.dtype)
        return matrices.at[..., i + max(-offset, 0), i + max(offset, 0)].set(vectors, unique_indices=True)

    return Body(embed, Dims([*rest, *new]))


def _trace_rule(names: tuple[Dims, ...], over: Dims, offset: int) -> Body:
    (there,) = names
    rows, columns = (there.index(d) for d in require(there, over))
    return Body(lambda array: jnp.trace(array, offset, rows, columns), without(there, over))


def _triangle(name: str, keep: Any) -> Operation:
    def rule(names: tuple[Dims, ...], over: Dims, k: int) -> Body:
        (there,) = names
        rows, columns = (there.index(d) for d in require(there, over))

        def triangle(array):
            # a mask instead of jnp.tril, which needs the two axes to be the last
            mask = keep(array.shape[rows], array.shape[columns], k)
            return jnp.where(align(mask, over, there), array, jnp.zeros((), array.dtype))

        return Body(triangle, there)

    return Operation(name, rule, ("over", "k"), lambda over, k: (pair(over), whole(k, "k")))


_diag = Operation(
    "diag",
    _diag_rule,
    ("over", "new", "offset"),
    lambda over, new, offset: (pair(over), _named(over, new), whole(offset, "offset")),
)
_diag_embed = Operation(
    "diag_embed",
    _diag_embed_rule,
    ("dim", "new", "offset"),
    lambda dim, new, offset: (check_name(dim), pair(new), whole(offset, "offset")),
)
_trace = Operation(
    "trace", _trace_rule, ("over", "offset"), lambda over, offset: (pair(over), whole(offset, "offset"))
)
_tril = _triangle("tril", lambda n, m, k: jnp.tri(n, m, k, dtype=bool))
_triu = _triangle("triu", lambda n, m, k: ~jnp.tri(n, m, k - 1, dtype=bool))


@method
def diag(x: NamedTensor, over: Spec, new: str | None = None, *, offset: int = 0) -> NamedTensor:
    """The diagonal of two dims, ``out[k] = x[i=k, j=k + offset]``, as a new dim.

    Args:
      x: a tensor with the two dims, which may have two sizes.
      over: the two dims, ``"i j"``.
      new: the name of the diagonal; it may be one of the two.
      offset: which diagonal; above 0 it is one to the right of the main one.

    Returns:
      The other dims of ``x``, and ``new``.

    Raises:
      MissingName: ``new`` is left out: an axis without a name there is not.
      RankMismatch: ``over`` is not two dims; the way back is `diag_embed`.
      UnknownDim: a dim that ``x`` lacks.

    Example:
      >>> import namedtensor as nt
      >>> nt.tensor([[1, 2], [3, 4]], "row col").diag("row col", "k").array
      Array([1, 4], dtype=int32)
    """
    return run(_diag, (x,), (over, new, offset))


@method
def diag_embed(x: NamedTensor, dim: str, new: Spec, *, offset: int = 0) -> NamedTensor:
    """Matrices with ``dim`` on their diagonal and 0 elsewhere: the inverse of `diag`.

    Args:
      x: a tensor with the dim ``dim``, of size n.
      dim: the dim that becomes the diagonal.
      new: the names of the rows and of the columns, both of size n + abs(offset).
      offset: which diagonal.

    Raises:
      RankMismatch: ``new`` is not two names.
      DuplicateDim: a name that ``x`` keeps.

    Example:
      >>> import namedtensor as nt
      >>> nt.tensor([1, 4], "k").diag_embed("k", "row col").array
      Array([[1, 0],
             [0, 4]], dtype=int32)
    """
    return run(_diag_embed, (x,), (dim, new, offset))


@method
def trace(x: NamedTensor, over: Spec, *, offset: int = 0) -> NamedTensor:
    """The sum of the diagonal of two dims, which the result lacks.

    Raises:
      RankMismatch: ``over`` is not two dims.
      UnknownDim: a dim that ``x`` lacks.

    Example:
      >>> import namedtensor as nt
      >>> float(nt.tensor([[1.0, 2.0], [3.0, 4.0]], "row col").trace("row col"))
      5.0
    """
    return run(_trace, (x,), (over, offset))


@method
def tril(x: NamedTensor, over: Spec, *, k: int = 0) -> NamedTensor:
    """``x`` where ``col <= row + k``, 0 elsewhere; ``over`` is ``"row col"``.

    Raises:
      RankMismatch: ``over`` is not two dims.
      UnknownDim: a dim that ``x`` lacks.

    Example:
      >>> import namedtensor as nt
      >>> nt.ones("query:2 key:2", dtype=int).tril("query key").array
      Array([[1, 0],
             [1, 1]], dtype=int32)
    """
    return run(_tril, (x,), (over, k))


@method
def triu(x: NamedTensor, over: Spec, *, k: int = 0) -> NamedTensor:
    """``x`` where ``col >= row + k``, 0 elsewhere; ``over`` is ``"row col"``.

    Raises:
      RankMismatch: ``over`` is not two dims.
      UnknownDim: a dim that ``x`` lacks.

    Example:
      >>> import namedtensor as nt
      >>> nt.ones("query:2 key:2", dtype=int).triu("query key").array
      Array([[1, 1],
             [0, 1]], dtype=int32)
    """
    return run(_triu, (x,), (over, k))


__all__ = public(globals())
