"""The attributions that a brush erases by: found once for a question, and told how far they are."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from captum_lite.widgets._images import Samples, row
from captum_lite.widgets._occlusion import filled
from captum_lite.widgets._offers import OFFERED, first_square
from namedtensor import is_named
from namedtensor._errors import describe
from namedtensor.widgets import Job


class Asked(NamedTuple):
    """What an attribution is asked about."""

    sample: int
    target: int
    filling: str
    method: str


class Explained(NamedTuple):
    """Attributions of a batch of one, and as a map of the shown pixels."""

    asked: Asked
    attributions: Any
    map: np.ndarray


@dataclass(eq=False)
class Explanations:
    """The last attributions, and how to find others.

    Attributes:
      fun: the model.
      samples: the images.
      fillings: name -> what stands where pixels are gone, and what methods compare with.
      given: name -> attributions that the user brought.
    """

    fun: Callable[..., Any]
    samples: Samples
    fillings: Mapping[str, Any]
    given: Mapping[str, Any]
    _last: Explained | None = field(default=None, repr=False)

    def known(self, asked: Asked) -> Explained | None:
        """The attributions, if they are of this question."""
        return self._last if self._last is not None and self._last.asked == asked else None

    def find(self, asked: Asked, job: Job, share: float) -> Explained | None:
        """The attributions; None if the work was cancelled before they were whole.

        Args:
          asked: the question.
          job: is told how far the work is.
          share: of the progress bar.
        """
        if (known := self.known(asked)) is not None:
            return known
        found = self._of_user(asked) if asked.method in self.given else self._of_method(asked, job, share)
        if job.cancel.is_set():
            return None
        self._last = Explained(asked, found, self.samples.map(_one_example(found)))
        return self._last

    def filling(self, asked: Asked) -> Any:
        """What stands where pixels of the image are gone."""
        return filled(self.fillings[asked.filling], self.samples.one(asked.sample), asked.sample)

    def _of_user(self, asked: Asked) -> Any:
        given = self.given[asked.method]
        given = getattr(given, "attributions", given)
        there = dict(given.shape).get("batch", 1) if is_named(given) else len(given)
        if there != len(self.samples):
            raise ValueError(
                f"{asked.method!r} has attributions of {there} images, and there are {len(self.samples)}: "
                "give them for each image, batch first."
            )
        found = row(given, asked.sample)
        self._require_fit(asked, found)
        return found

    def _require_fit(self, asked: Asked, found: Any) -> None:
        one = self.samples.one(asked.sample)
        if is_named(found) != is_named(one) or _sizes(found) != _sizes(one):
            raise ValueError(
                f"{asked.method!r} has attributions {describe(found)}, and an image is {describe(one)}: "
                "give one number for each of its numbers."
            )

    def _of_method(self, asked: Asked, job: Job, share: float) -> Any:
        offer, one = OFFERED[asked.method], self.samples.one(asked.sample)
        baseline = self.filling(asked) if offer.compares else None
        options = offer.options(one, offer.first_count, first_square(self.samples.shape))
        how: Any = {"show_progress": lambda done: job.report(share * done), "cancel": job.cancel}
        *_, record = offer.kind(self.fun).stream(one, baseline, asked.target, **how, **options)
        return record.attributions


def _one_example(attributions: Any) -> Any:
    return attributions if is_named(attributions) else np.asarray(attributions)[0]


def _sizes(x: Any) -> Any:
    return dict(x.shape) if is_named(x) else tuple(np.shape(x))
