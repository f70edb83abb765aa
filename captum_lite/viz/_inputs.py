"""What may be drawn, brought to plain numpy: arrays, named tensors and attribution records.

Drawing needs to know which axis is the height and which the channel. Named tensors say so; for an
array without names the order is fixed, [height, width] or [height, width, channel], perhaps with a
batch of one in front, and the usual mistakes (channel first, a whole batch) are refused with the
line to write instead of being drawn as noise.

Named tensors and records are recognised by their attributes, so that this folder needs nothing but
numpy, matplotlib and the rule by which features are counted.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from captum_lite._counting import counted, of_sums

_IMAGE_DIMS = ("height", "width", "channel")
_CHANNELS = (1, 3, 4)  # sizes of an axis that is likely to be the channel
_ROUNDING = 1 / 255  # how far outside 0..1 resampling may carry an image before it is refused


class Named(NamedTuple):
    """An array, the names of its axes, and of a record the features that its elements share."""

    array: np.ndarray
    dims: tuple[str, ...]
    features: np.ndarray | None = None

    def once(self, axes: tuple[int, ...]) -> np.ndarray:
        """The array, with 0 where a sum over axes has the feature already."""
        if self.features is None:
            return self.array
        return np.where(counted(self.features, self.array.shape, axes), self.array, 0)


def attribution_map(source: Any, what: str = "attr") -> np.ndarray:
    """The attribution as float64 [height, width]: every other axis is summed.

    The sum over channels (as in Captum) keeps completeness: the map adds up to what the attribution
    adds up to. Of a record a feature of several channels counts once.
    """
    return map_of(source, what).array


def map_of(source: Any, what: str = "attr") -> Named:
    """The same, with the features that pixels share."""
    named = _read(source, what)
    dims = named.dims
    rest = tuple(i for i, dim in enumerate(dims) if dim not in ("height", "width"))
    summed, features = named.once(rest).astype(np.float64).sum(axis=rest), named.features
    if features is not None:
        features = np.broadcast_to(of_sums((features,), (rest,))[0], summed.shape)
    if dims.index("height") > dims.index("width"):
        summed, features = summed.T, None if features is None else features.T
    return Named(summed, ("height", "width"), features)


def picture_of(source: Any, what: str = "image") -> np.ndarray:
    """The image as float64 in 0..1: [height, width] if grey, else [height, width, 3 or 4]."""
    array, dims, _ = _read(source, what)
    if extra := [dim for dim in dims if dim not in _IMAGE_DIMS]:
        raise ValueError(f"{what} has the dims {_listed(dims)}: select one of {_listed(extra)} first.")
    array = array.transpose([dims.index(dim) for dim in _IMAGE_DIMS if dim in dims])
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim == 3 and array.shape[2] not in (3, 4):
        raise ValueError(f"{what} has {array.shape[2]} channels: an image has 1, 3 or 4.")
    return _unit_range(array, what)


def examples(source: Any) -> Sequence[Any]:
    """A batch (a list, an array, a named tensor or a record) as a sequence of single examples."""
    if getattr(source, "features", None) is not None:
        count = np.shape(getattr(part := only(source.attributions, "attributions"), "array", part))[0]
        return [source.example(i) for i in range(count)]
    if hasattr(source, "attributions"):
        source = only(source.attributions, "attributions")
    if not _is_named(source):
        return list(source)
    array, dims = np.asarray(source.array), tuple(source.dims)
    if "batch" not in dims:
        return [source]
    inner = tuple(dim for dim in dims if dim != "batch")
    return [Named(one, inner) for one in np.moveaxis(array, dims.index("batch"), 0)]


def features_of(record: Any, dims: tuple[str, ...]) -> np.ndarray | None:
    """The features that the attributions of a record share, with their axes; None where there are none."""
    features = getattr(record, "features", None)
    if features is None:
        return None
    features = only(features, "features")
    return np.asarray(features.to_array([*dims]) if _is_named(features) else features)


def values_of(
    source: Any,
    what: str,
    dims: tuple[str, ...] | None,
    *,
    batched: bool = False,
    may_have_gaps: bool = False,
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Any tensor as finite float64 values and the names of its axes.

    Args:
      source: a named tensor or an array.
      what: what it is called in errors.
      dims: the names of an array's axes; None: the first is the tokens, the others are counted.
      batched: whether an array has a batch in front.
      may_have_gaps: whether some values may be NaN.
    """
    if _is_named(source):
        array, dims = np.asarray(source.array), tuple(source.dims)
    else:
        array = np.asarray(source)
        lead = ("batch", "token") if batched else ("token",)
        dims = dims or (*lead, *(f"axis {i}" for i in range(len(lead), array.ndim)))
        if array.ndim != len(dims):
            raise ValueError(f"{what} has the shape {array.shape}, expected [{', '.join(dims)}].")
    if not may_have_gaps:
        _check_values(array, dims, what)
    return array.astype(np.float64), dims


def _read(source: Any, what: str) -> Named:
    if hasattr(source, "attributions"):
        record, what = source, f"{what}.attributions"
        source = only(source.attributions, what)
        named = source if _is_named(source) else _unnamed(np.asarray(source), what, batched=True)
    else:
        record, named = None, source if _is_named(source) else _unnamed(np.asarray(source), what)
    array, dims = np.asarray(named.array), tuple(named.dims)
    features = named.features if isinstance(named, Named) else None
    features = features if record is None else features_of(record, dims)
    if missing := {"height", "width"} - set(dims):
        raise ValueError(
            f"{what} has the dims {_listed(dims)}: a picture needs {_listed(sorted(missing))} too."
        )
    _check_values(array, dims, what)
    return _one_example(Named(array, dims, features), what, by_name=_is_named(source))


def _is_named(source: Any) -> bool:
    return hasattr(source, "dims") and hasattr(source, "array")


def only(attributions: Any, what: str) -> Any:
    """A record of a function of several inputs holds several attributions; a picture shows one."""
    if not isinstance(attributions, (tuple, list)) or _is_named(attributions):
        return attributions
    if len(attributions) != 1:
        raise ValueError(
            f"{what} holds {len(attributions)} attributions, one per input: draw one, {what}[0]."
        )
    return attributions[0]


def _unnamed(array: np.ndarray, what: str, batched: bool = False) -> Named:
    if array.ndim not in (2, 3, 4):
        raise ValueError(
            f"{what} has the shape {array.shape}, expected [height, width] or [height, width, channel]."
        )
    dims = _IMAGE_DIMS[: array.ndim]
    # [1, height, width] is one grey example, whether its first axis is the batch or the channel
    alone = array.ndim == 3 and array.shape[0] == 1 and array.shape[2] not in _CHANNELS
    if array.ndim == 4 or alone or (batched and array.ndim == 3):
        dims = ("batch", *_IMAGE_DIMS[: array.ndim - 1])
    if "channel" in dims and array.shape[-1] not in _CHANNELS and array.shape[-3] in _CHANNELS:
        raise ValueError(
            f"{what} has the shape {array.shape}, which looks channel-first; "
            f"channels come last here. Write np.moveaxis({what}, -3, -1)."
        )
    return Named(array, dims)


def _one_example(named: Named, what: str, by_name: bool) -> Named:
    array, dims, features = named
    if "batch" not in dims:
        return named
    axis = dims.index("batch")
    if array.shape[axis] != 1:
        line = f"{what}.isel(batch=0)" if by_name else f"{what}[0]"
        raise ValueError(f"{what} holds a batch of {array.shape[axis]} examples: select one, {line}.")
    features = None if features is None else features.squeeze(axis)
    return Named(array.squeeze(axis), tuple(dim for dim in dims if dim != "batch"), features)


def _check_values(array: np.ndarray, dims: tuple[str, ...], what: str) -> None:
    if array.size == 0:
        raise ValueError(f"{what} has the shape {array.shape}: there is nothing to draw.")
    bad = ~np.isfinite(array)
    if count := int(bad.sum()):
        first = np.unravel_index(int(np.argmax(bad)), bad.shape)
        place = " ".join(f"{dim}={index}" for dim, index in zip(dims, first, strict=True))
        nans = int(np.isnan(array).sum())
        raise ValueError(
            f"{what} holds {count} values of {array.size} that are not finite "
            f"({nans} NaN, {count - nans} infinite); the first is at {place}."
        )


def _unit_range(array: np.ndarray, what: str) -> np.ndarray:
    values = array.astype(np.float64)
    low, high = float(values.min()), float(values.max())
    if np.issubdtype(array.dtype, np.integer) and low >= 0 and 1 < high <= 255:
        return values / 255
    if low >= -_ROUNDING and high <= 1 + _ROUNDING:
        return np.clip(values, 0, 1)
    line = f"{what} / {high:g}" if low >= 0 else f"({what} - {low:g}) / {high - low:g}"
    raise ValueError(
        f"{what} runs from {low:g} to {high:g}: an image is floats in 0..1 or integers in 0..255. "
        f"Write {line}."
    )


def _listed(words: Sequence[str]) -> str:
    return ", ".join(map(repr, words))
