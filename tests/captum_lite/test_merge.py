"""Merging: two records of one explanation with other draws are one record of all draws."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import namedtensor as nt
from captum_lite import IntegratedGradients, NoiseTunnel, Saliency, SmoothGrad, VarGrad

RNG = np.random.default_rng(11)
X, B = RNG.normal(size=(2, 3, 4))
NOISE = RNG.normal(size=(9, 3, 4))


def model(x):
    return jnp.stack([jnp.tanh(x).sum(1) ** 2, x[:, 0] * x[:, 1]], axis=1)


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def tunnel(noise, **more):
    return NoiseTunnel(Saliency(model)).explain(X, target=0, noise=noise, nt_samples=len(noise), **more)


def test_parts_merge_into_the_whole():
    """The draws are given, so the whole is known: an explanation with all of them."""
    found, whole = tunnel(NOISE[:4]).merge(tunnel(NOISE[4:])), tunnel(NOISE)
    np.testing.assert_allclose(found.attributions, whole.attributions, rtol=1e-12)
    np.testing.assert_allclose(found.error_map, whole.error_map, rtol=1e-10)
    np.testing.assert_allclose(found.error, whole.error, rtol=1e-10)
    assert found.samples == whole.samples == 9
    assert found.evaluations["gradient"] == whole.evaluations["gradient"]


def test_the_delta_is_that_of_the_mean():
    def explained(noise):
        return NoiseTunnel(IntegratedGradients(model)).explain(
            X, B, target=1, noise=noise, nt_samples=len(noise), n_steps=4
        )

    found = explained(NOISE[:4]).merge(explained(NOISE[4:]))
    assert found.convergence_delta is None  # noise does not keep completeness
    np.testing.assert_allclose(found.attributions, explained(NOISE).attributions, rtol=1e-12)


def test_named_records_and_three_of_them():
    x = nt.tensor(X, "batch feature")
    method = SmoothGrad(lambda x: (x.tanh().sum("feature")) ** 2)
    records = [method.explain(x, nt_samples=5, key=jax.random.key(k)) for k in range(3)]
    found = records[0].merge(records[1]).merge(records[2])
    expected = sum(r.attributions.array for r in records) / 3
    np.testing.assert_allclose(found.attributions.array, expected, rtol=1e-12)
    assert found.attributions.dims == x.dims
    assert found.samples == 15
    with pytest.raises(ValueError, match="the same key, so they hold the same draws"):
        found.merge(records[1])


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (lambda: SmoothGrad(model).explain(X, target=0), "same key, so they hold the same draws"),
        (lambda: SmoothGrad(model).explain(X, target=1, key=jax.random.key(1)), "differ in target"),
        (lambda: SmoothGrad(model).explain(X + 1, target=0, key=jax.random.key(1)), "differ in inputs"),
        (lambda: SmoothGrad(model).explain(X, target=0, noise_level=0.3), "differ in noise_level"),
        (lambda: VarGrad(model).explain(X, target=0), "VarGrad .* is no mean of independent draws"),
        (lambda: IntegratedGradients(model).explain(X, B, target=0, n_steps=4), "is no mean of independent"),
    ],
    ids=["key", "target", "inputs", "options", "variance", "quadrature"],
)
def test_what_cannot_be_merged(other, message):
    with pytest.raises(ValueError, match=message):
        SmoothGrad(model).explain(X, target=0, key=jax.random.key(0)).merge(other())
