"""The brush: what is covered, what the model says then, the curves of an erasure; and in a real browser."""

import dataclasses
import re
import threading

import jax.numpy as jnp
import numpy as np
import pytest
import traitlets
from scipy.ndimage import gaussian_filter

import namedtensor as nt
from captum_lite import InputXGradient
from captum_lite.widgets import PerturbationBrush
from captum_lite.widgets._brush_work import Asked
from captum_lite.widgets._images import samples
from captum_lite.widgets._occlusion import as_shown, magnified, shrunk
from tests.widgets import in_browser, messages, named_controls, opened, settled, unreadable

RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(size=(3, 4, 6)).astype(np.float32)
WEIGHTS = RNG.normal(size=(4, 6, 3)).astype(np.float32)
METHOD = "input x gradient"  # of a linear function it is the share of each pixel


def linear(images):
    return jnp.einsum("bhw,hwc->bc", images, WEIGHTS)


def named_linear(images):
    return images.dot("height width", nt.tensor(WEIGHTS, "height width class"))


def scores(image):
    return np.einsum("hw,hwc->c", image, WEIGHTS)


def made(fun=linear, images=IMAGES, **how):
    return PerturbationBrush(fun, images, **({"method": METHOD} | how))


def ran(brush):
    brush.wait(60)
    return brush


def covered(*places):
    mask = np.zeros((4, 6), bool)
    for place in places:
        mask[place] = True
    return mask


def bars(brush):
    return {one["name"]: one["y"] for one in brush.bars.series}


def mask_of(brush):
    return np.asarray(getattr(brush.mask, "array", brush.mask))


# ---- painting


@pytest.mark.parametrize(
    ("fun", "images"),
    [
        (linear, IMAGES),
        (named_linear, nt.tensor(IMAGES, "batch height width")),
        (named_linear, nt.tensor(IMAGES, "batch height width").order("width batch height")),
        (lambda x: linear(x[..., 0]), IMAGES[..., None]),
    ],
    ids=["plain", "named", "named, in another order", "channel"],
)
def test_what_is_painted_is_taken_from_the_image(fun, images):
    brush = made(fun, images)
    brush.overlay.mask = covered((1, 2), (3, 5)).astype(np.uint8).tobytes()
    assert brush.message.value == ""
    np.testing.assert_array_equal(mask_of(brush), covered((1, 2), (3, 5)))
    assert nt.is_named(brush.mask) == nt.is_named(images)
    expected = scores(np.where(covered((1, 2), (3, 5)), 0, IMAGES[0]))
    np.testing.assert_allclose(bars(brush)["whole image"], scores(IMAGES[0]), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(bars(brush)["covered"], expected, rtol=1e-4, atol=1e-5)


def test_the_browser_sends_its_bytes_as_a_view():
    brush = made()
    brush.overlay.set_state({"mask": memoryview(covered((0, 0)).astype(np.uint8).tobytes())})
    np.testing.assert_array_equal(brush.mask, covered((0, 0)))


FILLINGS = {
    "zero": 0 * IMAGES[0],
    "mean colour": np.full_like(IMAGES[0], IMAGES[0].mean()),
    "mean image": IMAGES.mean(0),
    "blurred": gaussian_filter(IMAGES[0], 1.5, mode="nearest"),
}


@pytest.mark.parametrize("filling", FILLINGS)
def test_the_filling_stands_where_the_image_is_covered(filling):
    brush = made()
    assert list(brush.filling.options) == list(FILLINGS)
    brush.filling.value = filling
    brush.mask = covered((1, 2), (0, 0))
    expected = scores(np.where(brush.mask, FILLINGS[filling], IMAGES[0]))
    np.testing.assert_allclose(bars(brush)["covered"], expected, rtol=1e-4, atol=1e-5)


def test_nothing_covered_is_said_and_has_no_second_bars():
    brush = made()
    assert list(bars(brush)) == ["whole image"]
    assert "nothing yet: paint on the image" in brush.facts.value
    brush.mask = covered((0, 0))
    assert "1 of 24 pixels (4.2%)" in brush.facts.value
    brush.uncover()
    assert list(bars(brush)) == ["whole image"]
    assert not any(brush.overlay.mask)


def test_a_new_sample_begins_anew_with_the_class_that_the_model_sees():
    brush = made()
    brush.mask = covered((0, 0))
    brush.sample.value = 2
    assert not brush.mask.any()
    assert brush.target.value == scores(IMAGES[2]).argmax()
    np.testing.assert_allclose(bars(brush)["whole image"], scores(IMAGES[2]), rtol=1e-4, atol=1e-5)


# ---- what is drawn


@pytest.mark.parametrize(
    ("display", "expected"),
    [(None, 0), (1 - IMAGES, 1), ((0.25 + IMAGES / 2), 0.25)],
    ids=["as it is", "ink on paper", "scaled"],
)
def test_the_covered_image_is_drawn_as_the_images_are(display, expected):
    them = samples(IMAGES, None, None, display)
    changed = np.where(covered((1, 2)), 0, IMAGES[0])[None]
    drawn = as_shown(them, 0, changed)
    assert drawn[1, 2] == pytest.approx(expected, abs=1e-5)
    np.testing.assert_allclose(drawn[~covered((1, 2))], them.picture(0)[~covered((1, 2))], atol=1e-5)


def test_a_display_of_other_numbers_shows_what_the_model_gets():
    drawn = as_shown(samples(IMAGES, None, None, IMAGES**2), 0, IMAGES[:1])
    low, high = IMAGES[0].min(), IMAGES[0].max()
    np.testing.assert_allclose(drawn, (IMAGES[0] - low) / (high - low), atol=1e-5)


def test_a_mask_of_squares_of_pixels():
    them = dataclasses.replace(samples(IMAGES[:, :3, :5], None, None, None), shrink=2)
    shown = np.array([[True, False, False], [False, False, True]])
    expected = np.array([[1, 1, 0, 0, 0], [1, 1, 0, 0, 0], [0, 0, 0, 0, 1]], bool)
    np.testing.assert_array_equal(magnified(shown, them), expected)
    np.testing.assert_array_equal(shrunk(expected, them), shown)


# ---- erasing by attribution


@pytest.mark.parametrize("percent", [0, 25, 100])
def test_the_top_of_an_attribution_is_erased(percent):
    brush = made()
    brush.erase(percent)
    ran(brush)
    shares = (IMAGES[0] * WEIGHTS[..., brush.target.value]).ravel()
    largest = np.argsort(-shares)[: round(percent / 100 * 24)]
    assert set(np.flatnonzero(brush.mask)) == set(largest)
    assert brush.message.value == ""


def test_curves_asked_for_meanwhile_do_not_forget_to_erase():
    brush = made()
    brush.erase(25)
    brush.draw_curves()
    ran(brush)
    assert brush.mask.sum() == 6
    assert set(brush.curve) == {"deletion", "insertion", "random deletion"}


def test_once_known_the_slider_answers_at_once():
    brush = made()
    brush.erase(25)
    job = ran(brush)._job
    brush.top.value = 50
    assert brush._job is job
    assert brush.mask.sum() == 12


def test_attributions_of_the_users_own():
    own = -IMAGES
    brush = made(attributions={"mine": own}, method=None)
    assert brush.method.value == "mine"
    brush.sample.value = 1
    brush.erase(50)
    assert set(np.flatnonzero(ran(brush).mask)) == set(np.argsort(IMAGES[1].ravel())[:12])
    record = InputXGradient(linear).explain(IMAGES, target=0)
    by_record = made(attributions={"mine": record}, method="mine")
    by_record.erase(25)
    shares = (IMAGES[0] * WEIGHTS[..., 0]).ravel()
    assert set(np.flatnonzero(ran(by_record).mask)) == set(np.argsort(-shares)[:6])


@pytest.mark.parametrize(
    ("fun", "images"), [(linear, IMAGES), (named_linear, nt.tensor(IMAGES, "batch height width"))]
)
def test_the_curves_of_a_linear_function_are_sums_of_its_shares(fun, images):
    brush = made(fun, images)
    brush.score.value = "score"
    brush.draw_curves()
    ran(brush)
    assert brush.message.value == ""
    shares = np.sort((IMAGES[0] * WEIGHTS[..., brush.target.value]).ravel())[::-1]
    counts = np.round(np.asarray(brush.curve["deletion"].fractions) * 24).astype(int)
    gone = np.array([shares[:n].sum() for n in counts])
    np.testing.assert_allclose(
        brush.curve["deletion"].scores[:, 0], shares.sum() - gone, rtol=1e-3, atol=1e-5
    )
    np.testing.assert_allclose(brush.curve["insertion"].scores[:, 0], gone, rtol=1e-3, atol=1e-5)
    area = np.trapezoid(shares.sum() - gone, counts / 24)
    np.testing.assert_allclose(brush.curve["deletion"].auc, [area], rtol=1e-3)
    random = np.asarray(brush.curve["random deletion"].scores)
    assert random.shape == (21, 8)
    np.testing.assert_allclose(random[[0, -1]], [[shares.sum()] * 8, [0] * 8], rtol=1e-3, atol=1e-5)
    assert len(np.unique(random[10])) == 8
    assert [one["name"].split(":")[0] for one in brush.lines.series] == [
        "deletion", "insertion", "random deletion, mean of 8 orders",
    ]  # fmt: skip


def test_the_curve_is_of_the_softmax_and_the_cover_stands_in_it():
    brush = made()
    brush.mask = covered((0, 0), (1, 1), (2, 2))
    brush.draw_curves()
    ran(brush)
    target = brush.target.value
    odds = np.exp(scores(IMAGES[0]))
    np.testing.assert_allclose(brush.curve["deletion"].scores[0], odds[target] / odds.sum(), rtol=1e-4)
    odds = np.exp(scores(np.where(brush.mask, 0, IMAGES[0])))
    here = brush.lines.series[-1]
    assert here["name"] == "the cover now"
    np.testing.assert_allclose([here["x"], here["y"]], [[12.5], [odds[target] / odds.sum()]], rtol=1e-4)
    assert "area under the curve" in brush.facts.value


def test_probabilities_are_not_brought_to_one_scale_twice():
    def probabilities(images):
        return jnp.stack([images.mean((1, 2)), 1 - images.mean((1, 2))], axis=1)

    brush = made(probabilities)
    brush.draw_curves()
    ran(brush)
    expected = max(IMAGES[0].mean(), 1 - IMAGES[0].mean())
    np.testing.assert_allclose(brush.curve["deletion"].scores[0, 0], expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("control", "value"), [("sample", 1), ("target", 1), ("filling", "mean image"), ("score", "score"), ("method", "saliency")]
)  # fmt: skip
def test_another_question_forgets_the_curves(control, value):
    brush = made()
    brush.target.value = 0
    brush.draw_curves()
    old = ran(brush)._asked()
    curves = brush.curve
    assert curves
    getattr(brush, control).value = value
    assert brush.curve == {}
    assert brush.lines.series == []
    if control != "score":  # an answer that comes late is to a question that nobody asks any more
        brush._show_curves(old, curves)
        assert brush.curve == {}


@pytest.mark.parametrize(("control", "value"), [("sample", 1), ("target", 1), ("filling", "blurred")])
def test_another_question_ends_the_work_on_the_last_one(control, value):
    brush, told = made(), []
    brush.target.value = 0
    brush.start(lambda job: told.append(job.cancel.wait(30)))
    getattr(brush, control).value = value
    ran(brush)
    assert told == [True]


class Stopping:
    """A job that is cancelled when it has shown something."""

    def __init__(self):
        self.cancel, self.done = threading.Event(), []

    def report(self, fraction):
        self.done.append(fraction)

    def show(self, draw):
        draw()
        self.cancel.set()


def test_cancelled_curves_stay_as_far_as_they_are():
    brush, job = made(), Stopping()
    brush._measure(brush._asked(), True, job)
    assert list(brush.curve) == ["deletion"]
    assert 0 < brush.curve["deletion"].fractions[-1] < 1
    assert "not whole" in brush.facts.value
    assert job.done[-1] < 1


def test_a_cancelled_attribution_erases_nothing():
    brush, job = made(), Stopping()
    job.cancel.set()
    brush._explain_and_erase(brush._asked(), job)
    assert not brush.mask.any()
    assert brush._explanations.known(brush._asked()) is None


# ---- bad input


def alert(brush):
    found = re.findall(r"<div role='alert'[^>]*>(.*?)</div>", brush.message.value)
    return found[0] if len(found) == 1 else brush.message.value


def test_a_class_that_does_not_exist_is_one_message():
    brush = made()
    brush.mask = covered((0, 0))
    brush.target.value = 7
    assert alert(brush) == "target 7 is out of range: there are 3 classes, 0 to 2."
    assert brush.bars.series == brush.lines.series == brush.seen.panels == []
    with pytest.raises(ValueError, match="nothing to draw"):
        brush.figure()
    brush.target.value = 1
    assert brush.message.value == ""
    assert len(brush.bars.series) == 2


def test_a_model_that_raises_is_one_message():
    def moody(images):
        if float(images[0, 0, 0]) == 0:
            raise RuntimeError("not without my <corner>")
        return linear(images)

    brush = made(moody)
    brush.mask = covered((0, 0))
    assert alert(brush) == "not without my &lt;corner&gt;"
    assert brush.bars.series == []
    brush.uncover()
    assert brush.message.value == ""
    broken = made(lambda images: images)
    assert "the function returned shape (1, 4, 6) for one image" in alert(broken)


BAD_ATTRIBUTIONS = {
    "NaN": (np.where(IMAGES[0, 1, 1] == IMAGES, np.nan, IMAGES), "not finite"),
    "other images": (IMAGES[:2], "attributions of 2 images, and there are 3"),
    "other sizes": (IMAGES[:, :2], "has attributions f32[1, 2, 6], and an image is f32[1, 4, 6]"),
}


@pytest.mark.parametrize(("given", "message"), BAD_ATTRIBUTIONS.values(), ids=BAD_ATTRIBUTIONS)
@pytest.mark.parametrize("ask", ["erase", "draw_curves"])
def test_attributions_that_do_not_fit_are_one_message(given, message, ask):
    brush = made(attributions={"mine": given}, method="mine")
    getattr(brush, ask)()
    ran(brush)
    assert message in alert(brush)
    assert not brush.mask.any()
    assert brush.curve == {}
    assert brush.bars.series != []  # what the model said of the image still holds
    brush.method.value = METHOD
    brush.erase(25)
    assert ran(brush).message.value == ""


def test_a_mask_that_does_not_fit():
    brush = made()
    with pytest.raises(traitlets.TraitError, match=r"bool of shape \[2, 2\]: give booleans .* \[4, 6\]"):
        brush.mask = np.ones((2, 2), bool)
    with pytest.raises(traitlets.TraitError, match="float64"):
        brush.mask = np.ones((4, 6))
    with pytest.raises(traitlets.TraitError, match="the mask has the dims"):
        brush.mask = nt.tensor(np.ones((4, 6), bool), "row column")
    brush.overlay.mask = b"\1\1"
    assert brush.message.value != ""
    assert not brush.mask.any()
    brush.mask = nt.tensor(covered((0, 1)).T, "width height")
    np.testing.assert_array_equal(brush.mask, covered((0, 1)))


def test_a_method_that_is_not_there():
    with pytest.raises(ValueError, match="method='guess' is not there: choose one of saliency"):
        made(method="guess")


# ---- figures


def test_a_figure_with_and_without_curves():
    brush = made()
    assert len(brush.figure().axes) == 3
    brush.mask = covered((0, 0))
    brush.draw_curves()
    figure = ran(brush).figure()
    assert len(figure.axes) == 4
    assert len(figure.axes[3].lines) == 4
    shown = brush._repr_mimebundle_()
    assert "image/png" in (shown[0] if isinstance(shown, tuple) else shown)


def test_the_question_is_what_the_controls_say():
    brush = made(class_names=["a", "b", "c"])
    brush.target.value = 2
    assert brush._asked() == Asked(0, 2, "zero", METHOD)
    assert brush.bars.series[0]["x"] == ["a", "b", "c (target)"]


# ---- in a browser


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    brush = made(labels=[0, 1, 2])
    brush.mask = covered((3, 5))
    brush.draw_curves()
    return ran(brush).to_html(tmp_path_factory.mktemp("brush") / "page.html")


@pytest.fixture
def page(request, browser, path):
    with opened(browser, path, scheme=getattr(request, "param", "light")) as page:
        messages(page)
        yield page


def at(page, row, column):
    box = page.locator("canvas").first.bounding_box()
    return box["x"] + (column + 0.5) / 6 * box["width"], box["y"] + (row + 0.5) / 4 * box["height"]


def masks(page):
    return [np.array(m["mask"], bool).reshape(4, 6) for m in messages(page) if "mask" in m]


@in_browser
def test_the_mouse_paints_without_gaps_and_tells_once(page):
    page.mouse.move(*at(page, 1, 0))
    page.mouse.down()
    page.mouse.move(*at(page, 1, 4))  # in one leap, as a fast hand does
    settled(page)
    assert masks(page) == []
    page.mouse.up()
    (mask,) = masks(page)
    np.testing.assert_array_equal(mask, covered((1, slice(0, 5)), (3, 5)))


@in_browser
def test_the_mouse_uncovers(page):
    page.get_by_role("button", name="Uncover with the pointer").click()
    page.mouse.click(*at(page, 3, 5))
    assert not masks(page)[-1].any()


@in_browser
def test_keys_paint(page):
    canvas = page.locator("canvas").first
    canvas.focus()  # in the middle
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Space")
    (mask,) = masks(page)
    np.testing.assert_array_equal(mask, covered((2, 2), (3, 5)))


@in_browser
def test_a_wider_brush_covers_more(page):
    brush = page.get_by_role("slider", name="brush")
    brush.focus()
    page.keyboard.press("ArrowRight")
    page.mouse.click(*at(page, 1, 1))
    expected = covered((3, 5), (slice(0, 3), 1), (1, slice(0, 3)))
    np.testing.assert_array_equal(masks(page)[-1], expected)


@in_browser
@pytest.mark.parametrize("page", ["light", "dark"], indirect=True)
def test_all_controls_have_names_and_all_texts_are_legible(page):
    assert "" not in named_controls(page)
    assert (
        page.get_by_role("button", name="Cover with the pointer", exact=True).get_attribute("aria-pressed")
        == "true"
    )
    assert unreadable(page) == []
