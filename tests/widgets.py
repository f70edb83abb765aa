"""A widget's own page in a real browser without a network: the cheapest test that a hand would make."""

import contextlib
import importlib.util
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
ARGUMENTS += ["--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"]
HAS_BROWSER = CHROMIUM is not None and importlib.util.find_spec("playwright") is not None

# What every test with a browser is marked with; `.ci/run` sets REQUIRE_BROWSER, so that there none is skipped.
IN_BROWSER = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not HAS_BROWSER and not os.environ.get("REQUIRE_BROWSER"),
        reason="needs Chromium on the path and the extra [browser]",
    ),
    # the browser driver's own event loop, in a library that is not ours
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),
]


def in_browser(test):
    """Mark a test that needs a browser, in a file whose other tests need none."""
    for mark in IN_BROWSER:
        test = mark(test)
    return test


@contextlib.contextmanager
def chromium() -> Iterator:
    """A browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def opened(browser, path: Path, *, scheme: str = "light", width: int = 1100, height: int = 900) -> Iterator:
    """The page of `to_html`, with nothing but this file to load; fails on any error or request of the page's."""
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, offline=True
    )
    page = context.new_page()
    page.set_default_timeout(10_000)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: message.type == "error" and faults.append(message.text))
    page.on(
        "request", lambda r: r.url.split(":")[0] in ("http", "https", "ws", "wss") and faults.append(r.url)
    )
    try:
        page.goto(path.as_uri())
        page.wait_for_selector(".nt-view")
        yield page
        assert faults == []
    finally:
        context.close()


def settled(page) -> None:
    """Wait until everything asked for has been drawn: two frames."""
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


_LISTEN = """() => {
    window.messages = [];
    const plain = value => value instanceof DataView ? [...new Uint8Array(value.buffer, value.byteOffset, value.byteLength)] : value;
    document.addEventListener('nt-message', event => window.messages.push(
        Object.fromEntries(Object.entries(event.detail).map(([name, value]) => [name, plain(value)]))));
}"""


def messages(page) -> list[dict]:
    """What the views would have told the kernel since this was called first; bytes as a list."""
    if page.evaluate("() => window.messages === undefined"):
        page.evaluate(_LISTEN)
    return page.evaluate("() => window.messages")


_CONTROLS = {"slider", "combobox", "button", "textbox", "spinbutton", "checkbox", "radio", "progressbar"}
_CONTROLS |= {"switch", "tab", "treeitem", "option", "searchbox", "listbox"}


def named_controls(page, selector: str = "body") -> list[str]:
    """The name of each control in an element as a screen reader is told it; empty where there is none."""
    session = page.context.new_cdp_session(page)
    root = session.send("DOM.getDocument")["root"]["nodeId"]
    found = session.send("DOM.querySelector", {"nodeId": root, "selector": selector})["nodeId"]
    backend = session.send("DOM.describeNode", {"nodeId": found, "depth": -1})["node"]
    inside = set(_backend_ids(backend))
    tree = session.send("Accessibility.getFullAXTree")["nodes"]
    shown = [
        n
        for n in tree
        if not n.get("ignored")
        and n.get("role", {}).get("value") in _CONTROLS
        and n.get("backendDOMNodeId") in inside
    ]
    return [n.get("name", {}).get("value", "") for n in shown]


def _backend_ids(node: dict) -> Iterator[int]:
    yield node["backendNodeId"]
    for child in node.get("children", []):
        yield from _backend_ids(child)


# WCAG 2.1, 1.4.3: 4.5 to 1 for text. The background is that of the ancestors, tints laid over each other.
_UNREADABLE = """selector => {
    const parsed = colour => (colour.match(/[\\d.]+/g) ?? [0, 0, 0, 0]).map(Number);
    const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
        .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = e => {
        if (!e) return [255, 255, 255];
        const colour = parsed(getComputedStyle(e).backgroundColor), opaque = colour[3] ?? 1;
        if (opaque === 1) return colour;
        const below = behind(e.parentElement);
        return [0, 1, 2].map(k => opaque * colour[k] + (1 - opaque) * below[k]);
    };
    const found = [];
    for (const e of document.querySelectorAll(`${selector} *`)) {
        const text = [...e.childNodes].filter(n => n.nodeType === 3 && n.data.trim()).map(n => n.data.trim()).join(' ');
        if (!text || e.matches(':disabled') || e.closest('[hidden], .nt-hidden-text, option')) continue;
        const style = getComputedStyle(e);
        const colour = parsed(e instanceof SVGElement ? style.fill : style.color);
        const [a, b] = [light(colour), light(behind(e))].sort((x, y) => y - x);
        const contrast = (a + 0.05) / (b + 0.05);
        if (contrast < 4.5) found.push(`${text}: ${contrast.toFixed(2)}`);
    }
    return found;
}"""


def unreadable(page, selector: str = ".nt-view") -> list[str]:
    """Texts whose contrast with what is behind them is below 4.5."""
    assert page.locator(selector).count(), f"nothing is {selector}"
    return page.evaluate(_UNREADABLE, selector)
