"""Binary places: products have more of them, and nothing within the range overflows for it."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax

import crypten_lite as ct
from crypten_lite.rules.constants import places_of
from namedtensor.interpreter import UnsupportedPrimitiveError

LIMIT = 2.0**30


def revealed(fun, *args, fraction=16):
    with ct.simulate(fraction=fraction) as session:
        return np.asarray(ct.private(fun)(*session.share(args)).reveal(), np.float64)


@pytest.mark.parametrize(
    ("values", "places", "spare"),
    [
        ([0.0], 0, 0),
        ([3.0, -7.0], 0, 0),
        ([1e9], 0, 0),
        ([0.5], 1, 1),
        ([2.0**-20], 20, 20),
        ([1.5, 0.25], 2, 0),
        ([0.1], 16 + 3, 3),
        ([1e-6], 16 + 19, 19),
        ([1e-30], 16 + 30, 30),  # the most that there is room for
        ([100.1, 1e-6], 16, 0),
        ([], 0, 0),
    ],
)
def test_places_of_public_factors(values, places, spare):
    assert places_of(np.array(values), 16, 1, 30) == (places, spare)


def test_a_sum_of_products_is_not_small_because_its_factors_are():
    assert places_of(np.array([0.1]), 16, 10, 30) == (16, 0)
    x = np.full((4, 64), LIMIT / 32)
    found = revealed(lambda x: x @ jnp.full((64, 2), 0.4), jnp.asarray(x, jnp.float32))
    np.testing.assert_allclose(found, x @ np.full((64, 2), 0.4), rtol=1e-4)


@pytest.mark.parametrize("factor", [1e-6, 0.1, 2.0**-20, 1e-9])
def test_sums_of_small_multiples_of_large_numbers(factor):
    x = np.full(1000, 1e9)
    cases = {
        "sum": lambda x: (x * factor).sum(),
        "cumsum": lambda x: jnp.cumsum(x * factor)[-1],
        "plus a large public number": lambda x: (x * factor)[0] + 1e8,
        "added in a loop": lambda x: lax.fori_loop(0, 20, lambda i, total: total + x[i] * factor, 0.0),
        "scattered": lambda x: jnp.zeros(1).at[jnp.zeros(1000, int)].add(x * factor / 2)[0],
    }
    wanted = [1e12 * factor, 1e12 * factor, 1e9 * factor + 1e8, 2e10 * factor, 5e11 * factor]
    for (name, fun), number in zip(cases.items(), wanted, strict=True):
        if number < LIMIT / 16:
            np.testing.assert_allclose(
                revealed(fun, jnp.asarray(x, jnp.float32)), number, rtol=1e-3, err_msg=name
            )


def test_products_at_the_ends_of_the_range():
    x, y = jnp.array([2.0**29, -(2.0**29), 2.0**14]), jnp.array([1.5, -1.5, 2.0**15])
    np.testing.assert_allclose(
        revealed(lambda x, y: x * y, x, y), [2.0**29 * 1.5, 2.0**29 * 1.5, 2.0**29], rtol=1e-6
    )
    np.testing.assert_allclose(
        revealed(lambda x, y: x * y * 0.5 * y, x, 1 / y), x / y**2 / 2, rtol=1e-3, atol=0.05
    )


def test_public_factors_beyond_the_ring():
    with pytest.raises(UnsupportedPrimitiveError, match=r"the public number 9\.99999998"):
        revealed(lambda x: x * np.float32(1e19), jnp.ones(2))
    with pytest.raises(UnsupportedPrimitiveError, match="the public number nan"):
        revealed(lambda x: x + jnp.nan, jnp.ones(2))


STEPS = {
    "times": lambda x, c: x * c,
    "plus": lambda x, c: x + c,
    "minus": lambda x, c: c - x,
    "over": lambda x, c: x / (abs(c) + 1e-3),
    "square": lambda x, c: x * x / 1000,
    "turned": lambda x, c: x * x[::-1] * 0.01,
    "summed": lambda x, c: x + x.sum() * 0.1,
    "largest": lambda x, c: jnp.maximum(x, c) if not isinstance(x, np.ndarray) else np.maximum(x, c),
}


@pytest.mark.parametrize("fraction", [12, 16, 20])
@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(sorted(STEPS)),
            st.sampled_from([1.0, -2.0, 0.5, 0.3, 1e-3, 1e-6, 7.25, 123.4, -0.01]),
        ),
        min_size=1,
        max_size=7,
    )
)
def test_chains_of_operations_against_float64(fraction, steps):
    """The error stays that of a few last places, grown as the chain grows errors."""
    x = np.array([1.5, -20.25, 0.125, 300.0])

    def chain(x):
        for name, c in steps:
            x = STEPS[name](x, c)
        return x

    def sizes(x):
        """What each step may multiply an error by, and add to it."""
        error = 2.0**-fraction
        for name, c in steps:
            before, x = x, STEPS[name](x, c)
            top = abs(before).max()
            grown = {
                "times": abs(c),
                "over": 1 / (abs(c) + 1e-3),
                "square": top / 500,
                "turned": top / 50,
                "summed": 1.4,
            }
            error = error * max(1, grown.get(name, 1)) + 2.0 ** (3 - fraction) * max(1, top, abs(c))
            if max(top, abs(x).max()) > 2.0 ** (56 - 2 * fraction):
                return None
        return error

    bound = sizes(x)
    if bound is not None:
        found = revealed(lambda x: chain(x), jnp.asarray(x, jnp.float32), fraction=fraction)
        wanted = chain(x)
        assert abs(found - wanted).max() <= 4 * bound + 1e-5 * abs(wanted).max()
