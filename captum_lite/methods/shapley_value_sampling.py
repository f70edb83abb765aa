"""Shapley values from random orders of the features."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from captum_lite._backend import compiled
from captum_lite._chunks import chunks
from captum_lite._coalitions import coalition_scores, ends
from captum_lite._estimate import Estimate
from captum_lite._features import Features, features, spread
from captum_lite._inputs import Arrays
from captum_lite._mean import Mean, mean_of
from captum_lite._perturbation import PerturbationMethod, copies_at_once
from captum_lite._problem import Problem


@dataclass(frozen=True)
class ShapleyValueSampling(PerturbationMethod):
    """Mean over random orders of what each feature adds to those before it; without bias.

    Complete for any number of orders, and the record has the standard error of each value. Costs
    ``n_samples (n - 1) + 2`` evaluations for ``n`` features. Each order is used forwards and backwards
    (``antithetic``), which is exact for functions in which features interact in pairs at most.

    Options of `attribute`:
      feature_mask: which elements are one feature; as for `FeatureAblation`.
      n_samples: how many orders; with ``antithetic`` an odd number is rounded up.
      antithetic: False draws all orders independently, as Captum does.
      key: of the orders; ``jax.random.key(0)`` by default, so that a call can be repeated.
      internal_batch_size: rows (examples times coalitions) evaluated at once; None chooses by memory.
      perturbations_per_eval: instead, copies of the batch (Captum's name).

    Example:
      >>> import jax.numpy as jnp
      >>> from captum_lite import ShapleyValueSampling
      >>> sampling = ShapleyValueSampling(lambda x: x[:, 0] * x[:, 1] + x[:, 2])
      >>> sampling.attribute(jnp.array([[2.0, 3.0, 1.0]]), baselines=0.0, n_samples=2)
      Array([[3., 3., 1.]], dtype=float32)

    Source: Castro, Gómez, Tejada 2009, doi:10.1016/j.cor.2008.04.004; Mitchell, Cooper, Frank, Holmes 2022,
    arXiv:2104.12199 (antithetic orders).
    """

    def is_complete(self) -> bool:
        """What features add one after the other sums to the whole."""
        return True

    def steps(
        self,
        problem: Problem,
        *,
        feature_mask: Any = None,
        n_samples: int = 26,
        antithetic: bool = True,
        key: Any = None,
        internal_batch_size: int | None = None,
    ) -> Iterator[Estimate]:
        """One chunk of orders at a time, or a part of one where there are many features."""
        if n_samples < 1:
            raise ValueError(f"n_samples={n_samples}: give at least one order of the features.")
        players = features(feature_mask, problem)
        ways = 2 if antithetic else 1
        draws, between = -(-n_samples // ways), max(players.count - 1, 1)
        size = copies_at_once(problem, internal_batch_size, draws * ways * between)
        group = max(1, min(draws, size // (ways * between)))
        key = jax.random.key(0) if key is None else key
        around = ends(problem)
        known, seen = None, 0
        for numbers, weights in chunks(group, np.arange(draws), np.ones(draws)):
            orders = _orders(key, numbers, n=players.count, antithetic=antithetic)
            for added, part in _walked(problem, players, orders, around, max(1, min(between, size // ways))):
                if part == 1:
                    some = _of_draws(added, weights)
                    known = some if known is None else known.with_(some)
                    seen, part = min(seen + group, draws), 0
                done = (seen + part) / draws
                values = added.mean((0, 1)) if known is None else known.mean
                yield Estimate(
                    spread(problem, players, values),
                    done,
                    forwards=problem.batch * (2 + ways * round(done * draws * between)),
                    error_map=_errors(problem, players, known, seen),
                    samples=seen or None,
                    features=players.shared(problem),
                )


@jax.jit
def _of_draws(added: Any, weights: Any) -> Mean:
    """Of what features add in each draw, the mean of an order and its reverse."""
    return mean_of(added.mean(1), weights)


def _errors(problem: Problem, players: Features, known: Mean | None, draws: int) -> Arrays | None:
    errors = None if known is None else known.standard_error(draws)
    return None if errors is None else spread(problem, players, errors)


@functools.partial(jax.jit, static_argnames=("n", "antithetic"))
def _orders(key: Any, numbers: Any, *, n: int, antithetic: bool) -> Any:
    """The place of each feature in each order, ``[draws, 1 or 2, n]``; a draw depends on its number alone."""

    def one(number: Any) -> Any:
        places = jax.random.permutation(jax.random.fold_in(key, number), n)
        return jnp.stack([places, n - 1 - places]) if antithetic else places[None]

    return jax.vmap(one)(numbers)


def _walked(
    problem: Problem, players: Features, orders: Any, around: tuple[Any, Any], block: int
) -> Iterator[tuple[Any, float]]:
    """What each feature adds in each order, 0 where it is not known yet, and the fraction that is known."""
    between = max(players.count - 1, 1)
    shape = (*orders.shape, problem.batch)
    added = jnp.zeros(shape, around[0].dtype)
    before = jnp.broadcast_to(around[0], (*shape[:2], shape[3]))
    for start in range(0, between, block):
        added, before = _walk(problem, players, orders, np.int32(start), added, before, around, block=block)
        yield added, min(start + block, between) / between


@compiled(static_argnames="block")
def _walk(
    problem: Problem,
    players: Features,
    orders: Any,
    start: Any,
    added: Any,
    before: Any,
    around: tuple[Any, Any],
    *,
    block: int,
) -> tuple[Any, Any]:
    """``block`` further features in each order: what they add, and the scores that are then reached.

    The scores with none and with all are known, so an order of ``n`` takes ``n - 1`` evaluations: the
    last feature adds what is missing.
    """
    n, batch = players.count, problem.batch
    reached = start + 1 + jnp.arange(block)  # how many features are there after each step
    present = orders[:, :, None] < reached[None, None, :, None]
    scores = coalition_scores(problem, players, present.reshape(-1, n)).astype(before.dtype)
    scores = scores.reshape(*orders.shape[:2], block, batch)
    full = jnp.broadcast_to(around[1], before.shape)[:, :, None]
    scores = jnp.where((reached < n)[None, None, :, None], scores, full)
    steps = jnp.diff(jnp.concatenate([before[:, :, None], scores, full], axis=2), axis=2)
    at = orders - start
    known = (at >= 0) & ((at < block) | ((at == block) & (orders == n - 1)))
    gains = jnp.take_along_axis(steps, jnp.clip(at, 0, block)[..., None], axis=2)
    return added + jnp.where(known[..., None], gains, 0), scores[:, :, -1]
