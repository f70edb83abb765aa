"""The privacy explorer on paper: the image and its shares, the layers, and the errors."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from crypten_lite.timeline import Stretch
from crypten_lite.widgets.records import Measured, PrivateRun

_NOT_PRIVATE = "A simulation: all shares were in one process, and nothing was hidden."


def drawn(run: PrivateRun, measured: Sequence[Measured], names: Sequence[str]) -> Figure:
    """The figure.

    Args:
      run: on display.
      measured: by binary places; may be empty.
      names: of the parties.
    """
    columns = run.parties + 3
    layers = list(dict.fromkeys(s.layer for s in run.stretches))
    heights = [2.2, 0.6 + 0.22 * len(layers)] + [2.0] * bool(measured)
    figure = Figure(figsize=(1.45 * columns, sum(heights) + 0.4), layout="constrained")
    rows = figure.add_gridspec(len(heights), 1, height_ratios=heights)
    _pictures(rows[0].subgridspec(1, columns), figure, run, names)
    _timeline(figure.add_subplot(rows[1]), run.stretches, layers)
    if measured:
        _errors(figure.add_subplot(rows[2]), measured)
    figure.supxlabel(_NOT_PRIVATE, fontsize=8)
    return figure


def _pictures(grid: Any, figure: Figure, run: PrivateRun, names: Sequence[str]) -> None:
    decoded = _decoder(run.places)
    but_one, all_of_them = run.shares[:-1].sum(0, dtype=np.uint64), run.shares.sum(0, dtype=np.uint64)
    pictures = [("the image", run.image), *((n, decoded(s)) for n, s in zip(names, run.shares, strict=True))]
    n = run.parties
    pictures += [
        (f"{n - 1} of {n} together", decoded(but_one)),
        (f"{n} of {n} together", decoded(all_of_them)),
    ]
    for place, (title, picture) in zip(grid, pictures, strict=True):
        axes = figure.add_subplot(place)
        axes.imshow(_scaled(picture), cmap="gray", vmin=0, vmax=1)
        axes.set_title(title.replace(": ", ":\n"), fontsize=8)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_xlabel(f"{picture.min():.3g} to {picture.max():.3g}", fontsize=7)


def _decoder(places: int) -> Callable[[Any], Any]:
    return lambda elements: np.ldexp(elements.view(np.int64).astype(np.float64), -places)


def _scaled(picture: Any) -> Any:
    low, high = float(picture.min()), float(picture.max())
    scaled = (np.asarray(picture, np.float64) - low) / ((high - low) or 1.0)
    return scaled[..., 0] if scaled.ndim == 3 and scaled.shape[2] == 1 else scaled


def _timeline(axes: Any, stretches: Sequence[Stretch], layers: Sequence[str]) -> None:
    for s in stretches:
        axes.barh(
            layers.index(s.layer), s.rounds, left=s.start, color="#1565c0", edgecolor="white", linewidth=0.5
        )
    axes.set_yticks(range(len(layers)), [_with_bytes(layer, stretches) for layer in layers], fontsize=7)
    axes.invert_yaxis()
    axes.set_xlabel("round", fontsize=8)
    axes.tick_params(axis="x", labelsize=7)


def _with_bytes(layer: str, stretches: Sequence[Stretch]) -> str:
    return f"{layer}: {sum(s.bytes_per_party for s in stretches if s.layer == layer):,} bytes"


def _errors(axes: Any, measured: Sequence[Measured]) -> None:
    shown = [m for m in measured if np.isfinite(m.error)]
    places = [m.fraction for m in shown]
    axes.semilogy(places, [m.error or np.nan for m in shown], "o-", markersize=3, label="largest error")
    axes.semilogy(places, [m.mean or np.nan for m in shown], "s--", markersize=3, label="mean error")
    axes.set_xlabel("binary places", fontsize=8)
    axes.tick_params(labelsize=7)
    axes.legend(fontsize=7, frameon=False)
