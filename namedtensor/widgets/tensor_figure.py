"""What a tensor explorer shows, as a matplotlib figure."""

import math

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from namedtensor.widgets.tensor_roles import dim_in
from namedtensor.widgets.tensor_view import TensorView

_MOST = 36  # pictures in a figure
_MOST_BARS = 48  # values of a row that are bars, more are a line
_WIDTH = 2.1  # inches of one among others


def drawn(view: TensorView) -> Figure:
    """The figure; its pictures share one scale, NaN is grey, what is infinite is magenta."""
    pictures = view.part().astype(np.float64)
    shown = pictures[:_MOST]
    if shown.shape[1] == 1 < shown.shape[2]:
        return _lines(shown[:, 0], len(pictures), view)
    figure, axes = _laid_out(*shown.shape)
    low, high, palette = _scale(pictures, view)
    colours = matplotlib.colormaps[palette].with_extremes(bad="0.5", over="magenta", under="magenta")
    beyond = high + (high - low or 1.0)  # matplotlib takes infinity for missing
    for i, (ax, picture) in enumerate(zip(axes.flat, shown, strict=False)):
        picture = np.where(np.isinf(picture), beyond, picture)
        ax.imshow(picture, vmin=low, vmax=high, cmap=colours, aspect="auto", interpolation="nearest")
        _named(ax, view, i, len(shown))
    for ax in axes.flat[len(shown) :]:
        ax.set_axis_off()
    figure.colorbar(axes[0, 0].images[0], ax=axes, label=view.unit or view.name)
    figure.suptitle(title(view) + _left_out(len(pictures)), fontsize="medium")
    return figure


def _lines(shown: np.ndarray, count: int, view: TensorView) -> Figure:
    """Of pictures of one row, bars or a line each, with one scale."""
    figure, axes = _laid_out(len(shown), 2, 5)
    low, high = _ends(shown, view)
    if shown.shape[1] <= _MOST_BARS:
        low, high = min(low, 0.0), max(high, 0.0)
    margin = 0.05 * (high - low or 1.0)
    for i, (ax, row) in enumerate(zip(axes.flat, shown, strict=False)):
        row = np.where(np.isfinite(row), row, np.nan)
        places = np.arange(len(row))
        ax.bar(places, row) if len(row) <= _MOST_BARS else ax.plot(places, row)
        ax.set_ylim(low - margin, high + margin)
        _named(ax, view, i, len(shown))
        ax.set_ylabel(view.unit or view.name)
        if len(row) <= _MOST_BARS and (texts := view.labels.get(dim_in(view.roles, "columns") or "")):
            ax.set_xticks(places, texts)
    for ax in axes.flat[len(shown) :]:
        ax.set_axis_off()
    figure.suptitle(title(view) + _left_out(count), fontsize="medium")
    return figure


def _left_out(count: int) -> str:
    return f"  (the first {_MOST} of {count})" if count > _MOST else ""


def _laid_out(count: int, height: int, width: int) -> tuple[Figure, np.ndarray]:
    """A figure with room for so many pictures of this shape."""
    columns = 1 if count == 1 else min(count, 4 if count <= 8 else 6)
    rows = math.ceil(count / columns)
    across = 4.5 if columns == 1 else _WIDTH * columns + 1
    tall = min(max(height / width, 0.15), 2.0)
    down = (across - 1) / columns * tall * rows + 0.5 * rows + 0.6
    figure = Figure(figsize=(across, down), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def _scale(pictures: np.ndarray, view: TensorView) -> tuple[float, float, str]:
    low, high = _ends(pictures, view)
    if low < 0 < high:
        largest = max(-low, high)
        return -largest, largest, view.palette
    return low, high, view.unsigned_palette


def _ends(pictures: np.ndarray, view: TensorView) -> tuple[float, float]:
    """The least and the largest value that a scale has room for."""
    if view.scale == "whole" and view.limits:
        return view.limits[0], view.limits[1]
    finite = pictures[np.isfinite(pictures)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)


def _named(ax, view: TensorView, i: int, count: int) -> None:
    facets, rows, columns = (dim_in(view.roles, role) for role in ("facets", "rows", "columns"))
    if facets is not None and count > 1:
        ax.set_title(f"{facets}={view.labels.get(facets, {i: i})[i]}", fontsize="small")
    ax.set_ylabel(rows or "")
    ax.set_xlabel(columns or "")
    ax.tick_params(labelsize="x-small")
    if columns is None:
        ax.set_xticks([])


def title(view: TensorView) -> str:
    """What is shown: ``x  batch=2, mean over head``."""
    at = [f"{d}={view.at.get(d, 0)}" for d, role in view.roles.items() if role == "slider"]
    means = [dim for dim, role in view.roles.items() if role == "mean"]
    parts = at + ([f"mean over {' '.join(means)}"] if means else [])
    return "  ".join([view.name, ", ".join(parts)]).strip()
