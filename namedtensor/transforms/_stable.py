"""One wrapper for each function, for as long as the function lives.

JAX finds the program of a loop or a branch by the identity of the function that it was given. What is
here wraps the user's function, and a new wrapper at each call would compile at each call. The table is
weak on both sides: neither it nor a wrapper keeps a function alive, nor the arrays that it closes over.
"""

import functools
import weakref
from collections.abc import Callable, Hashable
from typing import Any

_wrappers: weakref.WeakKeyDictionary[Any, dict[Hashable, Any]] = weakref.WeakKeyDictionary()


def _weakly(fun: Callable[..., Any]) -> Callable[..., Any]:
    """``fun``, called through a weak reference: whoever calls the transformation holds it."""
    reference = weakref.ref(fun)

    def call(*args):
        return reference()(*args)  # pyright: ignore[reportOptionalCall]

    return call


def stable(make: Callable[..., Callable[..., Any]]) -> Callable[..., Callable[..., Any]]:
    """Let ``make(fun, *static)``, which wraps ``fun``, return the same wrapper for the same arguments."""

    @functools.wraps(make)
    def kept(fun: Callable[..., Any], *static: Hashable) -> Callable[..., Any]:
        try:
            made = _wrappers.setdefault(fun, {})
        except TypeError:  # it cannot be hashed or referred to weakly: then JAX finds nothing either
            return make(fun, *static)
        key = (make, *static)
        if key not in made:
            made[key] = make(_weakly(fun), *static)
        return made[key]

    return kept
