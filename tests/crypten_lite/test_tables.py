"""Tables: the segments of an opened number, public polynomials in integers, coefficients, one-time evaluation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from crypten_lite.functions.piecewise import Line, Piecewise, Segments
from crypten_lite.functions.polynomials import EXP_FRACTION, FRACTION, chebyshev, digits, exponential
from crypten_lite.functions.tables import apply, bases, basis, coefficients, evaluate, line, segment, window

RNG = np.random.default_rng(5)


def random_masks(*shape):
    return RNG.integers(0, 2**64, shape, dtype=np.uint64)


def cubic(x):
    return x**3 - 2 * x + 0.5


@pytest.mark.parametrize("segments", [2, 4, 8])
@pytest.mark.parametrize(("low", "high"), [(-2.0, 1.0), (0.125, 1.0), (-3.0, -2.875), (0.0, 7.0)])
def test_every_secret_under_every_mask_lies_in_its_segment(segments, low, high):
    where = window(Segments(cubic, low, high, segments, 3), scale=3)
    secrets = np.arange(round(low * 8), round(high * 8))
    # every mask modulo the window, with high bits of any kind
    masks = np.arange(2**where.bits, dtype=np.uint64) + (random_masks(2**where.bits) << np.uint64(where.bits))
    z, r = (a.ravel() for a in np.meshgrid(secrets, masks, indexing="ij"))
    j, dlo = segment(where, z.astype(np.uint64) + r)
    begin = bases(where, r)
    assert begin.dtype == np.int64
    assert j.dtype == np.int64
    assert dlo.dtype == np.uint64
    assert dlo.max() < 2**where.segment_bits
    # the claim: what is dealt for row j begins where the public remainder counts from
    assert np.array_equal(z - where.low, np.take_along_axis(begin, j[None], 0)[0] + dlo.astype(np.int64))
    assert ((begin < 0).sum(0) == (r % np.uint64(2**where.segment_bits) != 0)).all()


def test_a_window_is_the_smallest_whose_segments_but_one_cover_the_range():
    for scale in (3, 8, 16):
        for count in range(1, 70):
            for segments in (2, 4, 8):
                where = window(Segments(np.exp, 0.0, count / 2**scale, segments, 2), scale)
                assert 2**where.bits == segments * 2**where.segment_bits
                room = 2**where.bits - 2**where.segment_bits
                assert room >= count
                assert where.segment_bits == 0 or room / 2 < count


@pytest.mark.parametrize("bits", [0, 1, 2, 9, 17, 30, 34, 45])
def test_chebyshev_polynomials_in_integers(bits):
    remainder = np.unique(np.append(RNG.integers(0, 2**bits, 5000), [0, 2**bits - 1, 2**bits // 2]))
    found = chebyshev(remainder, bits, degree=9)
    assert len(found) == 10
    for order, value in enumerate(found):
        assert value.dtype == np.int64
        exact = np.cos(order * np.arccos(np.ldexp(remainder.astype(float), 1 - bits) - 1))
        assert np.abs(value - exact * 2**FRACTION).max() <= max(2 * order**2, 1)


@pytest.mark.parametrize(("bits", "scale"), [(18, 16), (17, 16), (34, 32), (3, 16), (0, 16), (40, 40)])
def test_the_exponential_in_integers(bits, scale):
    remainder = np.unique(np.append(RNG.integers(0, 2**bits, 5000), [0, 2**bits - 1]))
    exact = np.exp((remainder - 2.0 ** (bits - 1)) * 2.0**-scale)
    assert np.abs(exponential(remainder, bits, scale) - exact * 2**EXP_FRACTION).max() <= 32


@pytest.mark.parametrize("places", [(4,), (16,), (30,), (5, 12), (0, 3, 30)])
def test_digits_add_up_to_the_rounded_number(places):
    value = RNG.integers(-(2**30), 2**30, 1000)
    found = digits(value, 30, places)
    total = sum(digit.astype(object) << (30 - b) for digit, b in zip(found, places, strict=True))
    assert np.abs(total - value).max() <= 2 ** (30 - places[-1]) // 2
    for digit, before, b in zip(found[1:], places[:-1], places[1:], strict=True):
        assert np.abs(digit).max() <= 2 ** (b - before - 1)


@pytest.mark.parametrize("scale", [16, 32])
@pytest.mark.parametrize(
    "piece",
    [Segments(np.tanh, -7, 7, 8, 7), Segments(np.exp, -27, 1, 8, 0, "exponential", ((7, 18),))],
    ids=["chebyshev", "exponential"],
)
def test_numpy_and_jax_compute_the_same_public_integers(piece, scale):
    where, opened = window(piece, scale), random_masks(3, 50)
    j, dlo = segment(where, opened)
    with jax.enable_x64(True):
        other_j, other_dlo = jax.jit(lambda o: segment(where, o))(opened)
        other = jax.jit(lambda d: basis(piece, where, d, jnp))(other_dlo)
        assert (other_j.dtype, other_dlo.dtype, other.dtype) == (np.int64, np.uint64, np.uint64)
    assert np.array_equal(other_j, j)
    assert np.array_equal(other_dlo, dlo)
    found = basis(piece, where, dlo)
    assert found.shape == (piece.terms, 3, 50)
    assert np.array_equal(other, found)


@pytest.mark.parametrize("scale", [5, 16, 32])
@pytest.mark.parametrize("segments", [2, 8, 16])
def test_a_polynomial_of_the_degree_comes_out_wherever_the_segments_lie(scale, segments):
    piece = Segments(cubic, -1.75, 1.5, segments, 3, bits=((0,), (16,), (16,), (16,)))
    where = window(piece, scale)
    z = RNG.integers(where.low, where.low + where.count, 2000)
    z[:4] = where.low, where.low, where.low + where.count - 1, where.low + where.count - 1
    found = evaluate(piece, where, z.astype(np.uint64) + (masks := random_masks(2000)), masks)
    error = found.view(np.int64) / 2**32 - cubic(z * 2.0**-scale)
    # Three coefficients of up to 60 (on a segment that reaches out of the range) times half a unit of 2 ** -16.
    assert np.abs(error).max() < 2e-3
    # A mask that is not the one of the opening gives something else: the test can fail.
    other = evaluate(piece, where, z.astype(np.uint64) + random_masks(2000), masks)
    assert np.mean(np.abs(other.view(np.int64) / 2**32 - cubic(z * 2.0**-scale)) > 1e-2) > 0.5


def test_the_function_is_not_looked_at_outside_its_range():
    def strict(x):
        assert x.min() >= 0.25
        assert x.max() <= 2.0
        return np.log(x)

    piece = Segments(strict, 0.25, 2.0, 8, 4)
    where = window(piece, 16)
    z = RNG.integers(where.low, where.low + where.count, 3000)
    masks = random_masks(3000)
    found = evaluate(piece, where, z.astype(np.uint64) + masks, masks).view(np.int64) / 2**32
    assert np.abs(found - np.log(z / 2**16)).max() < 2e-4


@pytest.mark.parametrize("shape", [(), (0,), (7,), (2, 0, 3), (2, 3, 4)])
def test_shapes(shape):
    piece = Segments(np.tanh, -7, 7, 8, 5)
    where, masks = window(piece, 16), random_masks(*shape)
    masks = np.asarray(masks)
    dealt = coefficients(piece, where, masks)
    assert (dealt.shape, dealt.dtype) == ((8, 6, *shape), np.uint64)
    assert evaluate(piece, where, masks + np.uint64(9), masks).shape == shape


@pytest.mark.parametrize("parties", [2, 3])
def test_parties_that_hold_shares_of_the_coefficients_reach_shares_of_the_result(parties):
    piece = Segments(np.tanh, -7, 7, 8, 7)
    where, masks = window(piece, 16), random_masks(100)
    opened = RNG.integers(where.low, where.low + where.count, 100).astype(np.uint64) + masks
    dealt = coefficients(piece, where, masks)
    shares = random_masks(parties - 1, *dealt.shape)
    shares = np.concatenate([shares, (dealt - shares.sum(0, dtype=np.uint64))[None]])
    j, dlo = segment(where, opened)
    public = basis(piece, where, dlo)
    results = [(np.take_along_axis(s, j[None, None], 0)[0] * public).sum(0, dtype=np.uint64) for s in shares]
    assert np.array_equal(sum(results), evaluate(piece, where, opened, masks))


def test_pieces_and_lines_are_chosen_by_the_thresholds():
    function = Piecewise(
        "clip",
        lambda x: np.clip(x, -1, 1.5),
        (Line(0, -1.0), Segments(lambda x: x, -1.0, 1.0, 4, 1), Line(1, 0.0), Line(0, 1.5)),
        (-1.0, 1.0, 1.5),
        error=1e-4,
    )
    z = np.array([-(2**40), -(2**16) - 1, -(2**16), 0, 2**16 - 1, 2**16, 98303, 98304, 2**40])
    found = apply(function, z, random_masks(9), scale=16) / 2**32
    assert np.abs(found - np.clip(z / 2**16, -1, 1.5)).max() < 1e-4
    assert found[[0, 1, 5, 6, 7, 8]].tolist() == [-1, -1, 1, 98303 / 65536, 1.5, 1.5]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Segments(np.exp, 1.0, 1.0, 8, 3), "a range from 1.0 to 1.0: it must not be empty"),
        (lambda: Segments(np.exp, 0.0, 1.0, 6, 3), "6 segments: their number is a power of two"),
        (
            lambda: Segments(np.exp, 0.0, 1.0, 8, 3, bits=((0,), (9,))),
            "bits for 2 basis functions, but there are 4",
        ),
        (
            lambda: window(Segments(np.exp, 0.0, 2.0**-20, 8, 3), 16),
            "with 16 binary places nothing is left of the range",
        ),
        (lambda: window(Segments(np.exp, 0.0, 2.0**40, 8, 3), 32), "too wide for 64 bits"),
        (
            lambda: window(Segments(np.exp, 0.0, 40.0, 8, 0, "exponential"), 16),
            "8 wide, but the exponential basis reaches 4",
        ),
        (
            lambda: Piecewise("f", np.exp, (Line(0, 0.0), Line(1, 0.0)), (), 1e-4),
            "f: 2 pieces need 1 increasing thresholds, there are ()",
        ),
        (
            lambda: Piecewise("f", np.exp, (Line(0, 0.0), Line(1, 0.0), Line(0, 0.0)), (1.0, 1.0), 1e-4),
            "f: 3 pieces need 2 increasing thresholds",
        ),
        (
            lambda: Piecewise("f", np.exp, (Line(0, 0.0), Segments(np.exp, 0.0, 1.0, 8, 3)), (0.0,), 1e-4),
            "f: a table from 0.0 to 1.0 is used from 0.0 to inf",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(make, message):
    with pytest.raises(ValueError, match=message.replace("(", r"\(").replace(")", r"\)")):
        make()


def test_values_that_are_no_numbers_or_too_large_are_refused():
    masks = random_masks(4)
    undefined = Segments(lambda x: np.full(x.shape, np.nan), -1.0, 1.0, 8, 3)
    with pytest.raises(ValueError, match=r"the function is not finite everywhere from -1\.0 to 1\.0"):
        coefficients(undefined, window(undefined, 16), masks)
    large = Segments(lambda x: x * 2.0**30, -1.0, 1.0, 8, 3)
    with pytest.raises(ValueError, match="values are too large for 40 binary places in 64 bits"):
        window(large, 16, out=40)
    with pytest.raises(ValueError, match="values are too large for 40 binary places in 64 bits"):
        line(Line(0, 2.0**22), masks, 16, out=40)
