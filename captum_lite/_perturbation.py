"""Methods that change the inputs and look at what the function then returns: it needs no gradient.

What they share: they compare with baselines, take integers and functions of steps, and evaluate many
changed copies of the inputs in one compiled call, as many as memory allows.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from captum_lite._backend import compiled
from captum_lite._chunks import chunk_size
from captum_lite._estimate import Estimate
from captum_lite._function_method import FunctionMethod
from captum_lite._inputs import Arrays, Layout, is_concrete
from captum_lite._problem import Problem, endpoints, in_floats
from namedtensor import is_named
from namedtensor._errors import describe
from namedtensor.interpreter import compat

_COPIES = 1024  # beyond it nothing is gained, and a step takes too long to show progress
# of the largest value inside the function: about what stays in the cache of a CPU
_BYTES = {"cpu": 8 << 20}
_BYTES_ELSEWHERE = 256 << 20

_UNTRACEABLE = (
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
    jax.errors.ConcretizationTypeError,
)


@dataclass(frozen=True)
class PerturbationMethod(FunctionMethod):
    """A method that evaluates a function on changed inputs.

    The function may return integers or flags, and the inputs may be integers (tokens): attributions are
    then floating-point numbers.
    """

    def compares(self) -> bool:
        """What is taken away is replaced by a baseline."""
        return True

    def differentiates(self) -> bool:
        """Nothing is."""
        return False

    def advice(self) -> str:
        """Those that are complete are so by construction, up to rounding."""
        return "does the function return the same values for the same inputs in each call?"

    def defaults(self) -> dict[str, Any]:
        """The options, with Captum's name for how many copies are evaluated at once."""
        return {**super().defaults(), "perturbations_per_eval": None}

    def estimates(
        self,
        posed: Problem,
        explained: Problem | None = None,
        *,
        perturbations_per_eval: int | None = None,
        **options: Any,
    ) -> Iterator[Estimate]:
        """The steps; ``perturbations_per_eval`` copies of the batch are so many rows."""
        if perturbations_per_eval is not None:
            if options.get("internal_batch_size") is not None:
                raise ValueError(
                    "internal_batch_size and perturbations_per_eval are both given: they are rows and copies "
                    "of the batch to evaluate at once, so choose one."
                )
            if perturbations_per_eval < 1:
                raise ValueError(f"perturbations_per_eval={perturbations_per_eval}: give at least 1.")
            options["internal_batch_size"] = perturbations_per_eval * max(posed.batch, 1)
        return super().estimates(posed, explained, **options)

    def fit_baselines(self, baselines: Any, inputs: Arrays, layout: Layout) -> Arrays:
        """Of the inputs' shapes, and whole numbers for inputs that are."""
        several = isinstance(baselines, tuple | list) and not layout.single
        each = baselines if several else (baselines,) * len(inputs)
        fitted = super().fit_baselines(baselines, inputs, layout)
        for i, (b, x) in enumerate(zip(each, inputs, strict=True)):
            _require_whole(b, x, i)
        return fitted

    def pose(self, inputs: Any, baselines: Any, target: Any, args: Any, options: dict[str, Any]) -> Problem:
        """The checked problem of a call."""
        try:
            return super().pose(inputs, baselines, target, args, options)
        except _UNTRACEABLE as error:
            raise TypeError(
                "the function asks for the values of its inputs, so JAX cannot trace it "
                f"({type(error).__name__}). If it is no JAX function, let JAX call it: lambda x: "
                "jax.pure_callback(function, jax.ShapeDtypeStruct((x.shape[0], n_outputs), x.dtype), x, "
                "vmap_method='sequential')."
            ) from error

    def _require_finite_result(self, problem: Problem, estimate: Estimate) -> None:
        values = estimate.attributions
        if not is_concrete(values) or all(np.isfinite(np.asarray(v, np.float64)).all() for v in values):
            return
        endpoints(problem)  # the output itself, at the inputs or at the baselines
        raise ValueError(
            "the model's output is finite at the inputs and at the baselines, and NaN or infinite in "
            "between, where some features are replaced: look for log, sqrt and division in the function, "
            "or choose baselines that it takes beside values of the inputs."
        )


def scores(problem: Problem, inputs: Arrays) -> Any:
    """The explained number of each example, ``[batch]``, as floating-point numbers."""
    return in_floats(problem.fast(problem.score)(inputs))


def copies_at_once(problem: Problem, internal_batch_size: int | None, needed: int) -> int:
    """How many changed copies of the inputs go through the function in one call.

    Args:
      problem: the function; the largest value inside it decides.
      internal_batch_size: rows (examples times copies); None chooses by memory.
      needed: how many copies there are to evaluate.
    """
    if internal_batch_size is not None:
        return min(chunk_size(problem, internal_batch_size), needed)
    if problem.plan and problem.plan.convolves:  # the kernels of a CPU want their rows in its caches
        return min(chunk_size(problem, None), needed)
    largest = jax.eval_shape(_measured, problem).shape[1]
    budget = _BYTES.get(jax.default_backend(), _BYTES_ELSEWHERE)
    most = max(1, min(_COPIES, budget // max(largest, 1)))
    return -(-needed // -(-needed // most))  # calls of equal size, so that the last is hardly filled up


def score_dtype(problem: Problem) -> Any:
    """Of the scores; float32 at least, since they are summed."""
    return jnp.promote_types(jax.eval_shape(_measured, problem).dtype, jnp.float32)


@compiled
def _measured(problem: Problem) -> Any:
    """A shape that says what the function needs, so that JAX remembers it as it remembers a trace."""
    jaxpr, shape = compat.trace(lambda p: scores(p, p.inputs), problem)
    own = sum(map(_bytes, problem.inputs))
    return jnp.zeros((0, max(own, _largest(jaxpr.jaxpr))), shape.dtype)


def _largest(jaxpr: Any) -> int:
    """Bytes of the largest value that is computed inside."""
    own = [_bytes(v.aval) for eqn in jaxpr.eqns for v in eqn.outvars]
    inner = [_largest(j.jaxpr) for eqn in jaxpr.eqns for j in compat.inner_jaxprs(eqn.params)]
    return max([1, *own, *inner])


def _bytes(x: Any) -> int:
    return math.prod(getattr(x, "shape", ())) * getattr(getattr(x, "dtype", None), "itemsize", 4)


def _require_whole(baseline: Any, x: Any, i: int) -> None:
    """Refuse fractions for an input of integers, where they would be cut off."""
    value = baseline.array if is_named(baseline) else baseline
    if value is None or jnp.issubdtype(x.dtype, jnp.floating) or not is_concrete(value):
        return
    value = np.asarray(value)
    if value.dtype.kind == "f" and (value != np.round(value)).any():
        raise ValueError(
            f"baseline {i} has fractions and its input is {describe(x)}: give integers, such as the number "
            "of a token that says nothing."
        )
