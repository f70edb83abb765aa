"""Averages of a method over noisy copies of the inputs: what the noise is, and how they are summed."""

import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from captum_lite._backend import compiled
from captum_lite._chunks import chunk_size, chunks
from captum_lite._estimate import Estimate
from captum_lite._inputs import Arrays, require_real, unpack
from captum_lite._mean import Mean, mean_of
from captum_lite._method import AbstractMethod
from captum_lite._problem import Problem
from namedtensor import Dims
from namedtensor._errors import describe

# what is averaged over the samples; vargrad then takes the variance instead of the mean
STATISTICS: dict[str, Callable[[Any], Any]] = {
    "smoothgrad": lambda a: a,
    "smoothgrad_sq": jnp.square,
    "vargrad": lambda a: a,
}


class Noise(NamedTuple):
    """What the noise is.

    Attributes:
      samples: how many noisy copies.
      stdevs: standard deviation in units of the input; a number, or one for each input.
      level: instead, a fraction of each example's range (max - min).
      key: a `jax.random` key; None is ``jax.random.key(0)``.
      drawn: the noise itself, ``[samples, batch, ...]`` for each input, instead of a key.
    """

    samples: int
    stdevs: float | tuple[float, ...] | None = None
    level: float | None = None
    key: Any = None
    drawn: Any = None

    def scales(self, inputs: Arrays) -> Arrays:
        """The standard deviation for each input, broadcastable to it."""
        if self.stdevs is not None and self.level is not None:
            raise ValueError("stdevs and noise_level are both given: choose one.")
        if self.level is None:
            each = self.stdevs if isinstance(self.stdevs, tuple | list) else (self.stdevs,) * len(inputs)
            if len(each) != len(inputs):
                raise ValueError(
                    f"there are {len(each)} stdevs for {len(inputs)} inputs: "
                    "give one number, or one for each."
                )
            return tuple(
                jnp.asarray(1.0 if s is None else s, x.dtype) for s, x in zip(each, inputs, strict=True)
            )
        axes = [tuple(range(1, x.ndim)) for x in inputs]
        return tuple(
            self.level * jnp.ptp(x, axis=a, keepdims=True) for x, a in zip(inputs, axes, strict=True)
        )

    def source(self, posed: Problem) -> Callable[[Any], Arrays]:
        """A function from the numbers of samples to their noise."""
        require_real(posed.inputs, "input", "noise")
        if self.drawn is None:
            key = jax.random.key(0) if self.key is None else self.key
            scales = self.scales(posed.inputs)
            return functools.partial(_draw, key, posed.inputs, scales, names=posed.layout.dims)
        drawn = self.drawn if isinstance(self.drawn, tuple) else (self.drawn,)
        if len(drawn) != len(posed.inputs):
            raise ValueError(f"noise has {len(drawn)} arrays for {len(posed.inputs)} inputs: give one each.")
        for e, x in zip(drawn, posed.inputs, strict=True):
            if getattr(e, "shape", None) != (self.samples, *x.shape):
                raise ValueError(
                    f"noise is {describe(e)}: give {[self.samples, *x.shape]}, [samples, batch, ...], "
                    "as a plain array (the axes of a named input go in its own order, batch first)."
                )
        return lambda numbers: tuple(jnp.asarray(e)[numbers] for e in drawn)


@functools.partial(jax.jit, static_argnames="names")
def _draw(
    key: Any, inputs: Arrays, scales: Arrays, numbers: Any, *, names: tuple[Dims | None, ...]
) -> Arrays:
    """Noise for some samples; it depends on the number of each alone, not on the chunk that it is in."""

    def one(number: Any) -> Arrays:
        keys = jax.random.split(jax.random.fold_in(key, number), len(inputs))
        parts = zip(keys, inputs, names, scales, strict=True)
        return tuple(s * _normal(k, x, dims) for k, x, dims, s in parts)

    return jax.vmap(one)(numbers)


def _normal(key: Any, x: Any, names: Dims | None) -> Any:
    """Standard normal values; for a named input the same ones in whatever order its axes are stored."""
    if names is None:
        return jax.random.normal(key, x.shape, x.dtype)
    by_name = sorted(range(x.ndim), key=names.__getitem__)
    drawn = jax.random.normal(key, [x.shape[a] for a in by_name], x.dtype)
    return jnp.transpose(drawn, np.argsort(by_name).tolist())


class _Options:
    """A method's options, which `jax.jit` can key on although there are arrays (a feature mask) among them.

    They are fixed in the compiled program: a mask decides how many features there are.
    """

    def __init__(self, given: dict[str, Any]):
        self.given = given
        leaves, structure = jax.tree.flatten(given)
        self.key = (structure, tuple(_by_value(x) if hasattr(x, "shape") else (type(x), x) for x in leaves))

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Options) and self.key == other.key


def _by_value(array: Any) -> tuple[Any, ...]:
    held = np.asarray(array)
    return held.shape, str(held.dtype), held.tobytes()


class _Draw(NamedTuple):
    """What one noisy copy gives: a pytree of which the mean is taken."""

    result: Any  # in the layout of the attributions
    residuals: dict[str, Any]


@compiled(static_argnames=("inner", "kind", "options"))
def _averaged(
    posed: Problem, noise: Arrays, weights: Any, *, inner: AbstractMethod, kind: str, options: _Options
) -> tuple[Mean, tuple[Any, Any, Any]]:
    """The statistic over one chunk of samples, the gradients and forwards of one sample, and its features."""

    def one(*noise: Any) -> tuple[_Draw, tuple[Any, Any, Any]]:
        noisy = posed.at(tuple(x + e for x, e in zip(posed.inputs, noise, strict=True)))
        explained = inner.explained(noisy)
        *_, last = inner.estimates(noisy, explained, **options.given)
        values = tuple(STATISTICS[kind](a) for a in last.attributions)
        result = (last.layout or explained.layout).restore(values)
        return _Draw(result, last.residuals or {}), (last.gradients, last.forwards, last.features)

    draws, costs = jax.vmap(one, out_axes=(0, None))(*noise)
    return mean_of(draws, weights), costs


def noisy_estimates(
    inner: AbstractMethod,
    posed: Problem,
    kind: str,
    noise: Noise,
    options: dict[str, Any],
    internal_batch_size: int | None = None,
) -> Iterator[Estimate]:
    """The estimates of a method averaged over noise, one for each chunk of samples.

    Args:
      inner: the method, of which only the configuration is used.
      posed: the problem on the inputs.
      kind: a key of `STATISTICS`.
      noise: what noise.
      options: the inner method's.
      internal_batch_size: rows (examples times samples) at once.

    Raises:
      ValueError: an unknown kind, or no sample.
    """
    if kind not in STATISTICS:
        raise ValueError(f"nt_type={kind!r} is not known: choose one of {', '.join(map(repr, STATISTICS))}.")
    if noise.samples < 1:
        raise ValueError(f"nt_samples={noise.samples}: give at least one sample.")
    draw = noise.source(posed)
    if "internal_batch_size" in inner.defaults():
        # the method cuts its own work into chunks: one sample at a time leaves it the whole budget
        options, size = {"internal_batch_size": internal_batch_size, **options}, 1
    else:
        size = chunk_size(posed, internal_batch_size)
    call = functools.partial(_averaged, inner=inner.unbound(), kind=kind, options=_Options(options))
    n, seen, sofar = noise.samples, 0, None
    size = min(n, size)
    for numbers, weights in chunks(size, np.arange(n), np.ones(n)):
        some, costs = call(posed, draw(numbers), weights)
        sofar = some if sofar is None else sofar.with_(some)
        seen = min(seen + size, n)
        yield _estimate(kind, sofar, seen, n, costs)


def _estimate(kind: str, sofar: Mean, seen: int, n: int, costs: tuple[Any, Any, Any]) -> Estimate:
    """The mean with its standard error, or the variance."""
    error = None if kind == "vargrad" else sofar.standard_error(seen)
    arrays, layout = unpack((sofar.variance if kind == "vargrad" else sofar.mean).result)
    *counts, features = costs
    gradients, forwards = (c if isinstance(c, Tracer) else int(c) for c in counts)
    return Estimate(
        arrays,
        seen / n,
        gradients=seen * gradients,  # pyright: ignore[reportArgumentType]
        forwards=seen * forwards,  # pyright: ignore[reportArgumentType]
        error_map=None if error is None else unpack(error.result)[0],
        samples=None if kind == "vargrad" else seen,
        residuals=sofar.mean.residuals,
        layout=layout,
        features=features,
    )
