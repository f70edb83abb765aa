"""KernelShap: Shapley values as a weighted least squares over coalitions."""

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from captum_lite._coalitions import LARGEST, Evaluated, by_number, ends, evaluated, outside_in
from captum_lite._estimate import Estimate
from captum_lite._features import features, laid_out, layout_of, shared_of
from captum_lite._least_squares import Model, models, require_solvable, shapley_regression
from captum_lite._perturbation import PerturbationMethod, copies_at_once
from captum_lite._problem import Problem


@dataclass(frozen=True)
class KernelShap(PerturbationMethod):
    """The additive model of the score over coalitions, weighted so that it has the Shapley values.

    ``minimise sum over S of k(S) (v(S) - v(none) - sum over i in S of values_i)^2`` with
    ``k(S) = (n - 1) / (C(n, |S|) |S| (n - |S|))``, exact for none and for all: so it is complete for any
    number of coalitions. Where ``n_samples`` reaches all ``2^n - 2`` of them they are enumerated, and the
    values are the exact ones; otherwise they are drawn in pairs with what each leaves out, and the record
    has standard errors. Costs ``n_samples + 2`` evaluations and the solution of ``n`` equations.

    Captum draws single coalitions, 25 by default, and gives the two ends a large finite weight.

    Options of `attribute`:
      feature_mask: which elements are one feature; as for `FeatureAblation`.
      n_samples: how many coalitions, rounded up to pairs; None is ``2 n + 2048``, as in SHAP.
      return_input_shape: False returns one value for each feature, ``[batch, feature]``.
      key: of the draws; ``jax.random.key(0)`` by default, so that a call can be repeated.
      internal_batch_size: rows (examples times coalitions) evaluated at once; None chooses by memory.
      perturbations_per_eval: instead, copies of the batch (Captum's name).

    Example:
      >>> import jax.numpy as jnp
      >>> from captum_lite import KernelShap
      >>> kernel = KernelShap(lambda x: x[:, 0] * x[:, 1] + x[:, 2])
      >>> kernel.attribute(jnp.array([[2.0, 3.0, 1.0]]), baselines=0.0).round(4)
      Array([[3., 3., 1.]], dtype=float32)

    Source: Lundberg, Lee 2017, arXiv:1705.07874; Covert, Lee 2021, arXiv:2012.01536 (pairs, errors).
    """

    def is_complete(self) -> bool:
        """By the constraint."""
        return True

    def steps(
        self,
        problem: Problem,
        *,
        feature_mask: Any = None,
        n_samples: int | None = None,
        return_input_shape: bool = True,
        key: Any = None,
        internal_batch_size: int | None = None,
    ) -> Iterator[Estimate]:
        """One chunk of coalitions at a time."""
        players = features(feature_mask, problem)
        n = require_solvable(players.count, "KernelShap")
        n_samples = 2 * n + 2048 if n_samples is None else n_samples
        if n_samples < 1:
            raise ValueError(f"n_samples={n_samples}: give at least one coalition.")
        exact = n <= LARGEST and n_samples >= (1 << n) - 2
        present, weights = _all(n) if exact else _drawn(key, -(-n_samples // 2), n)
        around = ends(problem)
        size = copies_at_once(problem, internal_batch_size, len(present))

        def fit(known: Evaluated) -> Model:
            pairs = known.seen // 2  # whole ones
            here = np.where(np.arange(len(present)) < 2 * pairs, weights, 0)
            values, errors = shapley_regression(present, known.scores, here, around)
            return Model(values, errors, known.seen)

        for seen, model in models(evaluated(problem, players, present, size), len(present), fit):
            sampled = not exact and model.coalitions // 2 > n
            yield Estimate(
                laid_out(problem, players, model.values, return_input_shape),
                seen / len(present),
                forwards=(seen + 2) * problem.batch,
                error_map=laid_out(problem, players, model.errors, return_input_shape) if sampled else None,
                layout=layout_of(problem, return_input_shape),
                features=shared_of(problem, players, return_input_shape),
            )


def _all(n: int) -> tuple[Any, np.ndarray]:
    """All coalitions but none and all, and the weight of each."""
    numbers = outside_in(n)
    present = by_number(numbers[2:] if n > 1 else numbers, n)  # (of one feature there are no others)
    kernel = [0, *((n - 1) / (math.comb(n, s) * s * (n - s)) for s in range(1, n)), 0]
    return jnp.asarray(present), np.array(kernel)[present.sum(1)]


def _drawn(key: Any, pairs: int, n: int) -> tuple[Any, np.ndarray]:
    """Random coalitions, each followed by what it leaves out; so drawn that all weigh the same."""
    key = jax.random.key(0) if key is None else key
    return _pairs(key, np.arange(pairs), n=n), np.ones(2 * pairs) / (2 * pairs)


@functools.partial(jax.jit, static_argnames="n")
def _pairs(key: Any, numbers: Any, *, n: int) -> Any:
    """A pair depends on its number alone. The sizes have the weights of the kernel, ``1 / (s (n - s))``."""
    sizes = np.arange(1, n)
    kernel = 1 / (sizes * (n - sizes))

    def one(number: Any) -> Any:
        of_size, of_members = jax.random.split(jax.random.fold_in(key, number))
        size = jax.random.choice(of_size, sizes, p=kernel / kernel.sum())
        members = jax.random.permutation(of_members, n) < size
        return jnp.stack([members, ~members])

    return jax.vmap(one)(numbers).reshape(-1, n)
