"""``sqrt(z)``, by tables for ranges of numbers up to eight times their smallest.

Example:
  >>> import numpy as np
  >>> from crypten_lite.functions.sqrt import SQRT
  >>> from crypten_lite.functions.tables import apply
  >>> z, masks = np.array([0, 4 << 16, 1 << 14]), np.array([5, 6, 7], np.uint64)
  >>> np.round(apply(SQRT, z, masks, scale=16) / 2**32, 2)
  array([0. , 2. , 0.5])
"""

import numpy as np

from crypten_lite.functions.piecewise import Line, Piecewise
from crypten_lite.functions.shapes import declared, saturated

SQRT = saturated("sqrt", np.sqrt, (-12, 12), degree=3, power=1, error=3e-4, below=Line(0, 0.0))
"""``sqrt(z)`` within 3e-4 relative on ``[2 ** -12, 2 ** 12)``; 0 below (off by up to 1 / 64), 64 above."""


def sqrt_on(low: float, high: float) -> Piecewise:
    """``sqrt(z)`` for ``low <= z < high``, declared: a comparison for every factor of eight.

    Args:
      low: positive; the tables begin at the power of two at or below it.
      high: where they end, at most ``2 ** 24``.

    Returns:
      Error at most 3e-4 of ``max(sqrt(z), 2 ** -6)``; 32 coefficients for each factor of eight.

    Raises:
      ValueError: a range that is empty, or reaches below ``2 ** -16`` or above ``2 ** 24``.

    Example:
      >>> from crypten_lite.functions.sqrt import sqrt_on
      >>> sqrt_on(1, 64).thresholds
      (8.0,)
    """
    return declared("sqrt", np.sqrt, (low, high), degree=3, power=1, error=3e-4, floor=2.0**-6)
