"""What a user calls the inputs (an array, a named tensor, or a tuple of them) and back again.

Inside, a method sees a tuple of plain arrays whose first axis is the batch. The `Layout` remembers
how they came, so that named in is named out.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from namedtensor import Dims, NamedTensor, is_named
from namedtensor import _errors as shapes

BATCH = "batch"
Arrays = tuple[Any, ...]


@dataclass(frozen=True)
class Layout:
    """How the inputs came.

    Attributes:
      single: one input, not a tuple.
      dims: the names of each input, batch first; None for a plain array.
    """

    single: bool
    dims: tuple[Dims | None, ...]

    def restore(self, arrays: Arrays) -> Any:
        """Arrays in the structure and with the names of the inputs."""
        named = tuple(a if d is None else NamedTensor(a, d) for a, d in zip(arrays, self.dims, strict=True))
        return named[0] if self.single else named


def unpack(inputs: Any) -> tuple[Arrays, Layout]:
    """Inputs as a tuple of arrays with the batch first, and their layout.

    Raises:
      ValueError: no input, an input without a batch, batches of different sizes.
    """
    single = not isinstance(inputs, tuple | list)
    parts = (inputs,) if single else tuple(inputs)
    if not parts:
        raise ValueError("inputs is empty: give an array [batch, ...], a named tensor, or a tuple of them.")
    arrays = tuple(_batch_first(x, i) for i, x in enumerate(parts))
    sizes = {a.shape[0] for a in arrays}
    if len(sizes) > 1:
        raise ValueError(
            f"the inputs have batches of {[a.shape[0] for a in arrays]}: they must be of one size."
        )
    names = tuple(x.order([BATCH, "..."]).dims if is_named(x) else None for x in parts)
    return arrays, Layout(single, names)


def _batch_first(x: Any, i: int) -> Any:
    if is_named(x):
        if BATCH not in x.dims:
            raise ValueError(
                f"input {i} is {shapes.describe(x)}, without the dim 'batch': "
                "add it with nt.stack([x], 'batch')."
            )
        return x.order([BATCH, "..."]).array
    array = x if isinstance(x, jax.Array) else jnp.asarray(x)
    if array.ndim == 0:
        raise ValueError(
            f"input {i} is a scalar: the first axis is the batch, so give an array of shape [1]."
        )
    return array


def is_concrete(*arrays: Any) -> bool:
    """Whether values can be looked at: not while jax.jit, jax.vmap or another transformation traces."""
    return not any(isinstance(a, Tracer) for a in jax.tree.leaves(arrays))


def require_real(arrays: Arrays, what: str, needing: str = "a gradient method") -> None:
    """Refuse integers, which have no gradient and take no noise."""
    for i, a in enumerate(arrays):
        if not jnp.issubdtype(a.dtype, jnp.floating):
            raise TypeError(
                f"{what} {i} is {shapes.describe(a)}: {needing} needs floating-point values. "
                "Convert it with .astype('float32') if its values are quantities; "
                "if they are indices (tokens), explain the embedding: nt.tap it and pass layer='name'."
            )


def require_finite(arrays: Arrays, what: str) -> None:
    """Refuse NaN and infinity, with their number and the first place (only where values can be looked at)."""
    if not is_concrete(arrays):
        return
    for i, a in enumerate(arrays):
        bad = ~np.isfinite(np.asarray(a))
        if bad.any():
            first = tuple(int(k) for k in np.argwhere(bad)[0])
            raise ValueError(
                f"{what} {i} holds {int(bad.sum())} values that are NaN or infinite, "
                f"the first at index {first}: "
                "replace or drop them; an attribution of them has no meaning."
            )
