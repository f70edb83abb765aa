"""DeepLift: differences from a baseline, passed back through every operation."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from captum_lite._backend import compiled
from captum_lite._estimate import Estimate
from captum_lite._function_method import GradientMethod
from captum_lite._inputs import Arrays, is_concrete
from captum_lite._problem import Problem, endpoints
from captum_lite.rules.deeplift import multipliers
from namedtensor import replace


@dataclass(frozen=True)
class DeepLift(GradientMethod):
    """``m * (x - b)`` with multipliers ``m`` that pass differences, not derivatives, through each operation.

    The function runs at the inputs and at the baselines side by side. A function of one number, such as
    relu, passes ``(f(x) - f(b)) / (x - b)`` (the rescale rule); products, quotients, maxima, choices and
    sorting have exact rules of their own, so attention, gates, norms and loops are taken as they are
    written, functional or not. Complete: the attributions sum to ``score(x) - score(b)``. Costs two
    evaluations and one backward pass.

    A stop_gradient is passed like any identity, since nothing is differentiated. An operation without an
    exact rule is passed by its mean Jacobian between baselines and inputs; what that misses of each score
    stands in ``residuals`` of the record, by its place. What has no Jacobian (an argmax) has no credit,
    and its whole effect is such a residual.

    Args:
      multiply_by_inputs: False leaves the factor ``x - b`` out (the multipliers).
      layer: what passes there is explained. What goes around the layer moves from baselines to inputs
        too, so that the convergence delta says how much of the change goes around it.

    Options of `attribute`:
      rule: ``"rescale"``, the only one there is.

    Raises (when called):
      UnsupportedPrimitiveError: a while loop on what is explained, or an operation that JAX cannot
        differentiate; the message has the place in the source.

    Example:
      >>> import jax
      >>> import jax.numpy as jnp
      >>> from captum_lite import DeepLift
      >>> lift = DeepLift(lambda x: jax.nn.relu(x.sum(1) - 1))
      >>> lift.attribute(jnp.array([[2.0, 1.0]]), baselines=0.0).round(4)
      Array([[1.3333, 0.6667]], dtype=float32)

    Source: Shrikumar, Greenside, Kundaje 2017, arXiv:1704.02685; Ancona et al. 2018, arXiv:1711.06104.
    """

    multiply_by_inputs: bool = True

    def compares(self) -> bool:
        """Needs baselines."""
        return True

    def is_complete(self) -> bool:
        """With the factor ``x - b``."""
        return self.multiply_by_inputs

    def advice(self) -> str:
        """Where the missing part is to be found."""
        return "see the residuals of the record, or explain a layer that everything goes through"

    def endpoints(self, posed: Problem, problem: Problem) -> tuple[Any, Any]:
        """Of the whole function, also if a layer is explained."""
        return endpoints(posed)

    def estimates(
        self, posed: Problem, explained: Problem | None = None, **options: Any
    ) -> Iterator[Estimate]:
        """One backward pass."""
        _require_rule(**options)
        explained = self.explained(posed) if explained is None else explained
        attributions, missed = _attributions(posed, explained, self._here, self.multiply_by_inputs)
        yield Estimate(attributions, gradients=posed.batch, forwards=posed.batch, residuals=told(missed))

    def steps(self, problem: Problem, *, rule: str = "rescale") -> Iterator[Estimate]:
        """One backward pass, of a problem posed on what is explained."""
        return DeepLift(self.fun, multiply_by_inputs=self.multiply_by_inputs).estimates(problem, rule=rule)


def _require_rule(rule: str = "rescale") -> None:
    if rule != "rescale":
        raise ValueError(f"rule={rule!r} is not known: the rule of DeepLift is 'rescale'.")


def told(missed: dict[str, Any]) -> dict[str, Any]:
    """What is missed, without the places where nothing is (as far as values can be looked at)."""
    return {k: v for k, v in missed.items() if not is_concrete(v) or np.asarray(v).any()}


@compiled(static_argnums=(2, 3))
def _attributions(
    posed: Problem, explained: Problem, layer: str | None, times_inputs: bool
) -> tuple[Arrays, dict[str, Any]]:
    return difference(posed, explained, layer, times_inputs)


def difference(
    posed: Problem, explained: Problem, layer: str | None, times_inputs: bool
) -> tuple[Arrays, dict[str, Any]]:
    """The attributions of what is explained, and what they miss of each score."""
    assert posed.baselines is not None, "the method compares"
    assert explained.baselines is not None, "as posed"
    if layer is None:
        found, missed = multipliers(
            lambda *xs: posed.score(xs), posed.inputs, posed.baselines, fast=posed.fast
        )
    else:
        moving = (posed.inputs, posed.baselines)
        n = len(explained.inputs)

        def score(*arrays: Any) -> Any:
            put = replace(posed.output, {layer: explained.layout.restore(arrays[:n])})
            assert posed.target is not None, "pose() sets the target"
            return posed.target(put(arrays[n:]), posed.batch)

        found, missed = multipliers(score, explained.inputs, explained.baselines, moving, posed.fast)
    if not times_inputs:
        return found, missed
    parts = zip(found, explained.inputs, explained.baselines, strict=True)
    return tuple(m * (x - b) for m, x, b in parts), missed
