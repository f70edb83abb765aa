"""What every explorer is: controls that ask, views that show, one message, one piece of work at a time."""

import base64
import html
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ipywidgets as w
from matplotlib.figure import Figure

from namedtensor.widgets.controls import Work
from namedtensor.widgets.job import Job
from namedtensor.widgets.page import standalone
from namedtensor.widgets.view import View

_DPI = 110


class Panel(w.VBox):
    """Controls beside views; a subclass makes both, and gives `figure`.

    Args:
      controls: on the left; may be empty.
      views: on the right, one below the other: views, and `ipywidgets.HTML` for text.

    Attributes:
      title: of the page that `to_html` writes.
    """

    title = "explorer"

    def __init__(self, controls: Sequence[w.Widget], views: Sequence[w.Widget]):
        """Put them side by side."""
        self._job: Job | None = None
        self._views = list(views)
        self.message, self.work = w.HTML(), Work()
        self.work.on_msg(lambda _widget, content, _buffers: content.get("cancel") and self.cancel())
        right = w.VBox([*views], layout=w.Layout(flex="1 1 0%", min_width="0", overflow="hidden"))
        left = w.VBox([*controls, self.work], layout=w.Layout(flex="0 0 300px"))
        # without controls nothing is asked, and nothing is worked at
        children = [w.HBox([left, right], layout=w.Layout(width="100%"))] if controls else [right, self.work]
        super().__init__([self.message, *children], layout=w.Layout(width="100%"))
        self.add_class("nt-panel")

    # ---- answers and errors

    def figure(self) -> Figure:
        """What is on display as a matplotlib figure, for a paper."""
        raise NotImplementedError(type(self).__name__)

    def fail(self, error: Exception) -> None:
        """One message, in place of an answer."""
        text = html.escape(str(error)) or type(error).__name__
        self.message.value = f"<div role='alert' class='nt-alert'>{text}</div>"

    def clear(self) -> None:
        """No message."""
        self.message.value = ""

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Errors inside become the message; without one the message goes away."""
        try:
            yield
        except Exception as error:  # whatever the user's model raises is shown, and the notebook goes on
            self.fail(error)
        else:
            self.clear()

    # ---- long work

    def start(self, work: Callable[[Job], Any], text: str = "") -> None:
        """Do long work in a thread of its own; what ran before is cancelled, and shows nothing any more.

        Args:
          work: is given the `Job`: ``job.cancel`` says when to stop, ``job.report(fraction)`` how far it is,
            ``job.show(draw)`` draws at most ten times a second. An error is shown as the message.
          text: beside the progress bar.
        """
        if self._job is not None:
            self._job.stop(superseded=True)
        self.clear()
        self.work.fraction, self.work.text, self.work.running = 0.0, text, True
        self._job = Job(work, progress=self._progress, ended=self._ended, after=self._job)
        self._job.start()

    def cancel(self) -> None:
        """Ask the work to stop; what it has shown stays."""
        if self._job is not None and self._job.running:
            self.work.text = "stopping ..."  # after this step: what compiles cannot be left
            self._job.stop()

    def wait(self, timeout: float = 60.0) -> None:
        """Wait until the work has ended, in scripts and in cells that read its result.

        Raises:
          TimeoutError: it runs longer than ``timeout`` seconds.
        """
        if self._job is None:
            return
        self._job.thread.join(timeout)
        if self._job.running:
            raise TimeoutError(f"the work of {type(self).__name__} has not ended after {timeout:g} seconds.")

    def _progress(self, fraction: float) -> None:
        self.work.fraction = float(fraction)

    def _ended(self, job: Job, error: Exception | None) -> None:
        if job is self._job:
            self.work.running = False
            if error is not None:
                self.fail(error)

    # ---- pages

    def parts(self) -> list[View | str]:
        """What a page shows: the views, and texts between them."""
        return [
            v if isinstance(v, View) else v.value
            for v in _leaves(self._views)
            if isinstance(v, (View, w.HTML))
        ]

    def to_html(self, path: str | Path, title: str | None = None) -> Path:
        """Write a page that stands alone: interactive, without a kernel and without a network.

        Args:
          path: of the file.
          title: of the page.

        Returns:
          The path.
        """
        path = Path(path)
        path.write_text(standalone(self.parts(), title or self.title), encoding="utf-8")
        return path

    def _repr_mimebundle_(self, **how: Any) -> Any:
        """As a widget, and as a picture where widgets do not run."""
        shown: Any = super()._repr_mimebundle_(**how)
        try:
            return {**shown, "image/png": _png(self.figure())}
        except (ValueError, NotImplementedError):  # nothing to draw, yet or ever
            return shown


def _leaves(widgets: Sequence[w.Widget]) -> Iterator[w.Widget]:
    for widget in widgets:
        if isinstance(widget, w.Box):
            yield from _leaves(widget.children)
        else:
            yield widget


def _png(figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI)
    return base64.b64encode(buffer.getvalue()).decode()
