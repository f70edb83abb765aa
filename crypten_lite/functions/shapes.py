"""The two shapes of private functions: a table between two lines, and tables for ranges of many sizes."""

import dataclasses
import math

import numpy as np

from crypten_lite.functions.piecewise import Line, Piecewise, Real, Segments

_RATIO = 3  # a table reaches from 2 ** n to 2 ** (n + 3): seven widths, with eight segments


def between(
    name: str, function: Real, reach: float, degree: int, error: float, left: Line, right: Line
) -> Piecewise:
    """A table of eight segments on ``[-reach, reach)`` and lines beyond: for any argument, 2 thresholds."""
    table = Segments(function, -reach, reach, segments=8, degree=degree)
    return Piecewise(name, function, (left, table, right), (-reach, reach), error)


def octaves(function: Real, first: int, last: int, degree: int, power: int) -> tuple[Segments, ...]:
    """Tables from ``2 ** first`` to ``2 ** last``, each for numbers up to eight times its smallest.

    Args:
      function: smooth on each, ``x ** (power / 2)`` or (with power 0) the logarithm, up to a factor.
      first: exponent of the smallest number.
      last: exponent of the largest.
      degree: of the polynomials.
      power: twice the power, so that the binary places follow the size of the values.
    """
    starts = range(first, last, _RATIO)
    return tuple(
        Segments(
            function,
            2.0**start,
            2.0 ** min(start + _RATIO, last),
            segments=2 ** min(_RATIO, last - start),
            degree=degree,
            bits=digits_for(start * power, degree),
        )
        for start in starts
    )


def digits_for(size: int, degree: int) -> tuple[tuple[int, ...], ...]:
    """Places that share a result's between coefficient and basis, for values of about ``2 ** (size / 2)``.

    Small values leave few to share: below ``2 ** -6`` the two largest coefficients have a second digit.
    """
    most = 15 + max(size, -20) // 4
    found: list[tuple[int, ...]] = [(max(most + 1 - order, 2),) for order in range(1, degree + 1)]
    if size < -12:
        found[:2] = [(most // 2, most + 2), (most // 2, most + 1)]
    return ((0,), *found)


def saturated(
    name: str,
    function: Real,
    exponents: tuple[int, int],
    degree: int,
    power: int,
    error: float,
    below: Line | None = None,
    relative: bool = True,
) -> Piecewise:
    """`octaves` between two exponents of two, for any argument: beyond them the values at the ends."""
    first, last = exponents
    tables = octaves(function, first, last, degree, power)
    ends = [Line(0, float(function(np.array(2.0**e)))) for e in exponents]
    pieces = (below or ends[0], *tables, ends[1])
    thresholds = (*(table.low for table in tables), 2.0**last)
    return Piecewise(name, function, pieces, thresholds, error, (2.0**first, 2.0**last), relative)


def odd(positive: Piecewise) -> Piecewise:
    """``function(-z) = -function(z)`` of one for positive numbers; it is 0 between the two domains."""
    low, high = positive.domain
    inner = tuple(piece for piece in positive.pieces if isinstance(piece, Segments))
    mirrored = tuple(
        dataclasses.replace(piece, low=-piece.high, high=-piece.low) for piece in reversed(inner)
    )
    end = float(positive.function(np.array(high)))
    return dataclasses.replace(
        positive,
        name=f"{positive.name} of either sign",
        function=lambda x: np.where(
            (x >= -low) & (x < low), 0.0, positive.function(np.where(x == 0, 1.0, x))
        ),
        pieces=(Line(0, -end), *mirrored, Line(0, 0.0), *inner, Line(0, end)),
        thresholds=(*(-t for t in reversed(positive.thresholds)), *positive.thresholds),
        domain=(-high, high),
        floor=abs(end),
    )


def declared(
    name: str,
    function: Real,
    span: tuple[float, float],
    degree: int,
    power: int,
    error: float,
    floor: float = 0.0,
    relative: bool = True,
) -> Piecewise:
    """`octaves` that cover a range which the user declares: no lines, no comparison at the ends.

    Raises:
      ValueError: a range that is empty, or reaches below ``2 ** -16`` or above ``2 ** 24``.
    """
    low, high = span
    if not 2.0**-16 <= low < high <= 2.0**24:
        raise ValueError(
            f"{name} from {low} to {high}: the range begins at 2 ** -16 or later and ends by 2 ** 24."
        )
    first, last = math.floor(math.log2(low)), math.ceil(math.log2(high))
    tables = octaves(function, first, last, degree, power)
    thresholds = tuple(table.low for table in tables[1:])
    return Piecewise(name, function, tables, thresholds, error, (2.0**first, 2.0**last), relative, floor)
