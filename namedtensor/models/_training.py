"""How the small models here are trained, once: He-normal weights, Adam, a cosine schedule."""

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax

from namedtensor._optional import optional
from namedtensor._tensor import NamedTensor
from namedtensor.models._cache import Params, cached
from namedtensor.ops import random
from namedtensor.ops.factories import zeros
from namedtensor.transforms import jit, value_and_grad


def he_normal(key: jax.Array, shapes: Mapping[str, str], fan_in: Mapping[str, int]) -> dict[str, NamedTensor]:
    """Weights of variance ``2 / fan_in`` (He et al. 2015, arXiv:1502.01852); zero biases."""
    params = {}
    for k, (layer, shape) in zip(jax.random.split(key, len(shapes)), shapes.items(), strict=True):
        params[layer] = random.normal(k, shape) * (2 / fan_in[layer]) ** 0.5
        params[f"{layer}.bias"] = zeros(shape.split()[-1])
    return params


def fit(
    key: jax.Array,
    init: Callable[[jax.Array], Params],
    loss: Callable[[Params, jax.Array], NamedTensor],
    *,
    steps: int,
    rate: float,
    progress: Callable[[Iterable], Iterable] = iter,
) -> Params:
    """Train with Adam (Kingma, Ba 2014, arXiv:1412.6980) and a cosine schedule.

    Args:
      key: decides the initial weights and the batches.
      init: the initial parameters of a key.
      loss: of parameters and a key, which chooses the batch.
      steps: how many batches.
      rate: the learning rate of the first step.
      progress: wraps the loop's iterable, for a progress bar: ``tqdm.auto.tqdm``.
    """
    with optional("models"):
        import optax

    optimizer = optax.adam(optax.cosine_decay_schedule(rate, steps))
    key, start = jax.random.split(key)
    params: Any = init(start)
    state = optimizer.init(params)

    @jit
    def step(params: Params, state: Any, key: jax.Array) -> tuple[Params, Any]:
        _, gradient = value_and_grad(lambda p: loss(p, key))(params)
        updates, state = optimizer.update(gradient, state, params)
        return jax.tree.map(lambda p, u: p + u, params, updates), state

    for k in progress(jax.random.split(key, steps)):
        params, state = step(params, state, k)
    return params


def trained(
    name: str,
    title: str,
    recipe: str,
    train: Callable[[Callable[[Iterable], Iterable]], Params],
    *,
    progress: bool,
) -> Params:
    """The trained parameters: from the cache, or trained first.

    Args:
      name: the module's name, the beginning of the cached file's.
      title: what the bar calls the model.
      recipe: all that the result depends on; another recipe is another file.
      train: trains the model; it is given what wraps the loop's iterable.
      progress: show a bar while training.
    """

    def make() -> Params:
        with optional("models"):
            from tqdm.auto import tqdm

        return train(
            functools.partial(tqdm, desc=f"training {title}, once", unit="step", disable=not progress)
        )

    return cached(name, recipe, make)
