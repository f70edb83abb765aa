"""Named pooling: a window slides along the dims that it names."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from namedtensor._dims import Dims, dims, require
from namedtensor._plan import Body, Operation, run
from namedtensor._tensor import NamedTensor
from namedtensor.nn.conv import pads, per_dim


def _windows(there: Dims, spatial: Dims, sizes: tuple) -> tuple[int, ...]:
    by_name = dict(zip(spatial, sizes, strict=True))
    return tuple(by_name.get(d, 1) for d in there)


def _pooling(name: str, reduce: Callable[..., Any]) -> Operation:
    def rule(names: tuple[Dims, ...], spatial: Dims, window: tuple, stride: tuple, padding: Any) -> Body:
        (there,) = names
        require(there, spatial)
        if not isinstance(padding, str):
            padding = tuple(dict(zip(spatial, padding, strict=True)).get(d, (0, 0)) for d in there)
        shape, steps = _windows(there, spatial, window), _windows(there, spatial, stride)
        return Body(lambda x: reduce(x, shape, steps, padding), there)

    return Operation(name, rule, ("spatial", "window", "stride", "padding"))


def _max(x, shape, steps, padding):
    lowest = -jnp.inf if jnp.issubdtype(x.dtype, jnp.floating) else jnp.iinfo(x.dtype).min
    # the initial value must be a constant for JAX to know the operation, and so its derivative
    return jax.lax.reduce_window(x, np.asarray(lowest, x.dtype), jax.lax.max, shape, steps, padding)


def _mean(x, shape, steps, padding):
    def total(a):
        return jax.lax.reduce_window(a, np.zeros((), a.dtype), jax.lax.add, shape, steps, padding)

    return total(x) / total(jnp.ones_like(x))  # padding does not count


_max_pool = _pooling("nn.max_pool", _max)
_avg_pool = _pooling("nn.avg_pool", _mean)


def _pool(
    operation: Operation, x: NamedTensor, window: Mapping[str, int], stride: Any, padding: Any
) -> NamedTensor:
    spatial = dims(list(window))
    steps = per_dim(window if stride is None else stride, spatial, "stride")
    return run(operation, (x,), (spatial, tuple(window.values()), steps, pads(padding, spatial)))


def max_pool(
    x: NamedTensor, window: Mapping[str, int], *, stride: Any = None, padding: Any = "valid"
) -> NamedTensor:
    """Largest value in each window.

    Args:
      x: a tensor with the dims that ``window`` names; all others are batch dims.
      window: spatial dim -> size of the window.
      stride: a number, or one for each spatial dim; the window's size by default.
      padding: ``"same"``, ``"valid"``, or a number of rows on both sides.

    Raises:
      UnknownDim: a dim of ``window`` that ``x`` lacks.

    Example:
      >>> import namedtensor as nt
      >>> nt.nn.max_pool(nt.ones("batch:2 height:8 width:8"), {"height": 2, "width": 2}).shape
      Shape(batch:2 height:4 width:4)
    """
    return _pool(_max_pool, x, window, stride, padding)


def avg_pool(
    x: NamedTensor, window: Mapping[str, int], *, stride: Any = None, padding: Any = "valid"
) -> NamedTensor:
    """Mean of each window; arguments as for `max_pool`. Padding does not count in the mean."""
    return _pool(_avg_pool, x, window, stride, padding)
