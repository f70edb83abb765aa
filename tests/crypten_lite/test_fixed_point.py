"""Encoding and decoding, exactly: all codes around zero, the extremes, and Python's fractions."""

from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypten_lite.fixed_point import FixedPoint
from crypten_lite.ring import Ring

POINT = FixedPoint()


def test_every_code_around_zero_comes_back():
    """CrypTen decodes 120 of the first 2 ** 20 negative codes wrong by 1.0."""
    codes = np.arange(-(2**21), 2**21)
    for dtype in (np.float32, np.float64):
        numbers = POINT.decode(POINT.ring.of(codes), dtype)
        assert numbers.dtype == dtype
        assert (numbers.astype(np.float64) * 2**16 == codes).all()
        assert (POINT.ring.signed(POINT.encode(numbers)) == codes).all()


@pytest.mark.parametrize("bits", [8, 13, 16])
def test_every_code_of_a_small_ring(bits):
    point = FixedPoint(fraction=2, ring=Ring(bits))
    codes = np.arange(-int(point.limit * 4) + 1, int(point.limit * 4))
    assert (point.ring.signed(point.encode(point.decode(point.ring.of(codes)))) == codes).all()


@given(
    st.floats(-(2.0**30), 2.0**30, exclude_min=True).filter(lambda x: round(Fraction(abs(x)) * 2**16) < 2**46)
)
def test_the_one_rounding_is_to_the_nearest_code(x):
    code = int(POINT.ring.signed(POINT.encode(np.float64(x))))
    assert code == round(Fraction(x) * 2**16)  # Python rounds ties to even, too


@given(st.integers(-(2**63), 2**63 - 1), st.integers(0, 30))
def test_decoding_is_the_nearest_float(code, fraction):
    exact = Fraction(code, 2**fraction)
    found = POINT.decode(POINT.ring.of(np.array(code)), np.float64, fraction=fraction)
    assert float(found) == float(exact)
    narrow = POINT.decode(POINT.ring.of(np.array(code)), np.float32, fraction=fraction)
    neighbours = np.nextafter(narrow, np.float32([-np.inf, np.inf]))
    assert all(abs(Fraction(float(narrow)) - exact) <= abs(Fraction(float(n)) - exact) for n in neighbours)


@pytest.mark.parametrize(
    "dtype", ["float16", "bfloat16", "float32", "float64", "int8", "int64", "uint8", "bool"]
)
def test_all_real_dtypes(dtype):
    values = np.array([0, 1, 1]).astype(jnp.dtype(dtype))
    assert POINT.encode(values).tolist() == [0, 2**16, 2**16]
    if jnp.dtype(dtype).itemsize < 8:
        assert POINT.encode(jnp.asarray(values)).tolist() == [0, 2**16, 2**16]


def test_halves_are_decoded_beyond_their_integers():
    assert POINT.decode(POINT.encode([1000.0, -1000.0]), np.float16).tolist() == [1000.0, -1000.0]


def test_bfloat16_comes_back():
    numbers = np.arange(-256, 257).astype(jnp.bfloat16) / 64
    back = POINT.decode(POINT.encode(numbers), jnp.bfloat16)
    assert back.dtype == jnp.bfloat16
    assert (back == numbers).all()


@pytest.mark.parametrize("fraction", [0, 1, 16, 30])
@pytest.mark.parametrize("sign", [-1, 1])
def test_the_largest_numbers(fraction, sign):
    """The last code below the limit is taken, whatever rounds to the limit is not."""
    point = FixedPoint(fraction)
    top = sign * ((1 << (62 - fraction)) - 1)
    if abs(top) < 2**53:  # otherwise no float64 is so close to the limit
        largest = np.ldexp(np.float64(top), -fraction)
        assert int(point.ring.signed(point.encode(largest))) == top
        assert float(point.decode(point.encode(largest), np.float64)) == largest
        with pytest.raises(ValueError, match="beyond the range"):
            point.encode(largest + sign * np.ldexp(0.5, -fraction))
    whole = sign * (2 ** (62 - 2 * fraction) - 1)
    assert int(point.ring.signed(point.encode(np.int64(whole)))) == whole << fraction
    for beyond in (np.int64(whole + sign), np.float64(whole + sign)):
        with pytest.raises(ValueError, match="beyond the range"):
            point.encode(beyond)


def test_ties_go_to_even_codes():
    halves = np.array([0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 2**40 + 0.5]) / 2**16
    assert POINT.ring.signed(POINT.encode(halves)).tolist() == [0, 2, 2, 0, -2, -2, 2**40]


@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3), (2, 3)])
def test_shapes_are_kept(shape):
    encoded = POINT.encode(np.ones(shape, np.float32))
    assert encoded.shape == POINT.decode(encoded).shape == shape


def test_pythons_numbers():
    assert POINT.encode([[1, 2], [3, 4]]).tolist() == [[2**16, 2**17], [3 * 2**16, 2**18]]
    assert int(POINT.encode(-1.0)) == 2**64 - 2**16
    assert int(POINT.encode(True)) == 2**16


@pytest.mark.parametrize("value", [2.0**30, -(2.0**30), 2**40, -(2**63), np.uint64(2**64 - 1), 1e308])
def test_beyond_the_range(value):
    with pytest.raises(
        ValueError, match=r"weights has .* at \[1\], beyond the range.*smaller than 1.07374e\+09"
    ):
        POINT.encode(np.array([value * 0, value]), "weights")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_no_numbers(value):
    with pytest.raises(ValueError, match=r"the value is .*: NaN and infinity cannot be shared"):
        POINT.encode(np.float32(value))


@pytest.mark.parametrize("values", [np.array([1j]), np.array(["a"]), np.array([None])])
def test_no_real_numbers(values):
    with pytest.raises(TypeError, match="only real numbers can be shared"):
        POINT.encode(values)


def test_too_many_places():
    for fraction in (31, -1):
        with pytest.raises(
            ValueError, match=f"fraction={fraction}: a ring of 64 bits has room for 0 to 30 places"
        ):
            FixedPoint(fraction=fraction)
    with pytest.raises(ValueError, match="a ring of 2 bits has no room"):
        FixedPoint(0, Ring(2))


def test_the_users_64_bit_flag_stays_off():
    assert not jax.config.jax_enable_x64
    assert POINT.encode(jnp.ones(2)).dtype == np.uint64
