"""Exact Shapley values: the fair share of each feature, from all coalitions."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from captum_lite._backend import compiled
from captum_lite._chunks import chunks
from captum_lite._coalitions import LARGEST, by_number, coalition_scores, outside_in
from captum_lite._estimate import Estimate
from captum_lite._features import Features, features, spread
from captum_lite._perturbation import PerturbationMethod, copies_at_once, score_dtype
from captum_lite._problem import Problem


@dataclass(frozen=True)
class ShapleyValues(PerturbationMethod):
    """``sum over S without i of |S|! (n - |S| - 1)! / n! * (v(S + i) - v(S))``, exactly.

    ``v(S)`` is the score with the features ``S`` of the input and the others of the baseline. The only
    values that are complete (they add up to ``score(x) - score(b)``), symmetric, additive, and 0 for a
    feature without effect. ``2^n`` evaluations for ``n`` features; give a ``feature_mask`` to have few.

    Options of `attribute`:
      feature_mask: which elements are one feature; as for `FeatureAblation`.
      max_evals: the largest ``2^n`` that is accepted.
      internal_batch_size: rows (examples times coalitions) evaluated at once; None chooses by memory.
      perturbations_per_eval: instead, copies of the batch (Captum's name).

    Raises:
      ValueError: more coalitions than ``max_evals``.

    Example:
      >>> import jax.numpy as jnp
      >>> from captum_lite import ShapleyValues
      >>> shapley = ShapleyValues(lambda x: x[:, 0] * x[:, 1] + x[:, 2])
      >>> shapley.attribute(jnp.array([[2.0, 3.0, 1.0]]), baselines=0.0)
      Array([[3., 3., 1.]], dtype=float32)

    Source: Shapley 1953, doi:10.1515/9781400881970-018; Štrumbelj, Kononenko 2010 (as an explanation).
    """

    def is_complete(self) -> bool:
        """The efficiency axiom."""
        return True

    def steps(
        self,
        problem: Problem,
        *,
        feature_mask: Any = None,
        max_evals: int = 1 << 20,
        internal_batch_size: int | None = None,
    ) -> Iterator[Estimate]:
        """One chunk of coalitions at a time, from the smallest and the largest inwards."""
        players = features(feature_mask, problem)
        _require_few(players.count, max_evals)
        numbers = outside_in(players.count)
        size = copies_at_once(problem, internal_batch_size, len(numbers))
        seen, known = 0, _nothing_seen(problem, players.count)
        for some, weights in chunks(size, numbers, np.ones(len(numbers), bool)):
            known, values = _evaluate(problem, players, known, some, weights, np.bool_(seen == 0))
            seen = min(seen + size, len(numbers))
            yield Estimate(
                spread(problem, players, values),
                seen / len(numbers),
                forwards=seen * problem.batch,
                features=players.shared(problem),
            )


class _Seen(NamedTuple):
    """Sums of the scores, less that of no feature, and their number.

    By the size of the coalition and by whether a feature is in it: ``[size, 2, count, batch]`` and
    ``[size, 2, count]``.
    """

    empty: Any
    sums: Any
    numbers: Any


def _nothing_seen(problem: Problem, n: int) -> _Seen:
    dtype, batch = score_dtype(problem), problem.batch
    by_size = (n + 1, 2, n)
    return _Seen(np.zeros(batch, dtype), np.zeros((*by_size, batch), dtype), np.zeros(by_size, dtype))


def _require_few(n: int, max_evals: int) -> None:
    if n > LARGEST or 1 << n > max_evals:
        there = f"2^{n}" if n > LARGEST else f"2^{n} = {1 << n}"
        raise ValueError(
            f"{n} features have {there} coalitions, more than max_evals={max_evals}: put features together "
            "(feature_mask=), or sample: ShapleyValueSampling or KernelShap."
        )


@compiled
def _evaluate(
    problem: Problem, players: Features, known: _Seen, numbers: Any, weights: Any, first: Any
) -> tuple[_Seen, Any]:
    """One chunk of coalitions: what is then known, and the values ``[count, batch]``."""
    n, dtype = players.count, known.sums.dtype
    present = by_number(numbers, n)
    scores = coalition_scores(problem, players, present).astype(dtype)
    empty = jnp.where(first, scores[0], known.empty)
    of_size = jax.nn.one_hot(present.sum(1), n + 1, dtype=dtype) * weights[:, None].astype(dtype)
    inside = jnp.stack([present, ~present], axis=1).astype(dtype)
    gains = scores - empty[None]
    sums = known.sums + jnp.einsum("ks,kip,kb->sipb", of_size, inside, gains, precision="highest")
    counts = known.numbers + jnp.einsum("ks,kip->sip", of_size, inside, precision="highest")
    return _Seen(empty, sums, counts), _values(sums, counts)


def _values(sums: Any, counts: Any) -> Any:
    """The Shapley values as differences of means, size by size.

    ``n * value = v(all) - v(none) + sum over sizes of (mean with i - mean without i)``, where the means are
    over coalitions of that size. Sizes that have not been seen count as no difference, so the values
    begin as equal shares; what the sizes seen by halves leave over is shared out.
    """
    means = sums / jnp.maximum(counts, 1)[..., None]
    both = ((counts[:, 0] > 0) & (counts[:, 1] > 0))[..., None]
    differences = jnp.where(both, means[:, 0] - means[:, 1], 0).sum(0)
    whole = means[-1, 0]
    return (whole + differences - differences.mean(0)[None]) / sums.shape[2]
