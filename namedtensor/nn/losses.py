"""Named losses of classes: one value for each example; the mean over the batch is the caller's."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from namedtensor._dims import Dims, axis_of, check_name, union, without
from namedtensor._errors import Unsupported
from namedtensor._plan import Body, Operation, run
from namedtensor._tensor import NamedTensor
from namedtensor.nn._checks import needs, number, require_floating, require_real, some
from namedtensor.nn._contraction import product
from namedtensor.ops._align import align, broadcasting
from namedtensor.ops.index import isel
from namedtensor.ops.rename import order


def _expected(log_p: NamedTensor, labels: NamedTensor, over: str) -> NamedTensor:
    """``log_p`` at the class, or its mean under the probabilities that the labels are."""
    if over in labels.dims:
        return _summed_product(log_p, labels, Dims([over]))
    if not jnp.issubdtype(labels.dtype, jnp.integer):
        raise Unsupported(
            f"the labels are {labels.dtype} and have no dim {over!r}.",
            f"Give class numbers as integers, or probabilities with the dim {over!r}.",
        )
    return isel(log_p, **{over: labels})


def _summed_product(x: NamedTensor, y: NamedTensor, over: Dims) -> NamedTensor:
    multiply, left = product(x.dims, y.dims, over)
    return NamedTensor(multiply(x.array, y.array), left)


def _labelled(log_p_of: Callable[..., Any]) -> Callable[..., Body]:
    """The rule of losses that compare ``log_p_of(scores, axis)`` with labels."""

    def rule(names: tuple[Dims, ...], over: str, smoothing: float) -> Body:
        there, label_dims = names
        axis = axis_of(there, over)
        left = without(union(*names), [over])

        def loss(scores, labels):
            require_floating("the first operand", scores)
            # Written with names: inside a body the operations run raw, so this is still one plan.
            log_p = NamedTensor(log_p_of(scores, axis), there)
            out = -_expected(log_p, NamedTensor(jnp.asarray(labels), label_dims), over)
            if smoothing:
                out = (1 - smoothing) * out - smoothing * log_p.mean(over)
            return order(out, left).array

        return Body(loss, left)

    return rule


def _parse(over: Any, label_smoothing: Any) -> tuple:
    smoothing = number(label_smoothing, "label_smoothing", "[0, 1]", lambda a: 0 <= a <= 1)
    return check_name(over), smoothing


_cross_entropy = Operation("nn.cross_entropy", _labelled(jax.nn.log_softmax), ("over",), _parse)
_nll = Operation("nn.nll", _labelled(lambda log_p, axis: log_p), ("over",), _parse)


def cross_entropy(
    logits: NamedTensor, labels: NamedTensor | int, over: str, *, label_smoothing: float = 0.0
) -> NamedTensor:
    """``-sum over classes of labels * log_softmax(logits)``, for each example.

    Args:
      logits: ``[batch class]``, unnormalised, floating.
      labels: class numbers ``[batch]`` (integers; NaN results where out of range), or probabilities
        ``[batch class]``.
      over: the class dim.
      label_smoothing: this part of the label is spread evenly over all classes (Szegedy et al. 2015,
        arXiv:1512.00567).

    Returns:
      ``[batch]``: take its mean for the usual loss. For class weights, multiply it first by
      ``weights[{"class": labels}]``.

    Raises:
      UnknownDim: ``logits`` lacks ``over``.
      Unsupported: labels that are neither integers nor have the dim ``over``, or logits that are not
        floating.

    Example:
      >>> import namedtensor as nt
      >>> logits, labels = nt.zeros("batch:2 class:4"), nt.tensor([0, 3], "batch")
      >>> nt.nn.cross_entropy(logits, labels, "class").array
      Array([1.3862944, 1.3862944], dtype=float32)
    """
    return run(_cross_entropy, (logits, labels), (over, label_smoothing))


def nll(log_p: NamedTensor, labels: NamedTensor | int, over: str) -> NamedTensor:
    """Negative log-likelihood: `cross_entropy` of what is log-probabilities already.

    Args:
      log_p: ``[batch class]``, as from `nt.log_softmax`.
      labels: class numbers ``[batch]``, or probabilities ``[batch class]``.
      over: the class dim.

    Returns:
      ``[batch]``.

    Raises:
      UnknownDim, Unsupported: as `cross_entropy`.

    Example:
      >>> import namedtensor as nt
      >>> log_p = nt.tensor([0.25, 0.75], "class").log()
      >>> round(nt.nn.nll(log_p, 1, "class").item(), 4)
      0.2877
    """
    return run(_nll, (log_p, labels), (over, 0.0))


def _divergence_rule(names: tuple[Dims, ...], over: Dims) -> Body:
    for who, there in zip(("log_p", "log_q"), names, strict=True):
        needs(who, there, over)
    target = union(*names)
    left = without(target, over)

    def divergence(log_p, log_q):
        require_floating("log_p or log_q", jnp.result_type(log_p, log_q))
        p, q = (align(a, d, target) for a, d in zip((log_p, log_q), names, strict=True))
        # 0 log 0 is 0. A contraction, because XLA's CPU backend has summed such products wrongly.
        ratio = NamedTensor(jnp.where(jnp.isneginf(p), 0, p - q), target)
        return order(_summed_product(NamedTensor(jnp.exp(log_p), names[0]), ratio, over), left).array

    return Body(divergence, left)


_kl_divergence = Operation("nn.kl_divergence", _divergence_rule, ("over",), lambda over: (some(over),))


def kl_divergence(log_p: NamedTensor, log_q: NamedTensor, over: Any) -> NamedTensor:
    """``KL(p || q) = sum of p * (log p - log q)``: what is lost when ``q`` stands for ``p``.

    The target comes first, as in the formula (`torch.nn.functional.kl_div` and optax have it second).

    Args:
      log_p: ``[batch class]``, log-probabilities; -inf counts as a class that does not occur.
      log_q: ``[batch class]``, log-probabilities.
      over: the dims of the distribution.

    Returns:
      ``[batch]``; infinite where ``q`` is 0 and ``p`` is not.

    Raises:
      UnknownDim: one of them lacks a dim of ``over``.

    Example:
      >>> import namedtensor as nt
      >>> p, q = nt.tensor([0.5, 0.5], "class"), nt.tensor([0.25, 0.75], "class")
      >>> round(nt.nn.kl_divergence(p.log(), q.log(), "class").item(), 4)
      0.1438
    """
    return run(_kl_divergence, (log_p, log_q), (over,))


def _binary(logits: Any, labels: Any) -> Any:
    require_floating("the first operand", logits)
    require_real("the label", labels)
    if not jnp.issubdtype(jnp.result_type(labels), jnp.floating):
        labels = jnp.asarray(labels, jnp.result_type(logits))
    return -labels * jax.nn.log_sigmoid(logits) - (1 - labels) * jax.nn.log_sigmoid(-logits)


_binary_cross_entropy = Operation("nn.binary_cross_entropy", broadcasting(_binary))


def binary_cross_entropy(logits: NamedTensor, labels: NamedTensor | float) -> NamedTensor:
    """``-labels * log sigmoid(logits) - (1 - labels) * log sigmoid(-logits)``, elementwise.

    Args:
      logits: ``[batch label]``, unnormalised, floating.
      labels: 0 and 1, bools, or probabilities ``[batch label]``.

    Returns:
      The union of the names: sum over ``label`` and take the mean over ``batch``.

    Raises:
      SizeMismatch: a shared name with two sizes.
      Unsupported: ``logits`` that are not floating.

    Example:
      >>> import namedtensor as nt
      >>> nt.nn.binary_cross_entropy(nt.zeros("batch:2"), nt.tensor([0, 1], "batch")).array
      Array([0.6931472, 0.6931472], dtype=float32)
    """
    return run(_binary_cross_entropy, (logits, labels))


def _margin(scores: Any, labels: Any) -> Any:
    require_floating("the first operand", scores)
    require_real("the label", labels)
    if jnp.issubdtype(jnp.result_type(labels), jnp.bool):
        raise Unsupported("the labels are bools, and a margin takes -1 and 1.", "Write 2 * labels - 1.")
    return jnp.maximum(0, 1 - scores * labels)


_hinge = Operation("nn.hinge", broadcasting(_margin))


def hinge(scores: NamedTensor, labels: NamedTensor | float) -> NamedTensor:
    """``max(0, 1 - labels * scores)``, elementwise: the loss of a support vector machine.

    Args:
      scores: ``[batch]``, floating.
      labels: -1 and 1, ``[batch]``.

    Returns:
      The union of the names.

    Raises:
      Unsupported: ``scores`` that are not floating, or labels that are bools.

    References:
      Cortes and Vapnik 1995, Support-vector networks, doi:10.1007/BF00994018.

    Example:
      >>> import namedtensor as nt
      >>> nt.nn.hinge(nt.tensor([0.5, -3.0], "batch"), nt.tensor([1, -1], "batch")).array
      Array([0.5, 0. ], dtype=float32)
    """
    return run(_hinge, (scores, labels))


__all__ = [
    "binary_cross_entropy",
    "cross_entropy",
    "hinge",
    "kl_divergence",
    "nll",
]
