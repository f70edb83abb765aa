"""The rows of a method grid: what each method is asked, and its answers for all images as one record."""

import dataclasses
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax.numpy as jnp
import numpy as np

import namedtensor as nt
from captum_lite._method import AbstractMethod
from captum_lite._record import Attribution
from captum_lite.widgets import _facts as facts
from captum_lite.widgets._images import Samples
from captum_lite.widgets._offers import first_square, named
from namedtensor import is_named

# those that answer at once and differ in kind
FIRST = ("saliency", "input x gradient", "integrated gradients", "DeepLift", "SmoothGrad", "occlusion")


@dataclass(frozen=True, eq=False)
class Row:
    """A method, bound to its function.

    Attributes:
      method: the method.
      options: of `AbstractMethod.explain`.
    """

    method: AbstractMethod
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Cell:
    """One method's answer for one image.

    Attributes:
      record: the answer.
      values: its attributions as a map ``[height, width]``, as they are shown.
      seconds: how long it took.
      first: whether it is the first, in whose time the method may have been compiled.
    """

    record: Attribution
    values: np.ndarray = field(repr=False)
    seconds: float
    first: bool

    def note(self) -> str:
        """What stands below its picture."""
        gap = facts.gap_of(self.record)
        first = " (first call)" if self.first else ""
        took = "stopped" if self.record.status == "stopped" else f"{written_time(self.seconds)}{first}"
        return took if np.isnan(gap) else f"{took} · {_gap_name(self.record)} {facts.percent(gap)}"


def rows_of(fun: Callable[..., Any], asked: Any, them: Samples) -> dict[str, Row]:
    """The rows by name.

    Args:
      fun: the model.
      asked: names of methods, or name -> method, or name -> (method, options).
      them: the images.

    Raises:
      ValueError: no methods, or a name that there is not.
      TypeError: something else than a method.
    """
    if not asked:
        raise ValueError(
            "there are no methods: give names, like ['saliency', 'DeepLift'], or name -> method."
        )
    if isinstance(asked, Mapping):
        return {str(name): _row(name, value) for name, value in asked.items()}
    return {name: _named_row(fun, name, them) for name in ([asked] if isinstance(asked, str) else asked)}


def answers(row: Row, one: Any, baseline: Any, target: Any, **how: Any) -> Iterator[Attribution]:
    """The records of one image, each better than the last."""
    baseline = baseline if row.method.compares() else None
    return row.method.stream(one, baseline, target, **how, **row.options)


def cell(row: Row, them: Samples, i: int, baseline: Any, target: int, *, first: bool, **how: Any) -> Cell:
    """The last answer for one image, and how long it took."""
    began = time.perf_counter()
    record = deque(answers(row, them.one(i), baseline, target, **how), maxlen=1).pop()
    values = them.map(record)  # on the host, so the work is done
    return Cell(record, values, time.perf_counter() - began, first)


def joined(records: Sequence[Attribution]) -> Attribution:
    """Records of single images as the one of all of them."""
    by_image = {
        name: _stacked([getattr(r, name) for r in records])
        for name in ("attributions", "inputs", "baselines", "prediction", "baseline_prediction")
    }
    by_image |= {
        name: _stacked([getattr(r, name) for r in records])
        for name in ("convergence_delta", "error", "error_map", "features")
    }
    residuals = {k: _stacked([r.residuals[k] for r in records]) for k in records[0].residuals}
    evaluations = {kind: sum(r.evaluations[kind] for r in records) for kind in records[0].evaluations}
    targets = np.array([r.target for r in records])
    statuses = [r.status for r in records]
    status = next((s for s in ("stopped", "budget", "finished") if s in statuses), statuses[0])
    return dataclasses.replace(
        records[0],
        **by_image,
        residuals=residuals,
        evaluations=evaluations,
        target=targets,
        status=status,
    )


def summary(cells: Sequence[Cell]) -> list[str]:
    """Of one method, for a table: time and evaluations for each image, the largest gap and error."""
    later = [c.seconds for c in cells if not c.first]
    took = (
        written_time(float(np.median(later))) if later else f"{written_time(cells[0].seconds)} (first call)"
    )
    gaps, errors = ([f(c.record) for c in cells] for f in (facts.gap_of, facts.error_of))
    spent = np.mean([sum(c.record.evaluations.values()) for c in cells])
    largest = [
        ("-" if np.isnan(some).all() else facts.percent(float(np.nanmax(some)))) for some in (gaps, errors)
    ]
    return [took, f"{spent:.0f}", *largest]


def written_time(seconds: float) -> str:
    """A time, with its unit."""
    in_ms = seconds < 1
    return f"{facts.two_digits(1000 * seconds if in_ms else seconds)} {'ms' if in_ms else 's'}"


def _gap_name(record: Attribution) -> str:
    return "absorbed" if record.baseline_prediction is None else "gap"


def _row(name: Any, given: Any) -> Row:
    method, options = given if isinstance(given, tuple) else (given, {})
    if not isinstance(method, AbstractMethod):
        raise TypeError(
            f"methods[{name!r}] is {type(method).__name__}: give a method of a function, Saliency(fun), or a "
            "pair of it and its options, (IntegratedGradients(fun), {'n_steps': 20})."
        )
    return Row(method, options)


def _named_row(fun: Callable[..., Any], name: str, them: Samples) -> Row:
    offer = named(name)
    options = offer.options(them.one(0), None, first_square(them.shape))
    return Row(offer.kind(fun), options)


def _stacked(parts: Sequence[Any]) -> Any:
    """Along the batch; None where a method has none."""
    if any(p is None for p in parts):
        return None
    return (
        nt.concat(parts, "batch") if is_named(parts[0]) else jnp.concatenate([jnp.asarray(p) for p in parts])
    )
