"""Bounds on the error of private functions, derived from how the tables are made.

For a table the error is at most the sum of

- **interpolation**: ``2 * sum(abs(a[k]) for k > degree)`` with the Chebyshev coefficients ``a`` of the
  function on the segment: at the nodes each polynomial beyond the degree equals one within it, up to its
  sign, or zero (Trefethen 2019, "Approximation theory and approximation practice", chapter 4). Segments
  begin anywhere, so it is taken at `ALIGNMENTS` beginnings for each width, plus what it can grow by
  between them: moving a segment by ``e`` half widths changes ``a[j]`` by ``2 * e`` times the sum of
  ``k * a[k]`` for ``k = j + 1, j + 3, ...``, here doubled because the ``a`` grow meanwhile.
- **coefficients**, rounded to ``out - b`` places: half a unit each, times the largest value of its digit.
- **basis**, rounded to ``b`` places: half a unit, and the floors of the recurrence, times the coefficient.

A segment that reaches out of the range uses the polynomial of the nearest one inside, so nothing is added
there but its own coefficients. For an exponential basis there is no interpolation. Arguments are exact.
"""

import numpy as np

from crypten_lite.functions.piecewise import Line, Piecewise, Real, Segments
from crypten_lite.functions.polynomials import EXP_FRACTION, FRACTION, interpolation, nodes
from crypten_lite.functions.tables import Window, digit_bits, fitted, window

ALIGNMENTS = 256
_ORDER = 48  # coefficients seen; those beyond are below a float's precision


def bound(function: Piecewise, scale: int = 16, out: int = 32) -> float:
    """The largest error in the function's domain, relative if its `error` is.

    Args:
      function: of one variable.
      scale: binary places of its argument.
      out: binary places of its result.

    Example:
      >>> from crypten_lite.functions import SIGMOID
      >>> from crypten_lite.functions.bounds import bound
      >>> bound(SIGMOID) <= SIGMOID.error
      True
    """
    worst = 0.0
    for piece, (low, high) in zip(function.pieces, function.ranges, strict=True):
        if low >= high:
            continue  # outside the domain
        if isinstance(piece, Line):
            worst = max(worst, _line(function, piece, low, high, out))
        else:
            worst = max(worst, float(table(piece, window(piece, scale, out), function).max()))
    return worst


def table(piece: Segments, window: Window, function: Piecewise) -> np.ndarray:
    """The bound for each of many beginnings of a segment."""
    begin = _beginnings(window)
    coefficients = np.abs(fitted(piece, window, begin))
    absolute = rounding(piece, window, coefficients)
    if piece.basis == "chebyshev":
        inside = np.clip(begin, 0, max(window.count - 2**window.segment_bits, 0))
        absolute = absolute + interpolating(
            piece.function, _lefts(window, inside), window.width, piece.degree
        )
    return absolute / _smallest(function, piece, window, begin)


def interpolating(function: Real, left: np.ndarray, width: float, degree: int) -> np.ndarray:
    """The bound on interpolation for segments that begin within a step of ``left``."""
    places = (nodes(_ORDER) + 1) * (width / 2)
    a = np.abs(interpolation(_ORDER) @ function(left + places[:, None]))
    k = np.arange(_ORDER + 1)
    beyond = 2.0 * (k > degree) @ a
    growth = 4.0 * (k * np.maximum((k - degree) // 2, 0)) @ a
    return beyond + 2 * growth / ALIGNMENTS  # half a step is 1 / ALIGNMENTS half widths


def rounding(piece: Segments, window: Window, coefficients: np.ndarray) -> np.ndarray:
    """The bound on rounding coefficients and basis, for magnitudes ``[degree + 1, ...]`` of coefficients."""
    total = np.ldexp(float(piece.degree + 1), -48) * coefficients.sum(0)  # of the fit in floating point
    for order, (magnitude, places) in enumerate(
        zip(coefficients, digit_bits(piece, window.out), strict=True)
    ):
        largest, floors = 1.0, order**2 * 2.0 ** (1 - FRACTION)
        if piece.basis == "exponential":
            largest, floors = np.exp(window.width / 2), 32 * 2.0**-EXP_FRACTION
        for b in places:
            total = total + largest * 2.0 ** (b - window.out - 1)
            largest = 2.0 ** (-b - 1) if order or piece.basis == "exponential" else 0.0
        total = total + magnitude * (largest + floors)
    return total


def _beginnings(window: Window) -> np.ndarray:
    last = window.count - 1
    step = max(2**window.segment_bits // ALIGNMENTS, 1)
    return np.unique(np.append(np.arange(1 - 2**window.segment_bits, last, step), [0, last]))


def _lefts(window: Window, begin: np.ndarray) -> np.ndarray:
    return (begin + window.low) * 2.0**-window.scale


def _smallest(function: Piecewise, piece: Segments, window: Window, begin: np.ndarray) -> np.ndarray:
    """What the bound on a segment is relative to: the smallest value there."""
    if not function.relative:
        return np.ones(begin.shape)
    left = _lefts(window, np.maximum(begin, 0))
    right = _lefts(window, np.minimum(begin + 2**window.segment_bits, window.count) - 1)
    points = left + np.linspace(0, 1, 33)[:, None] * (right - left)
    return np.maximum(np.abs(function.function(points)), function.floor).min(0)


def _line(function: Piecewise, piece: Line, low: float, high: float, out: int) -> float:
    """The largest difference on a range: of functions that approach their line monotonically, at its edge."""
    reach = np.append(0, np.geomspace(1e-3, 1e4, 400))
    points = np.concatenate(
        [edge + sign * reach for edge, sign in ((low, 1), (high, -1)) if np.isfinite(edge)]
    )
    points = np.where(points == high, np.nextafter(high, low), points)
    points = points[(points >= low) & (points < high)]
    exact = function.function(points)
    error = np.abs(piece.slope * points + round(piece.offset * 2**out) / 2**out - exact)
    return float((error / np.maximum(np.abs(exact), function.floor) if function.relative else error).max())
