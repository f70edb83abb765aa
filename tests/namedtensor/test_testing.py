"""The assertions of tests: what they let pass, what they refuse, and what they report."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import namedtensor as nt
from namedtensor._errors import RankMismatch, Unsupported
from namedtensor.testing import assert_allclose, assert_equal

NAN, INF = float("nan"), float("inf")
HALF = 2.0**-12.5  # sqrt of the epsilon of single precision is 2**-11.5


def t(values, names="a", dtype=None):
    return nt.tensor(values, names, dtype=dtype)


def keys(seed=0):
    return t(jax.random.split(jax.random.key(seed), 2), "layer")


SAME = {
    "itself": (t([1.0, 2.0]), t([1.0, 2.0])),
    "another order": (t([[1, 2], [3, 4]], "a b"), t([[1, 3], [2, 4]], "b a")),
    "three orders": (
        nt.arange("a", 6).split("a", "a b", a=2) + t([0, 10], "c"),
        t([0, 10], "c") + nt.arange("a", 6).split("a", "a b", a=2),
    ),
    "nan": (t([NAN, 1.0]), t([NAN, 1.0])),
    "inf": (t([INF, -INF]), t([INF, -INF])),
    "complex nan": (t([complex(NAN, 1)]), t([complex(NAN, 1)])),
    "empty": (nt.zeros("a:0 b:2"), nt.zeros("b:2 a:0")),
    "another dtype": (t([1, 2]), t([1.0, 2.0])),
    "bfloat16": (t([1.0], dtype=jnp.bfloat16), t([1.0])),
    "bool": (t([True]), t([True])),
    "number": (nt.ones("a:2 b:3"), 1.0),
    "number on the left": (1, nt.ones("a:2")),
    "NumPy number": (nt.ones("a:2"), np.float32(1)),
    "numbers": (1.5, 1.5),
    "scalars": (t(1.0, ""), t(1.0, "")),
    "arrays": (np.ones(3), jnp.ones(3)),
    "keys": (keys(), keys()),
    "trees": ({"w": [t([[1.0, 2.0]], "a b"), 3]}, {"w": [t([[1.0], [2.0]], "b a"), 3]}),
    "texts": ("a", "a"),
    "none": (None, None),
}


@pytest.mark.parametrize("check", [assert_allclose, assert_equal])
@pytest.mark.parametrize(("x", "y"), SAME.values(), ids=SAME)
def test_what_passes(check, x, y):
    check(x, y)


OTHER = {
    "a value": (t([1.0, 2.0]), t([1.0, 3.0]), ["1 of 2 values.", "first at a=1: 2.0 on the left, 3.0 on the right", "absolute error at a=1: 1", "relative error at a=1: 0.333"]),
    "the operands": (t([1.0]), t([2.0]), ["left f32[a:1] = 1", "right f32[a:1] = 2"]),
    "names": (t([[1.0]], "a b"), t([[1.0]], "a c"), ["the names differ: 'a b' and 'a c'"]),
    "a name more": (t([[1.0]], "a b"), t([1.0]), ["the names differ: 'a b' and 'a'"]),
    "sizes": (nt.ones("a:2 b:3"), nt.ones("b:4 a:2"), ["the sizes differ: 'b' is 3 on the left, 4 on the right"]),
    "size 1 never stretches": (nt.ones("a:2"), nt.ones("a:1"), ["'a' is 2 on the left, 1 on the right"]),
    "transposed": (t([[1, 2], [3, 4]], "a b"), t([[1, 2], [3, 4]], "b a"), ["2 of 4 values.", "first at a=0 b=1: 2 on the left, 3 on the right"]),
    "nan on one side": (t([NAN, 1.0]), t([1.0, 1.0]), ["1 of 2", "nan on the left, 1.0 on the right", "NaN on one side only: 1"]),
    "inf and a number": (t([INF]), t([1.0]), ["inf on the left, 1.0 on the right"]),
    "a number and inf": (t([1.0]), t([INF]), ["1.0 on the left, inf on the right"]),
    "two infs": (t([INF]), t([-INF]), ["inf on the left, -inf on the right"]),
    "bool": (t([True, True]), t([True, False]), ["first at a=1: True on the left, False on the right"]),
    "complex": (t([1j]), t([2j]), ["absolute error at a=0: 1"]),
    "integers": (t([2**31 - 1]), t([2**31 - 2]), ["not equal in 1 of 1 values.", "2147483647 on the left"]),
    "number": (nt.ones("a:2"), 2, ["2 of 2 values.", "right 2"]),
    "number on the left": (2, nt.ones("a:2"), ["first at a=0: 2 on the left, 1.0 on the right", "left 2"]),
    "scalar of names and vector": (t(1.0, ""), nt.ones("a:2"), ["the names differ: '' and 'a'"]),
    "scalar array is no number": (nt.ones("a:2"), jnp.ones(()), ["only one of them has names"]),
    "array": (nt.ones("a:2"), np.ones(2), ["only one of them has names", "right f64[2]"]),
    "arrays": (np.zeros((2, 3)), np.eye(2, 3), ["first at [0, 0]: 0.0 on the left, 1.0 on the right"]),
    "arrays of other sizes": (np.ones(2), np.ones(3), ["the sizes differ: 0 is 2 on the left, 3 on the right"]),
    "arrays of other axes": (np.ones(2), np.ones((1, 2)), ["the numbers of axes differ"]),
    "keys": (keys(), keys(1), ["first at layer=0 key_data=0"]),
    "leaf of a tree": ({"w": [0, t([1.0])]}, {"w": [0, t([2.0])]}, ["['w'][1]: not close (rtol="]),
    "structure": ({"w": 1}, {"b": 1}, ["the structures differ", "{'w': *}", "{'b': *}"]),
    "texts": ("a", "b", ["not equal"]),
    "none": (None, 1, ["the structures differ"]),
}  # fmt: skip


@pytest.mark.parametrize(("x", "y", "parts"), OTHER.values(), ids=OTHER)
def test_what_is_reported(x, y, parts):
    with pytest.raises(AssertionError) as caught:
        assert_allclose(x, y)
    for part in parts:
        assert part in str(caught.value)
    with pytest.raises(AssertionError):
        assert_equal(x, y)


def test_the_largest_errors_are_found_by_name():
    x = nt.random.normal(jax.random.key(0), "batch:8 embed:32")
    wrong = np.array(x.array)
    wrong[3, 17] += 0.25
    wrong[5, 2] += 64.0
    with pytest.raises(AssertionError) as caught:
        assert_allclose(nt.tensor(wrong.T, "embed batch").order("batch embed"), x.order("embed batch"))
    relative = max(0.25 / abs(x.array[3, 17]), 64 / abs(x.array[5, 2]))
    lines = str(caught.value).splitlines()
    assert lines[0].endswith("2 of 256 values.")
    assert lines[1].startswith("  first at batch=3 embed=17: ")
    assert lines[2] == "  largest absolute error at batch=5 embed=2: 64"
    assert lines[3].endswith(f": {relative:.3g}")


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float16])
def test_by_default_half_of_the_digits_agree(dtype):
    digits = float(jnp.finfo(dtype).eps) ** 0.5
    one = t([1.0], dtype=dtype)
    assert_allclose(t([1 + digits / 2]), one)
    assert_allclose(one, t([1 + digits / 2]))
    with pytest.raises(AssertionError, match=f"rtol={digits:.3g}, atol=0"):
        assert_allclose(t([1 + 2 * digits]), one)
    assert_allclose(t([1 + digits / 2], dtype=jnp.float32), one)


def test_a_number_takes_the_precision_of_the_tensor():
    assert_allclose(t([1 + HALF]), 1.0)
    assert_allclose(1 + HALF, t([1.0]))
    with pytest.raises(AssertionError):
        assert_allclose(1 + HALF, 1.0)  # Python's numbers are double precision


def test_tolerances():
    assert_allclose(t([1.0, 100.0]), t([1.1, 110.0]), rtol=0.1)
    assert_allclose(t([1.0, 100.0]), t([1.5, 99.5]), atol=0.5, rtol=0)
    assert_allclose(t([1, 100]), t([2, 101]), atol=1)
    assert_allclose(t([0.0]), 1e-9, atol=1e-8)
    with pytest.raises(AssertionError):
        assert_allclose(t([1e-30]), 0.0)
    with pytest.raises(AssertionError, match=r"rtol=0, atol=0\.4"):
        assert_allclose(t([1.0]), t([1.5]), atol=0.4, rtol=0)
    for bad in (-1.0, NAN):
        with pytest.raises(ValueError, match="a tolerance is a number from 0 on"):
            assert_allclose(1.0, 1.0, rtol=bad)
        with pytest.raises(ValueError, match="a tolerance is a number from 0 on"):
            assert_allclose(1.0, 1.0, atol=bad)


def test_equal_is_exact():
    with pytest.raises(AssertionError, match="not equal"):
        assert_equal(t([1.0]), t([1 + 2.0**-23]))
    with pytest.raises(AssertionError, match="not equal"):
        assert_equal(np.array([2**60]), np.array([2**60 + 1]))
    with jax.enable_x64(True), pytest.raises(AssertionError):
        assert_allclose(t([2**60]), t([2**60 + 1]))


def test_what_cannot_be_compared():
    with pytest.raises(Unsupported, match="not known while JAX traces"):
        jax.jit(lambda x: assert_allclose(x, x))(t([1.0]))
    x = nt.ones("batch:2 a:3")
    with pytest.raises(RankMismatch, match="in transit"):
        assert_allclose(x.peel("batch"), x)
