"""Rule R for quantiles: the names ``over`` are removed, and those of ``q`` are added."""

import numbers
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from namedtensor._dims import Dims, Spec, dims, require, without
from namedtensor._errors import BadPattern, DuplicateDim, showing
from namedtensor._plan import Body, Operation, run
from namedtensor._tensor import NamedTensor
from namedtensor.ops._build import refusing_nothing
from namedtensor.ops._table import method, public

METHODS = ("linear", "lower", "higher", "midpoint", "nearest")


def _quantile(name: str, positional: Callable[..., Any]) -> Operation:
    def rule(names: tuple[Dims, ...], over: Dims | None, method: str) -> Body:
        there, wanted = names
        gone = there if over is None else require(there, over)
        axes = tuple(there.index(d) for d in gone)
        of_some = refusing_nothing(positional)
        for d in wanted:
            if d in there:
                raise DuplicateDim(
                    f"q has the dim {d!r}, which x has too.", f"Rename it: q.rename({d}='{d}_2')."
                )

        def quantile(x, q):
            out = of_some(
                x if axes else jnp.expand_dims(x, 0), jnp.ravel(q * 1.0), axis=axes or (0,), method=method
            )
            return out.reshape(*jnp.shape(q), *out.shape[1:])

        return Body(quantile, Dims([*wanted, *without(there, gone)]))

    return Operation(name, rule, ("over", "method"), _parse)


def _parse(over: Spec | None, kind: Any) -> tuple[Any, ...]:
    if kind not in METHODS:
        raise BadPattern(f"method={kind!r} is not known.", f"There are {', '.join(map(repr, METHODS))}.")
    return None if over is None else dims(over), kind


def _call(operation: Operation, x: Any, over: Any, q: Any, kind: str, most: int) -> NamedTensor:
    with showing(operation.call((over,)), x, q):
        if isinstance(q, numbers.Real) and not 0 <= float(q) <= most:  # JAX would take the nearest that is
            raise BadPattern(
                f"q={q} is outside 0 to {most}.", "nt.quantile takes 0 to 1, nt.percentile 0 to 100."
            )
    return run(operation, (x, q), (over, kind))


_quantile_of = _quantile("quantile", jnp.quantile)
_percentile_of = _quantile("percentile", jnp.percentile)
_nanquantile_of = _quantile("nanquantile", jnp.nanquantile)
_nanpercentile_of = _quantile("nanpercentile", jnp.nanpercentile)


@method
def quantile(x: NamedTensor, over: Spec | None = None, *, q: Any, method: str = "linear") -> NamedTensor:
    """The value below which the share ``q`` of the values over ``over`` lies.

    Args:
      x: a tensor.
      over: the dims to look over, all by default.
      q: a number from 0 to 1, or a tensor of them with other names than ``x``.
      method: what to take between two values: ``"linear"``, ``"lower"``, ``"higher"``, ``"midpoint"`` or
        ``"nearest"``.

    Returns:
      The names of ``q``, and those of ``x`` without ``over``.

    Raises:
      UnknownDim: ``x`` lacks a name of ``over``.
      DuplicateDim: ``q`` has a name of ``x``.
      BadPattern: a number outside 0 to 1, or an unknown method.

    Example:
      >>> import namedtensor as nt
      >>> x = nt.arange("seq", 5).astype(float)
      >>> x.quantile("seq", q=nt.tensor([0.25, 0.5], "level")).array
      Array([1., 2.], dtype=float32)
    """
    return _call(_quantile_of, x, over, q, method, 1)


@method
def percentile(x: NamedTensor, over: Spec | None = None, *, q: Any, method: str = "linear") -> NamedTensor:
    """`quantile` with ``q`` from 0 to 100.

    Example:
      >>> import namedtensor as nt
      >>> nt.arange("seq", 5).percentile("seq", q=75).item()
      3.0
    """
    return _call(_percentile_of, x, over, q, method, 100)


@method
def nanquantile(x: NamedTensor, over: Spec | None = None, *, q: Any, method: str = "linear") -> NamedTensor:
    """`quantile` of the values that are not NaN.

    Example:
      >>> import namedtensor as nt
      >>> nt.tensor([1.0, float("nan"), 3.0], "seq").nanquantile("seq", q=0.5).item()
      2.0
    """
    return _call(_nanquantile_of, x, over, q, method, 1)


@method
def nanpercentile(x: NamedTensor, over: Spec | None = None, *, q: Any, method: str = "linear") -> NamedTensor:
    """`percentile` of the values that are not NaN.

    Example:
      >>> import namedtensor as nt
      >>> nt.tensor([1.0, float("nan"), 3.0], "seq").nanpercentile("seq", q=50).item()
      2.0
    """
    return _call(_nanpercentile_of, x, over, q, method, 100)


__all__ = public(globals())
