"""Files that are damaged, hostile, or in several parts: one clear error each, and no crash."""

import os

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import namedtensor as nt
from namedtensor.interop.onnx import MalformedModel, OnnxError, UnsupportedOperators, load
from tests.namedtensor.onnx.build import model, node, value

X, Y = value("x", [2]), value("y", [2])
WEIGHTS = np.random.default_rng(0).normal(size=2).astype(np.float32)


def adding(name="w"):
    return model([node("Add", "x w", "y", "add")], [X], [Y], {name: WEIGHTS})


def outside(folder, **changed):
    """The model with its weights in a file beside it."""
    proto = adding()
    onnx.external_data_helper.convert_model_to_external_data(proto, location="weights.bin", size_threshold=0)
    path = folder / "model.onnx"
    onnx.save(proto, path)
    proto = onnx.load(path, load_external_data=False)
    for entry in proto.graph.initializer[0].external_data:
        entry.value = changed.get(entry.key, entry.value)
    path.write_bytes(proto.SerializeToString())
    return path


def test_a_path_bytes_and_a_record_are_the_same_model(tmp_path):
    proto = adding()
    (tmp_path / "m.onnx").write_bytes(proto.SerializeToString())
    for source in (proto, proto.SerializeToString(), tmp_path / "m.onnx", str(tmp_path / "m.onnx")):
        np.testing.assert_array_equal(load(source)(np.ones(2, np.float32)), 1 + WEIGHTS)


def test_weights_in_a_file_beside_it(tmp_path):
    np.testing.assert_array_equal(load(outside(tmp_path))(np.zeros(2, np.float32)), WEIGHTS)


def test_their_bytes_alone_are_not_enough(tmp_path):
    with pytest.raises(MalformedModel, match=r"1 tensors in other files, such as 'w': give the path"):
        load(outside(tmp_path).read_bytes())


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"location": "../secret.bin"}, r"lie at '\.\./secret\.bin', outside the folder"),
        ({"location": "/etc/passwd"}, r"lie at '/etc/passwd', outside the folder"),
        ({"location": "gone.bin"}, r"lie in 'gone\.bin', which is not there"),
        ({"length": "800"}, r"should be bytes 0 to 800 of 'weights\.bin', which has 8"),
        ({"length": "-1"}, r"should be bytes 0 to -1"),
        ({"offset": "4096"}, r"should be bytes 4096 to 4104 of 'weights\.bin', which has 8"),
        ({"length": "many"}, r"'many' is no number of bytes"),
    ],
)
def test_parts_that_lie_elsewhere(tmp_path, changed, message):
    (tmp_path / "inner").mkdir()
    (tmp_path / "secret.bin").write_bytes(bytes(8))
    path = outside(tmp_path / "inner")
    proto = onnx.load(path, load_external_data=False)
    for key in set(changed) - {entry.key for entry in proto.graph.initializer[0].external_data}:
        proto.graph.initializer[0].external_data.add(key=key, value=changed[key])
    for entry in proto.graph.initializer[0].external_data:
        entry.value = changed.get(entry.key, entry.value)
    path.write_bytes(proto.SerializeToString())
    with pytest.raises(MalformedModel, match=message):
        load(path)


def test_a_link_out_of_the_folder(tmp_path):
    (tmp_path / "inner").mkdir()
    path = outside(tmp_path / "inner")
    os.replace(tmp_path / "inner/weights.bin", tmp_path / "elsewhere.bin")
    (tmp_path / "inner/weights.bin").symlink_to(tmp_path / "elsewhere.bin")
    with pytest.raises(MalformedModel, match="outside the folder"):
        load(path)


@pytest.mark.parametrize("kept", [0, 1, 10, 50, 90])
def test_a_truncated_file(tmp_path, kept):
    data = adding().SerializeToString()
    (tmp_path / "m.onnx").write_bytes(data[: kept * len(data) // 100])
    with pytest.raises(MalformedModel, match=r"m\.onnx: no ONNX model"):
        load(tmp_path / "m.onnx")


def test_a_file_of_anything(tmp_path):
    rng = np.random.default_rng(1)
    for size in (3, 100, 1000):
        with pytest.raises(MalformedModel):
            load(rng.integers(0, 256, size, np.uint8).tobytes())


def test_every_damaged_byte_is_read_or_refused():
    """No other error than ours, whatever a file says."""
    data, rng = adding().SerializeToString(), np.random.default_rng(2)
    refused = 0
    for _ in range(1000):
        bad = bytearray(data)
        for i in rng.integers(0, len(data), 3):
            bad[i] = rng.integers(0, 256)
        try:
            load(bytes(bad))
        except OnnxError:
            refused += 1
    assert 0 < refused < 1000


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        (3, TypeError, r"takes a path, bytes or an onnx\.ModelProto, not int"),
        ("nowhere.onnx", FileNotFoundError, "there is no file nowhere.onnx"),
        (".", MalformedModel, "is a folder: give the .onnx file in it"),
    ],
)
def test_no_file(source, error, message):
    with pytest.raises(error, match=message):
        load(source)


def cycle():
    return model(
        [node("Add", "x b", "a", "one"), node("Add", "a x", "b", "two"), node("Relu", "b", "y")], [X], [Y]
    )


def unsorted():
    return model([node("Relu", "a", "y"), node("Neg", "x", "a")], [X], [Y])


def test_nodes_are_put_in_order():
    np.testing.assert_array_equal(load(unsorted())(np.array([-1, 1], np.float32)), [1, 0])


def tensor(dims, raw, kind=TensorProto.FLOAT):
    proto = adding()
    proto.graph.initializer[0].CopyFrom(TensorProto(name="w", dims=dims, raw_data=raw, data_type=kind))
    return proto


def nested(depth):
    graph = helper.make_graph([node("Identity", "x", f"y{depth}")], "leaf", [], [value(f"y{depth}", [2])])
    for i in reversed(range(depth)):
        leaf = helper.make_graph([node("Identity", "x", f"z{i}")], "leaf", [], [value(f"z{i}", [2])])
        inner = node("If", "c", f"y{i}", then_branch=graph, else_branch=leaf)
        graph = helper.make_graph([inner], "branch", [], [value(f"y{i}", [2])])
    proto = model([], [X, value("c", [], TensorProto.BOOL)], [Y])
    proto.graph.node.extend(graph.node)
    proto.graph.output[0].name = "y0"
    return proto


def calling_itself():
    again = helper.make_function(
        "my", "F", ["x"], ["y"], [node("F", "x", "y", domain="my")], [helper.make_opsetid("my", 1)]
    )
    return model([node("F", "x", "y", domain="my")], [X], [Y], functions=[again], domains=["my"])


def laughing(functions=30):
    """Each function calls the next one twice: a billion nodes in a kilobyte."""
    domain = [helper.make_opsetid("my", 1), helper.make_opsetid("", 20)]
    bodies = [
        helper.make_function(
            "my",
            f"F{i}",
            ["x"],
            ["y"],
            [node(f"F{i + 1}", "x", "a", domain="my"), node(f"F{i + 1}", "a", "y", domain="my")],
            domain,
        )
        for i in range(functions)
    ]
    bodies.append(helper.make_function("my", f"F{functions}", ["x"], ["y"], [node("Neg", "x", "y")], domain))
    return model([node("F0", "x", "y", domain="my")], [X], [Y], functions=bodies, domains=["my"])


@pytest.mark.parametrize(
    ("proto", "message"),
    [
        (cycle(), r"the nodes 'one', 'two', 'y' wait for each other: a cycle"),
        (model([node("Add", "x nothing", "y", "add")], [X], [Y]), r"node 'add' \(Add\) reads 'nothing', which nothing makes"),
        (model([node("Relu", "x", "z")], [X], [Y]), r"the output 'y' is made by no node"),
        (model([node("Relu", "x", "y"), node("Neg", "x", "y")], [X], [Y]), r"the value 'y' is made twice"),
        (tensor([2], bytes(4)), r"the tensor 'w': its shape \(2,\) needs 8 bytes, there are 4"),
        (tensor([2**40, 2**20], bytes(8)), r"the tensor 'w': an array of shape .* elements: more than"),
        (tensor([-2], bytes(8)), r"the tensor 'w': the shape \(-2,\) has a negative size"),
        (tensor([2], bytes(8), 99), r"the tensor 'w': 99 is the number of no data type"),
        (calling_itself(), r"the function 'my\.F' calls itself"),
        (laughing(100), r"functions that call functions, more than 64 deep"),
        (laughing(), r"the functions of this model make \d+ nodes"),
        (nested(20), r"graphs within graphs, more than 16 deep"),
    ],
    ids=["cycle", "nothing", "output", "twice", "bytes", "absurd", "negative", "dtype", "recursion", "chain", "laughs", "nested"],
)  # fmt: skip
def test_graphs_that_cannot_be(proto, message):
    with pytest.raises(OnnxError, match=message):
        load(proto)


def test_a_shape_of_absurd_size_is_refused_before_it_is_made():
    sizes = {"n": np.array([2**20, 2**20])}
    proto = model([node("ConstantOfShape", "n", "y", "big")], [], [value("y", None)], sizes)
    with pytest.raises(OnnxError, match=r"node 'big' \(ConstantOfShape\).*has 1\.1e\+12 elements"):
        load(proto)()


def test_all_unknown_operators_are_named_at_once():
    nodes = [
        node("Frobnicate", "x", "a", "f1", domain="my"),
        node("Frobnicate", "a", "b", "f2", domain="my"),
        node("Bernoulli", "b", "y", "coin"),
    ]
    with pytest.raises(UnsupportedOperators) as found:
        load(model(nodes, [X], [Y], domains=["my"]))
    assert found.value.operators.keys() >= {"my.Frobnicate"}
    assert found.value.operators["my.Frobnicate"] == ["f1", "f2"]
    assert "my.Frobnicate: 'f1', 'f2'" in str(found.value)
    assert "namedtensor.interop.onnx.operator" in str(found.value)


def test_an_attribute_that_is_unknown_is_not_ignored():
    with pytest.raises(UnsupportedOperators, match=r"LeakyRelu \(its attribute slope is unknown\): 'y'"):
        load(model([node("LeakyRelu", "x", "y", slope=0.3)], [X], [Y]))


def test_a_missing_package_says_how_to_install_it(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(
        ImportError, match=r"onnx is not installed: pip install 'namedtensor-workbench\[onnx\]'"
    ):
        nt.interop.onnx.load(b"")
