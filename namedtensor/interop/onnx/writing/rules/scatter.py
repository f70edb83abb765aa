"""Writing at computed places: `scatter` and its kinds as a `ScatterND`.

Axes that are indexed come first, and whole windows are written out as the indices of their elements. What
JAX drops because it lies outside goes to one row more, which is cut off again.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from namedtensor.interop.onnx.writing.graph import Graph
from namedtensor.interop.onnx.writing.rules.index import clamped, clamped_starts, spread, within
from namedtensor.interop.onnx.writing.rules.shape import counted, padded, sliced, unsqueezed
from namedtensor.interop.onnx.writing.table import Refused, rule
from namedtensor.interop.onnx.writing.values import Value, is_static
from namedtensor.interpreter import Equation

_KINDS = {
    "scatter": "none", "scatter-add": "add", "scatter_add": "add", "scatter-mul": "mul", "scatter_mul": "mul",
    "scatter-min": "min", "scatter_min": "min", "scatter-max": "max", "scatter_max": "max",
}  # fmt: skip


@rule(*_KINDS)
def _scatter(g: Graph, eqn: Equation, x: Value, index: Value, update: Value) -> Value:
    numbers, mode = eqn.params["dimension_numbers"], str(eqn.params["mode"])
    inserted, batching = numbers.inserted_window_dims, numbers.operand_batching_dims
    indexed = list(numbers.scatter_dims_to_operand_dims)
    if set(inserted) - set(indexed):
        raise Refused("an axis of the operand that the updates lack and the indices do not reach")
    windowed = [d for d in range(x.ndim) if d not in (*inserted, *batching)]
    sizes = {d: update.shape[i] for d, i in zip(windowed, numbers.update_window_dims, strict=True)}
    partial = [d for d in windowed if d not in indexed and str(sizes[d]) != str(x.shape[d])]
    starts = g.cast(index, "int64")
    limits = [x.shape[d] - sizes.get(d, 1) for d in indexed]
    inside = None
    if "FILL" in mode and not _known_inside(starts, limits):
        inside = within(g, starts, limits)
    elif "CLIP" in mode:
        starts = clamped(g, starts, limits)
    starts = _with_batch(g, starts, numbers.scatter_indices_batching_dims, len(partial))
    dims = [*indexed, *batching, *partial]
    spans = [d for d in dims if d in sizes]
    places = spread(g, starts, [dims.index(d) for d in spans], [sizes[d] for d in spans])
    rest = [d for d in windowed if d not in dims]
    to = dict(zip(windowed, numbers.update_window_dims, strict=True))
    batch = [i for i in range(update.ndim) if i not in numbers.update_window_dims]
    update = g.transpose(update, [*batch, *(to[d] for d in spans), *(to[d] for d in rest)])
    if inside is not None:
        inside = unsqueezed(g, inside, range(inside.ndim, inside.ndim + len(spans) + 1))
    return _written(g, x, places, update, [*dims, *rest], inside, _KINDS[eqn.primitive])


def _known_inside(starts: Value, limits: Sequence[Any]) -> bool:
    if starts.known is None or not all(map(is_static, limits)):
        return False
    return bool(((starts.known >= 0) & (starts.known <= np.asarray(limits))).all())


def _with_batch(g: Graph, starts: Value, axes: Sequence[int], zeros: int) -> Value:
    """The indices of batch axes, which each count for themselves, beside those given; and zeros."""
    parts, front = [starts], starts.shape[:-1]
    for axis in axes:
        line = unsqueezed(g, counted(g, front[axis], "int64"), range(1, len(front) - axis + 1))
        parts.append(g.expand(line, (*front, 1)))
    if zeros:
        parts.append(g.expand(g.constant(0, "int64"), (*front, zeros)))
    return g.concat(parts, axis=starts.ndim - 1)


def _written(
    g: Graph, x: Value, places: Value, update: Value, order: Sequence[int], inside: Value | None, kind: str
) -> Value:
    data = g.transpose(x, order)
    shape = data.shape
    if inside is not None:
        data = padded(g, data, g.constant(0, x.dtype), [(0, 1, 0), *[(0, 0, 0)] * (x.ndim - 1)])
        beyond = g.concat([g.size(shape[0]), g.ints(*[0] * (places.shape[-1] - 1))])
        places = g.map("Where", inside, places, beyond if places.shape[-1] > 1 else g.size(shape[0]), like=1)
    attributes: dict[str, Any] = {} if kind == "none" else {"reduction": kind}
    data = g.op("ScatterND", data, places, update, shape=data.shape, **attributes)
    data = sliced(g, data, [0] * x.ndim, shape, [1] * x.ndim, shape)
    return g.transpose(data, sorted(range(x.ndim), key=lambda d: order[d]))


@rule("dynamic_update_slice")
def _dynamic_update_slice(g: Graph, eqn: Equation, x: Value, update: Value, *starts: Value) -> Value:
    limits = [n - m for n, m in zip(x.shape, update.shape, strict=True)]
    dims = [d for d, limit in enumerate(limits) if str(limit) != "0"]
    if not dims:
        return update
    rest = [d for d in range(x.ndim) if d not in dims]
    first = clamped_starts(g, [starts[d] for d in dims], [limits[d] for d in dims])
    places = spread(g, first, range(len(dims)), [update.shape[d] for d in dims])
    order = [*dims, *rest]
    return _written(g, x, places, g.transpose(update, order), order, None, "none")
