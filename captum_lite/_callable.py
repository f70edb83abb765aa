"""A user's function as a value that `jax.jit` can key on: what is fixed apart from the arrays it holds.

``functools.partial(apply, params)`` is made anew in every cell, and parameters change while a model
trains. If the compiled code were keyed on the function object, each would compile again with the
parameters baked in. So partials and callable pytrees (an equinox model, say) are taken apart: the
arrays become arguments, the rest is the key.
"""

import functools
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from captum_lite._state import reached

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
    """A tree without its arrays. Hashable; `fill` makes the tree again.

    Attributes:
      tree: its structure.
      leaves: its other leaves, with a mark where an array stood.
      state: what functions among the leaves read besides their arguments.
    """

    tree: Any
    leaves: tuple[Any, ...]
    state: tuple[Any, ...]

    def fill(self, arrays: tuple[Any, ...]) -> Any:
        """The tree with these arrays in it."""
        waiting = iter(arrays)
        leaves = [next(waiting) if leaf is _HOLE else leaf.value for leaf in self.leaves]
        return _rebuilt(jax.tree.unflatten(self.tree, leaves))


def split(tree: Any) -> tuple[Skeleton, tuple[Any, ...]]:
    """A function, or a tree of functions, arrays and other values, as its skeleton and its arrays."""
    leaves, structure = jax.tree.flatten(_taken_apart(tree))
    held = tuple(leaf for leaf in leaves if _is_array(leaf))
    kept = tuple(_HOLE if _is_array(leaf) else _Constant(leaf) for leaf in leaves)
    return Skeleton(structure, kept, tuple(reached(leaf) for leaf in leaves if not _is_array(leaf))), held


def _is_array(x: Any) -> bool:
    return isinstance(x, jax.Array | np.ndarray)


@dataclass(frozen=True)
class _Partial:
    """A `functools.partial` as a pytree (its own is opaque to JAX)."""

    parts: tuple[Any, ...]


jax.tree_util.register_dataclass(_Partial, data_fields=["parts"], meta_fields=[])


def _taken_apart(x: Any) -> Any:
    if isinstance(x, functools.partial):
        return _Partial((_taken_apart(x.func), x.args, x.keywords))
    return tuple(_taken_apart(part) for part in x) if type(x) is tuple else x


def _rebuilt(x: Any) -> Any:
    if isinstance(x, _Partial):
        fun, args, keywords = x.parts
        return functools.partial(_rebuilt(fun), *args, **keywords)
    return tuple(_rebuilt(part) for part in x) if type(x) is tuple else x
