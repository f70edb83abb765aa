"""The gradient of a loss: JAX's own, for a loss that is a named scalar."""

import functools
from collections.abc import Callable
from typing import Any

import jax

from namedtensor._errors import showing
from namedtensor.transforms._trees import scalar

_REDUCE = "Reduce it: loss.mean() or loss.sum()."


def _loss_of(out: Any, has_aux: bool, call: str) -> Any:
    if not has_aux:
        with showing(call, out):
            return scalar(out, "the loss", _REDUCE)
    if not isinstance(out, tuple | list) or len(out) != 2:
        return out  # JAX says what it should have been
    loss, aux = out
    return _loss_of(loss, False, call), aux


def with_scalar_loss(fun: Callable[..., Any], has_aux: bool, call: str) -> Callable[..., Any]:
    """``fun`` with a plain scalar as its loss, which is what JAX differentiates."""

    @functools.wraps(fun)
    def positional(*args, **kwargs):
        return _loss_of(fun(*args, **kwargs), has_aux, call)

    return positional


def grad(
    fun: Callable[..., Any], argnums: int | tuple[int, ...] = 0, *, has_aux: bool = False, **options: Any
) -> Callable[..., Any]:
    """The gradient of a scalar loss; each gradient has the names of its argument.

    ``grad(f)(x)[i] = df/dx[i]``, in the storage order of ``x``. It is `jax.grad`, which refuses a loss that
    is a named scalar.

    Args:
      fun: a function whose result is a scalar, named or not.
      argnums: which positional arguments to differentiate with respect to.
      has_aux: whether ``fun`` returns a pair, the loss and anything else.
      **options: ``holomorphic``, ``allow_int`` and so on, for `jax.grad`.

    Returns:
      A function of the same arguments that returns the gradient, or the gradient and what else there is.

    Raises (when called):
      DimMismatch: the loss still has dims.

    Example:
      >>> import namedtensor as nt
      >>> nt.grad(lambda x: (x * x).sum())(nt.tensor([1.0, 2.0], "embed")).array
      Array([2., 4.], dtype=float32)
    """
    return jax.grad(with_scalar_loss(fun, has_aux, "nt.grad"), argnums, has_aux=has_aux, **options)


def value_and_grad(
    fun: Callable[..., Any], argnums: int | tuple[int, ...] = 0, *, has_aux: bool = False, **options: Any
) -> Callable[..., Any]:
    """The loss and its gradient; see `grad`.

    Args:
      fun: a function whose result is a scalar, named or not.
      argnums: which positional arguments to differentiate with respect to.
      has_aux: whether ``fun`` returns a pair, the loss and anything else.
      **options: ``holomorphic``, ``allow_int`` and so on, for `jax.value_and_grad`.

    Returns:
      A function that returns ``(loss, gradient)``, or ``((loss, aux), gradient)``; the loss is plain.

    Raises (when called):
      DimMismatch: the loss still has dims.

    Example:
      >>> import namedtensor as nt
      >>> loss, slope = nt.value_and_grad(lambda x: (x * x).sum())(nt.tensor([1.0, 2.0], "embed"))
      >>> float(loss), slope.array
      (5.0, Array([2., 4.], dtype=float32))
    """
    loss = with_scalar_loss(fun, has_aux, "nt.value_and_grad")
    return jax.value_and_grad(loss, argnums, has_aux=has_aux, **options)
