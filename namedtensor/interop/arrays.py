"""To and from NumPy and DLPack: the order of the axes is always said, so no name is dropped silently."""

from typing import Any, NoReturn

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from namedtensor._dims import Spec, dims
from namedtensor._errors import RankMismatch, Unsupported, describe, showing
from namedtensor._tensor import NamedTensor
from namedtensor.ops._table import attach, method
from namedtensor.ops.rename import to_array

_64_BITS = "Turn on 64 bits, jax.config.update('jax_enable_x64', True), or convert the values before."


@method
def to_numpy(x: NamedTensor, spec: Spec) -> np.ndarray:
    """The values as a NumPy array of its own, with the axes in the given order.

    Args:
      x: a tensor.
      spec: all names, or some and ``...`` for the others, as in `nt.order`.

    Raises:
      MissingDim: names left out and no ``...``.
      UnknownDim: a name that ``x`` lacks.
      Unsupported: values that are traced, or random keys.

    Example:
      >>> import namedtensor as nt
      >>> nt.tensor([[1.0, 2.0]], "batch embed").to_numpy("embed batch")
      array([[1.],
             [2.]], dtype=float32)
    """
    array = to_array(x, spec)
    with showing("nt.to_numpy", x):
        return on_host(array)


def on_host(array: Any) -> np.ndarray:
    """A copy of an array as NumPy's, which can be written to.

    Raises:
      Unsupported: values that are traced, or random keys.
    """
    if isinstance(array, Tracer):
        raise Unsupported(
            "the values are not known while JAX traces.",
            "Call it outside of jax.jit, or use x.to_array(...).",
        )
    if jnp.issubdtype(array.dtype, jax.dtypes.prng_key):
        raise Unsupported("random keys are no numbers.", "Take their bits: jax.random.key_data(x.array).")
    return np.array(array)


def from_dlpack(array: Any, names: Spec) -> NamedTensor:
    """Name the axes of an array of another library, through the DLPack protocol.

    Where both use the same kind of memory nothing is copied, so do not write to ``array`` afterwards.
    In the other direction give the array, whose order of axes is known:
    ``torch.from_dlpack(x.to_array("batch embed"))``; a named tensor itself is refused.

    Args:
      array: an array with ``__dlpack__``: of PyTorch, NumPy, CuPy, ... .
      names: the names in the order of the axes.

    Raises:
      Unsupported: no such array, one that is not contiguous, or integers that do not fit.
      RankMismatch: not as many names as axes.

    Example:
      >>> import numpy as np
      >>> import namedtensor as nt
      >>> nt.from_dlpack(np.ones((2, 3), np.float32), "batch embed").shape
      Shape(batch:2 embed:3)
    """
    with showing(f"nt.from_dlpack({str(dims(names))!r})", array):
        return labelled(_imported(array), names)


def _imported(array: Any) -> jax.Array:
    if isinstance(array, NamedTensor):
        raise Unsupported("it has names already.", "To rename: x.rename('...').")
    if not (hasattr(array, "__dlpack__") and hasattr(array, "__dlpack_device__")):
        raise Unsupported(f"a {type(array).__name__} has no __dlpack__.", "Use nt.tensor(array, '...').")
    try:
        with jax.enable_x64(True):  # else 64-bit integers would be cut without a word
            return jnp.from_dlpack(array)
    except (RuntimeError, BufferError, TypeError) as error:
        raise Unsupported(
            f"JAX cannot take over its memory: {str(error).splitlines()[0]}",
            "Give a contiguous copy, np.ascontiguousarray(array) or array.contiguous().",
        ) from error


def labelled(array: Any, names: Spec) -> NamedTensor:
    """An array of any width under the names, in the width that JAX is set to.

    Raises:
      RankMismatch: not as many names as axes.
      Unsupported: integers that do not fit.
    """
    there = dims(names)
    if array.ndim != len(there):
        raise RankMismatch(f"there are {array.ndim} axes and {len(there)} names '{there}'.")
    width = jax.dtypes.canonicalize_dtype(array.dtype)
    with jax.enable_x64(True):  # so that values of 64 bits are seen as they are
        if jnp.issubdtype(width, np.integer) and width != array.dtype and array.size:
            low, high = int(array.min()), int(array.max())
            if low < jnp.iinfo(width).min or high > jnp.iinfo(width).max:
                raise Unsupported(f"values from {low} to {high} do not fit {width}.", _64_BITS)
        return NamedTensor(jnp.asarray(array, width), there)


def _refuse_dlpack(x: NamedTensor, *_: Any, **__: Any) -> NoReturn:
    raise Unsupported(
        f"DLPack would drop the names of {describe(x)}.",
        f"Give the order of the axes: from_dlpack(x.to_array({str(x.dims)!r})).",
    )


attach("__dlpack__", _refuse_dlpack)
attach("__dlpack_device__", _refuse_dlpack)
