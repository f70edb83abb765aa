"""Linear models of a function of coalitions: the weighted least squares of KernelShap and Lime."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from captum_lite._coalitions import Evaluated

_MOST = 4096  # features; a system of more takes minutes and gigabytes
_SWEEPS = 1000  # of coordinate descent, which ends before where nothing moves any more


def require_solvable(count: int, method: str) -> int:
    """The number of features, refused where a linear system of so many cannot be solved."""
    if count > _MOST:
        raise ValueError(
            f"{method} solves equations in as many unknowns as there are features, and there are {count} (at "
            f"most {_MOST}): put features together (feature_mask=), or take ShapleyValueSampling."
        )
    return count


class Model(NamedTuple):
    """A linear model of the score over coalitions.

    Attributes:
      values: of the features, ``[features, batch]``.
      errors: their standard errors, for coalitions that are random draws.
      coalitions: how many it is fitted to.
    """

    values: Any
    errors: Any
    coalitions: int


def models(
    runs: Iterator[Evaluated], total: int, fit: Callable[[Evaluated], Model]
) -> Iterator[tuple[int, Model]]:
    """How many coalitions have been evaluated, and a model of most of them.

    It is fitted again when there are a quarter more, and at the end: a fit may cost more than a chunk.
    """
    model = None
    for known in runs:
        if model is None or known.seen == total or known.seen >= 1.25 * model.coalitions:
            model = fit(known)
        yield known.seen, model


@jax.jit
def shapley_regression(present: Any, scores: Any, weights: Any, ends: tuple[Any, Any]) -> tuple[Any, Any]:
    """The additive model ``v(S) ~ v(none) + sum of the values in S`` that is exact for none and for all.

    Equal shares of the whole, and the least departure from them that fits best: with few coalitions the
    values stay near equal shares, with all of them (and the Shapley kernel as weights) they are the
    Shapley values.

    Args:
      present: flags ``[coalitions, features]``, each followed by what it leaves out.
      scores: ``[coalitions, batch]``.
      weights: ``[coalitions]``; 0 for what has not been evaluated.
      ends: the scores with no feature and with all, ``[batch]`` each.

    Returns:
      The values ``[features, batch]``, and their standard errors if the pairs are random draws.
    """
    n, dtype = present.shape[1], scores.dtype
    with jax.default_matmul_precision("highest"):
        none, share = ends[0], (ends[1] - ends[0]) / n
        flags, weights = present.astype(dtype), weights.astype(dtype)
        left = scores - none[None] - flags.sum(1, keepdims=True) * share[None]
        flags = flags - flags.mean(1, keepdims=True)  # departures from equal shares sum to 0
        weighted = flags * weights[:, None]
        inverse = jnp.linalg.pinv(weighted.T @ flags, hermitian=True)
        departure = inverse @ (weighted.T @ left)
        departure = departure - departure.mean(0)[None]  # (up to rounding it does)
        # the sandwich estimator, with pairs as the draws; the rows of a pair are opposite
        pull = (weighted @ inverse)[::2]
        misfit = left - flags @ departure
        both = misfit[::2] - misfit[1::2]
        pairs = (weights[::2] > 0).sum()
        spare = jnp.maximum(pairs - (n - 1), 1)
        errors = jnp.sqrt((pull**2).T @ both**2 * (pairs / spare).astype(dtype))
        return share[None] + departure, errors


@jax.jit
def ridge(present: Any, scores: Any, weights: Any, alpha: Any) -> tuple[Any, Any]:
    """The linear model that minimises ``mean of w (v - c - z . values)^2 / 2 + alpha |values|^2 / 2``.

    Args:
      present: flags ``[coalitions, features]``.
      scores: ``[coalitions, batch]``.
      weights: ``[coalitions, batch]``; 0 for what has not been evaluated.
      alpha: the penalty.

    Returns:
      The values ``[features, batch]`` and their standard errors.
    """

    def one(example: tuple[Any, Any]) -> tuple[Any, Any]:
        flags, score, weight, gram = _centred(present, *example)
        inverse = jnp.linalg.pinv(gram + alpha * jnp.eye(len(gram), dtype=gram.dtype), hermitian=True)
        values = inverse @ (flags.T @ (weight * score))
        pull = (flags @ inverse) * weight[:, None]
        return values, jnp.sqrt((pull**2).T @ (score - flags @ values) ** 2)

    return _for_each_example(one, scores, weights)


@jax.jit
def lasso(present: Any, scores: Any, weights: Any, alpha: Any) -> tuple[Any, Any]:
    """As `ridge` with the penalty ``alpha |values|_1``, which makes small values 0; without errors."""

    def one(example: tuple[Any, Any]) -> tuple[Any, Any]:
        flags, score, weight, gram = _centred(present, *example)
        values = _coordinate_descent(gram, flags.T @ (weight * score), alpha)
        return values, jnp.full_like(values, jnp.nan)

    return _for_each_example(one, scores, weights)


def _for_each_example(one: Any, scores: Any, weights: Any) -> tuple[Any, Any]:
    """One model for each example, one after the other: a system of all of them would not fit in memory."""
    with jax.default_matmul_precision("highest"):
        values, errors = jax.lax.map(one, (scores.T, weights.T))
    return values.T, errors.T


def _centred(present: Any, score: Any, weight: Any) -> tuple[Any, Any, Any, Any]:
    """Flags and scores about their weighted means (which fits the constant), weights, and the Gram matrix."""
    weight = weight / weight.sum()
    flags = present.astype(score.dtype)
    flags = flags - (weight @ flags)[None]
    return flags, score - weight @ score, weight, flags.T @ (flags * weight[:, None])


def _coordinate_descent(gram: Any, pull: Any, alpha: Any) -> Any:
    """The minimum of ``v . gram v / 2 - pull . v + alpha |v|_1``: each value in turn, until none moves."""

    def improve(i: Any, values: Any) -> Any:
        rest = pull[i] - gram[i] @ values + gram[i, i] * values[i]
        shrunk = jnp.sign(rest) * jnp.maximum(jnp.abs(rest) - alpha, 0)
        return values.at[i].set(shrunk / jnp.where(gram[i, i] > 0, gram[i, i], 1))

    def sweep(state: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
        count, before, _ = state
        values = jax.lax.fori_loop(0, len(pull), improve, before)
        return count + 1, values, jnp.abs(values - before).max()

    def goes_on(state: tuple[Any, Any, Any]) -> Any:
        count, values, moved = state
        return (count < _SWEEPS) & (moved > jnp.finfo(values.dtype).eps * jnp.abs(values).max())

    start = (0, jnp.zeros_like(pull), jnp.asarray(jnp.inf, pull.dtype))
    return jax.lax.while_loop(goes_on, sweep, start)[1]
