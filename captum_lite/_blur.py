"""Gaussian blur as what it is, diffusion: exact, with a derivative in its width, and the identity at width 0.

A kernel that is sampled and cut off is none of these; multiplied into the cosine series of an image, whose
borders reflect, a Gaussian is. (Heat in an insulated plate; the image goes to its mean colour.)
"""

import functools
import math
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from captum_lite._inputs import Layout
from namedtensor import NamedTensor
from namedtensor._errors import describe


@functools.lru_cache(maxsize=32)
def _cosines(n: int) -> tuple[np.ndarray, np.ndarray]:
    """The orthonormal cosines of ``n`` pixels ``[frequency, pixel]``, and their frequencies."""
    frequencies = np.pi * np.arange(n) / n
    rows = np.sqrt(2 / n) * np.cos(frequencies[:, None] * (np.arange(n) + 0.5))
    rows[0] /= math.sqrt(2)
    return rows, frequencies


def blur(image: Any, sigma: Any, axes: Sequence[int]) -> Any:
    """An array blurred along axes with a Gaussian of standard deviation ``sigma`` (in pixels; traceable)."""
    dtype = jnp.promote_types(image.dtype, jnp.float32)
    out = image.astype(dtype)
    for axis in axes:
        cosines, frequencies = _cosines(image.shape[axis])
        damped = jnp.exp(-0.5 * (sigma * frequencies.astype(dtype)) ** 2)[:, None] * cosines.astype(dtype)
        matrix = jnp.tensordot(cosines.T.astype(dtype), damped, 1)
        out = jnp.moveaxis(jnp.tensordot(out, matrix, ((axis,), (1,))), -1, axis)
    return out.astype(image.dtype)


def image_axes(
    arrays: Sequence[Any], layout: Layout, over: Sequence[str | int] | None, method: str
) -> tuple[tuple[int, ...], ...]:
    """The axes of each input along which it is an image.

    Args:
      arrays: the inputs, batch first.
      layout: how they came.
      over: dims or axes; None is ``("height", "width")`` of named inputs, and axes 1 and 2 of plain ones.
      method: who asks, for the error.

    Raises:
      ValueError: an input has no such dims.
    """
    return tuple(_axes(x, dims, over, method) for x, dims in zip(arrays, layout.dims, strict=True))


def _axes(x: Any, dims: Any, over: Sequence[str | int] | None, method: str) -> tuple[int, ...]:
    chosen = over or ((1, 2) if dims is None else ("height", "width"))
    there = range(1, x.ndim) if dims is None else dims[1:]
    if not all(d in there for d in chosen):
        shown = describe(x if dims is None else NamedTensor(x, dims))
        what = "axes" if dims is None else "dims"
        raise ValueError(
            f"{method} takes images along the {what} {', '.join(map(str, chosen))}, and the input is "
            f"{shown}: give over= with the {what} of its height and width (axis 0, the batch, is none)."
        )
    return tuple(int(d) if dims is None else dims.index(d) for d in chosen)
