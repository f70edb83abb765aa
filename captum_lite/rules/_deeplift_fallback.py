"""DeepLift through what has no rule: the Jacobian of the one equation, integrated between its operands.

That is exact where the function is smooth enough for eight points, and what it misses is noted. What
has no Jacobian (integers, decisions) has no credit, and all of its change is noted as missed.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from captum_lite._quadrature import quadrature
from captum_lite.rules._pair import Losses, Pair, at_x0, in_floats, is_continuous, seen, surrogate, varies
from namedtensor.interpreter import Equation, RuleTable, UnsupportedPrimitiveError

_POINTS = 8
_NAME = RuleTable("DeepLift")  # for errors


def integrated(losses: Losses, eqn: Equation, *values: Any) -> Any:
    """The pair of each result, by the mean Jacobian between the baselines and the inputs."""
    ys = _listed(eqn, eqn.bind(*map(seen, values)))
    y0s = _listed(eqn, eqn.bind(*map(at_x0, values)))
    smooth = [k for k, y in enumerate(ys) if is_continuous(y)]
    moving = [i for i, v in enumerate(values) if varies(v) and is_continuous(v)]
    credits = [lax.stop_gradient(in_floats(y)) for y in ys]
    moved = [jnp.zeros_like(c) for c in credits]
    if smooth and moving:
        rule, consts = _mean_jacobian(eqn, values, moving, smooth)
        changes = rule(consts, [seen(values[i]) - values[i].x0 for i in moving])
        found = surrogate(rule, [ys[k] for k in smooth], consts, [values[i].x for i in moving])
        for k, value, change in zip(smooth, found, changes, strict=True):
            credits[k], moved[k] = value, change
    out = []
    for y, y0, credit, change in zip(ys, y0s, credits, moved, strict=True):
        noted = losses.add(eqn, credit, in_floats(y) - in_floats(y0) - change)
        out.append(Pair(noted, y0) if is_continuous(y) else Pair(y, y0, noted))
    return out if eqn.several else out[0]


def _listed(eqn: Equation, results: Any) -> list[Any]:
    return list(results) if eqn.several else [results]


def _mean_jacobian(
    eqn: Equation, values: tuple[Any, ...], moving: list[int], smooth: list[int]
) -> tuple[Callable[..., Any], Any]:
    """A rule that applies it to changes, and the rule's constants."""
    nodes, weights = quadrature("gausslegendre", _POINTS)

    def rule(consts: Any, changes: list[Any]) -> list[Any]:
        at_inputs, at_baselines = consts

        def of_moving(*xs: Any) -> list[Any]:
            given = list(at_inputs)
            for i, x in zip(moving, xs, strict=True):
                given[i] = x
            results = _listed(eqn, eqn.bind(*given))
            return [results[k] for k in smooth]

        total = None
        for node, weight in zip(np.asarray(nodes), np.asarray(weights), strict=True):
            here = [b + float(node) * (at_inputs[i] - b) for i, b in zip(moving, at_baselines, strict=True)]
            part = jax.jvp(of_moving, tuple(here), tuple(changes))[1]
            part = [float(weight) * p for p in part]
            total = part if total is None else [t + p for t, p in zip(total, part, strict=True)]
        assert total is not None, "there are points"
        return total

    consts = [seen(v) for v in values], [values[i].x0 for i in moving]
    try:
        jax.eval_shape(rule, consts, [seen(values[i]) for i in moving])
    except (NotImplementedError, ValueError) as error:
        raise UnsupportedPrimitiveError.refused(
            _NAME,
            eqn,
            f"it has no rule, and JAX cannot differentiate it ({str(error).splitlines()[0]})",
            "Use a method that only evaluates the function, such as FeatureAblation or ShapleyValueSampling.",
        ) from error
    return rule, consts
