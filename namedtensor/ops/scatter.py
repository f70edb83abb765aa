"""Rule I, the other way: ``x.at[{...}]`` writes at positions, which it reads as ``x[{...}]`` does."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.core import Tracer

from namedtensor._dims import Dims, check_sizes, require, union, without
from namedtensor._errors import DimMismatch, Unsupported, describe
from namedtensor._plan import Body, Operation, run
from namedtensor._tensor import NamedTensor
from namedtensor.ops._align import align
from namedtensor.ops._batch import lead, mapped
from namedtensor.ops._table import attach
from namedtensor.ops.index import (
    Ends,
    mapping,
    positions_of,
    region,
    require_other_dims,
    select,
    whole_indices,
)


class _Where(NamedTuple):
    """The positions of a write, as a key.

    Attributes:
      slices: dims that are sliced, and how.
      known: dims at one position that is part of the key.
      picked: dims at one position that is an operand.
      over: dims at the positions of a tensor, whose names are matched or new.
    """

    slices: tuple[tuple[str, Ends], ...]
    known: tuple[tuple[str, int], ...]
    picked: Dims
    over: Dims

    def dims(self) -> Dims:
        """All dims at single positions, those of operands last."""
        return Dims([*dict(self.known), *self.picked, *self.over])


class _Layout(NamedTuple):
    """How the names of a tensor, of its indices and of what they select stand to each other.

    Attributes:
      shared: names of the tensor that an index has too: they lead, and are mapped over.
      new: the other names of the indices.
      rest: the other names of the tensor.
      selected: the names of what is selected, ``shared`` first.
    """

    shared: list[str]
    new: Dims
    rest: Dims
    selected: Dims


def _layout(there: Dims, ids: list[Dims], where: _Where) -> _Layout:
    indexed = require(there, where.dims())
    require_other_dims(where.over, ids)
    everything = union(Dims(), *ids)
    shared = [d for d in without(there, indexed) if d in everything]
    new, rest = without(everything, shared), without(there, shared)
    part = region(rest, indexed, new) if indexed else rest
    return _Layout(shared, new, rest, Dims([*shared, *part]))


class _Write(Operation):
    """An operation that shows itself as ``x.at[{'seq': ...}].add``."""

    __slots__ = ()

    def call(self, static: tuple) -> str:
        where = static[0]
        shown = ", ".join(f"{d!r}: ..." for d in [*dict(where.slices), *where.dims()])
        return f"x.at[{{{shown}}}].{self.name}"


def _write(method: str) -> Operation:
    def rule(names: tuple[Dims, ...], where: _Where, unique: bool) -> Body:
        there, given, *ids = names
        ends = dict(where.slices)
        require(there, list(ends))
        layout = _layout(there, ids, where)
        _require_whole(layout.shared, ends)
        _require_room(given, layout.selected)
        moved = Dims([*layout.shared, *layout.rest])
        names_in_order = [moved, lead(given, layout.shared, without(layout.selected, layout.shared))]
        names_in_order += [lead(d, layout.shared, layout.new) for d in ids]

        def put(array, values, *indices):
            at = dict(where.known) | dict(zip([*where.picked, *where.over], indices, strict=True))
            index = tuple(at.get(d, slice(*ends.get(d, (None,)))) for d in layout.rest)
            return getattr(array.at[index], method)(values, unique_indices=unique)

        def write(array, values, *indices):
            indices = whole_indices([*where.picked, *where.over], indices)
            _check_dtype(method, array, values)
            sizes = _selected_sizes(dict(zip(there, array.shape, strict=True)), ends, ids, indices)
            room = jax.ShapeDtypeStruct([sizes[d] for d in layout.selected], array.dtype)
            check_sizes([room, values], [layout.selected, given])
            if not all(array.shape[there.index(d)] for d in where.dims()):
                return array  # there is no position to write to, and JAX refuses to try
            operands = zip([array, values, *indices], names, names_in_order, strict=True)
            out = mapped(put, names, layout.shared)(*[align(*operand) for operand in operands])
            return align(out, moved, there)

        return Body(write, there, free=[*ends, *where.dims()])

    return _Write(method, rule, ("where",))


def _require_whole(shared: list[str], ends: Mapping[str, Ends]) -> None:
    for dim in shared:
        if dim in ends:
            raise Unsupported(
                f"{dim!r} is sliced, and is a dim of an index too.",
                f"Write at all positions of {dim!r}, or name the slice's positions: nt.arange('{dim}_2', 8).",
            )


def _require_room(given: Dims, selected: Dims) -> None:
    extra = without(given, selected)
    if extra:
        raise DimMismatch(
            f"the values have '{extra}', and what is selected has '{selected}'.",
            f"Reduce the values first: values.sum({str(extra)!r}).",
        )


def _check_dtype(method: str, array: Any, values: Any) -> None:
    """A write keeps the dtype of the tensor: what would be rounded to it is refused."""
    dtype, kind = array.dtype, jnp.result_type(array, values)
    if kind != dtype:
        raise Unsupported(
            f"the values are {describe(values)}, which do not fit into {dtype}.",
            f"Convert the tensor, x.astype({str(kind)!r}), or the values.",
        )
    fractional = method == "divide" and not jnp.issubdtype(dtype, jnp.inexact)
    if fractional or (dtype == jnp.bool_ and method not in ("set", "min", "max")):
        raise Unsupported(f"{method} is not defined for {dtype}.", "Convert first: x.astype(float).")


def _selected_sizes(
    sizes: dict[str, int], ends: Mapping[str, Ends], ids: list[Dims], indices: list[Any]
) -> dict[str, int]:
    """The size of each name of what is selected."""
    check_sizes(indices, ids)
    for dim, where in ends.items():
        sizes[dim] = len(range(*slice(*where).indices(sizes[dim])))
    for index, names in zip(indices, ids, strict=True):
        sizes.update(zip(names, jnp.shape(index), strict=True))
    return sizes


_WRITES = {
    method: _write(method)
    for method in ("set", "add", "subtract", "multiply", "divide", "power", "min", "max")
}


class Place:
    """``x.at[{...}]``: positions of a tensor, to read or to write.

    Each method returns a new tensor with the names, the order of storage and the dtype of ``x``.
    The values are a number, or a tensor whose names are among those of ``x[{...}]``: they are lined
    up by name, and repeated along names that they lack. Positions of a tensor index that are out of
    range are dropped, as in JAX; negative ones count from the end.

    ``unique=True`` promises that no position is written twice, which makes it faster; multiply,
    divide and power at a tensor index need it for their derivative.
    """

    __slots__ = ("index", "x")

    def __init__(self, x: NamedTensor, index: Mapping[str, Any]):
        """Keep both until it is known what to do."""
        self.x, self.index = x, index

    def _write(self, method: str, values: Any, unique: bool) -> NamedTensor:
        slices, picks, tensors = positions_of(self.x, self.index, f"x.at.{method}")
        once = unique or all(not index.dims for index in tensors.values())
        known = ()
        if isinstance(self.x.array, Tracer):  # then they are constants, as in x.at[:, 3]
            known, picks = tuple((dim, int(i)) for dim, i in picks.items()), {}
        where = _Where(slices, known, Dims(picks), Dims(tensors))
        return run(_WRITES[method], (self.x, values, *picks.values(), *tensors.values()), (where, once))

    def get(self) -> NamedTensor:
        """``x[{...}]``."""
        return select(self.x, self.index)

    def set(self, values: Any, *, unique: bool = False) -> NamedTensor:
        """``values`` there; which of several for one position is not defined."""
        return self._write("set", values, unique)

    def add(self, values: Any, *, unique: bool = False) -> NamedTensor:
        """``x + values`` there; several for one position add up."""
        return self._write("add", values, unique)

    def subtract(self, values: Any, *, unique: bool = False) -> NamedTensor:
        """``x - values`` there; several for one position add up."""
        return self._write("subtract", values, unique)

    def multiply(self, values: Any, *, unique: bool = False) -> NamedTensor:
        """``x * values`` there; several for one position multiply."""
        return self._write("multiply", values, unique)

    def divide(self, values: Any, *, unique: bool = False) -> NamedTensor:
        """``x / values`` there; several for one position multiply."""
        return self._write("divide", values, unique)

    def power(self, values: Any, *, unique: bool = False) -> NamedTensor:
        """``x ** values`` there; several for one position multiply."""
        return self._write("power", values, unique)

    def min(self, values: Any, *, unique: bool = False) -> NamedTensor:
        """The smaller of ``x`` and ``values`` there."""
        return self._write("min", values, unique)

    def max(self, values: Any, *, unique: bool = False) -> NamedTensor:
        """The larger of ``x`` and ``values`` there."""
        return self._write("max", values, unique)

    def apply(self, function: Callable[[NamedTensor], Any], *, unique: bool = False) -> NamedTensor:
        """``function(x[{...}])`` there; for a position that is listed twice it is applied once."""
        return self.set(function(self.get()), unique=unique)


class At:
    """What ``x.at`` is, before its positions are known."""

    __slots__ = ("x",)

    def __init__(self, x: NamedTensor):
        """Keep the tensor."""
        self.x = x

    def __getitem__(self, index: Any) -> Place:
        return Place(self.x, mapping(self.x, index, "x.at"))


def _at(x: NamedTensor) -> At:
    """Write at positions: ``x.at[{"seq": 3}].set(0.0)``, and ``add``, ``multiply`` ... as in JAX.

    The positions are those of ``x[{...}]``: integers, slices and named integer tensors.

    Example:
      >>> import namedtensor as nt
      >>> ids = nt.tensor([0, 2, 0], "token")
      >>> nt.zeros("vocab:3").at[{"vocab": ids}].add(1).array
      Array([2., 0., 1.], dtype=float32)
    """
    return At(x)


attach("at", property(_at))


__all__: list[str] = []
