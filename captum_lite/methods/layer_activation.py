"""What passes at a layer, and that times its gradient."""

from collections.abc import Iterator
from dataclasses import dataclass

from captum_lite._estimate import Estimate
from captum_lite._gradient import gradient_at_inputs
from captum_lite._layers import LayerMethod
from captum_lite._problem import Problem, at_layer


@dataclass(frozen=True)
class LayerActivation(LayerMethod):
    """What passes at ``layer``: the activation itself, of the layer's shape and dims.

    One forward evaluation. Nothing of the output is explained, so no target is given. Any dtype.

    Example:
      >>> import jax.numpy as jnp, namedtensor as nt
      >>> from captum_lite import LayerActivation
      >>> f = lambda x: nt.tap(2 * x, "double").sum(1)
      >>> LayerActivation(f, "double").attribute(jnp.array([[1.0, 2.0]]))
      Array([[2., 4.]], dtype=float32)

    Raises:
      UnknownTapError: the function has no such layer.
      ValueError: what passes there has no batch in front.
    """

    def scores(self) -> bool:
        """Nothing of the output is chosen."""
        return False

    def differentiates(self) -> bool:
        """Nothing is."""
        return False

    def explained(self, posed: Problem) -> Problem:
        """The layer, whatever its dtype."""
        return at_layer(posed, self.place)

    def steps(self, problem: Problem) -> Iterator[Estimate]:
        """It is there already."""
        yield Estimate(problem.inputs)


@dataclass(frozen=True)
class LayerGradientXActivation(LayerMethod):
    """``activation * d score / d activation`` at ``layer``: the linear part of each unit's effect.

    One gradient evaluation; `InputXGradient` of a layer, under Captum's name. What goes around the layer
    (a residual branch) is held as it is at the inputs.

    Args:
      multiply_by_inputs: False leaves the factor out: the gradient at the layer.

    Example:
      >>> import jax.numpy as jnp, namedtensor as nt
      >>> from captum_lite import LayerGradientXActivation
      >>> f = lambda x: (nt.tap(2 * x, "double") ** 2).sum(1)
      >>> LayerGradientXActivation(f, "double").attribute(jnp.array([[1.0, 2.0]]))
      Array([[ 8., 32.]], dtype=float32)

    Source: Shrikumar, Greenside, Shcherbina, Kundaje 2016, arXiv:1605.01713, at a layer.
    """

    multiply_by_inputs: bool = True

    def steps(self, problem: Problem) -> Iterator[Estimate]:
        """One gradient."""
        slopes = gradient_at_inputs(problem)
        if self.multiply_by_inputs:
            slopes = tuple(y * g for y, g in zip(problem.inputs, slopes, strict=True))
        yield Estimate(slopes, gradients=problem.batch)
