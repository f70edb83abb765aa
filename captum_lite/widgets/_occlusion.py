"""A part of an image taken away: which pixels, what stands there instead, and how that looks."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from traitlets import TraitError

from captum_lite import _baselines as baselines
from captum_lite.widgets._images import Samples, row
from captum_lite.widgets._question import baseline_choices
from namedtensor import is_named, tensor, where

_FITS = 1e-3  # of the range from 0 to 1: display and image are the same numbers, scaled


def fillings(them: Samples) -> Mapping[str, Any]:
    """Name -> a number, images, or what makes one of an image."""
    sigma = max(1.5, min(them.shape) / 16)  # less would leave what is there recognisable
    return baseline_choices(them, {"blurred": lambda image: baselines.blurred(image, sigma)})


def filled(choice: Any, one: Any, i: int) -> Any:
    """What stands where image ``i`` (a batch of one) is covered."""
    return choice(one) if callable(choice) else row(choice, i)


def occluded(one: Any, mask: np.ndarray, filling: Any) -> Any:
    """A batch of one with the filling where the mask ``[height, width]`` is true."""
    if is_named(one):
        return where(tensor(mask, "height width"), filling, one).order(one.dims)
    there = mask.reshape(1, *mask.shape, *(1,) * (one.ndim - 3))
    return jnp.where(there, filling, one)


def checked_mask(given: Any, shape: tuple[int, int]) -> np.ndarray:
    """Booleans ``[height, width]``; None covers nothing.

    Raises:
      TraitError: other dims, another shape, or numbers that are neither true nor false.
    """
    if given is None:
        return np.zeros(shape, bool)
    if is_named(given) and set(given.dims) != {"height", "width"}:
        raise TraitError(f"the mask has the dims {tuple(given.dims)}: it has height and width.")
    array = np.asarray(given.to_array("height width") if is_named(given) else given)
    if array.shape != shape or array.dtype.kind not in "biu":
        raise TraitError(
            f"the mask is {array.dtype} of shape {list(array.shape)}: give booleans [height, width], "
            f"{list(shape)} for these images."
        )
    return array.astype(bool)


def top(values: np.ndarray, fraction: float) -> np.ndarray:
    """The places of the largest values, in the order in which `captum_lite.metrics.deletion` takes them."""
    count = round(fraction * values.size)
    places = np.argsort(-values, axis=None, stable=True)[:count]
    mask = np.zeros(values.shape, bool)
    mask.flat[places] = True
    return mask


def magnified(mask: np.ndarray, them: Samples) -> np.ndarray:
    """A mask of the shown pixels as one of the model's."""
    height, width = them.shape
    return mask.repeat(them.shrink, 0).repeat(them.shrink, 1)[:height, :width]


def shrunk(mask: np.ndarray, them: Samples) -> np.ndarray:
    """A mask of the model's pixels as one of those shown, true where any of theirs is."""
    for axis in (0, 1):
        mask = np.logical_or.reduceat(mask, np.arange(0, mask.shape[axis], them.shrink), axis=axis)
    return mask


def as_shown(them: Samples, i: int, image: Any) -> np.ndarray:
    """An image (a batch of one) made of sample ``i``, drawn as the samples are.

    What is drawn may be other numbers than the model's (ink on paper, a photograph before it was normalised).
    They are found again if they are the model's, scaled; else the model's own are drawn from dark to bright.
    """
    shown = dataclasses.replace(them, shrink=1).picture(i)
    raw, new = (_last_channel(x, shown.ndim) for x in (them.one(i), image))
    drawn = _like(shown, raw, new)
    picture = np.clip(_from_dark_to_bright(raw, new) if drawn is None else drawn, 0, 1)
    return dataclasses.replace(them, images=picture[None], display=picture[None]).picture(0)


def _last_channel(x: Any, ndim: int) -> np.ndarray:
    """``[height, width]`` or ``[height, width, channel]``."""
    if is_named(x):
        dims = ("batch", "height", "width", *(["channel"] if "channel" in x.dims else []))
        x = x.order(dims).array
    array = np.asarray(x, np.float64)[0]
    return array[..., 0] if array.ndim == 3 and array.shape[2] == 1 and ndim == 2 else array


def _like(shown: np.ndarray, raw: np.ndarray, new: np.ndarray) -> np.ndarray | None:
    """The new numbers scaled as the raw ones are in what is shown, by channel; None if they are not."""
    if shown.shape != raw.shape:
        return None
    flat = [x.reshape(-1, x.shape[2] if x.ndim == 3 else 1) for x in (shown, raw, new)]
    out = np.empty_like(flat[2])
    for c, (y, x, z) in enumerate(zip(*(part.T for part in flat), strict=True)):
        slope, offset = np.polyfit(x, y, 1) if np.ptp(x) else (1.0, float(y[0] - x[0]))
        if np.abs(slope * x + offset - y).max() > _FITS:
            return None
        out[:, c] = slope * z + offset
    return out.reshape(new.shape)


def _from_dark_to_bright(raw: np.ndarray, new: np.ndarray) -> np.ndarray:
    low, high = float(raw.min()), float(raw.max())
    scaled = (new - low) / ((high - low) or 1.0)
    return scaled if scaled.ndim == 2 or scaled.shape[2] in (3, 4) else scaled.mean(2)
