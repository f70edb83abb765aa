"""The metrics against closed forms and literal NumPy, in float64."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import namedtensor as nt
from captum_lite import InputXGradient, IntegratedGradients, Saliency
from captum_lite.metrics import (
    GaussianNoise,
    NoisyBaseline,
    RandomSubset,
    SquareRemoval,
    completeness,
    infidelity,
    infidelity_perturb_func_decorator,
    parameter_randomization,
    sensitivity_max,
    spearman,
    ssim,
)

RNG = np.random.default_rng(11)
X, B = RNG.normal(size=(2, 3, 4))
W = RNG.normal(size=4)
A = RNG.normal(size=(4, 4))
S = A + A.T
I = RNG.normal(size=(6, 3, 4))  # noqa: E741  [samples, batch, feature], the paper's letter
EXACT = {"rtol": 1e-10, "atol": 1e-12}
LOCAL = {"multiply_by_inputs": False}


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def linear(x: Any) -> Any:
    return x @ W + 3


def quadratic(x: Any) -> Any:
    return ((x @ A) * x).sum(1)


def smooth(x: Any) -> Any:
    """Logits ``[batch, class:2]``."""
    return jnp.stack([jnp.tanh(x @ A).sum(1), jnp.exp(x / 3).sum(1)], 1)


# completeness


def test_completeness_of_integrated_gradients_and_of_others():
    ig = IntegratedGradients(quadratic)
    record = ig.explain(X, B, n_steps=10, method="gausslegendre")
    for found in (completeness(record), completeness(quadratic, X, record, B)):
        np.testing.assert_allclose(found.delta, 0, atol=1e-12)
    wrong = 2 * record.attributions
    found = completeness(quadratic, X, wrong, B)
    difference = quadratic(X) - quadratic(B)
    np.testing.assert_allclose(found.delta, difference, **EXACT)
    expected = abs(difference) / np.maximum(abs(np.asarray(wrong)).sum(1), abs(difference))
    np.testing.assert_allclose(found.relative, expected, **EXACT)


def test_completeness_is_one_where_there_is_no_attribution():
    np.testing.assert_allclose(completeness(linear, X, 0 * X, B).relative, 1, **EXACT)


def test_completeness_takes_targets_and_names():
    x, b = nt.tensor(X, "batch feature"), nt.tensor(B.T, "feature batch")

    def named(x):
        return nt.tensor(smooth(x.to_array("batch feature")), "batch class")

    a = nt.tensor(RNG.normal(size=(4, 3)), "feature batch")
    found = completeness(named, x, a, b, {"class": 1})
    expected = completeness(smooth, X, a.to_array("batch feature"), B, 1)
    np.testing.assert_allclose(found.delta, expected.delta, **EXACT)


def test_completeness_needs_something_to_add_up_to():
    with pytest.raises(ValueError, match=r"record of Saliency has no baseline.*give completeness"):
        completeness(Saliency(linear).explain(X))
    with pytest.raises(ValueError, match="needs the inputs and their attributions"):
        completeness(linear, X)


# infidelity


@pytest.mark.parametrize(
    "how",
    [GaussianNoise(**LOCAL), NoisyBaseline(**LOCAL), RandomSubset(**LOCAL), SquareRemoval(2, over=(1,))],
    ids=lambda how: type(how).__name__,
)
def test_a_linear_function_is_predicted_by_its_gradient(how):
    for multiply, attributions in ((False, W + 0 * X), (True, W * (X - B))):
        how = type(how)(**{**how.__dict__, "multiply_by_inputs": multiply})
        assert float(infidelity(linear, how, X, attributions, B).max()) < 1e-24
        assert float(infidelity(linear, how, X, attributions + 1, B).min()) > 1e-3


def test_gradient_of_a_quadratic_misses_the_second_order():
    """f(x) - f(x - e) = g.e - e'Ae."""
    found = infidelity(quadratic, None, X, X @ S, perturbation=I)
    second = np.einsum("sbi,ij,sbj->sb", I, A, I)
    np.testing.assert_allclose(found, (second**2).mean(0), **EXACT)


def test_gaussian_noise_has_the_expected_infidelity():
    """E[(e'Ae)^2] = s^4 (tr(A)^2 + tr(S^2) / 2) for normal e (Isserlis)."""
    found = infidelity(quadratic, GaussianNoise(0.5, **LOCAL), X, X @ S, n_perturb_samples=20_000)
    expected = 0.5**4 * (np.trace(A) ** 2 + np.trace(S @ S) / 2)
    np.testing.assert_allclose(found, expected, rtol=0.1)


def test_half_of_an_interaction_is_missed_by_any_split_of_it():
    """x0 x1 - b0 b1 shared evenly: each single feature alone is off by (x0 - b0)(x1 - b1) / 2."""

    def product(x):
        return x[:, 0] * x[:, 1]

    attributions = np.stack(
        [(X - B)[:, 0] * (X + B)[:, 1] / 2, (X - B)[:, 1] * (X + B)[:, 0] / 2, *(0 * X.T[2:])], 1
    )
    subsets = iter([(0, 0), (0, 1), (1, 0), (1, 1)])

    def subset(x, b):
        gone = np.array([*next(subsets), 0, 0]) * np.ones_like(x)
        return gone, np.where(gone, b, x)

    found = infidelity(product, subset, X, attributions, B, n_perturb_samples=4)
    np.testing.assert_allclose(found, ((X - B)[:, 0] * (X - B)[:, 1] / 2) ** 2 / 2, **EXACT)


def test_least_squares_has_the_least_infidelity():
    """Proposition 2.1 of the paper: the best attribution solves E[I I'] a = E[I (f(x) - f(x - I))]."""
    drops = np.stack([quadratic(X) - quadratic(X - e) for e in I])
    solved = [np.linalg.lstsq(I[:, k], drops[:, k], rcond=None) for k in range(3)]
    best, least = np.stack([s[0] for s in solved]), np.concatenate([s[1] for s in solved]) / len(I)
    np.testing.assert_allclose(infidelity(quadratic, None, X, best, perturbation=I), least, **EXACT)
    for other in (X @ S, best + 0.01, 0.9 * best):
        assert (infidelity(quadratic, None, X, other, perturbation=I) > least).all()


def test_normalized_infidelity_does_not_depend_on_the_scale():
    call = functools.partial(infidelity, quadratic, None, X, perturbation=I, normalize=True)
    a, b = np.einsum("sbi,bi->sb", I, X @ S), np.stack([quadratic(X) - quadratic(X - e) for e in I])
    beta = (a * b).mean(0) / (a * a).mean(0)
    for scale in (1, -3, 1e-3):
        np.testing.assert_allclose(call(scale * (X @ S)), ((beta * a - b) ** 2).mean(0), **EXACT)
    np.testing.assert_allclose(call(0 * X), (b * b).mean(0), **EXACT)


def test_recorded_perturbations_go_in_either_order():
    by_example = I.swapaxes(0, 1).reshape(18, 4)
    found = [infidelity(quadratic, None, X, X @ S, perturbation=p) for p in (I, by_example)]
    np.testing.assert_array_equal(*found)


def test_perturb_funcs_as_captum_takes_them():
    noise = iter(np.concatenate([I, I]))

    def pair(x):
        e = next(noise)
        return e, x - e

    @infidelity_perturb_func_decorator(False)
    def moved(x):
        return x - next(noise)

    expected = infidelity(quadratic, None, X, X @ S, perturbation=I)
    for function in (pair, moved):
        found = infidelity(quadratic, function, X, X @ S, n_perturb_samples=6)
        np.testing.assert_allclose(found, expected, **EXACT)


def test_the_decorator_divides_by_the_distance_from_the_baseline():
    @infidelity_perturb_func_decorator()
    def moved(x, b):
        np.testing.assert_array_equal(b, B)
        return x - I[0]

    assert float(infidelity(linear, moved, X, W * (X - B), B, n_perturb_samples=1).max()) < 1e-24
    change, there = moved(X, B)
    np.testing.assert_allclose(change, I[0] / (X - B), **EXACT)
    np.testing.assert_allclose(there, X - I[0], **EXACT)


def test_a_perturb_func_gets_another_key_each_time():
    seen = []

    def noisy(x, key):
        seen.append(jax.random.key_data(key).tolist())
        return 0 * x, x

    infidelity(linear, noisy, X, X, n_perturb_samples=4)
    assert len({tuple(k) for k in seen}) == 4


@pytest.mark.parametrize("order", ["batch row feature", "feature row batch"])
def test_infidelity_of_named_inputs(order):
    x, b, a = RNG.normal(size=(3, 2, 5, 6))

    def plain(x):
        return jnp.tanh(x).sum((1, 2)) * x[:, 0, 0]

    def named(x):
        return x.tanh().sum("row feature") * x.isel(row=0, feature=0)

    def stored(v):
        return nt.tensor(nt.tensor(v, "batch row feature").to_array(order), order)

    for how in (GaussianNoise(), RandomSubset(0.5, over="row"), SquareRemoval(side=2, over="row feature")):
        found = infidelity(
            named, how, stored(x), nt.tensor(a, "batch row feature"), stored(b), key=jax.random.key(3)
        )
        as_is = nt.tensor(x, "batch row feature")
        expected = infidelity(
            named, how, as_is, stored(a), nt.tensor(b, "batch row feature"), key=jax.random.key(3)
        )
        np.testing.assert_allclose(found, expected, **EXACT)
    recorded = RNG.normal(size=(3, 2, 5, 6))
    expected = infidelity(plain, None, x, a, b, perturbation=recorded)
    found = infidelity(
        named, None, nt.tensor(x, "batch row feature"), stored(a), stored(b), perturbation=recorded
    )
    np.testing.assert_allclose(found, expected, **EXACT)


def test_a_subset_over_dims_takes_whole_places():
    seen = []

    def watched(x):
        jax.debug.callback(lambda v: seen.append(v), x)
        return x.sum((1, 2, 3))

    x = 1 + RNG.random((2, 4, 4, 3))
    infidelity(watched, RandomSubset(0.3, over=(1, 2)), x, x, n_perturb_samples=8)
    gone = np.concatenate([v.reshape(-1, 16, 3) for v in seen]) == 0
    np.testing.assert_array_equal(gone.all(-1), gone.any(-1))
    assert 0.1 < gone[2:].mean() < 0.5


def test_a_square_is_where_it_fits():
    seen = []

    def watched(x):
        jax.debug.callback(lambda v: seen.append(v), x)
        return x.sum((1, 2))

    infidelity(
        watched, SquareRemoval(side=3), 1 + RNG.random((2, 5, 6)), np.ones((2, 5, 6)), n_perturb_samples=8
    )
    gone = np.concatenate([v.reshape(-1, 5, 6) for v in seen])[2:] == 0
    assert (gone.sum((1, 2)) == 9).all()
    for mask in gone:
        rows, columns = np.argwhere(mask).T
        assert np.ptp(rows) == np.ptp(columns) == 2


@pytest.mark.parametrize("how", [GaussianNoise(), RandomSubset()], ids=["noise", "subset"])
def test_infidelity_of_an_example_does_not_depend_on_the_rest_of_the_batch(how):
    others = np.concatenate([X[:1], RNG.normal(size=(2, 4))])
    found = [infidelity(smooth, how, x, x, B, target=[1, 0, 0])[0] for x in (X, others)]
    np.testing.assert_allclose(*found, **EXACT)


def test_infidelity_in_batches_and_under_jit():
    call = functools.partial(infidelity, smooth, GaussianNoise(), n_perturb_samples=7)
    expected = call(X, X, B, 1)
    np.testing.assert_allclose(call(X, X, B, 1, internal_batch_size=6), expected, **EXACT)
    np.testing.assert_allclose(jax.jit(lambda x, b: call(x, x, b, 1))(X, B), expected, **EXACT)


def test_infidelity_of_two_inputs_is_that_of_both_side_by_side():
    def joined(x):
        return quadratic(x)

    def split(x, y):
        return quadratic(jnp.concatenate([x, y], 1))

    expected = infidelity(joined, None, X, X @ S, perturbation=I)
    parts = (X[:, :1], X[:, 1:]), ((X @ S)[:, :1], (X @ S)[:, 1:])
    found = infidelity(split, None, *parts, perturbation=(I[..., :1], I[..., 1:]))
    np.testing.assert_allclose(found, expected, **EXACT)
    assert infidelity(split, GaussianNoise(), *parts).shape == (3,)


INFIDELITY_ERRORS = {
    "no perturbation": (lambda: infidelity(linear, None, X, X), "one kind of perturbation.*GaussianNoise"),
    "two of them": (lambda: infidelity(linear, GaussianNoise(), X, X, perturbation=I), "one kind of perturbation"),
    "no samples": (lambda: infidelity(linear, GaussianNoise(), X, X, n_perturb_samples=0), "n_perturb_samples=0"),
    "attribution of another shape": (
        lambda: infidelity(linear, GaussianNoise(), X, X[:, :2]),
        r"attribution 0 is f64\[3, 2\] and its input is f64\[3, 4\]",
    ),
    "names and none": (
        lambda: infidelity(linear, GaussianNoise(), X, nt.tensor(X, "batch feature")),
        r"attribution 0 is f64\[batch:3 feature:4\] and its input is f64\[3, 4\]",
    ),
    "number of attributions": (
        lambda: infidelity(linear, GaussianNoise(), X, (X, X)),
        "there are 2 attributions for 1 inputs",
    ),
    "NaN": (lambda: infidelity(linear, GaussianNoise(), X, X * np.nan), "attribution of input 0 holds 12 values"),
    "no pair": (lambda: infidelity(linear, lambda x: x, X, X), r"must return \(I, perturbed inputs\).*decorator"),
    "another shape": (
        lambda: infidelity(linear, lambda x: (x, x[:, :2]), X, X),
        r"perturbation 0 is f64\[3, 2\]",
    ),
    "recorded, another shape": (
        lambda: infidelity(linear, None, X, X, perturbation=I[..., :2]),
        r"perturbation is f64\[6, 3, 2\] for an input f64\[3, 4\]: give \[samples, batch",
    ),
    "recorded, no whole number": (
        lambda: infidelity(linear, None, X, X, perturbation=I[0, 0, None] * np.ones((7, 1))),
        r"perturbation is f64\[7, 4\]",
    ),
    "recorded, too few": (
        lambda: infidelity(lambda x, y: linear(x), None, (X, X), (X, X), perturbation=I),
        "perturbation has 1 arrays for 2 inputs",
    ),
    "no dim of that name": (
        lambda: infidelity(
            lambda x: x.sum("feature"),
            RandomSubset(over="featur"),
            nt.tensor(X, "batch feature"),
            nt.tensor(X, "batch feature"),
        ),
        "over='featur': there is no dim 'featur'",
    ),
    "an axis that is not there": (
        lambda: infidelity(linear, RandomSubset(over=(2,)), X, X),
        "over=2 is no axis of an array of 2 axes",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("call", "text"), INFIDELITY_ERRORS.values(), ids=INFIDELITY_ERRORS)
def test_infidelity_errors(call, text):
    with pytest.raises((ValueError, TypeError), match=text):
        call()


def test_integers_are_not_perturbed():
    with pytest.raises(TypeError, match="a perturbation needs floating-point values"):
        infidelity(lambda x: x.sum(1) * 1.0, GaussianNoise(), np.ones((2, 3), int), np.ones((2, 3)))


# sensitivity


def test_the_gradient_of_a_linear_function_is_not_sensitive():
    np.testing.assert_array_equal(sensitivity_max(Saliency(linear), X), 0)


@pytest.mark.parametrize("order", ["fro", 2, 1, np.inf])
def test_sensitivity_of_the_gradient_of_a_quadratic(order):
    """E(x) = S x, so E(x + e) - E(x) = S e."""
    found = sensitivity_max(Saliency(quadratic), X, norm_ord=order, perturbation=I, abs=False)
    norm = functools.partial(np.linalg.norm, ord=None if order == "fro" else order, axis=-1)
    np.testing.assert_allclose(found, norm(I @ S).max(0) / norm(X @ S), **EXACT)


def test_uniform_noise_fills_the_cube():
    """For E(x) = 2 x of one number the largest relative change is radius / |x|."""
    x = np.array([[0.5], [-2.0]])
    found = sensitivity_max(lambda x: 2 * x, x, perturb_radius=0.1, n_perturb_samples=100)
    assert (found <= 0.1 / abs(x[:, 0])).all()
    assert (found >= 0.095 / abs(x[:, 0])).all()


def test_functions_that_perturb():
    noise = iter(np.concatenate([I] * 2))
    found = [
        sensitivity_max(Saliency(quadratic).attribute, X, one, n_perturb_samples=6, abs=False)
        for one in (lambda x: x + next(noise), lambda x, radius: x + next(noise) * radius / 0.02)
    ]
    expected = sensitivity_max(Saliency(quadratic), X, perturbation=I, abs=False)
    np.testing.assert_allclose(found, [expected] * 2, **EXACT)

    def keyed(x, key):
        return x + 0.1 * jax.random.normal(key, x.shape)

    assert (sensitivity_max(Saliency(quadratic), X, keyed, abs=False) > 0).all()


def test_where_nothing_is_explained_the_change_is_absolute():
    found = sensitivity_max(
        lambda x: jnp.maximum(x, 0), -np.ones((2, 3)), perturbation=np.full((1, 2, 3), 2.0)
    )
    np.testing.assert_allclose(found, 3**0.5, **EXACT)


def test_options_go_to_the_method():
    ig = IntegratedGradients(smooth)
    found = sensitivity_max(ig, X, perturbation=I[:2], baselines=B, target=[0, 1, 1], n_steps=9)
    explain = functools.partial(ig.attribute, baselines=B, target=[0, 1, 1], n_steps=9)
    here = explain(X)
    change = jnp.stack([explain(X + e) - here for e in I[:2]])
    np.testing.assert_allclose(
        found, np.linalg.norm(change, axis=-1).max(0) / np.linalg.norm(here, axis=-1), **EXACT
    )


def test_sensitivity_of_named_and_of_several_inputs():
    def named(x):
        return (x**2).sum("row feature") * x.isel(row=0, feature=1)

    def plain(x):
        return (x**2).sum((1, 2)) * x[:, 0, 1]

    x, e = RNG.normal(size=(2, 3, 4)), RNG.normal(size=(5, 2, 3, 4))
    expected = sensitivity_max(Saliency(plain), x, perturbation=e)
    named_x = nt.tensor(x, "batch row feature")
    np.testing.assert_allclose(sensitivity_max(Saliency(named), named_x, perturbation=e), expected, **EXACT)
    swapped = nt.tensor(named_x.to_array("row batch feature"), "row batch feature")
    pair = [sensitivity_max(Saliency(named), v) for v in (named_x, swapped)]
    np.testing.assert_allclose(*pair, **EXACT)
    halves = Saliency(lambda x, y: plain(jnp.concatenate([x, y], 1)))
    found = sensitivity_max(halves, (x[:, :1], x[:, 1:]), perturbation=(e[:, :, :1], e[:, :, 1:]))
    np.testing.assert_allclose(found, expected, **EXACT)


SENSITIVITY_ERRORS = {
    "norm": (lambda: sensitivity_max(Saliency(linear), X, norm_ord="nuc"), "norm_ord='nuc' is not known"),
    "samples": (lambda: sensitivity_max(Saliency(linear), X, n_perturb_samples=0), "n_perturb_samples=0"),
    "radius": (lambda: sensitivity_max(Saliency(linear), X, perturb_radius=-1), "perturb_radius=-1"),
    "method": (lambda: sensitivity_max("saliency", X), "explanation_func is str: give a method"),
    "shape": (
        lambda: sensitivity_max(Saliency(linear), X, lambda x: x[:, :2]),
        r"perturbed input 0 is f64\[3, 2\]",
    ),
    "integers": (lambda: sensitivity_max(Saliency(linear), np.ones((2, 3), int)), "needs floating-point values"),
}  # fmt: skip


@pytest.mark.parametrize(("call", "text"), SENSITIVITY_ERRORS.values(), ids=SENSITIVITY_ERRORS)
def test_sensitivity_errors(call, text):
    with pytest.raises((ValueError, TypeError), match=text):
        call()


# similarity


def test_spearman_is_that_of_scipy_also_with_ties():
    a, b = RNG.normal(size=(2, 4, 30)), RNG.integers(0, 5, size=(2, 4, 30)).astype(float)
    for x, y in ((a[0], a[1]), (a[0], b[0]), (b[0], b[1])):
        expected = [stats.spearmanr(p, q).statistic for p, q in zip(x, y, strict=True)]
        np.testing.assert_allclose(spearman(x, y), expected, **EXACT)
    np.testing.assert_allclose(spearman(a[0], -a[0]), -1, **EXACT)
    np.testing.assert_allclose(spearman(a[0], -a[0], abs=True), 1, **EXACT)
    np.testing.assert_array_equal(spearman(a[0], 0 * a[0]), 0)


def test_spearman_goes_by_name():
    a, b = RNG.normal(size=(2, 3, 4, 5))
    names = nt.tensor(a, "batch row column"), nt.tensor(b.transpose(2, 0, 1), "column batch row")
    np.testing.assert_allclose(spearman(*names), spearman(a, b), **EXACT)


def literal_ssim(a, b, k):
    a, b = a / abs(a).max(), b / abs(b).max()
    found = []
    for i in range(a.shape[0] - k + 1):
        for j in range(a.shape[1] - k + 1):
            x, y = (v[i : i + k, j : j + k].ravel() for v in (a, b))
            c = np.cov(x, y)
            above = (2 * x.mean() * y.mean() + 1e-4) * (2 * c[0, 1] + 9e-4)
            found.append(above / ((x.mean() ** 2 + y.mean() ** 2 + 1e-4) * (c[0, 0] + c[1, 1] + 9e-4)))
    return np.mean(found)


def test_ssim_window_by_window():
    a, b = RNG.normal(size=(2, 2, 6, 7))
    expected = [literal_ssim(p, q, 4) for p, q in zip(a, b, strict=True)]
    np.testing.assert_allclose(ssim(a, b, window=4), expected, **EXACT)
    parts = RNG.normal(size=a.shape)
    channels = nt.tensor(np.stack([a - parts, parts]), "channel batch height width")
    whole = nt.tensor(np.stack([b, 0 * b]), "channel batch height width")
    np.testing.assert_allclose(ssim(channels, whole, window=4), expected, rtol=1e-8)
    np.testing.assert_allclose(ssim(a, a, window=4), 1, **EXACT)


def test_similarity_errors():
    with pytest.raises(ValueError, match="at least window=7 pixels"):
        ssim(X[..., None], X[..., None])
    with pytest.raises(ValueError, match=r"attribution 0 is f64\[3, 2\]"):
        spearman(X, X[:, :2])
    with pytest.raises(ValueError, match="attributions of 2 inputs"):
        ssim((X, X), (X, X))


# parameter randomization

PARAMS = {"in": {"w": A, "b": W}, "mid": A + 1, "mid.bias": W - 1, "out": W}


def parts_of(params):
    """An explanation that is the parameters themselves, one row."""
    return lambda x: jnp.concatenate([jnp.ravel(p) for p in jax.tree.leaves(params)])[None]


def same_parts(a, b):
    """Which of the parameters are the same: in.b, in.w, mid, mid.bias, out."""
    cuts = [4, 20, 36, 40]
    return jnp.stack(
        [(x == y).all() for x, y in zip(jnp.split(a[0], cuts), jnp.split(b[0], cuts), strict=True)]
    )


@pytest.mark.parametrize(
    ("layers", "mode", "expected"),
    [
        (["out", "mid", "in"], "cascading", ["11110", "11000", "00000"]),
        (["out", "mid", "in"], "independent", ["11110", "11001", "00111"]),
        (["in/w", ("out", "mid.bias")], "cascading", ["10111", "10100"]),
        (None, "independent", ["11110", "11001", "00111"]),
    ],
    ids=["cascading", "independent", "paths and groups", "top level, last first"],
)
def test_which_parameters_are_randomised(layers, mode, expected):
    found = parameter_randomization(parts_of, PARAMS, X, layers=layers, mode=mode, similarity=same_parts)
    assert ["".join(str(int(v)) for v in row) for row in found.similarity] == expected
    if layers is None:
        assert found.layers == ("out", "mid", "in")


def test_new_parameters_have_the_old_mean_and_deviation_or_are_given():
    big = {"w": 3 + 2 * RNG.normal(size=(50, 100)), "steps": np.arange(4)}
    seen = []

    def make(params):
        seen.append(params)
        return lambda x: x

    parameter_randomization(make, big, X)
    last = seen[-1]
    assert abs(last["w"].mean() - 3) < 0.1
    assert abs(last["w"].std() - 2) < 0.1
    assert abs(np.corrcoef(last["w"].ravel(), big["w"].ravel())[0, 1]) < 0.1
    np.testing.assert_array_equal(last["steps"], big["steps"])
    fresh = jax.tree.map(jnp.ones_like, big)
    parameter_randomization(make, big, X, layers=["w"], fresh=fresh)
    np.testing.assert_array_equal(seen[-1]["w"], 1)


def net(params, x):
    return jnp.tanh(jnp.tanh(x @ params["in"]["w"] + params["in"]["b"][None]) @ params["mid"]) @ params["out"]


def test_an_explanation_that_ignores_the_parameters_stays_as_it_is():
    edges = parameter_randomization(lambda p: lambda x: jnp.diff(x, axis=1), PARAMS, X, layers=["out", "in"])
    np.testing.assert_allclose(edges.similarity, 1, **EXACT)


def test_an_explanation_that_uses_them_does_not():
    """x * w with another w has another order: for w and -w the opposite one."""
    x = 1 + RNG.random((5, 1)) * np.ones((5, 4))
    found = parameter_randomization(
        lambda w: InputXGradient(lambda x: x @ w["w"]), {"w": W}, x, fresh={"w": -W}
    )
    np.testing.assert_allclose(found.similarity, -1, **EXACT)


def test_named_parameters_are_randomised_as_a_whole():
    params = {"out": nt.tensor(A, "feature class"), "other": nt.tensor(W, "feature")}
    found = parameter_randomization(
        lambda p: Saliency(lambda x: x.dot("feature", p["out"])),
        params,
        nt.tensor(X, "batch feature"),
        layers=["other", "out"],
        target={"class": 1},
        abs=False,
    )
    np.testing.assert_allclose(found.similarity[0], 1, **EXACT)
    assert (found.similarity[1] < 1).all()


def test_another_round_compiles_nothing(compilations):
    def run(shift):
        params = jax.tree.map(lambda p: jnp.asarray(p + shift), PARAMS)
        method = Saliency
        parameter_randomization(lambda p: method(functools.partial(net, p)), params, X, layers=["out", "in"])
        infidelity(functools.partial(net, params), GaussianNoise(), X, X + shift, B)
        sensitivity_max(Saliency(functools.partial(net, params)), X)

    run(0.0)
    assert compilations.since(lambda: run(1.0)) == 0


RANDOMIZATION_ERRORS = {
    "layer": (
        {"layers": ["hidden"]},
        r"no parameters at \['hidden'\]; there are: in/b, in/w, mid, mid.bias, out",
    ),
    "mode": ({"mode": "top"}, "mode='top' is not known: choose 'cascading' or 'independent'"),
    "structure": ({"fresh": {"out": W}}, "fresh has another structure than params"),
}  # fmt: skip


@pytest.mark.parametrize(("given", "text"), RANDOMIZATION_ERRORS.values(), ids=RANDOMIZATION_ERRORS)
def test_randomization_errors(given, text):
    with pytest.raises(ValueError, match=text):
        parameter_randomization(parts_of, PARAMS, X, **given)
