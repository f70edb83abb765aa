"""Mean and standard error of independent draws that come in chunks."""

from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp

from captum_lite._gradient import weighted_sum


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Mean:
    """Of the draws so far, each a pytree of arrays; summed in float32 at least.

    Attributes:
      count: how many.
      wide: their mean.
      squares: the sum of the squared distances from it.
      dtypes: of the draws.
    """

    count: Any
    wide: Any
    squares: Any
    dtypes: tuple[Any, ...] = field(metadata={"static": True})

    @property
    def mean(self) -> Any:
        """In the draws' dtypes."""
        return self._narrow(self.wide)

    @property
    def variance(self) -> Any:
        """The mean squared distance from the mean, in the draws' dtypes."""
        return self._narrow(jax.tree.map(lambda s: s / self.count.astype(s.dtype), self.squares))

    def standard_error(self, draws: int) -> Any:
        """Of each mean; None for a single draw, which says nothing of its error."""
        if draws < 2:
            return None
        return jax.tree.map(lambda s: jnp.sqrt(s / (draws * (draws - 1))), self.squares)

    def with_(self, other: "Mean") -> "Mean":
        """Of both sets of draws; this update keeps the digits that a difference of sums would lose."""
        count = self.count + other.count
        share = other.count / count
        apart = jax.tree.map(lambda a, b: b - a, self.wide, other.wide)
        mean = jax.tree.map(lambda a, d: a + d * share.astype(d.dtype), self.wide, apart)
        between = jax.tree.map(lambda d: d * d * (self.count * share).astype(d.dtype), apart)
        squares = jax.tree.map(lambda a, b, d: a + b + d, self.squares, other.squares, between)
        return Mean(count, mean, squares, self.dtypes)

    def _narrow(self, values: Any) -> Any:
        leaves, tree = jax.tree.flatten(values)
        return jax.tree.unflatten(tree, [v.astype(d) for v, d in zip(leaves, self.dtypes, strict=True)])


def mean_of(values: Any, weights: Any) -> Mean:
    """Of draws, a pytree of ``[draw, ...]``; those with weight 0 do not count, the others have weight 1."""
    count = jnp.sum(weights)
    mean = jax.tree.map(lambda v: weighted_sum(weights, v) / count.astype(v.dtype), values)
    squares = jax.tree.map(lambda v, m: weighted_sum(weights, jnp.square(v - m[None])), values, mean)
    return Mean(count, mean, squares, tuple(v.dtype for v in jax.tree.leaves(values)))
