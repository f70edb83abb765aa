"""The pictures of docs/widgets.md, from the real thing: the page is run, and each widget that it makes photographed.

A section's code leaves its widget in ``explorer``. The widget's page (`to_html`) is opened in a headless Chromium
that reaches no network, in the light and in the dark theme.

Run: python docs/pictures.py [WIDGET ...]   (writes docs/pictures/WIDGET.png and WIDGET-dark.png; all by default)
"""

import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

HERE = Path(__file__).parent
PAGE = HERE / "widgets.md"
PICTURES = HERE / "pictures"
SCALE = 1.5  # device pixels for each of the page
CHROMIUM = """
    --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update
    --disable-sync --disable-dev-shm-usage
""".split()


@dataclass(frozen=True)
class Shot:
    """How a widget is photographed.

    Attributes:
      width: of the window, in pixels.
      before: what is done to the widget first: work that it does not begin by itself.
      pointed: the element of the page that the pointer is over, and where in it, as fractions of its sides.
    """

    width: int = 960
    before: Callable[[Any], Any] = lambda explorer: None
    pointed: tuple[str, float, float] | None = None


SHOTS = {
    "AttributionExplorer": Shot(pointed=("canvas", 0.45, 0.4)),
    "MethodGrid": Shot(),
    "TensorExplorer": Shot(),
    "ModelExplorer": Shot(width=1100),
    "TokenView": Shot(width=760),
    "PerturbationBrush": Shot(width=1200, before=lambda explorer: explorer.draw_curves()),
    "PrivacyExplorer": Shot(before=lambda explorer: explorer.compare()),
}


def sections(text: str) -> Iterator[tuple[str, str]]:
    """Heading and code of each section; the code before the first has the heading ``""``."""
    parts = re.split(r"(?m)^## (.*)\n", "\n" + text)
    for heading, body in zip(["", *parts[1::2]], parts[::2], strict=True):
        yield heading, "\n".join(re.findall(r"```python\n(.*?)```", body, re.DOTALL))


def widgets(names: set[str]) -> Iterator[tuple[str, Any]]:
    """The widgets of these sections, with their answers."""
    there: dict[str, Any] = {}
    for heading, code in sections(PAGE.read_text()):
        if not heading or heading in names:
            exec(compile(code, f"{PAGE.name}, {heading}", "exec"), there)
        if heading in names:
            explorer = there["explorer"]
            explorer.wait()
            SHOTS[heading].before(explorer)
            explorer.wait(600)
            yield heading, explorer


def photograph(browser: Any, page: Path, shot: Shot, scheme: str, target: Path) -> None:
    """One page in one theme."""
    context = browser.new_context(
        viewport={"width": shot.width, "height": 200},
        device_scale_factor=SCALE,
        color_scheme=scheme,
        offline=True,
    )
    tab = context.new_page()
    errors: list[str] = []
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.goto(page.as_uri())
    tab.wait_for_timeout(600)  # for pictures that are decoded and drawn
    height = tab.evaluate("document.documentElement.scrollHeight")
    tab.set_viewport_size({"width": shot.width, "height": height})  # the pointer reaches what is in it
    if shot.pointed is not None:
        selector, x, y = shot.pointed
        box = tab.locator(selector).first.bounding_box()
        tab.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
        tab.wait_for_timeout(200)
    tab.screenshot(path=target, full_page=True)
    context.close()
    few = {"colors": 256, "method": Image.Quantize.MAXCOVERAGE, "kmeans": 5, "dither": Image.Dither.NONE}
    Image.open(target).convert("RGB").quantize(**few).save(target, optimize=True)  # a third of the bytes
    if errors:
        raise RuntimeError(f"{page.name}: {errors}")


def main(names: set[str]) -> None:
    """Take the pictures of these widgets."""
    from playwright.sync_api import sync_playwright

    unknown = names - SHOTS.keys()
    if unknown:
        raise SystemExit(f"no widget {', '.join(sorted(unknown))}; there are {', '.join(SHOTS)}.")
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM)
        for name, widget in widgets(names or set(SHOTS)):
            page = widget.to_html(Path(folder) / f"{name}.html")
            for scheme, suffix in (("light", ""), ("dark", "-dark")):
                target = PICTURES / f"{name}{suffix}.png"
                photograph(browser, page, SHOTS[name], scheme, target)
                print(f"{target.relative_to(HERE)}: {target.stat().st_size // 1024} KiB")
        browser.close()


if __name__ == "__main__":
    main(set(sys.argv[1:]))
