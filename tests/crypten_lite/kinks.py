"""How far integrated gradients may be off where a ReLU or a max-pool changes its mind between two last places.

Between kinks the gradient of such a network is the same everywhere. So where the points of the path are moved by a few
last places, and the floats themselves then say something else, a kink is in reach, and by so much it makes them jump.
"""

import jax
import numpy as np

import namedtensor as nt
from namedtensor.models import digits_cnn

MOVES = 32  # a kink in reach is missed by all of them once in 2 ** 31
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(50)


def jumps(weights, image, target: int, fraction: int) -> np.ndarray:
    """``[height, width]``: how far apart the explanations of moved points are; 0 where no kink is in reach.

    Args:
      weights: of `digits_cnn`.
      image: ``[height, width]``.
      target: the class that is explained.
      fraction: binary places; points are moved by four times the last one, about as much as it is off.
    """
    image = np.asarray(image)
    points = image * (_NODES[:, None, None] + 1) / 2
    random = np.random.default_rng(0).normal(size=(MOVES, *points.shape))
    moved = (points + 4 * 2.0**-fraction * random).astype(np.float32)

    @jax.jit
    @jax.grad
    def gradients(x):
        return digits_cnn.apply(weights, nt.tensor(x, "batch height width")).array[:, target].sum()

    each = np.asarray(gradients(moved.reshape(-1, *image.shape))).reshape(moved.shape)
    explained = image * np.einsum("p,mphw->mhw", _WEIGHTS / 2, each)
    return np.ptp(explained, axis=0)
