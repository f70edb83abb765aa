"""Reductions, and sums along an axis."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax import lax

from namedtensor.interop.onnx.writing.graph import Graph
from namedtensor.interop.onnx.writing.rules.windows import combination, identity_of
from namedtensor.interop.onnx.writing.table import Refused, composed, rule
from namedtensor.interop.onnx.writing.values import Value, is_static
from namedtensor.interpreter import Equation

_REDUCED = {
    "reduce_sum": "ReduceSum", "reduce_max": "ReduceMax", "reduce_min": "ReduceMin",
    "reduce_prod": "ReduceProd", "reduce_and": "ReduceMin", "reduce_or": "ReduceMax",
}  # fmt: skip


@rule(*_REDUCED)
def _reduced(g: Graph, eqn: Equation, x: Value) -> Value:
    axes, out = eqn.params["axes"], eqn.outputs[0]
    if not axes:
        return x
    if eqn.primitive in ("reduce_and", "reduce_or") and x.dtype != bool:
        raise Refused(f"a reduction of the bits of {x.dtype} numbers")
    return g.op(_REDUCED[eqn.primitive], x, g.ints(*axes), shape=out.shape, keepdims=0)


@rule("argmax", "argmin")
def _arg(g: Graph, eqn: Equation, x: Value) -> Value:
    (axis,), out = eqn.params["axes"], eqn.outputs[0]
    if x.dtype.name in ("int64", "uint32"):
        return _by_order(g, eqn, x, axis)
    op = "ArgMax" if eqn.primitive == "argmax" else "ArgMin"
    return g.cast(g.op(op, x, shape=out.shape, dtype="int64", axis=axis, keepdims=0), out.dtype)


def _by_order(g: Graph, eqn: Equation, x: Value, axis: int) -> Value:
    one = (*x.shape[:axis], 1, *x.shape[axis + 1 :])
    largest = int(eqn.primitive == "argmax")
    _, at = g.ops("TopK", x, g.ints(1), results=[(one, None), (one, "int64")], axis=axis, largest=largest)
    return g.cast(g.op("Squeeze", at, g.ints(axis), shape=eqn.outputs[0].shape), eqn.outputs[0].dtype)


@rule("cumsum")
def _cumsum(g: Graph, eqn: Equation, x: Value) -> Value:
    axis = g.constant(eqn.params["axis"], "int64")
    return g.op("CumSum", x, axis, shape=x.shape, reverse=int(eqn.params["reverse"]))


_RUNNING: dict[str, tuple[Callable[..., Any], str]] = {
    "cummax": (jnp.maximum, "max"),
    "cummin": (jnp.minimum, "min"),
    "cumprod": (jnp.multiply, "prod"),
    "cumlogsumexp": (jnp.logaddexp, "max"),  # minus infinity adds nothing to a sum of exponentials
}


@rule(*_RUNNING)
def _running(g: Graph, eqn: Equation, x: Value) -> Value:
    if not is_static(x.shape[eqn.params["axis"]]):
        raise Refused("a running product or maximum over a symbolic size")
    combine, kind = _RUNNING[eqn.primitive]
    fill = identity_of(kind, x.dtype)
    axis, back = eqn.params["axis"], eqn.params["reverse"]
    return composed(eqn, lambda a: _steps(a, combine, fill, axis, back), x)


def _steps(x: Any, combine: Callable[..., Any], fill: Any, axis: int, back: bool) -> Any:
    """In as many steps as the length has bits: each value meets the one 1, 2, 4, ... places before."""
    step = 1
    while step < x.shape[axis]:
        config = [(0, 0, 0)] * x.ndim
        config[axis] = (-step, step, 0) if back else (step, -step, 0)
        x = combine(x, lax.pad(x, fill, config))
        step *= 2
    return x


_COMBINED = {"add": "reduce_sum", "max": "reduce_max", "min": "reduce_min", "mul": "reduce_prod"}


@rule("reduce")
def _general(g: Graph, eqn: Equation, *values: Value) -> list[Value]:
    op = combination(eqn, _COMBINED)
    if op is None or len(values) != 2:
        raise Refused(
            "a reduction by a function of its own; sums, products, maxima and minima can be written"
        )
    x, init = values
    axes = g.ints(*eqn.params["dimensions"])
    total = g.op(_REDUCED[_COMBINED[op]], x, axes, shape=eqn.outputs[0].shape, keepdims=0)
    return [g.map(op.capitalize(), total, init)]
