"""Pictures with maps over them, in a real browser, by mouse and by keys."""

import base64
import io
import itertools

import matplotlib.image
import numpy as np
import pytest

from captum_lite.viz._scale import scale_together
from namedtensor.widgets import Chart, Overlay, OverlayPanel, Panel, Slider, line, source
from tests.widgets import IN_BROWSER, named_controls, opened, settled, unreadable

pytestmark = IN_BROWSER
RNG = np.random.default_rng(0)
IMAGE = RNG.uniform(size=(12, 16))
MAP = RNG.normal(size=(12, 16))
READOUT = ".nt-readout"
SIGNS = ("all", "positive", "negative", "absolute_value")
CLIPS = ("none", "mass 98", "mass 90", "percentile 98")


class Shown(Panel):
    title = "pictures"


@pytest.fixture(scope="module")
def blank(browser):
    """A page to call functions of the core in."""
    page = browser.new_page()
    yield page
    page.close()


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    overlay = Overlay(label="two maps", tools=["look", "select", "paint", "erase"])
    overlay.put(
        [
            OverlayPanel(IMAGE, MAP, title="first", unit="logit", index={"batch": 3}),
            OverlayPanel(IMAGE, np.abs(MAP), column=1, title="second", note="a note"),
        ]
    )
    chart = Chart(
        label="a gap", x_label="steps", y_label="gap", series=[line("gap", [1, 2, 4], [0.3, 0.2, 0.1])]
    )
    slider = Slider(label="sample", min=0, max=9, step=1, value=4)
    return Shown([], [slider, overlay, chart]).to_html(tmp_path_factory.mktemp("page") / "page.html")


@pytest.fixture
def page(browser, path):
    with opened(browser, path) as page:
        yield page


def point(page, row, column, canvas=0):
    box = page.locator("canvas").nth(canvas).bounding_box()
    return box["x"] + (column + 0.5) / 16 * box["width"], box["y"] + (row + 0.5) / 12 * box["height"]


def colours(page, canvas=0) -> str:
    """The picture, as a PNG in a data address."""
    return page.locator("canvas").nth(canvas).evaluate("canvas => canvas.toDataURL()")


def pixels(picture: str) -> np.ndarray:
    return matplotlib.image.imread(io.BytesIO(base64.b64decode(picture.partition(",")[2])))


# ---- scales: those of the figures


def in_browser(page, code, *given):
    return page.evaluate(f"(given) => {{ {source('core.js')}\n{code} }}", list(given))


def test_a_scale_ends_where_that_of_a_figure_does(blank):
    maps = [RNG.normal(size=(7, 9)) ** 3, RNG.normal(size=(7, 9))]
    for sign, clip in itertools.product(SIGNS, CLIPS):
        rule = None if clip == "none" else (clip.split()[0], float(clip.split()[1]))
        expected = scale_together(maps, sign=sign, clip=rule)[0]
        code = (
            "const s = scaleOf(given[0], {sign: given[1], clip: given[2]}); return [s.low, s.high, s.signed];"
        )
        found = in_browser(blank, code, [m.ravel().tolist() for m in maps], sign, clip)
        np.testing.assert_allclose(found[:2], expected.ends, rtol=1e-12, err_msg=f"{sign}, {clip}")
        assert found[2] == expected.signed


def test_a_map_of_zeros_is_flat_in_the_middle_of_the_colours(blank):
    found = in_browser(blank, "const s = scaleOf([[0, 0, 0]]); return [s.empty, s.low, s.high];")
    assert found == [True, -1, 1]


def test_a_map_that_is_nearly_all_zero_has_a_scale(blank):
    sparse = [0.0] * 99 + [2.0]
    found = in_browser(
        blank, "return scaleOf([given[0]], {clip: 'percentile 98', sign: 'positive'}).high;", sparse
    )
    assert found == 2.0


def test_numbers_that_are_no_attributions_begin_at_the_smallest(blank):
    found = in_browser(blank, "const s = scaleOf([[3, 4, NaN]], {values: true}); return [s.low, s.high];")
    assert found == [3, 4]


def test_a_pixel_has_the_colour_of_its_value(blank):
    found = in_browser(
        blank,
        """const map = {data: Float32Array.from([-1, 0, 1, NaN]), height: 1, width: 4};
        return Array.from(rasterOf(null, map, scaleOf([[-1, 0, 1]]), 'RdBu_r').data);""",
    )
    expected = matplotlib.colormaps["RdBu_r"](np.array([0, 128, 255]), bytes=True)
    np.testing.assert_array_equal(np.reshape(found, (4, 4))[:3], expected)
    assert found[12:] == [128, 128, 128, 255]


# ---- looking


def test_hover_names_the_place_and_the_value(page):
    page.mouse.move(*point(page, 5, 7))
    settled(page)
    text = page.locator(READOUT).first.inner_text()
    assert "batch=3" in text
    assert "height=5" in text
    assert "width=7" in text
    shown = float(text.split("attr=")[1].split()[0].replace("\N{MINUS SIGN}", "-"))
    assert shown == pytest.approx(MAP[5, 7], rel=5e-3)
    assert "logit" in text


def test_arrow_keys_move_over_the_pixels(page):
    canvas = page.locator("canvas").first
    canvas.focus()
    settled(page)
    before = page.locator(READOUT).first.inner_text()
    canvas.press("ArrowRight")
    canvas.press("ArrowUp")
    settled(page)
    assert "height=6" in before
    assert "height=5" in page.locator(READOUT).first.inner_text()
    assert "width=9" in page.locator(READOUT).first.inner_text()


def test_a_slider_redraws_without_a_kernel(page):
    root, before = page.locator(".nt-overlay"), colours(page)
    count = int(root.get_attribute("data-redraws"))
    page.get_by_role("slider", name="opacity").fill("0.1")
    settled(page)
    assert int(root.get_attribute("data-redraws")) == count + 1
    assert colours(page) != before


def test_zoom_is_that_of_all_pictures(page):
    before = colours(page, 0), colours(page, 1)
    page.get_by_role("button", name="zoom in").click()
    settled(page)
    assert colours(page, 0) != before[0]
    assert colours(page, 1) != before[1]
    page.get_by_role("button", name="show the whole picture").click()
    page.mouse.move(5, 5)
    settled(page)
    assert (colours(page, 0), colours(page, 1)) == before


def test_keys_zoom_about_the_cursor(page):
    canvas = page.locator("canvas").first
    canvas.focus()
    settled(page)
    before = colours(page)
    canvas.press("+")
    settled(page)
    assert colours(page) != before


def drag(page, *ends):
    page.mouse.move(*point(page, *ends[0]))
    page.mouse.down()
    page.mouse.move(*point(page, *ends[1]), steps=8)
    page.mouse.up()
    page.mouse.move(5, 5)
    settled(page)
    return colours(page)


def test_the_pointer_covers_and_uncovers(page):
    clean = colours(page)
    page.get_by_role("button", name="Cover with the pointer", exact=True).click()
    covered = drag(page, (2, 2), (2, 6))
    changed = np.any(pixels(covered) != pixels(clean), axis=-1)
    assert changed.mean() == pytest.approx(5 / (12 * 16), rel=0.1)
    page.get_by_role("button", name="Uncover with the pointer").click()
    assert drag(page, (2, 2), (2, 6)) == clean


def test_the_pointer_selects(page):
    page.get_by_role("button", name="Select with the pointer").click()
    assert drag(page, (2, 2), (6, 9)) != drag(page, (1, 1), (4, 4))


# ---- for everybody


def test_every_control_has_a_name(page):
    controls = named_controls(page)
    assert {"opacity", "threshold", "sign", "colours", "clip", "scale", "sample", "zoom in"} <= set(controls)
    assert all(name.strip() for name in controls)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_can_be_read_in_both_themes(browser, path, scheme):
    with opened(browser, path, scheme=scheme) as page:
        assert unreadable(page) == []


def test_a_chart_is_read_by_keys_and_as_a_table(page):
    chart = page.locator(".nt-chart svg[role=img]")
    chart.focus()
    chart.press("ArrowRight")
    chart.press("ArrowRight")
    assert page.locator(".nt-chart .nt-readout").inner_text() == "gap: steps 2, gap 0.2"
    cells = page.locator(".nt-chart table td").all_text_contents()
    assert cells == ["1", "0.3", "2", "0.2", "4", "0.1"]
