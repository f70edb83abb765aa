"""Attributions of time series: on the paper behind the curves, or in the colour of the curves.

Captum's words, with three differences: the colours are safe for colour-blind readers and white at 0, all
panels share one scale that the colour bar shows in units of the attribution, and names say which axis is
the time.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Colormap, LinearSegmentedColormap, Normalize
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator

from captum_lite.viz._bars import ticks_of
from captum_lite.viz._captum import show_windows
from captum_lite.viz._choice import choose
from captum_lite.viz._frame import LABEL, LINE, TICK, TITLE, broken, colour_map
from captum_lite.viz._inputs import Named, features_of, only, values_of
from captum_lite.viz._scale import Scaled, describe, scale

_TIMES = ("time", "seq", "sequence", "position", "step")
_INK, _WIDE = "0.15", 5.0  # of curves, and the points of one that carries colour
_RED, _BLUE, _PURPLE = (
    ("#f4a582", "#b2182b", "#67001f"),
    ("#92c5de", "#2166ac", "#053061"),
    ("#c2a5cf", "#762a83", "#40004b"),
)
# white, as the paper, at 0; the colours of one sign are those of its half of the map of all
_MAPS = {
    "all": LinearSegmentedColormap.from_list("signed", [*reversed(_BLUE), "white", *_RED]),
    "positive": LinearSegmentedColormap.from_list("positive", ["white", *_RED]),
    "negative": LinearSegmentedColormap.from_list("negative", ["white", *_BLUE]),
    "absolute_value": LinearSegmentedColormap.from_list("magnitude", ["white", *_PURPLE]),
}
_CURVES = ("#000000", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # Okabe and Ito
_STYLES = ("-", "--", ":", "-.")


@dataclass(frozen=True, eq=False)
class Series:
    """What is drawn.

    Attributes:
      x: where each value stands, ``[time]``, as numbers of the axis.
      data: the curves, ``[channel, time]``.
      scaled: the attributions on the scale of the colours, ``[channel, time]``.
      labels: of the channels.
      cmap: the colours.
      opacity: of the colours behind curves.
      curve: further properties of the curves.
    """

    x: np.ndarray
    data: np.ndarray
    scaled: Scaled
    labels: Sequence[str]
    cmap: Colormap
    opacity: float
    curve: dict[str, Any]

    @property
    def norm(self) -> Normalize:
        """From attributions to colours."""
        return Normalize(*self.scaled.ends)

    @property
    def shown(self) -> np.ndarray:
        """The attributions, as far as the colours go."""
        return self.scaled.values * self.scaled.ends[1]


def visualize_timeseries_attr(
    attr: Any,
    data: Any = None,
    x_values: Any = None,
    method: str = "overlay_individual",
    sign: str = "absolute_value",
    channel_labels: Sequence[str] | None = None,
    channels_last: bool = True,
    plt_fig_axis: tuple[Figure, Axes | Sequence[Axes]] | None = None,
    outlier_perc: float = 2,
    cmap: str | Colormap | None = None,
    alpha_overlay: float = 0.7,
    show_colorbar: bool = False,
    title: str | None = None,
    fig_size: tuple[float, float] = (6, 6),
    use_pyplot: bool = True,
    *,
    units: str | None = None,
    **pyplot_kwargs: Any,
) -> tuple[Figure, Axes | np.ndarray]:
    """Draw the attributions of one time series, in Captum's words.

    Args:
      attr: ``[time, channel]`` or ``[time]``; a named tensor with the dim time (or seq, sequence, position,
        step) and at most one other; or an attribution record of one example. A batch of one is dropped.
      data: the series, of the same shape; for a record, by default what it explains.
      x_values: where each value stands, ``[time]``, rising: numbers or dates; by default 0, 1, 2 ...
      method: "overlay_individual" (a panel for each channel, its attributions behind its curve),
        "overlay_combined" (all curves in one panel, the sum of their attributions behind them) or
        "colored_graph" (a panel for each channel, the curve in the colours of its attributions).
      sign: "positive", "absolute_value", "negative" (magnitudes) or "all".
      channel_labels: the name of each channel.
      channels_last: False for arrays ``[channel, time]``; names need it not.
      plt_fig_axis: a figure and its axes, one for each panel; by default a new figure is made.
      outlier_perc: the largest values, which together are this share of the total |attribution| in
        percent, get the colour at the end of the scale. The scale is that of all panels.
      cmap: any colour map of matplotlib; by default white at 0, and blue to red for "all".
      alpha_overlay: opacity of the colours behind curves.
      show_colorbar: draw a colour bar.
      title: text above the panels.
      fig_size: inches, of a new figure.
      use_pyplot: make the figure through pyplot, which shows it in notebooks and in windows.
      units: of the attributions, for the colour bar.
      **pyplot_kwargs: properties of the curves: ``linewidth=2``, ``color="black"``.

    Returns:
      The figure, and its axes: one, or an array of them from top to bottom.

    Examples:
      >>> import numpy as np
      >>> attr, data = np.array([[0.0, 1.0], [2.0, -1.0], [0.5, 0.0]]), np.ones((3, 2))
      >>> figure, axes = visualize_timeseries_attr(attr, data, sign="all", use_pyplot=False)
      >>> axes.shape
      (2,)
    """
    paint = choose("method", method, _METHODS)
    if not 0 <= outlier_perc < 100:
        raise ValueError(f"outlier_perc is a percentage from 0 to below 100; got {outlier_perc!r}.")
    if data is None:
        if not hasattr(attr, "inputs"):
            raise ValueError(
                "visualize_timeseries_attr needs the series: visualize_timeseries_attr(attr, data)."
            )
        data = attr.inputs
    combined = method == "overlay_combined"
    values, time = _channels(attr, "attr", channels_last, once=combined)
    curves, _ = _channels(data, "data", channels_last, may_have_gaps=True)
    if values.shape != curves.shape:
        (a, b), (c, d) = values.shape, curves.shape
        raise ValueError(f"attr has {a} channels of {b} values and data {c} of {d}: they must be the same.")
    figure, axes = _axes(plt_fig_axis, 1 if combined else len(curves), fig_size, use_pyplot)
    scaled = scale(
        values.sum(0, keepdims=True) if combined else values, sign=sign, clip=("mass", 100 - outlier_perc)
    )
    series = Series(
        _places(x_values, curves.shape[1], axes[-1]),
        curves,
        scaled,
        _labels(channel_labels, len(curves)),
        colour_map(cmap if cmap is not None else _MAPS[sign], signed=sign == "all"),
        alpha_overlay,
        pyplot_kwargs,
    )
    paint(axes, series)
    _frame(axes, series, time, title)
    if show_colorbar:
        _bar(figure, axes, series, units, opaque=method == "colored_graph")
    if use_pyplot:
        show_windows()
    return figure, axes if len(axes) > 1 else axes[0]


# what comes in ---------------------------------------------------------------------------------------


def _channels(
    source: Any, what: str, channels_last: bool, *, may_have_gaps: bool = False, once: bool = False
) -> tuple[np.ndarray, str]:
    """The values as ``[channel, time]``, and what the time is called.

    With ``once`` 0 stands where an earlier channel has the same feature, so that the channels can be added.
    """
    record = source
    if hasattr(source, "attributions"):
        source, what = only(source.attributions, f"{what}.attributions"), f"{what}.attributions"
    source = only(source, what)
    named = hasattr(source, "dims") and hasattr(source, "array")
    if not named:
        source = np.asarray(source)
        source = source[0] if source.ndim == 3 and len(source) == 1 else source
        if source.ndim not in (1, 2):
            raise ValueError(f"{what} has the shape {source.shape}, expected [time, channel] of one example.")
    order = ("time", "channel") if channels_last else ("channel", "time")
    dims = None if named else ("time",) if source.ndim == 1 else order
    values, dims = values_of(source, what, dims, may_have_gaps=may_have_gaps)
    every = ("batch", *(d for d in dims if d != "batch"))  # a record's features have a batch, here of one
    if "batch" in dims:
        if values.shape[dims.index("batch")] != 1:
            raise ValueError(f"{what} holds a batch: select one example, {what}.isel(batch=0).")
        values, dims = values.squeeze(dims.index("batch")), tuple(d for d in dims if d != "batch")
    times = [d for d in dims if d in _TIMES] or list(dims[:1]) * (len(dims) == 1)
    if len(times) != 1 or len(dims) > 2:
        raise ValueError(
            f"{what} has the dims {', '.join(map(repr, dims))}: a series has 'time' (or one of "
            f"{', '.join(_TIMES[1:])}) and at most one other. Select or sum the rest."
        )
    at = dims.index(times[0])
    if once:
        features = features_of(record, every)
        features = features if features is None else features.reshape(features.shape[-values.ndim :])
        values = Named(values, dims, features).once(tuple(a for a in range(values.ndim) if a != at))
    return np.moveaxis(values.reshape(*values.shape, *[1] * (2 - values.ndim)), at, 1), times[0]


def _places(x_values: Any, count: int, ax: Axes) -> np.ndarray:
    if x_values is None:
        return np.arange(count, dtype=float)
    given = np.asarray(x_values)
    ax.xaxis.update_units(given)
    x = np.asarray(ax.convert_xunits(given), float)
    if given.dtype.kind == "M":
        dates = AutoDateLocator(maxticks=7)
        ax.xaxis.set_major_locator(dates)
        ax.xaxis.set_major_formatter(ConciseDateFormatter(dates))
    if x.shape != (count,):
        raise ValueError(f"x_values has the shape {given.shape}; the series has {count} values.")
    if not (np.diff(x) > 0).all():
        raise ValueError("x_values must rise from each value to the next: sort the series by it.")
    return x


def _labels(given: Sequence[str] | None, count: int) -> Sequence[str]:
    if given is None:
        return [""] if count == 1 else [f"channel {i}" for i in range(count)]
    if len(given) != count:
        raise ValueError(f"there are {count} channels and {len(given)} channel_labels.")
    return list(given)


def _axes(
    given: tuple[Figure, Any] | None, count: int, size: tuple[float, float], use_pyplot: bool
) -> tuple[Figure, np.ndarray]:
    if given is not None:
        figure, axes = given[0], np.atleast_1d(np.asarray(given[1], dtype=object)).ravel()
        if len(axes) != count:
            raise ValueError(f"this takes {count} axes, one for each panel; plt_fig_axis has {len(axes)}.")
        return figure, axes
    make = Figure
    if use_pyplot:
        from matplotlib import pyplot  # only here: importing it chooses a backend

        make = pyplot.figure
    figure = make(figsize=size, layout="constrained")
    return figure, figure.subplots(count, 1, sharex=True, squeeze=False)[:, 0]


# what is drawn ---------------------------------------------------------------------------------------


def _edges(x: np.ndarray) -> np.ndarray:
    """Where the colour of one value ends and that of the next begins: halfway."""
    if len(x) == 1:
        return np.array([x[0] - 0.5, x[0] + 0.5])
    middle = (x[1:] + x[:-1]) / 2
    return np.concatenate([x[:1], middle, x[-1:]])


def _paper(ax: Axes, series: Series, row: np.ndarray) -> None:
    """The attributions as the colour of the paper, over the whole height of the panel."""
    mesh = ax.pcolormesh(
        _edges(series.x),
        [0, 1],
        row[None],
        cmap=series.cmap,
        norm=series.norm,
        alpha=series.opacity,
        linewidth=0,
        rasterized=True,
        transform=ax.get_xaxis_transform(),
        zorder=0,
    )
    mesh.set_edgecolor("none")


def _curve(ax: Axes, series: Series, row: np.ndarray, **look: Any) -> None:
    marker = {} if len(series.x) > 1 else {"marker": "o", "markersize": 3}
    ax.plot(series.x, row, **{"linewidth": 1.2, **look, **marker, **series.curve})


def _overlay_individual(axes: np.ndarray, series: Series) -> None:
    for ax, row, attributions in zip(axes, series.data, series.shown, strict=True):
        _paper(ax, series, attributions)
        _curve(ax, series, row, color=_INK)


def _overlay_combined(axes: np.ndarray, series: Series) -> None:
    _paper(axes[0], series, series.shown[0])
    for i, (row, label) in enumerate(zip(series.data, series.labels, strict=True)):
        style = _STYLES[i // len(_CURVES) % len(_STYLES)]
        _curve(axes[0], series, row, color=_CURVES[i % len(_CURVES)], linestyle=style, label=label or None)
    if len(series.data) > 1:
        columns = min(len(series.labels), 4)
        place = {"loc": "lower left", "bbox_to_anchor": (0, 1), "borderaxespad": 0.2}
        axes[0].legend(fontsize=TICK, frameon=False, ncols=columns, handlelength=1.6, **place)


def _colored_graph(axes: np.ndarray, series: Series) -> None:
    edges = _edges(series.x)
    for ax, row, attributions in zip(axes, series.data, series.shown, strict=True):
        # a line from halfway before each value over it to halfway behind it, in its colour
        at_edges = np.interp(edges, series.x, row)
        before, here, behind = (
            np.stack(part, -1)
            for part in ((edges[:-1], at_edges[:-1]), (series.x, row), (edges[1:], at_edges[1:]))
        )
        segments = list(np.stack([before, here, behind], 1))
        look = {"capstyle": "round", "joinstyle": "round", "linewidth": _WIDE}
        lines = LineCollection(segments, cmap=series.cmap, norm=series.norm, zorder=1.5, **look)
        lines.set_array(attributions)
        ax.add_collection(lines)
        # a thin curve on the coloured one: what is white at 0 would be lost on white paper
        _curve(ax, series, row, color=_INK, linewidth=0.7)


_METHODS: dict[str, Callable[[np.ndarray, Series], None]] = {
    "overlay_individual": _overlay_individual,
    "overlay_combined": _overlay_combined,
    "colored_graph": _colored_graph,
}


# what stands around ----------------------------------------------------------------------------------


def _frame(axes: np.ndarray, series: Series, time: str, title: str | None) -> None:
    for ax, label in zip(axes, series.labels if len(axes) > 1 else ["", ""], strict=False):
        ax.margins(y=0.08)
        ax.tick_params(labelsize=TICK, width=LINE["linewidth"], length=2, pad=2)
        ax.locator_params(axis="y", nbins=4)
        ax.xaxis.get_offset_text().set_fontsize(TICK)
        for spine in ax.spines.values():
            spine.set(**LINE)
        if label:
            ax.set_ylabel(label, fontsize=LABEL)
        if len(series.x) > 1:
            ax.set_xlim(series.x[0], series.x[-1])
    if len(axes) == 1 == len(series.labels) and series.labels[0]:
        axes[0].set_ylabel(series.labels[0], fontsize=LABEL)
    axes[-1].set_xlabel(time, fontsize=LABEL)
    axes[0].figure.align_ylabels(list(axes))
    if title:
        axes[0].set_title(title, fontsize=TITLE, pad=18 if axes[0].get_legend() else 6)
    if series.scaled.empty:
        sign = series.scaled.sign
        what = (
            "no attribution of this sign" if sign in ("positive", "negative") else "no attribution: all zero"
        )
        axes[0].text(0.5, 0.5, what, transform=axes[0].transAxes, ha="center", va="center", fontsize=TICK)


def _bar(figure: Figure, axes: np.ndarray, series: Series, units: str | None, *, opaque: bool) -> None:
    shown = ScalarMappable(series.norm, series.cmap)
    bar = figure.colorbar(
        shown, ax=list(axes), alpha=1.0 if opaque else series.opacity, pad=0.02, aspect=30, shrink=0.9
    )
    ticks = ticks_of(series.scaled)
    bar.ax.yaxis.set_major_locator(FixedLocator(list(ticks)))
    bar.ax.yaxis.set_major_formatter(FixedFormatter(list(ticks.values())))
    bar.ax.tick_params(labelsize=TICK, width=LINE["linewidth"], length=2, pad=2)
    room = 0.6 * figure.get_size_inches()[1]
    bar.set_label(broken(describe(series.scaled, units), room, LABEL), fontsize=LABEL)
    bar.outline.set(**LINE)  # pyright: ignore[reportCallIssue]
