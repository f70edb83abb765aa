"""What a record says beside its picture, in words."""

from collections.abc import Iterable, Sequence
from html import escape

import numpy as np

from captum_lite._record import Attribution

HEAD = "text-align:left;padding-right:12px;white-space:nowrap;vertical-align:top;font-weight:600"
CELL = "text-align:left;padding-right:12px;vertical-align:top"


def prediction(scores: np.ndarray, name: str, truth: str | None) -> str:
    """The class with the highest score."""
    best = float(scores.max())
    labelled = "" if truth is None else f"; labelled {truth}"
    if scores.min() >= 0 and abs(float(scores.sum()) - 1) < 1e-3:
        return f"{name}, probability {best:.3f}{labelled}"
    share = 1 / float(np.exp(scores - best).sum())
    return f"{name}, score {best:.3g}, softmax {share:.3f}{labelled}"


def evidence(record: Attribution) -> list[tuple[str, str]]:
    """How far the record can be trusted, and what it cost."""
    rows = []
    if record.convergence_delta is not None:
        gap = abs(float(np.asarray(record.convergence_delta)[0]))
        share = f"{percent(gap_of(record))} of the total attribution"
        if record.baseline_prediction is None:  # LRP counts from nothing
            rows.append(("absorbed by biases", f"{gap:.2e}, {share}"))
        else:
            rows.append(("completeness gap", f"{gap:.2e}, {share}: a lower bound on the error"))
    if record.error is not None:
        rows.append(("estimated error", f"{percent(error_of(record))} of the total attribution"))
    spent = ", ".join(f"{n} {kind}" for kind, n in record.evaluations.items() if n)
    return [*rows, ("evaluations", spent or "none")]


def percent(fraction: float) -> str:
    """Two digits of it; what is next to nothing is that."""
    return "< 0.001 %" if 0 < fraction < 1e-5 else f"{two_digits(100 * fraction)} %"


def two_digits(x: float) -> str:
    """A number as one says it: 0.012, 3.4, 120."""
    return f"{float(f'{x:.2g}'):g}" if abs(x) < 100 else f"{x:.0f}"


def gap_of(record: Attribution) -> float:
    """Of the first example, as a fraction of its total attribution; NaN where the method has none."""
    return np.nan if record.gap is None else float(np.asarray(record.gap)[0])


def error_of(record: Attribution) -> float:
    """The same of the estimated error."""
    return np.nan if record.error is None else float(np.asarray(record.error)[0])


def share_inside(sizes: np.ndarray, box: Sequence[int]) -> tuple[float, float]:
    """The share of the sizes and of the pixels inside top, left, bottom, right; NaN if all is 0."""
    top, left, bottom, right = box
    inside = np.s_[top:bottom, left:right]
    total = float(sizes.sum())
    return float(sizes[inside].sum()) / total if total else np.nan, sizes[inside].size / sizes.size


def table(rows: Iterable[Sequence[str]], head: Sequence[str] = (), caption: str = "") -> str:
    """An HTML table whose first column names its rows."""
    titles = "".join(f"<th scope='col' style='{HEAD}'>{escape(h)}</th>" for h in head)
    lines = "".join(
        f"<tr><th scope='row' style='{HEAD}'>{escape(first)}</th>"
        + "".join(f"<td style='{CELL}'>{escape(cell)}</td>" for cell in rest)
        + "</tr>"
        for first, *rest in rows
    )
    said = f"<caption style='text-align:left;padding:4px 0'>{escape(caption)}</caption>" if caption else ""
    return f"<table style='line-height:1.5'>{said}{f'<tr>{titles}</tr>' if head else ''}{lines}</table>"
