"""A function of a secret on a bounded range, from one-time tables, without communication.

The secret ``z`` has been opened under a mask: ``opened = z + mask`` modulo ``2 ** 64`` is public, the mask
is known to the dealer alone. Of the numbers ``0 .. 2 ** k - 1`` above ``low``, ``z`` is one, so with
``w = opened - low`` modulo ``2 ** k``, cut into the segment ``j`` (its high bits) and the remainder ``dlo``
(its low bits), all of them public,

    z - low = base[j] + dlo,    base[j] = j * 2 ** m - mask modulo 2 ** k.

The segments lie on the grid of the opened number, so nothing carries. The dealer knows ``base[j]`` for
every ``j``, fits the function on each ``base[j] + [0, 2 ** m)`` and deals shares of the coefficients of
all; each party takes row ``j`` and sums coefficients times public polynomials of ``dlo``. One segment
wraps around: it begins below ``low``. Secrets keep out of the last segment's width of the window, so
that only its upper part is ever met.

Source: Boyle, Gilboa, Ishai 2019, "Secure computation with preprocessing via function secret sharing",
IACR ePrint 2019/1095 (spline gates on a masked input); here with plain one-time tables for keys.
"""

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from crypten_lite.functions.piecewise import Line, Piecewise, Segments
from crypten_lite.functions.polynomials import (
    EXP_FRACTION,
    FRACTION,
    chebyshev,
    digits,
    exponential,
    interpolation,
    nodes,
)

_AT_ONCE = 2048  # masks, so that what is computed for them stays in a core's cache


@dataclass(frozen=True)
class Window:
    """Where the segments of a table lie, for secrets and results of given binary places. All of it is public.

    Args:
      low: the integer at which the window, and the range, begins.
      count: integers in the range.
      bits: the window has ``2 ** bits`` integers.
      segment_bits: a segment has ``2 ** segment_bits`` of them.
      segments: of the window.
      terms: coefficients of a segment.
      scale: binary places of the secret.
      out: binary places of the result.
    """

    low: int
    count: int
    bits: int
    segment_bits: int
    segments: int
    terms: int
    scale: int
    out: int

    @property
    def width(self) -> float:
        """Of a segment, as a number."""
        return 2.0 ** (self.segment_bits - self.scale)


@functools.cache
def window(piece: Segments, scale: int, out: int = 32) -> Window:
    """The window of a table.

    Args:
      piece: the function.
      scale: binary places of the secret.
      out: binary places of the result.

    Raises:
      ValueError: a range too fine for the secret's places, too wide for the ring or for its basis, or values
        too large for the result's places.

    Example:
      >>> import numpy as np
      >>> from crypten_lite.functions.piecewise import Segments
      >>> from crypten_lite.functions.tables import window
      >>> found = window(Segments(np.tanh, -7, 7, segments=8, degree=6), scale=16)
      >>> found.bits, found.width
      (20, 2.0)
    """
    low, high = round(piece.low * 2**scale), round(piece.high * 2**scale)
    if high <= low:
        raise ValueError(
            f"with {scale} binary places nothing is left of the range {piece.low} to {piece.high}."
        )
    needed = -(-(high - low) // (piece.segments - 1))  # integers in each segment
    segment_bits = (needed - 1).bit_length()
    bits = segment_bits + piece.segments.bit_length() - 1
    if bits > 62:
        raise ValueError(
            f"the range {piece.low} to {piece.high} with {scale} binary places is too wide for 64 bits."
        )
    if piece.basis == "exponential" and segment_bits > scale + 2:
        raise ValueError(
            f"segments from {piece.low} to {piece.high} are {2.0 ** (segment_bits - scale):g} wide, but the "
            "exponential basis reaches 4: give more segments."
        )
    _require_room(piece.function(np.linspace(piece.low, piece.high, 33)), out)
    return Window(low, high - low, bits, segment_bits, piece.segments, piece.terms, scale, out)


def segment(window: Window, opened: Any) -> tuple[Any, Any]:
    """The segment and the remainder of opened numbers: ``j`` (int64) and ``dlo`` (uint64). NumPy or JAX."""
    offset = np.uint64(-window.low % 2**64)
    w = (opened + offset) & np.uint64(2**window.bits - 1)
    return (w >> np.uint64(window.segment_bits)).astype(np.int64), w & np.uint64(2**window.segment_bits - 1)


def basis(piece: Segments, window: Window, dlo: Any, xp: Any = np) -> Any:
    """The public integers that coefficients are multiplied by.

    Args:
      piece: the function.
      window: of it.
      dlo: remainders, uint64 of any shape.
      xp: ``numpy`` or ``jax.numpy``, whose arrays they are.

    Returns:
      uint64 of shape ``[terms, *dlo.shape]``, negative numbers modulo ``2 ** 64``.
    """
    remainder = dlo.astype(np.int64)
    if piece.basis == "exponential":
        values = [exponential(remainder, window.segment_bits, window.scale)]
    else:
        values = chebyshev(remainder, window.segment_bits, piece.degree)
    fraction = _fraction(piece)
    found = [digits(v, fraction, b) for v, b in zip(values, digit_bits(piece, window.out), strict=True)]
    return xp.stack([digit.astype(np.uint64) for many in found for digit in many])


def bases(window: Window, masks: np.ndarray) -> np.ndarray:
    """Where each segment begins above `Window.low`, int64 ``[segments, ...]``; negative if it wraps."""
    starts = np.arange(window.segments, dtype=np.uint64) << np.uint64(window.segment_bits)
    starts = starts.reshape(-1, *(1,) * masks.ndim) - masks[None]
    found = (starts & np.uint64(2**window.bits - 1)).astype(np.int64)
    found[found > 2**window.bits - 2**window.segment_bits] -= 2**window.bits
    return found


def coefficients(piece: Segments, window: Window, masks: np.ndarray) -> np.ndarray:
    """What the dealer deals: for each mask the coefficients of all segments.

    Args:
      piece: the function.
      window: of it.
      masks: uint64 of any shape.

    Returns:
      uint64 of shape ``[segments, terms, *masks.shape]``, negative numbers modulo ``2 ** 64``.

    Raises:
      ValueError: the function's values are no numbers.
    """
    flat = masks.ravel()
    found = np.empty((window.segments, window.terms, flat.size), np.uint64)
    for start in range(0, flat.size, _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        begin = bases(window, flat[some])
        for term, integers in enumerate(rounded(piece, window.out, fitted(piece, window, begin))):
            found[:, term, some] = integers
    return found.reshape(window.segments, window.terms, *masks.shape)


def fitted(piece: Segments, window: Window, begin: np.ndarray) -> np.ndarray:
    """Coefficients in floating point, ``[degree + 1, *begin.shape]``, of segments that begin at integers.

    A segment that reaches out of the range gets the polynomial of the nearest segment inside: what is met
    of it lies there, and the function need not be defined outside.
    """
    left = (np.minimum(begin, window.count) + window.low) * 2.0**-window.scale
    if piece.basis == "exponential":
        return _finite(piece, piece.function(left + window.width / 2))[None]
    inside = np.clip(begin, 0, max(window.count - 2**window.segment_bits, 0))
    places = ((nodes(piece.degree) + 1) * (window.width / 2)).reshape(-1, *(1,) * begin.ndim)
    values = piece.function((inside + window.low) * 2.0**-window.scale + places)
    found = (interpolation(piece.degree) @ values.reshape(len(values), -1)).reshape(values.shape)
    outside = inside != begin
    moved = np.minimum(begin[outside], window.count) - inside[outside]
    found[:, outside] = _moved(found[:, outside], moved * 2.0 ** (1 - window.segment_bits))
    return _finite(piece, found)


def rounded(piece: Segments, out: int, values: np.ndarray) -> list[np.ndarray]:
    """Coefficients as integers, one for each digit of each basis function."""
    found = []
    for coefficient, places in zip(values, digit_bits(piece, out), strict=True):
        found += [_integers(np.ldexp(coefficient, out - b), out) for b in places]
    return found


def digit_bits(piece: Segments, out: int) -> tuple[tuple[int, ...], ...]:
    """Binary places of the digits of each basis function, for results of ``out`` places."""
    shift, most = (out - 32) // 2, _fraction(piece)
    return tuple(tuple(min(max(b + shift, 0), most) if b else 0 for b in many) for many in piece.bits)


def evaluate(piece: Segments, window: Window, opened: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """The table in the clear: row ``j`` of the coefficients times the basis, modulo ``2 ** 64``."""
    j, dlo = segment(window, opened)
    rows = np.take_along_axis(coefficients(piece, window, masks), j[None, None], axis=0)[0]
    return (rows * basis(piece, window, dlo)).sum(0, dtype=np.uint64)


def apply(function: Piecewise, z: np.ndarray, masks: np.ndarray, scale: int, out: int = 32) -> np.ndarray:
    """A private function in the clear, bit for bit what the parties reveal.

    Args:
      function: of one variable.
      z: int64 of ``scale`` binary places.
      masks: uint64, of the same shape.
      scale: at most ``out``.
      out: binary places of the result.

    Returns:
      int64 of ``out`` binary places.
    """
    edges = np.array([round(t * 2**scale) for t in function.thresholds], np.int64)
    chosen, total = np.searchsorted(edges, z, side="right"), np.zeros(z.shape, np.uint64)
    opened = z.astype(np.uint64) + masks
    for i, piece in enumerate(function.pieces):
        if isinstance(piece, Line):
            value = line(piece, z.astype(np.uint64), scale, out)
        else:
            value = evaluate(piece, window(piece, scale, out), opened, masks)
        total += value * (chosen == i)
    return total.view(np.int64)


def line(piece: Line, z: Any, scale: int, out: int) -> Any:
    """``slope * z + offset`` with ``out`` binary places, of uint64 of ``scale`` places."""
    _require_room(piece.offset, out)
    slope, offset = piece.slope << (out - scale), round(piece.offset * 2**out)
    return z * np.uint64(slope % 2**64) + np.uint64(offset % 2**64)


def _moved(coefficients: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Chebyshev coefficients of the same polynomials on intervals moved by ``shift`` half widths."""
    degree = len(coefficients) - 1
    values = np.polynomial.chebyshev.chebval(nodes(degree)[:, None] + shift, coefficients, tensor=False)
    return interpolation(degree) @ values


def _integers(values: np.ndarray, out: int) -> np.ndarray:
    _require_room(np.ldexp(values, -out), out)
    return np.rint(values).astype(np.int64).view(np.uint64)


def _require_room(values: Any, out: int) -> None:
    if np.max(np.abs(values), initial=0) * 2.0**out >= 2.0**62:
        raise ValueError(
            f"a function's values are too large for {out} binary places in 64 bits: ask for fewer."
        )


def _fraction(piece: Segments) -> int:
    return EXP_FRACTION if piece.basis == "exponential" else FRACTION


def _finite(piece: Segments, values: np.ndarray) -> np.ndarray:
    if not np.isfinite(values).all():
        raise ValueError(f"the function is not finite everywhere from {piece.low} to {piece.high}.")
    return values
