"""Rule I, the other way: ``x.at[{...}]`` writes at positions, which it reads as ``x[{...}]`` does."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

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


class _Write(Operation):
    """An operation that shows itself as ``x.at[{'seq': ...}].add``."""

    __slots__ = ()

    def call(self, static: tuple) -> str:
        slices, over, *_ = static
        shown = ", ".join(f"{d!r}: ..." for d in [*dict(slices), *over])
        return f"x.at[{{{shown}}}].{self.name}"


def _write(method: str) -> Operation:
    def rule(
        names: tuple[Dims, ...], slices: tuple[tuple[str, Ends], ...], over: Dims, picked: Dims, unique: bool
    ) -> Body:
        there, given, *ids = names
        ends = dict(slices)
        require_other_dims(without(require(there, over), picked), ids)
        everything = union(Dims(), *ids)
        shared = [d for d in without(there, over) if d in everything]
        _require_whole(shared, ends)
        new, rest = without(everything, shared), without(there, shared)
        part = region(rest, over, new) if over else rest
        _require_room(given, Dims([*shared, *part]))
        moved, to = Dims([*shared, *rest]), lead(given, shared, part)

        def put(array, values, *indices):
            at = dict(zip(over, indices, strict=True))
            where = tuple(at.get(d, slice(*ends.get(d, (None,)))) for d in rest)
            return getattr(array.at[where], method)(values, unique_indices=unique)

        def write(array, values, *indices):
            indices = whole_indices(over, indices)
            _check_dtype(method, array, values)
            sizes = _selected_sizes(there, array.shape, ends, ids, indices)
            selected = Dims([*shared, *part])
            room = jax.ShapeDtypeStruct([sizes[d] for d in selected], array.dtype)
            check_sizes([room, values], [selected, given])
            if not all(array.shape[there.index(d)] for d in over):
                return array  # there is no position to write to, and JAX refuses to try
            aligned = [align(i, d, lead(d, shared, new)) for i, d in zip(indices, ids, strict=True)]
            values = align(values, given, to)
            out = mapped(put, [moved, given, *ids], shared)(align(array, there, moved), values, *aligned)
            return align(out, moved, there)

        return Body(write, there, free=[*ends, *picked])

    return _Write(method, rule)


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
    there: Dims, shape: tuple[int, ...], ends: Mapping[str, Ends], ids: list[Dims], indices: tuple
) -> dict[str, int]:
    """The size of each name of what is selected."""
    check_sizes(indices, ids)
    sizes = dict(zip(there, shape, strict=True))
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
        operands = (self.x, values, *picks.values(), *tensors.values())
        once = unique or all(not index.dims for index in tensors.values())
        return run(_WRITES[method], operands, (slices, Dims([*picks, *tensors]), Dims(picks), once))

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
