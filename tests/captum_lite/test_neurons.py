"""Neurons: what the inputs say of one number inside the function, on every gradient method."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import namedtensor as nt
from captum_lite import InputXGradient, IntegratedGradients, NoiseTunnel, Saliency, SmoothGrad

RNG = np.random.default_rng(23)
X, B = RNG.normal(size=(2, 4, 3))
W = RNG.normal(size=(3, 5))
EXACT = {"rtol": 1e-12, "atol": 1e-13}


def model(w, x):
    return nt.tap(jnp.tanh(x @ w), "hidden") @ jnp.ones((5, 2))


def hidden(w, x):
    return jnp.tanh(x @ w)


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize("make", [Saliency, InputXGradient, IntegratedGradients, SmoothGrad])
@pytest.mark.parametrize("neuron", [2, (2,), np.array([0, 4, 2, 2]), lambda h: h[:, 1] * h[:, 3]])
def test_a_neuron_is_a_target_in_the_layer(make, neuron):
    """The same as the function that ends at the layer, with the neuron as its target."""
    baselines = {"baselines": B} if make(model).compares() else {}
    part, whole = functools.partial(hidden, jnp.asarray(W)), functools.partial(model, jnp.asarray(W))
    found = make(whole, layer="hidden", neuron=neuron).attribute(X, **baselines)
    np.testing.assert_allclose(found, make(part).attribute(X, target=neuron, **baselines), **EXACT)


def test_the_gradient_of_a_neuron_is_known():
    found = Saliency(functools.partial(model, W), layer="hidden", neuron=2).attribute(X, abs=False)
    np.testing.assert_allclose(found, (1 - np.tanh(X @ W[:, 2:3]) ** 2) * W[:, 2], **EXACT)


def test_named_neurons_and_noise_over_them():
    def named(x):
        return nt.tap(x.dot("feature", nt.tensor(W, "feature hidden")).tanh(), "hidden").sum("hidden")

    x = nt.tensor(X, "batch feature")
    method = Saliency(named, layer="hidden", neuron={"hidden": 2})
    found = NoiseTunnel(method).attribute(x, stdevs=0.0, abs=False, nt_samples=2)
    expected = (1 - np.tanh(X @ W[:, 2:3]) ** 2) * W[:, 2]
    np.testing.assert_allclose(found.to_array("batch feature"), expected, **EXACT)


def test_completeness_is_that_of_the_neuron():
    method = IntegratedGradients(functools.partial(model, W), layer="hidden", neuron=3)
    record = method.explain(X, B, n_steps=30)
    np.testing.assert_allclose(record.prediction, hidden(W, X)[:, 3], **EXACT)
    assert float(abs(record.convergence_delta).max()) < 1e-10


def test_further_arguments_reach_the_function():
    def scaled(x, factor, w):
        return model(w, x * factor)

    found = Saliency(scaled, layer="hidden", neuron=0).attribute(X, additional_forward_args=(2.0, W))
    direct = Saliency(lambda x: hidden(W, 2 * x)).attribute(X, target=0)
    np.testing.assert_allclose(found, direct, **EXACT)


def test_a_second_call_compiles_nothing(compilations):
    def call(w, neuron):
        method = IntegratedGradients(functools.partial(model, w), layer="hidden", neuron=neuron)
        jax.block_until_ready(method.attribute(X, B))

    call(jnp.asarray(W), 1)
    assert compilations.since(lambda: call(jnp.asarray(W + 1), 1)) == 0
    assert compilations.since(lambda: call(jnp.asarray(W), 2)) == 0


@pytest.mark.parametrize(
    ("make", "call", "message"),
    [
        (lambda: Saliency(lambda x: x, neuron=3), None, "neuron=3 is a place in a layer: give layer='name'"),
        (
            lambda: Saliency(functools.partial(model, W), layer="hidden", neuron=3),
            {"target": 1},
            "target=1 and neuron=3 are both given",
        ),
        (lambda: Saliency(functools.partial(model, W), layer="hidden", neuron=9), {}, "9 is out of range"),
        (lambda: Saliency(functools.partial(model, W), layer="hiden", neuron=1), {}, "mean 'hidden'"),
    ],
    ids=["no layer", "target too", "out of range", "unknown layer"],
)
def test_bad_neurons(make, call, message):
    with pytest.raises((ValueError, IndexError), match=message):
        make().attribute(X, **(call or {}))
