"""What every metric is given, checked once: a problem, and attributions that fit its inputs."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from captum_lite._backend import compiled
from captum_lite._inputs import BATCH, Arrays, Layout, require_finite, unpack
from captum_lite._method import AbstractMethod
from captum_lite._problem import Problem
from captum_lite._record import Attribution
from namedtensor._dims import unknown
from namedtensor._errors import describe

score = compiled(lambda problem, inputs: problem.score(inputs))


@compiled
def scores(problem: Problem, inputs: Arrays) -> Any:
    """The scores of several copies of the inputs: ``[copies, batch, ...]`` to ``[copies, batch]``."""
    return jax.vmap(problem.score)(inputs)


def fitting(values: Any, inputs: Arrays, layout: Layout, what: str = "attribution") -> Arrays:
    """Attributions (or perturbed inputs) as arrays with the axes of the inputs.

    Args:
      values: a record, what `attribute` returns, or the like.
      inputs: batch first.
      layout: how they came.
      what: the values are, in messages.

    Raises:
      ValueError: another number of them than of inputs, other shapes or dims, or NaN.
    """
    arrays, given = unpack(values.attributions if isinstance(values, Attribution) else values)
    if len(arrays) != len(inputs):
        raise ValueError(f"there are {len(arrays)} {what}s for {len(inputs)} inputs: give one for each.")
    both = zip(arrays, given.dims, inputs, layout.dims, strict=True)
    fitted = tuple(_fit(a, d, x, names, f"{what} {i}") for i, (a, d, x, names) in enumerate(both))
    require_finite(fitted, f"the {what} of input")
    return fitted


def _fit(values: Any, dims: Any, x: Any, names: Any, what: str) -> Any:
    ordered = values
    if dims is not None and names is not None and set(dims) == set(names):
        ordered = jnp.transpose(values, [dims.index(d) for d in names])
    if (dims is None) != (names is None) or ordered.shape != x.shape:
        raise ValueError(
            f"{what} is {_shown(values, dims)} and its input is {_shown(x, names)}: they must have the "
            "same shape and dims (a layer's attributions go with the values there, coarse maps are resized)."
        )
    return ordered


def _shown(array: Any, dims: Any) -> str:
    return describe(Layout(True, (dims,)).restore((array,)))


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
