"""What stands around a picture: bare axes, colour maps, notes, and the sizes of their text.

The sizes are fixed here once, so that every figure of this folder has the same text in print, and
passed to each artist, so that the user's matplotlib settings are neither needed nor changed.
"""

import textwrap

import matplotlib
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from matplotlib.text import Text

from captum_lite.viz._choice import unknown

TITLE, LABEL, TICK, NOTE = 9.0, 8.0, 7.0, 7.0  # points
DIVERGING = ("RdBu_r", "PuOr", "PRGn")  # safe for colour-blind readers, white in the middle
SEQUENTIAL = ("viridis", "cividis")
LINE = {"color": "0.7", "linewidth": 0.6}
GLYPH, DIGIT = 0.52, 0.64  # width of a letter and of a digit of the default font, in font sizes


def colour_map(cmap: str | Colormap | None, signed: bool) -> Colormap:
    """The colour map itself; None is the default for signed or for unsigned values."""
    if isinstance(cmap, Colormap):
        return cmap
    name = cmap if cmap is not None else (DIVERGING if signed else SEQUENTIAL)[0]
    if name not in matplotlib.colormaps:
        offered = f"{', '.join(DIVERGING)} for signed maps, {', '.join(SEQUENTIAL)} for unsigned ones"
        raise unknown(
            "cmap",
            name,
            list(matplotlib.colormaps),
            f"{offered}, or any name in matplotlib.colormaps",
        )
    return matplotlib.colormaps[name]


def bare(ax: Axes) -> None:
    """No ticks and light spines: pixel numbers are not what a picture is read for."""
    ax.set(xticks=[], yticks=[])
    for spine in ax.spines.values():
        spine.set(**LINE)


def note(ax: Axes, text: str) -> Text:
    """A remark in the middle of the picture, legible on any colour."""
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.5}
    place = {"transform": ax.transAxes, "ha": "center", "va": "center"}
    return ax.text(0.5, 0.5, text, fontsize=NOTE, color="0.25", bbox=box, **place)


def broken(parts: tuple[str, ...], room: float, size: float) -> str:
    """Text in lines of about equal length that fit ``room`` inches.

    Where it does not fit one line, each part begins a line.
    """
    letters = max(int(room * 72 / (GLYPH * size)), 8)
    whole = ", ".join(parts)
    pieces = [whole] if len(whole) <= letters else [*(f"{part}," for part in parts[:-1]), parts[-1]]
    text = "\n".join(line for piece in pieces for line in _even_lines(piece, letters))
    return text.replace("\N{NO-BREAK SPACE}", " ")


def fitted(text: str, ax: Axes, size: float) -> str:
    """Text in lines no wider than the place of the picture, so that it touches no neighbour."""
    return broken((text,), ax.get_window_extent().width / ax.figure.dpi, size)


def _even_lines(text: str, letters: int) -> list[str]:
    lines = textwrap.wrap(text, letters, break_long_words=False)
    for fewer in range(len(text) // max(len(lines), 1), letters):
        even = textwrap.wrap(text, max(fewer, 1), break_long_words=False)
        if len(even) == len(lines):
            return even
    return lines
