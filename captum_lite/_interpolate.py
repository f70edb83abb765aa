"""Attributions of a layer at the size of the image."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from captum_lite._inputs import BATCH
from namedtensor import NamedTensor, is_named
from namedtensor._errors import describe


class LayerAttribution:
    """Captum's home of `interpolate`."""

    @staticmethod
    def interpolate(attributions: Any, interpolate_dims: Any, interpolate_mode: str = "nearest") -> Any:
        """Attributions of a layer at another spatial size, that of the image say.

        Args:
          attributions: plain ``[batch, channel, *spatial]``, or named.
          interpolate_dims: the new sizes: a number or a tuple in the order of the spatial axes, or for named
            attributions ``{"height": 64, "width": 64}``.
          interpolate_mode: ``"nearest"`` (each new pixel takes the old one that its corner falls into, as
            Captum and PyTorch do) or ``"bilinear"`` (linear along each axis, pixel centres aligned).

        Returns:
          The attributions at the new size, with the same names.

        Raises:
          ValueError: an unknown mode, or sizes that do not fit the axes.

        Example:
          >>> import jax.numpy as jnp
          >>> from captum_lite import LayerAttribution
          >>> LayerAttribution.interpolate(jnp.array([[[1.0, 2.0]]]), 4)
          Array([[[1., 1., 2., 2.]]], dtype=float32)
        """
        sizes = _new_sizes(attributions, interpolate_dims)
        array = attributions.array if is_named(attributions) else jnp.asarray(attributions)
        out = resized(array, sizes, interpolate_mode)
        return NamedTensor(out, attributions.dims) if is_named(attributions) else out


def resized(array: Any, sizes: Mapping[int, int], mode: str) -> Any:
    """An array with new sizes of some axes."""
    if mode == "nearest":
        for axis, n in sizes.items():
            array = jnp.take(array, jnp.arange(n) * array.shape[axis] // n, axis=axis)
        return array
    if mode in ("linear", "bilinear", "trilinear"):
        shape = [sizes.get(axis, n) for axis, n in enumerate(array.shape)]
        return jax.image.resize(array, shape, "linear", antialias=False)
    raise ValueError(f"interpolate_mode={mode!r} is not known: choose 'nearest' or 'bilinear'.")


def _new_sizes(attributions: Any, sizes: Any) -> dict[int, int]:
    """The new size of each axis that changes."""
    if is_named(attributions):
        names = attributions.dims
        if not isinstance(sizes, Mapping) or not set(sizes) <= set(names) - {BATCH}:
            raise ValueError(
                f"interpolate_dims={sizes!r} does not fit {describe(attributions)}: give the new sizes by "
                "name, {'height': 64, 'width': 64}."
            )
        return {names.index(d): n for d, n in sizes.items()}
    given = tuple(sizes) if isinstance(sizes, tuple | list) else (sizes,)
    if len(given) != jnp.ndim(attributions) - 2:
        raise ValueError(
            f"interpolate_dims={sizes!r} does not fit {describe(attributions)}: give one size for each axis "
            "after [batch, channel]."
        )
    return dict(enumerate(given, start=2))
