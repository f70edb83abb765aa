"""Multipliers of functions that act on each element alone: secants, and Shapley values."""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from captum_lite.rules._pair import Pair, at_x0, in_floats, is_continuous, live, made, seen, varies

_ROUNDINGS = 4  # of a function's values, within which a gradient explains their difference


def scalar(fun: Callable[..., Any], values: Sequence[Any]) -> Pair:
    """An elementwise function of values some of which vary.

    With one of them the multiplier is the secant ``(f(x) - f(x0)) / (x - x0)``; with several, each gets
    its Shapley value, which is exact and costs ``2^n`` evaluations for ``n`` of them.
    """
    players = [i for i, v in enumerate(values) if varies(v)]
    runs: dict[frozenset[int], Any] = {}

    def run(at_inputs: frozenset[int]) -> Any:
        """The function with these operands at the inputs and the others at the baselines."""
        if at_inputs not in runs:
            runs[at_inputs] = fun(*_mixed(values, at_inputs))
        return runs[at_inputs]

    y, y0 = run(frozenset(players)), run(frozenset())
    slopes = []
    for i in players:
        part, gradient = 0.0, 0.0
        for others, weight in _coalitions(players, i):
            part = part + weight * (in_floats(run(others | {i})) - in_floats(run(others)))
            gradient = gradient + weight * _derivative(fun, _mixed(values, others | {i}), i)
        size = sum(abs(in_floats(r)) for r in runs.values())
        slopes.append(slope(part, gradient, in_floats(seen(values[i])) - in_floats(values[i].x0), size))
    return made(y, y0, weighted, slopes, [live(values[i]) for i in players])


def weighted(slopes: Sequence[Any], changes: Sequence[Any]) -> Any:
    """``sum of slope * change``."""
    return sum(m * d for m, d in zip(slopes, changes, strict=True))


def slope(part: Any, gradient: Any, delta: Any, size: Any) -> Any:
    """``part / delta``, or the gradient where it explains the part up to rounding.

    The quotient of two small differences of large numbers is noise, and there the gradient is right;
    near a kink it is wrong, and there it does not explain the part. Where neither is a number (infinite
    on both sides, as behind a mask) there is no credit.

    Args:
      part: the change to be explained.
      gradient: the derivative.
      delta: the change of the operand.
      size: of the numbers that the part is a difference of.
    """
    rounding = _ROUNDINGS * jnp.finfo(jnp.result_type(size)).eps * size
    still = (delta == 0) | ~jnp.isfinite(delta)
    secant = part / jnp.where(still, 1, delta)
    near = still | (abs(part - gradient * delta) <= rounding) | ~jnp.isfinite(secant)
    return finite(jnp.where(near, gradient, secant))


def finite(slopes: Any) -> Any:
    """Multipliers, with 0 for those that are not numbers."""
    return jnp.where(jnp.isfinite(slopes), slopes, 0)


def _mixed(values: Sequence[Any], at_inputs: frozenset[int]) -> list[Any]:
    return [seen(v) if i in at_inputs else at_x0(v) for i, v in enumerate(values)]


def _coalitions(players: Sequence[int], i: int) -> list[tuple[frozenset[int], float]]:
    """The subsets of the other players, with the weights of the Shapley value."""
    others, n = [p for p in players if p != i], len(players)
    return [
        (frozenset(chosen), 1 / (n * math.comb(n - 1, k)))
        for k in range(n)
        for chosen in itertools.combinations(others, k)
    ]


def _derivative(fun: Callable[..., Any], values: list[Any], i: int) -> Any:
    """With respect to operand ``i``; zero for steps and for what JAX cannot differentiate."""
    x = jnp.asarray(values[i])
    if not is_continuous(x):
        return 0.0

    def of_one(v: Any) -> Any:
        return fun(*values[:i], v, *values[i + 1 :])

    y = jax.eval_shape(of_one, x)
    if not is_continuous(y):
        return 0.0
    try:  # (backwards, because a custom_vjp inside knows that direction alone)
        return jax.vjp(of_one, jnp.broadcast_to(x, y.shape))[1](jnp.ones(y.shape, y.dtype))[0]
    except (NotImplementedError, ValueError):
        return 0.0
