"""What flows through a graph: NumPy arrays as long as they are known, JAX arrays from there on.

Chains of Shape, Gather, Concat and Reshape compute the shapes of others. They stay in NumPy, so they
are done when the function is traced and nothing of them is left in the program.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from namedtensor.interop.onnx.errors import OnnxError

Value = Any  # np.ndarray, jax.Array, or None for an operand that is left out
MOST = 2**31  # elements that one constant may have; more is a damaged file, or an attack


def known(*values: Value) -> bool:
    """Whether all of these are NumPy arrays (or left out)."""
    return all(x is None or isinstance(x, np.ndarray | np.generic) for x in values)


def numpy_or_jax(*values: Value) -> Any:
    """The module that computes with these: `numpy` where all are known, else `jax.numpy`."""
    return np if known(*values) else jnp


def lined_up(*values: Value) -> list[Value]:
    """Arrays of the same rank: ONNX broadcasts by position, from the right."""
    rank = max(np.ndim(x) for x in values)
    return [x.reshape((1,) * (rank - np.ndim(x)) + np.shape(x)) for x in values]


def canonical(dtype: Any) -> np.dtype:
    """The dtype that JAX gives it: 32 bits for 64, unless ``jax_enable_x64`` is set."""
    return np.dtype(jax.dtypes.canonicalize_dtype(dtype))


def cast(x: Value, dtype: Any) -> Value:
    """``x`` in another dtype; what is known keeps its 64 bits."""
    return x.astype(dtype) if known(x) else jnp.asarray(x).astype(canonical(dtype))


def beside_traced(x: Value, wide: bool = False) -> Value:
    """A known value as it is used beside those that are computed by JAX.

    Args:
      x: the value.
      wide: the others have 64 bits: a file of 32 bits that is run more exactly, and its constants follow.

    Raises:
      OnnxError: an integer that has no room in 32 bits, and JAX has 32.
    """
    if wide and x is not None and known(x) and x.dtype == np.float32:
        return x.astype(np.float64)
    if not known(x) or x is None or x.dtype == (dtype := canonical(x.dtype)):
        return x
    if x.dtype.kind in "iu" and x.size:
        limits = np.iinfo(dtype)
        if x.min() < limits.min or x.max() > limits.max:
            worst = x.max() if x.max() > limits.max else x.min()
            raise OnnxError(
                f"the {x.dtype} constant {worst} does not fit {dtype}: "
                "turn on 64 bits, jax.config.update('jax_enable_x64', True)."
            )
    return x.astype(dtype)


def concrete(x: Value, what: str) -> Value:
    """The numbers of an operand that decides about shapes, or an error that says what it depends on.

    Raises:
      OnnxError: the value is being traced.
    """
    if x is None or known(x):
        return x
    if isinstance(x, Tracer):
        raise OnnxError(
            f"{what} depends on the values of the model's inputs, and under jit, grad and vmap shapes must "
            "be known: give that input as a NumPy array (functools.partial binds it), or call the model "
            "outside of them."
        )
    return np.asarray(x)


def bounded(shape: Any) -> tuple[int, ...]:
    """A shape that a file asks for.

    Raises:
      OnnxError: it is negative somewhere, or holds absurdly many elements.
    """
    sizes = tuple(int(n) for n in np.asarray(shape).reshape(-1))
    count = 1
    for n in sizes:
        if n < 0:
            raise OnnxError(f"the shape {sizes} has a negative size.")
        count *= n
    if count > MOST:
        raise OnnxError(
            f"an array of shape {sizes} has {count:.3g} elements: more than {MOST:.3g} are refused."
        )
    return sizes
