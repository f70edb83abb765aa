"""Long work of a widget: in a thread of its own, one piece at a time, told when to stop.

A callback that computes for a second holds up the kernel, and a Cancel button that waits for the kernel
comes too late. So the work is a function that is given a `Job`, and asks it whether it should go on.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

_PERIOD = 0.1  # seconds between two pictures: the browser draws no more than it can show


class Job:
    """One piece of work.

    Attributes:
      cancel: set when the work should stop; what takes a ``cancel=`` is given it as it is.
    """

    def __init__(
        self,
        work: Callable[["Job"], Any],
        *,
        progress: Callable[[float], Any],
        ended: Callable[["Job", Exception | None], Any],
        after: "Job | None" = None,
    ):
        """Work that begins when the job before it has ended."""
        self.cancel = threading.Event()
        self._work, self._progress, self._ended, self._before = work, progress, ended, after
        self._pending: dict[str, Callable[[], Any]] = {}
        self._shown = -_PERIOD
        self._superseded = False
        self.thread = threading.Thread(target=self._run, name="work of a widget")

    def start(self) -> None:
        """Begin."""
        self.thread.start()

    def stop(self, *, superseded: bool = False) -> None:
        """Ask the work to stop; a superseded job shows nothing any more."""
        self._superseded |= superseded
        self.cancel.set()

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.thread.is_alive()

    def report(self, fraction: float) -> None:
        """How much is done, from 0 to 1."""
        self._pending["progress"] = lambda: self._progress(fraction)
        self._flush_if_due()

    def show(self, draw: Callable[[], Any]) -> None:
        """Draw, at most ten times a second; of those that come faster the last one is drawn in the end."""
        self._pending["picture"] = draw
        self._flush_if_due()

    def _flush_if_due(self) -> None:
        if time.monotonic() - self._shown >= _PERIOD:
            self.flush()

    def flush(self) -> None:
        """Draw what waits to be drawn."""
        drawings, self._pending = self._pending, {}
        for draw in () if self._superseded else drawings.values():
            draw()
            self._shown = time.monotonic()

    def _run(self) -> None:
        if self._before is not None:
            self._before.thread.join()
            self._before = None  # else each job would keep all those before it
        error = None
        try:
            try:
                if not self._superseded:
                    self._work(self)
            finally:
                self.flush()  # also what was shown just before an error
        except Exception as raised:  # whatever the user's model raises is shown, and the notebook goes on
            error = raised
        if not self._superseded:
            self._ended(self, error)
