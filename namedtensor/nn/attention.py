"""Named attention: the names of the operands say what is a head, a batch, a group or a position."""

import math
from typing import Any

import jax
import jax.numpy as jnp

from namedtensor._dims import Dims, Spec, check_name
from namedtensor._errors import (
    BadPattern,
    DuplicateDim,
    UnknownDim,
    Unsupported,
    near_miss,
    short_dtype,
)
from namedtensor._plan import Body, Operation, run
from namedtensor._tensor import NamedTensor
from namedtensor.nn._checks import needs, require_floating, require_real, shown, some, widened
from namedtensor.nn._contraction import product
from namedtensor.ops._align import align


def _require_dims(query: Dims, key: Dims, value: Dims, over: Dims, features: Dims) -> None:
    rename = f"Rename its sequence dim: key.rename(pos={over[0]!r})."
    needs("the key", key, over, rename)
    needs("the value", value, over, rename)
    needs("the query", query, features)
    needs("the key", key, features)
    for name in over:
        if name in features:
            raise BadPattern(f"{name!r} is in over= and in features=.", "A dim is one of the two.")
        if name in query:
            raise DuplicateDim(
                f"the query has the dim {name!r} that the softmax runs over.",
                f"Rename it in key and value: x.rename({name}='key_{name}'), and over='key_{name}'.",
            )


def _require_inside(role: str, there: Dims, scores: Dims) -> None:
    for name in there:
        if name not in scores:
            raise UnknownDim(
                f"the {role} has the dim {name!r}, and the scores have '{scores}'.", near_miss(name, scores)
            )


def _require_numbers(extra: dict[str, Any]) -> None:
    for role in extra.keys() & {"bias", "scale"}:
        require_real(f"the {role}", extra[role])
        if jnp.issubdtype(jnp.result_type(extra[role]), jnp.bool):
            raise Unsupported(f"the {role} is bool.", "What may be attended to is mask=; a bias is numbers.")


def _require_sequence(causal: str, query: Dims, key: Dims, over: Dims, features: Dims) -> None:
    needs("the query", query, [causal], "causal= is the query's sequence dim.")
    if causal in key or causal in features:
        raise BadPattern(
            f"causal={causal!r} is a dim of the key too.",
            "It is the query's sequence dim, which the key lacks.",
        )
    if len(over) > 1:
        raise BadPattern(f"causal= with over='{over}' has no order.", "Give the mask: mask=...")


def _rule(
    names: tuple[Dims, ...], over: Dims, features: Dims, causal: str | None, roles: tuple[str, ...]
) -> Body:
    query, key, value, *more = names
    _require_dims(query, key, value, over, features)
    _, scores = product(query, key, features)
    blend, result = product(scores, value, over)
    for role, there in zip(roles, more, strict=True):
        _require_inside(role, there, scores)
    if causal is not None:
        _require_sequence(causal, query, key, over, features)
    axes = tuple(scores.index(d) for d in over)

    def attention(q, k, v, *arrays):
        extra = {r: align(a, d, scores) for r, a, d in zip(roles, arrays, more, strict=True)}
        dtype = jnp.result_type(q, k, v)
        require_floating("the promoted dtype of query, key and value", dtype)
        _require_numbers(extra)
        q, k, v = (jnp.asarray(a, dtype) for a in (q, k, v))
        size = math.prod(q.shape[query.index(d)] for d in features)
        compare, _ = product(query, key, features, widened(dtype))
        z = compare(q, k) * extra.get("scale", 1 / math.sqrt(max(size, 1)))
        z = (z + extra["bias"] if "bias" in extra else z).astype(widened(dtype))
        z = _hide(z, _allowed(extra.get("mask"), z.shape, scores, causal, over))
        return blend(jax.nn.softmax(z, axes).astype(dtype), v)

    return Body(attention, result)


def _allowed(mask: Any, shape: tuple[int, ...], scores: Dims, causal: str | None, over: Dims) -> Any:
    """The mask and the causal mask together, with the axes of the scores; None where there is neither."""
    if mask is not None and not jnp.issubdtype(jnp.result_type(mask), jnp.bool):
        raise Unsupported(
            f"the mask is {short_dtype(jnp.result_type(mask))}: it says with bools what may be attended to.",
            "Write mask > 0; numbers to add to the scores are bias=.",
        )
    if causal is None:
        return mask
    pair = Dims([causal, *over])
    queries, keys = (shape[scores.index(d)] for d in pair)
    past = align(jnp.tril(jnp.ones((queries, keys), bool), keys - queries), pair, scores)
    return past if mask is None else jnp.logical_and(mask, past)


def _hide(z: Any, allowed: Any) -> Any:
    """A large negative number and not -inf, so that a row with nothing allowed is no NaN."""
    if allowed is None:
        return z
    return jnp.where(allowed, z, jnp.asarray(-0.7 * jnp.finfo(z.dtype).max, z.dtype))


def _parse(over: Any, features: Any, causal: Any, roles: tuple[str, ...]) -> tuple:
    if causal is not None and not isinstance(causal, str):
        raise BadPattern(f"causal={shown(causal)} does not say which dim.", "Write causal='pos'.")
    causal = None if causal is None else check_name(causal)
    return some(over), some(features, "features"), causal, roles


_attention = Operation("nn.attention", _rule, ("over", "features", "causal"), _parse)


def attention(
    query: NamedTensor,
    key: NamedTensor,
    value: NamedTensor,
    *,
    over: Spec,
    features: Spec,
    mask: NamedTensor | bool | None = None,
    bias: NamedTensor | float | None = None,
    scale: NamedTensor | float | None = None,
    causal: str | None = None,
) -> NamedTensor:
    """``softmax(query . key * scale + bias)`` over ``over``, times ``value``.

    ``query . key`` sums over ``features``. All other names that operands share are matched pointwise:
    batches and heads need no mention, and grouped-query attention is names alone, a ``group`` that only
    the query has::

        query[batch kv_head group pos head_dim]   key, value[batch kv_head key_pos head_dim]

    Args:
      query: ``[batch head pos head_dim]`` in any order, floating.
      key: ``[batch head key_pos head_dim]``.
      value: ``[batch head key_pos head_dim]``; its last dim may have another name and size.
      over: the sequence dim of key and value, ``"key_pos"``, which the query lacks.
      features: the dim of query and key that is summed over, ``"head_dim"``.
      mask: bools with any of the dims of the scores (those of query and key without ``features``); True
        where a query may attend to a key.
      bias: numbers with any of the dims of the scores, added to them.
      scale: a number, or one for each head; ``1 / sqrt(size of features)`` by default.
      causal: the query's sequence dim, ``"pos"``: position i attends to the key positions up to
        ``i + (keys - queries)``, so that the last query sees all keys, with or without a cache.

    Returns:
      The query's dims without ``features``, and the value's other dims, in the dtype that query, key and
      value promote to. Half precision has its scores and its softmax in float32. A query that may attend
      to no key gets the mean of all values, as in `jax.nn.dot_product_attention`.

    Raises:
      UnknownDim: key or value lacks ``over``, query or key lacks ``features``, or a mask or bias has a
        dim that the scores lack.
      DuplicateDim: the query has the dim ``over``.
      BadPattern: ``causal`` is not a dim of the query alone.
      Unsupported: a mask that is not boolean, or operands that are not floating.
      SizeMismatch: a shared name with two sizes.

    References:
      Vaswani et al. 2017, Attention is all you need, arXiv:1706.03762.
      Ainslie et al. 2023, GQA, arXiv:2305.13245.

    Example:
      >>> import namedtensor as nt
      >>> x = nt.ones("batch:2 head:4 pos:5 head_dim:8")
      >>> key = x.rename(pos="key_pos")
      >>> y = nt.nn.attention(x, key, key, over="key_pos", features="head_dim", causal="pos")
      >>> y.shape
      Shape(batch:2 head:4 pos:5 head_dim:8)
    """
    extra = {"mask": mask, "bias": bias, "scale": scale}
    roles = tuple(role for role, operand in extra.items() if operand is not None)
    operands = (query, key, value, *(extra[role] for role in roles))
    return run(_attention, operands, (over, features, causal, roles))
