"""`Estimate`: what a method knows after a step of its work."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from captum_lite._counting import total
from captum_lite._inputs import Arrays, Layout


class Estimate(NamedTuple):
    """What a method knows after a step.

    Attributes:
      attributions: of the inputs' shapes (or as ``layout`` says); after the last step, the result.
      done: the fraction of the work done, 1.0 at the end.
      gradients: gradient evaluations so far, in examples.
      forwards: model evaluations without gradient so far, in examples.
      error_map: the estimated error of each attribution, of their shapes: a standard error where they
        are a mean of random draws.
      error: the estimated total absolute error as a fraction of the total absolute attribution,
        ``[batch]``; None lets the record derive it from ``error_map``.
      samples: how many independent draws the attributions are a mean of; None if they are no such mean.
      status: how the work ended, where there is more to say than "finished": "converged", "budget".
      residuals: place in the model -> what a rule that is not exact there misses, ``[batch]``.
      layout: how the attributions are laid out where it is not as the inputs.
      features: for each input the number of the feature that an element belongs to, as in `Features`, where
        several elements are one: each shows its value, and it counts once. None where each is one by itself.
    """

    attributions: Arrays
    done: float = 1.0
    gradients: int = 0
    forwards: int = 0
    error_map: Arrays | None = None
    error: Any = None
    samples: int | None = None
    status: str | None = None
    residuals: dict[str, Any] | None = None
    layout: Layout | None = None
    features: Arrays | None = None


def total_error(estimate: Estimate) -> Any:
    """The estimated total absolute error as a fraction of the total absolute attribution, ``[batch]``."""
    if estimate.error is not None or estimate.error_map is None:
        return estimate.error
    # the mean absolute value of a normal variable is sqrt(2/pi) standard deviations
    sizes = (tuple(map(jnp.abs, arrays)) for arrays in (estimate.error_map, estimate.attributions))
    error, whole = (total(size, estimate.features) for size in sizes)
    return error * (2 / np.pi) ** 0.5 / jnp.maximum(whole, jnp.finfo(whole.dtype).tiny)
