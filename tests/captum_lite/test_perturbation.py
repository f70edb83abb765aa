"""Ablation, occlusion and permutation against loops in NumPy; masks; and what perturbation methods share."""

import functools
import itertools
import threading
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import namedtensor as nt
from captum_lite import (
    Attribution,
    FeatureAblation,
    FeaturePermutation,
    IncompleteWarning,
    KernelShap,
    Lime,
    NoiseTunnel,
    Occlusion,
    ShapleyValues,
    ShapleyValueSampling,
)
from captum_lite._perturbation import copies_at_once

RNG = np.random.default_rng(23)
BATCH, CHANNEL, HEIGHT, WIDTH = 3, 2, 5, 4
X, B = RNG.normal(size=(2, BATCH, CHANNEL, HEIGHT, WIDTH))
W = RNG.normal(size=(CHANNEL, HEIGHT, WIDTH))
Y, C = RNG.normal(size=(2, BATCH, 3))
ALL = [FeatureAblation, Occlusion, ShapleyValues, ShapleyValueSampling, KernelShap, Lime, FeaturePermutation]
QUARTERS = {"feature_mask": {2: 3, 3: 2}}  # blocks of 3 by 2: four features of plain images
EXACT = {"rtol": 1e-11, "atol": 1e-12}


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def linear(x):
    return (x * W[None]).sum((1, 2, 3))


def curved(x, y=Y):
    """No part of it is linear, and examples do not depend on each other; NumPy or JAX."""
    waves = np.sin if isinstance(x, np.ndarray) else jnp.sin
    inner = (x * W[None]).sum((1, 2, 3)) + x[:, 0, 0] @ RNG_COLUMN
    return waves(inner) + x[:, 1, 2, 3] * y[:, 0] * x[:, 0, 4, 1] + y[:, 1] ** 2 * y[:, 2]


RNG_COLUMN = RNG.normal(size=WIDTH)


def given(method: Any, **more: Any) -> dict[str, Any]:
    """Arguments with which every method takes these images in a moment."""
    options = {"n_samples": 6} if "n_samples" in method.defaults() else {}
    if "feature_mask" in method.defaults():
        options |= QUARTERS
    else:
        options |= {"sliding_window_shapes": (2, 3, 2), "strides": (1, 3, 2)}
    return options | ({"baselines": B} if method.compares() else {}) | more


# ablation


def test_of_a_linear_function_it_is_the_weight_times_the_difference():
    found = FeatureAblation(linear).attribute(X, B)
    np.testing.assert_allclose(found, W[None] * (X - B), **EXACT)


def test_a_feature_is_replaced_whole_and_shows_its_value_everywhere():
    mask = RNG.integers(0, 4, size=(1, 1, HEIGHT, WIDTH)) * 3 - 5  # any integers will do
    found = FeatureAblation(curved).attribute(X, B, feature_mask=mask)
    for number in np.unique(mask):
        here = np.broadcast_to(mask == number, X.shape)
        change = curved(X) - curved(np.where(here, B, X))
        for i in range(BATCH):
            np.testing.assert_allclose(found[i][here[i]], change[i], **EXACT)


def test_each_example_may_have_its_own_mask():
    mask = RNG.integers(0, 3, size=X.shape)
    found = FeatureAblation(curved).attribute(X, B, feature_mask=mask)
    for i in range(BATCH):
        one = FeatureAblation(lambda x, i=i: curved(x, Y[i : i + 1])).attribute(
            X[i : i + 1], B[i : i + 1], feature_mask=mask[i]
        )
        np.testing.assert_allclose(found[i], one[0], **EXACT)


def test_a_number_in_two_inputs_is_one_feature():
    masks = (np.arange(HEIGHT)[None, None, :, None] // 3, np.array([[1, 7, 7]]))
    first, second = FeatureAblation(curved).attribute((X, Y), (B, C), feature_mask=masks)
    top, bottom = (np.broadcast_to(masks[0] == k, X.shape) for k in (0, 1))
    shared = curved(X, Y) - curved(np.where(bottom, B, X), np.where(masks[1] == 1, C, Y))
    np.testing.assert_allclose(first[:, 0, 4, 0], shared, **EXACT)
    np.testing.assert_allclose(second[:, 0], shared, **EXACT)
    np.testing.assert_allclose(first[:, 0, 0, 0], curved(X, Y) - curved(np.where(top, B, X), Y), **EXACT)
    change = curved(X, Y) - curved(X, np.where(masks[1] == 7, C, Y))
    np.testing.assert_allclose(second[:, 1:], np.stack([change, change], 1), **EXACT)


def image(array: Any, order: str = "batch channel height width") -> nt.NamedTensor:
    return nt.tensor(nt.tensor(array, "batch channel height width").to_array(order), order)


def named_linear(x):
    return x.dot("channel height width", nt.tensor(W, "channel height width"))


BLOCKS = np.add.outer(np.arange(HEIGHT) // 2 * 10, np.arange(WIDTH) // 2)
# spellings of the same features, of named and of plain images
SAME = {
    "channels": ("channel", {1: 1}, np.arange(CHANNEL).reshape(1, CHANNEL, 1, 1)),
    "pixels": ("width height", {2: 1, 3: 1}, np.arange(HEIGHT * WIDTH).reshape(1, HEIGHT, WIDTH)),
    "blocks": ({"height": 2, "width": 2}, {3: 2, 2: 2}, BLOCKS[None]),
    "groups": ({"height": [7, 7, 0, 0, 7]}, {2: np.array([7, 7, 0, 0, 7])}, np.array([7, 7, 0, 0, 7])[:, None]),
    "a named mask": (nt.tensor(BLOCKS.T, "width height"), {2: 2, 3: 2}, BLOCKS[None, None]),
    "elements": (None, {1: 1, 2: 1, 3: 1}, np.arange(W.size).reshape(W.shape)),
}  # fmt: skip


@pytest.mark.parametrize(("by_name", "by_axis", "by_number"), SAME.values(), ids=SAME)
def test_masks_by_name_by_axis_and_by_number_agree(by_name, by_axis, by_number):
    x, b = image(X, "width batch channel height"), image(B)
    found = FeatureAblation(named_linear).attribute(x, b, feature_mask=by_name)
    assert set(found.dims) == {"batch", "channel", "height", "width"}
    by_number = np.broadcast_to(by_number, (1, *W.shape) if by_number.ndim == 4 else W.shape)
    for mask in (by_axis, by_number):
        plain = FeatureAblation(linear).attribute(X, B, feature_mask=mask)
        np.testing.assert_allclose(found.to_array("batch channel height width"), plain, **EXACT)
    groups = [by_number == k for k in np.unique(by_number)]
    expected = sum(g * (g * W[None] * (X - B)).sum((1, 2, 3), keepdims=True) for g in groups)
    np.testing.assert_allclose(plain, expected, **EXACT)


def test_features_by_dims_belong_to_each_input_by_itself():
    def of_two(x, y):
        return named_linear(x) + named_linear(y)

    found = FeatureAblation(of_two).attribute(
        (image(X), image(2 * X)), (image(B), image(B)), feature_mask="channel"
    )
    for part, x in zip(found, (X, 2 * X), strict=True):
        expected = np.broadcast_to((W[None] * (x - B)).sum((2, 3), keepdims=True), X.shape)
        np.testing.assert_allclose(part.to_array("batch channel height width"), expected, **EXACT)


# occlusion


def occluded(fun: Any, inputs: tuple, baselines: tuple, windows: tuple, strides: tuple) -> list[np.ndarray]:
    """The definition, one window after the other."""
    out, whole = [], fun(*inputs)
    for k, (x, b, window, stride) in enumerate(zip(inputs, baselines, windows, strides, strict=True)):
        total, count = np.zeros(x.shape), np.zeros(x.shape)
        along = zip(x.shape[1:], window, stride, strict=True)
        starts = [range(0, n - w + s, s) for n, w, s in along]
        for corner in itertools.product(*starts):
            under = (slice(None), *(slice(c, c + w) for c, w in zip(corner, window, strict=True)))
            changed = x.copy()
            changed[under] = b[under]
            change = whole - fun(*inputs[:k], changed, *inputs[k + 1 :])
            total[under] += change.reshape(-1, *[1] * (x.ndim - 1))
            count[under] += 1
        assert count.min() > 0
        out.append(total / count)
    return out


SLIDES = {
    "apart": ((2, 1, 2), (2, 1, 2)),
    "overlapping": ((1, 3, 2), (1, 1, 1)),
    "hanging over": ((2, 3, 3), (1, 3, 2)),
    "the whole": ((2, 5, 4), (1, 1, 1)),
}


@pytest.mark.parametrize(("window", "stride"), SLIDES.values(), ids=SLIDES)
def test_occlusion_is_the_mean_over_the_windows_on_an_element(window, stride):
    (expected,) = occluded(curved, (X,), (B,), (window,), (stride,))
    found = Occlusion(curved).attribute(X, B, sliding_window_shapes=window, strides=stride)
    np.testing.assert_allclose(found, expected, **EXACT)


def test_occlusion_of_several_inputs():
    windows, strides = ((1, 3, 2), (2,)), ((1, 2, 1), (1,))
    expected = occluded(curved, (X, Y), (B, C), windows, strides)
    found = Occlusion(curved).attribute((X, Y), (B, C), sliding_window_shapes=windows, strides=strides)
    for a, e in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, e, **EXACT)
    found = Occlusion(curved).attribute((X, Y), (B, C), sliding_window_shapes=((1, 3, 2), (2,)), strides=1)
    for a, e in zip(found, occluded(curved, (X, Y), (B, C), windows, ((1, 1, 1), (1,))), strict=True):
        np.testing.assert_allclose(a, e, **EXACT)


def test_windows_by_name_take_the_other_dims_whole():
    how = {"sliding_window_shapes": {"width": 2, "height": 3}, "strides": {"height": 2}}
    found = Occlusion(named_linear).attribute(image(X, "height width batch channel"), image(B), **how)
    plain = Occlusion(linear).attribute(X, B, sliding_window_shapes=(CHANNEL, 3, 2), strides=(1, 2, 1))
    np.testing.assert_allclose(found.to_array("batch channel height width"), plain, **EXACT)
    axes = Occlusion(linear).attribute(X, B, sliding_window_shapes={2: 3, 3: 2}, strides={2: 2})
    np.testing.assert_allclose(axes, plain, **EXACT)


# permutation


def test_permutation_takes_each_feature_from_another_example():
    """Of a linear function: the weight times the difference from an example of the batch."""
    found = np.asarray(FeaturePermutation(linear).attribute(X))
    steps = found / W[None]
    for k in np.ndindex(*W.shape):
        column = X[(slice(None), *k)]
        others = column - steps[(slice(None), *k)]
        np.testing.assert_allclose(np.sort(others), np.sort(column), rtol=1e-9)
        assert abs(steps[(slice(None), *k)]).max() > 1e-3  # it is never the same order


def test_the_mean_over_shuffles_tends_to_the_mean_over_orders():
    """All orders but the one that changes nothing, each as likely; the first has the weight of that one too."""
    x = X[:, :1, 0, 0]
    record = FeaturePermutation(lambda x: x[:, 0] ** 3).explain(x, n_samples=400)
    column = x[:, 0] ** 3
    orders = [p for p in itertools.permutations(range(BATCH)) if p != tuple(range(BATCH))]
    chance = [(1 + (p == tuple(np.roll(np.arange(BATCH), 1)))) / 6 for p in orders]
    expected = sum(c * (column - column[list(p)]) for c, p in zip(chance, orders, strict=True))
    assert (abs(record.attributions[:, 0] - expected) < 5 * record.error_map[:, 0]).all()
    assert record.samples == 400
    assert record.evaluations["forward"] == 400 * 2 * BATCH + BATCH


def test_shuffles_merge():
    one, other = (
        FeaturePermutation(linear).explain(X, n_samples=n, key=jax.random.key(n), **QUARTERS) for n in (3, 5)
    )
    both = one.merge(other)
    assert both.samples == 8
    np.testing.assert_allclose(
        both.attributions, (3 * one.attributions + 5 * other.attributions) / 8, **EXACT
    )


# what they share


@pytest.mark.parametrize("make", ALL)
def test_the_size_of_a_chunk_changes_no_result(make):
    method = make(curved)
    whole = method.attribute(X, **given(method))
    for rows in ({"internal_batch_size": 1}, {"perturbations_per_eval": 3}):
        np.testing.assert_allclose(method.attribute(X, **given(method, **rows)), whole, rtol=1e-9, atol=1e-11)


# evaluations of one example, with those at the inputs and at the baselines that each record has
COSTS = {
    "FeatureAblation": (FeatureAblation, {}, 1 + 4),
    "elements": (FeatureAblation, {"feature_mask": None}, 1 + W.size),
    "Occlusion": (Occlusion, {}, 1 + 1 * 2 * 2),
    "ShapleyValues": (ShapleyValues, {}, 2**4),
    "ShapleyValueSampling": (ShapleyValueSampling, {}, 6 * 3 + 2),
    "an odd number of orders": (ShapleyValueSampling, {"n_samples": 5}, 6 * 3 + 2),
    "orders by themselves": (ShapleyValueSampling, {"n_samples": 5, "antithetic": False}, 5 * 3 + 2),
    "KernelShap": (KernelShap, {}, 6 + 2),
    "KernelShap, all": (KernelShap, {"n_samples": None}, 2**4 - 2 + 2),
    "Lime": (Lime, {}, 6),
    "FeaturePermutation": (FeaturePermutation, {}, 6 * (1 + 4)),
}


@pytest.mark.parametrize(("make", "how", "cost"), COSTS.values(), ids=COSTS)
def test_evaluations_are_counted_without_padding(make, how, cost):
    method = make(curved)
    records = list(method.stream(X, **given(method, **how), internal_batch_size=2 * BATCH))
    ends = 1 + method.compares()
    assert records[-1].evaluations == {"forward": (cost + ends) * BATCH, "gradient": 0}
    counts = [r.evaluations["forward"] for r in records]
    assert counts == sorted(set(counts))
    assert [r.status for r in records] == ["partial"] * (len(records) - 1) + ["finished"]


@pytest.mark.parametrize("make", ALL)
def test_a_feature_without_effect_has_nothing(make):
    method = make(lambda x: jnp.sin(x[:, 0, 0, 0] * x[:, 1, 0, 0]))
    found = method.attribute(X, **given(method))
    tolerance = 0.35 if make is Lime else 1e-15  # a local fit of six coalitions is no more than that
    assert float(abs(found[:, :, 3:, 2:]).max()) <= tolerance


@pytest.mark.parametrize("make", [FeatureAblation, Occlusion, FeaturePermutation])
def test_no_effect_is_exactly_zero_in_float32(make):
    """The inputs and their copies go through the same compiled function."""
    with jax.enable_x64(False):
        method = make(lambda x: jnp.tanh(x[:, :, :3, :2].reshape(BATCH, -1) @ jnp.ones((12, 40))).sum(1))
        x = X.astype("float32")
        found = method.attribute(x, **given(method))
        assert float(abs(found[:, :, 3:, 2:]).max()) == 0
        assert float(abs(found).max()) > 0


def test_partial_results_are_zero_where_nothing_is_known_and_right_elsewhere():
    records = list(FeatureAblation(curved).stream(X, B, internal_batch_size=4 * BATCH))
    last = np.asarray(records[-1].attributions)
    known = [np.asarray(r.attributions) != 0 for r in records]
    assert [k[0].sum() for k in known] == [*range(3, W.size, 4), W.size]
    for record, there in zip(records, known, strict=True):
        np.testing.assert_allclose(np.asarray(record.attributions)[there], last[there], **EXACT)


def test_partial_means_of_windows_are_over_the_windows_so_far():
    how = {"sliding_window_shapes": (2, 1, 3), "strides": 1}
    for record in Occlusion(linear).stream(X, B, **how, internal_batch_size=BATCH):
        found = np.asarray(record.attributions)
        sums = (W[None] * (X - B)).sum(1)
        left, right = (sums[:, :, k : k + 3].sum(2) for k in (0, 1))
        mean = np.stack([left, (left + right) / 2, (left + right) / 2, right], 2)
        sides = (np.broadcast_to(s[:, :, None], mean.shape) for s in (left, right))
        allowed = np.stack([0 * mean, mean, *sides])
        assert abs(found[None, :, 0] - allowed).min(0).max() < 1e-12


@pytest.mark.parametrize("make", ALL)
def test_what_was_computed_is_kept_when_stopped(make):
    method = make(curved)
    how = given(method, internal_batch_size=2 * BATCH)
    stop = threading.Event()
    stop.set()
    with pytest.warns(IncompleteWarning, match="stopped"):
        record = method.explain(X, cancel=stop, **how)
    assert record.status == "stopped"
    np.testing.assert_array_equal(record.attributions, next(method.stream(X, **how)).attributions)

    def press(done: float) -> None:
        if done > 0.5:
            raise KeyboardInterrupt

    with pytest.warns(IncompleteWarning, match="stopped"):
        record = method.explain(X, show_progress=press, **how)
    assert record.status == "stopped"
    assert np.isfinite(record.attributions).all()


@pytest.mark.parametrize("make", ALL)
def test_a_second_call_traces_nothing(make):
    """The function is traced at the first call; its size is remembered too."""
    ticks = itertools.count()  # (a list would be noticed as a state of the function that has changed)

    def counted(x):
        next(ticks)
        return curved(x)

    method = make(counted)
    method.attribute(X, **given(method))
    first = next(ticks)
    method.attribute(X + 1, **given(method))
    assert next(ticks) == first + 1 > 1


def largest(jaxpr: Any) -> int:
    sizes = [v.aval.size for eqn in jaxpr.eqns for v in eqn.outvars if hasattr(v.aval, "size")]
    inner = [largest(p.jaxpr) for eqn in jaxpr.eqns for p in eqn.params.values() if hasattr(p, "jaxpr")]
    return max([0, *sizes, *inner])


@pytest.mark.parametrize("make", [FeatureAblation, Occlusion])
def test_memory_does_not_grow_with_the_number_of_features(make):
    """Of any value in the whole computation, at four copies at a time: no mask of all of them is made."""
    sizes = []
    for width in (40, 160):
        x = np.ones((1, width))
        method = make(lambda x: jnp.sin(x).sum(1))
        run = jax.make_jaxpr(functools.partial(method.attribute, internal_batch_size=4))
        sizes.append(largest(run(x).jaxpr) / width)
    assert sizes[0] == sizes[1] <= 4


def test_copies_by_memory():
    def chosen(fun: Any, x: Any, needed: int = 10**6) -> int:
        method = FeatureAblation(fun)
        return copies_at_once(method.explained(method.pose(x, None, None, (), {})), None, needed)

    narrow, wide = np.ones((1, 10), "float32"), np.ones((1, 1000), "float32")
    assert chosen(lambda x: x.sum(1), narrow) == 1024
    assert [chosen(lambda x: x.sum(1), narrow, n) for n in (7, 1024, 1025, 2050)] == [7, 1024, 513, 684]
    assert chosen(lambda x: (x[:, :, None] * x[:, None]).sum((1, 2)), wide) == 2  # 4 MB inside
    assert chosen(lambda x: x.sum(1), np.ones((1, 1 << 20), "float32")) == 2  # the input itself
    assert chosen(jax.jit(lambda x: jnp.outer(x[0], jnp.ones(1 << 22)).sum()[None]), narrow) == 1


# where they are asked


def tapped(x):
    hidden = nt.tap(jnp.tanh(x.reshape(BATCH, -1)[:, :6]), "hidden")
    return hidden[:, :3].prod(1) + hidden[:, 3:].sum(1)


@pytest.mark.parametrize("make", [FeatureAblation, ShapleyValues, KernelShap, Occlusion])
def test_at_a_layer_the_features_are_those_of_the_layer(make):
    found = make(tapped, layer="hidden").attribute(X, B)
    h, g = (np.tanh(v.reshape(BATCH, -1)[:, :6]) for v in (X, B))
    tail = make(lambda h: h[:, :3].prod(1) + h[:, 3:].sum(1)).attribute(h, g)
    np.testing.assert_allclose(found, tail, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(found[:, 3:], (h - g)[:, 3:], rtol=1e-9)


@pytest.mark.parametrize("make", [FeatureAblation, ShapleyValueSampling])
def test_of_a_neuron(make):
    found = make(tapped, layer="hidden", neuron=2).attribute(X, B)
    expected = np.zeros(X.shape)
    expected.reshape(BATCH, -1)[:, 2] = (np.tanh(X) - np.tanh(B)).reshape(BATCH, -1)[:, 2]
    np.testing.assert_allclose(found, expected, **EXACT)


@pytest.mark.parametrize("make", ALL)
def test_decisions_of_tokens_can_be_explained(make):
    """Integers in, flags out: nothing is differentiated."""
    tokens, other = RNG.integers(0, 9, size=(2, 3, 4))
    words = RNG.normal(size=9)

    def positive(tokens):
        return jnp.asarray(words)[tokens].sum(1) > 0

    method = make(positive)
    how = {"baselines": other} if method.compares() else {}
    record = method.explain(tokens, **how, **({"n_samples": 8} if "n_samples" in method.defaults() else {}))
    assert record.attributions.dtype == np.float64
    assert record.attributions.shape == tokens.shape
    if make is FeatureAblation:
        for k in range(4):
            changed = np.where(np.arange(4)[None] == k, other, tokens)
            expected = (words[tokens].sum(1) > 0) * 1.0 - (words[changed].sum(1) > 0)
            np.testing.assert_array_equal(record.attributions[:, k], expected)


@pytest.mark.parametrize("make", ALL)
def test_float32_in_float32_out(make):
    with jax.enable_x64(False):
        method = make(lambda x: curved(x, jnp.asarray(Y, "float32")))
        assert method.attribute(X.astype("float32"), **given(method)).dtype == np.float32


def test_a_function_that_is_not_of_jax_goes_through_a_callback():
    def numpy_only(x):
        return np.sin(np.asarray(x, np.float64)).sum(axis=(1, 2, 3))

    def called(x):
        shape = jax.ShapeDtypeStruct((x.shape[0],), x.dtype)
        return jax.pure_callback(numpy_only, shape, x, vmap_method="sequential")

    with pytest.raises(TypeError, match="cannot trace it") as error:
        FeatureAblation(numpy_only).attribute(X, B)
    assert "jax.pure_callback(function, jax.ShapeDtypeStruct" in str(error.value)
    assert "vmap_method='sequential'" in str(error.value)
    found = FeatureAblation(called).attribute(X, B)
    np.testing.assert_allclose(found, np.sin(X) - np.sin(B), **EXACT)


@pytest.mark.parametrize(("by_name", "by_axis", "by_number"), SAME.values(), ids=SAME)
def test_masks_are_saved(by_name, by_axis, by_number, tmp_path):
    for mask, x in ((by_name, image(X)), (by_axis, X)):
        fun = named_linear if nt.is_named(x) else linear
        record = FeatureAblation(fun).explain(x, feature_mask=mask)
        record.save(tmp_path / "record.npz")
        there = Attribution.load(tmp_path / "record.npz").arguments["feature_mask"]
        assert jax.tree.structure(there) == jax.tree.structure(mask)
        jax.tree.map(np.testing.assert_array_equal, there, mask)


# what is refused

NAMED = image(X)
REFUSED = {
    "a mask of fractions": (FeatureAblation, X, {"feature_mask": W}, TypeError, ["feature_mask 0 is f64[2, 5, 4]", "integers"]),
    "a mask of another shape": (FeatureAblation, X, {"feature_mask": np.ones((4, 5), int)}, ValueError, ["feature_mask 0 is i64[4, 5]", "its input is f64[3, 2, 5, 4]", "of one example"]),
    "too few masks": (FeatureAblation, (X, Y), {"feature_mask": (BLOCKS[None],)}, ValueError, ["feature_mask has 1 parts for 2 inputs"]),
    "a plain mask of a named input": (FeatureAblation, NAMED, {"feature_mask": BLOCKS}, ValueError, ["f32[batch:3 channel:2 height:5 width:4]", "names"]),
    "a named mask with a dim that is not there": (FeatureAblation, NAMED, {"feature_mask": nt.tensor(BLOCKS, "height depth")}, ValueError, ["height:5 depth:4", "its input is"]),
    "features along a dim that is not there": (FeatureAblation, NAMED, {"feature_mask": "chanel"}, ValueError, ["goes along 'chanel'", "Did you mean 'channel'?"]),
    "features along the batch": (FeatureAblation, NAMED, {"feature_mask": "batch"}, ValueError, ["those of one example", "'batch'"]),
    "blocks of nothing": (FeatureAblation, X, {"feature_mask": {2: 0}}, ValueError, ["blocks of 0 along 2", "at least 1"]),
    "groups of another length": (FeatureAblation, X, {"feature_mask": {2: [0, 1]}}, ValueError, ["along 2", "5 integers"]),
    "names of a plain input": (FeatureAblation, X, {"feature_mask": "height"}, ValueError, ["goes along 'height'", "[1, 2, 3]"]),
    "rows and copies": (FeatureAblation, X, {"internal_batch_size": 3, "perturbations_per_eval": 3}, ValueError, ["choose one"]),
    "no copy": (FeatureAblation, X, {"perturbations_per_eval": 0}, ValueError, ["perturbations_per_eval=0"]),
    "no row": (FeatureAblation, X, {"internal_batch_size": 0}, ValueError, ["internal_batch_size=0"]),
    "a window that is too large": (Occlusion, X, {"sliding_window_shapes": (2, 6, 1)}, ValueError, ["the window is 6 along 2", "the input is 5"]),
    "a window of too few axes": (Occlusion, X, {"sliding_window_shapes": (2, 2)}, ValueError, ["sliding_window_shapes 0=(2, 2)", "f64[3, 2, 5, 4]", "one integer for each axis"]),
    "strides that leave gaps": (Occlusion, X, {"sliding_window_shapes": (2, 2, 2), "strides": (1, 3, 1)}, ValueError, ["the stride is 3 along 2", "the window is 2"]),
    "a window along a dim that is not there": (Occlusion, NAMED, {"sliding_window_shapes": {"hight": 2}}, ValueError, ["hight", "Did you mean 'height'?"]),
    "windows of too few inputs": (Occlusion, (X, Y), {"sliding_window_shapes": ((1, 1, 1),)}, ValueError, ["sliding_window_shapes has 1 parts for 2 inputs"]),
    "one example": (FeaturePermutation, X[:1], {}, ValueError, ["the batch has one", "FeatureAblation"]),
    "no shuffle": (FeaturePermutation, X, {"n_samples": 0}, ValueError, ["n_samples=0"]),
    "a fraction for a token": (FeatureAblation, np.ones((2, 3), int), {"baselines": 0.5}, ValueError, ["baseline 0 has fractions", "i64[2, 3]"]),
    "baselines for a permutation": (FeaturePermutation, X, {"baselines": B}, ValueError, ["compares with no baseline"]),
    "a delta": (Occlusion, X, {"return_convergence_delta": True}, ValueError, ["is not complete"]),
}  # fmt: skip


def any_sum(*inputs):
    return sum(
        x.sum("channel height width") if nt.is_named(x) else x.reshape(len(x), -1).sum(1) for x in inputs
    )


@pytest.mark.parametrize(("make", "inputs", "how", "error", "parts"), REFUSED.values(), ids=REFUSED)
def test_refused(make, inputs, how, error, parts):
    with pytest.raises(error) as caught:
        make(any_sum).attribute(inputs, **how)
    assert [p for p in parts if p not in str(caught.value)] == []


def test_a_traced_mask_is_refused():
    with pytest.raises(TypeError, match="feature_mask 0 is traced: it says how many evaluations there are"):
        jax.jit(lambda m: FeatureAblation(linear).attribute(X, B, feature_mask=m))(np.zeros(W.shape, int))


def test_a_function_that_breaks_between_inputs_and_baselines_is_named():
    with pytest.raises(ValueError, match="NaN or infinite in between"):
        FeatureAblation(lambda x: jnp.log(x[:, 0] * x[:, 1])).attribute(np.ones((1, 2)), -np.ones((1, 2)))


def test_under_noise_with_a_feature_mask(compilations):
    """The mask is an array among the options, and an equal one compiles nothing."""
    mask = np.arange(HEIGHT)[None, :, None] // 2 + np.zeros((CHANNEL, 1, WIDTH), int)

    def call(mask):
        tunnel = NoiseTunnel(FeatureAblation(linear))
        return tunnel.attribute(X, B, feature_mask=mask, stdevs=0.0, nt_samples=2)

    expected = FeatureAblation(linear).attribute(X, B, feature_mask=mask)
    np.testing.assert_allclose(call(mask), expected, **EXACT)
    assert compilations.since(lambda: call(mask.copy())) == 0
