"""How a tensor shows itself: in notebooks, in treescope, and as a plot.

These are hooks only. The pictures are in `namedtensor.viz`, which is imported when one is asked for.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from namedtensor._errors import BadPattern
from namedtensor._tensor import NamedTensor
from namedtensor.ops._table import attach, method


def _table(x: NamedTensor) -> str:
    from namedtensor.viz.table import as_html

    return as_html(x)


def _treescope_repr(x: NamedTensor, path: str | None, subtree_renderer: Any) -> Any:
    """What treescope shows wherever a tensor stands in a tree."""
    from namedtensor.viz.scope import rendering

    return rendering(x, path)


def _treescope_adapter(x: NamedTensor) -> Any:
    """How treescope's array pictures read the names and the values."""
    from namedtensor.viz.scope import ADAPTER

    return ADAPTER


# A property that gives a function, not a method: notebooks call either, and treescope, which has its
# own picture, would frame the table of a method beside it.
attach("_repr_html_", property(lambda x: functools.partial(_table, x)))
attach("__treescope_repr__", _treescope_repr)
attach("__treescope_ndarray_adapter__", _treescope_adapter)


@method
def plot(
    tensor: NamedTensor,
    /,
    x: str | None = None,
    y: str | None = None,
    *,
    hue: str | None = None,
    col: str | None = None,
    row: str | None = None,
    ax: Any = None,
    cmap: Any = None,
    limits: tuple[float, float] | None = None,
    label: str = "",
    ticks: Mapping[str, Sequence[Any]] | None = None,
) -> Any:
    """Plot with matplotlib (install the extra ``lab``): lines, or with ``y`` an image.

    Each dim gets a place. The one that is left may be left out: it is ``x``. Small multiples share
    their scales. An image with values of both signs has a diverging colour map with 0 in the
    middle, else a sequential one; NaN is grey.

    Args:
      tensor: what to plot.
      x: the dim along the horizontal axis.
      y: the dim down the vertical axis, of an image.
      hue: the dim with a line for each position.
      col: the dim with a panel for each position, side by side.
      row: the dim with a panel for each position, one below the other.
      ax: matplotlib's axes to draw on; by default a new figure is made.
      cmap: a colour map of matplotlib.
      limits: the ends of the colours, or of the vertical axis of lines.
      label: what the values are, with their unit.
      ticks: for some dims the texts at their positions, ``{"seq": tokens}``.

    Returns:
      matplotlib's ``Axes``; for ``col`` or ``row`` a NumPy array of them, for both [row, col].

    Raises:
      DimMismatch: a dim has no place.
      UnknownDim: a dim that ``tensor`` lacks.
      DuplicateDim: one dim in two places.
      BadPattern: ``y`` and ``hue`` together, or ``ax`` with small multiples.
      SizeMismatch: not as many ticks as positions.
      Unsupported: no values, complex ones, or more lines or panels than can be told apart.

    Example:
      >>> import jax, matplotlib.pyplot as plt, namedtensor as nt
      >>> scores = nt.random.normal(jax.random.key(0), "head:4 seq:8 seq':8")
      >>> scores.plot(x="seq'", y="seq", col="head", label="score").shape
      (4,)
      >>> plt.close()
    """
    roles = {"x": x, "y": y, "hue": hue, "col": col, "row": row}
    if ax is not None and (col or row):
        raise BadPattern("ax is one panel, col and row are several.", "Leave out ax, or select one position.")
    from namedtensor.viz.plot import picture

    prepared = picture(tensor, roles, ticks or {})
    from namedtensor.viz.panels import draw

    return draw(prepared, ax, cmap, limits, label)
