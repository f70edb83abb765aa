"""The gradient of the explained number: the one operation that all gradient methods are made of."""

from typing import Any

import jax
import jax.numpy as jnp

from captum_lite._backend import compiled
from captum_lite._inputs import Arrays
from captum_lite._problem import Problem


def gradient(problem: Problem, inputs: Arrays) -> Arrays:
    """Of the score of each example with respect to its own inputs, of the inputs' shapes.

    The scores are summed first: examples do not depend on each other, so each keeps its own gradient.
    Where a score is NaN or infinite its gradient is made NaN, whatever JAX says: it often says 0.
    """
    score = problem.fast(problem.score)

    def total(xs: Arrays) -> tuple[Any, Any]:
        scores = score(xs)
        return scores.sum(), scores

    (_, scores), gradients = jax.value_and_grad(total, has_aux=True)(inputs)
    spoilt = jnp.where(jnp.isfinite(scores), 0.0, jnp.nan)
    return tuple(g + spoilt.reshape(-1, *[1] * (g.ndim - 1)).astype(g.dtype) for g in gradients)


@compiled
def gradient_at_inputs(problem: Problem) -> Arrays:
    """The gradient where the problem is posed."""
    return gradient(problem, problem.inputs)


@compiled
def gradient_sum_on_path(problem: Problem, nodes: Any, weights: Any) -> Arrays:
    """``sum over k of weights[k] * gradient at baseline + nodes[k] * (input - baseline)``.

    In float32 at least.
    """
    baselines = problem.baselines
    assert baselines is not None, "the method compares"

    def at(node: Any) -> Arrays:
        ends = zip(problem.inputs, baselines, strict=True)
        return gradient(problem, tuple(b + node.astype(x.dtype) * (x - b) for x, b in ends))

    # A contraction, not a sum over products: XLA for CPU (jaxlib 0.10.2 to 0.12) computes garbage for
    # the sum of a product of two broadcasts, which is what the gradient of a linear model makes of it.
    return tuple(weighted_sum(weights, g) for g in jax.vmap(at)(nodes))


def weighted_sum(weights: Any, values: Any) -> Any:
    """``sum over k of weights[k] * values[k]``, in float32 at least."""
    dtype = jnp.promote_types(values.dtype, jnp.float32)
    return jnp.tensordot(weights.astype(dtype), values.astype(dtype), 1)
