"""A user's function as a value that `jax.jit` can key on: what is fixed apart from the arrays it holds.

``functools.partial(apply, params)`` is made anew in every cell, and parameters change while a model
trains. If the compiled code were keyed on the function object, each would compile again with the
parameters baked in. So partials and callable pytrees (an equinox model, say) are taken apart: the
arrays become arguments, the rest is the key.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

_HOLE = "an array stands here"


@dataclass(frozen=True, eq=False)
class _Constant:
    """A fixed part of a function: equal by value where its type has a hash, else to itself alone."""

    value: Any

    def __hash__(self) -> int:
        try:
            return hash(self.value)
        except TypeError:
            return id(self.value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Constant) or hash(self) != hash(other):
            return False
        same_type = type(self.value) is type(other.value)  # 1, 1.0 and True are equal and not the same
        return self.value is other.value or (same_type and bool(self.value == other.value))


@dataclass(frozen=True)
class Skeleton:
    """A function without its arrays. Hashable; `fill` makes the function again."""

    tree: Any
    leaves: tuple[Any, ...]

    def fill(self, arrays: tuple[Any, ...]) -> Callable[..., Any]:
        """The function with these arrays in it."""
        waiting = iter(arrays)
        leaves = [next(waiting) if leaf is _HOLE else leaf.value for leaf in self.leaves]
        return _rebuilt(jax.tree.unflatten(self.tree, leaves))


def _taken_apart(fun: Any) -> Any:
    if isinstance(fun, functools.partial):
        return ("partial", _taken_apart(fun.func), fun.args, fun.keywords)
    return fun


def _rebuilt(tree: Any) -> Any:
    if isinstance(tree, tuple) and tree[0] == "partial":
        _, fun, args, keywords = tree
        return functools.partial(_rebuilt(fun), *args, **keywords)
    return tree


def split(fun: Callable[..., Any]) -> tuple[Skeleton, tuple[Any, ...]]:
    """A function as its skeleton and the arrays it holds."""
    leaves, tree = jax.tree.flatten(_taken_apart(fun))
    is_array = [isinstance(leaf, jax.Array | np.ndarray) for leaf in leaves]
    kept = tuple(_HOLE if array else _Constant(leaf) for leaf, array in zip(leaves, is_array, strict=True))
    return Skeleton(tree, kept), tuple(leaf for leaf, array in zip(leaves, is_array, strict=True) if array)
