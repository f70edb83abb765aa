"""Pooling: `MaxPool`, `AveragePool` and, where they do not reach, strided slices along one axis at a time."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from namedtensor.interop.onnx.writing.graph import Graph
from namedtensor.interop.onnx.writing.rules.shape import padded, sliced
from namedtensor.interop.onnx.writing.table import Refused, rule
from namedtensor.interop.onnx.writing.values import Value, all_static
from namedtensor.interpreter import Equation, compat

_MOST = 128  # slices along an axis
_FLOATS = ("float32", "float16", "bfloat16")


@dataclass(frozen=True)
class _Axis:
    """How a window moves along an axis."""

    window: int
    stride: int
    low: Any
    high: Any
    dilation: int

    @property
    def trivial(self) -> bool:
        return (self.window, self.stride, self.low, self.high) == (1, 1, 0, 0)


@rule("reduce_window_max", "reduce_window_min", "reduce_window_sum")
def _window(g: Graph, eqn: Equation, x: Value) -> Value:
    return _reduced(g, eqn, x, eqn.primitive.rpartition("_")[2])


_KINDS = {"add": "sum", "max": "max", "min": "min"}


@rule("reduce_window")
def _general(g: Graph, eqn: Equation, *values: Value) -> list[Value]:
    """JAX keeps the function of a window where the initial value is another than the usual one."""
    op = combination(eqn, _KINDS)
    if op is None or len(values) != 2:
        raise Refused("a window of a function of its own; sums, maxima and minima can be written")
    return [g.map(op.capitalize(), _reduced(g, eqn, values[0], _KINDS[op]), values[1])]


def combination(eqn: Equation, known: Collection[str]) -> str | None:
    """The one primitive that a reduction combines two values by, if it is one of these."""
    bodies = [j.jaxpr for j in compat.inner_jaxprs(eqn.params)]
    names = [e.primitive.name for body in bodies for e in body.eqns]
    return names[0] if len(names) == 1 and names[0] in known and len(bodies[0].invars) == 2 else None


def _reduced(g: Graph, eqn: Equation, x: Value, kind: str) -> Value:
    p, out = eqn.params, eqn.outputs[0]
    fill = g.constant(identity_of(kind, x.dtype))
    x = padded(g, x, fill, [(0, 0, n - 1) for n in p["base_dilation"]])
    pairs = zip(*p["padding"], strict=True)
    columns = (p["window_dimensions"], p["window_strides"], *pairs, p["window_dilation"])
    axes = [_Axis(*a) for a in zip(*columns, strict=True)]
    if not all_static(tuple(n for a in axes for n in (a.low, a.high))):
        raise Refused("the padding depends on a symbolic size")
    if _operator(kind, x, axes):
        return _pooled(g, x, axes, kind, out.shape)
    return _by_slices(g, x, axes, kind, fill)


def identity_of(kind: str, dtype: Any) -> np.ndarray:
    """What changes nothing: 0 for a sum, 1 for a product, the least number for a maximum."""
    if kind in ("sum", "prod"):
        return np.asarray(0 if kind == "sum" else 1, dtype)
    if dtype.kind in "iu":
        return np.asarray(np.iinfo(dtype).min if kind == "max" else np.iinfo(dtype).max, dtype)
    return np.asarray(-np.inf if kind == "max" else np.inf, dtype)


def _operator(kind: str, x: Value, axes: Sequence[_Axis]) -> bool:
    """Whether an operator of ONNX pools like this."""
    moved = [a for a in axes if not a.trivial]
    if x.dtype.name not in _FLOATS or not 1 <= len(moved) <= 3:
        return False
    return kind == "max" or (kind == "sum" and all(a.dilation == 1 for a in moved))


def _pooled(g: Graph, x: Value, axes: Sequence[_Axis], kind: str, shape: Any) -> Value:
    """Two axes in front of those that are pooled, as the operators want."""
    space = [i for i, a in enumerate(axes) if not a.trivial]
    others = [i for i in range(x.ndim) if i not in space]
    moved = g.transpose(x, [*others, *space])
    front = tuple(x.shape[i] for i in others)
    two = front if len(others) == 2 else (1, math.prod(front) if front else 1)
    image = g.reshape(moved, (*two, *(x.shape[i] for i in space)))
    around = [(max(0, axes[i].low), max(0, axes[i].high)) for i in space]
    cropped = [(min(0, axes[i].low), min(0, axes[i].high), 0) for i in space]
    fill = g.constant(identity_of(kind, x.dtype))
    image = padded(g, image, fill, [(0, 0, 0)] * 2 + cropped)
    if any(max(pair) >= axes[i].window for pair, i in zip(around, space, strict=True)):
        image = padded(g, image, fill, [(0, 0, 0)] * 2 + [(*pair, 0) for pair in around])
        around = [(0, 0)] * len(space)
    after = tuple(shape[i] for i in space)
    pooled = _operated(g, image, [axes[i] for i in space], around, kind, (*two, *after))
    whole = g.reshape(pooled, (*front, *after))
    return g.transpose(whole, sorted(range(x.ndim), key=lambda i: [*others, *space][i]))


def _operated(
    g: Graph, x: Value, axes: Sequence[_Axis], around: Sequence[tuple[int, int]], kind: str, shape: Any
) -> Value:
    common: dict[str, Any] = {
        "kernel_shape": [a.window for a in axes],
        "strides": [a.stride for a in axes],
        "pads": [low for low, _ in around] + [high for _, high in around],
    }
    if kind == "max":
        return g.op("MaxPool", x, shape=shape, dilations=[a.dilation for a in axes], **common)
    mean = g.op("AveragePool", x, shape=shape, count_include_pad=1, **common)
    return g.map("Mul", mean, g.constant(math.prod(a.window for a in axes), x.dtype))


_COMBINED = {"max": "Max", "min": "Min", "sum": "Add"}


def _by_slices(g: Graph, x: Value, axes: Sequence[_Axis], kind: str, fill: Value) -> Value:
    """The window of each axis in turn, as so many strided slices."""
    x = padded(g, x, fill, [(a.low, a.high, 0) for a in axes])
    for i, a in enumerate(axes):
        if a.window > _MOST:
            raise Refused(f"a window of {a.window} elements of {x.dtype} (at most {_MOST})")
        if a.window == a.stride == 1:
            continue
        parts = [_shifted(g, x, i, k * a.dilation, a) for k in range(a.window)]
        result = parts[0]
        for part in parts[1:]:
            result = g.map(_COMBINED[kind], result, part)
        x = result
    return x


def _shifted(g: Graph, x: Value, axis: int, start: int, a: _Axis) -> Value:
    count = (x.shape[axis] - a.dilation * (a.window - 1) - 1) // a.stride + 1
    end = start + (count - 1) * a.stride + 1
    starts, ends, strides = [0] * x.ndim, list(x.shape), [1] * x.ndim
    starts[axis], ends[axis], strides[axis] = start, end, a.stride
    shape = (*x.shape[:axis], count, *x.shape[axis + 1 :])
    return sliced(g, x, starts, ends, strides, shape)
