"""Attributions, or perturbed inputs, that a user brings back: they must fit the inputs that they are of."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from captum_lite._inputs import Arrays, Layout, require_finite, unpack
from captum_lite._record import Attribution
from namedtensor._errors import describe


def fitting(values: Any, inputs: Arrays, layout: Layout, what: str = "attribution") -> Arrays:
    """Attributions (or perturbed inputs) as arrays with the axes of the inputs.

    Args:
      values: a record, what `attribute` returns, or the like.
      inputs: batch first.
      layout: how they came.
      what: the values are, in messages.

    Raises:
      ValueError: another number of them than of inputs, other shapes or dims, or NaN.
    """
    arrays, given = unpack(values.attributions if isinstance(values, Attribution) else values)
    if len(arrays) != len(inputs):
        raise ValueError(f"there are {len(arrays)} {what}s for {len(inputs)} inputs: give one for each.")
    both = zip(arrays, given.dims, inputs, layout.dims, strict=True)
    fitted = tuple(_fit(a, d, x, names, f"{what} {i}") for i, (a, d, x, names) in enumerate(both))
    require_finite(fitted, f"the {what} of input")
    return fitted


def shared_features(values: Any, layout: Layout) -> Arrays | None:
    """Of a record the features that elements share, with the axes of the inputs; else None."""
    if not isinstance(values, Attribution) or values.features is None:
        return None
    parts = values.features if isinstance(values.features, tuple) else (values.features,)
    both = zip(parts, layout.dims, strict=True)
    return tuple(np.asarray(f if names is None else f.to_array([*names])) for f, names in both)


def _fit(values: Any, dims: Any, x: Any, names: Any, what: str) -> Any:
    ordered = values
    if dims is not None and names is not None and set(dims) == set(names):
        ordered = jnp.transpose(values, [dims.index(d) for d in names])
    if (dims is None) != (names is None) or ordered.shape != x.shape:
        raise ValueError(
            f"{what} is {_shown(values, dims)} and its input is {_shown(x, names)}: they must have the "
            "same shape and dims (a layer's attributions go with the values there, coarse maps are resized)."
        )
    return ordered


def _shown(array: Any, dims: Any) -> str:
    return describe(Layout(True, (dims,)).restore((array,)))
