"""If, Loop and Scan: decided while tracing where they can be, and JAX's control flow where not."""

import jax
import jax.numpy as jnp
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from namedtensor.interop.onnx import OnnxError, load
from tests.namedtensor.onnx.build import model, node, runtime, tensors, value

X = np.random.default_rng(8).normal(size=3).astype(np.float32)
BOOL, INT = TensorProto.BOOL, TensorProto.INT64


def graph(nodes, inputs, outputs, weights=()):
    return helper.make_graph(nodes, "inner", inputs, outputs, tensors(dict(weights)))


def branching(*, other="Neg", size=3):
    """``sin(x)`` if the sum is positive, else ``other(x)``; both see x from outside."""
    then = graph([node("Sin", "x", "a")], [], [value("a", [3])])
    alternative = graph(
        [node(other, "x", "b")] if size == 3 else [node("ReduceSum", "x", "b", keepdims=1)],
        [],
        [value("b", [size])],
    )
    nodes = [
        node("ReduceSum", "x", "s", keepdims=0),
        node("Greater", "s zero", "c"),
        node("If", "c", "y", "choice", then_branch=then, else_branch=alternative),
    ]
    return model(nodes, [value("x", [3])], [value("y", None)], {"zero": np.float32(0)})


@pytest.mark.parametrize("x", [np.abs(X), -np.abs(X)], ids=["then", "else"])
def test_if(x):
    found = load(branching())
    np.testing.assert_allclose(found(x), runtime(branching(), x)[0], rtol=1e-6)
    slope = jax.grad(lambda x: found(x).sum())(x)
    np.testing.assert_allclose(slope, np.cos(x) if x.sum() > 0 else -np.ones(3), rtol=1e-6)


def test_branches_of_different_shapes_are_refused_while_tracing():
    with pytest.raises(OnnxError, match=r"node 'choice' \(If\).*branches give different shapes"):
        load(branching(size=1))(X)


def test_a_condition_that_is_known_chooses_while_tracing():
    proto = branching(size=1)
    proto.graph.node[1].CopyFrom(node("Identity", "yes", "c"))
    proto.graph.initializer.extend(tensors({"yes": np.array(True)}))
    text = str(jax.make_jaxpr(load(proto))(X))
    assert "cond" not in text
    assert "sin" in text


def looping(*, collects):
    """``x <- x * w + i`` while the sum is below a limit, at most 4 times."""
    body = graph(
        [
            node("Cast", "i", "j", to=TensorProto.FLOAT),
            node("Mul", "h w", "p"),
            node("Add", "p j", "g"),
            node("ReduceSum", "g", "s", keepdims=0),
            node("Less", "s limit", "again"),
            *([node("Identity", "g", "each")] if collects else []),
        ],
        [value("i", [], INT), value("c", [], BOOL), value("h", [3])],
        [value("again", [], BOOL), value("g", [3]), *([value("each", [3])] if collects else [])],
    )
    nodes = [node("Loop", "four yes x", "y ys" if collects else "y", "loop", body=body)]
    weights = {
        "w": np.array([1.5, -0.5, 0.7], np.float32),
        "limit": np.float32(6),
        "four": np.array(4),
        "yes": np.array(True),
    }
    return model(
        nodes, [value("x", [3])], [value("y", [3]), *([value("ys", [None, 3])] if collects else [])], weights
    )


@pytest.mark.parametrize("x", [X, X + 3], ids=["four times", "stops early"])
def test_a_loop_that_computes_its_condition(x):
    proto = looping(collects=False)
    np.testing.assert_allclose(jax.jit(load(proto))(x), runtime(proto, x)[0], rtol=1e-5)
    assert "while" in str(jax.make_jaxpr(load(proto))(x))


def test_a_loop_that_collects_while_it_computes_its_condition_is_refused_while_tracing():
    with pytest.raises(
        OnnxError, match=r"node 'loop' \(Loop\).*how many there are is computed from the inputs"
    ):
        jax.jit(load(looping(collects=True)))(X)


def test_a_loop_of_known_length_is_written_out():
    proto = looping(collects=True)
    proto.graph.node[0].attribute[0].g.node[4].CopyFrom(node("Identity", "c", "again"))
    found = load(proto)
    for mine, theirs in zip(found(X), runtime(proto, X), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5)
    assert "while" not in str(jax.make_jaxpr(found)(X))
    slope = jax.grad(lambda w: found({**found.params, "w": w}, X)[0].sum())(found.params["w"])
    again = lambda w: found({**found.params, "w": found.params["w"] + w}, X)[0].sum()  # noqa: E731
    step = 1e-2 * np.eye(3, dtype=np.float32)
    np.testing.assert_allclose(slope, [(again(s) - again(-s)) / 0.02 for s in step], rtol=1e-2)


def test_scan_backwards_along_another_axis():
    body = graph(
        [node("Mul", "h w", "p"), node("Add", "p row", "g"), node("Tanh", "g", "out")],
        [value("h", [2]), value("row", [2])],
        [value("g", [2]), value("out", [2])],
    )
    turned = {
        "scan_input_axes": [1],
        "scan_input_directions": [1],
        "scan_output_axes": [1],
        "scan_output_directions": [1],
    }
    nodes = [node("Scan", "start x", "last ys", body=body, num_scan_inputs=1, **turned)]
    weights = {"w": np.array([0.5, -0.9], np.float32), "start": np.ones(2, np.float32)}
    proto = model(nodes, [value("x", [2, 4])], [value("last", [2]), value("ys", [2, 4])], weights)
    x = np.random.default_rng(9).normal(size=(2, 4)).astype(np.float32)
    for mine, theirs in zip(load(proto)(x), runtime(proto, x), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5)
    assert "scan" in str(jax.make_jaxpr(load(proto))(x))


def test_a_function_of_the_file_with_attributes():
    """An attribute of the call, one that has a default, and an operand that the call leaves out."""
    body = [
        helper.make_node("LeakyRelu", ["x"], ["a"]),
        node("Mul", "a a", "b"),
        helper.make_node("Clip", ["b", "low"], ["y"]),
    ]
    body[0].attribute.add(name="alpha", ref_attr_name="slope", type=onnx.AttributeProto.FLOAT)
    square = helper.make_function(
        "my", "Square", ["x", "low"], ["y"], body, [helper.make_opsetid("", 20)],
        attribute_protos=[helper.make_attribute("slope", 0.5)],
    )  # fmt: skip
    nodes = [node("Square", "x", "a", domain="my", slope=0.25), node("Square", "a high", "y", domain="my")]
    proto = model(
        nodes,
        [value("x", [3])],
        [value("y", [3])],
        {"high": np.float32(0.1)},
        functions=[square],
        domains=["my"],
    )
    once = np.where(X < 0, 0.25 * X, X) ** 2
    np.testing.assert_allclose(load(proto)(X), np.maximum(once**2, 0.1), rtol=1e-5)
    assert jnp.asarray(load(proto)(X)).dtype == jnp.float32
