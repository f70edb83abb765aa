"""The builders: each makes an operation of a table line, by the rule that its names follow.

A line is ``exp = unary("exp", jnp.exp)``: the builder makes the function, its method, its signature
and its docstring. What the keyword options of a line may be is said in `_options`.
"""

import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp

from namedtensor._dims import Dims, Spec, check_name, dims, require, union, without
from namedtensor._errors import MissingDim, Unsupported
from namedtensor._plan import Body, Operation, caller, run, run_one
from namedtensor._tensor import NamedTensor
from namedtensor.ops._align import align
from namedtensor.ops._options import Options
from namedtensor.ops._table import method, named_function

_UNION = """Names: the union of all. A shared name must have one size (``SizeMismatch``); a raw array
of one or more axes is refused (``MissingName``); numbers combine freely."""
_GONE = """Names: those of ``x`` without ``over`` (all of them by default); a reduced dim is never kept
with size 1. ``UnknownDim`` when ``x`` lacks a name of ``over``."""
_NO_AXIS = " "  # the name, which no user can write, of an axis of size 1 to reduce where there is none


def finished(call: Callable[..., Any], name: str, rule: str, options: Options) -> Callable[..., Any]:
    """The function of a table line: its name, signature and docstring, and its place as a method."""
    parameters = [p for p in inspect.signature(call).parameters.values() if p.kind is not p.VAR_KEYWORD]
    call.__signature__ = inspect.Signature([*parameters, *options.parameters()])  # type: ignore[attr-defined]
    call.__module__ = __name__  # `public` hands it on to the table that the line is in
    return method(named_function(call, name, rule))


def several(target: Dims, results: int) -> Dims | tuple[Dims, ...]:
    """The names of one result, or of so many that share them."""
    return target if results == 1 else (target,) * results


def pointwise(
    name: str, positional: Callable[..., Any], operands: int, *, results: int = 1, **options: Any
) -> tuple[Operation, Options]:
    """The operation of rules U and B: ``positional`` of arrays that are lined up by name."""
    settings = Options(name, options)

    def rule(names: tuple[Dims, ...], *static: Any) -> Body:
        target, function = union(*names), settings.bound(positional, operands, static)
        return Body(
            lambda *arrays: function(*[align(a, d, target) for a, d in zip(arrays, names, strict=True)]),
            several(target, results),
        )

    rule.broadcasts = True  # type: ignore[attr-defined]  (read by Operation)
    return Operation(name, rule, settings.constants, settings.checked if options else None), settings


def unary(name: str, positional: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """Rule U: the names of ``x`` are kept."""
    operation, settings = pointwise(name, positional, 1, **options)
    nothing = settings.none

    def call(x: Any, **given: Any) -> Any:
        __tracebackhide__ = True
        if not given:
            return run(operation, (x,), nothing)
        static, joining = settings.split(given)
        return run(operation, (x, *joining), static)

    return finished(
        call if options else caller(operation), name, "Names: those of ``x``, unchanged.", settings
    )


def binary(name: str, positional: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """Rule B: the names of both are united."""
    operation, settings = pointwise(name, positional, 2, **options)
    nothing = settings.none, ()

    def call(x: Any, y: Any, **given: Any) -> Any:
        __tracebackhide__ = True
        static, joining = settings.split(given) if given else nothing
        return run(operation, (x, y, *joining), static)

    return finished(call, name, _UNION, settings)


def nary(name: str, positional: Callable[..., Any], operands: str) -> Callable[..., Any]:
    """Rule B for the operands that are listed, ``"a b x"``."""
    listed = operands.split()
    operation, settings = pointwise(name, positional, len(listed))

    def call(*arrays: Any) -> Any:
        __tracebackhide__ = True
        if len(arrays) != len(listed):
            raise TypeError(
                f"{name}() takes {len(listed)} operands ({', '.join(listed)}), {len(arrays)} were given"
            )
        return run(operation, arrays)

    finished(call, name, _UNION, settings)
    call.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(k, inspect.Parameter.POSITIONAL_ONLY) for k in listed]
    )
    return call


def masks(names: Sequence[Dims], there: Dims) -> None:
    """Operands beside ``x``, such as ``where``, may leave names out, and add none."""
    for other in names:
        require(there, other)


def refusing_nothing(positional: Callable[..., Any]) -> Callable[..., Any]:
    """A reduction that has no value where there is nothing to reduce, and says so."""

    def reduce(array: Any, *more: Any, axis: Any, **options: Any) -> Any:
        axes = axis if isinstance(axis, tuple) else (axis,)
        if not math.prod(array.shape[i] for i in axes):
            raise Unsupported(
                "there is no value to choose: the dims have no elements.", "Check the sizes first."
            )
        return positional(array, *more, axis=axis, **options)

    return reduce


def reducing(
    name: str, positional: Callable[..., Any], *, several_dims: bool = True, results: int = 1, **options: Any
) -> tuple[Operation, Options]:
    """The operation of rule R: ``positional`` takes ``axis``, which is a tuple where several dims may go."""
    settings = Options(name, options)

    def rule(names: tuple[Dims, ...], over: Dims | None, *static: Any) -> Body:
        there, *others = names
        gone = there if over is None else require(there, over)
        masks(others, there)
        target = there if gone else Dims([*there, _NO_AXIS])
        axes = tuple(target.index(d) for d in gone or [_NO_AXIS])
        function, axis = settings.bound(positional, 1, static), axes if several_dims else axes[0]

        def reduce(array: Any, *more: Any) -> Any:
            if not gone:
                array = jnp.expand_dims(array, len(there))
            aligned = [align(a, d, target) for a, d in zip(more, others, strict=True)]
            return function(array, *aligned, axis=axis)

        return Body(reduce, several(without(there, gone), results))

    parse = _spec if several_dims else _one
    return _with_over(name, rule, settings, parse), settings


def _with_over(
    name: str, rule: Callable[..., Body], settings: Options, parse: Callable[[Any], Any]
) -> Operation:
    def key(over: Any, *static: Any) -> tuple[Any, ...]:
        return (parse(over), *settings.checked(*static)) if static else (parse(over),)

    return Operation(name, rule, ("over", *settings.constants), key)


def _spec(over: Spec | None) -> Dims | None:
    return None if over is None else dims(over)


def _one(over: Any) -> Dims:
    if over is None:
        raise MissingDim(
            "one dim is needed, and none is given: a position in several dims is not one number.",
            "Name it: over='seq'.",
        )
    return dims(check_name(over))


def reduction(
    name: str, positional: Callable[..., Any], *, results: int = 1, **options: Any
) -> Callable[..., Any]:
    """Rule R: the names ``over`` are removed."""
    operation, settings = reducing(name, positional, results=results, **options)
    nothing = settings.none

    def call(x: NamedTensor, over: Spec | None = None, **given: Any) -> Any:
        __tracebackhide__ = True
        if not given:
            return run_one(operation, x, (over, *nothing))
        static, joining = settings.split(given)
        return run(operation, (x, *joining), (over, *static))

    return finished(call, name, _GONE, settings)


def selection(
    name: str, positional: Callable[..., Any], *, results: int = 1, **options: Any
) -> Callable[..., Any]:
    """Rule R for what is a position or a choice along one dim."""
    operation, settings = reducing(name, positional, several_dims=False, results=results, **options)
    nothing = settings.none

    def call(x: NamedTensor, over: str | None = None, **given: Any) -> Any:
        __tracebackhide__ = True
        if not given:
            return run_one(operation, x, (over, *nothing))
        static, joining = settings.split(given)
        return run(operation, (x, *joining), (over, *static))

    return finished(call, name, "Names: those of ``x`` without the one dim ``over``.", settings)


def along(
    name: str, positional: Callable[..., Any], *, several_dims: bool = False, **options: Any
) -> Callable[..., Any]:
    """Rule K: ``positional`` works along ``axis``, and all names are kept."""
    settings = Options(name, options)

    def rule(names: tuple[Dims, ...], over: Dims, *static: Any) -> Body:
        there, *others = names
        axes = tuple(there.index(d) for d in require(there, over))
        masks(others, there)
        function, axis = settings.bound(positional, 1, static), axes if several_dims else axes[0]

        def work(array: Any, *more: Any) -> Any:
            aligned = [align(a, d, there) for a, d in zip(more, others, strict=True)]
            return function(array, *aligned, axis=axis)

        return Body(work, there)

    operation = _with_over(name, rule, settings, dims if several_dims else _one)
    nothing = settings.none

    def call(x: NamedTensor, over: Spec, **given: Any) -> Any:
        __tracebackhide__ = True
        if not given:
            return run_one(operation, x, (over, *nothing))
        static, joining = settings.split(given)
        return run(operation, (x, *joining), (over, *static))

    many = "the dims" if several_dims else "the one dim"
    return finished(call, name, f"Along {many} ``over``; names: those of ``x``, unchanged.", settings)
