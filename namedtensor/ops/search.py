"""Rule I, look-ups: where values belong in a sorted dim, and whether they are in a set."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from namedtensor._dims import Dims, Spec, axis_of, check_name, dims, require, without
from namedtensor._errors import BadPattern, DuplicateDim
from namedtensor._plan import Body, Operation, run
from namedtensor._tensor import NamedTensor
from namedtensor.ops._align import align
from namedtensor.ops._batch import lead, mapped
from namedtensor.ops._table import method, public


def _search_rule(
    names: tuple[Dims, ...], over: str, where: Callable[..., Any]
) -> tuple[Callable[..., Any], Dims]:
    """``where(edges, values)`` of one vector and any values, mapped over all other names."""
    edges, values = names
    axis_of(edges, over)
    if over in values:
        raise DuplicateDim(
            f"the values have the dim {over!r} that is searched.",
            f"Rename it: values.rename({over}='{over}_2').",
        )
    batch = without(edges, [over])
    rest = without(values, batch)

    def search(sorted_array, array):
        sorted_array = align(jnp.asarray(sorted_array), edges, Dims([*batch, over]))
        array = align(jnp.asarray(array), values, lead(values, batch, rest))
        return mapped(where, names, batch)(sorted_array, array)

    return search, Dims([*batch, *rest])


def _searchsorted_rule(names: tuple[Dims, ...], over: str, side: str) -> Body:
    return Body(*_search_rule(names, over, lambda edges, x: jnp.searchsorted(edges, x, side=side)))


def _digitize_rule(names: tuple[Dims, ...], over: str, right: bool) -> Body:
    x, bins = names
    search, there = _search_rule((bins, x), over, lambda edges, x: jnp.digitize(x, edges, right))
    return Body(lambda array, edges: search(edges, array), there)


def _isin_rule(names: tuple[Dims, ...], over: Dims | None) -> Body:
    there, elements = names
    gone = without(elements, there) if over is None else require(elements, over)
    if elements and not gone:
        raise BadPattern(
            f"x has all of '{elements}', which leaves no dim for the set.",
            f"Name it, over={elements[0]!r}, or rename it: .rename({elements[0]}='{elements[0]}_2').",
        )
    batch = without(elements, gone)
    rest = without(there, batch)

    def isin(array, members):
        array = align(jnp.asarray(array), there, lead(there, batch, rest))
        members = align(jnp.asarray(members), elements, Dims([*batch, *gone]))
        return mapped(jnp.isin, names, batch)(array, members)

    return Body(isin, Dims([*batch, *rest]), free=gone)  # what is in the set is no dim of the result


def _parse_searchsorted(over: str, side: str) -> tuple:
    if side not in ("left", "right"):
        raise BadPattern(f"side={side!r} is not known.", "Write 'left' or 'right'.")
    return check_name(over), side


_searchsorted = Operation("searchsorted", _searchsorted_rule, ("over", "side"), _parse_searchsorted)
_digitize = Operation(
    "digitize", _digitize_rule, ("over",), lambda over, right: (check_name(over), bool(right))
)
_isin = Operation(
    "isin", _isin_rule, ("over",), lambda over: (over if over is None else dims(over),)
)  # None: all that x lacks


@method
def searchsorted(sorted_x: NamedTensor, values: Any, over: str, *, side: str = "left") -> NamedTensor:
    """Where ``values`` would be inserted into the ascending dim ``over``.

    Args:
      sorted_x: a tensor that ascends along ``over``; its other names are batch dims.
      values: a number or a tensor without ``over``; names that both have are matched pointwise.
      over: the dim that is searched.
      side: ``"left"`` is before equal values, ``"right"`` after them.

    Returns:
      Positions from 0 to the size of ``over``; the names of both without ``over``.

    Raises:
      UnknownDim: ``sorted_x`` lacks ``over``.
      DuplicateDim: ``values`` has ``over``.

    Example:
      >>> import namedtensor as nt
      >>> edges, x = nt.tensor([0.0, 1.0, 2.0], "edge"), nt.tensor([1.5, -1.0], "batch")
      >>> edges.searchsorted(x, "edge").array
      Array([2, 0], dtype=int32)
    """
    return run(_searchsorted, (sorted_x, values), (over, side))


@method
def digitize(x: Any, bins: NamedTensor, over: str, *, right: bool = False) -> NamedTensor:
    """The number of the bin that each value falls into.

    Args:
      x: a number or a tensor without ``over``; names that both have are matched pointwise.
      bins: the edges, ascending or descending along ``over``; its other names are batch dims.
      over: the dim of the edges.
      right: whether a bin has its right edge and not its left one.

    Returns:
      0 before the first edge, up to the number of edges after the last; names of both without ``over``.

    Raises:
      UnknownDim: ``bins`` lacks ``over``.
      DuplicateDim: ``x`` has ``over``.

    Example:
      >>> import namedtensor as nt
      >>> x, bins = nt.tensor([0.5, 9.0], "batch"), nt.tensor([0.0, 1.0], "edge")
      >>> nt.digitize(x, bins, "edge").array
      Array([1, 2], dtype=int32)
    """
    return run(_digitize, (x, bins), (over, right))


@method
def isin(x: Any, elements: NamedTensor, over: Spec | None = None) -> NamedTensor:
    """Whether each value of ``x`` is among ``elements``.

    Args:
      x: a number or a tensor.
      elements: the set, along the dims ``over``.
      over: the dims of the set, by default those that ``x`` lacks. Names that stay are batch dims,
        matched with those of ``x``.

    Returns:
      Booleans with the names of ``x`` and the batch dims.

    Raises:
      UnknownDim: ``elements`` lacks a dim of ``over``.
      BadPattern: ``x`` has all dims of ``elements``, and there is no ``over``.

    Example:
      >>> import namedtensor as nt
      >>> ids, stops = nt.tensor([0, 5, 2], "seq"), nt.tensor([2, 0], "stop")
      >>> ids.isin(stops).array
      Array([ True, False,  True], dtype=bool)
    """
    return run(_isin, (x, elements), (over,))


__all__ = public(globals())
