"""From an annotation to the check of a value: through unions, containers and records.

What cannot be looked into without using it up (an iterator) or without calling it (a callable) is
not checked; nor is anything that holds no `NamedTensor`: that is the static checker's business.
"""

import dataclasses
import functools
import inspect
import itertools
import sys
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from namedtensor._errors import DimMismatch, NamedShapeError, Unsupported
from namedtensor._tensor import NamedTensor
from namedtensor.typing.names import ANY, Call, pattern_of

Check = Callable[[Any, str, Call], None]  # value, the words for its place, the call

_NUMBERS = {float: (int,), complex: (int, float)}  # what Python lets stand for another number


def evaluated(annotation: Any, where: str, names: Mapping[str, Any]) -> Any:
    """The annotation itself, where it (or a part of it) is the text of one.

    Raises:
      NameError: a text about `Named` that cannot be read.
    """

    def holder():
        """`typing.get_type_hints` reads the annotations of functions."""

    holder.__annotations__ = {"x": annotation}
    try:
        return typing.get_type_hints(holder, dict(names), include_extras=True)["x"]
    except Exception as error:
        if "Named" not in str(annotation):
            return Any  # an annotation for other readers
        raise NameError(
            f"{where}: the annotation {annotation!r} cannot be read here ({error}). "
            "Define what it uses at the top of the module, or write it without quotes."
        ) from error


def compiled(hint: Any) -> Check | None:
    """The check that an annotation asks for; None when there is nothing to check."""
    if hint is NamedTensor:
        return _tensor(())
    origin, args = get_origin(hint), get_args(hint)
    if isinstance(hint, type) and _is_record(hint):
        return _record(hint)
    if not args:
        return None
    if origin is Annotated:
        return _tensor(hint.__metadata__) if args[0] is NamedTensor else compiled(args[0])
    if origin in (Union, types.UnionType):
        return _union(args)
    if isinstance(origin, type) and issubclass(origin, tuple) and args[1:] != (...,):
        return _tuple([compiled(part) for part in args])
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return _each(origin, compiled(args[0]), enumerate)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _each(origin, compiled(args[-1]), lambda value: value.items())
    return None


def _tensor(metadata: Sequence[Any]) -> Check:
    wanted = pattern_of(metadata) if metadata else ANY
    return lambda value, where, call: call.fits(value, wanted, where)


def _each(kind: type, inner: Check | None, items: Callable[[Any], Any]) -> Check | None:
    if inner is None:
        return None

    def check(value: Any, where: str, call: Call) -> None:
        _require(kind, value, where, call)
        for key, part in items(value):
            inner(part, f"{where}[{key!r}]", call)

    return check


def _tuple(parts: Sequence[Check | None]) -> Check | None:
    if not any(parts):
        return None

    def check(value: Any, where: str, call: Call) -> None:
        _require(tuple, value, where, call)
        if len(value) != len(parts):
            problem = f"a tuple of {len(parts)} is expected here, not of {len(value)}."
            raise Unsupported(problem).within(call.spelled(where, "tuple"), [value])
        for i, (inner, part) in enumerate(zip(parts, value, strict=True)):
            if inner:
                inner(part, f"{where}[{i}]", call)

    return check


def _require(kind: type, value: Any, where: str, call: Call) -> None:
    if not isinstance(value, kind):
        raise Unsupported(f"a {kind.__name__} of named tensors is expected here.").within(
            call.spelled(where, kind.__name__), [value]
        )


def _union(members: Sequence[Any]) -> Check | None:
    checks = [check for check in map(compiled, members) if check]
    others = [_classes(member) for member in members if not compiled(member)]
    if not checks or None in others:  # a member takes any value
        return None
    unchecked = tuple(itertools.chain.from_iterable(o for o in others if o))

    def check(value: Any, where: str, call: Call) -> None:
        if isinstance(value, unchecked):
            return
        met, errors = dict(call.sizes), []
        for member in checks:
            try:
                member(value, where, call)
                return
            except NamedShapeError as error:
                errors.append(error)
                call.sizes = dict(met)  # what a member that does not fit has met is void
        raise errors[0] if len(errors) == 1 else _none_fits(errors, value, where, call)

    return check


def _none_fits(errors: list[NamedShapeError], value: Any, where: str, call: Call) -> NamedShapeError:
    kind = type(errors[0]) if len({type(e) for e in errors}) == 1 else DimMismatch
    problem = "no member of the union fits: " + " ".join(e.problem for e in errors)
    return kind(problem).within(call.spelled(where, "a union"), [value])


def _classes(member: Any) -> tuple[type, ...] | None:
    """The classes whose instances fit a member of a union; None where that cannot be told."""
    origin, args = get_origin(member), get_args(member)
    if origin is Annotated:
        return _classes(args[0])
    if origin is Literal:
        return tuple(map(type, args))
    found = origin or member
    try:
        isinstance(None, found)
    except TypeError:  # Any, a type variable, a protocol
        return None
    return None if found is object else (found, *_NUMBERS.get(found, ()))


def _is_record(kind: type) -> bool:
    return dataclasses.is_dataclass(kind) or typing.is_typeddict(kind) or hasattr(kind, "_fields")


def _record(kind: type) -> Check:
    of_dict = typing.is_typeddict(kind)

    def check(value: Any, where: str, call: Call) -> None:
        fields = _fields(kind)  # compiled when first met: a record may hold itself
        if fields:
            _require(dict if of_dict else kind, value, where, call)
        for name, inner in fields:
            if not of_dict or name in value:
                inner(value[name] if of_dict else getattr(value, name), f"{where}.{name}", call)

    return check


@functools.cache
def _fields(kind: type) -> list[tuple[str, Check]]:
    found = {}
    for base in reversed(kind.__mro__):
        known = {**vars(sys.modules.get(base.__module__, types)), base.__name__: base}
        for name, annotation in inspect.get_annotations(base).items():
            found[name] = compiled(evaluated(annotation, f"{kind.__qualname__}.{name}", known))
    return [(name, check) for name, check in found.items() if check]
