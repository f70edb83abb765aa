"""What a private computation costs, counted while it runs or before it does."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import NamedTuple


class Part(NamedTuple):
    """The cost of one part of a program: its rounds, and its bytes as in `Cost`."""

    rounds: int = 0
    bytes_per_party: int = 0
    dealer_bytes: int = 0

    def plus(self, other: "Part") -> "Part":
        """Both parts together."""
        return Part(*(a + b for a, b in zip(self, other, strict=True)))


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
        self._total = Cost()
        self._places: list[str] = []

    @property
    def cost(self) -> Cost:
        """All that was spent so far."""
        return replace(self._total, by_layer=dict(self._total.by_layer))

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
        place = self.place
        total, part = self._total, Part(rounds, sent, dealt)
        layers = total.by_layer
        layers[place] = layers.get(place, Part()).plus(part)
        self._total = replace(
            total,
            rounds=total.rounds + rounds,
            bytes_per_party=total.bytes_per_party + sent,
            dealer_bytes=total.dealer_bytes + dealt,
        )

    def share(self, sent: int) -> None:
        """Count bytes that the owner of an input sends."""
        self._total = replace(self._total, sharing_bytes=self._total.sharing_bytes + sent)
