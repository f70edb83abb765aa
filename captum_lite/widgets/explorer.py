"""The attribution explorer: one image, the model's prediction, and why.

Controls are of two kinds. Those that ask another question (sample, target, method, steps, baseline)
call the model; those that look at the answer differently (sign, opacity) only draw again. Both are
milliseconds once compiled, so each change is answered at once, in the callback. Nothing goes through
pyplot or an Output widget: the first corrupts figures in callbacks, the second is the slowest way.
"""

import base64
import html
import io
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets as w
import numpy as np
import traitlets
from matplotlib.figure import Figure

from captum_lite import _baselines as baselines
from captum_lite import viz
from captum_lite._function_method import GradientMethod
from captum_lite._method import AbstractMethod
from captum_lite._record import Attribution, IncompleteWarning
from captum_lite.methods import METHODS
from namedtensor import NamedTensor, is_named, tensor

SIGNS = ("all", "positive", "negative", "absolute_value")
# Those that answer in milliseconds: perturbation methods evaluate the model once for each pixel or more.
OFFERED = {
    name: kind
    for name, kind in METHODS.items()
    if isinstance(kind, type) and issubclass(kind, GradientMethod)
}
_STEPS = ("n_steps", "nt_samples")  # what the steps control sets, by the method's own name for it
_WIDTH = w.Layout(width="340px")
_HEAD = "text-align:left;padding-right:12px;white-space:nowrap"
_WIDE = {"description_width": "90px"}


class AttributionExplorer(w.VBox):
    """Explore the attributions of an image classifier.

    Args:
      fun: images -> scores ``[batch class]``, as for the methods.
      images: a named tensor with the dims ``batch height width`` (and maybe ``channel``), or an array
        ``[batch, height, width]`` or ``[batch, height, width, channel]``, from 0 to 1.
      labels: the true class of each image, shown beside the prediction.
      class_names: names of the classes; their numbers by default.
      baselines: name -> image, beside ``zero``, ``mean image`` and ``blurred``.
      display: what is drawn in place of ``images``, of the same shape: ``1 - images`` for ink on paper.

    Traits:
      attribution: the `Attribution` record on display; None after an error.

    Raises:
      ValueError: images without height and width.
    """

    attribution = traitlets.Instance(Attribution, allow_none=True)

    def __init__(
        self,
        fun: Callable[..., Any],
        images: Any,
        *,
        labels: Any = None,
        class_names: Sequence[str] | None = None,
        baselines: Mapping[str, Any] | None = None,
        display: Any = None,
    ):
        """Build the controls, and explain the first image."""
        self._fun, self._images = fun, _checked(images)
        self._display = self._images if display is None else _checked(display)
        self._labels = None if labels is None else np.asarray(labels.array if is_named(labels) else labels)
        self._class_names = class_names
        self._baselines = _baseline_choices(self._images, dict(baselines or {}))
        self._quiet = False  # set while several controls change together
        self._make_controls()
        controls = w.VBox(self._controls, layout=w.Layout(flex="0 0 360px"))  # the picture shrinks instead
        super().__init__([w.HBox([controls, w.VBox([self.picture, self.facts])]), self.message])
        self.add_class("captum-lite-explorer")
        self._show_sample()
        threading.Thread(target=self._compile_others, name="compile attribution methods").start()

    def _make_controls(self) -> None:
        n = _size(self._images)
        self.sample = w.IntSlider(0, 0, n - 1, description="sample", tooltip="number of the image")
        self.target = w.IntText(0, description="target class", tooltip="class whose score is explained")
        self.method = w.Dropdown(
            options=list(OFFERED),
            value="integrated gradients",
            description="method",
            tooltip="attribution method",
        )
        self.steps = w.IntSlider(50, 1, 200, description="steps", tooltip="path points, or noisy samples")
        self.baseline = w.Dropdown(
            options=list(self._baselines),
            description="baseline",
            tooltip="image that the input is compared with",
        )
        self.sign = w.Dropdown(options=SIGNS, description="sign", tooltip="which attributions are drawn")
        self.opacity = w.FloatSlider(
            0.8, min=0, max=1, step=0.05, description="opacity", tooltip="of the heat map"
        )
        self._controls = [
            self.sample,
            self.target,
            self.method,
            self.steps,
            self.baseline,
            self.sign,
            self.opacity,
        ]
        for control in self._controls:
            control.layout, control.style = _WIDTH, _WIDE
        self.picture, self.facts, self.message = w.HTML(), w.HTML(), w.HTML()
        self.sample.observe(lambda _: self._show_sample(), "value")
        for control in (self.target, self.method, self.steps, self.baseline):
            control.observe(lambda _: self._explain(), "value")
        for control in (self.sign, self.opacity):
            control.observe(lambda _: self._draw(), "value")

    def _show_sample(self) -> None:
        """A new image is first asked about the class that the model sees in it."""
        self._quiet = True
        try:
            self._scores = _scores(self._fun(self._one(self._images)))
            self.target.value = int(self._scores.argmax())
        except Exception as error:  # whatever the user's model raises is shown, and the notebook goes on
            return self._fail(error)
        finally:
            self._quiet = False
        return self._explain()

    def _explain(self) -> None:
        """Ask the method again, and draw."""
        if self._quiet:
            return
        try:
            self.attribution = self._asked()
            self._draw()
        except Exception as error:  # as above
            self._fail(error)
        else:
            self.message.value = ""

    def _asked(self) -> Attribution:
        method = OFFERED[str(self.method.value)](self._fun)
        steps = next((name for name in _STEPS if name in method.defaults()), None)
        self.steps.disabled, self.baseline.disabled = steps is None, not method.compares()
        options = {} if steps is None else {steps: self.steps.value}
        return self._call(method, int(self.target.value), options)

    def _call(self, method: AbstractMethod, target: int, options: dict[str, Any]) -> Attribution:
        baseline = self._one(self._baselines[str(self.baseline.value)]) if method.compares() else None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", IncompleteWarning)  # the gap is shown with every picture
            return method.explain(self._one(self._images), baseline, target, **options)

    def _one(self, images: Any) -> Any:
        i = self.sample.value
        if not hasattr(images, "shape"):
            return images
        if _size(images) == 1:
            i = 0
        return images.isel(batch=slice(i, i + 1)) if is_named(images) else images[i : i + 1]

    def _draw(self) -> None:
        """Draw the record that is there; the model is not called."""
        record: Any = self.attribution
        if record is None:
            return
        self.picture.value = _img(self.figure(), self._sentence())
        self.facts.value = _table(self._facts(record))

    def figure(self) -> Figure:
        """The picture on display as a matplotlib figure, for a paper."""
        if self.attribution is None:
            raise ValueError("there is nothing to draw: the last question had no answer.")
        i = self.sample.value
        image = self._display.isel(batch=i) if is_named(self._display) else self._display[i]
        figure = Figure(figsize=(6.4, 2.7), layout="compressed")
        left, right = figure.subplots(1, 2)
        viz.show(self.attribution, image, method="original_image", ax=left, colorbar=False, title="image")
        viz.show(
            self.attribution,
            image,
            method="blended_heat_map",
            sign=self._sign(),
            opacity=self.opacity.value,
            ax=right,
            title=f"{self.method.value}, {self._class(int(self.target.value))}",
        )
        return figure

    def _sign(self) -> str:
        """Magnitudes have no sign to centre the colours on."""
        record: Any = self.attribution
        values = record.attributions
        least = float(np.min(np.asarray(values.array if is_named(values) else values)))
        return "absolute_value" if self.sign.value == "all" and least >= 0 else str(self.sign.value)

    def _class(self, number: int) -> str:
        return f"class {number}" if self._class_names is None else self._class_names[number]

    def _sentence(self) -> str:
        """The picture in words, for those who cannot see it."""
        what = f"{self.method.value} of {self._class(int(self.target.value))}"
        return f"Sample {self.sample.value} and a heat map over its pixels: {what}, sign {self.sign.value}."

    def _facts(self, record: Attribution) -> list[tuple[str, str]]:
        odds = np.exp(self._scores - self._scores.max())
        best = int(self._scores.argmax())
        truth = (
            "" if self._labels is None else f"; labelled {self._class(int(self._labels[self.sample.value]))}"
        )
        rows = [
            ("prediction", f"{self._class(best)}, probability {odds[best] / odds.sum():.3f}{truth}"),
            ("score explained", f"{float(record.prediction[0]):.3f}"),
        ]
        if record.convergence_delta is not None:
            gap = abs(float(record.convergence_delta[0]))
            share = f"{100 * float(record.gap[0]):.2g} % of the total attribution"
            if record.baseline_prediction is None:  # LRP counts from nothing
                rows.append(("absorbed by biases", f"{gap:.2e}, {share}"))
            else:
                rows.append(("completeness gap", f"{gap:.2e}, {share}: a lower bound on the error"))
        if record.error is not None:
            share = float(np.asarray(record.error)[0])
            rows.append(("estimated error", f"{share:.1%} of the total attribution"))
        rows.append(("gradient evaluations", str(record.evaluations["gradient"])))
        return rows

    def _fail(self, error: Exception) -> None:
        """One message, and no stale picture."""
        self.attribution = None
        self.picture.value = self.facts.value = ""
        self.message.value = (
            "<div role='alert' style='padding:8px 12px;max-width:640px;border-left:4px solid "
            "var(--jp-error-color1, #b00020);background:var(--jp-layout-color2, #eee);"
            f"color:var(--jp-ui-font-color1, #222)'>{html.escape(str(error)) or type(error).__name__}</div>"
        )

    def _compile_others(self) -> None:
        """Compile the other methods while the user looks, so that choosing one does not wait."""
        for kind in OFFERED.values():
            try:
                self._call(kind(self._fun), int(self._scores.argmax()), {})
            except Exception:  # it will be raised again, and shown, when the method is chosen
                continue


def _checked(images: Any) -> Any:
    images = images if is_named(images) else np.asarray(images)
    if is_named(images):
        images.expect("batch height width channel" if "channel" in images.dims else "batch height width")
    elif images.ndim not in (3, 4):
        raise ValueError(
            f"images have the shape {images.shape}: "
            "give [batch, height, width] or [batch, height, width, channel]."
        )
    if not _size(images):
        raise ValueError("there are no images: the batch is empty.")
    return images


def _size(images: Any) -> int:
    return images.shape["batch"] if is_named(images) else images.shape[0]


def _baseline_choices(images: Any, more: dict[str, Any]) -> dict[str, Any]:
    mean = baselines.mean(images)
    mean = tensor(mean.array[None], ["batch", *mean.dims]) if isinstance(mean, NamedTensor) else mean[None]
    return {"zero": 0.0, "mean image": mean, "blurred": baselines.blurred(images), **more}


def _scores(output: Any) -> np.ndarray:
    output = output.to_array("batch ...") if is_named(output) else output
    scores = np.asarray(output)
    if scores.ndim != 2 or scores.shape[0] != 1:
        raise ValueError(
            f"the function returned shape {scores.shape} for one image: the explorer needs [1, classes]."
        )
    return scores[0]


def _img(figure: Figure, words: str) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    data = base64.b64encode(buffer.getvalue()).decode()
    return f'<img alt="{html.escape(words)}" style="max-width:100%" src="data:image/png;base64,{data}">'


def _table(rows: list[tuple[str, str]]) -> str:
    cells = "".join(
        f"<tr><th style='{_HEAD}'>{html.escape(k)}</th><td>{html.escape(v)}</td></tr>" for k, v in rows
    )
    return f"<table style='line-height:1.5'>{cells}</table>"
