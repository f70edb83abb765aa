"""The plan cache: names are worked out once for each combination of names, not at each call.

A naming rule turns the names of the operands into a `Body`: a positional JAX function and the names
of its result. `plan_for` keeps the jitted body under (operation, names, static arguments), so the
hot path of an eager operation is one cache look-up and one jit dispatch. While `jax.jit` traces, the
body is inlined, so that names leave nothing in the user's jaxpr. The tracers of an eager `jax.grad` or
`jax.vmap` go through the jitted body: its derivative is worked out once, and kept.
"""

import functools
from collections.abc import Callable, Hashable, Iterable
from typing import Any, NamedTuple

import jax

from namedtensor._dims import Dims, check_sizes, in_transit
from namedtensor._errors import NamedShapeError, Unsupported, showing
from namedtensor._strict import is_strict, require_containment, strict
from namedtensor._tensor import NamedTensor, named, operand

_new = object.__new__  # where each tenth of a microsecond counts: the call of __init__ takes two of them
_SPELLINGS = 256  # of the static arguments of one operation
_PLANS = 4096  # a large program has some hundreds; the bound only stops a leak of generated names


class Body(NamedTuple):
    """What a naming rule returns.

    Attributes:
      run: the positional function over the operands' arrays; None when only names change.
      dims: the names of its result; a tuple of `Dims` when it has several results.
      free: names whose sizes may differ between operands.
    """

    run: Callable[..., Any] | None
    dims: Dims | tuple[Dims, ...]
    free: Iterable[str] = ()


def _staging() -> tuple[type, bool]:
    """The type of the tracers of `jax.jit`, to which JAX gives no public name, and whether it inlines.

    JAX 0.10 puts the equations of an inlined function into the jaxpr that calls it, each at the line of
    that call, and keeps its trace: three times as fast as tracing it anew. JAX 0.12 inlines later.
    """
    seen: list[type] = []
    inlined = jax.jit(lambda x: seen.append(type(x)) or -x, inline=True)
    (eqn,) = jax.make_jaxpr(inlined)(jax.ShapeDtypeStruct((), "float32")).jaxpr.eqns
    return seen[0], eqn.primitive.name == "neg"


_STAGED, _INLINES = _staging()


class Plan(NamedTuple):
    """A body made ready to run: at once, and while `jax.jit` traces."""

    jitted: Callable[..., Any]
    staged: Callable[..., Any]
    dims: Any  # Dims, or a tuple of them


class Operation:
    """A named operation: its name, and the rule that infers names and chooses the body.

    Attributes:
      name: as the user calls it, ``"dot"``.
      rule: ``rule(dims_of_operands, *static) -> Body``.
      parameters: the names of the static arguments, for error messages.
      parse: makes a key of the static arguments as the user wrote them; its errors show the call too.
      broadcasts: whether its rule unites the names of its operands, which `nt.strict` limits.
    """

    __slots__ = ("_parse", "_parsed", "broadcasts", "name", "parameters", "rule")

    def __init__(
        self,
        name: str,
        rule: Callable[..., Body],
        parameters: tuple[str, ...] = (),
        parse: Callable[..., tuple[Hashable, ...]] | None = None,
    ):
        self.name, self.rule, self.parameters, self._parse = name, rule, parameters, parse
        self._parsed = parse and functools.lru_cache(maxsize=_SPELLINGS, typed=True)(parse)
        self.broadcasts = getattr(rule, "broadcasts", False)

    def key(self, static: tuple[Any, ...]) -> tuple[Hashable, ...]:
        """The static arguments as a key; one way to write them is worked out once."""
        if self._parsed is None:
            return static
        try:
            return self._parsed(*static)
        except TypeError:  # a list has no hash, so it is worked out at each call
            return self._parse(*static)  # type: ignore[misc]

    def call(self, static: tuple) -> str:
        """The call as the user would write it, for error messages."""
        given = [(k, v) for k, v in zip(self.parameters, static, strict=False) if v is not None]
        shown = [f"{k}={_spelled(v)!r}" for k, v in given]
        return f"nt.{self.name}({', '.join(shown)})" if shown else f"nt.{self.name}"


def _spelled(value: Any) -> Any:
    """Names as the user writes them: one string."""
    return (
        " ".join(value)
        if isinstance(value, tuple | list) and all(isinstance(v, str) for v in value)
        else value
    )


@functools.lru_cache(maxsize=_PLANS)
def plan_for(operation: Operation, static: tuple[Hashable, ...], *names: Dims) -> Plan:
    """The plan of one operation for operands of these names; raises what the rule raises."""
    body = operation.rule(names, *static)
    run = body.run or (lambda array: array)

    def checked(*arrays):
        check_sizes(arrays, names, body.free)
        with strict(False):  # what a body does inside is the library's own affair
            return run(*arrays)

    checked.__name__ = operation.name  # what a profile or a jaxpr shows
    jitted = jax.jit(checked, inline=True)
    return Plan(jitted, jitted if _INLINES else checked, body.dims)


def run(operation: Operation, operands: tuple[Any, ...], static: tuple[Any, ...] = ()) -> Any:
    """Run a named operation on named tensors and scalars.

    Returns:
      A named tensor, or a tuple of them where the operation has several results.

    Raises:
      NamedShapeError: of the kind that the rule or the sizes call for, with all operands shown.
    """
    try:
        key = operation.key(static) if static else static
        arrays, names, staged = [], [], False
        for x in operands:
            array, there = (x.array, x.dims) if type(x) is NamedTensor else operand(x)
            arrays.append(array)
            names.append(there)
            staged = staged or type(array) is _STAGED
        if is_strict.get() and operation.broadcasts:
            require_containment(names)
        jitted, raw, target = plan_for(operation, key, *names)
        out = raw(*arrays) if staged else jitted(*arrays)
        return NamedTensor(out, target) if type(target) is Dims else tuple(map(NamedTensor, out, target))
    except NamedShapeError as error:
        __tracebackhide__ = True  # IPython and pytest show the user's line, not ours
        raise error.within(operation.call(static), operands) from None
    except jax.errors.JAXTypeError:  # a tracer where a value is needed: JAX says it best
        raise
    except (TypeError, ValueError, NotImplementedError, OverflowError) as error:
        __tracebackhide__ = True
        reason = str(error).partition("\n")[0]
        raise Unsupported(f"JAX refuses it: {reason}").within(operation.call(static), operands) from error


def caller(operation: Operation) -> Callable[[Any], NamedTensor]:
    """``run(operation, (x,))`` for one operand, one result and no options: the least beside the dispatch."""

    def call(x: Any) -> Any:
        if type(x) is NamedTensor:
            try:
                jitted, raw, target = plan_for(operation, (), x.dims)
                array, result = x.array, _new(NamedTensor)
                result.array = jitted(array) if type(array) is not _STAGED else raw(array)
                result.dims = target
                return result
            except Exception:
                pass  # `run` does it once more, and says what is wrong
        __tracebackhide__ = True
        return run(operation, (x,))

    return call


def run_one(operation: Operation, x: Any, static: tuple[Any, ...]) -> Any:
    """``run(operation, (x,), static)`` with less beside the dispatch, for an operation that parses."""
    if type(x) is NamedTensor:
        try:
            jitted, raw, target = plan_for(operation, operation._parsed(*static), x.dims)  # type: ignore[misc]
            array, result = x.array, _new(NamedTensor)
            result.array = jitted(array) if type(array) is not _STAGED else raw(array)
            result.dims = target
            return result if type(target) is Dims else tuple(map(NamedTensor, result.array, target))
        except Exception:
            pass  # `run` does it once more, and says what is wrong
    __tracebackhide__ = True
    return run(operation, (x,), static)


def relabel(operation: Operation, x: NamedTensor, static: tuple[Hashable, ...]) -> NamedTensor:
    """Run an operation that changes names alone: the array is not touched."""
    with showing(operation.call(static), x):
        new = plan_for(operation, static, named(x).dims).dims
        if x.array.ndim != len(x.dims):
            raise in_transit(x.array.shape, x.dims)
        return NamedTensor(x.array, new)


def cache_info() -> Any:
    """Hits, misses, bound and size of the plan cache, as `functools.lru_cache` counts them."""
    return plan_for.cache_info()


def clear_cache() -> None:
    """Forget all plans and what they compiled."""
    plan_for.cache_clear()
