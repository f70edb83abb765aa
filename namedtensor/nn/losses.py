"""Named losses: one value for each example; the mean over the batch is the caller's."""

import jax.numpy as jnp

from namedtensor._dims import Dims, require, union, without
from namedtensor._errors import Unsupported
from namedtensor._plan import Body, Operation, run
from namedtensor._tensor import NamedTensor
from namedtensor.ops.along import log_softmax
from namedtensor.ops.index import isel
from namedtensor.ops.shape import order


def _rule(names: tuple[Dims, ...], over: str) -> Body:
    logits_dims, label_dims = names
    require(logits_dims, [over])
    left = without(union(*names), [over])

    def cross_entropy(logits, labels):
        labels = jnp.asarray(labels)
        # Written with names: inside a body the operations run raw, so this is still one plan.
        log_p, targets = log_softmax(NamedTensor(logits, logits_dims), over), NamedTensor(labels, label_dims)
        if over in label_dims:
            return order(-(log_p * targets).sum(over), left).array
        if not jnp.issubdtype(labels.dtype, jnp.integer):
            raise Unsupported(
                f"the labels are {labels.dtype} and have no dim {over!r}.",
                f"Give class numbers as integers, or probabilities with the dim {over!r}.",
            )
        return order(-isel(log_p, **{over: targets}), left).array

    return Body(cross_entropy, left)


_cross_entropy = Operation("nn.cross_entropy", _rule, ("over",))


def cross_entropy(logits: NamedTensor, labels: NamedTensor, over: str) -> NamedTensor:
    """``-sum over classes of labels * log_softmax(logits)``, for each example.

    Args:
      logits: ``[batch class]``, unnormalised.
      labels: class numbers ``[batch]`` (integers; NaN results where out of range), or probabilities
        ``[batch class]``.
      over: the class dim.

    Returns:
      ``[batch]``: take its mean for the usual loss.

    Raises:
      UnknownDim: ``logits`` lacks ``over``.
      Unsupported: labels that are neither integers nor have the dim ``over``.

    Example:
      >>> import namedtensor as nt
      >>> logits, labels = nt.zeros("batch:2 class:4"), nt.tensor([0, 3], "batch")
      >>> nt.nn.cross_entropy(logits, labels, "class").array
      Array([1.3862944, 1.3862944], dtype=float32)
    """
    return run(_cross_entropy, (logits, labels), (over,))
