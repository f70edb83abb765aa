"""Explain one held-out image without a notebook: the evidence as text, the explanation as a picture."""

import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from captum_lite import Attribution, IncompleteWarning, baselines, viz
from captum_lite.methods import IMAGE_METHODS, METHODS, find
from namedtensor._errors import near_miss
from notebooks import small_images
from notebooks.cases import MODELS, Case
from notebooks.errors import CommandError

BASELINES = ("mean", "blurred")


@dataclass(frozen=True)
class Explained:
    """One image, explained.

    Attributes:
      case: the image and its model.
      method: a key of `captum_lite.methods.METHODS` or ``IMAGE_METHODS``.
      target: the class.
      logits: of all classes.
      record: the attributions and their evidence.
      notes: what the method warns of.
    """

    case: Case
    method: str
    target: int
    logits: np.ndarray
    record: Attribution
    notes: tuple[str, ...]


def run(
    *,
    model: str,
    method: str,
    index: int,
    target: int | None,
    baseline: str | None,
    out: Path | None,
    listing: bool = False,
) -> int:
    """Explain one image, print the evidence and write a picture; returns the exit status.

    Args:
      model: a key of `notebooks.cases.MODELS`.
      method: a name, as `captum_lite.methods.find` takes it.
      index: which image.
      target: which class; None for the one that the model predicts.
      baseline: a number, or one of `BASELINES`; None for zeros.
      out: the picture; None for a name made of the others.
      listing: list models and methods, and do nothing else.

    Raises:
      CommandError: one of them does not exist or does not fit, or the picture cannot be written.
    """
    if listing:
        print(f"models:     {', '.join(MODELS)}\nmethods:    {', '.join(METHODS | IMAGE_METHODS)}")
        return 0
    if model not in MODELS:
        hint = near_miss(model, MODELS)
        raise CommandError(f"there is no model {model!r}; there are: {', '.join(MODELS)}. {hint}".rstrip())
    name = _method(method)
    out = _checked(out or Path(f"{model}_{index}_{name.replace(' ', '_')}.png"))
    explained = explain(MODELS[model](index), name, target, baseline)
    picture(explained).savefig(out, dpi=160)
    for what, found in [*evidence(explained), ("wrote", str(out))]:
        print(f"{what:<12}{found}")
    return 0


def _method(name: str) -> str:
    """The name by which the tables know a method."""
    try:
        found = find(name)
    except ValueError as error:
        raise CommandError(str(error)) from None
    return next(known for known, method in (METHODS | IMAGE_METHODS).items() if method is found)


def _checked(out: Path) -> Path:
    """Refuse a picture that could not be written, before anything is computed."""
    formats = ", ".join(f".{suffix}" for suffix in sorted(Figure().canvas.get_supported_filetypes()))
    if out.suffix.lower() not in formats.split(", "):
        raise CommandError(f"--out {out}: the suffix chooses the format, and may be {formats}.")
    if not out.parent.is_dir():
        raise CommandError(f"--out {out}: there is no directory {out.parent}. Make it first.")
    if out.is_dir():
        raise CommandError(f"--out {out}: this is a directory. Give the name of a file.")
    return out


def explain(case: Case, name: str, target: int | None, baseline: str | None) -> Explained:
    """Ask a method about one image; arguments as for `run`.

    Raises:
      CommandError: the target or the baseline does not fit.
    """
    method = (METHODS | IMAGE_METHODS)[name](case.model)
    if baseline is not None and not method.compares():
        raise CommandError(f"--baseline {baseline}: {name} compares with no baseline. Leave it out.")
    compared, options = _baseline(baseline, case), small_images.options(name, case.image.shape)
    logits = np.asarray(case.model(case.image).to_array("batch class"))[0]
    target = int(logits.argmax()) if target is None else target
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", IncompleteWarning)
        try:
            progress = sys.stderr.isatty()
            record = method.explain(case.image, compared, target, show_progress=progress, **options)
        except (ValueError, IndexError) as error:  # what was given does not fit: the library says how
            raise CommandError(str(error)) from error
    return Explained(case, name, target, logits, record, tuple(str(w.message) for w in caught))


def _baseline(given: str | None, case: Case) -> Any:
    if given == "mean":
        return baselines.mean(case.others())
    if given == "blurred":
        return baselines.blurred(case.image)
    try:
        return None if given is None else float(given)
    except ValueError:
        raise CommandError(f"--baseline {given}: give a number, {' or '.join(BASELINES)}.") from None


def picture(explained: Explained) -> Figure:
    """The image and its attributions, side by side: what lies on an image would take its colours."""
    case, record = explained.case, explained.record
    shown = record.sum("channel") if "channel" in record.attributions.dims else record
    values = shown.attributions.array
    sign = "absolute_value" if values.min() >= 0 and values.any() else "all"
    figure = Figure(figsize=(6.4, 2.9), layout="compressed")
    left, right = figure.subplots(1, 2)
    title = f"{explained.method}, {case.name(explained.target)}"
    units = small_images.units(explained.method, case.measure)
    viz.show(record, case.shown, method="original_image", ax=left, title=f"labelled {case.name(case.label)}")
    viz.show(shown, method="heat_map", sign=sign, ax=right, title=title, units=units)
    return figure


def evidence(explained: Explained) -> list[tuple[str, str]]:
    """What is known about the explanation, in words."""
    case, record, logits = explained.case, explained.record, explained.logits
    odds = np.exp(logits - logits.max())
    best = int(logits.argmax())
    seen = f"{case.name(best)}, probability {odds[best] / odds.sum():.3f}; labelled {case.name(case.label)}"
    asked = f"logit {logits[explained.target]:.3f} of {case.name(explained.target)}, by {explained.method}"
    rows = [("prediction", seen), ("explained", asked)]
    if record.baseline_prediction is not None:
        rows.append(("at baseline", f"logit {float(record.baseline_prediction[0]):.3f}"))
    rows.append(("gap", _gap(record)))
    if record.error is not None:
        share = float(np.asarray(record.error)[0])
        rows.append(("error", f"{share:.1%} of the total attribution, estimated"))
    made = ", ".join(f"{n} {kind}" for kind, n in record.evaluations.items() if n)
    return [*rows, ("evaluations", made), *(("note", note) for note in explained.notes)]


def _gap(record: Attribution) -> str:
    if record.convergence_delta is None or record.gap is None:
        return "none: the attributions of this method need not add up"
    gap, share = abs(float(record.convergence_delta[0])), 100 * float(record.gap[0])
    means = "absorbed by biases" if record.baseline_prediction is None else "a lower bound on the error"
    return f"{gap:.2e}, {share:.2g} % of the total attribution: {means}"
