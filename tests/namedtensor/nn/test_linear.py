"""Linear layers and embeddings against einsum and NumPy's indexing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import namedtensor as nt
from tests.namedtensor.nn.common import EPS, check, random, shuffled

X, WEIGHT, BIAS = random(1, 2, 3, 4, 5), random(2, 4, 5, 6), random(3, 6)


def test_linear():
    def by_hand(x, weight, bias):
        return jnp.einsum("bthd,hdf->btf", x, weight) + bias.reshape(1, 1, -1)

    named = lambda x, w, b: nt.nn.linear(x, w, b, over="d h")  # noqa: E731
    operands = [(X, "b t h d"), (WEIGHT, "h d f"), (BIAS, "f")]
    check(named, by_hand, operands, "b t f", 20 * EPS, seed=0)


def test_linear_without_bias_is_dot():
    x, w = shuffled(X, "b t h d", 1), shuffled(WEIGHT, "h d f", 2)
    assert nt.equal(nt.nn.linear(x, w, over="h d"), x.dot("h d", w))


def test_a_weight_for_each_position():
    check(
        lambda x, w, b: nt.nn.linear(x, w, b, over="d"),
        lambda x, w, b: jnp.einsum("bthd,hdf->bthf", x, w) + b[None, None],
        [(X, "b t h d"), (WEIGHT, "h d f"), (random(4, 4, 6), "h f")],
        "b t h f",
        8 * EPS,
    )


def test_linear_promotes_and_takes_numbers():
    x, w = nt.ones("b:2 d:3", dtype="bfloat16"), nt.ones("d:3 f:2", dtype="bfloat16")
    assert nt.nn.linear(x, w, 0.5, over="d").dtype == "bfloat16"
    assert nt.nn.linear(x, w.astype("float32"), over="d").dtype == "float32"
    np.testing.assert_array_equal(nt.nn.linear(x, w, 0.5, over="d").array, np.full((2, 2), 3.5))


@pytest.mark.parametrize("seed", range(3))
def test_linear_leaves_what_would_be_written_by_hand(seed):
    x, w, b = shuffled(X, "b t h d", seed), shuffled(WEIGHT, "h d f", seed + 1), nt.tensor(BIAS, "f")
    jaxpr = jax.make_jaxpr(lambda x, w, b: nt.nn.linear(x, w, b, over="h d"))(x, w, b)
    assert [e.primitive.name for e in jaxpr.eqns] == ["dot_general", "broadcast_in_dim", "add"]


TABLE, IDS = random(5, 7, 3), np.int32([[6, 0], [2, 2]])


def test_embedding():
    ids = shuffled(IDS, "b t", 1)
    named = lambda table: nt.nn.embedding(table, ids)  # noqa: E731
    check(named, lambda table: table[IDS], [(TABLE, "vocab embed")], "b t embed", 0)


def test_embedding_by_another_name_and_of_a_table_for_each_example():
    tables = random(6, 2, 7, 3)
    out = nt.nn.embedding(shuffled(tables, "b word embed", 1), shuffled(IDS, "b t", 2), over="word")
    want = np.stack([tables[i][IDS[i]] for i in range(2)])
    np.testing.assert_array_equal(out.to_array("b t embed"), want)


def test_an_id_out_of_range_gives_nan():
    assert np.isnan(nt.nn.embedding(nt.tensor(TABLE, "vocab embed"), nt.tensor([7], "t")).array).all()
