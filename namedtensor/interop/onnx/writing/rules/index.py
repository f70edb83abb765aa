"""Reading at computed places: `gather` in its general form, and slices that begin where the data say.

A gather becomes a `Slice` if it has one index, a `Gather` if it indexes one axis, and else a `GatherND`,
with the indices of whole windows written out.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from namedtensor.interop.onnx.writing.graph import Graph
from namedtensor.interop.onnx.writing.rules.shape import counted, sliced, unsqueezed
from namedtensor.interop.onnx.writing.table import rule
from namedtensor.interop.onnx.writing.values import Value, is_static
from namedtensor.interpreter import Equation

Label = tuple[str, int]  # ("batch", axis of the indices) or ("window", axis of the operand)


@rule("gather")
def _gather(g: Graph, eqn: Equation, x: Value, index: Value) -> Value:
    p, out = eqn.params, eqn.outputs[0]
    numbers, sizes, mode = p["dimension_numbers"], p["slice_sizes"], str(p["mode"])
    starts = g.cast(index, "int64")
    limits = [_less(x.shape[d], sizes[d]) for d in numbers.start_index_map]
    inside = None
    if "FILL" in mode and not _known_inside(index, limits):
        inside = within(g, starts, limits)
    if inside is not None or "CLIP" in mode:
        starts = clamped(g, starts, limits)
    result = _read(g, x, starts, numbers, sizes, out.shape)
    if inside is None:
        return result
    fill = g.constant(_fill(p["fill_value"], x.dtype))
    return g.map("Where", unsqueezed(g, inside, numbers.offset_dims), result, fill, like=1)


def _less(n: Any, size: Any) -> Any:
    return n - size


def _fill(value: Any, dtype: Any) -> np.ndarray:
    if value is not None:
        return np.asarray(value, dtype)
    if dtype.kind in "iu":
        return np.asarray(np.iinfo(dtype).min if dtype.kind == "i" else np.iinfo(dtype).max, dtype)
    return np.asarray(True if dtype.kind == "b" else np.nan, dtype)


def _known_inside(index: Value, limits: Sequence[Any]) -> bool:
    if index.known is None or not all(map(is_static, limits)):
        return False
    return bool(((index.known >= 0) & (index.known <= np.asarray(limits))).all())


def within(g: Graph, starts: Value, limits: Sequence[Any]) -> Value:
    """Whether each index vector lies between 0 and the limits."""
    low = g.map("GreaterOrEqual", starts, g.constant(0, "int64"), dtype=bool)
    high = g.map("LessOrEqual", starts, g.shape(limits), dtype=bool)
    axis = starts.ndim - 1
    both = g.map("And", low, high)
    if limits and len(limits) == 1:
        return g.op("Squeeze", both, g.ints(axis), shape=both.shape[:-1])
    return g.op("ReduceMin", both, g.ints(axis), shape=both.shape[:-1], keepdims=0)


def clamped(g: Graph, starts: Value, limits: Sequence[Any]) -> Value:
    """Each index vector moved between 0 and the limits."""
    return g.map("Min", g.map("Max", starts, g.constant(0, "int64")), g.shape(limits))


def _read(g: Graph, x: Value, starts: Value, numbers: Any, sizes: Sequence[Any], shape: Any) -> Value:
    indexed, batching = numbers.start_index_map, numbers.operand_batching_dims
    given = [*indexed, *batching]
    whole = [n if i in given else s for i, (n, s) in enumerate(zip(x.shape, sizes, strict=True))]
    x = sliced(g, x, [0] * x.ndim, whole, [1] * x.ndim, tuple(whole))
    if starts.ndim == 1 and not batching:
        return _at_one_place(g, x, starts, numbers, sizes)
    windows = [d for d in indexed if d not in numbers.collapsed_slice_dims and str(sizes[d]) != "1"]
    if len(indexed) == 1 and not batching and not windows:
        axis = indexed[0]
        places = g.op("Squeeze", starts, g.ints(starts.ndim - 1), shape=starts.shape[:-1])
        taken = (*x.shape[:axis], *places.shape, *x.shape[axis + 1 :])
        result = g.op("Gather", x, places, shape=taken, axis=axis)
        labels = [("window", d) for d in range(axis)] + [("batch", i) for i in range(places.ndim)]
        labels += [("window", d) for d in range(axis + 1, x.ndim)]
    else:
        result, labels = _read_many(g, x, starts, numbers, sizes, windows)
    return _arranged(g, result, labels, numbers, x.ndim, len(shape))


def _at_one_place(g: Graph, x: Value, starts: Value, numbers: Any, sizes: Sequence[Any]) -> Value:
    indexed = list(numbers.start_index_map)
    part = tuple(sizes[d] if d in indexed else n for d, n in enumerate(x.shape))
    ends = g.map("Add", starts, g.shape([sizes[d] for d in indexed]))
    result = g.op("Slice", x, starts, ends, g.ints(*indexed), shape=part) if indexed else x
    gone = list(numbers.collapsed_slice_dims)
    shape = tuple(n for d, n in enumerate(part) if d not in gone)
    return g.op("Squeeze", result, g.ints(*gone), shape=shape) if gone else result


def _read_many(
    g: Graph, x: Value, starts: Value, numbers: Any, sizes: Sequence[Any], windows: Sequence[int]
) -> tuple[Value, list[Label]]:
    indexed, batching = list(numbers.start_index_map), list(numbers.operand_batching_dims)
    rest = [d for d in range(x.ndim) if d not in (*indexed, *batching)]
    data = g.transpose(x, [*batching, *indexed, *rest])
    first = list(numbers.start_indices_batching_dims)
    others = [i for i in range(starts.ndim - 1) if i not in first]
    places = g.transpose(starts, [*first, *others, starts.ndim - 1])
    places = spread(g, places, [indexed.index(d) for d in windows], [sizes[d] for d in windows])
    shape = (*places.shape[:-1], *(x.shape[d] for d in rest))
    result = g.op("GatherND", data, places, shape=shape, batch_dims=len(batching))
    labels = [("batch", i) for i in (*first, *others)] + [("window", d) for d in (*windows, *rest)]
    return result, labels


def spread(g: Graph, places: Value, components: Sequence[int], sizes: Sequence[Any]) -> Value:
    """Indices ``[..., m]`` of where windows begin as those of all their elements, ``[..., *sizes, m]``."""
    m, n, count = places.shape[-1], places.ndim - 1, len(components)
    places = unsqueezed(g, places, range(n, n + count))
    for k, (component, size) in enumerate(zip(components, sizes, strict=True)):
        line = unsqueezed(g, counted(g, size, "int64"), range(1, count - k + 1))
        unit = np.zeros(m, np.int64)
        unit[component] = 1
        steps = g.map("Mul", line, g.ints(*unit)) if m > 1 else line
        places = g.map("Add", places, steps)
    return places


def _arranged(g: Graph, x: Value, labels: Sequence[Label], numbers: Any, rank: int, out_rank: int) -> Value:
    """The axes in the order of the result; windows of one element, which nothing has read, are added."""
    gone = (*numbers.collapsed_slice_dims, *numbers.operand_batching_dims)
    kept: list[Label] = [("window", d) for d in range(rank) if d not in gone]
    batch: list[Label] = sorted(label for label in labels if label[0] == "batch")
    offsets, waiting = dict(zip(numbers.offset_dims, kept, strict=True)), iter(batch)
    order = [offsets[i] if i in offsets else next(waiting) for i in range(out_rank)]
    moved = g.transpose(x, [labels.index(label) for label in order if label in labels])
    return unsqueezed(g, moved, [i for i, label in enumerate(order) if label not in labels])


@rule("dynamic_slice")
def _dynamic_slice(g: Graph, eqn: Equation, x: Value, *starts: Value) -> Value:
    sizes = eqn.outputs[0].shape
    limits = [n - s for n, s in zip(x.shape, sizes, strict=True)]
    axes = [i for i, limit in enumerate(limits) if str(limit) != "0"]
    if not axes:
        return x
    first = clamped_starts(g, [starts[i] for i in axes], [limits[i] for i in axes])
    last = g.map("Add", first, g.shape([sizes[i] for i in axes]))
    return g.op("Slice", x, first, last, g.ints(*axes), shape=sizes)


def clamped_starts(g: Graph, starts: Sequence[Value], limits: Sequence[Any]) -> Value:
    """Where a slice begins, a vector, moved so that it lies inside."""
    if all(s.known is not None for s in starts) and all(map(is_static, limits)):
        known = [int(s.known) for s in starts]  # type: ignore[arg-type]
        return g.ints(*(min(max(k, 0), limit) for k, limit in zip(known, limits, strict=True)))
    line = g.concat([unsqueezed(g, g.cast(s, "int64"), [0]) for s in starts])
    return clamped(g, line, limits)
