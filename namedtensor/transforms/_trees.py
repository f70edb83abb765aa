"""Trees of named tensors: taking a dim off their leaves and on again, and lining one up with another.

Plain arrays may be leaves too. JAX compares the dims of two trees as it compares shapes, storage order
included; `realign` makes that order agree first, and says what is wrong by name where it cannot.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import jax
import jax.numpy as jnp

from namedtensor._dims import Dims, axis_of, in_transit, unknown, without
from namedtensor._errors import (
    DimMismatch,
    DuplicateDim,
    MissingName,
    SizeMismatch,
    describe,
    near_miss,
)
from namedtensor._tensor import NamedTensor, is_named
from namedtensor.ops._align import align


def flatten(tree: Any) -> tuple[list[Any], Any]:
    """The leaves, where a named tensor is one leaf, and the structure."""
    return jax.tree.flatten(tree, is_leaf=is_named)


def named_leaves(tree: Any) -> list[NamedTensor]:
    """The named tensors of a tree."""
    return [x for x in flatten(tree)[0] if is_named(x)]


def whole(x: NamedTensor) -> NamedTensor:
    """``x``, which must not be in transit."""
    shape = getattr(x.array, "shape", ())
    if len(shape) != len(x.dims):
        raise in_transit(shape, x.dims)
    return x


def peeled(x: NamedTensor, dim: str) -> NamedTensor:
    """``x`` with ``dim`` as its leading axis, which has no name."""
    axis = axis_of(whole(x).dims, dim)
    array = x.array if axis == 0 else jnp.moveaxis(x.array, axis, 0)
    return NamedTensor(array, without(x.dims, [dim]))


def lacking(tree: Any, dim: str) -> Any:
    """``tree``, no leaf of which may have ``dim``, which it is about to get."""
    for x in named_leaves(tree):
        if dim in whole(x).dims:
            raise DuplicateDim(
                f"a result is {describe(x)}, which has the dim {dim!r} that it should get.",
                f"Rename it inside: y.rename({dim}='{dim}_2').",
            )
    return tree


def with_leading(tree: Any, dim: str) -> Any:
    """``tree`` with the name ``dim`` for the leading axis of each named leaf; arrays keep theirs unnamed."""
    return jax.tree.map(
        lambda y: NamedTensor(y.array, Dims([dim, *y.dims])) if is_named(y) else y, tree, is_leaf=is_named
    )


def require_dims(tree: Any, names: Iterable[str]) -> None:
    """Each of ``names`` must be a dim of some leaf, with one size in all of them."""
    leaves = [whole(x) for x in named_leaves(tree)]
    for dim in names:
        sizes = {x.shape[dim]: x for x in leaves if dim in x.dims}
        if not sizes:
            raise unknown(dim, dict.fromkeys(d for x in leaves for d in x.dims))
        if len(sizes) > 1:
            (first, x), (second, y), *_ = sizes.items()
            raise SizeMismatch(
                f"{dim!r} is {first} in {describe(x)}, {second} in {describe(y)}.",
                f"If they are two dims, rename one: .rename({dim}='{dim}_2').",
            )


def scalar(x: Any, what: str, advice: str) -> Any:
    """The array of ``x``, which must have no dims if it is named; anything else is left to JAX."""
    if not is_named(x):
        return x
    if x.dims:
        raise DimMismatch(f"{what} is {describe(x)}, not a scalar.", advice)
    return whole(x).array


Sentence = Callable[[str, Any, Any], str]  # where in the tree, a leaf, what it should be like


def realign(tree: Any, like: Any, sentence: Sentence) -> Any:
    """``tree`` with the dims of each leaf in the order of ``like``.

    A scalar may be named in one tree and a number in the other. Trees of two structures are returned as
    they are: JAX, which gets both, shows them well.

    Args:
      tree: what a function returned, or what stands for one of its arguments.
      like: a tree of the same structure, the leaves of which may be shapes alone.
      sentence: begins the error: ``sentence("['h']", leaf, wanted)``.

    Raises:
      DimMismatch: a leaf with other names.
      SizeMismatch: a dim with another size.
      MissingName: a leaf is an array of one or more axes in one tree, and named in the other.
    """
    structure = flatten(tree)[1]
    if structure != flatten(like)[1]:
        return tree
    return jax.tree.unflatten(structure, [_fit(x, y, begin) for x, y, begin in _pairs(tree, like, sentence)])


def require_dtypes(tree: Any, like: Any, sentence: Sentence, call: str) -> None:
    """Each leaf must have the dtype of its partner.

    A partner that is weakly typed, made of a Python number, is left to JAX, which may convert it.
    """
    if flatten(tree)[1] != flatten(like)[1]:
        return
    for x, y, begin in _pairs(tree, like, sentence):
        (got, _), (want, is_weak) = _dtype(x), _dtype(y)
        if got != want and not is_weak:
            raise TypeError(f"{call}: {begin}: the dtypes differ.  Write x.astype({str(want)!r}).")


def _pairs(tree: Any, like: Any, sentence: Sentence) -> Iterator[tuple[Any, Any, str]]:
    """Each leaf, its partner, and the beginning of an error about the two."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree, is_leaf=is_named)
    for (path, x), y in zip(leaves, flatten(like)[0], strict=True):
        yield x, y, sentence(jax.tree_util.keystr(path), x, y)


def _fit(x: Any, like: Any, begin: str) -> Any:
    if not is_named(x) and not is_named(like):
        return x
    there, wanted = _dims_of(x, begin), _dims_of(like, begin)
    if set(there) != set(wanted):
        raise _other_names(there, wanted, begin)
    if not is_named(like):
        return x.array
    if not is_named(x):
        return NamedTensor(jnp.asarray(x), wanted)
    for dim in wanted:
        if whole(x).shape[dim] != whole(like).shape[dim]:
            raise SizeMismatch(f"{begin}: {dim!r} has two sizes.")
    return NamedTensor(align(x.array, there, wanted), wanted)


def _dims_of(x: Any, begin: str) -> Dims:
    if is_named(x):
        return x.dims
    if getattr(x, "ndim", 0):
        raise MissingName(f"{begin}: one of the two has no names.", "Name it: nt.tensor(array, 'batch ...').")
    return Dims()


def _other_names(there: Dims, wanted: Dims, begin: str) -> DimMismatch:
    lost, new = without(wanted, there), without(there, wanted)
    parts = [f"'{lost}' is missing"] * bool(lost) + [f"'{new}' is new"] * bool(new)
    return DimMismatch(
        f"{begin}: {', '.join(parts)}.", " ".join(filter(None, (near_miss(d, lost) for d in new)))
    )


def _dtype(x: Any) -> tuple[Any, bool]:
    """The dtype of a leaf, and whether it is weak."""
    array = x.array if is_named(x) else x
    shape = array if isinstance(array, jax.ShapeDtypeStruct) else jax.typeof(array)
    return shape.dtype, shape.weak_type
