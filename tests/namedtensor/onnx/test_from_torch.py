"""Small models that PyTorch has exported (by benchmarks/onnx_from_torch.py) compute what PyTorch computed.

Their derivatives are compared with finite differences of onnxruntime's outputs, which share no code with ours.
"""

import functools
from pathlib import Path

import jax
import numpy as np
import onnx
import pytest

import crypten_lite as ct
import namedtensor as nt
from captum_lite import IntegratedGradients
from tests.namedtensor.onnx.build import runtime

FOLDER = Path(__file__).parents[2] / "data/onnx"
FILES = sorted(FOLDER.glob("*.onnx"))
OLD_UPSAMPLE = "unet-traced-9"  # opset 9 cannot say how PyTorch interpolates; onnxruntime is compared there
RNG = np.random.default_rng(11)


@functools.cache
def loaded(name):
    return nt.interop.onnx.load(FOLDER / f"{name}.onnx")


def data(name):
    with np.load(FOLDER / f"{name.partition('-')[0]}.npz") as file:
        return file["input"], file["output"]


@pytest.mark.parametrize("name", [f.stem for f in FILES])
def test_outputs(name):
    x, expected = data(name)
    if name == OLD_UPSAMPLE:
        expected = runtime(onnx.load(FOLDER / f"{name}.onnx"), x)[0]
    np.testing.assert_allclose(loaded(name)(x), expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize(
    "name",
    [
        "resnet-traced-17",
        "unet-dynamo-newest",
        "recurrent-traced-17",
        "decoder-dynamo-newest",
        "vit-traced-17",
    ],
)
def test_gradients_are_finite_differences(name):
    """Along a random direction of all weights at once; float64, so that the step can be small."""
    model, (x, expected) = loaded(name), data(name)
    pull = RNG.normal(size=expected.shape)
    way = {k: RNG.normal(size=np.shape(w)) * np.std(w) for k, w in model.params.items()}
    with jax.enable_x64(True):
        params = {k: np.asarray(w, np.float64) for k, w in model.params.items()}
        x = x.astype(np.float64) if x.dtype.kind == "f" else x

        @jax.jit
        @jax.value_and_grad
        def along(t):
            return (model({k: w + t * way[k] for k, w in params.items()}, x) * pull).sum()

        step = 1e-6
        (_, slope), (more, _), (less, _) = (map(float, along(t)) for t in (0.0, step, -step))
    difference = (more - less) / (2 * step)
    assert abs(slope) > 1e-3
    np.testing.assert_allclose(slope, difference, rtol=1e-5)


def test_a_layer_by_its_name_in_pytorch():
    """The exporters note the same modules, one by slashes and one by dots."""
    x, _ = data("resnet")
    baseline = RNG.normal(size=x.shape).astype(np.float32)
    found = [
        IntegratedGradients(loaded(name), layer=layer).attribute(x, baseline, target=2, n_steps=5)
        for name, layer in (("resnet-traced-17", "/layer1/relu_1"), ("resnet-dynamo-newest", "layer1.relu"))
    ]
    assert found[0].shape == (3, 8, 4, 4)
    np.testing.assert_allclose(*found, rtol=1e-3, atol=1e-6)


def test_a_model_of_pytorch_on_shares():
    x, expected = data("mbconv")
    with ct.simulate(parties=2) as session:
        hidden = ct.private(loaded("mbconv-dynamo-newest"))(session.share(x)).reveal()
    np.testing.assert_allclose(hidden, expected, atol=5e-3)
