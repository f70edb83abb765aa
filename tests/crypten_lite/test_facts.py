"""What is said to be public knowledge about a secret number holds for any input."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import crypten_lite as ct
from crypten_lite.rules import facts

RNG = np.random.default_rng(0)


def carriers(function, *args):
    """The results of a private function inside of it, with what is known of them; and revealed."""
    with ct.simulate() as session:
        shared = [session.share(a) for a in args]
        results = ct.private(function)(*shared)
        leaves = jax.tree.leaves(results, is_leaf=lambda y: isinstance(y, ct.SharedTensor))
        return [
            (leaf.carrier, np.asarray(leaf.reveal(), np.float64))
            for leaf in leaves
            if isinstance(leaf, ct.SharedTensor)
        ]


def in_float64(function, *args):
    with jax.enable_x64(True):
        result = function(*(jnp.asarray(np.asarray(a, np.float64)) for a in args))
        return np.asarray(result)


UNARY = [
    jnp.negative,
    jnp.abs,
    jnp.square,
    jnp.sign,
    jnp.tanh,
    jax.nn.sigmoid,
    jax.nn.relu,
    lambda x: x**3,
    lambda x: -2.5 * x + 1,
    lambda x: x / 4 - 3,
    lambda x: jnp.minimum(x, 0.5),
    lambda x: jnp.maximum(x, -0.5),
    lambda x: jnp.clip(x, -1, 2),
    lambda x: jnp.exp(jnp.minimum(x, 1)),
    lambda x: 1 / (jnp.abs(jnp.tanh(x)) + 0.5),
    lambda x: jnp.sqrt(jnp.square(jnp.tanh(x)) + 1),
    lambda x: jax.scipy.special.erf(x),
    lambda x: jax.scipy.special.erfc(x),
    lambda x: x.T.reshape(x.shape),
    lambda x: jnp.flip(x, 0),
    lambda x: jnp.broadcast_to(x.sum(0, keepdims=True), x.shape),
    lambda x: jnp.broadcast_to(x.max(1, keepdims=True), x.shape),
    lambda x: jnp.broadcast_to(x.mean(), x.shape),
    lambda x: jnp.concatenate([x[:1], x[1:] * 0.5]),
    lambda x: jnp.where(x > 0, x, 0.25),
    lambda x: jnp.pad(x[1:], ((1, 0), (0, 0))),
    jax.nn.softmax,
]
BINARY = [jnp.add, jnp.subtract, jnp.multiply, jnp.maximum, jnp.minimum, lambda x, y: jnp.where(x > y, x, y)]


def expression(rng):
    """A random composition of operations that starts from bounded functions, so that ranges are known."""
    steps = [
        (rng.integers(len(UNARY)), rng.integers(len(BINARY)), rng.random()) for _ in range(rng.integers(2, 6))
    ]

    def function(x):
        values = [jnp.tanh(x), jax.nn.sigmoid(x) * 2]
        for unary, binary, kind in steps:
            new = UNARY[unary](values[-1]) if kind < 0.6 else BINARY[binary](values[-1], values[-2])
            values.append(new)
        return values[-1]

    return function


def bounded(seed):
    x = (np.random.default_rng(seed).normal(size=(4, 5)) * 3).astype(np.float32)
    return expression(np.random.default_rng(seed)), x


@pytest.mark.parametrize("seed", range(60))
def test_ranges_hold_for_random_expressions(seed):
    function, x = bounded(seed)
    ((carrier, revealed),) = carriers(function, x) or [(None, None)]
    if carrier is None:
        return  # nothing of it is secret
    low, high = facts.range_of(carrier)
    slack = 1e-9 + 1e-6 * max(abs(low), abs(high)) if math.isfinite(low) and math.isfinite(high) else 1e-6
    for inputs in (x, np.zeros_like(x), 50 * x, -50 * x, RNG.normal(size=x.shape)):
        values = in_float64(function, inputs)
        assert low - slack <= values.min()
        assert values.max() <= high + slack
    exact = in_float64(function, x)
    assert np.abs(revealed - exact).max() <= 2e-2 * max(1.0, np.abs(exact).max()), (low, high)


def test_ranges_are_known_at_all():
    known = [facts.range_of(c) for s in range(60) for c, _ in carriers(*bounded(s))]
    assert sum(math.isfinite(low) and math.isfinite(high) for low, high in known) >= 30


def test_ranges_of_powers_that_are_beyond_floats():
    def function(x):
        return (jnp.square(jax.nn.relu(x)) + 1) ** 3

    x = np.float32([0.5, -1, 3])
    ((carrier, revealed),) = carriers(function, x)
    low, high = facts.range_of(carrier)
    assert (low, high) == (1.0, math.inf)
    assert np.allclose(revealed, in_float64(function, x), rtol=1e-3)
    ((carrier, _),) = carriers(lambda x: jax.lax.integer_pow(jax.nn.sigmoid(x) + 1e6, 60), x)
    assert facts.range_of(carrier)[1] == math.inf


def test_infinite_constants_leave_no_false_range():
    x = np.float32([[0.5, -1.0, 3.0]])
    ((carrier, revealed),) = carriers(lambda x: jnp.maximum(x, -jnp.inf), x)
    assert facts.range_of(carrier)[1] == math.inf
    assert np.allclose(revealed, x)
    ((carrier, revealed),) = carriers(lambda x: jnp.max(x, 1, initial=-jnp.inf), x)
    assert np.allclose(revealed, 3)
    assert not any(math.isnan(end) for end in facts.range_of(carrier))


SQUARE = (RNG.normal(size=(6, 6)) * 5).round(2).astype(np.float32)
OTHER = (RNG.normal(size=(6, 6)) * 5).round(2).astype(np.float32)

# differences with a maximum that are NOT below zero everywhere, and functions of them that are sensitive to that
NO_PEAKS = {
    "the wrong axis of a square": lambda x, y: x - x.max(1)[None],
    "the wrong axis, kept": lambda x, y: x - x.max(0, keepdims=True).T,
    "of another array": lambda x, y: x - y.max(1, keepdims=True),
    "of half of it": lambda x, y: x - x[:, :3].max(1, keepdims=True),
    "of other rows": lambda x, y: x - x[::-1].max(1, keepdims=True),
    "turned around afterwards": lambda x, y: x - jnp.flip(x.max(1, keepdims=True), 0),
    "of its transpose": lambda x, y: x.T - x.max(1, keepdims=True),
    "of the negative": lambda x, y: x - (-x).max(1, keepdims=True),
    "the other way around": lambda x, y: x.max(1, keepdims=True) - x,
    "rolled": lambda x, y: x - jnp.roll(x.max(1, keepdims=True), 1, 0),
    "twice the number": lambda x, y: 2 * x - x.max(1, keepdims=True),
    "rows of a matrix of matrices": lambda x, y: (
        (x.reshape(2, 3, 6) - x.reshape(2, 3, 6).max(1)[:, None]).reshape(6, 6) + y
    ),
}
PEAKS = {
    "kept": lambda x, y: x - x.max(1, keepdims=True),
    "expanded": lambda x, y: x - x.max(0)[None],
    "of all": lambda x, y: x - x.max(),
    "of both axes": lambda x, y: x - x.max((0, 1), keepdims=True),
    "broadcast": lambda x, y: x - jnp.broadcast_to(x.max(1)[:, None], x.shape),
    "stopped": lambda x, y: x - jax.lax.stop_gradient(x.max(1, keepdims=True)),
}


@pytest.mark.parametrize("name", NO_PEAKS)
def test_no_maximum_is_taken_for_another_one(name):
    difference = NO_PEAKS[name]
    ((carrier, _),) = carriers(difference, SQUARE, OTHER)
    assert facts.range_of(carrier)[1] > 0
    for after in (
        lambda d: jnp.exp(jnp.minimum(d, 3)),
        lambda d: 1 / (1 + jnp.exp(jnp.minimum(d, 3)).sum(1)),
    ):

        def function(x, y, after=after):
            return after(difference(x, y) / 2)

        ((_, revealed),) = carriers(function, SQUARE, OTHER)
        assert np.allclose(revealed, in_float64(function, SQUARE, OTHER), rtol=2e-3, atol=5e-4)


@pytest.mark.parametrize("name", PEAKS)
def test_a_maximum_is_recognised(name):
    ((carrier, revealed),) = carriers(PEAKS[name], SQUARE, OTHER)
    assert facts.range_of(carrier)[1] == 0
    assert np.allclose(revealed, in_float64(PEAKS[name], SQUARE, OTHER), atol=1e-3)


def normalised(z, of, axis, epsilon, sign=1):
    return z * jax.lax.rsqrt(sign * jnp.mean(of * of, axis, keepdims=True) + epsilon)


NO_NORMS = {
    "the wrong axis of a square": lambda x, y: x * jax.lax.rsqrt(jnp.mean(x * x, 1) + 1e-5)[None],
    "of another array": lambda x, y: normalised(x, y / 100, 1, 1e-3),
    "of half of it": lambda x, y: x * jax.lax.rsqrt(jnp.mean(x[:, :2] ** 2, 1, keepdims=True) + 1e-2),
    "of other rows": lambda x, y: x * jnp.flip(jax.lax.rsqrt(jnp.mean(x * x, 1, keepdims=True) + 1e-5), 0),
    "less something": lambda x, y: x * jax.lax.rsqrt(jnp.mean(x * x, 1, keepdims=True) + 50.0 - 49.0),
    "plus the negative of something": lambda x, y: (
        100 * x * jax.lax.rsqrt(jnp.mean(x * x, 1, keepdims=True) + 30.0 + -29.9)
    ),
    "times a secret": lambda x, y: (
        x * jax.lax.rsqrt(jnp.mean(x * x, 1, keepdims=True) * (1 + jax.nn.sigmoid(y[:, :1])) + 1e-3)
    ),
    "plus a secret": lambda x, y: (
        x * jax.lax.rsqrt(jnp.mean(x * x, 1, keepdims=True) + jax.nn.relu(y[:, :1]) + 1e-3)
    ),
    "a product that is no square": lambda x, y: (
        x * jax.lax.rsqrt(jnp.abs(jnp.mean(x * y, 1, keepdims=True)) + 1.0)
    ),
    "the cube": lambda x, y: x**3 * jax.lax.rsqrt(jnp.mean(x * x, 1, keepdims=True) + 1e-5),
    "a root plus something": lambda x, y: x / (jnp.sqrt(jnp.mean(x * x, 1, keepdims=True)) + 0.5),
    "a root plus a secret": lambda x, y: (
        x / (jnp.sqrt(jnp.mean(x * x, 1, keepdims=True)) + jax.nn.relu(y[:, :1]))
    ),
    "a root of a root": lambda x, y: x / jnp.sqrt(jnp.sqrt(jnp.mean(x * x, 1, keepdims=True)) + 1.0),
    "a multiple of a root": lambda x, y: x / (3 * jnp.sqrt(jnp.mean(x * x, 1, keepdims=True))),
    "a sum of two": lambda x, y: (
        x * jax.lax.rsqrt((x * x).sum(1, keepdims=True) + (y * y).sum(1, keepdims=True))
    ),
    "a sum of both axes": lambda x, y: x * jax.lax.rsqrt((x * x).sum() + 1e-5),
    "large": lambda x, y: 1000 * x * jax.lax.rsqrt((x * x).sum(1, keepdims=True) + 1e-5),
    "a third of a root": lambda x, y: x * (2.0 / jnp.sqrt((x * x).sum(1, keepdims=True) + 1e-5)),
}


@pytest.mark.parametrize("name", NO_NORMS)
@pytest.mark.parametrize("size", [1.0, 20.0])
def test_normalised_numbers_stay_right(name, size):
    x, y = size * SQUARE, OTHER
    function = NO_NORMS[name]
    ((_, revealed),) = carriers(function, x, y)
    exact = in_float64(function, x, y)
    assert (np.abs(revealed - exact) <= 2e-3 * np.maximum(1.0, np.abs(exact).max())).all()


@pytest.mark.parametrize(
    "name", ["the wrong axis of a square", "of another array", "of half of it", "of other rows", "the cube"]
)
def test_no_norm_is_taken_for_another_one(name):
    ((carrier, _),) = carriers(NO_NORMS[name], SQUARE, OTHER)
    assert facts.range_of(carrier) == facts.ANY


def test_a_normalised_row_is_bounded():
    function = functools.partial(lambda x: normalised(x, x, 1, 1e-5))
    ((carrier, revealed),) = carriers(function, SQUARE)
    low, high = facts.range_of(carrier)
    assert math.sqrt(6) <= high == -low <= 3
    assert np.abs(revealed).max() <= high


def test_a_sum_with_a_one_in_it_is_known_along_the_right_axes():
    def along(axis):
        return lambda x: jnp.exp(x - x.max(1, keepdims=True)).sum(axis)

    assert [facts.range_of(carriers(along(axis), SQUARE)[0][0]) for axis in (1, 0, (0, 1))] == [
        (1.0, 6.0),
        (0.0, 6.0),
        (1.0, 36.0),
    ]
