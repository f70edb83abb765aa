"""Guided integrated gradients: a path that goes where the gradient is small."""

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from captum_lite._backend import compiled
from captum_lite._estimate import Estimate
from captum_lite._function_method import GradientMethod
from captum_lite._gradient import gradient
from captum_lite._inputs import Arrays, is_concrete
from captum_lite._problem import Problem

Rule = tuple[tuple[float, float], ...]
_EQUAL = 1024  # roundings within which gradients are equal, or rounding would choose between equal features

# by the name of a rule: where in a step it looks at the gradient, and with what weight
_RULES: dict[str, Rule] = {
    "gausslobatto": ((0.0, 1 / 12), (0.5 - 0.05**0.5, 5 / 12), (0.5 + 0.05**0.5, 5 / 12), (1.0, 1 / 12)),
    "riemann_trapezoid": ((0.0, 1 / 2), (1.0, 1 / 2)),
    "riemann_left": ((0.0, 1.0),),
}


@dataclass(frozen=True)
class GuidedIG(GradientMethod):
    """``integral of d score / d input * d input`` along a path that moves features of small gradient first.

    From the baseline to the input in steps of equal L1 length. In each, the features with the smallest
    absolute gradients move (a ``fraction`` of them at a time) until the length is reached; none may be
    further than ``max_dist`` of the way from where the straight path is. So the path goes round the
    regions where the score is steep for reasons of its own, which make integrated gradients noisy.
    Complete, up to the quadrature within the steps. ``3 n_steps + 1`` gradient evaluations for each
    example, ``n_steps + 1`` with the other rules; they are made one after another, because each step needs
    the gradient that the last one has led to.

    Options of `attribute`:
      n_steps: how many steps; the authors take 200 with ``"riemann_left"``.
      fraction: of the features, those of one example's inputs together, that are chosen at a time.
      max_dist: how far a feature may be from the straight path, as a fraction of its own way; 0 is
        `IntegratedGradients`, 1 leaves the path free.
      method: within each step: ``"gausslobatto"`` (4 points), ``"riemann_trapezoid"`` or ``"riemann_left"``.

    Example:
      >>> import jax.numpy as jnp
      >>> from captum_lite import GuidedIG
      >>> guided = GuidedIG(lambda x: x[:, 0] * x[:, 1])
      >>> guided.attribute(jnp.array([[2.0, 1.0]]), max_dist=0.0).round(3)
      Array([[1., 1.]], dtype=float32)

    Source: Kapishnikov et al. 2021, arXiv:2106.09788.
    """

    def compares(self) -> bool:
        """Needs baselines."""
        return True

    def is_complete(self) -> bool:
        """As every integral along a path."""
        return True

    def steps(
        self,
        problem: Problem,
        *,
        n_steps: int = 50,
        fraction: float = 0.25,
        max_dist: float = 0.02,
        method: str = "gausslobatto",
    ) -> Iterator[Estimate]:
        """One step at a time; before the end, what is left is taken as straight and the gradient as it is."""
        _check(n_steps, fraction, max_dist, method)
        step = functools.partial(
            _step, problem, n=float(n_steps), max_dist=max_dist, fraction=fraction, rule=_RULES[method]
        )
        each = (1 + sum(0 < node < 1 for node, _ in _RULES[method])) * problem.batch
        state = _start(problem)
        if not is_concrete(state):  # as one loop: a program of hundreds of steps would not be compiled soon
            state = jax.lax.fori_loop(0, n_steps, lambda k, s: step(s, k), state)
            yield Estimate(_finished(problem, state), gradients=n_steps * each + problem.batch)
            return
        for k in range(n_steps):
            state = step(state, np.int32(k))
            yield Estimate(
                _finished(problem, state), (k + 1) / n_steps, gradients=(k + 1) * each + problem.batch
            )


class _State(NamedTuple):
    """Ways of the features, from 0 to 1, the gradient there, and the integral: ``[batch, features]``."""

    way: Any
    gradient: Any
    integral: Any


@compiled
def _start(problem: Problem) -> _State:
    zeros = jnp.zeros_like(_flat(problem.inputs))
    return _State(zeros, _gradient(problem, zeros), zeros)


@compiled(static_argnames=("fraction", "rule"))
def _step(
    problem: Problem, state: _State, k: Any, *, n: Any, max_dist: Any, fraction: float, rule: Rule
) -> _State:
    """Move, and add what the gradients along the (straight) move say."""
    length = jnp.abs(_length(problem))
    move = functools.partial(_move, k=k, n=n, max_dist=max_dist, fraction=fraction)
    way = jax.vmap(move)(state.way, jnp.abs(state.gradient), length)
    there = _gradient(problem, way)
    integrand = jnp.zeros_like(way)
    for node, weight in rule:
        between = (1 - node) * state.way + node * way
        found = {0.0: state.gradient, 1.0: there}.get(node)
        integrand += weight * (_gradient(problem, between) if found is None else found)
    return _State(way, there, state.integral + (way - state.way) * _length(problem) * integrand)


def _move(way: Any, size: Any, length: Any, *, k: Any, n: Any, max_dist: Any, fraction: float) -> Any:
    """The ways of one example's features after step ``k`` of ``n``; ``size`` is of their gradients."""
    k = k.astype(way.dtype)
    share, behind = (k + 1) / n, length > 0
    least, most = jnp.maximum(share - max_dist, 0.0), jnp.minimum(share + max_dist, 1.0)
    way = jnp.where(k + 1 == n, 1.0, jnp.maximum(way, least))
    to_go = ((1 - way) * length).sum() - (1 - share) * length.sum()
    able = behind & (way < most)
    order = jnp.argsort(jnp.where(able, size, jnp.inf))
    sizes = jnp.where(able, size, jnp.inf)[order]
    room = jnp.where(able, (most - way) * length, 0.0)[order]
    before = jnp.concatenate([jnp.zeros(1, room.dtype), jnp.cumsum(room)])
    at_a_time = math.floor(fraction * (len(size) - 1))

    def chosen_until(start: Any) -> Any:
        """Where the next features end: so many, and those whose gradients equal the last's."""
        last = sizes[jnp.minimum(start + at_a_time, len(size) - 1)]
        largest = jnp.finfo(sizes.dtype).max  # those that cannot move are at infinity, and stay out
        until = jnp.minimum(last * (1 + _EQUAL * jnp.finfo(sizes.dtype).eps), largest)
        return jnp.searchsorted(sizes, until, side="right").astype(jnp.int32)

    def goes_on(bounds: Any) -> Any:
        return (before[bounds[1]] < to_go) & (bounds[1] > bounds[0])

    start, end = jax.lax.while_loop(
        goes_on, lambda b: (b[1], chosen_until(b[1])), (jnp.zeros((), jnp.int32), chosen_until(0))
    )
    group = before[end] - before[start]
    part = jnp.where(group > 0, (to_go - before[start]) / jnp.where(group > 0, group, 1), 0.0)
    ranks = jnp.arange(len(size))
    shares = jnp.where(ranks < start, 1.0, jnp.where(ranks < end, jnp.clip(part, 0, 1), 0.0))
    moved = jnp.zeros_like(way).at[order].set(shares)
    return jnp.where(able, way + moved * (most - way), way)


@compiled
def _finished(problem: Problem, state: _State) -> Arrays:
    """The integral so far, and the rest as if straight and linear."""
    total = state.integral + (1 - state.way) * _length(problem) * state.gradient
    return tuple(p.astype(x.dtype) for p, x in zip(_parts(problem, total), problem.inputs, strict=True))


def _gradient(problem: Problem, way: Any) -> Any:
    baselines = problem.baselines
    assert baselines is not None, "it compares"
    ways = _parts(problem, way)
    ends = zip(ways, problem.inputs, baselines, strict=True)
    return _flat(gradient(problem, tuple(b + w.astype(x.dtype) * (x - b) for w, x, b in ends)))


def _length(problem: Problem) -> Any:
    assert problem.baselines is not None, "it compares"
    return _flat(problem.inputs) - _flat(problem.baselines)


def _flat(arrays: Arrays) -> Any:
    """Arrays side by side, ``[batch, features]``, in float32 at least."""
    dtype = jnp.result_type(jnp.float32, *(a.dtype for a in arrays))
    return jnp.concatenate([a.reshape(a.shape[0], -1).astype(dtype) for a in arrays], axis=1)


def _parts(problem: Problem, flat: Any) -> Arrays:
    """The opposite of `_flat`."""
    ends = np.cumsum([math.prod(x.shape[1:]) for x in problem.inputs])
    parts = jnp.split(flat, ends[:-1].tolist(), axis=1)
    return tuple(p.reshape(x.shape) for p, x in zip(parts, problem.inputs, strict=True))


def _check(n_steps: int, fraction: float, max_dist: float, method: str) -> None:
    if n_steps < 1 or int(n_steps) != n_steps:
        raise ValueError(f"n_steps={n_steps}: give a whole number of steps, at least 1.")
    for name, value in (("fraction", fraction), ("max_dist", max_dist)):
        if not 0 <= value <= 1:
            raise ValueError(f"{name}={value}: give a fraction, from 0 to 1.")
    if method not in _RULES:
        raise ValueError(
            f"method={method!r} is not a rule for a step: choose one of {', '.join(map(repr, _RULES))}."
        )
