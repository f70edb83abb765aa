"""The explorer in JupyterLab, with a mouse and a keyboard."""

import importlib.util
import os

import pytest

from namedtensor.models import digits_cnn
from tests.notebooks import browser

HAS_BROWSER = browser.CHROMIUM is not None and importlib.util.find_spec("playwright") is not None
pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(
        not HAS_BROWSER and not os.environ.get("REQUIRE_BROWSER"),
        reason="needs Chromium on the path and the extra [browser]",
    ),
    # the browser driver's own event loop, in a library that is not ours
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),
]
PICTURE = ".jp-OutputArea-output .captum-lite-explorer img"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    digits_cnn.load(progress=False)
    with browser.jupyterlab(tmp_path_factory.mktemp("lab")) as server:
        yield server


@pytest.fixture(scope="module")
def page(lab):
    with browser.page_of(*lab, "explore.ipynb") as page:
        assert browser.run_all(page) == []
        page.wait_for_selector(PICTURE)
        page.locator(PICTURE).scroll_into_view_if_needed()
        yield page


def control(page, label):
    return page.locator(".captum-lite-explorer .widget-inline-hbox", has=page.get_by_text(label, exact=True))


def changed(page, before):
    page.wait_for_function(
        "([selector, before]) => document.querySelector(selector)?.src !== before", arg=[PICTURE, before]
    )
    return page.locator(PICTURE).get_attribute("src")


def test_dragging_a_slider_redraws(page):
    picture = page.locator(PICTURE).get_attribute("src")
    box = control(page, "opacity").locator(".noUi-handle").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] - 60, box["y"] + box["height"] / 2, steps=5)
    page.mouse.up()
    assert changed(page, picture) != picture


def test_choosing_a_method_redraws(page):
    picture = page.locator(PICTURE).get_attribute("src")
    control(page, "method").locator("select").select_option("SmoothGrad")
    changed(page, picture)
    page.wait_for_selector(".captum-lite-explorer th:has-text('estimated error')")
    control(page, "method").locator("select").select_option("integrated gradients")
    page.wait_for_selector(".captum-lite-explorer th:has-text('completeness gap')")


def test_a_class_that_does_not_exist_is_one_message(page):
    target = control(page, "target class").locator("input")
    right = target.input_value()
    target.fill("12")
    target.press("Enter")
    message = page.wait_for_selector(".captum-lite-explorer [role=alert]")
    assert "target 12 is out of range" in message.inner_text()
    assert page.locator(".captum-lite-explorer [role=alert]").count() == 1
    target.fill(right)
    target.press("Enter")
    page.wait_for_selector(PICTURE)
    assert page.locator(".captum-lite-explorer [role=alert]").count() == 0


def test_the_picture_has_words(page):
    assert "heat map over its pixels" in page.locator(PICTURE).get_attribute("alt")
