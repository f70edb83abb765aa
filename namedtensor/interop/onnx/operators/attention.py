"""Attention, written such that what may not be seen is a choice, and never minus infinity in a sum.

ONNX's own definition adds minus infinity. That is the same number, but neither attribution nor private
execution can do arithmetic with it.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from namedtensor.interop.onnx.errors import OnnxError
from namedtensor.interop.onnx.table import operator
from namedtensor.interop.onnx.tensors import dtype_of
from namedtensor.interop.onnx.values import Value, known, numpy_or_jax


@dataclass(frozen=True)
class Seen:
    """What each query may attend to.

    Attributes:
      queries: how many there are.
      keys: how many there are, those of the past included.
      past: how many keys come before the first query; for each example where that differs.
      lengths: how many keys of each example are no padding, ``[example 1 1 1]``; None for all.
    """

    queries: int
    keys: int
    past: Any = 0
    lengths: Value = None

    def places(self, causal: int, left: int, right: int) -> Value:
        """Which keys the order and the lengths allow; None for all."""
        columns = np.arange(self.keys)[None, None, None]
        ahead = columns - (np.arange(self.queries)[None, None, :, None] + self.past)
        rules = [ahead <= 0] * bool(causal) + [-ahead <= left] * (left >= 0) + [ahead <= right] * (right >= 0)
        if self.lengths is not None:
            rules.append(columns < self.lengths)
        return _all(*rules)


def _all(*rules: Value) -> Value:
    """Where all of these hold, with four axes; None if there are none."""
    found = None
    for rule in rules:
        if rule is not None:
            rule = rule.reshape((1,) * (4 - rule.ndim) + rule.shape)
            found = rule if found is None else found & rule
    return found


def _of_mask(mask: Value, keys: int) -> tuple[Value, Value]:
    """What a mask allows, and what it adds to scores; each may be None."""
    if mask is None:
        return None, None
    if mask.shape[-1] < keys:
        rows = [(0, 0)] * (mask.ndim - 1) + [(0, keys - mask.shape[-1])]
        mask = numpy_or_jax(mask).pad(mask, rows, constant_values=False if mask.dtype == bool else -np.inf)
    if mask.dtype == bool:
        return mask, None
    never = mask == -np.inf
    if known(mask) and not never.any():
        return None, mask
    return ~never, numpy_or_jax(mask).where(never, np.zeros((1,) * mask.ndim, mask.dtype), mask)


@operator("Attention", since=23)
def attention(
    q: Value,
    k: Value,
    v: Value,
    mask: Value = None,
    past_key: Value = None,
    past_value: Value = None,
    lengths: Value = None,
    *,
    is_causal: int = 0,
    kv_num_heads: int | None = None,
    left_window_size: int = -1,
    q_num_heads: int | None = None,
    qk_matmul_output_mode: int = 0,
    right_window_size: int = -1,
    scale: float | None = None,
    softcap: float = 0.0,
    softmax_precision: int | None = None,
) -> tuple[Value, ...]:
    """``softmax(scale q k + mask) v`` of each head; keys and values with the past's; and the scores."""
    together = q.ndim == 3
    q, k, v = heads(q, q_num_heads), heads(k, kv_num_heads), heads(v, kv_num_heads)
    before = 0 if past_key is None else past_key.shape[2]
    if past_key is not None and past_value is not None:
        k, v = jnp.concatenate([past_key, k], 2), jnp.concatenate([past_value, v], 2)
    elif lengths is not None:
        lengths = lengths.reshape(-1, 1, 1, 1)
        before = lengths - q.shape[2]
    allowed, bias = _of_mask(mask, k.shape[2])
    places = Seen(q.shape[2], k.shape[2], before, lengths).places(
        is_causal, left_window_size, right_window_size
    )
    seen = _all(allowed, places)
    raw = jnp.matmul(
        q * np.asarray(q.shape[-1] ** -0.5 if scale is None else scale, q.dtype), _repeated(k, q).mT
    )
    capped = (
        np.asarray(softcap, raw.dtype) * jnp.tanh(raw / np.asarray(softcap, raw.dtype)) if softcap else raw
    )
    scores = capped if bias is None else capped + bias.reshape((1,) * (4 - bias.ndim) + bias.shape)
    wide = (
        jnp.promote_types(q.dtype, jnp.float32) if softmax_precision is None else dtype_of(softmax_precision)
    )
    shares = _shares(scores.astype(wide), seen).astype(q.dtype)
    y = jnp.matmul(shares, _repeated(v, q))
    y = jnp.swapaxes(y, 1, 2).reshape(y.shape[0], y.shape[2], -1) if together else y
    return y, k, v, _shown(qk_matmul_output_mode, raw, capped, scores, shares, seen)


def heads(x: Value, count: int | None) -> Value:
    """``[batch place (head feature)]`` as ``[batch head place feature]``, which may be given already."""
    if x.ndim == 4:
        return jnp.asarray(x)
    if x.ndim != 3 or not count or x.shape[-1] % count:
        raise OnnxError(f"{x.shape} cannot be read as [batch place feature] of {count or 'unknown'} heads.")
    return jnp.swapaxes(x.reshape(*x.shape[:2], count, -1), 1, 2)


def _repeated(x: Value, q: Value) -> Value:
    """Keys or values of a head, for each of the heads of queries that share them."""
    if q.shape[1] % x.shape[1]:
        raise OnnxError(f"{q.shape[1]} heads of queries cannot share {x.shape[1]} heads of keys.")
    return x if x.shape[1] == q.shape[1] else jnp.repeat(x, q.shape[1] // x.shape[1], 1)


def hidden(dtype: Any) -> np.ndarray:
    """A score whose softmax is zero; fixed-point numbers have room for it."""
    return np.asarray(-min(2.0**24, float(jnp.finfo(dtype).max) / 2), dtype)


def _shares(scores: Value, seen: Value) -> Value:
    """The softmax of what is seen; a query that sees nothing takes nothing."""
    if seen is None:
        return jax.nn.softmax(scores, -1)
    shares = jax.nn.softmax(jnp.where(seen, scores, hidden(scores.dtype)), -1)
    if known(seen) and seen.any(-1).all():
        return shares
    return jnp.where(seen, shares, np.zeros((), scores.dtype))


def _shown(mode: int, raw: Value, capped: Value, scores: Value, shares: Value, seen: Value) -> Value:
    """The stage of the scores that the file asks for."""
    if mode == 2 and seen is not None:
        return jnp.where(seen, scores, np.asarray(-np.inf, scores.dtype))
    return (raw, capped, scores, shares)[mode]
