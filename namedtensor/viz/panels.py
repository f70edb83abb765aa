"""Drawing a picture with matplotlib: images or lines, in one panel or in small multiples.

All panels share their scales, so that equal colours and heights mean equal values, and there is one
colour bar or legend for all of them.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from namedtensor._optional import optional
from namedtensor.viz.plot import Picture

with optional("lab"):
    import matplotlib
    import matplotlib.pyplot as plt

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, Normalize, TwoSlopeNorm
from matplotlib.ticker import MaxNLocator

_DIVERGING, _SEQUENTIAL = "RdBu_r", "viridis"  # safe for colour-blind readers
_SINGLE, _PANEL = 4.2, 2.1  # inches: the width of a panel alone, and of one among others
_BESIDE, _ABOVE, _BELOW = 1.0, 0.15, 0.4  # inches, for a colour bar or a legend, and for names
_WRAP = 5  # panels in a line, unless another dim says how many
_LEGEND = 8  # lines that a legend can name; more get colours in order, and a bar
_ELONGATED = 3  # an image has square cells unless one side is so many times the other
_TEXTS = 40  # texts along an axis
_TICKS = {"nbins": 6, "steps": [1, 2, 5, 10], "integer": True}


class Colours(NamedTuple):
    """What a value, or a line, is painted with; ``bar`` says that a colour bar explains it."""

    map: Colormap
    norm: Normalize
    bar: bool


def draw(
    picture: Picture,
    ax: Axes | None,
    cmap: str | Colormap | None,
    limits: tuple[float, float] | None,
    label: str,
) -> Any:
    """Draw, on ``ax`` or in a new figure; returns the axes, an array of them for small multiples."""
    colours = _colours(picture, cmap, limits)
    axes = np.array([[ax]]) if ax is not None else _figure(picture)
    panels = [panel for panel in axes.flat if panel is not None]
    values = picture.values.reshape(-1, *picture.values.shape[2:])
    for panel, shown in zip(panels, values, strict=True):
        (_image if picture.is_image else _lines)(panel, shown, picture, colours)
    _name_panels(axes, panels, picture)
    _name_axes(axes, picture, label)
    if limits and not picture.is_image:
        panels[0].set_ylim(*limits)
    _explain(panels, picture, colours, label, own=ax is None)
    if picture.values.shape[0] * picture.values.shape[1] == 1 and not {"row", "col"} & set(picture.roles):
        return panels[0]
    return axes if {"row", "col"} <= set(picture.roles) else np.array(panels)


def _figure(picture: Picture) -> np.ndarray:
    """Axes [line, place in the line], None where there is no panel."""
    rows, columns = picture.values.shape[:2]
    number, single = rows * columns, rows * columns == 1
    if rows == 1:
        rows = -(-number // _WRAP)
        columns = -(-number // rows)  # lines of about equal length
    width = _SINGLE if single else _PANEL
    size = columns * width + _BESIDE, rows * (width * _height(picture) + _ABOVE) + _BELOW
    layout = "compressed" if picture.is_image else "constrained"  # no gaps around square images
    _, axes = plt.subplots(
        rows, columns, figsize=size, sharex=True, sharey=True, squeeze=False, layout=layout
    )
    for spare in axes.flat[number:]:
        spare.remove()
    axes.flat[number:] = None
    return axes


def _height(picture: Picture) -> float:
    """The height of a panel, in widths."""
    down, across = picture.values.shape[2:]
    return min(max(down / across, 0.35), 1.6) if picture.is_image else 0.75


def _colours(picture: Picture, cmap: str | Colormap | None, limits: tuple[float, float] | None) -> Colours:
    if not picture.is_image:
        number = picture.values.shape[2]
        return Colours(_map(cmap or _SEQUENTIAL), Normalize(0, max(number - 1, 1)), number > _LEGEND)
    low, high = limits or _limits(picture.values)
    signed = low < 0 < high
    norm = TwoSlopeNorm(0, low, high) if signed and -low != high else Normalize(low, high)
    return Colours(_map(cmap or (_DIVERGING if signed else _SEQUENTIAL)), norm, True)


def _map(cmap: str | Colormap) -> Colormap:
    return matplotlib.colormaps[cmap] if isinstance(cmap, str) else cmap


def _limits(values: np.ndarray) -> tuple[float, float]:
    """The range of the colours: around 0 where signs mix, so that 0 has the middle colour."""
    finite = values[np.isfinite(values)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 1.0)
    if low < 0 < high:
        return -max(-low, high), max(-low, high)
    if low == high:  # a flat image is on a scale that begins at 0
        low, high = min(low, 0.0), max(high, 0.0)
        high = high if low < high else 1.0
    return float(low), float(high)


def _image(panel: Axes, values: np.ndarray, picture: Picture, colours: Colours) -> None:
    down, across = values.shape
    square = max(down, across) <= _ELONGATED * min(down, across)
    panel.imshow(
        values,
        cmap=colours.map,
        norm=colours.norm,
        interpolation="nearest",
        aspect="equal" if square else "auto",
    )
    panel.set_facecolor("0.8")  # where the values are NaN
    _positions(panel.yaxis, picture, "y")
    _positions(panel.xaxis, picture, "x")


def _lines(panel: Axes, values: np.ndarray, picture: Picture, colours: Colours) -> None:
    marker = "o" if values.shape[1] == 1 else None
    for i, line in enumerate(values):
        colour = colours.map(colours.norm(i)) if colours.bar else f"C{i}"
        panel.plot(line, color=colour, linewidth=1.4, marker=marker, label=picture.text("hue", i))
    panel.margins(x=0.02)
    panel.spines[["top", "right"]].set_visible(False)
    _positions(panel.xaxis, picture, "x")


def _positions(axis: Axis, picture: Picture, role: str) -> None:
    texts = picture.ticks.get(picture.roles[role])
    if texts is None:
        axis.set_major_locator(MaxNLocator(**_TICKS))
        return
    step = -(-len(texts) // _TEXTS)
    turned = role == "x" and sum(map(len, texts[::step])) > 30
    axis.set_ticks(range(0, len(texts), step), texts[::step], rotation=90 if turned else 0)


def _name_panels(axes: np.ndarray, panels: Sequence[Axes], picture: Picture) -> None:
    roles = picture.roles
    if {"row", "col"} <= set(roles):
        for j, panel in enumerate(axes[0]):
            panel.set_title(picture.text("col", j), fontsize="medium")
        for i, panel in enumerate(axes[:, -1]):
            panel.annotate(
                picture.text("row", i), (1.03, 0.5), xycoords="axes fraction", rotation=270, va="center"
            )
        return
    for role in {"row", "col"} & set(roles):
        for i, panel in enumerate(panels):
            panel.set_title(picture.text(role, i), fontsize="medium")


def _name_axes(axes: np.ndarray, picture: Picture, label: str) -> None:
    """Names at the outer edges alone: the lowest panel of each column, the first of each line."""
    for line in axes:
        line[0].set_ylabel(picture.roles["y"] if picture.is_image else label)
    for column in axes.T:
        lowest = [panel for panel in column if panel is not None][-1]
        lowest.set_xlabel(picture.roles["x"])
        lowest.xaxis.set_tick_params(labelbottom=True)


def _explain(panels: Sequence[Axes], picture: Picture, colours: Colours, label: str, own: bool) -> None:
    """A colour bar, or a legend, for all panels."""
    figure = panels[0].figure
    if colours.bar:
        shown = ScalarMappable(colours.norm, colours.map)
        bar = figure.colorbar(shown, ax=panels, extend=_extend(picture, colours.norm))
        bar.set_label(label if picture.is_image else picture.roles["hue"])
        if not picture.is_image:
            bar.ax.yaxis.set_major_locator(MaxNLocator(**_TICKS))
    elif "hue" in picture.roles and own:
        figure.legend(handles=panels[0].get_lines(), loc="outside right upper")
    elif "hue" in picture.roles:  # the rest of the figure is not ours
        panels[0].legend()


def _extend(picture: Picture, norm: Normalize) -> str:
    """Which ends of the bar stand for values beyond the limits."""
    finite = picture.values[np.isfinite(picture.values)]
    if not picture.is_image or not finite.size:
        return "neither"
    below, above = finite.min() < norm.vmin, finite.max() > norm.vmax
    return {(True, True): "both", (True, False): "min", (False, True): "max"}.get((below, above), "neither")
