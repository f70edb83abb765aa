"""The kinds of naming errors, and the one layout in which all of them are shown.

A naming rule knows only names, a traced body knows only sizes, and neither knows which call the
user wrote. So an error is raised with the sentence that its place can say, and `_plan.run`, which
sees the whole call, adds the operands to it (`NamedShapeError.within`).
"""

import contextlib
import difflib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

_SHORT_DTYPES = {"float": "f", "int": "i", "uint": "u", "complex": "c", "bfloat": "bf"}


class NamedShapeError(ValueError):
    """Names or sizes that do not fit; every error about names is one of its kinds.

    Attributes:
      problem: what is wrong and what there is, in one sentence.
      advice: the line to write instead, or an empty string.
    """

    def __init__(self, problem: str, advice: str = "", header: str = ""):
        """Keep the parts, so that a caller who sees the whole call can add the operands."""
        self.problem, self.advice, self.header = problem, advice, header
        super().__init__(self._text())

    def _text(self) -> str:
        sentence = "  ".join(part for part in (self.problem, self.advice) if part)
        return f"{type(self).__name__}{self.header}\n  {sentence}" if self.header else sentence

    def within(self, call: str, operands: Sequence[Any]) -> "NamedShapeError":
        """The same error, headed by the call and the named shape of each of its operands."""
        if self.header:  # the innermost named operation is the one that the user can mend
            return self
        labels = ("left", "right") if len(operands) == 2 else [f"operand {i}" for i in range(9)]
        shown = [f"   {describe(x)}" for x in operands]
        if len(operands) > 1:
            shown = [f"   {k} {describe(x)}" for k, x in zip(labels, operands, strict=False)]
        return type(self)(self.problem, self.advice, f" in {call}:{''.join(shown)}")

    def __reduce__(self):
        """Pickle by parts (worker processes send their errors back)."""
        return type(self), (self.problem, self.advice, self.header)


class InvalidName(NamedShapeError):
    """A name that is not an identifier (primes at its end are legal)."""


class RankMismatch(NamedShapeError):
    """As many names as axes are needed."""


class DuplicateDim(NamedShapeError):
    """A name that stands twice where names must differ."""


class UnknownDim(NamedShapeError):
    """A name that the tensor does not have."""


class MissingDim(NamedShapeError):
    """A name that the tensor must have and that was not listed."""


class DimMismatch(NamedShapeError):
    """Sets of names that should be equal and are not."""


class SizeMismatch(NamedShapeError):
    """One name with two sizes."""


class BadPattern(NamedShapeError):
    """A pattern of names that cannot be read."""


class MissingName(NamedShapeError):
    """An unnamed array of one or more axes in a named operation."""


class Unsupported(NamedShapeError):
    """An operation that names do not define."""


@contextlib.contextmanager
def showing(call: str, *operands: Any) -> Iterator[None]:
    """Let naming errors that arise inside show this call and its operands."""
    try:
        yield
    except NamedShapeError as error:
        __tracebackhide__ = True
        raise error.within(call, operands) from None


def near_miss(name: str, choices: Iterable[str]) -> str:
    """``"Did you mean 'embed'?"`` when one of ``choices`` is close to ``name``, else nothing."""
    close = difflib.get_close_matches(name, list(choices), n=1, cutoff=0.6)
    return f"Did you mean {close[0]!r}?" if close else ""


def short_dtype(dtype: Any) -> str:
    """``f32`` for float32, ``bf16`` for bfloat16, ``bool`` for bool."""
    name = str(dtype)
    letters = name.rstrip("0123456789")
    return _SHORT_DTYPES.get(letters, letters) + name[len(letters) :]


def describe(x: Any) -> str:
    """``f32[batch:8 embed:64]`` for a named tensor, ``f32[8, 64]`` for an array."""
    dims = getattr(x, "dims", None)
    array = x.array if dims is not None else x
    if not hasattr(array, "shape") or isinstance(array, type):
        return repr(array) if isinstance(array, int | float | complex | str) else str(type(array).__name__)
    sizes = tuple(array.shape)
    if dims is None:
        return f"{short_dtype(array.dtype)}[{', '.join(map(str, sizes))}]"
    transit, named = sizes[: len(sizes) - len(dims)], sizes[len(sizes) - len(dims) :]
    if len(named) < len(dims):
        return f"{short_dtype(array.dtype)}{list(sizes)} named '{' '.join(dims)}'"
    inside = " ".join(f"{d}:{n}" for d, n in zip(dims, named, strict=True))
    extra = "".join(f"{n}, " for n in transit)
    return f"{short_dtype(array.dtype)}[{extra}{inside}]"
