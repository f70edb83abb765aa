"""The Gaussian error linear unit, for any argument.

Source: Hendrycks, Gimpel 2016, arXiv:1606.08415.

Example:
  >>> import numpy as np
  >>> from crypten_lite.functions.gelu import GELU
  >>> from crypten_lite.functions.tables import apply
  >>> z, masks = np.array([-99 << 16, 99 << 16, 1 << 16]), np.array([5, 6, 7], np.uint64)
  >>> np.round(apply(GELU, z, masks, scale=16) / 2**32, 2)
  array([ 0.  , 99.  ,  0.84])
"""

import numpy as np

from crypten_lite.functions.piecewise import Line
from crypten_lite.functions.reals import normal, normal_below, sigmoid
from crypten_lite.functions.shapes import between


def _gelu(x: np.ndarray) -> np.ndarray:
    return x * normal_below(x)


def _derivative(x: np.ndarray) -> np.ndarray:
    return normal_below(x) + x * normal(x)


def _inner(x: np.ndarray) -> np.ndarray:
    return np.sqrt(8 / np.pi) * (x + 0.044715 * x**3)


def _gelu_tanh(x: np.ndarray) -> np.ndarray:
    return x * sigmoid(_inner(x))


def _derivative_tanh(x: np.ndarray) -> np.ndarray:
    u = _inner(x)
    return sigmoid(u) + x * sigmoid(u) * sigmoid(-u) * np.sqrt(8 / np.pi) * (1 + 3 * 0.044715 * x**2)


GELU = between("gelu", _gelu, 7.0, 6, 1.2e-4, Line(0, 0.0), Line(1, 0.0))
"""``z * (1 + erf(z / sqrt(2))) / 2``, within 1.2e-4."""

GELU_DERIVATIVE = between("derivative of gelu", _derivative, 7.0, 7, 7e-5, Line(0, 0.0), Line(0, 1.0))
"""``normal_below(z) + z * normal(z)``, within 7e-5."""

GELU_TANH = between("gelu by tanh", _gelu_tanh, 7.0, 6, 1.2e-4, Line(0, 0.0), Line(1, 0.0))
"""``z * (1 + tanh(sqrt(2 / pi) * (z + 0.044715 * z ** 3))) / 2``, within 1.2e-4: JAX's default."""

GELU_TANH_DERIVATIVE = between(
    "derivative of gelu by tanh", _derivative_tanh, 7.0, 7, 8e-5, Line(0, 0.0), Line(0, 1.0)
)
"""The derivative of `GELU_TANH`, within 8e-5."""
