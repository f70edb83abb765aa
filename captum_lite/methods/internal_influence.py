"""Internal influence: the mean gradient at a layer along the path of the inputs."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass

from captum_lite._estimate import Estimate
from captum_lite._layers import OnPath, gradients_on_path, layer_estimates
from captum_lite._problem import Problem
from captum_lite._quadrature import quadrature


@dataclass(frozen=True)
class InternalInfluence(OnPath):
    """``integral over a in [0, 1] of d score / d y at b + a (x - b)`` for each unit ``y`` of ``layer``.

    The path is one of the inputs, and the gradient is not multiplied with anything: it says how strongly
    the output reacts to a unit over the path, not how much the unit has changed. Not complete. ``n_steps``
    gradient evaluations for each example, in chunks, so memory does not grow with them.

    Options of `attribute`:
      n_steps: how many points on the path.
      method: of `IntegratedGradients`.
      internal_batch_size: rows (examples times points) evaluated at once; None chooses.

    Example:
      >>> import jax.numpy as jnp, namedtensor as nt
      >>> from captum_lite import InternalInfluence
      >>> f = lambda x: (nt.tap(3 * x, "triple") ** 2).sum(1)
      >>> InternalInfluence(f, "triple").attribute(jnp.array([[1.0, 2.0]]), n_steps=8).round(4)
      Array([[3., 6.]], dtype=float32)

    Raises:
      UnknownTapError: the function has no such layer.
      ValueError: what passes at the layer has no batch in front.

    Source: Leino, Sen, Datta, Fredrikson, Li 2018, arXiv:1802.03788.
    """

    def steps(
        self,
        problem: Problem,
        *,
        n_steps: int = 50,
        method: str = "gausslegendre",
        internal_batch_size: int | None = None,
    ) -> Iterator[Estimate]:
        """One chunk of the path at a time."""
        part = functools.partial(gradients_on_path, layer=self.place)
        return layer_estimates(problem, part, quadrature(method, n_steps), internal_batch_size)
