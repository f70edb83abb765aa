"""Lines or bars in the browser, read out by keys, with a table for those who do not see them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import traitlets

from namedtensor.widgets.view import View, source


def line(name: str, x: Sequence[Any], y: Sequence[Any]) -> dict[str, Any]:
    """One series of a `Chart`; what is not finite is left out.

    Args:
      name: in the legend.
      x: numbers, or the names of bars.
      y: a number for each.

    Raises:
      ValueError: not as many of them.
    """
    if len(x) != len(y):
        raise ValueError(f"{name!r} has {len(x)} places and {len(y)} values: give one value for each place.")
    kept = [(_plain(a), float(b)) for a, b in zip(x, y, strict=True) if np.isfinite(float(b))]
    return {"name": name, "x": [a for a, _ in kept], "y": [b for _, b in kept]}


def _plain(x: Any) -> Any:
    return x if isinstance(x, str) else float(x)


class Chart(View):
    """Lines or horizontal bars.

    Traits:
      series: of `line`; nothing is drawn while it is empty.
      kind: "lines" or "bars" (whose values are along ``x_label``, logarithmic with ``x_log``).
      x_label: what is along, with its unit.
      y_label: what is up, with its unit.
      x_log: a logarithmic axis; what is not above 0 is left out.
      y_log: the same.
      y_zero: whether the axis begins at 0.
      height: pixels.
    """

    _esm = source("core.js", "chart.js")
    series = traitlets.List().tag(sync=True)
    kind = traitlets.Enum(["lines", "bars"], "lines").tag(sync=True)
    x_label = traitlets.Unicode().tag(sync=True)
    y_label = traitlets.Unicode().tag(sync=True)
    x_log = traitlets.Bool(False).tag(sync=True)
    y_log = traitlets.Bool(False).tag(sync=True)
    y_zero = traitlets.Bool(False).tag(sync=True)
    height = traitlets.Int(200).tag(sync=True)
