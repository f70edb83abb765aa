"""What the axes of a positional function are: ``"i j, k -> i k"``, dims for each operand and each result.

`nt.lift` and `nt.wrap_fn` both stand between names and positions. What they share is here: reading
such a pattern, and naming what a function returned by it.
"""

import types
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from namedtensor._dims import Dims, dims
from namedtensor._errors import BadPattern, RankMismatch, SizeMismatch, Unsupported, describe
from namedtensor._tensor import NamedTensor, is_named

Entry = Dims | None  # None is "*": passed as it is
_NO_SIZES: Mapping[str, int] = types.MappingProxyType({})


class Signature(NamedTuple):
    """A pattern that has been read; ``results`` is None where it has no arrow."""

    text: str
    operands: tuple[Entry, ...]
    results: tuple[Entry, ...] | None


def parse(text: str, *, whole: bool = False) -> Signature:
    """Read ``"i j, k -> i k"``; ``whole``: an entry may be ``*``, which stands for anything.

    Raises:
      BadPattern: no string, two arrows, or ``...``.
      InvalidName: a part that is no identifier.
      DuplicateDim: a name twice in one entry.
    """
    if not isinstance(text, str):
        raise BadPattern(f"{text!r} is no pattern.", "Write 'i j, k -> i k'.")
    operands, arrow, results = text.partition("->")
    if "->" in results:
        raise BadPattern(f"'->' stands twice in {text!r}.", "Write 'i j, k -> i k'.")
    read = tuple(_entry(part, whole) for part in operands.split(","))
    return Signature(text, read, tuple(_entry(part, whole) for part in results.split(",")) if arrow else None)


def _entry(part: str, whole: bool) -> Entry:
    part = part.strip()
    if whole and part == "*":
        return None
    if "..." in part or "*" in part:
        raise BadPattern(
            f"{part!r} is no list of dims.",
            "Name every axis that the function gets; nt.lift maps over all others by itself.",
        )
    return dims(part)


def function_name(f: Any) -> str:
    """The name of a function, or of what a partial or an object makes one of."""
    f = getattr(f, "func", f)
    return getattr(f, "__name__", type(f).__name__)


def name_results(
    signature: Signature, out: Any, *, like: tuple[int, ...] = (), sizes: Mapping[str, int] = _NO_SIZES
) -> Any:
    """``out`` with a named tensor in the place of each array.

    Args:
      signature: one result entry names every array in ``out``; several name those of each part of a tuple.
      out: what the function returned, a tree of arrays.
      like: the shape that a result without an entry must have to get the first operand's names.
      sizes: sizes that dims of results must have.

    Raises:
      RankMismatch: an array has not as many axes as names.
      SizeMismatch: a dim has another size than in ``sizes``.
      BadPattern: not as many parts as entries, or no entry and another shape.
    """
    entries = signature.results
    if entries is None:
        return _named_tree(out, lambda shape: _implied(signature, shape, like), sizes)
    if len(entries) == 1:
        return _named_part(out, entries[0], sizes)
    if not isinstance(out, tuple | list) or len(out) != len(entries):
        found = f"{len(out)} parts" if isinstance(out, tuple | list) else f"one {type(out).__name__}"
        raise BadPattern(
            f"the function returned {found}, and {signature.text!r} names {len(entries)} results.",
            "List the dims of each part after '->', separated by commas.",
        )
    parts = [_named_part(part, entry, sizes) for part, entry in zip(out, entries, strict=True)]
    return jax.tree.structure(out, is_leaf=lambda node: node is not out).unflatten(parts)


def _named_part(part: Any, entry: Entry, sizes: Mapping[str, int]) -> Any:
    return part if entry is None else _named_tree(part, lambda shape: entry, sizes)


def _named_tree(out: Any, names_for: Callable[[tuple[int, ...]], Dims], sizes: Mapping[str, int]) -> Any:
    def name(leaf):
        array = _array(leaf)
        return NamedTensor(array, _checked(names_for(array.shape), array.shape, sizes))

    if not jax.tree.leaves(out):
        raise Unsupported(f"the function returned {out!r}, no array.", "Return what is to be named.")
    return jax.tree.map(name, out, is_leaf=is_named)


def _array(leaf: Any) -> jax.Array:
    if is_named(leaf):
        raise Unsupported(
            f"the function returned {describe(leaf)}, which has names already.",
            "Call it as it is; to map it over a dim: nt.vmap(f, over='batch').",
        )
    if not hasattr(leaf, "shape") and not isinstance(leaf, bool | int | float | complex):
        raise Unsupported(f"the function returned a {type(leaf).__name__}, no array.", "Return arrays.")
    return jnp.asarray(leaf)


def _checked(names: Dims, shape: tuple[int, ...], sizes: Mapping[str, int]) -> Dims:
    if len(names) != len(shape):
        raise RankMismatch(
            f"a result has {len(shape)} axes {shape}, and '{names}' names {len(names)}.",
            "Name each of its axes after '->'.",
        )
    for name, size in zip(names, shape, strict=True):
        if sizes.get(name, size) != size:
            raise SizeMismatch(
                f"{name!r} is {sizes[name]} in the arguments, {size} in a result.",
                f"If it is another dim, give it another name after '->': {name}_2.",
            )
    return names


def _implied(signature: Signature, shape: tuple[int, ...], like: tuple[int, ...]) -> Dims:
    """Without an arrow: the names of the first operand if the shape is its own, none for a number."""
    if not shape:
        return Dims()
    if shape == like:
        return signature.operands[0] or Dims()
    new = " ".join(f"dim_{i}" for i in range(len(shape)))
    raise BadPattern(
        f"a result has the shape {shape}, the first operand {like}, "
        f"and {signature.text!r} does not say which dims it has.",
        f"Say it, with names of yours: '{signature.text.strip()} -> {new}'.",
    )
