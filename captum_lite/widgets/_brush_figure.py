"""What the brush shows as a figure for a paper."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from namedtensor.widgets import Chart

_COLOURS, _DASHES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7"), ("-", "--", ":", "-.")  # as in the widget
_COVER = (1.0, 0.55, 0.0, 0.75)


def brush_figure(
    pictures: tuple[np.ndarray, np.ndarray], mask: np.ndarray, bars: Sequence[dict[str, Any]], curves: Chart
) -> Figure:
    """The image with its cover, what the model sees, the scores; and the curves, where there are any."""
    count = 4 if curves.series else 3
    figure = Figure(figsize=(2.4 * count + 1.6, 3.4), layout="constrained")
    axes = figure.subplots(1, count, width_ratios=[1, 1, 1.3, 1.6][:count])
    for ax, picture, title in zip(axes, pictures, ("covered", "what the model sees"), strict=False):
        ax.imshow(picture, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        ax.set_title(title, fontsize=9)
        ax.set_axis_off()
    axes[0].imshow(mask[..., None] * np.array(_COVER), interpolation="nearest")
    _bars(axes[2], bars)
    if curves.series:
        _lines(axes[3], curves)
    return figure


def _bars(ax: Axes, series: Sequence[dict[str, Any]]) -> None:
    names, thick = series[0]["x"], 0.8 / len(series)
    for k, one in enumerate(series):
        places = np.arange(len(names)) + (k - (len(series) - 1) / 2) * thick
        ax.barh(places, one["y"], thick, color=_COLOURS[k], label=one["name"])
    ax.set_yticks(range(len(names)), names, fontsize=7, parse_math=False)
    ax.invert_yaxis()
    ax.axvline(0, color="black", linewidth=0.8)
    ax.set_xlabel("score", fontsize=8)
    ax.tick_params(axis="x", labelsize=7)
    if len(series) > 1:
        ax.legend(fontsize=7, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)


def _lines(ax: Axes, chart: Chart) -> None:
    for k, one in enumerate(chart.series):
        look: Any = {"color": _COLOURS[k % 4], "linestyle": _DASHES[k % 4], "label": one["name"]}
        ax.plot(one["x"], one["y"], marker="o" if len(one["x"]) == 1 else None, **look)
    ax.set_xlabel(chart.x_label, fontsize=8)
    ax.set_ylabel(chart.y_label, fontsize=8, parse_math=False)
    ax.tick_params(labelsize=7)
    ax.legend(fontsize=7, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0))
