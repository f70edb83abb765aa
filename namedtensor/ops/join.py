"""Rule S, along one dim: join tensors, and take them apart."""

from collections.abc import Iterable, Sequence
from typing import Any

import jax.numpy as jnp
from jax import lax

from namedtensor._dims import Dims, axis_of, check_name, require_new, without
from namedtensor._errors import BadPattern, DimMismatch, SizeMismatch, showing
from namedtensor._plan import Body, Operation, run
from namedtensor._tensor import NamedTensor, named
from namedtensor.ops._align import align
from namedtensor.ops._static import whole
from namedtensor.ops._table import method, public
from namedtensor.ops.index import isel

_FEW = 64  # results of one program: more would take long to compile


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


def _unstack_rule(names: tuple[Dims, ...], dim: str, size: int) -> Body:
    (there,) = names
    axis = axis_of(there, dim)
    return Body(lambda array: jnp.unstack(array, axis=axis), (without(there, [dim]),) * size)


def _chunk_rule(names: tuple[Dims, ...], dim: str, chunks: int | tuple[int, ...]) -> Body:
    (there,) = names
    axis = axis_of(there, dim)

    def chunk(array):
        size = array.shape[axis]
        if isinstance(chunks, int):  # as equal as can be, the larger ones first
            sizes = [size // chunks + (i < size % chunks) for i in range(chunks)]
        elif sum(chunks) == size:
            sizes = chunks
        else:
            raise SizeMismatch(f"{dim!r} is {size}, the chunks {list(chunks)} are {sum(chunks)}.")
        return lax.split(array, sizes, axis)

    return Body(chunk, (there,) * (chunks if isinstance(chunks, int) else len(chunks)))


def _parse_chunk(dim: str, chunks: Any) -> tuple:
    if isinstance(chunks, list | tuple):
        return check_name(dim), tuple(whole(n, "a chunk", least=0) for n in chunks)
    return check_name(dim), whole(chunks, "chunks", least=1)


def _listed(name: str, tensors: Any) -> tuple:
    if not isinstance(tensors, Iterable):
        raise BadPattern(f"{tensors!r} is no list of tensors.", f"Write nt.{name}([x, y], 'seq').")
    return tuple(tensors)


def _one(dim: str) -> tuple:
    return (check_name(dim),)


_concat = Operation("concat", _concat_rule, ("dim",), _one)
_stack = Operation("stack", _stack_rule, ("dim",), _one)
_unstack = Operation("unstack", _unstack_rule, ("dim",))
_chunk = Operation("chunk", _chunk_rule, ("dim", "chunks"), _parse_chunk)


def concat(tensors: Sequence[NamedTensor], dim: str) -> NamedTensor:
    """Join tensors with the same names along ``dim``.

    Raises:
      DimMismatch: the names differ.
      SizeMismatch: another dim has two sizes.

    Example:
      >>> import namedtensor as nt
      >>> nt.concat([nt.ones("batch:2 seq:3"), nt.zeros("seq:4 batch:2")], "seq").shape
      Shape(batch:2 seq:7)
    """
    return run(_concat, _listed("concat", tensors), (dim,))


def stack(tensors: Sequence[NamedTensor], dim: str) -> NamedTensor:
    """Stack tensors with the same names along the new dim ``dim``.

    Raises:
      DimMismatch: the names differ.
      DuplicateDim: ``dim`` is there already.

    Example:
      >>> import namedtensor as nt
      >>> nt.stack([nt.ones("batch:2"), nt.zeros("batch:2")], "layer").shape
      Shape(layer:2 batch:2)
    """
    return run(_stack, _listed("stack", tensors), (dim,))


@method
def unstack(x: NamedTensor, dim: str) -> list[NamedTensor]:
    """The tensors along ``dim``, which they no longer have.

    Raises:
      UnknownDim: ``x`` lacks ``dim``.

    Example:
      >>> import namedtensor as nt
      >>> [row.shape for row in nt.ones("batch:2 seq:3").unstack("batch")]
      [Shape(seq:3), Shape(seq:3)]
    """
    with showing(f"nt.unstack({dim!r})", x):
        size = named(x).shape[check_name(dim)]
    if size > _FEW:
        return [isel(x, **{dim: i}) for i in range(size)]
    return list(run(_unstack, (x,), (dim, size)))


@method
def chunk(x: NamedTensor, dim: str, chunks: int | Sequence[int]) -> tuple[NamedTensor, ...]:
    """Cut ``dim`` into chunks.

    Args:
      x: a tensor with the dim ``dim``.
      dim: the dim to cut.
      chunks: how many (their sizes then differ by 1 at most), or the size of each.

    Raises:
      UnknownDim: ``x`` lacks ``dim``.
      SizeMismatch: the sizes do not add up to the size of ``dim``.

    Example:
      >>> import namedtensor as nt
      >>> query, rest = nt.ones("embed:6").chunk("embed", [2, 4])
      >>> rest.shape
      Shape(embed:4)
    """
    return run(_chunk, (x,), (dim, chunks))


__all__ = public(globals())
