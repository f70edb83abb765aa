"""Reading the arguments that select a plan: numbers known before tracing, and dims in order.

Each becomes a plain value here, so that a plan's key can be hashed and equal calls meet the same plan.
"""

import contextlib
import operator
from typing import Any

from jax import export
from jax.core import Tracer

from namedtensor._dims import Dims, Spec, dims
from namedtensor._errors import BadPattern, RankMismatch


def whole(value: Any, what: str, *, least: int | None = None) -> int:
    """``value`` as a Python int, at least ``least``.

    Raises:
      BadPattern: it is none, is too small, or is traced.
    """
    if export.is_symbolic_dim(value):  # a size that is left open, of a program for several sizes
        return value  # type: ignore[return-value]
    with contextlib.suppress(TypeError):  # a tracer raises a kind of TypeError too
        number = operator.index(value)
        if not isinstance(value, bool) and (least is None or number >= least):
            return number
    shown = "a traced value" if isinstance(value, Tracer) else repr(value)
    bound = "" if least is None else f" of at least {least}"
    raise BadPattern(
        f"{what}={shown} is no whole number{bound}.", "It must be known before tracing: write 2."
    )


def pair(over: Spec) -> Dims:
    """Two dims, of which the order matters.

    Raises:
      RankMismatch: not two names.
      BadPattern: a set, which has no order.
    """
    if isinstance(over, set | frozenset):
        raise BadPattern(f"{over!r} does not say which dim is first.", "Write 'row col'.")
    found = dims(over)
    if len(found) != 2:
        raise RankMismatch(f"two dims are needed, '{found}' are {len(found)}.", "Write 'row col'.")
    return found
