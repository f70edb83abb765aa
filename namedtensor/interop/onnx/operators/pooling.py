"""Pooling: windows of an array, their largest number, their mean, their norm."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from namedtensor.interop.onnx.errors import OnnxError
from namedtensor.interop.onnx.evaluate import Call
from namedtensor.interop.onnx.operators._windows import Windows, per_axis, windows
from namedtensor.interop.onnx.operators.reduce import root as square_root
from namedtensor.interop.onnx.table import operator
from namedtensor.interop.onnx.values import Value, bounded, canonical

Ints = Sequence[int] | None


def _slide(x: Value, start: Any, combine: Callable[..., Any], how: Windows) -> Value:
    """Combine the numbers of each window; ``start`` is what the padding holds."""
    start = np.asarray(start, x.dtype)  # a constant, or JAX does not know the operation and its derivative
    pads, steps = [(0, 0), (0, 0), *how.edges], (1, 1, *how.strides)
    widths = (1, 1, *how.widths)
    if any(d > 1 for d in how.dilations):
        x = _side_by_side(jax.lax.pad(x, start, [(*p, 0) for p in pads]), how)
        pads, steps = [(0, 0)] * x.ndim, widths
    return jax.lax.reduce_window(x, start, combine, widths, steps, pads)


def _side_by_side(x: Value, how: Windows) -> Value:
    """The rows of each window next to each other: JAX has no derivative of dilated maxima."""
    for axis, (before, _) in enumerate(how.edges):
        rows = (how.rows(axis) + before).reshape(-1)
        x = jnp.take(x, rows, axis + 2, mode="clip")  # all are inside; "fill" would only cost a comparison
    return x


def _lowest(dtype: Any) -> Any:
    if jnp.issubdtype(dtype, jnp.floating):
        return -np.inf
    return False if dtype.kind == "b" else jnp.iinfo(dtype).min


@operator("MaxPool")
def max_pool(
    x: Value,
    *,
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    dilations: Ints = None,
    kernel_shape: Sequence[int],
    pads: Ints = None,
    storage_order: int = 0,
    strides: Ints = None,
    node: Call,
) -> Value | tuple[Value, Value]:
    """The largest number of each window; if it is asked for, where in the flat input that stands."""
    how = _windows(x, kernel_shape, strides, dilations, pads, auto_pad, ceil_mode)
    y = _slide(jnp.asarray(x), _lowest(x.dtype), jax.lax.max, how)
    if not any(node.wanted[1:]):
        return y
    return y, _places(jax.lax.stop_gradient(x), how, storage_order)


def _windows(
    x: Value, kernel: Sequence[int], strides: Ints, dilations: Ints, pads: Ints, auto_pad: str, ceil_mode: int
) -> Windows:
    return windows(
        x.shape[2:],
        kernel,
        strides=strides,
        dilations=dilations,
        pads=pads,
        auto_pad=auto_pad,
        ceil_mode=ceil_mode,
    )


def _places(x: Value, how: Windows, storage_order: int) -> Value:
    """The flat place of the first largest number in each window, rows first or columns first."""
    space, planes = x.shape[2:], math.prod(x.shape[:2])
    read, inside = _elements(how, space, "C")
    values = jnp.asarray(x).reshape(planes, -1)[:, read]
    largest = jnp.max(values, -1, keepdims=True, where=inside[None], initial=_lowest(x.dtype))
    first = jnp.argmax((values == largest) & inside[None], -1)
    at = jnp.asarray(_elements(how, space, "F" if storage_order else "C")[0])
    found = jnp.take_along_axis(at[None], first[..., None], -1)[..., 0]
    found = found + (np.arange(planes) * math.prod(space))[:, None]
    return found.astype(canonical(np.int64)).reshape(*x.shape[:2], *how.counts)


def _elements(how: Windows, space: Sequence[int], order: Any) -> tuple[np.ndarray, np.ndarray]:
    """``[window, element]``: its flat place in the space, and whether it is inside."""
    n, places = len(space), np.arange(math.prod(space)).reshape(space, order=order)
    inside, index = np.ones((), bool), []
    for axis, size in enumerate(space):
        rows = how.rows(axis)
        shape = [1] * (2 * n)
        shape[axis], shape[n + axis] = rows.shape
        inside = inside & ((rows >= 0) & (rows < size)).reshape(shape)
        index.append(np.clip(rows, 0, size - 1).reshape(shape))
    flat = (math.prod(how.counts), math.prod(how.widths))
    return places[tuple(index)].reshape(flat), inside.reshape(flat)


@operator("AveragePool")
def average_pool(
    x: Value,
    *,
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    count_include_pad: int = 0,
    dilations: Ints = None,
    kernel_shape: Sequence[int],
    pads: Ints = None,
    strides: Ints = None,
) -> Value:
    """The mean of each window; what is padding counts as zeros, or does not count."""
    how = _windows(x, kernel_shape, strides, dilations, pads, auto_pad, ceil_mode)
    wide = jnp.promote_types(x.dtype, jnp.float32)
    total = _slide(jnp.asarray(x, wide), 0, jax.lax.add, how)
    return (total / _counts(how, x.shape[2:], bool(count_include_pad)).astype(wide)).astype(x.dtype)


def _counts(how: Windows, space: Sequence[int], with_padding: bool) -> np.ndarray:
    """How many numbers each window holds; rows that only rounding up has added never count."""
    counts = np.ones((1, 1), np.int64)
    for axis, (size, (before, after)) in enumerate(zip(space, how.pads, strict=True)):
        rows = how.rows(axis)
        low, high = (-before, size + after) if with_padding else (0, size)
        counts = counts[..., None] * ((rows >= low) & (rows < high)).sum(-1)
    return counts if (counts != counts.flat[0]).any() else counts.reshape(-1)[:1].reshape((1,) * counts.ndim)


@operator("LpPool")
def lp_pool(
    x: Value,
    *,
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    dilations: Ints = None,
    kernel_shape: Sequence[int],
    p: float = 2,
    pads: Ints = None,
    strides: Ints = None,
) -> Value:
    """The ``p``-norm of each window."""
    how = _windows(x, kernel_shape, strides, dilations, pads, auto_pad, ceil_mode)
    return root(_slide(powered(x, p), 0, jax.lax.add, how), p).astype(x.dtype)


def powered(x: Value, p: float) -> Value:
    """``|x| ** p``, in 32 bits at least."""
    x = jnp.asarray(x, jnp.promote_types(x.dtype, jnp.float32))
    if p == 2:
        return jnp.square(x)
    return jnp.abs(x) if p == 1 else jnp.abs(x) ** p


def root(total: Value, p: float) -> Value:
    """The ``p``-th root of a sum of powers; its derivative at zero is zero, not infinite."""
    if p in (1, 2):
        return total if p == 1 else square_root(total)
    there = total > 0
    return jnp.where(there, jnp.where(there, total, jnp.ones_like(total)) ** (1 / p), jnp.zeros_like(total))


def _space(x: Value) -> tuple[int, ...]:
    return tuple(range(2, x.ndim))


@operator("GlobalAveragePool")
def global_average_pool(x: Value) -> Value:
    """The mean of each channel."""
    return jnp.mean(x, _space(x), keepdims=True)


@operator("GlobalMaxPool")
def global_max_pool(x: Value) -> Value:
    """The largest number of each channel."""
    return jnp.max(x, _space(x), keepdims=True)


@operator("GlobalLpPool")
def global_lp_pool(x: Value, *, p: float = 2) -> Value:
    """The ``p``-norm of each channel."""
    return root(powered(x, p).sum(_space(x), keepdims=True), p).astype(x.dtype)


@operator("MaxUnpool", static=("output_shape",))
def max_unpool(
    x: Value,
    places: Value,
    output_shape: Value = None,
    *,
    kernel_shape: Sequence[int],
    pads: Ints = None,
    strides: Ints = None,
) -> Value:
    """Numbers back where `max_pool` found them, and zeros elsewhere."""
    n = len(kernel_shape)
    steps, edges = per_axis(strides, n, "strides"), per_axis(pads, 2 * n, "pads", least=0)
    if x.ndim != n + 2:
        raise OnnxError(f"kernel_shape {list(kernel_shape)} is for {n} spatial axes, the input is {x.shape}.")
    each = zip(x.shape[2:], steps, kernel_shape, edges[:n], edges[n:], strict=True)
    shape = bounded([*x.shape[:2], *((s - 1) * t + k - a - b for s, t, k, a, b in each)])
    flat = jnp.zeros(math.prod(shape), x.dtype).at[jnp.reshape(places, -1)].set(jnp.reshape(x, -1))
    y = flat.reshape(shape)
    if output_shape is None:
        return y
    wanted = bounded(output_shape)
    if len(wanted) != len(shape) or any(w < s for w, s in zip(wanted, shape, strict=True)):
        raise OnnxError(f"output_shape {list(wanted)} has no room for the result of shape {list(shape)}.")
    return jnp.pad(y, [(0, w - s) for w, s in zip(wanted, shape, strict=True)])
