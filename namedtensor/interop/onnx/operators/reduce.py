"""Sums, maxima and the like over axes, and running ones along an axis."""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from namedtensor.interop.onnx.operators.shapes import axes_of, axis_of, taken
from namedtensor.interop.onnx.table import operator
from namedtensor.interop.onnx.values import Value, beside_traced, cast, known, numpy_or_jax

Reduction = Callable[[Value, tuple[int, ...], bool], Value]


@jax.custom_jvp
def root(x: Any) -> Any:
    """The square root, with the derivative 0 at 0: that of a norm is a direction, and there is none."""
    return jnp.sqrt(x)


@root.defjvp
def _(primals: tuple[Any], tangents: tuple[Any]) -> tuple[Any, Any]:
    out = root(*primals)
    slope = jnp.where(
        out > 0, 0.5 / jnp.where(out > 0, out, jnp.ones((), out.dtype)), jnp.zeros((), out.dtype)
    )
    return out, slope * tangents[0]


def _sum(x: Value, axes: tuple[int, ...], keepdims: bool) -> Value:
    return numpy_or_jax(x).sum(x, axes, dtype=x.dtype, keepdims=keepdims)


def _product(x: Value, axes: tuple[int, ...], keepdims: bool) -> Value:
    return numpy_or_jax(x).prod(x, axes, dtype=x.dtype, keepdims=keepdims)


def mean(x: Value, axes: tuple[int, ...], keepdims: bool) -> Value:
    """The mean; of integers, truncated towards zero."""
    return numpy_or_jax(x).mean(x, axes, keepdims=keepdims).astype(x.dtype)


def _extreme(name: str, x: Value, axes: tuple[int, ...], keepdims: bool) -> Value:
    empty = math.prod(np.shape(x)[a] for a in axes) == 0
    initial = {"initial": _neutral(name, x.dtype)} if empty else {}
    return getattr(numpy_or_jax(x), name)(x, axes, keepdims=keepdims, **initial)


def _neutral(name: str, dtype: Any) -> Any:
    """What the maximum or the minimum of nothing is."""
    if dtype.kind == "b":
        return name == "min"
    if dtype.kind in "iu":
        return getattr(np.iinfo(dtype), {"max": "min", "min": "max"}[name])
    return np.asarray(-np.inf if name == "max" else np.inf, dtype)


def _absolute(x: Value, axes: tuple[int, ...], keepdims: bool) -> Value:
    """The sum of absolute values."""
    return _sum(abs(x), axes, keepdims)


def _squares(x: Value, axes: tuple[int, ...], keepdims: bool) -> Value:
    return _sum(x * x, axes, keepdims)


def _length(x: Value, axes: tuple[int, ...], keepdims: bool) -> Value:
    """The root of the sum of squares; half precision is squared in float32."""
    wide = cast(x, np.float32) if x.dtype.kind not in "iu" and x.dtype.itemsize == 2 else x
    squares = _squares(wide, axes, keepdims)
    out = (
        np.sqrt(squares)
        if known(x)
        else root(squares if x.dtype.kind not in "iu" else cast(squares, np.float64))
    )
    return cast(out, x.dtype)


def _log_sum(x: Value, axes: tuple[int, ...], keepdims: bool) -> Value:
    return numpy_or_jax(x).log(_sum(x, axes, keepdims)).astype(x.dtype)


def _log_sum_exp(x: Value, axes: tuple[int, ...], keepdims: bool) -> Value:
    if math.prod(np.shape(x)[a] for a in axes) == 0:
        return _log_sum(x, axes, keepdims)
    wide = cast(x, np.float64) if x.dtype.kind in "iu" else x
    return cast(jax.nn.logsumexp(beside_traced(wide), axes, keepdims=keepdims), x.dtype)


_REDUCTIONS: dict[str, Reduction] = {
    "ReduceSum": _sum,
    "ReduceProd": _product,
    "ReduceMean": mean,
    "ReduceMax": functools.partial(_extreme, "max"),
    "ReduceMin": functools.partial(_extreme, "min"),
    "ReduceL1": _absolute,
    "ReduceL2": _length,
    "ReduceSumSquare": _squares,
    "ReduceLogSum": _log_sum,
    "ReduceLogSumExp": _log_sum_exp,
}


def _by_operand(how: Reduction) -> Callable[..., Value]:
    def call(x: Value, axes: Value = None, *, keepdims: int = 1, noop_with_empty_axes: int = 0) -> Value:
        none = axes is None or np.size(axes) == 0
        over = range(0 if noop_with_empty_axes else np.ndim(x)) if none else axes
        return how(x, axes_of(over, np.ndim(x)), bool(keepdims))

    return call


def _by_attribute(how: Reduction) -> Callable[..., Value]:
    def call(x: Value, *, axes: Sequence[int] | None = None, keepdims: int = 1) -> Value:
        return how(x, axes_of(axes or range(np.ndim(x)), np.ndim(x)), bool(keepdims))

    return call


for _name, _how in _REDUCTIONS.items():
    operator(_name)(_by_attribute(_how))
    operator(_name, since=13 if _name == "ReduceSum" else 18, static=("axes",))(_by_operand(_how))


@operator("CumSum", static=("axis",))
def running_sum(x: Value, axis: Value, *, exclusive: int = 0, reverse: int = 0) -> Value:
    """For each place the sum of what is before it, itself included unless ``exclusive``."""
    return _running("cumsum", 0, x, int(np.asarray(axis).item()), exclusive, reverse)


@operator("CumProd", static=("axis",))
def running_product(x: Value, axis: Value, *, exclusive: int = 0, reverse: int = 0) -> Value:
    """For each place the product of what is before it, itself included unless ``exclusive``."""
    return _running("cumprod", 1, x, int(np.asarray(axis).item()), exclusive, reverse)


def _running(name: str, neutral: int, x: Value, axis: int, exclusive: int, reverse: int) -> Value:
    xp, axis = numpy_or_jax(x), axis_of(axis, np.ndim(x))
    x = xp.flip(x, axis) if reverse else x
    if exclusive and np.shape(x)[axis]:
        shape = [1 if a == axis else n for a, n in enumerate(np.shape(x))]
        first = np.full(shape, neutral, x.dtype)
        before = taken(x, [slice(-1) if a == axis else slice(None) for a in range(np.ndim(x))])
        x = xp.concatenate([first, before], axis)
    out = getattr(xp, name)(x, axis, dtype=x.dtype)
    return xp.flip(out, axis) if reverse else out
