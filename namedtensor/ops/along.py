"""Rule K: an operation along one or more dims keeps all names."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from namedtensor._dims import Dims, Spec, check_name, dims, require
from namedtensor._plan import Body, Operation, run
from namedtensor._tensor import NamedTensor
from namedtensor.ops._table import method, named_function, public


def _along(name: str, positional: Callable[..., Any], *, several: bool = False) -> Callable[..., NamedTensor]:
    def rule(names: tuple[Dims, ...], over: Dims) -> Body:
        (there,) = names
        axes = tuple(there.index(d) for d in require(there, over))
        axis = axes if several else axes[0]
        return Body(lambda array: positional(array, axis=axis), there)

    parse = dims if several else lambda over: dims([check_name(over)])
    operation = Operation(name, rule, ("over",), lambda over: (parse(over),))

    def call(x: NamedTensor, over: Spec) -> NamedTensor:
        return run(operation, (x,), (over,))

    many = "the dims" if several else "the one dim"
    return method(named_function(call, name, f"Along {many} ``over``; names: those of ``x``, unchanged."))


def _standardize(array: Any, axis: Any, epsilon: float = 1e-5) -> Any:
    centred = array - jnp.mean(array, axis, keepdims=True)
    return centred * jax.lax.rsqrt(jnp.mean(jnp.square(centred), axis, keepdims=True) + epsilon)


# one line an operation ------------------------------------------------------------------------
cumprod = _along("cumprod", jnp.cumprod)
cumsum = _along("cumsum", jnp.cumsum)
flip = _along("flip", jnp.flip, several=True)
log_softmax = _along("log_softmax", jax.nn.log_softmax, several=True)
softmax = _along("softmax", jax.nn.softmax, several=True)
sort = _along("sort", jnp.sort)
standardize = _along("standardize", _standardize, several=True)
standardize.__doc__ = """``(x - mean) / sqrt(variance + 1e-5)`` along the dims ``over``; names unchanged."""


__all__ = public(globals())
