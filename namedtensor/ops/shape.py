"""Rule S: dims split, merge, appear and disappear; and the way through positional transformations."""

import math
from typing import Any

import jax.numpy as jnp
from jax import lax

from namedtensor._dims import (
    Dims,
    Sizes,
    Spec,
    axis_of,
    check_name,
    dims,
    require,
    require_new,
    sized,
    union,
    without,
)
from namedtensor._errors import BadPattern, SizeMismatch, Unsupported, showing
from namedtensor._plan import Body, Operation, run
from namedtensor._tensor import NamedTensor, named, operand
from namedtensor.ops._align import align
from namedtensor.ops._static import whole
from namedtensor.ops._table import method, public
from namedtensor.ops.elementwise import equal_to
from namedtensor.ops.rename import order


def _split_rule(names: tuple[Dims, ...], dim: str, into: Dims, given: tuple[tuple[str, int], ...]) -> Body:
    (there,) = names
    require(into, [d for d, _ in given])
    sizes = tuple(dict(given).get(d) for d in into)
    at = axis_of(there, dim)
    rest = without(there, [dim])
    for new in into:
        require_new(rest, new)
    if not into:
        raise BadPattern("there is nothing to split into.", f"To drop a dim of size 1: x.squeeze({dim!r}).")
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


def _parse_split(dim: str, into: Spec, sizes: dict[str, Any]) -> tuple:
    return check_name(dim), dims(into), tuple((d, whole(n, d)) for d, n in sizes.items())


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


def _expand_rule(names: tuple[Dims, ...], new: Dims, sizes: tuple[int, ...]) -> Body:
    (there,) = names
    target = Dims([*without(new, there), *there])
    wanted = dict(zip(new, sizes, strict=True))

    def expand(array):
        array = jnp.asarray(array)
        found = dict(zip(there, array.shape, strict=True))
        for dim, size in found.items():
            if wanted.get(dim, size) != size:
                raise SizeMismatch(
                    f"{dim!r} is there and is {size}, not {wanted[dim]}.",
                    f"Size 1 never stretches: drop it first, x.squeeze({dim!r}).",
                )
        shape = tuple({**wanted, **found}[d] for d in target)
        return lax.broadcast_in_dim(array, shape, tuple(range(len(target) - len(there), len(target))))

    return Body(expand, target)


def _squeeze_rule(names: tuple[Dims, ...], over: Dims) -> Body:
    (there,) = names
    axes = tuple(there.index(d) for d in require(there, over))

    def squeeze(array):
        for axis in axes:
            if array.shape[axis] != 1:
                raise SizeMismatch(
                    f"{there[axis]!r} is {array.shape[axis]}, and only a dim of size 1 can be dropped.",
                    f"Select a position, x.isel({there[axis]}=0), or reduce it, x.sum({there[axis]!r}).",
                )
        return lax.squeeze(array, axes)

    return Body(squeeze, without(there, over))


def _broadcast_rule(names: tuple[Dims, ...]) -> Body:
    if not names:
        raise BadPattern("there is nothing to broadcast.", "Write nt.broadcast(x, y).")
    target = union(*names)

    def broadcast(*arrays):
        aligned = [align(jnp.asarray(a), d, target) for a, d in zip(arrays, names, strict=True)]
        shape = jnp.broadcast_shapes(*[a.shape for a in aligned])
        # a number has no axes to line up, so each is told which of the axes it has
        return tuple(lax.broadcast_in_dim(a, shape, tuple(range(a.ndim))) for a in aligned)

    return Body(broadcast, (target,) * len(names))


_split = Operation("split", _split_rule, ("dim", "into"), _parse_split)
_merge = Operation(
    "merge", _merge_rule, ("dims", "into"), lambda parts, into: (dims(parts), check_name(into))
)
_expand = Operation("expand", _expand_rule, ("shape",), sized)
_squeeze = Operation("squeeze", _squeeze_rule, ("over",), lambda over: (dims(over),))
_broadcast = Operation("broadcast", _broadcast_rule)


@method
def split(x: NamedTensor, dim: str, into: Spec, /, **sizes: int) -> NamedTensor:
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
    return run(_split, (x,), (dim, into, sizes))


@method
def merge(x: NamedTensor, parts: Spec, into: str) -> NamedTensor:
    """Merge dims, in the order listed, into one: the inverse of `split`.

    The order has to be listed, also for all dims: the order of storage never changes a result.

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
def expand(x: Any, shape: Sizes) -> NamedTensor:
    """Repeat ``x`` along new dims, which are stored first; ``"new:1"`` adds a dim of one.

    Args:
      x: a tensor or a number.
      shape: the new dims, ``"batch:8 head:2"`` or ``{"batch": 8, "head": 2}``; one that ``x`` has must
        have its size.

    Raises:
      SizeMismatch: a dim of ``x`` has another size. Size 1 never stretches.

    Example:
      >>> import namedtensor as nt
      >>> nt.ones("embed:4").expand("batch:8").shape
      Shape(batch:8 embed:4)
    """
    return run(_expand, (x,), (shape,))


@method
def squeeze(x: NamedTensor, over: Spec) -> NamedTensor:
    """Drop dims of size 1, which are named: which names a result has never depends on sizes.

    Raises:
      UnknownDim: a name that ``x`` lacks.
      SizeMismatch: a dim of another size.

    Example:
      >>> import namedtensor as nt
      >>> nt.ones("batch:8 seq:1").squeeze("seq").shape
      Shape(batch:8)
    """
    return run(_squeeze, (x,), (over,))


def broadcast(*tensors: Any) -> tuple[NamedTensor, ...]:
    """The tensors, each with the union of all names; numbers become tensors.

    It is seldom needed, as every operation does it. There is no meshgrid either: different names make
    one, ``nt.arange("row", 3) * nt.arange("col", 4)``.

    Raises:
      SizeMismatch: a shared name with two sizes.

    Example:
      >>> import namedtensor as nt
      >>> [x.shape for x in nt.broadcast(nt.ones("row:2"), nt.ones("col:3"))]
      [Shape(row:2 col:3), Shape(row:2 col:3)]
    """
    return run(_broadcast, tensors)


def equal(x: Any, y: Any) -> bool:
    """Whether the names (as sets), the sizes and all values agree, in whatever order they are stored.

    Example:
      >>> import namedtensor as nt
      >>> x = nt.tensor([[1, 2], [3, 4]], "row col")
      >>> nt.equal(x, x.order("col row"))
      True
    """
    with showing("nt.equal", x, y):
        (a, left), (b, right) = operand(x), operand(y)
    if dict(zip(left, jnp.shape(a), strict=True)) != dict(zip(right, jnp.shape(b), strict=True)):
        return False
    return bool(equal_to(x, y).all().array)


@method
def peel(x: NamedTensor, over: Spec) -> NamedTensor:
    """Move dims to the front and drop their names, to hand ``x`` to raw `jax.vmap` or `lax.scan`.

    The tensor is then *in transit*: its names describe its trailing axes, and every operation refuses
    it until `name` has named the leading axes again.

    Example:
      >>> import jax, namedtensor as nt
      >>> x = nt.ones("batch:2 layer:3")
      >>> jax.vmap(lambda t: t.sum())(x.peel("layer")).name("layer").array
      Array([2., 2., 2.], dtype=float32)
    """
    with showing(f"nt.peel({over!r})", x):
        gone = require(named(x).dims, over)
    moved = order(x, [*gone, "..."])
    return NamedTensor(moved.array, without(moved.dims, gone))


@method
def name(x: NamedTensor, new: Spec) -> NamedTensor:
    """Name the leading axes, all of them, of a tensor in transit: the inverse of `peel`.

    Raises:
      DuplicateDim: a name that is there.
      Unsupported: not as many axes in transit as names.

    Example:
      >>> import namedtensor as nt
      >>> nt.ones("batch:2 layer:3").peel("layer").name("block").shape
      Shape(block:3 batch:2)
    """
    with showing(f"nt.name({new!r})", x):
        names = dims(new)
        if named(x).array.ndim != len(x.dims) + len(names):
            many = "one axis" if len(names) == 1 else f"{len(names)} axes"
            raise Unsupported(
                f"the array has {x.array.ndim} axes for the names '{x.dims}'.",
                f"Only a tensor with {many} in transit can be given the name '{names}'.",
            )
        return NamedTensor(x.array, Dims([*[require_new(x.dims, d) for d in names], *x.dims]))


__all__ = public(globals())
