"""The pages of the attribution widgets in a real browser, without a kernel and without a network."""

import jax.numpy as jnp
import numpy as np
import pytest

from captum_lite import Saliency
from captum_lite.widgets import AttributionExplorer, MethodGrid
from tests.widgets import IN_BROWSER, named_controls, opened, settled, unreadable

pytestmark = IN_BROWSER
RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(size=(3, 6, 5)).astype(np.float32)
WEIGHTS = RNG.normal(size=(30, 3)).astype(np.float32)


def model(images):
    return jnp.tanh(images.reshape(len(images), -1) @ WEIGHTS)


class Failing(Saliency):
    def steps(self, problem, **options):
        raise RuntimeError("this method does not like <images>")


@pytest.fixture(scope="module")
def explorer():
    explorer = AttributionExplorer(model, IMAGES, labels=[0, 1, 2])
    explorer.wait(60)
    explorer.selection = {"height": slice(1, 3), "width": slice(0, 4)}
    return explorer


@pytest.fixture(scope="module")
def grid():
    grid = MethodGrid(
        model, IMAGES, {"saliency": Saliency(model), "bad": Failing(model), "again": Saliency(model)}
    )
    grid.wait(60)
    return grid


def hover(page, canvas, row, column):
    box = page.locator("canvas").nth(canvas).bounding_box()
    page.mouse.move(box["x"] + (column + 0.5) / 5 * box["width"], box["y"] + (row + 0.5) / 6 * box["height"])
    settled(page)
    return page.locator(".nt-overlay .nt-readout").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_explorer_stands_alone(browser, explorer, tmp_path, scheme):
    path = explorer.to_html(tmp_path / "explorer.html", title="why?")
    with opened(browser, path, scheme=scheme) as page:
        value = float(np.asarray(explorer.attribution.attributions)[0, 4, 2])
        said = hover(page, 0, 4, 2)
        assert said.startswith("batch=0  height=4  width=2  attr=")
        assert float(said.split("attr=")[1].split()[0].replace("\N{MINUS SIGN}", "-")) == pytest.approx(
            value, rel=0.01
        )
        assert page.get_by_text("of the |attribution|").is_visible()
        assert page.locator(".nt-chart svg[role=img]").is_visible()
        assert page.get_by_text("a lower bound on the error", exact=False).first.is_visible()
        assert all(named_controls(page))
        assert unreadable(page, "body") == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_grid_stands_alone(browser, grid, tmp_path, scheme):
    with opened(browser, grid.to_html(tmp_path / "grid.html"), scheme=scheme) as page:
        assert page.locator("canvas").count() == 9  # the images, and two methods
        assert hover(page, 4, 1, 3).startswith("method=saliency  batch=1  height=1  width=3  attr=")
        assert page.locator(".nt-overlay [role=alert]").inner_text() == "this method does not like <images>"
        label = page.locator("canvas").nth(4).get_attribute("aria-label")
        assert label.startswith(f"saliency, {grid.overlay.columns[1]}, ")
        assert page.get_by_role("table").count() == 2
        assert all(named_controls(page))
        assert unreadable(page, "body") == []


def test_the_cursor_and_the_zoom_are_those_of_all_pictures(browser, grid, tmp_path):
    with opened(browser, grid.to_html(tmp_path / "grid.html")) as page:
        pictures = page.locator("canvas")
        before = [pictures.nth(i).evaluate("c => c.toDataURL()") for i in range(9)]
        page.get_by_role("button", name="zoom in").click()
        settled(page)
        zoomed = [pictures.nth(i).evaluate("c => c.toDataURL()") for i in range(9)]
        assert all(a != b for a, b in zip(before, zoomed, strict=True))
        pictures.nth(0).focus()
        settled(page)
        marked = [pictures.nth(i).evaluate("c => c.toDataURL()") for i in range(9)]
        assert all(a != b for a, b in zip(zoomed, marked, strict=True))
