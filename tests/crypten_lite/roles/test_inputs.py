"""Inputs in files come back as they were written, and what a peer says of its own is believed in nothing."""

import json
import os
import re
import stat

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import namedtensor as nt
from crypten_lite.errors import ConfigError
from crypten_lite.processes.results import Results, reread
from crypten_lite.roles import inputs
from crypten_lite.roles.trees import flatten, unflatten

ONES = np.ones(2, np.float32)


def same(a, b):
    assert jax.tree.structure(a) == jax.tree.structure(b)
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        assert np.asarray(x).dtype == np.asarray(y).dtype
        np.testing.assert_array_equal(x, y)


TREES = {
    "one array": {"image": np.arange(6.0).reshape(2, 3)},
    "nested": {"model": {"dense": {"w": ONES, "b": np.zeros((), np.int32)}}, "rate": np.array(True)},
    "lists": {"layers": [{"w": ONES}, [ONES, 2 * ONES]]},
    "more than ten": {"layers": [ONES * i for i in range(12)]},
    "names": {"image": nt.tensor(np.ones((2, 3), np.float32), "row col"), "x": nt.tensor(ONES, "seq'")},
    "a named number": {"x": nt.tensor(np.float32(3), "")},
    "digits are keys": {"x": {"0": ONES, "1": ONES}, "0": ONES},
    "special keys": {"a/b": {"[x]": ONES, "100%": ONES, "": ONES}, "file": ONES, "allow_pickle": ONES},
    "gaps": {"x": {"1": ONES, "2": ONES}},
    "none": {},
    "empty arrays": {"x": np.zeros((0, 3), np.float32)},
}


@pytest.mark.parametrize("tree", TREES.values(), ids=TREES)
def test_a_tree_comes_back_from_a_file(tree, tmp_path):
    inputs.write(tmp_path / "x.npz", tree)
    same(inputs.read(tmp_path / "x.npz"), tree)


@pytest.mark.parametrize("tree", TREES.values(), ids=TREES)
def test_a_tree_comes_back_from_its_description_in_shape(tree):
    described = json.loads(json.dumps(inputs.describe(tree)))
    shapes = inputs.specs(described)
    assert inputs.describe(shapes) == described
    same(jax.tree.map(lambda s: np.zeros(s.shape, s.dtype), shapes), jax.tree.map(np.zeros_like, tree))


def test_what_changes_on_its_way_through_a_file(tmp_path):
    inputs.write(
        tmp_path / "x.npz",
        {
            "t": (ONES, 2.5),
            "i": {0: ONES, 1: ONES},
            "b": jnp.ones(2, jnp.bfloat16),
            "h": jnp.ones(1, jnp.int4),
        },
    )
    found = inputs.read(tmp_path / "x.npz")
    same(found, {"t": [ONES, np.float64(2.5)], "i": [ONES, ONES], "b": ONES, "h": np.ones(1, np.int8)})


def test_files_of_numpy_are_read_in_this_machines_order_of_bytes(tmp_path):
    np.savez_compressed(tmp_path / "x.npz", **{"image[row, col]": np.ones((2, 3), ">f4")})
    found = inputs.read(tmp_path / "x.npz")["image"]
    assert found.dims == ("row", "col")
    assert found.dtype == np.dtype("float32")
    assert found.dtype.isnative


@pytest.mark.skipif(os.name != "posix", reason="other systems have other permissions")
def test_a_file_is_its_owners_alone_and_whole(tmp_path):
    (tmp_path / "x.npz").write_text("something that others could read")
    inputs.write(tmp_path / "x.npz", {"x": ONES})
    assert stat.S_IMODE((tmp_path / "x.npz").stat().st_mode) == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["x.npz"]


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    inputs.write(tmp_path / "x.npz", {"x": ONES})

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np.lib.format, "write_array", full)
    with pytest.raises(OSError, match="No space left"):
        inputs.write(tmp_path / "x.npz", {"x": 2 * ONES})
    monkeypatch.undo()
    same(inputs.read(tmp_path / "x.npz"), {"x": ONES})
    assert [p.name for p in tmp_path.iterdir()] == ["x.npz"]


UNWRITABLE = {
    "no names": ([ONES], "this is a list, without names: write a dict"),
    "text": ({"x": {"name": "bob"}}, "'x/name' is of str: only arrays of real numbers and truths"),
    "objects": ({"x": np.array([None])}, "'x' is of object: only arrays"),
    "complex": ({"x": np.ones(2, complex)}, "'x' is of complex128: only arrays"),
    "a key": ({"x": jax.random.key(0)}, "'x' is of key<fry>: only arrays"),
    "huge": ({"x": 2**70}, "'x' is of int: only arrays"),
    "masked": ({"x": np.ma.array(ONES, mask=[0, 1])}, "'x' is of float32: only arrays"),
    "an empty layer": ({"layers": [ONES, (), ONES]}, "'layers/1' holds no arrays: leave it out"),
    "None": ({"x": None, "y": ONES}, "'x' holds no arrays: leave it out"),
}


@pytest.mark.parametrize(("tree", "message"), UNWRITABLE.values(), ids=UNWRITABLE)
def test_what_is_no_input_is_refused(tree, message, tmp_path):
    for refusing in (lambda: inputs.write(tmp_path / "x.npz", tree), lambda: inputs.describe(tree)):
        with pytest.raises(TypeError, match=re.escape(message)):
            refusing()
    assert not list(tmp_path.iterdir())


def saved(**arrays):
    return lambda path: np.savez(path, **arrays)


def damaged(path):
    np.savez(path, x=np.arange(1000.0))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut(path):
    np.savez(path, x=np.arange(1000.0))
    path.write_bytes(path.read_bytes()[:-100])


def alone(path):
    with path.open("wb") as file:
        np.save(file, np.ones(3))


UNREADABLE = {
    "missing": (lambda path: None, "there is no such file: numpy.savez('x.npz', image=x) makes one."),
    "a folder": (lambda path: path.mkdir(), "this is no .npz file, or a damaged one"),
    "rubbish": (lambda path: path.write_bytes(b"secret 42" * 99), "this is no .npz file, or a damaged one"),
    "empty": (lambda path: path.touch(), "this is no .npz file, or a damaged one (EOFError)."),
    "cut": (cut, "this is no .npz file, or a damaged one (BadZipFile)."),
    "damaged": (damaged, "'x' is damaged (BadZipFile)."),
    "without a name": (alone, "one array without a name: write numpy.savez('inputs.npz', image=x)."),
    "objects": (saved(x=np.array([{"secret": 42}])), "'x' holds Python objects: inputs are arrays of"),
    "text": (saved(x=np.array(["secret 42"])), "'x' is of <U9: inputs are arrays of real numbers"),
    "complex": (saved(x=np.ones(2, complex)), "'x' is of complex128: inputs are arrays of"),
    "twice": (saved(**{"x": ONES, "x[a]": ONES}), "'x[a]' is there twice, or has arrays below it"),
    "below an array": (saved(**{"x": ONES, "x/w": ONES}), "'x/w' is below 'x', which is an array itself."),
    "above arrays": (saved(**{"x/w": ONES, "x": ONES}), "'x' is there twice, or has arrays below it"),
    "names of axes": (saved(**{"x[a,b]": ONES}), "'x[a,b]' names 2 axes, and the array has 1"),
    "a bad name": (saved(**{"x[2]": ONES}), "'x[2]': '2' is not a name"),
    "names twice": (saved(**{"x[a,a]": np.ones((2, 2))}), "'x[a,a]': 'a' stands twice"),
    "brackets": (saved(**{"x[a]/w": ONES}), "'x[a]/w' is no key: write 'image', 'dense/w' or"),
    "deep": (saved(**{"/".join("x" * 33): ONES}), "has 33 parts: 32 are allowed."),
    "long": (saved(**{"x" * 1001: ONES}), f"'{'x' * 77}...' is no key"),
}


@pytest.mark.parametrize(("make", "message"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_cannot_be_read_says_so_without_values(make, message, tmp_path):
    path = tmp_path / "x.npz"
    make(path)
    with pytest.raises(ConfigError, match=re.escape(message)) as caught:
        inputs.read(path)
    assert str(caught.value).startswith(str(path))
    assert "42" not in str(caught.value).replace(str(path), "")


UNBELIEVABLE = {
    "no table": ([1], "a list stands where a table of shapes belongs."),
    "no text": ({"x": 3}, "'x' is int: write a type and sizes, 'float32[28,28]'."),
    "no type": ({"x": "[3]"}, "'x' is '[3]': write a type"),
    "an unknown type": ({"x": "object[3]"}, "'x' is 'object[3]': write a type"),
    "a negative size": ({"x": "float32[-3]"}, "'x' is 'float32[-3]': write a type"),
    "other digits": ({"x": "float32[\u0663]"}, "write a type"),
    "what comes after": ({"x": "float32[3]\n"}, "write a type"),
    "a long text": ({"x": f"float32[{'1,' * 2000}1]"}, "write a type"),
    "many axes": ({"x": f"bool[{'1,' * 32}1]"}, "'x' has 33 axes; 32 are allowed."),
    "a huge array": ({"x": "int8[1099511627776]"}, "there are 1.10e+12 bytes; 1.10e+12 are too many."),
    "huge and empty": ({"x": "int8[0,1099511627776]"}, "bytes; 1.10e+12 are too many."),
    "huge together": ({str(i): "float32[274877907]" for i in range(1000)}, "are too many."),
    "many": ({str(i): "bool[]" for i in range(10_001)}, "there are 10001 arrays; 10000 are allowed."),
    "no text as a key": ({3: "bool[]"}, "int is no key"),
    "a key that is not printable": ({"\x1b[31m": "bool[]"}, "'?[31m' is no key"),
    "a name that is not printable": ({"%1b[31m]": "bool[]"}, "'%1b[31m]' is no key"),
    "a key in two ways": (
        {"x/ab": "bool[]", "x/a%62": "bool[]"},
        "'ab' and 'a%62' are the same key: rename one.",
    ),
    "a key in two other ways": ({"%6a": "bool[]", "%6A": "bool[]"}, "'%6a' and '%6A' are the same key"),
    "deep": ({"/".join("x" * 33): "bool[]"}, "has 33 parts: 32 are allowed."),
}


@pytest.mark.parametrize(("described", "message"), UNBELIEVABLE.values(), ids=UNBELIEVABLE)
def test_a_description_is_checked(described, message):
    with pytest.raises(ConfigError, match=re.escape(message)) as caught:
        inputs.specs(described, "the inputs of bob")
    assert str(caught.value).startswith("the inputs of bob: ")
    assert len(str(caught.value)) < 300


def test_what_a_peer_would_refuse_its_owner_hears():
    with pytest.raises(ConfigError, match="there are 10001 arrays; 10000 are allowed"):
        inputs.describe({"x": [0.0] * 10_001})


parts = st.sampled_from(["x", "y", "0", "1", "", "%30", "%6a", "%6A", "%", "%25", "a%2Fb", "é", "\x00"])
keys = st.builds(
    lambda path, dims: "/".join(path) + dims,
    st.lists(parts, min_size=1, max_size=4),
    st.sampled_from(["", "[a]", "[a,b]", "[]", "[a,a]", "[", "[1]"]),
)
texts = st.sampled_from(
    ["float32[]", "bool[3]", "int64[2,3]", "bfloat16[0,4]", "float32[3", "uint8[99999999999]"]
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | keys, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=400, deadline=None)
@given(json_values | st.dictionaries(keys, texts, max_size=5))
def test_whatever_a_peer_says_is_a_tree_of_bounded_shapes_or_an_error(described):
    try:
        tree = inputs.specs(described)
    except ConfigError as refused:
        error = str(refused)
        assert error.isprintable()
        return
    leaves = jax.tree.leaves(tree)
    assert len(leaves) == len(described)
    assert all(type(leaf) is jax.ShapeDtypeStruct for leaf in leaves)
    assert sum(np.broadcast_to(np.zeros((), s.dtype), s.shape).nbytes for s in leaves) < inputs.MOST_BYTES
    again = inputs.specs(inputs.describe(tree))
    assert jax.tree.structure(again) == jax.tree.structure(tree)
    assert jax.tree.leaves(again) == leaves


trees = st.recursive(
    st.just(1.0),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3)
        | st.dictionaries(st.text() | parts, inner, min_size=1, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.text(max_size=5) | parts, trees, max_size=4))
def test_every_tree_has_keys_that_give_it_back(tree):
    assert unflatten(flatten(tree), "the table") == tree


def test_results_are_kept_by_the_party_that_learns_them(tmp_path):
    from crypten_lite.revealing import Unrevealed

    hidden, named = Unrevealed((3,), np.float32), nt.tensor(np.ones((2, 3), np.float32), "row col")
    tree = {"scores": [jnp.ones(2), hidden], "map": named, "label": "seven", "none": None}
    results = Results.of(tree)
    assert results.describe() == [
        "map[row,col]: float32[2,3]",
        "scores/0: float32[2]",
        "scores/1: revealed to another party",
        "label: no array, so it is not kept",
        "none: no array, so it is not kept",
    ]
    results.write(tmp_path / "r.npz")
    same(inputs.read(tmp_path / "r.npz"), {"map": named, "scores": [ONES]})
    found = reread(tmp_path / "r.npz", results.hidden, has_names=True)
    assert found["scores"][1] is None
    same(found["scores"][0], ONES)
    assert "1." not in repr(results)


@pytest.mark.parametrize("tree", [ONES, [ONES, {"x": ONES}], None], ids=["array", "list", "nothing"])
def test_results_without_names_are_called_result(tree, tmp_path):
    results = Results.of(tree)
    results.write(tmp_path / "r.npz")
    same(reread(tmp_path / "r.npz", results.hidden, has_names=False), tree)
    assert set(inputs.read(tmp_path / "r.npz")) <= {"result"}
