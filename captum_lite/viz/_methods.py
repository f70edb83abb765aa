"""The ways to put an attribution on an image: one function each, in Captum's words.

A painter draws on bare axes and returns the artist that carries the attribution.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from matplotlib.image import AxesImage

from captum_lite.viz._scale import Scaled


@dataclass(frozen=True, eq=False)
class Look:
    """How to draw: the colours of a heat map, and how opaque it lies on an image."""

    cmap: Colormap
    opacity: float


def original_image(
    ax: Axes, image: np.ndarray, scaled: Scaled | None = None, look: Look | None = None
) -> AxesImage:
    """The image alone."""
    return ax.imshow(image, cmap="gray", vmin=0, vmax=1)


def heat_map(ax: Axes, image: np.ndarray | None, scaled: Scaled, look: Look) -> AxesImage:
    """The attribution alone, in its own units."""
    low, high = scaled.ends
    return ax.imshow(scaled.values * high, cmap=look.cmap, vmin=low, vmax=high)


def blended_heat_map(ax: Axes, image: np.ndarray, scaled: Scaled, look: Look) -> AxesImage:
    """The heat map over the image in grey, so that all colour is attribution."""
    original_image(ax, image if image.ndim == 2 else image[..., :3].mean(axis=-1))
    drawn = heat_map(ax, image, scaled, look)
    drawn.set_alpha(look.opacity)
    return drawn


def masked_image(ax: Axes, image: np.ndarray, scaled: Scaled, look: Look) -> AxesImage:
    """The image times the magnitude of the attribution: dark where nothing is attributed."""
    mask = np.abs(scaled.values)
    if image.ndim == 2:
        return original_image(ax, image * mask)
    return original_image(ax, np.concatenate([image[..., :3] * mask[..., None], image[..., 3:]], axis=-1))


def alpha_scaling(ax: Axes, image: np.ndarray, scaled: Scaled, look: Look) -> AxesImage:
    """The image on white paper, as opaque as the magnitude of the attribution."""
    colour = image[..., :3] if image.ndim == 3 else np.repeat(image[..., None], 3, axis=-1)
    alpha = np.abs(scaled.values)[..., None] * (image[..., 3:] if image.shape[2:] == (4,) else 1)
    ax.set_facecolor("white")
    return original_image(ax, np.concatenate([colour, alpha], axis=-1))


METHODS: dict[str, Callable[..., AxesImage]] = {
    "original_image": original_image,
    "heat_map": heat_map,
    "blended_heat_map": blended_heat_map,
    "masked_image": masked_image,
    "alpha_scaling": alpha_scaling,
}

COLOURED = ("heat_map", "blended_heat_map")  # the methods whose colours need a colour bar
