"""Conductance: how much of the change of the output flows through each unit of a layer."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from captum_lite._estimate import Estimate
from captum_lite._layers import OnPath, flow_on_path, layer_estimates, steps_on_path
from captum_lite._problem import Problem
from captum_lite._quadrature import quadrature


@dataclass(frozen=True)
class LayerConductance(OnPath):
    """``integral over a in [0, 1] of d score / d y * dy / da`` for each unit ``y`` of ``layer``.

    The inputs go along ``b + a (x - b)``; ``y``, and what goes around the layer, move with them. Of the
    shape and dims of the layer. Complete where the layer is a cut, so that all of the effect flows
    through it: the conductances then sum to ``score(x) - score(b)``, up to the quadrature. The
    convergence delta is taken against that difference always: beside a residual branch it is minus
    what flows around the layer. ``n_steps`` gradient evaluations for each example and as many forward
    derivatives up to the layer, in chunks, so memory does not grow with them.

    Options of `attribute`:
      n_steps: how many points on the path.
      method: of `IntegratedGradients`.
      method_variant: ``"exact"`` differentiates the layer along the path; ``"captum"`` takes differences
        of it between ``n_steps + 1`` consecutive nodes of ``method``, without weights, as Captum does.
      internal_batch_size: rows (examples times points) evaluated at once; None chooses.

    Example:
      >>> import jax.numpy as jnp, namedtensor as nt
      >>> from captum_lite import LayerConductance
      >>> f = lambda x: nt.tap(x**2, "squares").sum(1)
      >>> LayerConductance(f, "squares").attribute(jnp.array([[1.0, 3.0]]), n_steps=8).round(4)
      Array([[1., 9.]], dtype=float32)

    Raises:
      UnknownTapError: the function has no such layer.
      ValueError: an unknown ``method_variant``; what passes at the layer has no batch in front.

    Source: Dhamdhere, Sundararajan, Yan 2018, arXiv:1805.12233; Shrikumar, Su, Kundaje 2018,
    arXiv:1807.09946 (the differences).
    """

    def is_complete(self) -> bool:
        """Where the layer is a cut."""
        return True

    def advice(self) -> str:
        """Two things it may be."""
        return (
            f"take more steps (n_steps=), or part of the effect goes around the layer {self.layer!r} "
            "(a residual branch), which conductance does not count"
        )

    def steps(
        self,
        problem: Problem,
        *,
        n_steps: int = 50,
        method: str = "gausslegendre",
        method_variant: str = "exact",
        internal_batch_size: int | None = None,
    ) -> Iterator[Estimate]:
        """One chunk of the path at a time."""
        if method_variant == "exact":
            part, columns = flow_on_path, quadrature(method, n_steps)
        elif method_variant == "captum":
            nodes, _ = quadrature(method, n_steps + 1)
            part, columns = steps_on_path, (nodes[:-1], nodes[1:], np.ones(n_steps))
        else:
            raise ValueError(f"method_variant={method_variant!r} is not known: choose 'exact' or 'captum'.")
        part = functools.partial(part, layer=self.place)
        return layer_estimates(problem, part, columns, internal_batch_size, forwards=1)
