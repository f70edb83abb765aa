"""Infidelity: whether attributions predict what a change of the inputs does to the function."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from captum_lite._chunks import chunk_size
from captum_lite._fitting import fitting
from captum_lite._inputs import Arrays, require_finite, require_real
from captum_lite._problem import Problem, pose
from captum_lite.metrics._given import each, flat, score, scores
from captum_lite.metrics._samples import call, recorded
from captum_lite.metrics.perturbations import Perturbation, pairs


def infidelity(
    fun: Callable[..., Any],
    perturb_func: Any,
    inputs: Any,
    attributions: Any,
    baselines: Any = None,
    target: Any = None,
    additional_forward_args: Any = (),
    *,
    n_perturb_samples: int = 10,
    normalize: bool = False,
    perturbation: Any = None,
    key: Any = None,
    internal_batch_size: int | None = None,
) -> Any:
    """``E[(sum(I * attributions) - (f(x) - f(x')))^2]`` over random changes ``x'`` of ``x``. Less is better.

    ``I`` is the change ``x - x'``; for attributions with the factor ``x - b`` in them it is the fraction
    ``(x - x') / (x - b)``. Costs ``n_perturb_samples + 1`` evaluations an example. Numbers under
    different perturbations do not compare.

    Args:
      fun: the explained function, as for the methods.
      perturb_func: a `Perturbation` (`GaussianNoise`, `NoisyBaseline`, `RandomSubset`,
        `SquareRemoval`); or a function as Captum takes it, of the inputs (and of the baselines, if some
        are given), that returns ``(I, x')`` and is called once a sample. If it has a parameter ``key``,
        it gets another one each time. None with ``perturbation=``.
      inputs: as for `attribute`.
      attributions: what `attribute` returned, or a record.
      baselines: as for `attribute`; None is zeros.
      target: as for `attribute`.
      additional_forward_args: as for `attribute`.
      n_perturb_samples: how many changes.
      normalize: scale the attributions of each example by ``beta = E[ab] / E[a^2]`` first, where ``a`` is
        the sum and ``b`` the difference above: their scale then does not matter.
      perturbation: instead of ``perturb_func``, the changes themselves: ``I = x - x'``, for each input an
        array ``[samples, batch, ...]``, or ``[batch * samples, ...]`` with the samples of one example
        next to each other.
      key: of the perturbations; ``jax.random.key(0)`` by default.
      internal_batch_size: rows (examples times samples) evaluated at once; None chooses.

    Returns:
      The infidelity of each example, ``[batch]``.

    Raises:
      ValueError: no perturbation or two, attributions that do not fit, no samples.
      TypeError: integer inputs, or a ``perturb_func`` that returns no pair.

    Example:
      >>> import jax.numpy as jnp
      >>> from captum_lite import Saliency
      >>> from captum_lite.metrics import GaussianNoise, infidelity
      >>> def f(x):
      ...     return x @ jnp.array([2.0, -4.0])
      >>> x = jnp.array([[1.0, 2.0]])
      >>> noise = GaussianNoise(multiply_by_inputs=False)
      >>> infidelity(f, noise, x, Saliency(f).attribute(x, abs=False)).round(4)
      Array([0.], dtype=float32)

    Source: Yeh, Hsieh, Suggala, Inouye, Ravikumar 2019, arXiv:1901.09392, definition 2.1.
    """
    problem = pose(
        fun, inputs, baselines, target, additional_forward_args, compares=True, differentiates=False
    )
    given = fitting(attributions, problem.inputs, problem.layout)
    require_real(problem.inputs, "input", "a perturbation")
    draw, n = _source(perturb_func, perturbation, problem, n_perturb_samples, key, baselines is not None)
    before = score(problem, problem.inputs)
    predicted, actual = [], []
    for numbers in each(n, chunk_size(problem, internal_batch_size)):
        changes, changed = draw(numbers)
        require_finite(changed, "the perturbed input")
        predicted.append(_sums(given, changes))
        actual.append(before[None] - scores(problem, changed))
    return _mean_square(jnp.concatenate(predicted), jnp.concatenate(actual), normalize=normalize)


@jax.jit
def _sums(attributions: Arrays, changes: Arrays) -> Any:
    """``sum(I * attributions)``, ``[samples, batch]``."""
    values = flat(attributions)
    return jax.vmap(lambda change: jnp.einsum("bn,bn->b", flat(change), values))(changes)


@functools.partial(jax.jit, static_argnames="normalize")
def _mean_square(a: Any, b: Any, *, normalize: bool) -> Any:
    """Over the samples, in contractions: XLA for CPU computes garbage for some sums of products."""
    if normalize:
        square = jnp.einsum("sb,sb->b", a, a)
        beta = jnp.einsum("sb,sb->b", a, b) / jnp.where(square == 0, 1, square)
        a = jnp.where(square == 0, 1, beta)[None] * a
    return jnp.einsum("sb,sb->b", a - b, a - b) / len(a)


def _source(
    perturb_func: Any, perturbation: Any, problem: Problem, samples: int, key: Any, with_baselines: bool
) -> tuple[Callable[[Any], tuple[Arrays, Arrays]], int]:
    """A function from the numbers of samples to ``I`` and the changed inputs, and how many there are."""
    if (perturb_func is None) == (perturbation is None):
        raise ValueError(
            "infidelity needs one kind of perturbation: perturb_func= (GaussianNoise(), NoisyBaseline(), "
            "RandomSubset(), SquareRemoval() or a function), or the recorded perturbation= with "
            "perturb_func=None."
        )
    if perturbation is not None:
        changes = recorded(perturbation, problem.inputs)
        return functools.partial(_cut, problem.inputs, changes), len(changes[0])
    if samples < 1:
        raise ValueError(f"n_perturb_samples={samples}: give at least one sample.")
    key = jax.random.key(0) if key is None else key
    if isinstance(perturb_func, Perturbation):
        assert problem.baselines is not None, "infidelity compares"
        there = problem.inputs, problem.baselines, problem.layout.dims
        return functools.partial(pairs, perturb_func, key, *there), samples
    return functools.partial(_called, perturb_func, problem, key, with_baselines), samples


def _cut(inputs: Arrays, changes: Arrays, numbers: Any) -> tuple[Arrays, Arrays]:
    now = tuple(c[numbers] for c in changes)
    return now, tuple(x[None] - c for x, c in zip(inputs, now, strict=True))


def _called(
    perturb_func: Callable[..., Any], problem: Problem, key: Any, with_baselines: bool, numbers: Any
) -> tuple[Arrays, Arrays]:
    """``I`` and the changed inputs of a user's function."""
    given = [problem.inputs, problem.baselines] if with_baselines else [problem.inputs]
    restored = tuple(problem.layout.restore(arrays) for arrays in given if arrays is not None)
    found = []
    for n in numbers:
        pair = call(perturb_func, restored, key, n)
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise TypeError(
                f"perturb_func returned {type(pair).__name__}: it must return (I, perturbed inputs). "
                "A function that returns the perturbed inputs alone goes through "
                "infidelity_perturb_func_decorator."
            )
        found.append(tuple(fitting(part, problem.inputs, problem.layout, "perturbation") for part in pair))
    return jax.tree.map(lambda *parts: jnp.stack(parts), *found)
