"""One picture of one attribution.

A picture is drawn on a bare `matplotlib.figure.Figure`, never through pyplot: pyplot keeps a global
list of figures, which leaks in long sessions and corrupts figures drawn in a widget's callback.
"""

import io
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colorbar import Colorbar
from matplotlib.colors import Colormap
from matplotlib.figure import Figure, SubFigure
from matplotlib.image import AxesImage
from matplotlib.layout_engine import ConstrainedLayoutEngine

from captum_lite.viz._bars import colour_bar, ticks_of
from captum_lite.viz._choice import choose
from captum_lite.viz._frame import TITLE, bare, colour_map, note
from captum_lite.viz._inputs import attribution_map, picture_of
from captum_lite.viz._methods import COLOURED, METHODS, Look
from captum_lite.viz._scale import Clip, Scaled, describe, scale

_LONG, _SHORT, _MOST = 3.0, 1.5, 4.5  # inches wished for the two sides; the most for either
_BAR = {"right": (0.95, 0.0), "bottom": (0.0, 0.7)}  # inches that a colour bar adds


@dataclass(frozen=True, eq=False)
class Picture:
    """The artists of one picture, for whoever wants to change them.

    Attributes:
      figure: the figure it is in.
      axes: the axes that it fills.
      image: the artist that carries the attribution, or the image where the method shows that only.
      colorbar: its colour bar, if it has one.
      method: how it was drawn.
      scaled: the attribution as it was drawn; None for "original_image".
    """

    figure: Figure | SubFigure
    axes: Axes
    image: AxesImage
    colorbar: Colorbar | None
    method: str
    scaled: Scaled | None

    def _repr_png_(self) -> bytes | None:
        return as_png(self.figure)


def show(
    attr: Any,
    image: Any = None,
    *,
    method: str = "heat_map",
    sign: str = "all",
    cmap: str | Colormap | None = None,
    clip: Clip = ("mass", 98),
    opacity: float = 0.6,
    colorbar: bool | str = True,
    title: str | None = None,
    ax: Axes | None = None,
    limit: float | None = None,
    units: str | None = None,
) -> Picture:
    """Draw one attribution, alone or on its image.

    The attribution is summed over its channels, as Captum does. Signed maps have 0 in the middle of
    the colours and limits of equal size; maps of one sign and magnitudes begin at 0. A map without
    anything of the chosen sign is drawn flat, with a note that says so.

    Args:
      attr: an array ``[height, width]`` or ``[height, width, channel]``, a named tensor with the
        dims height and width, or an attribution record of one example.
      image: the image explained, floats in 0..1 or integers in 0..255; "heat_map" ignores it.
      method: "heat_map", "blended_heat_map" (on the grey image), "masked_image" (the image times
        the attribution), "alpha_scaling" (the image, as opaque as the attribution is large) or
        "original_image". Masks have no sign: with ``sign="all"`` they show magnitudes.
      sign: "all", "positive", "negative" or "absolute_value"; "negative" shows magnitudes.
      cmap: any colour map of matplotlib. The default is RdBu_r for signed maps (PuOr and PRGn are
        as safe for colour-blind readers) and viridis for others (or cividis).
      clip: where the colours end: ``("mass", 98)``, the magnitude up to which 98 % of the total is
        reached (Captum's ``outlier_perc=2``); ``("percentile", 98)``; None, the largest magnitude.
      opacity: of the heat map on the image, for "blended_heat_map".
      colorbar: False, "right" (or True) or "bottom".
      title: text above the picture.
      ax: axes to draw on; by default a new figure is made.
      limit: the attribution at the end of the colours, instead of ``clip``.
      units: of the attribution, "logit" say; they stand on the colour bar.

    Returns:
      The artists. In a notebook the result shows itself.

    Examples:
      >>> import numpy as np
      >>> picture = show(np.array([[1.0, -2.0], [0.0, 4.0]]), clip=None, units="logit")
      >>> picture.image.get_clim()
      (-4.0, 4.0)
      >>> picture.colorbar.ax.get_ylabel()
      'attribution (logit), not clipped'
    """
    # a heat map stands alone: an image that is not drawn is not refused either
    background = None if image is None or method == "heat_map" else picture_of(image)
    scaled = None
    if method != "original_image":
        scaled = scale(attribution_map(attr), sign=sign, clip=clip, limit=limit)
    look = Look(colour_map(cmap, signed=sign == "all"), opacity)
    place = "right" if colorbar is True else colorbar
    # where the figure's layout makes room for a bar, pictures side by side keep one size
    outside = ax is None or isinstance(ax.figure.get_layout_engine(), ConstrainedLayoutEngine)
    if ax is None:
        ax = _new_axes(background if scaled is None else scaled.values, place, method)
    picture = paint(ax, method, background, scaled, look)
    if title:
        ax.set_title(title, fontsize=TITLE)
    return with_bar(picture, place, units, outside) if place else picture


def with_bar(picture: Picture, place: str, units: str | None, outside: bool) -> Picture:
    """The picture with its colour bar; the methods that show no colours of a map need none."""
    if picture.scaled is None or picture.method not in COLOURED:
        return picture
    label = describe(picture.scaled, units)
    marks = ticks_of(picture.scaled)
    bar = colour_bar(picture.axes, picture.image, marks, label, place, outside=outside)
    return replace(picture, colorbar=bar)


def paint(ax: Axes, method: str, image: np.ndarray | None, scaled: Scaled | None, look: Look) -> Picture:
    """Draw the picture itself, with its note if there is nothing in it; shared with `grid`."""
    painter = choose("method", method, METHODS)
    if image is None and method != "heat_map":
        raise ValueError(f"method {method!r} draws on the image: give image=, or use method='heat_map'.")
    if image is not None and scaled is not None and image.shape[:2] != scaled.values.shape:
        (height, width), (rows, columns) = image.shape[:2], scaled.values.shape
        raise ValueError(
            f"the attribution has {rows} x {columns} pixels and the image {height} x {width}. "
            f"Bring it to the size of the image: "
            f'jax.image.resize(attr, ({height}, {width}), "linear").'
        )
    drawn = painter(ax, image, scaled, look)
    bare(ax)
    if scaled is not None and scaled.empty:
        one_sign = scaled.sign in ("positive", "negative")
        note(ax, "no attribution\nof this sign" if one_sign else "no attribution:\nall zero")
    return Picture(ax.figure, ax, drawn, None, method, scaled)


def as_png(figure: Figure | SubFigure) -> bytes | None:
    """How a result shows itself in a notebook; None if pyplot shows the figure anyway."""
    if not isinstance(figure, Figure) or figure.canvas.manager is not None:
        return None
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=144, bbox_inches="tight")
    return buffer.getvalue()


def _new_axes(shown: np.ndarray | None, place: str | bool, method: str) -> Axes:
    """Axes on a figure of the shape of the picture, so that little paper stays white."""
    height, width = (1, 1) if shown is None else shown.shape[:2]
    short, long = sorted((height, width))
    inch = min(max(_LONG / long, _SHORT / short), _MOST / long)
    beside, below = _BAR.get(str(place), (0.0, 0.0)) if method in COLOURED else (0.0, 0.0)
    # even beside a narrow picture there must be room for its texts
    size = (max(width * inch, _SHORT) + 0.1 + beside, max(height * inch, 1.0) + 0.3 + below)
    return Figure(figsize=size, layout="compressed").subplots()
