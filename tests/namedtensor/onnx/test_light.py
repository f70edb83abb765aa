"""The networks of the onnx wheel's model zoo, at their full size, with random weights of a usual size.

As the wheel ships them all weights are equal, and so is every output: a wrong convolution would pass. They are
compared with onnxruntime before the last softmax, which would hide differences too.
"""

import functools
from pathlib import Path

import jax
import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import namedtensor as nt
from tests.namedtensor.onnx.build import runtime

FOLDER = Path(onnx.__file__).parent / "backend/test/data/light"
# vgg19 is left out: the layers of bvlc_alexnet again, and 550 MB of weights
NAMES = (
    "bvlc_alexnet", "densenet121", "inception_v1", "inception_v2", "resnet50", "shufflenet", "squeezenet", "zfnet512",
)  # fmt: skip
POSITIVE = {("BatchNormalization", 1), ("BatchNormalization", 4)}  # scales and variances


def weighted(name, rng):
    """The model with random weights instead of constant ones, and its logits as output."""
    proto = onnx.load(FOLDER / f"light_{name}.onnx")
    graph = proto.graph
    uses = {x: (n.op_type, i) for n in graph.node for i, x in enumerate(n.input)}
    sizes = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    filled = [n for n in graph.node if n.op_type == "ConstantOfShape"]
    for node in filled:
        weight = random_weight(rng, tuple(sizes[node.input[0]]), uses[node.output[0]])
        graph.initializer.append(numpy_helper.from_array(weight, node.output[0]))
        graph.node.remove(node)
    last = graph.node[-1]
    if last.op_type == "Softmax":
        graph.output[0].name = last.input[0]
        graph.node.remove(last)
    used = {x for n in graph.node for x in n.input}
    for there in (graph.input, graph.initializer):
        for unused in [v for v in there if v.name not in used]:
            there.remove(unused)
    return proto


def random_weight(rng, shape, use):
    if use in POSITIVE:
        return rng.uniform(0.5, 1.5, shape).astype(np.float32)
    spread = (2 / np.prod(shape[1:])) ** 0.5 if len(shape) > 1 else 0.1
    return np.float32(spread) * rng.standard_normal(shape, np.float32)


@functools.cache
def case(name):
    """The record, the model, its input."""
    rng = np.random.default_rng(17)
    proto = weighted(name, rng)
    model = nt.interop.onnx.load(proto)
    (data,) = model.inputs.values()
    return proto, model, rng.standard_normal(data.sizes, np.float32)


@pytest.mark.parametrize("name", NAMES)
def test_logits(name):
    proto, model, x = case(name)
    found, expected = model(x), runtime(proto, x)[0]
    assert np.std(expected) > 1e-3
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


def test_the_gradient_is_a_finite_difference():
    """Of a random combination of the logits, along a random direction of the image; in float64, for a small step."""
    _, model, x = case("squeezenet")
    rng = np.random.default_rng(18)
    way, pull = rng.normal(size=x.shape), rng.normal(size=model(x).shape)
    with jax.enable_x64(True):
        params = {name: np.asarray(w, np.float64) for name, w in model.params.items()}
        x = x.astype(np.float64)

        @jax.jit
        @jax.value_and_grad
        def along(t):
            return (model(params, x + t * way) * pull).sum()

        step = 1e-7
        (_, slope), (more, _), (less, _) = (map(float, along(t)) for t in (0.0, step, -step))
    assert np.isfinite(slope)
    assert abs(slope) > 1e-3
    np.testing.assert_allclose(slope, (more - less) / (2 * step), rtol=1e-3)  # some kinks lie within the step
