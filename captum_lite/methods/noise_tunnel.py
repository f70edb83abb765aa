"""Noise tunnel: any method, averaged over noisy copies of the inputs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from captum_lite._estimate import Estimate
from captum_lite._inputs import Arrays, Layout
from captum_lite._method import AbstractMethod
from captum_lite._noise import Noise, noisy_estimates
from captum_lite._problem import Problem


@dataclass(frozen=True)
class NoiseTunnel(AbstractMethod):
    """Mean, mean square or variance of a method's attributions ``A`` under Gaussian noise on the inputs.

    ``smoothgrad``: ``E[A(x + e)]``; ``smoothgrad_sq``: ``E[A^2]``; ``vargrad``: ``E[A^2] - E[A]^2``. The
    record has the standard error of the first two. Costs ``nt_samples`` times the method.

    Args:
      inner: the method: ``NoiseTunnel(IntegratedGradients(f))``.

    Options of `attribute` (others are the inner method's):
      nt_type: ``"smoothgrad"``, ``"smoothgrad_sq"`` or ``"vargrad"``.
      nt_samples: how many noisy copies; Captum's older ``n_samples`` is accepted for it.
      stdevs: standard deviation of the noise in units of the input, 1.0 by default; a number, or one
        for each input.
      noise_level: instead, a fraction of each example's range (max - min).
      key: of the noise; ``jax.random.key(0)`` by default, so that a call can be repeated.
      noise: the noise itself instead of a key, ``[nt_samples, batch, ...]`` for each input.
      internal_batch_size: rows (examples times samples, or times the method's own points) evaluated at
        once; None chooses.

    Example:
      >>> import jax.numpy as jnp
      >>> from captum_lite import NoiseTunnel, Saliency
      >>> tunnel = NoiseTunnel(Saliency(lambda x: (3 * x).sum(1)))
      >>> tunnel.attribute(jnp.ones((1, 2)), nt_type="smoothgrad_sq", nt_samples=4)
      Array([[9., 9.]], dtype=float32)

    Source: Smilkov et al. 2017, arXiv:1706.03825 (SmoothGrad); Adebayo et al. 2018, arXiv:1810.03292
    (VarGrad); Hooker et al. 2019, arXiv:1806.10758 (SmoothGrad squared).
    """

    inner: AbstractMethod

    def __post_init__(self) -> None:
        """A function is not a method."""
        if not isinstance(self.inner, AbstractMethod):
            raise TypeError("NoiseTunnel wraps a method: NoiseTunnel(Saliency(f)), not NoiseTunnel(f).")

    @property
    def fun(self) -> Callable[..., Any]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The inner method's function."""
        return self.inner.fun

    def explained(self, posed: Problem) -> Problem:
        """What the inner method explains; the noise is on the inputs also where that is a layer."""
        return self.inner.explained(posed)

    def compares(self) -> bool:
        """If the inner method does."""
        return self.inner.compares()

    def scores(self) -> bool:
        """If the inner method does."""
        return self.inner.scores()

    def differentiates(self) -> bool:
        """If the inner method does."""
        return self.inner.differentiates()

    def _asked(self, target: Any, args: Any) -> tuple[Callable[..., Any], Any, Any]:
        return self.inner._asked(target, args)

    def fit_baselines(self, baselines: Any, inputs: Arrays, layout: Layout) -> Arrays:
        """As the inner method takes them."""
        return self.inner.fit_baselines(baselines, inputs, layout)

    def defaults(self) -> dict[str, Any]:
        """The inner method's options and its own."""
        return {**self.inner.defaults(), **super().defaults()}

    def configuration(self) -> dict[str, Any]:
        """The inner method and what it was made with."""
        return {"inner": type(self.inner).__name__, **self.inner.configuration()}

    def unbound(self) -> AbstractMethod:
        """The method without its function."""
        return replace(self, inner=self.inner.unbound())

    def estimates(
        self, posed: Problem, explained: Problem | None = None, **options: Any
    ) -> Iterator[Estimate]:
        """Posed on the inputs, where the noise is."""
        return self.steps(posed, **options)

    def steps(
        self,
        problem: Problem,
        *,
        nt_type: str = "smoothgrad",
        nt_samples: int = 5,
        n_samples: int | None = None,
        stdevs: float | tuple[float, ...] | None = None,
        noise_level: float | None = None,
        key: Any = None,
        noise: Any = None,
        internal_batch_size: int | None = None,
        **options: Any,
    ) -> Iterator[Estimate]:
        """One chunk of samples at a time."""
        how = Noise(nt_samples if n_samples is None else n_samples, stdevs, noise_level, key, noise)
        return noisy_estimates(self.inner, problem, nt_type, how, options, internal_batch_size)
