"""The method grid, without a browser: methods by images, with what each cost and how alike they are."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import spearmanr

import namedtensor as nt
from captum_lite import InputXGradient, IntegratedGradients, Saliency
from captum_lite.widgets import MethodGrid

RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(size=(3, 6, 5)).astype(np.float32)
INNER, OUTER = (RNG.normal(size=s).astype(np.float32) for s in ((30, 8), (8, 3)))
SEEN = [int(c) for c in np.argmax(np.tanh(IMAGES.reshape(3, -1) @ INNER) @ OUTER, 1)]


def model(images):
    return jnp.tanh(images.reshape(len(images), -1) @ INNER) @ OUTER


@dataclass(frozen=True)
class Failing(Saliency):
    """Raises on purpose."""

    def steps(self, problem, **options):
        raise RuntimeError("this method does not like <images>")


def made(*args, **kwargs) -> MethodGrid:
    grid = MethodGrid(model, *args, **kwargs)
    grid.wait(60)
    return grid


@pytest.fixture(scope="module")
def grid():
    return made(IMAGES, ["saliency", "input x gradient", "integrated_gradients"], labels=[0, 1, 2])


def shown(grid, row, column) -> np.ndarray:
    """The map of a cell as the browser has it."""
    (panel,) = [p for p in grid.overlay.panels if (p["row"], p["column"]) == (row, column)]
    plane, numbers = panel["map"], np.frombuffer(grid.overlay.numbers, np.float32)
    size = plane["height"] * plane["width"]
    return numbers[plane["offset"] : plane["offset"] + size].reshape(plane["height"], plane["width"])


def test_each_cell_is_what_its_method_says(grid):
    expected = {
        1: Saliency(model).attribute(IMAGES, target=SEEN),
        2: InputXGradient(model).attribute(IMAGES, target=SEEN),
        3: IntegratedGradients(model).attribute(IMAGES, target=SEEN, method="adaptive"),
    }
    for row, attributions in expected.items():
        for column in range(3):
            np.testing.assert_allclose(
                shown(grid, row, column), np.asarray(attributions)[column], rtol=1e-4, atol=1e-5
            )
    assert grid.overlay.rows == ["image", "saliency", "input x gradient", "integrated_gradients"]
    assert grid.overlay.columns == [f"for class {c}" for c in SEEN]
    assert grid.overlay.scale == "shared"
    assert {p["group"] for p in grid.overlay.panels if p["row"] == 1} == {"saliency"}
    assert [p["note"] for p in grid.overlay.panels if p["row"] == 0] == [
        f"labelled class {i}" for i in range(3)
    ]


def test_the_records_are_those_of_all_images(grid):
    record, whole = (
        grid.attributions["integrated_gradients"],
        IntegratedGradients(model).explain(IMAGES, target=SEEN),
    )
    assert list(grid.attributions) == ["saliency", "input x gradient", "integrated_gradients"]
    assert record.attributions.shape == whole.attributions.shape
    np.testing.assert_array_equal(record.target, SEEN)
    np.testing.assert_allclose(record.prediction, whole.prediction, rtol=1e-5)
    assert record.error.shape == record.convergence_delta.shape == (3,)
    assert record.error_map.shape == IMAGES.shape
    assert record.status == "converged"
    assert float(record.example(1).prediction[0]) == float(record.prediction[1])


def test_the_rank_correlation_is_spearmans(grid):
    assert grid.correlation.dims == ("method", "method'")
    maps = [np.abs(np.asarray(r.attributions)).reshape(3, -1) for r in grid.attributions.values()]
    expected = np.mean([spearmanr(np.stack([m[i] for m in maps]), axis=1).statistic for i in range(3)], 0)
    np.testing.assert_allclose(grid.correlation.array, expected, rtol=1e-5)
    assert "Rank correlation (Spearman) of the magnitudes" in grid.ranks.value
    assert f"{expected[0, 1]:.2f}<div" in grid.ranks.value


def test_signed_ranks_and_ties():
    images = np.round(IMAGES, 1)
    grid = made(images, ["saliency", "input x gradient"], ranks_of="all", targets=1)
    maps = [np.asarray(r.attributions).reshape(3, -1) for r in grid.attributions.values()]
    expected = np.mean([spearmanr(maps[0][i], maps[1][i]).statistic for i in range(3)])
    assert float(grid.correlation.array[0, 1]) == pytest.approx(expected, rel=1e-5)
    assert grid.overlay.columns == ["for class 1"] * 3


def test_time_and_gap_stand_below_each_picture(grid):
    notes = {(p["row"], p["column"]): p["note"] for p in grid.overlay.panels}
    assert notes[1, 0].endswith("s (first call)")
    assert "gap" not in notes[1, 1]
    gaps = np.asarray(grid.attributions["integrated_gradients"].gap)
    assert f"gap {float(f'{100 * gaps[2]:.2g}'):g} %" in notes[3, 2]
    assert "largest gap" in grid.summary.value
    assert "A gap is a lower bound on the error" in grid.summary.value


def test_a_method_that_raises_says_so_in_its_row_and_the_others_go_on():
    methods = {"good": Saliency(model), "bad": Failing(model), "other": (InputXGradient(model), {})}
    grid = made(IMAGES, methods)
    assert grid.overlay.remarks == {"2": "this method does not like <images>"}
    assert {p["row"] for p in grid.overlay.panels} == {0, 1, 3}
    assert list(grid.attributions) == ["good", "other"]
    assert grid.correlation.shape == {"method": 2, "method'": 2}
    assert grid.message.value == ""
    assert ">failed<" in grid.summary.value


def test_a_map_that_is_the_same_everywhere_has_no_ranks():
    grid = made(
        IMAGES,
        {"zero": (IntegratedGradients(lambda x: x.sum((1, 2))[:, None] * 0), {"n_steps": 2})},
        targets=0,
    )
    assert np.isnan(grid.correlation.array).all()
    grid.figure()


def test_cancel_keeps_the_finished_methods(monkeypatch):
    monkeypatch.setattr("namedtensor.widgets.job._PERIOD", 0)
    grid = MethodGrid(model, IMAGES, ["saliency", "input x gradient", "SmoothGrad"], targets=0)
    grid.observe(lambda change: len(change["new"]) == 2 and grid.cancel(), "attributions")
    grid.run()
    grid.wait(60)
    assert list(grid.attributions) == ["saliency", "input x gradient"]
    assert not grid.work.running
    assert grid.correlation.shape == {"method": 2, "method'": 2}
    assert {p["row"] for p in grid.overlay.panels} == {0, 1, 2}


def test_a_method_that_was_stopped_is_not_among_the_results(monkeypatch):
    monkeypatch.setattr("namedtensor.widgets.job._PERIOD", 0)
    grid = MethodGrid(model, IMAGES, {"IG": (IntegratedGradients(model), {"n_steps": 200})}, targets=0)
    grid.work.observe(lambda change: change["new"] > 0 and grid.cancel(), "fraction")
    grid.run()
    grid.wait(60)
    assert grid.attributions == {}
    assert "1 of 3, not finished" in grid.summary.value
    assert [p["note"].startswith("stopped") for p in grid.overlay.panels if p["row"] == 1] == [True]
    with pytest.raises(ValueError, match="no method has finished"):
        grid.figure()


def test_the_model_that_raises_is_one_message():
    def broken(images):
        raise RuntimeError("no model here")

    grid = MethodGrid(broken, IMAGES, ["saliency"])
    grid.wait(60)
    assert "no model here" in grid.message.value
    assert (grid.overlay.panels, grid.attributions) == ([], {})


def test_named_images_and_a_baseline_for_each():
    images = nt.tensor(IMAGES, "batch height width")
    inner, outer = nt.tensor(INNER.reshape(6, 5, 8), "height width unit"), nt.tensor(OUTER, "unit class")

    def named(x):
        return x.dot("height width", inner).tanh().dot("unit", outer)

    baseline = 1 - images
    grid = MethodGrid(named, images, ["input x gradient", "integrated gradients"], baseline=baseline)
    grid.wait(60)
    record = grid.attributions["integrated gradients"]
    assert record.attributions.dims == ("batch", "height", "width")
    np.testing.assert_array_equal(record.baselines.array, baseline.array)


@pytest.mark.parametrize(
    ("images", "more", "message"),
    [
        (np.repeat(IMAGES, 6, 0), {}, "there are 18 images, and a grid shows 16 side by side at most"),
        (IMAGES, {"methods": []}, "there are no methods"),
        (IMAGES, {"methods": ["salience"]}, "there is no method 'salience'"),
        (IMAGES, {"targets": [1, 2]}, "give the number of a class for all 3 images, or one for each"),
        (IMAGES, {"targets": "dog"}, "give the number of a class"),
        (IMAGES, {"ranks_of": "size"}, "rank the 'absolute_value' of attributions, or 'all'"),
    ],
)
def test_what_cannot_be_shown_is_refused(images, more, message):
    with pytest.raises(ValueError, match=message):
        MethodGrid(model, images, **more)


def test_a_class_is_no_method():
    with pytest.raises(TypeError, match=r"give a method of a function, Saliency\(fun\)"):
        MethodGrid(model, IMAGES, {"saliency": Saliency})


def test_the_figure_looks_as_the_widget_does(grid):
    grid.overlay.clip, grid.overlay.palette, grid.overlay.zoom = "none", "PuOr_r", [0.0, 0.2, 0.5, 1.0]
    figure = grid.figure()
    values = np.asarray(grid.attributions["input x gradient"].attributions)
    drawn = figure.axes[2 * 3 + 1].images[-1]
    np.testing.assert_allclose(drawn.get_array(), values[1], rtol=1e-5)
    np.testing.assert_allclose(drawn.get_clim(), np.abs(values).max() * np.array([-1, 1]), rtol=1e-6)
    assert drawn.get_cmap().name == "PuOr_r"
    assert {ax.get_ylim() for ax in figure.axes[:12]} == {(2.5, -0.5)}
    grid.overlay.scale = "each"
    drawn = grid.figure().axes[2 * 3 + 1].images[-1]
    np.testing.assert_allclose(drawn.get_clim(), np.abs(values[1]).max() * np.array([-1, 1]), rtol=1e-6)
