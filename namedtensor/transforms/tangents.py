"""Products with a Jacobian, forwards and backwards: tangents and cotangents are lined up by name.

JAX asks for a tangent with the very structure of its primal, storage order included. A tangent computed by
name may be stored in another order, and the cotangent of a named scalar may be a number.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax.tree_util import Partial

from namedtensor._errors import describe, showing
from namedtensor.transforms._trees import realign


@dataclasses.dataclass(frozen=True)
class _Linear:
    """Calls a linear function with what is lined up with shapes; a value, so that `jax.jit` can keep it."""

    call: str
    what: str
    structure: Any
    shapes: tuple[Any, ...]

    @classmethod
    def like(cls, tree: Any, call: str, what: str) -> "_Linear":
        leaves, structure = jax.tree.flatten(tree)
        return cls(call, what, structure, tuple(map(jax.typeof, leaves)))

    def __call__(self, linear: Callable[..., Any], *tangents: Any) -> Any:
        like = jax.tree.unflatten(self.structure, self.shapes)
        return linear(*_lined_up(tangents, like, self.what, self.call))


def _lined_up(tangents: Any, like: Any, what: str, call: str) -> Any:
    def sentence(at: str, x: Any, primal: Any) -> str:
        return f"{what}{at} is {describe(x)}, for {describe(primal)}"

    with showing(call):
        return realign(tangents, like, sentence)


def vjp(fun: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """The result of a function, and the function that pulls a cotangent back to the arguments.

    ``pull(u)[j] = sum over i of u[i] df[i]/dx[j]``. It is `jax.vjp`, where a cotangent may be stored in any
    order, and that of a named scalar may be a number.

    Args:
      fun: any differentiable function.
      *primals: where it is evaluated.
      has_aux: whether ``fun`` returns a pair, of which the second is not differentiated.

    Returns:
      ``(result, pull)`` or ``(result, pull, aux)``; ``pull(cotangent)`` is a tuple, a cotangent for each
      primal and stored as it is.

    Raises (when ``pull`` is called):
      DimMismatch: a cotangent with other names than the result.
      SizeMismatch: a cotangent with another size.

    Example:
      >>> import namedtensor as nt
      >>> y, pull = nt.vjp(lambda x: x * x, nt.tensor([1.0, 2.0], "embed"))
      >>> pull(nt.ones("embed:2"))[0].array
      Array([2., 4.], dtype=float32)
    """
    out, pull, *aux = jax.vjp(fun, *primals, has_aux=has_aux)
    return out, Partial(_Linear.like((out,), "the pullback of nt.vjp", "cotangent"), pull), *aux


def jvp(fun: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], **options: Any) -> Any:
    """The result of a function, and its derivative in one direction.

    ``tangent[i] = sum over j of df[i]/dx[j] t[j]``. It is `jax.jvp`, where a tangent may be stored in any
    order.

    Args:
      fun: any differentiable function.
      primals: the arguments, as a tuple.
      tangents: the direction, a tangent for each argument with its names.
      **options: ``has_aux``, for `jax.jvp`.

    Returns:
      ``(result, tangent)``, or ``(result, tangent, aux)``.

    Raises:
      DimMismatch: a tangent with other names than its primal.
      SizeMismatch: a tangent with another size.

    Example:
      >>> import namedtensor as nt
      >>> x = nt.tensor([1.0, 2.0], "embed")
      >>> nt.jvp(lambda x: x * x, (x,), (nt.ones("embed:2"),))[1].array
      Array([2., 4.], dtype=float32)
    """
    return jax.jvp(fun, primals, _lined_up(tangents, primals, "tangent", "nt.jvp"), **options)


def linearize(fun: Callable[..., Any], *primals: Any) -> Any:
    """The result of a function, and the function that pushes tangents forward; see `jvp`.

    ``fun`` is evaluated once, for any number of tangents.

    Args:
      fun: any differentiable function.
      *primals: where it is evaluated.

    Returns:
      ``(result, push)``; ``push(*tangents)`` takes a tangent for each primal.

    Raises (when ``push`` is called):
      DimMismatch: a tangent with other names than its primal.
      SizeMismatch: a tangent with another size.

    Example:
      >>> import namedtensor as nt
      >>> y, push = nt.linearize(lambda x: x * x, nt.tensor([1.0, 2.0], "embed"))
      >>> push(nt.ones("embed:2")).array
      Array([2., 4.], dtype=float32)
    """
    out, push = jax.linearize(fun, *primals)
    linear = _Linear.like(primals, "the linear map of nt.linearize", "tangent")
    return out, lambda *tangents: linear(push, *tangents)
