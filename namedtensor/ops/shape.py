"""Rule S: the names themselves change: split, merge, rename, order, concatenate, stack."""

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from namedtensor._dims import Dims, Spec, axis_of, dims, pattern, require, require_new, without
from namedtensor._errors import (
    BadPattern,
    DimMismatch,
    NamedShapeError,
    RankMismatch,
    SizeMismatch,
    Unsupported,
    showing,
)
from namedtensor._plan import Body, Operation, relabel, run
from namedtensor._tensor import NamedTensor, named, operand
from namedtensor.ops._align import align
from namedtensor.ops._table import method, public
from namedtensor.ops.elementwise import equal_to


def _order_rule(names: tuple[Dims, ...], spec: Dims) -> Body:
    target = pattern(spec, names[0])
    return Body(lambda array: align(array, names[0], target), target)


def _split_rule(names: tuple[Dims, ...], dim: str, into: Dims, given: tuple[tuple[str, int], ...]) -> Body:
    (there,) = names
    require(into, [d for d, _ in given])
    sizes = tuple(dict(given).get(d) for d in into)
    at = axis_of(there, dim)
    rest = without(there, [dim])
    for new in into:
        require_new(rest, new)
    if sizes.count(None) > 1:
        unsized = [d for d, n in zip(into, sizes, strict=True) if n is None]
        raise BadPattern(f"the sizes of {unsized} are not known.", f"Give all but one: {unsized[0]}=8.")

    def split(array):
        shape = array.shape[:at] + _fill(dim, array.shape[at], into, sizes) + array.shape[at + 1 :]
        return array.reshape(shape)

    return Body(split, Dims([*there[:at], *into, *there[at + 1 :]]))


def _fill(dim: str, size: int, into: Dims, sizes: tuple[int | None, ...]) -> tuple[int, ...]:
    """The sizes with the one that is open worked out."""
    known = math.prod(n for n in sizes if n is not None)
    fits = (known and size % known == 0) if None in sizes else size == known
    if not fits or any(n is not None and n < 0 for n in sizes):
        shown = " ".join(f"{d}:{'?' if n is None else n}" for d, n in zip(into, sizes, strict=True))
        raise SizeMismatch(f"{dim!r} is {size}, which is not '{shown}'.", "Choose sizes whose product it is.")
    return tuple(size // known if n is None else n for n in sizes)


def _merge_rule(names: tuple[Dims, ...], parts: Dims, into: str) -> Body:
    (there,) = names
    require(there, parts)
    require_new(without(there, parts), into)
    if not parts:
        raise BadPattern("there is nothing to merge.", "List the dims: x.merge('height width', 'pixel').")
    first = without(there, parts[1:]).index(parts[0])
    rest = without(there, parts)
    order = Dims([*rest[:first], *parts, *rest[first:]])

    def merge(array):
        moved = align(array, there, order)
        before, merged = moved.shape[:first], moved.shape[first : first + len(parts)]
        return moved.reshape(*before, math.prod(merged), *moved.shape[first + len(parts) :])

    return Body(merge, Dims([*rest[:first], into, *rest[first:]]))


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


_order = Operation("order", _order_rule, ("pattern",))
_split = Operation("split", _split_rule, ("dim", "into"), lambda dim, into, sizes: (dim, dims(into), sizes))
_merge = Operation("merge", _merge_rule, ("dims", "into"), lambda parts, into: (dims(parts), into))
_rename = Operation("rename", _rename_rule, ("old", "new"))
_reposition = Operation("rename", _reposition_rule, ("pattern",))
_expect = Operation("expect", _expect_rule, ("pattern",))


def _parts(spec: Spec) -> tuple[str, ...]:
    return tuple(spec.split()) if isinstance(spec, str) else tuple(spec)


@method
def order(x: NamedTensor, spec: Spec) -> NamedTensor:
    """Set the order in which the axes are stored; it never changes a result.

    Args:
      x: a tensor.
      spec: all names, or some and ``...`` for the others: ``"batch ... embed"``.

    Raises:
      BadPattern: names left out and no ``...``.
      UnknownDim: a name that ``x`` lacks.
    """
    return run(_order, (x,), (_parts(spec),))


@method
def to_array(x: NamedTensor, spec: Spec) -> jax.Array:
    """The array with its axes in the given order: the explicit way out to positional code.

    Raises:
      BadPattern: names left out and no ``...``.
      UnknownDim: a name that ``x`` lacks.
    """
    return order(x, spec).array


@method
def expect(x: NamedTensor, spec: Spec) -> NamedTensor:
    """``x`` itself, once its names are found to be ``spec`` (in any order; ``...`` for any others).

    Raises:
      DimMismatch: the names differ.
    """
    return relabel(_expect, x, (_parts(spec),))


@method
def split(x: NamedTensor, dim: str, into: Spec, **sizes: int) -> NamedTensor:
    """Split one dim into several, the first of them the slowest.

    Args:
      x: a tensor with the dim ``dim``.
      dim: the dim to split.
      into: the names of the parts.
      **sizes: the size of each part; one may be left out.

    Raises:
      SizeMismatch: the sizes do not multiply to the size of ``dim``.
      DuplicateDim: a new name that ``x`` has already.

    Example:
      >>> import namedtensor as nt
      >>> nt.ones("seq:4 embed:6").split("embed", "head key", head=2).shape
      Shape(seq:4 head:2 key:3)
    """
    return run(_split, (x,), (dim, into, tuple(sizes.items())))


@method
def merge(x: NamedTensor, parts: Spec, into: str) -> NamedTensor:
    """Merge dims, in the order listed, into one: the inverse of `split`.

    Raises:
      UnknownDim: a dim that ``x`` lacks.
      DuplicateDim: ``into`` is a name that ``x`` keeps.

    Example:
      >>> import namedtensor as nt
      >>> nt.ones("height:8 batch:2 width:8").merge("height width", "pixel").shape
      Shape(pixel:64 batch:2)
    """
    return run(_merge, (x,), (parts, into))


@method
def rename(x: NamedTensor, spec: Spec | None = None, /, **names: str) -> NamedTensor:
    """Rename dims by name, ``x.rename(seq="kseq")``, or all by position, ``x.rename("batch ... width")``.

    Raises:
      UnknownDim: an old name that ``x`` lacks.
      DuplicateDim: two dims would have one name.
      RankMismatch: by position, not as many names as axes.
    """
    if spec is not None and names:
        raise BadPattern("names are given by position and by keyword.", "Write one of the two.")
    if spec is not None:
        return relabel(_reposition, x, (_parts(spec),))
    return relabel(_rename, x, (Dims(names), tuple(names.values())))


def _same_names(names: tuple[Dims, ...]) -> Dims:
    """The names that all operands have."""
    if not names:
        raise BadPattern("there is no tensor to join.", "Give a list of at least one.")
    for other in names[1:]:
        if set(other) != set(names[0]):
            raise DimMismatch(
                f"'{names[0]}' and '{other}' are not the same names.", "Rename or reduce the others first."
            )
    return names[0]


def _concat_rule(names: tuple[Dims, ...], dim: str) -> Body:
    first = _same_names(names)
    axis = axis_of(first, dim)
    return Body(
        lambda *arrays: jnp.concatenate(
            [align(a, d, first) for a, d in zip(arrays, names, strict=True)], axis
        ),
        first,
        [dim],
    )


def _stack_rule(names: tuple[Dims, ...], dim: str) -> Body:
    first = _same_names(names)
    require_new(first, dim)
    return Body(
        lambda *arrays: jnp.stack([align(a, d, first) for a, d in zip(arrays, names, strict=True)]),
        Dims([dim, *first]),
    )


_concat = Operation("concat", _concat_rule, ("dim",))
_stack = Operation("stack", _stack_rule, ("dim",))


def concat(tensors: Sequence[NamedTensor], dim: str) -> NamedTensor:
    """Join tensors with the same names along ``dim``.

    Raises:
      DimMismatch: the names differ.
      SizeMismatch: another dim has two sizes.
    """
    return run(_concat, tuple(tensors), (dim,))


def stack(tensors: Sequence[NamedTensor], dim: str) -> NamedTensor:
    """Stack tensors with the same names along the new dim ``dim``.

    Raises:
      DimMismatch: the names differ.
      DuplicateDim: ``dim`` is there already.
    """
    return run(_stack, tuple(tensors), (dim,))


@method
def unstack(x: NamedTensor, dim: str) -> list[NamedTensor]:
    """The tensors along ``dim``, which they no longer have.

    Raises:
      UnknownDim: ``x`` lacks ``dim``.
    """
    with showing(f"nt.unstack({dim!r})", x):
        size = named(x).shape[dim]
    return [x.isel(**{dim: i}) for i in range(size)]


def equal(x: Any, y: Any) -> bool:
    """Whether the names (as sets), the sizes and all values agree, in whatever order they are stored."""
    with showing("nt.equal", x, y):
        (a, left), (b, right) = operand(x), operand(y)
    if dict(zip(left, jnp.shape(a), strict=True)) != dict(zip(right, jnp.shape(b), strict=True)):
        return False
    return bool(equal_to(x, y).all().array)


@method
def peel(x: NamedTensor, dim: str) -> NamedTensor:
    """Move ``dim`` to the front and drop its name, to hand the tensor to raw `jax.vmap` or `lax.scan`.

    The tensor is then *in transit*: its names describe its trailing axes, and every operation refuses
    it until `name` has named the leading axis again.
    """
    moved = order(x, [dim, "..."])
    return NamedTensor(moved.array, Dims(moved.dims[1:]))


@method
def name(x: NamedTensor, dim: str) -> NamedTensor:
    """Name the leading axis of a tensor in transit: the inverse of `peel`."""
    with showing(f"nt.name({dim!r})", x):
        if named(x).array.ndim != len(x.dims) + 1:
            raise Unsupported(
                f"the array has {x.array.ndim} axes for the names '{x.dims}'.",
                "Only a tensor with one axis in transit can be given a name.",
            )
        return NamedTensor(x.array, Dims([require_new(x.dims, dim), *x.dims]))


__all__ = public(globals())
