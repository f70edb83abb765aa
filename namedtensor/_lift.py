"""`nt.lift`: a function of a few axes becomes a function of named tensors, mapped over all other dims."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.core import Tracer

from namedtensor._dims import Dims, check_sizes, require, union, without
from namedtensor._errors import BadPattern, DimMismatch, DuplicateDim, NamedShapeError, Unsupported, showing
from namedtensor._signature import Signature, function_name, name_results, parse
from namedtensor._tensor import NamedTensor, is_named, operand

_PLANS = 256  # combinations of names that one lifted function keeps compiled


def _entries(signature: Signature, names: tuple[Dims | None, ...]) -> tuple[Dims, ...]:
    """The dims that the function gets of each operand; a single entry stands for every named one."""
    entries = tuple(entry or Dims() for entry in signature.operands)
    if len(entries) == 1 < len(names):
        entries = tuple(Dims() if there is None else entries[0] for there in names)
    if len(entries) != len(names):
        raise BadPattern(
            f"{signature.text!r} lists {len(entries)} operands, the call has {len(names)}.",
            "List the dims of each operand, separated by commas: 'i j, k -> i k'.",
        )
    return entries


def _mapped(names: tuple[Dims, ...], entries: tuple[Dims, ...], signature: Signature) -> Dims:
    """The dims that are mapped over: all that are not listed."""
    for there, entry in zip(names, entries, strict=True):
        require(there, entry)
    mapped = union(*[without(there, entry) for there, entry in zip(names, entries, strict=True)])
    listed, resulting = union(*entries), union(Dims(), *[r for r in signature.results or () if r])
    for dim in mapped:
        if dim in listed:
            raise DimMismatch(
                f"{dim!r} is listed for one operand, and another has it too.",
                f"List it for both, or rename one: .rename({dim}='{dim}_2').",
            )
        if dim in resulting:
            raise DuplicateDim(
                f"a result gets the dim {dim!r}, and the operands are mapped over it.",
                f"Rename one: '{dim}_2' after '->'.",
            )
    return mapped


class _Plan(NamedTuple):
    """A lifted function for operands of certain names.

    Attributes:
      jitted: from the operands' arrays to one array with the dims ``usual``, or to a tree of named tensors.
      raw: the same, uncompiled, to named tensors always.
      usual: the dims of a result that is alone and no exception.
    """

    jitted: Callable[..., Any]
    raw: Callable[..., Any]
    usual: Dims


def _plan(f: Callable[..., Any], signature: Signature, operands: tuple[Dims | None, ...]) -> _Plan:
    entries = _entries(signature, operands)
    names = tuple(there or Dims() for there in operands)
    mapped = _mapped(names, entries, signature)
    first = signature.operands[0] or Dims()
    model = entries.index(first) if first in entries else 0  # whose shape a result without an entry has

    def raw(*arrays):
        check_sizes(arrays, names)
        out = _vmapped(one, names, mapped)(*arrays)
        return jax.tree.map(lambda y: NamedTensor(y.array, Dims([*mapped, *y.dims])), out, is_leaf=is_named)

    def one(*cores):
        ordered = [_ordered(a, t, e) for a, t, e in zip(cores, names, entries, strict=True)]
        return name_results(signature, f(*ordered), like=jnp.shape(ordered[model]))

    def jitted(*arrays):
        out = raw(*arrays)
        return out.array if is_named(out) and out.dims is usual else out  # named outside at half the cost

    jitted.__name__ = function_name(f)  # what a profile shows
    usual = Dims([*mapped, *((signature.results or (first,))[0] or ())])
    return _Plan(jax.jit(jitted), raw, usual)


def _ordered(core: Any, there: Dims, entry: Dims) -> Any:
    """The axes that are left when the mapped ones are gone, in the order of ``entry``."""
    left = [d for d in there if d in entry]
    return core if left == list(entry) else jnp.transpose(core, [left.index(d) for d in entry])


def _vmapped(f: Callable[..., Any], names: tuple[Dims, ...], mapped: Dims) -> Callable[..., Any]:
    """Each array is taken as it is stored: `jax.vmap` is told where the axis is, and moves what it must."""
    if not mapped:
        return f
    outer, inner = mapped[0], Dims(mapped[1:])
    axes = [there.index(outer) if outer in there else None for there in names]
    return jax.vmap(_vmapped(f, tuple(without(there, [outer]) for there in names), inner), in_axes=axes)


def lift(f: Callable[..., Any], spec: str, /, **keywords: Any) -> Callable[..., Any]:
    """Map a positional function over every dim that it does not name.

    ``spec`` lists, for each operand, the dims that ``f`` gets, in their order, and after ``->`` those of each
    result. All other dims are mapped over: matched by name, and united, as in ``x + y``. So any JAX function
    takes names::

        median = nt.lift(jnp.median, "t -> ")
        interpolate = nt.lift(jnp.interp, "t, knot, knot -> t")

    Make it once and keep it: like `jax.jit`, it compiles once for each set of names and shapes, and a new
    ``lift`` (or a new lambda in it) compiles anew. Called eagerly it is one dispatch. What it has compiled
    lives as long as it does; `nt.clear_cache` does not concern it.

    Args:
      f: a function of arrays that returns an array, or a tree (tuple, dict ...) of arrays. What it gets and
        returns does not have the mapped dims.
      spec: ``"i j, k -> i k"``. An empty entry is a number: ``"i, -> i"``. One entry stands for each named
        operand. Several results are separated by commas, one for each part of the tuple that ``f`` returns;
        a single one names every array of a tree. Without ``->`` a result of the shape of the first argument
        gets its names, and a number none.
      **keywords: bound to ``f`` as they are, not mapped: ``nt.lift(jnp.quantile, "t -> ", q=0.5)``.

    Returns:
      A function of named tensors (and numbers, where the entry is empty), whose results have the mapped dims,
      stored first, and those of the pattern.

    Raises:
      BadPattern: ``spec`` cannot be read, or (when called) does not fit the operands or the results.
      UnknownDim: an operand lacks a listed dim.
      SizeMismatch: a dim has two sizes.
      RankMismatch: a result has not as many axes as its entry.
      DimMismatch: a dim is listed for one operand and mapped over in another.

    Example:
      >>> import jax.numpy as jnp, namedtensor as nt
      >>> outer = nt.lift(jnp.outer, "i, j -> i j")
      >>> outer(nt.ones("i:2 batch:3"), nt.ones("j:4 head:5")).shape
      Shape(batch:3 head:5 i:2 j:4)
    """
    call = f"nt.lift({function_name(f)}, {spec!r})"
    with showing(call):
        signature = _read(f, spec, keywords)
    bound = functools.partial(f, **keywords) if keywords else f

    @functools.lru_cache(maxsize=_PLANS)
    def plan(*names: Dims | None) -> _Plan:
        return _plan(bound, signature, names)

    @functools.wraps(f)
    def lifted(*operands: Any) -> Any:
        try:
            if len(operands) == 1 and type(operands[0]) is NamedTensor:  # most calls: no lists to build
                array = operands[0].array
                jitted, raw, usual = plan(operands[0].dims)
                out = (raw if _is_tracer(type(array)) else jitted)(array)
            else:
                arrays, names = zip(*map(_parts, operands), strict=True) if operands else ((), ())
                jitted, raw, usual = plan(*names)
                out = (raw if any(_is_tracer(type(a)) for a in arrays) else jitted)(*arrays)
            return NamedTensor(out, usual) if _is_array(type(out)) else out
        except NamedShapeError as error:
            raise error.within(call, operands) from None

    return lifted


@functools.cache
def _is_tracer(kind: type) -> bool:
    """Whether arrays of this type are tracers; `isinstance` costs several times as much at each call."""
    return issubclass(kind, Tracer)


@functools.cache
def _is_array(kind: type) -> bool:
    return issubclass(kind, jax.Array | Tracer)  # a tracer where the function closes over one


def _read(f: Any, spec: str, keywords: dict[str, Any]) -> Signature:
    if not callable(f):
        raise Unsupported(f"{f!r} is no function.", "Write nt.lift(f, 'i j, k -> i k').")
    for name, value in keywords.items():
        if is_named(value):
            raise Unsupported(
                f"the keyword {name!r} is a named tensor, and keywords are not mapped.",
                "Pass it as an operand, with an entry of its own.",
            )
    return parse(spec)


def _parts(x: Any) -> tuple[Any, Dims | None]:
    """The array of an operand and its names; None for a number, which has no entry to stand for it."""
    if is_named(x):
        return x.array, x.dims
    if not hasattr(x, "dtype") and not isinstance(x, bool | int | float | complex | list):
        raise Unsupported(
            f"an operand is a {type(x).__name__}.",
            "Bind what is no array to the function: nt.lift(f, spec, name=value).",
        )
    return operand(x)[0], None


__all__ = ["lift"]
