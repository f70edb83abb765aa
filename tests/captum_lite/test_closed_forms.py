"""Every method on functions whose attribution is a formula, in float64."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from captum_lite import (
    InputXGradient,
    IntegratedGradients,
    NoiseTunnel,
    Saliency,
    SmoothGrad,
    VarGrad,
)

RNG = np.random.default_rng(7)
X = RNG.normal(size=(3, 4))
B = RNG.normal(size=(3, 4))
W = RNG.normal(size=4)
A = RNG.normal(size=(4, 4))
S = A + A.T
EXACT = {"rtol": 1e-11, "atol": 1e-12}


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def relu(x: Any) -> Any:
    return np.maximum(x, 0)


class Form(NamedTuple):
    """A function of ``[batch, 4]``, its gradient, and its integrated gradients from ``b`` to ``x``."""

    f: Callable[[Any], Any]
    gradient: Callable[[Any], Any]
    integrated: Callable[[Any, Any], Any]


FORMS = {
    "linear w.x + c": Form(lambda x: x @ W + 3, lambda x: W + 0 * x, lambda x, b: (x - b) * W),
    "quadratic x'Ax": Form(
        lambda x: ((x @ A) * x).sum(1), lambda x: x @ S, lambda x, b: (x - b) * ((x + b) @ S) / 2
    ),
    "product x0 x1": Form(
        lambda x: x[:, 0] * x[:, 1],
        lambda x: np.stack([x[:, 1], x[:, 0], 0 * x[:, 2], 0 * x[:, 3]], 1),
        lambda x, b: (x - b) * np.stack([x[:, 1] + b[:, 1], x[:, 0] + b[:, 0], 0 * W[:3], 0 * W[:3]], 1) / 2,
    ),
    "sum of exp": Form(lambda x: jnp.exp(x).sum(1), np.exp, lambda x, b: np.exp(x) - np.exp(b)),
    "piecewise w.relu(x)": Form(
        lambda x: jax.nn.relu(x) @ W, lambda x: W * (x > 0), lambda x, b: W * (relu(x) - relu(b))
    ),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_gradient_methods(form):
    gradient = form.gradient(X)
    np.testing.assert_allclose(Saliency(form.f).attribute(X), abs(gradient), **EXACT)
    np.testing.assert_allclose(Saliency(form.f).attribute(X, abs=False), gradient, **EXACT)
    np.testing.assert_allclose(InputXGradient(form.f).attribute(X), X * gradient, **EXACT)


@pytest.mark.parametrize("name", [k for k in FORMS if "piecewise" not in k])
def test_integrated_gradients(name):
    f, _, integrated = FORMS[name]
    attributions, delta = IntegratedGradients(f).attribute(X, B, n_steps=20, return_convergence_delta=True)
    np.testing.assert_allclose(attributions, integrated(X, B), **EXACT)
    np.testing.assert_allclose(delta, 0, **EXACT)
    local = IntegratedGradients(f, multiply_by_inputs=False).attribute(X, B, n_steps=20)
    np.testing.assert_allclose(local, integrated(X, B) / (X - B), **EXACT)


def test_integrated_gradients_across_a_kink_between_two_cells():
    """With b = -x/3 every feature crosses 0 at a quarter of the path, where two of 8 cells meet."""
    f, _, integrated = FORMS["piecewise w.relu(x)"]
    attributions = IntegratedGradients(f).attribute(X, -X / 3, n_steps=8, method="riemann_middle")
    np.testing.assert_allclose(attributions, integrated(X, -X / 3), **EXACT)


BASELINES = {
    "None": (None, 0 * X),
    "a number": (0.7, 0.7 + 0 * X),
    "a scalar array": (np.float64(0.7), 0.7 + 0 * X),
    "one example": (B[0], np.broadcast_to(B[0], X.shape)),
    "one row": (B[:1], np.broadcast_to(B[0], X.shape)),
    "one for each": (B, B),
    "in a tuple": ((B,), B),
}


@pytest.mark.parametrize(("given", "meant"), BASELINES.values(), ids=BASELINES)
def test_baseline_forms(given, meant):
    f, _, integrated = FORMS["quadratic x'Ax"]
    np.testing.assert_allclose(IntegratedGradients(f).attribute(X, given), integrated(X, meant), **EXACT)


N = 4
# the degree up to which N points integrate a polynomial (here: the gradient along the path) exactly
EXACT_DEGREE = {
    "gausslegendre": 2 * N - 1,
    "riemann_left": 0,
    "riemann_right": 0,
    "riemann_middle": 1,
    "riemann_trapezoid": 1,
}


def power_error(method: str, degree: int) -> float:
    """Of IG of ``sum of x**(degree + 1)``, whose gradient is of ``degree``; IG is ``x**p - b**p``."""
    p = degree + 1
    found = IntegratedGradients(lambda x: (x**p).sum(1)).attribute(X, B, n_steps=N, method=method)
    return float(abs(found - (X**p - B**p)).max())


@pytest.mark.parametrize(("method", "degree"), EXACT_DEGREE.items())
def test_quadrature_is_exact_up_to_its_degree_and_no_further(method, degree):
    for exact in range(degree + 1):
        assert power_error(method, exact) < 1e-11
    assert power_error(method, degree + 1) > 1e-6


@pytest.mark.parametrize("n", [2, 5, 50])
def test_trapezoid_of_captum_is_short_by_its_factor(n):
    ig = IntegratedGradients(FORMS["linear w.x + c"].f)
    right = ig.attribute(X, B, n_steps=n, method="riemann_trapezoid")
    short = ig.attribute(X, B, n_steps=n, method="riemann_trapezoid_captum")
    np.testing.assert_allclose(right, (X - B) * W, **EXACT)
    np.testing.assert_allclose(short, (X - B) * W * (n - 1) / n, **EXACT)


@pytest.mark.parametrize("method", EXACT_DEGREE)
def test_one_step_is_enough_for_a_linear_function(method):
    found = IntegratedGradients(FORMS["linear w.x + c"].f).attribute(X, B, n_steps=1, method=method)
    np.testing.assert_allclose(found, (X - B) * W, **EXACT)


STDEV, SAMPLES = 0.3, 500
QUADRATIC = FORMS["quadratic x'Ax"].f


def test_smoothgrad_of_a_quadratic_is_its_gradient_in_expectation():
    record = SmoothGrad(QUADRATIC).explain(X, nt_samples=SAMPLES, stdevs=STDEV, key=jax.random.key(1))
    # the standard error of a mean of S (x + e) is known as well
    known = STDEV * np.sqrt((S**2).sum(1) / SAMPLES)
    np.testing.assert_allclose(
        record.error_map, np.broadcast_to(known, X.shape), rtol=5 / np.sqrt(2 * SAMPLES)
    )
    assert (abs(record.attributions - X @ S) <= 5 * record.error_map).all()


def test_vargrad_of_a_quadratic_is_the_noise_through_its_hessian():
    found = VarGrad(QUADRATIC).attribute(X, nt_samples=SAMPLES, stdevs=STDEV, key=jax.random.key(2))
    # a variance of n normal draws has the relative standard error sqrt(2 / n)
    expected = np.broadcast_to(STDEV**2 * (S**2).sum(1), X.shape)
    np.testing.assert_allclose(found, expected, rtol=5 * np.sqrt(2 / SAMPLES))


def test_noise_level_is_a_fraction_of_each_examples_range():
    key = jax.random.key(3)
    by_level = SmoothGrad(QUADRATIC).attribute(X, noise_level=0.2, key=key) - X @ S
    unit = SmoothGrad(QUADRATIC).attribute(X, stdevs=1.0, key=key) - X @ S
    np.testing.assert_allclose(by_level, 0.2 * np.ptp(X, axis=1, keepdims=True) * unit, **EXACT)


E = RNG.normal(size=(6, *X.shape))
DRAWS = (X + E) @ S
STATISTICS = {
    "smoothgrad": (DRAWS.mean(0), DRAWS.std(0, ddof=1) / np.sqrt(6)),
    "smoothgrad_sq": ((DRAWS**2).mean(0), (DRAWS**2).std(0, ddof=1) / np.sqrt(6)),
    "vargrad": (DRAWS.var(0), None),
}


@pytest.mark.parametrize("nt_type", STATISTICS)
def test_noise_tunnel_of_given_noise(nt_type):
    record = NoiseTunnel(Saliency(QUADRATIC)).explain(X, abs=False, nt_type=nt_type, nt_samples=6, noise=E)
    expected, error = STATISTICS[nt_type]
    np.testing.assert_allclose(record.attributions, expected, **EXACT)
    if error is None:
        assert record.error_map is None
    else:
        np.testing.assert_allclose(record.error_map, error, **EXACT)


def test_noise_tunnel_over_integrated_gradients_of_given_noise():
    integrated = FORMS["quadratic x'Ax"].integrated
    tunnel = NoiseTunnel(IntegratedGradients(QUADRATIC))
    found = tunnel.attribute(X, B, nt_samples=6, noise=E, n_steps=4)
    np.testing.assert_allclose(found, np.mean([integrated(X + e, B) for e in E], axis=0), **EXACT)


def test_vargrad_keeps_its_digits_where_the_mean_is_large():
    noise = E - E.mean(0)
    found = NoiseTunnel(Saliency(lambda x: (x**2).sum(1) / 2 + 1e7 * x.sum(1))).attribute(
        X, abs=False, nt_type="vargrad", nt_samples=6, noise=noise
    )
    np.testing.assert_allclose(found, noise.var(0), rtol=1e-7)  # 16 digits less the 7 of the mean, and some


def test_each_input_of_several_has_its_own_attribution_baseline_and_noise():
    Y, C = RNG.normal(size=(3, 4)), RNG.normal(size=4)

    def bilinear(x, y):
        return ((x @ A) * y).sum(1)

    assert_close(InputXGradient(bilinear).attribute((X, Y)), (X * (Y @ A.T), Y * (X @ A)))
    integrated = ((X - B) * ((Y + C) @ A.T) / 2, (Y - C) * ((X + B) @ A) / 2)
    assert_close(IntegratedGradients(bilinear).attribute((X, Y), (B, C), n_steps=2), integrated)
    variance = VarGrad(bilinear).attribute((X, Y), stdevs=(0.0, 2.0), nt_samples=SAMPLES)
    # only y is noisy, so only the gradient with respect to x, which is A y, varies
    np.testing.assert_allclose(
        variance[0], np.broadcast_to(4 * (A**2).sum(1), X.shape), rtol=5 * np.sqrt(2 / SAMPLES)
    )
    np.testing.assert_allclose(variance[1], 0, atol=1e-12)


def assert_close(found: tuple[Any, ...], expected: tuple[Any, ...]) -> None:
    assert isinstance(found, tuple)
    for a, e in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, e, **EXACT)


def test_attributions_can_be_differentiated():
    """Attributions that sum to f(x) - f(b) have the gradient of f in sum."""
    for form in (FORMS["quadratic x'Ax"], FORMS["sum of exp"]):
        ig = IntegratedGradients(form.f)
        found = jax.grad(lambda x, ig=ig: ig.attribute(x, B, n_steps=20).sum())(X)
        np.testing.assert_allclose(found, form.gradient(X), **EXACT)


METHODS = {
    "Saliency": Saliency,
    "InputXGradient": InputXGradient,
    "IntegratedGradients": IntegratedGradients,
    "SmoothGrad": SmoothGrad,
    "VarGrad": VarGrad,
    "NoiseTunnel": lambda f: NoiseTunnel(IntegratedGradients(f)),
}


@pytest.mark.parametrize("make", METHODS.values(), ids=METHODS)
def test_each_input_keeps_its_dtype(make):
    inputs = (jnp.asarray(X, jnp.bfloat16), jnp.asarray(X, jnp.float32), jnp.asarray(X))
    found = make(lambda x, y, z: (x.astype(z.dtype) * y.astype(z.dtype) * z).sum(1)).attribute(inputs)
    assert [a.dtype for a in found] == [x.dtype for x in inputs]


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float32])
@pytest.mark.parametrize(("batch", "features"), [(3, 4), (8, 40), (2, 784), (32, 10)])
def test_few_digits_lose_no_more_than_a_few_roundings(dtype, batch, features):
    """A sum over 200 points must not be rounded 200 times; and XLA must add up what it is given.

    jaxlib 0.10.2 and 0.12.0 return garbage on CPU for some sums of products of broadcast arrays, which is
    what the gradients of a linear function are (a relative of https://github.com/jax-ml/jax/issues/39103).
    """
    rng = np.random.default_rng(features)
    x, b, w = (jnp.asarray(rng.normal(size=s), dtype) for s in ((batch, features), features, features))
    found = IntegratedGradients(lambda x: x @ w).attribute(x, b, n_steps=200)
    exact = (np.float64(x) - np.float64(b)) * np.float64(w)
    np.testing.assert_allclose(np.float64(found), exact, rtol=4 * float(jnp.finfo(dtype).eps))
    smooth = SmoothGrad(lambda x: x @ w).attribute(x, nt_samples=200)
    np.testing.assert_allclose(
        np.float64(smooth), np.broadcast_to(np.float64(w), x.shape), rtol=4 * float(jnp.finfo(dtype).eps)
    )
