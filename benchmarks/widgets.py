"""How soon a picture follows a slider, in JupyterLab in headless Chromium, its kernel idle and busy.

Run: PYTHONPATH=. python benchmarks/widgets.py [--size 224] [--moves 60]

Needs the extras [dev,browser] and Chromium on the path. The slider of an overlay of 224 x 224 pixels is
moved 60 times, as fast as a screen of 60 Hz shows; measured is the time from the move to the end of the
frame that shows it. Beside it, in the same run: the slider's value goes to the kernel, which draws a figure
of matplotlib and sends a PNG.
"""

import argparse
import statistics
import tempfile
from pathlib import Path

from tests.notebooks import browser

MAKE = """
import io
import ipywidgets as w
import numpy as np
from matplotlib.figure import Figure
from namedtensor.widgets import Overlay, OverlayPanel

rng = np.random.default_rng(0)
image, drawn = rng.uniform(size=({size}, {size})), rng.normal(size=({size}, {size}))
overlay = Overlay(label="a map")
overlay.put([OverlayPanel(image, drawn)])
slider, picture = w.FloatSlider(0.8, min=0, max=1, step=0.01, description="kernel"), w.Image(format="png")

def draw(_=None):
    figure = Figure(figsize=(4, 4))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.imshow(image, cmap="gray")
    axes.imshow(drawn, cmap="RdBu_r", alpha=slider.value)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    picture.value = buffer.getvalue()

draw()
slider.observe(draw, "value")
w.VBox([overlay, slider, picture])
"""
BUSY = "import time\nfor _ in range(1200):\n    time.sleep(0.1)"

# Milliseconds from a move to the frame after the redraw; null where none came within a second.
BROWSER = """async moves => {
    const root = document.querySelector('.nt-overlay');
    const input = root.querySelector('input[type=range]');
    const frame = () => new Promise(requestAnimationFrame);
    const times = [];
    for (let i = 0; i < moves; i++) {
        await frame();
        const before = root.dataset.redraws, start = performance.now();
        input.value = 0.2 + 0.6 * (i % 30) / 30;
        input.dispatchEvent(new Event('input', { bubbles: true }));
        while (root.dataset.redraws === before && performance.now() - start < 1000) await frame();
        times.push(root.dataset.redraws === before ? null : performance.now() - start);
    }
    return times;
}"""
KERNEL = """async moves => {
    const picture = document.querySelector('.jp-OutputArea-output img');
    const handle = document.querySelector('.jp-OutputArea-output .noUi-handle');
    const times = [];
    handle.focus();
    for (let i = 0; i < moves; i++) {
        const before = picture.src, start = performance.now();
        const key = i % 30 < 15 ? 'ArrowLeft' : 'ArrowRight';
        handle.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
        while (picture.src === before && performance.now() - start < 1000) {
            await new Promise(requestAnimationFrame);
        }
        times.push(picture.src === before ? null : performance.now() - start);
    }
    return times;
}"""


def told(what: str, times: list[float | None]) -> None:
    came = [t for t in times if t is not None]
    median = f"{statistics.median(came):.1f} ms" if came else "-"
    print(f"| {what} | {median} | {len(came)} of {len(times)} |")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--moves", type=int, default=60)
    given = parser.parse_args()
    notebook = browser.notebook_of(MAKE.replace("{size}", str(given.size)), BUSY)
    with (
        tempfile.TemporaryDirectory() as home,
        browser.jupyterlab(Path(home), widgets=notebook) as server,
        browser.page_of(*server, "widgets.ipynb") as page,
    ):
        run = "async () => { await window.jupyterapp.commands.execute('notebook:run-cell'); }"
        page.evaluate("() => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = 0; }")
        page.evaluate(run)
        page.wait_for_selector(".nt-overlay canvas")
        page.wait_for_selector(".jp-OutputArea-output img")
        print("| slider to picture | median | redrawn |\n|---|---|---|")
        told("in the browser, kernel idle", page.evaluate(BROWSER, given.moves))
        told("through the kernel, idle", page.evaluate(KERNEL, given.moves))
        page.evaluate("() => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = 1; }")
        page.evaluate(run.replace("await ", ""))
        page.wait_for_function(
            "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'busy'"
        )
        told("in the browser, kernel busy", page.evaluate(BROWSER, given.moves))
        told("through the kernel, busy", page.evaluate(KERNEL, min(5, given.moves)))
        page.evaluate(
            "async () => { await window.jupyterapp.commands.execute('notebook:interrupt-kernel'); }"
        )


if __name__ == "__main__":
    main()
