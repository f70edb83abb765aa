"""Taking away one part of the inputs at a time, of which several methods are made.

`FeatureAblation`, `Occlusion` and `FeaturePermutation` differ in what a part is and in what replaces it.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from captum_lite._backend import compiled
from captum_lite._chunks import chunks
from captum_lite._estimate import Estimate
from captum_lite._features import result_dtype
from captum_lite._inputs import Arrays
from captum_lite._perturbation import copies_at_once, score_dtype, scores
from captum_lite._problem import Problem
from captum_lite._quadrature import spread_order

_NOTHING = -1  # the number of no part: the inputs as they are


class Parts(Protocol):
    """Parts of the inputs by number, as a pytree; a number that is none of theirs masks nothing."""

    @property
    def count(self) -> int:
        """How many there are."""
        ...

    def mask(self, number: Any) -> Arrays:
        """Which elements are in a part, broadcastable to the inputs (of their rank)."""
        ...

    def shared(self, problem: Problem) -> Arrays | None:
        """Which elements are always in the same parts, by number; None where there are no two."""
        ...

    def replacement(self, problem: Problem, number: Any) -> Arrays:
        """What stands in their place."""
        ...


class _Seen(NamedTuple):
    """What is known after some parts: the score without a change, and for each element two sums."""

    before: Any
    change: Arrays
    parts: Arrays


def ablated(problem: Problem, parts: Parts, internal_batch_size: int | None) -> Iterator[Estimate]:
    """``score(x) - score(x without the part)``, at each element the mean over the parts that cover it.

    Costs an evaluation for each part and one for the inputs. Partial results are 0 where no part has
    been evaluated; they cover the inputs evenly.
    """
    numbers = np.concatenate([[_NOTHING], spread_order(parts.count)]).astype(np.int32)
    size = copies_at_once(problem, internal_batch_size, len(numbers))
    seen, known, features = 0, _nothing_seen(problem, parts), parts.shared(problem)
    for some, weights in chunks(size, numbers, np.ones(len(numbers), bool)):
        known, attributions = _ablate(problem, parts, known, some, weights)
        seen = min(seen + size, len(numbers))
        done, forwards = seen / len(numbers), seen * problem.batch
        yield Estimate(attributions, done, forwards=forwards, features=features)


def _nothing_seen(problem: Problem, parts: Parts) -> _Seen:
    dtype = score_dtype(problem)
    masks = jax.eval_shape(parts.mask, 0)
    change = tuple(np.zeros((problem.batch, *m.shape[1:]), dtype) for m in masks)
    return _Seen(np.zeros(problem.batch, dtype), change, tuple(np.zeros(m.shape, dtype) for m in masks))


@compiled
def _ablate(problem: Problem, parts: Parts, known: _Seen, numbers: Any, weights: Any) -> tuple[_Seen, Arrays]:
    """One chunk of parts, and what is then known of each element."""

    def one(number: Any) -> tuple[Any, Arrays]:
        mask = parts.mask(number)
        both = zip(mask, parts.replacement(problem, number), problem.inputs, strict=True)
        return scores(problem, tuple(jnp.where(m, r, x) for m, r, x in both)), mask

    after, masks = jax.vmap(one)(numbers)
    after = after.astype(known.before.dtype)
    # The score without a change comes from the same compiled call, so that a part without effect has
    # an attribution of exactly 0.
    before = jnp.where(numbers[0] == _NOTHING, after[0], known.before)
    weights = weights.astype(after.dtype)
    each = weights[:, None] * (before[None] - after)
    change = tuple(s + _sum(each, m) for s, m in zip(known.change, masks, strict=True))
    count = tuple(s + _sum(weights[:, None], m) for s, m in zip(known.parts, masks, strict=True))
    sums = zip(change, count, problem.inputs, strict=True)
    return _Seen(before, change, count), tuple(_mean(s, n, x) for s, n, x in sums)


def _mean(total: Any, count: Any, x: Any) -> Any:
    mean = total / jnp.maximum(count, 1)
    return jnp.broadcast_to(mean, x.shape).astype(result_dtype(x, mean))


def _sum(values: Any, masks: Any) -> Any:
    """``sum over k of values[k]`` at the elements of ``masks[k]``.

    Of ``[k, batch]`` and ``[k, batch or 1, ...]``; in full precision also where a device has a faster one.
    """
    masks = masks.astype(values.dtype)

    def contracted(v: Any, m: Any) -> Any:
        return jnp.tensordot(v, m, axes=(0, 0), precision="highest")

    if masks.shape[1] == 1:
        return contracted(values, masks[:, 0])
    each = jnp.broadcast_to(values, masks.shape[:2])
    return jax.vmap(contracted, in_axes=1)(each, masks)
