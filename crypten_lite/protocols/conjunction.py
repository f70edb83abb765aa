"""Both of two truths.

``(d ^ r)(e ^ s) = de ^ ds ^ re ^ rs``; the dealer shares ``r``, ``s`` and ``rs`` as bits, and the product
is opened under a new mask: one round, 1/8 byte an element, 3/8 dealer bytes.
"""

from typing import Any

import numpy as np

from crypten_lite.session import Spec
from crypten_lite.values import Truth, flat


def both(x: Truth, y: Truth) -> Truth:
    """Where ``x`` and ``y`` hold."""
    session, size = x.session, x.size
    packed = Spec((-(-size // 8),), np.uint8)
    d, e, r, s = flat(x.public), flat(y.public), flat(x.plain), flat(y.plain)
    dealt = session.deal(lambda: [_packed(b) for b in (r, s, r & s)], packed, packed, packed, xor=True)
    r_share, s_share, rs_share = (np.unpackbits(b, axis=-1, count=size) for b in dealt)
    first = session.leads.astype(np.uint8)[:, None]
    shares = (d & e & first) ^ (d & s_share) ^ (e & r_share) ^ rs_share
    mask = session.mask(packed.shape, np.uint8, xor=True)
    (bits,) = session.open([_packed(shares) ^ mask.shares], xor=True)
    public, plain = (np.unpackbits(b, axis=-1, count=size) for b in (bits, mask.plain))
    public, plain = (b.reshape(len(b), *x.shape) for b in (public, plain))
    return Truth(session, x.shape, public, plain)


def _packed(bits: Any) -> Any:
    return np.packbits(bits, axis=-1)
