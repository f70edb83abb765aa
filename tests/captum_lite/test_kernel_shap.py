"""KernelShap and LIME against exact Shapley values, normal equations and optimality conditions in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import namedtensor as nt
from captum_lite import KernelShap, Lime, ShapleyValues

RNG = np.random.default_rng(37)
BATCH, N = 3, 7
X, B = RNG.normal(size=(2, BATCH, N))
V, W = RNG.normal(size=(N, 30)), RNG.normal(size=(30, 4))
EXACT = {"rtol": 1e-9, "atol": 1e-11}
ALL = (np.arange(2**N)[:, None] >> np.arange(N)[None]) & 1  # all coalitions


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def network(x):
    waves = np.tanh if isinstance(x, np.ndarray) else jnp.tanh
    return waves(x @ V) @ W


def scores(target=1):
    """Of all coalitions, ``[coalitions, batch]``."""
    return np.stack([network(np.where(z[None] == 1, X, B))[:, target] for z in ALL])


# KernelShap


def test_with_all_coalitions_it_is_exact():
    expected = ShapleyValues(network).attribute(X, B, target=1)
    for n_samples in (None, 2**N - 2, 10**6):
        record = KernelShap(network).explain(X, B, target=1, n_samples=n_samples)
        np.testing.assert_allclose(record.attributions, expected, **EXACT)
        np.testing.assert_allclose(record.convergence_delta, 0, atol=1e-12)
        assert record.evaluations["forward"] == (2**N - 2 + 2 + 2) * BATCH
        assert record.error is None


def test_sampled_it_is_within_its_error_of_the_exact_values():
    """Over many keys: errors of the size that is stated, and no bias beyond it."""
    expected = ShapleyValues(network).attribute(X, B, target=1)
    records = [
        KernelShap(network).explain(X, B, target=1, n_samples=100, key=jax.random.key(k)) for k in range(40)
    ]
    apart = np.stack([r.attributions - expected for r in records])
    stated = np.stack([r.error_map for r in records])
    for record in records[:3]:
        np.testing.assert_allclose(record.convergence_delta, 0, atol=1e-12)
    assert 0.7 < np.sqrt((apart**2).mean() / (stated**2).mean()) < 1.4
    assert (abs(apart) > 5 * stated).mean() < 0.01
    assert (abs(apart.mean(0)) < 5 * np.sqrt((stated**2).mean(0) / 40)).all()


def test_it_is_exact_for_additive_functions_with_few_coalitions():
    weights = RNG.normal(size=N)
    record = KernelShap(lambda x: x @ weights).explain(X, B, n_samples=4 * N)
    np.testing.assert_allclose(record.attributions, weights[None] * (X - B), **EXACT)
    assert float(record.error_map.max()) < 1e-12


def test_with_hardly_any_coalition_the_shares_are_equal():
    """The departure from equal shares is the least that fits, so it begins at none."""
    first, *_, last = KernelShap(network).stream(X, B, target=1, internal_batch_size=1, n_samples=40)
    whole = network(X)[:, 1] - network(B)[:, 1]
    np.testing.assert_allclose(first.attributions, np.stack([whole / N] * N, 1), **EXACT)
    assert first.error is None
    assert last.error is not None
    for record in (first, last):
        np.testing.assert_allclose(record.convergence_delta, 0, atol=1e-12)


def test_many_features_in_float32():
    with jax.enable_x64(False):
        x = RNG.normal(size=(1, 60)).astype("float32")
        weights = np.arange(60, dtype="float32") / 60
        record = KernelShap(lambda x: (x * weights[None]).sum(1)).explain(x, n_samples=400)
        np.testing.assert_allclose(record.attributions, x * weights[None], atol=2e-5)
        assert float(record.gap.max()) < 1e-5


@pytest.mark.parametrize("make", [KernelShap, Lime])
def test_one_value_for_each_feature(make):
    mask = np.array([0, 0, 1, 2, 2, 2, 1])
    whole = make(network).attribute(X, B, target=1, feature_mask=mask)
    record = make(network).explain(X, B, target=1, feature_mask=mask, return_input_shape=False)
    assert record.attributions.shape == (BATCH, 3)
    np.testing.assert_array_equal(whole, record.attributions[:, mask])
    if make is KernelShap:
        np.testing.assert_allclose(record.convergence_delta, 0, atol=1e-12)
    named = make(lambda x: network(x.to_array("batch word"))).attribute(
        nt.tensor(X, "batch word"), nt.tensor(B, "batch word"), target=1, feature_mask=nt.tensor(mask, "word"),
        return_input_shape=False,
    )  # fmt: skip
    assert named.dims == ("batch", "feature")
    np.testing.assert_allclose(named.to_array("batch feature"), record.attributions, **EXACT)


@pytest.mark.parametrize("make", [KernelShap, Lime])
@pytest.mark.parametrize("n_samples", [1, 12])
def test_one_feature(make, n_samples):
    found = make(lambda x: x[:, 0] ** 2).attribute(X[:, :1], B[:, :1], n_samples=n_samples)
    if make is KernelShap:
        np.testing.assert_allclose(found, X[:, :1] ** 2 - B[:, :1] ** 2, **EXACT)
    assert np.isfinite(found).all()


# LIME


def weighted(distances: np.ndarray, width: float) -> np.ndarray:
    weights = np.exp(-(distances**2) / (2 * width**2))
    return weights / weights.sum(0, keepdims=True)


OF_FEATURES = np.broadcast_to((1 - np.sqrt(ALL.mean(1)))[:, None], (len(ALL), BATCH))
CHANGED = np.where(ALL[:, None] == 1, X[None], B[None])
EUCLIDEAN = np.linalg.norm(CHANGED - X[None], axis=2)
COSINE = 1 - (CHANGED * X[None]).sum(2) / (np.linalg.norm(CHANGED, axis=2) * np.linalg.norm(X, axis=1)[None])
DISTANCES = {
    "features": ("features", OF_FEATURES),
    "cosine": ("cosine", COSINE),
    "euclidean": ("euclidean", EUCLIDEAN),
    "a function": (lambda x, changed: jnp.abs(x - changed).sum(1), abs(CHANGED - X[None]).sum(2)),
}


@pytest.mark.parametrize(("distance", "distances"), DISTANCES.values(), ids=DISTANCES)
@pytest.mark.parametrize("alpha", [0.0, 0.05])
def test_with_all_coalitions_a_ridge_solves_the_normal_equations(distance, distances, alpha):
    found = Lime(network).attribute(X, B, target=1, distance=distance, kernel_width=0.7, alpha=alpha)
    weights = weighted(distances, 0.7)
    for i in range(BATCH):
        w, y = weights[:, i], scores()[:, i]
        z = np.concatenate([ALL, np.ones((len(ALL), 1))], 1)  # and the constant, which is not penalised
        penalty = alpha * np.diag([*[1.0] * N, 0.0])
        solved = np.linalg.solve(z.T @ (z * w[:, None]) + penalty, z.T @ (w * y))
        np.testing.assert_allclose(found[i], solved[:N], **EXACT)


@pytest.mark.parametrize("alpha", [0.01, 0.1, 10.0])
def test_a_lasso_meets_its_optimality_conditions(alpha):
    """The gradient is alpha times the sign of a value, and no larger where the value is 0."""
    found = Lime(network).attribute(X, B, target=1, penalty="lasso", alpha=alpha)
    weights = weighted(OF_FEATURES, 0.25)
    for i, values in enumerate(np.asarray(found)):
        w, y = weights[:, i], scores()[:, i]
        z, y = ALL - (w @ ALL)[None], y - w @ y
        gradient = z.T @ (w * (y - z @ values))
        assert (abs(gradient) <= alpha + 1e-9).all()
        np.testing.assert_allclose(gradient[values != 0], alpha * np.sign(values[values != 0]), rtol=1e-7)
    if alpha == 10:
        assert (np.asarray(found) == 0).all()
    else:
        assert (np.asarray(found) != 0).any()


def test_without_a_penalty_a_linear_function_is_found():
    weights = RNG.normal(size=N)
    found = Lime(lambda x: x @ weights).attribute(X, B, alpha=0.0, n_samples=40)
    np.testing.assert_allclose(found, weights[None] * (X - B), **EXACT)
    shrunk = Lime(lambda x: x @ weights).attribute(X, B, alpha=0.1, kernel_width=1e3)
    np.testing.assert_allclose(shrunk, weights[None] * (X - B) / 1.4, rtol=1e-6)


def test_sampled_it_is_within_its_error_of_all_coalitions():
    expected = Lime(network).attribute(X, B, target=1)
    records = [Lime(network).explain(X, B, target=1, n_samples=100, key=jax.random.key(k)) for k in range(40)]
    apart = np.stack([r.attributions - expected for r in records])
    stated = np.stack([r.error_map for r in records])
    assert 0.6 < np.sqrt((apart**2).mean() / (stated**2).mean()) < 1.6


def test_a_narrow_kernel_does_not_vanish():
    """Only ratios of weights count, however small all of them are."""
    found = Lime(network).attribute(X, B, target=1, kernel_width=1e-3, n_samples=20, alpha=1e-9)
    assert np.isfinite(found).all()


def test_stopping_keeps_a_model_of_the_coalitions_so_far():
    records = list(Lime(network).stream(X, B, target=1, n_samples=64, internal_batch_size=16 * BATCH))
    assert [r.evaluations["forward"] for r in records] == [(k + 2) * BATCH for k in (16, 32, 48, 64)]
    fewer = Lime(network).attribute(X, B, target=1, n_samples=32)
    np.testing.assert_allclose(records[1].attributions, fewer, **EXACT)


REFUSED = {
    "no coalition": (KernelShap, {"n_samples": 0}, "n_samples=0"),
    "no coalition for LIME": (Lime, {"n_samples": 0}, "n_samples=0"),
    "an unknown distance": (Lime, {"distance": "manhattan"}, "'features', 'cosine', 'euclidean'"),
    "no width": (Lime, {"kernel_width": 0.0}, "kernel_width=0.0"),
    "an unknown penalty": (Lime, {"penalty": "elastic"}, "'ridge', 'lasso'"),
    "a negative penalty": (Lime, {"alpha": -1.0}, "alpha=-1.0"),
    "a distance of another shape": (Lime, {"distance": lambda x, y: x.sum()}, "one number for each of 3"),
}


@pytest.mark.parametrize(("make", "how", "part"), REFUSED.values(), ids=REFUSED)
def test_refused(make, how, part):
    with pytest.raises(ValueError, match=r"give|choose|penalty|must") as error:
        make(network).attribute(X, B, target=1, **how)
    assert part in str(error.value)


@pytest.mark.parametrize("make", [KernelShap, Lime])
def test_too_many_features_are_refused(make):
    with pytest.raises(ValueError, match=r"there are 5000 \(at most 4096\): put features together"):
        make(lambda x: x.sum(1)).attribute(np.ones((1, 5000)))
