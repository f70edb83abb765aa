"""Perturbations that a user brings: recorded ones, and functions that are called once a sample."""

import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from captum_lite._inputs import Arrays
from namedtensor._errors import describe


def recorded(perturbation: Any, inputs: Arrays) -> Arrays:
    """Recorded perturbations as ``[samples, batch, ...]`` for each input.

    Raises:
      ValueError: another number of arrays than of inputs, or shapes that do not fit.
    """
    given = perturbation if isinstance(perturbation, tuple | list) else (perturbation,)
    if len(given) != len(inputs):
        raise ValueError(f"perturbation has {len(given)} arrays for {len(inputs)} inputs: give one for each.")
    cut = tuple(_by_sample(p, x) for p, x in zip(given, inputs, strict=True))
    if len({len(p) for p in cut}) > 1:
        raise ValueError(
            f"perturbation has {[len(p) for p in cut]} samples of the inputs: give equally many."
        )
    return cut


def _by_sample(perturbation: Any, x: Any) -> Any:
    array = jnp.asarray(perturbation)
    if array.shape[1:] == x.shape and len(array):
        return array
    samples, over = divmod(array.shape[0], len(x)) if array.ndim else (0, 0)
    if array.shape[1:] != x.shape[1:] or over or not samples:
        raise ValueError(
            f"perturbation is {describe(perturbation)} for an input {describe(x)}: give "
            "[samples, batch, ...] or [batch * samples, ...], as a plain array (the axes of a named input "
            "go in its own order, batch first)."
        )
    return jnp.swapaxes(array.reshape(len(x), samples, *x.shape[1:]), 0, 1)


def takes_key(fun: Callable[..., Any]) -> bool:
    """Whether a function has a parameter ``key``."""
    return "key" in inspect.signature(fun).parameters


def positional(fun: Callable[..., Any]) -> int:
    """How many arguments a function takes by position, without ``key``."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(p.kind in kinds for p in inspect.signature(fun).parameters.values() if p.name != "key")


def call(fun: Callable[..., Any], given: tuple[Any, ...], key: Any, number: Any) -> Any:
    """A user's function with a key of this sample, if it takes one."""
    return fun(*given, **({"key": jax.random.fold_in(key, number)} if takes_key(fun) else {}))
