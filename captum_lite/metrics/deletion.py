"""Deletion and insertion: how the score goes as the features are taken away, or come, by attribution."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from captum_lite._backend import compiled
from captum_lite._chunks import chunk_size, chunks
from captum_lite._counting import counted
from captum_lite._fitting import fitting, shared_features
from captum_lite._inputs import Arrays
from captum_lite._problem import Problem, pose
from captum_lite.metrics._given import axes_of


class Curve(NamedTuple):
    """The scores as features go or come.

    Attributes:
      fractions: of the features that are gone (deletion) or there (insertion), ``[points]``, 0 to 1.
      scores: the explained number, ``[points, batch]``.
      auc: the area under the scores over the fractions (trapezoids), ``[batch]``.
    """

    fractions: Any
    scores: Any
    auc: Any


def deletion(
    fun: Callable[..., Any],
    inputs: Any,
    attributions: Any,
    baselines: Any = None,
    target: Any = None,
    additional_forward_args: Any = (),
    *,
    over: Any = None,
    steps: int | Sequence[float] = 20,
    least_first: bool = False,
    internal_batch_size: int | None = None,
) -> Curve:
    """The score as the features with the largest attributions go to the baseline. A small area is good.

    Costs one evaluation an example and step. Features with equal attributions go in storage order, so a
    map that is zero in most places says little about those. The scores of a classifier are best its
    probabilities: logits have no common scale.

    Args:
      fun: the explained function, as for the methods.
      inputs: as for `attribute`.
      attributions: what `attribute` returned, or a record.
      baselines: what stands where features are gone; None is zeros. A blurred image
        (`captum_lite.baselines.blurred`) leaves no edges.
      target: as for `attribute`.
      additional_forward_args: as for `attribute`.
      over: the dims (``"height width"``) or axes that a feature is one place of: attributions are summed
        over the others, and its numbers go together. None: each number is a feature.
      steps: how many steps of equal size, or the fractions themselves in rising order.
      least_first: take the smallest attributions first (then a large area is good).
      internal_batch_size: rows (examples times steps) evaluated at once; None chooses.

    Returns:
      A `Curve`: the fractions, the scores and the area.

    Raises:
      ValueError: attributions that do not fit, a dim that is not there, fractions out of order.

    Example:
      >>> import jax.numpy as jnp
      >>> from captum_lite import InputXGradient
      >>> from captum_lite.metrics import deletion
      >>> def f(x):
      ...     return x @ jnp.array([3.0, 1.0])
      >>> x = jnp.ones((1, 2))
      >>> deletion(f, x, InputXGradient(f).attribute(x), steps=2)
      Curve(fractions=Array([0. , 0.5, 1. ], dtype=float32),
            scores=Array([[4.], [1.], [0.]], dtype=float32), auc=Array([1.5], dtype=float32))

    Source: Petsiuk, Das, Saenko 2018, arXiv:1806.07421, section 4.1.
    """
    return _curve(
        (fun, inputs, attributions, baselines, target, additional_forward_args),
        over, steps, least_first, internal_batch_size, inserts=False,
    )  # fmt: skip


def insertion(
    fun: Callable[..., Any],
    inputs: Any,
    attributions: Any,
    baselines: Any = None,
    target: Any = None,
    additional_forward_args: Any = (),
    *,
    over: Any = None,
    steps: int | Sequence[float] = 20,
    least_first: bool = False,
    internal_batch_size: int | None = None,
) -> Curve:
    """The score as the features with the largest attributions come to the baseline. A large area is good.

    Arguments, cost and errors are those of `deletion`. The paper begins with a blurred image
    (`captum_lite.baselines.blurred`).

    Example:
      >>> import jax.numpy as jnp
      >>> from captum_lite import InputXGradient
      >>> from captum_lite.metrics import insertion
      >>> def f(x):
      ...     return x @ jnp.array([3.0, 1.0])
      >>> x = jnp.ones((1, 2))
      >>> insertion(f, x, InputXGradient(f).attribute(x), steps=2).auc
      Array([2.5], dtype=float32)

    Source: Petsiuk, Das, Saenko 2018, arXiv:1806.07421, section 4.1.
    """
    return _curve(
        (fun, inputs, attributions, baselines, target, additional_forward_args),
        over, steps, least_first, internal_batch_size, inserts=True,
    )  # fmt: skip


def _curve(
    asked: tuple[Any, ...],
    over: Any,
    steps: int | Sequence[float],
    least_first: bool,
    internal_batch_size: int | None,
    *,
    inserts: bool,
) -> Curve:
    fun, inputs, attributions, baselines, target, args = asked
    problem = pose(fun, inputs, baselines, target, args, compares=True, differentiates=False)
    values = fitting(attributions, problem.inputs, problem.layout)
    ndims = zip(values, problem.layout.dims, strict=True)
    axes = tuple(axes_of(over, a.ndim, dims) for a, dims in ndims)
    if (shared := shared_features(attributions, problem.layout)) is not None:
        values = tuple(_once(*each) for each in zip(values, shared, axes, strict=True))
    ranks, features = _ranks(values, axes, least_first)
    counts = np.round(_fractions(steps) * features).astype(np.int32)
    # (which of the two stands where the rank is small is the whole difference between the curves)
    ends = problem.inputs, problem.baselines
    first, rest = ends if inserts else ends[::-1]
    size = chunk_size(problem, internal_batch_size)
    rows = [_states(problem, first, rest, ranks, n) for n, _ in chunks(size, counts, np.ones(len(counts)))]
    scores = jnp.concatenate(rows)[: len(counts)]
    fractions = jnp.asarray(counts / features, jnp.promote_types(scores.dtype, jnp.float32))
    return Curve(fractions, scores, _area(fractions, scores))


def _fractions(steps: int | Sequence[float]) -> np.ndarray:
    if isinstance(steps, int):
        if steps < 1:
            raise ValueError(f"steps={steps}: give at least one step, or the fractions themselves.")
        return np.linspace(0, 1, steps + 1)
    fractions = np.asarray(steps, np.float64)
    if (
        fractions.ndim != 1
        or len(fractions) < 2
        or (np.diff(fractions) < 0).any()
        or not _in_range(fractions)
    ):
        raise ValueError(f"steps={steps!r}: give at least two fractions from 0 to 1 in rising order.")
    return fractions


def _in_range(fractions: np.ndarray) -> bool:
    return bool((fractions >= 0).all() and (fractions <= 1).all())


def _ranks(values: Arrays, axes: tuple[tuple[int, ...], ...], least_first: bool) -> tuple[Arrays, int]:
    """The place of each feature in the order of its example, for each input, and how many there are."""
    each = [_totals(a, kept) for a, kept in zip(values, axes, strict=True)]
    rows = jnp.concatenate([t.reshape(t.shape[0], -1) for t in each], axis=1)
    order = jnp.argsort(rows if least_first else -rows, axis=1, stable=True)
    ranks = jnp.argsort(order, axis=1)
    parts = jnp.split(ranks, np.cumsum([t[0].size for t in each])[:-1].tolist(), axis=1)
    return tuple(p.reshape(t.shape) for p, t in zip(parts, each, strict=True)), rows.shape[1]


def _once(values: Any, features: Any, kept: tuple[int, ...]) -> Any:
    """With 0 where a sum over the axes that are not kept has the feature already."""
    summed = tuple(k for k in range(1, values.ndim) if k not in kept)
    return jnp.where(counted(features, values.shape, summed), values, 0)


def _totals(values: Any, kept: tuple[int, ...]) -> Any:
    """Sums over the axes that are not kept, which stay with size 1."""
    summed = tuple(k for k in range(1, values.ndim) if k not in kept)
    wide = values.astype(jnp.promote_types(values.dtype, jnp.float32))
    return wide.sum(summed, keepdims=True)


@compiled
def _states(problem: Problem, first: Arrays, rest: Arrays, ranks: Arrays, counts: Any) -> Any:
    """The scores with the features of the smallest ranks from ``first``, ``[counts, batch]``."""

    def one(count: Any) -> Any:
        parts = zip(first, rest, ranks, strict=True)
        return problem.score(
            tuple(jnp.where(jnp.broadcast_to(r < count, a.shape), a, b) for a, b, r in parts)
        )

    return jax.vmap(one)(counts)


@jax.jit
def _area(fractions: Any, scores: Any) -> Any:
    widths = jnp.diff(fractions)
    return jnp.einsum("p,pb->b", widths, (scores[1:] + scores[:-1]) / 2)
