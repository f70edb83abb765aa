"""How a table line becomes a function: its name, its docstring, and its place as a method or operator."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

from namedtensor._tensor import NamedTensor

_BUILDERS = "namedtensor.ops._build"


def named_function(function: Callable[..., Any], name: str, rule: str) -> Callable[..., Any]:
    """``function`` under the name of its table line, documented by what it does to the names."""
    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"``{name}`` by name, with the values of JAX's function.\n\n{inspect.cleandoc(rule)}"
    return function


def method(function: Callable[..., Any]) -> Callable[..., Any]:
    """Offer ``function(x, ...)`` as ``x.function(...)`` too."""
    setattr(NamedTensor, function.__name__, function)
    return function


def alias(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function under a second name that JAX has for it; ``__name__`` stays the first one."""
    setattr(NamedTensor, name, function)
    return function


def operator(name: str, function: Callable[..., Any], *, reflected: bool = True) -> None:
    """Let Python's operator ``name`` call ``function``, with the operands swapped for its reflection."""

    @functools.wraps(function)
    def forward(x: NamedTensor, other: Any) -> NamedTensor:
        __tracebackhide__ = True
        return function(x, other) if _is_operand(type(other)) else NotImplemented

    @functools.wraps(function)
    def backward(x: NamedTensor, other: Any) -> NamedTensor:
        __tracebackhide__ = True
        return function(other, x) if _is_operand(type(other)) else NotImplemented

    setattr(NamedTensor, f"__{name}__", forward)
    if reflected:
        setattr(NamedTensor, f"__r{name}__", backward)


@functools.cache
def _is_operand(kind: type) -> bool:
    """Numbers and arrays are ours to accept or refuse; another type may define the operation itself."""
    if issubclass(kind, NamedTensor | int | float | complex | list | tuple):
        return True
    # NumPy's sign of a type that wants to be asked itself
    return hasattr(kind, "__array__") and getattr(kind, "__array_ufunc__", kind) is not None


def attach(name: str, function: Any) -> None:
    """Make ``function`` what Python's special method ``name`` does (None: not possible)."""
    setattr(NamedTensor, name, function)


def public(namespace: dict[str, Any]) -> list[str]:
    """The functions that a table module defines: its ``__all__``, so a new line is exported by itself."""
    here = namespace["__name__"]
    for function in namespace.values():
        if getattr(function, "__module__", "") == _BUILDERS and hasattr(function, "__signature__"):
            function.__module__ = here  # a line belongs to its table, not to the builder that made it
    return [
        k
        for k, v in namespace.items()
        if k[0] != "_" and callable(v) and getattr(v, "__module__", "") == here
    ]
