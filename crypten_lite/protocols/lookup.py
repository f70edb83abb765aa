"""Functions of one variable by one-time tables: no rounds and no bytes once the number is open.

``D`` is public modulo ``2**k`` too, so its upper bits name a segment and its lower bits the place in it. On
each segment of ``D``'s grid the dealer, who knows the mask, knows where the number is up to that public
place; it fits the function there and shares the coefficients. Each party reads the row of the public
segment and adds up its shares times public integers. Values outside the domain are told by comparisons on
the same ``D``, whose bits gate the tables: a table has an entry for either value of the public part of the
bit.

Source: one-time tables: Ishai et al. 2013, doi:10.1007/978-3-642-36594-2_34; splines on shares as in Pika
(Wagh 2022, doi:10.56553/popets-2022-0113), LLAMA (Gupta et al. 2022, doi:10.56553/popets-2022-0109) and
SIGMA (Gupta et al. 2024, doi:10.56553/popets-2024-0107).
"""

import functools
import itertools
import math
from typing import Any

import numpy as np

from crypten_lite.functions import tables
from crypten_lite.functions.piecewise import Line, Piecewise, Segments
from crypten_lite.protocols.comparison import at_least
from crypten_lite.protocols.opening import opened
from crypten_lite.protocols.selection import as_number, gated
from crypten_lite.protocols.truncation import truncated
from crypten_lite.session import Spec
from crypten_lite.values import Number, Truth, flat

_MOST_BYTES = 1 << 24  # of a table at a time


def evaluated(number: Number, function: Piecewise) -> Number:
    """A piecewise function of a number, with twice the usual binary places.

    Rounds: one if the number is not open, three if the function has thresholds.

    Raises:
      ValueError: the function's values have no room in the ring, or its ranges are finer than the number's
      places.
    """
    source, fraction = number.source, number.session.point.fraction
    scale = 2 * fraction
    source = source.at(max(source.scale, fraction))
    if source.scale > scale and not _has_room(function, source.scale, fraction):
        source = truncated(source, scale)
    require_room(function, source.scale, fraction)
    if source.scale > scale and any(isinstance(p, Line) and p.slope for p in function.pieces):
        source = truncated(source, fraction)
    gates = _gates(source, function)
    parts = [
        _part(source, piece, gate, scale)
        for piece, gate in zip(function.pieces, gates, strict=True)
        if piece != Line(0, 0.0)
    ]
    return number.from_source(functools.reduce(Number.plus, parts))


@functools.cache
def require_room(function: Piecewise, scale: int, fraction: int) -> None:
    """Raise before anything is sent if the function cannot be had with so many binary places."""
    try:
        for piece in function.pieces:
            if isinstance(piece, Segments):
                tables.window(piece, scale, 2 * fraction)
            else:
                tables.line(piece, np.uint64(0), fraction, 2 * fraction)
    except ValueError as error:
        raise ValueError(f"{function.name} in a session with fraction={fraction}: {error}") from None


@functools.cache
def _has_room(function: Piecewise, scale: int, fraction: int) -> bool:
    try:
        require_room(function, scale, fraction)
    except ValueError:
        return False
    return True


def _gates(number: Number, function: Piecewise) -> list[Truth | None]:
    """For each piece whether the number is there."""
    if not function.thresholds:
        return [None]
    above = at_least(*((number, round(math.ldexp(t, number.scale))) for t in function.thresholds))
    between = [low.differs(high) for low, high in itertools.pairwise(above)]
    return [above[0].negative(), *between, above[-1]]


def _part(number: Number, piece: Segments | Line, gate: Truth | None, scale: int) -> Number:
    if isinstance(piece, Segments):
        return _table(number, piece, gate, scale)
    assert gate is not None, "a line alone needs no table"
    terms = []
    if piece.slope:
        sloped = gated(gate, number).at(scale)
        terms.append(sloped.map(lambda a: a * number.session.ring.of(piece.slope), number.shape))
    if piece.offset:
        offset = number.session.ring.of(round(math.ldexp(piece.offset, scale)))
        terms.append(as_number(gate).map(lambda a: a * offset, number.shape).tagged(scale=scale))
    return (
        terms[0].plus(terms[1]).tagged(dtype=number.dtype)
        if len(terms) == 2
        else terms[0].tagged(dtype=number.dtype)
    )


def _table(number: Number, piece: Segments, gate: Truth | None, scale: int) -> Number:
    session, size = number.session, number.size
    (opening,) = opened(number)
    window = tables.window(piece, number.scale, scale)
    rows = window.segments * window.terms * (1 if gate is None else 2)
    step = max(1, _MOST_BYTES // (8 * rows))
    public, plain = flat(opening.public), flat(opening.plain)
    delta, rho = (None, None) if gate is None else (flat(gate.public), flat(gate.plain))
    out = np.empty((session.held, size), session.ring.dtype)

    def small(words: Any) -> Any:
        """64-bit words as elements of a ring that may be smaller."""
        return session.wrap(words.astype(out.dtype, copy=False))

    for start in range(0, size, step):
        piece_of = slice(start, start + step)
        spec = Spec((rows // window.terms, window.terms, min(step, size - start)), session.ring.dtype)

        def compute(at: slice = piece_of) -> list[Any]:
            coefficients = small(tables.coefficients(piece, window, plain[0, at]))
            return [_gated(coefficients, None if rho is None else rho[0, at])[None]]

        (dealt,) = session.deal(compute, spec)
        if session.seeing:
            segment, rest = tables.segment(window, public[0, piece_of])
            entry = (
                segment
                if delta is None
                else segment + window.segments * delta[0, piece_of].astype(segment.dtype)
            )
            rows_of = np.take_along_axis(dealt, entry[None, None, None], 1)[:, 0]
            basis = small(tables.basis(piece, window, rest))
            out[:, piece_of] = (rows_of * basis).sum(1, dtype=out.dtype)
    return number.like(shares=session.wrap(out).reshape(session.held, *number.shape), scale=scale)


def _gated(coefficients: Any, rho: Any) -> Any:
    """The table for either public part of the gate's bit: ``[2 * segments, terms, size]``."""
    if rho is None:
        return coefficients
    inside = rho.astype(coefficients.dtype)  # where the public part is zero, the bit is rho
    return np.concatenate([coefficients * inside, coefficients * (coefficients.dtype.type(1) - inside)])
