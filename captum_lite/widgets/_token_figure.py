"""Attributed tokens as a figure for a paper: bars for one output, a heat map for several."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from captum_lite.viz._scale import Scaled, describe
from captum_lite.widgets._token_matrix import TokenMatrix
from captum_lite.widgets._token_text import visible

_POSITIVE, _NEGATIVE = "#b2182b", "#2166ac"
_INCH = 0.24  # of a line of text
_LONGEST = 24  # characters of a label
_MOST = 60  # labels on an axis: more cannot be read


def bars(matrix: TokenMatrix, rows: Sequence[Scaled], chosen: int, unit: str) -> Figure:
    """One bar a token, as long as its attribution."""
    values, count = rows[chosen].values[0] * rows[chosen].limit, len(matrix.inputs)
    figure = Figure(figsize=(4.8, 1.0 + _INCH * min(count, _MOST)), layout="constrained")
    ax = figure.subplots()
    ax.barh(np.arange(count), values, color=np.where(values < 0, _NEGATIVE, _POSITIVE), height=0.7)
    ax.axvline(0, color="black", linewidth=0.8)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(left=False)
    ax.set_ylim(count - 0.5, -0.5)
    _label(ax, "y", matrix.inputs)
    ax.set_xlabel("\n".join(describe(rows[chosen], unit or None)))
    return figure


def heat_map(matrix: TokenMatrix, rows: Sequence[Scaled], chosen: int, unit: str) -> Figure:
    """Outputs down, inputs across; the chosen output in a frame. Scales of their own go from -1 to 1."""
    outputs, inputs = matrix.values.shape
    shared = len({row.limit for row in rows}) == 1
    end = (rows[0].limit or 1.0) if shared else 1.0
    values = np.concatenate([row.values for row in rows]) * end
    low, colours = (-end, "RdBu_r") if rows[0].signed else (0, "viridis")
    size = 2.2 + _INCH * min(inputs, _MOST), 1.6 + _INCH * min(outputs, _MOST)
    figure = Figure(figsize=size, layout="constrained")
    ax = figure.subplots()
    drawn = ax.imshow(values, cmap=colours, vmin=low, vmax=end, aspect="auto", interpolation="nearest")
    ax.add_patch(Rectangle((-0.5, chosen - 0.5), inputs, 1, fill=False, edgecolor="black", linewidth=1.5))
    _label(ax, "y", matrix.outputs or ())
    _label(ax, "x", matrix.inputs)
    ax.tick_params(axis="x", rotation=90, top=True, labeltop=True, bottom=False, labelbottom=False)
    quantity, rule = describe(rows[chosen], unit or None)
    label = f"{quantity}\n{rule}" if shared else f"{quantity},\nas a fraction of each row's scale"
    figure.colorbar(drawn, label=label, shrink=min(1.0, 4 / size[1]))
    return figure


def _label(ax: Axes, axis: str, tokens: Sequence[str]) -> None:
    every = max(1, -(-len(tokens) // _MOST))
    places = np.arange(0, len(tokens), every)
    texts = [token.text for token in visible(tokens)[::every]]
    cut = [t if len(t) <= _LONGEST else f"{t[: _LONGEST - 1]}\N{HORIZONTAL ELLIPSIS}" for t in texts]
    set_ticks = ax.set_yticks if axis == "y" else ax.set_xticks
    # a token with two dollar signs is no formula
    set_ticks(places, cut, parse_math=False)
