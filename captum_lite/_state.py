"""What a function reads besides its arguments: closures, globals, attributes.

Compiled code has those values baked in. A function that reads ``params`` from the notebook's globals
must be compiled again once they have been trained further, or it would explain the old model in
silence. So what a function reaches is part of the key of its compiled code. Arrays count by identity:
a NumPy array that is changed in place, and state inside other modules, are not noticed.
"""

import functools
import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

_MOST = 10_000  # things looked at; what reaches more is not a function but a program
_LIBRARIES = {"builtins", "captum_lite", "functools", "jax", "jaxlib", "namedtensor", "numpy", "scipy"}


def _is_a_librarys(x: Any) -> bool:
    return (x.__module__ or "").partition(".")[0] in _LIBRARIES


@dataclass(frozen=True, eq=False)
class _Same:
    """An array, equal to itself alone; held, so that its identity is not given to another."""

    value: Any

    def __hash__(self) -> int:
        return id(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.value is other.value


def reached(fun: Any) -> tuple[Any, ...]:
    """The arrays and plain values that ``fun`` reads when it is called, as a key."""
    found, entered, waiting = [], {}, [fun]
    for _ in range(_MOST):
        if not waiting:
            break
        x = waiting.pop()
        # every occurrence counts: (1, 1, 2) is not (1, 2, 2)
        if isinstance(x, jax.Array | np.ndarray):
            found.append(_Same(x))
        elif isinstance(x, str | bytes | int | float | complex | None):
            found.append((type(x), x))
        elif id(x) not in entered:
            entered[id(x)] = x
            waiting.extend(_parts(x))
    return tuple(found)


def _parts(x: Any) -> Iterator[Any]:
    """What stands one step behind ``x``."""
    if isinstance(x, types.FunctionType):
        if not _is_a_librarys(x):
            yield from _read_by(x)
    elif isinstance(x, types.MethodType):
        yield from (x.__func__, x.__self__)
    elif isinstance(x, functools.partial):
        yield from (x.func, x.args, x.keywords)
    elif isinstance(x, dict):
        yield from x.values()
    elif isinstance(x, list | tuple | set | frozenset):
        yield from x
    elif not isinstance(x, types.ModuleType | type) and not _is_a_librarys(type(x)):
        yield from (getattr(x, "__dict__", {}), vars(type(x)).get("__call__"))


def _read_by(function: types.FunctionType) -> Iterator[Any]:
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # a cell that is not filled yet
            continue
    yield from (function.__defaults__ or (), function.__kwdefaults__ or {})
    for name in _names(function.__code__):
        if name in function.__globals__:
            yield function.__globals__[name]


def _names(code: types.CodeType) -> Iterator[str]:
    """The globals that a function's code names, and those of the functions inside it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)
