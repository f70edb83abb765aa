"""Integrated gradients: gradients along the straight path from the baseline to the input."""

from collections.abc import Iterator
from dataclasses import dataclass

from captum_lite._chunks import chunk_size, chunks
from captum_lite._estimate import Estimate
from captum_lite._gradient import gradient_sum_on_path
from captum_lite._inputs import Arrays
from captum_lite._method import GradientMethod
from captum_lite._problem import Problem
from captum_lite._quadrature import quadrature, spread_order


@dataclass(frozen=True)
class IntegratedGradients(GradientMethod):
    """``(x - b) * integral over a in [0, 1] of d score / d input at b + a (x - b)``.

    Complete: the attributions sum to ``score(x) - score(b)``, up to the quadrature. `explain` reports
    what is missing (``convergence_delta``), a lower bound on the error. ``n_steps`` gradient
    evaluations for each example, in chunks, so memory does not grow with them.

    Args:
      multiply_by_inputs: False leaves the factor ``x - b`` out (local attributions, no completeness).

    Options of `attribute`:
      n_steps: how many points on the path.
      method: ``"gausslegendre"``, ``"riemann_left"``, ``"riemann_middle"``, ``"riemann_right"``,
        ``"riemann_trapezoid"``, or Captum's biased ``"riemann_trapezoid_captum"``.
      internal_batch_size: rows (examples times points) evaluated at once; None chooses.

    Example:
      >>> import jax.numpy as jnp
      >>> from captum_lite import IntegratedGradients
      >>> ig = IntegratedGradients(lambda x: x[:, 0] * x[:, 1])
      >>> ig.attribute(jnp.array([[2.0, 3.0]]), baselines=0.0, n_steps=8).round(4)
      Array([[3., 3.]], dtype=float32)

    Source: Sundararajan, Taly, Yan 2017, arXiv:1703.01365.
    """

    multiply_by_inputs: bool = True

    def compares(self) -> bool:
        """Needs baselines."""
        return True

    def is_complete(self) -> bool:
        """With the factor ``x - b``."""
        return self.multiply_by_inputs

    def steps(
        self,
        problem: Problem,
        *,
        n_steps: int = 50,
        method: str = "gausslegendre",
        internal_batch_size: int | None = None,
    ) -> Iterator[Estimate]:
        """One chunk of the path at a time, each spread over the whole path."""
        nodes, weights = quadrature(method, n_steps)
        order = spread_order(len(nodes))
        size = chunk_size(problem, internal_batch_size)
        total: Arrays | None = None
        seen, covered = 0, 0.0
        for some_nodes, some_weights in chunks(size, nodes[order], weights[order]):
            part = gradient_sum_on_path(problem, some_nodes, some_weights)
            total = part if total is None else tuple(t + p for t, p in zip(total, part, strict=True))
            seen, covered = min(seen + size, len(nodes)), covered + some_weights.sum()
            # Before the end, the mean over what has been covered stands for the whole path.
            scale = 1.0 if seen == len(nodes) else weights.sum() / covered
            attributions = self._scaled(problem, total, scale)
            yield Estimate(attributions, seen / len(nodes), gradients=seen * problem.batch)

    def _scaled(self, problem: Problem, total: Arrays, scale: float) -> Arrays:
        baselines = problem.baselines
        assert baselines is not None, "it compares"
        if not self.multiply_by_inputs:
            return tuple((scale * t).astype(x.dtype) for t, x in zip(total, problem.inputs, strict=True))
        parts = zip(total, problem.inputs, baselines, strict=True)
        return tuple((scale * t * (x - b)).astype(x.dtype) for t, x, b in parts)
