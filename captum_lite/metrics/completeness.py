"""Completeness: whether attributions add up to what they explain."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp

from captum_lite._counting import total
from captum_lite._fitting import fitting, shared_features
from captum_lite._inputs import Arrays, unpack
from captum_lite._problem import endpoints, pose
from captum_lite._record import Attribution


class Completeness(NamedTuple):
    """How far attributions are from adding up.

    Attributes:
      delta: ``sum of attributions - (score at the inputs - score at the baselines)``, ``[batch]``.
      relative: ``|delta|`` as a fraction of the total absolute attribution (of the difference of the
        scores where that is larger), ``[batch]``.
    """

    delta: Any
    relative: Any


def completeness(
    fun: Callable[..., Any] | Attribution,
    inputs: Any = None,
    attributions: Any = None,
    baselines: Any = None,
    target: Any = None,
    additional_forward_args: Any = (),
) -> Completeness:
    """``sum of attributions - (f(x) - f(b))``: zero for a method that is complete.

    The model is evaluated afresh, twice, so a record can be checked against another function than the
    one that made it. A delta of zero does not say that the attributions are right: errors of single
    features may cancel.

    Args:
      fun: the explained function; or a record (`Attribution`) alone, whose own evaluations are used.
      inputs: as for `attribute`.
      attributions: what `attribute` returned, or a record (which knows what elements are one feature, so
        that it counts once).
      baselines: as for `attribute`; None is zeros.
      target: as for `attribute`.
      additional_forward_args: as for `attribute`.

    Returns:
      A `Completeness`: ``delta`` and ``relative``, both ``[batch]``.

    Raises:
      ValueError: attributions that do not fit the inputs, or a record of a method without baselines.

    Example:
      >>> import jax.numpy as jnp
      >>> from captum_lite import IntegratedGradients
      >>> from captum_lite.metrics import completeness
      >>> def f(x):
      ...     return (x**2).sum(1)
      >>> x = jnp.array([[1.0, 2.0]])
      >>> completeness(f, x, IntegratedGradients(f).attribute(x)).relative.round(4)
      Array([0.], dtype=float32)

    Source: Sundararajan, Taly, Yan 2017, arXiv:1703.01365, proposition 1.
    """
    if isinstance(fun, Attribution):
        return _of_record(fun)
    if inputs is None or attributions is None:
        raise ValueError("completeness needs the inputs and their attributions (or a record alone).")
    problem = pose(
        fun, inputs, baselines, target, additional_forward_args, compares=True, differentiates=False
    )
    at_input, at_baseline = endpoints(problem)
    values = fitting(attributions, problem.inputs, problem.layout)
    return _gap(values, shared_features(attributions, problem.layout), at_input - at_baseline)


def _of_record(record: Attribution) -> Completeness:
    if record.baseline_prediction is None:
        raise ValueError(
            f"the record of {record.method} has no baseline, so there is no difference that it should add "
            "up to: give completeness(fun, inputs, record, baselines, target)."
        )
    values, layout = unpack(record.attributions)
    difference = record.prediction - record.baseline_prediction
    return _gap(values, shared_features(record, layout), difference)


def _gap(attributions: Arrays, features: Arrays | None, difference: Any) -> Completeness:
    values = tuple(a.astype(jnp.promote_types(a.dtype, jnp.float32)) for a in attributions)
    delta = total(values, features) - difference
    whole = jnp.maximum(total(tuple(map(jnp.abs, values)), features), jnp.abs(difference))
    return Completeness(delta, jnp.abs(delta) / jnp.maximum(whole, jnp.finfo(whole.dtype).tiny))
