"""Rule R: a reduction removes the names that it is given, or all of them."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from namedtensor._dims import Dims, Spec, axis_of, dims, require, without
from namedtensor._plan import Body, Operation, run
from namedtensor._tensor import NamedTensor
from namedtensor.ops._table import method, named_function, public


def _reduction(name: str, positional: Callable[..., Any]) -> Callable[..., NamedTensor]:
    def rule(names: tuple[Dims, ...], over: Dims | None) -> Body:
        (there,) = names
        gone = there if over is None else require(there, over)
        axes = tuple(there.index(d) for d in gone)
        return Body(lambda array: positional(array, axis=axes), without(there, gone))

    operation = Operation(name, rule, ("over",), lambda over: (None if over is None else dims(over),))

    def call(x: NamedTensor, over: Spec | None = None) -> NamedTensor:
        return run(operation, (x,), (over,))

    text = """Names: those of ``x`` without ``over`` (all of them by default); a reduced dim is never kept
    with size 1. ``UnknownDim`` when ``x`` lacks a name of ``over``."""
    return method(named_function(call, name, text))


# one line an operation ------------------------------------------------------------------------
all = _reduction("all", jnp.all)
any = _reduction("any", jnp.any)
logsumexp = _reduction("logsumexp", jax.nn.logsumexp)
max = _reduction("max", jnp.max)
mean = _reduction("mean", jnp.mean)
min = _reduction("min", jnp.min)
prod = _reduction("prod", jnp.prod)
std = _reduction("std", jnp.std)
sum = _reduction("sum", jnp.sum)
var = _reduction("var", jnp.var)


def _arg(name: str, positional: Callable[..., Any]) -> Callable[..., NamedTensor]:
    def rule(names: tuple[Dims, ...], over: str) -> Body:
        (there,) = names
        axis = axis_of(there, over)
        return Body(lambda array: positional(array, axis=axis), without(there, [over]))

    operation = Operation(name, rule, ("over",))

    def call(x: NamedTensor, over: str) -> NamedTensor:
        return run(operation, (x,), (over,))

    return method(named_function(call, name, "Names: those of ``x`` without the one dim ``over``."))


argmax = _arg("argmax", jnp.argmax)
argmin = _arg("argmin", jnp.argmin)


__all__ = public(globals())
