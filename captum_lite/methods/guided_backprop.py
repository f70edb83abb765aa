"""Guided backpropagation and deconvolution: gradients with other rules for relu."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from captum_lite._estimate import Estimate
from captum_lite._function_method import GradientMethod
from captum_lite._inputs import Arrays
from captum_lite._problem import Problem
from captum_lite.rules.guided import deconvolved_gradient, guided_gradient


@dataclass(frozen=True)
class GuidedBackprop(GradientMethod):
    """The gradient, where each relu passes on ``g`` only if ``x > 0`` and ``g > 0``.

    Of the shape and dims of the inputs. One gradient evaluation. A relu is ``max(x, 0)`` however it is
    written; other activations are differentiated as they are (also relu6, leaky relu and clip). It
    draws sharp lines; it can look much the same for another class or for a model that has learnt
    nothing, so check with a randomised model.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from captum_lite import GuidedBackprop
      >>> f = lambda x: jax.nn.relu(x) @ jnp.array([2.0, -2.0, 2.0])
      >>> GuidedBackprop(f).attribute(jnp.array([[1.0, 1.0, -1.0]]))
      Array([[2., 0., 0.]], dtype=float32)

    Warns:
      UserWarning: no relu lies between what is explained and the score, so it is the plain gradient.

    Source: Springenberg, Dosovitskiy, Brox, Riedmiller 2014, arXiv:1412.6806.
    """

    modified: ClassVar[Callable[[Problem], Arrays]] = staticmethod(guided_gradient)

    def steps(self, problem: Problem) -> Iterator[Estimate]:
        """One gradient."""
        yield Estimate(self.modified(problem), gradients=problem.batch)


@dataclass(frozen=True)
class Deconvolution(GuidedBackprop):
    """The gradient, where each relu passes on ``g`` only if ``g > 0``, whatever ``x`` is.

    Shapes, cost and warning as `GuidedBackprop`.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from captum_lite import Deconvolution
      >>> f = lambda x: jax.nn.relu(x) @ jnp.array([2.0, -2.0, 2.0])
      >>> Deconvolution(f).attribute(jnp.array([[1.0, 1.0, -1.0]]))
      Array([[2., 0., 2.]], dtype=float32)

    Source: Zeiler, Fergus 2013, arXiv:1311.2901.
    """

    modified: ClassVar[Callable[[Problem], Arrays]] = staticmethod(deconvolved_gradient)
