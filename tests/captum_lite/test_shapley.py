"""Shapley values: games whose values are known, the definition in NumPy, and the axioms."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import namedtensor as nt
from captum_lite import ShapleyValues, ShapleyValueSampling

RNG = np.random.default_rng(31)
N, BATCH = 5, 3
TABLE = RNG.normal(size=(BATCH, *[2] * N))  # an arbitrary game of five players for each example
PRESENT, ABSENT = RNG.normal(size=(2, BATCH, N))
EXACT = {"rtol": 1e-11, "atol": 1e-12}


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def table_game(x):
    """The game of each example, whose players are there where ``x`` has the value of ``PRESENT``."""
    there = (x == jnp.asarray(PRESENT)).astype(int)
    return jnp.asarray(TABLE)[(jnp.arange(BATCH), *there.T)]


def by_definition(game: np.ndarray) -> np.ndarray:
    """The mean over all orders of what each player adds, of a table ``[2, 2, ...]``."""
    n, values = game.ndim, np.zeros(game.ndim)
    for order in itertools.permutations(range(n)):
        there = [0] * n
        for player in order:
            before = game[tuple(there)]
            there[player] = 1
            values[player] += game[tuple(there)] - before
    return values / math.factorial(n)


EXPECTED = np.stack([by_definition(game) for game in TABLE])


def of_players(fun):
    """A game as a function of ``[batch, players]`` of ones and zeros."""
    return ShapleyValues(fun).attribute(np.ones((1, N)), 0.0)[0]


# exact


@pytest.mark.parametrize("rows", [None, 1, 7 * BATCH])
def test_an_arbitrary_game_for_each_example(rows):
    record = ShapleyValues(table_game).explain(PRESENT, ABSENT, internal_batch_size=rows)
    np.testing.assert_allclose(record.attributions, EXPECTED, **EXACT)
    np.testing.assert_allclose(record.convergence_delta, 0, atol=1e-12)
    assert record.evaluations == {"forward": (2**N + 2) * BATCH, "gradient": 0}
    assert record.status == "finished"


def test_the_glove_game():
    """Two left gloves and one right one; a pair is worth 1 (Shapley 1953 and every textbook since)."""

    def pairs(x):
        return jnp.minimum(x[:, 0] + x[:, 1], x[:, 2])

    np.testing.assert_allclose(of_players(pairs), [1 / 6, 1 / 6, 4 / 6, 0, 0], **EXACT)


def test_the_airport_game():
    """A runway costs what its largest aeroplane needs (Littlechild, Owen 1973): shares of each stretch."""
    needs = np.array([1.0, 2.0, 4.0, 4.0, 7.0])
    values = of_players(lambda x: (x * needs[None]).max(1))
    stretches = np.diff(needs, prepend=0) / np.arange(N, 0, -1)
    np.testing.assert_allclose(values, np.cumsum(stretches), **EXACT)


def test_a_product_is_shared_equally():
    """With baselines 0; with others by the formula for two players."""
    x, b = RNG.normal(size=(2, BATCH, 2))
    product = ShapleyValues(lambda x: x[:, 0] * x[:, 1])
    np.testing.assert_allclose(product.attribute(x), np.stack([x.prod(1) / 2] * 2, 1), **EXACT)
    change, middle = x - b, (x + b) / 2
    np.testing.assert_allclose(product.attribute(x, b), change * middle[:, ::-1], **EXACT)


def test_symmetry_and_additivity():
    x, b = RNG.normal(size=(2, BATCH, N))
    x[:, 1], b[:, 1] = x[:, 0], b[:, 0]

    def one(x):
        return jnp.tanh(x[:, 0] * x[:, 1] * x[:, 2]) + x[:, 3]

    def other(x):
        return jnp.exp(-(x**2).sum(1))

    values = {f: ShapleyValues(f).attribute(x, b) for f in (one, other)}
    both = ShapleyValues(lambda x: 2 * one(x) - 3 * other(x)).attribute(x, b)
    np.testing.assert_allclose(both, 2 * values[one] - 3 * values[other], **EXACT)
    for found in values.values():
        np.testing.assert_allclose(found[:, 0], found[:, 1], **EXACT)
    np.testing.assert_allclose(values[one][:, 3], (x - b)[:, 3], **EXACT)
    np.testing.assert_allclose(values[one][:, 4], 0, atol=1e-14)


def test_features_of_several_elements_are_complete_as_features():
    """Each element shows the value of its feature; the delta counts it once."""
    x, b = RNG.normal(size=(2, BATCH, 2, N))
    mask = np.array([[0, 0, 1, 1, 1], [2, 2, 2, 1, 1]])

    def fun(x):
        return jnp.sin(x).sum((1, 2)) * x[:, 0, 0]

    for method in (ShapleyValues(fun), ShapleyValueSampling(fun)):
        record = method.explain(x, b, feature_mask=mask)
        np.testing.assert_allclose(record.convergence_delta, 0, atol=1e-12)
        for number in range(3):
            here = record.attributions[:, mask == number]
            assert here.shape[1] > 1
            assert float(jnp.ptp(here, axis=1).max()) == 0
        _, delta = method.attribute(x, b, feature_mask=mask, return_convergence_delta=True)
        np.testing.assert_allclose(delta, 0, atol=1e-12)
    both = nt.tensor(x, "batch row column"), nt.tensor(b, "batch row column")
    rows = ShapleyValues(lambda x: fun(x.to_array("batch row column"))).attribute(*both, feature_mask="row")
    table = np.zeros((BATCH, 2, 2))
    for i, j in np.ndindex(2, 2):
        table[:, i, j] = fun(np.where(np.array([i, j])[None, :, None], x, b))
    found = rows.to_array("batch row column")[..., 0]
    np.testing.assert_allclose(found, [by_definition(t) for t in table], **EXACT)


def test_any_first_part_of_the_coalitions_is_a_fair_preview():
    """Complete from the second evaluation on, exact for a linear game once the single players are there."""
    weights = RNG.normal(size=N)
    x, b = RNG.normal(size=(2, BATCH, N))
    linear = ShapleyValues(lambda x: x @ weights)
    records = list(linear.stream(x, b, internal_batch_size=2 * BATCH))
    assert len(records) == 2**N // 2
    for record in records:
        np.testing.assert_allclose(record.convergence_delta, 0, atol=1e-12)
    np.testing.assert_allclose(records[0].attributions, np.stack([((x - b) @ weights) / N] * N, 1), **EXACT)
    np.testing.assert_allclose(records[-1].attributions, (x - b) * weights[None], **EXACT)
    errors = [
        abs(r.attributions - EXPECTED).mean()
        for r in ShapleyValues(table_game).stream(PRESENT, ABSENT, internal_batch_size=2 * BATCH)
    ]
    assert errors[-1] < 1e-12
    assert np.mean(errors[8:]) < np.mean(errors[:8])


def test_too_many_features_are_refused_with_their_number():
    x = np.ones((1, 21))
    with pytest.raises(ValueError, match=r"21 features have 2\^21 = 2097152 coalitions, more than max_evals"):
        ShapleyValues(lambda x: x.sum(1)).attribute(x)
    with pytest.raises(ValueError, match=r"3072 features have 2\^3072 coalitions.*feature_mask.*Sampling"):
        ShapleyValues(lambda x: x.sum((1, 2, 3))).attribute(np.ones((1, 32, 32, 3)))
    with pytest.raises(ValueError, match="more than max_evals=16"):
        ShapleyValues(lambda x: x.sum(1)).attribute(np.ones((1, 5)), max_evals=16)


# sampled


@pytest.mark.parametrize("antithetic", [True, False])
def test_sampling_is_within_its_error_of_the_exact_values(antithetic):
    """Over many keys: errors of the size that is stated, and no bias beyond it."""
    how = {"n_samples": 40, "antithetic": antithetic}
    sampling = ShapleyValueSampling(table_game)
    records = [sampling.explain(PRESENT, ABSENT, key=jax.random.key(k), **how) for k in range(40)]
    assert records[0].samples == (20 if antithetic else 40)
    apart = np.stack([r.attributions - EXPECTED for r in records])
    stated = np.stack([r.error_map for r in records])
    assert 0.7 < np.sqrt((apart**2).mean() / (stated**2).mean()) < 1.4
    assert (abs(apart.mean(0)) < 5 * np.sqrt((stated**2).mean(0) / 40)).all()
    for record in records[:3]:
        np.testing.assert_allclose(record.convergence_delta, 0, atol=1e-12)


def test_each_number_of_orders_is_complete_and_repeatable():
    sampling = ShapleyValueSampling(table_game)
    for n in (1, 2, 5):
        record = sampling.explain(PRESENT, ABSENT, n_samples=n, antithetic=False)
        np.testing.assert_allclose(record.convergence_delta, 0, atol=1e-12)
        assert (record.error is None) == (n == 1)
    again = sampling.attribute(PRESENT, ABSENT, n_samples=5, antithetic=False, key=jax.random.key(0))
    np.testing.assert_array_equal(again, record.attributions)
    other = sampling.attribute(PRESENT, ABSENT, n_samples=5, antithetic=False, key=jax.random.key(1))
    assert float(abs(other - again).max()) > 0.1


def test_what_interacts_in_pairs_is_exact_with_one_order_and_its_reverse():
    pairs = RNG.normal(size=(N, N))
    x, b = RNG.normal(size=(2, BATCH, N))

    def fun(x):
        return jnp.einsum("bi,bj,ij->b", x, x, jnp.asarray(pairs)) + jnp.sin(x).sum(1)

    found = ShapleyValueSampling(fun).attribute(x, b, n_samples=2)
    np.testing.assert_allclose(found, ShapleyValues(fun).attribute(x, b), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("rows", [1, 3 * BATCH, 8 * BATCH, 9 * BATCH, 40 * BATCH])
@pytest.mark.parametrize("antithetic", [True, False])
def test_orders_may_be_cut_anywhere(rows, antithetic):
    """Also within an order: what each feature adds does not depend on it."""
    sampling = ShapleyValueSampling(table_game)
    how = {"n_samples": 6, "antithetic": antithetic}
    whole = sampling.explain(PRESENT, ABSENT, **how)
    cut = list(sampling.stream(PRESENT, ABSENT, internal_batch_size=rows, **how))
    np.testing.assert_allclose(cut[-1].attributions, whole.attributions, **EXACT)
    np.testing.assert_allclose(cut[-1].error_map, whole.error_map, **EXACT)
    assert {r.samples for r in cut} <= {None, 1, 2, 3, 4, 5, 6}
    assert cut[-1].evaluations == whole.evaluations


def test_within_the_first_order_unknown_features_have_nothing():
    x, b = np.arange(1.0, 6)[None], np.zeros((1, 5))
    sampling = ShapleyValueSampling(lambda x: x.sum(1))
    first, *_ = sampling.stream(x, b, n_samples=1, antithetic=False, internal_batch_size=1)
    assert first.samples is None
    assert int((first.attributions != 0).sum()) == 1
    assert set(np.ravel(first.attributions)) <= {0, 1, 2, 3, 4, 5}


@pytest.mark.parametrize("make", [ShapleyValues, ShapleyValueSampling])
def test_one_feature_has_the_whole_difference(make):
    x, b = RNG.normal(size=(2, BATCH, 1))
    np.testing.assert_allclose(make(lambda x: x[:, 0] ** 3).attribute(x, b), x**3 - b**3, **EXACT)


def test_records_of_two_keys_merge():
    sampling = ShapleyValueSampling(table_game)
    one, other = (sampling.explain(PRESENT, ABSENT, n_samples=n, key=jax.random.key(n)) for n in (20, 60))
    both = one.merge(other)
    assert both.samples == 40
    np.testing.assert_allclose(both.attributions, one.attributions / 4 + other.attributions * 0.75, **EXACT)
    np.testing.assert_allclose(both.convergence_delta, 0, atol=1e-12)
    assert both.error_map.mean() < one.error_map.mean()


def test_no_order_is_refused():
    with pytest.raises(ValueError, match="n_samples=0: give at least one order"):
        ShapleyValueSampling(table_game).attribute(PRESENT, n_samples=0)
