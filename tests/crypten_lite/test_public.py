"""Public parts of a private function: JAX's bits, and few programs compiled for them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax, nn
from jax.extend.core import jaxpr_as_fun

import crypten_lite as ct
from crypten_lite.rules import secret_rules
from namedtensor.interpreter import interpret

RNG = np.random.default_rng(2)
X = jnp.asarray(RNG.normal(size=(3, 5)) * 10.0 ** RNG.integers(-15, 15, (3, 5)), jnp.float32)
K = jnp.asarray(RNG.integers(-(2**31), 2**31, (3, 5)), jnp.int32)
T = jnp.asarray(RNG.integers(0, 2, (3, 5)), bool)
SPECIAL = jnp.array([np.nan, np.inf, -np.inf, 0.0, 1.5, 3e38, -3e38], jnp.float32)
KEY = jax.random.key(7)

CASES = {
    "arithmetic": lambda x, k, t: [x + x[::-1], x - 0.1, x * 0.3, -x, abs(x), x * x, jnp.square(x)],
    "integers wrap around": lambda x, k, t: [k + k, k * 12345, k - 7, -k, abs(k), k * k],
    "comparisons": lambda x, k, t: [x > 0.1, x <= x[::-1], k == k[::-1], k != 3, x < 0, k >= 1],
    "bits": lambda x, k, t: [k & 255, k | 1, k ^ k[::-1], ~k, t & t[::-1], t | t[:1], ~t, k << 3, k >> 2],
    "choices": lambda x, k, t: [
        jnp.where(t, x, 0),
        jnp.maximum(x, 0.1),
        jnp.minimum(k, 5),
        jnp.clip(x, -1, 1),
    ],
    "special numbers": lambda x, k, t: [
        SPECIAL * 2,
        SPECIAL - SPECIAL,
        SPECIAL > 1,
        jnp.isfinite(SPECIAL),
        SPECIAL.max(),
    ],
    "reductions": lambda x, k, t: [
        x.max(0),
        x.min(),
        k.max(1),
        t.any(0),
        t.all(),
        x.sum(0),
        k.sum(),
        x.mean(),
    ],
    "types": lambda x, k, t: [
        t.astype(int),
        k.astype(float),
        x.astype(jnp.float16),
        x.astype(jnp.bfloat16),
        x.astype(int),
        x.astype(bool),
    ],
    "structure": lambda x, k, t: [
        x.T,
        x[1:, ::2],
        jnp.pad(x, 1, constant_values=2),
        jnp.concatenate([x, x]),
        jnp.stack([k, k]),
        jnp.tile(t, (2, 1)),
    ],
    "ranges": lambda x, k, t: [
        jnp.arange(5.0),
        jnp.eye(3),
        jnp.linspace(0, 1, 7),
        jnp.tril(x),
        nn.one_hot(k % 3, 4),
    ],
    "functions": lambda x, k, t: [
        jnp.exp(-abs(x)),
        jnp.sin(x),
        nn.softmax(x),
        jnp.log1p(abs(x)),
        jnp.sqrt(abs(x)),
        x / 3,
    ],
    "products": lambda x, k, t: [
        x @ x.T,
        jnp.einsum("ij,kj->ik", k, k),
        lax.conv(x[None, :, None], x[:, :, None, None][:1, :3], (1, 1), "SAME"),
    ],
    "positions": lambda x, k, t: [
        x[jnp.array([2, 0])],
        x.at[0].set(1),
        lax.dynamic_slice(x, (1, 1), (2, 2)),
        jnp.sort(x),
        x[x.argmax(0) % 3],
    ],
    "noise": lambda x, k, t: [
        jax.random.normal(KEY, (3, 4)),
        jax.random.bits(jax.random.split(KEY)[1]),
        jax.random.permutation(KEY, k),
    ],
    "control": lambda x, k, t: [
        lax.scan(lambda c, a: (c + a, c * 2), x[0], x),
        lax.fori_loop(0, 3, lambda i, c: c * 2 + i, x),
        lax.cond(t[0, 0], jnp.sin, jnp.cos, x),
    ],
}


@pytest.mark.parametrize("name", CASES)
def test_bits_are_jaxs(name):
    fun = CASES[name]

    def same(a, b):
        a, b = np.ascontiguousarray(a), np.ascontiguousarray(b)
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        np.testing.assert_array_equal(a.view(np.uint8), b.view(np.uint8))

    found, evaluated = interpret(fun, secret_rules)(X, K, T), jaxpr_as_fun(jax.make_jaxpr(fun)(X, K, T))
    for a, b in zip(jax.tree.leaves(found), evaluated(X, K, T), strict=True):
        same(a, b)


def mlp(params, x):
    for w, bias in params:
        x = nn.relu(x @ w + bias[None])
    return x.mean(0)


def cnn(params, x):
    kernel, w = params
    x = nn.relu(lax.conv(x, kernel, (1, 1), "SAME"))
    x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
    return x.reshape(len(x), -1) @ w


def block(params, x):
    """Attention without a softmax, masked by public positions."""
    query, key, value = (jnp.einsum("td,dhk->thk", x, w) for w in params)
    scores = jnp.einsum("qhk,thk->hqt", query, key) / 2.0
    seen = jnp.arange(len(x))[:, None] >= jnp.arange(len(x))[None]
    scores = jnp.where(seen[None], nn.relu(scores), 0)
    return jnp.einsum("hqt,thk->qhk", scores, value)


def weights(*shapes):
    return [jnp.asarray(RNG.normal(size=s) * 0.3, jnp.float32) for s in shapes]


MODELS = {
    "mlp": lambda n: (mlp, [tuple(weights((4 + n, 3), (3,)))], weights((2, 4 + n))[0]),
    "cnn": lambda n: (cnn, weights((2, 3, 3, 3), (2 * 2 * (2 + n), 4)), weights((2, 3, 4, 4 + 2 * n))[0]),
    "block": lambda n: (block, weights(*[(4, 2, 2)] * 3), weights((5 + n, 4))[0]),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("gradient", [False, True], ids=["forward", "gradient"])
def test_other_shapes_compile_nothing(name, gradient, compilations):
    def run(fun, params, x):
        asked = jax.grad(lambda x, p: fun(p, x).sum()) if gradient else lambda x, p: fun(p, x)
        with ct.simulate() as session:
            return ct.private(asked)(*session.share((x, params))).reveal()

    first, second = MODELS[name](0), MODELS[name](1)
    run(*first)
    assert compilations.since(lambda: run(*second)) == 0
