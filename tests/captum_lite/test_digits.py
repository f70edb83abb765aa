"""The trained digits network on held-out digits: attributions of a real model mean what they say."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import namedtensor as nt
from captum_lite import IntegratedGradients, NoiseTunnel
from namedtensor.models import digits_cnn

RNG = np.random.default_rng(17)
N = 30


@pytest.fixture(scope="module")
def digits():
    return nt.datasets.digits.load("heldout")


@pytest.fixture(scope="module")
def params():
    return digits_cnn.load(progress=False)


@pytest.fixture(scope="module")
def model(params):
    return functools.partial(digits_cnn.apply, params)


@pytest.fixture(scope="module")
def some(digits):
    """The first digits, their labels, and a noise image for each."""
    images = digits.images.isel(batch=slice(0, N))
    noise = nt.tensor(RNG.uniform(size=(N, 8, 8)).astype("float32"), "batch height width")
    return images, digits.labels.isel(batch=slice(0, N)), noise


def test_the_model_is_worth_explaining(params, digits):
    assert digits_cnn.accuracy(params, digits.images, digits.labels) > 0.98


@pytest.mark.parametrize("layer", [None, "conv1", "pool", "hidden"])
def test_integrated_gradients_are_complete(model, some, layer):
    images, labels, noise = some
    record = IntegratedGradients(model, layer=layer).explain(images, noise, {"class": labels}, n_steps=1000)
    logits = [model(x).to_array("batch class")[np.arange(N), labels.array] for x in (images, noise)]
    np.testing.assert_allclose(record.prediction, logits[0], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(record.baseline_prediction, logits[1], rtol=1e-5, atol=1e-5)
    difference = logits[0] - logits[1]
    dims = tuple(d for d in record.attributions.dims if d != "batch")
    total = record.attributions.sum(dims).array
    assert float((abs(total - difference) / abs(difference)).max()) < 1e-3


def erased(image: np.ndarray, noise: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    out = image.copy()
    out.reshape(len(image), 64)[np.arange(len(image))[:, None], pixels] = np.take_along_axis(
        noise.reshape(len(image), 64), pixels, axis=1
    )
    return out


def test_the_pixels_with_the_largest_attribution_carry_the_logit(model, some):
    images, labels, noise = some
    attributions = IntegratedGradients(model).attribute(images, noise, {"class": labels})
    x, b, a = (np.asarray(v.to_array("batch height width")) for v in (images, noise, attributions))

    def fall(pixels: np.ndarray) -> np.ndarray:
        """How much the logit of the label falls when these pixels are set to the baseline."""
        after = model(nt.tensor(erased(x, b, pixels), "batch height width"))
        scores = [v.to_array("batch class")[np.arange(N), labels.array] for v in (model(images), after)]
        return np.asarray(scores[0] - scores[1])

    top = np.argsort(a.reshape(N, 64), axis=1)[:, -10:]
    others = [np.argsort(RNG.random((N, 64)), axis=1)[:, :10] for _ in range(10)]
    assert fall(top).mean() > np.mean([fall(pixels).mean() for pixels in others])
    assert (fall(top) > np.mean([fall(pixels) for pixels in others], axis=0)).mean() > 0.8


def test_noise_tunnel_runs_and_reports_its_error(model, some):
    images, labels, noise = (x.isel(batch=slice(0, 4)) for x in some)
    tunnel = NoiseTunnel(IntegratedGradients(model))
    given = {"n_steps": 16, "nt_samples": 8, "stdevs": 0.1}
    record = tunnel.explain(images, noise, {"class": labels}, **given)
    assert dict(record.attributions.shape) == {"batch": 4, "height": 8, "width": 8}
    other = tunnel.attribute(images, noise, {"class": labels}, key=jax.random.key(9), **given)
    # two independent means of 8 differ by sqrt(2) standard errors; on the whole, not in each pixel
    difference, error = (np.asarray(v.array) for v in (record.attributions - other, record.error_map))
    assert 0.7 < np.sqrt((difference**2).sum() / (2 * error**2).sum()) < 1.4


@pytest.mark.parametrize("layer", [None, "pool"])
def test_a_plain_function_and_a_named_one_are_explained_alike(model, some, layer):
    images, labels, noise = some

    def plain(x):
        return model(nt.tensor(x, "batch height width")).to_array("batch class")

    by_name = IntegratedGradients(model, layer=layer).attribute(images, noise, {"class": labels}, n_steps=10)
    by_place = IntegratedGradients(plain, layer=layer).attribute(
        images.to_array("batch height width"), noise.to_array("batch height width"), labels.array, n_steps=10
    )
    assert nt.is_named(by_name)
    if layer is None:
        assert isinstance(by_place, jax.Array)
        by_name = by_name.to_array("batch height width")
    else:  # what passes at a tap inside has its names, whatever the function takes
        by_name, by_place = (a.to_array("batch height width feature") for a in (by_name, by_place))
    np.testing.assert_allclose(by_place, by_name, rtol=1e-5, atol=1e-6 * float(jnp.abs(by_name).max()))
