"""Named batch normalisation: with the statistics of the batch, or with those that the caller keeps."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from namedtensor._dims import Dims, Spec, without
from namedtensor._errors import BadPattern, DimMismatch
from namedtensor._plan import Body, Operation, run
from namedtensor._tensor import NamedTensor
from namedtensor.nn._checks import number, require_floating, some, widened
from namedtensor.nn._normalize import (
    axes_of,
    given,
    mean_and_variance,
    normalization,
    over_axes,
    standardized,
)

Scalar = NamedTensor | float


def _moments_rule(names: tuple[Dims, ...], over: Dims) -> Body:
    (there,) = names
    axes, rest = axes_of(there, over), without(there, over)

    def moments(x):
        require_floating("x", x)
        found = mean_and_variance(jnp.asarray(x, widened(x.dtype)), axes)
        return tuple(jnp.squeeze(a, axes) for a in found)

    return Body(moments, (rest, rest))


_moments = Operation("nn.moments", _moments_rule, ("over",), lambda over: (some(over),))


def moments(x: NamedTensor, over: Spec) -> tuple[NamedTensor, NamedTensor]:
    """Mean and biased variance along ``over``: what `batch_norm` takes as ``mean`` and ``variance``.

    Args:
      x: ``[batch height width channel]`` in any order, floating.
      over: the dims that they are taken over, ``"batch height width"``.

    Returns:
      Two tensors with the other dims, in float32 at least (running statistics need the digits).

    Raises:
      UnknownDim: ``x`` lacks a dim of ``over``.
      Unsupported: ``x`` is not floating.

    Example:
      >>> import namedtensor as nt
      >>> mean, variance = nt.nn.moments(nt.tensor([[0.0, 2.0], [4.0, 8.0]], "batch embed"), "batch")
      >>> mean.array, variance.array
      (Array([2., 5.], dtype=float32), Array([4., 9.], dtype=float32))
    """
    return run(_moments, (x,), (over,))


def _parse(over: Any, epsilon: Any, steps: tuple[str, ...]) -> tuple:
    if ("mean" in steps) != ("variance" in steps):
        known, missing = ("mean", "variance") if "mean" in steps else ("variance", "mean")
        raise BadPattern(
            f"{known} is given without {missing}.", "Give both, or neither for those of the batch."
        )
    return some(over), number(epsilon, "epsilon"), steps


def _kept(names: tuple[Dims, ...], over: Dims, epsilon: float) -> Callable[[Any], Any]:
    """No statistics of x: those that are given have no dim that they were taken over."""
    for who, there in zip(("mean", "variance"), names[1:3], strict=True):
        for name in over:
            if name in there:
                raise DimMismatch(
                    f"the {who} has the dim {name!r}, and is said to be taken over it.",
                    f"Take {name!r} out of over=, or reduce it: nt.nn.moments(x, over).",
                )
    return lambda x: x


_of_the_batch = normalization("nn.batch_norm", over_axes(standardized), _parse)
_as_kept = normalization("nn.batch_norm", _kept, _parse)


def batch_norm(
    x: NamedTensor,
    scale: Scalar | None = None,
    offset: Scalar | None = None,
    *,
    over: Spec,
    mean: Scalar | None = None,
    variance: Scalar | None = None,
    epsilon: float = 1e-5,
) -> NamedTensor:
    """``(x - mean) / sqrt(variance + epsilon) * scale + offset``, the statistics along ``over``.

    Training: leave out mean and variance, and they are those of ``x`` (the variance biased).
    Inference: give the running ones. Keeping them is the caller's, so that this is a function::

        mean, variance = nt.nn.moments(x, "batch height width")
        running_mean = 0.9 * running_mean + 0.1 * mean

    Args:
      x: ``[batch height width channel]`` in any order, floating.
      scale: ``[channel]``, multiplied by name.
      offset: ``[channel]``, added by name.
      over: all dims but the channel. Where mean and variance are given, ``x`` may lack some of them (one
        image without ``batch``), and they are no dims of mean and variance.
      mean: ``[channel]``, or None for that of ``x``.
      variance: ``[channel]``, or None for that of ``x``.
      epsilon: added to the variance.

    Returns:
      The dims of ``x`` (and of the others), in the dtype that ``x``, scale and offset promote to.

    Raises:
      UnknownDim: ``x`` lacks a dim of ``over`` whose statistics are asked for.
      DimMismatch: mean or variance has a dim of ``over``.
      BadPattern: one of mean and variance without the other, or as `layer_norm`.
      Unsupported: ``x`` is not floating.

    References:
      Ioffe and Szegedy 2015, Batch normalization, arXiv:1502.03167.

    Example:
      >>> import namedtensor as nt
      >>> x = nt.tensor([[0.0, 2.0], [4.0, 8.0]], "batch channel")
      >>> nt.nn.batch_norm(x, over="batch", epsilon=0.0).array
      Array([[-1., -1.],
             [ 1.,  1.]], dtype=float32)
      >>> nt.nn.batch_norm(x, over="batch", mean=2.0, variance=4.0, epsilon=0.0).array
      Array([[-1.,  0.],
             [ 1.,  3.]], dtype=float32)
    """
    operands, steps = given(mean=mean, variance=variance, scale=scale, offset=offset)
    operation = _as_kept if "mean" in steps or "variance" in steps else _of_the_batch
    return run(operation, (x, *operands), (over, epsilon, steps))
