"""Colour bars: as long as the picture, with units, and with the clipping rule written on them.

matplotlib takes the room for a colour bar out of the axes, and makes it as long as the axes were
before the picture took its shape. Here the bar follows the picture. In a figure of our own it
stands outside the axes, and the layout leaves room for it, so that all pictures of a figure have
one size; on the user's axes nobody would make room, so it is taken from the picture.
"""

from collections.abc import Iterable

from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import Colorbar
from matplotlib.colors import Normalize
from matplotlib.image import AxesImage
from matplotlib.transforms import ScaledTranslation, blended_transform_factory
from mpl_toolkits.axes_grid1 import make_axes_locatable

from captum_lite.viz._choice import choose
from captum_lite.viz._frame import DIGIT, LABEL, LINE, TICK, broken
from captum_lite.viz._scale import Scaled

_ORIENTATIONS = {"right": "vertical", "bottom": "horizontal"}
_THICK, _APART = 0.09, 0.05  # inches: the bar, and its distance from the picture
_MARKS = 6  # points from the bar to the numbers beside it, and from those to the label


def colour_bar(
    ax: Axes,
    drawn: AxesImage,
    ticks: dict[float, str],
    label: tuple[str, str],
    place: str = "right",
    *,
    outside: bool,
    norm: Normalize | None = None,
    room: float | None = None,
    size: float = LABEL,
) -> Colorbar:
    """A colour bar beside the picture.

    Args:
      ax: the axes of the picture.
      drawn: whose colours are explained.
      ticks: the text at each value.
      label: the quantity, and the rule by which it was clipped.
      place: "right" or "bottom".
      outside: whether it stands outside the axes; else it takes its room from the picture.
      norm: the scale shown, if it is not the one of the artist.
      room: inches for a line of the label; by default what the axes have.
      size: of the label, in points.
    """
    orientation = choose("place for a colour bar", place, _ORIENTATIONS)
    text = broken(label, room or _length(ax, place, outside), size)
    ax.apply_aspect()  # from here on the axes are as large as the picture, not as its place
    ticks = _fitting(ticks, place, _length(ax, place, outside))
    numbers = TICK if place == "bottom" else _widest(ticks.values())
    beside = 2 * _MARKS + numbers + 1.3 * size * len(text.splitlines())
    cax = _attached(ax, place) if outside else _divided(ax, place, beside / 72)
    shown = drawn if norm is None else ScalarMappable(norm, drawn.cmap)
    alpha = drawn.get_alpha()
    bar = ax.figure.colorbar(shown, cax=cax, orientation=orientation, alpha=alpha)
    bar.set_ticks(list(ticks), labels=list(ticks.values()))
    bar.ax.tick_params(labelsize=TICK, width=LINE["linewidth"], length=2, pad=2)
    bar.set_label(text, fontsize=size, labelpad=4)
    bar.outline.set(**LINE)  # pyright: ignore[reportCallIssue]
    _keep_within(bar, place)
    return bar


def ticks_of(scaled: Scaled) -> dict[float, str]:
    """The texts on a colour bar: the limits, where the colours end, and 0."""
    low, high = scaled.ends
    return {end: _number(end) for end in sorted({low, 0.0, high})} if scaled.limit else {0.0: "0"}


def align(bars: list[Colorbar]) -> None:
    """Put the labels of bars that stand one above the other at the same distance."""
    points = _widest(text.get_text() for bar in bars for text in bar.ax.get_yticklabels())
    for bar in bars:
        shift = ScaledTranslation((points + 1.5 * _MARKS) / 72, 0, bar.ax.figure.dpi_scale_trans)
        bar.ax.yaxis.set_label_coords(1, 0.5, transform=bar.ax.transAxes + shift)


def _number(value: float) -> str:
    small = value and not 1e-3 <= abs(value) < 1e4
    text = f"{value:.2e}" if small else f"{value:.3g}"
    return text.replace("-", "\N{MINUS SIGN}")


def _length(ax: Axes, place: str, outside: bool) -> float:
    box = ax.get_window_extent()
    whole = (box.width if place == "bottom" else box.height) / ax.figure.dpi
    return whole if outside else 0.75 * whole  # the picture keeps its shape when it gives room


def _keep_within(bar: Colorbar, place: str) -> None:
    """Let the outer numbers end where the bar ends, so that they touch no neighbour."""
    if place == "bottom" and len(numbers := bar.ax.get_xticklabels()) > 1:
        numbers[0].set_horizontalalignment("left")
        numbers[-1].set_horizontalalignment("right")
    elif place == "right" and len(numbers := bar.ax.get_yticklabels()) > 1:
        numbers[0].set_verticalalignment("bottom")
        numbers[-1].set_verticalalignment("top")


def _widest(numbers: Iterable[str]) -> float:
    return max(map(len, numbers), default=0) * DIGIT * TICK


def _fitting(ticks: dict[float, str], place: str, length: float) -> dict[float, str]:
    """Leave out the 0, and then the lower end, where numbers would run into each other."""
    low, high = min(ticks), max(ticks)
    for kept in (list(ticks), [low, high]):
        if place == "bottom":
            needed = sum(_widest([ticks[value]]) + _MARKS for value in kept)
        else:
            needed = 1.3 * TICK * len(kept)
        if needed <= 72 * length:
            return {value: ticks[value] for value in kept}
    return {high: ticks[high]}


def _attached(ax: Axes, place: str) -> Axes:
    """Axes that follow the picture at a fixed distance in inches."""
    edge = (1, 0) if place == "right" else (0, 0)
    fractions = ax.transAxes
    # where the edge of the picture is, and inches from there
    inches = ax.figure.dpi_scale_trans + ScaledTranslation(*edge, fractions)  # pyright: ignore
    if place == "right":
        where = blended_transform_factory(inches, fractions)
        return ax.inset_axes((_APART, 0, _THICK, 1), transform=where)
    where = blended_transform_factory(fractions, inches)
    return ax.inset_axes((0, -_APART - _THICK, 1, _THICK), transform=where)


def _divided(ax: Axes, place: str, beside: float) -> Axes:
    divider = make_axes_locatable(ax)
    cax = divider.append_axes(place, size=_THICK, pad=_APART)
    # axes that are never added to the figure: they only take the room for the texts
    if place == "right":
        divider.new_horizontal(beside, pad=0)
    else:
        divider.new_vertical(beside, pad=0, pack_start=True)
    return cax
