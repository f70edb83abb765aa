"""SmoothGrad and VarGrad: the gradient under noise, with the noise that their papers recommend."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from captum_lite._estimate import Estimate
from captum_lite._function_method import GradientMethod
from captum_lite._noise import Noise, noisy_estimates
from captum_lite._problem import Problem
from captum_lite.methods.saliency import Saliency


@dataclass(frozen=True)
class SmoothGrad(GradientMethod):
    """``mean over k of d score / d input at x + e_k``: the gradient with its fine noise averaged away.

    Costs ``nt_samples`` gradient evaluations; the record has the standard error of each value.

    Options of `attribute`:
      nt_samples: how many noisy copies.
      noise_level: standard deviation of the noise, as a fraction of each example's range (max - min);
        the paper recommends 0.1 to 0.2.
      stdevs: instead, in units of the input.
      key: of the noise; ``jax.random.key(0)`` by default, so that a call can be repeated.
      internal_batch_size: rows (examples times samples) evaluated at once; None chooses.

    Example:
      >>> import jax.numpy as jnp
      >>> from captum_lite import SmoothGrad
      >>> SmoothGrad(lambda x: (3 * x).sum(1)).attribute(jnp.ones((1, 2)))
      Array([[3., 3.]], dtype=float32)

    Source: Smilkov, Thorat, Kim, Viégas, Wattenberg 2017, arXiv:1706.03825.
    """

    kind: ClassVar[str] = "smoothgrad"

    def estimates(
        self, posed: Problem, explained: Problem | None = None, **options: Any
    ) -> Iterator[Estimate]:
        """Posed on the inputs, where the noise is, also if a layer is explained."""
        return self.steps(posed, **options)

    def steps(
        self,
        problem: Problem,
        *,
        nt_samples: int = 20,
        noise_level: float | None = None,
        stdevs: float | tuple[float, ...] | None = None,
        key: Any = None,
        internal_batch_size: int | None = None,
    ) -> Iterator[Estimate]:
        """One chunk of samples at a time."""
        level = 0.15 if noise_level is None and stdevs is None else noise_level
        inner = Saliency(self.fun, self.layer, neuron=self.neuron)
        noise = Noise(nt_samples, stdevs, level, key)
        return noisy_estimates(inner, problem, self.kind, noise, {"abs": False}, internal_batch_size)


@dataclass(frozen=True)
class VarGrad(SmoothGrad):
    """``variance over k of d score / d input at x + e_k``: where the gradient is unstable. Never negative.

    Options and cost as `SmoothGrad`.

    Example:
      >>> import jax.numpy as jnp
      >>> from captum_lite import VarGrad
      >>> VarGrad(lambda x: (3 * x).sum(1)).attribute(jnp.ones((1, 2)))
      Array([[0., 0.]], dtype=float32)

    Source: Adebayo, Gilmer, Muelly, Goodfellow, Hardt, Kim 2018, arXiv:1810.03292.
    """

    kind: ClassVar[str] = "vargrad"
