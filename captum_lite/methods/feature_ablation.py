"""Feature ablation: the change of the output when a feature is replaced by its baseline."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from captum_lite._ablation import ablated
from captum_lite._estimate import Estimate
from captum_lite._features import features
from captum_lite._perturbation import PerturbationMethod
from captum_lite._problem import Problem


@dataclass(frozen=True)
class FeatureAblation(PerturbationMethod):
    """``score(x) - score(x with feature i replaced by its baseline)``, for each feature ``i``.

    Simple and cheap: one evaluation for each feature, and one more. It sees what a feature does beside
    all others, so of two features that can stand in for each other neither counts; `ShapleyValues`
    shares that out. Not complete.

    Options of `attribute`:
      feature_mask: which elements are one feature: None (each by itself), integers of the input's shape or
        broadcastable to it, a named tensor of some of its dims, ``"channel"``, ``{"height": 4, "width": 4}``
        (blocks), or a tuple of these for several inputs. Each element shows the value of its feature.
      internal_batch_size: rows (examples times features) evaluated at once; None chooses by memory.
      perturbations_per_eval: instead, copies of the batch (Captum's name).

    Example:
      >>> import jax.numpy as jnp
      >>> from captum_lite import FeatureAblation
      >>> ablation = FeatureAblation(lambda x: x[:, 0] * x[:, 1] + x[:, 2])
      >>> ablation.attribute(jnp.array([[2.0, 3.0, 1.0]]), baselines=0.0)
      Array([[6., 6., 1.]], dtype=float32)
      >>> ablation.attribute(jnp.array([[2.0, 3.0, 1.0]]), feature_mask=jnp.array([0, 0, 1]))
      Array([[6., 6., 1.]], dtype=float32)

    Source: Zeiler, Fergus 2013, arXiv:1311.2901 (occlusion, of which it is the plain form).
    """

    def steps(
        self, problem: Problem, *, feature_mask: Any = None, internal_batch_size: int | None = None
    ) -> Iterator[Estimate]:
        """One chunk of features at a time."""
        return ablated(problem, features(feature_mask, problem), internal_batch_size)
