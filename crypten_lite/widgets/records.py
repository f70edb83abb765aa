"""What the privacy explorer found out: a private run, and how exact runs were by binary places."""

from dataclasses import dataclass, field, replace
from typing import Any

import jax
import numpy as np

from crypten_lite.cost import Cost
from crypten_lite.roles.exactness import Exactness
from crypten_lite.timeline import Stretch
from namedtensor import is_named


@dataclass(frozen=True, eq=False)
class PrivateRun:
    """One run of a model on a shared image, with everything that nobody would see between real parties.

    Attributes:
      sample: the number of the image.
      parties: how many there are.
      fraction: binary places.
      result: what was revealed.
      plain: what the plain model returns.
      cost: rounds and bytes; `ct.estimate` says the same before.
      stretches: the same in the order in which they came.
      image: ``[height, width]`` or ``[height, width, channel]``.
      shares: ``[party, *image.shape]``: of the image, as elements of the ring; each of them is uniform.
      places: binary places of these; 0 for whole numbers.
    """

    sample: int
    parties: int
    fraction: int
    result: Any
    plain: Any
    cost: Cost
    stretches: tuple[Stretch, ...]
    image: Any = field(repr=False)
    shares: Any = field(repr=False)
    places: int = 16

    @property
    def error(self) -> float:
        """The largest difference of a number in the results."""
        pairs = zip(jax.tree.leaves(self.result), jax.tree.leaves(self.plain), strict=True)
        return max(float(np.abs(np.asarray(a, np.float64) - np.asarray(b)).max(initial=0)) for a, b in pairs)


@dataclass(frozen=True)
class Measured:
    """How exact runs with so many binary places were.

    Attributes:
      fraction: binary places.
      samples: how many images were run.
      error: the largest difference of a number in their results.
      mean: the difference on average.
      agreement: the share of images with the class that the plain model sees; None where there are none.
      failure: why there are no results, if so.
    """

    fraction: int
    samples: int = 0
    error: float = 0.0
    mean: float = 0.0
    agreement: float | None = None
    failure: str | None = None

    def plus(self, found: Exactness, samples: int) -> "Measured":
        """With more images."""
        n, agreement = self.samples + samples, self.agreement
        private, plain = classes(found.results), classes(found.plain)
        if plain is not None:
            same = 0.0 if private is None else float((private == plain).sum())
            agreement = ((agreement or 0.0) * self.samples + same) / n
        mean = (self.mean * self.samples + found.mean * samples) / n
        return replace(
            self,
            samples=n,
            error=max(self.error, found.error),
            mean=mean,
            agreement=agreement,
            failure=self.failure or found.failure,
        )


def classes(result: Any) -> np.ndarray | None:
    """The class of each image, where a result is scores ``[batch class]``."""
    if result is None or not hasattr(result, "shape"):
        return None
    scores = np.asarray(result.array if is_named(result) else result)
    return scores.argmax(-1) if scores.ndim == 2 and scores.shape[1] > 1 else None
