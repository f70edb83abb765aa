"""Chains of elementwise operations: known functions are found however they are written, and no other ones are."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

import crypten_lite as ct

RNG = np.random.default_rng(0)
X = (RNG.uniform(-8, 8, (20, 5)) * 2**16).round().astype(np.float32) / 2**16


def revealed(function, *args):
    with ct.simulate() as session:
        shared = [session.share(a) for a in args]
        before = session.cost
        found = jax.tree.map(lambda y: np.asarray(y.reveal(), np.float64), ct.private(function)(*shared))
        return found, session.cost - before


def in_float64(function, *args):
    with jax.enable_x64(True):
        return np.asarray(function(*(jnp.asarray(np.asarray(a, np.float64)) for a in args)))


def costs(function, *args):
    cost = ct.estimate(function, *args)
    return cost.rounds, cost.bytes_per_party, cost.dealer_bytes


def gelu_by_hand(x):
    return 0.5 * x * (1 + jnp.tanh(jnp.sqrt(2 / jnp.pi) * (x + 0.044715 * jnp.power(x, 3))))


def gelu_of_products(x):
    inner = x * (0.7978845608 + 0.0356774081 * x * x)
    return x * (jnp.tanh(inner) + 1) / 2


def jax_gelu(x):
    return jax.nn.gelu(x, approximate=False)


def mish(x):
    return x * jnp.tanh(jax.nn.softplus(x))


WAYS = {
    "gelu by tanh": [jax.nn.gelu, gelu_by_hand, gelu_of_products],
    "gelu": [
        jax_gelu,
        lambda x: x * 0.5 * (1 + jax.scipy.special.erf(x / math.sqrt(2))),
        lambda x: 0.5 * x * jax.scipy.special.erfc(-x * np.float32(2**-0.5)),
    ],
    "silu": [
        jax.nn.silu,
        jax.nn.swish,
        lambda x: x * jax.nn.sigmoid(x),
        lambda x: x / (1 + jnp.exp(-x)),
        lambda x: x * 0.5 * (1 + jnp.tanh(x / 2)),
    ],
    "sigmoid": [
        jax.nn.sigmoid,
        lambda x: 1 / (1 + jnp.exp(-x)),
        lambda x: 0.5 * (jnp.tanh(0.5 * x) + 1),
        lambda x: 1 - 1 / (1 + jnp.exp(x)),
    ],
    "softplus": [
        jax.nn.softplus,
        lambda x: jnp.logaddexp(x, 0.0),
        lambda x: jnp.maximum(x, 0) + jnp.log1p(jnp.exp(-jnp.abs(x))),
    ],
    "tanh": [jnp.tanh, lambda x: 2 * jax.nn.sigmoid(2 * x) - 1, lambda x: 2 / (1 + jnp.exp(-2 * x)) - 1],
}
EXACT = {
    "gelu by tanh": lambda x: x * special.expit(math.sqrt(8 / math.pi) * (x + 0.044715 * x**3)),
    "gelu": lambda x: x * special.ndtr(x),
    "silu": lambda x: x * special.expit(x),
    "sigmoid": special.expit,
    "softplus": lambda x: np.logaddexp(x, 0),
    "tanh": np.tanh,
}
EVERY = [(name, way) for name, ways in WAYS.items() for way in range(len(ways))]


@pytest.mark.parametrize(("name", "way"), EVERY)
def test_a_known_function_is_one_table_however_it_is_written(name, way):
    function = WAYS[name][way]
    found, cost = revealed(function, X)
    assert np.abs(found - EXACT[name](X.astype(np.float64))).max() < 7e-4
    # two comparisons and a table on an open number; then revealing
    assert (cost.rounds, cost.bytes_per_party) == (4, X.size * 10 + -(-2 * X.size // 8) + 8 * X.size)
    assert costs(function, X) == costs(WAYS[name][0], X)


@pytest.mark.parametrize(("name", "way"), EVERY)
def test_so_is_its_derivative_times_a_cotangent(name, way):
    function, w = WAYS[name][way], RNG.normal(size=X.shape).astype(np.float32)
    gradient = jax.grad(lambda x, w: (function(x) * w).sum())
    found, cost = revealed(gradient, X, w)
    assert np.abs(found - in_float64(gradient, X, w)).max() < 4e-3
    if name != "softplus":  # whose absolute value and maximum have comparisons of their own
        assert cost.rounds <= 8


NEAR = {
    "quick gelu": lambda x: x * jax.nn.sigmoid(1.702 * x),
    "gelu with another constant": lambda x: 0.5 * x * (1 + jnp.tanh(0.7979 * (x + 0.05 * x**3))),
    "silu of beta 1.01": lambda x: x * jax.nn.sigmoid(1.01 * x),
    "silu and a little": lambda x: jax.nn.silu(x) + 1e-3,
    "hard swish": jax.nn.hard_swish,
    "mish": mish,
    "elu": jax.nn.elu,
    "selu": jax.nn.selu,
    "leaky silu": lambda x: jax.nn.silu(x) + 0.01 * x,
    "twice softplus": lambda x: 2 * jax.nn.softplus(x),
    "a ramp far away": lambda x: jax.nn.silu(x) + jnp.maximum(x - 25, 0),
    "square of tanh": lambda x: jnp.tanh(x) ** 2,
}


FREE = ("silu and a little", "twice softplus")  # they cost no more than what they are made of


@pytest.mark.parametrize("name", NEAR)
def test_near_misses_are_themselves(name):
    function, x = NEAR[name], np.append(X, np.float32([24, 26, 40, -40]))
    found, cost = revealed(function, x)
    assert (np.abs(found - in_float64(function, x)) < 1e-3 + 3e-4 * np.abs(x)).all()
    tables = {costs(ways[0], x) for ways in WAYS.values()}
    if name in FREE:
        return
    assert (cost.rounds, cost.bytes_per_party, cost.dealer_bytes) not in tables


def test_a_chain_used_twice_is_computed_once():
    def twice(x):
        y = jax.nn.gelu(x)
        return y, y + 1, 2 * y

    found, cost = revealed(twice, X)
    exact = EXACT["gelu by tanh"](X.astype(float))
    assert np.abs(found[0] - exact).max() < 7e-4
    assert np.abs(found[1] - exact - 1).max() < 7e-4
    assert cost.dealer_bytes == costs(jax.nn.gelu, X)[2]


def test_the_middle_of_a_chain_is_there_too():
    def both(x):
        t = jnp.exp(-x)
        return t, 1 / (1 + t)

    x = np.clip(X, -6, 6)
    found, _ = revealed(both, x)
    assert np.abs(found[0] / np.exp(-x.astype(float)) - 1).max() < 6e-3
    assert np.abs(found[1] - special.expit(x.astype(float))).max() < 7e-4


def test_a_long_chain_needs_no_long_stack():
    def many(x):
        for i in range(400):
            x = x * 0.99 + 0.01 * (i % 3)
        return x

    found, _ = revealed(many, X)
    assert np.abs(found - in_float64(many, X)).max() < 0.02


def test_a_long_chain_of_functions():
    def many(x):
        for _ in range(70):
            x = jnp.tanh(x) * 1.5
        return x

    x = X[:2]
    found, _ = revealed(many, x)
    assert np.abs(found - in_float64(many, x)).max() < 5e-3


def test_chains_in_a_loop():
    def loop(x):
        return jax.lax.scan(lambda x, _: (jax.nn.silu(x) + x / 2, None), x, length=3)[0]

    found, _ = revealed(loop, X)
    assert np.abs(found - in_float64(loop, X)).max() < 5e-3


def test_chains_meet_numbers_of_other_shapes_and_roots():
    b, scale = RNG.normal(size=5).astype(np.float32), RNG.normal(size=(20, 1)).astype(np.float32)

    def layer(x, b, scale):
        return jax.nn.gelu(x + b[None]) * scale + jax.nn.sigmoid(x) * jax.nn.silu(b)[None]

    found, _ = revealed(layer, X, b, scale)
    assert np.abs(found - in_float64(layer, X, b, scale)).max() < 3e-3


def test_gates_of_two_numbers():
    y = RNG.normal(size=X.shape).astype(np.float32)

    def glu(x, y):
        return jax.nn.silu(x) * y

    found, _ = revealed(glu, X, y)
    assert np.abs(found - in_float64(glu, X, y)).max() < 3e-3
    gradient = jax.grad(lambda x, y: (glu(x, y) ** 2).sum(), argnums=(0, 1))
    found, _ = revealed(gradient, X, y)
    for f, e in zip(found, jax.tree.map(np.asarray, gradient(X, y)), strict=True):
        assert np.abs(f - e).max() < 2e-2


def test_a_cotangent_of_the_same_number():
    square = jax.grad(lambda x: (jax.nn.silu(x) ** 2).sum())
    product = jax.grad(lambda x: (jnp.tanh(x) * x).sum())
    for gradient in (square, product):
        found, _ = revealed(gradient, X)
        assert np.abs(found - in_float64(gradient, X)).max() < 8e-3


def test_factors_that_are_no_common_factor():
    y = RNG.normal(size=X.shape).astype(np.float32)
    z = RNG.normal(size=X.shape).astype(np.float32)
    for function in (
        lambda x, y, z: jnp.tanh(x) * y + jax.nn.sigmoid(x) * z,
        lambda x, y, z: (jnp.tanh(x) * y) * (jax.nn.sigmoid(x) * y),
        lambda x, y, z: (jnp.tanh(x) * y) ** 2,
        lambda x, y, z: (jnp.tanh(x) * y + 1) * jnp.tanh(x),
        lambda x, y, z: 1 / (2 + jnp.tanh(x) * jnp.tanh(y)),
        lambda x, y, z: (jax.nn.sigmoid(x) * y) / (1 + jnp.exp(-x / 4)) + z,
    ):
        found, _ = revealed(function, X, y, z)
        assert np.abs(found - in_float64(function, X, y, z)).max() < 5e-3


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_results_have_the_dtype_of_the_plain_function(dtype):
    x = jnp.asarray(np.clip(X, -4, 4), dtype)
    for function in (jax.nn.sigmoid, jax.nn.silu, jax_gelu, jax.nn.gelu):
        with ct.simulate() as session:
            found = ct.private(function)(session.share(x)).reveal()
        assert found.dtype == jnp.dtype(dtype)
        exact = in_float64(function, np.asarray(x, np.float64))
        assert np.abs(np.asarray(found, np.float64) - exact).max() < max(
            7e-4, 4 * float(jnp.finfo(dtype).eps) * 4
        )


def test_modules_of_other_libraries():
    nnx = pytest.importorskip("flax.nnx")
    eqx = pytest.importorskip("equinox")
    assert costs(nnx.gelu, X) == costs(jax.nn.gelu, X)
    assert costs(nnx.silu, X) == costs(jax.nn.silu, X)
    assert costs(jax.vmap(eqx.nn.Lambda(functools.partial(jax.nn.gelu, approximate=False))), X) == costs(
        jax_gelu, X
    )


@pytest.mark.parametrize(
    "function",
    [
        lambda x: jnp.log(jnp.abs(jnp.exp(x / 4).T)),
        lambda x: jnp.tanh(jnp.abs(jax.nn.relu(x).T)),
        lambda x: jnp.log(jnp.abs(jnp.exp(x / 4)[::-1])),
        lambda x: jax.nn.logsumexp(x, 1, keepdims=True),
    ],
    ids=["log", "tanh", "reversed", "logsumexp"],
)
def test_a_chain_that_moved_before_it_was_computed(function):
    """Its elements are moved once: what is computed later learns where it comes from when it is."""
    found, _ = revealed(function, X[:5])
    assert np.abs(found - in_float64(function, X[:5])).max() < 1e-3
