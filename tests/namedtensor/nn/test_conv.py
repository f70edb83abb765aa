"""Convolution against SciPy, against XLA's grouped convolution, and against its own definition."""

import jax
import numpy as np
import pytest
import scipy.signal

import namedtensor as nt
from tests.namedtensor.nn.common import EPS, check, padded_rows, random, setting, shuffled


def spread(kernel, dilations):
    """The kernel with zeros between its rows."""
    n = len(dilations)
    wide = np.zeros(
        [(k - 1) * d + 1 for k, d in zip(kernel.shape[:n], dilations, strict=True)] + list(kernel.shape[n:])
    )
    wide[tuple(slice(None, None, d) for d in dilations)] = kernel
    return wide


def correlated(x, kernel, strides, paddings, dilations):
    """out[b, *rows, f] = sum over c of the correlation of x[b, *rows, c] with kernel[*window, c, f]."""
    n = len(strides)
    kernel = spread(kernel, dilations)
    sizes = zip(paddings, x.shape[1 : n + 1], kernel.shape[:n], strides, strict=True)
    x = np.pad(x, [(0, 0), *(padded_rows(*s) for s in sizes), (0, 0)]).astype(np.float64)
    steps = tuple(slice(None, None, s) for s in strides)

    def feature(image, f):
        channels = range(kernel.shape[-2])
        return sum(
            scipy.signal.correlate(image[..., c], kernel[..., c, f], "valid", "direct") for c in channels
        )[steps]

    return np.stack([np.stack([feature(i, f) for f in range(kernel.shape[-1])], -1) for i in x])


SPATIAL, WINDOW = ["height", "width", "depth"], ["kh", "kw", "kd"]
CONVOLUTIONS = [  # sizes, window, strides, paddings, dilations
    ((7,), (3,), (1,), ("same",), (1,)),
    ((7,), (4,), (2,), ("same",), (1,)),
    ((6,), (3,), (2,), ("valid",), (1,)),
    ((5,), (5,), (1,), ("valid",), (1,)),
    ((4,), (1,), (3,), (2,), (1,)),
    ((8,), (3,), (2,), ("causal",), (2,)),
    ((9,), (2,), (1,), ((3, 1),), (3,)),
    ((9,), (3,), (2,), ("same",), (3,)),
    ((6, 5), (3, 2), (1, 1), ("same", "same"), (1, 1)),
    ((6, 5), (3, 2), (2, 1), ("valid", "valid"), (1, 2)),
    ((6, 5), (3, 3), (1, 2), (1, 1), (1, 1)),
    ((6, 5), (2, 3), (2, 3), (0, 2), (2, 1)),
    ((6, 5), (2, 3), (1, 1), ("causal", (0, 1)), (1, 1)),
    ((4, 3, 5), (2, 3, 2), (1, 1, 1), ("same", "same", "same"), (1, 1, 1)),
    ((4, 3, 5), (2, 3, 2), (2, 1, 2), (1, 0, 2), (1, 1, 2)),
]


@pytest.mark.parametrize(("sizes", "window", "strides", "paddings", "dilations"), CONVOLUTIONS)
def test_conv_as_scipy(sizes, window, strides, paddings, dilations):
    n = len(sizes)
    image, kernel = random(1, 2, *sizes, 3), random(2, *window, 3, 4)
    out = nt.nn.conv(
        shuffled(image, " ".join(["batch", *SPATIAL[:n], "channel"]), n),
        shuffled(kernel, " ".join([*WINDOW[:n], "channel", "feature"]), n + 1),
        dict(zip(SPATIAL, WINDOW[:n], strict=False)),
        over="channel",
        stride=setting(strides, SPATIAL),
        padding=setting(paddings, SPATIAL),
        dilation=setting(dilations, SPATIAL),
    )
    want = correlated(image, kernel, strides, paddings, dilations)
    got = out.to_array(["batch", *SPATIAL[:n], "feature"])
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=0, atol=kernel[..., 0].size * EPS)


@pytest.mark.parametrize("seed", range(3))
def test_conv_takes_any_number_of_batch_channel_and_feature_dims(seed):
    image, kernel = random(1, 2, 3, 5, 2, 2), random(2, 3, 2, 2, 4, 2)
    out = nt.nn.conv(
        shuffled(image, "a b t c d", seed),
        shuffled(kernel, "k c d f g", seed + 9),
        {"t": "k"},
        over="d c",
    )
    want = correlated(image.reshape(6, 5, 4), kernel.reshape(3, 4, 8), (1,), ("same",), (1,))
    np.testing.assert_allclose(out.to_array("a b t f g"), want.reshape(2, 3, 5, 4, 2), rtol=0, atol=12 * EPS)


def test_conv_without_batch_channels_or_features():
    line, kernel = np.float32([1, 2, 3, 4]), np.float32([1, 0, -1])
    out = nt.nn.conv(nt.tensor(line, "t"), nt.tensor(kernel, "k"), {"t": "k"}, padding="valid")
    np.testing.assert_array_equal(out.to_array("t"), np.correlate(line, kernel, "valid"))
    assert out.dims == ("t",)


def test_conv_of_an_empty_batch_and_of_no_channels():
    out = nt.nn.conv(nt.zeros("batch:0 t:5"), nt.ones("k:3 f:2"), {"t": "k"})
    assert dict(out.shape) == {"batch": 0, "t": 5, "f": 2}
    out = nt.nn.conv(nt.zeros("t:5 c:0"), nt.ones("k:3 c:0"), {"t": "k"}, over="c")
    assert nt.equal(out, nt.zeros("t:5"))


def test_a_window_may_have_the_name_of_the_dim_that_it_slides_along():
    line, kernel = random(1, 6), random(2, 3)
    out = nt.nn.conv(nt.tensor(line, "t"), nt.tensor(kernel, "t"), {"t": "t"}, padding="valid")
    np.testing.assert_allclose(out.array, np.correlate(line, kernel, "valid"), rtol=0, atol=3 * EPS)


def lax_conv(x, w, groups=1, stride=(1, 1), padding="SAME", dilation=(1, 1)):
    numbers = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(
        x, w, stride, padding, rhs_dilation=dilation, dimension_numbers=numbers, feature_group_count=groups
    )


WINDOWS = {"h": "kh", "w": "kw"}


def test_a_dim_of_both_that_is_not_summed_over_is_a_group():
    """As XLA with a feature_group_count, values and gradients."""
    x, k = random(1, 2, 6, 5, 3, 2), random(2, 3, 2, 2, 3, 4)

    def by_hand(x, k):
        y = lax_conv(
            x.reshape(2, 6, 5, 6), k.reshape(3, 2, 2, 12), 3, (2, 1), [(1, 0), (1, 1)], dilation=(1, 2)
        )
        return y.reshape(*y.shape[:3], 3, 4)

    def named(x, k):
        padding = {"w": 1, "h": (1, 0)}
        return nt.nn.conv(
            x, k, WINDOWS, over="c", stride={"h": 2, "w": 1}, padding=padding, dilation={"w": 2, "h": 1}
        )

    check(named, by_hand, [(x, "b h w g c"), (k, "kh kw c g f")], "b h w g f", 12 * EPS)


def test_a_group_is_a_convolution_of_its_own():
    x, k = shuffled(random(1, 5, 6, 3), "b t g", 1), shuffled(random(2, 4, 3, 2), "k g f", 2)
    together = nt.nn.conv(x, k, {"t": "k"})
    for i in range(3):
        alone = nt.nn.conv(x.isel(g=i), k.isel(g=i), {"t": "k"})
        got = together.isel(g=i).to_array("b t f")
        np.testing.assert_allclose(got, alone.to_array("b t f"), rtol=0, atol=4 * EPS)


def test_depthwise_and_several_groups():
    x, k = random(1, 2, 6, 5, 2, 3), random(2, 3, 3, 2, 3)

    def by_hand(x, k):
        y = lax_conv(x.reshape(2, 6, 5, 6), k.reshape(3, 3, 1, 6), 6)
        return y.reshape(2, 6, 5, 2, 3)

    def named(x, k):
        return nt.nn.conv(x, k, WINDOWS)

    check(named, by_hand, [(x, "b h w g c"), (k, "kh kw g c")], "b h w g c", 9 * EPS)


def test_a_kernel_for_each_example():
    x, k = random(1, 3, 6, 2), random(2, 3, 4, 2)
    out = nt.nn.conv(shuffled(x, "b t c", 1), shuffled(k, "b k c", 2), {"t": "k"}, over="c")
    want = np.stack(
        [correlated(x[i][None], k[i][..., None], (1,), ("same",), (1,))[0, :, 0] for i in range(3)]
    )
    np.testing.assert_allclose(out.to_array("b t"), want, rtol=0, atol=8 * EPS)


def test_causal_means_that_no_row_sees_a_later_one():
    k = nt.tensor(random(2, 3), "k")

    def conv(line):
        return nt.nn.conv(nt.tensor(line, "t"), k, {"t": "k"}, padding="causal", dilation=2).array

    slopes = np.asarray(jax.jit(jax.jacobian(conv))(random(1, 7)))  # of each row by each row
    np.testing.assert_array_equal(np.triu(slopes, 1), 0)
    np.testing.assert_array_equal(np.diagonal(slopes), np.full(7, k.array[-1]))


def test_the_derivative_of_conv_is_its_adjoint():
    """Conv is linear in both operands: <w, conv(x, k)> = <d/dx <w, conv>, x> = <d/dk <w, conv>, k>."""
    x, k = shuffled(random(1, 2, 6, 5, 3), "b h w c", 3), shuffled(random(2, 3, 2, 3, 4), "kh kw c f", 4)
    weight = shuffled(random(3, 2, 3, 5, 4), "b h w f", 5)

    def inner(x, k):
        y = nt.nn.conv(x, k, {"h": "kh", "w": "kw"}, over="c", stride={"h": 2, "w": 1})
        return (y * weight).sum()

    value, (dx, dk) = jax.jit(nt.value_and_grad(inner, (0, 1)))(x, k)
    assert (dx.dims, dk.dims) == (x.dims, k.dims)
    rounded = 120 * 18 * EPS  # 120 results of 18 terms each, all below 1
    np.testing.assert_allclose(
        [(dx * x).sum().item(), (dk * k).sum().item()], [value.item()] * 2, atol=rounded
    )


def test_conv_of_integers_is_exact():
    out = nt.nn.conv(nt.tensor([1, 2, 3], "t"), nt.tensor([1, 10], "k"), {"t": "k"}, padding="valid")
    np.testing.assert_array_equal(out.array, [21, 32])


def test_conv_promotes_its_operands():
    out = nt.nn.conv(nt.ones("t:4", dtype="bfloat16"), nt.ones("k:2"), {"t": "k"})
    assert out.dtype == np.float32


@pytest.mark.parametrize("program", [nt.nn.conv, nt.nn.conv_transpose])
def test_conv_is_the_same_when_mapped_over_any_dim(program):
    x, k = shuffled(random(1, 2, 6, 2, 3), "b t g c", 3), shuffled(random(2, 3, 2, 3, 4), "k g c f", 4)

    def conv(x, k):
        return program(x, k, {"t": "k"}, over="c")

    want = conv(x, k).to_array("b t g f")
    for over in ("b", "f", "g"):
        got = jax.jit(nt.vmap(conv, over=over))(x, k).to_array("b t g f")
        np.testing.assert_allclose(got, want, rtol=0, atol=9 * EPS)


# the transpose ----------------------------------------------------------------------------------

TRANSPOSES = [  # size, window, stride, padding, dilation
    (5, 3, 1, "same", 1),
    (4, 4, 2, "same", 1),
    (4, 2, 3, "same", 1),
    (5, 3, 2, "valid", 2),
    (5, 2, 3, "valid", 1),
    (4, 3, 2, "causal", 2),
    (4, 3, 2, 1, 1),
    (4, 4, 2, (2, 1), 1),
    (1, 3, 2, (0, 1), 1),
]


@pytest.mark.parametrize(("size", "window", "stride", "padding", "dilation"), TRANSPOSES)
def test_conv_transpose_is_the_derivative_of_conv(size, window, stride, padding, dilation):
    """The same kernel and settings; names alone say that the features are summed over."""
    how = {"stride": stride, "padding": setting((padding,), ["t"]), "dilation": dilation}
    g, k = shuffled(random(1, 2, size, 3), "b t f", size), shuffled(random(2, window, 3, 4), "k f c", stride)
    got = nt.nn.conv_transpose(g, k, {"t": "k"}, over="f", **how)

    def conv(image):
        return nt.nn.conv(image, k, {"t": "k"}, over="c", **how).order("b t f").array

    image = nt.zeros(f"b:2 t:{got.shape['t']} c:4")
    (want,) = jax.jit(lambda g: jax.vjp(conv, image)[1](g))(g.to_array("b t f"))
    np.testing.assert_allclose(got.to_array("b t c"), want.to_array("b t c"), rtol=0, atol=3 * window * EPS)


@pytest.mark.parametrize(("size", "window", "stride", "padding", "dilation"), TRANSPOSES)
def test_conv_transpose_as_a_loop(size, window, stride, padding, dilation):
    """Each input row stamps the kernel; what the padding takes away is cut off."""
    x, k = random(1, size), random(2, window)
    reach = (window - 1) * dilation + 1
    full = np.zeros(max(size * stride, (size - 1) * stride + reach) + reach)
    for i in range(size):
        for j in range(window):
            full[i * stride + j * dilation] += float(x[i]) * float(k[j])
    how = {"stride": stride, "padding": setting((padding,), ["t"]), "dilation": dilation}
    got = nt.nn.conv_transpose(nt.tensor(x, "t"), nt.tensor(k, "k"), {"t": "k"}, **how).array
    if isinstance(padding, str):
        rows = size * stride if padding != "valid" else max(size * stride, (size - 1) * stride + reach)
        before = padded_rows(padding, rows, reach, stride)[0]
    else:
        before, after = padded_rows(padding, 0, 0, 0)
        rows = (size - 1) * stride + reach - before - after
    np.testing.assert_allclose(got, full[before : before + rows], rtol=0, atol=window * EPS)


@pytest.mark.parametrize("stride", [(1, 1), (2, 3)])
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_conv_transpose_as_lax(stride, padding):
    """JAX's with transpose_kernel=True, where the kernel's channels are swapped: values and gradients."""
    x, k = random(1, 2, 4, 3, 3), random(2, 3, 2, 3, 4)

    def by_hand(x, k):
        swapped = k.swapaxes(2, 3)  # it wants the kernel of the convolution that it transposes
        return jax.lax.conv_transpose(x, swapped, stride, padding.upper(), transpose_kernel=True)

    def named(x, k):
        how = {"stride": dict(zip("hw", stride, strict=True)), "padding": padding}
        return nt.nn.conv_transpose(x, k, WINDOWS, over="f", **how)

    check(named, by_hand, [(x, "b h w f"), (k, "kh kw f c")], "b h w c", 18 * EPS, seed=3)


def test_conv_transpose_has_groups():
    x, k = shuffled(random(1, 5, 6, 3, 2), "b t g c", 1), shuffled(random(2, 4, 3, 2), "k g c", 2)
    together = nt.nn.conv_transpose(x, k, {"t": "k"}, over="c", stride=2)
    for i in range(3):
        alone = nt.nn.conv_transpose(x.isel(g=i), k.isel(g=i), {"t": "k"}, over="c", stride=2)
        got = together.isel(g=i).to_array("b t")
        np.testing.assert_allclose(got, alone.to_array("b t"), rtol=0, atol=8 * EPS)
