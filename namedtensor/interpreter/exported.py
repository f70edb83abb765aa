"""Exported functions in a jaxpr: calls of `jax.export`, which hold no equations and no places."""

from collections.abc import Iterator
from typing import Any

from namedtensor.interpreter import compat
from namedtensor.interpreter.rules import EXPORTED


def exported_calls(jaxpr: Any) -> Iterator[Any]:
    """The equations that call an exported function, inner jaxprs included."""
    for eqn in jaxpr.eqns:
        if eqn.primitive.name in EXPORTED:
            yield eqn
        for inner in compat.inner_jaxprs(eqn.params):
            yield from exported_calls(inner.jaxpr)


def without_places(jaxpr: Any) -> str:
    """A sentence on the exported functions in a jaxpr, for who asks for a place; nothing without any."""
    names = list(dict.fromkeys(eqn.params["exported"].fun_name for eqn in exported_calls(jaxpr)))
    return "".join(
        f" The exported function {name!r} is compiled code without places: explain its inputs, or export a "
        "function that returns the values of the layer too."
        for name in names
    )
