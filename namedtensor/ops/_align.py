"""Lining up arrays by name: the one place where names become axis numbers."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from namedtensor._dims import Dims, union
from namedtensor._plan import Body


def align(array: Any, there: Dims, target: Dims) -> Any:
    """``array`` with its axes in the order of ``target`` and an axis of size 1 for each name it lacks."""
    if there is target or not there:
        return array
    order = [there.index(d) for d in target if d in there]
    if order != sorted(order):
        array = jnp.transpose(array, order)
    missing = tuple(i for i, d in enumerate(target) if d not in there)
    return jnp.expand_dims(array, missing) if missing else array


def broadcasting(positional: Callable[..., Any]) -> Callable[..., Body]:
    """The naming rule of an elementwise function: the union of all names."""

    def rule(names: tuple[Dims, ...]) -> Body:
        target = union(*names)
        return Body(
            lambda *arrays: positional(*[align(a, d, target) for a, d in zip(arrays, names, strict=True)]),
            target,
        )

    rule.broadcasts = True  # type: ignore[attr-defined]  (read by Operation)
    return rule
