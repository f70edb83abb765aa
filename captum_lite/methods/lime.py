"""LIME: a linear model of the score near the input, in terms of which features are there."""

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from captum_lite._coalitions import LARGEST, Evaluated, by_number, evaluated
from captum_lite._estimate import Estimate
from captum_lite._features import features, laid_out, layout_of, shared_of
from captum_lite._inputs import Arrays
from captum_lite._least_squares import Model, lasso, models, require_solvable, ridge
from captum_lite._perturbation import PerturbationMethod, copies_at_once
from captum_lite._problem import Problem
from namedtensor._errors import describe

_PENALTIES = {"ridge": ridge, "lasso": lasso}


@dataclass(frozen=True)
class Lime(PerturbationMethod):
    """The linear model of the score over coalitions that fits best near the input.

    ``minimise mean over S of w(S) (v(S) - c - sum over i in S of values_i)^2 / 2 + penalty``, where each
    feature is present in a random half of the coalitions and ``w = exp(-d^2 / (2 kernel_width^2))`` of the
    distance from the input. Where ``n_samples`` reaches all ``2^n`` coalitions they are enumerated. Not
    complete. Costs ``n_samples`` evaluations and the solution of ``n`` equations for each example.

    The default is LIME's own: a ridge, on the distance between coalitions. Captum's is
    ``penalty="lasso", alpha=0.01, distance="cosine", kernel_width=1.0, n_samples=25``.

    Options of `attribute`:
      feature_mask: which elements are one feature; as for `FeatureAblation`.
      n_samples: how many coalitions.
      distance: ``"features"``, ``1 - sqrt(fraction of features present)``; ``"cosine"`` or
        ``"euclidean"`` between the inputs and the changed inputs; or a function of both that returns
        ``[batch]``.
      kernel_width: the distance at which the weight has fallen to 0.61.
      penalty: ``"ridge"``, ``alpha |values|^2 / 2``, or ``"lasso"``, ``alpha |values|_1``, which makes
        small values 0.
      alpha: how strong it is; the values shrink by about ``1 / (1 + 4 alpha)``, or by ``4 alpha``.
      return_input_shape: False returns one value for each feature, ``[batch, feature]``.
      key: of the draws; ``jax.random.key(0)`` by default, so that a call can be repeated.
      internal_batch_size: rows (examples times coalitions) evaluated at once; None chooses by memory.
      perturbations_per_eval: instead, copies of the batch (Captum's name).

    Example:
      >>> import jax.numpy as jnp
      >>> from captum_lite import Lime
      >>> lime = Lime(lambda x: x[:, 0] * x[:, 1] + x[:, 2])
      >>> lime.attribute(jnp.array([[2.0, 3.0, 1.0]]), kernel_width=10.0, alpha=0.0).round(2)
      Array([[3., 3., 1.]], dtype=float32)

    Source: Ribeiro, Singh, Guestrin 2016, arXiv:1602.04938.
    """

    def steps(
        self,
        problem: Problem,
        *,
        feature_mask: Any = None,
        n_samples: int = 1024,
        distance: str | Callable[[Any, Any], Any] = "features",
        kernel_width: float = 0.25,
        penalty: str = "ridge",
        alpha: float = 1e-3,
        return_input_shape: bool = True,
        key: Any = None,
        internal_batch_size: int | None = None,
    ) -> Iterator[Estimate]:
        """One chunk of coalitions at a time."""
        _require(n_samples, distance, kernel_width, penalty, alpha)
        players = features(feature_mask, problem)
        n = require_solvable(players.count, "Lime")
        exact = n <= LARGEST and n_samples >= 1 << n
        present = _all(n) if exact else _drawn(key, n_samples, n)
        size, apart = copies_at_once(problem, internal_batch_size, len(present)), _distance(distance)

        def fit(known: Evaluated) -> Model:
            weights = _weights(known.distances, np.int32(known.seen), kernel_width)
            values, errors = _PENALTIES[penalty](present, known.scores, weights, alpha)
            return Model(values, errors, known.seen)

        for seen, model in models(evaluated(problem, players, present, size, apart), len(present), fit):
            sampled = not exact and penalty == "ridge" and model.coalitions > n
            yield Estimate(
                laid_out(problem, players, model.values, return_input_shape),
                seen / len(present),
                forwards=seen * problem.batch,
                error_map=laid_out(problem, players, model.errors, return_input_shape) if sampled else None,
                layout=layout_of(problem, return_input_shape),
                features=shared_of(problem, players, return_input_shape),
            )


def _require(n_samples: int, distance: Any, kernel_width: float, penalty: str, alpha: float) -> None:
    if n_samples < 1:
        raise ValueError(f"n_samples={n_samples}: give at least one coalition.")
    if not callable(distance) and distance not in _DISTANCES:
        known = ", ".join(map(repr, _DISTANCES))
        raise ValueError(f"distance={distance!r} is not known: choose one of {known}, or give a function.")
    if not kernel_width > 0:
        raise ValueError(f"kernel_width={kernel_width}: give a positive number.")
    if penalty not in _PENALTIES:
        raise ValueError(f"penalty={penalty!r} is not known: choose one of 'ridge', 'lasso'.")
    if alpha < 0:
        raise ValueError(f"alpha={alpha}: a penalty is positive, or 0 for none.")


def _all(n: int) -> Any:
    """All coalitions, in random order."""
    return by_number(jnp.asarray(np.random.default_rng(0).permutation(1 << n).astype(np.int32)), n)


def _drawn(key: Any, n_samples: int, n: int) -> Any:
    """Coalitions of a random half of the features."""
    return _flags(jax.random.key(0) if key is None else key, np.arange(n_samples), n=n)


@functools.partial(jax.jit, static_argnames="n")
def _flags(key: Any, numbers: Any, *, n: int) -> Any:
    return jax.vmap(lambda k: jax.random.bernoulli(jax.random.fold_in(key, k), shape=(n,)))(numbers)


@jax.jit
def _weights(distances: Any, seen: Any, width: Any) -> Any:
    """The weight of each coalition for each example, up to a factor; 0 for those not evaluated."""
    there = (jnp.arange(len(distances)) < seen)[:, None]
    squares = jnp.where(there, distances**2, jnp.inf)
    return jnp.exp(-(squares - squares.min(0)[None]) / (2 * width**2))


def _of_features(problem: Problem, changed: Arrays, flags: Any) -> Any:
    """One less the cosine between the flags and those of the input, which are all 1."""
    return jnp.full(problem.batch, 1 - jnp.sqrt(flags.astype(float).mean()))


def _cosine(problem: Problem, changed: Arrays, flags: Any) -> Any:
    x, y = _flat(problem.inputs), _flat(changed)
    lengths = jnp.linalg.norm(x, axis=1) * jnp.linalg.norm(y, axis=1)
    return 1 - jnp.einsum("bi,bi->b", x, y, precision="highest") / jnp.maximum(lengths, 1e-8)


def _euclidean(problem: Problem, changed: Arrays, flags: Any) -> Any:
    return jnp.linalg.norm(_flat(problem.inputs) - _flat(changed), axis=1)


def _flat(arrays: Arrays) -> Any:
    """All inputs of an example in one row."""
    return jnp.concatenate([a.reshape(a.shape[0], -1).astype(float) for a in arrays], axis=1)


_DISTANCES = {"features": _of_features, "cosine": _cosine, "euclidean": _euclidean}


@dataclass(frozen=True)
class _Given:
    """A distance of the user's, between inputs as the user gave them."""

    distance: Callable[[Any, Any], Any]

    def __call__(self, problem: Problem, changed: Arrays, flags: Any) -> Any:
        restore = problem.layout.restore
        apart = self.distance(restore(problem.inputs), restore(changed))
        if getattr(apart, "shape", None) != (problem.batch,):
            raise ValueError(
                f"the distance function returned {describe(apart)}: it must return one number for each of "
                f"{problem.batch} examples."
            )
        return apart


def _distance(distance: Any) -> Any:
    return _Given(distance) if callable(distance) else _DISTANCES[distance]
