"""Cover a part of an image, see what the model says then; and let an attribution choose what is covered.

An attribution claims which pixels the score rests on. Here they are taken away: by hand, or the largest
first, beside a control in which they go in random order. A single forward pass is answered at once; what
takes longer runs in a thread of the widget's own.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets as w
import numpy as np
import traitlets
from matplotlib.figure import Figure

from captum_lite.metrics import Curve
from captum_lite.widgets import _brush_words as words
from captum_lite.widgets import _explorer_controls as controls
from captum_lite.widgets._brush_figure import brush_figure
from captum_lite.widgets._brush_work import Asked, Explanations
from captum_lite.widgets._erasure import Erasure, softmaxed
from captum_lite.widgets._images import samples, scores_of
from captum_lite.widgets._occlusion import (
    as_shown,
    checked_mask,
    fillings,
    magnified,
    occluded,
    shrunk,
    top,
)
from captum_lite.widgets._offers import OFFERED
from captum_lite.widgets._question import require_names
from namedtensor import is_named, tensor
from namedtensor.widgets import Chart, Job, Overlay, OverlayPanel, Panel, Slider, View

SCORES = (("softmax of the scores", "softmax"), ("the score itself", "score"))
_SHARE = 0.3  # of the progress bar, for the attribution


class PerturbationBrush(Panel):
    """Paint an occlusion on an image, watch the scores change; test an attribution by erasing what it names.

    "Erase" covers the pixels of the largest attributions (summed over channels). "Curves" draws the score as
    they go (deletion) and come (insertion), and as pixels go in random order, the mean of 8 orders: an
    attribution that says nothing does no better.

    Args:
      fun: images -> scores ``[batch class]``, as for the methods.
      images: as for `AttributionExplorer`.
      labels: the true class of each image.
      class_names: names of the classes; their numbers by default.
      attributions: name -> attributions of ``images`` (a record, a named tensor, an array), offered beside
        the methods.
      display: what is drawn in place of ``images``, as for `AttributionExplorer`.
      method: the attribution to begin with.
      seed: of the random orders.

    Traits:
      mask: what is covered, boolean, ``[height width]`` (named, if the images are); may be set.
      curve: name -> `captum_lite.metrics.Curve`, of "deletion", "insertion" and "random deletion" (whose
        scores are ``[points, 8]``); empty until asked for, and again when another question is.

    Raises:
      ValueError: images without height and width, a method that is not there.

    Example:
      >>> import jax.numpy as jnp
      >>> from captum_lite.widgets import PerturbationBrush
      >>> images = jnp.array([[[1.0, 0.0], [0.0, 0.5]]])
      >>> brush = PerturbationBrush(lambda x: jnp.stack([x.sum((1, 2)), x[:, 0, 0]], 1), images)
      >>> brush.erase(25)
      >>> brush.wait()
      >>> brush.mask.tolist()
      [[True, False], [False, False]]
    """

    title = "What the score rests on"
    mask = traitlets.TraitType()  # (`Any` would keep None unchecked)
    curve = traitlets.Dict()

    def __init__(
        self,
        fun: Callable[..., Any],
        images: Any,
        *,
        labels: Any = None,
        class_names: Sequence[str] | None = None,
        attributions: Mapping[str, Any] | None = None,
        display: Any = None,
        method: str | None = None,
        seed: int = 0,
    ):
        """Build the controls, and show the first image."""
        self._fun, self._samples, self._seed = fun, samples(images, labels, class_names, display), seed
        self._explanations = Explanations(
            fun, self._samples, fillings(self._samples), dict(attributions or {})
        )
        self._before: tuple[int, np.ndarray] | None = None  # a sample, and its scores
        self._after: np.ndarray | None = None  # the scores with the mask; None where nothing is covered
        self._to_erase: Asked | None = None  # the top of this, as soon as it is known
        self._settling = True  # set while several controls change together
        made = self._make_controls(method)
        self._make_views()
        views = w.HBox([*self._beside()], layout=w.Layout(flex_flow="row wrap", width="100%"))
        super().__init__(made, [views, self.facts])
        self.add_class("captum-lite-brush")
        self.mask = None
        self._listen()
        self._settling = False
        self._new_sample()

    # ---- controls

    def _make_controls(self, method: str | None) -> list[w.Widget]:
        them = self._samples
        given = self._explanations.given
        methods = [*given, *(name for name in OFFERED if name not in given)]
        begin = method or next(iter(given), "integrated gradients")
        if begin not in methods:
            raise ValueError(f"method={begin!r} is not there: choose one of {', '.join(methods)}.")
        self.sample, self.target = controls.number(them), controls.target(them)
        self.filling = controls.dropdown(
            "filling", list(self._explanations.fillings), "what stands where pixels are covered"
        )
        self.clear_button = _button("Uncover all", "take the cover away")
        self.method = controls.dropdown(
            "method", methods, "whose largest attributions are erased", value=begin
        )
        self.top = Slider(label="top %", min=0, max=100, step=1, value=10)
        self.erase_button = _button("Erase the top", "cover the pixels of the largest attributions")
        self.score = controls.dropdown("curve of", list(SCORES), "what is drawn as pixels go")
        self.curves_button = _button("Draw the curves", "deletion, insertion, and a random order")
        about = [self.sample, self.target, self.filling, self.clear_button]
        return [*about, self.method, self.top, self.erase_button, self.score, self.curves_button]

    def _make_views(self) -> None:
        tools: Any = {"tools": ["paint", "erase", "look"], "tool": "paint"}
        hint = "Paint on the image; or go there by keys, and press the space bar."
        self.overlay = Overlay(
            label="the image, to be covered",
            coords=self._samples.coordinates(),
            hint=hint,
            cell_width=300,
            **tools,
        )
        look: Any = {"tools": ["look"], "controls": ["opacity", "sign", "clip"]}
        self.seen = Overlay(label="what the model sees", coords=self._samples.coordinates(), **look)
        self.bars = Chart(label="scores before and after", kind="bars", x_label="score", height=240)
        self.lines = Chart(label="curves of the erasure", x_label="% of the pixels", height=240)
        self.facts = w.HTML()
        for view, room in self._beside().items():
            view.layout.flex = f"1 1 {room}px"

    def _beside(self) -> dict[View, int]:
        """The views with the pixels that each needs; the scores stand beside what is painted."""
        return {self.overlay: 240, self.bars: 260, self.seen: 340, self.lines: 340}

    def _listen(self) -> None:
        self.sample.observe(lambda _: self._new_sample(), "value")
        for control in (self.target, self.filling, self.score):
            control.observe(lambda _: self._new_question(), "value")
        self.method.observe(lambda _: self._new_question(), "value")
        self.top.observe(lambda _: self.erase(), "value")
        self.erase_button.on_click(lambda _: self.erase())
        self.curves_button.on_click(lambda _: self.draw_curves())
        self.clear_button.on_click(lambda _: self.uncover())
        self.overlay.observe(lambda _: self._take_painted(), "mask")

    def _new_sample(self) -> None:
        """A new image: nothing covered, and the class that the model sees in it."""
        self.cancel()  # what runs is of another image
        self._settling = True
        try:
            self.mask, self.curve = None, {}
            with self.answering():
                self.overlay.put(
                    [OverlayPanel(image=self._picture(), title=self._title(), image_name="image")]
                )
                self.target.value = int(self._scores().argmax())
        finally:
            self._settling = False
        self._answer()

    def _new_question(self) -> None:
        """What the curves were of is no longer asked."""
        if not self._settling:
            self.cancel()
            self.curve = {}
            self._answer()

    def _asked(self) -> Asked:
        target: Any = self.target.value
        return Asked(int(self.sample.value), int(target), str(self.filling.value), str(self.method.value))

    def _title(self) -> str:
        truth = self._samples.truth(int(self.sample.value))
        return "cover a part of it" if truth is None else f"{truth}: cover a part of it"

    def _picture(self) -> np.ndarray:
        return self._samples.picture(int(self.sample.value))

    # ---- the mask

    @traitlets.validate("mask")
    def _checked_mask(self, proposal: Any) -> Any:
        array = checked_mask(proposal["value"], self._samples.shape)
        return tensor(array, "height width") if is_named(self._samples.images) else array

    @traitlets.observe("mask")
    def _put_mask(self, change: Any) -> None:
        self.overlay.mask = shrunk(self._covered(), self._samples).astype(np.uint8).tobytes()
        if not self._settling:
            self._answer()

    def _take_painted(self) -> None:
        """What came from the pointer; what this widget has put there itself is known."""
        with self.answering():
            shown = self.overlay.painted()
            if not np.array_equal(shown, shrunk(self._covered(), self._samples)):
                self.mask = magnified(shown, self._samples)

    def _covered(self) -> np.ndarray:
        return np.asarray(getattr(self.mask, "array", self.mask))

    def uncover(self) -> None:
        """Cover nothing."""
        self.mask = None

    # ---- the model's answer

    def _scores(self) -> np.ndarray:
        """Of the whole image."""
        i = int(self.sample.value)
        if self._before is None or self._before[0] != i:
            scores = scores_of(self._fun(self._samples.one(i)))
            require_names(self._samples.class_names, scores)
            self._before = i, scores
        return self._before[1]

    def _answer(self) -> None:
        """Ask the model about what is left, and draw; if it fails one message, and nothing stale."""
        with self.answering():
            try:
                before, (image, after) = self._scores(), self._ask_model()
            except Exception:
                self._blank()
                raise
            self._after = after if self._covered().any() else None
            self._draw(before, image)

    def _ask_model(self) -> tuple[Any, np.ndarray]:
        asked, count = self._asked(), self._scores().size
        if not 0 <= asked.target < count:
            raise ValueError(
                f"target {asked.target} is out of range: there are {count} classes, 0 to {count - 1}."
            )
        one = self._samples.one(asked.sample)
        image = (
            occluded(one, self._covered(), self._explanations.filling(asked))
            if self._covered().any()
            else one
        )
        return image, scores_of(self._fun(image))

    def _draw(self, before: np.ndarray, image: Any) -> None:
        asked = self._asked()
        panels = [
            OverlayPanel(image=as_shown(self._samples, asked.sample, image), title="what the model sees")
        ]
        if (known := self._explanations.known(asked)) is not None:
            panels.append(OverlayPanel(image=self._picture(), map=known.map, title=asked.method, column=1))
        self.seen.put(panels)
        self.bars.series = words.bars(before, self._after, asked.target, self._samples.class_name)
        self._draw_curves()

    def _draw_curves(self) -> None:
        """The curves, and where the mask stands beside them."""
        asked, softmax = self._asked(), self.score.value == "softmax"
        name = self._samples.class_name(asked.target)
        painted = None
        if self._after is not None and self.curve:
            scores = words.softmax(self._after) if self._takes_softmax() else self._after
            painted = 100 * float(self._covered().mean()), float(scores[asked.target])
        with self.lines.hold_sync():
            self.lines.y_label, self.lines.y_zero = f"{'softmax' if softmax else 'score'} of {name}", softmax
            self.lines.series = words.lines(self.curve, painted)
        covered = self._covered()
        self.facts.value = words.facts_of(
            self._samples, asked, self._scores(), self._after, covered, self.curve
        )

    def _blank(self) -> None:
        self._after = None
        self.seen.put([])
        self.bars.series, self.lines.series, self.facts.value = [], [], ""

    # ---- attributions and curves

    def erase(self, percent: float | None = None) -> None:
        """Cover the pixels of the largest attributions, in the background if they are not known yet.

        Args:
          percent: of the pixels; by default what the slider says.
        """
        if percent is not None and percent != self.top.value:
            self.top.value = percent  # which erases
            return
        asked = self._asked()
        if self._explanations.known(asked) is not None:
            self._take_top(asked)
        else:
            self._to_erase = asked
            self.start(lambda job: self._explain_and_erase(asked, job), f"{asked.method} ...")

    def _explain_and_erase(self, asked: Asked, job: Job) -> None:
        if self._explanations.find(asked, job, 1.0) is not None:
            job.show(lambda: self._take_top(asked))

    def _take_top(self, asked: Asked) -> None:
        self._to_erase = None
        known = self._explanations.known(asked)
        if known is not None and asked == self._asked():
            self.mask = magnified(top(known.map, self.top.value / 100), self._samples)

    def draw_curves(self) -> None:
        """Draw the score as pixels go and come, in the background."""
        asked, takes_softmax = self._asked(), self._takes_softmax()
        self.curve = {}
        self.start(lambda job: self._measure(asked, takes_softmax, job), "curves ...")

    def _takes_softmax(self) -> bool:
        """Whether the score is still to be brought to one scale."""
        before = None if self._before is None else self._before[1]
        return self.score.value == "softmax" and before is not None and not words.are_probabilities(before)

    def _measure(self, asked: Asked, takes_softmax: bool, job: Job) -> None:
        explained = self._explanations.find(asked, job, _SHARE)
        if explained is None:
            return
        one, filling = self._samples.one(asked.sample), self._explanations.filling(asked)
        fun = softmaxed(self._fun) if takes_softmax else self._fun
        erasure = Erasure(fun, one, filling, asked.target, explained.attributions, self._seed)
        if self._to_erase == asked:  # by work that this one has ended
            job.show(lambda: self._take_top(asked))
            job.flush()
        for curves, done in erasure.curves():
            job.report(_SHARE + (1 - _SHARE) * done)
            job.show(lambda curves=curves: self._show_curves(asked, curves))
            if job.cancel.is_set():
                return

    def _show_curves(self, asked: Asked, curves: dict[str, Curve]) -> None:
        if asked == self._asked():
            first, self.curve = not self.curve, curves
            self._answer() if first else self._draw_curves()  # at first the attribution is shown too

    # ---- figures and pages

    def figure(self) -> Figure:
        """The image with its cover, what the model says, and the curves, as a matplotlib figure.

        Raises:
          ValueError: there is nothing to draw: the model has not answered.
        """
        if not self.seen.panels:
            raise ValueError("there is nothing to draw: the model has not answered.")
        asked = self._asked()
        image, _ = self._ask_model()
        pictures = self._picture(), as_shown(self._samples, asked.sample, image)
        return brush_figure(pictures, shrunk(self._covered(), self._samples), self.bars.series, self.lines)

    def parts(self) -> list[View | str]:
        """The views beside each other, as far as there is room, and the facts below."""
        begin, end = "<div style='display:flex;flex-wrap:wrap;gap:8px 24px;align-items:start'>", "</div>"
        cells = [
            part
            for view, room in self._beside().items()
            for part in (f"<div style='flex:1 1 {room}px;min-width:0'>", view, end)
        ]
        return [begin, *cells, end, self.facts.value, words.NOTE_OF_PAGE]


def _button(text: str, tooltip: str) -> w.Button:
    return w.Button(description=text, tooltip=tooltip, layout=w.Layout(width="280px"))
