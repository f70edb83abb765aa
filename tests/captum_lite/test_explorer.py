"""The explorer widget, without a browser: set a control, see what is on display."""

import base64
import functools
import io
import re

import matplotlib.image
import numpy as np
import pytest

import namedtensor as nt
from captum_lite import IntegratedGradients
from captum_lite.widgets import AttributionExplorer
from namedtensor.datasets import digits
from namedtensor.models import digits_cnn


@pytest.fixture(scope="module")
def digits_and_model():
    return digits.load("heldout"), functools.partial(digits_cnn.apply, digits_cnn.load(progress=False))


@pytest.fixture
def explorer(digits_and_model):
    held_out, model = digits_and_model
    return AttributionExplorer(model, held_out.images, labels=held_out.labels)


def pixels(explorer) -> np.ndarray:
    data = re.search(r"base64,([^\"]+)", explorer.picture.value)
    assert data is not None
    return matplotlib.image.imread(io.BytesIO(base64.b64decode(data[1])))


def test_shows_what_the_method_says(explorer, digits_and_model):
    held_out, model = digits_and_model
    explorer.sample.value, explorer.target.value = 5, 3
    image = held_out.images.isel(batch=slice(5, 6))
    expected = IntegratedGradients(model).attribute(image, target=3)
    nt_attributions = explorer.attribution.attributions
    np.testing.assert_array_equal(nt_attributions.array, expected.array)


@pytest.mark.parametrize(
    ("control", "value", "asks_again"),
    [
        ("sample", 4, True),
        ("target", 3, True),
        ("method", "saliency", True),
        ("method", "VarGrad", True),
        ("steps", 3, True),
        ("baseline", "mean image", True),
        ("baseline", "blurred", True),
        ("sign", "positive", False),
        ("opacity", 0.2, False),
    ],
)
def test_every_control_redraws(explorer, control, value, asks_again):
    explorer.target.value = 7
    before, record = pixels(explorer), explorer.attribution
    getattr(explorer, control).value = value
    assert explorer.message.value == ""
    assert not np.array_equal(before, pixels(explorer))
    assert (explorer.attribution is not record) == asks_again


def test_a_new_sample_asks_about_the_predicted_class(explorer, digits_and_model):
    held_out, model = digits_and_model
    explorer.target.value = 3
    explorer.sample.value = 9
    image = held_out.images.isel(batch=slice(9, 10))
    assert explorer.target.value == int(model(image).argmax("class").array[0])


def test_the_gap_stands_beside_every_integrated_gradients(explorer):
    explorer.steps.value = 3
    gap = abs(float(explorer.attribution.convergence_delta[0]))
    assert f"{gap:.2e}" in explorer.facts.value
    assert "a lower bound on the error" in explorer.facts.value
    explorer.method.value = "saliency"
    assert "gap" not in explorer.facts.value


def test_controls_that_the_method_does_not_have_are_disabled(explorer):
    assert not explorer.steps.disabled
    assert not explorer.baseline.disabled
    explorer.method.value = "saliency"
    assert explorer.steps.disabled
    assert explorer.baseline.disabled
    explorer.method.value = "SmoothGrad"
    assert not explorer.steps.disabled
    assert explorer.baseline.disabled


def test_a_wrong_class_is_one_message_and_the_next_value_mends_it(explorer):
    explorer.target.value = 12
    expected = "target 12 is out of range: the output f32[batch:1 class:10] has 10 there, 0 to 9"
    assert expected in explorer.message.value
    assert "role='alert'" in explorer.message.value
    assert explorer.picture.value == explorer.facts.value == ""
    assert explorer.attribution is None
    with pytest.raises(ValueError, match="nothing to draw"):
        explorer.figure()
    explorer.target.value = 2
    assert explorer.message.value == ""
    assert pixels(explorer).size


def test_a_model_that_raises_shows_its_message(digits_and_model):
    held_out, model = digits_and_model

    def moody(images):
        if float(images.array[0].mean()) > 0.31:
            raise RuntimeError("the model does not like this <image>")
        return model(images)

    explorer = AttributionExplorer(lambda x: model(x), held_out.images)
    explorer._fun = moody
    explorer.sample.value = 1
    for i in range(2, 40):
        explorer.sample.value = i
        if explorer.message.value:
            break
    assert "the model does not like this &lt;image&gt;" in explorer.message.value


def test_controls_and_picture_have_names(explorer):
    for control in explorer._controls:
        assert control.description
        assert control.tooltip
    assert re.search(r'alt="Sample 0 and a heat map[^"]+"', explorer.picture.value)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((3, 8)), r"images have the shape \(3, 8\)"),
        (np.zeros((0, 8, 8)), "the batch is empty"),
        (nt.zeros("batch:3 pixel:64"), "expected 'batch height width'"),
    ],
)
def test_images_that_are_none_are_refused(digits_and_model, images, message):
    with pytest.raises(ValueError, match=message):
        AttributionExplorer(digits_and_model[1], images)


def test_plain_arrays_with_colour(digits_and_model):
    rng = np.random.default_rng(0)
    images = rng.uniform(size=(3, 6, 5, 3)).astype(np.float32)
    weights = rng.normal(size=(6 * 5 * 3, 4)).astype(np.float32)
    explorer = AttributionExplorer(lambda x: x.reshape(len(x), -1) @ weights, images)
    explorer.baseline.value = "blurred"
    assert explorer.message.value == ""
    assert explorer.attribution.attributions.shape == (1, 6, 5, 3)
