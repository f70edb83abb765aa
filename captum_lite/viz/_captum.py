"""Captum's names and words for the pictures of this folder, so that code written for it runs.

Two things differ on purpose. The default colour maps are safe for colour-blind readers (Captum
draws signed maps from red to green), and what Captum refuses, a map without any attribution of the
chosen sign or a mask with ``sign="all"``, is drawn.
"""

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.registry import BackendFilter, backend_registry
from matplotlib.colors import Colormap
from matplotlib.figure import Figure

from captum_lite.viz._image import show, with_bar


def visualize_image_attr(
    attr: Any,
    original_image: Any = None,
    method: str = "heat_map",
    sign: str = "absolute_value",
    plt_fig_axis: tuple[Figure, Axes] | None = None,
    outlier_perc: float = 2,
    cmap: str | Colormap | None = None,
    alpha_overlay: float = 0.5,
    show_colorbar: bool = False,
    title: str | None = None,
    fig_size: tuple[float, float] = (6, 6),
    use_pyplot: bool = True,
) -> tuple[Figure, Axes]:
    """Draw one attribution, in Captum's words; see `captum_lite.viz.show`.

    Args:
      attr: the attribution, ``[height, width, channel]`` or whatever `show` takes.
      original_image: the image, floats in 0..1 or integers in 0..255.
      method: "heat_map", "blended_heat_map", "original_image", "masked_image" or "alpha_scaling".
      sign: "positive", "absolute_value", "negative" or "all".
      plt_fig_axis: figure and axes to draw on; by default a new figure is made.
      outlier_perc: the largest values, which together are this share of the total |attribution| in
        percent, get the colour at the end of the scale.
      cmap: any colour map of matplotlib, for the heat maps.
      alpha_overlay: opacity of the heat map in "blended_heat_map".
      show_colorbar: draw a colour bar below a heat map.
      title: text above the picture.
      fig_size: inches, of a new figure.
      use_pyplot: make the figure through pyplot, which shows it in notebooks and in windows.

    Returns:
      The figure and the axes.
    """
    if plt_fig_axis is None:
        figure, axes = _new_figure(1, fig_size, use_pyplot)
        ax = axes[0]
    else:
        figure, ax = plt_fig_axis
    _draw(
        ax,
        plt_fig_axis is None,
        attr,
        original_image,
        method,
        sign,
        title,
        outlier_perc=outlier_perc,
        cmap=cmap,
        alpha_overlay=alpha_overlay,
        show_colorbar=show_colorbar,
    )
    if use_pyplot:
        show_windows()
    return figure, ax


def visualize_image_attr_multiple(
    attr: Any,
    original_image: Any,
    methods: Sequence[str],
    signs: Sequence[str],
    titles: Sequence[str] | None = None,
    fig_size: tuple[float, float] = (8, 6),
    use_pyplot: bool = True,
    **kwargs: Any,
) -> tuple[Figure, np.ndarray]:
    """Draw one attribution in several ways, side by side, in Captum's words.

    Args:
      attr: the attribution, as in `visualize_image_attr`.
      original_image: the image, or None where no method needs it.
      methods: the method of each picture.
      signs: the sign of each picture.
      titles: the title of each picture.
      fig_size: inches, of the figure.
      use_pyplot: make the figure through pyplot, which shows it in notebooks and in windows.
      **kwargs: for all pictures: outlier_perc, cmap, alpha_overlay and show_colorbar, as in
        `visualize_image_attr`.

    Returns:
      The figure, and the axes as an array of one dimension.

    Examples:
      >>> import numpy as np
      >>> attr, image = np.array([[1.0, -1.0]]), np.array([[0.2, 0.8]])
      >>> figure, axes = visualize_image_attr_multiple(
      ...     attr, image, ["original_image", "heat_map"], ["all", "positive"], use_pyplot=False
      ... )
      >>> axes.shape
      (2,)
    """
    titles = titles or [""] * len(methods)
    if not 0 < len(methods) == len(signs) == len(titles):
        raise ValueError(
            "every picture has a method, a sign and, if any has, a title; "
            f"got {len(methods)} methods, {len(signs)} signs and {len(titles)} titles."
        )
    figure, axes = _new_figure(len(methods), fig_size, use_pyplot)
    for ax, method, sign, title in zip(axes, methods, signs, titles, strict=True):
        _draw(ax, True, attr, original_image, method, sign, title, **kwargs)
    if use_pyplot:
        show_windows()
    return figure, axes


def _draw(
    ax: Axes,
    own_figure: bool,
    attr: Any,
    image: Any,
    method: str,
    sign: str,
    title: str | None,
    *,
    outlier_perc: float = 2,
    cmap: str | Colormap | None = None,
    alpha_overlay: float = 0.5,
    show_colorbar: bool = False,
) -> None:
    if not 0 <= outlier_perc < 100:
        raise ValueError(f"outlier_perc is a percentage from 0 to below 100; got {outlier_perc!r}.")
    picture = show(
        attr,
        image,
        method=method,
        sign=sign,
        cmap=cmap,
        clip=("mass", 100 - outlier_perc),
        opacity=alpha_overlay,
        colorbar=False,
        title=title,
        ax=ax,
    )
    if show_colorbar:
        with_bar(picture, "bottom", units=None, outside=own_figure)


def _new_figure(count: int, size: tuple[float, float], use_pyplot: bool) -> tuple[Figure, np.ndarray]:
    make = Figure
    if use_pyplot:
        from matplotlib import pyplot  # only here: importing it chooses a backend

        make = pyplot.figure
    figure = make(figsize=size, layout="compressed")
    return figure, figure.subplots(1, count, squeeze=False)[0]


def show_windows() -> None:
    """Open the windows of an interactive backend; others would warn, and notebooks show anyway."""
    from matplotlib import pyplot

    if matplotlib.get_backend().lower() in backend_registry.list_builtin(BackendFilter.INTERACTIVE):
        pyplot.show()
