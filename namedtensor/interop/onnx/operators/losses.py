"""Losses of classes, as training graphs have them at their end."""

import jax
import jax.numpy as jnp

from namedtensor.interop.onnx.errors import OnnxError
from namedtensor.interop.onnx.table import operator
from namedtensor.interop.onnx.values import Value


@operator("NegativeLogLikelihoodLoss", since=12)
def negative_log_likelihood(
    x: Value, target: Value, weight: Value = None, *, ignore_index: int | None = None, reduction: str = "mean"
) -> Value:
    """``-x[batch class *space]`` at ``target[batch *space]``, weighted by class."""
    if reduction not in ("none", "sum", "mean"):
        raise OnnxError(f"reduction {reduction!r} is none of none, sum, mean.")
    x, target = jnp.asarray(x), jnp.asarray(target)
    ignored = jnp.zeros(target.shape, bool) if ignore_index is None else target == ignore_index
    chosen = jnp.where(ignored, 0, target)
    share = jnp.ones(chosen.shape, x.dtype) if weight is None else jnp.asarray(weight)[chosen]
    share = jnp.where(ignored, jnp.zeros((), x.dtype), share)
    loss = -jnp.take_along_axis(x, chosen[:, None], 1)[:, 0] * share
    if reduction == "none":
        return loss
    return loss.sum() if reduction == "sum" else loss.sum() / share.sum()


@operator("SoftmaxCrossEntropyLoss", since=12)
def cross_entropy(
    scores: Value,
    labels: Value,
    weights: Value = None,
    *,
    ignore_index: int | None = None,
    reduction: str = "mean",
) -> tuple[Value, Value]:
    """The loss of the logarithms of the softmax over classes, and these logarithms."""
    logarithms = jax.nn.log_softmax(jnp.asarray(scores), 1)
    loss = negative_log_likelihood(
        logarithms, labels, weights, ignore_index=ignore_index, reduction=reduction
    )
    return loss, logarithms
