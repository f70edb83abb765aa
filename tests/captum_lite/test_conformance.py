"""The reference cases of Captum 0.9 whose method exists here, in float64."""

from typing import Any

import jax
import numpy as np
import pytest

import captum_lite
import namedtensor as nt
from captum_lite import NoiseTunnel, Saliency, metrics, robust

from .conformance import CASES, MODELS, arrays, build, inputs, tolerance, value


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def options(case: dict[str, Any], *left_out: str) -> dict[str, Any]:
    """The parameters of a case as arguments of `attribute`."""
    return {k: value(v) for k, v in case["params"].items() if k not in left_out}


def plain(case: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    return getattr(captum_lite, case["method"])(build(case["model"])), options(case)


def at_layer(case: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    method = getattr(captum_lite, case["method"])(build(case["model"]), case["params"]["layer"])
    return method, options(case, "layer")


def conductance(case: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Captum takes differences of the layer; its trapezoid has weights that do not sum to 1."""
    method, given = at_layer(case)
    variant = {} if "neuron" in given else {"method_variant": "captum"}
    biased = {"method": "riemann_trapezoid_captum"} if given["method"] == "riemann_trapezoid" else {}
    return method, of_neuron(given) | variant | biased


def neuron(case: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    method, given = at_layer(case)
    return method, of_neuron(given)


def of_neuron(given: dict[str, Any]) -> dict[str, Any]:
    return {"neuron_selector" if k == "neuron" else k: v for k, v in given.items()}


def by_rules(case: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    rules = {k: case["params"][k] for k in ("rules", "default")}
    return captum_lite.LRP(build(case["model"]), **rules), options(case, *rules)


def noisy(case: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The recorded noise is ``[batch * samples, ...]``, the samples of one example next to each other."""
    given = options(case, "inner", "noise", "stdevs")
    drawn = value(case["params"]["noise"])
    drawn = drawn.reshape(-1, given["nt_samples"], *drawn.shape[1:]).swapaxes(0, 1)
    inner = getattr(captum_lite, case["params"]["inner"])(build(case["model"]))
    return NoiseTunnel(inner), {**given, "noise": drawn}


CALLS = {
    "FeatureAblation": plain,
    "Occlusion": plain,
    "ShapleyValueSampling": plain,
    "ShapleyValues": plain,
    "Saliency": plain,
    "InputXGradient": plain,
    "Deconvolution": plain,
    "GuidedBackprop": plain,
    "LRP": by_rules,
    "IntegratedGradients": plain,
    "NoiseTunnel": noisy,
    "DeepLift": plain,
    "DeepLiftShap": plain,
    "GradientShap": plain,
    "GuidedGradCam": at_layer,
    "InternalInfluence": at_layer,
    "LayerActivation": at_layer,
    "LayerConductance": conductance,
    "LayerDeepLift": at_layer,
    "LayerGradCam": at_layer,
    "LayerGradientXActivation": at_layer,
    "LayerIntegratedGradients": at_layer,
    "NeuronConductance": conductance,
    "NeuronDeepLift": neuron,
    "NeuronGradient": neuron,
    "NeuronIntegratedGradients": neuron,
}


@pytest.mark.parametrize("case", [c for c in CASES if c["method"] in CALLS], ids=lambda c: c["id"])
def test_case(case):
    method, given = CALLS[case["method"]](case)
    has_delta = "expected_delta" in case
    if has_delta:
        given["return_convergence_delta"] = True
    found = method.attribute(inputs(case["model"]), **given)
    found, delta = found if has_delta else (found, None)
    expected = value(case["expected"])
    assert isinstance(found, tuple) == isinstance(expected, tuple)
    found, expected = (x if isinstance(x, tuple) else (x,) for x in (found, expected))
    for a, e in zip(found, expected, strict=True):
        assert a.shape == e.shape
        assert abs(a - e).max() <= tolerance(case, e)
    if has_delta:
        # a sum of attributions is off by at most the sum of what each of them may be off by
        allowed = sum(e[0].size * tolerance(case, e) for e in expected)
        np.testing.assert_allclose(delta, value(case["expected_delta"]), rtol=0, atol=allowed)


def attacked(case: dict[str, Any]) -> Any:
    attack = getattr(robust, case["method"])(build(case["model"]))
    return attack.perturb(inputs(case["model"]), **options(case, "loss"))


def judged(case: dict[str, Any]) -> Any:
    given = options(case, "attributions")
    attributions = value(case["params"]["attributions"])
    return metrics.infidelity(build(case["model"]), None, inputs(case["model"]), attributions, **given)


def shaken(case: dict[str, Any]) -> Any:
    method, given = Saliency(build(case["model"])), options(case, "explanation")
    assert case["params"]["explanation"] == "Saliency(abs=False)"
    return metrics.sensitivity_max(method, inputs(case["model"]), abs=False, **given)


def of_one_example(case: dict[str, Any]) -> Any:
    """Captum draws coalitions; the case says how far from the exact values it may be."""
    i = case["params"]["example"]
    method = getattr(captum_lite, case["method"])(build(case["model"]))
    return method.attribute(inputs(case["model"])[i : i + 1], **options(case, "example"))


FUNCTIONS = {
    "KernelShap": of_one_example,
    "FGSM": attacked,
    "PGD": attacked,
    "infidelity": judged,
    "sensitivity_max": shaken,
}


@pytest.mark.parametrize("case", [c for c in CASES if c["method"] in FUNCTIONS], ids=lambda c: c["id"])
def test_case_of_a_metric_or_an_attack(case):
    found, expected = FUNCTIONS[case["method"]](case), value(case["expected"])
    assert found.shape == expected.shape
    assert abs(found - expected).max() <= tolerance(case, expected)


@pytest.mark.parametrize("model", MODELS)
def test_the_models_are_built_right(model):
    given = inputs(model)
    given = given if isinstance(given, tuple) else (given,)
    np.testing.assert_allclose(
        build(model)(*given), arrays()[MODELS[model]["output"]], rtol=1e-12, atol=1e-13
    )
    assert list(nt.list_taps(build(model), *given)) == [node["name"] for node in MODELS[model]["nodes"]]


def test_every_method_of_the_reference_is_run():
    assert {c["method"] for c in CASES} == {*CALLS, *FUNCTIONS}
