"""The abstract attribution method: everything that all methods share, so that each is one short file.

A method is a generator of ever better estimates (`AbstractMethod.steps`). `attribute` returns the
last one, `explain` makes a record of it, `stream` hands all of them out; progress, cancelling and
interrupts belong to the loop over them and are written once.
"""

import difflib
import inspect
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import jax.numpy as jnp
import numpy as np

from captum_lite import _baselines
from captum_lite._counting import total
from captum_lite._estimate import Estimate, total_error
from captum_lite._inputs import Arrays, Layout, is_concrete, require_finite
from captum_lite._problem import Problem, endpoints, pose
from captum_lite._progress import Progress, reporter
from captum_lite._record import GAP_TOLERANCE, Attribution, IncompleteWarning
from captum_lite._warning import warn

_POSED = "in the problem"
_ROUNDINGS = 16  # roundings of an output that a gap may be made of, in a model of some layers


class AbstractMethod:
    """An attribution method: `GradientMethod`, or one that wraps another method."""

    fun: Callable[..., Any]

    def steps(self, problem: Problem) -> Iterator[Estimate]:
        """Estimates, each better than the last. Keyword-only parameters are the method's options."""
        raise NotImplementedError(type(self).__name__)

    def explained(self, posed: Problem) -> Problem:
        """The problem of what is explained: the inputs, or what passes at a layer."""
        return posed

    def estimates(
        self, posed: Problem, explained: Problem | None = None, **options: Any
    ) -> Iterator[Estimate]:
        """The steps for a problem posed on the inputs; ``explained``, if it is known already."""
        return self.steps(self.explained(posed) if explained is None else explained, **options)

    def compares(self) -> bool:
        """Whether the method needs baselines."""
        return False

    def fit_baselines(self, baselines: Any, inputs: Arrays, layout: Layout) -> Arrays:
        """What the user gave as baselines, as checked arrays; by default of the inputs' shapes."""
        return _baselines.unpack(baselines, inputs, layout)

    def endpoints(self, posed: Problem, problem: Problem) -> tuple[Any, Any]:
        """The explained number at the inputs and at the baselines, whose difference is to be attributed."""
        return endpoints(problem)

    def is_complete(self) -> bool:
        """Whether the attributions should sum to the difference of the scores."""
        return False

    def absorbs(self) -> bool:
        """Whether constants of the function keep a part of the score, so that a delta is no error."""
        return False

    def delta(self, estimate: Estimate, at_input: Any, at_baseline: Any) -> Any:
        """How far the attributions are from adding up, ``[batch]``."""
        return _delta(estimate, at_input, at_baseline)

    def scores(self) -> bool:
        """Whether one number of the output is explained, so that a target must choose it."""
        return True

    def differentiates(self) -> bool:
        """Whether the explained number must have a gradient."""
        return True

    def advice(self) -> str:
        """What to do where the attributions do not add up."""
        return "take more steps (n_steps=)"

    def shortfall(self, estimate: Estimate, options: dict[str, Any]) -> str:
        """What to say where the evaluations ran out before the tolerance was reached (status "budget")."""
        return (
            "the evaluations ran out before the tolerance was reached: the largest estimated error is "
            f"{float(jnp.max(estimate.error)):.1%} of the total absolute attribution."
        )

    def explain_options(self, problem: Problem, options: dict[str, Any]) -> dict[str, Any]:
        """The options with which `explain` and `stream` run: those given, and what evidence takes."""
        return options

    def defaults(self) -> dict[str, Any]:
        """The method's options with their defaults: the keyword-only parameters of `steps`."""
        parameters = inspect.signature(self.steps).parameters.values()
        return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}

    def configuration(self) -> dict[str, Any]:
        """What the method was made with, for the record."""
        return {}

    def unbound(self) -> "AbstractMethod":
        """The method without its function, which is hashable."""
        raise NotImplementedError(type(self).__name__)

    def attribute(
        self,
        inputs: Any,
        baselines: Any = None,
        target: Any = None,
        additional_forward_args: Any = (),
        *,
        return_convergence_delta: bool = False,
        show_progress: Progress = False,
        cancel: threading.Event | None = None,
        **options: Any,
    ) -> Any:
        """The attributions of the inputs.

        Works under ``jax.jit``, ``jax.vmap`` and other transformations; checks that look at values are
        made only where there are any.

        Args:
          inputs: an array ``[batch, ...]``, a `NamedTensor` with the dim ``batch``, or a tuple of them.
          baselines: what the inputs are compared with, for methods that do: None (zeros), a number, or
            for each input a tensor of its shape or of one example.
          target: which output: an integer, integers ``[batch]``, a tuple for outputs of several axes,
            ``{"class": 3}`` for named outputs, or a function of the output.
          additional_forward_args: further arguments of the function, passed on as they are.
          return_convergence_delta: return also the sum of the attributions less the difference of the
            outputs, ``[batch]``.
          show_progress: True for a bar, or a function called with the fraction done.
          cancel: when set, stops after the current step; what is there is returned, with a warning.
          **options: see the method.

        Returns:
          Attributions of the structure, shapes and dims of ``inputs``; with
          ``return_convergence_delta`` a pair of them and the delta.

        Raises:
          ValueError: an output without a batch, baselines or a target that do not fit, NaN anywhere.
          IndexError: a target out of range.
          TypeError: integer inputs, or an option that the method does not have.
        """
        if return_convergence_delta and not (self.is_complete() or self.absorbs()):
            raise ValueError(
                f"{type(self).__name__} is not complete, so it has no convergence delta: "
                "leave return_convergence_delta out."
            )
        posed = self.pose(inputs, baselines, target, additional_forward_args, options)
        problem = self.explained(posed)
        run = self._run(posed, problem, options, show_progress, cancel)
        estimate, status = deque(run, maxlen=1).pop()  # the last; the others need not be kept
        if status == "stopped":
            warn(
                f"stopped after {estimate.done:.0%}: the attributions are a partial result.",
                IncompleteWarning,
            )
        self._require_finite_result(problem, estimate)
        if estimate.status == "budget":
            warn(self.shortfall(estimate, options), IncompleteWarning)
        result = (estimate.layout or problem.layout).restore(estimate.attributions)
        return (
            (result, self.delta(estimate, *self.endpoints(posed, problem)))
            if return_convergence_delta
            else result
        )

    def explain(
        self,
        inputs: Any,
        baselines: Any = None,
        target: Any = None,
        additional_forward_args: Any = (),
        *,
        show_progress: Progress = False,
        cancel: threading.Event | None = None,
        **options: Any,
    ) -> Attribution:
        """The attributions with their evidence; arguments as for `attribute`.

        Warns:
          IncompleteWarning: the completeness gap is over 1 % of the total absolute attribution.
        """
        posed = self.pose(inputs, baselines, target, additional_forward_args, options)
        problem = self.explained(posed)
        options = self.explain_options(problem, options)
        ends = self.endpoints(posed, problem)
        run = self._run(posed, problem, options, show_progress, cancel)
        estimate, status = deque(run, maxlen=1).pop()  # the last; the others need not be kept
        record = self._record(problem, estimate, status, ends, target, options)
        if record.status == "stopped":
            warn("stopped before its end: the record is a partial result.", IncompleteWarning)
        elif record.status == "budget":
            warn(self.shortfall(estimate, options), IncompleteWarning)
        elif record.status != "converged" and not self.absorbs() and _misses(record):
            warn(
                f"the attributions miss the difference of the outputs by {float(record.gap.max()):.1%} "
                f"of their total: {self.advice()}.",
                IncompleteWarning,
            )
        return record

    def stream(
        self,
        inputs: Any,
        baselines: Any = None,
        target: Any = None,
        additional_forward_args: Any = (),
        *,
        show_progress: Progress = False,
        cancel: threading.Event | None = None,
        **options: Any,
    ) -> Iterator[Attribution]:
        """Records that get better, the last one as `explain` returns it; arguments as for `attribute`."""
        posed = self.pose(inputs, baselines, target, additional_forward_args, options)
        problem = self.explained(posed)
        options = self.explain_options(problem, options)
        ends = self.endpoints(posed, problem)
        run = self._run(posed, problem, options, show_progress, cancel)
        # a generator would see a bad argument only when its first record is asked for
        return (self._record(problem, e, status, ends, target, options) for e, status in run)

    def pose(self, inputs: Any, baselines: Any, target: Any, args: Any, options: dict[str, Any]) -> Problem:
        """The checked problem of a call."""
        self._check_options(options)
        if baselines is not None and not self.compares():
            raise ValueError(
                f"{type(self).__name__} compares with no baseline: leave baselines out. "
                "(A target is given by name: target=3.)"
            )
        fun, target, args = self._asked(target, args)
        return pose(
            fun,
            inputs,
            baselines,
            target,
            args,
            compares=self.compares(),
            scores=self.scores(),
            differentiates=self.differentiates(),
            fit_baselines=self.fit_baselines,
        )

    def _asked(self, target: Any, args: Any) -> tuple[Callable[..., Any], Any, Any]:
        """The function whose output is explained, the target in it, and its further arguments."""
        return self.fun, target, args

    def _check_options(self, options: dict[str, Any]) -> None:
        known = self.defaults()
        for name in options:
            if name not in known:
                close = difflib.get_close_matches(name, known, n=1)
                hint = f" Did you mean {close[0]!r}?" if close else ""
                there = ", ".join(known) or "none"
                raise TypeError(f"{type(self).__name__} has no option {name!r}; there are: {there}.{hint}")

    def _run(
        self,
        posed: Problem,
        problem: Problem,
        options: dict[str, Any],
        show_progress: Progress,
        cancel: threading.Event | None,
    ) -> Iterator[tuple[Estimate, str]]:
        """The estimates with their status, through progress, cancelling and interrupts."""
        report = reporter(show_progress, type(self).__name__)
        estimate = None
        try:
            for estimate in self.estimates(posed, problem, **options):
                report(estimate.done)
                stopped = cancel is not None and cancel.is_set() and estimate.done < 1
                yield estimate, "stopped" if stopped else "finished" if estimate.done >= 1 else "partial"
                if stopped:
                    return
        except KeyboardInterrupt:
            if estimate is None:
                raise
            yield estimate, "finished" if estimate.done >= 1 else "stopped"

    def _record(
        self,
        problem: Problem,
        estimate: Estimate,
        status: str,
        ends: tuple[Any, Any],
        target: Any,
        options: dict[str, Any],
    ) -> Attribution:
        self._require_finite_result(problem, estimate)
        inputs = problem.layout.restore
        restore = (estimate.layout or problem.layout).restore
        return Attribution(
            attributions=restore(estimate.attributions),
            inputs=inputs(problem.inputs),
            baselines=None if problem.baselines is None else inputs(problem.baselines),
            target=target,
            prediction=ends[0],
            baseline_prediction=ends[1],
            convergence_delta=self.delta(estimate, *ends) if self.is_complete() or self.absorbs() else None,
            error=total_error(estimate),
            error_map=None if estimate.error_map is None else restore(estimate.error_map),
            samples=estimate.samples,
            features=None if estimate.features is None else restore(estimate.features),
            residuals=estimate.residuals or {},
            status=(estimate.status or status) if status == "finished" else status,
            evaluations={
                "forward": estimate.forwards + problem.batch * (1 + self.compares()),
                "gradient": estimate.gradients,
            },
            method=type(self).__name__,
            arguments={**self.configuration(), **self.defaults(), **options},
        )

    def _require_finite_result(self, problem: Problem, estimate: Estimate) -> None:
        """Say where it comes from if the result is not finite (only where values can be looked at)."""
        values = estimate.attributions
        if not is_concrete(values) or all(np.isfinite(np.asarray(v, np.float64)).all() for v in values):
            return
        endpoints(problem)  # the output itself, at the inputs or at the baselines
        try:
            require_finite(values, "the attribution of input")
        except ValueError as error:
            raise ValueError(
                f"{error} The model's output is finite and its gradient is not (or, on the path or under "
                "noise, neither is): look for sqrt or log at 0 and division by 0, also behind jnp.where."
            ) from None


def _misses(record: Attribution) -> bool:
    """Whether the gap is worth a warning: over the tolerance, and over what rounding explains."""
    if record.gap is None or not is_concrete(record.gap):
        return False
    outputs = jnp.abs(record.prediction) + jnp.abs(record.baseline_prediction)
    rounding = _ROUNDINGS * jnp.finfo(outputs.dtype).eps * outputs
    return bool(((record.gap > GAP_TOLERANCE) & (jnp.abs(record.convergence_delta) > rounding)).any())


def _delta(estimate: Estimate, at_input: Any, at_baseline: Any) -> Any:
    return total(estimate.attributions, estimate.features) - (at_input - at_baseline)
