"""Loops over a dim, over a count, and until a condition holds: carries are lined up by name.

A loop of JAX wants a carry to come out as it went in, storage order included. By name the order is
nobody's concern, so the carry that comes out is put into the order of the one that went in.
"""

from collections.abc import Callable
from typing import Any

import jax

from namedtensor._dims import axis_of, check_name
from namedtensor._errors import BadPattern, SizeMismatch, describe, showing
from namedtensor._tensor import operand
from namedtensor.ops._static import whole as static_int
from namedtensor.transforms._stable import stable
from namedtensor.transforms._trees import (
    Sentence,
    flatten,
    lacking,
    peeled,
    realign,
    require_dims,
    require_dtypes,
    scalar,
    with_leading,
)


def _carry(at: str, x: Any, like: Any) -> str:
    return f"the carry{at} goes in as {describe(like)} and comes out as {describe(x)}"


def _result(at: str, x: Any, like: Any) -> str:
    return f"the result{at} of two {describe(like)} is {describe(x)}"


def _carried(new: Any, old: Any, call: str, sentence: Sentence = _carry) -> Any:
    with showing(call):
        fitted = realign(new, old, sentence)
    require_dtypes(fitted, old, sentence, call)
    return fitted


@stable
def _step(fun: Callable[..., Any], over: str, call: str) -> Callable[..., Any]:
    def step(carry, x):
        out = fun(carry, x)
        with showing(call):
            new, y = _pair(out)
            return _carried(new, carry, call), lacking(y, over)

    return step


def _pair(out: Any) -> tuple[Any, Any]:
    if not isinstance(out, tuple | list) or len(out) != 2:
        shown = describe(out) if hasattr(out, "shape") else f"a {type(out).__name__}"
        raise BadPattern(f"the body returned {shown}, not a pair.", "Write: return carry, y.")
    return out[0], out[1]


@stable
def _body(fun: Callable[..., Any], call: str) -> Callable[..., Any]:
    return lambda carry: _carried(fun(carry), carry, call)


@stable
def _counted_body(fun: Callable[..., Any], call: str) -> Callable[..., Any]:
    return lambda i, carry: _carried(fun(i, carry), carry, call)


@stable
def _condition(fun: Callable[..., Any], call: str) -> Callable[..., Any]:
    def condition(carry):
        out = fun(carry)
        with showing(call):
            return scalar(out, "the condition", "Reduce it: .all() or .any().")

    return condition


def _peeled_all(xs: Any, over: str, call: str) -> Any:
    """``xs`` with ``over`` in front of every leaf, each of which must have it."""
    leaves, tree = flatten(xs)
    for x in leaves:
        with showing(call, x):
            axis_of(operand(x)[1], over)
    with showing(call):
        require_dims(xs, [over] if leaves else [])
        return jax.tree.unflatten(tree, [peeled(x, over) for x in leaves])


def _require_length(xs: Any, over: str, length: int | None) -> None:
    leaves, _ = flatten(xs)
    if not leaves and length is None:
        raise BadPattern("the number of steps is not known.", "Give length=..., or what to scan over.")
    if leaves and length not in (None, leaves[0].shape[over]):
        raise SizeMismatch(
            f"length={length}, and {over!r} is {leaves[0].shape[over]} in {describe(leaves[0])}."
        )


def scan(
    fun: Callable[..., Any],
    init: Any,
    xs: Any,
    over: str,
    *,
    length: int | None = None,
    reverse: bool = False,
    unroll: int | bool = 1,
) -> tuple[Any, Any]:
    """A loop over the positions of a dim that carries a state and collects a result of each step.

    ``carry, y[t] = fun(carry, x[t])`` for each position ``t`` of ``over``, by `jax.lax.scan`. The carry keeps
    its names, in the storage order of ``init``. Inside, the tensors of ``xs`` lack ``over``; every
    named result of a step gets it, in front, and a plain array a leading axis.

    Args:
      fun: ``fun(carry, x) -> (carry, y)``; all may be trees, and carry and y may have plain arrays in them.
      init: the first carry.
      xs: a tree of named tensors, all with ``over``; None for a loop of ``length`` steps.
      over: the dim to loop over, which the results get.
      length: the number of steps, where ``xs`` does not say it.
      reverse: start at the last position; results stay at theirs.
      unroll: how many steps to compile as one.

    Returns:
      The last carry, and the results of all steps.

    Raises:
      UnknownDim: a tensor of ``xs`` lacks ``over``; what is the same in each step is closed over.
      MissingName: an array of ``xs`` has no names.
      DimMismatch: the carry comes out with other names.
      SizeMismatch: it comes out with another size, or ``over`` has two sizes.
      DuplicateDim: a result has ``over`` already.
      TypeError: the carry comes out with another dtype.

    Example:
      >>> import namedtensor as nt
      >>> x = nt.tensor([[1.0, 2.0, 3.0]], "batch time")
      >>> last, sums = nt.scan(lambda c, x: (c + x, c + x), nt.zeros("batch:1"), x, over="time")
      >>> sums.to_array("batch time")
      Array([[1., 3., 6.]], dtype=float32)
    """
    call = f"nt.scan(over={over!r})"
    with showing(call):
        check_name(over)
        length = None if length is None else static_int(length, "length", least=0)
        leading = _peeled_all(xs, over, call)
        _require_length(xs, over, length)
    carry, ys = jax.lax.scan(_step(fun, over, call), init, leading, length, reverse, unroll)
    return carry, with_leading(ys, over)


def associative_scan(fun: Callable[..., Any], xs: Any, over: str, *, reverse: bool = False) -> Any:
    """All partial results, along a dim, of an operation that is associative.

    ``y[t] = fun(... fun(fun(x[0], x[1]), x[2]) ..., x[t])``, by `jax.lax.associative_scan`: about twice the
    work of a loop, in a number of steps that is logarithmic in the size of ``over``.

    Args:
      fun: ``fun(a, b) -> c`` of trees without ``over``; it must be associative.
      xs: a tree of named tensors, all with ``over``.
      over: the dim to work along.
      reverse: start at the last position.

    Returns:
      A tree like ``xs``, with ``over`` in front.

    Raises:
      UnknownDim: a tensor of ``xs`` lacks ``over``.
      MissingName: an array of ``xs`` has no names.
      DimMismatch: ``fun`` returns other names than it gets.

    Example:
      >>> import namedtensor as nt
      >>> nt.associative_scan(nt.maximum, nt.tensor([1.0, 3.0, 2.0], "time"), over="time").array
      Array([1., 3., 3.], dtype=float32)
    """
    call = f"nt.associative_scan(over={over!r})"
    with showing(call):
        check_name(over)
        leading = _peeled_all(xs, over, call)
        if not flatten(leading)[0]:
            raise BadPattern("there is nothing to scan over.", "Give a named tensor, or a tree of them.")
    combine = jax.vmap(lambda a, b: _carried(fun(a, b), a, call, _result))
    return with_leading(jax.lax.associative_scan(combine, leading, reverse=reverse), over)


def while_loop(cond_fun: Callable[..., Any], body_fun: Callable[..., Any], init: Any) -> Any:
    """Repeat ``carry = body_fun(carry)`` while ``cond_fun(carry)`` holds, by `jax.lax.while_loop`.

    It has no reverse-mode derivative: the number of steps is not known beforehand.

    Args:
      cond_fun: ``cond_fun(carry)`` is a bool, which may be a named scalar.
      body_fun: ``body_fun(carry)`` is the next carry, with the same names in any order.
      init: the first carry, a tree of named tensors and plain arrays.

    Returns:
      The last carry, in the storage order of ``init``.

    Raises:
      DimMismatch: the carry comes out with other names, or the condition has dims.
      SizeMismatch: the carry comes out with another size.
      TypeError: it comes out with another dtype.

    Example:
      >>> import namedtensor as nt
      >>> nt.while_loop(lambda x: x.max() < 100, lambda x: 2 * x, nt.tensor([1.0, 3.0], "embed")).array
      Array([ 64., 192.], dtype=float32)
    """
    call = "nt.while_loop"
    return jax.lax.while_loop(_condition(cond_fun, call), _body(body_fun, call), init)


def fori_loop(
    lower: Any, upper: Any, body_fun: Callable[..., Any], init: Any, *, unroll: int | bool | None = None
) -> Any:
    """Repeat ``carry = body_fun(i, carry)`` for ``i`` from ``lower`` up to ``upper``, by `jax.lax.fori_loop`.

    It has a reverse-mode derivative where the bounds are known before tracing.

    Args:
      lower: the first ``i``, a number or a named scalar.
      upper: one more than the last ``i``.
      body_fun: ``body_fun(i, carry)`` is the next carry, with the same names in any order.
      init: the first carry, a tree of named tensors and plain arrays.
      unroll: how many steps to compile as one.

    Returns:
      The last carry, in the storage order of ``init``.

    Raises:
      DimMismatch: the carry comes out with other names, or a bound has dims.
      SizeMismatch: the carry comes out with another size.
      TypeError: it comes out with another dtype.

    Example:
      >>> import namedtensor as nt
      >>> nt.fori_loop(0, 3, lambda i, x: x + i, nt.zeros("embed:2")).array
      Array([3., 3.], dtype=float32)
    """
    call = "nt.fori_loop"
    with showing(call):
        lower, upper = (scalar(bound, "a bound", "Give a number.") for bound in (lower, upper))
    return jax.lax.fori_loop(lower, upper, _counted_body(body_fun, call), init, unroll=unroll)
