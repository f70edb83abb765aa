"""Opening: ``D = v + mask``, once a value.

Nobody knows the mask but the dealer, so ``D`` is a one-time pad of ``v`` and tells nothing. Eight bytes an
element and a party, one round for any number of values.

Source: Ben-Efraim, Nielsen, Omri 2019, "Turbospeedz", doi:10.1007/978-3-030-21568-2_26; Patra, Schneider,
Suresh, Yalame 2021, "ABY2.0", https://eprint.iacr.org/2020/1225.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from crypten_lite.session import Session, Spec
from crypten_lite.values import Number, Opening, Truth, flat


def opened(*numbers: Number) -> list[Opening]:
    """The openings of numbers; those that have none are opened together, in one round.

    A number that repeats another one's elements is opened by opening that one.
    """
    open_all([s for n in numbers for s in n.to_open])
    found = [n.opening for n in numbers]
    return [o for o in found if o is not None]


def open_all(numbers: Sequence[Number]) -> None:
    """Open numbers that are not open, each once, in one round."""
    new = list({id(n): n for n in numbers}.values())
    if not new:
        return
    session = new[0].session
    masks = [session.mask(n.shape) for n in new]
    publics = session.open([session.wrap(n.shares + m.shares) for n, m in zip(new, masks, strict=True)])
    for number, mask, public in zip(new, masks, publics, strict=True):
        number.opening = Opening(session.wrap(public), mask.shares, mask.plain)


def revealed(numbers: Sequence[Number], to: int | None = None) -> list[Any]:
    """The ring elements of numbers, for everybody or for one party: ``[seeing, *shape]`` each, in one round.

    Shares that were computed locally may tell more than their sum: where more than two parties add up, fresh
    shares of zero from the dealer are added first.
    """
    if not numbers:
        return []
    session = numbers[0].session
    shares = [n.shares for n in numbers]
    if session.parties > 2:
        shares = [session.wrap(s + _zero(session, n.shape)) for s, n in zip(shares, numbers, strict=True)]
    return session.open(shares, to=to)


def revealed_bits(truths: Sequence[Truth], to: int | None = None) -> list[Any]:
    """The bits of truths, for everybody or for one party: ``[seeing, *shape]`` each, in one round.

    The dealer shares its part of each; one bit an element.
    """
    if not truths:
        return []
    shares = [_dealt_part(t) for t in truths]
    parts = truths[0].session.open(shares, xor=True, to=to)
    return [_bits(t, p) for t, p in zip(truths, parts, strict=True)]


def _dealt_part(truth: Truth) -> Any:
    packed = Spec((-(-truth.size // 8),), np.uint8)
    return truth.session.deal(lambda: [np.packbits(flat(truth.plain), axis=1)], packed, xor=True)[0]


def _bits(truth: Truth, part: Any) -> Any:
    bits = np.unpackbits(part, axis=1, count=truth.size)
    return bits.reshape(len(bits), *truth.shape) ^ truth.public


def _zero(session: Session, shape: tuple[int, ...]) -> Any:
    spec = Spec(shape, session.ring.dtype)
    return session.deal(lambda: [np.zeros((1, *shape), spec.dtype)], spec)[0]
