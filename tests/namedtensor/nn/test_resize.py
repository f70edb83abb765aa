"""Resampling: JAX's on positional arrays, in any storage order, and what needs no arithmetic."""

import jax
import numpy as np
import pytest

import namedtensor as nt
from tests.namedtensor.nn.common import EPS, check, random, shuffled

X = random(1, 2, 4, 6, 3)
NAMES = "b h w c"


@pytest.mark.parametrize(
    ("method", "antialias"), [("nearest", True), ("linear", True), ("linear", False), ("cubic", True)]
)
def test_resize_as_jax(method, antialias):
    by_hand = lambda x: jax.image.resize(x, (2, 7, 3, 3), method, antialias)  # noqa: E731
    named = lambda x: nt.nn.resize(x, {"w": 3, "h": 7}, method=method, antialias=antialias)  # noqa: E731
    check(named, by_hand, [(X, NAMES)], NAMES, 64 * EPS)


def test_nearest_to_a_multiple_repeats():
    out = nt.nn.resize(shuffled(X, NAMES, 2), "h:8 w:18", method="nearest").to_array(NAMES)
    np.testing.assert_array_equal(out, X.repeat(2, 1).repeat(3, 2))


def test_linear_keeps_straight_lines():
    line = nt.arange("t", 5).astype("float32")
    out = nt.nn.resize(line, {"t": 10}).array
    # rows are in the middle of their cells: at -0.25 (clamped), 0.25, 0.75 ...
    np.testing.assert_allclose(out, np.clip(np.arange(10) / 2 - 0.25, 0, 4), rtol=0, atol=16 * EPS)


@pytest.mark.parametrize(("dtype", "method", "result"), [
    ("bfloat16", "linear", "bfloat16"), ("uint8", "linear", "float32"), ("uint8", "nearest", "uint8"),
    ("bool", "nearest", "bool"),
])  # fmt: skip
def test_the_dtype_of_the_result(dtype, method, result):
    out = nt.nn.resize(nt.ones("h:4 w:4").astype(dtype), {"h": 2}, method=method)
    assert out.dtype == result
    assert dict(out.shape) == {"h": 2, "w": 4}
