"""GradientShap against what it estimates, and against its own draws written out."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import namedtensor as nt
from captum_lite import ExpectedGradients, GradientShap, IncompleteWarning, IntegratedGradients, Saliency

RNG = np.random.default_rng(31)
BATCH, FEATURE, ROWS = 3, 4, 5
X = RNG.normal(size=(BATCH, FEATURE))
B = RNG.normal(size=(ROWS, FEATURE))
W = RNG.normal(size=(FEATURE, 6))
S = RNG.normal(size=(FEATURE, FEATURE))
EXACT = {"rtol": 1e-10, "atol": 1e-12}


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def quadratic(x: Any) -> Any:
    return jnp.einsum("bi,ij,bj->b", x, S, x)


def net(x: Any) -> Any:
    return nt.tap(jnp.tanh(x @ W), "hidden").sum(1) * (1 + nt.tap(x, "around")[:, 0])


def expected_gradients(fun: Any, x: Any, rows: Any) -> Any:
    """Integrated gradients from each row, averaged: what GradientShap estimates."""
    each = [IntegratedGradients(fun).attribute(x, np.broadcast_to(r, x.shape), n_steps=40) for r in rows]
    return sum(each) / len(rows)


# what it estimates


def test_a_linear_function_and_one_baseline_need_one_sample():
    weights = W[:, 0]
    found = GradientShap(lambda x: x @ weights).attribute(X, B[0], n_samples=1)
    np.testing.assert_allclose(found, (X - B[0]) * weights, **EXACT)


@pytest.mark.filterwarnings("ignore::captum_lite.IncompleteWarning")  # of sampling
def test_the_mean_is_expected_gradients_within_the_error_that_it_states():
    record = GradientShap(quadratic).explain(X, B, n_samples=4000, key=jax.random.key(2))
    wrong = (record.attributions - expected_gradients(quadratic, X, B)) / record.error_map
    assert float(jnp.abs(wrong).max()) < 4.5
    assert 0.6 < float(jnp.sqrt((wrong**2).mean())) < 1.5
    assert record.samples == 4000


@pytest.mark.filterwarnings("ignore::captum_lite.IncompleteWarning")  # of sampling
def test_the_delta_is_against_the_mean_of_the_scores_at_the_baselines():
    record = GradientShap(net).explain(X, B, n_samples=500)
    mean = np.mean([net(np.broadcast_to(b, X.shape)) for b in B], 0)
    np.testing.assert_allclose(record.baseline_prediction, mean, **EXACT)
    np.testing.assert_allclose(record.prediction, net(X), **EXACT)
    delta = record.attributions.sum(1) - (net(X) - mean)
    np.testing.assert_allclose(record.convergence_delta, delta, **EXACT)
    _, delta = GradientShap(net).attribute(X, B, n_samples=500, return_convergence_delta=True)
    np.testing.assert_allclose(record.convergence_delta, delta, **EXACT)


def test_few_samples_say_what_they_miss():
    with pytest.warns(IncompleteWarning, match=r"miss .* of their total: take more samples \(n_samples=\)"):
        GradientShap(quadratic).explain(X, B, n_samples=2)


# its draws


def by_hand(fun: Any, alphas: Any, rows: Any, noise: Any = 0.0) -> Any:
    total = 0
    for k in range(len(alphas)):
        x = X + (noise[k] if np.ndim(noise) else 0)
        b = B[rows[k]]
        slopes = Saliency(fun).attribute(b + alphas[k][:, None] * (x - b), abs=False)
        total += (x - b) * slopes
    return total / len(alphas)


ALPHAS = RNG.uniform(size=(7, BATCH))
CHOSEN = RNG.integers(0, ROWS, size=(7, BATCH))
NOISE = RNG.normal(size=(7, BATCH, FEATURE))


def test_given_draws():
    given = {"n_samples": 7, "alphas": ALPHAS, "rows": CHOSEN}
    found = GradientShap(net).attribute(X, B, **given)
    np.testing.assert_allclose(found, by_hand(net, ALPHAS, CHOSEN), **EXACT)
    noisy = GradientShap(net).attribute(X, B, **given, noise=NOISE)
    np.testing.assert_allclose(noisy, by_hand(net, ALPHAS, CHOSEN, NOISE), **EXACT)


def test_draws_may_be_flat_as_captum_has_them():
    given = {"n_samples": 7, "alphas": ALPHAS.T.ravel(), "rows": CHOSEN.T.ravel()}
    found = GradientShap(net).attribute(X, B, **given)
    np.testing.assert_allclose(found, by_hand(net, ALPHAS, CHOSEN), **EXACT)


def test_the_standard_error_is_that_of_the_draws():
    given = {"n_samples": 7, "alphas": ALPHAS, "rows": CHOSEN}
    with pytest.warns(IncompleteWarning):
        record = GradientShap(quadratic).explain(X, B, **given)
    one = [by_hand(quadratic, ALPHAS[k : k + 1], CHOSEN[k : k + 1]) for k in range(7)]
    np.testing.assert_allclose(record.error_map, np.std(one, 0, ddof=1) / 7**0.5, **EXACT)


def test_every_row_and_every_part_of_the_path_is_drawn():
    """f = x0 with B distinct in x0: 1 - attribution/x0 tells which baseline; f = x0^2/2 tells where."""
    rows = jnp.arange(5.0)[:, None]
    many = jnp.full((2000, 1), 10.0)
    found = GradientShap(lambda x: x[:, 0]).attribute(many, rows, n_samples=1)
    _, counts = np.unique(np.round(10 - found), return_counts=True)
    assert len(counts) == 5
    assert counts.min() > 320
    at = (
        GradientShap(lambda x: x[:, 0] ** 2 / 2, multiply_by_inputs=False).attribute(many, 0.0, n_samples=1)
        / 10
    )
    assert abs(float(at.mean()) - 0.5) < 0.02
    assert abs(float(at.var()) - 1 / 12) < 0.01


def test_another_key_draws_otherwise_and_the_same_key_again_the_same():
    first, again, other = (
        GradientShap(net).attribute(X, B, stdevs=0.1, key=jax.random.key(k)) for k in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert float(jnp.abs(first - other).max()) > 1e-3


def test_noise_is_as_wide_as_asked():
    """f = x0: the attribution of a baseline of zero is x0 + e."""
    many = jnp.zeros((4000, 1))
    found = GradientShap(lambda x: x[:, 0]).attribute(many, 0.0, n_samples=1, stdevs=0.5)
    assert abs(float(found.std()) - 0.5) < 0.03


@pytest.mark.parametrize("rows_at_once", [1, BATCH, 4 * BATCH])
def test_chunks_change_nothing(rows_at_once):
    expected = GradientShap(net).attribute(X, B, n_samples=9, stdevs=0.3)
    found = GradientShap(net).attribute(X, B, n_samples=9, stdevs=0.3, internal_batch_size=rows_at_once)
    np.testing.assert_allclose(found, expected, **EXACT)


def test_a_stream_gets_better():
    records = list(GradientShap(net).stream(X, B, n_samples=8, internal_batch_size=2 * BATCH))
    assert [r.samples for r in records] == [2, 4, 6, 8]
    assert [r.status for r in records] == ["partial"] * 3 + ["finished"]
    assert records[-1].evaluations["gradient"] == 8 * BATCH
    np.testing.assert_array_equal(
        records[-1].attributions,
        GradientShap(net).attribute(X, B, n_samples=8, internal_batch_size=2 * BATCH),
    )


def test_an_example_does_not_depend_on_the_rest_of_the_batch():
    other = np.concatenate([X[:1], 10 * RNG.normal(size=X[1:].shape)])
    found = GradientShap(net).attribute(other, B, stdevs=0.1)
    np.testing.assert_allclose(found[0], GradientShap(net).attribute(X, B, stdevs=0.1)[0], **EXACT)


def test_half_precision_stays_so_and_is_summed_in_single():
    """A thousand draws of 1 are 1 on average: a sum in bfloat16 stops growing at 256."""
    ones = jnp.ones((1, 2), jnp.bfloat16)
    found = GradientShap(lambda x: x.sum(1)).attribute(ones, 0.0, n_samples=1000)
    assert found.dtype == jnp.bfloat16
    np.testing.assert_array_equal(found.astype(float), 1.0)


# inputs, layers, names


def test_two_inputs_share_their_row():
    def product(x, y):
        return x[:, 0] * y[:, 0]

    x, y = X[:, :1], X[:, 1:2]
    b, c = B[:, :1], B[:, 1:2]
    how = {"n_samples": 1, "alphas": np.full((1, BATCH), 0.5), "rows": np.array([[1, 2, 3]])}
    to_x, to_y = GradientShap(product).attribute((x, y), (b, c), **how)
    b, c = b[[1, 2, 3]], c[[1, 2, 3]]
    np.testing.assert_allclose(to_x, (x - b) * (y + c) / 2, **EXACT)
    np.testing.assert_allclose(to_y, (y - c) * (x + b) / 2, **EXACT)


def test_at_a_layer_the_path_is_between_what_passes_there():
    """Half way between tanh(xW) and tanh(bW), with what goes around the layer as it is at the inputs."""
    how = {"n_samples": 7, "alphas": ALPHAS, "rows": CHOSEN}
    found, delta = GradientShap(net, "hidden").attribute(X, B, **how, return_convergence_delta=True)
    step = [np.tanh(X @ W) - np.tanh(B[CHOSEN[k]] @ W) for k in range(7)]
    np.testing.assert_allclose(found, np.mean(step, 0) * (1 + X[:, :1]), **EXACT)
    at_rows = np.mean([np.tanh(b @ W).sum() * (1 + X[:, 0]) for b in B], 0)
    np.testing.assert_allclose(delta, found.sum(1) - (net(X) - at_rows), **EXACT)


def test_tokens_are_explained_at_their_embedding():
    table = RNG.normal(size=(9, 4))
    ids, others = RNG.integers(0, 9, size=(BATCH, 3)), RNG.integers(0, 9, size=(ROWS, 3))

    def model(ids):
        return (nt.tap(jnp.asarray(table)[ids], "embedding") ** 2).sum((1, 2))

    with pytest.warns(IncompleteWarning):
        record = GradientShap(model, "embedding").explain(ids, others, n_samples=6)
    assert record.attributions.shape == (BATCH, 3, 4)
    with pytest.raises(TypeError, match=r"input 0 is i.*noise needs floating-point values"):
        GradientShap(model, "embedding").attribute(ids, others, stdevs=0.1)


def test_named_inputs_in_any_order():
    def named(x: Any) -> Any:
        return net(x.to_array("batch feature"))

    x = nt.tensor(X.T, "feature batch")
    b = nt.tensor(B, "batch feature")
    found = GradientShap(named).attribute(x, b, n_samples=4, stdevs=0.2)
    assert set(found.dims) == {"batch", "feature"}
    expected = GradientShap(net).attribute(X, B, n_samples=4, stdevs=0.2)
    np.testing.assert_allclose(found.to_array("batch feature"), expected, **EXACT)


def test_arguments_for_each_example_go_with_any_number_of_baselines():
    each = RNG.normal(size=BATCH)
    _, delta = GradientShap(lambda x, s: quadratic(x) * s).attribute(
        X, B, None, (each,), n_samples=3, return_convergence_delta=True
    )
    assert delta.shape == (BATCH,)


def test_jit_vmap_and_a_second_call_that_compiles_nothing(compilations):
    explainer = GradientShap(net)

    def run(x: Any, key: Any = 3) -> Any:
        return explainer.attribute(x, B, stdevs=0.1, key=jax.random.key(key))

    expected = run(X)
    np.testing.assert_allclose(jax.jit(run)(X), expected, **EXACT)
    np.testing.assert_allclose(jax.vmap(run)(np.stack([X, X]))[1], expected, **EXACT)
    run(jnp.asarray(X))
    assert compilations.since(lambda: run(jnp.asarray(X + 1), 4)) == 0


def test_expected_gradients_is_its_name():
    found = ExpectedGradients(net).attribute(X, B, n_samples=3)
    np.testing.assert_array_equal(found, GradientShap(net).attribute(X, B, n_samples=3))


# bad calls


def test_draws_that_do_not_fit():
    with pytest.raises(
        ValueError, match=r"alphas is f64\[4, 3\]: give \[7, 3\], \[n_samples, batch\], or \[21\]"
    ):
        GradientShap(net).attribute(X, B, n_samples=7, alphas=ALPHAS[:4])
    with pytest.raises(ValueError, match=r"n_samples=0: give at least one sample"):
        GradientShap(net).attribute(X, B, n_samples=0)
    with pytest.raises(ValueError, match=r"rows names the baselines 0 to 7, and there are 5"):
        GradientShap(net).attribute(X, B, n_samples=7, rows=CHOSEN * 0 + [0, 1, 7])
    with pytest.raises(ValueError, match=r"baseline 0 is f64\[5, 3\], its input is f64\[3, 4\]"):
        GradientShap(net).attribute(X, B[:, :3])
