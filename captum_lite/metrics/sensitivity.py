"""Sensitivity: how much an explanation changes where the inputs hardly do."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp

from captum_lite._fitting import fitting
from captum_lite._inputs import Arrays, Layout, require_finite, require_real, unpack
from captum_lite.metrics._given import explainer, flat
from captum_lite.metrics._samples import call, positional, recorded
from captum_lite.metrics.perturbations import by_name


def sensitivity_max(
    explanation_func: Any,
    inputs: Any,
    perturb_func: Callable[..., Any] | None = None,
    perturb_radius: float = 0.02,
    n_perturb_samples: int = 10,
    norm_ord: Any = "fro",
    *,
    perturbation: Any = None,
    key: Any = None,
    **options: Any,
) -> Any:
    """``max over e of |E(x + e) - E(x)| / |E(x)|``: the largest relative change of the explanation ``E``.

    Less is more stable; an explanation that ignores the inputs and the model altogether has 0. By default
    ``e`` is uniform in the cube of half-width ``perturb_radius``. Costs ``n_perturb_samples + 1``
    explanations.

    Args:
      explanation_func: a method, ``Saliency(f)``, or a function from inputs to attributions.
      inputs: as for `attribute`.
      perturb_func: a function of the inputs (and of the radius, if it takes a second argument) that
        returns perturbed inputs; it is called once a sample. If it has a parameter ``key``, it gets
        another one each time. None is the uniform noise.
      perturb_radius: in units of the input.
      n_perturb_samples: how many perturbations.
      norm_ord: of the norm of an explanation as one vector: ``"fro"`` or 2 (Euclidean), 1, ``np.inf``.
      perturbation: instead, the perturbations ``e`` themselves: for each input ``[samples, batch, ...]``
        or ``[batch * samples, ...]`` with the samples of one example next to each other.
      key: of the perturbations; ``jax.random.key(0)`` by default. (An explanation that is random itself
        has its own: ``lambda x: SmoothGrad(f).attribute(x, key=...)``.)
      **options: passed to the explanation: ``target``, ``baselines``, ``n_steps`` ...

    Returns:
      The sensitivity of each example, ``[batch]``. Where the explanation at ``x`` is zero, its absolute
      change.

    Raises:
      ValueError: no samples, a norm that is not known, perturbations that do not fit.
      TypeError: integer inputs, or an explanation that cannot be called.

    Example:
      >>> import jax.numpy as jnp
      >>> from captum_lite import Saliency
      >>> from captum_lite.metrics import sensitivity_max
      >>> linear = Saliency(lambda x: x @ jnp.array([2.0, -4.0]))
      >>> sensitivity_max(linear, jnp.array([[1.0, 2.0]]))
      Array([0.], dtype=float32)

    Source: Yeh, Hsieh, Suggala, Inouye, Ravikumar 2019, arXiv:1901.09392, definition 3.1.
    """
    order = _order(norm_ord)
    arrays, layout = unpack(inputs)
    require_real(arrays, "input", "a perturbation")
    explain = explainer(explanation_func)
    if perturbation is not None:
        samples = _moved(arrays, recorded(perturbation, arrays))
    else:
        samples = _drawn(arrays, layout, perturb_func, perturb_radius, n_perturb_samples, key)
    at_input = _vector(explain(inputs, **options))
    size = _norm(at_input, order=order)
    largest = jnp.zeros_like(size)
    for perturbed in samples:
        require_finite(perturbed, "the perturbed input")
        there = _vector(explain(layout.restore(perturbed), **options))
        largest = jnp.maximum(largest, _norm(there - at_input, order=order))
    return largest / jnp.where(size == 0, 1, size)


def _order(norm_ord: Any) -> float:
    order = 2 if norm_ord == "fro" else norm_ord
    if not isinstance(order, int | float) or order <= 0:
        raise ValueError(
            f"norm_ord={norm_ord!r} is not known: give 'fro' (or 2), 1, np.inf or another order."
        )
    return order


@functools.partial(jax.jit, static_argnames="order")
def _norm(rows: Any, *, order: float) -> Any:
    return jnp.linalg.norm(rows, order, axis=1)


def _vector(attributions: Any) -> Any:
    return flat(unpack(attributions)[0])


def _moved(inputs: Arrays, changes: Arrays) -> Iterator[Arrays]:
    for k in range(len(changes[0])):
        yield tuple(x + c[k].astype(x.dtype) for x, c in zip(inputs, changes, strict=True))


def _drawn(
    arrays: Arrays, layout: Layout, perturb_func: Any, radius: float, samples: int, key: Any
) -> Iterator[Arrays]:
    """Perturbed inputs, by a function or by uniform noise."""
    if samples < 1:
        raise ValueError(f"n_perturb_samples={samples}: give at least one sample.")
    if not isinstance(radius, int | float) or not radius >= 0:
        raise ValueError(f"perturb_radius={radius!r}: give a width in units of the input, 0 or more.")
    key = jax.random.key(0) if key is None else key
    if perturb_func is None:
        return (_uniform(key, arrays, radius, n, names=layout.dims) for n in range(samples))
    given = (layout.restore(arrays), radius)[: min(positional(perturb_func), 2)]
    return (
        fitting(call(perturb_func, given, key, n), arrays, layout, "perturbed input") for n in range(samples)
    )


@functools.partial(jax.jit, static_argnames="names")
def _uniform(key: Any, inputs: Arrays, radius: Any, number: Any, *, names: Any) -> Arrays:
    keys = jax.random.split(jax.random.fold_in(key, number), len(inputs))
    parts = zip(keys, inputs, names, strict=True)
    draw = functools.partial(jax.random.uniform, minval=-1.0)
    return tuple(x + radius * by_name(draw, k, x.shape, dims, x.dtype) for k, x, dims in parts)
