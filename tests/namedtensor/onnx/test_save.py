"""What a saved file is called inside, what is refused, and that a broken run leaves the old file."""

import jax
import jax.numpy as jnp
import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import namedtensor as nt
from namedtensor.interop.onnx.writing import files, save, supported, verify
from namedtensor.interpreter import UnsupportedPrimitiveError
from tests.namedtensor.onnx.running import agrees, session

X = np.random.default_rng(2).normal(size=(2, 4)).astype(np.float32)
W = np.random.default_rng(3).normal(size=(4, 3)).astype(np.float32)


def layers(params, x):
    with jax.named_scope("encoder"):
        h = jnp.tanh(x @ params["encoder"]["kernel"] + params["encoder"]["bias"][None])
    h = nt.tap(h * 2, "encoder/hidden")
    return nt.tap(h.sum(1), "score")


PARAMS = {"encoder": {"kernel": W, "bias": W[0]}, "unused": np.ones(2, np.float32)}


def graph(saved):
    return onnx.load(saved.path).graph


def values(node_graph):
    return {name for node in node_graph.node for name in node.output}


def dims(info):
    return [(d.dim_param or d.dim_value, d.denotation) for d in info.type.tensor_type.shape.dim]


def test_the_record_and_the_file_say_the_same(tmp_path):
    saved = save(layers, PARAMS, X, tmp_path / "f.onnx")
    model = onnx.load(saved.path)
    assert saved.inputs == tuple(i.name for i in model.graph.input) == ("x",)
    assert saved.outputs == tuple(o.name for o in model.graph.output) == ("score",)
    assert saved.parameters == tuple(t.name for t in model.graph.initializer)
    assert saved.nodes == len(model.graph.node)
    assert saved.bytes == saved.path.stat().st_size
    assert (saved.opset, model.ir_version) == (model.opset_import[0].version, 8)
    assert model.producer_name == "namedtensor"
    assert saved.path == tmp_path / "f.onnx"


def test_parameters_are_called_by_their_paths_and_only_those_that_are_read_are_there(tmp_path):
    saved = save(layers, PARAMS, X, tmp_path / "f.onnx")
    stored = {t.name: numpy_helper.to_array(t) for t in graph(saved).initializer}
    assert sorted(stored) == ["encoder/bias", "encoder/kernel"]
    np.testing.assert_array_equal(stored["encoder/kernel"], W)


def test_layers_have_the_names_of_the_function(tmp_path):
    saved = save(layers, PARAMS, X, tmp_path / "f.onnx")
    assert set(saved.layers) == set(nt.list_taps(layers, PARAMS, X)) == {"encoder", "encoder/hidden", "score"}
    assert set(saved.layers) <= values(graph(saved))
    assert {n.name for n in graph(saved).node if n.output[0] in saved.layers} == set(saved.layers)
    assert "encoder/MatMul" in {n.name for n in graph(saved).node}


def test_a_layer_can_be_replaced_and_what_follows_reads_it(tmp_path):
    saved = save(layers, PARAMS, X, tmp_path / "f.onnx")
    model = onnx.load(saved.path)
    cut = onnx.utils.Extractor(model).extract_model(["encoder/hidden"], ["score"])
    onnx.save(cut, tmp_path / "cut.onnx")
    new = np.arange(6, dtype=np.float32).reshape(2, 3)
    (found,) = session(tmp_path / "cut.onnx").run(None, {"encoder/hidden": new})
    np.testing.assert_array_equal(found, new.sum(1))


def test_a_place_passed_twice_has_two_numbered_layers(tmp_path):
    def f(params, x):
        return nt.tap(nt.tap(x * 2, "again") + 1, "again")

    assert (
        save(f, None, X, tmp_path / "f.onnx").layers
        == ("again#1", "again#2")
        == tuple(nt.list_taps(f, None, X))
    )


def test_a_layer_keeps_its_name_and_a_parameter_gives_way(tmp_path):
    def f(params, x):
        return nt.tap(x @ params["dense"], "dense") + 1

    saved = save(f, {"dense": W}, X, tmp_path / "f.onnx")
    assert (saved.layers, saved.parameters) == (("dense",), ("params/dense",))


def test_names_of_dims_are_kept(tmp_path):
    x, w = nt.tensor(X, "batch pixel"), nt.tensor(W, "pixel unit")
    saved = save(lambda w, x: nt.tap(x.dot("pixel", w), "hidden") * 2, w, x, tmp_path / "f.onnx")
    g = graph(saved)
    assert dims(g.input[0]) == [(2, "batch"), (4, "pixel")]
    assert dims(g.output[0]) == [(2, "batch"), (3, "unit")]
    assert [dims(v) for v in g.value_info if v.name == "hidden"] == [[(2, "batch"), (3, "unit")]]


def test_trees_of_inputs_and_outputs(tmp_path):
    def f(params, batch, *more, scale=2.0):
        return {
            "sum": batch["a"] + batch["b"][0],
            "same": more[0],
            "twice": (more[0], more[0]),
            "one": jnp.float32(1),
        }

    inputs = ({"a": X, "b": [X * 3]}, X)
    saved = save(f, None, inputs, tmp_path / "f.onnx")
    assert saved.inputs == ("batch/a", "batch/b/0", "input_1")
    assert saved.outputs == ("one", "same", "sum", "twice/0", "twice/1")
    agrees(saved, lambda *inputs: f(None, *inputs), None, inputs)


def test_what_is_known_is_folded(tmp_path):
    table = np.arange(12, dtype=np.float32).reshape(3, 4)

    def f(params, x):
        mask = jnp.tril(jnp.ones((4, 4), bool)) & (jnp.arange(4)[None] > 0)
        return jnp.where(mask, x @ jnp.asarray(table.T) @ params["kernel"].T, 0.0)

    params = {"kernel": np.ones((4, 3), np.float32)}
    saved = save(f, params, np.ones((4, 4), np.float32), tmp_path / "f.onnx")
    ops = [n.op_type for n in graph(saved).node]
    assert sorted(op for op in ops if op != "Constant") == ["MatMul", "MatMul", "Where"]
    (kernel,) = (t for t in graph(saved).initializer if t.name == "kernel")
    assert tuple(kernel.dims) == (3, 4)  # in the layout in which it is read


def test_a_parameter_that_two_read_is_stored_once(tmp_path):
    saved = save(lambda w, x: x @ w @ w.T, W, X, tmp_path / "f.onnx")
    assert [tuple(t.dims) for t in graph(saved).initializer] == [(4, 3)]


def test_data_beside_the_file(tmp_path):
    params = {"large": np.random.default_rng(4).normal(size=(4, 1000)).astype(np.float32), "small": X[0]}
    f = lambda p, x: (x + p["small"][None]) @ p["large"]  # noqa: E731
    saved = save(f, params, X, tmp_path / "f.onnx", external=True)
    data = tmp_path / "f.onnx.data"
    assert (data.stat().st_size, saved.bytes) == (16000, 16000 + saved.path.stat().st_size)
    assert saved.path.stat().st_size < 2000
    agrees(saved, f, params, (X,))
    assert {p.name for p in tmp_path.iterdir()} == {"f.onnx", "f.onnx.data"}


def test_large_parameters_go_beside_the_file_by_themselves(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "LARGEST", 10)
    monkeypatch.setattr(files, "_SMALL", 10)
    save(lambda w, x: x @ w, W, X, tmp_path / "f.onnx")
    assert (tmp_path / "f.onnx.data").exists()
    with pytest.raises(ValueError, match="leave external=None"):
        save(lambda w, x: x @ w, W, X, tmp_path / "g.onnx", external=False)


def test_a_broken_run_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "f.onnx"
    save(layers, PARAMS, X, path)
    before = path.read_bytes()

    def broken(part):
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(verify, "standard", broken)
    with pytest.raises(RuntimeError, match="the disk is full"):
        save(lambda p, x: x + 1, None, X, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_the_check_compares_with_the_function(tmp_path):
    def honest(params, x):
        return x * 2

    def changing(params, x):
        return x * (2 if isinstance(x, jax.core.Tracer) else 3)

    save(honest, None, X, tmp_path / "f.onnx", check=True)
    with pytest.raises(
        ValueError, match=r"'output' of the file differs from the function's by .* nothing was written"
    ):
        save(changing, None, X, tmp_path / "g.onnx", check=True)
    assert not (tmp_path / "g.onnx").exists()


def test_the_check_draws_inputs_where_it_only_knows_shapes(tmp_path):
    shape = jax.ShapeDtypeStruct((2, 3), jnp.int32)
    saved = save(lambda w, i: w[i], W, shape, tmp_path / "f.onnx", check=True, dynamic={0: "batch"})
    agrees(saved, lambda w, i: jnp.asarray(w)[i], W, (np.zeros((5, 3), np.int32),))


def many(params, x):
    x = jnp.linalg.cholesky(x @ x.T) + jax.random.normal(
        jax.random.key(0), (2, 2)
    )  # the key is known: folded
    x = x + jax.random.normal(params["key"], (2, 2)) + jnp.fft.fft(x).real
    return jax.lax.bitcast_convert_type(x, jnp.int32) + jax.grad(
        lambda v: jax.lax.reduce_window(v, -jnp.inf, jax.lax.max, (2, 2), (1, 1), "SAME").sum()
    )(x)


def test_all_that_cannot_be_written_is_named_at_once(tmp_path):
    def f(params, x, seed):
        return many({"key": jax.random.key(seed)}, x)

    with pytest.raises(UnsupportedPrimitiveError) as caught:
        save(f, None, (X, np.int32(0)), tmp_path / "f.onnx")
    text = str(caught.value)
    assert "nt.interop.onnx.save cannot write" in text
    assert "nothing was written" in text
    for part in (
        "cholesky at test_save.py:",
        "ONNX has no operators for linear algebra",
        "random_bits at test_save.py:",
        "draw outside and give them to the function as an input",
        "fft at test_save.py:",
        "ONNX files have no complex numbers",
        "bitcast_convert_type at test_save.py:",
        "select_and_scatter_add at test_save.py:",
        "only forward functions are written",
        "@rule('name')",
    ):
        assert part in text
    assert list(tmp_path.iterdir()) == []


PARTLY = {
    "an int convolution": (lambda x: jax.lax.conv(x[None, None].astype(jnp.int32), jnp.ones((1, 1, 2, 2), jnp.int32), (1, 1), "SAME"), "ONNX convolves floats"),
    "a product of bools": (lambda x: jax.lax.dot(x > 0, (x > 0).T), "a product of matrices of bools"),
    "bits reduced": (lambda x: jax.lax.reduce_or(x.astype(jnp.int32), (0,)), "a reduction of the bits of int32"),
    "precision": (lambda x: jax.lax.reduce_precision(x, 4, 3), "no type has 4 bits of exponent and 3 of mantissa"),
    "own reduction": (lambda x: jax.lax.reduce(x, np.float32(0), lambda a, b: a + b * b, (0,)), "a reduction by a function of its own"),
    "own window": (lambda x: jax.lax.reduce_window(x, np.float32(0), lambda a, b: a + b * b, (2, 2), (1, 1), "SAME"), "a window of a function of its own"),
    "a wide window": (lambda x: jax.lax.reduce_window(jnp.tile(x.ravel(), 40).astype(jnp.int32), 0, jax.lax.add, (200,), (1,), "SAME"), "a window of 200 elements"),
    "complex": (lambda x: (x + 1j * x).real, "there is no rule for it"),
}  # fmt: skip


@pytest.mark.parametrize(("f", "part"), PARTLY.values(), ids=PARTLY)
def test_what_a_rule_refuses(f, part, tmp_path):
    with pytest.raises(UnsupportedPrimitiveError) as caught:
        save(lambda params, x: f(x), None, X, tmp_path / "f.onnx")
    assert part in str(caught.value)
    assert "test_save.py:" in str(caught.value)


def test_an_unsupported_equation_inside_a_body_is_found(tmp_path):
    def f(params, x):
        return jax.lax.scan(lambda c, r: (c, jnp.fft.fft(r).real), 0.0, x)[1]

    with pytest.raises(UnsupportedPrimitiveError, match=r"fft at test_save\.py"):
        save(f, None, X, tmp_path / "f.onnx")


def test_places_that_are_no_onnx_files(tmp_path):
    with pytest.raises(ValueError, match=r"'f\.pt' should end in \.onnx"):
        save(layers, PARAMS, X, tmp_path / "f.pt")
    with pytest.raises(FileNotFoundError, match="there is no directory"):
        save(layers, PARAMS, X, tmp_path / "none" / "f.onnx")


def test_without_onnxruntime_the_check_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    with pytest.raises(ImportError, match=r"onnxruntime is not installed, .* pip install onnxruntime"):
        save(layers, PARAMS, X, tmp_path / "f.onnx", check=True)


def test_the_list_of_primitives():
    names = supported()
    assert list(names) == sorted(names)
    assert {"dot_general", "conv_general_dilated", "scan", "while", "cond", "jit", "custom_jvp_call"} <= set(
        names
    )
    assert not {"fft", "cholesky", "random_bits"} & set(names)


def test_numbers_among_the_parameters_are_constants(tmp_path):
    params = {"w": W, "scale": 3.0, "power": 2}
    f = lambda p, x: (x @ p["w"]) ** p["power"] * p["scale"]  # noqa: E731
    saved = save(f, params, X, tmp_path / "f.onnx")
    assert saved.parameters == ("w",)
    agrees(saved, f, params, (X,))


def test_numbers_of_64_bits_are_those_that_jax_makes_of_them(tmp_path):
    w, x = W.astype(np.float64), X.astype(np.float64)
    saved = save(lambda w, x: x @ w, w, x, tmp_path / "f.onnx", dynamic={0: "batch"})
    assert [i.type.tensor_type.elem_type for i in graph(saved).input] == [onnx.TensorProto.FLOAT]
    agrees(saved, lambda w, x: x @ w, w, (X,))
