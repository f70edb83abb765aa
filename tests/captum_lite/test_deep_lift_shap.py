"""DeepLiftShap: the mean of DeepLift over a distribution of baselines, and what such a distribution may be."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import namedtensor as nt
from captum_lite import DeepLift, DeepLiftShap

RNG = np.random.default_rng(7)
BATCH, N = 3, 4
X, B = RNG.normal(size=(2, BATCH, N))
W, V = RNG.normal(size=(2, N, N))
EXACT = {"rtol": 1e-10, "atol": 1e-12}


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def hidden(x):
    return nt.tap(jax.nn.gelu(x @ W), "hidden") @ V


def test_shap_is_the_mean_over_the_baselines():
    rows = RNG.normal(size=(7, N))
    each = [DeepLift(hidden).attribute(X, row, target=[0, 1, 2]) for row in rows]
    for size in (None, 6):
        found, delta = DeepLiftShap(hidden).attribute(
            X, rows, [0, 1, 2], internal_batch_size=size, return_convergence_delta=True
        )
        np.testing.assert_allclose(found, np.mean(each, 0), **EXACT)
        assert float(abs(delta).max()) < 1e-12
    record = DeepLiftShap(hidden).explain(X, rows, 1)
    np.testing.assert_allclose(record.baseline_prediction, np.full(3, hidden(rows)[:, 1].mean()), **EXACT)
    assert record.evaluations == {"forward": 3 * (1 + 7 + 7), "gradient": 3 * 7}


def test_shap_at_a_layer_and_under_transformations():
    rows = RNG.normal(size=(5, N))
    shap = DeepLiftShap(hidden, layer="hidden")
    found, delta = shap.attribute(X, rows, 1, return_convergence_delta=True)
    assert found.shape == (BATCH, N)
    assert float(abs(delta).max()) < 1e-12
    each = [DeepLift(hidden, layer="hidden").attribute(X, row, 1) for row in rows]
    np.testing.assert_allclose(found, np.mean(each, 0), **EXACT)
    traced = jax.jit(lambda x, b: DeepLiftShap(hidden).attribute(x, b, 1))(X, rows)
    np.testing.assert_allclose(traced, DeepLiftShap(hidden).attribute(X, rows, 1), **EXACT)
    mapped = jax.vmap(lambda x, b: DeepLiftShap(hidden).attribute(x, b, 1))(
        np.stack([X, -X]), np.stack([rows, rows + 1])
    )
    np.testing.assert_allclose(mapped[1], DeepLiftShap(hidden).attribute(-X, rows + 1, 1), **EXACT)


def test_shap_compiles_once_for_any_number_of_chunks(compilations):
    fun = functools.partial(lambda w, x: jnp.tanh(x @ w), jnp.asarray(W))
    rows = jnp.asarray(RNG.normal(size=(7, N)))

    def call(rows, target):
        DeepLiftShap(fun).explain(X, rows, target, internal_batch_size=6)

    others = rows + 1
    call(rows, 1)
    assert compilations.since(lambda: call(others, 2)) == 0


def test_shap_of_named_and_of_several_inputs():
    rows = RNG.normal(size=(5, N))
    named = nt.tensor(X, "batch feature")
    shap = DeepLiftShap(lambda x: jax.nn.gelu(x.to_array("batch feature") @ W)[:, 0])
    found = shap.attribute(named, nt.tensor(rows.T, "feature batch"))
    plain = DeepLiftShap(lambda x: jax.nn.gelu(x @ W)[:, 0]).attribute(X, rows)
    np.testing.assert_allclose(found.to_array("batch feature"), plain, **EXACT)
    of_two = DeepLiftShap(lambda x, y: (x * y).sum(1))
    (a, _), delta = of_two.attribute((X, B), (rows, 0.0), return_convergence_delta=True)
    np.testing.assert_allclose(a, B / 2 * (X - rows.mean(0)), **EXACT)
    assert float(abs(delta).max()) < 1e-12


@pytest.mark.parametrize(
    ("baselines", "message"),
    [
        (np.zeros((5, 3)), r"baseline 0 is f64\[5, 3\], its input is f64\[3, 4\]: give rows of one example"),
        ((np.zeros((5, 4)),) * 2, "there are 2 baselines for 1 inputs: give one for each"),
        (np.zeros((0, 4)), r"the baselines have \[0\] rows: give each input the same number, at least one"),
        (np.full((2, 4), np.nan), "baseline 0 holds 8 values that are NaN"),
        (nt.tensor(np.zeros((2, 4)), "batch feature"), "both have names, or neither"),
    ],
    ids=["shape", "number", "none", "nan", "names"],
)
def test_a_distribution_that_does_not_fit(baselines, message):
    with pytest.raises(ValueError, match=message):
        DeepLiftShap(hidden).attribute(X, baselines, 1)
