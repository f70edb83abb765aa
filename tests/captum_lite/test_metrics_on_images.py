"""Deletion and insertion curves and the metrics that know where the object is, by hand and in literal NumPy."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import namedtensor as nt
from captum_lite import Saliency
from captum_lite.metrics import (
    deletion,
    energy_pointing_game,
    insertion,
    pointing_game,
    relevance_mass,
    relevance_rank,
)
from captum_lite.metrics.pointing_game import POOLINGS

RNG = np.random.default_rng(12)
EXACT = {"rtol": 1e-10, "atol": 1e-12}
X, B, A = RNG.normal(size=(3, 2, 3, 4))  # [batch, height, width]
W = RNG.normal(size=(3, 4))


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def linear(x: Any) -> Any:
    return jnp.einsum("bhw,hw->b", x, W)


def curved(x: Any) -> Any:
    """Logits ``[batch, class:2]``."""
    return jnp.stack([jnp.tanh(x).sum((1, 2)) ** 2, jnp.einsum("bhw,hw->b", jnp.exp(x / 3), W)], 1)


def named(dims: str, value: Any, order: str | None = None) -> nt.NamedTensor:
    x = nt.tensor(value, dims)
    return x if order is None else nt.tensor(x.to_array(order), order)


# deletion and insertion


def literal_curve(f, x, b, a, counts, *, inserts=False):
    """One example at a time, one feature at a time."""
    rows = []
    for one, base, map_ in zip(x, b, a, strict=True):
        order = np.argsort(-map_.ravel(), kind="stable")
        row = []
        for n in counts:
            now, then = (base, one) if inserts else (one, base)
            state = now.ravel().copy()
            state[order[:n]] = then.ravel()[order[:n]]
            row.append(f(state.reshape(1, *one.shape))[0])
        rows.append(row)
    return np.array(rows).T


@pytest.mark.parametrize(
    ("curve", "inserts"), [(deletion, False), (insertion, True)], ids=["deletion", "insertion"]
)
def test_curves_of_one_number_at_a_time(curve, inserts):
    fractions, scores, auc = curve(curved, X, A, B, 1, steps=12)
    expected = literal_curve(lambda x: curved(x)[:, 1], X, B, A, range(13), inserts=inserts)
    np.testing.assert_allclose(fractions, np.arange(13) / 12, **EXACT)
    np.testing.assert_allclose(scores, expected, **EXACT)
    np.testing.assert_allclose(auc, np.trapezoid(expected, np.arange(13) / 12, axis=0), **EXACT)
    ends = (B, X) if inserts else (X, B)
    np.testing.assert_allclose(scores[jnp.array([0, -1])], [curved(v)[:, 1] for v in ends], **EXACT)


def test_deletion_of_a_linear_function_by_its_own_attributions():
    """The area is the sum over features of the sorted attribution times the time until it is gone."""
    a = (X - B) * W
    n = a[0].size
    found = deletion(linear, X, a, B, steps=n)
    ranked = -np.sort(-a.reshape(2, n), axis=1)
    expected = linear(B) + (ranked * (np.arange(n) + 0.5) / n).sum(1)
    np.testing.assert_allclose(found.auc, expected, **EXACT)
    both = found.auc + insertion(linear, X, a, B, steps=n).auc
    np.testing.assert_allclose(both, linear(X) + linear(B), **EXACT)


def test_no_order_deletes_a_linear_function_faster_than_its_attributions():
    a = (X - B) * W
    best = deletion(linear, X, a, B).auc
    worst = deletion(linear, X, a, B, least_first=True).auc
    for _ in range(5):
        other = deletion(linear, X, RNG.normal(size=X.shape), B).auc
        assert ((best < other) & (other < worst)).all()


def test_whole_pixels_by_name_and_by_axis():
    x, b, a = RNG.normal(size=(3, 2, 3, 4, 5))

    def plain(x):
        return jnp.tanh(x).sum((1, 2, 3))

    order = np.argsort(-a.sum(-1).reshape(2, 12), axis=1)
    expected = []
    for n in (0, 3, 6, 9, 12):
        state = x.reshape(2, 12, 5).copy()
        for i in range(2):
            state[i, order[i, :n]] = b.reshape(2, 12, 5)[i, order[i, :n]]
        expected.append(plain(state.reshape(x.shape)))
    found = deletion(plain, x, a, b, over=(1, 2), steps=4)
    np.testing.assert_allclose(found.scores, expected, **EXACT)
    dims = "batch height width channel"
    with_names = deletion(
        lambda x: x.tanh().sum("height width channel"),
        named(dims, x, "channel width batch height"),
        named(dims, a, "height batch channel width"),
        named(dims, b),
        over="height width",
        steps=4,
    )
    np.testing.assert_allclose(with_names.scores, expected, **EXACT)


def test_steps_are_a_number_or_fractions():
    found = deletion(curved, X, A, B, 0, steps=[0, 0.1, 0.5])
    np.testing.assert_allclose(found.fractions, [0, 1 / 12, 0.5], **EXACT)
    whole = deletion(curved, X, A, B, 0, steps=12)
    np.testing.assert_allclose(found.scores, whole.scores[jnp.array([0, 1, 6])], **EXACT)
    assert deletion(curved, X, A, B, 0).fractions.shape == (21,)


def test_equal_attributions_go_in_storage_order():
    found = deletion(linear, X, 0 * A, B, steps=12)
    np.testing.assert_allclose(found.scores, literal_curve(linear, X, B, 0 * A, range(13)), **EXACT)


def test_features_of_several_inputs_are_ranked_together():
    def split(x, y):
        return curved(jnp.concatenate([x, y], 1))

    x, b, a = ((v[:, :1], v[:, 1:]) for v in (X, B, A))
    found = insertion(split, x, a, b, 1, steps=12)
    np.testing.assert_allclose(found.scores, insertion(curved, X, A, B, 1, steps=12).scores, **EXACT)


def test_curves_take_records_batches_and_jit():
    record = Saliency(curved).explain(X, target=1)
    expected = deletion(curved, X, record.attributions, B, 1)
    np.testing.assert_allclose(deletion(curved, X, record, B, 1).auc, expected.auc, **EXACT)
    few = deletion(curved, X, record, B, 1, internal_batch_size=8)
    np.testing.assert_allclose(few.scores, expected.scores, **EXACT)
    traced = jax.jit(lambda x, a: deletion(curved, x, a, B, 1).auc)(X, record.attributions)
    np.testing.assert_allclose(traced, expected.auc, **EXACT)


def test_the_curve_of_an_example_does_not_depend_on_the_rest_of_the_batch():
    x, a = (np.concatenate([v[:1], RNG.normal(size=(1, 3, 4))]) for v in (X, A))
    found = deletion(curved, x, a, B, [1, 0])
    np.testing.assert_allclose(found.auc[0], deletion(curved, X, A, B, [1, 1]).auc[0], **EXACT)


def weighted(w: Any, x: Any) -> Any:
    return jnp.einsum("bhw,hw->b", x, w)


def test_another_curve_compiles_nothing(compilations):
    w = jnp.asarray(W)

    def run(shift):
        f = functools.partial(weighted, w + shift)
        deletion(f, X, A + shift, B)
        insertion(f, X, A + shift, B, steps=np.linspace(0, 0.5, 21))

    run(0.0)
    assert compilations.since(lambda: run(1.0)) == 0


CURVE_ERRORS = {
    "no steps": ({"steps": 0}, "steps=0: give at least one step"),
    "falling": ({"steps": [0.5, 0.1]}, "fractions from 0 to 1 in rising order"),
    "percent": ({"steps": [0, 50]}, "fractions from 0 to 1 in rising order"),
    "axis": ({"over": (1, 3)}, "over=3 is no axis of an array of 3 axes: give 1 to 2"),
    "batch": ({"over": 0}, "over=0 is no axis"),
    "twice": ({"over": (1, -2)}, "give each dim or axis once"),
    "shape": ({"attributions": A[:, :2]}, r"attribution 0 is f64\[2, 2, 4\] and its input is f64\[2, 3, 4\]"),
}


@pytest.mark.parametrize(("given", "text"), CURVE_ERRORS.values(), ids=CURVE_ERRORS)
def test_curve_errors(given, text):
    with pytest.raises(ValueError, match=text):
        deletion(linear, X, **{"attributions": A, **given})


# where the object is

MAPS = RNG.normal(size=(6, 5, 7, 3))
MASKS = RNG.random((6, 5, 7)) < 0.2
MASKS[:, 2, 2] = True


def test_pointing_game_by_hand():
    """The maximum is at (1, 5); the object is the square of (3, 2) to (4, 3): 2 down and 2 to the left."""
    heat, mask = np.zeros((1, 5, 7)), np.zeros((1, 5, 7), bool)
    heat[0, 1, 5], mask[0, 3:, 2:4] = 1, True
    for tolerance, hit in [(0, False), (2, False), (2.8, False), (2.83, True), (5, True)]:
        assert bool(pointing_game(heat, mask, tolerance=tolerance)[0]) == hit
    assert bool(pointing_game(mask * 1.0, mask)[0])


@pytest.mark.parametrize("tolerance", [0, 1, 1.5])
def test_pointing_game_pixel_by_pixel(tolerance):
    expected = []
    for heat, mask in zip(MAPS.sum(-1), MASKS, strict=True):
        top = np.unravel_index(heat.argmax(), heat.shape)
        expected.append(min(np.linalg.norm(p - top) for p in np.argwhere(mask)) <= tolerance)
    np.testing.assert_array_equal(pointing_game(MAPS, MASKS, tolerance=tolerance), expected)
    assert sum(expected) > 0


def test_a_map_that_is_the_same_everywhere_points_nowhere():
    assert not pointing_game(np.ones((2, 3, 4)), np.ones((2, 3, 4), bool)).any()


@pytest.mark.parametrize("pooling", POOLINGS)
def test_relevance_mass_and_rank(pooling):
    literal = {
        "sum,pos": lambda r: max(sum(r), 0),
        "pos,sum": lambda r: sum(v for v in r if v > 0),
        "sum,abs": lambda r: abs(sum(r)),
        "l1-norm": lambda r: sum(map(abs, r)),
        "l2-norm": lambda r: sum(v * v for v in r) ** 0.5,
        "l2-norm,sq": lambda r: sum(v * v for v in r),
        "max-norm": lambda r: max(map(abs, r)),
    }[pooling]
    mass, rank = [], []
    for heat, mask in zip(MAPS, MASKS, strict=True):
        pooled = np.array([[literal(r) for r in row] for row in heat])
        mass.append(pooled[mask].sum() / pooled.sum())
        top = np.argsort(-pooled.ravel(), kind="stable")[: mask.sum()]
        rank.append((mask.ravel()[top] & (pooled.ravel()[top] > 0)).sum() / mask.sum())
    np.testing.assert_allclose(relevance_mass(MAPS, MASKS, pooling=pooling), mass, **EXACT)
    np.testing.assert_allclose(relevance_rank(MAPS, MASKS, pooling=pooling), rank, **EXACT)


def test_energy_is_that_of_the_bounding_box():
    positive, expected = np.maximum(MAPS.sum(-1), 0), []
    for heat, mask in zip(positive, MASKS, strict=True):
        rows, columns = np.argwhere(mask).T
        box = heat[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        expected.append(box.sum() / heat.sum())
    np.testing.assert_allclose(energy_pointing_game(MAPS, MASKS), expected, **EXACT)
    whole = np.ones((6, 5, 7))
    np.testing.assert_allclose(energy_pointing_game(MAPS, whole), 1, **EXACT)


@pytest.mark.parametrize("metric", [pointing_game, relevance_mass, relevance_rank, energy_pointing_game])
def test_places_have_names_or_axes(metric):
    expected = metric(MAPS, MASKS)
    maps = named("batch height width channel", MAPS, "channel width height batch")
    masks = named("batch height width", MASKS, "width batch height")
    np.testing.assert_allclose(metric(maps, masks), expected, **EXACT)
    np.testing.assert_allclose(
        metric(maps.rename(height="row"), masks.rename(height="row"), over="row width"), expected
    )
    np.testing.assert_allclose(metric(MAPS.transpose(0, 3, 1, 2), MASKS, over=(2, 3)), expected, **EXACT)
    np.testing.assert_allclose(jax.jit(metric)(MAPS, MASKS), expected, **EXACT)
    assert not float(metric(0 * MAPS, MASKS).sum())


def test_a_series_has_places_of_one_dim():
    found = relevance_mass(np.array([[1.0, 2, 5]]), np.array([[0, 1, 1]]), over=1)
    np.testing.assert_allclose(found, 7 / 8, **EXACT)


PLACE_ERRORS = {
    "mask's shape": (
        lambda: pointing_game(MAPS, MASKS[:, :2]),
        r"masks is bool\[6, 2, 7\]: give \[6, 5, 7\], one an example",
    ),
    "mask's names": (
        lambda: pointing_game(named("batch height width channel", MAPS), MASKS),
        r"masks is bool\[6, 5, 7\]: give \[batch:6, height:5, width:7\]",
    ),
    "no object": (lambda: relevance_mass(MAPS, 0 * MASKS), "the mask of example 0 is empty"),
    "no image": (
        lambda: pointing_game(named("batch row width", MASKS * 1.0), MASKS),
        "over='height': there is no dim 'height': there are 'row width'",
    ),
    "pooling": (lambda: relevance_mass(MAPS, MASKS, pooling="sum"), "pooling='sum' is not known: choose one of 'sum,pos'"),
    "tolerance": (lambda: pointing_game(MAPS, MASKS, tolerance=-1), "tolerance=-1"),
    "two inputs": (lambda: pointing_game((MAPS, MAPS), MASKS), "attributions of 2 inputs"),
}  # fmt: skip


@pytest.mark.parametrize(("call", "text"), PLACE_ERRORS.values(), ids=PLACE_ERRORS)
def test_place_errors(call, text):
    with pytest.raises(ValueError, match=text):
        call()
