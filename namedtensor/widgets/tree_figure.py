"""The costs of a function's places as a matplotlib figure."""

from collections.abc import Iterator

from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from namedtensor.interpreter import Outline, Place

_MOST = 40  # bars
_LINE = 0.22  # inches


def drawn(outline: Outline) -> Figure:
    """A bar for each place that has no other in it, in the order of the program, else for the function."""
    places = list(_innermost(outline.root)) or [outline.root]
    dearest = sorted(places, key=lambda place: place.flops or 0)[-_MOST:]
    shown = [place for place in places if place in dearest]
    figure = Figure(figsize=(6, _LINE * len(shown) + 1.0), layout="constrained")
    ax = figure.subplots()
    names = [place.path or place.label for place in shown]
    ax.barh(range(len(shown)), [place.flops or 0 for place in shown], color="#0072b2")
    ax.set_yticks(range(len(shown)), names, fontsize="small")
    ax.invert_yaxis()
    ax.set_xlabel("FLOPs")
    ax.xaxis.set_major_formatter(EngFormatter(sep=" "))
    left = len(places) - len(shown)
    ax.set_title(
        outline.root.label + (f", the {_MOST} dearest of {len(places)} places" if left else ""),
        fontsize="medium",
    )
    ax.spines[["top", "right"]].set_visible(False)
    return figure


def _innermost(place: Place) -> Iterator[Place]:
    below = [child for child in place.children if child.flops is not None]
    for child in below:
        yield from _innermost(child)
    if not below and place.flops is not None and place.kind != "function":
        yield place
