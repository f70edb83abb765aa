"""The attribution explorer: one image, the model's prediction, and why.

Controls that ask another question call the model, in a thread of the widget's own, and what is known so far
is drawn meanwhile. What looks at the answer differently (opacity, sign, zoom, the region that is brushed) is
drawn in the browser. A change asks by itself, and ends the question before it; so dear methods can be offered
too.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets as w
import numpy as np
import traitlets
from matplotlib.figure import Figure

from captum_lite import viz
from captum_lite._record import Attribution
from captum_lite.widgets import _explorer_controls as controls
from captum_lite.widgets import _facts as facts
from captum_lite.widgets._images import samples, scores_of
from captum_lite.widgets._look import clip_of, colours_of, finish, sign_of
from captum_lite.widgets._offers import OFFERED
from captum_lite.widgets._question import (
    Answer,
    Question,
    answers,
    baseline_choices,
    require_names,
    settled,
)
from captum_lite.widgets._region import Regions, words
from namedtensor.widgets import Chart, Job, Overlay, OverlayPanel, Panel, View


class AttributionExplorer(Panel):
    """Explore the attributions of an image classifier.

    Each control asks the model again, in the background: the picture gets better while it runs, and Cancel
    keeps what is there (its record has the status "stopped"). `wait` waits for the answer.

    Args:
      fun: images -> scores ``[batch class]``, as for the methods.
      images: a named tensor with the dims ``batch height width`` (and maybe ``channel``), or an array
        ``[batch, height, width]`` or ``[batch, height, width, channel]``.
      labels: the true class of each image, shown beside the prediction.
      class_names: names of the classes; their numbers by default.
      baselines: name -> image (or one for each sample, or a number), beside ``zero``, ``mean colour``,
        ``mean image`` (of several images) and ``blurred``.
      display: what is drawn in place of ``images``, of the same shape, from 0 to 1: ``1 - images`` for ink on
        paper, or the photographs before they were normalised.

    Traits:
      attribution: the `Attribution` record on display, while it runs with the status "partial"; None after an
        error.
      selection: the region that is brushed, ``{"height": slice(2, 5), "width": slice(0, 8)}``, or None.

    Raises:
      ValueError: images without height and width, or that are not from 0 to 1 and have no ``display``.

    Example:
      >>> import jax.numpy as jnp
      >>> from captum_lite.widgets import AttributionExplorer
      >>> images = jnp.linspace(0, 1, 8).reshape(2, 2, 2)
      >>> explorer = AttributionExplorer(lambda x: jnp.stack([x.sum((1, 2)), x[:, 0, 0]], 1), images)
      >>> explorer.wait()
      >>> explorer.selection = {"height": slice(0, 1), "width": slice(0, 2)}
      >>> explorer.attribution.status, f"{explorer.share():.2f}"
      ('finished', '0.17')
    """

    title = "Attributions of an image"
    attribution = traitlets.Instance(Attribution, allow_none=True)
    selection = traitlets.Dict(default_value=None, allow_none=True)

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
        self._fun, self._samples = fun, samples(images, labels, class_names, display)
        self._regions = Regions(self._samples.shape, self._samples.shrink)
        self._baselines = baseline_choices(self._samples, baselines or {})
        self._question: Question | None = None
        self._answer: Answer | None = None
        self._seen: tuple[int, np.ndarray] | None = None  # a sample, and its scores
        self._settling = False  # set while several controls change together
        made = self._make_controls()
        self._make_views()
        beside = w.Layout(flex="1 1 300px", min_width="0", padding="0 0 0 16px")
        side = w.VBox([self.facts, self.caption, self.chart], layout=beside)
        both = w.HBox([self.overlay, side], layout=w.Layout(flex_flow="row wrap", width="100%"))
        super().__init__(made, [both])
        self.add_class("captum-lite-explorer")
        self._settle()
        self._listen()
        self.ask()

    # ---- controls

    def _make_controls(self) -> list[w.Widget]:
        self.sample, self.target = controls.number(self._samples), controls.target(self._samples)
        self.method = controls.dropdown(
            "method", list(OFFERED), "attribution method", value="integrated gradients"
        )
        self.baseline = controls.dropdown(
            "baseline", list(self._baselines), "image that the input is compared with"
        )
        self.steps, self.square = controls.steps(), controls.square(self._samples)
        self.again = controls.run()
        return [self.sample, self.target, self.method, self.baseline, self.steps, self.square, self.again]

    def _make_views(self) -> None:
        self.overlay = Overlay(label="attributions over the image", coords=self._samples.coordinates())
        self.overlay.layout.flex = "1 1 360px"
        self.facts, self.caption = w.HTML(), w.HTML()
        self.chart = Chart(label="how the attributions converge", y_log=True, height=190)

    def _listen(self) -> None:
        self.sample.observe(lambda _: self.ask(target=None), "value")
        self.method.observe(lambda _: self._settle(), "value")
        self.target.observe(lambda change: self.ask(target=int(change["new"])), "value")
        for control in (self.method, self.baseline, self.steps, self.square):
            control.observe(lambda _: self.ask(), "value")
        self.again.on_click(lambda _: self.ask(again=True))
        self.overlay.observe(self._take_brushed, "selection")

    def _settle(self) -> None:
        self._settling = True
        try:
            controls.settle(self.method, self.baseline, self.steps, self.square)
        finally:
            self._settling = False

    # ---- asking

    def ask(self, *, again: bool = False, **changed: Any) -> None:
        """Ask what the controls say, in the background.

        Args:
          again: also if it is what was asked last.
          **changed: ``target=None`` asks about the class that the model sees.
        """
        if self._settling:
            return
        question = dataclasses.replace(self._asked_by_controls(), **changed)
        if question == self._question and not again:
            return
        self._question = question
        self.start(lambda job: self._work(question, job), f"{question.method} ...")

    def _asked_by_controls(self) -> Question:
        return Question(
            int(self.sample.value),
            # its control still shows the last image's class while the model looks at a new one
            None if self._question is None else self._question.target,
            str(self.method.value),
            str(self.baseline.value),
            int(self.steps.value),
            int(self.square.value),
        )

    def _work(self, asked: Question, job: Job) -> None:
        """Stream the answers to a question (in the job's thread)."""
        scores = self._scores_of(asked.sample)
        question = settled(asked, scores)
        if question != asked:
            job.show(lambda: self._settle_target(asked, question))
            job.flush()
        for answer in answers(question, self._fun, self._samples, self._baselines, scores, job):
            job.show(lambda answer=answer: self._show(answer))

    def _scores_of(self, i: int) -> np.ndarray:
        if self._seen is None or self._seen[0] != i:
            scores = scores_of(self._fun(self._samples.one(i)))
            require_names(self._samples.class_names, scores)
            self._seen = i, scores
        return self._seen[1]

    def _settle_target(self, asked: Question, question: Question) -> None:
        """Show the class that the model sees; the question is set first, so that nothing is asked again."""
        if self._question == asked:
            self._question = question
            self.target.value = question.target

    # ---- answers

    def _show(self, answer: Answer) -> None:
        """Draw a record; the model is not called."""
        self._answer, self.attribution = answer, answer.record
        question = answer.question
        panel = OverlayPanel(
            image=self._samples.picture(question.sample),
            map=answer.values,
            title=self._title(question),
            note=self._samples.remark(),
            image_name="display" if self._samples.own_display else "image",
            index={"batch": question.sample},
        )
        self.overlay.put([panel])
        self._write_facts()
        with self.chart.hold_sync():
            self.chart.y_label, self.chart.x_label = "% of the total", "evaluations of the model"
            self.chart.series = answer.lines()
        self.caption.value = answer.caption()

    def _title(self, question: Question) -> str:
        assert question.target is not None, "known before a record is"
        return f"{question.method}, {self._samples.class_name(question.target)}"

    def _write_facts(self) -> None:
        answer = self._answer
        if answer is None:
            return
        record, question = answer.record, answer.question
        seen = self._samples.class_name(int(answer.scores.argmax()))
        explained = f"{float(np.asarray(record.prediction)[0]):.3f}"
        if record.baseline_prediction is not None:
            explained += f"; {float(np.asarray(record.baseline_prediction)[0]):.3f} at the baseline"
        rows = [
            ("prediction", facts.prediction(answer.scores, seen, self._samples.truth(question.sample))),
            ("score explained", explained),
            *facts.evidence(record),
            ("status", answer.status()),
        ]
        if self.selection is not None:
            rows.append(("in the selection", self._selected(answer.sizes)))
        self.facts.value = facts.table(rows)

    def fail(self, error: Exception) -> None:
        """One message, and no stale picture."""
        self._answer = self.attribution = None
        self.overlay.put([])
        self.chart.series, self.facts.value, self.caption.value = [], "", ""
        super().fail(error)

    # ---- the selection

    def share(self) -> float:
        """The share of the total |attribution| that lies inside the selection.

        Raises:
          ValueError: there is no selection, or no attribution.
        """
        if self._answer is None or self.selection is None:
            raise ValueError("there is no attribution, or no selection: brush a region, or set .selection.")
        return facts.share_inside(self._answer.sizes, self._regions.box(self.selection))[0]

    def _selected(self, sizes: np.ndarray) -> str:
        assert self.selection is not None, "asked where there is one"
        share, pixels = facts.share_inside(sizes, self._regions.box(self.selection))
        much = (
            "no |attribution| anywhere" if np.isnan(share) else f"{facts.percent(share)} of the |attribution|"
        )
        return f"{much}, on {facts.percent(pixels)} of the pixels: {words(self.selection)}"

    @traitlets.validate("selection")
    def _checked_selection(self, proposal: Any) -> Any:
        given = proposal["value"]
        return None if given is None else self._regions.checked(given)

    @traitlets.observe("selection")
    def _put_selection(self, change: Any) -> None:
        """The region in the overlay."""
        box = None if change["new"] is None else self._regions.box(change["new"])
        self.overlay.set_trait("selection", box)
        self._write_facts()

    def _take_brushed(self, change: Any) -> None:
        """The region from the overlay; a wrong one is told, and the picture stays."""
        box = change["new"]
        if self.selection is not None and box == self._regions.box(self.selection):
            return  # it came from here
        try:
            self.selection = None if box is None else self._regions.region(box)
            self.clear()
        except ValueError as error:
            self.selection = None
            self.overlay.set_trait("selection", None)
            super().fail(error)

    # ---- figures and pages

    def figure(self) -> Figure:
        """The picture on display as a matplotlib figure, with the look that is set in the widget.

        Raises:
          ValueError: there is nothing to draw (yet).
        """
        answer, overlay = self._answer, self.overlay
        if answer is None:
            raise ValueError("there is nothing to draw: the last question has no answer (yet).")
        image, values = self._samples.picture(answer.question.sample), answer.values
        height, width = values.shape
        figure = Figure(figsize=_size(height, width), layout="compressed")
        left, right = figure.subplots(1, 2)
        plain: Any = {"method": "original_image", "colorbar": False, "title": "image"}
        sign = sign_of(overlay, [values])
        drawn = viz.show(
            values,
            image,
            method="blended_heat_map",
            sign=sign,
            cmap=colours_of(overlay, sign),
            clip=clip_of(overlay),
            opacity=overlay.opacity,
            ax=right,
            title=self._title(answer.question),
        )
        for picture in (viz.show(values, image, ax=left, **plain), drawn):
            finish(picture, overlay)
        return figure

    def parts(self) -> list[View | str]:
        """The overlay, and beside it what is known of it."""
        begin = (
            "<div style='display:flex;flex-wrap:wrap;gap:8px 24px'><div style='flex:1 1 360px;min-width:0'>"
        )
        then = "</div><div style='flex:1 1 300px;min-width:0'>"
        return [begin, self.overlay, then, self.facts.value, self.caption.value, self.chart, "</div></div>"]


def _size(height: int, width: int) -> tuple[float, float]:
    """Inches of a figure of two pictures side by side, of this shape."""
    side = 2.6 * min(1.6, width / height)
    return 2 * side + 1.2, min(6.0, side * height / width) + 0.5
