"""The details of a jaxpr that differ between JAX releases; nothing else here knows them."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
from jax.extend import core
from jax.interpreters import partial_eval

# What the calls are named, over the releases supported (0.10.2 to 0.12).
JIT = ("jit", "pjit")
CALLS = (*JIT, "closed_call", "core_call", "core_closed_call", "custom_lin")
CUSTOM_DERIVATIVES = ("custom_jvp_call", "custom_vjp_call", "custom_vjp_call_jaxpr")
REMAT = ("remat2", "remat", "checkpoint")


def closed(jaxpr: Any) -> core.ClosedJaxpr:
    """Call parameters hold a `Jaxpr` in some releases and a `ClosedJaxpr` in others."""
    return jaxpr if hasattr(jaxpr, "consts") else core.ClosedJaxpr(jaxpr, ())


def called(params: dict[str, Any]) -> core.ClosedJaxpr:
    """The jaxpr that a call equation calls."""
    for key in ("jaxpr", "call_jaxpr", "fun_jaxpr"):
        if key in params:
            return closed(params[key])
    raise KeyError(f"a call with the parameters {sorted(params)} names no jaxpr")


def inner_jaxprs(params: dict[str, Any]) -> Iterator[core.ClosedJaxpr]:
    """All jaxprs among the parameters of an equation."""
    for value in params.values():
        for item in value if isinstance(value, tuple | list) else (value,):
            if _is_jaxpr(item):
                yield closed(item)


def with_inner_jaxprs(params: dict[str, Any], change: Callable[[core.Jaxpr], core.Jaxpr]) -> dict[str, Any]:
    """The parameters of an equation with each jaxpr among them changed."""

    def changed(value: Any) -> Any:
        if isinstance(value, tuple | list):
            return type(value)(map(changed, value)) if any(map(_is_jaxpr, value)) else value
        if hasattr(value, "consts"):
            return value.replace(jaxpr=change(value.jaxpr))
        return change(value) if _is_jaxpr(value) else value

    return {key: changed(value) for key, value in params.items()}


def _is_jaxpr(x: Any) -> bool:
    return hasattr(x, "eqns") or hasattr(x, "jaxpr")


def scan_operands(params: dict[str, Any], values: list[Any]) -> tuple[list[Any], list[Any], list[Any]]:
    """The operands of a scan equation as constants, initial carry, and what is scanned over."""
    if "ft_in" in params:  # from 0.12 on their grouping is a tree
        consts, carry, xs = params["ft_in"].update(values).unpack()
        return list(consts), list(carry), list(xs)
    n_consts, n_carry = params["num_consts"], params["num_carry"]
    return values[:n_consts], values[n_consts : n_consts + n_carry], values[n_consts + n_carry :]


def bind(eqn: Any, values: tuple[Any, ...]) -> Any:
    """Evaluate an equation as it is, custom derivative rules included."""
    params = eqn.primitive.get_bind_params(eqn.params)
    if isinstance(params, tuple):  # (functions, parameters) before they became one dict
        functions, params = params
        return eqn.primitive.bind(*functions, *values, **params)
    return eqn.primitive.bind(*values, **params)


def trace(fun: Callable[..., Any], *args: Any) -> tuple[core.ClosedJaxpr, Any]:
    """The jaxpr of ``fun`` and the pytree of its result's shapes."""
    return jax.make_jaxpr(fun, return_shape=True)(*args)


def without_dead_code(jaxpr: core.ClosedJaxpr) -> core.ClosedJaxpr:
    """The equations that its results need: derivatives leave some that they do not."""
    live, _ = partial_eval.dce_jaxpr(jaxpr.jaxpr, [True] * len(jaxpr.jaxpr.outvars), instantiate=True)
    return core.ClosedJaxpr(live, jaxpr.consts)
