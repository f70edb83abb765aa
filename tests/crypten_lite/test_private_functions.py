"""Functions of one variable, softmax and LayerNorm on shares: right within what is stated, wherever they are asked for."""

import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

import crypten_lite as ct
import namedtensor as nt
from crypten_lite import functions
from crypten_lite.functions import bounds
from crypten_lite.rules import roots

RNG = np.random.default_rng(0)
UNIT = 2.0**-16


def privately(function, *args, fraction=16, opened=True, parties=2):
    """The function on shares, in float64, and what it costs; of arguments that are open or, at twice the places, not."""
    with ct.simulate(parties, fraction=fraction) as session:
        shared = [session.share(a) for a in args]
        if not opened:
            shared = [
                ct.private(jnp.multiply)(x, session.share(np.ones_like(a)))
                for x, a in zip(shared, args, strict=True)
            ]
        before = session.cost
        result = ct.private(function)(*shared)
        found = jax.tree.map(lambda y: np.asarray(y.reveal(), np.float64), result, is_leaf=is_shared)
        return found, session.cost - before


def is_shared(x):
    return isinstance(x, ct.SharedTensor)


def on_grid(x, fraction=16):
    return np.ldexp(np.round(np.ldexp(np.asarray(x, np.float64), fraction)), -fraction).astype(np.float32)


def in_float64(function, *args):
    with jax.enable_x64(True):
        return jax.tree.map(np.asarray, function(*(jnp.asarray(np.asarray(a, np.float64)) for a in args)))


ANYWHERE = on_grid(np.append(RNG.uniform(-25, 25, 400), [0, UNIT, -UNIT, 1e3, -1e3, 1e6, -1e6, 3e8, -3e8]))
BELOW_8 = on_grid(np.append(RNG.uniform(-16, 8, 400), [-16, 0, UNIT, -UNIT, 7.99, -1e3, -3e8]))
POSITIVE = on_grid(np.append(2 ** RNG.uniform(-12, 12, 400), [2**-12, 1, 4095.99]))
EITHER = np.append(POSITIVE, -POSITIVE[POSITIVE > 2.0**-12])


def gelu_by_tanh(x):
    return x * special.expit(math.sqrt(8 / math.pi) * (x + 0.044715 * x**3))


# name: on shares, in float64, arguments, absolute error, relative error
CASES = {
    "exp": (jnp.exp, np.exp, BELOW_8, 1e-4, 1e-4),
    "exp2": (jnp.exp2, np.exp2, BELOW_8, 1e-4, 1e-4),
    "expm1": (jnp.expm1, np.expm1, BELOW_8, 1e-4, 1e-4),
    "log": (jnp.log, np.log, POSITIVE, 1e-3, 0),
    "log1p": (jnp.log1p, np.log1p, POSITIVE, 1e-3, 0),
    "sqrt": (jnp.sqrt, np.sqrt, POSITIVE, 0, 1e-3),
    "rsqrt": (jax.lax.rsqrt, lambda x: x**-0.5, POSITIVE, 0, 1e-3),
    "reciprocal": (lambda x: 1 / x, lambda x: 1 / x, EITHER, 0, 1e-3),
    "reciprocal, whole power": (lambda x: x**-1, lambda x: 1 / x, EITHER, 0, 1e-3),
    "pow 0.7": (lambda x: x**0.7, lambda x: x**0.7, POSITIVE, 0, 1e-3),
    "pow 0.5": (lambda x: x**0.5, np.sqrt, POSITIVE, 0, 1e-3),
    "pow -0.5": (lambda x: x**-0.5, lambda x: x**-0.5, POSITIVE, 0, 1e-3),
    "pow 3.0": (
        lambda x: jax.lax.pow(x, jnp.full_like(x, 3)),
        lambda x: x**3,
        on_grid(RNG.normal(size=50)),
        3e-4,
        0,
    ),
    "sigmoid": (jax.nn.sigmoid, special.expit, ANYWHERE, 7e-4, 0),
    "tanh": (jnp.tanh, np.tanh, ANYWHERE, 7e-4, 0),
    "erf": (jax.scipy.special.erf, special.erf, ANYWHERE, 7e-4, 0),
    "erfc": (jax.scipy.special.erfc, special.erfc, ANYWHERE, 7e-4, 0),
    "gelu": (
        functools.partial(jax.nn.gelu, approximate=False),
        lambda x: x * special.ndtr(x),
        ANYWHERE,
        7e-4,
        1e-7,
    ),
    "gelu by tanh": (jax.nn.gelu, gelu_by_tanh, ANYWHERE, 7e-4, 1e-7),
    "silu": (jax.nn.silu, lambda x: x * special.expit(x), ANYWHERE, 7e-4, 1e-7),
    "softplus": (jax.nn.softplus, lambda x: np.logaddexp(x, 0), ANYWHERE, 7e-4, 1e-7),
    "log_sigmoid": (jax.nn.log_sigmoid, lambda x: -np.logaddexp(-x, 0), ANYWHERE, 7e-4, 1e-7),
}


def require(found, expected, absolute, relative=0.0):
    error = np.abs(found - expected)
    allowed = absolute + relative * np.abs(expected)
    worst = np.argmax(error / allowed)
    assert (error <= allowed).all(), (found.flat[worst], expected.flat[worst], error.max())


@pytest.mark.parametrize("opened", [True, False])
@pytest.mark.parametrize("name", CASES)
def test_within_what_is_required(name, opened):
    private, exact, x, absolute, relative = CASES[name]
    found, _ = privately(private, x, opened=opened)
    with np.errstate(over="ignore"):
        require(found, exact(x.astype(np.float64)), absolute, relative)


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "gelu", "silu", "softplus"])
def test_a_table_costs_one_evaluation(name):
    private, _, x, *_ = CASES[name]
    cost = privately(private, x)[1]
    assert dataclasses.replace(ct.estimate(private, x), sharing_bytes=0) == cost
    # three rounds of two comparisons, and revealing
    assert cost.rounds == 4
    assert cost.bytes_per_party <= x.size * (2 * 5.2 + 8) + 8


def test_quotients():
    x, y = on_grid(RNG.normal(size=400)), on_grid(2 ** RNG.uniform(-6, 12, 400) * RNG.choice([-1, 1], 400))
    found, _ = privately(jnp.divide, x, y)
    require(found, x.astype(float) / y, 2e-5, 1e-3)
    large, small = on_grid(1000 * RNG.normal(size=(8, 5))), on_grid(2 ** RNG.uniform(5, 11, (8, 1)))
    require(privately(lambda x, y: x / y, large, small)[0], large.astype(float) / small, 1e-4, 1e-3)


def test_three_parties():
    x, y = on_grid(RNG.normal(size=(4, 8))), on_grid(RNG.uniform(1, 900, (4, 1)))

    def many(x, y):
        return jax.nn.softmax(x), jax.nn.gelu(x), 100 * x / y, flax_norm(x), NORMS["divided"][0](x)

    found, _ = privately(many, x, y, parties=3)
    for some, exact in zip(found, in_float64(many, x, y), strict=True):
        require(some, exact, 7e-4)


def test_numbers_without_binary_places():
    whole, truths = np.array([1, 2, 30, 400]), np.array([True, False])
    found, _ = privately(lambda n: jnp.log(n.astype(jnp.float32)), whole)
    require(found, np.log(whole), 1e-3)
    found, _ = privately(lambda n: jax.nn.sigmoid(n.astype(jnp.float32)), whole - 2)
    require(found, special.expit(whole - 2), 7e-4)
    found, _ = privately(lambda t: jnp.exp(t.astype(jnp.float32)), truths)
    require(found, np.exp(truths.astype(float)), 1e-4, 1e-4)
    found, _ = privately(lambda n: 1 / n, whole)
    require(found, 1 / whole, 0, 1e-3)


def test_beyond_the_domain_it_stays_at_the_end():
    x = np.array([-5.0, 0.0, 1e-5, 5000.0, 1e6], np.float32)
    assert np.allclose(privately(jnp.log, x)[0], math.log(2) * np.array([-12, -12, -12, 12, 12]), rtol=1e-4)
    assert privately(jax.lax.rsqrt, x)[0].tolist() == [64, 64, 64, 2**-6, 2**-6]
    assert privately(jnp.sqrt, x)[0].tolist() == [0, 0, 0, 64, 64]
    assert np.allclose(privately(jnp.exp, np.float32(25.0))[0], math.exp(17))
    assert privately(lambda x: 1 / x, x[1:])[0].tolist() == [0, 0, 2**-12, 2**-12]


def rows(n):
    x = RNG.normal(size=(9, n)).astype(np.float32) * 3
    x[1] = 0.7
    x[2] *= 1000
    x[3], x[3, 0] = -1e4, 1e4
    x[4, : n // 2] = -1e4  # masked
    x[5] = -1e4
    x[6] *= 0.001
    return on_grid(x)


@pytest.mark.parametrize(
    ("n", "opened"), [(2, True), (2, False), (10, True), (10, False), (1000, True), (5000, True)]
)
def test_softmax_of_any_row(n, opened):
    x = rows(n) if n <= 10 else rows(n)[:5] if n == 1000 else rows(n)[:2]
    found, _ = privately(lambda x: (jax.nn.softmax(x), jax.scipy.special.logsumexp(x, 1)), x, opened=opened)
    require(found[0], special.softmax(x.astype(float), -1), 2e-4)
    assert np.abs(found[0].sum(-1) - 1).max() < 1e-3
    require(found[1], special.logsumexp(x.astype(float), -1), 2e-4, 1e-6)


@pytest.mark.parametrize("n", [2, 10, 1000])
def test_log_softmax_of_any_row(n):
    x = rows(n) if n <= 10 else rows(n)[:5]
    found, _ = privately(jax.nn.log_softmax, x)
    require(found, special.log_softmax(x.astype(float), -1), 3e-4, 1e-6)


@pytest.mark.parametrize("axis", [0, 1, (0, 1)])
def test_softmax_along_any_axis_of_a_square(axis):
    x = on_grid(RNG.normal(size=(6, 6)) * 4)
    found, _ = privately(lambda x: jax.nn.softmax(x, axis=axis), x)
    require(found, special.softmax(x.astype(float), axis), 2e-4)


def test_softmax_with_a_mask_and_a_public_scale():
    x, mask = on_grid(RNG.normal(size=(8, 8))), np.tril(np.ones((8, 8), bool))

    def masked(x):
        return jax.nn.softmax(jnp.where(mask, x / 8**0.5, -1e4), axis=-1)

    require(privately(masked, x)[0], in_float64(masked, x), 2e-4)


def centred(x, root):
    return (x - x.mean(-1, keepdims=True)) * root(x)


# how a row is normalised: its epsilon, and whether its smallest deviation must be known to many places
NORMS = {
    "jnp.var": (lambda x: centred(x, lambda x: jax.lax.rsqrt(jnp.var(x, -1, keepdims=True) + 1e-5)), 1e-5),
    "tiny epsilon": (
        lambda x: centred(x, lambda x: jax.lax.rsqrt(jnp.var(x, -1, keepdims=True) + 1e-12)),
        1e-12,
    ),
    "divided by a root": (
        lambda x: centred(x, lambda x: 1 / jnp.sqrt(jnp.var(x, -1, keepdims=True) + 1e-5)),
        1e-5,
    ),
    "divided": (lambda x: (x - x.mean(-1, keepdims=True)) / jnp.sqrt(x.var(-1, keepdims=True) + 1e-5), 1e-5),
    "deviation plus epsilon": (
        lambda x: (x - x.mean(-1, keepdims=True)) / (jnp.std(x, -1, keepdims=True) + 1e-5),
        1e-10,
    ),
    "root mean square": (lambda x: x * jax.lax.rsqrt(jnp.mean(x * x, -1, keepdims=True) + 1e-6), 1e-6),
    "length": (lambda x: x / jnp.linalg.norm(x, axis=-1, keepdims=True), 0.0),
    "named": (
        lambda x: nt.nn.layer_norm(nt.tensor(x, "row col"), over="col", epsilon=1e-5).to_array("row col"),
        1e-5,
    ),
}


@pytest.mark.parametrize("deviation", [1e-3, 1e-2, 1.0, 30.0, 1e3])
@pytest.mark.parametrize("name", NORMS)
def test_layer_norm_of_rows_of_any_size(name, deviation):
    norm, epsilon = NORMS[name]
    for d in (128, 100, 4):
        x = on_grid(RNG.normal(size=(8, d)) * deviation)
        expected = in_float64(norm, x)
        # the mean and each number are known within a unit, and a row is divided by its deviation
        smallest = np.sqrt(x.astype(float).var(-1).min() * (d if name == "length" else 1) + epsilon)
        require(privately(norm, x)[0], expected, 3e-4 + 4 * UNIT / smallest)


def flax_norm(x, epsilon=1e-6):
    mean = x.mean(-1, keepdims=True)
    variance = jnp.maximum(0.0, (x * x).mean(-1, keepdims=True) - mean * mean)
    return (x - mean) * (jax.lax.rsqrt(variance + epsilon) * 1.1)


@pytest.mark.parametrize("norm", [flax_norm, jax.nn.standardize])
@pytest.mark.parametrize("deviation", [0.5, 1.0, 30.0, 1e3])
def test_layer_norm_from_the_mean_of_squares(norm, deviation):
    for d in (128, 100):
        x = on_grid(RNG.normal(size=(8, d)) * deviation)
        require(privately(norm, x)[0], in_float64(norm, x), 5e-4)


@pytest.mark.parametrize("name", NORMS)
def test_constant_rows_are_normalised_to_nothing(name):
    x = on_grid(np.stack([np.zeros(16), np.full(16, 0.3), np.full(16, -700.0)]))
    if name in ("root mean square", "length"):
        x = x[:1]
    found, _ = privately(NORMS[name][0], x)
    assert np.abs(found).max() <= 4 * UNIT * 2**12


def test_the_tables_of_roots_keep_their_bounds():
    for name in ("sqrt", "rsqrt", "rsqrt ** 3"):
        for factor in (1.0, 1 / 65):
            for plus in (0.0, 1e-5):
                found = roots.table(name, factor, plus, 0.0, 32, 16)
                assert bounds.bound(found, 32, 32) <= found.error, (name, factor, plus)


SMOOTH = on_grid(np.append(RNG.uniform(-6, 6, 200), [-50, 50, -1e4, 1e4]))
USUAL = on_grid(2 ** RNG.uniform(-4, 6, 200))
GRADIENTS = {
    "exp": (on_grid(RNG.uniform(-10, 6, 200)), 1e-4, 1e-4),
    "log": (USUAL, 1e-4, 1e-3),
    "log1p": (USUAL, 1e-4, 1e-3),
    "sqrt": (USUAL, 3e-4, 1e-3),
    "rsqrt": (USUAL, 5e-4, 2e-3),
    "reciprocal": (USUAL, 3e-3, 2e-3),
    "pow 0.7": (USUAL, 1e-3, 1e-3),
    **dict.fromkeys(
        ("sigmoid", "tanh", "erf", "gelu", "gelu by tanh", "silu", "softplus"), (SMOOTH, 0.0007, 0)
    ),
}


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients(name):
    function, (x, absolute, relative) = CASES[name][0], GRADIENTS[name]
    gradient = jax.grad(lambda x: function(x).sum())
    require(privately(gradient, x)[0], in_float64(gradient, x), absolute, relative)


@pytest.mark.parametrize("name", ["tanh", "silu", "gelu"])
def test_values_with_gradients_and_directional_derivatives(name):
    function, x = CASES[name][0], SMOOTH[:50]
    both = jax.value_and_grad(lambda x: function(x).sum())
    found, exact = privately(both, x)[0], in_float64(both, x)
    require(found[0], exact[0], 50 * 7e-4)
    require(found[1], exact[1], 7e-4)

    def along(x, t):
        return jax.jvp(function, (x,), (t,))[1]

    t = on_grid(RNG.normal(size=50))
    require(privately(along, x, t)[0], in_float64(along, x, t), 4e-3)


def test_gradients_of_softmax():
    x, w = on_grid(RNG.normal(size=(5, 10)) * 3), on_grid(RNG.normal(size=(5, 10)))
    for of in (jax.nn.softmax, jax.nn.log_softmax):
        gradient = jax.grad(lambda x, w, of=of: (of(x) * w).sum())
        require(privately(gradient, x, w)[0], in_float64(gradient, x, w), 1e-3)


@pytest.mark.parametrize("name", ["jnp.var", "divided", "root mean square"])
@pytest.mark.parametrize("deviation", [0.5, 1.0, 10.0])
def test_gradients_of_layer_norm(name, deviation):
    norm, w = NORMS[name][0], RNG.normal(size=(8, 32)).astype(np.float32)
    gradient = jax.grad(lambda x: (norm(x) * w).sum())
    x = on_grid(RNG.normal(size=(8, 32)) * deviation)
    require(privately(gradient, x)[0], in_float64(gradient, x), 2e-3)


FRACTIONS = [12, 14, 18, 20, 24]


@pytest.mark.parametrize("fraction", FRACTIONS)
@pytest.mark.parametrize(
    "name", ["exp", "log", "sqrt", "rsqrt", "reciprocal", "sigmoid", "tanh", "erf", "gelu", "silu"]
)
def test_other_binary_places(name, fraction):
    private, exact, x, *_ = CASES[name]
    function = getattr(functions, {"reciprocal": "RECIPROCAL_SIGNED"}.get(name, name.upper()))
    most = 2.0 ** (61 - 2 * fraction)
    x = on_grid(np.clip(x, -most, most), fraction)
    if name == "exp":
        x = x[x < math.log(most)]
        function = functions.exp_below(min(17, math.floor(math.log(2 * most))))
    x = x[(x >= 2.0**-12) | (x < -(2.0**-12))] if function.domain[0] != -math.inf else x
    found, _ = privately(private, x, fraction=fraction)
    bound = bounds.bound(function, fraction, 2 * fraction)
    expected = exact(x.astype(float))
    error = np.abs(found - expected) / (
        np.maximum(np.abs(expected), function.floor) if function.relative else 1
    )
    rounding = np.abs(expected) * 2.0**-23  # of float32, to which it is revealed
    assert (error <= bound + rounding).all(), (error.max(), bound)


@pytest.mark.parametrize(
    ("function", "fraction", "message"),
    [
        (jnp.sqrt, 28, "sqrt in a session with fraction=28: .* too large for 56 binary places"),
        (lambda x: 1 / x, 28, "reciprocal of either sign in a session with fraction=28"),
        (jnp.log, 8, "log in a session with fraction=8: with 8 binary places nothing is left of the range"),
    ],
)
def test_a_function_without_room_says_so_before_anything_is_sent(function, fraction, message):
    with ct.simulate(fraction=fraction) as session:
        x = session.share(np.float32(1.0))
        with pytest.raises(ValueError, match=message):
            ct.private(function)(x).reveal()
        assert session.cost.rounds == 0
