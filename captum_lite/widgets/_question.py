"""What an explorer asks of a method, and the answers, each better than the last."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from captum_lite import _baselines as baselines
from captum_lite._record import Attribution
from captum_lite.widgets import _facts as facts
from captum_lite.widgets._images import Samples, row
from captum_lite.widgets._offers import OFFERED
from namedtensor import NamedTensor, tensor
from namedtensor.widgets import Job, line

GAP, ERROR = "completeness gap", "estimated error"


@dataclass(frozen=True)
class Question:
    """What the controls say; a target of None is the class that the model sees."""

    sample: int
    target: int | None
    method: str
    baseline: str
    count: int
    square: int


@dataclass(frozen=True, eq=False)
class Answer:
    """A record, with what is shown beside it.

    Attributes:
      question: what was asked.
      scores: of all classes.
      record: the answer.
      values: its attributions as a map ``[height, width]``, as they are shown.
      sizes: how much of |attribution| lies where, of which a selection has a share.
      history: evaluations, gap and estimated error of the records so far.
      done: the fraction of the work.
    """

    question: Question
    scores: np.ndarray
    record: Attribution
    values: np.ndarray = field(repr=False)
    sizes: np.ndarray = field(repr=False)
    history: tuple[tuple[int, float, float], ...]
    done: float

    def status(self) -> str:
        """The record's status in words."""
        status, done = self.record.status, f"{facts.percent(self.done)} of the work"
        return {
            "stopped": f"stopped after {done}: a partial result",
            "partial": f"partial, {done}",
            "converged": "converged to its tolerance",
            "budget": "the evaluations ran out before the tolerance was reached",
        }.get(status, status)

    def caption(self) -> str:
        """What the lines are."""
        names = [series["name"] for series in self.lines()]
        if not names:
            return ""
        warning = " The gap is a lower bound on the error, not an error bar." if GAP in names else ""
        text = f"{' and '.join(names).capitalize()} while it ran.{warning}"
        return f"<div style='line-height:1.4;margin-top:8px'>{text}</div>"

    def lines(self) -> list[dict[str, Any]]:
        """The course of the gap and of the estimated error, in percent, where there is one."""
        if len(self.history) < 2:
            return []
        spent, gaps, errors = zip(*self.history, strict=True)
        every = [(GAP, gaps), (ERROR, errors)]
        return [line(name, spent, [100 * y for y in ys]) for name, ys in every if np.isfinite(ys).any()]


def answers(
    question: Question,
    fun: Callable[..., Any],
    them: Samples,
    choices: Mapping[str, Any],
    scores: Any,
    job: Job,
) -> Iterator[Answer]:
    """The answers, until the job is told to stop.

    Args:
      question: with a target.
      fun: the model.
      them: the images.
      choices: name -> baseline, of `baseline_choices`.
      scores: of all classes, for the record.
      job: is told how far the work is.
    """
    done, history = 0.0, ()

    def report(fraction: float) -> None:
        nonlocal done
        done = fraction
        job.report(fraction)

    offer, one = OFFERED[question.method], them.one(question.sample)
    baseline = _baseline(choices[question.baseline], one, question.sample) if offer.compares else None
    options = offer.options(one, question.count, question.square)
    # `stream` does not warn; what `explain` would warn of is among the facts
    method = offer.kind(fun)
    for record in method.stream(
        one, baseline, question.target, show_progress=report, cancel=job.cancel, **options
    ):
        spent = sum(record.evaluations.values())
        history = (*history, (spent, facts.gap_of(record), facts.error_of(record)))
        yield Answer(question, scores, record, them.map(record), them.sizes(record), history, done)


def settled(question: Question, scores: np.ndarray) -> Question:
    """The question with a target: the class that the model sees, where none is chosen."""
    return (
        question
        if question.target is not None
        else dataclasses.replace(question, target=int(scores.argmax()))
    )


def baseline_choices(them: Samples, more: Mapping[str, Any]) -> dict[str, Any]:
    """Name -> a number, images, or what makes one of an image."""
    choices: dict[str, Any] = {"zero": 0.0, "mean colour": _mean_colour}
    if len(them) > 1:  # of a single image it is the image itself
        mean = baselines.mean(them.images)
        named = isinstance(mean, NamedTensor)
        choices["mean image"] = tensor(mean.array[None], ["batch", *mean.dims]) if named else mean[None]
    return {**choices, "blurred": baselines.blurred, **more}


def _mean_colour(image: Any) -> Any:
    """The mean of each channel over the whole image, everywhere: ``[1, height, width, ...]``."""
    if isinstance(image, NamedTensor):
        return image.mean("height width") + 0 * image
    return np.broadcast_to(np.mean(image, (1, 2), keepdims=True), np.shape(image))


def _baseline(choice: Any, one: Any, i: int) -> Any:
    return choice(one) if callable(choice) else row(choice, i)


def require_names(names: Sequence[str] | None, scores: np.ndarray) -> None:
    """Each class has a name, or none has."""
    if names is not None and len(names) != scores.size:
        raise ValueError(
            f"the function returned {scores.size} scores and there are {len(names)} class_names: "
            "give one for each class."
        )
