"""Feature permutation: the change of the output when a feature is taken from other examples of the batch."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from captum_lite._ablation import ablated
from captum_lite._estimate import Estimate
from captum_lite._features import Features, features
from captum_lite._inputs import Arrays
from captum_lite._mean import Mean, mean_of
from captum_lite._perturbation import PerturbationMethod
from captum_lite._problem import Problem


@dataclass(frozen=True)
class FeaturePermutation(PerturbationMethod):
    """``score(x) - score(x with feature i shuffled over the batch)``, for each feature ``i`` and example.

    What is put in place of a feature has its own distribution, so no baseline is chosen; the mean over the
    batch is the permutation importance of the feature. Each example depends on the others of its batch,
    of which there must be two at least. Costs ``n + 1`` evaluations for ``n`` features, ``n_samples`` times.

    Options of `attribute`:
      feature_mask: which elements are one feature; as for `FeatureAblation`.
      n_samples: how often each feature is shuffled; the record has the standard error if more than once.
      key: of the shuffles; ``jax.random.key(0)`` by default, so that a call can be repeated.
      internal_batch_size: rows (examples times features) evaluated at once; None chooses by memory.
      perturbations_per_eval: instead, copies of the batch (Captum's name).

    Raises:
      ValueError: a batch of one example.

    Example:
      >>> import jax.numpy as jnp
      >>> from captum_lite import FeaturePermutation
      >>> permutation = FeaturePermutation(lambda x: 3 * x[:, 0])
      >>> permutation.attribute(jnp.array([[1.0, 5.0], [2.0, 7.0]]))
      Array([[-3.,  0.],
             [ 3.,  0.]], dtype=float32)

    Source: Breiman 2001, doi:10.1023/A:1010933404324; Fisher, Rudin, Dominici 2019, arXiv:1801.01489.
    """

    def compares(self) -> bool:
        """The other examples stand for baselines."""
        return False

    def steps(
        self,
        problem: Problem,
        *,
        feature_mask: Any = None,
        n_samples: int = 1,
        key: Any = None,
        internal_batch_size: int | None = None,
    ) -> Iterator[Estimate]:
        """One chunk of features at a time, one shuffle after the other."""
        if problem.batch < 2:
            raise ValueError(
                "FeaturePermutation takes a feature from other examples and the batch has one: give more, "
                "or take FeatureAblation with a baseline."
            )
        if n_samples < 1:
            raise ValueError(f"n_samples={n_samples}: shuffle at least once.")
        parts, keys = features(feature_mask, problem), _keys(key, n_samples)
        known = None
        for seen in range(n_samples):
            for one in ablated(problem, _Shuffled(parts, keys[seen]), internal_batch_size):
                draws = seen + (one.done == 1)
                if draws > seen:
                    once = _once(one.attributions)
                    known = once if known is None else known.with_(once)
                done = (seen + one.done) / n_samples
                yield Estimate(
                    one.attributions if known is None else known.mean,
                    done,
                    forwards=round(done * n_samples * (parts.count + 1)) * problem.batch,
                    error_map=None if known is None else known.standard_error(draws),
                    samples=draws or None,
                    features=one.features,
                )


def _keys(key: Any, n: int) -> Any:
    return jax.random.split(jax.random.key(0) if key is None else key, n)


@jax.jit
def _once(values: Arrays) -> Mean:
    """One shuffle of each feature as one draw."""
    return mean_of(tuple(v[None] for v in values), jnp.ones(1))


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class _Shuffled:
    """Features that are replaced by themselves in another example."""

    features: Features
    key: Any

    @property
    def count(self) -> int:
        """How many features there are."""
        return self.features.count

    def mask(self, number: Any) -> Arrays:
        """Which elements belong to a feature."""
        return self.features.mask(number)

    def shared(self, problem: Problem) -> Arrays | None:
        """Which elements belong to the same feature."""
        return self.features.shared(problem)

    def replacement(self, problem: Problem, number: Any) -> Arrays:
        """The examples in another order; never in the same."""
        batch = jnp.arange(problem.batch)
        order = jax.random.permutation(jax.random.fold_in(self.key, number), problem.batch)
        order = jnp.where((order == batch).all(), jnp.roll(order, 1), order)
        return tuple(x[order] for x in problem.inputs)
