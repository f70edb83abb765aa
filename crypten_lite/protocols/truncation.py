"""Truncation: fewer binary places, exact up to one unit in the last one.

With ``u = z + 2**(L-2)`` (``L`` the bits of the ring) in ``[0, 2**(L-1))`` and ``D = u + r`` public, the
top bits of ``D`` and ``r`` tell whether the lower bits borrow: their exclusive or. So with ``d`` and ``t``
the lower ``L - 1`` bits of ``D`` and ``r``, ``u = d - t + borrow * 2**(L-1)``, and

    u >> p  =  (d >> p) - (t >> p) + borrow * 2**(L-1-p)      or one less,

one less with the probability that makes it right on average. The dealer shares ``t >> p`` and the top bit
of ``r``. There is no failure for ``|z| < 2**(L-2)``. No rounds once ``D`` is open, and 16 dealer bytes.

Source: Dalskov, Escudero, Keller 2020, "Secure evaluation of quantized neural networks", arXiv:1910.12435.
"""

from typing import Any

from crypten_lite.protocols.opening import opened
from crypten_lite.session import Spec
from crypten_lite.values import Half, Number, flat


def truncated(number: Number, scale: int) -> Number:
    """The number with ``scale`` binary places: one round, unless it is open."""
    if number.scale <= scale:
        return number
    source = number.source
    if ("at", scale) not in source.known:
        source.known["at", scale] = _truncated(source, scale)
    return number.from_source(source.known["at", scale])


def _truncated(number: Number, scale: int) -> Number:
    session, places = number.session, number.scale - scale
    (opening,) = opened(number)
    bits, shape = session.ring.bits, number.shape
    plain = session.run(parts, flat(opening.plain), bits=bits, places=places)
    shares = session.deal(lambda: plain, *(Spec((number.size,), session.ring.dtype),) * 2)
    own, sign = session.run(public_parts, flat(opening.public), bits=bits, places=places)

    def shaped(array: Any) -> Any:
        return session.wrap(array).reshape(len(array), *shape)

    def half() -> Half:
        turned = (shaped(-top * borrow) for _, top in (shares, plain))
        return Half(shaped(own), shaped(sign), (shaped(shares[0]), shaped(plain[0])), tuple(turned))

    borrow = session.ring.dtype.type(1 << (bits - 1 - places))
    (result,) = session.run(_shifted, own, sign, *shares, session.leads[:, None], borrow=borrow)
    number = number.like(shares=shaped(result), scale=scale)
    number.half = half
    return number


def parts(xp: Any, mask: Any, *, bits: int, places: int) -> Any:
    """Of a mask, the lower bits shifted, and the top bit."""
    word = mask.dtype.type
    return (mask & word(2 ** (bits - 1) - 1)) >> word(places), mask >> word(bits - 1)


def public_parts(xp: Any, public: Any, *, bits: int, places: int) -> Any:
    """Of an opening, what it adds to the truncated number, and the sign of the top bit of the mask in it."""
    word = public.dtype.type
    up = (public + word(2 ** (bits - 2))) & word(2**bits - 1)
    top, borrow = up >> word(bits - 1), word(2 ** (bits - 1 - places))
    own = ((up & word(2 ** (bits - 1) - 1)) >> word(places)) + top * borrow - word(2 ** (bits - 2 - places))
    return own, word(1) - (top + top)


def _shifted(xp: Any, own: Any, sign: Any, low: Any, top: Any, leads: Any, *, borrow: Any) -> Any:
    return (own * leads - low + sign * top * borrow,)
