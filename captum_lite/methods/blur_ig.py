"""BlurIG: gradients along the path from the blurred image to the sharp one."""

import dataclasses
import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from captum_lite._backend import compiled
from captum_lite._blur import blur, image_axes
from captum_lite._chunks import chunk_size, chunks
from captum_lite._estimate import Estimate
from captum_lite._function_method import GradientMethod
from captum_lite._gradient import gradient, weighted_sum
from captum_lite._inputs import Arrays
from captum_lite._problem import Problem
from captum_lite._quadrature import quadrature, spread_order

Axes = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class BlurIG(GradientMethod):
    """``integral of d score / d image at L(s) * dL/ds`` along ``L(s)``, the image blurred with width ``s``.

    The width goes from ``max_sigma`` to 0: what the model needs is attributed at the scale at which it
    appears, and there is no baseline to choose. Complete: the attributions sum to the score of the image
    less that of the image at the largest blur, which the record shows as baseline. The blur is diffusion
    with reflecting borders, its derivative ``dL/ds`` is exact; the widths are ``max_sigma (1 - t)^2`` for
    the nodes ``t``, closer together where the image changes. ``n_steps`` gradient evaluations for each
    example.

    Args:
      max_sigma: the largest width, in pixels.
      over: the dims or axes of height and width; None is ``("height", "width")`` of named inputs, axes 1
        and 2 of plain ones. Any number of dims will do: ``over=["time"]`` blurs a series.

    Options of `attribute`:
      n_steps: how many widths.
      method: a quadrature, see `IntegratedGradients`.
      internal_batch_size: rows (examples times widths) evaluated at once; None chooses.

    Raises:
      ValueError: an input has no such dims; a width that is not positive.

    Example:
      >>> import jax.numpy as jnp
      >>> from captum_lite import BlurIG
      >>> image = jnp.zeros((1, 4, 4)).at[0, 1, 1].set(1.0)
      >>> record = BlurIG(lambda x: x[:, 1, 1]).explain(image)
      >>> float(record.baseline_prediction[0].round(4)), float(record.attributions.sum().round(4))
      (0.0625, 0.9375)

    Source: Xu, Venugopalan, Sundararajan 2020, arXiv:2004.03383.
    """

    max_sigma: float = field(default=50.0, kw_only=True)
    over: Sequence[str | int] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        """A width is positive; dims are kept in a tuple, so that a method has a hash."""
        super().__post_init__()
        if not (math.isfinite(self.max_sigma) and self.max_sigma > 0):
            raise ValueError(f"max_sigma={self.max_sigma} is not a width in pixels: give a positive number.")
        if self.over is not None:
            given = (self.over,) if isinstance(self.over, str | int) else tuple(self.over)
            object.__setattr__(self, "over", given)

    def is_complete(self) -> bool:
        """Compared with the blurred image."""
        return True

    def explained(self, posed: Problem) -> Problem:
        """With the image at the largest blur as baseline."""
        problem = super().explained(posed)
        axes = image_axes(problem.inputs, problem.layout, self.over, type(self).__name__)
        return dataclasses.replace(problem, baselines=_blurred(problem.inputs, self.max_sigma, axes))

    def steps(
        self,
        problem: Problem,
        *,
        n_steps: int = 50,
        method: str = "gausslegendre",
        internal_batch_size: int | None = None,
    ) -> Iterator[Estimate]:
        """One chunk of widths at a time, each spread over all."""
        axes = image_axes(problem.inputs, problem.layout, self.over, type(self).__name__)
        nodes, weights = quadrature(method, n_steps)
        order = spread_order(len(nodes))
        size, seen, total = chunk_size(problem, internal_batch_size), 0, None
        for some_nodes, some_weights in chunks(size, nodes[order], weights[order]):
            part = _sum_on_path(problem, some_nodes, some_weights, self.max_sigma, axes)
            total = part if total is None else tuple(map(jnp.add, total, part))
            seen = min(seen + size, len(nodes))
            # Before the end, the mean over what has been covered stands for the whole path.
            scale = weights.sum() / np.sum(weights[order][:seen])
            found = tuple((scale * t).astype(x.dtype) for t, x in zip(total, problem.inputs, strict=True))
            yield Estimate(found, seen / len(nodes), seen * problem.batch, forwards=problem.batch)


@functools.partial(jax.jit, static_argnames="axes")
def _blurred(inputs: Arrays, sigma: Any, axes: Axes) -> Arrays:
    return tuple(blur(x, sigma, a) for x, a in zip(inputs, axes, strict=True))


@compiled(static_argnames="axes")
def _sum_on_path(problem: Problem, nodes: Any, weights: Any, max_sigma: Any, axes: Axes) -> Arrays:
    """``sum over k of weights[k] * gradient at L(nodes[k]) * dL/dt(nodes[k])``."""

    def at(node: Any) -> Arrays:
        def image(t: Any) -> Arrays:
            return _blurred(problem.inputs, max_sigma * (1 - t) ** 2, axes)

        here, change = jax.jvp(image, (node,), (jnp.ones_like(node),))
        return tuple(g * c for g, c in zip(gradient(problem, here), change, strict=True))

    return tuple(weighted_sum(weights, v) for v in jax.vmap(at)(nodes))
