"""Private functions: what is required >= what is stated >= what is derived >= what is seen."""

import dataclasses
import functools
import math

import jax
import numpy as np
import pytest
from scipy import special

from crypten_lite import functions
from crypten_lite.functions import bounds
from crypten_lite.functions.piecewise import Line, Piecewise, Segments
from crypten_lite.functions.tables import apply, segment, window

INF = math.inf
SCALES = [16, 32]


def derivative(of):
    """In float64, by JAX."""

    def slope(x):
        with jax.enable_x64(True):
            return np.asarray(jax.vmap(jax.grad(of))(x))

    return slope


def gelu_by_tanh(x):
    return x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def signed_reciprocal(x):
    return np.where((x >= -(2**-12)) & (x < 2**-12), 0, 1 / np.where(x == 0, 1, x))


# name: what it is, by others; the error required; from where to where; most coefficients and thresholds
ABSOLUTE = {
    "SIGMOID": (special.expit, 7e-4, (-INF, INF), 64, 2),
    "TANH": (np.tanh, 7e-4, (-INF, INF), 64, 2),
    "ERF": (special.erf, 7e-4, (-INF, INF), 48, 2),
    "ERFC": (special.erfc, 7e-4, (-INF, INF), 48, 2),
    "GELU": (lambda x: x * special.ndtr(x), 7e-4, (-INF, INF), 56, 2),
    "GELU_TANH": (gelu_by_tanh, 7e-4, (-INF, INF), 56, 2),
    "SILU": (lambda x: x * special.expit(x), 7e-4, (-INF, INF), 72, 2),
    "SOFTPLUS": (lambda x: np.logaddexp(x, 0), 7e-4, (-INF, INF), 64, 2),
    "SIGMOID_DERIVATIVE": (derivative(jax.nn.sigmoid), 7e-4, (-INF, INF), 64, 2),
    "TANH_DERIVATIVE": (derivative(jax.numpy.tanh), 7e-4, (-INF, INF), 72, 2),
    "ERF_DERIVATIVE": (derivative(jax.scipy.special.erf), 7e-4, (-INF, INF), 48, 2),
    "GELU_DERIVATIVE": (
        derivative(functools.partial(jax.nn.gelu, approximate=False)),
        7e-4,
        (-INF, INF),
        64,
        2,
    ),
    "GELU_TANH_DERIVATIVE": (derivative(jax.nn.gelu), 7e-4, (-INF, INF), 64, 2),
    "SILU_DERIVATIVE": (derivative(jax.nn.silu), 7e-4, (-INF, INF), 72, 2),
    "LOG": (np.log, 1e-3, (2**-12, 2**12), 320, 9),
}
RELATIVE = {
    "EXP": (np.exp, 1e-4, (-INF, 8), 16, 2),
    "EXP_NEGATIVE": (np.exp, 1e-4, (-INF, 0), 16, 1),
    "EXP_NEGATIVE_COARSE": (np.exp, 1e-4, (-INF, 0), 8, 1),
    "RECIPROCAL": (np.reciprocal, 1e-3, (2**-12, 2**12), 400, 9),
    "RECIPROCAL_SIGNED": (signed_reciprocal, 1e-3, (-(2**12), 2**12), 800, 18),
    "RSQRT": (lambda x: x**-0.5, 1e-3, (2**-12, 2**12), 384, 9),
    "SQRT": (np.sqrt, 1e-3, (2**-12, 2**12), 256, 9),
}
REQUIRED = ABSOLUTE | RELATIVE
DECLARED = {
    "exp_below(9)": (functions.exp_below(9), np.exp, 1e-4),
    "exp_on(-8, 20)": (functions.exp_on(-8, 20), np.exp, 1e-4),
    "exp_on(-1.5, 0.25)": (functions.exp_on(-1.5, 0.25), np.exp, 1e-4),
    "reciprocal_on(0.9, 1000)": (functions.reciprocal_on(0.9, 1000), np.reciprocal, 1e-3),
    "reciprocal_on(2**-16, 2**24)": (functions.reciprocal_on(2**-16, 2**24), np.reciprocal, 1e-3),
    "rsqrt_on(2**-16, 2**24)": (functions.rsqrt_on(2**-16, 2**24), lambda x: x**-0.5, 1e-3),
    "rsqrt_on(0.5, 3)": (functions.rsqrt_on(0.5, 3), lambda x: x**-0.5, 1e-3),
    "sqrt_on(2**-16, 2**24)": (functions.sqrt_on(2**-16, 2**24), np.sqrt, 1e-3),
    "log_on(2**-16, 2**24)": (functions.log_on(2**-16, 2**24), np.log, 1e-3),
}


@functools.cache
def derived(function, scale, out=32):
    return bounds.bound(function, scale, out)


def secrets(function, scale, rng, out=32):
    """Arguments from all pieces: their ends, close to them, and anywhere; with masks of every alignment."""
    pairs, most = [], 2 ** min(25, 61 - out)
    for piece, (low, high) in zip(function.pieces, function.ranges, strict=True):
        if low >= high:
            continue  # beyond the domain
        low, high = (round(max(min(edge, most), -most) * 2**scale) for edge in (low, high))
        near = np.arange(4)
        z = np.concatenate(
            [low + near, high - 1 - near, rng.integers(low, high, 6000 // len(function.pieces))]
        )
        if isinstance(piece, Line):  # most of what differs from its line is close to its ends
            z = np.append(
                z, [low + rng.integers(0, 2**scale, 200), high - 1 - rng.integers(0, 2**scale, 200)]
            )
        z = np.clip(z, low, high - 1)
        masks = rng.integers(0, 2**64, z.shape, dtype=np.uint64)
        if isinstance(piece, Segments):
            # The remainder that is met is the first, the second, one in the middle, the last; or any.
            where = window(piece, scale)
            remainders = np.array([0, 1, 2**where.segment_bits // 2, 2**where.segment_bits - 1, -1], np.int64)
            wanted = remainders[rng.integers(0, 5, z.shape)]
            aligned = masks & ~np.uint64(2**where.segment_bits - 1) | (
                (wanted - (z - where.low)) & (2**where.segment_bits - 1)
            ).astype(np.uint64)
            masks = np.where(wanted < 0, masks, aligned)
        pairs.append((z, masks))
    return (np.concatenate(many) for many in zip(*pairs, strict=True))


def seen(function, exact, scale, out=32, seed=3):
    """The largest error, in the units of the stated one."""
    z, masks = secrets(function, scale, np.random.default_rng(seed), out)
    truth = exact(z * 2.0**-scale)
    error = np.abs(np.ldexp(apply(function, z, masks, scale, out).astype(float), -out) - truth)
    return (error / np.maximum(np.abs(truth), function.floor) if function.relative else error).max()


def test_every_private_function_has_its_row():
    exported = {name for name in functions.__all__ if isinstance(getattr(functions, name), Piecewise)}
    assert exported == set(REQUIRED)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", REQUIRED)
def test_required_stated_derived_seen(name, scale):
    exact, required, domain, _, _ = REQUIRED[name]
    function = getattr(functions, name)
    assert function.domain[0] <= domain[0] < domain[1] <= function.domain[1]
    assert function.relative == (name in RELATIVE)
    assert required >= function.error >= derived(function, scale)
    found = seen(function, exact, scale)
    assert found <= derived(function, scale)
    assert found >= derived(function, scale) / 4  # the bound says something


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", DECLARED)
def test_declared_ranges(name, scale):
    function, exact, required = DECLARED[name]
    assert name == "exp_below(9)" or all(isinstance(piece, Segments) for piece in function.pieces)  # no ends
    assert required >= function.error >= derived(function, scale)
    assert seen(function, exact, scale) <= derived(function, scale)


@pytest.mark.parametrize("span", [(e, e + n) for e in range(-16, 24, 3) for n in (1, 2, 3)])
@pytest.mark.parametrize("name", ["reciprocal_on", "rsqrt_on", "sqrt_on", "log_on"])
def test_declared_ranges_keep_their_promise_wherever_they_lie(name, span):
    function = getattr(functions, name)(2.0 ** span[0], min(2.0 ** span[1], 2.0**24))
    assert bounds.bound(function) <= function.error


@pytest.mark.parametrize("name", REQUIRED)
def test_what_a_function_costs(name):
    function = getattr(functions, name)
    assert function.entries <= REQUIRED[name][3]
    assert len(function.thresholds) == REQUIRED[name][4]


@pytest.mark.parametrize(("scale", "out"), [(12, 24), (20, 40), (16, 16), (10, 32)])
@pytest.mark.parametrize("name", ["SIGMOID", "GELU", "EXP_NEGATIVE", "LOG"])
def test_other_binary_places_have_bounds_too(name, scale, out):
    function = getattr(functions, name)
    if function.domain[0] >= 0 and scale < 12:
        return  # 2 ** -12 is nothing there
    assert seen(function, REQUIRED[name][0], scale, out) <= derived(function, scale, out)


def test_more_binary_places_are_shared_by_coefficients_and_basis():
    # Eight more for the result are four more for each: errors of rounding become sixteen times smaller.
    for function in (functions.EXP_NEGATIVE, functions.EXP_NEGATIVE_COARSE):
        assert derived(function, 20, 40) < derived(function, 16) / 8
        assert seen(function, np.exp, 20, 40) <= derived(function, 20, 40)


@pytest.mark.parametrize("name", REQUIRED)
def test_what_is_fitted_is_the_function(name):
    function = getattr(functions, name)
    low, high = (max(min(end, 15), -15) for end in function.domain)
    x = np.linspace(low, high, 1001)
    assert np.allclose(function.function(x), REQUIRED[name][0](x), rtol=1e-12, atol=1e-13)


def test_the_ends_hold_for_any_argument():
    z = np.array([-(2**45), -(2**30), 2**30, 2**45 - 1])
    masks = np.random.default_rng(0).integers(0, 2**64, 4, dtype=np.uint64)
    numbers = z / 2**16
    relu = np.maximum(numbers, 0).tolist()
    ends = {
        "SIGMOID": [0, 0, 1, 1],
        "TANH": [-1, -1, 1, 1],
        "ERF": [-1, -1, 1, 1],
        "ERFC": [2, 2, 0, 0],
        "GELU": relu,
        "GELU_TANH": relu,
        "SILU": relu,
        "SOFTPLUS": relu,
        "GELU_DERIVATIVE": [0, 0, 1, 1],
        "GELU_TANH_DERIVATIVE": [0, 0, 1, 1],
        "SILU_DERIVATIVE": [0, 0, 1, 1],
        "SIGMOID_DERIVATIVE": [0, 0, 0, 0],
        "TANH_DERIVATIVE": [0, 0, 0, 0],
        "ERF_DERIVATIVE": [0, 0, 0, 0],
        "RECIPROCAL": [4096, 4096, 2**-12, 2**-12],
        "RECIPROCAL_SIGNED": [-(2**-12), -(2**-12), 2**-12, 2**-12],
        "RSQRT": [64, 64, 2**-6, 2**-6],
        "SQRT": [0, 0, 64, 64],
    }
    for name, expected in ends.items():
        assert (apply(getattr(functions, name), z, masks, 16) / 2**32).tolist() == expected, name
    assert apply(functions.EXP, z, masks, 16)[:2].tolist() == [0, 0]
    assert np.allclose(apply(functions.EXP, z, masks, 16)[2:] / 2**32, math.exp(17))
    log = apply(functions.LOG, z, masks, 16) / 2**32
    assert np.allclose(log, math.log(2) * np.array([-12, -12, 12, 12]))


def test_the_finer_exponential_knows_small_numbers_too():
    z, masks = secrets(functions.EXP_NEGATIVE, 16, np.random.default_rng(7))
    exact = np.exp(z / 2**16)
    error = np.abs(apply(functions.EXP_NEGATIVE, z, masks, 16) / 2**32 - exact)
    assert (error <= 1.6e-5 * exact + 2.5e-7).all()
    coarse = np.abs(apply(functions.EXP_NEGATIVE_COARSE, z, masks, 16) / 2**32 - exact)
    assert not (coarse <= 1.6e-5 * exact + 2.5e-7).all()


@pytest.mark.parametrize("degree", [3, 5, 8])
@pytest.mark.parametrize("left", [1.0, 2.5, 6.0])
def test_the_bound_on_interpolation_contains_a_known_error_closely(left, degree):
    # Interpolated at the zeros of T[n + 1], 1 / x is off by exactly T[n + 1](y) / T[n + 1](y0) / x, y0 for x = 0.
    x = np.linspace(left, left + 1, 4001)
    order = degree + 1
    exact = np.abs(
        np.cos(order * np.arccos(2 * (x - left) - 1)) / np.cosh(order * np.arccosh(2 * left + 1)) / x
    ).max()
    bound = bounds.interpolating(np.reciprocal, np.array([left]), 1.0, degree)[0]
    assert exact <= bound <= 2.5 * exact + 1e-12


def test_the_bound_holds_between_the_beginnings_that_it_looks_at():
    lefts = np.linspace(-3, 3, 3001)
    fine = bounds.interpolating(np.tanh, lefts, 2.0, 7)
    step = 2.0 / bounds.ALIGNMENTS
    nearest = bounds.interpolating(np.tanh, np.round(lefts / step) * step, 2.0, 7)
    growing = 2 * bounds.interpolating(np.tanh, lefts, 2.0, 7).max() / bounds.ALIGNMENTS
    points = lefts + (np.cos(np.pi * (np.arange(49) + 0.5) / 49)[:, None] + 1)
    a = np.polynomial.chebyshev.chebfit(np.cos(np.pi * (np.arange(49) + 0.5) / 49), np.tanh(points), 30)
    at_each = 2 * np.abs(a[8:]).sum(0)  # without what is added for the places between
    assert (at_each <= nearest).all()
    assert growing < fine.max() < 1.2 * at_each.max()


def test_a_poorer_table_has_a_larger_bound_and_error():
    def worse(**changes):
        pieces = tuple(
            dataclasses.replace(p, **changes) if isinstance(p, Segments) else p for p in functions.GELU.pieces
        )
        return dataclasses.replace(functions.GELU, pieces=pieces)

    fewer_terms = worse(degree=4, bits=())
    fewer_digits = worse(bits=((0,), *((7,),) * 6))
    for poor in (fewer_terms, fewer_digits):
        assert bounds.bound(poor) > 7e-4
        assert functions.GELU.error < seen(poor, REQUIRED["GELU"][0], 16) <= bounds.bound(poor)


def test_a_result_depends_on_the_mask_by_no_more_than_its_error():
    z = np.full(2000, round(0.7 * 2**16))
    rng = np.random.default_rng(1)
    found = apply(functions.TANH, z, rng.integers(0, 2**64, 2000, dtype=np.uint64), 16) / 2**32
    assert 0 < np.ptp(found) <= 2 * functions.TANH.error
    j, _ = segment(window(functions.TANH.pieces[1], 16), rng.integers(0, 2**64, 2000, dtype=np.uint64))
    assert set(j.tolist()) == set(range(8))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: functions.exp_on(0, 21),
            "exp from 0 to 21: the range is at most 28 wide and ends at 20 or below",
        ),
        (lambda: functions.exp_on(-30, 0), "exp from -30 to 0"),
        (lambda: functions.exp_below(18), "exp below 18: at most 17"),
        (lambda: functions.exp_on(1, 1), "exp from 1 to 1"),
        (
            lambda: functions.reciprocal_on(0, 8),
            "reciprocal from 0 to 8: the range begins at 2 .. -16 or later",
        ),
        (lambda: functions.rsqrt_on(1, 2**25), "rsqrt from 1 to 33554432"),
        (lambda: functions.sqrt_on(2, 1), "sqrt from 2 to 1"),
        (lambda: functions.log_on(-1, 1), "log from -1 to 1"),
    ],
)
def test_ranges_that_cannot_be_had_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
