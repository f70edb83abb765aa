"""Rule I: positions along named dims, and one gather rule for indices that are tensors."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.core import Tracer

from namedtensor._dims import Dims, axis_of, check_name, require, union, without
from namedtensor._errors import BadPattern, DuplicateDim, NamedShapeError, Unsupported, showing
from namedtensor._plan import Body, Operation, run
from namedtensor._tensor import NamedTensor, is_named, named
from namedtensor.ops._align import align
from namedtensor.ops._batch import lead, mapped
from namedtensor.ops._static import whole
from namedtensor.ops._table import attach, method

Ends = tuple[int | None, int | None, int | None]


class OutsideDim(NamedShapeError, IndexError):
    """A position that is known and that a dim does not have."""


class Positions(NamedTuple):
    """What stands in ``x[{...}]``, by kind.

    Attributes:
      slices: dims that are sliced, and how.
      picks: dims that lose their name, each at one position, counted from the front.
      tensors: dims at the positions of a named tensor of integers.
    """

    slices: tuple[tuple[str, Ends], ...]
    picks: dict[str, np.int32]
    tensors: dict[str, NamedTensor]


def positions_of(x: NamedTensor, index: Mapping[str, Any], call: str) -> Positions:
    """Read ``{"seq": 0, "embed": slice(2), "vocab": ids}``; what is wrong is shown as said by ``call``."""
    slices, picks, tensors = [], {}, {}
    for dim, where in index.items():
        with showing(f"{call}({dim}=...)", x):
            axis_of(named(x).dims, check_name(dim))
            if isinstance(where, slice):
                slices.append((dim, ends_of(dim, where)))
            elif is_named(where):
                tensors[dim] = where
            elif isinstance(where, Tracer) and where.ndim == 0:
                tensors[dim] = NamedTensor(where, Dims())
            else:
                picks[dim] = _pick(x, dim, where)
    return Positions(tuple(slices), picks, tensors)


def ends_of(dim: str, where: slice) -> Ends:
    """Start, stop and step of a slice, which must be known."""
    try:
        start, stop, step = (
            end if end is None else whole(end, "the end") for end in (where.start, where.stop, where.step)
        )
    except BadPattern as error:
        raise Unsupported(
            f"{dim!r} cannot be sliced so: {error.problem}",
            f"Its size must be known. For a start that is not: {{{dim!r}: start + nt.arange('{dim}_2', 8)}}.",
        ) from None
    if step == 0:
        raise Unsupported(f"{dim!r} cannot be sliced in steps of 0.", "Leave the step out.")
    return start, stop, step


def _pick(x: NamedTensor, dim: str, where: Any) -> np.int32:
    """``where`` counted from the front, and refused outside the dim (JAX itself would clamp it)."""
    if type(where) is not int and not _is_whole(where):
        raise not_an_index(dim, type(where).__name__)
    i, size = int(where), x.shape[dim]
    if not -size <= i < size:
        last = f"positions 0 to {size - 1}" if size else "no position"
        raise OutsideDim(f"{dim}={i} is outside: {dim!r} has size {size}, {last}.")
    return np.int32(i % size)


def _is_whole(where: Any) -> bool:
    if isinstance(where, bool | str) or not (isinstance(where, int) or hasattr(where, "dtype")):
        return False
    return isinstance(where, int) or (where.ndim == 0 and jnp.issubdtype(where.dtype, jnp.integer))


def not_an_index(dim: str, what: str) -> Unsupported:
    """The error for an index that has no positions."""
    if what.endswith("bool"):
        advice = "A mask would give a size that depends on values: write nt.where(mask, x, 0)."
    else:
        advice = f"Name the axes of an array: nt.tensor(index, '{dim}_2')."
    return Unsupported(
        f"{dim!r} cannot be indexed by {what}: an index is an integer, a slice or a named integer tensor.",
        advice,
    )


def whole_indices(dims: Iterable[str], indices: Sequence[Any]) -> list[Any]:
    """The indices, which must be of integers, in an integer dtype that can count any dim."""
    for dim, index in zip(dims, indices, strict=True):
        dtype = jnp.result_type(index)
        if not jnp.issubdtype(dtype, jnp.integer):
            raise not_an_index(dim, f"values of {dtype}")
    # JAX adds the size of the dim to a negative position in the index's own dtype: int8 would overflow
    return [i if jnp.result_type(i).itemsize >= 4 else jnp.asarray(i, jnp.int32) for i in indices]


def require_other_dims(over: Iterable[str], ids: Iterable[Dims]) -> None:
    """No index has a dim that is indexed: whether it is matched or new could not be told."""
    for dim in over:
        if any(dim in index for index in ids):
            raise DuplicateDim(
                f"the index has the dim {dim!r} that it indexes.", f"Rename it: ids.rename({dim}='{dim}_2')."
            )


def region(there: Dims, over: Sequence[str], new: Sequence[str]) -> Dims:
    """The names of ``array[index]``, by NumPy's rule: ``new`` in the place of ``over``, or in front."""
    at = sorted(there.index(d) for d in over)
    together = at[-1] - at[0] + 1 == len(at)
    rest = without(there, over)
    first = at[0] if together else 0
    return Dims([*rest[:first], *new, *rest[first:]])


def _part_rule(
    names: tuple[Dims, ...], slices: tuple[tuple[str, Ends], ...], picked: Dims, known: tuple[int, ...]
) -> Body:
    there = names[0]
    ends = dict(slices)
    window = tuple(slice(*ends.get(d, (None,))) for d in there)
    axes = tuple(there.index(d) for d in picked)

    def part(array, *where):
        if known or not picked:
            at = dict(zip(axes, known, strict=True))
            return array[tuple(at.get(axis, w) for axis, w in enumerate(window))]
        array = array[window] if slices else array
        starts, sizes = [np.int32(0)] * len(there), list(array.shape)
        for axis, i in zip(axes, where, strict=True):
            starts[axis], sizes[axis] = i, 1
        return lax.squeeze(lax.dynamic_slice(array, starts, sizes), axes)

    return Body(part, without(there, picked))


def _gather_rule(names: tuple[Dims, ...], over: Dims) -> Body:
    there, *ids = names
    require_other_dims(require(there, over), ids)
    # Names that the tensor and an index have are matched pointwise: they move to the front, and
    # vmap walks over them. The others of the indices are new.
    everything = union(*ids)
    shared = [d for d in there if d in everything]
    new, rest = without(everything, shared), without(there, shared)
    moved = Dims([*shared, *rest])
    indices_dims = [lead(index, shared, new) for index in ids]
    axis = rest.index(over[0])

    def take(array, *indices):
        if not all(array.shape[rest.index(d)] for d in over):  # JAX refuses to look into nothing
            shape = [n or 1 if d in over else n for d, n in zip(rest, array.shape, strict=True)]
            array = jnp.zeros(shape, array.dtype)
            indices = [
                jnp.full_like(i, array.shape[rest.index(d)]) for d, i in zip(over, indices, strict=True)
            ]
        if len(over) == 1:
            return jnp.take(array, indices[0], axis=axis, mode="fill")
        at = dict(zip(over, indices, strict=True))
        return array.at[tuple(at.get(d, slice(None)) for d in rest)].get(mode="fill")

    def gather(array, *indices):
        indices = whole_indices(over, indices)
        aligned = [align(i, d, to) for i, d, to in zip(indices, ids, indices_dims, strict=True)]
        # by the names that an index has, not by those that it is padded to
        return mapped(take, [moved, *ids], shared)(align(array, there, moved), *aligned)

    return Body(gather, Dims([*shared, *region(rest, over, new)]))


_part = Operation("isel", _part_rule)
_gather = Operation("gather", _gather_rule, ("dim",))


def select(x: NamedTensor, index: Mapping[str, Any]) -> NamedTensor:
    """``x[index]``."""
    slices, picks, tensors = positions_of(x, index, "nt.isel")
    # positions first: then a tensor may bring back a name that a position has removed
    if slices or picks:
        # Under a trace they are constants, as in x[:, 3]; at once they are not, so that another
        # position compiles nothing.
        known = tuple(map(int, picks.values())) if isinstance(x.array, Tracer) else ()
        x = run(_part, (x,) if known else (x, *picks.values()), (slices, Dims(picks), known))
    if tensors:
        x = run(_gather, (x, *tensors.values()), (Dims(tensors),))
    return named(x)


@method
def isel(x: NamedTensor, /, **positions: Any) -> NamedTensor:
    """Select by position along named dims.

    An integer removes the dim, a slice keeps it, and a named integer tensor gathers: names of the
    index that ``x`` lacks are new, names that both have are matched pointwise. That one rule is
    take, take_along_axis and an embedding look-up. A position of a tensor index that is out of range
    gives NaN (the smallest integer for signed integers, the largest for unsigned ones, True for
    bool), never a neighbour; negative ones count from the end.

    Args:
      x: a tensor of any dtype.
      **positions: dim = position, a slice, or a named integer tensor.

    Raises:
      UnknownDim: a name that ``x`` lacks.
      OutsideDim: an integer outside the dim; it is an `IndexError` too.
      DuplicateDim: a tensor index has the dim that it indexes.
      Unsupported: a mask, whose result would have a size that depends on values: use `where`.

    Example:
      >>> import namedtensor as nt
      >>> table = nt.tensor([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]], "vocab embed")
      >>> table.isel(vocab=nt.tensor([2, 0], "seq")).array
      Array([[4., 5.],
             [0., 1.]], dtype=float32)
    """
    return select(x, positions)


def mapping(x: NamedTensor, index: Any, call: str) -> Mapping[str, Any]:
    """``index``, which must say of which dims its positions are."""
    if isinstance(index, Mapping):
        return index
    if is_named(index) and index.dtype == bool:
        raise Unsupported(
            f"{call}[mask]: the size of the result would depend on values.",
            "Write nt.where(mask, x, 0), or nt.where(mask, new, x).",
        ).within(f"{call}[mask]", (x, index))
    raise Unsupported(
        f"{call}[{index!r}]: axes have names here and no positions, there are '{x.dims}'.",
        f"Write {call}[{{{x.dims[0] if x.dims else 'name'!r}: {index!r}}}].",
    )


def _getitem(x: NamedTensor, index: Any) -> NamedTensor:
    """``x[{"vocab": ids, "seq": 0}]`` is ``x.isel(vocab=ids, seq=0)``, and ``x[...]`` is all of ``x``."""
    return x if index is ... else select(x, mapping(x, index, "x"))


attach("__getitem__", _getitem)


__all__ = ["isel"]
