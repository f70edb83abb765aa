"""``1 / z``, by tables for ranges of numbers up to eight times their smallest.

Example:
  >>> import numpy as np
  >>> from crypten_lite.functions.reciprocal import RECIPROCAL
  >>> from crypten_lite.functions.tables import apply
  >>> z, masks = np.array([1 << 16, 3 << 16, 1 << 13]), np.array([5, 6, 7], np.uint64)
  >>> np.round(apply(RECIPROCAL, z, masks, scale=16) / 2**32, 2)
  array([1.  , 0.33, 8.  ])
"""

import numpy as np

from crypten_lite.functions.piecewise import Piecewise
from crypten_lite.functions.shapes import declared, odd, saturated

RECIPROCAL = saturated("reciprocal", np.reciprocal, (-12, 12), degree=5, power=-2, error=7e-4)
"""``1 / z`` within 7e-4 relative on ``[2 ** -12, 2 ** 12)``; beyond the ends 4096 and 1 / 4096."""

RECIPROCAL_SIGNED = odd(RECIPROCAL)
"""``1 / z`` within 7e-4 relative for ``2 ** -12 <= abs(z) < 2 ** 12``, but 0 for ``-2 ** -12``.

It is 0 for others up to ``2 ** -12`` too.

Twice the tables and the comparisons of `RECIPROCAL`, all of them in the same rounds.
"""


def reciprocal_on(low: float, high: float) -> Piecewise:
    """``1 / z`` for ``low <= z < high``, declared: a comparison for every factor of eight.

    Args:
      low: positive; the tables begin at the power of two at or below it.
      high: where they end, at most ``2 ** 24``.

    Returns:
      Error at most 1e-3 of ``max(1 / z, 2 ** -12)``; 56 to 72 coefficients for each factor of eight.

    Raises:
      ValueError: a range that is empty, or reaches below ``2 ** -16`` or above ``2 ** 24``.

    Example:
      >>> from crypten_lite.functions.reciprocal import reciprocal_on
      >>> reciprocal_on(0.9, 1000).thresholds
      (4.0, 32.0, 256.0)
    """
    return declared("reciprocal", np.reciprocal, (low, high), degree=6, power=-2, error=1e-3, floor=2.0**-12)
