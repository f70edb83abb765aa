"""Rule I: positions along named dims, and one gather rule for indices that are tensors."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from namedtensor._dims import Dims, axis_of, require, without
from namedtensor._errors import DuplicateDim, Unsupported, showing
from namedtensor._plan import Body, Operation, run
from namedtensor._tensor import NamedTensor, is_named, named
from namedtensor.ops._align import align
from namedtensor.ops._table import attach, method, public


def _pick_rule(names: tuple[Dims, ...], dim: str) -> Body:
    there = names[0]
    axis = axis_of(there, dim)
    return Body(
        lambda array, i: jax.lax.dynamic_index_in_dim(array, i, axis, keepdims=False), without(there, [dim])
    )


def _slice_rule(
    names: tuple[Dims, ...], dim: str, start: int | None, stop: int | None, step: int | None
) -> Body:
    (there,) = names
    index = [slice(None)] * len(there)
    index[axis_of(there, dim)] = slice(start, stop, step)
    return Body(lambda array: array[tuple(index)], there)


def _gather_rule(names: tuple[Dims, ...], dim: str) -> Body:
    there, ids = names
    require(there, [dim])
    if dim in ids:
        raise DuplicateDim(
            f"the index has the dim {dim!r} that it indexes.", f"Rename it: ids.rename({dim}='{dim}_2')."
        )
    # Names that both have are matched pointwise, the others of the index are new: move the shared
    # ones to the front of both and let vmap walk over them.
    shared = [d for d in there if d in ids]
    rest, new = without(there, [*shared, dim]), without(ids, shared)
    moved = Dims([*shared, dim, *rest])

    def gather(array, index):
        if not jnp.issubdtype(jnp.result_type(index), jnp.integer):
            raise _not_an_index(dim, f"values of {jnp.result_type(index)}")
        take = lambda a, i: jnp.take(a, i, axis=0, mode="fill")  # noqa: E731
        for _ in shared:
            take = jax.vmap(take)
        return take(align(array, there, moved), align(index, ids, Dims([*shared, *new])))

    return Body(gather, Dims([*shared, *new, *rest]))


_pick = Operation("isel", _pick_rule, ("dim",))
_slice = Operation("isel", _slice_rule, ("dim", "start", "stop", "step"))
_gather = Operation("gather", _gather_rule, ("dim",))


def _position(x: NamedTensor, dim: str, i: int) -> np.int32:
    """``i`` counted from the front, and refused outside the dim (JAX itself would clamp it)."""
    size = x.shape[dim]
    if not -size <= i < size:
        last = f"positions 0 to {size - 1}" if size else "no position"
        raise IndexError(f"{dim}={i} is outside {x!r}: {dim!r} has size {size}, {last}.")
    return np.int32(i % size)


def _not_an_index(dim: str, what: str) -> Unsupported:
    return Unsupported(
        f"{dim!r} cannot be indexed by {what}: an index is an integer, a slice or a named integer tensor.",
        f"Name the axes of an array: nt.tensor(index, '{dim}_2').",
    )


def _select(x: NamedTensor, dim: str, index: Any) -> NamedTensor:
    if isinstance(index, slice):
        return run(_slice, (x,), (dim, index.start, index.stop, index.step))
    if isinstance(index, Tracer) and index.ndim == 0:
        index = NamedTensor(index, Dims())
    if is_named(index):
        return run(_gather, (x, index), (dim,))
    with showing(f"nt.isel({dim}=...)", x):
        axis_of(named(x).dims, dim)
        if isinstance(index, bool | str) or np.ndim(index) or np.asarray(index).dtype.kind not in "iu":
            raise _not_an_index(dim, type(index).__name__)
        position = _position(x, dim, int(index))
    return run(_pick, (x, position), (dim,))


@method
def isel(x: NamedTensor, **positions: Any) -> NamedTensor:
    """Select by position along named dims.

    An integer removes the dim, a slice keeps it, and a named integer tensor gathers: names of the
    index that ``x`` lacks are new, names that both have are matched pointwise. That one rule is
    take, take_along_axis and an embedding look-up. A position of a tensor index that is out of range
    gives NaN (the smallest integer for integers), never a neighbour.

    Args:
      x: a tensor.
      **positions: dim = position, a slice, or a named integer tensor.

    Raises:
      UnknownDim: a name that ``x`` lacks.
      IndexError: a position outside the dim.

    Example:
      >>> import namedtensor as nt
      >>> table = nt.tensor([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]], "vocab embed")
      >>> table.isel(vocab=nt.tensor([2, 0], "seq")).array
      Array([[4., 5.],
             [0., 1.]], dtype=float32)
    """
    # positions first: then a tensor may bring back a name that a position has removed, in any order
    for dim in sorted(positions, key=lambda dim: is_named(positions[dim])):
        x = _select(x, dim, positions[dim])
    return x


def _getitem(x: NamedTensor, index: Any) -> NamedTensor:
    """``x[{"vocab": ids, "seq": 0}]`` is ``x.isel(vocab=ids, seq=0)``."""
    if not isinstance(index, Mapping):
        raise Unsupported(
            f"x[{index!r}]: axes have names here and no positions, there are '{x.dims}'.",
            f"Write x[{{{x.dims[0] if x.dims else 'name'!r}: {index!r}}}].",
        )
    return isel(x, **index)


attach("__getitem__", _getitem)


__all__ = public(globals())
