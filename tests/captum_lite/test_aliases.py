"""Captum's names: each is the method that its line in the table says, called as Captum calls it."""

import inspect
import pickle
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import captum_lite
import namedtensor as nt
from captum_lite import IntegratedGradients, LayerIntegratedGradients, NeuronGradient, NoiseTunnel, Saliency
from captum_lite.aliases import ALIASES

RNG = np.random.default_rng(41)
X, B = RNG.normal(size=(2, 2, 4))
W, V = RNG.normal(size=(4, 3)), RNG.normal(size=(3, 2))
SHAPES = {"X": (2, 4), "hidden": (2, 3)}
EXACT = {"rtol": 1e-10, "atol": 1e-12}


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def net(x: Any) -> Any:
    return nt.tap(jax.nn.relu(x @ W), "hidden") @ V


def of(name: str) -> Any:
    """The method that an alias stands for."""
    plain = name.removeprefix("Layer").removeprefix("Neuron")
    return getattr(captum_lite, "Saliency" if plain == "Gradient" else plain)


def given(method: Any, **more: Any) -> dict[str, Any]:
    explainer = method(net)
    few = {k: v for k, v in {"n_steps": 9, "n_samples": 3}.items() if k in explainer.defaults()}
    return few | ({"baselines": B} if explainer.compares() else {}) | more


@pytest.mark.parametrize("name", [k for k in ALIASES if k.startswith("Layer")])
def test_of_a_layer(name):
    method, how = of(name), given(of(name), target=1)
    found = ALIASES[name](net, "hidden").attribute(X, **how)
    assert found.shape == SHAPES["hidden"]
    np.testing.assert_array_equal(found, method(net, layer="hidden").attribute(X, **how))


@pytest.mark.parametrize("name", [k for k in ALIASES if k.startswith("Neuron")])
def test_of_a_neuron(name):
    method, how = of(name), given(of(name))
    signed = {"abs": False} if name == "NeuronGradient" else {}
    expected = method(net, layer="hidden", neuron=1).attribute(X, **how, **signed)
    assert expected.shape == SHAPES["X"]
    alias = ALIASES[name]
    for found in (
        alias(net, "hidden").attribute(X, 1, **how),
        alias(net, "hidden").attribute(X, neuron_selector=(1,), **how),
        alias(net, "hidden").attribute(X, [1], **how),
        alias(net, "hidden", neuron=1).attribute(X, **how),
    ):
        np.testing.assert_array_equal(found, expected)


def test_baselines_come_after_the_neuron():
    alias = captum_lite.NeuronIntegratedGradients(net, "hidden")
    np.testing.assert_array_equal(alias.attribute(X, 1, B), alias.attribute(X, 1, baselines=B))


def test_a_neuron_is_the_gradient_of_one_number():
    found = NeuronGradient(net, "hidden").attribute(X, 2)
    np.testing.assert_allclose(found, (X @ W[:, 2:] > 0) * W[:, 2], **EXACT)


def test_a_function_may_choose_the_neuron():
    found = NeuronGradient(net, "hidden").attribute(X, lambda h: h[:, 0] + h[:, 1])
    expected = sum(NeuronGradient(net, "hidden").attribute(X, k) for k in (0, 1))
    np.testing.assert_allclose(found, expected, **EXACT)


@pytest.mark.filterwarnings("ignore::captum_lite.IncompleteWarning")  # of few steps over a kink
def test_the_record_and_the_stream_know_their_name():
    alias = captum_lite.NeuronIntegratedGradients(net, "hidden")
    record = alias.explain(X, 1, B, n_steps=5)
    assert (record.method, record.arguments["neuron"]) == ("NeuronIntegratedGradients", 1)
    np.testing.assert_allclose(record.prediction, jax.nn.relu(X @ W)[:, 1], **EXACT)
    *_, last = alias.stream(X, 1, B, n_steps=5)
    np.testing.assert_array_equal(last.attributions, record.attributions)
    assert LayerIntegratedGradients(net, "hidden").explain(X, B, 0).method == "LayerIntegratedGradients"


def test_under_noise():
    quiet = {"nt_samples": 2, "stdevs": 0.0}
    found = NoiseTunnel(NeuronGradient(net, "hidden", neuron=1)).attribute(X, **quiet)
    np.testing.assert_allclose(found, NeuronGradient(net, "hidden").attribute(X, 1), **EXACT)
    found = NoiseTunnel(LayerIntegratedGradients(net, "hidden")).attribute(X, B, 1, **quiet)
    expected = IntegratedGradients(net, layer="hidden").attribute(X, B, 1)
    np.testing.assert_allclose(found, expected, **EXACT)


def test_a_second_call_compiles_nothing(compilations):
    def call(x: Any, neuron: int) -> None:
        jax.block_until_ready(NeuronGradient(net, "hidden").attribute(x, neuron))

    call(jnp.asarray(X), 1)
    assert compilations.since(lambda: call(jnp.asarray(X + 1), 2)) == 0


def test_an_alias_is_a_public_class_with_a_docstring():
    for name, alias in ALIASES.items():
        assert getattr(captum_lite, name) is alias
        assert name in captum_lite.__all__
        assert issubclass(alias, of(name))
        assert of(name).__name__ in (inspect.getdoc(alias) or "")
        assert pickle.loads(pickle.dumps(alias)) is alias
        assert alias(net, "hidden") == alias(net, "hidden") != of(name)(net, "hidden")
    assert repr(LayerIntegratedGradients(net, "hidden")).startswith("LayerIntegratedGradients(fun=")


def test_what_captum_has_by_these_names_is_here():
    """The layer and neuron classes of captum.attr 0.9, without those that are methods of their own here."""
    own = "LayerActivation LayerGradientXActivation LayerConductance LayerGradCam InternalInfluence"
    layer = "DeepLift DeepLiftShap FeatureAblation FeaturePermutation GradientShap IntegratedGradients LRP"
    neuron = "Deconvolution DeepLift DeepLiftShap FeatureAblation Gradient GradientShap GuidedBackprop"
    neurons = [*neuron.split(), "IntegratedGradients"]
    assert set(ALIASES) == {f"Layer{n}" for n in layer.split()} | {f"Neuron{n}" for n in neurons}
    for name in [*own.split(), "NeuronConductance"]:
        assert hasattr(captum_lite, name)


def test_a_layer_and_a_neuron_must_be_given_once():
    with pytest.raises(ValueError, match=r"LayerIntegratedGradients explains a layer: give its name"):
        LayerIntegratedGradients(net)
    with pytest.raises(ValueError, match=r"so neuron=3 has no meaning"):
        LayerIntegratedGradients(net, "hidden", neuron=3)
    with pytest.raises(
        ValueError, match=r"NeuronGradient explains one unit of 'hidden': give it as the second"
    ):
        NeuronGradient(net, "hidden").attribute(X)
    with pytest.raises(ValueError, match=r"NeuronGradient explains a unit of a layer: give its name"):
        NeuronGradient(net).attribute(X, 3)
    with pytest.raises(ValueError, match=r"was made for neuron=1 and is called for 2: give it once"):
        NeuronGradient(net, "hidden", neuron=1).attribute(X, 2)
    with pytest.raises(ValueError, match=r"target=1 and neuron=2 are both given"):
        NeuronGradient(net, "hidden").attribute(X, 2, target=1)


def test_noise_over_a_neuron_that_is_not_chosen():
    with pytest.raises(ValueError, match=r"NeuronGradient explains one unit of 'hidden'"):
        NoiseTunnel(NeuronGradient(net, "hidden")).attribute(X)
    with pytest.raises(ValueError, match=r"NeuronConductance explains one unit of 'hidden'"):
        NoiseTunnel(captum_lite.NeuronConductance(net, "hidden")).attribute(X)


def test_neuron_of_any_method_is_the_same_mechanism():
    found = Saliency(net, layer="hidden", neuron=(2,)).attribute(X, abs=False)
    np.testing.assert_array_equal(found, NeuronGradient(net, "hidden").attribute(X, 2))
