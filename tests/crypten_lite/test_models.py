"""Whole models on shares predict what they predict in the clear, and their numbers are as close as the places allow."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import crypten_lite as ct
import namedtensor as nt
from namedtensor.models import digits_cnn, resnet18
from tests.crypten_lite import models

N = 200


@pytest.fixture(scope="module")
def heldout():
    return nt.datasets.digits.load("heldout")


def privately(apply, params, x, **how):
    with ct.simulate(**how) as session:
        return ct.private(apply)(session.share(params), session.share(x)).reveal()


def require_same(apply, params, x, tolerance, **how):
    """The logits within a tolerance, and the same largest one: none of them are nearer to each other than that."""
    private, plain = (np.asarray(a) for a in (privately(apply, params, x, **how), apply(params, x)))
    assert private.dtype == plain.dtype
    assert np.abs(private - plain).max() < tolerance
    ordered = np.sort(plain, axis=-1)
    assert (ordered[..., -1] - ordered[..., -2]).min() > 2 * tolerance, "too close to call: another seed"
    assert (private.argmax(-1) == plain.argmax(-1)).all()


def test_the_trained_network_on_held_out_digits(heldout):
    params, images = digits_cnn.load(progress=False), heldout.images.isel(batch=slice(0, N))
    private = privately(digits_cnn.apply, params, images)
    plain = digits_cnn.apply(params, images)
    assert private.dims == plain.dims
    assert float(abs(private - plain).max().array) < 3e-3
    assert (private.argmax("class") == plain.argmax("class")).all()
    right = (private.argmax("class") == heldout.labels.isel(batch=slice(0, N))).mean()
    assert float(right) > 0.97


@pytest.mark.parametrize("parties", [2, 3])
def test_a_network_of_dense_layers(parties):
    require_same(*models.mlp(), tolerance=6e-4, parties=parties)


def test_lenet_on_enlarged_digits(heldout):
    apply, params, _ = models.lenet()
    pixels = np.asarray(heldout.images.to_array("batch height width"))[:N]
    x = np.pad(np.kron(pixels, np.ones((1, 3, 3), np.float32)), [(0, 0), (2, 2), (2, 2)])[:, None]
    assert x.shape == (N, 1, 28, 28)
    require_same(apply, params, x, tolerance=4e-4)


@pytest.mark.parametrize(("stem", "folded"), [(3, True), (7, False)])
def test_a_narrow_resnet(stem, folded):
    require_same(*models.resnet18(batch=4, width=8, stem=stem, folded=folded), tolerance=1e-3)


def test_public_weights_and_norms():
    apply, params, x = models.resnet18(batch=2, width=8, folded=False)
    with ct.simulate() as session:
        private = ct.private(apply)(params, session.share(x)).reveal()
    np.testing.assert_allclose(private, apply(params, x), atol=1e-3)


def test_a_named_resnet():
    sizes = resnet18.Sizes(width=4, classes=10, stem=3)
    params = resnet18.init(jax.random.key(0), sizes)
    images = nt.random.normal(jax.random.key(1), "batch:2 height:16 width:16 channel:3")
    params = resnet18.with_moving_moments(params, images, momentum=1.0)
    private, plain = privately(resnet18.apply, params, images), resnet18.apply(params, images)
    assert private.dims == plain.dims
    np.testing.assert_allclose(private.array, plain.array, atol=2e-2)


@pytest.mark.slow
def test_resnet18():
    require_same(*models.resnet18(), tolerance=1e-3)


def test_a_transformer_block():
    apply, params, x = models.transformer_block()
    np.testing.assert_allclose(privately(apply, params, x), apply(params, x), atol=2e-3)


def test_softmax_over_a_thousand_classes():
    x = models.softmax()
    with ct.simulate() as session:
        private = ct.private(lambda x: jax.nn.softmax(x, axis=-1))(session.share(x)).reveal()
    wide = x.astype(np.float64)
    exact = np.exp(wide - wide.max(-1, keepdims=True))
    np.testing.assert_allclose(private, exact / exact.sum(-1, keepdims=True), atol=2e-4)


class Equinox(eqx.Module):
    """Of layers as equinox has them, for one image."""

    conv: eqx.nn.Conv2d
    pool: eqx.nn.AvgPool2d
    norm: eqx.nn.LayerNorm
    dense: eqx.nn.Linear

    def __init__(self, key):
        keys = jax.random.split(key)
        self.conv, self.dense = eqx.nn.Conv2d(1, 6, 3, key=keys[0]), eqx.nn.Linear(54, 10, key=keys[1])
        self.pool, self.norm = eqx.nn.AvgPool2d(2, 2), eqx.nn.LayerNorm(54)

    def __call__(self, image):
        hidden = self.pool(jax.nn.relu(self.conv(image[None])))
        return self.dense(self.norm(hidden.reshape(-1)))


def test_an_equinox_model(heldout):
    params, static = eqx.partition(Equinox(jax.random.key(3)), eqx.is_array)
    x = heldout.images.to_array("batch height width")[:N]

    def apply(params, x):
        return jax.vmap(eqx.combine(params, static))(x)

    private, plain = (np.asarray(a) for a in (privately(apply, params, x), apply(params, x)))
    assert np.abs(private - plain).max() < 5e-3
    ordered = np.sort(plain, axis=-1)
    clear = ordered[:, -1] - ordered[:, -2] > 1e-2
    assert clear.mean() > 0.9
    assert (private.argmax(-1) == plain.argmax(-1))[clear].all()


def test_more_places_give_more_digits():
    apply, params, x = models.mlp()
    coarse, fine = (
        np.abs(privately(apply, params, x, fraction=f) - apply(params, x)).max() for f in (12, 20)
    )
    assert fine < coarse / 50


def test_a_model_that_is_compiled_and_mapped():
    apply, params, x = models.mlp((20, 12, 4), batch=5)
    mapped = jax.jit(jax.vmap(lambda p, row: apply(p, row[None])[0], in_axes=(None, 0)))
    np.testing.assert_allclose(privately(mapped, params, jnp.asarray(x)), apply(params, x), atol=1e-3)
