"""Occlusion: the change of the output when a window that slides over the input hides what is under it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from captum_lite._ablation import ablated
from captum_lite._estimate import Estimate
from captum_lite._perturbation import PerturbationMethod
from captum_lite._problem import Problem
from captum_lite._windows import windows


@dataclass(frozen=True)
class Occlusion(PerturbationMethod):
    """Mean of ``score(x) - score(x with a window replaced by the baseline)`` over the windows on an element.

    One evaluation for each position of the window, ``prod over axes of 1 + ceil((size - window) / stride)``,
    and one more. Where the stride does not divide what is left, the last window hangs over the end.

    Options of `attribute`:
      sliding_window_shapes: the size of the window, by name, ``{"height": 3, "width": 3}`` (the whole of
        the dims that are not named), or an integer for each axis after the batch, ``(3, 4, 4)``; for
        several inputs a tuple of these, or None for an input that is hidden whole.
      strides: how far it moves, written the same way, or one integer for all axes; 1 by default.
      internal_batch_size: rows (examples times windows) evaluated at once; None chooses by memory.
      perturbations_per_eval: instead, copies of the batch (Captum's name).

    Example:
      >>> import jax.numpy as jnp
      >>> from captum_lite import Occlusion
      >>> occlusion = Occlusion(lambda x: x[:, 0] + 2 * x[:, 1] + 3 * x[:, 2])
      >>> occlusion.attribute(jnp.ones((1, 3)), sliding_window_shapes=(2,))
      Array([[3., 4., 5.]], dtype=float32)

    Source: Zeiler, Fergus 2013, arXiv:1311.2901.
    """

    def steps(
        self,
        problem: Problem,
        *,
        sliding_window_shapes: Any = 1,
        strides: Any = None,
        internal_batch_size: int | None = None,
    ) -> Iterator[Estimate]:
        """One chunk of windows at a time."""
        return ablated(problem, windows(sliding_window_shapes, strides, problem), internal_batch_size)
