"""Normalisations against their formulas in float64, for any storage order and dtype."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import namedtensor as nt
from tests.namedtensor.nn.common import EPS, HALF_EPS, check, random, shuffled

X = random(0, 3, 4, 2, 6) + np.float32(0.5)  # batch, height, width, channel
NAMES = "b h w c"
SCALE, OFFSET = random(1, 6) + np.float32(2), random(2, 6)
ROUNDED = 64 * EPS  # sums of up to 24 terms, squared and divided, all results below 10


def moments(x, axes):
    mean = x.mean(axes, keepdims=True)
    return mean, jnp.mean((x - mean) ** 2, axes, keepdims=True)


def by_formula(axes, epsilon):
    def norm(x, scale, offset):
        mean, variance = moments(x, axes)
        shape = (1,) * (x.ndim - 1) + (-1,)
        return (x - mean) / jnp.sqrt(variance + epsilon) * scale.reshape(shape) + offset.reshape(shape)

    return norm


NORMS = {  # the function, the dims, their axes
    "layer": (nt.nn.layer_norm, "c", (3,)),
    "layer, several dims": (nt.nn.layer_norm, "c h", (1, 3)),
    "instance": (nt.nn.instance_norm, "h w", (1, 2)),
    "batch": (nt.nn.batch_norm, "b h w", (0, 1, 2)),
}


@pytest.mark.parametrize(("norm", "over", "axes"), NORMS.values(), ids=NORMS)
def test_norm_with_scale_and_offset(norm, over, axes):
    operands = [(X, NAMES), (SCALE, "c"), (OFFSET, "c")]
    named = lambda x, s, o: norm(x, s, o, over=over, epsilon=1e-3)  # noqa: E731
    check(named, by_formula(axes, 1e-3), operands, NAMES, ROUNDED)


@pytest.mark.parametrize(("norm", "over", "axes"), NORMS.values(), ids=NORMS)
def test_norm_alone_has_mean_0_and_variance_1(norm, over, axes):
    y = np.float64(norm(shuffled(X, NAMES, 3), over=over, epsilon=0).to_array(NAMES))
    np.testing.assert_allclose(y.mean(axes), 0, atol=ROUNDED)
    np.testing.assert_allclose(y.var(axes), 1, atol=ROUNDED)


@pytest.mark.parametrize("given", ["scale", "offset"])
def test_one_of_scale_and_offset(given):
    y = nt.nn.layer_norm(nt.tensor(X, NAMES), **{given: nt.tensor(SCALE, "c")}, over="c")
    plain = nt.nn.layer_norm(nt.tensor(X, NAMES), over="c").to_array(NAMES)
    want = plain * SCALE[None, None, None] if given == "scale" else plain + SCALE[None, None, None]
    np.testing.assert_allclose(y.to_array(NAMES), want, rtol=0, atol=ROUNDED)


def test_rms_norm():
    def by_hand(x, scale):
        return x / jnp.sqrt((x**2).mean(3, keepdims=True) + 1e-6) * scale.reshape(1, 1, 1, -1)

    named = lambda x, scale: nt.nn.rms_norm(x, scale, over="c")  # noqa: E731
    check(named, by_hand, [(X, NAMES), (SCALE, "c")], NAMES, ROUNDED)


def test_group_norm():
    def by_hand(x, scale, offset):
        split = x.reshape(3, 4, 2, 3, 2)
        mean, variance = moments(split, (1, 2, 4))
        y = ((split - mean) / jnp.sqrt(variance + 1e-5)).reshape(x.shape)
        return y * scale.reshape(1, 1, 1, -1) + offset.reshape(1, 1, 1, -1)

    named = lambda x, s, o: nt.nn.group_norm(x, s, o, dim="c", groups=3, over="w h")  # noqa: E731
    check(named, by_hand, [(X, NAMES), (SCALE, "c"), (OFFSET, "c")], NAMES, ROUNDED, seed=0)


@pytest.mark.parametrize(("groups", "over"), [(1, "h w c"), (6, "h w")])
def test_group_norm_of_one_group_and_of_one_channel_each(groups, over):
    x = shuffled(X, NAMES, 1)
    got = nt.nn.group_norm(x, dim="c", groups=groups, over="h w c").to_array(NAMES)
    want = nt.nn.layer_norm(x, over=over).to_array(NAMES)
    np.testing.assert_allclose(got, want, rtol=0, atol=ROUNDED)


def test_l2_normalize():
    def by_hand(x):
        return x / jnp.sqrt((x**2).sum((1, 3), keepdims=True))

    check(lambda x: nt.nn.l2_normalize(x, over="c h"), by_hand, [(X, NAMES)], NAMES, ROUNDED)


def test_l2_normalize_at_zero():
    zero = nt.zeros("embed:3")
    assert nt.equal(nt.nn.l2_normalize(zero, over="embed"), zero)
    slope = jax.jit(nt.grad(lambda x: nt.nn.l2_normalize(x, over="embed", epsilon=0.25).sum()))(zero)
    np.testing.assert_array_equal(slope.array, [2, 2, 2])  # x / sqrt(0.25)


def test_batch_norm_with_kept_statistics():
    mean, variance = random(5, 6), random(6, 6) + np.float32(1.5)

    def by_hand(x, mean, variance, scale, offset):
        shape = (1, 1, 1, -1)
        y = (x - mean.reshape(shape)) / jnp.sqrt(variance.reshape(shape) + 1e-5)
        return y * scale.reshape(shape) + offset.reshape(shape)

    def named(x, mean, variance, scale, offset):
        return nt.nn.batch_norm(x, scale, offset, over="b h w", mean=mean, variance=variance)

    operands = [(X, NAMES), *((a, "c") for a in (mean, variance, SCALE, OFFSET))]
    check(named, by_hand, operands, NAMES, ROUNDED)


def test_batch_norm_of_one_image_without_its_batch():
    image = nt.tensor(X[0], "h w c")
    out = nt.nn.batch_norm(image, over="b h w", mean=0.5, variance=4, epsilon=0)
    np.testing.assert_allclose(out.to_array("h w c"), (X[0] - 0.5) / 2, rtol=0, atol=4 * EPS)


def test_moments_are_what_batch_norm_takes():
    x = shuffled(X, NAMES, 2)
    mean, variance = nt.nn.moments(x, "b w h")
    assert (mean.dims, variance.dims) == (("c",), ("c",))
    np.testing.assert_allclose(mean.array, X.astype(np.float64).mean((0, 1, 2)), rtol=0, atol=ROUNDED)
    np.testing.assert_allclose(variance.array, X.astype(np.float64).var((0, 1, 2)), rtol=0, atol=ROUNDED)
    of_the_batch = nt.nn.batch_norm(x, over="b h w").to_array(NAMES)
    kept = nt.nn.batch_norm(x, over="b h w", mean=mean, variance=variance).to_array(NAMES)
    np.testing.assert_allclose(kept, of_the_batch, rtol=0, atol=ROUNDED)


ALL = {
    "layer": lambda x, **more: nt.nn.layer_norm(x, over="c", **more),
    "instance": lambda x, **more: nt.nn.instance_norm(x, over="h w", **more),
    "batch": lambda x, **more: nt.nn.batch_norm(x, over="b h w", **more),
    "group": lambda x, **more: nt.nn.group_norm(x, dim="c", groups=2, over="h w", **more),
}
OTHERS = {
    "rms": lambda x: nt.nn.rms_norm(x, over="c"),
    "l2": lambda x: nt.nn.l2_normalize(x, over="c"),
    "kept": lambda x: nt.nn.batch_norm(
        x, over="b", mean=nt.tensor(OFFSET, "c"), variance=nt.tensor(SCALE, "c")
    ),
}


@pytest.mark.parametrize("norm", ALL.values(), ids=ALL)
def test_a_mean_far_from_zero_costs_no_digits(norm):
    """Centred first: E[x^2] - E[x]^2 would leave no digit of the variance here."""
    x = np.round(X * 8) + np.float32(2**20)  # exact in float32, and so are the centred values' digits
    got = norm(nt.tensor(x, NAMES), epsilon=1.0).to_array(NAMES)
    want = norm(nt.tensor(x - np.float32(2**20), NAMES), epsilon=1.0).to_array(NAMES)
    # the mean of 24 numbers near 2^20 is known to 2^-4 at best; the values are of size 10
    np.testing.assert_allclose(got, want, rtol=0, atol=0.25)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("norm", [*ALL.values(), *OTHERS.values()], ids=[*ALL, *OTHERS])
def test_half_precision_is_computed_in_float32_and_rounded_once(norm, dtype):
    x = shuffled(X, NAMES, 1).astype(dtype)
    got, want = norm(x), norm(x.astype("float32"))
    assert got.dtype == dtype
    half_unit = HALF_EPS / 2 if dtype == "bfloat16" else 2.0**-11
    wide = got.astype("float32").to_array(NAMES)
    np.testing.assert_allclose(wide, want.to_array(NAMES), rtol=half_unit + 4 * EPS)


def test_half_precision_does_not_overflow():
    x = nt.tensor([300.0, -300.0, 100.0], "c", dtype="float16")  # squares are beyond float16
    got = nt.nn.rms_norm(x, over="c").array
    want = np.float64([3, -3, 1]) / np.sqrt(19 / 3)
    np.testing.assert_allclose(got, want, rtol=2.0**-11 + 4 * EPS)


def test_the_dtype_is_the_promoted_one():
    x = nt.tensor(X, NAMES, dtype="bfloat16")
    assert nt.nn.layer_norm(x, 2.0, over="c").dtype == "bfloat16"
    assert nt.nn.layer_norm(x, nt.tensor(SCALE, "c", dtype="bfloat16"), over="c").dtype == "bfloat16"
    assert nt.nn.layer_norm(x, nt.tensor(SCALE, "c"), over="c").dtype == "float32"
    kept = nt.nn.batch_norm(x, over="b", mean=nt.tensor(OFFSET, "c"), variance=nt.tensor(SCALE, "c"))
    assert kept.dtype == "bfloat16"  # statistics in float32 do not widen what they normalise
    mean, variance = nt.nn.moments(x, "b h w")
    assert (mean.dtype, variance.dtype) == ("float32", "float32")
    exact = np.float64(x.to_array(NAMES))
    np.testing.assert_allclose(mean.array, exact.mean((0, 1, 2)), rtol=0, atol=ROUNDED)
    assert abs(exact.mean() - X.mean()) < HALF_EPS


def test_scale_is_broadcast_by_name():
    scale = random(7, 3, 6)
    out = nt.nn.layer_norm(nt.tensor(X, NAMES), shuffled(scale, "b c", 1), over="c")
    plain = nt.nn.layer_norm(nt.tensor(X, NAMES), over="c").to_array(NAMES)
    np.testing.assert_allclose(out.to_array(NAMES), plain * scale[:, None, None], rtol=0, atol=ROUNDED)


def test_norms_move_no_axis():
    x, scale = shuffled(X, NAMES, 5), nt.tensor(SCALE, "c")
    for norm in ALL.values():
        assert "transpose" not in str(jax.make_jaxpr(lambda x, s, norm=norm: norm(x, scale=s))(x, scale))
