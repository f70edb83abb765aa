"""Comparison of an opened number with public thresholds, by one-time truth tables.

``z = D - r`` is negative where the top bit of ``D``, that of ``r`` and the borrow of the lower bits make
one. The borrow is ``d < t`` of a public and a dealt number: for each of 16 nibbles the dealer shares the
table of (less, equal) for all 16 values of the public nibble, so that each party reads its share of the
answer without a word. Nibbles join by fours, most significant first: ``less = l3 or e3 l2 or e3 e2 l1 or e3
e2 e1 l0``, ``equal = e3 e2 e1 e0``. The parties open the masked bits (4 bytes, then 1) and the dealer
shares the products of the masks. The last bit is opened under a mask ``rho`` (1/8 byte) and is a `Truth`.

A threshold costs 3 rounds after the opening, 5.1 bytes and 78 dealer bytes; any number of them go together.

Source: one-time truth tables: Ishai, Kushilevitz, Meldgaard, Orlandi, Paskin-Cherniavsky 2013,
doi:10.1007/978-3-642-36594-2_34; products of many bits in one round: Ohata, Nuida 2020, arXiv:1907.03415.
"""

import functools
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from crypten_lite.kernels import PIECE
from crypten_lite.protocols.opening import opened
from crypten_lite.session import Session, Spec
from crypten_lite.values import Number, Truth, flat

_SMALL = 17  # up to so many bits four nibbles hold all but the top one


def at_least(*questions: tuple[Number, int]) -> list[Truth]:
    """For each ``(number, threshold)`` whether ``number >= threshold``, in units of its last place."""
    sources = [(n.source, t) for n, t in questions]
    missing = {(id(n), t): (n, t) for n, t in sources if ("at least", t) not in n.known}
    if missing:
        asked = list(missing.values())
        for (number, threshold), truth in zip(asked, _at_least(asked), strict=True):
            number.known["at least", threshold] = truth
    return [n.from_source(n.source.known["at least", t]) for n, t in questions]


def _at_least(questions: Sequence[tuple[Number, int]]) -> list[Truth]:
    session = questions[0][0].session
    openings = opened(*(n for n, _ in questions))
    publics = [
        session.wrap(flat(o.public) - session.ring.of(t))
        for o, (_, t) in zip(openings, questions, strict=True)
    ]
    below = _negative(
        session, np.concatenate(publics, 1), np.concatenate([flat(o.plain) for o in openings], 1)
    )
    truths, start = [], 0
    for number, _ in questions:
        piece = slice(start, start + number.size)
        parts = (p[:, piece].reshape(len(p), *number.shape) for p in below)
        truths.append(Truth(session, number.shape, *parts).negative())
        start += number.size
    return truths


def _negative(session: Session, public: Any, plain: Any) -> tuple[Any, Any]:
    """Whether ``public - plain`` is negative: a bit in its public and its dealt part, ``[role, size]``."""
    top = session.ring.dtype.type(session.ring.bits - 1)
    groups = 1 if session.ring.bits <= _SMALL else 4
    words = _digits(session, public, plain, groups, top)
    while groups:
        words, groups = _joined(session, words, groups), groups // 4
    return _closed(session, words, public >> top, plain >> top)


def _digits(session: Session, public: Any, plain: Any, groups: int, top: Any) -> Any:
    """Shares of less and equal for each nibble; tables are dealt and read while they are in the cache."""
    size, found = public.shape[-1], []
    for start in range(0, max(size, 1), PIECE):
        piece = slice(start, start + PIECE)
        spec = Spec((4 * groups, min(PIECE, size - start)), np.uint32)

        def compute(piece: slice = piece) -> Any:
            return session.run(_tables, plain[:, piece], groups=groups, top=top)

        (tables,) = session.deal(compute, spec, xor=True)
        found += session.run(_look_up, public[:, piece], tables, groups=groups, top=top)
    return np.concatenate(found, -1)


def _closed(session: Session, less: Any, public_top: Any, plain_top: Any) -> tuple[Any, Any]:
    """The last bit, opened under a mask that only the dealer knows, with the top bits."""
    size = less.shape[-1]
    mask = session.mask((-(-size // 8),), np.uint8, xor=True)
    (bits,) = session.open([np.packbits(less, axis=-1) ^ mask.shares], xor=True)
    delta, rho = (np.unpackbits(b, axis=-1, count=size) for b in (bits, mask.plain))
    return delta ^ public_top.astype(np.uint8), rho ^ plain_top.astype(np.uint8)


# A word holds eight fields, of a bit for each group: less of the four nibbles of a group, from the least
# significant on, then equal. So a group of 64 bits has four groups in 32 bits, and the four results one
# group in 8 bits.


def _tables(xp: Any, mask: Any, *, groups: int, top: Any) -> Any:
    """For each nibble of the mask, over the 16 public ones: bits of less (low half), of equal (high half)."""
    nibbles = _nibbles(xp, mask, groups, top)
    equal = np.uint32(1) << nibbles
    return ((equal - np.uint32(1)) | (equal << np.uint32(16)),)


def _nibbles(xp: Any, words: Any, groups: int, top: Any) -> Any:
    """``[role, size] -> [role, nibble, size]``, of all bits but the top one."""
    low = words & ((top.dtype.type(1) << top) - top.dtype.type(1))
    shifts = [4 * i for i in range(4 * groups)]
    columns = [(low >> top.dtype.type(s)) & top.dtype.type(15) if s <= top else low ^ low for s in shifts]
    return xp.stack([c.astype(np.uint32) for c in columns], -2)


def _look_up(xp: Any, public: Any, tables: Any, *, groups: int, top: Any) -> Any:
    word = np.uint32 if groups == 4 else np.uint8
    nibbles = _nibbles(xp, public, groups, top)
    found = tables >> nibbles
    total = None
    for nibble in range(4 * groups):
        place = (nibble % 4) * groups + nibble // 4
        one = found[:, nibble]
        less = (one & np.uint32(1)).astype(word) << word(place)
        equal = ((one >> np.uint32(16)) & np.uint32(1)).astype(word) << word(4 * groups + place)
        total = less | equal if total is None else total | less | equal
    return (total,)


def _joined(session: Session, words: Any, groups: int) -> Any:
    """One round: each group of four nibbles becomes one; the last group gives ``less`` alone."""
    size = words.shape[-1]
    mask = session.mask((size,), words.dtype, xor=True)
    specs = [Spec((size,), dtype) for dtype in _containers(groups)]
    dealt = session.deal(lambda: session.run(_monomials, mask.plain, groups=groups), *specs, xor=True)
    (opened_words,) = session.open([words ^ mask.shares], xor=True)
    return session.run(
        _group, opened_words, mask.shares, session.leads.astype(np.uint8)[:, None], *dealt, groups=groups
    )[0]


_LESS, _EQUAL = (0, 1, 2, 3), (4, 5, 6, 7)  # fields


@functools.cache
def _terms(groups: int) -> tuple[tuple[tuple[int, ...], ...], tuple[int, ...]]:
    """The products whose exclusive or is less, and the product that is equal (for the last group: none)."""
    less = tuple((*_EQUAL[p + 1 :], _LESS[p]) for p in range(4))
    return less, (_EQUAL if groups == 4 else ())


@functools.cache
def _products(groups: int) -> tuple[tuple[int, ...], ...]:
    """The sets of masks whose products the dealer shares."""
    less, equal = _terms(groups)
    sets = {
        s for term in (*less, equal) for n in range(2, 5) for s in itertools.combinations(sorted(term), n)
    }
    return tuple(sorted(sets, key=lambda s: (len(s), s)))


def _containers(groups: int) -> tuple[Any, ...]:
    """What holds the products: 22 of four bits, or 15 of one."""
    return (np.uint64, np.uint32) if groups == 4 else (np.uint16,)


def _fields(xp: Any, words: Any, groups: int) -> list[Any]:
    word, ones = words.dtype.type, words.dtype.type(2**groups - 1)
    return [((words >> word(i * groups)) & ones).astype(np.uint8) for i in range(8)]


def _places(groups: int) -> list[tuple[int, int]]:
    """Container and shift of each product."""
    per = 16 if groups == 4 else 15
    return [(i // per, (i % per) * groups) for i in range(len(_products(groups)))]


def _monomials(xp: Any, mask: Any, *, groups: int) -> Any:
    fields = _fields(xp, mask, groups)
    known: dict[tuple[int, ...], Any] = {(i,): f for i, f in enumerate(fields)}
    words: list[Any] = [None] * len(_containers(groups))
    for subset, (container, shift) in zip(_products(groups), _places(groups), strict=True):
        known[subset] = known[subset[:-1]] & fields[subset[-1]]
        dtype = _containers(groups)[container]
        bits = known[subset].astype(dtype) << dtype(shift)
        words[container] = bits if words[container] is None else words[container] | bits
    return tuple(words)


def _group(xp: Any, public: Any, masks: Any, leads: Any, *dealt: Any, groups: int) -> Any:
    less, equal = _terms(groups)
    shares: dict[tuple[int, ...], Any] = {(i,): f for i, f in enumerate(_fields(xp, masks, groups))}
    ones = np.uint8(2**groups - 1)
    for subset, (container, shift) in zip(_products(groups), _places(groups), strict=True):
        word = dealt[container].dtype.type
        shares[subset] = ((dealt[container] >> word(shift)) & word(ones)).astype(np.uint8)
    opened_fields = _fields(xp, public, groups)
    first = leads * ones

    def conjunction(term: tuple[int, ...]) -> Any:
        """Shares of the product of ``public xor mask`` over a term."""
        return _expanded(sorted(term), opened_fields, shares, first, ones)

    total = functools.reduce(lambda a, b: a ^ b, map(conjunction, less))
    return (total | conjunction(equal) << np.uint8(4) if equal else total,)


def _expanded(term: list[int], public: list[Any], shares: Any, first: Any, ones: Any) -> Any:
    """The sum over the subsets of a term: the dealt product of these masks, times the other public bits."""
    total = None
    for n in range(len(term) + 1):
        for subset in itertools.combinations(term, n):
            rest = [public[i] for i in term if i not in subset]
            value = functools.reduce(lambda a, b: a & b, rest, shares[subset] if subset else first)
            total = value if total is None else total ^ value
    return total
