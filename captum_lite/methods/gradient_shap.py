"""GradientShap: gradients at random points between the inputs and baselines drawn from a distribution."""

import dataclasses
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from captum_lite._backend import compiled
from captum_lite._chunks import chunk_size, chunks
from captum_lite._distribution import AgainstDistribution
from captum_lite._estimate import Estimate
from captum_lite._gradient import gradient, weighted_sum
from captum_lite._inputs import Arrays, is_concrete
from captum_lite._mean import Mean, mean_of
from captum_lite._noise import Noise
from captum_lite._problem import Problem, endpoints
from namedtensor._errors import describe


@dataclass(frozen=True)
class GradientShap(AgainstDistribution):
    """``mean over k of (x + e_k - b_k) * d score / d input at b_k + a_k (x + e_k - b_k)``.

    ``b_k`` is drawn from ``baselines``, ``a_k`` uniformly from [0, 1], ``e_k`` is Gaussian noise: integrated
    gradients averaged over a distribution of baselines, by sampling. In expectation (without noise) complete:
    the attributions sum to ``score(x) - mean score(baselines)``; the record has the standard error of each
    value and the gap that is left. ``n_samples`` gradient evaluations for each example, in chunks, so memory
    does not grow with them.

    Args:
      multiply_by_inputs: False leaves the factor ``x - b`` out (local attributions, no completeness).

    Options of `attribute`:
      n_samples: how many draws for each example.
      stdevs: standard deviation of the noise on the inputs, a number or one for each input; 0 for none.
      key: of the draws; ``jax.random.key(0)`` by default, so that a call can be repeated.
      alphas: the points themselves instead, ``[n_samples, batch]``, or flat with the samples of one example
        next to each other, as Captum has them.
      rows: which row of the baselines each draw takes instead, integers laid out as ``alphas``.
      noise: the noise itself instead, ``[n_samples, batch, ...]`` for each input.
      internal_batch_size: rows (examples times samples) evaluated at once; None chooses.

    Example:
      >>> import jax.numpy as jnp
      >>> from captum_lite import GradientShap
      >>> f = lambda x: (3 * x).sum(1)
      >>> GradientShap(f).attribute(jnp.array([[2.0, 1.0]]), baselines=jnp.ones((4, 2)))
      Array([[3., 0.]], dtype=float32)

    Source: Lundberg, Lee 2017, arXiv:1705.07874; Erion, Janizek, Sturmfels, Lundberg, Lee 2021,
    arXiv:1906.10670 (expected gradients).
    """

    def advice(self) -> str:
        """The gap is one of sampling."""
        return "take more samples (n_samples=)"

    def explained(self, posed: Problem) -> Problem:
        """The inputs, or the layer without baselines: what is drawn is a baseline of the inputs."""
        return self.between(posed if self._here is None else dataclasses.replace(posed, baselines=None))

    def between(self, posed: Problem) -> Problem:
        """The problem between the inputs and one baseline for each, or between what passes at the layer."""
        return super().explained(posed)

    def endpoints(self, posed: Problem, problem: Problem) -> tuple[Any, Any]:
        """The score at the inputs, and the mean of the scores at the baselines."""
        if self._here is None or posed.baselines is None:
            return super().endpoints(posed, problem)
        rows, size = posed.baselines[0].shape[0], chunk_size(posed, None)
        parts = chunks(min(size, rows), np.arange(rows), np.full(rows, 1 / rows))
        inner = self.unbound()
        return endpoints(problem)[0], sum(_scored(posed, *some, inner=inner) for some in parts)

    def steps(
        self,
        problem: Problem,
        *,
        n_samples: int = 5,
        stdevs: float | tuple[float, ...] = 0.0,
        key: Any = None,
        alphas: Any = None,
        rows: Any = None,
        noise: Any = None,
        internal_batch_size: int | None = None,
    ) -> Iterator[Estimate]:
        """One chunk of samples at a time."""
        if n_samples < 1 or int(n_samples) != n_samples:
            raise ValueError(f"n_samples={n_samples}: give at least one sample.")
        assert problem.baselines is not None, "it compares"
        key = jax.random.key(0) if key is None else key
        blur = _noise(problem, Noise(n_samples, stdevs, None, jax.random.fold_in(key, 1), noise))
        draw = _Draws(problem, n_samples, jax.random.fold_in(key, 2), alphas, rows)
        size = min(n_samples, chunk_size(problem, internal_batch_size))
        inner, sofar, seen = self.unbound(), None, 0
        for numbers, weights in chunks(size, np.arange(n_samples), np.ones(n_samples)):
            some = _sampled(problem, blur(numbers), *draw(numbers), weights, inner=inner)
            sofar = some if sofar is None else sofar.with_(some)
            seen = min(seen + size, n_samples)
            yield Estimate(
                sofar.mean,
                seen / n_samples,
                gradients=seen * problem.batch,
                error_map=sofar.standard_error(seen),
                samples=seen,
            )


class ExpectedGradients(GradientShap):
    """`GradientShap` without noise, under the name of its paper.

    Example:
      >>> import jax.numpy as jnp
      >>> from captum_lite import ExpectedGradients
      >>> f = lambda x: (3 * x).sum(1)
      >>> ExpectedGradients(f).attribute(jnp.array([[2.0, 1.0]]), baselines=jnp.ones((4, 2)))
      Array([[3., 0.]], dtype=float32)

    Source: Erion, Janizek, Sturmfels, Lundberg, Lee 2021, arXiv:1906.10670.
    """


def _noise(problem: Problem, noise: Noise) -> Callable[[Any], Arrays]:
    """A function from the numbers of samples to their noise; none needs no real inputs (tokens)."""
    widths = noise.stdevs if isinstance(noise.stdevs, tuple | list) else (noise.stdevs,)
    if noise.drawn is None and all(isinstance(s, int | float) and s == 0 for s in widths):
        return lambda numbers: tuple(
            jnp.zeros((len(numbers), *[1] * x.ndim), x.dtype) for x in problem.inputs
        )
    return noise.source(problem)


def _against(posed: Problem, rows: Any) -> Problem:
    """Each example against a row of the baselines, ``rows`` being a number or ``[batch]``."""
    assert posed.baselines is not None, "it compares"
    pairs = zip(posed.inputs, posed.baselines, strict=True)
    return dataclasses.replace(posed, baselines=tuple(jnp.broadcast_to(b[rows], x.shape) for x, b in pairs))


@compiled(static_argnames="inner")
def _scored(posed: Problem, rows: Any, weights: Any, *, inner: GradientShap) -> Any:
    """The weighted sum of the scores ``[batch]`` at some rows of the baselines."""

    def at(row: Any) -> Any:
        here = inner.between(_against(posed, row))
        assert here.baselines is not None, "it compares"
        return here.score(here.baselines)

    return weighted_sum(weights, jax.vmap(at)(rows))


@compiled(static_argnames="inner")
def _sampled(
    posed: Problem, noise: Arrays, alphas: Any, rows: Any, weights: Any, *, inner: GradientShap
) -> Mean:
    """Mean and spread of the attributions over one chunk of samples."""

    def one(noise: Arrays, alpha: Any, row: Any) -> Arrays:
        noisy = tuple(x + e for x, e in zip(posed.inputs, noise, strict=True))
        here = inner.between(_against(posed, row).at(noisy))
        assert here.baselines is not None, "it compares"
        apart = tuple(x - b for x, b in zip(here.inputs, here.baselines, strict=True))
        between = (b + _by_example(alpha, b) * d for b, d in zip(here.baselines, apart, strict=True))
        slopes = gradient(here, tuple(between))
        if not inner.is_complete():
            return slopes
        return tuple(d * g for d, g in zip(apart, slopes, strict=True))

    return mean_of(jax.vmap(one)(noise, alphas, rows), weights)


def _by_example(alpha: Any, like: Any) -> Any:
    return alpha.astype(like.dtype).reshape(-1, *[1] * (like.ndim - 1))


class _Draws:
    """The point on the path and the row of the baselines of each sample, ``[sample, batch]`` each."""

    def __init__(self, problem: Problem, samples: int, key: Any, alphas: Any, rows: Any):
        assert problem.baselines is not None, "it compares"
        self.key, self.batch, self.count = key, problem.batch, problem.baselines[0].shape[0]
        self.alphas = None if alphas is None else _laid_out(alphas, "alphas", samples, problem.batch)
        self.rows = None if rows is None else _laid_out(rows, "rows", samples, problem.batch)
        if rows is not None and is_concrete(rows) and not 0 <= np.min(rows) <= np.max(rows) < self.count:
            raise ValueError(
                f"rows names the baselines {np.min(rows)} to {np.max(rows)}, and there are {self.count}: "
                f"give 0 to {self.count - 1}."
            )

    def __call__(self, numbers: Any) -> tuple[Any, Any]:
        drawn = _draw(self.key, numbers, batch=self.batch, count=self.count)
        given = (self.alphas, self.rows)
        return tuple(d if g is None else g[numbers] for d, g in zip(drawn, given, strict=True))


@functools.partial(jax.jit, static_argnames=("batch", "count"))
def _draw(key: Any, numbers: Any, *, batch: int, count: int) -> tuple[Any, Any]:
    """For some samples; it depends on the number of each alone, not on the chunk that it is in."""

    def one(number: Any) -> tuple[Any, Any]:
        of_alpha, of_row = jax.random.split(jax.random.fold_in(key, number))
        return jax.random.uniform(of_alpha, (batch,)), jax.random.randint(of_row, (batch,), 0, count)

    return jax.vmap(one)(numbers)


def _laid_out(given: Any, name: str, samples: int, batch: int) -> Any:
    """Draws of the user's as ``[sample, batch]``."""
    array = jnp.asarray(given)
    if array.shape == (batch * samples,):
        return array.reshape(batch, samples).T
    if array.shape != (samples, batch):
        raise ValueError(
            f"{name} is {describe(array)}: give {[samples, batch]}, [n_samples, batch], or "
            f"[{batch * samples}] with the samples of one example next to each other."
        )
    return array
