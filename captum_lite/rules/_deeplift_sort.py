"""DeepLift through sort and top_k: each element is credited while it stands at the place.

On the straight way from the baselines to the inputs, the k-th value is one element after another.
Each is credited with what it moves while it is the k-th, so its multiplier is the fraction of the way
on which it is: in [0, 1], of sum 1, and exact, because neighbours change places where they are equal.
That takes ``n^2`` numbers for ``n`` elements; where it would be too many, and for what is sorted along
by another's order, the part that is missed is noted.
"""

import math
from typing import Any

import jax.numpy as jnp
from jax import lax

from captum_lite.rules._deeplift_fallback import integrated
from captum_lite.rules._pair import (
    Losses,
    Pair,
    at_x,
    at_x0,
    in_floats,
    is_continuous,
    live,
    made,
    seen,
    varies,
)
from namedtensor.interpreter import Equation

_MOST = 1 << 24  # numbers of the matrix of ranks


def sort(losses: Losses, eqn: Equation, *values: Any) -> list[Any]:
    """Of one key, with whatever is sorted along."""
    axis, n_keys = eqn.params["dimension"], eqn.params["num_keys"]
    if not any(map(varies, values[:n_keys])):
        return _reordered(eqn, values)
    if n_keys > 1 or not _is_exact(values[0], axis):
        return integrated(losses, eqn, *values)
    shares = _shares(seen(values[0]), values[0].x0, axis)
    ys, y0s = eqn.bind(*map(seen, values)), eqn.bind(*map(at_x0, values))
    key, *along = values
    sorted_key = made(ys[0], y0s[0], _shared(axis), shares, live(key))
    parts = zip(along, ys[1:], y0s[1:], strict=True)
    return [sorted_key, *(_along(losses, eqn, shares, v, y, y0, axis) for v, y, y0 in parts)]


def top_k(losses: Losses, eqn: Equation, value: Pair) -> list[Any]:
    """The largest values; their indices have no credit."""
    axis, k = eqn.params.get("axis", len(value.shape) - 1) % len(value.shape), eqn.params["k"]
    if not _is_exact(value, axis):
        return integrated(losses, eqn, value)
    shares = _shares(-seen(value), -value.x0, axis)[..., :k, :]
    (y, index), (y0, index0) = eqn.bind(seen(value)), eqn.bind(value.x0)
    return [made(y, y0, _shared(axis), shares, value.x), without_credit(losses, eqn, index, index0)]


def without_credit(losses: Losses, eqn: Equation, y: Any, y0: Any) -> Pair:
    """A result that no multiplier reaches, so that all of its change is missed."""
    floats, floats0 = in_floats(y), in_floats(y0)
    missing = losses.add(eqn, lax.stop_gradient(floats), floats - floats0)
    return Pair(missing, y0) if is_continuous(y) else Pair(y, y0, missing)


def _is_exact(key: Pair, axis: int) -> bool:
    return is_continuous(key) and math.prod(key.shape) * key.shape[axis] <= _MOST


def _reordered(eqn: Equation, values: tuple[Any, ...]) -> list[Any]:
    """By an order that does not vary."""
    ys, y0s = eqn.bind(*map(at_x, values)), eqn.bind(*map(at_x0, values))
    credits = eqn.bind(*(live(v) if varies(v) else v for v in values))
    parts = zip(values, ys, y0s, credits, strict=True)
    return [
        y if not varies(v) else Pair(y, y0) if is_continuous(y) else Pair(y, y0, c) for v, y, y0, c in parts
    ]


def _along(losses: Losses, eqn: Equation, shares: Any, value: Any, y: Any, y0: Any, axis: int) -> Any:
    """What is sorted along moves by itself, which is credited, and by its places, which is missed."""
    floats, rule = in_floats(y), _shared(axis)
    own = jnp.zeros_like(floats)
    if varies(value):
        own = rule(shares, in_floats(seen(value)) - in_floats(value.x0))
    out = made(y, y0, rule, shares, live(value) if varies(value) else jnp.zeros_like(floats))
    credit = losses.add(eqn, live(out), floats - in_floats(y0) - own)
    return Pair(credit, out.x0) if is_continuous(y) else Pair(out.x, out.x0, credit)


def _shared(axis: int) -> Any:
    def rule(shares: Any, change: Any) -> Any:
        """``sum over i of shares[..., k, i] * change[..., i]``, along the axis."""
        moved = jnp.einsum("...ki,...i->...k", shares, jnp.moveaxis(change, axis, -1))
        return jnp.moveaxis(moved, -1, axis)

    return rule


def _shares(x: Any, x0: Any, axis: int) -> Any:
    """``[..., k, i]``: the fraction of the way on which element ``i`` is the ``k``-th in ascending order."""
    x, x0 = jnp.moveaxis(x, axis, -1), jnp.moveaxis(x0, axis, -1)
    n = x.shape[-1]
    above, above0, when = _meetings(x, x0)
    order = jnp.argsort(when, -1)
    steps = above.astype(int) - above0.astype(int)
    ranks = above0.sum(-1, keepdims=True) + jnp.cumsum(jnp.take_along_axis(steps, order, -1), -1)
    ranks = jnp.concatenate([above0.sum(-1, keepdims=True), ranks], -1)
    times = jnp.take_along_axis(when, order, -1)
    edge = jnp.zeros_like(times[..., :1])
    spent = jnp.diff(jnp.concatenate([edge, times, edge + 1], -1), axis=-1)
    return _gathered(ranks, spent, n)


def _gathered(ranks: Any, spent: Any, n: int) -> Any:
    """``[..., i, segment]`` -> ``[..., k, i]``: the time spent at each rank."""
    flat, times = ranks.reshape(-1, n + 1), spent.reshape(-1, n + 1)
    rows = jnp.arange(flat.shape[0])[:, None]
    total = jnp.zeros((flat.shape[0], n), spent.dtype).at[rows, flat].add(times, mode="drop")
    return total.reshape(*ranks.shape[:-1], n).swapaxes(-1, -2)


def _meetings(x: Any, x0: Any) -> tuple[Any, Any, Any]:
    """For elements ``i, j``: whether ``i`` is above ``j`` at the end and at the start, and when they meet.

    Equal ones keep the order in which they leave or arrive, and where they never part, that of their
    numbers, as a stable sort does. Pairs that do not meet do so at the end.
    """
    n = x.shape[-1]
    numbers = jnp.arange(n)
    later = (numbers[:, None] > numbers[None, :]).reshape([1] * (x.ndim - 1) + [n, n])
    i, j, i0, j0 = x[..., :, None], x[..., None, :], x0[..., :, None], x0[..., None, :]
    tied, tied0 = i == j, i0 == j0
    above = (i > j) | (tied & ((i0 > j0) | (tied0 & later)))
    above0 = (i0 > j0) | (tied0 & ((i > j) | (tied & later)))
    apart, apart0 = abs(i - j), abs(i0 - j0)
    when = apart0 / jnp.where(above != above0, apart + apart0, 1)
    meet = (above != above0) & jnp.isfinite(when)
    return above, above0, jnp.where(meet, jnp.clip(when, 0, 1), 1)
