"""Named pooling: a window slides along the dims that it names; all other dims are batch dims."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from namedtensor._dims import Dims, dims, require
from namedtensor._errors import Unsupported, short_dtype
from namedtensor._plan import Body, Operation, run
from namedtensor._tensor import NamedTensor
from namedtensor.nn._checks import flag, mapping, widened
from namedtensor.nn._window import Windows, windows
from namedtensor.ops._static import whole
from namedtensor.ops._table import public

Widths = tuple[int, ...]


def _slide(x: Any, start: Any, combine: Callable[..., Any], widths: Widths, how: Windows) -> Any:
    """Combine each window; there is a width and a setting for every axis."""
    pads, steps = how.pads(x.shape, widths), how.stride
    # the initial value must be a constant for JAX to know the operation, and so its derivative
    start = np.asarray(start, x.dtype)
    if any(d > 1 for d in how.dilation):
        x = _side_by_side(jax.lax.pad(x, start, [(*p, 0) for p in pads]), widths, how)
        pads, steps = ((0, 0),) * x.ndim, widths
    return jax.lax.reduce_window(x, start, combine, widths, steps, pads)


def _side_by_side(x: Any, widths: Widths, how: Windows) -> Any:
    """The rows of each window next to each other: JAX has no derivative of dilated maxima."""
    for axis, (width, reach) in enumerate(zip(widths, how.reach(widths), strict=True)):
        first = np.arange(0, x.shape[axis] - reach + 1, how.stride[axis])
        rows = np.add.outer(first, np.arange(width) * how.dilation[axis]).ravel()
        x = jnp.take(x, rows, axis, mode="clip")  # all are inside; "fill" would only cost a comparison
    return x


def _limit(dtype: Any, *, highest: bool) -> Any:
    """What a maximum (a minimum, where ``highest``) starts from."""
    if jnp.issubdtype(dtype, jnp.floating):
        return np.inf if highest else -np.inf
    if jnp.issubdtype(dtype, jnp.bool):
        return highest
    if not jnp.issubdtype(dtype, jnp.integer):
        raise Unsupported(f"{short_dtype(dtype)} values have no order.", "Pool x.real or x.absolute().")
    return jnp.iinfo(dtype).max if highest else jnp.iinfo(dtype).min


def _max(x: Any, widths: Widths, how: Windows) -> Any:
    return _slide(x, _limit(x.dtype, highest=False), jax.lax.max, widths, how)


def _min(x: Any, widths: Widths, how: Windows) -> Any:
    return _slide(x, _limit(x.dtype, highest=True), jax.lax.min, widths, how)


def _mean(x: Any, widths: Widths, how: Windows, count_padding: bool) -> Any:
    wide = widened(x.dtype)  # a sum of integers could overflow, one in half precision loses digits
    total = _slide(x.astype(wide), 0, jax.lax.add, widths, how)
    count = math.prod(widths)
    if not count_padding and any(map(any, how.pads(x.shape, widths))):
        slid = [
            n if p != "same" or w > 1 else 1 for n, p, w in zip(x.shape, how.padding, widths, strict=True)
        ]
        count = _slide(jnp.ones(slid, wide), 0, jax.lax.add, widths, how)
    return (total / count).astype(x.dtype if jnp.issubdtype(x.dtype, jnp.inexact) else wide)


def _everywhere(there: Dims, how: Windows, widths: Widths) -> tuple[Widths, Windows]:
    """Settings for all axes: windows of one row along those that are not slid along."""
    at = {d: i for i, d in enumerate(how.spatial)}
    pick = lambda values, other: tuple(values[at[d]] if d in at else other for d in there)  # noqa: E731
    settings = pick(how.stride, 1), pick(how.padding, "same"), pick(how.dilation, 1)
    return pick(widths, 1), Windows(there, *settings)


def _pooling(name: str, pool: Callable[..., Any]) -> Operation:
    def rule(names: tuple[Dims, ...], how: Windows, widths: Widths, *more: Any) -> Body:
        (there,) = names
        require(there, how.spatial)
        settings = _everywhere(there, how, widths)
        return Body(lambda x: pool(jnp.asarray(x), *settings, *more), there)

    return Operation(name, rule, ("window", "stride", "padding", "dilation", "count_padding"), _parse)


def _parse(window: Any, stride: Any, padding: Any, dilation: Any, *count_padding: bool) -> tuple:
    sizes = mapping(window, "window", "{'height': 2, 'width': 2}")
    spatial = dims(list(sizes))
    widths = tuple(whole(n, "window", least=1) for n in sizes.values())
    how = windows(spatial, dict(sizes) if stride is None else stride, padding, dilation)
    return how, widths, *(flag(c, "count_padding") for c in count_padding)


_max_pool, _min_pool, _avg_pool = (
    _pooling("nn.max_pool", _max),
    _pooling("nn.min_pool", _min),
    _pooling("nn.avg_pool", _mean),
)


def max_pool(
    x: NamedTensor,
    window: Mapping[str, int],
    *,
    stride: Any = None,
    padding: Any = "valid",
    dilation: Any = 1,
) -> NamedTensor:
    """Largest value in each window. Padding never wins.

    Args:
      x: a tensor of numbers or bools with the dims that ``window`` names, in any order; all its other
        dims are batch dims.
      window: spatial dim -> size of the window, for any number of dims.
      stride: a number, or one for each spatial dim; the window's size by default.
      padding: ``"valid"``, ``"same"``, ``"causal"``, a number of rows on both sides, or a mapping by dim
        to any of these or to ``(before, after)``, as for `conv`.
      dilation: the distance of the window's rows, a number or one for each spatial dim.

    Returns:
      The dims of ``x``. A window of padding alone gives the least value of the dtype.

    Raises:
      UnknownDim: a dim of ``window`` that ``x`` lacks.
      SizeMismatch: a window larger than the padded input.
      BadPattern: settings that are not of these forms.

    Example:
      >>> import namedtensor as nt
      >>> nt.nn.max_pool(nt.ones("batch:2 height:8 width:8"), {"height": 2, "width": 2}).shape
      Shape(batch:2 height:4 width:4)
    """
    return run(_max_pool, (x,), (window, stride, padding, dilation))


def min_pool(
    x: NamedTensor,
    window: Mapping[str, int],
    *,
    stride: Any = None,
    padding: Any = "valid",
    dilation: Any = 1,
) -> NamedTensor:
    """Smallest value in each window; arguments, dims and errors as for `max_pool`.

    Example:
      >>> import namedtensor as nt
      >>> nt.nn.min_pool(nt.tensor([3, 1, 2, 4], "t"), {"t": 2}).array
      Array([1, 2], dtype=int32)
    """
    return run(_min_pool, (x,), (window, stride, padding, dilation))


def avg_pool(
    x: NamedTensor,
    window: Mapping[str, int],
    *,
    stride: Any = None,
    padding: Any = "valid",
    dilation: Any = 1,
    count_padding: bool = False,
) -> NamedTensor:
    """Mean of each window; arguments, dims and errors as for `max_pool`.

    Args:
      x: as for `max_pool`; integers and bools give float32.
      window: as for `max_pool`.
      stride: as for `max_pool`.
      padding: as for `max_pool`.
      dilation: as for `max_pool`.
      count_padding: False: the mean of what the window holds (NaN where it is padding alone). True:
        padding counts as zeros.

    Example:
      >>> import namedtensor as nt
      >>> x = nt.tensor([2.0, 4.0, 6.0], "t")
      >>> nt.nn.avg_pool(x, {"t": 3}, stride=1, padding="same").array
      Array([3., 4., 5.], dtype=float32)
      >>> nt.nn.avg_pool(x, {"t": 2}, padding={"t": (1, 0)}, count_padding=True).array
      Array([1., 5.], dtype=float32)
    """
    return run(_avg_pool, (x,), (window, stride, padding, dilation, count_padding))


__all__ = public(globals())
