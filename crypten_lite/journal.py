"""What a session does, step by step, told to whoever keeps a record of it.

Real parties rehearse a program before it runs, and see while it runs that it does what was rehearsed. Other
sessions keep no record.
"""

import threading
from collections.abc import Callable, Iterable
from typing import Any

from namedtensor.interpreter.walk import Program


class Journal:
    """Keeps nothing."""

    def made(self, secret: Any) -> None:
        """A secret that the program holds from now on: an input, or what a private function returned."""

    def revealed(self, secret: Any, to: int | None) -> None:
        """Which of these is about to be revealed, and to whom."""

    def public(self, values: Iterable[Any]) -> None:
        """Public numbers that meet a secret: they must be the same everywhere."""

    def step(self, kind: str, *facts: Any) -> None:
        """A message, a mask, or a deal; with all that is public about it."""

    def function(self, name: str, program: Program) -> None:
        """A private function begins: its equations, and its public numbers."""


class Stopped(Exception):
    """A computation was asked to stop, and did."""


class Watched(Journal):
    """Says how far a computation is, and stops it at its next step once somebody asks for that.

    Args:
      cancel: set when it should stop.
      progress: told how many rounds are over, after each.

    Raises (by `step`):
      Stopped: it was asked to.
    """

    def __init__(self, cancel: threading.Event, progress: Callable[[int], Any] | None = None):
        """Before the first step."""
        self._cancel, self._progress, self._rounds = cancel, progress, 0

    def step(self, kind: str, *facts: Any) -> None:
        if self._cancel.is_set():
            raise Stopped("the computation was stopped.")
        if kind == "open":
            self._rounds += 1
            if self._progress:
                self._progress(self._rounds)
