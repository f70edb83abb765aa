"""Names of dimensions: their grammar, their interning, and the rules by which they combine.

A `Dims` is a tuple of names of which there is one object for each content, so the plan cache and
JAX's own caches find an equal key by comparing pointers. The rules here (`union`, `require`,
`pattern` ...) are the whole of name inference: the operations only choose among them.
"""

import contextlib
import functools
import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from namedtensor._errors import (
    BadPattern,
    DuplicateDim,
    InvalidName,
    MissingDim,
    RankMismatch,
    SizeMismatch,
    UnknownDim,
    near_miss,
)

Spec = str | Iterable[str]  # "batch embed", or a sequence of names
Sizes = str | Mapping[str, int]  # "batch:8 embed:64", or a mapping


class Dims(tuple[str, ...]):
    """An interned tuple of distinct names; make one with `dims`."""

    __slots__ = ()
    _interned: dict[tuple, "Dims"] = {}  # noqa: RUF012  (shared on purpose: it is the intern table)

    def __new__(cls, names: Iterable[str] = ()):
        """The one object for these names."""
        names = tuple(names)
        found = cls._interned.get(names)
        # setdefault is atomic, so two threads that meet here agree on one object
        return found or cls._interned.setdefault(names, super().__new__(cls, names))

    def __reduce__(self):
        """Pickle and copy by content, so that what comes back is interned again."""
        return Dims, (tuple(self),)

    def __str__(self) -> str:
        return " ".join(self)


def check_name(name: Any) -> str:
    """``name`` if it is a legal name of a dim: an identifier, with primes allowed at its end."""
    if isinstance(name, str) and name.rstrip("'").isidentifier():
        return name
    advice = (
        f"Sizes are given to factories only: write {str(name).split(':')[0]!r} here."
        if ":" in str(name)
        else ""
    )
    raise InvalidName(f"{name!r} is not a name: a name is an identifier such as 'batch' or 'seq''.", advice)


def _distinct(names: Sequence[str], what: str = "names") -> Dims:
    if len(set(names)) < len(names):
        twice = next(n for i, n in enumerate(names) if n in names[:i])
        raise DuplicateDim(
            f"{twice!r} stands twice in the {what} '{' '.join(names)}'.", f"Rename one: {twice}='{twice}_2'."
        )
    return Dims(names)


@functools.lru_cache(maxsize=4096)
def _parse(text: str) -> Dims:
    return _distinct([check_name(n) for n in text.replace(",", " ").split()])


def dims(spec: Spec) -> Dims:
    """The `Dims` for ``"batch embed"`` or for a sequence of names.

    Raises:
      InvalidName: a part that is no identifier.
      DuplicateDim: a name twice.
    """
    if type(spec) is Dims:
        return spec
    if isinstance(spec, str):
        return _parse(spec)
    if not isinstance(spec, Iterable) or isinstance(spec, Mapping) or hasattr(spec, "dtype"):
        raise InvalidName(f"{spec!r} is not a list of names.", "Write 'batch embed', or ['batch', 'embed'].")
    return _distinct([check_name(n) for n in spec])


def sized(spec: Sizes) -> tuple[Dims, tuple[int, ...]]:
    """Names and sizes of ``"batch:8 embed:64"`` or ``{"batch": 8, "embed": 64}``, which factories take."""
    if isinstance(spec, str):
        return _parse_sizes(spec)
    if not isinstance(spec, Mapping):
        raise BadPattern(f"{spec!r} has no names.", "Write 'batch:8 embed:64', or {'batch': 8, 'embed': 64}.")
    return dims(list(spec)), tuple(_size(name, size) for name, size in spec.items())


@functools.lru_cache(maxsize=4096)
def _parse_sizes(text: str) -> tuple[Dims, tuple[int, ...]]:
    parts = [part.partition(":") for part in text.replace(",", " ").split()]
    for name, _, size in parts:
        if not size.isdecimal():
            raise BadPattern(f"{name!r} has no size in {text!r}.", f"Write it as '{name}:8'.")
    return dims([name for name, _, _ in parts]), tuple(int(size) for _, _, size in parts)


def _size(name: str, size: Any) -> int:
    with contextlib.suppress(TypeError):  # a traced size is no index either
        if operator.index(size) >= 0:
            return operator.index(size)
    raise BadPattern(f"the size of {name!r} is {size!r}.", f"Give a number that is known: {{{name!r}: 8}}.")


def unknown(name: str, there: Iterable[str]) -> UnknownDim:
    """The error for a name that is not among ``there``, with the near miss."""
    there = list(there)
    listed = f"there are '{' '.join(there)}'" if there else "there are none (it is a scalar)"
    return UnknownDim(f"there is no dim {name!r}: {listed}.", near_miss(name, there))


def require(there: Dims, wanted: Spec) -> Dims:
    """``wanted`` as `Dims`, all of which must be in ``there``."""
    found = dims(wanted)
    for name in found:
        if name not in there:
            raise unknown(name, there)
    return found


def axis_of(there: Dims, name: str) -> int:
    """The position of ``name``, which must be in ``there``."""
    require(there, [name])
    return there.index(name)


def require_new(there: Iterable[str], name: str) -> str:
    """``name``, which must be legal and not in ``there``."""
    if check_name(name) in there:
        raise DuplicateDim(
            f"there is a dim {name!r} already.",
            f"Choose another name, or rename it first: x.rename({name}='{name}_2').",
        )
    return name


def without(there: Dims, gone: Iterable[str]) -> Dims:
    """The names of ``there`` that are not in ``gone``, in their order."""
    gone = set(gone)
    return Dims(d for d in there if d not in gone)


def union(*all_dims: Dims) -> Dims:
    """All names; the operand with the most names sets the order, so that a bias never moves it."""
    first = max(all_dims, key=len)
    rest = [d for operand in all_dims for d in operand if d not in first]
    return Dims([*first, *dict.fromkeys(rest)]) if rest else first


def pattern(spec: Spec, there: Dims) -> Dims:
    """``"batch ... embed"`` against ``there``: the dots stand for all other names, in order.

    Raises:
      BadPattern: more than one ``...``.
      MissingDim: names left out and no ``...``.
      UnknownDim: a name that is not there.
    """
    parts = spec.split() if isinstance(spec, str) else list(spec)
    listed = dims([p for p in parts if p != "..."])
    rest = without(there, listed)
    if parts.count("...") > 1:
        raise BadPattern(
            f"'...' stands twice in {' '.join(parts)!r}.", "Once is enough: it takes all names not listed."
        )
    if rest and "..." not in parts:
        raise _left_out(listed, rest, there)
    named = require(there, listed)
    if "..." not in parts:
        return named
    at = parts.index("...")
    return Dims([*named[:at], *rest, *named[at:]])


def _left_out(listed: Dims, rest: Dims, there: Dims) -> MissingDim:
    """The error for names that are not listed; a name that is listed and not there may be meant for one."""
    strays = without(listed, there)
    if not strays:
        return MissingDim(f"'{listed}' leaves out '{rest}'.", f"List all names, or write '{listed} ...'.")
    return MissingDim(
        f"'{listed}' leaves out '{rest}', and there is no dim {strays[0]!r}.", near_miss(strays[0], rest)
    )


def in_transit(shape: Sequence[int], names: Dims) -> RankMismatch:
    """The error for an array whose axes are not the ones that its names say."""
    there = f"the array has {len(shape)} axes {tuple(shape)} and {len(names)} names '{names}': "
    if len(shape) < len(names):
        return RankMismatch(
            there + "a positional transformation such as jax.vmap or jax.lax.scan took an axis away.",
            "Use nt.vmap(f, over='...') or nt.scan(..., over='...'), or peel the dim before: x.peel('...').",
        )
    return RankMismatch(
        there + "it is in transit through a positional transformation such as jax.vmap.",
        "Use nt.vmap(f, over='...'), or give the leading axis a name: y.name('...').",
    )


def check_sizes(arrays: Sequence[Any], names: Sequence[Dims], free: Iterable[str] = ()) -> None:
    """Each array has the axes that its names say, and a shared name has one size.

    It runs while a plan is traced, which JAX does once for each set of shapes: on the hot path it
    costs nothing.
    """
    seen: dict[str, int] = {}
    sides = (
        ("on the left", "on the right")
        if len(arrays) == 2
        else [f"in operand {i}" for i in range(len(arrays))]
    )
    where: dict[str, int] = {}
    for i, (array, there) in enumerate(zip(arrays, names, strict=True)):
        shape = getattr(array, "shape", ())
        if len(shape) != len(there):
            raise in_transit(shape, there)
        for name, size in zip(there, shape, strict=True):
            if seen.setdefault(name, size) != size and name not in free:
                raise SizeMismatch(
                    f"{name!r} is {seen[name]} {sides[where[name]]}, {size} {sides[i]}.",
                    f"If they are two dims, rename one: .rename({name}='{name}_2').",
                )
            where.setdefault(name, i)
