"""What a session does, step by step, told to whoever keeps a record of it.

Real parties rehearse a program before it runs, and see while it runs that it does what was rehearsed. Other
sessions keep no record.
"""

from collections.abc import Iterable
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
