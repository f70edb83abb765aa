"""Selection: a secret bit times a secret number.

The bit is ``public xor rho`` and the number ``D - r``, so their product is linear in what the dealer knows:
``bit = delta + (1 - 2 delta) rho`` and ``rho * (D - r) = rho D - rho r``. The dealer shares ``rho`` and
``rho r``; a truncation on the way needs the same of the mask's parts. No rounds once the number is open.
"""

from typing import Any

import numpy as np

from crypten_lite.protocols.opening import opened
from crypten_lite.protocols.truncation import parts, public_parts
from crypten_lite.session import Spec
from crypten_lite.values import Number, Truth, flat


def gated(truth: Truth, number: Number, *, places: int = 0) -> Number:
    """The number where the truth holds, zero elsewhere, with ``places`` binary places less.

    16 dealer bytes, or 40 with a truncation.
    """
    session = number.session
    (opening,) = opened(number)
    ring, size = session.ring, number.size
    options = {"bits": ring.bits, "places": places}
    dealt = session.deal(
        lambda: session.run(_masks, flat(opening.plain), flat(truth.plain), **options),
        *(Spec((size,), ring.dtype),) * (5 if places else 2),
    )
    masks = [flat(opening.masks)] if not places else []
    (shares,) = session.run(
        _selected, flat(opening.public), flat(truth.public), session.leads[:, None], *masks, *dealt, **options
    )
    return number.like(
        shares=session.wrap(shares).reshape(session.held, *number.shape), scale=number.scale - places
    )


def _masks(xp: Any, mask: Any, rho: Any, *, bits: int, places: int) -> Any:
    rho = rho.astype(mask.dtype)
    if not places:
        return rho, rho * mask
    low, top = parts(xp, mask, bits=bits, places=places)
    return rho, low, top, rho * low, rho * top


def _selected(xp: Any, public: Any, delta: Any, leads: Any, *shares: Any, bits: int, places: int) -> Any:
    if places:
        own, sign = public_parts(xp, public, bits=bits, places=places)
        borrow = sign * public.dtype.type(1 << (bits - 1 - places))
        rho, low, top, rho_low, rho_top = shares
        number, times_rho = own * leads - low + borrow * top, own * rho - rho_low + borrow * rho_top
    else:
        mask, rho, rho_mask = shares
        number, times_rho = public * leads - mask, public * rho - rho_mask
    return (xp.where(delta != 0, number - times_rho, times_rho),)


def as_number(truth: Truth, dtype: Any = np.float32) -> Number:
    """A truth as the number 0 or 1, of no binary places. Eight dealer bytes."""
    if "number" not in truth.known:
        session, size = truth.session, truth.size
        (rho,) = session.deal(
            lambda: [flat(truth.plain).astype(session.ring.dtype)], Spec((size,), session.ring.dtype)
        )
        (shares,) = session.run(_lifted, flat(truth.public), rho, session.leads[:, None])
        shares = session.wrap(shares).reshape(session.held, *truth.shape)
        truth.known["number"] = Number(session, truth.shape, dtype, 0, shares=shares)
    number = truth.known["number"].tagged(dtype=np.dtype(dtype))
    number.known["truth"] = truth
    return number


def _lifted(xp: Any, delta: Any, rho: Any, leads: Any) -> Any:
    return (xp.where(delta != 0, leads - rho, rho),)
