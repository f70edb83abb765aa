"""The weights of a resized axis: where each new place lies on the old axis, and what it takes from there.

All of it is known when the shapes are, so it is NumPy; resizing is then a product of matrices.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from namedtensor.interop.onnx.errors import OnnxError

ROUNDED: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "round_prefer_floor": lambda at: np.ceil(at - 0.5),
    "round_prefer_ceil": lambda at: np.floor(at + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}


@dataclass(frozen=True)
class Axis:
    """How one axis is resized.

    Attributes:
      size: before.
      new: after.
      scale: the ratio of the two, before the new size was rounded.
      exact: whether the new size was asked for, and the scale is what follows from it.
      roi: the part of the axis that is taken, of ``tf_crop_and_resize``.
    """

    size: int
    new: int
    scale: float
    exact: bool
    roi: tuple[float, float] = (0.0, 1.0)

    def places(self, how: str, dtype: type = np.float64) -> np.ndarray:
        """Where the new places lie on the old axis."""
        x, size = np.arange(self.new).astype(dtype), dtype(self.size)
        length = dtype(self.new) if self.exact else dtype(self.scale) * size
        half = dtype(0.5)

        def old(at: np.ndarray) -> np.ndarray:
            return at * size / length if self.exact else at / dtype(self.scale)

        if how == "half_pixel":
            return old(x + half) - half
        if how == "asymmetric":
            return old(x)
        if how == "align_corners":
            return x * 0 if length == 1 else x * (size - 1) / (length - 1)
        if how == "pytorch_half_pixel":
            return x * 0 - half if length == 1 else old(x + half) - half
        if how == "half_pixel_symmetric":
            return size / 2 * (1 - dtype(self.new) / length) + old(x + half) - half
        if how == "tf_half_pixel_for_nn":
            return old(x + half)
        if how == "tf_crop_and_resize":
            start, end = (dtype(edge) * (size - 1) for edge in self.roi)
            return (start + end) / 2 + x * 0 if length == 1 else start + x * (end - start) / (length - 1)
        raise OnnxError(f"coordinate_transformation_mode {how!r} is not known.")

    def nearest(self, how: str, rounding: str) -> np.ndarray:
        """The old row of each new one; ``simple`` is what runtimes did before a file could say it."""
        if rounding == "simple":
            rounding = "ceil" if self.scale < 1 else "floor"
        if rounding not in ROUNDED:
            raise OnnxError(f"nearest_mode {rounding!r} is none of {', '.join(ROUNDED)}.")
        # 32 bits, as the scale has: a third of three is one, and not a little less
        at = ROUNDED[rounding](self.places(how, np.float32))
        return np.clip(at, 0, self.size - 1).astype(np.int64)

    def outside(self, how: str) -> np.ndarray:
        """The new places that a crop takes from beyond the old axis."""
        at = self.places(how)
        return (at < 0) | (at > self.size - 1)

    def weights(
        self, how: str, kernel: Callable[[np.ndarray], np.ndarray], reach: int, antialias: bool, exclude: bool
    ) -> np.ndarray:
        """``[new, old]``: what a new row takes of each old one; beyond the edges is the edge, or nothing."""
        narrow = min(self.scale, 1.0) if antialias else 1.0
        at, wide = self.places(how), int(np.ceil(reach / narrow))
        rows = np.floor(at)[:, None] + np.arange(-wide, wide + 2)
        taken = kernel((rows - at[:, None]) * narrow)
        if exclude:
            taken = np.where((rows >= 0) & (rows < self.size), taken, 0)
        if exclude or antialias:
            taken = taken / taken.sum(-1, keepdims=True)
        matrix = np.zeros((self.new, self.size))
        np.add.at(matrix, (np.arange(self.new)[:, None], np.clip(rows, 0, self.size - 1).astype(int)), taken)
        return matrix


def hat(d: np.ndarray) -> np.ndarray:
    """Linear interpolation."""
    return np.clip(1 - np.abs(d), 0, None)


def cubic(a: float) -> Callable[[np.ndarray], np.ndarray]:
    """Cubic convolution.

    References:
      Keys 1981, Cubic convolution interpolation for digital image processing.
    """

    def kernel(d: np.ndarray) -> np.ndarray:
        d = np.abs(d)
        near = ((a + 2) * d - (a + 3)) * d * d + 1
        far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
        return np.where(d <= 1, near, np.where(d < 2, far, 0))

    return kernel
