"""Positions against complex rotations in float64, and what they are for: relative distances."""

import jax.numpy as jnp
import numpy as np
import pytest

import namedtensor as nt
from tests.namedtensor.nn.common import EPS, HALF_EPS, check, random, shuffled

X = random(1, 2, 5, 3, 6)
NAMES = "b pos h d"
# angles up to 20, of which float32 knows the last digit, and products of two numbers below 1
ROUNDED = 20 * EPS + 4 * EPS


def turned(x, positions, base, interleaved):
    """Each pair is a complex number, multiplied by exp(i position base^(-2i/size)); x[..., d]."""
    size = x.shape[-1]
    first = slice(0, None, 2) if interleaved else slice(0, size // 2)
    second = slice(1, None, 2) if interleaved else slice(size // 2, None)
    angle = positions[..., None] * np.float64(base) ** (-np.arange(0, size, 2) / size)
    pairs = (np.float64(x[..., first]) + 1j * np.float64(x[..., second])) * np.exp(1j * angle)
    out = np.empty(x.shape)
    out[..., first], out[..., second] = pairs.real, pairs.imag
    return out


@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize("base", [10000.0, 7.5])
def test_rope_is_a_rotation(interleaved, base):
    got = nt.nn.rope(shuffled(X, NAMES, 3), over="pos", features="d", base=base, interleaved=interleaved)
    want = turned(X, np.arange(5)[None, :, None], base, interleaved)
    np.testing.assert_allclose(got.to_array(NAMES), want, rtol=0, atol=ROUNDED)


@pytest.mark.parametrize("names", ["pos", "b pos"])
def test_rope_at_given_positions(names):
    positions = np.random.default_rng(2).integers(0, 20, (2, 5))
    positions = positions if names == "b pos" else positions[0]
    got = nt.nn.rope(shuffled(X, NAMES, 4), shuffled(positions, names, 1), over="pos", features="d")
    want = turned(X, np.broadcast_to(positions, (2, 5))[..., None], 10000.0, False)
    np.testing.assert_allclose(got.to_array(NAMES), want, rtol=0, atol=ROUNDED)


@pytest.mark.parametrize("interleaved", [False, True])
def test_the_gradient_of_rope(interleaved):
    def by_hand(x):
        angle = jnp.arange(5.0)[:, None] * 10000.0 ** (-jnp.arange(0, 6, 2) / 6)[None]
        angle = angle[None, :, None]
        first, second = (x[..., ::2], x[..., 1::2]) if interleaved else (x[..., :3], x[..., 3:])
        turned = (
            first * jnp.cos(angle) - second * jnp.sin(angle),
            first * jnp.sin(angle) + second * jnp.cos(angle),
        )
        return jnp.stack(turned, -1).reshape(x.shape) if interleaved else jnp.concatenate(turned, -1)

    named = lambda x: nt.nn.rope(x, over="pos", features="d", interleaved=interleaved)  # noqa: E731
    check(named, by_hand, [(X, NAMES)], NAMES, ROUNDED)


@pytest.mark.parametrize("interleaved", [False, True])
def test_a_dot_product_depends_on_the_distance_alone(interleaved):
    query, key = nt.tensor(random(1, 8), "d"), nt.tensor(random(2, 8), "d")

    def score(i, j):
        def at(x, position):
            return nt.nn.rope(
                x.expand("pos:1"),
                nt.tensor([position], "pos"),
                over="pos",
                features="d",
                interleaved=interleaved,
            )

        return at(query, i).dot("pos d", at(key, j)).item()

    for shift in (1, 7, 40):
        # eight products of numbers below 1, at angles of up to 50
        np.testing.assert_allclose(score(3 + shift, 1 + shift), score(3, 1), rtol=0, atol=8 * 2 * 50 * EPS)
    assert abs(score(3, 1) - score(4, 1)) > 0.01


def test_rope_keeps_lengths_and_leaves_position_0_alone():
    out = nt.nn.rope(nt.tensor(X, NAMES), over="pos", features="d").to_array(NAMES)
    np.testing.assert_array_equal(out[:, 0], X[:, 0])
    np.testing.assert_allclose((out**2).sum(-1), (X**2).sum(-1), rtol=16 * EPS)


def test_rope_in_half_precision_has_its_angles_in_float32():
    x = nt.tensor(X[:1], NAMES, dtype="bfloat16")
    at = nt.tensor([1000, 1001, 1002, 1003, 1004], "pos")  # bfloat16 could not tell them apart
    got = nt.nn.rope(x, at, over="pos", features="d")
    assert got.dtype == "bfloat16"
    exact = turned(np.float64(x.to_array(NAMES)), np.arange(1000, 1005)[None, :, None], 10000.0, False)
    np.testing.assert_allclose(np.float64(got.to_array(NAMES)), exact, rtol=0, atol=HALF_EPS / 2 + 1004 * EPS)


@pytest.mark.parametrize("shape", ["pos:7 embed:6", "embed:6 pos:7"])
def test_sinusoidal_positions(shape):
    out = nt.nn.sinusoidal_positions(shape, over="pos", features="embed", base=100.0)
    assert out.dims == tuple(part.split(":")[0] for part in shape.split())
    got = np.asarray(out.to_array("pos embed"))
    for pos in range(7):
        for i in range(3):
            angle = pos / 100.0 ** (2 * i / 6)
            want = [np.sin(angle), np.cos(angle)]
            np.testing.assert_allclose(got[pos, 2 * i : 2 * i + 2], want, rtol=0, atol=8 * EPS)
