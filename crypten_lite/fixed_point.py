"""Numbers as elements of a ring: multiples of ``2 ** -fraction``, exactly."""

from dataclasses import dataclass, field
from typing import Any

import jax.numpy as jnp
import numpy as np

from crypten_lite.ring import Ring


@dataclass(frozen=True)
class FixedPoint:
    """Numbers with ``fraction`` binary places, as elements of a ring.

    A number ``x`` becomes ``round(x * 2 ** fraction)``, ties to even; an element ``e`` stands for
    ``signed(e) / 2 ** fraction``. Both are exact: the one rounding is the one to the grid, or, back, to
    the floats that are asked for.

    Args:
      fraction: binary places.
      ring: of which a product of two numbers still has two spare bits, so that it can be truncated.

    Raises:
      ValueError: so many places that no number is left.

    Example:
      >>> from crypten_lite.fixed_point import FixedPoint
      >>> point = FixedPoint(fraction=4)
      >>> point.encode([0.5, -0.25])
      array([                   8, 18446744073709551612], dtype=uint64)
      >>> point.decode(point.encode([0.51, -0.25]))
      array([ 0.5 , -0.25], dtype=float32)
    """

    fraction: int = 16
    ring: Ring = field(default_factory=Ring)

    def __post_init__(self) -> None:
        if self.ring.bits < 3:
            raise ValueError(f"a ring of {self.ring.bits} bits has no room for products: give 3 or more.")
        if not 0 <= 2 * self.fraction < self.ring.bits - 2:
            raise ValueError(
                f"fraction={self.fraction}: a ring of {self.ring.bits} bits has room for 0 to "
                f"{(self.ring.bits - 3) // 2} places, because products have twice as many."
            )

    @property
    def limit(self) -> float:
        """Numbers that can be shared are smaller, in magnitude: ``2 ** (bits - 2 - 2 * fraction)``."""
        return 2.0 ** (self.ring.bits - 2 - 2 * self.fraction)

    def encode(self, values: Any, what: str = "the value") -> Any:
        """Elements of numbers, rounded to the grid.

        Args:
          values: an array of floats, integers or booleans.
          what: it is, in messages.

        Raises:
          TypeError: no real numbers.
          ValueError: NaN or infinity, or a number that is not below the `limit` once it is rounded.
        """
        array = np.asarray(values)
        if array.dtype == bool or jnp.issubdtype(array.dtype, np.integer):
            array = array.astype(np.uint64 if array.dtype == np.uint64 else np.int64)
            most = int(self.limit)
            self._require((array > -most) & (array < most), array, what)
            return self.ring.of(array.astype(np.int64) << np.int64(self.fraction))
        if not jnp.issubdtype(array.dtype, np.floating):  # NumPy does not know bfloat16 as one
            raise TypeError(f"{what} is of {array.dtype}: only real numbers can be shared.")
        with np.errstate(over="ignore"):
            # A power of two scales a float64 exactly, and its rounding is the only one.
            codes = np.rint(np.ldexp(array.astype(np.float64), self.fraction))
        self._require(np.abs(codes) < np.ldexp(self.limit, self.fraction), array, what)
        return self.ring.of(codes.astype(np.int64))

    def decode(self, elements: Any, dtype: Any = np.float32, *, fraction: int | None = None) -> Any:
        """The numbers that elements stand for: of float32 and float64 the nearest ones.

        Args:
          elements: of the ring.
          dtype: of the floats.
          fraction: their binary places, where these are not the usual ones (a product has twice as many).
        """
        places = self.fraction if fraction is None else fraction
        integers, wide = self.ring.signed(np.asarray(elements)), np.dtype(dtype)
        if wide.itemsize < 4:  # no range for the integers themselves
            return np.ldexp(integers.astype(np.float64), -places).astype(wide)
        # Rounded once, from the integer; the power of two that follows is exact.
        return np.ldexp(integers.astype(wide), -places)

    def _require(self, good: Any, array: Any, what: str) -> None:
        if good.all():
            return
        place = tuple(int(i) for i in np.argwhere(~good)[0])
        value = array[place]
        where = f"{what} has {value} at {list(place)}" if place else f"{what} is {value}"
        if not np.isfinite(np.float64(value)):
            raise ValueError(f"{where}: NaN and infinity cannot be shared.")
        raise ValueError(
            f"{where}, beyond the range: with fraction={self.fraction} in a ring of {self.ring.bits} bits "
            f"numbers are smaller than {self.limit:.6g} in magnitude. Scale it, or choose fewer places."
        )
