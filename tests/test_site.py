"""The documentation site builds without a warning, has every public name, and asks no other host for anything."""

import importlib
import importlib.util
import inspect
import os
import re
import subprocess
import sys
import zlib
from pathlib import Path

import jax
import pytest

from namedtensor.models import digits_cnn
from tests.widgets import IN_BROWSER, chromium

ROOT = Path(__file__).parents[1]
NEEDS_MKDOCS = pytest.mark.skipif(
    any(importlib.util.find_spec(m) is None for m in ("mkdocs", "material", "mkdocstrings_handlers")),
    reason="needs the extra [docs]",
)
SPACES = {
    "namedtensor": "fft interop interop.exported interop.onnx interpreter linalg nn random testing widgets datasets.digits models.digits_cnn",
    "captum_lite": "aliases methods metrics patching robust rules viz widgets",
    "crypten_lite": "widgets",
}
PUBLIC = [*SPACES, *(f"{package}.{name}" for package, names in SPACES.items() for name in names.split())]
spec = importlib.util.spec_from_file_location("docs_pictures", ROOT / "docs/pictures.py")
pictures = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = pictures  # its dataclass looks itself up there
spec.loader.exec_module(pictures)
sections = pictures.sections
REQUESTED = re.compile(
    r"<(?!a\b)[a-z]+\b[^>]*?\s(?:src|href|srcset|poster|data|action)=[\"']?(?:https?:)?//[^>]*>"
)
LINK = re.compile(r"<[a-z]+\b[^>]*?\s(?:src|href|srcset)=\"?([^\"#?>\s]+)")
IN_STYLES = re.compile(r"(?:url\(|@import\s*)[\"']?(?:https?:)?//")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, built as `make docs` builds it."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-W", "ignore", "-m", "mkdocs", "build", "--strict", "--site-dir", folder]
    env = os.environ | {"JAX_PLATFORMS": "cpu", "NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(
        command, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=300
    )
    assert built.returncode == 0, built.stderr
    assert "WARNING" not in built.stderr
    return folder


def defined(namespace):
    """The public names of a namespace that are no modules, as ``__all__`` or ``dir`` has them."""
    package, _, inside = namespace.partition(".")
    if inside in ("viz", "widgets"):  # which need their extra, so that nothing imports them by itself
        importlib.import_module(namespace)
    module = importlib.import_module(package)
    for name in inside.split(".") if inside else ():
        module = getattr(module, name)
    names = getattr(module, "__all__", None) or [n for n in dir(module) if n[0] != "_"]
    found = {n: v for n in names if not inspect.ismodule(v := getattr(module, n))}
    if not hasattr(module, "__all__") and not hasattr(
        module, "__path__"
    ):  # a plain module imports for itself
        found = {n: v for n, v in found.items() if getattr(v, "__module__", "") == module.__name__}
    return {f"{namespace}.{n}" for n in found}


def inventory(site):
    """What ``objects.inv`` lists: name -> address."""
    text = zlib.decompress((site / "objects.inv").read_bytes().split(b"zlib.\n", 1)[1]).decode()
    lines = (line.split(" ") for line in text.splitlines())
    return {name: address.replace("$", name) for name, _role, _priority, address, *_ in lines}


@NEEDS_MKDOCS
def test_every_public_name_is_in_the_reference(site):
    there = inventory(site)
    expected = set().union(*map(defined, PUBLIC))
    assert len(expected) > 700
    assert sorted(expected - there.keys()) == []
    pages = {page: (site / page).read_text() for page in {there[n].partition("#")[0] for n in expected}}
    for name in expected:
        page, _, anchor = there[name].partition("#")
        assert f'id="{anchor}"' in pages[page], name


@NEEDS_MKDOCS
def test_pages_of_the_navigation_are_there(site):
    pages = re.findall(r"^ +- .*: (\S+)\.md$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    assert len(pages) > 30
    assert [p for p in pages if not (site / f"{p}.html").exists()] == []


@NEEDS_MKDOCS
def test_links_lead_somewhere(site):
    missing = set()
    for page in site.rglob("*.html"):
        for link in set(LINK.findall(page.read_text())):
            if ":" not in link and page.name != "404.html" and not (page.parent / link).exists():
                missing.add(f"{page.relative_to(site)}: {link}")
    assert missing == set()


@NEEDS_MKDOCS
def test_no_page_asks_another_host(site):
    assert REQUESTED.search('<script async src="https://unpkg.com/a"></script>')  # what would be found
    asked = {str(p): found[0] for p in site.rglob("*.html") if (found := REQUESTED.search(p.read_text()))}
    asked |= {str(p): found[0] for p in site.rglob("*.css") if (found := IN_STYLES.search(p.read_text()))}
    assert asked == {}


@NEEDS_MKDOCS
def test_code_of_the_pages_leads_to_the_reference(site):
    page = (site / "attribution/layers.html").read_text()
    assert re.search(r'href="\.\./api/methods\.html#captum_lite\.LayerGradCam"', page)


@NEEDS_MKDOCS
@pytest.mark.parametrize("mark", [pytest.param(None, marks=IN_BROWSER)])
def test_search_works_from_the_file_system(site, mark):
    with chromium() as browser:
        page = browser.new_context(offline=True).new_page()
        page.set_default_timeout(20_000)
        faults: list[str] = []
        page.on("request", lambda r: r.url.startswith("http") and faults.append(r.url))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto((site / "index.html").as_uri())
        page.click(".md-search__input")
        page.keyboard.type("IntegratedGradients")
        found = page.locator(".md-search-result__link[href*='captum_lite.IntegratedGradients']")
        found.first.wait_for(state="attached")
        assert faults == []


def test_the_first_page_runs():
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs/index.md").read_text(), re.DOTALL)
    assert len(blocks) == 1
    exec(compile(blocks[0], "docs/index.md", "exec"), {})


def test_the_page_of_widgets_runs(monkeypatch):
    monkeypatch.setattr(
        digits_cnn, "load", lambda progress: digits_cnn.init(jax.random.key(0))
    )  # not trained
    names: dict[str, object] = {}
    for heading, code in sections((ROOT / "docs/widgets.md").read_text()):
        exec(compile(code, f"docs/widgets.md, {heading}", "exec"), names)
        if heading:
            explorer = names["explorer"]
            explorer.cancel()
            explorer.wait(120)
            assert type(explorer).__name__ == heading
            assert explorer.message.value == ""


def test_every_widget_has_its_section_and_its_pictures():
    from namedtensor.widgets import Panel

    page = (ROOT / "docs/widgets.md").read_text()
    spaces = ("namedtensor.widgets", "captum_lite.widgets", "crypten_lite.widgets")
    public = [
        v for space in spaces for v in vars(importlib.import_module(space)).values() if inspect.isclass(v)
    ]
    explorers = {v.__name__ for v in public if issubclass(v, Panel) and v is not Panel}
    assert set(re.findall(r"^## (\w+)$", page, re.MULTILINE)) == explorers
    for name in explorers:
        assert f"widgets import {name}" in page
        for suffix in ("", "-dark"):
            assert f"pictures/{name}{suffix}.png" in page
            assert (ROOT / f"docs/pictures/{name}{suffix}.png").exists()
