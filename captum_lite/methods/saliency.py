"""Saliency: the gradient itself."""

from collections.abc import Iterator
from dataclasses import dataclass

import jax.numpy as jnp

from captum_lite._estimate import Estimate
from captum_lite._function_method import GradientMethod
from captum_lite._gradient import gradient_at_inputs
from captum_lite._problem import Problem


@dataclass(frozen=True)
class Saliency(GradientMethod):
    """``|d score / d input|``: where a small change matters most.

    One gradient evaluation. It is local: where the function is saturated it is near zero although the
    feature may decide the output.

    Options of `attribute`:
      abs: the absolute value (True, as in the paper), or the signed gradient.

    Example:
      >>> import jax.numpy as jnp
      >>> from captum_lite import Saliency
      >>> Saliency(lambda x: (x**2).sum(1)).attribute(jnp.array([[1.0, -3.0]]))
      Array([[2., 6.]], dtype=float32)

    Source: Simonyan, Vedaldi, Zisserman 2013, arXiv:1312.6034.
    """

    def steps(self, problem: Problem, *, abs: bool = True) -> Iterator[Estimate]:
        """One gradient."""
        gradients = gradient_at_inputs(problem)
        yield Estimate(tuple(jnp.abs(g) for g in gradients) if abs else gradients, gradients=problem.batch)
