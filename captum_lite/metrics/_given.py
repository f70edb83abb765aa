"""What every metric is given, checked once: axes, the method that explains, and scores of many copies."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from captum_lite._backend import compiled
from captum_lite._inputs import BATCH, Arrays
from captum_lite._method import AbstractMethod
from captum_lite._problem import Problem
from namedtensor._dims import unknown

score = compiled(lambda problem, inputs: problem.score(inputs))


@compiled
def scores(problem: Problem, inputs: Arrays) -> Any:
    """The scores of several copies of the inputs: ``[copies, batch, ...]`` to ``[copies, batch]``."""
    return jax.vmap(problem.score)(inputs)


def axes_of(over: Any, ndim: int, dims: Any, default: Any = None) -> tuple[int, ...]:
    """The axes (batch first) that ``over`` means.

    Args:
      over: dims (``"height width"`` or a sequence) of a named array, axes of a plain one; None is
        ``default``.
      ndim: of the array.
      dims: its names; None for a plain array.
      default: None is all axes but the batch.

    Raises:
      ValueError: a dim or an axis that is not there, or the batch.
    """
    over = default if over is None else over
    if over is None:
        return tuple(range(1, ndim))
    chosen = over.split() if isinstance(over, str) else over if isinstance(over, Sequence) else (over,)
    axes = tuple(_axis(d, ndim, dims) for d in chosen)
    if len(set(axes)) < len(axes) or not axes:
        raise ValueError(f"over={over!r}: give each dim or axis once, and at least one.")
    return axes


def _axis(d: Any, ndim: int, dims: Any) -> int:
    if dims is None:
        if not isinstance(d, int) or not (1 <= d < ndim or -ndim < d < 0):
            raise ValueError(f"over={d!r} is no axis of an array of {ndim} axes: give 1 to {ndim - 1}.")
        return d % ndim
    there = [name for name in dims if name != BATCH]
    if d not in there:
        raise ValueError(f"over={d!r}: {unknown(d, there)}")
    return dims.index(d)


def each(n: int, most: int) -> Iterator[np.ndarray]:
    """The numbers 0 to ``n - 1`` in pieces of about equal size, at most ``most``."""
    yield from np.array_split(np.arange(n), math.ceil(n / max(most, 1)))


def explainer(explanation_func: Any) -> Callable[..., Any]:
    """The function that explains: a method's `attribute`, or the function itself.

    Raises:
      TypeError: neither.
    """
    if isinstance(explanation_func, AbstractMethod):
        return explanation_func.attribute
    if not callable(explanation_func):
        raise TypeError(
            f"explanation_func is {type(explanation_func).__name__}: give a method, Saliency(f), "
            "or a function of the inputs that returns their attributions."
        )
    return explanation_func


def flat(arrays: Arrays) -> Any:
    """All numbers of each example: ``[batch, numbers]``, in float32 at least."""
    rows = [a.reshape(a.shape[0], -1) for a in arrays]
    return jnp.concatenate([r.astype(jnp.promote_types(r.dtype, jnp.float32)) for r in rows], axis=1)
