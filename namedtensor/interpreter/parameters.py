"""The parameters of a model as a flat list with paths, and where each of them belongs."""

import functools
import re
import sys
import types
from collections.abc import Collection, Iterator
from typing import Any

import jax
import jax.numpy as jnp

from namedtensor._tensor import is_named

_INDEX = re.compile(r"s?/(\d+)(?=/|$)")
_WRAPPERS = ("value", "raw_value")  # nnx holds each array in a variable, whose field this is


def of_function(fun: Any, args: tuple[Any, ...]) -> Any:
    """The parameters that a function is known to have: of the module it is, or is a method of."""
    fun = unwrapped(fun)
    owner = fun.__self__ if isinstance(fun, types.MethodType) else fun
    if _is(owner, "flax.linen", "Module"):
        return args[0] if getattr(fun, "__name__", "") == "apply" and args else None
    return owner if _is(owner, "flax.nnx", "Module") or _is(owner, "equinox", "Module") else None


def unwrapped(fun: Any) -> Any:
    """The function that others only stand around: jax.jit, jax.vmap, functools.partial."""
    while not isinstance(fun, types.MethodType):  # which has the attributes of its function
        if isinstance(fun, functools.partial):
            fun = fun.func
        elif hasattr(fun, "__wrapped__"):
            fun = fun.__wrapped__
        else:
            break
    return fun


def _is(x: Any, package: str, kind: str) -> bool:
    return package in sys.modules and isinstance(x, getattr(sys.modules[package], kind))


def listed(params: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Path and array of each leaf; the state of random number generators is none."""
    for keys, leaf in jax.tree_util.tree_flatten_with_path(params, is_leaf=is_named)[0]:
        path = tuple(jax.tree_util.keystr((key,), simple=True) for key in keys)
        if len(path) > 1 and path[-1] in _WRAPPERS:
            path = path[:-1]
        array = leaf.array if is_named(leaf) else leaf
        if not hasattr(array, "shape") or jnp.issubdtype(array.dtype, jax.dtypes.prng_key):
            continue
        if "rngs" not in path:
            yield tuple(part for key in path for part in key.split("/")) or ("params",), leaf


def placed(path: tuple[str, ...], places: Collection[str]) -> str:
    """Where a parameter stands among the places: its own path, without what goes around the model.

    ``params/Dense_0/kernel`` of linen belongs to the place ``Dense_0``, ``conv1.bias`` to ``conv1``, and
    ``blocks/0/mlp`` to ``block0``, if that is what there is.
    """
    there = {_spelled(place): place for place in places}
    for text in ("/".join(path), "/".join(path[1:])):
        if (place := there.get(_spelled(text))) is not None:  # the weight of a place has its name
            return f"{place}/{path[-1].rpartition('.')[2]}"
        for i in sorted((i for i, c in enumerate(text) if c in "/."), reverse=True):
            if (place := there.get(_spelled(text[:i]))) is not None:
                return f"{place}/{text[i + 1 :]}"
    return "/".join(path)


def _spelled(path: str) -> str:
    """A path in one spelling for both ``blocks/0`` and ``block0``."""
    return _INDEX.sub(r"\1", path)
