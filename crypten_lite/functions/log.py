"""The natural logarithm, by tables for ranges of numbers up to eight times their smallest.

Example:
  >>> import numpy as np
  >>> from crypten_lite.functions.log import LOG
  >>> from crypten_lite.functions.tables import apply
  >>> z, masks = np.array([1 << 16, 10 << 16, 1 << 15]), np.array([5, 6, 7], np.uint64)
  >>> np.round(apply(LOG, z, masks, scale=16) / 2**32, 2)
  array([ 0.  ,  2.3 , -0.69])
"""

import numpy as np

from crypten_lite.functions.piecewise import Piecewise
from crypten_lite.functions.shapes import declared, saturated

LOG = saturated("log", np.log, (-12, 12), degree=4, power=0, error=2e-4, relative=False)
"""``log(z)`` within 2e-4 on ``[2 ** -12, 2 ** 12)``; beyond the ends -8.318 and 8.318."""


def log_on(low: float, high: float) -> Piecewise:
    """``log(z)`` for ``low <= z < high``, declared: a comparison for every factor of eight.

    Args:
      low: positive; the tables begin at the power of two at or below it.
      high: where they end, at most ``2 ** 24``.

    Returns:
      Error at most 2e-4; 40 coefficients for each factor of eight.

    Raises:
      ValueError: a range that is empty, or reaches below ``2 ** -16`` or above ``2 ** 24``.

    Example:
      >>> from crypten_lite.functions.log import log_on
      >>> log_on(1, 1000).thresholds
      (8.0, 64.0, 512.0)
    """
    return declared("log", np.log, (low, high), degree=4, power=0, error=2e-4, relative=False)
