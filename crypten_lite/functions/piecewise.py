"""What a private function of one variable is: pieces between public thresholds, each cheap on shares.

A `Line` is a linear function of the secret, so it costs nothing. `Segments` is a function on a bounded
range, by tables that the dealer makes (`crypten_lite.functions.tables`). Comparisons with the thresholds
choose the piece.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

Real = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Segments:
    """A function on ``[low, high)``, by tables of polynomials on segments of one width.

    The width is the smallest ``2 ** -n`` for which ``segments - 1`` of them cover the range: one is lost
    because the segments lie on a masked grid and one of them wraps around. What comes out for numbers
    outside the range has no meaning.

    Args:
      function: of float64 arrays, smooth from ``low`` to ``high``; elsewhere it is not looked at.
      low: where the range begins.
      high: where it ends.
      segments: a power of two, at least 2.
      degree: of the polynomial on each.
      basis: ``"chebyshev"`` polynomials, or ``"exponential"``: one term, exact for multiples of ``exp``.
      bits: for each basis function the binary places of its digits, for results of 32 places (others
        move them by half the difference). A coefficient has what is left of the result's places. A second
        digit costs a second coefficient and makes the rounding error of both negligible.

    Raises:
      ValueError: an empty range, no power of two, or ``bits`` for another number of basis functions.
    """

    function: Real
    low: float
    high: float
    segments: int
    degree: int
    basis: Literal["chebyshev", "exponential"] = "chebyshev"
    bits: tuple[tuple[int, ...], ...] = ()

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"a range from {self.low} to {self.high}: it must not be empty.")
        if self.segments < 2 or self.segments & (self.segments - 1):
            raise ValueError(f"{self.segments} segments: their number is a power of two, at least 2.")
        functions = 1 if self.basis == "exponential" else self.degree + 1
        if not self.bits:
            object.__setattr__(self, "bits", _usual_bits(self.degree))
        if len(self.bits) != functions:
            raise ValueError(f"bits for {len(self.bits)} basis functions, but there are {functions}.")

    @property
    def terms(self) -> int:
        """Coefficients of a segment."""
        return sum(len(digits) for digits in self.bits)


@dataclass(frozen=True)
class Line:
    """``slope * z + offset``: for the ends, which are zero, a constant or ``z`` itself.

    Args:
      slope: an integer, so that the product needs no truncation.
      offset: a number.
    """

    slope: int
    offset: float


Piece = Segments | Line


@dataclass(frozen=True)
class Piecewise:
    """A private function: piece ``i`` holds from threshold ``i - 1`` up to, and without, threshold ``i``.

    With results of 32 binary places and arguments of 16 or more, the result for any ``z`` in `domain`
    differs from ``function(z)`` by at most ``error``, or, if ``relative``, by at most
    ``error * max(abs(function(z)), floor)``.

    Args:
      name: in messages and reports.
      function: what it approximates, of float64 arrays.
      pieces: from left to right.
      thresholds: between them, increasing.
      error: the bound, which `crypten_lite.functions.bounds` derives.
      domain: where the bound holds, ``low <= z < high``; ends may be infinite.
      relative: whether the bound is relative.
      floor: see above.

    Raises:
      ValueError: thresholds that do not separate the pieces, or a table that does not reach them.
    """

    name: str
    function: Real
    pieces: tuple[Piece, ...]
    thresholds: tuple[float, ...]
    error: float
    domain: tuple[float, float] = (-np.inf, np.inf)
    relative: bool = False
    floor: float = 0.0

    def __post_init__(self) -> None:
        if len(self.thresholds) != len(self.pieces) - 1 or list(self.thresholds) != sorted(
            set(self.thresholds)
        ):
            raise ValueError(
                f"{self.name}: {len(self.pieces)} pieces need {len(self.pieces) - 1} increasing thresholds, "
                f"there are {self.thresholds}."
            )
        for piece, (low, high) in zip(self.pieces, self.ranges, strict=True):
            if isinstance(piece, Segments) and not piece.low <= low < high <= piece.high:
                raise ValueError(
                    f"{self.name}: a table from {piece.low} to {piece.high} is used from {low} to {high}."
                )

    @property
    def ranges(self) -> tuple[tuple[float, float], ...]:
        """From where to where each piece is used, inside the domain."""
        edges = (self.domain[0], *self.thresholds, self.domain[1])
        return tuple(itertools.pairwise(edges))

    @property
    def entries(self) -> int:
        """Coefficients of all tables, for one element."""
        return sum(p.segments * p.terms for p in self.pieces if isinstance(p, Segments))


def _usual_bits(degree: int) -> tuple[tuple[int, ...], ...]:
    """One digit each, of fewer places for the higher polynomials, whose coefficients are smaller."""
    return ((0,), *((max(17 - order, 6),) for order in range(1, degree + 1)))
