"""The curves of an erasure: how the score goes as pixels go, in the order of an attribution and in none."""

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from captum_lite.metrics import Curve, deletion, insertion
from namedtensor import concat, is_named, nn, tensor

DELETION, INSERTION, RANDOM = "deletion", "insertion", "random deletion"
ORDERS = 8  # random ones
_POINTS, _PIECE = 21, 5  # points of a curve, and of a piece between two looks at the Cancel button


@dataclass(frozen=True, eq=False)
class Erasure:
    """What is asked.

    Attributes:
      fun: images -> the scores that are drawn.
      image: a batch of one.
      filling: what stands where pixels are gone.
      target: the class.
      attributions: of the image.
      seed: of the random orders.
    """

    fun: Callable[..., Any]
    image: Any
    filling: Any
    target: int
    attributions: Any
    seed: int = 0

    def curves(self) -> Iterator[tuple[dict[str, Curve], float]]:
        """The curves so far, and the fraction that is done; between two of them it may be stopped."""
        found: dict[str, Curve] = {}
        asked = {
            DELETION: (deletion, self.image, self.attributions),
            INSERTION: (insertion, self.image, self.attributions),
            RANDOM: (deletion, *self._orders()),
        }
        pieces = np.array_split(np.linspace(0, 1, _POINTS), -(-_POINTS // _PIECE))
        for k, (name, (metric, images, order)) in enumerate(asked.items()):
            for n, fractions in enumerate(pieces):
                more = self._measured(metric, images, order, fractions)
                found = found | {name: _joined(found.get(name), more)}
                yield found, (k + (n + 1) / len(pieces)) / len(asked)

    def _measured(self, metric: Any, images: Any, order: Any, fractions: np.ndarray) -> Curve:
        over = "height width" if is_named(images) else (1, 2)
        return metric(self.fun, images, order, self.filling, self.target, over=over, steps=fractions.tolist())

    def _orders(self) -> tuple[Any, Any]:
        """Copies of the image, and for each an attribution that means nothing."""
        key, x = jax.random.key(self.seed), self.image
        if is_named(x):
            copies = concat([x] * ORDERS, "batch")
            height, width = x.shape["height"], x.shape["width"]
            noise = tensor(jax.random.uniform(key, (ORDERS, height, width)), "batch height width")
            return copies, (copies * 0 + noise).order(copies.dims)
        copies = jnp.repeat(jnp.asarray(x), ORDERS, axis=0)
        noise = jax.random.uniform(key, copies.shape[:3])
        return copies, jnp.broadcast_to(noise.reshape(*noise.shape, *(1,) * (copies.ndim - 3)), copies.shape)


def _joined(before: Curve | None, more: Curve) -> Curve:
    if before is None:
        return more
    fractions = jnp.concatenate([before.fractions, more.fractions])
    scores = jnp.concatenate([before.scores, more.scores])
    return Curve(fractions, scores, jnp.trapezoid(scores, fractions[:, None], axis=0))


def softmaxed(fun: Callable[..., Any]) -> Callable[..., Any]:
    """The same function with a softmax over the classes: logits of different images have no common scale."""
    return functools.partial(_softmax, fun)


def _softmax(fun: Callable[..., Any], images: Any) -> Any:
    scores = fun(images)
    if is_named(scores):
        return nn.softmax(scores, over=next(d for d in scores.dims if d != "batch"))
    return jax.nn.softmax(scores, axis=-1)
