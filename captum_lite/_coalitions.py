"""Coalitions: sets of features that are present while the baselines stand for all others."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from captum_lite._backend import compiled
from captum_lite._features import Features
from captum_lite._perturbation import score_dtype, scores
from captum_lite._problem import Problem, endpoints

LARGEST = 30  # features whose coalitions can be numbered

Distance = Callable[[Problem, Any, Any], Any]  # problem, changed inputs, flags -> [batch]


def coalition_scores(problem: Problem, features: Features, present: Any) -> Any:
    """The scores ``[coalitions, batch]`` of coalitions ``[coalitions, count]`` of flags."""
    return jax.vmap(lambda flags: scores(problem, features.present(flags, problem)))(present)


def ends(problem: Problem) -> tuple[Any, Any]:
    """The scores with no feature and with all of them, ``[batch]`` each."""
    dtype = score_dtype(problem)
    with_all, with_none = endpoints(problem)
    return with_none.astype(dtype), with_all.astype(dtype)


def by_number(numbers: Any, count: int) -> Any:
    """The coalitions whose flags are the bits of these numbers, ``[len(numbers), count]``."""
    return (numbers[:, None] >> np.arange(count, dtype=np.int32)[None]) & 1 == 1


def outside_in(count: int) -> np.ndarray:
    """All coalitions by number: none, all, those of one feature or all but one, and so on inwards.

    The few and the many weigh most in a Shapley value, so any first part of the list is a fair preview.
    A coalition stands beside what it leaves out; the pairs of one size come in random order.
    """
    half = np.arange(1 << max(count - 1, 0), dtype=np.int32)
    half = np.concatenate([half[:1], np.random.default_rng(0).permutation(half[1:])])
    sizes = by_number(half, count).sum(1)
    half = half[np.argsort(np.minimum(sizes, count - sizes), kind="stable")]
    return np.stack([half, (1 << count) - 1 - half], axis=1).astype(np.int32).reshape(-1)


class Evaluated(NamedTuple):
    """What is known of a list of coalitions after some of them.

    Attributes:
      scores: ``[coalitions, batch]``.
      distances: of the changed inputs from the inputs, ``[coalitions, batch]``; zeros without a distance.
      seen: how many coalitions have been evaluated, from the first on.
    """

    scores: Any
    distances: Any
    seen: int


def evaluated(
    problem: Problem, features: Features, present: Any, size: int, distance: Distance | None = None
) -> Iterator[Evaluated]:
    """The scores of the coalitions ``present``, ``size`` at a time."""
    n = present.shape[0]
    fill = -n % size
    present = jnp.concatenate([present, jnp.zeros((fill, features.count), bool)]) if fill else present
    known = jnp.zeros((2, n + fill, problem.batch), score_dtype(problem))
    for start in range(0, n, size):
        known = _filled(problem, features, present, known, np.int32(start), size=size, distance=distance)
        yield Evaluated(known[0, :n], known[1, :n], min(start + size, n))


@compiled(static_argnames=("size", "distance"))
def _filled(
    problem: Problem,
    features: Features,
    present: Any,
    known: Any,
    start: Any,
    *,
    size: int,
    distance: Distance | None,
) -> Any:
    """With the scores and distances of ``size`` further coalitions."""

    def one(flags: Any) -> Any:
        changed = features.present(flags, problem)
        found = scores(problem, changed).astype(known.dtype)
        apart = found * 0 if distance is None else distance(problem, changed, flags)
        return jnp.stack([found, apart.astype(known.dtype)])

    some = jax.lax.dynamic_slice_in_dim(present, start, size)
    return jax.lax.dynamic_update_slice_in_dim(known, jax.vmap(one, out_axes=1)(some), start, axis=1)
