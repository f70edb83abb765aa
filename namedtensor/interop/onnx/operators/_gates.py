"""The activations of recurrent layers, which are named by texts and take their numbers from two lists."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp

from namedtensor._errors import near_miss
from namedtensor.interop.onnx.errors import OnnxError, listed
from namedtensor.interop.onnx.values import Value

Gate = Callable[[Value], Value]

# name -> the function of the array, alpha and beta; the defaults of those that it takes
_KNOWN: dict[str, tuple[Callable[..., Value], float | None, float | None]] = {
    "affine": (lambda x, a, b: a * x + b, 1.0, 0.0),
    "elu": (lambda x, a, b: jax.nn.elu(x, a), 1.0, None),
    "hardsigmoid": (lambda x, a, b: jnp.clip(a * x + b, 0, 1), 0.2, 0.5),
    "leakyrelu": (lambda x, a, b: jax.nn.leaky_relu(x, a), 0.01, None),
    "relu": (lambda x, a, b: jax.nn.relu(x), None, None),
    "scaledtanh": (lambda x, a, b: a * jnp.tanh(b * x), 1.0, 1.0),
    "sigmoid": (lambda x, a, b: jax.nn.sigmoid(x), None, None),
    "softplus": (lambda x, a, b: jax.nn.softplus(x), None, None),
    "softsign": (lambda x, a, b: jax.nn.soft_sign(x), None, None),
    "tanh": (lambda x, a, b: jnp.tanh(x), None, None),
    "thresholdedrelu": (lambda x, a, b: jnp.where(x > a, x, jnp.zeros_like(x)), 1.0, None),
}


def gates(
    names: Sequence[str], directions: int, alphas: Sequence[float], betas: Sequence[float], clip: float | None
) -> list[list[Gate]]:
    """The activations of each direction.

    Args:
      names: all of them, those of the first direction in front.
      directions: how many there are.
      alphas: numbers for those that take one, in order; what is missing has ONNX's default.
      betas: the same.
      clip: before each activation numbers are cut off at this size; None for not.
    """
    left, right = list(alphas), list(betas)
    found = [_gate(name, left, right, clip) for name in names]
    each = len(found) // directions
    return [found[:each], found[each:]][:directions]


def _gate(name: str, alphas: list[float], betas: list[float], clip: float | None) -> Gate:
    if name.lower() not in _KNOWN:
        raise OnnxError(
            f"the activation {name!r} is none of {listed(_KNOWN)}. {near_miss(name, _KNOWN)}".rstrip()
        )
    function, a, b = _KNOWN[name.lower()]
    a = a if a is None or not alphas else alphas.pop(0)
    b = b if b is None or not betas else betas.pop(0)

    def gate(x: Value) -> Value:
        return function(x if not clip else jnp.clip(x, -clip, clip), a, b)

    return gate
