"""The logistic function, for any argument.

Example:
  >>> import numpy as np
  >>> from crypten_lite.functions.sigmoid import SIGMOID
  >>> from crypten_lite.functions.tables import apply
  >>> z, masks = np.array([-99 << 16, 0, 1 << 16]), np.array([5, 6, 7], np.uint64)
  >>> np.round(apply(SIGMOID, z, masks, scale=16) / 2**32, 2)
  array([0.  , 0.5 , 0.73])
"""

import numpy as np

from crypten_lite.functions.piecewise import Line
from crypten_lite.functions.reals import sigmoid
from crypten_lite.functions.shapes import between


def _derivative(x: np.ndarray) -> np.ndarray:
    return sigmoid(x) * sigmoid(-x)


SIGMOID = between("sigmoid", sigmoid, 14.0, 7, 1.5e-4, Line(0, 0.0), Line(0, 1.0))
"""``1 / (1 + exp(-z))``, within 1.5e-4."""

SIGMOID_DERIVATIVE = between(
    "derivative of sigmoid", _derivative, 14.0, 7, 3.6e-4, Line(0, 0.0), Line(0, 0.0)
)
"""``sigmoid(z) * sigmoid(-z)``, within 3.6e-4."""
