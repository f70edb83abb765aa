"""What onnxruntime's optimizer writes for pieces of transformers and of convolutional networks."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from namedtensor.interop.onnx.errors import OnnxError
from namedtensor.interop.onnx.operators._gates import gates
from namedtensor.interop.onnx.operators.attention import heads, hidden
from namedtensor.interop.onnx.operators.convolution import conv
from namedtensor.interop.onnx.operators.norms import layer_norm, rms_norm
from namedtensor.interop.onnx.operators.quantized import MICROSOFT
from namedtensor.interop.onnx.table import operator
from namedtensor.interop.onnx.values import Value, lined_up

Ints = Sequence[int] | None


def _plus(x: Value, *more: Value) -> Value:
    """The sum with those that are given."""
    for other in more:
        if other is not None:
            a, b = lined_up(x, other)
            x = a + b
    return x


@operator("FastGelu", domain=MICROSOFT)
def fast_gelu(x: Value, bias: Value = None) -> Value:
    """Gelu by its approximation with tanh."""
    return jax.nn.gelu(_plus(x, bias), approximate=True)


@operator("BiasGelu", domain=MICROSOFT)
def bias_gelu(x: Value, bias: Value) -> Value:
    """Gelu of a sum."""
    return jax.nn.gelu(_plus(x, bias), approximate=False)


@operator("QuickGelu", domain=MICROSOFT)
def quick_gelu(x: Value, *, alpha: float = 1.702) -> Value:
    """``x sigmoid(alpha x)``."""
    return x * jax.nn.sigmoid(np.asarray(alpha, x.dtype) * x)


@operator("FusedMatMul", "TransposeMatMul", domain=MICROSOFT)
def fused_matmul(
    a: Value,
    b: Value,
    *,
    alpha: float = 1.0,
    transA: int = 0,
    transB: int = 0,
    transBatchA: int = 0,
    transBatchB: int = 0,
) -> Value:
    """``alpha a b``, each transposed first if asked for; the batch may lie between rows and columns."""
    a, b = _turned(a, transA, transBatchA), _turned(b, transB, transBatchB)
    if a.ndim > 1 < b.ndim:
        a, b = lined_up(a, b)
    y = jnp.matmul(a, b)
    return y if alpha == 1 else y * np.asarray(alpha, y.dtype)


def _turned(x: Value, matrix: int, batch: int) -> Value:
    x = jnp.moveaxis(x, 0, -2) if batch and x.ndim > 2 else x
    return jnp.swapaxes(x, -1, -2) if matrix and x.ndim > 1 else x


@operator("SkipLayerNormalization", domain=MICROSOFT)
def skip_layer_norm(
    x: Value, skip: Value, scale: Value, offset: Value = None, bias: Value = None, *, epsilon: float = 1e-12
) -> tuple[Value, ...]:
    """The layer norm of a sum; its mean, one over its deviation, and the sum."""
    total = _plus(x, skip, bias)
    return *layer_norm(total, scale, offset, epsilon=epsilon), total


@operator("SkipSimplifiedLayerNormalization", domain=MICROSOFT)
def skip_rms_norm(
    x: Value, skip: Value, scale: Value, bias: Value = None, *, epsilon: float = 1e-12
) -> tuple[Value, ...]:
    """The same without the mean."""
    total = _plus(x, skip, bias)
    y, inverse = rms_norm(total, scale, epsilon=epsilon)
    return y, jnp.zeros_like(inverse), inverse, total


@operator("EmbedLayerNormalization", domain=MICROSOFT)
def embed_layer_norm(
    ids: Value,
    segments: Value,
    words: Value,
    positions: Value,
    kinds: Value,
    scale: Value,
    offset: Value,
    mask: Value = None,
    places: Value = None,
    *,
    epsilon: float = 1e-12,
    mask_index_type: int = 0,
) -> tuple[Value, Value, Value]:
    """The layer norm of a sum of embeddings (words, places, kinds); how long each text is; the sum."""
    del mask_index_type
    at = jnp.asarray(positions)[: ids.shape[1]][None] if places is None else jnp.asarray(positions)[places]
    total = jnp.asarray(words)[ids] + at
    total = total if segments is None or kinds is None else total + jnp.asarray(kinds)[segments]
    lengths = jnp.zeros(len(ids), jnp.int32) if mask is None else jnp.asarray(mask).astype(jnp.int32).sum(1)
    return layer_norm(total, scale, offset, epsilon=epsilon)[0], lengths.astype(jnp.int32), total


@operator("FusedConv", domain=MICROSOFT)
def fused_conv(
    x: Value,
    w: Value,
    b: Value = None,
    z: Value = None,
    *,
    activation: str = "",
    activation_params: Sequence[float] = (),
    auto_pad: str = "NOTSET",
    dilations: Ints = None,
    group: int = 1,
    kernel_shape: Ints = None,
    pads: Ints = None,
    strides: Ints = None,
) -> Value:
    """A convolution, a sum, and an activation."""
    y = conv(
        x,
        w,
        b,
        auto_pad=auto_pad,
        dilations=dilations,
        group=group,
        kernel_shape=kernel_shape,
        pads=pads,
        strides=strides,
    )
    y = _plus(y, z)
    if not activation:
        return y
    if activation == "Clip":
        low, high = (np.asarray(v, y.dtype) for v in activation_params)
        return jnp.clip(y, low, high)
    ((function,),) = gates([activation], 1, activation_params[:1], activation_params[1:], None)
    return function(y)


def attended(q: Value, k: Value, v: Value, bias: Value, scale: float | None) -> Value:
    """``softmax(scale q k + bias) v`` of ``[batch head place feature]``; heads end beside each other."""
    scores = jnp.einsum("bhqd,bhkd->bhqk", q, k) * np.asarray(scale or q.shape[-1] ** -0.5, q.dtype)
    y = jnp.matmul(jax.nn.softmax(_plus(scores, bias), -1), v)
    return jnp.swapaxes(y, 1, 2).reshape(y.shape[0], y.shape[2], -1)


def _masked(mask: Value, shape: tuple[int, ...], filled: float, causal: int, dtype: np.dtype) -> Value:
    """What is added to scores ``[batch head query key]``: a large negative number where a mask is."""
    batch, _, queries, keys = shape
    seen = None
    if mask is not None:
        mask = jnp.asarray(mask)
        if mask.shape == (batch,):  # how many keys there are
            seen = (np.arange(keys)[None] < mask[:, None])[:, None, None]
        elif mask.shape == (batch, keys):
            seen = (mask > 0)[:, None, None]
        elif mask.shape == (batch, queries, keys):
            seen = (mask > 0)[:, None]
        else:
            raise OnnxError(f"a mask of shape {mask.shape} for scores of shape {shape} is not supported.")
    added = None if seen is None else jnp.where(seen, 0, np.asarray(filled, dtype))
    if not causal:
        return added
    before = np.arange(keys)[None] <= np.arange(queries)[:, None] + keys - queries
    later = np.where(before, 0, hidden(dtype)).astype(dtype)[None, None]
    return later if added is None else added + later


@operator("Attention", domain=MICROSOFT)
def attention(
    x: Value,
    weights: Value,
    bias: Value = None,
    mask: Value = None,
    past: Value = None,
    scores_bias: Value = None,
    *,
    mask_filter_value: float = -10000.0,
    num_heads: int,
    qkv_hidden_sizes: Ints = None,
    scale: float | None = None,
    unidirectional: int = 0,
) -> tuple[Value, Value]:
    """Attention of a text to itself, by one matrix for queries, keys and values; these two at the end."""
    sizes = qkv_hidden_sizes or [weights.shape[1] // 3] * 3
    mixed = _plus(jnp.matmul(x, jnp.asarray(weights)[None]), bias)
    q, k, v = (heads(part, num_heads) for part in jnp.split(mixed, np.cumsum(sizes)[:2], -1))
    if past is not None:
        k, v = (jnp.concatenate([old, new], 2) for old, new in zip(jnp.asarray(past), (k, v), strict=True))
    shape = (*q.shape[:3], k.shape[2])
    added = _masked(mask, shape, mask_filter_value, unidirectional, q.dtype)
    added = scores_bias if added is None else _plus(added, scores_bias)
    present = jnp.stack([k, v]) if k.shape == v.shape else k
    return attended(q, k, v, added, scale), present


@operator("MultiHeadAttention", domain=MICROSOFT)
def multi_head_attention(
    query: Value,
    key: Value = None,
    value: Value = None,
    bias: Value = None,
    mask: Value = None,
    scores_bias: Value = None,
    past_key: Value = None,
    past_value: Value = None,
    *,
    mask_filter_value: float = -10000.0,
    num_heads: int,
    scale: float | None = None,
    unidirectional: int = 0,
) -> tuple[Value, Value, Value]:
    """Attention of queries to keys, all projected already; then keys and values, the past's included."""
    if key is None or value is None or query.ndim != 3:
        raise OnnxError("queries, keys and values that are packed into one array are not supported.")
    if bias is not None:
        widths = np.cumsum([query.shape[-1], query.shape[-1]])
        parts = jnp.split(jnp.asarray(bias), widths)
        query, key, value = (
            _plus(a, b) if a.ndim == 3 else a for a, b in zip((query, key, value), parts, strict=True)
        )
    q, k, v = (heads(part, num_heads) for part in (query, key, value))
    if past_key is not None:
        k, v = jnp.concatenate([past_key, k], 2), jnp.concatenate([past_value, v], 2)
    added = _masked(mask, (*q.shape[:3], k.shape[2]), mask_filter_value, unidirectional, q.dtype)
    added = scores_bias if added is None else _plus(added, scores_bias)
    return attended(q, k, v, added, scale), k, v
