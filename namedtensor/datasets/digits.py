"""The 1797 handwritten digits that scikit-learn carries: real images, no download."""

from dataclasses import dataclass

import numpy as np

from namedtensor._optional import optional
from namedtensor._tensor import NamedTensor, tensor

_EVERY = 6  # each sixth image is held out: 299 of 1797, all writers in both parts


@dataclass(frozen=True)
class Digits:
    """Images and their labels.

    Attributes:
      images: ``[batch height:8 width:8]``, float32, 0 (paper) to 1 (ink).
      labels: ``[batch]``, int32, the digit 0 to 9.
    """

    images: NamedTensor
    labels: NamedTensor

    def __len__(self) -> int:
        return self.labels.shape["batch"]


def load(split: str = "train") -> Digits:
    """The digits of one part of the fixed split.

    Args:
      split: ``"train"`` (1498 images), ``"heldout"`` (299) or ``"all"`` (1797).

    Raises:
      ValueError: another ``split``.
      ImportError: scikit-learn is not installed.

    Source: E. Alpaydin, C. Kaynak (1998), Optical Recognition of Handwritten Digits, UCI Machine
    Learning Repository, DOI 10.24432/C50P49; the test part, as distributed with scikit-learn.
    """
    parts = {
        "train": lambda i: i % _EVERY != _EVERY - 1,
        "heldout": lambda i: i % _EVERY == _EVERY - 1,
        "all": lambda i: i >= 0,
    }
    if split not in parts:
        raise ValueError(f"split={split!r} is not known: choose one of {', '.join(map(repr, parts))}.")
    with optional("models"):
        from sklearn.datasets import load_digits
    images, labels = load_digits(return_X_y=True)
    chosen = parts[split](np.arange(len(labels)))
    pixels = images[chosen].reshape(-1, 8, 8).astype(np.float32) / 16
    return Digits(tensor(pixels, "batch height width"), tensor(labels[chosen].astype(np.int32), "batch"))
