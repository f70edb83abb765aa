"""A transformer written with names (Vaswani et al. 2017, arXiv:1706.03762).

Pre-normalised blocks and a tied read-out, as in GPT-2 (Radford et al. 2019). Heads, positions and
features are names, so there is no reshape into heads and no transpose, and a batch dim, a second
sequence or grouped heads need no other code: what is not named in a line is a batch dim of it.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax

from namedtensor import nn
from namedtensor._errors import SizeMismatch, describe
from namedtensor._tensor import NamedTensor
from namedtensor.interpreter import tap
from namedtensor.ops import random
from namedtensor.ops.factories import ones, zeros


class Sizes(NamedTuple):
    """The sizes of the dims, and how many blocks there are."""

    vocab: int = 256
    pos: int = 128
    embed: int = 64
    head: int = 4
    key: int = 16
    ff: int = 256
    layers: int = 12


def init(key: jax.Array, sizes: Sizes = Sizes()) -> dict[str, Any]:  # noqa: B008  (immutable)
    """Parameters of normal weights, 0.02 wide as in GPT-2.

    Returns:
      ``{"embedding": [vocab embed], "positions": [pos embed], "norm": ..., "blocks": (...)}``.
    """
    keys = jax.random.split(key, sizes.layers + 2)
    return {
        "embedding": _weight(keys[0], sizes, "vocab embed"),
        "positions": _weight(keys[1], sizes, "pos embed"),
        "norm": _norm(sizes),
        "blocks": tuple(_block(k, sizes) for k in keys[2:]),
    }


def _shape(sizes: Sizes, names: str) -> str:
    return " ".join(f"{name}:{getattr(sizes, name)}" for name in names.split())


def _weight(key: jax.Array, sizes: Sizes, names: str) -> NamedTensor:
    return 0.02 * random.normal(key, _shape(sizes, names))


def _norm(sizes: Sizes) -> dict[str, NamedTensor]:
    return {"scale": ones(_shape(sizes, "embed")), "offset": zeros(_shape(sizes, "embed"))}


def _block(key: jax.Array, sizes: Sizes) -> dict[str, Any]:
    query, keys, value, out, up, down = jax.random.split(key, 6)
    return {
        "attention": {
            "norm": _norm(sizes),
            "query": _weight(query, sizes, "embed head key"),
            "key": _weight(keys, sizes, "embed head key"),
            "value": _weight(value, sizes, "embed head key"),
            "out": _weight(out, sizes, "head key embed"),
        },
        "mlp": {
            "norm": _norm(sizes),
            "up": _weight(up, sizes, "embed ff"),
            "up.bias": zeros(_shape(sizes, "ff")),
            "down": _weight(down, sizes, "ff embed"),
            "down.bias": zeros(_shape(sizes, "embed")),
        },
    }


def attention(params: Mapping[str, Any], x: NamedTensor, *, causal: bool = True) -> NamedTensor:
    """Self-attention of ``x`` ``[... pos embed]``, normalised first; the same names come out."""
    x = nn.layer_norm(x, params["norm"]["scale"], params["norm"]["offset"], over="embed")
    past = x.rename(pos="past")  # the sequence once more, as what is attended to
    mixed = nn.attention(
        x.dot("embed", params["query"]),
        past.dot("embed", params["key"]),
        past.dot("embed", params["value"]),
        over="past",
        features="key",
        causal="pos" if causal else None,
    )
    return mixed.dot("head key", params["out"])


def mlp(params: Mapping[str, Any], x: NamedTensor) -> NamedTensor:
    """The position-wise feed-forward network of ``x`` ``[... embed]``, normalised first."""
    x = nn.layer_norm(x, params["norm"]["scale"], params["norm"]["offset"], over="embed")
    hidden = nn.linear(x, params["up"], params["up.bias"], over="embed").gelu()
    return nn.linear(hidden, params["down"], params["down.bias"], over="ff")


def block(params: Mapping[str, Any], x: NamedTensor, place: str, *, causal: bool = True) -> NamedTensor:
    """One layer: attention and feed-forward, each added to what it reads; taps ``place/attention`` ..."""
    x = x + tap(attention(params["attention"], x, causal=causal), f"{place}/attention")
    return tap(x + tap(mlp(params["mlp"], x), f"{place}/mlp"), place)


def embed(params: Mapping[str, Any], ids: NamedTensor) -> NamedTensor:
    """Token and position embeddings ``[... pos embed]`` of token numbers ``[... pos]``.

    Raises:
      SizeMismatch: the sequence is longer than the positions that the parameters have.
    """
    length, longest = ids.shape["pos"], params["positions"].shape["pos"]
    if length > longest:
        raise SizeMismatch(
            f"{describe(ids)} has {length} positions, the parameters have {longest}.",
            f"Cut it: ids.isel(pos=slice({longest})).",
        )
    return params["embedding"].isel(vocab=ids) + params["positions"].isel(pos=slice(length))


def encode(params: Mapping[str, Any], x: NamedTensor, *, causal: bool = True) -> NamedTensor:
    """All blocks over embeddings ``[... pos embed]``, and the last norm."""
    for i, layer in enumerate(params["blocks"]):
        x = block(layer, x, f"block{i}", causal=causal)
    return nn.layer_norm(x, params["norm"]["scale"], params["norm"]["offset"], over="embed")


def apply(params: Mapping[str, Any], ids: NamedTensor, *, causal: bool = True) -> NamedTensor:
    """Logits ``[... pos vocab]`` of the next token, of token numbers ``[... pos]``.

    Taps: ``embedding``, ``block0`` ... (the stream after each block), ``block0/attention`` and
    ``block0/mlp`` (what each adds to it) ..., ``logits``.

    Args:
      params: from `init`.
      ids: token numbers; all names but ``pos`` are batch dims.
      causal: each position sees itself and those before it.

    Example:
      >>> import jax, namedtensor as nt
      >>> from namedtensor.models import transformer
      >>> params = transformer.init(jax.random.key(0), transformer.Sizes(layers=2))
      >>> ids = nt.random.randint(jax.random.key(1), "batch:3 pos:7", 0, 256)
      >>> transformer.apply(params, ids).shape
      Shape(batch:3 pos:7 vocab:256)
    """
    x = tap(embed(params, ids), "embedding")
    logits = encode(params, x, causal=causal).dot("embed", params["embedding"])
    return tap(logits, "logits")


def loss(params: Mapping[str, Any], ids: NamedTensor) -> NamedTensor:
    """Mean cross-entropy of each next token, a scalar."""
    logits = apply(params, ids.isel(pos=slice(None, -1)))
    return nn.cross_entropy(logits, ids.isel(pos=slice(1, None)), "vocab").mean()
