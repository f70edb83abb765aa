"""The explorer widget, without a browser: set a control, see what is on display."""

import jax.numpy as jnp
import numpy as np
import pytest
import traitlets

import namedtensor as nt
from captum_lite import IntegratedGradients, Occlusion, Saliency
from captum_lite.widgets import AttributionExplorer

RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(size=(4, 6, 5)).astype(np.float32)
INNER, OUTER = (RNG.normal(size=s).astype(np.float32) for s in ((30, 8), (8, 3)))


def model(images):
    return jnp.tanh(images.reshape(len(images), -1) @ INNER) @ OUTER


def waited(explorer, timeout=60):
    explorer.wait(timeout)
    return explorer


def explored(*args, **kwargs) -> AttributionExplorer:
    return waited(AttributionExplorer(*args, **kwargs))


def change(explorer, **values) -> AttributionExplorer:
    for control, value in values.items():
        getattr(explorer, control).value = value
        explorer.wait(60)
    return explorer


def shown(explorer) -> np.ndarray:
    """The map as the browser has it."""
    plane = explorer.overlay.panels[0]["map"]
    numbers = np.frombuffer(explorer.overlay.numbers, np.float32)
    size = plane["height"] * plane["width"]
    return numbers[plane["offset"] : plane["offset"] + size].reshape(plane["height"], plane["width"])


@pytest.fixture
def explorer():
    return explored(model, IMAGES, labels=[0, 1, 2, 0])


# ---- what is asked


def test_shows_what_the_method_says(explorer):
    change(explorer, sample=2, target=1)
    expected = np.asarray(IntegratedGradients(model).attribute(IMAGES[2:3], target=1))
    np.testing.assert_array_equal(explorer.attribution.attributions, expected)
    np.testing.assert_array_equal(shown(explorer), expected[0])
    assert explorer.overlay.panels[0]["title"] == "integrated gradients, class 1"
    assert explorer.overlay.panels[0]["index"] == {"batch": 2}


def test_images_with_names():
    images = nt.tensor(IMAGES, "batch height width")
    inner = nt.tensor(INNER.reshape(6, 5, 8), "height width unit")
    outer = nt.tensor(OUTER, "unit class")

    def named(x):
        return x.dot("height width", inner).tanh().dot("unit", outer)

    explorer = explored(named, images, labels=nt.tensor([2, 1, 0, 1], "batch"), display=1 - images)
    change(explorer, method="saliency", sample=3)
    seen = int(model(IMAGES[3:]).argmax())
    assert explorer.target.value == seen
    assert "labelled class 1" in explorer.facts.value
    expected = np.asarray(Saliency(model).attribute(IMAGES[3:], target=seen))
    np.testing.assert_allclose(explorer.attribution.attributions.array, expected, rtol=1e-4)
    np.testing.assert_array_equal(shown(explorer), explorer.attribution.attributions.array[0])
    assert explorer.overlay.panels[0]["image"]["name"] == "display"


@pytest.mark.parametrize(
    ("control", "value"),
    [
        ("sample", 3),
        ("target", 2),
        ("method", "saliency"),
        ("method", "VarGrad"),
        ("method", "feature ablation"),
        ("steps", 3),
        ("baseline", "mean image"),
        ("baseline", "blurred"),
    ],
)
def test_every_control_asks_again(explorer, control, value):
    change(explorer, target=1)
    before, record = shown(explorer), explorer.attribution
    change(explorer, **{control: value})
    assert explorer.message.value == ""
    assert explorer.attribution is not record
    assert not np.array_equal(before, shown(explorer))


def test_the_same_question_is_not_asked_twice(explorer):
    record = explorer.attribution
    waited(explorer).ask()
    assert waited(explorer).attribution is record
    explorer.again.click()
    assert waited(explorer).attribution is not record


def test_a_new_sample_asks_about_the_predicted_class(explorer):
    change(explorer, target=0, sample=3)
    assert explorer.target.value == int(model(IMAGES[3:4]).argmax())
    explorer.sample.value = 1
    explorer.method.value = "saliency"  # at once, before the model has looked at the image
    assert waited(explorer).attribution.target == int(model(IMAGES[1:2]).argmax())


@pytest.mark.parametrize("names", [None, ["cat", "dog", "bird"]])
@pytest.mark.parametrize("target", [0, 1, 2])
def test_a_class_may_be_chosen_before_the_model_has_answered(target, names):
    explorer = AttributionExplorer(model, IMAGES, class_names=names)
    explorer.target.value = target
    assert waited(explorer).attribution.target == explorer.target.value == target


def test_of_quick_changes_the_last_is_answered(explorer):
    for target in (0, 1, 2, 0, 1):
        explorer.target.value = target
    record = waited(explorer).attribution
    assert (record.target, record.status) == (1, "finished")


def test_another_image_or_class_compiles_nothing(explorer, compilations):
    change(explorer, sample=1, target=0)
    assert compilations.since(lambda: change(explorer, sample=2, target=2, steps=31)) == 0


def test_controls_that_the_method_does_not_have_are_disabled(explorer):
    def disabled(method):
        change(explorer, method=method)
        return explorer.steps.disabled, explorer.baseline.disabled, explorer.square.disabled

    assert disabled("integrated gradients") == (False, False, True)
    assert disabled("saliency") == (True, True, True)
    assert disabled("SmoothGrad") == (False, True, True)
    assert disabled("occlusion") == (True, False, False)


def test_the_number_of_samples_is_the_methods_own(explorer):
    explorer.method.value = "LIME"
    assert (explorer.steps.value, explorer.steps.max) == (1024, 4096)
    explorer.method.value = "SmoothGrad"
    assert (explorer.steps.value, explorer.steps.max) == (20, 300)
    assert waited(explorer).attribution.evaluations["gradient"] == 20


def test_squares_of_pixels_are_taken_away_together(explorer):
    change(explorer, method="feature ablation", square=3)
    values = shown(explorer)
    for rows in (slice(0, 3), slice(3, 6)):
        for columns in (slice(0, 3), slice(3, 5)):
            assert np.ptp(values[rows, columns]) == 0
    assert np.ptp(values) > 0
    change(explorer, method="occlusion")
    expected = Occlusion(model).attribute(
        IMAGES[:1], target=explorer.target.value, sliding_window_shapes=(6, 5), strides=3
    )
    np.testing.assert_allclose(shown(explorer), np.asarray(expected)[0], rtol=1e-5)


# ---- streams, cancelling


@pytest.fixture
def every_picture(monkeypatch):
    """Pictures that follow each other fast are drawn too."""
    monkeypatch.setattr("namedtensor.widgets.job._PERIOD", 0)


def test_the_gap_falls_while_it_streams(explorer, every_picture):
    partial = []
    explorer.observe(lambda change: change["new"] and partial.append(change["new"].status), "attribution")
    change(explorer, steps=80)
    (gap,) = explorer.chart.series
    assert gap["x"] == [12 + 10 * k for k in range(8)]  # chunks of 10, and both ends
    assert gap["y"][-1] < gap["y"][0] / 100
    assert "Completeness gap while it ran. The gap is a lower bound" in explorer.caption.value
    assert (partial[0], partial[-1]) == ("partial", "finished")


def test_the_adaptive_method_has_an_honest_error(explorer):
    change(explorer, method="integrated gradients, adaptive", sample=1)
    record = explorer.attribution
    exact = np.asarray(IntegratedGradients(model).attribute(IMAGES[1:2], target=record.target, n_steps=300))
    true = np.abs(np.asarray(record.attributions) - exact).sum() / np.abs(exact).sum()
    assert record.status == "converged"
    assert true <= 2 * float(record.error[0]) <= 0.02
    assert "estimated error" in explorer.facts.value
    assert "converged to its tolerance" in explorer.facts.value


def test_cancel_keeps_the_partial_result_and_says_so(explorer, every_picture):
    explorer.observe(lambda change: change["new"] and explorer.cancel(), "attribution")
    change(explorer, steps=300)
    record = explorer.attribution
    assert record.status == "stopped"
    assert 0 < record.evaluations["gradient"] < 300
    assert "stopped after" in explorer.facts.value
    assert "a partial result" in explorer.facts.value
    assert not explorer.work.running
    np.testing.assert_array_equal(shown(explorer), np.asarray(record.attributions)[0])


# ---- facts


def test_the_gap_stands_beside_integrated_gradients(explorer):
    change(explorer, steps=3)
    gap = abs(float(explorer.attribution.convergence_delta[0]))
    assert f"{gap:.2e}" in explorer.facts.value
    assert "a lower bound on the error" in explorer.facts.value
    change(explorer, method="saliency")
    assert "gap" not in explorer.facts.value
    assert explorer.chart.series == []


@pytest.mark.parametrize(
    ("scores", "said"),
    [([0.1, 0.7, 0.2], "class 1, probability 0.700"), ([0.0, 3.0, 0.0], "class 1, score 3, softmax 0.909")],
)
def test_scores_are_probabilities_only_if_they_are(scores, said):
    explorer = explored(lambda x: x.mean((1, 2))[:, None] * 0 + jnp.array([scores]), IMAGES)
    assert said in explorer.facts.value


def test_the_selection_tells_its_share(explorer):
    change(explorer, method="saliency")
    sizes = np.abs(np.asarray(explorer.attribution.attributions)[0])
    explorer.overlay.selection = [1, 0, 4, 2]  # as the browser writes it
    assert explorer.selection == {"height": slice(1, 4), "width": slice(0, 2)}
    assert explorer.share() == pytest.approx(sizes[1:4, 0:2].sum() / sizes.sum(), rel=1e-5)
    assert "on 20 % of the pixels: height 1 to 3, width 0 to 1" in explorer.facts.value
    record = explorer.attribution
    explorer.selection = {"height": slice(-2, None), "width": slice(None)}
    assert explorer.overlay.selection == [4, 0, 6, 5]
    assert explorer.share() == pytest.approx(sizes[4:].sum() / sizes.sum(), rel=1e-5)
    assert explorer.attribution is record
    explorer.selection = None
    assert explorer.overlay.selection is None
    assert "selection" not in explorer.facts.value
    with pytest.raises(ValueError, match="brush a region"):
        explorer.share()


# ---- what goes wrong


def test_an_empty_selection_is_one_message_and_the_picture_stays(explorer):
    with pytest.raises((ValueError, traitlets.TraitError), match="the selection is empty"):
        explorer.selection = {"height": slice(3, 3), "width": slice(0, 2)}
    with pytest.raises((ValueError, traitlets.TraitError), match="give a slice for each"):
        explorer.selection = {"row": slice(0, 2)}
    explorer.overlay.selection = [2, 2, 2, 4]
    assert "the selection is empty" in explorer.message.value
    assert (explorer.selection, explorer.overlay.selection) == (None, None)
    assert explorer.overlay.panels
    explorer.overlay.selection = [2, 2, 3, 4]
    assert explorer.message.value == ""


def test_a_wrong_class_is_one_message_and_the_next_value_mends_it(explorer):
    change(explorer, target=12)
    assert "target 12 is out of range" in explorer.message.value
    assert explorer.message.value.count("role='alert'") == 1
    assert (explorer.overlay.panels, explorer.facts.value, explorer.chart.series) == ([], "", [])
    assert explorer.attribution is None
    with pytest.raises(ValueError, match="nothing to draw"):
        explorer.figure()
    change(explorer, target=2)
    assert explorer.message.value == ""
    assert explorer.overlay.panels


def test_a_model_that_raises_shows_its_message():
    def moody(images):
        if float(images[0, 0, 0]) == float(IMAGES[1, 0, 0]):
            raise RuntimeError("the model does not like this <image>")
        return model(images)

    explorer = explored(model, IMAGES)
    explorer._fun = moody
    explorer.sample.value = 1
    assert "the model does not like this &lt;image&gt;" in waited(explorer).message.value
    assert explorer.attribution is None


def test_attributions_that_are_not_finite_are_one_message():
    explorer = explored(lambda x: jnp.sqrt(x - x) @ OUTER[:5].repeat(1, 0), IMAGES[:, 0][:, None])
    assert "the function returned shape" in explorer.message.value
    explorer = explored(lambda x: jnp.sqrt(x - x).reshape(len(x), -1) @ INNER, IMAGES)
    assert "role='alert'" in explorer.message.value
    assert "finite" in explorer.message.value
    assert explorer.attribution is None


def test_names_of_classes_are_chosen_by_name():
    explorer = explored(model, IMAGES, class_names=["cat", "dog", "bird"])
    assert dict(explorer.target.options) == {"cat": 0, "dog": 1, "bird": 2}
    change(explorer, target=2)
    assert explorer.overlay.panels[0]["title"].endswith("bird")
    explorer = explored(model, IMAGES, class_names=["cat", "dog"])
    assert "the function returned 3 scores and there are 2 class_names" in explorer.message.value


@pytest.mark.parametrize(
    ("images", "more", "message"),
    [
        (np.zeros((3, 8)), {}, r"images have the shape \(3, 8\)"),
        (np.zeros((0, 8, 8)), {}, "the batch is empty"),
        (nt.zeros("batch:3 pixel:64"), {}, "expected 'batch height width'"),
        (4 * IMAGES - 2, {}, r"the images run from -\d.* say how to draw them, display="),
        (IMAGES, {"display": 2 * IMAGES}, "display runs from"),
        (IMAGES, {"display": IMAGES[:2]}, "there are 4 images and 2 in display"),
        (IMAGES, {"display": IMAGES[:, :3]}, r"display shows \(3, 5\) pixels"),
        (IMAGES, {"labels": [1, 2]}, r"labels of shape \(2,\)"),
        (IMAGES[:, None], {}, "channels come last"),
    ],
)
def test_what_is_no_images_is_refused(images, more, message):
    with pytest.raises(ValueError, match=message):
        AttributionExplorer(model, images, **more)


# ---- any image


def test_plain_arrays_with_colour():
    images = RNG.uniform(size=(3, 6, 5, 3)).astype(np.float32)
    weights = RNG.normal(size=(6 * 5 * 3, 4)).astype(np.float32)
    explorer = explored(lambda x: x.reshape(len(x), -1) @ weights, images)
    change(explorer, baseline="blurred")
    assert explorer.message.value == ""
    attributions = np.asarray(explorer.attribution.attributions)
    np.testing.assert_allclose(shown(explorer), attributions[0].sum(-1), rtol=1e-5, atol=1e-6)


def test_a_large_photograph_is_shown_in_squares_that_add_up(monkeypatch):
    monkeypatch.setattr("captum_lite.widgets._images.MOST_PIXELS", 100)
    image = RNG.uniform(size=(1, 13, 11, 3)).astype(np.float32)
    explorer = explored(lambda x: (x**2).sum((2, 3)), image)
    change(explorer, method="input x gradient")
    values = np.asarray(explorer.attribution.attributions)[0].sum(-1)
    assert shown(explorer).shape == (7, 6)
    row = explorer.target.value // 2
    np.testing.assert_allclose(shown(explorer)[row, 1], values[2 * row :][:2, 2:4].sum(), rtol=1e-5)
    np.testing.assert_allclose(shown(explorer)[row, 5], values[2 * row :][:2, 10].sum(), rtol=1e-5)
    assert explorer.overlay.coords["height"][:3] == [0, 2, 4]
    assert "squares of 2 x 2 pixels" in explorer.overlay.panels[0]["note"]
    explorer.overlay.selection = [0, 3, 7, 6]
    assert explorer.selection == {"height": slice(0, 13), "width": slice(6, 11)}
    assert explorer.share() == pytest.approx(values[:, 6:].sum() / values.sum(), rel=1e-4)
    explorer.selection = {"height": slice(0, 13), "width": slice(7, 11)}
    assert explorer.overlay.selection == [0, 3, 7, 6]
    assert explorer.selection["width"] == slice(6, 11)  # whole squares


# ---- figures


def test_the_figure_looks_as_the_widget_does(explorer):
    look = explorer.overlay
    look.opacity, look.clip, look.palette, look.threshold = 0.5, "none", "PRGn", 0.4
    look.zoom = [0.5, 0.0, 1.0, 0.6]
    figure = explorer.figure()
    values = np.asarray(explorer.attribution.attributions)[0]
    drawn = figure.axes[1].images[-1]
    top = np.abs(values).max()
    np.testing.assert_allclose(drawn.get_clim(), (-top, top), rtol=1e-6)
    np.testing.assert_allclose(drawn.get_array(), values, rtol=1e-5)
    np.testing.assert_array_equal(drawn.get_alpha(), 0.5 * (np.abs(values) >= 0.4 * top))
    assert drawn.get_cmap().name == "PRGn"
    assert figure.axes[0].get_ylim() == figure.axes[1].get_ylim() == (5.5, 2.5)
    assert figure.axes[1].get_xlim() == (-0.5, 2.5)
    look.sign = "negative"
    drawn = explorer.figure().axes[1].images[-1]
    np.testing.assert_allclose(drawn.get_array(), np.maximum(-values, 0), rtol=1e-5)
    assert drawn.get_cmap().name == "viridis"


def test_controls_have_names(explorer):
    controls = [explorer.target, explorer.method, explorer.baseline, explorer.square, explorer.again]
    assert all(c.description and c.tooltip for c in controls)
    assert (explorer.sample.label, explorer.steps.label) == ("sample", "steps")
    assert explorer.overlay.label
    assert "captum-lite-explorer" in explorer._dom_classes
