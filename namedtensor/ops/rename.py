"""Rule S, names alone: rename them, ask for them, and set the order in which their axes are stored."""

from collections.abc import Mapping
from typing import Any

import jax

from namedtensor._dims import Dims, Spec, check_name, dims, pattern, require
from namedtensor._errors import BadPattern, DimMismatch, NamedShapeError, RankMismatch, showing
from namedtensor._plan import Body, Operation, relabel, run
from namedtensor._tensor import NamedTensor
from namedtensor.ops._align import align
from namedtensor.ops._table import method, public


def _parts(spec: Any) -> tuple[str, ...]:
    """The names and dots of a pattern."""
    if not isinstance(spec, str | list | tuple):
        raise BadPattern(f"{spec!r} is no list of names in order.", "Write 'batch ... embed'.")
    parts = spec.split() if isinstance(spec, str) else spec
    return tuple(part if part == "..." else check_name(part) for part in parts)


def _order_rule(names: tuple[Dims, ...], spec: tuple[str, ...]) -> Body:
    target = pattern(spec, names[0])
    return Body(lambda array: align(array, names[0], target), target)


def _rename_rule(names: tuple[Dims, ...], old: Dims, new: tuple[str, ...]) -> Body:
    (there,) = names
    mapping: dict[str, str] = dict(zip(require(there, old), new, strict=True))
    return Body(None, dims([mapping.get(d, d) for d in there]))


def _reposition_rule(names: tuple[Dims, ...], spec: tuple[str, ...]) -> Body:
    (there,) = names
    dots = spec.count("...")
    if dots > 1:
        raise BadPattern(
            f"'...' stands twice in {' '.join(spec)!r}.", "Once is enough: it takes all names not listed."
        )
    if (len(spec) - dots > len(there)) or (not dots and len(spec) != len(there)):
        raise RankMismatch(
            f"{' '.join(spec)!r} names {len(spec) - dots} axes, there are {len(there)}: '{there}'.",
            "Use '...' once for the axes that keep their names, or rename by name: x.rename(old='new').",
        )
    if not dots:
        return Body(None, dims(spec))
    at = spec.index("...")
    kept = there[at : len(there) - (len(spec) - at - 1)]
    return Body(None, dims([*spec[:at], *kept, *spec[at + 1 :]]))


def _expect_rule(names: tuple[Dims, ...], spec: tuple[str, ...]) -> Body:
    try:
        pattern(spec, names[0])
    except NamedShapeError as error:
        raise DimMismatch(f"expected '{' '.join(spec)}', there is '{names[0]}'.", error.advice) from None
    return Body(None, names[0])


_order = Operation("order", _order_rule, ("pattern",), lambda spec: (_parts(spec),))
_rename = Operation("rename", _rename_rule, ("old", "new"))
_reposition = Operation("rename", _reposition_rule, ("pattern",))
_expect = Operation("expect", _expect_rule, ("pattern",))


@method
def order(x: NamedTensor, spec: Spec) -> NamedTensor:
    """Set the order in which the axes are stored; it never changes a result.

    It is what transpose, swapaxes and moveaxis are for positional arrays.

    Args:
      x: a tensor.
      spec: all names, or some and ``...`` for the others: ``"batch ... embed"``.

    Raises:
      MissingDim: names left out and no ``...``.
      UnknownDim: a name that ``x`` lacks.

    Example:
      >>> import namedtensor as nt
      >>> nt.ones("batch:2 seq:3 embed:4").order("embed ...").shape
      Shape(embed:4 batch:2 seq:3)
    """
    return run(_order, (x,), (spec,))


@method
def to_array(x: NamedTensor, spec: Spec) -> jax.Array:
    """The array with its axes in the given order: the explicit way out to positional code.

    Raises:
      MissingDim: names left out and no ``...``.
      UnknownDim: a name that ``x`` lacks.

    Example:
      >>> import namedtensor as nt
      >>> nt.ones("batch:2 embed:4").to_array("embed batch").shape
      (4, 2)
    """
    return order(x, spec).array


@method
def expect(x: NamedTensor, spec: Spec) -> NamedTensor:
    """``x`` itself, once its names are found to be ``spec`` (in any order; ``...`` for any others).

    Raises:
      DimMismatch: the names differ.

    Example:
      >>> import namedtensor as nt
      >>> nt.ones("batch:2 embed:4").expect("embed ...").dims
      ('batch', 'embed')
    """
    with showing("nt.expect", x):
        parts = _parts(spec)
    return relabel(_expect, x, (parts,))


@method
def rename(x: NamedTensor, spec: Spec | Mapping[str, str] | None = None, /, **names: str) -> NamedTensor:
    """Rename dims by name, ``x.rename(seq="kseq")``, or all by position, ``x.rename("batch ... width")``.

    A mapping ``{"seq": "seq'"}`` renames by name too.

    Raises:
      UnknownDim: an old name that ``x`` lacks.
      DuplicateDim: two dims would have one name.
      RankMismatch: by position, not as many names as axes.

    Example:
      >>> import namedtensor as nt
      >>> nt.ones("batch:2 seq:3").rename(seq="key").shape
      Shape(batch:2 key:3)
    """
    with showing("nt.rename", x):
        if spec is not None and names:
            raise BadPattern("names are given by position and by keyword.", "Write one of the two.")
        by_name = spec if isinstance(spec, Mapping) else names
        old, new = dims(list(by_name)), tuple(map(check_name, by_name.values()))
        position = None if spec is None or isinstance(spec, Mapping) else _parts(spec)
    if position is not None:
        return relabel(_reposition, x, (position,))
    return relabel(_rename, x, (old, new))


__all__ = public(globals())
