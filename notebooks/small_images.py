"""What the methods must be told on small images, and the units of what they return."""

from collections.abc import Mapping
from typing import Any

import numpy as np

import namedtensor as nt
from captum_lite.methods import IMAGE_METHODS, METHODS

_SIDES = ("height", "width")
_FINE, _COARSE = 8, 4  # cells along a side: as features, and where their number is what counts
_SLOPES = ("saliency", "guided backprop", "deconvolution", "SmoothGrad")  # scores per input, not scores


def options(method: str, shape: Mapping[str, int]) -> dict[str, Any]:
    """Options with which a method answers in seconds.

    Args:
      method: a key of `captum_lite.methods.METHODS` or ``IMAGE_METHODS``.
      shape: of the images.
    """
    if method == "occlusion":
        return {"sliding_window_shapes": {side: shape[side] // _COARSE for side in _SIDES}}
    known = (METHODS | IMAGE_METHODS)[method](_no_model).defaults()
    exact = method == "Shapley values"  # of 2 to the number of features evaluations
    return {"feature_mask": cells(shape, _COARSE if exact else _FINE)} if "feature_mask" in known else {}


def cells(shape: Mapping[str, int], n: int) -> nt.NamedTensor:
    """The number of the cell that each pixel is in, of n x n cells: ``[height width]``."""
    rows, columns = (np.arange(shape[side]) * n // shape[side] for side in _SIDES)
    return nt.tensor(np.add.outer(n * rows, columns), "height width")


def units(method: str, measure: str) -> str:
    """The units of a method's attributions of a logit to what is measured in ``measure``."""
    if method == "VarGrad":
        return f"logit²/{measure}²"
    return f"logit/{measure}" if method in _SLOPES else "logit"


def _no_model(_: Any) -> Any:
    raise AssertionError("only the names of the options are asked for")
