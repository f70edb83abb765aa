"""Several elements that are one feature: the value stands at each of them, and counts once."""

import jax
import jax.numpy as jnp
import matplotlib as mpl
import numpy as np
import pytest

import namedtensor as nt
from captum_lite import (
    Attribution,
    FeatureAblation,
    FeaturePermutation,
    KernelShap,
    Lime,
    NoiseTunnel,
    Occlusion,
    ShapleyValues,
    ShapleyValueSampling,
    viz,
)
from captum_lite._counting import of_sums
from captum_lite.metrics import completeness, deletion, relevance_mass
from captum_lite.widgets._images import samples

mpl.use("Agg")

RNG = np.random.default_rng(8)
X, B = RNG.normal(size=(2, 2, 4, 6, 3))  # [batch height width channel]
W = RNG.normal(size=(4, 6, 3))
DIMS = "batch height width channel"
BLOCKS = {"height": 2, "width": 3}  # 4 of them, each on all channels
HALVES = {"height": 2}


def linear(x):
    return (x * nt.tensor(W, DIMS[6:])).sum(("height", "width", "channel"))


def named(x):
    return nt.tensor(x, DIMS)


def by_block(values):
    """Sums over blocks, ``[batch, 2, 2]``."""
    return values.reshape(len(values), 2, 2, 2, 3, 3).sum((2, 4, 5))


VALUES = by_block((X - B) * W)  # of a linear function, by every method here
MAP = VALUES.repeat(2, 1).repeat(3, 2)


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def explained(method=ShapleyValues, mask=BLOCKS, **options) -> Attribution:
    return method(linear).explain(named(X), named(B), feature_mask=mask, **options)


METHODS = {
    "exact": (ShapleyValues, {}),
    "sampled": (ShapleyValueSampling, {"n_samples": 2}),
    "regression": (KernelShap, {}),
    "ablation": (FeatureAblation, {}),
    "Lime": (Lime, {"alpha": 0.0}),
}


@pytest.mark.parametrize("name", METHODS)
def test_a_block_on_all_channels_is_shown_once(name):
    method, options = METHODS[name]
    record = explained(method, **options)
    np.testing.assert_allclose(record.attributions.array, MAP[..., None].repeat(3, 3), atol=1e-9)
    shown = record.sum("channel")
    assert shown.attributions.dims == nt.dims("batch height width")
    np.testing.assert_allclose(shown.attributions.array, MAP, atol=1e-9)
    rows = viz.grid({"blocks": record}, clip=None).pictures
    pictures = [record.example(1).plot(clip=None), *rows["blocks"]]
    drawn = [p.scaled.values * p.scaled.limit for p in pictures]
    np.testing.assert_allclose(drawn, MAP[[1, 0, 1]], atol=1e-9)


def test_all_sums_are_the_difference():
    record = explained()
    difference = ((X - B) * W).sum((1, 2, 3))
    np.testing.assert_allclose(record.convergence_delta, 0, atol=1e-12)
    whole = record.sum(("height", "width", "channel"))
    np.testing.assert_allclose(whole.attributions.array, difference, rtol=1e-10)
    stepwise = record.sum("channel").sum("width").sum("height")
    np.testing.assert_allclose(stepwise.attributions.array, difference, rtol=1e-10)


def test_a_mask_by_channel_is_summed_as_before():
    record = explained(mask={"height": 2, "width": 3, "channel": 1})
    expected = ((X - B) * W).reshape(2, 2, 2, 2, 3, 3).sum((2, 4, 5))
    np.testing.assert_allclose(record.sum("channel").attributions.array[:, ::2, ::3], expected, atol=1e-9)
    np.testing.assert_array_equal(
        record.sum("channel").attributions.array, record.attributions.sum("channel").array
    )


def test_features_of_one_element_each_are_no_features():
    assert explained(FeatureAblation, None).features is None
    assert explained(Lime, return_input_shape=False).features is None
    assert Occlusion(linear).explain(named(X), named(B)).features is None


def test_features_on_some_channels():
    """Channels 0 and 2 go together: the sum over channels is of two values."""
    record = explained(mask={"height": 4, "width": 6, "channel": [0, 1, 0]})
    each = ((X - B) * W).sum((1, 2))
    expected = np.broadcast_to(each.sum(1)[:, None, None], (2, 4, 6))
    np.testing.assert_allclose(record.sum("channel").attributions.array, expected, rtol=1e-10)


def test_the_gap_of_an_interrupted_run_by_hand():
    """The record's delta over the features' own values: each of the four once, not at 18 elements."""
    method = ShapleyValueSampling(lambda x: linear(x).tanh())
    stream = method.stream(
        named(X), named(B), feature_mask=BLOCKS, n_samples=6, antithetic=False, internal_batch_size=1
    )
    record = next(iter(stream))
    assert record.status == "partial"
    values = np.asarray(record.attributions.array)[:, ::2, ::3, 0].reshape(2, 4)
    difference = np.asarray(record.prediction - record.baseline_prediction)
    delta = values.sum(1) - difference
    assert np.abs(delta).max() > 0.01
    np.testing.assert_allclose(record.convergence_delta, delta, rtol=1e-9)
    expected = np.abs(delta) / np.maximum(np.abs(values).sum(1), np.abs(difference))
    np.testing.assert_allclose(record.gap, expected, rtol=1e-9)
    np.testing.assert_allclose(completeness(record).relative, expected, rtol=1e-9)


def uneven() -> nt.NamedTensor:
    """Two features of very different size."""
    return nt.tensor(np.arange(24).reshape(4, 6) < 2, "height width").astype("int32")


def test_the_error_counts_each_feature_once():
    def product(x):
        return linear(x) ** 2 * x.isel(height=0, width=0, channel=0)

    record = ShapleyValueSampling(product).explain(
        named(X), named(B), feature_mask=uneven(), n_samples=20, antithetic=False
    )
    values, errors = (np.asarray(a.array)[:, [0, 3], 0, 0] for a in (record.attributions, record.error_map))
    expected = np.sqrt(2 / np.pi) * errors.sum(1) / np.abs(values).sum(1)
    assert (expected > 0).all()
    np.testing.assert_allclose(record.error, expected, rtol=1e-9)


def test_merged_permutations_and_noise_keep_their_features():
    def drawn(key):
        return FeaturePermutation(linear).explain(
            named(X), feature_mask=BLOCKS, n_samples=3, key=jax.random.key(key)
        )

    merged = drawn(0).merge(drawn(1))
    errors, values = (by_element(a) for a in (merged.error_map, merged.attributions))
    expected = np.sqrt(2 / np.pi) * errors.sum(1) / np.maximum(np.abs(values).sum(1), 1e-300)
    np.testing.assert_allclose(merged.error, expected, rtol=1e-9)
    noisy = NoiseTunnel(FeatureAblation(linear)).explain(
        named(X), named(B), feature_mask=BLOCKS, nt_samples=2, stdevs=0.1
    )
    np.testing.assert_allclose(
        noisy.sum("channel").attributions.array, noisy.attributions.isel(channel=0).array, rtol=1e-12
    )


def by_element(values):
    """The value of each block, ``[batch, 4]``."""
    return np.asarray(values.array)[:, ::2, ::3, 0].reshape(2, 4)


@pytest.mark.parametrize("plain", [True, False], ids=["plain", "named"])
def test_a_record_comes_back_from_a_file(plain, tmp_path):
    record = explained()
    if plain:
        x, b = X.reshape(2, 4, 18), B.reshape(2, 4, 18)
        method = ShapleyValues(lambda x: (x * W.reshape(1, 4, 18)).sum((1, 2)))
        record = method.explain(x, b, feature_mask={1: 2})
    record.save(tmp_path / "a.npz")
    again = Attribution.load(tmp_path / "a.npz")
    jax.tree.map(np.testing.assert_array_equal, again.features, record.features)
    np.testing.assert_array_equal(again.gap, record.gap)


def test_a_mask_for_each_example_goes_with_its_example():
    masks = np.stack([np.arange(24).reshape(4, 6) // 12, np.arange(24).reshape(4, 6) // 6])
    record = explained(mask=nt.tensor(masks, "batch height width"))
    for i in range(2):
        one = record.example(i).sum(("channel", "height", "width"))
        np.testing.assert_allclose(one.attributions.array, ((X - B) * W)[i].sum(), rtol=1e-10)


def test_a_feature_in_two_inputs_counts_once():
    mask = np.array([[0, 0, 1]])
    method = ShapleyValueSampling(lambda x, y: (x.sum(1) + 2 * y.sum(1)) * x[:, 0])
    x = np.array([[1.0, 2.0, 3.0]])
    record = method.explain((x, x), feature_mask=(mask, mask), n_samples=2)
    values = np.asarray(record.attributions[0])[0, [0, 2]]
    np.testing.assert_allclose(values.sum(), float(record.prediction[0]), rtol=1e-10)
    np.testing.assert_allclose(record.convergence_delta, 0, atol=1e-10)


def test_windows_on_all_channels():
    record = Occlusion(linear).explain(
        named(X), named(B), sliding_window_shapes={"height": 2, "width": 3}, strides={"height": 2, "width": 3}
    )
    np.testing.assert_allclose(record.sum("channel").attributions.array, MAP, atol=1e-9)
    total = record.sum(("channel", "width", "height")).attributions.array
    np.testing.assert_allclose(total, ((X - B) * W).sum((1, 2, 3)), rtol=1e-9)
    overlapping = Occlusion(linear).explain(
        named(X), named(B), sliding_window_shapes={"height": 3, "width": 3}, strides={"height": 2, "width": 1}
    )
    one_channel = overlapping.attributions.isel(channel=0)
    np.testing.assert_allclose(overlapping.sum("channel").attributions.array, one_channel.array, rtol=1e-12)
    # rows 0, 1 | 2 | 3 are under other windows: the first, both, and the last
    rows = np.asarray(overlapping.features.to_array("batch height width channel"))[0, :, 0, 0]
    assert len(np.unique(rows)) == 3
    assert rows[0] == rows[1]


def test_attribute_under_transformations():
    method = ShapleyValues(lambda x: (x * W[None]).sum((1, 2, 3)))

    def attribute(x):
        return method.attribute(x, B, feature_mask={1: 2, 2: 3}, return_convergence_delta=True)

    values, delta = jax.jit(attribute)(X)
    np.testing.assert_allclose(values[..., 0], MAP, atol=1e-9)
    np.testing.assert_allclose(delta, 0, atol=1e-9)
    both, deltas = jax.vmap(attribute)(jnp.stack([X, X]))
    np.testing.assert_allclose(both[1, ..., 2], MAP, atol=1e-9)
    np.testing.assert_allclose(deltas, 0, atol=1e-9)


def test_metrics_of_a_record():
    # where one channel is by itself and two go together, a place has two values and not three
    parts = explained(FeatureAblation, {"height": 1, "width": 1, "channel": [0, 1, 1]})
    change = (X - B) * W
    on_the_left = nt.tensor(np.broadcast_to(np.arange(6) < 3, (2, 4, 6)), "batch height width")
    sizes = np.abs(change.sum(3))
    np.testing.assert_allclose(
        relevance_mass(parts, on_the_left, pooling="sum,abs"),
        sizes[:, :, :3].sum((1, 2)) / sizes.sum((1, 2)),
        rtol=1e-5,
    )
    order = np.argsort(-change.sum(3).reshape(2, 24), axis=1)
    gone = np.take_along_axis(change.sum(3).reshape(2, 24), order, axis=1).cumsum(1)[:, 11]
    halfway = deletion(linear, named(X), parts, named(B), over="height width", steps=2).scores[1]
    np.testing.assert_allclose(halfway, (X * W).sum((1, 2, 3)) - gone, rtol=1e-6)


def test_tokens_and_series():
    """An embedded token is one feature; its value is not as large as its embedding is wide."""
    x, w = RNG.normal(size=(2, 1, 3, 5))
    record = ShapleyValues(lambda x: (x * w).sum((1, 2))).explain(x, feature_mask={1: 1})
    text = viz.visualize_text(record, ["a", "b", "c"])
    each = (x * w).sum(2)[0]
    assert f"{each[0]:+.3g}" in str(text.data if hasattr(text, "data") else text)
    figure, axes = viz.visualize_timeseries_attr(
        record, x, method="overlay_combined", sign="all", use_pyplot=False
    )
    assert figure is axes.figure


def test_widgets_show_a_feature_once_and_share_it_evenly():
    images = named(RNG.random((2, 4, 6, 3)))
    them, record = samples(images, None, None, None), explained().example(0)
    np.testing.assert_allclose(them.map(record), MAP[0], atol=1e-9)
    np.testing.assert_allclose(them.sizes(record), np.abs(MAP[0]) / 6, atol=1e-9)
    small = them.within(6)  # squares of 2 x 2: of blocks 2 x 3 the middle ones hold two
    left, right = VALUES[0].T
    np.testing.assert_allclose(small.map(record), np.stack([left, left + right, right], 1), atol=1e-9)
    sizes = np.stack([4 * np.abs(left), 2 * np.abs(left) + 2 * np.abs(right), 4 * np.abs(right)], 1) / 6
    np.testing.assert_allclose(small.sizes(record), sizes, atol=1e-9)


def test_sums_with_the_same_features_are_one_feature():
    features = np.array([[[0, 1], [1, 0], [0, 0], [2, 2]]])
    (found,) = of_sums((features,), ((2,),))
    assert found.shape == (1, 4)
    assert found[0, 0] == found[0, 1]
    assert len(np.unique(found)) == 3
