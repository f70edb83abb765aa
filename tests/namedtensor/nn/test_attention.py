"""Attention against `jax.nn.dot_product_attention` and against its formula in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import namedtensor as nt
from tests.namedtensor.nn.common import EPS, HALF_EPS, check, random, shuffled

B, Q, K, H, G, D = 2, 5, 7, 2, 3, 4
QUERY, KEY, VALUE = random(1, B, Q, H, D), random(2, B, K, H, D), random(3, B, K, H, D)
MASK = np.random.default_rng(4).integers(0, 2, (B, H, Q, K)).astype(bool)
MASK[..., 0] = True  # each query may attend to a key
BIAS = random(5, B, H, Q, K) * 3
ROUNDED = 32 * EPS  # scores of 4 terms, an exponential, sums of 7


def attend(*operands, **more):
    return nt.nn.attention(*operands, over="k", features="d", **more)


OPERANDS = [(QUERY, "b q h d"), (KEY, "b k h d"), (VALUE, "b k h d")]
jax_attention = jax.jit(jax.nn.dot_product_attention, static_argnames=["is_causal", "local_window_size"])


def test_several_heads():
    check(attend, jax_attention, OPERANDS, "b q h d", ROUNDED)


def test_grouped_queries_are_names_alone():
    query = random(6, B, Q, H, G, D)

    def by_hand(query, key, value):
        return jax_attention(query.reshape(B, Q, H * G, D), key, value).reshape(B, Q, H, G, D)

    check(attend, by_hand, [(query, "b q h g d"), *OPERANDS[1:]], "b q h g d", ROUNDED)


def test_mask_and_bias():
    def named(query, key, value, bias, mask):
        return attend(query, key, value, mask=mask, bias=bias)

    def by_hand(query, key, value, bias, mask):
        return jax_attention(query, key, value, bias, mask)

    check(named, by_hand, [*OPERANDS, (BIAS, "b h q k"), (MASK, "b h q k")], "b q h d", ROUNDED)


@pytest.mark.parametrize("names", ["k", "b k", "q k", "h", ""])
def test_a_mask_or_a_bias_has_any_of_the_dims(names):
    at = tuple(slice(None) if d in names.split() else 0 for d in "bhqk")
    mask, bias = MASK[at] | (names in ("h", "")), BIAS[at]
    full = tuple(slice(None) if d in names.split() else None for d in "bhqk")
    got = attend(
        *[shuffled(a, n, 1) for a, n in OPERANDS],
        mask=shuffled(mask, names, 2),
        bias=shuffled(bias, names, 3),
    )
    stretched = [np.broadcast_to(a[full] if names else a, (B, H, Q, K)) for a in (bias, mask)]
    want = jax_attention(QUERY, KEY, VALUE, *stretched)
    np.testing.assert_allclose(got.to_array("b q h d"), want, rtol=0, atol=ROUNDED)


@pytest.mark.parametrize("mask", [None, MASK[:, :, :, :Q]], ids=["alone", "with a mask"])
def test_causal(mask):
    key, value = KEY[:, :Q], VALUE[:, :Q]
    mask = None if mask is None else mask | np.eye(Q, dtype=bool)

    def named(query, key, value):
        return attend(
            query, key, value, causal="q", mask=None if mask is None else nt.tensor(mask, "b h q k")
        )

    def by_hand(query, key, value):
        return jax_attention(query, key, value, mask=mask, is_causal=True)

    check(named, by_hand, [(QUERY, "b q h d"), (key, "b k h d"), (value, "b k h d")], "b q h d", ROUNDED)


def formula(query, key, value, allowed, scale):
    """out[b q h] = sum over k of p[k] value[k], p the softmax of the allowed scores, in float64."""
    scores = np.einsum("bqhd,bkhd->bhqk", np.float64(query), np.float64(key)) * scale
    scores = np.where(allowed, scores, -np.inf)
    p = np.exp(scores - scores.max(-1, keepdims=True))
    return np.einsum("bhqk,bkhd->bqhd", p / p.sum(-1, keepdims=True), np.float64(value))


def test_with_more_keys_the_last_query_sees_all_of_them():
    allowed = np.arange(K)[None] <= np.arange(Q)[:, None] + K - Q
    got = attend(*[shuffled(a, n, 3) for a, n in OPERANDS], causal="q")
    want = formula(QUERY, KEY, VALUE, allowed, D**-0.5)
    np.testing.assert_allclose(got.to_array("b q h d"), want, rtol=0, atol=ROUNDED)


def test_causal_attention_continues_with_a_cache():
    """One query at a time, over all keys so far, gives the rows of all queries at once."""
    query, key, value = (nt.tensor(random(i, 6, D), f"{n} d") for i, n in [(1, "q"), (2, "k"), (3, "k")])
    together = attend(query, key, value, causal="q")
    for i in (0, 3, 5):
        seen = slice(0, i + 1)
        one = attend(query.isel(q=slice(i, i + 1)), key.isel(k=seen), value.isel(k=seen), causal="q")
        np.testing.assert_allclose(one.to_array("q d")[0], together.to_array("q d")[i], rtol=0, atol=ROUNDED)


@pytest.mark.parametrize("scale", [0.3, "per head"])
def test_the_scale(scale):
    each = np.float32([0.3, 2.0]) if scale == "per head" else np.float32([scale] * H)
    got = attend(
        *[shuffled(a, n, 2) for a, n in OPERANDS],
        scale=nt.tensor(each, "h") if scale == "per head" else scale,
    )
    want = formula(QUERY, KEY, VALUE, True, each[None, :, None, None])
    np.testing.assert_allclose(got.to_array("b q h d"), want, rtol=0, atol=ROUNDED)


def test_a_local_window_is_a_mask():
    distance = nt.arange("q", Q) - nt.arange("k", Q)
    key, value = KEY[:, :Q], VALUE[:, :Q]
    mask = (distance <= 2) & (distance >= -1)
    operands = [(QUERY, "b q h d"), (key, "b k h d"), (value, "b k h d")]
    got = attend(*[shuffled(a, n, 5) for a, n in operands], mask=mask)
    want = jax_attention(QUERY, key, value, local_window_size=(2, 1))
    np.testing.assert_allclose(got.to_array("b q h d"), want, rtol=0, atol=ROUNDED)


def test_a_query_that_may_attend_to_nothing_gets_the_mean():
    mask = MASK.copy()
    mask[:, :, 2] = False
    got = attend(*[shuffled(a, n, 7) for a, n in OPERANDS], mask=nt.tensor(mask, "b h q k")).to_array(
        "b q h d"
    )
    np.testing.assert_allclose(got, jax_attention(QUERY, KEY, VALUE, mask=mask), rtol=0, atol=ROUNDED)
    np.testing.assert_allclose(got[:, 2], VALUE.mean(1), rtol=0, atol=ROUNDED)


def test_dims_that_one_operand_alone_has_are_kept():
    """No batch, several key dims, a value of another size with a dim of its own, a head of the key alone."""
    query, key = random(1, Q, D, 2), random(2, 3, 4, H, D, 2)
    value = random(3, 3, 4, 6, 2)
    got = nt.nn.attention(
        shuffled(query, "q d e", 1), shuffled(key, "x y h d e", 2), shuffled(value, "x y v w", 3),
        over="x y", features="d e",
    )  # fmt: skip
    scores = np.einsum("qde,xyhde->qhxy", np.float64(query), np.float64(key)) / np.sqrt(2 * D)
    p = np.exp(scores) / np.exp(scores).sum((2, 3), keepdims=True)
    want = np.einsum("qhxy,xyvw->qhvw", p, np.float64(value))
    np.testing.assert_allclose(got.to_array("q h v w"), want, rtol=0, atol=ROUNDED)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_has_its_softmax_in_float32(dtype):
    operands = [shuffled(a * 4, n, 1).astype(dtype) for a, n in OPERANDS]
    got = attend(*operands)
    assert got.dtype == dtype
    exact = formula(
        *[t.astype("float32").to_array(n) for t, (_, n) in zip(operands, OPERANDS, strict=True)], True, 0.5
    )
    # the weights are rounded once and so is the result: each to half a unit of values up to 4
    eps = HALF_EPS / 2 if dtype == "bfloat16" else 2.0**-11
    np.testing.assert_allclose(np.float64(got.to_array("b q h d")), exact, rtol=0, atol=2 * 4 * eps)


def test_dtypes_are_promoted():
    query, key, value = (nt.tensor(a, n) for a, n in OPERANDS)
    out = attend(query.astype("bfloat16"), key, value.astype("bfloat16"))
    assert out.dtype == np.float32


def primitives(jaxpr):
    for eqn in jaxpr.eqns:
        yield eqn.primitive.name
        for value in eqn.params.values():
            if hasattr(value, "jaxpr"):
                yield from primitives(value.jaxpr)


@pytest.mark.parametrize("seed", range(3))
def test_attention_is_two_contractions_without_a_transpose(seed):
    tensors = [shuffled(a, n, seed + i) for i, (a, n) in enumerate(OPERANDS)]
    names = list(primitives(jax.make_jaxpr(attend)(*tensors).jaxpr))
    assert names.count("dot_general") == 2
    assert "transpose" not in names


def test_its_gradient_moves_no_more_than_by_hand():
    def by_hand(query, key, value):  # [b h q d] each, the order that a careful author would choose
        z = jax.lax.dot_general(query, key, (((3,), (3,)), ((0, 1), (0, 1)))) * D**-0.5
        return jax.lax.dot_general(jax.nn.softmax(z, 3), value, (((3,), (2,)), ((0, 1), (0, 1)))).sum()

    arrays = [jnp.swapaxes(jnp.asarray(a), 1, 2) for a, _ in OPERANDS]
    want = list(primitives(jax.make_jaxpr(jax.grad(by_hand, (0, 1, 2)))(*arrays).jaxpr))
    tensors = [nt.tensor(a, n) for a, n in zip(arrays, ["b h q d", "b h k d", "b h k d"], strict=True)]
    loss = lambda *t: attend(*t).sum().array  # noqa: E731
    got = list(primitives(jax.make_jaxpr(jax.grad(loss, (0, 1, 2)))(*tensors).jaxpr))
    assert got.count("transpose") <= want.count("transpose")
    assert got.count("dot_general") == want.count("dot_general") == 6


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_scores_of_half_precision_are_summed_in_float32(dtype):
    tensors = [nt.tensor(a, n, dtype=dtype) for a, n in OPERANDS]
    jaxpr = jax.make_jaxpr(attend)(*tensors).jaxpr
    found = [(e.primitive.name, e.outvars[0].aval.dtype) for e in jaxpr.eqns]
    assert [d for name, d in found if name == "dot_general"] == ["float32", dtype]
    assert [d for name, d in found if name == "exp"] == ["float32"]
