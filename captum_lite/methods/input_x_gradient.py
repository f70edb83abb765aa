"""Input times gradient."""

from collections.abc import Iterator
from dataclasses import dataclass

from captum_lite._estimate import Estimate
from captum_lite._function_method import GradientMethod
from captum_lite._gradient import gradient_at_inputs
from captum_lite._problem import Problem


@dataclass(frozen=True)
class InputXGradient(GradientMethod):
    """``input * d score / d input``: the linear part of each feature's effect, from a baseline of zero.

    One gradient evaluation. Exact for linear functions without bias.

    Example:
      >>> import jax.numpy as jnp
      >>> from captum_lite import InputXGradient
      >>> InputXGradient(lambda x: (x**2).sum(1)).attribute(jnp.array([[1.0, -3.0]]))
      Array([[ 2., 18.]], dtype=float32)

    Source: Shrikumar, Greenside, Shcherbina, Kundaje 2016, arXiv:1605.01713.
    """

    def steps(self, problem: Problem) -> Iterator[Estimate]:
        """One gradient."""
        pairs = zip(problem.inputs, gradient_at_inputs(problem), strict=True)
        yield Estimate(tuple(x * g for x, g in pairs), gradients=problem.batch)
