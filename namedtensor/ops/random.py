"""Rule D: random tensors. The key is an argument; there is no global state."""

from typing import Any

import jax

from namedtensor._dims import sized
from namedtensor._tensor import NamedTensor
from namedtensor.ops._table import public


def normal(key: Any, shape: str, *, dtype: Any = None) -> NamedTensor:
    """Standard normal values; ``shape`` is ``"batch:8 embed:64"``.

    Example:
      >>> import jax, namedtensor as nt
      >>> nt.random.normal(jax.random.key(0), "batch:8 embed:64").shape
      Shape(batch:8 embed:64)
    """
    names, sizes = sized(shape)
    return NamedTensor(jax.random.normal(key, sizes, dtype or float), names)


def uniform(key: Any, shape: str, *, low: float = 0.0, high: float = 1.0, dtype: Any = None) -> NamedTensor:
    """Values uniform on ``low`` .. ``high``; ``shape`` is ``"batch:8 embed:64"``."""
    names, sizes = sized(shape)
    return NamedTensor(jax.random.uniform(key, sizes, dtype or float, low, high), names)


__all__ = public(globals())
