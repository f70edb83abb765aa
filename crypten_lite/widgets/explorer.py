"""The privacy explorer: what shares look like, what a private prediction costs, and how exact it is."""

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as w
import numpy as np
import traitlets
from matplotlib.figure import Figure

from crypten_lite.cost import Cost
from crypten_lite.fixed_point import FixedPoint
from crypten_lite.journal import Stopped
from crypten_lite.roles.exactness import FRACTIONS
from crypten_lite.widgets import telling
from crypten_lite.widgets.figure import drawn
from crypten_lite.widgets.question import Question
from crypten_lite.widgets.records import Measured, PrivateRun
from crypten_lite.widgets.views import SharesView, TimelineView
from namedtensor import is_named
from namedtensor.widgets import Chart, Job, Panel, Slider, View, line

MOST_PARTIES = 6
_HERE = telling.notice("All parties run in this one process: nothing here is hidden.")
_ON_PAGE = telling.notice("This page holds the shares of all parties: nothing in it is hidden.")


class PrivacyExplorer(Panel):
    """Explore a private prediction: shares, rounds and bytes by layer, errors by binary places.

    It runs `simulate`, so it hides nothing: it shows what nobody would see between real parties.

    Args:
      fun: any JAX function ``images -> result``, whose own numbers are public; with ``weights=``,
        ``(weights, images) -> result``. Of scores ``[batch class]`` the classes are compared too.
      images: a named tensor with the dims ``batch height width`` (and maybe ``channel``), or an array
        ``[batch, height, width]`` or ``[batch, height, width, channel]``. The first party brings one of them.
      weights: a tree of numbers that the second party brings, and that are secret too.
      parties: 2 to 6.
      fraction: binary places.
      labels: the true class of each image, shown beside the prediction.
      class_names: names of the classes; their numbers by default.

    Traits:
      result: the `PrivateRun` on display; None after an error.
      cost: its `Cost`, which `estimate` says before.
      exactness: a `Measured` for each number of binary places, after `compare`.

    What is wrong with the arguments, or in the model, is shown as a message in the widget.

    Example:
      >>> import numpy as np
      >>> from crypten_lite.widgets import PrivacyExplorer
      >>> explorer = PrivacyExplorer(lambda images: images.reshape(len(images), -1), np.ones((3, 2, 2)))
      >>> explorer.wait()
      >>> explorer.cost.rounds, explorer.result.shares.shape
      (1, (2, 2, 2))
    """

    title = "A private prediction"
    result = traitlets.Instance(PrivateRun, allow_none=True)
    cost = traitlets.Instance(Cost, allow_none=True)
    exactness = traitlets.Tuple()

    def __init__(
        self,
        fun: Callable[..., Any],
        images: Any,
        *,
        weights: Any = None,
        parties: int = 2,
        fraction: int = 16,
        labels: Any = None,
        class_names: Sequence[str] | None = None,
    ):
        """Build the controls, and run the first image."""
        self._make_controls()
        self._make_views()
        super().__init__(self._controls, self._shown)
        self._asked: tuple[Question, telling.Words] | None = None
        with self.answering():
            question = Question(fun, images, weights)
            known = None if labels is None else np.asarray(labels.array if is_named(labels) else labels)
            words = telling.Words(len(question), weights is not None, known, class_names)
            self._put(words, parties, fraction)
            self._asked = question, words
        for control in self._controls:
            control.disabled = self._asked is None
        if self._asked is not None:
            self._listen()
            self.run()

    # ---- controls and views

    def _make_controls(self) -> None:
        self.sample = Slider(label="sample", step=1)
        self.parties = Slider(label="parties", min=2, max=MOST_PARTIES, step=1, value=2)
        self.fraction = Slider(label="binary places", max=30, step=1, value=16)
        self.again = w.Button(
            description="Share again", tooltip="run this image once more, with fresh shares"
        )
        self.samples = Slider(label="images to compare", min=1, step=1)
        self.measure = w.Button(
            description="Compare binary places", tooltip="run images with fewer and with more binary places"
        )
        for button in (self.again, self.measure):
            button.layout = w.Layout(width="auto")
        self._controls = [self.sample, self.parties, self.fraction, self.again, self.samples, self.measure]

    def _make_views(self) -> None:
        self.facts, self.compared = w.HTML(), w.HTML(telling.compared(()))
        self.shares, self.timeline = SharesView(together=MOST_PARTIES), TimelineView()
        places = "binary places"
        self.errors = Chart(label="error by binary places", x_label=places, y_label="error", y_log=True)
        self.agreement = Chart(
            label="images with the class that the plain model sees",
            x_label=places,
            y_label="same class, %",
            y_zero=True,
            height=150,
        )
        self._shown = [
            w.HTML(_HERE),
            self.facts,
            w.HTML(telling.part("Shares of the image", telling.SHARES)),
            self.shares,
            w.HTML(telling.part("Rounds and bytes by layer")),
            self.timeline,
            w.HTML(telling.part("Errors by binary places", telling.ERRORS)),
            self.compared,
            self.errors,
            self.agreement,
        ]

    def _put(self, words: telling.Words, parties: int, fraction: int) -> None:
        """What was asked for into the controls, if it can be.

        Raises:
          ValueError: it cannot.
        """
        FixedPoint(fraction)
        if parties not in range(2, MOST_PARTIES + 1):
            raise ValueError(f"parties={parties!r}: the explorer shows 2 to {MOST_PARTIES} of them.")
        if words.labels is not None and words.labels.shape != (words.images,):
            raise ValueError(
                f"labels have the shape {words.labels.shape} for {words.images} images: give one for each."
            )
        self.sample.max, self.samples.max = words.images - 1, words.images
        self.samples.value = min(16, words.images)
        self.parties.value, self.fraction.value = parties, fraction

    def _listen(self) -> None:
        for control in (self.sample, self.parties, self.fraction):
            control.observe(lambda _: self.run(), "value")
        self.again.on_click(lambda _: self.run())
        self.measure.on_click(lambda _: self.compare())

    def _question(self) -> tuple[Question, telling.Words]:
        if self._asked is None:
            raise ValueError("there is nothing to run: the explorer's message says which argument is wrong.")
        return self._asked

    # ---- one run

    def run(self) -> None:
        """Share the image, with fresh shares, and run the model on them; `wait` waits for that.

        Raises:
          ValueError: the explorer was made with wrong arguments.
        """
        question, _ = self._question()
        asked = int(self.sample.value), int(self.parties.value), int(self.fraction.value)

        def work(job: Job) -> None:
            try:
                found = question.run(*asked, cancel=job.cancel, progress=job.report)
            except Stopped:
                return  # what was on display stays
            except Exception:
                job.show(self._forget)
                job.flush()
                raise
            job.show(lambda: self._show(found))

        self.start(work, "running on shares")

    def _show(self, run: PrivateRun) -> None:
        _, words = self._question()
        self.result, self.cost = run, run.cost
        self.facts.value = words.facts(run)
        self.timeline.put(run.stretches, run.cost)
        self.shares.put(run.image, run.shares, words.names(run.parties), run.places)

    def _forget(self) -> None:
        """No stale answer beside a message."""
        self.result = self.cost = None
        self.facts.value = ""
        self.timeline.clear()
        self.shares.clear()

    # ---- many runs

    def compare(self) -> None:
        """Run images with fewer and more binary places; cancelled, it keeps what it has.

        Raises:
          ValueError: the explorer was made with wrong arguments.
        """
        question, _ = self._question()
        samples, parties = int(self.samples.value), int(self.parties.value)

        def work(job: Job) -> None:
            for done, found in question.measure(samples, parties, FRACTIONS, cancel=job.cancel):
                job.report(done)
                job.show(lambda found=tuple(found): self._show_measured(found))

        self.start(work, "comparing")

    def _show_measured(self, found: tuple[Measured, ...]) -> None:
        self.exactness = found
        places = [m.fraction for m in found]
        self.errors.series = [
            line("largest", places, [m.error for m in found]),
            line("mean", places, [m.mean for m in found]),
        ]
        rated = [m for m in found if m.agreement is not None]
        rates = [100 * m.agreement for m in rated if m.agreement is not None]
        self.agreement.series = [line("", [m.fraction for m in rated], rates)] if rates else []
        self.compared.value = telling.compared(found)

    # ---- elsewhere

    def figure(self) -> Figure:
        """The shares, the layers and the errors on display as a matplotlib figure.

        Raises:
          ValueError: nothing has run.
        """
        run: Any = self.result
        if run is None:
            raise ValueError("there is nothing to draw: no run has ended. explorer.wait() waits for one.")
        measured: Any = self.exactness
        return drawn(run, measured, self._question()[1].names(run.parties))

    def parts(self) -> list[View | str]:
        parts: list[View | str] = [_ON_PAGE if part == _HERE else part for part in super().parts()]
        # on a page nothing can be compared any more
        return parts if self.exactness else parts[:-4]
