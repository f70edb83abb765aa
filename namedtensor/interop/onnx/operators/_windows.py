"""Windows that slide, as ONNX writes them: one number for each spatial axis, and padding by four rules."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from namedtensor.interop.onnx.errors import OnnxError

Sizes = tuple[int, ...]
Rows = tuple[int, int]  # added before and after an axis


@dataclass(frozen=True)
class Windows:
    """One setting for each spatial axis.

    Attributes:
      widths: how many rows a window has.
      strides: how far apart windows start.
      dilations: how far apart the rows of a window are.
      pads: rows before and after, as the file says.
      after: rows behind, as many as the windows reach: more than `pads` where sizes are rounded up.
      counts: how many windows there are.
    """

    widths: Sizes
    strides: Sizes
    dilations: Sizes
    pads: tuple[Rows, ...]
    after: Sizes
    counts: Sizes

    @property
    def edges(self) -> tuple[Rows, ...]:
        """Rows to add before and after each axis, such that all windows are inside."""
        return tuple((before, after) for (before, _), after in zip(self.pads, self.after, strict=True))

    def rows(self, axis: int) -> np.ndarray:
        """The row that each element of each window reads, ``[window, element]``; negative in the padding."""
        first = np.arange(self.counts[axis]) * self.strides[axis] - self.pads[axis][0]
        return np.add.outer(first, np.arange(self.widths[axis]) * self.dilations[axis])


def windows(
    sizes: Sequence[int],
    widths: Sequence[int],
    *,
    strides: Sequence[int] | None = None,
    dilations: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
) -> Windows:
    """Windows over axes of these sizes, from the attributes of a node.

    Raises:
      OnnxError: another number of settings than axes, or a window larger than the padded input.
    """
    n = len(sizes)
    steps, gaps = per_axis(strides, n, "strides"), per_axis(dilations, n, "dilations")
    per_axis(widths, n, "kernel_shape")
    reach = [(w - 1) * d + 1 for w, d in zip(widths, gaps, strict=True)]
    around = padding(sizes, reach, steps, pads, auto_pad)
    counts, after = [], []
    for size, r, step, (before, behind) in zip(sizes, reach, steps, around, strict=True):
        counts.append(_count(size, r, step, before, behind, bool(ceil_mode)))
        after.append(max(behind, (counts[-1] - 1) * step + r - size - before))
    return Windows(tuple(widths), steps, gaps, around, tuple(after), tuple(counts))


def per_axis(values: Sequence[int] | None, n: int, what: str, least: int = 1) -> Sizes:
    """A setting for each of ``n`` axes; 1 each (or ``least``) where the file says nothing."""
    found = (least,) * n if not values else tuple(values)
    if len(found) != n or min(found, default=least) < least:
        raise OnnxError(
            f"{what} is {list(found)}: there are {n} spatial axes, and each needs {least} or more."
        )
    return found


def padding(
    sizes: Sequence[int],
    reach: Sequence[int],
    steps: Sequence[int],
    pads: Sequence[int] | None,
    auto_pad: str,
) -> tuple[Rows, ...]:
    """Rows before and after each axis: given, none, or such that ``ceil(size / stride)`` come out."""
    n = len(sizes)
    if auto_pad == "NOTSET":
        given = per_axis(pads, 2 * n, "pads", least=0)
        return tuple(zip(given[:n], given[n:], strict=True))
    if auto_pad == "VALID":
        return ((0, 0),) * n
    totals = [max((-(-s // t) - 1) * t + r - s, 0) for s, r, t in zip(sizes, reach, steps, strict=True)]
    return tuple(split(total, auto_pad) for total in totals)


def split(total: int, auto_pad: str) -> Rows:
    """Rows on both sides; the odd one is behind for ``SAME_UPPER``, else in front."""
    less = total // 2
    return (less, total - less) if auto_pad == "SAME_UPPER" else (total - less, less)


def _count(size: int, reach: int, step: int, before: int, behind: int, up: bool) -> int:
    room = size + before + behind - reach
    if room < 0:
        raise OnnxError(
            f"the window spans {reach} rows of an axis that has {size + before + behind} with its padding."
        )
    count = -(-room // step) + 1 if up else room // step + 1
    starts_inside = (
        count - 1
    ) * step < size + before  # a window that starts in the padding behind is dropped
    return count if not up or starts_inside else count - 1
