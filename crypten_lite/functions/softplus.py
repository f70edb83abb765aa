"""The softplus function, for any argument; its derivative is the sigmoid.

Example:
  >>> import numpy as np
  >>> from crypten_lite.functions.softplus import SOFTPLUS
  >>> from crypten_lite.functions.tables import apply
  >>> z, masks = np.array([-99 << 16, 99 << 16, 0]), np.array([5, 6, 7], np.uint64)
  >>> np.round(apply(SOFTPLUS, z, masks, scale=16) / 2**32, 2)
  array([ 0.  , 99.  ,  0.69])
"""

import numpy as np

from crypten_lite.functions.piecewise import Line
from crypten_lite.functions.shapes import between


def _softplus(x: np.ndarray) -> np.ndarray:
    return np.logaddexp(0, x)


SOFTPLUS = between("softplus", _softplus, 14.0, 7, 1e-4, Line(0, 0.0), Line(1, 0.0))
"""``log(1 + exp(z))``, within 1e-4."""
