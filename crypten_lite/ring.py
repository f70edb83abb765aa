"""The integers modulo a power of two, in which all shares live."""

import functools
import operator
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Ring:
    """The integers modulo ``2 ** bits``, held as the smallest unsigned integers of NumPy that fit.

    Private computation uses 64 bits. Small rings are there for proofs: everything can be enumerated.
    Sums and products of NumPy's unsigned integers wrap around by themselves where the dtype has as many
    bits as the ring; `wrap` does it for the others.

    Args:
      bits: 2 to 64.

    Raises:
      ValueError: another number of bits.

    Example:
      >>> import numpy as np
      >>> from crypten_lite.ring import Ring
      >>> small = Ring(4)
      >>> small.wrap(small.of([7, -3]) + small.of([12, 1]))
      array([ 3, 14], dtype=uint8)
      >>> small.signed(np.array([3, 14], np.uint8))
      array([ 3, -2])
    """

    bits: int = 64

    def __post_init__(self) -> None:
        if not 2 <= self.bits <= 64:
            raise ValueError(f"a ring of {self.bits} bits: give 2 to 64.")

    @functools.cached_property
    def dtype(self) -> np.dtype:
        """The dtype of its elements."""
        return np.dtype(next(f"uint{b}" for b in (8, 16, 32, 64) if self.bits <= b))

    @functools.cached_property
    def is_native(self) -> bool:
        """Whether the dtype wraps around where the ring does."""
        return self.dtype.itemsize * 8 == self.bits

    def of(self, integers: Any) -> Any:
        """Elements of integers of any sign and size.

        Raises:
          TypeError: no integers.
        """
        array = np.asarray(integers)
        if array.dtype == object:  # Python's integers beyond 64 bits
            elements = [operator.index(n) % 2**self.bits for n in array.flat]
            return np.array(elements, self.dtype).reshape(array.shape)
        if array.dtype.kind not in "iub":
            raise TypeError(f"elements of a ring are made of integers, not of {array.dtype}.")
        return self.wrap(array.astype(self.dtype))

    def wrap(self, array: Any) -> Any:
        """An array of the ring's dtype, modulo ``2 ** bits``; of NumPy or JAX."""
        return array if self.is_native else array & self.dtype.type(2**self.bits - 1)

    def signed(self, elements: Any) -> Any:
        """The representatives from ``-2 ** (bits - 1)`` to below ``2 ** (bits - 1)``, as int64 of NumPy."""
        spare = 64 - self.bits
        return (np.asarray(elements).astype(np.uint64) << np.uint64(spare)).view(np.int64) >> np.int64(spare)
