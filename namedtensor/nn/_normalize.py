"""The rule of all normalisations: statistics over named dims, then scale and offset by name.

Everything is computed in float32 at least and rounded once, to the dtype that ``x``, scale and offset
promote to. The variance is the mean of squares of the centred values: `jax.nn.standardize` subtracts
two large numbers instead, and loses all digits where the mean is far from zero.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from namedtensor._dims import Dims, require, union
from namedtensor._plan import Body, Operation
from namedtensor.nn._checks import require_floating, require_real, widened
from namedtensor.ops._align import align

Axes = tuple[int, ...]


def axes_of(there: Dims, over: Dims) -> Axes:
    """The positions of ``over``, all of which must be there."""
    return tuple(there.index(d) for d in require(there, over))


def mean_and_variance(x: Any, axes: Axes) -> tuple[Any, Any]:
    """Mean and biased variance, with the axes kept."""
    mean = jnp.mean(x, axes, keepdims=True)
    return mean, jnp.mean(jnp.square(x - mean), axes, keepdims=True)


def standardized(x: Any, axes: Axes, epsilon: float) -> Any:
    """``x`` with mean 0 and variance 1 along ``axes``."""
    mean, variance = mean_and_variance(x, axes)
    return (x - mean) * jax.lax.rsqrt(variance + epsilon)


def unit_mean_square(x: Any, axes: Axes, epsilon: float) -> Any:
    """``x`` with a mean of squares of 1 along ``axes``."""
    return x * jax.lax.rsqrt(jnp.mean(jnp.square(x), axes, keepdims=True) + epsilon)


def unit_length(x: Any, axes: Axes, epsilon: float) -> Any:
    """``x`` with a sum of squares of 1 along ``axes``; the maximum keeps the derivative at zero finite."""
    return x * jax.lax.rsqrt(jnp.maximum(jnp.sum(jnp.square(x), axes, keepdims=True), epsilon))


def over_axes(positional: Callable[..., Any]) -> Callable[..., Callable[[Any], Any]]:
    """``positional(x, axes, epsilon)`` as a function of names."""

    def normalizer(names: tuple[Dims, ...], over: Dims, epsilon: float) -> Callable[[Any], Any]:
        axes = axes_of(names[0], over)
        return lambda x: positional(x, axes, epsilon)

    return normalizer


_STEPS: dict[str, Callable[..., Any]] = {  # what an operand after x does
    "mean": lambda y, mean, epsilon: y - mean,
    "variance": lambda y, variance, epsilon: y * jax.lax.rsqrt(jnp.asarray(variance + epsilon, y.dtype)),
    "scale": lambda y, scale, epsilon: y * scale,
    "offset": lambda y, offset, epsilon: y + offset,
}


def normalization(
    name: str,
    normalizer: Callable[..., Callable[[Any], Any]],
    parse: Callable[..., tuple],
    parameters: tuple[str, ...] = ("over", "epsilon"),
) -> Operation:
    """A normalisation whose static arguments are settings, epsilon last, and the steps that follow."""

    def rule(names: tuple[Dims, ...], *static: Any) -> Body:
        *settings, steps = static
        there, target = names[0], union(*names)
        normalized = normalizer(names, *settings)

        def normalize(x, *operands):
            require_floating("x", x)
            y = align(normalized(jnp.asarray(x, widened(x.dtype))), there, target)
            for step, array, dims in zip(steps, operands, names[1:], strict=True):
                require_real(f"the {step}", array)
                y = _STEPS[step](y, align(array, dims, target), settings[-1])
            learned = [a for step, a in zip(steps, operands, strict=True) if step in ("scale", "offset")]
            return y.astype(jnp.result_type(x, *learned))

        return Body(normalize, target)

    return Operation(name, rule, parameters, parse)


def given(**operands: Any) -> tuple[tuple[Any, ...], tuple[str, ...]]:
    """The operands that are there, and what they are."""
    present = {k: v for k, v in operands.items() if v is not None}
    return tuple(present.values()), tuple(present)
