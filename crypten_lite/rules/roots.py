"""Roots of sums of squares, for rows of any size: what LayerNorm and the lengths of vectors are made of.

A variance reaches from its epsilon to the end of the ring, beyond the domain of a table that knows nothing.
So its root, or inverse root, is looked up on the sum of squares itself, of which every binary place is exact,
with tables up to the largest sum that there can be.
"""

import dataclasses
import functools
import math
from typing import Any

import numpy as np

from crypten_lite.functions.piecewise import Line, Piecewise, Segments
from crypten_lite.functions.shapes import digits_for
from crypten_lite.protocols.lookup import evaluated
from crypten_lite.rules.facts import Norm
from crypten_lite.rules.fusion import ARGUMENTS
from crypten_lite.values import Number, flat

_SHAPES = {
    "sqrt": (0.5, 3),
    "rsqrt": (-0.5, 5),
    "rsqrt ** 3": (-1.5, 7),
}  # the power, and the degree of the tables
_ERRORS = {"sqrt": 5e-4, "rsqrt": 5e-3, "rsqrt ** 3": 7e-3}  # of the smallest values; of usual ones 1e-4


def norm_of(x: Any, state: str) -> Norm | None:
    """What is known of a sum of squares, times and plus public numbers, or of the root of one."""
    norm = x.known.get("norm") if isinstance(x, Number) else None
    return norm if norm is not None and norm.state == state and norm.plus is not None else None


def of_norm(norm: Norm, name: str) -> Number:
    """A power of ``factor * total + plus``; or, of a root with an offset, ``1 / (root + offset)``."""
    total, rows = norm.total, norm.rows[0]
    number = total.moved(lambda a: flat(a)[:, rows], rows.shape)
    assert norm.plus is not None
    point = number.session.point
    return evaluated(number, table(name, norm.factor, norm.plus, norm.offset, total.scale, point.fraction))


def of_shifted(x: Number) -> Number | None:
    """``1 / sqrt(x)`` of ``max(z, 0) + epsilon`` or ``z + epsilon``: a variance made by a difference.

    Looked up on ``z``, of which all places are known; where ``z`` is negative, as for zero. None of others.
    """
    chain = x.known.get("chain")
    if chain is None or not chain.length or chain.times is not None:
        return None
    plus, positive = float(chain.values[ARGUMENTS == 0][0]), np.maximum(ARGUMENTS, 0)
    if not 2.0**-24 <= plus <= _TINY or not any(
        np.allclose(chain.values - plus, z) for z in (positive, ARGUMENTS)
    ):
        return None
    point = x.session.point
    places = max(chain.root.scale, point.fraction)
    return evaluated(chain.root, guarded(table("rsqrt", 1.0, plus, 0.0, places, point.fraction)))


_TINY = 2.0**-8  # an epsilon


@functools.cache
def guarded(function: Piecewise) -> Piecewise:
    """The function from zero on; before, its value at zero."""
    below = Line(0, float(function.function(np.array(0.0))))
    if isinstance(function.pieces[0], Line):
        return function
    pieces, thresholds = (below, *function.pieces), (0.0, *function.thresholds)
    return dataclasses.replace(function, pieces=pieces, thresholds=thresholds)


@functools.cache
def table(name: str, factor: float, plus: float, offset: float, scale: int, fraction: int) -> Piecewise:
    """``(factor * z + plus) ** power`` of a sum of squares ``z`` with ``scale`` binary places.

    From zero on where ``plus`` is not tiny; otherwise constant where ``factor * z`` is below ``2 ** -24``.
    """
    power, degree = _SHAPES[name]
    function = _function(power, factor, plus, offset)
    least = max(2.0**-24, 2.0 ** (min(2 * fraction - 60, 0) / max(-power, 0.5)) if power < 0 else 0.0)
    last = 62 - scale
    exact = plus >= least
    first = math.floor(math.log2(4 * plus / factor)) if exact else math.ceil(math.log2(least / factor))
    first = min(max(first, 3 - scale), last - 1)
    starts = range(first, last, 3)
    tables = [
        _segments(function, 2.0**s, 2.0 ** min(s + 3, last), power, degree, factor, plus) for s in starts
    ]
    low = 0.0 if exact else 2.0**first
    below: Segments | Line = Line(0, 0.0 if power > 0 else float(function(np.array(2.0**first))))
    if exact:
        below = _segments(function, 0.0, 2.0**first, power, degree, factor, plus)
    thresholds = tuple(t.low for t in tables)
    return Piecewise(
        f"{name} of a sum of squares",
        function,
        (below, *tables),
        thresholds,
        _ERRORS[name],
        (low, 2.0**last),
        True,
        2.0**-16,
    )


def _function(power: float, factor: float, plus: float, offset: float) -> Any:
    if offset:
        return lambda z: 1 / (np.sqrt(factor * z + plus) + offset)
    return lambda z: (factor * z + plus) ** power


def _segments(
    function: Any, low: float, high: float, power: float, degree: int, factor: float, plus: float
) -> Segments:
    size = math.floor(math.log2(factor * low + plus))
    return Segments(
        function, low, high, segments=8, degree=degree, bits=digits_for(round(2 * power * size), degree)
    )
