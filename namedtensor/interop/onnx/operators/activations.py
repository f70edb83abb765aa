"""Activations: by the functions of `jax.nn`, whose names the rules of attribution and of privacy know."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from namedtensor.interop.onnx.table import operator
from namedtensor.interop.onnx.values import Value, known, lined_up


@operator("Relu")
def relu(x: Value) -> Value:
    """``max(x, 0)``; of what is known too, since ONNX's definition of Range counts with it."""
    return np.maximum(x, np.zeros((), x.dtype)) if known(x) else jax.nn.relu(x)


@operator("LeakyRelu")
def leaky_relu(x: Value, *, alpha: float = 0.01) -> Value:
    """``x``, or ``alpha x`` below zero."""
    return jax.nn.leaky_relu(x, alpha)


@operator("PRelu", since=7)
def parametric_relu(x: Value, slope: Value) -> Value:
    """``x``, or ``slope x`` below zero."""
    x, slope = lined_up(x, slope)
    return jnp.where(x < 0, slope * x, x)


@operator("PRelu")
def parametric_relu_of_channels(x: Value, slope: Value, *, consumed_inputs: Any = None) -> Value:
    """As before opset 7: one slope for a channel, which is the second axis."""
    return parametric_relu(x, slope.reshape((-1,) + (1,) * (np.ndim(x) - 2)))


@operator("Elu")
def elu(x: Value, *, alpha: float = 1.0) -> Value:
    """``x``, or ``alpha (exp(x) - 1)`` below zero."""
    return jax.nn.elu(x, alpha)


@operator("Celu")
def celu(x: Value, *, alpha: float = 1.0) -> Value:
    """``max(x, 0) + min(0, alpha (exp(x / alpha) - 1))``."""
    return jax.nn.celu(x, alpha)


@operator("Selu")
def selu(x: Value, *, alpha: float = 1.6732632423543772, gamma: float = 1.0507009873554805) -> Value:
    """``gamma elu(x, alpha)``."""
    return (gamma * jax.nn.elu(x, alpha)).astype(x.dtype)


@operator("Sigmoid")
def sigmoid(x: Value) -> Value:
    """``1 / (1 + exp(-x))``."""
    return jax.nn.sigmoid(x)


@operator("HardSigmoid")
def hard_sigmoid(x: Value, *, alpha: float = 0.2, beta: float = 0.5) -> Value:
    """``alpha x + beta`` between 0 and 1."""
    return jnp.clip(x * np.asarray(alpha, x.dtype) + np.asarray(beta, x.dtype), 0, 1)


@operator("HardSwish")
def hard_swish(x: Value) -> Value:
    """``x`` times its hard sigmoid with slope 1/6."""
    return x * hard_sigmoid(x, alpha=1 / 6)


@operator("Softplus")
def softplus(x: Value) -> Value:
    """``log(1 + exp(x))``."""
    return jax.nn.softplus(x)


@operator("Softsign")
def softsign(x: Value) -> Value:
    """``x / (1 + |x|)``."""
    return jax.nn.soft_sign(x)


@operator("Gelu", since=20)
@operator("Gelu", domain="com.microsoft")
def gelu(x: Value, *, approximate: str = "none") -> Value:
    """``x`` times the normal distribution up to ``x``, or its approximation by tanh."""
    return jax.nn.gelu(x, approximate=approximate == "tanh")


@operator("Swish")
def swish(x: Value, *, alpha: float = 1.0) -> Value:
    """``x sigmoid(alpha x)``."""
    return jax.nn.silu(x) if alpha == 1 else x * jax.nn.sigmoid(np.asarray(alpha, x.dtype) * x)


@operator("Mish")
def mish(x: Value) -> Value:
    """``x tanh(softplus(x))``."""
    return jax.nn.mish(x)


@operator("ThresholdedRelu")
def thresholded_relu(x: Value, *, alpha: float = 1.0) -> Value:
    """``x`` above ``alpha``, else 0."""
    return jnp.where(x > alpha, x, jnp.zeros((), x.dtype))


@operator("Shrink")
def shrink(x: Value, *, bias: float = 0.0, lambd: float = 0.5) -> Value:
    """``x`` moved by ``bias`` towards zero outside of ``lambd``, and 0 inside."""
    moved = x - np.asarray(bias).astype(x.dtype) * jnp.sign(x).astype(x.dtype)
    return jnp.where(jnp.abs(x) > lambd, moved, jnp.zeros((), x.dtype))
