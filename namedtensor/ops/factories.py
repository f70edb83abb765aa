"""Rule F: new tensors from names and sizes."""

from typing import Any

import jax
import jax.numpy as jnp

from namedtensor._dims import Dims, dims, require_new, sized
from namedtensor._errors import Unsupported, describe
from namedtensor._plan import Body, Operation, run
from namedtensor._tensor import NamedTensor, operand
from namedtensor.ops._table import method, public


def full(shape: str, value: Any, *, dtype: Any = None) -> NamedTensor:
    """A tensor of one value; ``shape`` is ``"batch:8 embed:64"``."""
    names, sizes = sized(shape)
    array, there = operand(value)
    if there:
        raise Unsupported(f"the value is {describe(value)}, not a number.", "Write value + nt.zeros(shape).")
    return NamedTensor(jnp.full(sizes, array, dtype=dtype), names)


def zeros(shape: str, *, dtype: Any = None) -> NamedTensor:
    """A tensor of zeros; ``shape`` is ``"batch:8 embed:64"``."""
    return full(shape, 0.0, dtype=dtype or float)


def ones(shape: str, *, dtype: Any = None) -> NamedTensor:
    """A tensor of ones; ``shape`` is ``"batch:8 embed:64"``."""
    return full(shape, 1.0, dtype=dtype or float)


def arange(dim: str, size: int, *, dtype: Any = None) -> NamedTensor:
    """``0, 1, ... size - 1`` along the one dim ``dim``."""
    return NamedTensor(jnp.arange(size, dtype=dtype), dims([dim]))


def _one_hot_rule(names: tuple[Dims, ...], dim: str, size: int, dtype: Any) -> Body:
    (there,) = names
    require_new(there, dim)
    return Body(lambda ids: jax.nn.one_hot(ids, size, dtype=dtype), Dims([*there, dim]))


_one_hot = Operation("one_hot", _one_hot_rule, ("dim", "size"))


@method
def one_hot(ids: NamedTensor, dim: str, size: int, *, dtype: Any = jnp.float32) -> NamedTensor:
    """1 at each of the positions ``ids`` along the new dim ``dim``, 0 elsewhere (all 0 out of range).

    Raises:
      DuplicateDim: ``ids`` has ``dim`` already.

    Example:
      >>> import namedtensor as nt
      >>> nt.one_hot(nt.tensor([1, 0], "batch"), "class", 3).array
      Array([[0., 1., 0.],
             [1., 0., 0.]], dtype=float32)
    """
    return run(_one_hot, (ids,), (dim, size, dtype))


__all__ = public(globals())
