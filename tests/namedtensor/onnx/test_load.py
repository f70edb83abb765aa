"""A loaded model is a JAX function: of its parameters and inputs, with names, places and derivatives.

What it computes is compared with onnxruntime, and with the same network written by hand.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from onnx import helper, numpy_helper

import crypten_lite as ct
import namedtensor as nt
from captum_lite import LRP, DeepLift, IntegratedGradients, Saliency
from namedtensor.interop.onnx import OnnxError, load
from tests.namedtensor.onnx.build import model, network, node, runtime, value

RNG = np.random.default_rng(5)
IMAGES, BASELINES = RNG.normal(size=(2, 2, 3, 8, 8)).astype(np.float32)
PROTO = network(np.random.default_rng(3))
MODEL = load(PROTO)
SINGLE = load(network(np.random.default_rng(3), batch=1))
PLACES = {"/stem": "stem", "/stem/relu/Relu": "stem", "/block/Add": "sum", "/block": "block", "/pool": "pool"}


def by_hand(params, x):
    """The network of `build.network`."""

    def conv(x, name, stride):
        dims = ("NCHW", "OIHW", "NCHW")
        y = jax.lax.conv_general_dilated(
            x, params[f"{name}.weight"], (stride, stride), [(1, 1)] * 2, dimension_numbers=dims
        )
        return y + params[f"{name}.bias"].reshape(1, -1, 1, 1)

    h = nt.tap(jax.nn.relu(conv(x, "stem", 2)), "stem")
    h = nt.tap(jax.nn.relu(nt.tap(conv(h, "block", 1) + h, "sum")), "block")
    h = nt.tap(h.mean((2, 3), keepdims=True), "pool").reshape(len(x), -1)
    return h @ params["head.weight"].T + params["head.bias"].reshape(1, -1)


def test_it_computes_what_onnxruntime_does():
    np.testing.assert_allclose(MODEL(IMAGES), runtime(PROTO, IMAGES)[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(MODEL(IMAGES), by_hand(MODEL.params, IMAGES), rtol=1e-5, atol=1e-6)


def test_parameters_are_arguments():
    doubled = jax.tree.map(lambda x: 2 * x, MODEL.params)
    np.testing.assert_allclose(MODEL(doubled, IMAGES), by_hand(doubled, IMAGES), rtol=1e-5, atol=1e-5)
    assert sorted(MODEL.params) == sorted(
        f"{a}.{b}" for a in ("stem", "block", "head") for b in ("weight", "bias")
    )
    loss = lambda f, p: (f(p, IMAGES) ** 2).sum()  # noqa: E731
    found, expected = (jax.grad(functools.partial(loss, f))(MODEL.params) for f in (MODEL, by_hand))
    for name, gradient in expected.items():
        np.testing.assert_allclose(found[name], gradient, rtol=1e-4, atol=1e-5)


def test_shapes_are_computed_while_tracing():
    """Of Shape, Gather, Unsqueeze and Concat nothing is left in the program."""
    text = str(jax.make_jaxpr(MODEL)(IMAGES))
    assert not {"gather", "concatenate", "dynamic_slice", "shape"} & set(text.replace("[", " ").split())


def test_it_is_a_pytree_of_its_parameters():
    assert len(jax.tree.leaves(MODEL)) == 6
    halved = jax.tree.map(lambda x: x / 2, MODEL)
    np.testing.assert_allclose(halved(IMAGES), MODEL(halved.params, IMAGES), rtol=1e-6)


def test_it_is_compiled_once(compilations):
    fresh = load(PROTO)
    fresh(IMAGES)
    again = jax.tree.map(lambda x: x + 1, fresh.params)
    assert compilations.since(lambda: jax.block_until_ready(fresh(again, BASELINES))) == 0


def test_named_in_named_out():
    named = nt.tensor(IMAGES, "batch channel height width")
    out = MODEL(named.order("width batch height channel"))
    assert out.dims == ("batch", "class")
    np.testing.assert_allclose(out.array, MODEL(IMAGES), rtol=1e-6)


def test_names_are_given_where_the_file_has_none():
    proto = model([node("Relu", "x", "y")], [value("x", [2, None, 3])], [value("y", None)])
    x = nt.tensor(RNG.normal(size=(2, 4, 3)).astype(np.float32), "batch time embed")
    with pytest.raises(OnnxError, match=r"the file does not name its axes.*dims=\{'x': 'batch time embed'\}"):
        load(proto)(x)
    with pytest.raises(OnnxError, match=r"the output 'y' f32\[2, 4, 3\] cannot be.*dims=\{'y'"):
        load(proto, dims={"x": "batch time embed"})(x)
    out = load(proto, dims={"x": "batch time embed", "y": "batch time embed"})(x)
    np.testing.assert_array_equal(out.array, x.relu().array)
    assert repr(load(proto, dims={"x": "b t e"}).inputs["x"]) == "float32[b:2 t e:3]"


def test_a_size_that_stands_twice_gets_a_prime():
    proto = model([node("Relu", "x", "y")], [value("x", ["seq", "seq"])], [value("y", ["seq", "seq"])])
    assert load(proto).inputs["x"].dims == ("seq", "seq'")
    with pytest.raises(OnnxError, match="'seq' is 2 in the input 'x' and 3 in 'x'"):
        load(proto)(np.ones((2, 3), np.float32))


@pytest.mark.parametrize("layer", [None, *PLACES])
@pytest.mark.parametrize("method", [IntegratedGradients, DeepLift])
def test_it_is_explained_as_the_function_by_hand(method, layer):
    hand = functools.partial(by_hand, MODEL.params)
    options = {"n_steps": 5} if method is IntegratedGradients else {}
    found = method(MODEL, layer=layer).attribute(IMAGES, BASELINES, target=2, **options)
    expected = method(hand, layer=PLACES.get(layer)).attribute(IMAGES, BASELINES, target=2, **options)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)
    assert float(jnp.abs(found).sum()) > 0


def test_lrp_and_saliency():
    hand = functools.partial(by_hand, MODEL.params)
    for method in (LRP, Saliency):
        found, expected = (method(f).attribute(IMAGES, target=1) for f in (MODEL, hand))
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


def test_new_weights_are_explained_without_compiling(compilations):
    explain = lambda m: jax.block_until_ready(Saliency(m).attribute(IMAGES, target=0))  # noqa: E731
    explain(MODEL)
    assert compilations.since(lambda: explain(jax.tree.map(lambda x: x + 1, MODEL))) == 0


def test_layers_are_nodes_and_the_modules_around_them():
    assert MODEL.layers["/block/Add"].operator == "Add"
    assert MODEL.layers["/block"].nodes == 3
    assert "/Gather" not in MODEL.layers  # it computes a shape
    assert set(nt.list_taps(MODEL, IMAGES)) == set(MODEL.layers)
    with pytest.raises(ValueError, match=r"no tap '/stem/rel'.*Did you mean '/stem/relu'"):
        Saliency(MODEL, layer="/stem/rel").attribute(IMAGES, target=0)


def test_modules_that_pytorch_notes():
    proto = model(
        [node("Relu", "x", "y", "node_relu_1"), node("Neg", "y", "z", "node_neg_2")],
        [value("x", [2])],
        [value("z", [2])],
    )
    proto.graph.node[0].metadata_props.add(
        key="pkg.torch.onnx.name_scopes", value="['', 'layer1', 'layer1.act', 'relu_1']"
    )
    assert list(load(proto).layers) == ["node_relu_1", "node_neg_2", "layer1", "layer1.act"]


def test_nodes_without_names_have_those_of_their_results():
    nodes = [
        node("Split", "x", "a b", axis=0, num_outputs=2),
        node("Add", "a b", "y", "same"),
        node("Neg", "y", "z", "same"),
    ]
    assert list(load(model(nodes, [value("x", [2])], [value("z", [1])])).layers) == ["a[0]", "a[1]", "y", "z"]


def test_it_runs_on_shares():
    with ct.simulate(parties=2) as session:
        secret = ct.private(MODEL)(session.share(IMAGES)).reveal()
        np.testing.assert_allclose(secret, MODEL(IMAGES), atol=2e-3)
        weights = {name: session.share(x) for name, x in MODEL.params.items()}
        hidden = ct.private(MODEL)(weights, session.share(IMAGES)).reveal()
        np.testing.assert_allclose(hidden, MODEL(IMAGES), atol=2e-3)


def test_a_file_for_one_example_takes_several():
    np.testing.assert_allclose(SINGLE(IMAGES), MODEL(IMAGES), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(SINGLE(IMAGES[:1]), MODEL(IMAGES[:1]), rtol=1e-5, atol=1e-6)
    found, expected = (
        IntegratedGradients(m).attribute(IMAGES, BASELINES, target=1, n_steps=5) for m in (SINGLE, MODEL)
    )
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_a_flattened_batch_of_one_is_not_mixed_up():
    """[2, 3] reshaped to [1, 6] as the file says would be one example of six numbers."""
    weights = {"flat": np.array([1, -1]), "w": RNG.normal(size=(3, 2)).astype(np.float32)}
    nodes = [node("Reshape", "x flat", "h"), node("MatMul", "h w", "y")]
    single = load(model(nodes, [value("x", [1, 3, 1])], [value("y", [1, 2])], weights))
    x = RNG.normal(size=(2, 3, 1)).astype(np.float32)
    np.testing.assert_allclose(single(x), x[:, :, 0] @ weights["w"], rtol=1e-6)


def test_an_output_without_an_axis_for_examples():
    proto = model([node("ReduceMean", "x", "y", keepdims=0)], [value("x", [1, 3])], [value("y", [])])
    with pytest.raises(OnnxError, match=r"one example at a time, and its output 'y' has no axis for it"):
        load(proto)(IMAGES[:2, 0, 0, :3])


def test_other_values_can_be_the_outputs():
    seen = load(PROTO, outputs=["/pool/GlobalAveragePool_output_0", "logits"])
    pool, logits = seen(IMAGES)
    np.testing.assert_allclose(logits, MODEL(IMAGES), rtol=1e-6)
    assert pool.shape == (2, 4, 1, 1)
    stem = load(PROTO, outputs="/stem/relu/Relu_output_0")
    assert sorted(stem.params) == ["stem.bias", "stem.weight"]
    with pytest.raises(OnnxError, match=r"no value 'logit'\. Did you mean 'logits'"):
        load(PROTO, outputs="logit")


@pytest.mark.parametrize(
    ("args", "kwargs", "error", "message"),
    [
        ((), {}, TypeError, r"takes image: float32\[batch channel height width\]: 'image' missing"),
        ((IMAGES, IMAGES), {}, TypeError, r"takes 1 inputs .*, 2 were given"),
        ((), {"imag": IMAGES}, TypeError, r"no input 'imag'.*Did you mean 'image'"),
        ((IMAGES,), {"image": IMAGES}, TypeError, "'image' is given twice"),
        ((IMAGES[0],), {}, OnnxError, r"the input 'image' is f32\[3, 8, 8\], the model takes float32\[batch"),
        ((IMAGES > 0,), {}, OnnxError, r"the input 'image' is bool\[2, 3, 8, 8\], the model takes float32 numbers"),
        ((IMAGES[:, :2],), {}, OnnxError, r"node '/stem/Conv' \(Conv\) of f32\[2, 2, 8, 8\], f32\[4, 3, 3, 3\], f32\[4\]: "),
        (({"stem.weight": 1.0}, IMAGES), {}, OnnxError, r"params: '.*' is missing; the model has "),
        (({**MODEL.params, "w": 1.0}, IMAGES), {}, OnnxError, r"params: 'w' is unknown"),
    ],
)  # fmt: skip
def test_wrong_inputs(args, kwargs, error, message):
    with pytest.raises(error, match=message):
        MODEL(*args, **kwargs)


def test_other_sizes_than_those_of_the_file():
    proto = model([node("Relu", "x", "y")], [value("x", [4, 3])], [value("y", [4, 3])])
    with pytest.raises(OnnxError, match=r"axis 0 must have size 4\. Export it with dynamic axes"):
        load(proto)(np.ones((2, 3), np.float32))


def test_dims_that_do_not_fit():
    with pytest.raises(
        OnnxError, match=r"no input or output 'imge', it has 'image', 'logits'\. Did you mean 'image'"
    ):
        load(PROTO, dims={"imge": "b c h w"})
    with pytest.raises(OnnxError, match=r"'b c h' are 3 names, the file says 4 axes"):
        load(PROTO, dims={"image": "b c h"})


SHAPED = model(
    [node("Reshape", "x shape", "y")],
    [value("x", ["n", "m"]), value("shape", ["rank"], 7)],
    [value("y", None)],
)


def test_a_shape_that_is_an_input(compilations):
    reshaped = load(SHAPED)
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert reshaped(x, np.array([3, 2])).shape == (3, 2)
    assert reshaped(x, shape=np.array([6])).shape == (6,)
    assert repr(reshaped.inputs["shape"]) == "int64[rank], its numbers must be known"
    assert jax.jit(lambda x: reshaped(x, np.array([-1])))(x).shape == (6,)
    with pytest.raises(
        OnnxError,
        match=r"node 'y' \(Reshape\).*its operand 'shape' depends on the values of the model's inputs",
    ):
        jax.jit(reshaped)(x, np.array([3, 2]))


def test_weights_that_are_written_as_nodes():
    """As Paddle and OpenVINO write them; an epsilon stays a constant."""
    w = RNG.normal(size=(3, 2)).astype(np.float32)
    nodes = [
        node("Constant", "", "w", value=numpy_helper.from_array(w)),
        node("Constant", "", "epsilon", value=numpy_helper.from_array(np.float32(0.5))),
        node("MatMul", "x w", "h"),
        node("Add", "h epsilon", "y"),
    ]
    written = load(model(nodes, [value("x", ["n", 3])], [value("y", ["n", 2])]))
    assert list(written.params) == ["w"]
    x = RNG.normal(size=(4, 3)).astype(np.float32)
    np.testing.assert_allclose(written({"w": 2 * w}, x), x @ (2 * w) + 0.5, rtol=1e-5, atol=1e-6)


def test_sizes_of_which_nothing_is_known():
    proto = model([node("Relu", "x", "y")], [value("x", [-1, "?", "?"])], [value("y", None)])
    assert load(proto).inputs["x"].sizes == (None, None, None)
    assert load(proto)(np.ones((2, 3, 4), np.float32)).shape == (2, 3, 4)


def test_an_input_that_chooses_a_branch_is_known_where_it_can_be():
    """A sampling rate, say: only the branch for it fits the other inputs."""
    then, other = (
        helper.make_graph([node("MatMul", f"x {w}", f"y{w}")], w, [], [value(f"y{w}", [2])])
        for w in ("three", "four")
    )
    nodes = [
        node("Equal", "rate low", "c"),
        node("If", "c", "y", "by rate", then_branch=then, else_branch=other),
    ]
    weights = {
        "three": np.ones((3, 2), np.float32),
        "four": np.ones((4, 2), np.float32),
        "low": np.array(8000),
    }
    chosen = load(model(nodes, [value("x", [None]), value("rate", [], 7)], [value("y", [2])], weights))
    np.testing.assert_array_equal(chosen(np.ones(3, np.float32), np.array(8000)), [3, 3])
    np.testing.assert_array_equal(chosen(np.ones(4, np.float32), np.array(16000)), [4, 4])
    assert "cond" not in str(jax.make_jaxpr(lambda x: chosen(x, np.array(8000)))(np.ones(3, np.float32)))
    with pytest.raises(OnnxError, match=r"node 'y(three|four)' \(MatMul\)"):  # both branches are traced
        jax.jit(chosen)(np.ones(3, np.float32), np.array(8000))


def test_shapes_that_depend_on_data_work_outside_of_tracing():
    proto = model(
        [node("NonZero", "x", "where"), node("Transpose", "where", "y")],
        [value("x", ["n", "m"])],
        [value("y", None, 7)],
    )
    x = np.array([[0, 1], [2, 0]], np.float32)
    found = load(proto)
    np.testing.assert_array_equal(found(x), [[0, 1], [1, 0]])
    with pytest.raises(OnnxError, match=r"\(NonZero\).*call the model outside of them"):
        jax.jit(found)(x)


def test_integers_keep_their_bits_or_say_so():
    big = model(
        [node("Add", "x big", "y")], [value("x", [1], 7)], [value("y", [1], 7)], {"big": np.array([2**40])}
    )
    with pytest.raises(
        OnnxError, match=r"the int64 constant 1099511627776 does not fit int32: turn on 64 bits"
    ):
        load(big)(np.array([1]))
    with jax.enable_x64(True):
        assert load(big)(np.array([1])).tolist() == [2**40 + 1]


def test_an_operator_of_the_users():
    @nt.interop.onnx.operator("Snake", domain="my.company")
    def snake(x, *, alpha=1.0):
        return x + jnp.sin(alpha * x) ** 2 / alpha

    proto = model(
        [node("Snake", "x", "y", domain="my.company", alpha=2.0)],
        [value("x", [3])],
        [value("y", [3])],
        domains=["my.company"],
    )
    x = RNG.normal(size=3).astype(np.float32)
    np.testing.assert_allclose(load(proto)(x), x + np.sin(2 * x) ** 2 / 2, rtol=1e-5)
