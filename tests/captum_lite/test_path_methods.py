"""BlurIG, guided integrated gradients and XRAI against closed forms, their papers' algorithms, and by hand."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

import namedtensor as nt
from captum_lite import XRAI, Attribution, BlurIG, GuidedIG, IntegratedGradients
from captum_lite._blur import blur
from captum_lite._segments import felzenszwalb, over_segments, widened
from captum_lite.methods import IMAGE_METHODS

RNG = np.random.default_rng(41)
SIDE = 6
IMAGE = RNG.normal(size=(2, SIDE, SIDE, 3))
X, B = RNG.normal(size=(2, 3, 10))
EXACT = {"rtol": 1e-9, "atol": 1e-11}


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


A = RNG.normal(size=(SIDE * SIDE * 3,) * 2) / SIDE
W = RNG.normal(size=(10, 8)) / 3


def quadratic(x):
    flat = x.reshape(x.shape[0], -1)
    return ((flat @ A) * flat).sum(1)


def smooth(x):
    return jnp.tanh(x @ W).sum(1)


# blurring


@pytest.mark.parametrize("sigma", [2.0, 3.5])
def test_blur_is_a_gaussian_filter_with_reflecting_borders(sigma):
    expected = gaussian_filter(IMAGE, [0, sigma, sigma, 0], mode="reflect", truncate=10)
    np.testing.assert_allclose(blur(jnp.asarray(IMAGE), sigma, (1, 2)), expected, atol=1e-7)


def test_blur_at_the_ends():
    np.testing.assert_allclose(blur(jnp.asarray(IMAGE), 0.0, (1, 2)), IMAGE, **EXACT)
    mean = np.broadcast_to(IMAGE.mean((1, 2), keepdims=True), IMAGE.shape)
    np.testing.assert_allclose(blur(jnp.asarray(IMAGE), 100.0, (1, 2)), mean, **EXACT)


def test_blurring_twice_is_blurring_once_by_more():
    twice = blur(blur(jnp.asarray(IMAGE), 0.6, (1, 2)), 0.8, (1, 2))
    np.testing.assert_allclose(twice, blur(jnp.asarray(IMAGE), 1.0, (1, 2)), **EXACT)


# BlurIG


def test_blur_ig_of_a_linear_function_is_what_blurring_takes_away():
    weights = RNG.normal(size=IMAGE.shape[1:])
    record = BlurIG(lambda x: jnp.tensordot(x, weights, 3), max_sigma=2.0).explain(IMAGE)
    blurred = blur(jnp.asarray(IMAGE), 2.0, (1, 2))
    taken = (IMAGE - np.asarray(blurred)) * weights
    np.testing.assert_allclose(record.attributions, taken, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(record.baselines, blurred, **EXACT)
    np.testing.assert_allclose(
        record.baseline_prediction, (np.asarray(blurred) * weights).sum((1, 2, 3)), **EXACT
    )
    assert record.evaluations == {"forward": 4, "gradient": 100}


def test_blur_ig_of_a_quadratic_by_its_eigenmodes():
    """Of ``c x^2`` with x one cosine: x is damped by ``exp(-(sigma k)^2 / 2)``, so c x^2 (1 - damping^2)."""
    k, sigma = np.pi / SIDE * 2, 1.5
    wave = np.cos(k * (np.arange(SIDE) + 0.5))[None, :, None] * np.ones((1, SIDE, SIDE))
    found = BlurIG(lambda x: (x**2).sum((1, 2)), max_sigma=sigma).attribute(wave)
    np.testing.assert_allclose(found, wave**2 * (1 - np.exp(-((sigma * k) ** 2))), rtol=1e-7, atol=1e-10)


def test_blur_ig_is_complete():
    record = BlurIG(quadratic).explain(IMAGE, n_steps=100)
    at_blurred = quadratic(blur(jnp.asarray(IMAGE), 50.0, (1, 2)))
    np.testing.assert_allclose(
        record.attributions.sum((1, 2, 3)), quadratic(IMAGE) - at_blurred, rtol=1e-9, atol=1e-8
    )


def test_blur_ig_of_other_dims_and_a_layer():
    series = nt.tensor(IMAGE[..., 0], "batch time feature")
    found = BlurIG(lambda x: (x**2).sum("time feature"), over=["time"]).attribute(series)
    plain = BlurIG(lambda x: (x**2).sum((1, 2)), over=[1]).attribute(IMAGE[..., 0])
    np.testing.assert_allclose(found.to_array("batch time feature"), plain, **EXACT)
    np.testing.assert_array_equal(
        plain, BlurIG(lambda x: (x**2).sum((1, 2)), over=1).attribute(IMAGE[..., 0])
    )

    def tapped(x):
        return (nt.tap(2 * x, "there") ** 2).sum((1, 2))

    at_layer = BlurIG(tapped, layer="there").attribute(IMAGE[..., 0])
    np.testing.assert_allclose(
        at_layer, 4 * BlurIG(lambda x: (x**2).sum((1, 2))).attribute(IMAGE[..., 0]), **EXACT
    )


def test_blur_ig_bad_arguments():
    with pytest.raises(
        ValueError, match=r"BlurIG takes images along the dims height, width, and the input is"
    ):
        BlurIG(lambda x: x.sum("time")).attribute(nt.tensor(X, "batch time"))
    with pytest.raises(ValueError, match=r"along the axes 1, 2, .*give over= with the axes"):
        BlurIG(smooth).attribute(X)
    with pytest.raises(ValueError, match="max_sigma=0 is not a width in pixels"):
        BlurIG(quadratic, max_sigma=0)
    with pytest.raises(ValueError, match="compares with no baseline"):
        BlurIG(quadratic).attribute(IMAGE, 0.0)


# guided integrated gradients


def guided_by_the_book(gradient, x, b, steps, fraction, max_dist):
    """Algorithm 1 of the paper, one feature vector, as literally as it can be written."""
    at, total, found = b.copy(), abs(x - b).sum(), np.zeros_like(x)
    for step in range(1, steps + 1):
        g = gradient(at)
        share = step / steps
        low, high = max(share - max_dist, 0), min(share + max_dist, 1)
        x_high, before = b + high * (x - b), at.copy()
        way = (at - b) / (x - b)
        at = np.where(way < low, b + low * (x - b), at)
        size = np.where((at - b) / (x - b) >= high - 1e-12, np.inf, abs(g))
        while abs(x - at).sum() > total * (1 - share) + 1e-12:
            threshold = np.sort(size)[int(np.floor(fraction * (len(x) - 1)))]
            chosen = (size <= threshold) & (size < np.inf)
            gamma = (abs(x - at).sum() - total * (1 - share)) / abs(x_high - at)[chosen].sum()
            at = np.where(chosen, at + min(gamma, 1) * (x_high - at), at)
            size = np.where(chosen, np.inf, size)
        found += (at - before) * g
    return found


@pytest.mark.parametrize(("fraction", "max_dist"), [(0.25, 0.1), (0.1, 1.0), (0.6, 0.3), (0.0, 0.05)])
def test_guided_ig_is_the_papers_algorithm(fraction, max_dist):
    found = GuidedIG(smooth).attribute(
        X, B, n_steps=12, fraction=fraction, max_dist=max_dist, method="riemann_left"
    )
    gradient = jax.jit(jax.grad(lambda v: smooth(v[None])[0]))
    for row, x, b in zip(found, X, B, strict=True):
        expected = guided_by_the_book(lambda v: np.asarray(gradient(v)), x, b, 12, fraction, max_dist)
        np.testing.assert_allclose(row, expected, rtol=1e-8, atol=1e-10)


def test_guided_ig_of_a_linear_function_is_integrated_gradients():
    w = RNG.normal(size=10)
    record = GuidedIG(lambda x: x @ w).explain(X, B, n_steps=7, max_dist=0.5)
    np.testing.assert_allclose(record.attributions, (X - B) * w, **EXACT)
    for partial in GuidedIG(lambda x: x @ w).stream(X, B, n_steps=3):
        np.testing.assert_allclose(partial.attributions, (X - B) * w, **EXACT)


def test_guided_ig_on_the_straight_path_is_integrated_gradients():
    found = GuidedIG(smooth).attribute(X, B, n_steps=100, max_dist=0.0)
    np.testing.assert_allclose(found, IntegratedGradients(smooth).attribute(X, B), atol=1e-7)


def test_guided_ig_is_complete_and_more_so_with_more_steps():
    gaps = [float(GuidedIG(smooth).explain(X, B, n_steps=n, max_dist=0.2).gap.max()) for n in (20, 200)]
    assert gaps[1] < 1e-6
    assert gaps[1] < gaps[0] / 100
    method = GuidedIG(lambda x: (x**2).sum(1))
    record = method.explain(X, B, n_steps=9, max_dist=1.0, method="riemann_trapezoid")
    np.testing.assert_allclose(record.convergence_delta, 0, atol=1e-12)  # exact for quadratic functions
    assert record.evaluations["gradient"] == 3 * 10


def test_guided_ig_moves_the_flat_feature_first():
    """Of ``x0 x1^2 / 100 ...``: feature 1 moves first while feature 0 is at its baseline, as its slope is 0."""
    found = GuidedIG(lambda x: x[:, 0] * (1 + x[:, 1])).attribute(
        np.ones((1, 2)), np.zeros((1, 2)), n_steps=200, max_dist=1.0, fraction=0.0
    )
    np.testing.assert_allclose(found, [[2.0, 0.0]], atol=0.02)  # all that x1 adds is x0's, once x1 is there


def test_guided_ig_under_jit_and_vmap():
    def run(x, b):
        return GuidedIG(smooth).attribute(x, b, n_steps=5)

    np.testing.assert_allclose(jax.jit(run)(X, B), run(X, B), **EXACT)
    stacked = jax.vmap(run)(np.stack([X, -X]), np.stack([B, B]))
    np.testing.assert_allclose(stacked[1], run(-X, B), **EXACT)


def test_guided_ig_bad_arguments():
    for given, text in {
        "n_steps": (0, "n_steps=0: give a whole number"),
        "fraction": (2, "fraction=2: give a fraction, from 0 to 1"),
        "max_dist": (-1, "max_dist=-1: give a fraction"),
        "method": ("gauss", "method='gauss' is not a rule for a step: choose one of 'gausslobatto'"),
    }.items():
        with pytest.raises(ValueError, match=text[1]):
            GuidedIG(smooth).attribute(X, B, **{given: text[0]})


# regions


def planted(side=32, at=(10, 14), size=8):
    """Dark noise with a bright square, and where it is."""
    image = 0.05 * np.random.default_rng(0).normal(size=(1, side, side))
    inside = np.zeros((side, side), bool)
    inside[at[0] : at[0] + size, at[1] : at[1] + size] = True
    return image + inside, inside


def test_xrai_finds_the_planted_square():
    image, inside = planted()
    weights = jnp.asarray(inside, float)
    rank = XRAI(lambda x: jnp.tanh(jnp.tensordot(x, weights, 2) / 8)).attribute(image, values="rank")
    first = np.asarray(rank[0] == 1)
    assert (first & inside).sum() > 0.6 * first.sum()
    assert float(rank[0][inside].min()) > 0.8  # all of it is in the first fifth of the image


def test_felzenszwalb_separates_what_is_apart():
    image, inside = planted()
    labels = felzenszwalb(image[0, :, :, None], scale=1.0, smallest=10)
    assert labels.shape == inside.shape
    assert len(set(labels[inside])) == 1
    assert set(labels[inside]).isdisjoint(labels[~inside])
    assert sorted(set(labels.ravel())) == list(range(labels.max() + 1))


def test_felzenszwalb_by_hand():
    """Four pixels in a row with steps 1, 5, 1: joined where a step is at most scale / 1, then scale / 2 + 1."""
    row = np.array([[0.0, 1.0, 6.0, 7.0]])[..., None]
    assert felzenszwalb(row, 0.5, 1).tolist() == [[0, 1, 2, 3]]
    assert len(set(felzenszwalb(row, 2.0, 1)[0])) == 2
    assert len(set(felzenszwalb(row, 8.0, 1)[0])) == 1  # 5 <= 1 + 8 / 2
    assert len(set(felzenszwalb(row, 7.9, 1)[0])) == 2
    assert len(set(felzenszwalb(row, 0.5, 2)[0])) == 2  # each pixel alone is too small


def test_larger_scales_have_fewer_regions():
    counts = [len(np.unique(labels)) for labels in over_segments(planted()[0][0, :, :, None])]
    assert counts == sorted(counts, reverse=True)


def test_widened_by_hand():
    point = np.zeros((5, 5), bool)
    point[2, 2] = True
    assert widened(point, 1).sum() == 5
    assert widened(point, 2).sum() == 13
    corner = np.zeros((3, 3), bool)
    corner[0, 0] = True
    assert widened(corner, 1).tolist() == [[True, True, False], [True, False, False], [False, False, False]]


SEGMENTS = np.array([[0, 0, 1], [2, 2, 1]])
FEATURES = np.array([[4.0, 0.0, 3.0], [1.0, -2.0, -1.0]])  # means 2, 1, -1/2 of regions 0, 1, 2


def weighted(x):
    return jnp.tensordot(x, FEATURES, 2)


def test_xrai_of_given_segments_by_hand():
    """From black (0) to 1 and from white (1) to 1: half of the weights, by linearity."""
    image = np.ones((1, 2, 3))
    given = {"segments": SEGMENTS, "ends": (0.0, 1.0)}
    gain = XRAI(weighted).attribute(image, **given)
    np.testing.assert_allclose(gain, [[[1.0, 1.0, 0.5], [-0.25, -0.25, 0.5]]], **EXACT)
    rank = XRAI(weighted).attribute(image, values="rank", **given)
    np.testing.assert_allclose(rank, [[[1, 1, 2 / 3], [1 / 3, 1 / 3, 2 / 3]]], **EXACT)


def test_xrai_of_overlapping_segments_by_hand():
    """The column of 4 and 1 is densest; of the first row is then left 0 and 3, before the second row's rest."""
    columns, rows = np.array([[0, 1, 1], [0, 1, 1]]), np.array([[0, 0, 0], [1, 1, 1]])
    gain = XRAI(weighted).attribute(np.ones((1, 2, 3)), segments=[columns, rows], ends=(0.0, 1.0))
    np.testing.assert_allclose(gain, [[[1.25, 0.75, 0.75], [1.25, -0.75, -0.75]]], **EXACT)


def test_xrai_record_of_a_named_image_with_channels():
    image = nt.tensor(IMAGE, "batch height width channel")

    def model(x):
        return (x**2).sum("height width channel")

    labels = np.arange(SIDE * SIDE).reshape(SIDE, SIDE) // 4
    named = nt.tensor(np.broadcast_to(labels.T, (2, SIDE, SIDE)), "batch width height")
    record = XRAI(model).explain(image.order("channel batch width height"), segments=named)
    assert dict(record.attributions.shape) == {"batch": 2, "height": SIDE, "width": SIDE} or dict(
        record.attributions.shape
    ) == {"batch": 2, "width": SIDE, "height": SIDE}
    assert record.evaluations["gradient"] == 2 * 2 * 50
    assert record.convergence_delta is None
    plain = XRAI(lambda x: (x**2).sum((1, 2, 3))).attribute(IMAGE, segments=labels)
    np.testing.assert_allclose(record.attributions.to_array("batch height width"), plain, **EXACT)
    # black and white are each image's own least and largest value: of x^2, the mean of both paths
    black, white = (f(IMAGE, axis=(1, 2, 3), keepdims=True) for f in (np.min, np.max))
    by_pixel = (
        IMAGE**2 - (black + white) / 2 * IMAGE + (IMAGE * (black + white) - black**2 - white**2) / 2
    ).sum(3)
    means = [[by_pixel[i][labels == k].mean() for k in range(9)] for i in range(2)]
    for i in range(2):
        np.testing.assert_allclose(plain[i], np.array(means[i])[labels], rtol=1e-8)


def test_xrai_says_what_it_needs():
    xrai = XRAI(weighted)
    image = np.ones((1, 2, 3))
    with pytest.raises(ValueError, match=r"segments is i64\[3, 2\]: give integers \[2, 3\]"):
        xrai.attribute(image, segments=SEGMENTS.T)
    with pytest.raises(ValueError, match="XRAI explains one image, and there are 2 inputs"):
        XRAI(lambda x, y: weighted(x + y)).attribute((image, image))
    with pytest.raises(ValueError, match=r"under jax.jit or jax.vmap there are\s+none"):
        jax.jit(xrai.attribute)(image)
    with pytest.raises(ValueError, match="values='gains' is not known: choose 'gain' or 'rank'"):
        xrai.attribute(image, values="gains")


# what the battery checks of other methods


@pytest.mark.parametrize("make", IMAGE_METHODS.values(), ids=IMAGE_METHODS)
def test_image_methods_by_name_in_a_stream_saved_and_without_compiling_again(make, compilations, tmp_path):
    def model(x):
        return jnp.tanh(x * 2).sum((1, 2))

    images = IMAGE[..., 0]
    plain = make(model).explain(images)
    images_by_name = nt.tensor(images, "batch height width")
    named = make(lambda x: (x * 2).tanh().sum("height width")).attribute(images_by_name)
    np.testing.assert_allclose(
        named.to_array("batch height width"), plain.attributions, rtol=1e-7, atol=1e-10
    )
    *_, last = make(model).stream(images)
    for field in dataclasses.fields(Attribution):
        jax.tree.map(np.testing.assert_array_equal, getattr(last, field.name), getattr(plain, field.name))
    plain.save(tmp_path / "r.npz")
    loaded = Attribution.load(tmp_path / "r.npz")
    np.testing.assert_array_equal(loaded.attributions, plain.attributions)
    assert "f64[2, 6, 6]" in repr(plain)
    assert compilations.since(lambda: make(model).explain(images + 1)) == 0
    alone = make(model).attribute(images[:1])
    np.testing.assert_allclose(alone[0], plain.attributions[0], rtol=1e-7, atol=1e-10)
