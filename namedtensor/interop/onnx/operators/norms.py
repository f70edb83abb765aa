"""Normalisations, computed in 32 bits at least: the mean first, then the squares of what is left."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from namedtensor.interop.onnx.errors import OnnxError
from namedtensor.interop.onnx.evaluate import Call
from namedtensor.interop.onnx.operators.pooling import powered, root
from namedtensor.interop.onnx.table import operator
from namedtensor.interop.onnx.tensors import dtype_of
from namedtensor.interop.onnx.values import Value, canonical, lined_up

FLOAT = 1  # ONNX's number of float32


def _wide(x: Value) -> Value:
    return jnp.asarray(x, jnp.promote_types(x.dtype, jnp.float32))


@operator("BatchNormalization")
def batch_norm(
    x: Value,
    scale: Value,
    b: Value,
    mean: Value,
    variance: Value,
    *,
    consumed_inputs: Sequence[int] = (),
    epsilon: float = 1e-5,
    is_test: int = 0,
    momentum: float = 0.9,
    spatial: int = 1,
    training_mode: int = 0,
    node: Call,
) -> Value:
    """``(x - mean) / sqrt(variance + epsilon) * scale + b``, with the statistics that the file holds."""
    del consumed_inputs, is_test, momentum, spatial
    if training_mode or any(node.wanted[1:]):
        raise OnnxError(
            "the file was saved in training mode, where statistics are those of the batch: save the model "
            "for inference again (in PyTorch after model.eval())."
        )
    scale, b, mean, variance = (_behind_batch(_wide(v), x.ndim) for v in (scale, b, mean, variance))
    return ((_wide(x) - mean) * (scale * jax.lax.rsqrt(variance + epsilon)) + b).astype(x.dtype)


def _behind_batch(v: Value, ndim: int) -> Value:
    """``[channel]`` (or all axes but the first, as early opsets allow) lined up with the input."""
    return v.reshape(1, *v.shape, *(1,) * (ndim - 1 - v.ndim))


@operator("InstanceNormalization")
def instance_norm(
    x: Value, scale: Value, b: Value, *, consumed_inputs: Sequence[int] = (), epsilon: float = 1e-5
) -> Value:
    """Each channel of each example with mean 0 and variance 1, then scaled and moved."""
    del consumed_inputs
    y = _standardized(_wide(x), tuple(range(2, x.ndim)), epsilon)[0]
    return (y * _behind_batch(_wide(scale), x.ndim) + _behind_batch(_wide(b), x.ndim)).astype(x.dtype)


def _standardized(x: Value, axes: Sequence[int], epsilon: float) -> tuple[Value, Value, Value]:
    """With mean 0 and variance 1 along axes; the mean, and one over the deviation."""
    mean = jnp.mean(x, axes, keepdims=True)
    rest = x - mean
    inverse = jax.lax.rsqrt(jnp.mean(jnp.square(rest), axes, keepdims=True) + epsilon)
    return rest * inverse, mean, inverse


@operator("LayerNormalization")
@operator("LayerNormalization", domain="com.microsoft")
def layer_norm(
    x: Value, scale: Value, b: Value = None, *, axis: int = -1, epsilon: float = 1e-5, stash_type: int = FLOAT
) -> tuple[Value, Value, Value]:
    """Mean 0 and variance 1 over the axes from ``axis`` on; then scaled and moved, in the input's dtype."""
    y, mean, inverse = _standardized(_wide(x), _from(axis, x.ndim), epsilon)
    y = _times(y.astype(x.dtype), scale)
    y = y if b is None else y + lined_up(b, y)[0]
    kept = canonical(_stashed(stash_type))
    return y, mean.astype(kept), inverse.astype(kept)


def _from(axis: int, ndim: int) -> tuple[int, ...]:
    if not -ndim <= axis < ndim:
        raise OnnxError(f"axis {axis} of an input with {ndim} axes.")
    return tuple(range(axis % ndim, ndim))


def _times(y: Value, scale: Value) -> Value:
    y, scale = lined_up(y, scale)
    return y * scale


def _stashed(number: int) -> Any:
    dtype = dtype_of(number)
    if dtype is None or not jnp.issubdtype(dtype, jnp.floating):
        raise OnnxError(f"stash_type {number} is no floating-point type.")
    return dtype


@operator("GroupNormalization", since=18)
def group_norm_scaled_by_group(
    x: Value, scale: Value, b: Value, *, epsilon: float = 1e-5, num_groups: int
) -> Value:
    """As `group_norm`, with one scale and offset for each group, as opset 18 had it."""
    each = x.shape[1] // max(num_groups, 1)
    return group_norm(x, jnp.repeat(scale, each), jnp.repeat(b, each), epsilon=epsilon, num_groups=num_groups)


@operator("GroupNormalization", since=21)
def group_norm(
    x: Value, scale: Value, b: Value, *, epsilon: float = 1e-5, num_groups: int, stash_type: int = FLOAT
) -> Value:
    """Each group of channels with mean 0 and variance 1; then each channel scaled and moved."""
    _stashed(stash_type)
    if num_groups < 1 or x.shape[1] % num_groups:
        raise OnnxError(f"{x.shape[1]} channels cannot be split into {num_groups} groups.")
    groups = _wide(x).reshape(x.shape[0], num_groups, -1)
    y = _standardized(groups, (2,), epsilon)[0].astype(x.dtype).reshape(x.shape)
    return y * _behind_batch(scale, x.ndim) + _behind_batch(b, x.ndim)


@operator("RMSNormalization", since=23)
@operator("SimplifiedLayerNormalization")
@operator("SimplifiedLayerNormalization", domain="com.microsoft")
def rms_norm(
    x: Value, scale: Value, *, axis: int = -1, epsilon: float = 1e-5, stash_type: int = FLOAT
) -> tuple[Value, Value]:
    """A mean of squares of 1 over the axes from ``axis`` on, then scaled."""
    kept, wide = canonical(_stashed(stash_type)), _wide(x)
    square = jnp.mean(jnp.square(wide), _from(axis, x.ndim), keepdims=True)
    inverse = jax.lax.rsqrt(square + epsilon)
    return _times((wide * inverse).astype(scale.dtype), scale), inverse.astype(kept)


@operator("LpNormalization")
def lp_norm(x: Value, *, axis: int = -1, p: int = 2) -> Value:
    """Divided by its ``p``-norm along an axis; zeros stay zeros."""
    norm = root(powered(x, p).sum(axis, keepdims=True), p)
    return (_wide(x) / jnp.where(norm == 0, jnp.ones_like(norm), norm)).astype(x.dtype)


@operator("LRN")
def local_response(
    x: Value, *, alpha: float = 1e-4, beta: float = 0.75, bias: float = 1.0, size: int
) -> Value:
    """``x / (bias + alpha / size * the squares of channels near by) ** beta``."""
    wide = _wide(x)
    before, others = (size - 1) // 2, (1,) * (x.ndim - 2)
    around = [(0, 0), (before, size - 1 - before), *((0, 0) for _ in others)]
    zero = np.zeros((), wide.dtype)
    window, ones = (1, size, *others), (1,) * x.ndim
    squares = jax.lax.reduce_window(jnp.square(wide), zero, jax.lax.add, window, ones, around)
    return (wide * (bias + alpha / size * squares) ** -beta).astype(x.dtype)
