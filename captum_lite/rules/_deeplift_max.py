"""DeepLift through maxima and minima: credit goes through the winner.

The change of a maximum belongs to the element that brings it about: if it rose, the winner at the
inputs has risen above the old maximum; if it fell, the winner at the baselines has fallen below it.
In both cases that element moved at least as far as the maximum, so its multiplier is in [0, 1]
(DeepLIFT's rule for max-pooling, with the maximum across both runs).
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from captum_lite.rules._pair import Pair, at_x0, in_floats, live, made, mapped, seen
from captum_lite.rules._scalar import slope
from namedtensor.interpreter import Equation, RuleTable

_FEW = 32  # elements up to which a mask is cheaper than an index (and its transpose than a scatter)


def register(table: RuleTable) -> None:
    """Put the rules into a table."""
    table.register("reduce_max", "reduce_or")(lambda eqn, x: extreme(x, eqn.params["axes"], 1))
    table.register("reduce_min", "reduce_and")(lambda eqn, x: extreme(x, eqn.params["axes"], -1))
    table.register("reduce_window_max")(lambda eqn, x: _windowed(eqn, x, 1))
    table.register("reduce_window_min")(lambda eqn, x: _windowed(eqn, x, -1))
    table.register("cummax")(lambda eqn, x: _cumulative(eqn, x, 1))
    table.register("cummin")(lambda eqn, x: _cumulative(eqn, x, -1))


def extreme(value: Pair, axes: Sequence[int], sign: int) -> Pair:
    """The maximum (sign 1) or minimum (-1) over axes."""
    if not axes:
        return value
    if 0 in value.shape:
        raise ValueError(f"there is no maximum over the axes {axes} of an empty array {list(value.shape)}.")
    rows = _behind(axes, len(value.shape))
    x, x0 = rows(seen(value)), rows(value.x0)
    a, a0 = in_floats(x), in_floats(x0)
    here, there = jnp.argmax(sign * a, -1), jnp.argmax(sign * a0, -1)
    y, y0 = _taken(x, here), _taken(x0, there)
    winner = jnp.where(sign * (_taken(a, here) - _taken(a0, there)) >= 0, here, there)
    return _won(y, y0, a, a0, winner, rows(live(value)))


def _won(y: Any, y0: Any, a: Any, a0: Any, winner: Any, operand: Any) -> Pair:
    """The pair of two extremes, with the credit through the element ``winner`` of the last axis."""
    change = in_floats(y) - in_floats(y0)
    size = abs(in_floats(y)) + abs(in_floats(y0))
    m = slope(change, jnp.ones_like(change), _taken(a, winner) - _taken(a0, winner), size)
    return made(y, y0, _through_winner, (m, winner), operand)


def _through_winner(consts: Any, change: Any) -> Any:
    m, winner = consts
    return m * _taken(change, winner)


def _taken(values: Any, index: Any) -> Any:
    """The element at ``index`` of the last axis, for each row."""
    n = values.shape[-1]
    if n > _FEW:
        return jnp.take_along_axis(values, index[..., None], -1)[..., 0]
    chosen = index[..., None] == jnp.arange(n).reshape([1] * index.ndim + [n])
    if values.dtype == bool:
        return jnp.any(chosen & values, -1)
    return jnp.where(chosen, values, jnp.zeros((), values.dtype)).sum(-1, dtype=values.dtype)


def _behind(axes: Sequence[int], ndim: int) -> Callable[[Any], Any]:
    """A function that lays axes behind the others, as one."""
    kept = [a for a in range(ndim) if a not in axes]

    def rows(v: Any) -> Any:
        return lax.transpose(v, [*kept, *axes]).reshape(*[v.shape[a] for a in kept], -1)

    return rows


def _windowed(eqn: Equation, value: Pair, sign: int) -> Pair:
    """One axis after the other: the winner of a box is the winner of its rows' winners."""
    p = eqn.params
    columns = zip(
        p["window_dimensions"], p["window_strides"], p["padding"], p["base_dilation"], p["window_dilation"],
        strict=True,
    )  # fmt: skip
    for axis, window in reversed(list(enumerate(columns))):
        if window != (1, 1, (0, 0), 1, 1):
            rows = _windows(axis, value.shape, window, sign)
            value = extreme(mapped(rows, value), (len(value.shape),), sign)
    return value


def _windows(axis: int, shape: tuple[int, ...], window: tuple, sign: int) -> Callable[[Any], Any]:
    """A function that lays the windows along one axis behind, ``[..., positions, ..., element]``."""
    size, stride, (low, high), dilation, spread = window
    padded = low + high + (shape[axis] - 1) * dilation + 1
    positions = (padded - (size - 1) * spread - 1) // stride + 1

    def rows(v: Any) -> Any:
        edges = [(0, 0, 0)] * len(shape)
        edges[axis] = (low, high, dilation - 1)
        v = lax.pad(v, _last(v.dtype, sign), edges)
        if size > _FEW:
            index = np.arange(positions)[:, None] * stride + np.arange(size) * spread
            return jnp.moveaxis(jnp.take(v, index, axis=axis), axis + 1, -1)
        ends = (positions - 1) * stride + 1
        return jnp.stack(
            [lax.slice_in_dim(v, k * spread, k * spread + ends, stride, axis) for k in range(size)], -1
        )

    return rows


def _last(dtype: Any, sign: int) -> Any:
    """What never wins."""
    if jnp.issubdtype(dtype, jnp.bool_):
        return jnp.asarray(sign < 0)
    if jnp.issubdtype(dtype, jnp.inexact):
        return jnp.asarray(-sign * np.inf, dtype)
    limits = jnp.iinfo(dtype)
    return jnp.asarray(limits.min if sign > 0 else limits.max, dtype)


def _cumulative(eqn: Equation, value: Pair, sign: int) -> Pair:
    axis, reverse = eqn.params["axis"], eqn.params["reverse"]
    back = len(value.shape) - 1

    def rows(v: Any) -> Any:
        return jnp.moveaxis(lax.rev(v, (axis,)) if reverse else v, axis, back)

    def restored(v: Any) -> Any:
        v = jnp.moveaxis(v, back, axis)
        return lax.rev(v, (axis,)) if reverse else v

    y, y0 = rows(eqn.bind(seen(value))), rows(eqn.bind(at_x0(value)))
    a, a0 = in_floats(rows(seen(value))), in_floats(rows(value.x0))
    winner = jnp.where(sign * (in_floats(y) - in_floats(y0)) >= 0, _records(a, y), _records(a0, y0))
    m = slope(
        in_floats(y) - in_floats(y0),
        jnp.ones_like(a),
        jnp.take_along_axis(a, winner, -1) - jnp.take_along_axis(a0, winner, -1),
        abs(in_floats(y)) + abs(in_floats(y0)),
    )
    return mapped(restored, made(y, y0, _through_records, (m, winner), rows(live(value))))


def _records(values: Any, extremes: Any) -> Any:
    """For each position the last one up to it that set the extreme."""
    numbers = lax.broadcasted_iota(np.int32, values.shape, values.ndim - 1)
    return lax.cummax(jnp.where(values == extremes, numbers, 0), axis=values.ndim - 1)


def _through_records(consts: Any, change: Any) -> Any:
    m, winner = consts
    return m * jnp.take_along_axis(change, winner, -1)
