"""The hyperbolic tangent, for any argument.

Example:
  >>> import numpy as np
  >>> from crypten_lite.functions.tanh import TANH
  >>> from crypten_lite.functions.tables import apply
  >>> z, masks = np.array([-99 << 16, 0, 1 << 16]), np.array([5, 6, 7], np.uint64)
  >>> np.round(apply(TANH, z, masks, scale=16) / 2**32, 2) + 0.0
  array([-1.  ,  0.  ,  0.76])
"""

import numpy as np

from crypten_lite.functions.piecewise import Line
from crypten_lite.functions.shapes import between


def _derivative(x: np.ndarray) -> np.ndarray:
    return 1 - np.square(np.tanh(x))


TANH = between("tanh", np.tanh, 7.0, 7, 2.8e-4, Line(0, -1.0), Line(0, 1.0))
"""``tanh(z)``, within 2.8e-4."""

TANH_DERIVATIVE = between("derivative of tanh", _derivative, 7.0, 8, 4.4e-4, Line(0, 0.0), Line(0, 0.0))
"""``1 - tanh(z) ** 2``, within 4.4e-4."""
