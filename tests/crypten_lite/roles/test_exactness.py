"""How exact results are, by binary places: against errors that are known without any shares."""

import threading

import jax.numpy as jnp
import numpy as np
import pytest

import crypten_lite as ct
from crypten_lite.roles import exactness

X = np.array([0.1, -0.7, 1.3, 2.9], np.float32)


def rounding(x, fraction):
    """The error of the nearest multiple of ``2 ** -fraction``."""
    x = x.astype(np.float64)
    return np.abs(np.round(x * 2**fraction) / 2**fraction - x)


@pytest.mark.parametrize("parties", [2, 3])
def test_sharing_alone_rounds_to_the_nearest(parties):
    found = list(ct.error_by_fraction(jnp.negative, X, fractions=(2, 5, 9), parties=parties))
    assert [f.fraction for f in found] == [2, 5, 9]
    for f in found:
        assert f.error == pytest.approx(rounding(X, f.fraction).max(), rel=1e-6)
        assert f.mean == pytest.approx(rounding(X, f.fraction).mean(), rel=1e-6)
        np.testing.assert_array_equal(f.plain, -X)
        np.testing.assert_array_equal(f.results, -np.round(X * 2**f.fraction) / 2**f.fraction)


def test_a_product_is_off_by_its_last_places():
    errors = [f.error for f in ct.error_by_fraction(jnp.multiply, X, X[::-1], fractions=(4, 10, 16))]
    for error, fraction in zip(errors, (4, 10, 16), strict=True):
        assert error <= (2 * np.abs(X).max() / 2 + 1.5) * 2.0**-fraction
    assert errors[0] > 10 * errors[1] > 100 * errors[2]


def test_public_arguments_are_not_shared():
    def filled(w, x):
        return jnp.where(jnp.isnan(w), x, w)

    holes = np.float32([np.nan, 2, np.nan, 2])
    (found,) = ct.error_by_fraction(filled, holes, X, fractions=(4,), public=(0,))
    assert found.error == pytest.approx(rounding(X, 4)[[0, 2]].max(), rel=1e-6)
    (found,) = ct.error_by_fraction(filled, holes, X, fractions=(4,))
    assert "NaN and infinity cannot be shared" in found.failure


def test_numbers_without_a_place_end_one_run_alone():
    few, many, fewer = ct.error_by_fraction(jnp.negative, np.float32([40.0]), fractions=(20, 30, 8))
    assert few.error == fewer.error == 0
    assert many.error == np.inf
    assert many.results is None
    assert "the value has 40.0 at [0], beyond the range: with fraction=30" in many.failure


def test_numbers_that_grow_too_large_on_the_way_show_as_errors():
    (found,) = ct.error_by_fraction(jnp.square, np.float32([40.0]), fractions=(28,))
    assert found.failure is None  # nothing tells in a real run: numbers should be below 2 ** (62 - 56)
    assert found.error > 100


def test_results_may_be_trees_and_come_one_by_one():
    runs = []

    def counted(x):
        runs.append(1)
        return {"sum": x.sum(), "largest": x.argmax()}

    found = ct.error_by_fraction(counted, X, fractions=(8, 12, 16))
    assert len(runs) == 1  # the plain one
    first = next(found)
    assert int(first.results["largest"]) == 3
    assert len(runs) == 2


def test_it_stops_in_the_middle_of_a_run_and_keeps_those_before():
    cancel, runs = threading.Event(), []

    def stops(x):
        runs.append(1)
        if len(runs) == 3:  # the plain run, and two private ones
            cancel.set()
        return jnp.tanh(x)

    found = list(ct.error_by_fraction(stops, X, fractions=(8, 10, 12, 14), cancel=cancel))
    assert [f.fraction for f in found] == [8]
    assert len(runs) == 3


def test_bad_arguments_are_told_before_anything_runs():
    with pytest.raises(ValueError, match="fraction=31: a ring of 64 bits has room for 0 to 30 places"):
        ct.error_by_fraction(pytest.fail, X, fractions=(8, 31))
    with pytest.raises(ValueError, match="returns NaN or infinity for these arguments"):
        ct.error_by_fraction(jnp.log, X)


def test_the_default_goes_over_what_is_sensible():
    assert exactness.FRACTIONS[0] < 16 < exactness.FRACTIONS[-1] <= 30
    assert 16 in exactness.FRACTIONS
