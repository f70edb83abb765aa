"""Random changes of the inputs, under which infidelity compares attributions with the function.

Each is a frozen value with one method: a changed copy of the inputs for a key. What the attributions
are multiplied with (``I``, in the words of the paper) follows from it.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from captum_lite._fitting import fitting
from captum_lite._inputs import Arrays, unpack
from captum_lite.metrics._given import axes_of
from captum_lite.metrics._samples import takes_key

Names = tuple[Any, ...]  # of each input: its dims, or None


@dataclass(frozen=True)
class Perturbation:
    """A random change of the inputs; the classes below, or one of your own with `changed`.

    Args:
      multiply_by_inputs: whether the attributions have the factor ``x - b`` in them, as those of
        integrated gradients, DeepLift, ablation and Shapley values have. Then ``I`` is
        ``(x - x') / (x - b)``, else (gradients, SmoothGrad) ``x - x'``.
    """

    multiply_by_inputs: bool = field(default=True, kw_only=True)

    def changed(self, key: Any, x: Any, baseline: Any, dims: Any) -> Any:
        """A changed copy of one input ``[batch, ...]`` with these dims (None for a plain array)."""
        raise NotImplementedError(type(self).__name__)


@dataclass(frozen=True)
class GaussianNoise(Perturbation):
    """``x' = x - e``, normal noise of standard deviation ``stdev``: asks about the neighbourhood of ``x``.

    Example:
      >>> from captum_lite.metrics import GaussianNoise
      >>> GaussianNoise(0.01, multiply_by_inputs=False)
      GaussianNoise(multiply_by_inputs=False, stdev=0.01)
    """

    stdev: float = 0.1

    def changed(self, key: Any, x: Any, baseline: Any, dims: Any) -> Any:
        """With noise."""
        return x - self.stdev * by_name(jax.random.normal, key, x.shape, dims, x.dtype)


@dataclass(frozen=True)
class NoisyBaseline(Perturbation):
    """``x' = b + e``: all features go to a baseline with normal noise of ``stdev`` on it.

    Source: Yeh et al. 2019, arXiv:1901.09392, section 3.1 ("difference to noisy baseline").
    """

    stdev: float = 0.1

    def changed(self, key: Any, x: Any, baseline: Any, dims: Any) -> Any:
        """The baseline with noise."""
        return baseline + self.stdev * by_name(jax.random.normal, key, x.shape, dims, x.dtype)


@dataclass(frozen=True)
class RandomSubset(Perturbation):
    """Each feature goes to the baseline with probability ``fraction``.

    Args:
      over: the dims (or axes) that a feature is one place of; None: each number is a feature.
        ``over="height width"`` removes whole pixels.

    Source: Yeh et al. 2019, arXiv:1901.09392, section 3.1 ("subset of difference to baseline").
    """

    fraction: float = 0.5
    over: Any = None

    def changed(self, key: Any, x: Any, baseline: Any, dims: Any) -> Any:
        """With some features replaced."""
        axes = (0, *axes_of(self.over, x.ndim, dims))
        shape = [n if k in axes else 1 for k, n in enumerate(x.shape)]
        gone = by_name(jax.random.uniform, key, shape, dims, jnp.float32) < self.fraction
        return jnp.where(jnp.broadcast_to(gone, x.shape), baseline, x)


@dataclass(frozen=True)
class SquareRemoval(Perturbation):
    """A square of ``side`` pixels at a random place goes to the baseline, another one in each example.

    Args:
      over: the dims (or axes) of the square: ``"height width"``, axes 1 and 2 of plain arrays.

    Source: Yeh et al. 2019, arXiv:1901.09392, section 4.1 ("square removal").
    """

    side: int = 4
    over: Any = None

    def changed(self, key: Any, x: Any, baseline: Any, dims: Any) -> Any:
        """With a square replaced."""
        axes = axes_of(self.over, x.ndim, dims, (1, 2) if dims is None else "height width")
        gone = jnp.ones((1,) * x.ndim, bool)
        for k, axis in zip(jax.random.split(key, len(axes)), axes, strict=True):
            last = max(x.shape[axis] - self.side, 0)
            start = jax.random.randint(k, (x.shape[0], 1), 0, last + 1)
            at = jnp.arange(x.shape[axis])[None]
            inside = (at >= start) & (at < start + self.side)
            gone = gone & inside.reshape([n if k in (0, axis) else 1 for k, n in enumerate(x.shape)])
        return jnp.where(jnp.broadcast_to(gone, x.shape), baseline, x)


def by_name(draw: Callable[..., Any], key: Any, shape: Any, dims: Any, dtype: Any) -> Any:
    """Random numbers; for a named input the same ones in whatever order its axes are stored."""
    if dims is None:
        return draw(key, tuple(shape), dtype)
    order = sorted(range(len(shape)), key=dims.__getitem__)
    drawn = draw(key, tuple(shape[a] for a in order), dtype)
    return jnp.transpose(drawn, np.argsort(order).tolist())


@functools.partial(jax.jit, static_argnames=("how", "names"))
def _pairs(
    how: Perturbation, key: Any, inputs: Arrays, baselines: Arrays, numbers: Any, *, names: Names
) -> Any:
    def one(number: Any) -> tuple[Arrays, Arrays]:
        keys = jax.random.split(jax.random.fold_in(key, number), len(inputs))
        parts = zip(keys, inputs, baselines, names, strict=True)
        changed = tuple(how.changed(k, x, b, dims) for k, x, b, dims in parts)
        both = zip(inputs, changed, baselines, strict=True)
        return tuple(factor(x, y, b, multiply_by_inputs=how.multiply_by_inputs) for x, y, b in both), changed

    return jax.vmap(one)(numbers)


def pairs(
    how: Perturbation, key: Any, inputs: Arrays, baselines: Arrays, names: Names, numbers: Any
) -> tuple[Arrays, Arrays]:
    """``I`` and the changed inputs for some samples, ``[samples, batch, ...]`` for each input.

    A sample depends on its number alone, not on the others that are drawn with it.
    """
    return _pairs(how, key, inputs, baselines, numbers, names=names)


def factor(x: Any, changed: Any, baseline: Any, *, multiply_by_inputs: bool) -> Any:
    """``I``: the change, or the change as a fraction of ``x - b`` (the change itself where that is 0)."""
    if not multiply_by_inputs:
        return x - changed
    whole = x - baseline
    return (x - changed) / jnp.where(whole == 0, 1, whole)


def infidelity_perturb_func_decorator(multiply_by_inputs: bool = True) -> Callable[..., Any]:
    """Make a ``perturb_func`` for `infidelity` of one that returns perturbed inputs alone.

    ``I`` becomes ``(x - x') / (x - b)`` with the baselines given to `infidelity` (zeros if none are), or
    ``x - x'`` with ``multiply_by_inputs=False`` (for gradients); see `Perturbation`.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from captum_lite import InputXGradient
      >>> from captum_lite.metrics import infidelity, infidelity_perturb_func_decorator
      >>> @infidelity_perturb_func_decorator()
      ... def noisy(x, key):
      ...     return x - 0.1 * jax.random.normal(key, x.shape)
      >>> def f(x):
      ...     return x @ jnp.array([2.0, -4.0])
      >>> x = jnp.array([[1.0, 2.0]])
      >>> infidelity(f, noisy, x, InputXGradient(f).attribute(x)).round(4)
      Array([0.], dtype=float32)
    """

    def decorator(perturb_func: Callable[..., Any]) -> Callable[..., Any]:
        def pair(inputs: Any, baselines: Any = None, *, key: Any = None) -> tuple[Any, Any]:
            given = (inputs,) if baselines is None else (inputs, baselines)
            changed = perturb_func(*given, **({"key": key} if takes_key(perturb_func) else {}))
            xs, layout = unpack(inputs)
            based = tuple(map(jnp.zeros_like, xs)) if baselines is None else unpack(baselines)[0]
            parts = zip(xs, fitting(changed, xs, layout, "perturbed input"), based, strict=True)
            found = (factor(*part, multiply_by_inputs=multiply_by_inputs) for part in parts)
            return layout.restore(tuple(found)), changed

        return pair

    return decorator
