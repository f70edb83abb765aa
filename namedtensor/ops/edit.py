"""Rule S, positions of one dim: insert, append and delete them, and repeat them."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from namedtensor._dims import Dims, axis_of, check_name, without
from namedtensor._errors import DimMismatch, Unsupported, describe, showing
from namedtensor._plan import Body, Operation, run
from namedtensor._tensor import NamedTensor, is_named
from namedtensor.ops._align import align
from namedtensor.ops._static import whole
from namedtensor.ops._table import method, public
from namedtensor.ops.index import OutsideDim, ends_of


def _insert_rule(names: tuple[Dims, ...], dim: str, position: int | None) -> Body:
    there, given = names
    axis = axis_of(there, dim)
    rest = without(there, [dim])
    if given and set(given) not in (set(there), set(rest)):
        raise DimMismatch(
            f"the values have '{given}', which is neither '{there}' nor '{rest}'.",
            f"Give a number, one position ('{rest}'), or several ('{there}').",
        )

    def insert(array, values):
        at = array.shape[axis] if position is None else _position(array.shape[axis], dim, position, 1)
        values = align(jnp.asarray(values), given, there)
        if not given:  # one position of a number
            one = tuple(1 if i == axis else n for i, n in enumerate(array.shape))
            values = jnp.broadcast_to(values, one)
        before, after = (lax.slice_in_dim(array, *ends, axis=axis) for ends in ((0, at), (at, None)))
        return jnp.concatenate([before, values, after] if at < array.shape[axis] else [array, values], axis)

    return Body(insert, there, [dim])


def _position(size: int, dim: str, position: int, beyond: int = 0) -> int:
    """``position`` from the front, among ``size`` positions and so many beyond them."""
    if not -size <= position < size + beyond:
        raise OutsideDim(f"{dim}={position} is outside: {dim!r} has size {size}.")
    return position + size if position < 0 else position


def _delete_rule(names: tuple[Dims, ...], dim: str, positions: tuple) -> Body:
    (there,) = names
    axis = axis_of(there, dim)
    kind, what = positions

    def delete(array):
        size = array.shape[axis]
        at = slice(*what) if kind == "slice" else np.array([_position(size, dim, i) for i in what], int)
        return jnp.delete(array, at, axis)

    return Body(delete, there)


def _parse_delete(dim: str, positions: Any) -> tuple:
    if isinstance(positions, slice):
        return check_name(dim), ("slice", ends_of(dim, positions))
    several = positions if isinstance(positions, list | tuple) else [positions]
    return check_name(dim), ("positions", tuple(whole(i, "a position") for i in several))


def _repeat_rule(names: tuple[Dims, ...], dim: str, times: int | None, total: int | None) -> Body:
    there = names[0]
    axis = axis_of(there, dim)
    if times is not None:
        return Body(lambda array: jnp.repeat(array, times, axis), there)
    if names[1] != (dim,) or total is None:
        raise Unsupported(
            f"times has the dims '{names[1]}' and total={total}: the size of the result is not known.",
            f"Give a number, or a tensor of whole numbers along {dim!r} and their sum: total=8.",
        )

    def repeat(array, counts):
        if not jnp.issubdtype(counts.dtype, jnp.integer):
            raise Unsupported(f"times are {counts.dtype}.", "They must be whole numbers.")
        return jnp.repeat(array, counts, axis, total_repeat_length=total)

    return Body(repeat, there)


def _tile_rule(names: tuple[Dims, ...], dim: str, times: int) -> Body:
    (there,) = names
    reps = [1] * len(there)
    reps[axis_of(there, dim)] = times
    return Body(lambda array: jnp.tile(array, reps), there)


_insert = Operation("insert", _insert_rule, ("dim", "position"))
_append = Operation("append", _insert_rule, ("dim",))
_delete = Operation("delete", _delete_rule, ("dim", "positions"), _parse_delete)
_repeat = Operation("repeat", _repeat_rule, ("dim", "times", "total"))
_tile = Operation(
    "tile",
    _tile_rule,
    ("dim", "times"),
    lambda dim, times: (check_name(dim), whole(times, "times", least=0)),
)


@method
def insert(x: NamedTensor, dim: str, position: int, values: Any) -> NamedTensor:
    """``x`` with ``values`` inserted before ``position`` of ``dim``.

    Args:
      x: a tensor with the dim ``dim``.
      dim: the dim that grows.
      position: a number that is known; negative ones count from the end.
      values: a number, a tensor without ``dim`` (one position), or one with it (several).

    Raises:
      DimMismatch: ``values`` has other names.
      OutsideDim: a position outside the dim; it is an `IndexError` too.

    Example:
      >>> import namedtensor as nt
      >>> nt.tensor([1, 2], "seq").insert("seq", 1, 9).array
      Array([1, 9, 2], dtype=int32)
    """
    with showing(f"nt.insert({dim!r}, {position!r})", x, values):
        static = (check_name(dim), whole(position, "position"))
    return run(_insert, (x, values), static)


@method
def append(x: NamedTensor, dim: str, values: Any) -> NamedTensor:
    """``x`` with ``values`` after the last position of ``dim``; see `insert` for what they may be.

    Raises:
      DimMismatch: ``values`` has other names.

    Example:
      >>> import namedtensor as nt
      >>> nt.tensor([1, 2], "seq").append("seq", 9).array
      Array([1, 2, 9], dtype=int32)
    """
    with showing(f"nt.append({dim!r})", x, values):
        static = (check_name(dim), None)
    return run(_append, (x, values), static)


@method
def delete(x: NamedTensor, dim: str, positions: int | Sequence[int] | slice) -> NamedTensor:
    """``x`` without some positions of ``dim``, which must be known before tracing.

    Raises:
      UnknownDim: ``x`` lacks ``dim``.
      OutsideDim: a position outside the dim; it is an `IndexError` too.

    Example:
      >>> import namedtensor as nt
      >>> nt.arange("seq", 4).delete("seq", [0, 2]).array
      Array([1, 3], dtype=int32)
    """
    return run(_delete, (x,), (dim, positions))


@method
def repeat(x: NamedTensor, dim: str, times: int | NamedTensor, *, total: int | None = None) -> NamedTensor:
    """Each position of ``dim`` several times in a row.

    Args:
      x: a tensor with the dim ``dim``.
      dim: the dim that grows.
      times: a number, or whole numbers ``[dim]``, one for each position.
      total: the sum of ``times`` when it is a tensor, which JAX must know before it compiles; a
        shorter one cuts, a longer one repeats the last position.

    Raises:
      UnknownDim: ``x`` lacks ``dim``.
      Unsupported: ``times`` is a tensor of other dims, or there is no ``total``.

    Example:
      >>> import namedtensor as nt
      >>> nt.arange("seq", 2).repeat("seq", 2).array
      Array([0, 0, 1, 1], dtype=int32)
      >>> nt.arange("seq", 2).repeat("seq", nt.tensor([1, 3], "seq"), total=4).array
      Array([0, 1, 1, 1], dtype=int32)
    """
    with showing(f"nt.repeat({dim!r}, {describe(times)})", x):
        check_name(dim)
        known = None if total is None else whole(total, "total", least=0)
        number = None if is_named(times) else whole(times, "times", least=0)
    operands = (x, times) if number is None else (x,)
    return run(_repeat, operands, (dim, number, known))


@method
def tile(x: NamedTensor, dim: str, times: int) -> NamedTensor:
    """All positions of ``dim`` over and over again.

    Raises:
      UnknownDim: ``x`` lacks ``dim``.

    Example:
      >>> import namedtensor as nt
      >>> nt.arange("seq", 2).tile("seq", 2).array
      Array([0, 1, 0, 1], dtype=int32)
    """
    return run(_tile, (x,), (dim, times))


__all__ = public(globals())
