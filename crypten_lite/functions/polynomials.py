"""Public polynomials in integers, the same bit for bit on every machine, and the dealer's fit to them."""

import functools
from typing import Any

import numpy as np

FRACTION = 30  # binary places of Chebyshev polynomials: products of two still have a spare bit
EXP_FRACTION = 28  # of exp(y) for abs(y) <= 2, where exp(y) * y stays below 2 ** 4
_EXP_ORDER = 18  # 2 ** 19 / 19! is below 2 ** -37


def chebyshev(remainder: Any, bits: int, degree: int) -> list[Any]:
    """Chebyshev polynomials of ``2 * remainder / 2 ** bits - 1``, in units of ``2 ** -FRACTION``.

    Floors of the recurrence add up to less than ``order ** 2`` units, and so do the bits of the remainder
    that are dropped (there are some if ``bits`` is more than `FRACTION`).

    Args:
      remainder: int64 array of ``0 <= remainder < 2 ** bits``.
      bits: of the remainder.
      degree: of the last.
    """
    doubled = 2 * remainder - (1 << bits)  # the position times 2 ** bits
    x = doubled << (FRACTION - bits) if bits <= FRACTION else doubled >> (bits - FRACTION)
    values = [x * 0 + (1 << FRACTION), x]
    for _ in range(degree - 1):
        values.append(((x * values[-1]) >> (FRACTION - 1)) - values[-2])
    return values[: degree + 1]


def exponential(remainder: Any, bits: int, scale: int) -> Any:
    """``exp((remainder - 2 ** (bits - 1)) * 2 ** -scale)`` in units of ``2 ** -EXP_FRACTION``.

    By Horner's rule in integers; its floors and the dropped bits add up to less than 32 units.

    Args:
      remainder: int64 array of ``0 <= remainder < 2 ** bits``.
      bits: of the remainder; at most ``scale + 2``, so that the argument is between -2 and 2.
      scale: binary places of the remainder.
    """
    doubled, places = 2 * remainder - (1 << bits), scale + 1
    y = doubled << (EXP_FRACTION - places) if places <= EXP_FRACTION else doubled >> (places - EXP_FRACTION)
    one = 1 << EXP_FRACTION
    value = y * 0 + one
    for n in range(_EXP_ORDER, 0, -1):
        value = one + ((y * value) >> EXP_FRACTION) // n
    return value


def digits(value: Any, fraction: int, bits: tuple[int, ...]) -> list[Any]:
    """A number of ``fraction`` binary places as a sum of digits, of the given places, each rounded."""
    found = []
    for places in bits:
        drop = fraction - places
        digit = (value + ((1 << drop) >> 1)) >> drop
        found.append(digit)
        value = value - (digit << drop)
    return found


@functools.cache
def nodes(degree: int) -> np.ndarray:
    """The ``degree + 1`` Chebyshev points of the first kind, in ``(-1, 1)``."""
    count = degree + 1
    return np.cos(np.pi * (np.arange(count) + 0.5) / count)


@functools.cache
def interpolation(degree: int) -> np.ndarray:
    """The matrix that takes values at the `nodes` to Chebyshev coefficients."""
    count = degree + 1
    matrix = np.cos(np.outer(np.arange(count), np.arccos(nodes(degree)))) * (2 / count)
    matrix[0] /= 2
    return matrix
