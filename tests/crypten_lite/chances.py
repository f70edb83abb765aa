"""Whether words of 64 bits look random: chi-square tests with fixed keys, so that they never fail by chance."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from scipy import stats

from crypten_lite.prg import Generator
from crypten_lite.session import Spec
from crypten_lite.values import Number
from tests.crypten_lite.views import Entry, Watched

_LEAST = 1e-7  # some thousand tests a session


class Seeded(Watched):
    """A watched session whose parties have the same keys each time, and many runs."""

    def __init__(self, parties: int = 2, bits: int = 64, fraction: int = 16, runs: int = 8192, seed: int = 0):
        super().__init__(parties, bits, fraction)
        self.runs = runs
        self._generators = [Generator(bytes([seed, party] * 8)) for party in range(parties)]

    def number(self, value: int, scale: int = 1) -> Number:
        """The same number in all runs."""
        plain = np.full((1, self.runs), self.ring.of(value))
        (shares,) = self.deal(lambda: [plain], Spec((self.runs,), self.ring.dtype))
        return Number(self, (self.runs,), np.float32, scale, shares=shares)


def check_chances(make: Callable[[], Any], protocol: Callable[[Any], Any]) -> None:
    """All that each party alone sees of a protocol is random: each byte, and each two words together."""
    session = make()
    protocol(session)
    for party in range(session.parties):
        check_bytes(session.seen((party,)))
        check_pairs(session.seen((party,)), session.runs)


def check_bytes(entries: Iterable[Entry]) -> None:
    """Each byte of a word is uniform."""
    for number, entry in enumerate(entries):
        parts = np.ascontiguousarray(entry.words).reshape(-1, 1).view(np.uint8)
        for place, column in enumerate(parts.T):
            _require_uniform(column, f"byte {place} of word {number}, {entry.kind} by party {entry.party},")


def check_pairs(entries: Iterable[Entry], runs: int) -> None:
    """The lowest and the highest four bits of two words are independent, which those of one mask for two are not."""
    rows = [row for e in entries if e.words.shape[-1] == runs for row in e.words.reshape(-1, runs)]
    low = [(row & row.dtype.type(15)).astype(np.uint8) for row in rows]
    high = [(row >> row.dtype.type(8 * row.dtype.itemsize - 4)).astype(np.uint8) for row in rows]
    for kind, nibbles in (("low", low), ("high", high)):
        for i, first in enumerate(nibbles):
            for j, second in enumerate(nibbles[:i]):
                _require_uniform(
                    first * np.uint8(16) + second, f"the {kind} bits of words {j} and {i} together"
                )


def _require_uniform(column: Any, what: str) -> None:
    counts = np.bincount(column, minlength=256)
    chance = stats.chisquare(counts).pvalue
    assert chance > _LEAST, f"{what} is not random: such counts have a chance of {chance:.1e}"


def structure(session: Watched) -> list[tuple[Any, ...]]:
    """What anybody may know of a transcript: who sends what to whom, and how much."""
    return [(e.kind, e.party, e.to, e.words.shape, e.words.dtype) for e in session.entries]
