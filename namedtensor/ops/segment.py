"""Rule I, sums by number: reduce what has the same number, along a new dim of the numbers."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from namedtensor._dims import Dims, Spec, check_name, dims, require, require_new, without
from namedtensor._errors import BadPattern, Unsupported, showing
from namedtensor._plan import Body, Operation, run
from namedtensor._tensor import NamedTensor, named
from namedtensor.ops._align import align
from namedtensor.ops._batch import lead, mapped
from namedtensor.ops._static import whole
from namedtensor.ops._table import method, named_function, public


def _reducing(positional: Callable[..., Any]) -> Callable[..., Body]:
    """The rule of a function of ``data[n ...]`` and ``ids[n]``."""

    def rule(names: tuple[Dims, ...], over: Dims, new: str, size: int) -> Body:
        there, ids = names
        require(ids, over)
        if not over:
            raise BadPattern("there is no dim to reduce.", "Name the dims of the numbers: over='token'.")
        batch, rest = without(ids, over), without(there, ids)
        require_new([*batch, *rest], new)

        def flat(data, numbers):  # data lacks, or has with size 1, what is the same for all numbers
            data = jnp.broadcast_to(data, (*numbers.shape, *data.shape[len(over) :]))
            data = data.reshape(numbers.size, *data.shape[len(over) :])
            return positional(data, numbers.reshape(-1), size)

        def reduce(array, numbers):
            if not jnp.issubdtype(numbers.dtype, jnp.integer):
                raise Unsupported(f"the numbers are {numbers.dtype}.", "They must be integers.")
            data = align(jnp.asarray(array), there, lead(there, batch, [*over, *rest]))
            data = data.astype(int) if data.dtype == bool else data  # counted, as in a sum
            return mapped(flat, names, batch)(data, align(numbers, ids, Dims([*batch, *over])))

        return Body(reduce, Dims([*batch, new, *rest]))

    return rule


def _segment_rule(positional: Callable[..., Any]) -> Callable[..., Body]:
    reducing = _reducing(positional)

    def rule(names: tuple[Dims, ...], over: Dims, new: str, size: int) -> Body:
        require(names[0], over)
        return reducing(names, over, new, size)

    return rule


def _parse(over: Spec, new: str, size: Any) -> tuple:
    return dims(over), check_name(new), whole(size, "size", least=0)


def _segment(name: str, positional: Callable[..., Any], empty: str) -> Callable[..., NamedTensor]:
    operation = Operation(name, _segment_rule(positional), ("over", "new", "size"), _parse)

    def call(x: NamedTensor, ids: NamedTensor, *, over: Spec, new: str, size: int) -> NamedTensor:
        return run(operation, (named(x), named(ids)), (over, new, size))

    rule = f"""Reduce ``x`` over the dims ``over``, apart for each number in ``ids``.

    Position ``s`` of the new dim ``new`` gets what has the number ``s``, and {empty} where there is
    nothing.

    Args:
      x: a tensor with the dims ``over``.
      ids: whole numbers, with the dims ``over``; its other names are batch dims, matched with those of
        ``x``. Numbers outside 0 ... size - 1 are left out.
      over: the dims that are reduced.
      new: the name of the dim of the numbers.
      size: how many numbers there are.

    Raises:
      UnknownDim: ``x`` or ``ids`` lacks a dim of ``over``.
      DuplicateDim: ``new`` is a name that stays.

    Example:
      >>> import namedtensor as nt
      >>> x, ids = nt.tensor([1.0, 2.0, 4.0], "token"), nt.tensor([0, 1, 0], "token")
      >>> nt.{name}(x, ids, over="token", new="doc", size=2).shape
      Shape(doc:2)"""
    return method(named_function(call, name, rule))


# one line an operation ------------------------------------------------------------------------
segment_max = _segment("segment_max", jax.ops.segment_max, "the lowest value of its dtype")
segment_min = _segment("segment_min", jax.ops.segment_min, "the highest value of its dtype")
segment_prod = _segment("segment_prod", jax.ops.segment_prod, "1 (JAX has no derivative of it)")
segment_sum = _segment("segment_sum", jax.ops.segment_sum, "0")

_bincount = Operation("bincount", _reducing(jax.ops.segment_sum), ("over", "new", "length"), _parse)


@method
def bincount(
    ids: NamedTensor,
    new: str,
    length: int,
    *,
    over: Spec | None = None,
    weights: NamedTensor | float = 1,
) -> NamedTensor:
    """How often each number occurs, or the sum of its weights.

    Args:
      ids: whole numbers; those outside 0 ... length - 1 are not counted.
      new: the name of the dim of the numbers.
      length: how many numbers there are.
      over: the dims that are counted over, all of ``ids`` by default; the others are batch dims.
      weights: what each position counts, 1 by default: a number, or a tensor whose names are united
        with those of ``ids``.

    Returns:
      The names of ``ids`` without ``over``, and ``new``; integers unless the weights are not.

    Raises:
      UnknownDim: ``ids`` lacks a dim of ``over``.
      DuplicateDim: ``new`` is a name that stays.

    Example:
      >>> import namedtensor as nt
      >>> nt.tensor([0, 2, 2], "token").bincount("vocab", 3).array
      Array([1, 0, 2], dtype=int32)
    """
    with showing(f"nt.bincount(new={new!r})", ids):
        counted = named(ids).dims if over is None else require(ids.dims, over)
        static = (counted, check_name(new), whole(length, "length", least=0))
    return run(_bincount, (weights, ids), static)


__all__ = public(globals())
