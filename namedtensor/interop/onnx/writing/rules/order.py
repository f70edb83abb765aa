"""Sorting: `TopK` of all elements, which is stable, and a gather of what is sorted along."""

from typing import Any

from namedtensor.interop.onnx.writing.graph import Graph
from namedtensor.interop.onnx.writing.table import rule
from namedtensor.interop.onnx.writing.values import Value
from namedtensor.interpreter import Equation


@rule("top_k")
def _top_k(g: Graph, eqn: Equation, x: Value) -> list[Value]:
    values, at = eqn.outputs
    axis = eqn.params.get("axis", x.ndim - 1)
    best, index = _top(g, x, axis, eqn.params["k"], values.shape, largest=1)
    return [best, g.cast(index, at.dtype)]


def _top(g: Graph, x: Value, axis: int, k: Any, shape: Any, *, largest: int) -> list[Value]:
    results = [(shape, None), (shape, "int64")]
    return g.ops("TopK", x, g.size(k), results=results, axis=axis, largest=largest)


@rule("sort")
def _sort(g: Graph, eqn: Equation, *values: Value) -> list[Value]:
    """By the last key first: sorts are stable, so the earlier keys decide."""
    axis, shape = eqn.params["dimension"], values[0].shape
    order: Value | None = None
    for key in reversed(values[: eqn.params["num_keys"]]):
        now = key if order is None else _taken(g, key, order, axis)
        _, index = _top(g, now, axis, shape[axis], shape, largest=0)
        order = index if order is None else _taken(g, order, index, axis)
    assert order is not None
    return [_taken(g, v, order, axis) for v in values]


def _taken(g: Graph, x: Value, order: Value, axis: int) -> Value:
    return g.op("GatherElements", x, order, shape=x.shape, axis=axis)
