"""A region of an image: by name in Python, as a box of shown pixels in the browser."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

DIMS = ("height", "width")
Region = dict[str, slice]


@dataclass(frozen=True)
class Regions:
    """How regions of images of one shape are written.

    Attributes:
      shape: height and width.
      shrink: how many pixels in a row are shown as one.
    """

    shape: tuple[int, int]
    shrink: int

    def checked(self, given: Mapping[str, Any]) -> Region:
        """A region with its starts and stops, as Python counts them, widened to whole shown pixels.

        Raises:
          ValueError: other dims than height and width, or nothing inside.
        """
        if set(given) != set(DIMS) or not all(isinstance(s, slice) for s in given.values()):
            raise ValueError(
                f"selection={dict(given)!r}: give a slice for each, "
                "{'height': slice(2, 5), 'width': slice(0, 8)}."
            )
        found = {}
        for dim, size in zip(DIMS, self.shape, strict=True):
            start, stop, step = given[dim].indices(size)
            if stop <= start or step != 1:
                raise ValueError(
                    f"the selection is empty: {given[dim]} along {dim}, which has {size} pixels; give a "
                    "start before the stop, and no step."
                )
            k = self.shrink
            found[dim] = slice(start // k * k, min(-(-stop // k) * k, size))
        return found

    def box(self, region: Region) -> list[int]:
        """Top, left, bottom, right in shown pixels."""
        k, rows, columns = self.shrink, region["height"], region["width"]
        return [rows.start // k, columns.start // k, -(-rows.stop // k), -(-columns.stop // k)]

    def region(self, box: Sequence[int]) -> Region:
        """The same, by name.

        Raises:
          ValueError: nothing inside.
        """
        top, left, bottom, right = (self.shrink * x for x in box)
        return self.checked({"height": slice(top, bottom), "width": slice(left, right)})


def words(region: Region) -> str:
    """Where it is: the first and the last pixel along each dim."""
    return ", ".join(f"{dim} {s.start} to {s.stop - 1}" for dim, s in region.items())
