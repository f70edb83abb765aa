"""Integrated gradients: gradients along the straight path from the baseline to the input."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from captum_lite._adaptive import MAX_EVALS, RTOL, AdaptivePath
from captum_lite._chunks import chunk_size, chunks
from captum_lite._estimate import Estimate
from captum_lite._function_method import GradientMethod
from captum_lite._gradient import gradient_sum_on_path
from captum_lite._inputs import Arrays, is_concrete
from captum_lite._problem import Problem
from captum_lite._quadrature import quadrature, spread_order
from captum_lite._record import Attribution

_STEPS = 50


@dataclass(frozen=True)
class IntegratedGradients(GradientMethod):
    """``(x - b) * integral over a in [0, 1] of d score / d input at b + a (x - b)``.

    Complete: the attributions sum to ``score(x) - score(b)``, up to the quadrature. `explain` reports
    what is missing (``convergence_delta``), a lower bound on the error: the errors of single features
    cancel in that sum, and on networks with kinks (relu, max-pool) the true error is typically 9 times
    as large.

    `attribute` takes a fixed number of points, ``n_steps`` gradient evaluations for each example, in
    chunks, so memory does not grow with them; it can be traced. `explain` and `stream` are **adaptive**
    where neither ``n_steps`` nor ``method`` is given: they take as many points as the tolerance needs
    (typically 25 to 60), where the gradient changes, and the record says how large the error is:

    - ``error``: estimated total absolute error as a fraction of the total absolute attribution. In tests
      on random networks the true value was at most twice this in 98 to 100 % of finished runs; it is not
      a bound. What cannot be seen is a bump that rises and falls between two of the first 9 points.
    - ``error_map``: of each attribution; an indication.
    - ``status``: ``"converged"``, or ``"budget"`` where an example's evaluations ran out (with a warning).

    Every record of `stream` is a valid result, so one may stop at any; `path` keeps the points, and goes
    on to a smaller tolerance without repeating them.

    Args:
      multiply_by_inputs: False leaves the factor ``x - b`` out (local attributions, no completeness).

    Options of `attribute`:
      n_steps: how many points on the path, if that is fixed.
      method: ``"gausslegendre"``, ``"riemann_left"``, ``"riemann_middle"``, ``"riemann_right"``,
        ``"riemann_trapezoid"``, Captum's biased ``"riemann_trapezoid_captum"``, or ``"adaptive"``, which
        looks at values, so not under ``jax.jit`` or ``jax.vmap``.
      rtol: adaptive: the error to reach, as a fraction of the total absolute attribution; 0.01. Networks
        with kinks can take 300 to 1000 evaluations for 0.001.
      max_evals: adaptive: the most gradient evaluations for each example; 256. Their gradients are kept
        in memory, 4 GiB of them at most.
      internal_batch_size: rows (examples times points) evaluated at once; None chooses.

    Example:
      >>> import jax.numpy as jnp
      >>> from captum_lite import IntegratedGradients
      >>> ig = IntegratedGradients(lambda x: x[:, 0] * x[:, 1])
      >>> ig.attribute(jnp.array([[2.0, 3.0]]), baselines=0.0, n_steps=8).round(4)
      Array([[3., 3.]], dtype=float32)
      >>> record = ig.explain(jnp.array([[2.0, 3.0]]))
      >>> record.status, record.evaluations["gradient"], float(record.error[0]) < 0.01
      ('converged', 9, True)

    Source: Sundararajan, Taly, Yan 2017, arXiv:1703.01365.
    """

    multiply_by_inputs: bool = True
    _points: AdaptivePath | None = field(default=None, kw_only=True, repr=False)

    def compares(self) -> bool:
        """Needs baselines."""
        return True

    def is_complete(self) -> bool:
        """With the factor ``x - b``."""
        return self.multiply_by_inputs

    def shortfall(self, estimate: Estimate, options: dict[str, Any]) -> str:
        """Which examples, how far they came, and what to do."""
        rtol, most = _tolerance(options.get("rtol"), options.get("max_evals"))
        over = np.asarray(estimate.error) > rtol
        each = estimate.gradients // over.size
        early = ", where the gradients kept fill the memory for them, or nothing can be halved further"
        return (
            f"{over.sum()} of {over.size} examples did not reach rtol={rtol:g} in {each} gradient evaluations"
            f"{early if each < most - 8 else ''}: their estimated error is up to "
            f"{float(np.max(estimate.error)):.1%} of the total absolute attribution. Allow more "
            "(max_evals=1000), or take a larger rtol; networks with kinks (relu, max-pool) and steps on the "
            "path are costly."
        )

    def advice(self) -> str:
        """What to do where the attributions do not add up."""
        return "take more steps (n_steps=), or leave n_steps and method out: explain then takes enough"

    def explain_options(self, problem: Problem, options: dict[str, Any]) -> dict[str, Any]:
        """Adaptive, unless points are asked for, or values cannot be looked at."""
        asked = {"n_steps", "method"} & options.keys()
        if (asked or not is_concrete(problem)) and options.get("method") != "adaptive":
            return options
        known = {"method": "adaptive", "n_steps": None, "rtol": RTOL, "max_evals": MAX_EVALS}
        return known | {k: v for k, v in options.items() if v is not None}

    def steps(
        self,
        problem: Problem,
        *,
        n_steps: int | None = _STEPS,
        method: str = "gausslegendre",
        rtol: float | None = None,
        max_evals: int | None = None,
        internal_batch_size: int | None = None,
    ) -> Iterator[Estimate]:
        """One chunk of the path at a time, each spread over the whole path."""
        if method == "adaptive":
            points = self._points or self._begin(problem, n_steps, internal_batch_size)
            return points.refine(*_tolerance(rtol, max_evals))
        if rtol is not None or max_evals is not None:
            raise ValueError(
                f"rtol and max_evals belong to method='adaptive', and method={method!r} takes n_steps "
                "points: leave them out, or ask for method='adaptive'."
            )
        return self._fixed(problem, _STEPS if n_steps is None else n_steps, method, internal_batch_size)

    def path(
        self,
        inputs: Any,
        baselines: Any = None,
        target: Any = None,
        additional_forward_args: Any = (),
        *,
        internal_batch_size: int | None = None,
    ) -> "Path":
        """The path from the baselines to the inputs, to be explained to one tolerance after another.

        Arguments as for `explain`. What was evaluated for one tolerance is kept for the next:

        >>> import jax.numpy as jnp
        >>> from captum_lite import IntegratedGradients
        >>> path = IntegratedGradients(lambda x: jnp.exp(x).sum(1)).path(jnp.ones((1, 2)))
        >>> [path.explain(rtol=r).evaluations["gradient"] for r in (1e-2, 1e-3, 5e-3)]
        [9, 25, 25]
        """
        given = (inputs, baselines, target, additional_forward_args)
        problem = self.explained(self.pose(*given, {}))
        points = self._begin(problem, None, internal_batch_size)
        return Path(replace(self, _points=points), given)

    def configuration(self) -> dict[str, Any]:
        """The fields that are set, without the function."""
        return {k: v for k, v in super().configuration().items() if k != "_points"}

    def _begin(self, problem: Problem, n_steps: int | None, internal_batch_size: int | None) -> AdaptivePath:
        if not is_concrete(problem):
            raise ValueError(
                "method='adaptive' looks at values to choose its points, and under jax.jit, jax.vmap or a "
                "NoiseTunnel there are none: take a fixed number of points, n_steps=50."
            )
        if n_steps not in (None, _STEPS):
            raise ValueError(
                f"n_steps={n_steps} has no meaning for method='adaptive', which takes as many points as it "
                "needs: bound them with max_evals=, or choose their number and a fixed method."
            )
        return AdaptivePath(problem, self.multiply_by_inputs, internal_batch_size)

    def _fixed(
        self, problem: Problem, n_steps: int, method: str, internal_batch_size: int | None
    ) -> Iterator[Estimate]:
        nodes, weights = quadrature(method, n_steps)
        order = spread_order(len(nodes))
        size = chunk_size(problem, internal_batch_size)
        total: Arrays | None = None
        seen, covered = 0, 0.0
        for some_nodes, some_weights in chunks(size, nodes[order], weights[order]):
            part: Arrays = gradient_sum_on_path(problem, some_nodes, some_weights)
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


@dataclass(frozen=True)
class Path:
    """The path of some inputs (`IntegratedGradients.path`), which keeps the points that were evaluated."""

    method: IntegratedGradients
    given: tuple[Any, ...]

    def explain(self, *, rtol: float = RTOL, max_evals: int = MAX_EVALS, **how: Any) -> Attribution:
        """The record to a tolerance; with a smaller one later, it goes on where it stopped.

        Args:
          rtol: the error to reach, as a fraction of the total absolute attribution.
          max_evals: the most gradient evaluations for each example, those of earlier calls included.
          **how: ``show_progress`` and ``cancel``, as for `IntegratedGradients.explain`.

        Returns:
          The record; its evaluations are those of the path in all.
        """
        return self.method.explain(*self.given, rtol=rtol, max_evals=max_evals, **how)

    def stream(self, *, rtol: float = RTOL, max_evals: int = MAX_EVALS, **how: Any) -> Iterator[Attribution]:
        """Records that get better, from where the path is; arguments as for `explain`."""
        return self.method.stream(*self.given, rtol=rtol, max_evals=max_evals, **how)


def _tolerance(rtol: float | None, max_evals: int | None) -> tuple[float, int]:
    return RTOL if rtol is None else rtol, MAX_EVALS if max_evals is None else max_evals
