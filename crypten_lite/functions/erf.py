"""The error function, for any argument.

Example:
  >>> import numpy as np
  >>> from crypten_lite.functions.erf import ERF
  >>> from crypten_lite.functions.tables import apply
  >>> z, masks = np.array([-99 << 16, 0, 1 << 16]), np.array([5, 6, 7], np.uint64)
  >>> np.round(apply(ERF, z, masks, scale=16) / 2**32, 2) + 0.0
  array([-1.  ,  0.  ,  0.84])
"""

import numpy as np

from crypten_lite.functions.piecewise import Line
from crypten_lite.functions.reals import erf
from crypten_lite.functions.shapes import between


def _erfc(x: np.ndarray) -> np.ndarray:
    return 1 - erf(x)


def _derivative(x: np.ndarray) -> np.ndarray:
    return 2 / np.sqrt(np.pi) * np.exp(-np.square(x))


ERF = between("erf", erf, 3.5, 5, 7e-5, Line(0, -1.0), Line(0, 1.0))
"""``erf(z)``, within 7e-5."""

ERFC = between("erfc", _erfc, 3.5, 5, 7e-5, Line(0, 2.0), Line(0, 0.0))
"""``1 - erf(z)``, within 7e-5 (absolute)."""

ERF_DERIVATIVE = between("derivative of erf", _derivative, 3.5, 5, 2e-4, Line(0, 0.0), Line(0, 0.0))
"""``2 / sqrt(pi) * exp(-z ** 2)``, within 2e-4."""
