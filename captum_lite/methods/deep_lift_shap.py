"""DeepLiftShap: DeepLift against each baseline of a distribution."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from captum_lite._backend import compiled
from captum_lite._chunks import chunk_size, chunks
from captum_lite._distribution import AgainstDistribution
from captum_lite._estimate import Estimate
from captum_lite._gradient import weighted_sum
from captum_lite._inputs import Arrays
from captum_lite._problem import Problem, at_layer
from captum_lite.methods.deep_lift import difference, told


@dataclass(frozen=True)
class DeepLiftShap(AgainstDistribution):
    """The mean over baselines ``b_k`` of ``DeepLift(x, b_k)``: an approximation of SHAP values.

    The baselines are a distribution, some examples of a data set: each input is compared with each of
    them. Complete: the attributions sum to ``score(x) - mean over k of score(b_k)``. Costs two
    evaluations and one backward pass for each pair of an input and a baseline, in chunks, so memory does
    not grow with their number.

    Args:
      multiply_by_inputs: False leaves the factors ``x - b_k`` out.
      layer: what passes there is explained; what goes around it moves with the pair, as in `DeepLift`.

    Options of `attribute`:
      internal_batch_size: rows (inputs times baselines) evaluated at once; None chooses.

    The ``baselines`` of `attribute` are ``[n, ...]`` for each input (with the dim ``batch``, if named), of
    any number of rows ``n``.

    Example:
      >>> import jax.numpy as jnp
      >>> from captum_lite import DeepLiftShap
      >>> shap = DeepLiftShap(lambda x: x[:, 0] * x[:, 1])
      >>> shap.attribute(jnp.array([[2.0, 3.0]]), baselines=jnp.array([[0.0, 0.0], [0.0, 3.0]])).round(4)
      Array([[4.5, 1.5]], dtype=float32)

    Source: Lundberg, Lee 2017, arXiv:1705.07874.
    """

    def advice(self) -> str:
        """Where the missing part is to be found."""
        return "see the residuals of the record, or explain a layer that everything goes through"

    def explained(self, posed: Problem) -> Problem:
        """The inputs, or what passes at ``layer`` (where each baseline's own value is taken in turn)."""
        if self._here is None:
            return super().explained(posed)
        return super().explained(dataclasses.replace(posed, baselines=None))

    def steps(self, problem: Problem, *, internal_batch_size: int | None = None) -> Iterator[Estimate]:
        """One chunk of baselines at a time."""
        assert problem.baselines is not None, "it compares"
        n = problem.baselines[0].shape[0]
        size = min(n, chunk_size(problem, internal_batch_size))
        sums, seen = None, 0
        for numbers, weights in chunks(size, np.arange(n), np.ones(n)):
            part = _summed(problem, numbers, weights, self._here, self.multiply_by_inputs)
            sums = part if sums is None else jax.tree.map(jnp.add, sums, part)
            seen = min(seen + size, n)
            found, missed = jax.tree.map(lambda s, seen=seen: s / seen, sums)
            rows = seen * problem.batch
            more = (n - 1) * problem.batch  # scores of the baselines beside the first
            yield Estimate(found, seen / n, gradients=rows, forwards=rows + more, residuals=told(missed))


@compiled(static_argnums=(3, 4))
def _summed(
    posed: Problem, numbers: Any, weights: Any, layer: str | None, times_inputs: bool
) -> tuple[Arrays, dict[str, Any]]:
    """Sums over some baselines of the attributions and of what they miss."""
    distribution = posed.baselines
    assert distribution is not None, "it compares"

    def against(number: Any) -> tuple[Arrays, dict[str, Any]]:
        pairs = zip(distribution, posed.inputs, strict=True)
        rows = tuple(jnp.broadcast_to(b[number], x.shape) for b, x in pairs)
        one = dataclasses.replace(posed, baselines=rows)
        return difference(one, one if layer is None else at_layer(one, layer), layer, times_inputs)

    return jax.tree.map(lambda v: weighted_sum(weights, v).astype(v.dtype), jax.vmap(against)(numbers))
