"""What is set in an overlay, in the words of `captum_lite.viz`: a paper's figure looks as the widget does."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from captum_lite.viz._image import Picture
from namedtensor.widgets import Overlay


def clip_of(overlay: Overlay) -> tuple[str, float] | None:
    """Where the colours end."""
    rule, _, amount = overlay.clip.partition(" ")
    return (rule, float(amount)) if amount else None


def sign_of(overlay: Overlay, maps: Sequence[np.ndarray]) -> str:
    """Magnitudes have no sign to centre the colours on."""
    whole = all((m >= 0).all() for m in maps) and any(m.any() for m in maps)
    return "absolute_value" if overlay.sign == "all" and whole else overlay.sign


def colours_of(overlay: Overlay, sign: str) -> str:
    """The colour map for a sign."""
    return overlay.palette if sign == "all" else overlay.unsigned_palette


def finish(picture: Picture, overlay: Overlay) -> None:
    """The threshold, the zoom and the selection, which `captum_lite.viz` does not have."""
    if picture.scaled is not None:
        if overlay.threshold > 0:
            seen = np.abs(picture.scaled.values) >= overlay.threshold
            picture.image.set_alpha(seen * float(overlay.opacity))
        picture.image.set_cmap(colours_of(overlay, picture.scaled.sign))
    zoom(picture.axes, *picture.image.get_size(), overlay)
    if overlay.selection is not None:
        _outline(picture, overlay.selection)


def zoom(ax: Axes, height: int, width: int, overlay: Overlay) -> None:
    """The part of a picture of this size that is in sight."""
    top, left, bottom, right = overlay.zoom
    ax.set_xlim(left * width - 0.5, right * width - 0.5)
    ax.set_ylim(bottom * height - 0.5, top * height - 0.5)


def _outline(picture: Picture, box: Sequence[int]) -> None:
    top, left, bottom, right = box
    for look in ({"edgecolor": "black", "linewidth": 2.0}, {"edgecolor": "white", "linewidth": 1.0}):
        dashed: Any = {"facecolor": "none", "linestyle": (0, (4, 2))} | look
        picture.axes.add_patch(Rectangle((left - 0.5, top - 0.5), right - left, bottom - top, **dashed))
