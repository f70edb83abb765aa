"""Explanations that no party sees: captum_lite's methods inside `private`, with the input and the weights shared."""

import functools

import jax
import numpy as np
import pytest

import captum_lite as cl
import crypten_lite as ct
import namedtensor as nt
from namedtensor.models import digits_cnn
from tests.namedtensor.jaxprs import primitives

N = 20
NOISE = nt.tensor(np.random.default_rng(5).uniform(size=(N, 8, 8)).astype(np.float32), "batch height width")


@pytest.fixture(scope="module")
def heldout():
    digits = nt.datasets.digits.load("heldout")
    return digits.images.isel(batch=slice(0, N)), digits.labels.isel(batch=slice(0, N))


@pytest.fixture(scope="module")
def params():
    return digits_cnn.load(progress=False)


def gradient(labels):
    def logits_of_labels(params, x):
        logits = digits_cnn.apply(params, x).to_array("batch class")
        return (logits * jax.nn.one_hot(labels.array, 10)).sum()

    return jax.grad(logits_of_labels, argnums=1)


def explained(method, labels, /, **options):
    """``(params, images) -> attributions``, where the method explains the network with these weights."""

    def attribute(params, x):
        return method(functools.partial(digits_cnn.apply, params)).attribute(
            x, target={"class": labels}, **options
        )

    return attribute


# A path through a network of ReLUs crosses kinks, and on either side of one a unit has another gradient: the fewer
# points are nearer to a kink than the last binary place, the better. Quotients of small numbers want places too.
FINE = 24

# name: (labels -> what is explained, how far off relative to the largest, binary places)
METHODS = {
    "jax.grad": (gradient, 1e-3, FINE),
    "saliency": (functools.partial(explained, cl.Saliency), 1e-3, FINE),
    "input x gradient": (functools.partial(explained, cl.InputXGradient), 1e-3, FINE),
    "integrated gradients": (
        functools.partial(explained, cl.IntegratedGradients, n_steps=16, internal_batch_size=16 * N),
        1e-3,
        FINE,
    ),
    "smoothgrad": (
        functools.partial(explained, cl.SmoothGrad, nt_samples=8, stdevs=0.1, internal_batch_size=8 * N),
        1e-3,
        FINE,
    ),
    "gradcam": (functools.partial(explained, functools.partial(cl.LayerGradCam, layer="conv2")), 1e-3, FINE),
    # (a blank baseline has ties in its max-pools, where the last place decides who gets the credit)
    "deeplift": (functools.partial(explained, cl.DeepLift, baselines=NOISE), 1e-2, FINE),
    "occlusion": (
        functools.partial(
            explained,
            cl.Occlusion,
            sliding_window_shapes={"height": 3, "width": 3},
            internal_batch_size=37 * N,
        ),
        1e-3,
        16,
    ),
}


def pixels(attributions):
    """``[batch, pixel]``."""
    return np.asarray(attributions.array).reshape(N, -1)


def require_same(private, plain, tolerance, allowed=0.15):
    """Of most images. Of some a kink is nearer than the last place, and there the floats' answer is one of two.

    Which images that are depends on the weights, which another processor trains a little differently. One point of a
    path has a kink within 3e-7, where masks and roundings decide, in 3 of 4000 cases, so one image of 16 points in 1 %
    of them; the tolerance is relative to the largest pixel of all images.
    """
    private, plain = (np.asarray(a.array if hasattr(a, "dims") else a) for a in (private, plain))
    error = np.abs(private - plain).reshape(len(plain), -1).max(1)
    assert np.mean(error < tolerance * np.abs(plain).max()) >= 1 - allowed, error


def top(attributions, k=10):
    """The pixels that the attribution says most of, for each image."""
    return [set(row) for row in np.argsort(-np.abs(pixels(attributions)), axis=1)[:, :k]]


@pytest.mark.parametrize("name", METHODS)
def test_the_explanation_is_the_plain_one(name, heldout, params):
    make, tolerance, fraction = METHODS[name]
    images, labels = heldout
    explain = make(labels)
    with ct.simulate(fraction=fraction) as session:
        shared = ct.private(explain)(session.share(params), session.share(images))
        assert isinstance(shared, ct.SharedTensor)
        private = shared.reveal()
        counted = session.cost
    plain = explain(params, images)
    assert private.dims == plain.dims
    require_same(private, plain, tolerance)
    same = [a == b for a, b in zip(top(private), top(plain), strict=True)]
    assert np.mean(same) >= 0.95
    assert ct.estimate(explain, params, images, point=ct.FixedPoint(fraction)) == counted


# Further methods, on three images, with few points: (method, options).
FEW = {
    "LRP": (cl.LRP, {}),
    "guided backprop": (cl.GuidedBackprop, {}),
    "deconvolution": (cl.Deconvolution, {}),
    "vargrad": (cl.VarGrad, {"nt_samples": 3}),
    "kernel shap": (cl.KernelShap, {"n_samples": 80}),
    "integrated gradients at a layer": (
        functools.partial(cl.IntegratedGradients, layer="pool"),
        {"n_steps": 4},
    ),
    "conductance": (functools.partial(cl.LayerConductance, layer="hidden"), {"n_steps": 4}),
}


@pytest.mark.parametrize("name", FEW)
def test_further_methods(name, heldout, params):
    method, options = FEW[name]
    images, labels = (t.isel(batch=slice(0, 3)) for t in heldout)
    explain = explained(method, labels, **options)
    with ct.simulate(fraction=FINE) as session:
        private = ct.private(explain)(*session.share((params, images))).reveal()
    require_same(private, explain(params, images), 1e-3, allowed=0.34)  # one of three


@pytest.mark.parametrize(("method", "options"), [(cl.Lime, {"n_samples": 8}), (cl.GuidedIG, {"n_steps": 4})])
def test_methods_that_decide_by_secret_numbers_are_refused(method, options, heldout, params):
    """The one by the pivots of a decomposition, the other by sorting out what is to be followed."""
    images, labels = (t.isel(batch=slice(0, 2)) for t in heldout)
    with (
        ct.simulate() as session,
        pytest.raises(nt.interpreter.UnsupportedPrimitiveError, match="secret_rules"),
    ):
        ct.private(explained(method, labels, **options))(*session.share((params, images)))


def test_the_network_is_explained_as_it_is_written(heldout, params):
    """On concrete arrays of a CPU captum_lite computes convolutions by kernels of its own, not under a transformation."""
    images, labels = heldout
    for method in (cl.Saliency, cl.DeepLift, cl.Occlusion):
        options = {"sliding_window_shapes": {"height": 3, "width": 3}} if method is cl.Occlusion else {}
        found = primitives(explained(method, labels, **options), params, images)
        assert found.count("conv_general_dilated") >= 2
        assert "custom_vjp_call" not in found


def test_a_public_network_on_a_secret_image(heldout, params):
    images, labels = heldout
    explain = explained(cl.IntegratedGradients, labels, n_steps=16, internal_batch_size=16 * N)
    with ct.simulate(fraction=FINE) as session:
        private = ct.private(explain)(params, session.share(images)).reveal()
    plain = explain(params, images)
    require_same(private, plain, 1e-3)


def test_a_secret_baseline(heldout, params):
    images, labels = heldout

    def explain(params, x, baseline):
        method = cl.IntegratedGradients(functools.partial(digits_cnn.apply, params))
        return method.attribute(x, baseline, {"class": labels}, n_steps=16, internal_batch_size=16 * N)

    with ct.simulate(fraction=FINE) as session:
        private = ct.private(explain)(*session.share((params, images, NOISE))).reveal()
    plain = explain(params, images, NOISE)
    require_same(private, plain, 1e-3)


def test_what_looks_at_values_says_that_there_are_none(heldout, params):
    images, labels = heldout
    explain = explained(cl.IntegratedGradients, labels, method="adaptive")
    with (
        ct.simulate() as session,
        pytest.raises(ValueError, match=r"take a fixed number of points, n_steps=50"),
    ):
        ct.private(explain)(*session.share((params, images)))
