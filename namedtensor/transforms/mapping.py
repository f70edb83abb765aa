"""Mapping over dims by name: all positions at once (`vmap`), or one after another (`map`)."""

import functools
from collections.abc import Callable, Hashable
from typing import Any

import jax
from jax.core import Tracer

from namedtensor._dims import Spec, dims
from namedtensor._errors import showing
from namedtensor._tensor import is_named
from namedtensor.ops._static import whole as static_int
from namedtensor.transforms._trees import flatten, lacking, peeled, require_dims, with_leading

Mapper = Callable[[Callable[..., Any], list[Any]], Any]  # takes a positional function and what to map over


def _over_one(fun: Callable[..., Any], dim: str, call: str, mapper: Mapper) -> Callable[..., Any]:
    """``fun`` mapped over one dim: what lacks it is the same at each position."""

    def mapped(*args, **kwargs):
        leaves, tree = flatten((args, kwargs))
        moving = [i for i, x in enumerate(leaves) if is_named(x) and dim in x.dims]

        def positional(xs):
            filled = dict(enumerate(leaves)) | dict(zip(moving, xs, strict=True))
            given, named = jax.tree.unflatten(tree, filled.values())
            out = fun(*given, **named)
            with showing(call):
                return lacking(out, dim)

        return with_leading(mapper(positional, [peeled(leaves[i], dim) for i in moving]), dim)

    return mapped


def _over_all(
    fun: Callable[..., Any], over: Spec, call: str, last: Mapper, others: Mapper
) -> Callable[..., Any]:
    """``fun`` mapped over each dim of ``over``, the last of them innermost."""
    with showing(call):
        names = dims(over)
    inner = fun
    for dim in reversed(names):
        inner = _over_one(inner, dim, call, last if dim == names[-1] else others)

    @functools.wraps(fun)
    def mapped(*args, **kwargs):
        with showing(call, *[x for x in flatten((args, kwargs))[0] if is_named(x)]):
            require_dims((args, kwargs), names)
        return inner(*args, **kwargs)

    return mapped


def _shown(over: Any) -> str:
    return repr(" ".join(str(d) for d in over) if isinstance(over, tuple | list) else over)


def vmap(fun: Callable[..., Any], over: Spec) -> Callable[..., Any]:
    """Map ``fun`` over dims of its named arguments; those without a dim are passed whole.

    Inside, the tensors lack ``over``; every named result has it again, in front. A result that is a plain
    array gets a leading axis for each dim of ``over``, in that order. Arguments and results may be trees.

    Args:
      fun: a function of tensors without ``over``.
      over: the dims to map over, ``"batch"`` or ``"batch seq"``.

    Returns:
      A function of tensors with ``over``.

    Raises (when called):
      UnknownDim: no argument has a dim of ``over``.
      SizeMismatch: two arguments have it with two sizes.
      DuplicateDim: a result has it already.

    Example:
      >>> import namedtensor as nt
      >>> nt.vmap(lambda x: x / x.sum(), over="batch")(nt.ones("batch:2 embed:4")).shape
      Shape(batch:2 embed:4)
    """

    def all_at_once(positional, xs):
        return jax.vmap(positional)(xs)

    return _over_all(fun, over, f"nt.vmap(over={_shown(over)})", all_at_once, all_at_once)


def map(fun: Callable[..., Any], over: Spec, *, batch_size: int | None = None) -> Callable[..., Any]:
    """Map ``fun`` over dims as `vmap` does, one position after another: slower, in the memory of one.

    An eager call is compiled as a whole, once for each set of shapes; arguments that are no arrays are
    constants of that program.

    Args:
      fun: a function of tensors without ``over``.
      over: the dims to map over, ``"batch"`` or ``"batch seq"``.
      batch_size: how many positions of the last dim of ``over`` to work on at once.

    Returns:
      A function of tensors with ``over``.

    Raises:
      BadPattern: a batch size below 1.
      UnknownDim: (when called) no argument has a dim of ``over``.
      SizeMismatch: (when called) two arguments have it with two sizes.
      DuplicateDim: (when called) a result has it already.

    Example:
      >>> import namedtensor as nt
      >>> nt.map(lambda x: x / x.sum(), over="batch", batch_size=2)(nt.ones("batch:5 embed:4")).shape
      Shape(batch:5 embed:4)
    """
    call = f"nt.map(over={_shown(over)})"
    with showing(call):
        size = None if batch_size is None else static_int(batch_size, "batch_size", least=1)
    last = functools.partial(jax.lax.map, batch_size=size)
    return _compiled(_over_all(fun, over, call, last, jax.lax.map))


def _compiled(fun: Callable[..., Any]) -> Callable[..., Any]:
    """``fun`` compiled as a whole, unless it is part of something that is traced."""

    @functools.partial(jax.jit, static_argnums=0)
    def jitted(static: tuple[Any, tuple[Hashable, ...]], arrays: list[Any]) -> Any:
        tree, constants = static
        leaves = [c if a is None else a for a, c in zip(arrays, constants, strict=True)]
        args, kwargs = jax.tree.unflatten(tree, leaves)
        return fun(*args, **kwargs)

    @functools.wraps(fun)
    def call(*args, **kwargs):
        leaves, tree = jax.tree.flatten((args, kwargs))
        static = tree, tuple(None if _is_array(x) else x for x in leaves)
        if any(isinstance(x, Tracer) for x in leaves) or not _is_hashable(static):
            return fun(*args, **kwargs)
        return jitted(static, [x if _is_array(x) else None for x in leaves])

    return call


def _is_array(x: Any) -> bool:
    return hasattr(x, "shape") and hasattr(x, "dtype")


def _is_hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True
