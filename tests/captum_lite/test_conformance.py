"""The reference cases of Captum 0.9 whose method exists here, in float64."""

import inspect
from typing import Any

import jax
import numpy as np
import pytest

import captum_lite
import namedtensor as nt
from captum_lite import IntegratedGradients, NoiseTunnel

from .conformance import CASES, MODELS, arrays, build, inputs, tolerance, value

# methods of the reference that are still to come; one that exists has to leave this set
LATER = {
    "Deconvolution",
    "DeepLift",
    "DeepLiftShap",
    "FGSM",
    "FeatureAblation",
    "GradientShap",
    "GuidedBackprop",
    "GuidedGradCam",
    "InternalInfluence",
    "KernelShap",
    "LRP",
    "LayerActivation",
    "LayerConductance",
    "LayerDeepLift",
    "LayerGradCam",
    "LayerGradientXActivation",
    "NeuronConductance",
    "NeuronDeepLift",
    "NeuronGradient",
    "NeuronIntegratedGradients",
    "Occlusion",
    "PGD",
    "ShapleyValueSampling",
    "ShapleyValues",
    "infidelity",
    "sensitivity_max",
}


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
    method = IntegratedGradients(build(case["model"]), layer=case["params"]["layer"])
    return method, options(case, "layer")


def noisy(case: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The recorded noise is ``[batch * samples, ...]``, the samples of one example next to each other."""
    given = options(case, "inner", "noise", "stdevs")
    drawn = value(case["params"]["noise"])
    drawn = drawn.reshape(-1, given["nt_samples"], *drawn.shape[1:]).swapaxes(0, 1)
    inner = getattr(captum_lite, case["params"]["inner"])(build(case["model"]))
    return NoiseTunnel(inner), {**given, "noise": drawn}


CALLS = {
    "Saliency": plain,
    "InputXGradient": plain,
    "IntegratedGradients": plain,
    "NoiseTunnel": noisy,
    "LayerIntegratedGradients": at_layer,
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


@pytest.mark.parametrize("model", MODELS)
def test_the_models_are_built_right(model):
    given = inputs(model)
    given = given if isinstance(given, tuple) else (given,)
    np.testing.assert_allclose(
        build(model)(*given), arrays()[MODELS[model]["output"]], rtol=1e-12, atol=1e-13
    )
    assert list(nt.list_taps(build(model), *given)) == [node["name"] for node in MODELS[model]["nodes"]]


def test_every_method_of_the_reference_is_run_or_to_come():
    assert {c["method"] for c in CASES} == set(CALLS) | LATER
    assert not set(CALLS) & LATER


def there_now() -> set[str]:
    """Public names of the package and of its public sub-modules."""
    modules = [captum_lite, *(m for _, m in inspect.getmembers(captum_lite, inspect.ismodule))]
    return {name for m in modules for name in dir(m)}


@pytest.mark.parametrize("method", sorted(LATER))
def test_what_is_to_come_is_not_there_yet(method):
    assert method not in there_now(), f"{method} exists now: move it from LATER to CALLS"
