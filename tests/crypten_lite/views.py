"""What parties see: simulations that write it down, with all of their randomness enumerated.

Protocols act on each element by itself, so one call on an array makes as many independent runs as it has elements.
Run number ``i`` takes its random words from the binary digits of ``i``: with as many elements as there are values of all
words together, every value of the randomness comes exactly once, and the views are their exact distribution.
"""

import itertools
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple
from unittest import mock

import numpy as np

from crypten_lite.fixed_point import FixedPoint
from crypten_lite.protocols import comparison
from crypten_lite.ring import Ring
from crypten_lite.roles.simulation import Simulation
from crypten_lite.session import Spec
from crypten_lite.values import Number, Truth

Coalition = tuple[int, ...]
Protocol = Callable[[Any, Any], Any]  # of a session and of the secret


class Entry(NamedTuple):
    """Words that a party has drawn or was dealt, entered as its input's opening, or sent: to one, or to all others."""

    kind: str
    party: int
    words: Any
    bits: int
    to: int | None = None

    def is_seen(self, coalition: Coalition) -> bool:
        if self.kind in ("entered", "sent"):
            return self.party not in coalition and (self.to is None or self.to in coalition)
        return self.party in coalition


class Watched(Simulation):
    """A simulation that writes down what each party draws, is dealt and sends, and what is opened."""

    def __init__(self, parties: int = 2, bits: int = 64, fraction: int = 0):
        super().__init__(parties, FixedPoint(fraction, Ring(bits)))
        self.entries: list[Entry] = []
        self.opened: list[Any] = []

    def note(self, kind: str, party: int, words: Any, xor: bool, to: int | None = None) -> None:
        bits = 8 * words.dtype.itemsize if xor or words.dtype != self.ring.dtype else self.ring.bits
        self.entries.append(Entry(kind, party, words, bits, to))

    def _enter(self, elements: Any, owner: int) -> Any:
        public, shares, plain = super()._enter(elements, owner)
        self.note("entered", owner, public[0], xor=False)
        return public, shares, plain

    def _draw(self, party: int, shape: Any, dtype: Any, xor: bool) -> Any:
        drawn = super()._draw(party, shape, dtype, xor)
        self.note("drawn", party, drawn, xor)
        return drawn

    def deal(self, compute: Any, *specs: Spec, xor: bool = False) -> Any:
        dealt = super().deal(compute, *specs, xor=xor)
        for shares in dealt:
            self.note("dealt", self.parties - 1, shares[-1], xor)
        return dealt

    def open(self, arrays: Any, *, xor: bool = False, **options: Any) -> Any:
        for array in arrays:
            for party, words in enumerate(array):
                self.note("sent", party, words, xor, options.get("to"))
        opened = super().open(arrays, xor=xor, **options)
        self.opened += opened
        return opened

    def seen(self, coalition: Coalition) -> list[Entry]:
        """All that the members know besides their inputs: what they draw, are dealt and are sent by the others."""
        return [e for e in self.entries if e.is_seen(coalition)]


class Enumerated(Watched):
    """A session of ``2 ** digits`` runs, which together take every value of all random words.

    Attributes:
      runs: how many; the last axis of all arrays has one element a run, or one byte for eight of them.
      used: digits taken so far.
    """

    def __init__(self, parties: int = 2, bits: int = 3, digits: int = 3):
        super().__init__(parties, bits)
        self.runs, self.used = 1 << digits, 0

    def _draw(self, party: int, shape: Any, dtype: Any, xor: bool) -> Any:
        drawn = self._enumerated(shape, np.dtype(dtype), xor)
        self.note("drawn", party, drawn, xor)
        return drawn

    def _enumerated(self, shape: Any, dtype: Any, xor: bool) -> Any:
        rows, packed = self._layout(shape)
        bits = 1 if packed else 8 * dtype.itemsize if xor else self.ring.bits
        words = np.stack([self._taken(bits) for _ in range(rows)])
        return (np.packbits(words.astype(bool), axis=-1) if packed else words.astype(dtype)).reshape(shape)

    def _layout(self, shape: Any) -> tuple[int, bool]:
        """Random words of each run, and whether they are bits of which eight runs share a byte."""
        packed = shape[-1] % self.runs != 0
        rows, rest = divmod(int(np.prod(shape)) * (8 if packed else 1), self.runs)
        if rest:
            raise RuntimeError(f"random words {shape} for {self.runs} runs")
        return rows, packed

    def _taken(self, bits: int) -> Any:
        place, self.used = self.used, self.used + bits
        return (np.arange(self.runs, dtype=np.uint64) >> np.uint64(min(place, 63))) & np.uint64(2**bits - 1)

    @property
    def coalitions(self) -> list[Coalition]:
        """The sets of parties that may put together what they see: all but none and all."""
        return [c for n in range(1, self.parties) for c in itertools.combinations(range(self.parties), n)]

    def view(self, coalition: Coalition) -> tuple[Any, int]:
        """The view of a coalition in each run as one integer, and its bits."""
        code, width = np.zeros(self.runs, np.uint64), 0
        for entry in self.seen(coalition):
            for row, bits in self._rows(entry):
                code, width = (code << np.uint64(bits)) | row.astype(np.uint64), width + bits
        if width > 64:
            raise RuntimeError(f"a view of {width} bits")
        return code, width

    def _rows(self, entry: Entry) -> Iterable[tuple[Any, int]]:
        words, bits = entry.words, entry.bits
        if self._layout(words.shape)[1]:
            words, bits = np.unpackbits(words, axis=-1), 1
        return [(row, bits) for row in words.reshape(-1, self.runs)]


class Against(Enumerated):
    """Runs against one honest party, given all that the others draw and are dealt.

    What the others draw is the same in all runs, and so is what they are dealt: shares that a dealer deals are as
    likely one way as the other (`deal` is enumerated by itself), so the honest party may take what is left. The
    words of the honest party are enumerated.
    """

    def __init__(self, parties: int = 2, bits: int = 3, digits: int = 3, *, honest: int = 1, seed: int = 0):
        super().__init__(parties, bits, digits)
        self.honest, self._chance = honest, np.random.default_rng(seed)

    def _draw(self, party: int, shape: Any, dtype: Any, xor: bool) -> Any:
        if party == self.honest:
            return super()._draw(party, shape, dtype, xor)
        return self._fixed(shape, np.dtype(dtype), xor)

    def _fixed(self, shape: Any, dtype: Any, xor: bool) -> Any:
        rows, packed = self._layout(shape)
        top = 2 if packed else 2 ** (8 * dtype.itemsize if xor else self.ring.bits)
        words = self._chance.integers(0, top, (rows, 1), np.uint64) * np.uint64(255 if packed else 1)
        return np.broadcast_to(words.astype(dtype), (rows, int(np.prod(shape)) // rows)).reshape(shape)

    def _split(self, plain: Any, spec: Spec, xor: bool) -> Any:
        shares = np.stack([self._fixed(spec.shape, np.dtype(spec.dtype), xor) for _ in range(self.parties)])
        others = np.delete(shares, self.honest, 0)
        known = self._together(others, xor)[0]
        shares[self.honest] = plain ^ known if xor else self.wrap(plain - known)
        return shares

    @property
    def coalitions(self) -> list[Coalition]:
        return [tuple(p for p in range(self.parties) if p != self.honest)]

    def seen(self, coalition: Coalition) -> list[Entry]:
        return [e for e in super().seen(coalition) if e.kind in ("entered", "sent")]


def run(make: Callable[..., Any], protocol: Protocol, secret: Any) -> tuple[Any, Any]:
    """The session after a protocol, with as many runs as its randomness has values, and the protocol's result."""
    with mock.patch.object(comparison, "PIECE", 1 << 40):  # the words of all runs are drawn at once
        trial = make(digits=3)
        protocol(trial, secret)
        session = make(digits=max(3, trial.used))
        result = protocol(session, secret)
    if session.used != trial.used:
        raise RuntimeError(f"{session.used} digits of random words, but {trial.used} were enumerated")
    return session, result


def check_uniform(make: Callable[..., Any], protocol: Protocol, secrets: Iterable[Any]) -> None:
    """A simulator that draws uniform words makes the views: each comes equally often, whatever the secret."""
    for secret in secrets:
        session, _ = run(make, protocol, secret)
        for coalition in session.coalitions:
            code, width = session.view(coalition)
            counts = np.bincount(code.astype(np.int64), minlength=1 << width)
            assert (counts == counts[0]).all(), (
                f"parties {coalition} can tell something of the secret {secret}"
            )


def check_same(
    make: Callable[..., Any],
    protocol: Protocol,
    secrets: Iterable[Any],
    allowed: Callable[[Any, Coalition], Any] = lambda secret, coalition: None,
) -> None:
    """Secrets of which a coalition may know the same make the same views, equally often.

    Args:
      make: a session.
      protocol: returns what each run may tell to all, ``[runs]``: what is revealed, and public coins.
      secrets: to compare.
      allowed: what a coalition may know of a secret besides: its own inputs.
    """
    found: dict[Any, Any] = {}
    for secret in secrets:
        session, told = run(make, protocol, secret)
        told = np.asarray(told).astype(np.int64)
        for coalition in session.coalitions:
            code, _ = session.view(coalition)
            for value in np.unique(told):
                views, counts = np.unique(code[told == value], return_counts=True)
                key = (coalition, allowed(secret, coalition), int(value))
                other, *expected = found.setdefault(key, (secret, views, counts))
                same = (
                    len(views) == len(expected[0])
                    and (views == expected[0]).all()
                    and (counts == expected[1]).all()
                )
                assert same, f"parties {coalition} can tell the secret {secret} from {other}"


def shared(session: Any, value: int, scale: int = 0) -> Number:
    """A number in each run, as a protocol leaves it: each share alone is uniform."""
    plain = np.full((1, session.runs), session.ring.of(value))
    (shares,) = session.deal(lambda: [plain], Spec((session.runs,), session.ring.dtype))
    return Number(session, (session.runs,), np.float32, scale, shares=shares)


def truth(session: Any, value: bool) -> Truth:
    """A truth in each run, under a mask that nobody knows."""
    packed = (session.runs // 8,)
    (shares,) = session.deal(
        lambda: [np.full((1, *packed), 255 * value, np.uint8)], Spec(packed, np.uint8), xor=True
    )
    mask = session.mask(packed, np.uint8, xor=True)
    (public,) = session.open([shares ^ mask.shares], xor=True)
    return Truth(session, (session.runs,), np.unpackbits(public, axis=-1), np.unpackbits(mask.plain, axis=-1))
