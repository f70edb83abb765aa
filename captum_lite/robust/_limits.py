"""What limits an attack: the size of its steps, the bounds of the inputs, and a mask of what may change."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from captum_lite._inputs import BATCH, Arrays, Layout, is_concrete
from captum_lite._problem import Problem
from namedtensor import NamedTensor, is_named
from namedtensor._errors import describe


def each_example(value: Any, what: str, inputs: Arrays) -> Any:
    """A number, or numbers ``[batch]``, to stand beside the first input, as an array ``[batch]``.

    Raises:
      ValueError: another shape, or negative.
    """
    array = jnp.asarray(value.to_array(BATCH) if isinstance(value, NamedTensor) else value)
    batch = inputs[0].shape[0]
    if array.shape not in ((), (batch,)):
        raise ValueError(f"{what} is {describe(array)}: give one number, or {batch}, one for each example.")
    if is_concrete(array) and not bool((np.asarray(array) >= 0).all()):
        raise ValueError(f"{what}={value!r}: give a length in units of the input, 0 or more.")
    return jnp.broadcast_to(array, (batch,))


def beside(rows: Any, x: Any) -> Any:
    """Numbers ``[batch]``, shaped to stand beside ``x [batch, ...]``."""
    return rows.reshape(-1, *[1] * (x.ndim - 1)).astype(x.dtype)


def masks(mask: Any, inputs: Arrays, layout: Layout) -> Arrays:
    """Masks as arrays that broadcast to the inputs: 1 where an input may change.

    Raises:
      ValueError: another number of masks than of inputs, or a shape that does not fit.
    """
    given = mask if isinstance(mask, tuple | list) else (mask,) * (1 if layout.single else len(inputs))
    if mask is None:
        given = (None,) * len(inputs)
    if len(given) != len(inputs):
        raise ValueError(f"there are {len(given)} masks for {len(inputs)} inputs: give one for each.")
    parts = zip(given, inputs, layout.dims, strict=True)
    return tuple(_mask(m, x, dims, i) for i, (m, x, dims) in enumerate(parts))


def _mask(mask: Any, x: Any, dims: Any, i: int) -> Any:
    if mask is None:
        return jnp.ones((1,) * x.ndim, x.dtype)
    array, shape = mask, None
    if is_named(mask) and dims is not None and set(mask.dims) <= set(dims):
        array = mask.order([d for d in dims if d in mask.dims]).array
        shape = [n if d in mask.dims else 1 for d, n in zip(dims, x.shape, strict=True)]
        array = array.reshape(shape) if array.size == np.prod(shape) else array
    elif not is_named(mask):
        array = jnp.asarray(mask)
    fits = getattr(array, "ndim", -1) == x.ndim and not is_named(array)
    if not fits or any(n not in (1, size) for n, size in zip(array.shape, x.shape, strict=True)):
        raise ValueError(
            f"mask {i} is {describe(mask)} for an input {describe(_as_given(x, dims))}: give its shape "
            "(size 1 repeats), or some of its dims."
        )
    return array.astype(x.dtype)


def finished(problem: Problem, perturbed: Arrays) -> Any:
    """Perturbed inputs as the user's inputs came.

    Raises:
      ValueError: one of them is not finite (only where values can be looked at).
    """
    if is_concrete(perturbed) and not all(np.isfinite(np.asarray(x, np.float64)).all() for x in perturbed):
        raise ValueError(
            "the perturbed input is NaN: the loss or its gradient is not finite there. Give logits to the "
            "default loss, or a loss without log(0)."
        )
    return problem.layout.restore(perturbed)


def _as_given(x: Any, dims: Any) -> Any:
    """An input as the user sees it."""
    return x if dims is None else NamedTensor(x, dims)


def require_inside(inputs: Arrays, bounds: tuple[float, float]) -> None:
    """Refuse inputs that clipping would move further than the attack (only where values can be looked at)."""
    low, high = bounds
    if not low < high:
        raise ValueError(f"bounds={bounds!r}: give (lowest, highest).")
    if not is_concrete(inputs):
        return
    for i, x in enumerate(inputs):
        values = np.asarray(x)
        if values.size and (values.min() < low or values.max() > high):
            raise ValueError(
                f"input {i} has values from {values.min():.6g} to {values.max():.6g}, outside "
                f"bounds={bounds!r}: clipping would change it without any attack."
            )
