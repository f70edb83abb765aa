"""Strict broadcasting, for a block of code: no operation may make an outer product by accident.

The union of names is what makes names pleasant, and also how ``x[batch] * y[seq]`` becomes a matrix
that nobody asked for. Inside ``with nt.strict():`` one operand must have all the names.
"""

import contextlib
import contextvars
from collections.abc import Iterator, Sequence

from namedtensor._dims import Dims, union, without
from namedtensor._errors import DimMismatch

# A context variable and no module state: each thread and each task has its own.
is_strict: contextvars.ContextVar[bool] = contextvars.ContextVar("strict", default=False)


@contextlib.contextmanager
def strict(on: bool = True) -> Iterator[None]:
    """Ask of every broadcast in the block that one operand's names contain those of the others.

    Contractions, gathers and other operations that are told which names they work on are not touched.

    Args:
      on: False allows the union again, for a block inside a strict one.

    Raises (inside the block):
      DimMismatch: each operand has a name that the other lacks.

    Example:
      >>> import namedtensor as nt
      >>> with nt.strict():
      ...     y = nt.ones("batch:2 embed:3") + nt.ones("embed:3")
    """
    token = is_strict.set(on)
    try:
        yield
    finally:
        is_strict.reset(token)


def require_containment(names: Sequence[Dims]) -> None:
    """The check that `strict` asks for."""
    everything = union(*names)
    most = max(names, key=len)
    missing = without(everything, most)
    if missing:
        sizes = " ".join(f"{d}:..." for d in missing)
        raise DimMismatch(
            f"under nt.strict() one operand must have all the names '{everything}'; "
            f"the one with most has '{most}'.",
            f"If the outer product is meant, say so: x.expand({sizes!r}), or leave nt.strict().",
        )
