"""Products of matrices: any contraction as a `MatMul` between transposes.

Axes go into the order batch, free, summed. They are merged only where there are several of a kind, so the
products of a transformer stay readable and need no reshape.
"""

import math
from collections.abc import Sequence
from typing import Any

from namedtensor.interop.onnx.writing.graph import Graph
from namedtensor.interop.onnx.writing.table import Refused, rule
from namedtensor.interop.onnx.writing.values import Shape, Value
from namedtensor.interpreter import Equation

_SMALL = ("int8", "uint8")


@rule("dot_general")
def _dot_general(g: Graph, eqn: Equation, x: Value, y: Value) -> Value:
    (sum_x, sum_y), (batch_x, batch_y) = eqn.params["dimension_numbers"]
    out = eqn.outputs[0]
    op, x, y = _typed(g, x, y, out.dtype)
    free_x = [i for i in range(x.ndim) if i not in (*sum_x, *batch_x)]
    free_y = [i for i in range(y.ndim) if i not in (*sum_y, *batch_y)]
    several = not batch_x and len(free_y) == 1 and len(sum_x) == 1  # x @ matrix takes any number of axes of x
    left = _stacked(g, x, batch_x, free_x, sum_x, merge=not several)
    right = _stacked(g, y, batch_y, sum_y, free_y, merge=True)
    shape = (*left.shape[:-1], right.shape[-1])
    product = g.op(op, left, right, shape=shape, dtype=out.dtype)
    return g.cast(g.reshape(product, out.shape), out.dtype)


def _typed(g: Graph, x: Value, y: Value, out: Any) -> tuple[str, Value, Value]:
    """The operator, and the operands in the type that it sums in."""
    if x.dtype.kind == "b":
        raise Refused("a product of matrices of bools")
    if x.dtype.name in _SMALL and y.dtype.name in _SMALL and out == "int32":
        return "MatMulInteger", x, y
    return "MatMul", g.cast(x, out), g.cast(y, out)


def _stacked(
    g: Graph, x: Value, batch: Sequence[int], rows: Sequence[int], columns: Sequence[int], *, merge: bool
) -> Value:
    """Matrices behind batch axes: several axes of rows or columns become one, and none becomes one too."""
    moved = g.transpose(x, [*batch, *rows, *columns])
    n = len(batch)
    sizes = moved.shape
    kept = sizes[n : n + len(rows)] if not merge and rows else (_merged(sizes[n : n + len(rows)]),)
    return g.reshape(moved, (*sizes[:n], *kept, _merged(sizes[n + len(rows) :])))


def _merged(sizes: Shape) -> Any:
    return math.prod(sizes) if sizes else 1


def grouped(g: Graph, x: Value, axis: int, groups: int) -> Value:
    """An axis as two: groups, and what is in each."""
    inside = x.shape[axis] // groups
    return g.reshape(x, (*x.shape[:axis], groups, inside, *x.shape[axis + 1 :]))
