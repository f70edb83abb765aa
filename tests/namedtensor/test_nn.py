"""Convolution, pooling and losses against SciPy and loops written out, for any storage order."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.signal

import namedtensor as nt

EPS = float(np.finfo(np.float32).eps)


def test_everything_public_is_tested_here():
    assert set(nt.nn.__all__) == {"conv", "avg_pool", "max_pool", "cross_entropy"}


def random(seed, *shape):
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def shuffled(array, names, seed):
    """The array under its names, its axes stored in a random order."""
    order = np.random.default_rng(seed).permutation(array.ndim)
    return nt.tensor(np.transpose(array, order), [names.split()[i] for i in order])


def padded_rows(padding, size, window, stride):
    """Rows before and after, as TensorFlow and JAX define "same"."""
    if padding == "valid":
        return 0, 0
    if padding == "same":
        total = max((math.ceil(size / stride) - 1) * stride + window - size, 0)
        return total // 2, total - total // 2
    return padding, padding


def correlated(x, kernel, strides, paddings):
    """out[b, *rows, f] = sum over c of the correlation of x[b, *rows, c] with kernel[*window, c, f]."""
    n = len(strides)
    sizes = zip(paddings, x.shape[1 : n + 1], kernel.shape[:n], strides, strict=True)
    x = np.pad(x, [(0, 0), *(padded_rows(*s) for s in sizes), (0, 0)]).astype(np.float64)
    steps = tuple(slice(None, None, s) for s in strides)
    return np.stack(
        [
            np.stack(
                [
                    sum(
                        scipy.signal.correlate(image[..., c], kernel[..., c, f], "valid", "direct")
                        for c in range(kernel.shape[-2])
                    )[steps]
                    for f in range(kernel.shape[-1])
                ],
                axis=-1,
            )
            for image in x
        ]
    )


SPATIAL, WINDOW = ["height", "width", "depth"], ["kh", "kw", "kd"]
CONVOLUTIONS = [  # sizes, window, strides, paddings
    ((7,), (3,), (1,), ("same",)),
    ((7,), (4,), (2,), ("same",)),
    ((6,), (3,), (2,), ("valid",)),
    ((5,), (5,), (1,), ("valid",)),
    ((4,), (1,), (3,), (2,)),
    ((6, 5), (3, 2), (1, 1), ("same", "same")),
    ((6, 5), (3, 2), (2, 1), ("valid", "valid")),
    ((6, 5), (3, 3), (1, 2), (1, 1)),
    ((6, 5), (2, 3), (2, 3), (0, 2)),
    ((4, 3, 5), (2, 3, 2), (1, 1, 1), ("same", "same", "same")),
    ((4, 3, 5), (2, 3, 2), (2, 1, 2), (1, 0, 2)),
]


def setting(values):
    """One value for all dims where they agree, else a mapping by name, in another order than the dims'."""
    return values[0] if len(set(values)) == 1 else dict(reversed(list(zip(SPATIAL, values, strict=False))))


@pytest.mark.parametrize(("sizes", "window", "strides", "paddings"), CONVOLUTIONS)
def test_conv_as_scipy(sizes, window, strides, paddings):
    n = len(sizes)
    image, kernel = random(1, 2, *sizes, 3), random(2, *window, 3, 4)
    out = nt.nn.conv(
        shuffled(image, " ".join(["batch", *SPATIAL[:n], "channel"]), n),
        shuffled(kernel, " ".join([*WINDOW[:n], "channel", "feature"]), n + 1),
        dict(zip(SPATIAL, WINDOW[:n], strict=False)),
        over="channel",
        stride=setting(strides),
        padding=setting(paddings),
    )
    want = correlated(image, kernel, strides, paddings)
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
    want = correlated(image.reshape(6, 5, 4), kernel.reshape(3, 4, 8), (1,), ("same",))
    np.testing.assert_allclose(out.to_array("a b t f g"), want.reshape(2, 3, 5, 4, 2), rtol=0, atol=12 * EPS)


def test_conv_without_batch_channels_or_features():
    line, kernel = np.float32([1, 2, 3, 4]), np.float32([1, 0, -1])
    out = nt.nn.conv(nt.tensor(line, "t"), nt.tensor(kernel, "k"), {"t": "k"}, padding="valid")
    np.testing.assert_array_equal(out.to_array("t"), np.correlate(line, kernel, "valid"))
    assert out.dims == ("t",)


def test_conv_of_an_empty_batch():
    out = nt.nn.conv(nt.zeros("batch:0 t:5"), nt.ones("k:3 f:2"), {"t": "k"})
    assert dict(out.shape) == {"batch": 0, "t": 5, "f": 2}


def test_the_derivative_of_conv_is_its_adjoint():
    """Conv is linear in both operands: <w, conv(x, k)> = <d/dx <w, conv>, x> = <d/dk <w, conv>, k>."""
    x, k = shuffled(random(1, 2, 6, 5, 3), "b h w c", 3), shuffled(random(2, 3, 2, 3, 4), "kh kw c f", 4)
    weight = shuffled(random(3, 2, 3, 5, 4), "b h w f", 5)

    def inner(x, k):
        y = nt.nn.conv(x, k, {"h": "kh", "w": "kw"}, over="c", stride={"h": 2, "w": 1})
        return (y * weight).sum()

    value, (dx, dk) = nt.value_and_grad(inner, (0, 1))(x, k)
    assert (dx.dims, dk.dims) == (x.dims, k.dims)
    rounded = 120 * 18 * EPS  # 120 results of 18 terms each, all below 1
    np.testing.assert_allclose(
        [(dx * x).sum().item(), (dk * k).sum().item()], [value.item()] * 2, atol=rounded
    )


def test_conv_is_the_same_when_compiled_and_mapped():
    x, k = shuffled(random(1, 2, 6, 3), "b t c", 3), shuffled(random(2, 3, 3, 4), "k c f", 4)

    def conv(x, k):
        return nt.nn.conv(x, k, {"t": "k"}, over="c")

    want = conv(x, k).to_array("b t f")
    for other in (jax.jit(conv)(x, k), nt.vmap(conv, over="b")(x, k), nt.vmap(conv, over="f")(x, k)):
        np.testing.assert_allclose(other.to_array("b t f"), want, rtol=0, atol=9 * EPS)


def pooled(x, window, strides, paddings, reduce):
    """Each window in turn; what padding would add is left out."""
    rows = [padded_rows(*s) for s in zip(paddings, x.shape[1:], window, strides, strict=True)]
    counts = [
        (size + sum(row) - w) // s + 1
        for size, row, w, s in zip(x.shape[1:], rows, window, strides, strict=True)
    ]
    out = np.empty((len(x), *counts), x.dtype)
    for at in itertools.product(*map(range, counts)):
        starts = [i * s - row[0] for i, s, row in zip(at, strides, rows, strict=True)]
        inside = tuple(slice(max(b, 0), max(b + w, 0)) for b, w in zip(starts, window, strict=True))
        for b in range(len(x)):
            out[(b, *at)] = reduce(x[b][inside])
    return out


POOLS = [  # sizes, window, strides (None: the window), paddings
    ((8,), (2,), None, ("valid",)),
    ((7,), (3,), (2,), ("same",)),
    ((7,), (3,), (1,), (1,)),
    ((7, 6), (2, 3), None, ("valid", "valid")),
    ((7, 6), (2, 3), (1, 2), ("same", "same")),
    ((7, 6), (3, 2), (2, 2), (1, 0)),
    ((4, 5, 4), (2, 2, 3), (1, 2, 1), ("valid", "valid", "valid")),
]


@pytest.mark.parametrize(("sizes", "window", "strides", "paddings"), POOLS)
@pytest.mark.parametrize(("pool", "reduce"), [(nt.nn.max_pool, np.max), (nt.nn.avg_pool, np.mean)])
def test_pool_as_a_loop(pool, reduce, sizes, window, strides, paddings):
    n = len(sizes)
    x = random(len(window), 2, *sizes) - 2  # all below 0, so that a padding of zeros would show
    stride = {} if strides is None else {"stride": setting(strides)}
    out = pool(
        shuffled(x, " ".join(["batch", *SPATIAL[:n]]), n),
        dict(reversed(list(zip(SPATIAL, window, strict=False)))),
        padding=setting(paddings),
        **stride,
    )
    got = out.to_array(["batch", *SPATIAL[:n]])
    want = pooled(x, window, strides or window, paddings, reduce)
    np.testing.assert_allclose(got, want, rtol=math.prod(window) * EPS)


def test_max_pool_of_integers():
    x = np.int32([-5, -3, -7, -2])
    out = nt.nn.max_pool(nt.tensor(x, "t"), {"t": 2}, stride=1, padding=1)
    np.testing.assert_array_equal(out.array, [-5, -3, -3, -2, -2])


def test_the_derivatives_of_pools():
    x = nt.tensor([1.0, 4.0, 3.0, 2.0], "t")
    assert nt.equal(
        nt.grad(lambda t: nt.nn.max_pool(t, {"t": 2}).sum())(x), nt.tensor([0.0, 1.0, 1.0, 0.0], "t")
    )
    assert nt.equal(nt.grad(lambda t: nt.nn.avg_pool(t, {"t": 2}).sum())(x), nt.tensor([0.5] * 4, "t"))


def log_probabilities(z):
    z = z.astype(np.float64)
    return z - np.log(np.exp(z).sum(-1, keepdims=True))


LOGITS = random(0, 2, 3, 5) * 4
CLASSES = np.int32([[0, 4, 2], [1, 1, 3]])
ROUNDED = 2 * 5 * 4 * EPS  # five terms of up to 4, twice


def test_cross_entropy_of_class_numbers():
    out = nt.nn.cross_entropy(shuffled(LOGITS, "b t class", 1), shuffled(CLASSES, "b t", 2), "class")
    want = -np.take_along_axis(log_probabilities(LOGITS), CLASSES[..., None], -1)[..., 0]
    np.testing.assert_allclose(out.to_array("b t"), want, rtol=0, atol=ROUNDED)


def test_cross_entropy_of_probabilities():
    labels = np.exp(log_probabilities(random(5, 2, 3, 5))).astype(np.float32)
    out = nt.nn.cross_entropy(shuffled(LOGITS, "b t class", 1), shuffled(labels, "b t class", 2), "class")
    want = -(labels * log_probabilities(LOGITS)).sum(-1)
    np.testing.assert_allclose(out.to_array("b t"), want, rtol=0, atol=ROUNDED)


def test_cross_entropy_takes_the_union_of_names():
    logits, labels = LOGITS[0], CLASSES
    out = nt.nn.cross_entropy(nt.tensor(logits, "t class"), nt.tensor(labels, "b t"), "class")
    want = -np.take_along_axis(log_probabilities(logits)[None].repeat(2, 0), labels[..., None], -1)[..., 0]
    np.testing.assert_allclose(out.to_array("b t"), want, rtol=0, atol=ROUNDED)


@pytest.mark.parametrize("form", ["numbers", "probabilities"])
def test_the_derivative_of_cross_entropy(form):
    logits, labels = shuffled(LOGITS, "b t class", 3), shuffled(CLASSES, "b t", 4)
    if form == "probabilities":
        labels = labels.one_hot("class", 5)
    slope = nt.grad(lambda z: nt.nn.cross_entropy(z, labels, "class").sum())(logits)
    want = np.exp(log_probabilities(LOGITS)) - (CLASSES[..., None] == np.arange(5))
    np.testing.assert_allclose(slope.to_array("b t class"), want, rtol=0, atol=ROUNDED)


def test_cross_entropy_is_stable():
    logits = nt.tensor([[1e4, 0.0], [0.0, -1e4]], "b class")
    out = nt.nn.cross_entropy(logits, nt.tensor([1, 0], "b"), "class")
    np.testing.assert_array_equal(out.array, [1e4, 0.0])


@pytest.mark.parametrize("under", [lambda f: f, jax.jit], ids=["eager", "jit"])
@pytest.mark.parametrize(
    "label", [1, np.int32(1), jnp.int32(1), nt.tensor(1, "")], ids=lambda v: type(v).__name__
)
def test_cross_entropy_of_one_example(under, label):
    out = under(lambda z: nt.nn.cross_entropy(z, label, "class"))(nt.zeros("class:4"))
    np.testing.assert_allclose(out.item(), math.log(4), rtol=4 * EPS)


@pytest.mark.parametrize("names", ["b", ""])
def test_a_class_number_out_of_range_gives_nan(names):
    logits = nt.zeros("b:1 class:3") if names else nt.zeros("class:3")
    out = nt.nn.cross_entropy(logits, nt.tensor([7] if names else 7, names), "class")
    assert jnp.isnan(out.array).all()
