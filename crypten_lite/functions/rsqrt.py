"""``1 / sqrt(z)`` for positive ``z``, by tables for ranges of numbers up to eight times their smallest.

Example:
  >>> import numpy as np
  >>> from crypten_lite.functions.rsqrt import RSQRT
  >>> from crypten_lite.functions.tables import apply
  >>> z, masks = np.array([1 << 16, 4 << 16, 1 << 12]), np.array([5, 6, 7], np.uint64)
  >>> np.round(apply(RSQRT, z, masks, scale=16) / 2**32, 2)
  array([1. , 0.5, 4. ])
"""

import numpy as np

from crypten_lite.functions.piecewise import Piecewise
from crypten_lite.functions.shapes import declared, saturated


def _rsqrt(x: np.ndarray) -> np.ndarray:
    return 1 / np.sqrt(x)


RSQRT = saturated("rsqrt", _rsqrt, (-12, 12), degree=5, power=-1, error=2.5e-4)
"""``1 / sqrt(z)`` within 2.5e-4 relative on ``[2 ** -12, 2 ** 12)``; beyond the ends 64 and 1 / 64."""


def rsqrt_on(low: float, high: float) -> Piecewise:
    """``1 / sqrt(z)`` for ``low <= z < high``, declared: a comparison for every factor of eight.

    Args:
      low: positive; the tables begin at the power of two at or below it.
      high: where they end, at most ``2 ** 24``.

    Returns:
      Error at most 2.5e-4 of ``max(1 / sqrt(z), 2 ** -6)``; 48 coefficients for each factor of eight.

    Raises:
      ValueError: a range that is empty, or reaches below ``2 ** -16`` or above ``2 ** 24``.

    Example:
      >>> from crypten_lite.functions.rsqrt import rsqrt_on
      >>> rsqrt_on(0.5, 3).thresholds
      ()
    """
    return declared("rsqrt", _rsqrt, (low, high), degree=5, power=-1, error=2.5e-4, floor=2.0**-6)
