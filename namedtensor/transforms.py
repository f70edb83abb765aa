"""JAX's transformations on named functions.

A `NamedTensor` is a pytree, so most of JAX works as it is (`jit` and `checkpoint` are JAX's own).
What is here adds what names need: a loss that is a named scalar, and mapping over a dim by name.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax

from namedtensor._dims import unknown
from namedtensor._errors import DimMismatch, describe
from namedtensor._tensor import is_named
from namedtensor.ops.shape import name, peel

jit = jax.jit
checkpoint = jax.checkpoint


def _scalar(loss: Any) -> Any:
    if not is_named(loss):
        return loss
    if loss.dims:
        raise DimMismatch(
            f"the loss is {describe(loss)}, not a scalar.", "Reduce it: loss.mean() or loss.sum()."
        )
    return loss.array


def _with_scalar_loss(fun: Callable[..., Any], has_aux: bool) -> Callable[..., Any]:
    @functools.wraps(fun)
    def positional(*args, **kwargs):
        out = fun(*args, **kwargs)
        return (_scalar(out[0]), out[1]) if has_aux else _scalar(out)

    return positional


def grad(
    fun: Callable[..., Any], argnums: int | tuple[int, ...] = 0, *, has_aux: bool = False
) -> Callable[..., Any]:
    """`jax.grad` that accepts a named scalar as the loss; a gradient has the names of its argument.

    Raises (when called):
      DimMismatch: the loss still has dims.

    Example:
      >>> import namedtensor as nt
      >>> nt.grad(lambda x: (x * x).sum())(nt.tensor([1.0, 2.0], "embed")).array
      Array([2., 4.], dtype=float32)
    """
    return jax.grad(_with_scalar_loss(fun, has_aux), argnums, has_aux=has_aux)


def value_and_grad(
    fun: Callable[..., Any], argnums: int | tuple[int, ...] = 0, *, has_aux: bool = False
) -> Callable[..., Any]:
    """`jax.value_and_grad` that accepts a named scalar as the loss; see `grad`."""
    return jax.value_and_grad(_with_scalar_loss(fun, has_aux), argnums, has_aux=has_aux)


def vmap(fun: Callable[..., Any], over: str) -> Callable[..., Any]:
    """Map ``fun`` over the dim ``over`` of its named arguments; those without it are passed whole.

    Inside, the tensors lack ``over``; every named result has it again.

    Raises (when called):
      UnknownDim: no argument has ``over``.

    Example:
      >>> import namedtensor as nt
      >>> nt.vmap(lambda x: x / x.sum(), over="batch")(nt.ones("batch:2 embed:4")).shape
      Shape(batch:2 embed:4)
    """

    @functools.wraps(fun)
    def mapped(*args, **kwargs):
        leaves, tree = jax.tree.flatten((args, kwargs), is_leaf=is_named)
        axes = [0 if is_named(x) and over in x.dims else None for x in leaves]
        if all(a is None for a in axes):
            raise unknown(over, dict.fromkeys(d for x in leaves if is_named(x) for d in x.dims)).within(
                f"nt.vmap(over={over!r})", leaves
            )
        peeled = [x if a is None else peel(x, over) for x, a in zip(leaves, axes, strict=True)]

        def positional(*xs):
            given, named = jax.tree.unflatten(tree, xs)
            return fun(*given, **named)

        out = jax.vmap(positional, in_axes=axes)(*peeled)
        return jax.tree.map(lambda y: name(y, over) if is_named(y) else y, out, is_leaf=is_named)

    return mapped


__all__ = ["checkpoint", "grad", "jit", "value_and_grad", "vmap"]
