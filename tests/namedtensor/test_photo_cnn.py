"""The networks of the gallery: what they see, what they are trained on, and that they learn."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import namedtensor as nt
from namedtensor._errors import NamedShapeError
from namedtensor.datasets import photographs, planted
from namedtensor.models import photo_cnn, planted_cnn

PARAMS = photo_cnn.init(jax.random.key(3))
IMAGE = nt.random.uniform(jax.random.key(4), "batch:2 height:29 width:33 channel:3")


def by_hand(params, image):
    """Evidence of one image, with loops over the places; no padding, one relu a layer."""
    x = np.asarray(image, np.float64)
    for layer, stride in (("conv1", 2), ("conv2", 2), ("conv3", 1)):
        w = np.asarray(params[layer].to_array("kh kw channel feature"), np.float64)
        rows, columns = ((n - len(w)) // stride + 1 for n in x.shape[:2])
        windows = np.array(
            [
                [
                    x[stride * i : stride * i + len(w), stride * j : stride * j + len(w)]
                    for j in range(columns)
                ]
                for i in range(rows)
            ]
        )
        x = np.maximum(
            np.einsum("ijhwc,hwcf->ijf", windows, w) + np.asarray(params[f"{layer}.bias"].array), 0
        )
    return x @ np.asarray(params["out"].to_array("channel class")) + np.asarray(params["out.bias"].array)


def test_evidence_is_the_network_written_by_hand():
    found = photo_cnn.evidence(PARAMS, IMAGE).to_array("batch height width class")
    want = [by_hand(PARAMS, image) for image in IMAGE.to_array("batch height width channel")]
    np.testing.assert_allclose(found, want, atol=1e-4)


def test_the_score_is_the_log_of_the_mean_of_the_exponentials():
    each = np.asarray(photo_cnn.evidence(PARAMS, IMAGE).to_array("batch height width class"), np.float64)
    want = np.log(np.exp(each).mean((1, 2)))
    np.testing.assert_allclose(photo_cnn.apply(PARAMS, IMAGE).to_array("batch class"), want, atol=1e-5)


def test_a_place_sees_its_square_and_nothing_else():
    def place(x):
        return photo_cnn.evidence(PARAMS, x).isel(batch=0, height=2, width=1)[{"class": 0}]

    seen = np.asarray(abs(nt.grad(place)(IMAGE)).sum("batch channel").to_array("height width")) > 0
    rows, columns = np.nonzero(seen)
    first, last = np.array([8, 4]), np.array([8, 4]) + photo_cnn.SIDE - 1
    assert (rows.min() >= first[0], columns.min() >= first[1]) == (True, True)
    assert (rows.max() <= last[0], columns.max() <= last[1]) == (True, True)


def test_an_image_smaller_than_a_place_is_refused():
    with pytest.raises(NamedShapeError):
        photo_cnn.apply(PARAMS, nt.zeros("batch:1 height:8 width:8 channel:3"))


def test_crops_come_from_the_left_parts_and_carry_the_classes_of_the_centres():
    images, classes = (
        np.asarray(x.order("batch height width ...").array) for x in photo_cnn.crops(2, seed=7)
    )
    assert images.shape == (2, 45, 45, 3)
    assert classes.shape == (2, 8, 8)
    for image, truth, name in zip(images, classes, photographs.NAMES, strict=True):
        photo = photographs.load(name, shrink=photo_cnn.SHRINK)
        left = np.asarray(photo.image.to_array("height width channel"))[:, : photo.middle]
        known = np.asarray(photo.classes.to_array("height width"))
        found = False
        for flipped in (image, image[:, ::-1]):
            corners = np.argwhere((left[:-44, :-44] == flipped[0, 0]).all(-1))
            for row, column in corners:
                square = (slice(row, row + 45), slice(column, column + 45))
                if np.array_equal(left[square], flipped):
                    centres = known[square][8:37:4, 8:37:4]
                    found |= np.array_equal(centres if flipped is image else centres[:, ::-1], truth)
        assert found


def test_places_without_a_class_do_not_count():
    images, classes = IMAGE, nt.tensor(np.full((2, 4, 5), 2, np.int32), "batch height width")
    some = classes.at[{"height": slice(0, 2)}].set(-1)
    each = photo_cnn.evidence(PARAMS, images).to_array("batch height width class")
    want = -jax.nn.log_softmax(each)[:, 2:, :, 2].mean()
    np.testing.assert_allclose(photo_cnn.loss(PARAMS, images, some).array, want, rtol=1e-5)


def test_it_learns():
    before = photo_cnn.accuracy(photo_cnn.init(jax.random.key(0)))["all"]
    after = photo_cnn.accuracy(photo_cnn.train(jax.random.key(0), steps=15))
    assert set(after) == {*photographs.CLASSES, "all"}
    assert after["all"] > max(0.7, before + 0.1)


def test_an_unknown_part_is_refused():
    with pytest.raises(ValueError, match="part='test' is not known: choose 'train' or 'heldout'"):
        photo_cnn.accuracy(PARAMS, "test")


def test_the_planted_network_is_where_its_strongest_features_are():
    params = planted_cnn.init(jax.random.key(1))
    images = planted.generate(2, seed=3).images
    _, there = nt.capture(lambda x: planted_cnn.apply(params, x), ["conv3", "logits"])(images)
    top = np.asarray(there["conv3"].to_array("batch height width feature")).max((1, 2))
    want = top @ np.asarray(params["out"].to_array("channel class"))
    np.testing.assert_allclose(there["logits"].to_array("batch class"), want, atol=1e-4)


def test_the_planted_network_learns():
    data = planted.generate(100, seed=4)
    start = planted_cnn.init(jax.random.key(0))
    trained = planted_cnn.train(jax.random.key(0), data, steps=20)
    losses = [float(planted_cnn.loss(p, data.images, data.labels)) for p in (start, trained)]
    assert losses[1] < 0.75 * min(losses[0], float(jnp.log(8.0)))
    assert planted_cnn.accuracy(trained, data.images, data.labels) > 0.3
