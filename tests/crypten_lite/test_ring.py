"""The ring against Python's integers."""

from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypten_lite.ring import Ring

WIDTHS = range(2, 65)
integers = st.integers(-(2**70), 2**70)


@pytest.mark.parametrize("bits", WIDTHS)
@given(a=integers, b=integers)
def test_algebra_is_that_of_the_integers(bits, a, b):
    ring = Ring(bits)
    x, y = (ring.of(np.array([n], object)) for n in (a, b))
    for op in (int.__add__, int.__sub__, int.__mul__):
        with np.errstate(over="ignore"):
            found = ring.wrap(
                {int.__add__: np.add, int.__sub__: np.subtract, int.__mul__: np.multiply}[op](x, y)
            )
        assert found.dtype == ring.dtype
        assert int(found[0]) == op(a, b) % 2**bits


@pytest.mark.parametrize("bits", [2, 3, 8, 13])
def test_every_element_has_its_sign(bits):
    ring = Ring(bits)
    everything = np.arange(-(2 ** (bits - 1)), 2 ** (bits - 1))
    assert (ring.signed(ring.of(everything)) == everything).all()
    assert len(set(ring.of(everything).tolist())) == 2**bits


def test_extremes_of_64_bits():
    extremes = np.array([-(2**63), 2**63 - 1, -1, 0])
    assert (Ring(64).signed(Ring(64).of(extremes)) == extremes).all()


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int32", "uint64"])
def test_elements_of_all_integers(dtype):
    values = np.array([[0, 1]]).astype(dtype)
    assert Ring(64).of(values).tolist() == [[0, 1]]
    assert Ring(64).of(values).dtype == np.uint64
    assert Ring(3).of(-values.astype(np.int8)).tolist() == [[0, 7]]


def test_no_integers():
    for values in (np.array([0.5]), np.array([Fraction(1, 2)])):
        with pytest.raises(TypeError, match="integer"):
            Ring(64).of(values)


@pytest.mark.parametrize(
    ("bits", "dtype"), [(2, "uint8"), (8, "uint8"), (9, "uint16"), (17, "uint32"), (33, "uint64")]
)
def test_the_smallest_dtype_that_fits(bits, dtype):
    assert Ring(bits).dtype == dtype
    assert Ring(bits).is_native == (bits == 8)


def test_wrapping_arrays_of_jax():
    wrapped = Ring(3).wrap(jnp.arange(20, dtype=jnp.uint8))
    assert isinstance(wrapped, jax.Array)
    assert (np.asarray(wrapped) == np.arange(20) % 8).all()


@pytest.mark.parametrize("bits", [0, 1, 65])
def test_other_widths_are_refused(bits):
    with pytest.raises(ValueError, match=f"a ring of {bits} bits: give 2 to 64"):
        Ring(bits)
