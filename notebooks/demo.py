"""The main job without a browser: explain digits with a method of each kind, write a picture and a report."""

import base64
import functools
import html
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import namedtensor as nt
from captum_lite import Attribution, viz
from captum_lite.methods import METHODS
from namedtensor.datasets import digits
from namedtensor.models import digits_cnn
from notebooks import small_images

PICTURE, REPORT = "attributions.png", "report.html"
SHOWN = ("saliency", "SmoothGrad", "integrated gradients", "DeepLift", "LRP", "occlusion")


@dataclass(frozen=True)
class Explained:
    """One image of each digit, explained by each method.

    Attributes:
      accuracy: of the model, on the held-out digits.
      images: ``[batch:10 height:8 width:8]``.
      labels: the ten digits.
      predictions: the model's, one for each.
      records: method -> record, for the predicted classes.
      seconds: method -> time for all ten, once compiled.
    """

    accuracy: float
    images: nt.NamedTensor
    labels: np.ndarray
    predictions: np.ndarray
    records: dict[str, Attribution]
    seconds: dict[str, float]


def explain() -> Explained:
    """Explain the first held-out image of each digit, for the class that the model predicts."""
    params, held_out = digits_cnn.load(), digits.load("heldout")
    labels = held_out.labels.to_array("batch")
    first = np.array([int(np.argmax(labels == k)) for k in range(10)])
    images = held_out.images.rename(batch="n").isel(n=nt.tensor(first, "batch"))
    model = functools.partial(digits_cnn.apply, params)
    predictions = np.asarray(model(images).argmax("class").array)
    records, seconds = {}, {}
    for name in SHOWN:
        method, options = METHODS[name](model), small_images.options(name, images.shape)
        method.explain(images, target=predictions, **options)  # compiles
        start = time.perf_counter()
        records[name] = method.explain(images, target=predictions, **options)
        seconds[name] = time.perf_counter() - start
    accuracy = digits_cnn.accuracy(params, held_out.images, held_out.labels)
    return Explained(accuracy, images, np.asarray(labels[first]), predictions, records, seconds)


def _unsigned(record: Attribution) -> bool:
    return float(record.attributions.array.min()) >= 0


def _column(label: int, predicted: int) -> str:
    return f"{label}" if label == predicted else f"{label}, read as {predicted}"


def picture(explained: Explained) -> Figure:
    """Digits by methods, one colour bar a method, the completeness gap under each map that has one."""
    notes = {
        name: [f"gap {abs(d):.1e}" for d in np.asarray(record.convergence_delta)]
        for name, record in explained.records.items()
        if record.convergence_delta is not None
    }
    drawn = viz.grid(
        explained.records,
        1 - explained.images,  # ink on paper
        sign={name: "absolute_value" for name, record in explained.records.items() if _unsigned(record)},
        column_titles=[_column(*pair) for pair in zip(explained.labels, explained.predictions, strict=True)],
        cell_notes=notes,
        units={name: small_images.units(name, "ink") for name in SHOWN},
    )
    return drawn.figure


def _rows(explained: Explained) -> str:
    cells = []
    for name, record in explained.records.items():
        delta, gap = record.convergence_delta, record.gap
        largest = (
            "not complete"
            if delta is None
            else f"{float(abs(delta).max()):.1e} ({100 * float(gap.max()):.2g} %)"
        )
        each = sum(record.evaluations.values()) // len(explained.labels)
        error = "" if record.error is None else f"{float(record.error.max()):.1%}"
        shown = (name, largest, error, str(each), f"{1000 * explained.seconds[name]:.0f} ms")
        cells.append("<tr>" + "".join(f"<td>{html.escape(c)}</td>" for c in shown) + "</tr>")
    return "\n".join(cells)


def report(explained: Explained, png: bytes) -> str:
    """A page that stands alone: the picture, and the evidence for it."""
    wrong = int((explained.predictions != explained.labels).sum())
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Attributions of ten digits</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 1100px; margin: 2rem auto; padding: 0 1rem; }}
img {{ max-width: 100%; }} table {{ border-collapse: collapse; }}
td, th {{ padding: .3rem 1rem .3rem 0; border-bottom: 1px solid #ddd; text-align: left; }}
</style></head><body>
<h1>Attributions of ten digits</h1>
<p>A small convolutional network, {explained.accuracy:.2%} right on the 299 held-out digits,
sees the first of each ({wrong} of these 10 wrong). Signed maps say how much each pixel speaks for (red)
or against (blue) the class that the network predicts. The baseline of integrated gradients is an empty
image.</p>
<img alt="A grid of heat maps: one column for each digit, one row for each attribution method"
 src="data:image/png;base64,{base64.b64encode(png).decode()}">
<h2>Evidence</h2>
<table>
<tr><th>method</th><th>largest completeness gap</th><th>largest estimated error</th>
<th>evaluations an image</th><th>time for ten</th></tr>
{_rows(explained)}
</table>
<p>The gap is what the attributions miss of the difference between the scores of the image and of the
baseline, here also as a share of the total absolute attribution. It is a lower bound on the error: errors of
single pixels may cancel in the sum. Times are of this run, after compilation.</p>
</body></html>
"""


def run(out: Path) -> int:
    """Write the picture and the report to a directory; returns the exit status."""
    explained = explain()
    out.mkdir(parents=True, exist_ok=True)
    picture(explained).savefig(out / PICTURE, dpi=160)
    (out / REPORT).write_text(report(explained, (out / PICTURE).read_bytes()), encoding="utf-8")
    print(f"held-out accuracy {explained.accuracy:.2%}; wrote {out / PICTURE} and {out / REPORT}")
    return 0
