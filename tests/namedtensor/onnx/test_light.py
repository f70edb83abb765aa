"""The networks of the onnx wheel's model zoo, at their full size, with random weights of a usual size.

As the wheel ships them all weights are equal, and so is every output: a wrong convolution would pass. They are
compared with onnxruntime before the last softmax, which would hide differences too.
"""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import namedtensor as nt
from tests.namedtensor.onnx.build import runtime

FOLDER = Path(onnx.__file__).parent / "backend/test/data/light"
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
    return (spread * rng.normal(size=shape)).astype(np.float32)


@pytest.mark.parametrize(
    "name",
    [
        "squeezenet",
        "shufflenet",
        "resnet50",
        "inception_v1",
        "bvlc_alexnet",
        "zfnet512",
        "densenet121",
        "inception_v2",
        "vgg19",
    ],
)
def test_logits_and_gradients(name):
    rng = np.random.default_rng(17)
    proto = weighted(name, rng)
    model = nt.interop.onnx.load(proto)
    (data,) = model.inputs
    x = rng.normal(size=model.inputs[data].sizes).astype(np.float32)
    found, expected = model(x), runtime(proto, x)[0]
    assert np.std(expected) > 1e-3
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * np.abs(expected).max())
