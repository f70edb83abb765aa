"""Widgets in JupyterLab, with a mouse and a keyboard, where their kernel is slow, busy or asked to stop."""

import pytest

from tests.notebooks import browser
from tests.widgets import IN_BROWSER, named_controls, settled, unreadable

pytestmark = [*IN_BROWSER, pytest.mark.slow]

# What a user's own notebook may hold: pictures to look at, and work that takes its time.
MAKE = """
import threading, time
import numpy as np
import ipywidgets
from namedtensor.widgets import Overlay, OverlayPanel, Panel, Slider

rng = np.random.default_rng(0)
overlay = Overlay(label="a map")
overlay.put([OverlayPanel(rng.uniform(size=(32, 48)), rng.normal(size=(32, 48)), title="a map", unit="logit")])
sample = Slider(label="sample", min=0, max=9, step=1, value=4)
chunks, cancelled_at = [], []

class Slow(Panel):
    def figure(self):
        raise ValueError("nothing to draw")

    def run(self):
        self.start(self.chunk_by_chunk, "200 chunks")

    def chunk_by_chunk(self, job):
        for k in range(200):
            if job.cancel.is_set():
                cancelled_at.append(k)
                return
            time.sleep(0.05)
            chunks.append(k)
            job.report(k / 200)

run = ipywidgets.Button(description="Run")
slow = Slow([sample, run], [overlay])
run.on_click(lambda _: slow.run())
slow
"""
BUSY = """
for _ in range(600):
    time.sleep(0.1)
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    notebook = browser.notebook_of(MAKE, BUSY)
    with (
        browser.jupyterlab(tmp_path_factory.mktemp("lab"), widgets=notebook) as server,
        browser.page_of(*server, "widgets.ipynb") as page,
    ):
        page.evaluate(
            """() => {
            const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
            window.sentMessages = [];
            kernel.anyMessage.connect((_, { direction, msg }) => {
                if (direction === 'send') window.sentMessages.push([msg.header.msg_type, JSON.stringify(msg.content)]);
            });
            window.jupyterapp.shell.currentWidget.content.activeCellIndex = 0;
        }"""
        )
        page.evaluate("async () => { await window.jupyterapp.commands.execute('notebook:run-cell'); }")
        page.wait_for_selector(".jp-OutputArea-output .nt-overlay canvas")
        page.locator(".nt-overlay canvas").scroll_into_view_if_needed()
        yield page


def messages(page) -> list[str]:
    """What widgets told the kernel since this was last asked."""
    return page.evaluate(
        "() => window.sentMessages.splice(0).filter(([type]) => type === 'comm_msg').map(([, content]) => content)"
    )


def redraws(page) -> int:
    return int(page.locator(".nt-overlay").get_attribute("data-redraws"))


def drag_opacity(page, steps: int = 12) -> None:
    box = page.get_by_role("slider", name="opacity").bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 0.8 * box["width"], middle)
    page.mouse.down()
    for k in range(steps):
        page.mouse.move(box["x"] + (0.8 - 0.5 * (k + 1) / steps) * box["width"], middle)
        settled(page)
    page.mouse.up()


def test_a_drag_is_one_message_when_it_is_let_go(page):
    page.get_by_role("slider", name="opacity").fill("0.8")
    settled(page)
    messages(page)
    before = redraws(page)
    drag_opacity(page)
    settled(page)
    assert redraws(page) - before >= 12
    told = [m for m in messages(page) if '"opacity"' in m]
    assert len(told) == 1
    assert float(browser.asked(page, "overlay.opacity")) == pytest.approx(0.3, abs=0.05)


def test_arrow_keys_are_the_sliders(page):
    active = "() => window.jupyterapp.shell.currentWidget.content.activeCellIndex"
    slider = page.get_by_role("slider", name="sample")
    slider.focus()
    before = page.evaluate(active)
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        slider.press(key)
    assert slider.input_value() == "5"
    assert page.evaluate(active) == before
    assert browser.asked(page, "sample.value") == "5.0"


def test_arrow_keys_move_over_the_pixels(page):
    canvas = page.locator(".nt-overlay canvas")
    canvas.focus()
    settled(page)
    before = page.locator(".nt-readout").inner_text()
    canvas.press("ArrowDown")
    settled(page)
    assert page.locator(".nt-readout").inner_text() != before
    assert "height=17" in page.locator(".nt-readout").inner_text()


def test_cancel_is_heard_while_the_work_runs(page):
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_function("() => document.querySelector('.nt-work progress').value > 0.02")
    before = int(browser.asked(page, "len(chunks)"))
    page.get_by_role("button", name="cancel").click()
    page.wait_for_function(
        "() => getComputedStyle(document.querySelector('.nt-work')).visibility === 'hidden'"
    )
    # a chunk is 50 ms: within a second it is not 20 chunks further
    assert int(browser.asked(page, "cancelled_at[-1]")) - before < 20
    assert int(browser.asked(page, "len(chunks)")) < 200


def test_pictures_are_redrawn_while_the_kernel_is_busy(page):
    page.evaluate(
        """() => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = 1;
        window.jupyterapp.commands.execute('notebook:run-cell'); }"""
    )
    busy = "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'busy'"
    page.wait_for_function(busy)
    before = redraws(page)
    drag_opacity(page)
    assert redraws(page) - before >= 12
    assert page.evaluate(busy)
    page.evaluate("async () => { await window.jupyterapp.commands.execute('notebook:interrupt-kernel'); }")
    page.wait_for_function(busy.replace("busy", "idle"))


@pytest.mark.parametrize("theme", ["JupyterLab Dark", "JupyterLab Light"])
def test_texts_can_be_read_in_both_themes(page, theme):
    page.evaluate(
        "async theme => { await window.jupyterapp.commands.execute('apputils:change-theme', { theme }); }",
        theme,
    )
    dark = str("Dark" not in theme).lower()
    page.wait_for_selector(f"body[data-jp-theme-light={dark}]", state="attached")
    settled(page)
    assert unreadable(page, ".nt-panel") == []


def test_every_control_has_a_name(page):
    names = named_controls(page, ".nt-panel")
    assert {"sample", "Run", "opacity", "threshold", "sign", "colours", "clip", "zoom in"} <= set(names)
    assert all(name.strip() for name in names)


def test_a_change_of_theme_leaves_the_picture(page):
    drawn = """() => { const canvas = document.querySelector('.jp-OutputArea-output .nt-canvas');
        return canvas.width > 0 && canvas.getContext('2d')
            .getImageData(0, 0, canvas.width, canvas.height).data.some(v => v > 0); }"""
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        page.evaluate(
            "async theme => { await window.jupyterapp.commands.execute('apputils:change-theme', { theme }); }",
            theme,
        )
        settled(page)
        assert page.evaluate(drawn)
