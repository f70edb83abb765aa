"""What a private computation costs, counted while it runs or before it does."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple


class Part(NamedTuple):
    """The cost of one part of a program: its rounds, and its bytes as in `Cost`."""

    rounds: int = 0
    bytes_per_party: int = 0
    dealer_bytes: int = 0


@dataclass(frozen=True)
class Cost:
    """Rounds and bytes of a private computation.

    Attributes:
      rounds: how often all parties wait for each other.
      bytes_per_party: what one party sends to the others while the program runs.
      dealer_bytes: what the dealer sends ahead of time (to one party; the others draw from generators).
      sharing_bytes: what the owners of inputs and weights send, once for each sharing.
      by_layer: the parts by named scope, or by the user's source line where there is no scope.
    """

    rounds: int = 0
    bytes_per_party: int = 0
    dealer_bytes: int = 0
    sharing_bytes: int = 0
    by_layer: dict[str, Part] = field(default_factory=dict)

    def __sub__(self, before: "Cost") -> "Cost":
        """What came since ``before``."""
        old = before.by_layer
        layers = {
            k: Part(*(a - b for a, b in zip(p, old.get(k, Part()), strict=True)))
            for k, p in self.by_layer.items()
        }
        return Cost(
            self.rounds - before.rounds,
            self.bytes_per_party - before.bytes_per_party,
            self.dealer_bytes - before.dealer_bytes,
            self.sharing_bytes - before.sharing_bytes,
            {k: p for k, p in layers.items() if any(p)},
        )

    def __str__(self) -> str:
        rows = [("rounds", "bytes a party", "dealer bytes", "")]
        rows += [
            (f"{p.rounds:,}", f"{p.bytes_per_party:,}", f"{p.dealer_bytes:,}", k)
            for k, p in self.by_layer.items()
        ]
        rows += [(f"{self.rounds:,}", f"{self.bytes_per_party:,}", f"{self.dealer_bytes:,}", "in all")]
        widths = [max(len(row[i]) for row in rows) for i in range(3)]
        lines = [
            "  ".join([*(c.rjust(w) for c, w in zip(row, widths, strict=False)), row[3]]).rstrip()
            for row in rows
        ]
        return "\n".join([*lines, f"sharing inputs and weights: {self.sharing_bytes:,} bytes"])


class Meter:
    """Adds up costs under the place in the program that is being run."""

    def __init__(self) -> None:
        """Nothing spent yet."""
        self._layers: dict[str, list[int]] = {}  # numbers that change: this runs at each step of a program
        self._shared = 0
        self._places: list[str] = []

    @property
    def cost(self) -> Cost:
        """All that was spent so far."""
        layers = {place: Part(*part) for place, part in self._layers.items()}
        rounds, sent, dealt = (sum(counts) for counts in zip(Part(), *layers.values(), strict=True))
        return Cost(rounds, sent, dealt, self._shared, layers)

    @property
    def place(self) -> str:
        """Where costs belong now."""
        return self._places[-1] if self._places else "outside of private functions"

    @contextmanager
    def at(self, place: str) -> Iterator[None]:
        """Costs inside belong to ``place``; the innermost place counts."""
        self._places.append(place)
        try:
            yield
        finally:
            self._places.pop()

    def spend(self, *, rounds: int = 0, sent: int = 0, dealt: int = 0) -> None:
        """Count rounds, bytes sent by one party, and bytes dealt."""
        part = self._layers.setdefault(self.place, [0, 0, 0])
        part[0] += rounds
        part[1] += sent
        part[2] += dealt

    def share(self, sent: int) -> None:
        """Count bytes that the owner of an input sends."""
        self._shared += sent
