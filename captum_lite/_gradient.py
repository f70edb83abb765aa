"""The gradient of the explained number: the one operation that all gradient methods are made of."""

from typing import Any

import jax
import jax.numpy as jnp

from captum_lite._inputs import Arrays
from captum_lite._problem import Problem


def gradient(problem: Problem, inputs: Arrays) -> Arrays:
    """Of the score of each example with respect to its own inputs, of the inputs' shapes.

    The scores are summed first: examples do not depend on each other, so each keeps its own gradient.
    """
    return jax.grad(lambda xs: problem.score(xs).sum())(inputs)


@jax.jit
def gradient_at_inputs(problem: Problem) -> Arrays:
    """The gradient where the problem is posed."""
    return gradient(problem, problem.inputs)


@jax.jit
def gradient_sum_on_path(problem: Problem, nodes: Any, weights: Any) -> Arrays:
    """``sum over k of weights[k] * gradient at baseline + nodes[k] * (input - baseline)``."""
    baselines = problem.baselines
    assert baselines is not None, "the method's `compares` is set"

    def at(node: Any, weight: Any) -> Arrays:
        point = tuple(
            b + node.astype(x.dtype) * (x - b) for x, b in zip(problem.inputs, baselines, strict=True)
        )
        return tuple(weight.astype(g.dtype) * g for g in gradient(problem, point))

    return tuple(jnp.sum(g, axis=0) for g in jax.vmap(at)(nodes, weights))
