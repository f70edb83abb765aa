"""Averages of a method over noisy copies of the inputs: what the noise is, and how they are summed."""

import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from captum_lite._chunks import chunk_size, chunks
from captum_lite._estimate import Estimate
from captum_lite._gradient import weighted_sum
from captum_lite._inputs import Arrays, require_real
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


@functools.partial(jax.jit, static_argnames=("inner", "kind", "options"))
def _moments(
    posed: Problem,
    noise: Arrays,
    weights: Any,
    shift: Arrays,
    is_first: Any,
    *,
    inner: AbstractMethod,
    kind: str,
    options: tuple,
) -> tuple[Arrays, Arrays, Arrays, Any]:
    """Sums of the statistic and of its square over one chunk of samples, both about ``shift``.

    The variance is a difference of large numbers; taken about a value near the mean, which the first
    sample is, it keeps its digits.
    """

    def one(*noise: Any) -> tuple[Arrays, int]:
        noisy = posed.at(tuple(x + e for x, e in zip(posed.inputs, noise, strict=True)))
        *_, last = inner.estimates(noisy, **dict(options))
        return tuple(STATISTICS[kind](a) for a in last.attributions), last.gradients

    values, gradients = jax.vmap(one, out_axes=(0, None))(*noise)
    shift = tuple(jnp.where(is_first, v[0], s) for v, s in zip(values, shift, strict=True))
    apart = [v - s[None] for v, s in zip(values, shift, strict=True)]
    first = tuple(weighted_sum(weights, d) for d in apart)
    second = tuple(weighted_sum(weights, d * d) for d in apart)
    return first, second, shift, gradients


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
    call = functools.partial(
        _moments, inner=inner.unbound(), kind=kind, options=tuple(sorted(options.items()))
    )
    shapes = jax.eval_shape(lambda p: inner.explained(p).inputs, posed)
    shift: Arrays = tuple(jnp.zeros(s.shape, s.dtype) for s in shapes)  # so that all chunks are one program
    n, seen, sums = noise.samples, 0, None
    size = min(n, size)
    for numbers, weights in chunks(size, np.arange(n), np.ones(n)):
        first, second, shift, each = call(posed, draw(numbers), weights, shift, np.bool_(seen == 0))
        sums = (first, second) if sums is None else jax.tree.map(jnp.add, sums, (first, second))
        seen = min(seen + size, n)
        result, error = _summary(kind, seen, shift, *sums)
        count = each if isinstance(each, Tracer) else int(each)
        draws = None if kind == "vargrad" else seen
        yield Estimate(
            result,
            seen / n,
            gradients=seen * count,
            error_map=error,
            samples=draws,
        )  # pyright: ignore[reportArgumentType]


def _summary(kind: str, n: int, shift: Arrays, first: Arrays, second: Arrays) -> tuple[Arrays, Arrays | None]:
    """The mean with its standard error, or the variance."""
    variance = tuple(jnp.maximum(s / n - (f / n) ** 2, 0) for f, s in zip(first, second, strict=True))
    if kind == "vargrad":
        return tuple(v.astype(c.dtype) for v, c in zip(variance, shift, strict=True)), None
    mean = tuple((c + f / n).astype(c.dtype) for c, f in zip(shift, first, strict=True))
    return mean, tuple(jnp.sqrt(v / (n - 1)) for v in variance) if n > 1 else None
