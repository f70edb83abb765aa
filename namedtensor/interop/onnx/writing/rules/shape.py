"""Primitives that move elements and compute nothing."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from namedtensor.interop.onnx.writing.graph import Graph
from namedtensor.interop.onnx.writing.table import Refused, rule
from namedtensor.interop.onnx.writing.values import Shape, Value, all_static, is_static, same
from namedtensor.interpreter import Equation

_END = np.iinfo(np.int64).max


@rule("name")
def _name(g: Graph, eqn: Equation, x: Value) -> Value:
    from namedtensor.interpreter.marks import dims_of

    return g.tap(eqn.params["name"], x, dims_of(eqn, np.empty((0,) * x.ndim)))


@rule("reshape")
def _reshape(g: Graph, eqn: Equation, x: Value) -> Value:
    order = eqn.params.get("dimensions")
    return g.reshape(x if order is None else g.transpose(x, order), eqn.outputs[0].shape)


@rule("squeeze")
def _squeeze(g: Graph, eqn: Equation, x: Value) -> Value:
    axes = g.ints(*eqn.params["dimensions"])
    return g.op("Squeeze", x, axes, shape=eqn.outputs[0].shape) if eqn.params["dimensions"] else x


@rule("expand_dims")
def _expand_dims(g: Graph, eqn: Equation, x: Value) -> Value:
    return unsqueezed(g, x, eqn.params["dimensions"])


def unsqueezed(g: Graph, x: Value, axes: Sequence[int]) -> Value:
    """With axes of one element at these places of the result."""
    if not axes:
        return x
    shape: list[Any] = list(x.shape)
    for axis in sorted(axes):
        shape.insert(axis, 1)
    return g.op("Unsqueeze", x, g.ints(*sorted(axes)), shape=tuple(shape))


@rule("transpose")
def _transpose(g: Graph, eqn: Equation, x: Value) -> Value:
    return g.transpose(x, eqn.params["permutation"])


@rule("broadcast_in_dim")
def _broadcast_in_dim(g: Graph, eqn: Equation, x: Value, *sizes: Value) -> Value:
    shape, kept = eqn.outputs[0].shape, eqn.params["broadcast_dimensions"]
    x = x.thin if x.thin is not None and not x.thin.shape else x
    if not x.shape:
        return g.expand(x, shape)
    first = min(kept)
    inner = unsqueezed(g, x, [i - first for i in range(first, len(shape)) if i not in kept])
    if all(n == 1 for n in shape[:first]) and same(inner.shape, shape[first:]):
        return _with_ones(g, x, inner, shape, kept)
    return g.expand(inner, shape)


def _with_ones(g: Graph, x: Value, inner: Value, shape: Shape, kept: Sequence[int]) -> Value:
    """Axes of one element alone are added; elementwise nodes do not need those in front."""
    from dataclasses import replace

    whole = unsqueezed(g, x, [i for i in range(len(shape)) if i not in kept])
    return whole if inner.ndim == whole.ndim else replace(whole, thin=inner)


@rule("tile")
def _tile(g: Graph, eqn: Equation, x: Value) -> Value:
    return g.op("Tile", x, g.ints(*eqn.params["reps"]), shape=eqn.outputs[0].shape)


@rule("concatenate")
def _concatenate(g: Graph, eqn: Equation, *parts: Value) -> Value:
    axis = eqn.params["dimension"]
    return g.op("Concat", *parts, shape=eqn.outputs[0].shape, axis=axis)


@rule("split")
def _split(g: Graph, eqn: Equation, x: Value) -> list[Value]:
    sizes, axis = g.shape(eqn.params["sizes"]), eqn.params["axis"]
    return g.ops("Split", x, sizes, results=[(v.shape, None) for v in eqn.outputs], axis=axis)


@rule("unstack")
def _unstack(g: Graph, eqn: Equation, x: Value) -> list[Value]:
    axis, shape = eqn.params["axis"], eqn.outputs[0].shape
    one = (*shape[:axis], 1, *shape[axis:])
    count = len(eqn.outputs)
    parts = (
        g.ops("Split", x, g.ints(*[1] * count), results=[(one, None)] * count, axis=axis)
        if count > 1
        else [x]
    )
    return [g.op("Squeeze", part, g.ints(axis), shape=shape) for part in parts]


@rule("slice")
def _slice(g: Graph, eqn: Equation, x: Value) -> Value:
    p = eqn.params
    strides = p["strides"] or (1,) * x.ndim
    return sliced(g, x, p["start_indices"], p["limit_indices"], strides, eqn.outputs[0].shape)


def sliced(
    g: Graph, x: Value, starts: Sequence[Any], ends: Sequence[Any], strides: Sequence[int], shape: Shape
) -> Value:
    """A range of each axis; axes that are taken whole do not show."""
    axes = [
        i
        for i, (start, end, stride) in enumerate(zip(starts, ends, strides, strict=True))
        if not (str(start) == "0" and str(end) == str(x.shape[i]) and stride == 1)
    ]
    if not axes:
        return x
    pick = [[v[i] for i in axes] for v in (starts, ends, strides)]
    first, last, steps = g.shape(pick[0]), g.shape(pick[1]), g.ints(*pick[2])
    return g.op("Slice", x, first, last, g.ints(*axes), steps, shape=shape)


@rule("rev")
def _rev(g: Graph, eqn: Equation, x: Value) -> Value:
    return reversed_(g, x, eqn.params["dimensions"])


def reversed_(g: Graph, x: Value, axes: Sequence[int]) -> Value:
    """Turned around along some axes."""
    if not axes:
        return x
    ones = g.ints(*(-1 for _ in axes))
    return g.op("Slice", x, ones, g.ints(*(-_END for _ in axes)), g.ints(*axes), ones, shape=x.shape)


@rule("pad")
def _pad(g: Graph, eqn: Equation, x: Value, fill: Value) -> Value:
    return padded(g, x, fill, eqn.params["padding_config"])


def padded(g: Graph, x: Value, fill: Value, config: Sequence[tuple[Any, Any, int]]) -> Value:
    """With ``(before, after, between)`` elements more along each axis; negative numbers crop."""
    for axis, (_, _, between) in enumerate(config):
        x = _spread(g, x, fill, axis, between)
    low, high = [c[0] for c in config], [c[1] for c in config]
    shape = tuple(n + a + b for n, a, b in zip(x.shape, low, high, strict=True))
    if not all_static((*low, *high)):
        raise Refused("the padding depends on a symbolic size")
    grown = [max(0, n) for n in (*low, *high)]
    if any(grown):
        wide = tuple(n + a + b for n, a, b in zip(x.shape, grown, grown[x.ndim :], strict=False))
        x = g.op("Pad", x, g.ints(*grown), fill, shape=wide)
    starts = [max(0, -n) for n in low]
    ends = [n - max(0, -k) for n, k in zip(x.shape, high, strict=True)]
    return sliced(g, x, starts, ends, [1] * x.ndim, shape)


def _spread(g: Graph, x: Value, fill: Value, axis: int, between: int) -> Value:
    """Elements between those along an axis: each gets followers, and those of the last one are cut off."""
    n = x.shape[axis]
    if not between or (is_static(n) and n < 2):
        return x
    apart = unsqueezed(g, x, [axis + 1])
    pads = [0] * (2 * apart.ndim)
    pads[apart.ndim + axis + 1] = between
    shape = (*x.shape[: axis + 1], between + 1, *x.shape[axis + 1 :])
    wide = g.op("Pad", apart, g.ints(*pads), fill, shape=shape)
    flat = g.reshape(wide, (*x.shape[:axis], n * (between + 1), *x.shape[axis + 1 :]))
    ends = [*x.shape[:axis], n * (between + 1) - between, *x.shape[axis + 1 :]]
    return sliced(g, flat, [0] * x.ndim, ends, [1] * x.ndim, tuple(ends))


@rule("iota")
def _iota(g: Graph, eqn: Equation, *sizes: Value) -> Value:
    shape, axis, dtype = eqn.params["shape"], eqn.params["dimension"], eqn.outputs[0].dtype
    line = counted(g, shape[axis], dtype)
    return g.expand(unsqueezed(g, line, range(1, len(shape) - axis)), shape)


def counted(g: Graph, n: Any, dtype: Any) -> Value:
    """0, 1, 2, ..., n - 1."""
    if is_static(n):
        return g.constant(np.arange(n), dtype)
    end = g.op("Squeeze", g.size(n), shape=())
    return g.cast(g.op("Range", g.constant(0, "int64"), end, g.constant(1, "int64"), shape=(n,)), dtype)


@rule("dim_as_value")
def _dim_as_value(g: Graph, eqn: Equation) -> Value:
    size = g.op("Squeeze", g.size(eqn.params["dim"]), shape=())
    return g.cast(size, eqn.outputs[0].dtype)
