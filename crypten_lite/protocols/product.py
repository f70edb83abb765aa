"""Products: any bilinear function of two secret numbers.

With ``x = Dx - a`` and ``y = Dy - b``, ``x*y = Dx Dy - Dx b - a Dy + ab``; the dealer shares ``ab``. One
round for those that are not open yet, and eight dealer bytes an element of the result. Weights are opened
once a session. For elementwise products truncated numbers are open already, up to a public sign.

Source: Beaver 1991, doi:10.1007/3-540-46766-1_34, in the form with one opening a value ("Turbospeedz").
"""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from crypten_lite.protocols.opening import open_all, opened
from crypten_lite.session import Spec
from crypten_lite.values import Number

Bilinear = Callable[[Any, Any], Any]  # of arrays without an axis for roles


def product(x: Number, y: Number, bilinear: Bilinear, shape: Sequence[int]) -> Number:
    """``bilinear(x, y)`` of ``shape``, with the binary places of both together."""
    session = x.session
    if bilinear is np.multiply and any(n.opening is None and (n.half or n.terms) for n in (x, y)):
        return _elementwise(x, y)
    a, b = opened(x, y)
    spec = Spec(tuple(shape), session.ring.dtype)
    (ab,) = session.deal(lambda: [session.wrap(bilinear(a.plain[0], b.plain[0]))[None]], spec)
    # Dx (Dy - b) - a Dy, whose first factor to be shared is a share of y. Of what its owner has masked the
    # others have shares of zero.
    parts, share = np.zeros_like(ab), y.shares
    for i in range(session.held):
        # The leader's share may be its input: whether that is zero must not be seen in how long it takes.
        if session.leads[i] or share[i].any():
            parts[i, ...] += bilinear(a.public[0], share[i])
        if a.masks[i].any():
            parts[i, ...] -= bilinear(a.masks[i], b.public[0])
    return x.like(shares=session.wrap(ab + parts), shape=shape, scale=x.scale + y.scale)


def _elementwise(x: Number, y: Number) -> Number:
    """The product of numbers that may be half open: the dealer shares the products of each two masks.

    Those that meet the same public sign are one: ``(a + s b) (a + s b) = (a a + b b) + s (a b + b a)``.
    """
    session = x.session
    open_all([n for number in (x, y) for n in number.to_multiply])
    (dx, mx, ax), (dy, my, by) = _parts(x), _parts(y)
    pairs: dict[int, tuple[Any, list[tuple[Any, Any]]]] = {}
    for (s, u), (t, v) in itertools.product(ax, by):
        sign = None if s is t else t if s is None else s if t is None else s * t
        pairs.setdefault(id(sign), (sign, []))[1].append((u, v))
    specs = (Spec(x.shape, session.ring.dtype),) * len(pairs)
    dealt = session.deal(
        lambda: [session.wrap(sum(u * v for u, v in of)) for _, of in pairs.values()], *specs
    )
    total = dx * (session.lead(dy) - my) - mx * dy
    for (sign, _), share in zip(pairs.values(), dealt, strict=True):
        total = total + (share if sign is None else sign * share)
    return x.like(shares=session.wrap(total), scale=x.scale + y.scale)


def _parts(number: Number) -> tuple[Any, Any, list[tuple[Any, Any]]]:
    """What is public, shares of the mask, and the masks that it is made of, each with its public sign."""
    if (o := number.opening) is not None:
        return o.public, o.masks, [(None, o.plain)]
    half = number.half
    assert half is not None
    return half.public, half.masks, [(None, half.mask[1]), (half.sign, half.turned[1])]
