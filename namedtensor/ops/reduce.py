"""Rule R: a reduction removes the names that it is given, or all of them.

``where=`` is a mask, a tensor whose names are among those of ``x``: what it leaves out does not count.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from namedtensor._dims import Dims, Spec, dims, require, without
from namedtensor._plan import Body, Operation, run
from namedtensor._tensor import NamedTensor
from namedtensor.ops._build import masks, reduction, refusing_nothing, selection
from namedtensor.ops._options import TENSOR
from namedtensor.ops._table import alias, method, public
from namedtensor.ops.contract import dot


def _least(dtype: Any) -> Any:
    """What no number of this dtype is less than."""
    if jnp.issubdtype(dtype, jnp.integer):
        return jnp.iinfo(dtype).min
    return False if jnp.issubdtype(dtype, jnp.bool_) else -jnp.inf


def _greatest(dtype: Any) -> Any:
    if jnp.issubdtype(dtype, jnp.integer):
        return jnp.iinfo(dtype).max
    return True if jnp.issubdtype(dtype, jnp.bool_) else jnp.inf


def _masked(positional: Callable[..., Any], bound: Callable[[Any], Any]) -> Callable[..., Any]:
    """A maximum or minimum that takes a mask: JAX wants to be told what the extreme of nothing is."""

    def reduce(x: Any, *, axis: Any, **where: Any) -> Any:
        initial = {"initial": bound(jnp.result_type(x))} if where else {}
        return positional(x, axis=axis, **initial, **where)

    return reduce


def _with_mean(positional: Callable[..., Any]) -> Callable[..., Any]:
    def reduce(x: Any, *, axis: Any, ddof: int, **where: Any) -> Any:
        return positional(x, axis=axis, ddof=ddof, **where), jnp.mean(x, axis=axis, **where)

    return reduce


def _minmax(x: Any, *, axis: Any) -> Any:
    return jnp.min(x, axis=axis), jnp.max(x, axis=axis)


# one line an operation ------------------------------------------------------------------------
all = reduction("all", jnp.all, where=TENSOR)
any = reduction("any", jnp.any, where=TENSOR)
count_nonzero = reduction("count_nonzero", jnp.count_nonzero)
logmeanexp = reduction("logmeanexp", jax.nn.logmeanexp, where=TENSOR)
logsumexp = reduction("logsumexp", jax.nn.logsumexp, where=TENSOR)
max = reduction("max", _masked(jnp.max, _least), where=TENSOR)
mean = reduction("mean", jnp.mean, dtype=None, where=TENSOR)
median = reduction("median", refusing_nothing(jnp.median))
min = reduction("min", _masked(jnp.min, _greatest), where=TENSOR)
minmax = reduction("minmax", _minmax, results=2)
nanmax = reduction("nanmax", jnp.nanmax)
nanmean = reduction("nanmean", jnp.nanmean, dtype=None, where=TENSOR)
nanmedian = reduction("nanmedian", refusing_nothing(jnp.nanmedian))
nanmin = reduction("nanmin", jnp.nanmin)
nanprod = reduction("nanprod", jnp.nanprod, dtype=None, where=TENSOR)
nanstd = reduction("nanstd", jnp.nanstd, ddof=0, where=TENSOR)
nansum = reduction("nansum", jnp.nansum, dtype=None, where=TENSOR)
nanvar = reduction("nanvar", jnp.nanvar, ddof=0, where=TENSOR)
norm = reduction("norm", jnp.linalg.vector_norm, ord=2)
prod = reduction("prod", jnp.prod, dtype=None, where=TENSOR)
ptp = reduction("ptp", jnp.ptp)
std = reduction("std", jnp.std, ddof=0, where=TENSOR)
std_mean = reduction("std_mean", _with_mean(jnp.std), results=2, ddof=0, where=TENSOR)
sum = reduction("sum", jnp.sum, dtype=None, where=TENSOR)
var = reduction("var", jnp.var, ddof=0, where=TENSOR)
var_mean = reduction("var_mean", _with_mean(jnp.var), results=2, ddof=0, where=TENSOR)

argmax = selection("argmax", jnp.argmax)
argmin = selection("argmin", jnp.argmin)
nanargmax = selection("nanargmax", jnp.nanargmax)
nanargmin = selection("nanargmin", jnp.nanargmin)

# the second names that jax.numpy has
amax = alias("amax", max)
amin = alias("amin", min)


def _average_rule(names: tuple[Dims, ...], over: Dims | None) -> Body:
    there, *weights = names
    gone = there if over is None else require(there, over)
    masks(weights, there)
    if not weights:
        axes = tuple(there.index(d) for d in gone)
        return Body(lambda x: jnp.mean(x, axes), without(there, gone))
    weighted = weights[0]
    shared = Dims(d for d in gone if d in weighted)
    left = without(there, gone)

    def average(x, weights):
        dtype = jnp.result_type(x, weights, 1.0)  # whole numbers become fractions
        x, weights = (
            NamedTensor(jnp.asarray(x, dtype), there),
            NamedTensor(jnp.asarray(weights, dtype), weighted),
        )
        # a contraction, because XLA on the CPU may miscompile a sum over a product of broadcasts
        weighed = dot(x, weights, over=shared) / weights.sum(shared)
        return weighed.mean(without(gone, shared)).to_array(left)

    return Body(average, left)


_average = Operation(
    "average", _average_rule, ("over",), lambda over: (None if over is None else dims(over),)
)


@method
def average(x: NamedTensor, over: Spec | None = None, *, weights: NamedTensor | None = None) -> NamedTensor:
    """``sum(weights * x) / sum(weights)`` over the dims ``over``; the mean without weights.

    Args:
      x: a tensor.
      over: the dims to average over, all by default.
      weights: a tensor whose names are among those of ``x``. A dim of ``over`` that it lacks has equal
        weights.

    Returns:
      The names of ``x`` without ``over``.

    Raises:
      UnknownDim: ``x`` lacks a name of ``over`` or of ``weights``.

    Example:
      >>> import namedtensor as nt
      >>> x, weights = nt.tensor([1.0, 2.0], "seq"), nt.tensor([3.0, 1.0], "seq")
      >>> nt.average(x, "seq", weights=weights).item()
      1.25
    """
    return run(_average, (x,) if weights is None else (x, weights), (over,))


__all__ = public(globals())
