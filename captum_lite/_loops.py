"""Whether a place stands inside a loop, where what passes has the iterations in front of the batch."""

from collections.abc import Callable
from typing import Any

from namedtensor.interpreter import compat, places


def loops(fun: Callable[..., Any], place: str, *args: Any) -> int:
    """How many scans a place stands in: so many axes its value has in front of those that it has there.

    Args:
      fun: the function.
      place: the name of a tap, a module or a scope.
      *args: arguments for the function, or their shapes.
    """
    return loops_around(places.traced(fun, [place], args, {}).jaxpr.jaxpr, place)


def loops_around(jaxpr: Any, place: str) -> int:
    """The same for a tap in a program."""
    return max(_depth(jaxpr, place.partition("#")[0]), 0)


def _depth(jaxpr: Any, name: str) -> int:
    """The number of scans around the tap in a jaxpr; -1 where it is not there."""
    deepest = -1
    for eqn in jaxpr.eqns:
        if eqn.primitive.name == "name" and eqn.params["name"] == name:
            deepest = max(deepest, 0)
        within = max((_depth(j.jaxpr, name) for j in compat.inner_jaxprs(eqn.params)), default=-1)
        deepest = max(deepest, within if within < 0 else within + (eqn.primitive.name == "scan"))
    return deepest
