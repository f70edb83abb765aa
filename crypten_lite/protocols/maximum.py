"""The largest of several numbers, by a tournament.

In a group the differences to its last candidate are open: from openings of the candidates for nothing, or
else eight bytes each. All other differences follow from these, so a group takes one round of comparisons. A
candidate wins if it wins all of its comparisons; the dealer shares, for each value of their public bits,
whether it does, and its mask if it does, so the winner is read from a table. A level takes three rounds,
and one where something is opened.

Groups of four take the fewest rounds, pairs the fewest bytes. Where the winner stood is kept as truths: a
gradient is handed down to it, or another number fetched from there, in a round a level. A ReLU of the
maximum is one more candidate of the last level, zero, and takes no rounds of its own.
"""

import functools
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from crypten_lite.protocols.comparison import at_least
from crypten_lite.protocols.opening import opened
from crypten_lite.protocols.truncation import parts, public_parts
from crypten_lite.session import Spec
from crypten_lite.values import Number, Truth, flat


@dataclass(frozen=True, eq=False)
class Groups:
    """The candidates of one level that meet in groups of one size.

    Attributes:
      start: the first one's place.
      count: groups.
      size: candidates in each.
      wins: for each candidate of a group but the last, the truths that all hold where it wins.
      zero: whether a zero is the last candidate, after ``size`` others.
    """

    start: int
    count: int
    size: int
    wins: Sequence[Sequence[Truth]] = ()
    zero: bool = False

    def candidates(self, rows: Number) -> list[Number]:
        """The first of each group, the second of each, and so on: ``[count, *rest]``."""
        start, end = self.start, self.start + self.count * self.size
        shape = (self.count, *rows.shape[1:])
        return [rows.map(lambda a, i=i: a[:, start + i : end : self.size], shape) for i in range(self.size)]

    def leads(self, rows: Number, instead: Number | None = None) -> tuple[list[Number], Number | None]:
        """What each candidate is ahead of the last one, and that one; None stands for zero.

        Args:
          rows: the candidates.
          instead: what stands in the place of a zero, ``[1, *rest]``.
        """
        if self.zero and instead is None:
            return self.candidates(rows), None
        *others, last = [*self.candidates(rows), instead] if self.zero else self.candidates(rows)
        assert last is not None
        return [n.minus(last) for n in others], last


@dataclass(frozen=True, eq=False)
class Tournament:
    """A maximum, and where it stood.

    Attributes:
      winner: ``[*rest]``; with the usual binary places where a zero took part.
      levels: from the first on.
    """

    winner: Number
    levels: Sequence[Sequence[Groups]]

    @property
    def has_zero(self) -> bool:
        """Whether a zero took part."""
        return any(g.zero for groups in self.levels for g in groups)

    def carried(self, rows: Number, instead: Number | None = None) -> Number:
        """What stands in other rows where the winner stood: ``[k, *rest] -> [*rest]``; a round a level.

        Args:
          rows: the other rows.
          instead: what to carry where zero won, ``[*rest]``; zero by default.
        """
        row = None if instead is None else instead.map(lambda a: a[:, None], (1, *instead.shape))
        for groups in self.levels:
            leads = [g.leads(rows, row) for g in groups]
            opened(*itertools.chain(*(ahead for ahead, _ in leads)))
            rows = _winners(rows, groups, leads)
        return _first(rows)

    def routed(self, number: Number) -> Number:
        """A number at the winner's place, and zeros: ``[*rest] -> [k, *rest]``; a round a level.

        Where a zero took part and won, there are zeros alone.
        """
        rows = number.map(lambda a: a[:, None], (1, *number.shape))
        for groups in reversed(self.levels):
            opened(rows)
            starts = itertools.accumulate((g.count for g in groups), initial=0)
            parts = [_handed_down(rows, g, start) for g, start in zip(groups, starts, strict=False)]
            rows = rows.like(
                shares=np.concatenate(parts, 1), shape=(sum(p.shape[1] for p in parts), *number.shape)
            )
        return rows


def largest(rows: Number, *, group: int) -> Number:
    """The maximum over the first axis: ``[k, *rest] -> [*rest]``, by groups of at most ``group``."""
    return played(rows, group=group).winner


def played(rows: Number, *, group: int, zero: bool = False) -> Tournament:
    """The tournament of the first axis, in the last level with a zero or without."""
    size, found = rows.shape[0], []
    levels = max(1, math.ceil(math.log(size, group) - 1e-9))
    even = next(g for g in range(1, group + 1) if g**levels >= size)  # 9 are three groups of three
    while rows.shape[0] > (even if zero else 1):
        rows, groups = _level(rows, [Groups(*g) for g in _grouped(rows.shape[0], even)])
        found.append(groups)
    if zero:
        places = max(0, rows.scale - rows.session.point.fraction)
        rows, groups = _level(rows, [Groups(0, 1, rows.shape[0], zero=True)], places)
        found.append(groups)
    return Tournament(_first(rows), found)


def _grouped(size: int, group: int) -> list[tuple[int, int, int]]:
    """Groups of one size, and a smaller one of the rest: where they start, how many, of how many."""
    full, rest = divmod(size, group)
    return [g for g in ((0, full, group), (full * group, 1, rest)) if g[1] and g[2]]


def _first(rows: Number) -> Number:
    return rows.map(lambda a: a[:, 0], rows.shape[1:])


def _level(rows: Number, groups: list[Groups], places: int = 0) -> tuple[Number, list[Groups]]:
    """The winners of all groups, in the same rounds."""
    leads = [g.leads(rows) for g in groups]
    opened(*itertools.chain(*(ahead for ahead, _ in leads)))
    duels = [_duels(ahead) for ahead, _ in leads]
    at_least(*((d, 0) for found in duels for d in found.values()))
    groups = [
        replace(g, wins=[_wins(found, i) for i in range(len(ahead))])
        for g, found, (ahead, _) in zip(groups, duels, leads, strict=True)
    ]
    return _winners(rows, groups, leads, places), groups


def _winners(
    rows: Number,
    groups: Sequence[Groups],
    leads: Sequence[tuple[list[Number], Number | None]],
    places: int = 0,
) -> Number:
    """Of each group the last candidate, and what the winner is ahead of it."""
    winners = []
    for group, (ahead, last) in zip(groups, leads, strict=True):
        won = [selected_by_all(t, lead, places=places) for t, lead in zip(group.wins, ahead, strict=True)]
        winners.append(functools.reduce(Number.plus, won if last is None else [last, *won]).shares)
    shape = (sum(g.count for g in groups), *rows.shape[1:])
    return rows.like(shares=np.concatenate(winners, 1), shape=shape, scale=rows.scale - places)


def _handed_down(rows: Number, group: Groups, start: int) -> Any:
    """Shares of what each candidate of the groups gets: ``[held, count * size, *rest]``."""
    shape = (group.count, *rows.shape[1:])
    share = rows.map(lambda a: a[:, start : start + group.count], shape)
    given = [selected_by_all(truths, share) for truths in group.wins]
    if not group.zero:
        given.append(functools.reduce(Number.minus, given, share))
    every = np.stack([n.shares for n in given], 2)
    return every.reshape(len(every), group.count * group.size, *shape[1:])


def _duels(leads: Sequence[Number]) -> dict[tuple[int, int], Number]:
    """The differences of each two candidates, of what each is ahead of the last one."""
    last = len(leads)
    against = {(i, j): leads[i].minus(leads[j]) for i, j in itertools.combinations(range(last), 2)}
    return against | {(i, last): lead for i, lead in enumerate(leads)}


def _wins(duels: dict[tuple[int, int], Number], i: int) -> list[Truth]:
    """The comparisons that candidate ``i`` must win; of equal candidates the first one wins."""
    return [
        at_least((duel, 0))[0] if i == a else at_least((duel, 0))[0].negative()
        for (a, b), duel in duels.items()
        if i in (a, b)
    ]


def selected_by_all(truths: Sequence[Truth], number: Number, *, places: int = 0) -> Number:
    """The number where all truths hold, zero elsewhere, with ``places`` binary places less.

    16 dealer bytes, or 24 with a truncation, for each value of the public bits.
    """
    session, size = number.session, number.size
    (opening,) = opened(number)
    entries, dtype = 1 << len(truths), session.ring.dtype
    options = {"entries": entries, "bits": session.ring.bits, "places": places}
    rho = [flat(t.plain) for t in truths]
    specs = (Spec((entries, size), dtype),) * (3 if places else 2)
    dealt = session.deal(lambda: session.run(_table, flat(opening.plain), *rho, **options), *specs)
    delta = [flat(t.public) for t in truths]
    (shares,) = session.run(_read, flat(opening.public), *dealt, *delta, **options)
    shares = session.wrap(shares).reshape(session.held, *number.shape)
    return number.like(shares=shares, scale=number.scale - places)


def _table(xp: Any, mask: Any, *rho: Any, entries: int, bits: int, places: int) -> Any:
    missing = _index(xp, [r ^ np.uint8(1) for r in rho])  # the public bits with which all truths hold
    rows = xp.arange(entries, dtype=np.uint8)[None, :, None]
    chosen = (rows == missing[:, None]).astype(mask.dtype)
    masks = parts(xp, mask, bits=bits, places=places) if places else (mask,)
    return chosen, *(chosen * m[:, None] for m in masks)


def _read(xp: Any, public: Any, *arrays: Any, entries: int, bits: int, places: int) -> Any:
    tables, delta = arrays[: 3 if places else 2], arrays[3 if places else 2 :]
    at = _index(xp, delta)[:, None].astype(np.int32)
    winner, *masks = (
        xp.take_along_axis(t, xp.broadcast_to(at, (t.shape[0], 1, t.shape[2])), 1)[:, 0] for t in tables
    )
    if not places:
        return (public * winner - masks[0],)
    own, sign = public_parts(xp, public, bits=bits, places=places)
    borrow = public.dtype.type(1 << (bits - 1 - places))
    return (own * winner - masks[0] + sign * borrow * masks[1],)


def _index(xp: Any, bits: Sequence[Any]) -> Any:
    total = bits[0]
    for i, bit in enumerate(bits[1:], 1):
        total = total | (bit << np.uint8(i))
    return total
