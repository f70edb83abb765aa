"""Baselines: what an input is compared with."""

import math
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from captum_lite._inputs import BATCH, Arrays, Layout, require_finite
from namedtensor import NamedTensor, is_named
from namedtensor import _errors as shapes


def unpack(baselines: Any, inputs: Arrays, layout: Layout) -> Arrays:
    """Baselines as arrays of the inputs' shapes.

    Args:
      baselines: None (zeros), a number, or for each input an array of its shape, of one row of it
        (``[1, ...]``), or of one example (no batch); named where the input is named.
      inputs: the inputs as arrays, batch first.
      layout: how the inputs came.

    Raises:
      ValueError: another number of baselines than of inputs, or a shape that does not fit.
    """
    given = (baselines,) * len(inputs) if baselines is None or _is_number(baselines) else baselines
    if layout.single and not isinstance(given, tuple | list):
        given = (given,)
    if not isinstance(given, tuple | list) or len(given) != len(inputs):
        n = len(given) if isinstance(given, tuple | list) else 1
        raise ValueError(f"there are {n} baselines for {len(inputs)} inputs: give one for each, in a tuple.")
    arrays = tuple(
        _fit(b, x, d, i) for i, (b, x, d) in enumerate(zip(given, inputs, layout.dims, strict=True))
    )
    require_finite(arrays, "baseline")
    return arrays


def _is_number(x: Any) -> bool:
    return isinstance(x, int | float) or (getattr(x, "ndim", None) == 0 and not is_named(x))


def _fit(baseline: Any, x: Any, dims: Any, i: int) -> Any:
    if baseline is None:
        return jnp.zeros_like(x)
    if is_named(baseline):
        if dims is None:
            raise ValueError(
                f"baseline {i} is {shapes.describe(baseline)} and its input has no names: "
                "use baseline.to_array(...)."
            )
        return _fit_named(baseline, NamedTensor(x, dims), i)
    array = jnp.asarray(baseline, x.dtype)
    if dims is not None and array.ndim:
        raise ValueError(
            f"baseline {i} is {shapes.describe(array)}, and has no names; its input is "
            f"{shapes.describe(NamedTensor(x, dims))}: name it, nt.tensor(baseline, {' '.join(dims)!r})."
        )
    if array.shape not in ((), x.shape, x.shape[1:], (1, *x.shape[1:])):
        raise ValueError(
            f"baseline {i} is {shapes.describe(array)}, its input is {shapes.describe(x)}: "
            f"give a number, the input's shape, or one example {list(x.shape[1:])}."
        )
    return jnp.broadcast_to(array, x.shape)


def _fit_named(baseline: NamedTensor, x: NamedTensor, i: int) -> Any:
    sizes = dict(x.shape)
    fits = all(sizes.get(d) == n or (d == BATCH and n == 1) for d, n in baseline.shape.items())
    if not fits or set(sizes) - set(baseline.dims) - {BATCH}:
        raise ValueError(
            f"baseline {i} is {shapes.describe(baseline)}, its input is {shapes.describe(x)}: "
            f"give a number, the same dims, or the same without '{BATCH}'."
        )
    if baseline.shape.get(BATCH) == 1:
        baseline = baseline.isel(batch=0)
    return (x * 0 + baseline).order(x.dims).array.astype(x.dtype)


def mean(dataset: Any) -> Any:
    """The mean of a data set ``[batch ...]``: one example."""
    return dataset.mean(BATCH) if is_named(dataset) else jnp.mean(jnp.asarray(dataset), axis=0)


def blurred(image: Any, sigma: float = 1.5, *, over: Sequence[str | int] | None = None) -> Any:
    """Images blurred with a Gaussian, the baseline that keeps colour and loses detail.

    Args:
      image: named, with the dims of ``over``, or an array ``[batch, height, width, ...]``.
      sigma: standard deviation in pixels.
      over: what to blur along: dims, by default ``("height", "width")``; axes, by default ``(1, 2)``.

    Returns:
      The same shape, with the same names.
    """
    # SciPy comes with JAX; a Gaussian filter of our own would be a copy of it.
    from scipy.ndimage import gaussian_filter  # (0.2 s, needed for this alone)

    if not math.isfinite(sigma) or sigma <= 0:
        raise ValueError(f"sigma={sigma} is not a width in pixels: give a positive number.")
    named = is_named(image)
    array = np.asarray(image.array if named else image)
    chosen = [image.dims.index(d) for d in over or ("height", "width")] if named else list(over or (1, 2))
    out = jnp.asarray(
        gaussian_filter(array, [sigma if k in chosen else 0 for k in range(array.ndim)], mode="nearest")
    )
    return NamedTensor(out, image.dims) if named else out
