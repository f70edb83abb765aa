"""Batch dims of positional functions that have none: one `jax.vmap` for each name."""

from collections.abc import Callable, Sequence
from typing import Any

import jax

from namedtensor._dims import Dims


def mapped(
    function: Callable[..., Any], names: Sequence[Dims], batch: Sequence[str], *, out: int = 0
) -> Callable[..., Any]:
    """``function`` mapped over the names of ``batch``, which lead the result in their order.

    Args:
      function: of one array for each of ``names``.
      names: the names of each array, those of ``batch`` first and in its order; one that lacks a
        name is passed whole.
      batch: the names to map over.
      out: where the mapped axis stands in the result of each step.
    """
    for name in reversed(batch):
        function = jax.vmap(function, [0 if name in there else None for there in names], out)
    return function


def lead(there: Dims, batch: Sequence[str], then: Sequence[str]) -> Dims:
    """The names of ``batch`` that are ``there``, and after them ``then``."""
    return Dims([*[d for d in batch if d in there], *then])
