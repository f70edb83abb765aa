"""`typed`: a function whose annotated arguments and result are checked at each call."""

import functools
import inspect
from collections.abc import Callable, Iterator
from inspect import Parameter
from typing import Any, NamedTuple, TypeVar

from namedtensor.typing.hints import Check, compiled, evaluated
from namedtensor.typing.names import RESULT, Call

Function = TypeVar("Function", bound=Callable[..., Any])

_BY_POSITION = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
_BY_KEYWORD = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)


def typed(function: Function) -> Function:
    """Check the named tensors that a function takes and returns against its annotations.

    Names are compared as sets, sizes are bound over the whole call: a name that is written in
    several annotations has one size. Arguments without an annotation are not checked, nor are parts
    of an annotation that hold no named tensor. ``list``, ``tuple``, ``dict``, unions, dataclasses,
    named tuples and typed dicts are looked into; callables and iterators are not.

    A linter that reads the strings of annotations as code (ruff's F722 and F821) leaves
    ``Annotated[nt.NamedTensor, "batch seq"]`` alone, which means the same.

    It works on methods, under `jax.jit`, where a call is checked while it is traced, and with
    ``from __future__ import annotations``.

    Args:
      function: a function with annotations such as

        - ``Named["batch seq"]``: these names and no others, in any order;
        - ``Named["batch seq:512"]``: with a size;
        - ``Named["... embed"]``: with any other names;
        - ``Named["batch", float]``: with a dtype; Python's types stand for all widths;
        - ``Named[""]``: a named scalar; ``Named``: any names.

    Returns:
      The function with the checks.

    Raises (when called):
      MissingName: an argument or the result is no named tensor.
      DimMismatch: its names differ.
      SizeMismatch: a size differs from the one written, or from the same name's elsewhere.
      Unsupported: the dtype differs, or a container of another kind.

    Example:
      >>> import namedtensor as nt
      >>> @nt.typed
      ... def scores(q: nt.Named["seq key"], k: nt.Named["seq' key"]) -> nt.Named["seq seq'"]:
      ...     return nt.dot(q, k, over="key")
      >>> scores(nt.ones("seq:2 key:4"), nt.ones("seq':3 key:4")).shape
      Shape(seq:2 seq':3)
    """
    if isinstance(function, type | classmethod | staticmethod) or not callable(function):
        raise TypeError(f"nt.typed is for functions, not {function!r}: write it nearest to the def.")

    name = getattr(function, "__qualname__", repr(function)).rpartition("<locals>.")[2]
    checks = functools.cache(functools.partial(_checks, function, name))  # read when first called

    @functools.wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        wanted, call = checks(), Call(name)
        for check, value, where in wanted.of(args, kwargs):
            check(value, where, call)
        result = function(*args, **kwargs)
        if wanted.result:
            wanted.result(result, RESULT, call)
        return result

    return checked  # pyright: ignore[reportReturnType]


class _Checks(NamedTuple):
    """The checks of a function's parameters by position and by keyword, and of its result."""

    positional: list[tuple[str, Check | None]]
    rest: tuple[str, Check | None]
    keyword: dict[str, Check | None]
    others: Check | None
    result: Check | None

    def of(self, args: tuple, kwargs: dict[str, Any]) -> Iterator[tuple[Check, Any, str]]:
        """Each check with its value; what Python itself will refuse is left to Python."""
        for value, (name, check) in zip(args, self.positional, strict=False):
            if check:
                yield check, value, name
        name, check = self.rest
        if check:
            for i, value in enumerate(args[len(self.positional) :]):
                yield check, value, f"{name}[{i}]"
        for name, value in kwargs.items():
            if check := self.keyword.get(name, self.others):
                yield check, value, name


def _checks(function: Callable[..., Any], name: str) -> _Checks:
    inner = inspect.unwrap(function)
    known = {**getattr(inner, "__globals__", {}), **_enclosed(inner)}
    signature = inspect.signature(function)

    def read(annotation: Any, where: str) -> Check | None:
        return None if annotation is signature.empty else compiled(evaluated(annotation, where, known))

    parameters = signature.parameters.values()
    checks = {p.name: read(p.annotation, f"{name}({p.name})") for p in parameters}
    of_kind = {p.kind: p.name for p in parameters}
    rest, others = of_kind.get(Parameter.VAR_POSITIONAL, ""), of_kind.get(Parameter.VAR_KEYWORD, "")
    lazy = inspect.iscoroutinefunction(inner)  # its result is not there yet
    return _Checks(
        [(p.name, checks[p.name]) for p in parameters if p.kind in _BY_POSITION],
        (rest, checks.get(rest)),
        {p.name: checks[p.name] for p in parameters if p.kind in _BY_KEYWORD},
        checks.get(others),
        None if lazy else read(signature.return_annotation, f"{name} -> ..."),
    )


def _enclosed(function: Callable[..., Any]) -> dict[str, Any]:
    """What a function sees of the functions around it."""
    try:
        return dict(inspect.getclosurevars(function).nonlocals)
    except (TypeError, ValueError):  # not a Python function, or a cell that is not filled yet
        return {}
