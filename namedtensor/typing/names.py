"""What ``Named["batch seq:512", float]`` asks of one tensor.

``Named`` is `NamedTensor` itself, so a static checker sees the class; subscribed it is
``Annotated[NamedTensor, ...]``, which every reader of annotations understands. Some linters read
each string in an annotation as code; ``Annotated[nt.NamedTensor, "batch seq"]`` means the same and
is left alone by them.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import jax.numpy as jnp
import numpy as np

from namedtensor._dims import Dims, dims, in_transit, pattern
from namedtensor._errors import (
    BadPattern,
    DimMismatch,
    MissingName,
    NamedShapeError,
    SizeMismatch,
    Unsupported,
    short_dtype,
)
from namedtensor._tensor import NamedTensor
from namedtensor.ops._table import attach

Named = NamedTensor

# Python's types stand for a kind of number, of any width.
_KINDS = {bool: np.bool_, int: np.integer, float: np.floating, complex: np.complexfloating}


@dataclass(frozen=True)
class Pattern:
    """Names with optional sizes, and an optional dtype.

    Attributes:
      names: the names in any order; ``...`` stands for any others.
      sizes: the sizes that are fixed, by name.
      dtype: a dtype, a kind of dtypes, or None for any.
    """

    names: tuple[str, ...]
    sizes: tuple[tuple[str, int], ...] = ()
    dtype: Any = None

    def __repr__(self) -> str:
        sizes = dict(self.sizes)
        text = " ".join(f"{n}:{sizes[n]}" if n in sizes else n for n in self.names)
        shown = getattr(self.dtype, "__name__", self.dtype)
        return f"Named[{text!r}]" if self.dtype is None else f"Named[{text!r}, {shown}]"


@functools.lru_cache(maxsize=4096)
def parse(text: str, dtype: Any = None) -> Pattern:
    """The pattern that ``Named[text, dtype]`` stands for.

    Raises:
      BadPattern: ``...`` twice, a size that is no number, or no dtype.
      InvalidName: a part that is no identifier.
      DuplicateDim: a name twice.
    """
    parts = [part.partition(":") for part in text.replace(",", " ").split()]
    names = tuple(name for name, _, _ in parts)
    if names.count("...") > 1:
        raise BadPattern(f"'...' stands twice in {text!r}.", "Once is enough: it stands for any others.")
    dims([name for name in names if name != "..."])
    for name, colon, size in parts:
        if colon and (name == "..." or not size.isdecimal()):
            raise BadPattern(f"{name!r} has no size in {text!r}.", f"Write '{name.strip('.') or 'batch'}:8'.")
    return Pattern(names, tuple((name, int(size)) for name, colon, size in parts if colon), _dtype(dtype))


def _dtype(dtype: Any) -> Any:
    if dtype is None or dtype in _KINDS or (isinstance(dtype, type) and issubclass(dtype, np.generic)):
        return dtype
    try:
        return jnp.dtype(dtype)
    except TypeError:
        raise BadPattern(f"{dtype!r} is no dtype.", "Write Named['batch', float] or jnp.float32.") from None


def _subscribed(cls: type, item: Any) -> Any:
    """``Named["batch seq"]`` or ``Named["batch seq", dtype]``."""
    text, *dtype = item if isinstance(item, tuple) else (item,)
    if not isinstance(text, str) or len(dtype) > 1:
        raise BadPattern(
            f"Named[{item!r}] is not understood.", "Write Named['batch seq'] or Named['batch seq', float]."
        )
    return Annotated[cls, parse(text, *dtype)]


attach("__class_getitem__", classmethod(_subscribed))

ANY = parse("...")


def pattern_of(metadata: Sequence[Any]) -> Pattern:
    """The pattern among the metadata of ``Annotated[NamedTensor, ...]``; `ANY` where there is none."""
    for i, part in enumerate(metadata):
        if isinstance(part, Pattern):
            return part
        if isinstance(part, str):
            return parse(part, *metadata[i + 1 : i + 2])
    return ANY


@dataclass
class Call:
    """One call of a function: the sizes that its names have been found to have.

    Attributes:
      function: its name, for error messages.
      sizes: for each name its size, and where it was met.
    """

    function: str
    sizes: dict[str, tuple[int, str]] = field(default_factory=dict)

    def fits(self, x: Any, wanted: Pattern, where: str) -> None:
        """Check one value.

        Raises:
          MissingName: it is no named tensor.
          DimMismatch: its names differ.
          SizeMismatch: a size differs from the one asked for, or from one met before.
          Unsupported: its dtype differs.
        """
        try:
            if not isinstance(x, NamedTensor):
                raise MissingName("a named tensor is expected here.", _how_to_name(wanted))
            if problem := _misfit(wanted.names, x.dims):
                raise DimMismatch(*problem)
            if (shape := getattr(x.array, "shape", None)) is not None:  # a pytree may hold placeholders
                self._sizes_fit(x.dims, shape, wanted, where)
                _dtype_fits(x.dtype, wanted.dtype)
        except NamedShapeError as error:
            raise error.within(self.spelled(where, wanted), [x]) from None

    def _sizes_fit(self, there: Dims, shape: Sequence[int], wanted: Pattern, where: str) -> None:
        if len(shape) != len(there):
            raise in_transit(shape, there)
        asked = dict(wanted.sizes)
        for name, size in zip(there, shape, strict=True):
            if asked.get(name, size) != size:
                raise SizeMismatch(f"{name!r} should be {asked[name]}, it is {size}.")
            if name in wanted.names:
                known, first = self.sizes.setdefault(name, (size, where))
                if known != size:
                    raise SizeMismatch(
                        f"{name!r} is {known} in {first}, {size} in {where}.",
                        f"If they are two dims, annotate one with another name, '{name}_2'.",
                    )

    def spelled(self, where: str, wanted: Any) -> str:
        """``attend(query: Named['seq key'])``, for error messages."""
        at_result = where.startswith(RESULT)
        return f"{self.function}(...) -> {wanted}" if at_result else f"{self.function}({where}: {wanted})"


RESULT = "the result"


def _how_to_name(wanted: Pattern) -> str:
    names = " ".join("batch ..." if n == "..." else n for n in wanted.names)
    return f"Name its axes: nt.tensor(array, {names!r})."


@functools.lru_cache(maxsize=4096)
def _misfit(wanted: tuple[str, ...], there: Dims) -> tuple[str, str] | None:
    """Problem and advice where the names differ."""
    try:
        pattern(wanted, there)
    except NamedShapeError as error:
        return f"expected '{' '.join(wanted)}', there is '{there}'.", error.advice
    return None


def _dtype_fits(there: Any, wanted: Any) -> None:
    kind = _KINDS.get(wanted, wanted)
    if kind is None or there == kind or (isinstance(kind, type) and jnp.issubdtype(there, kind)):
        return
    shown = getattr(wanted, "__name__", wanted)
    raise Unsupported(f"expected values of {shown}, there is {short_dtype(there)}.", "Write x.astype(...).")
