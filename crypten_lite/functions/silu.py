"""The sigmoid linear unit (swish), for any argument.

Source: Elfwing, Uchibe, Doya 2017, arXiv:1702.03118.

Example:
  >>> import numpy as np
  >>> from crypten_lite.functions.silu import SILU
  >>> from crypten_lite.functions.tables import apply
  >>> z, masks = np.array([-99 << 16, 99 << 16, 1 << 16]), np.array([5, 6, 7], np.uint64)
  >>> np.round(apply(SILU, z, masks, scale=16) / 2**32, 2)
  array([ 0.  , 99.  ,  0.73])
"""

import numpy as np

from crypten_lite.functions.piecewise import Line
from crypten_lite.functions.reals import sigmoid
from crypten_lite.functions.shapes import between


def _silu(x: np.ndarray) -> np.ndarray:
    return x * sigmoid(x)


def _derivative(x: np.ndarray) -> np.ndarray:
    return sigmoid(x) * (1 + x * sigmoid(-x))


SILU = between("silu", _silu, 14.0, 8, 1.6e-4, Line(0, 0.0), Line(1, 0.0))
"""``z * sigmoid(z)``, within 1.6e-4."""

SILU_DERIVATIVE = between("derivative of silu", _derivative, 14.0, 8, 3.8e-4, Line(0, 0.0), Line(0, 1.0))
"""``sigmoid(z) * (1 + z * sigmoid(-z))``, within 3.8e-4."""
