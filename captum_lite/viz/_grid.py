"""A table of pictures: named methods down, samples across, one colour bar a row.

Methods differ in the size of what they attribute, so a scale shared by all of them would show the
largest only; samples of one method can be compared, so by default they share a scale.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from matplotlib.colorbar import Colorbar
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure

from captum_lite.viz._bars import align, colour_bar, ticks_of
from captum_lite.viz._choice import choose, unknown
from captum_lite.viz._frame import GLYPH, LABEL, NOTE, TITLE, broken, colour_map, fitted
from captum_lite.viz._image import Picture, as_png, paint
from captum_lite.viz._inputs import attribution_map, examples, picture_of
from captum_lite.viz._methods import COLOURED, Look
from captum_lite.viz._scale import Clip, Scaled, describe, scale, scale_together

_NAME = 1.0  # inches, for a line of the name of a method
_BAR, _ABOVE = 1.0, 0.3  # inches, for the colour bars, and for what is written above the cells
_GAP = 0.04  # inches, around a cell


@dataclass(frozen=True, eq=False)
class Grid:
    """The artists of a grid.

    Attributes:
      figure: the figure.
      axes: all axes, [row, column]; the first row holds the images, if they were given.
      pictures: the pictures of each method, in the order of the samples.
      colorbars: the colour bar of each method.
    """

    figure: Figure
    axes: np.ndarray
    pictures: dict[str, tuple[Picture, ...]]
    colorbars: dict[str, Colorbar]

    def _repr_png_(self) -> bytes | None:
        return as_png(self.figure)


def grid(
    rows: Mapping[str, Any],
    images: Any = None,
    *,
    method: str = "heat_map",
    sign: str | Mapping[str, str] = "all",
    cmap: str | Colormap | None = None,
    clip: Clip = ("mass", 98),
    opacity: float = 0.6,
    norm: str = "shared",
    colorbar: bool = True,
    title: str | None = None,
    column_titles: Sequence[str] | None = None,
    cell_notes: Mapping[str, Sequence[str]] | None = None,
    units: str | Mapping[str, str] | None = None,
    cell: float = 1.15,
) -> Grid:
    """Draw the attributions of several methods for several samples, with the images on top.

    Args:
      rows: for the name of each method its attributions, one per sample: a list of what `show`
        takes, or a whole batch (array, named tensor with the dim batch, or record).
      images: the images explained, one per sample, as a list or a batch.
      method: how each cell is drawn, as in `show`.
      sign: as in `show`; one for all methods, or by method (those not named have "all").
      cmap: as in `show`.
      clip: as in `show`; with a shared norm it applies to the attributions of a row together.
      opacity: as in `show`.
      norm: "shared", one scale for all samples of a method, or "each", one for every cell.
      colorbar: whether each row has a colour bar.
      title: text above the grid.
      column_titles: text above each column.
      cell_notes: for the names of some methods, a short text under each cell.
      units: of the attributions; one for all methods, or by method.
      cell: the height of a cell in inches.

    Returns:
      The artists. In a notebook the result shows itself.

    Examples:
      >>> import numpy as np
      >>> attrs = [np.array([[1.0, -2.0]]), np.array([[0.5, 0.0]])]
      >>> notes = {"saliency": ["gap 0", "gap 1.2e-04"]}
      >>> drawn = grid({"saliency": attrs}, clip=None, cell_notes=notes)
      >>> [picture.image.get_clim() for picture in drawn.pictures["saliency"]]
      [(-2.0, 2.0), (-2.0, 2.0)]
    """
    maps = {
        name: [attribution_map(x, f"rows[{name!r}][{i}]") for i, x in enumerate(examples(row))]
        for name, row in rows.items()
    }
    given = [] if images is None else examples(images)
    backgrounds = [picture_of(x, f"images[{i}]") for i, x in enumerate(given)]
    notes = cell_notes or {}
    _check_lengths(maps, notes, images=backgrounds, column_titles=column_titles)

    rescale = choose("norm", norm, _NORMS)
    names = ["image", *maps] if given else list(maps)
    figure, axes = _cells(backgrounds or next(iter(maps.values())), names, cell)
    if given:
        plain = Look(colour_map(cmap, signed=True), opacity)
        _paint_row(axes[0], "original_image", backgrounds, [None] * len(given), plain)

    pictures, bars = {}, {}
    for line, (name, row) in zip(axes[-len(maps) :], maps.items(), strict=True):
        its_sign, its_units = _of(sign, name, "sign", maps) or "all", _of(units, name, "units", maps)
        look = Look(colour_map(cmap, signed=its_sign == "all"), opacity)
        scaled = rescale(row, sign=its_sign, clip=clip)
        drawn = _paint_row(line, method, backgrounds or [None] * len(row), scaled, look)
        if colorbar and method in COLOURED:
            bars[name] = _row_bar(drawn[-1], scaled, norm, its_units, cell)
        pictures[name] = tuple(replace(one, colorbar=bars.get(name)) for one in drawn)
        for ax, text in zip(line, notes.get(name, ()), strict=False):
            ax.set_xlabel(fitted(text, ax, NOTE), fontsize=NOTE, color="0.35", labelpad=2)
    align(list(bars.values()))
    _write(figure, axes, names, title, column_titles or ())
    return Grid(figure, axes, pictures, bars)


_NORMS: dict[str, Callable[..., list[Scaled]]] = {
    "shared": scale_together,
    "each": lambda maps, **rules: [scale(one, **rules) for one in maps],
}


def _of(
    setting: str | Mapping[str, str] | None, method: str, what: str, maps: Mapping[str, Any]
) -> str | None:
    """A setting of one method, of what is given for all or by method."""
    if not isinstance(setting, Mapping):
        return setting
    for name in setting:
        if name not in maps:
            raise unknown(f"method in {what}", name, maps)
    return setting.get(method)


def _check_lengths(
    maps: Mapping[str, Sequence], notes: Mapping[str, Sequence], **columns: Sequence | None
) -> None:
    """Every row, and whatever goes with the columns, has one entry per sample."""
    if not maps or not all(maps.values()):
        raise ValueError('grid needs a method with an attribution: grid({"saliency": [attr]}).')
    for name in notes:
        if name not in maps:
            raise unknown("method in cell_notes", name, maps)
    lengths = {f"rows[{name!r}]": len(row) for name, row in maps.items()}
    lengths |= {f"cell_notes[{name!r}]": len(row) for name, row in notes.items()}
    lengths |= {name: len(given) for name, given in columns.items() if given}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise ValueError(f"a grid has one entry per sample everywhere: {listed}.")


def _cells(first: Sequence[np.ndarray], names: Sequence[str], cell: float) -> tuple[Figure, np.ndarray]:
    """Axes of equal height, each column as wide as its first picture needs."""
    widths = [picture.shape[1] / picture.shape[0] for picture in first]
    name = max(len(line) for name in names for line in _name(name).splitlines()) * LABEL * GLYPH
    size = (sum(widths) * cell + name / 72 + _BAR, len(names) * cell + _ABOVE)
    figure = Figure(figsize=size, layout="compressed")
    figure.get_layout_engine().set(w_pad=_GAP, h_pad=_GAP, wspace=0, hspace=0)  # pyright: ignore
    return figure, figure.subplots(len(names), len(widths), squeeze=False, width_ratios=widths)


def _name(method: str) -> str:
    return broken((method,), _NAME, LABEL)


def _paint_row(
    line: np.ndarray, method: str, images: Sequence, scaled: Sequence, look: Look
) -> list[Picture]:
    cells = zip(line, images, scaled, strict=True)
    return [paint(ax, method, image, one, look) for ax, image, one in cells]


def _row_bar(last: Picture, row: Sequence[Scaled], norm: str, units: str | None, room: float) -> Colorbar:
    # an empty map has nothing to clip: another one says by which rule the row was
    scaled = next((one for one in row if not one.empty), row[-1])
    label, scale_shown = describe(scaled, units), None
    if norm == "each":  # the cells have different limits; what they share is the fraction of it
        scaled, label = replace(scaled, limit=1.0), ("fraction of each map's limit", label[1])
        scale_shown = Normalize(*scaled.ends)
    return colour_bar(
        last.axes,
        last.image,
        ticks_of(scaled),
        label,
        outside=True,
        norm=scale_shown,
        room=room,
        size=NOTE,
    )


def _write(
    figure: Figure, axes: np.ndarray, names: Sequence[str], title: str | None, above: Sequence[str]
) -> None:
    beside = {"rotation": 0, "ha": "right", "va": "center", "fontsize": LABEL}
    for ax, name in zip(axes[:, 0], names, strict=True):
        ax.set_ylabel(_name(name), **beside)
    for ax, text in zip(axes[0], above, strict=False):
        ax.set_title(fitted(text, ax, LABEL), fontsize=LABEL, pad=3)
    if title:
        figure.suptitle(title, fontsize=TITLE)
