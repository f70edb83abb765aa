"""Named distances between predictions and targets: losses of regression, and the angle of two vectors."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from namedtensor._dims import Dims, Spec, union, without
from namedtensor._plan import Body, Operation, run
from namedtensor._tensor import NamedTensor
from namedtensor.nn._checks import needs, number, require_floating, some, widened
from namedtensor.nn._contraction import product
from namedtensor.nn._normalize import axes_of, unit_length
from namedtensor.ops._align import align, broadcasting
from namedtensor.ops._table import public

Value = NamedTensor | float


def _of_difference(positional: Callable[..., Any]) -> Callable[..., Body]:
    """The rule of a function of ``x - y``; integers are refused, because unsigned ones wrap around."""

    def rule(names: tuple[Dims, ...], *static: Any) -> Body:
        def distance(x, y):
            require_floating("the dtype that both promote to", jnp.result_type(x, y))
            return positional(jnp.subtract(x, y), *static)

        return broadcasting(distance)(names)

    rule.broadcasts = True  # type: ignore[attr-defined]  (read by Operation)
    return rule


def _huber(difference: Any, delta: float) -> Any:
    size = jnp.abs(difference)
    # the square is of a bounded value, so that no large difference overflows where it is not chosen
    return jnp.where(size < delta, 0.5 * jnp.square(jnp.minimum(size, delta)), delta * (size - 0.5 * delta))


def _parse_delta(delta: Any) -> tuple[float]:
    return (number(delta, "delta", "(0, inf)", lambda d: 0 < d < float("inf")),)


_squared_error = Operation("nn.squared_error", _of_difference(jnp.square))
_absolute_error = Operation("nn.absolute_error", _of_difference(jnp.abs))
_huber_loss = Operation("nn.huber", _of_difference(_huber), ("delta",), _parse_delta)


def squared_error(x: Value, y: Value) -> NamedTensor:
    """``(x - y) ** 2``, elementwise; the union of the names, and the mean is the caller's.

    Args:
      x: predictions ``[batch target]``.
      y: targets ``[batch target]``, or a number.

    Raises:
      SizeMismatch: a shared name with two sizes.
      Unsupported: neither is floating.

    Example:
      >>> import namedtensor as nt
      >>> nt.nn.squared_error(nt.tensor([1.0, 5.0], "batch"), 2.0).array
      Array([1., 9.], dtype=float32)
    """
    return run(_squared_error, (x, y))


def absolute_error(x: Value, y: Value) -> NamedTensor:
    """``|x - y|``, elementwise; arguments and errors as for `squared_error`.

    Example:
      >>> import namedtensor as nt
      >>> nt.nn.absolute_error(nt.tensor([1.0, 5.0], "batch"), 2.0).array
      Array([1., 3.], dtype=float32)
    """
    return run(_absolute_error, (x, y))


def huber(x: Value, y: Value, *, delta: float = 1.0) -> NamedTensor:
    """``0.5 * (x - y) ** 2`` up to a distance of ``delta``, and straight lines beyond.

    Args:
      x: predictions ``[batch target]``.
      y: targets ``[batch target]``, or a number.
      delta: where the lines begin, a number above 0; ``delta * (|x - y| - 0.5 * delta)`` from there.

    Raises:
      SizeMismatch, Unsupported: as `squared_error`.
      BadPattern: ``delta`` is not a number above 0.

    References:
      Huber 1964, Robust estimation of a location parameter, doi:10.1214/aoms/1177703732.

    Example:
      >>> import namedtensor as nt
      >>> nt.nn.huber(nt.tensor([1.5, 5.0], "batch"), 2.0).array
      Array([0.125, 2.5  ], dtype=float32)
    """
    return run(_huber_loss, (x, y), (delta,))


def _cosine_rule(names: tuple[Dims, ...], over: Dims, epsilon: float) -> Body:
    for who, there in zip(("x", "y"), names, strict=True):
        needs(who, there, over)
    multiply, pairs = product(names[0], names[1], over)
    target = without(union(*names), over)

    def cosine(x, y):
        dtype = jnp.result_type(x, y)
        require_floating("the dtype that both promote to", dtype)
        units = (
            unit_length(jnp.asarray(a, widened(dtype)), axes_of(d, over), epsilon)
            for a, d in zip((x, y), names, strict=True)
        )
        return align(multiply(*units), pairs, target).astype(dtype)

    return Body(cosine, target)


_cosine_similarity = Operation(
    "nn.cosine_similarity",
    _cosine_rule,
    ("over", "epsilon"),
    lambda over, epsilon: (some(over), number(epsilon, "epsilon")),
)


def cosine_similarity(x: NamedTensor, y: NamedTensor, over: Spec, *, epsilon: float = 1e-12) -> NamedTensor:
    """``x . y / (|x| |y|)`` along ``over``: 1 for one direction, -1 for the opposite one.

    Dims that only one has give all pairs: ``x[a embed]`` and ``y[b embed]`` give ``[a b]``.

    Args:
      x: a floating tensor with the dims ``over``.
      y: a floating tensor with the dims ``over``.
      over: the dims of each vector.
      epsilon: the least squared length, so that a zero vector gives 0.

    Returns:
      The union of the names without ``over``.

    Raises:
      UnknownDim: one of them lacks a dim of ``over``.
      Unsupported: neither is floating.

    Example:
      >>> import namedtensor as nt
      >>> x, y = nt.tensor([3.0, 0.0], "embed"), nt.tensor([1.0, 1.0], "embed")
      >>> round(nt.nn.cosine_similarity(x, y, "embed").item(), 4)
      0.7071
    """
    return run(_cosine_similarity, (x, y), (over, epsilon))


__all__ = public(globals())
