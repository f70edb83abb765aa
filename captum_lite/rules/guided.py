"""The gradient with other rules for relu: guided backpropagation and deconvolution.

A relu is ``max(x, 0)`` wherever it stands: `jax.nn.relu` of any framework, `jnp.maximum` and `lax.max`
with a zero on either side. All else is differentiated as it is.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from captum_lite._backend import compiled
from captum_lite._exported import refuse
from captum_lite._inputs import Arrays, is_concrete
from captum_lite._problem import Problem
from captum_lite._warning import warn
from captum_lite.rules.primitives import BILINEAR
from namedtensor.interpreter import Equation, RuleTable, bind, compat, interpret
from namedtensor.interpreter.rules import EXPORTED

Passes = Callable[[Any, Any], Any]  # (whether x > 0, relevance of the result) -> whether it goes on


def _guided(positive: Any, above: Any) -> Any:
    return positive & (above > 0)


def _deconvolved(positive: Any, above: Any) -> Any:
    del positive
    return above > 0


_METHODS: dict[Passes, str] = {_guided: "GuidedBackprop", _deconvolved: "Deconvolution"}


def guided_gradient(problem: Problem) -> Arrays:
    """The gradient of the scores, where each relu passes on ``g`` if ``x > 0`` and ``g > 0``.

    Warns:
      UserWarning: no relu lies between the inputs and the score, so it is the plain gradient.
    """
    return _warned("GuidedBackprop", *_guided_at_inputs(problem))


def deconvolved_gradient(problem: Problem) -> Arrays:
    """The gradient of the scores, where each relu passes on ``g`` if ``g > 0``, whatever ``x`` is.

    Warns:
      UserWarning: no relu lies between the inputs and the score, so it is the plain gradient.
    """
    return _warned("Deconvolution", *_deconvolved_at_inputs(problem))


def _warned(method: str, gradients: Arrays, relus: Any) -> Arrays:
    """The gradients; under a trace nothing can be looked at, and nothing is said."""
    if is_concrete(relus) and not relus:
        warn(
            f"{method} met no relu, max(x, 0), between what is explained and the score: this is the plain "
            "gradient, as of Saliency(f).attribute(x, abs=False). Other activations are differentiated as "
            "they are; DeepLift and LRP have rules for them.",
            UserWarning,
        )
    return gradients


def _modified(problem: Problem, passes: Passes) -> tuple[Arrays, Any]:
    """The gradients, and how many relus they went through."""
    passed: list[None] = []
    score = problem.fast(interpret(problem.score, _table(passes, passed)))
    scores, backward = jax.vjp(score, problem.inputs)
    # a score that is not finite has no gradient, whatever the rules make of NaN
    (gradients,) = backward(jnp.where(jnp.isfinite(scores), 1, jnp.nan).astype(scores.dtype))
    return gradients, jnp.asarray(len(passed))


_guided_at_inputs = compiled(lambda problem: _modified(problem, _guided))
_deconvolved_at_inputs = compiled(lambda problem: _modified(problem, _deconvolved))


def _table(passes: Passes, passed: list[None]) -> RuleTable:
    """The rules of one walk, which note in ``passed`` where they were used."""
    table = RuleTable(_METHODS[passes], default=bind)

    def relu(x: Any) -> Any:
        @jax.custom_vjp
        def rectified(x: Any) -> Any:
            return jnp.maximum(x, 0)

        def backward(positive: Any, above: Any) -> tuple[Any]:
            passed.append(None)
            return (jnp.where(passes(positive, above) | jnp.isnan(above), above, 0),)

        rectified.defvjp(lambda x: (rectified(x), x > 0), backward)
        return rectified(x)

    @table.register("max")
    def _(eqn: Equation, *values: Any) -> Any:
        zero = [_is_zero(v) for v in values]
        floats = jnp.issubdtype(eqn.outputs[0].dtype, jnp.floating)
        return relu(values[zero.index(True) - 1]) if any(zero) and floats else eqn.bind(*values)

    @table.register(*compat.CUSTOM_DERIVATIVES)
    def _(eqn: Equation, *values: Any) -> Any:
        jaxpr = compat.called(eqn.params)
        if _is_relu(jaxpr):
            return [relu(values[0])]
        # softplus has a max(x, 0) inside and is no relu: only whole networks are gone into
        return eqn.walk(jaxpr, *values) if _is_network(jaxpr.jaxpr) else eqn.bind(*values)

    @table.register("broadcast_in_dim")
    def _(eqn: Equation, value: Any, *sizes: Any) -> Any:
        if _is_zero(value) and not sizes:  # of jnp.zeros_like: it stays an array that can be looked at
            return np.zeros(eqn.outputs[0].shape, eqn.outputs[0].dtype)
        return eqn.bind(value, *sizes)

    @table.register(*EXPORTED)
    def _(eqn: Equation, *values: Any) -> Any:
        return _undifferentiated(eqn, refuse(table, eqn))(*values)

    # these hold a jaxpr with max(x, y) that combines two elements, or are other functions than relu
    table.register("reduce", "reduce_window", "scatter", "select_and_scatter", "argmax", "argmin")(bind)
    table.register(*(f"jit:{name}" for name in _OTHER_ACTIVATIONS))(bind)
    return table


def _undifferentiated(eqn: Equation, error: Exception) -> Callable[..., Any]:
    """The equation as it is, for who does not ask for its gradient."""

    @jax.custom_vjp
    def run(*values: Any) -> Any:
        return eqn.bind(*values)

    def backward(_: Any, above: Any) -> Any:
        raise error

    run.defvjp(lambda *values: (run(*values), None), backward)
    return run


_LAYERS = (BILINEAR - {"mul"}) | set(EXPORTED)
_OTHER_ACTIVATIONS = ("relu6", "hard_tanh", "hard_sigmoid", "hard_silu", "hard_swish", "clip")


def _is_zero(x: Any) -> bool:
    """Whether a value is known, and all of it is zero."""
    return not isinstance(x, Tracer) and not np.any(np.asarray(x))


def _is_relu(jaxpr: Any) -> bool:
    """Whether a jaxpr of one operand is ``max(x, 0)`` and nothing else, however often it is wrapped."""
    inner = compat.closed(jaxpr).jaxpr
    if len(inner.eqns) != 1 or len(inner.invars) != 1:
        return False
    (eqn,) = inner.eqns
    if eqn.primitive.name == "max":
        return any(hasattr(v, "val") and _is_zero(v.val) for v in eqn.invars)
    wraps = eqn.primitive.name in (*compat.CALLS, *compat.CUSTOM_DERIVATIVES)
    return wraps and _is_relu(compat.called(eqn.params))


def _is_network(jaxpr: Any) -> bool:
    """Whether there is a layer of weights in a jaxpr."""
    return any(
        eqn.primitive.name in _LAYERS or any(_is_network(j.jaxpr) for j in compat.inner_jaxprs(eqn.params))
        for eqn in jaxpr.eqns
    )
