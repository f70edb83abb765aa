"""Dropout: what is zeroed and what is scaled, how often, and what the mask depends on."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import namedtensor as nt
from tests.namedtensor.nn.common import EPS, random, shuffled

KEY = jax.random.key(7)
X = random(1, 4, 30, 50) + np.float32(2)  # never zero
NAMES = "b t c"


@pytest.mark.parametrize("rate", [0.0, 0.2, 0.9])
def test_values_are_zero_or_scaled_at_the_rate(rate):
    out = nt.nn.dropout(nt.tensor(X, NAMES), rate, key=KEY).to_array(NAMES)
    kept = out != 0
    np.testing.assert_allclose(out[kept], X[kept] / (1 - rate), rtol=4 * EPS)
    # five standard deviations of a mean of 6000 coins
    assert abs(kept.mean() - (1 - rate)) <= 5 * np.sqrt(rate * (1 - rate) / X.size)


@pytest.mark.parametrize("over", [None, "b c", "t"])
def test_the_mask_does_not_depend_on_the_storage_order(over):
    want = nt.nn.dropout(nt.tensor(X, NAMES), 0.5, key=KEY, over=over).to_array(NAMES)
    for seed in (1, 2):
        got = nt.nn.dropout(shuffled(X, NAMES, seed), 0.5, key=KEY, over=over)
        np.testing.assert_array_equal(got.to_array(NAMES), want)


def test_other_keys_give_other_masks():
    x = nt.tensor(X, NAMES)
    first, second = (nt.nn.dropout(x, 0.5, key=jax.random.key(i)) for i in (1, 2))
    assert not nt.equal(first, second)
    assert nt.equal(first, nt.nn.dropout(x, 0.5, key=jax.random.key(1)))


def test_over_is_where_the_mask_varies():
    out = nt.nn.dropout(nt.tensor(X, NAMES), 0.5, key=KEY, over="c b").to_array("b c t")
    kept = np.asarray(out != 0)
    assert np.all(kept.all(-1) | ~kept.any(-1))  # whole channels of each example
    assert 0 < kept.mean() < 1
    everywhere = nt.nn.dropout(nt.tensor(X, NAMES), 0.5, key=KEY, over="")
    assert set(np.unique(np.asarray(everywhere.array != 0))) <= {True, False}
    assert np.unique(np.asarray(everywhere.array != 0)).size == 1  # one coin for all


def test_without_a_key_nothing_is_dropped():
    x = nt.tensor(X, NAMES)
    assert nt.nn.dropout(x, 0.5, key=None) is x


def test_the_gradient_passes_where_values_were_kept():
    x = shuffled(X, NAMES, 3)
    out = nt.nn.dropout(x, 0.25, key=KEY)
    slope = jax.jit(nt.grad(lambda x: nt.nn.dropout(x, 0.25, key=KEY).sum()))(x)
    want = np.where(np.asarray(out.array) != 0, np.float32(1 / 0.75), 0)
    np.testing.assert_allclose(slope.array, want, rtol=2 * EPS)


def test_a_new_rate_compiles_nothing(compilations):
    x = nt.tensor(X, NAMES)
    nt.nn.dropout(x, 0.5, key=KEY)
    others = jnp.float32(0.3), np.float32(0.1), nt.tensor(0.2, "")
    assert compilations.since(lambda: nt.nn.dropout(x, 0.25, key=jax.random.key(3))) == 0
    for rate in others:  # a rate of another type is another program, with the same meaning
        got = nt.nn.dropout(x, rate, key=KEY)
        value = rate.item()
        np.testing.assert_allclose(got.array, nt.nn.dropout(x, value, key=KEY).array, rtol=4 * EPS)


def test_a_traced_rate_and_a_traced_key():
    x = nt.tensor(X, NAMES)
    got = jax.jit(lambda x, rate, key: nt.nn.dropout(x, rate, key=key))(x, 0.5, KEY)
    np.testing.assert_allclose(got.array, nt.nn.dropout(x, 0.5, key=KEY).array, rtol=4 * EPS)


def test_old_keys():
    x, old = nt.tensor(X, NAMES), jax.random.PRNGKey(7)
    assert nt.equal(nt.nn.dropout(x, 0.5, key=old), nt.nn.dropout(x, 0.5, key=KEY))


def test_a_key_for_each_example():
    keys = jax.random.split(KEY, 4)
    x = nt.tensor(X, NAMES)
    got = nt.vmap(lambda x, key: nt.nn.dropout(x, 0.5, key=key), over="b")(x, nt.tensor(keys, "b"))
    for i in range(4):
        assert nt.equal(got.isel(b=i), nt.nn.dropout(x.isel(b=i), 0.5, key=keys[i]))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_is_kept(dtype):
    x = nt.tensor(X, NAMES, dtype=dtype)
    out = nt.nn.dropout(x, 0.1, key=KEY)
    assert out.dtype == dtype
    want = nt.nn.dropout(x.astype("float32"), 0.1, key=KEY).astype(dtype)
    assert nt.equal(out, want)
