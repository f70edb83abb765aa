"""Pages that live outside of docs/, and links as they are on GitHub: both find their place on the site."""

import json
import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from public import Names, homes

ROOT = Path(__file__).parents[2]
PAGES = {  # a file of the repository, and the page that it is
    "README.md": "tour.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "benchmarks/README.md": "benchmarks.md",
    "docs/two_parties/classify.py": "two_parties/classify.md",
}
GALLERY = "gallery.md"
_SOURCES = {page: source for source, page in PAGES.items()} | {GALLERY: "notebooks/*.ipynb"}
_LINK = re.compile(r"\]\((?![a-z]+:|#)([^)#\s]+)(#[^)\s]*)?\)")
_CODE = re.compile(
    r"```.*?^ *```|\[[^\]]*\]\([^)]*\)|^#.*?$|(?<!`)`((?:\w+\.)+\w+|[A-Z]\w+[a-z]\w*)`(?!`)", re.S | re.M
)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages from outside."""
    for source, page in PAGES.items():
        text = (ROOT / source).read_text()
        if source.endswith(".py"):
            text = f"# {Path(source).name}\n\n```python\n{text}```\n"
        files.append(File.generated(config, page, content=text))
    files.append(File.generated(config, GALLERY, content=_gallery()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links lead to pages, and names of public things to the reference."""
    here = page.file.src_uri
    if here == "index.md":
        page.meta["hide"] = ["navigation", "toc"]  # not in the file, where GitHub would show it
    source = _SOURCES.get(here, f"docs/{here}")
    markdown = _LINK.sub(lambda found: _link(found, source, here), markdown)
    if here.startswith("api/"):
        return markdown
    names = Names("", list(homes()))
    return _CODE.sub(lambda found: names.linked(found[0]) if found[1] else found[0], markdown)


def _link(found: re.Match[str], source: str, here: str) -> str:
    """The same link, from a page of the site."""
    target = posixpath.normpath(posixpath.join(posixpath.dirname(source), found[1]))
    page = _page(target)
    if page is None:
        raise PluginError(
            f"{source} links to {target}, which is no page: add it to PAGES in docs/website/links.py."
        )
    return f"]({posixpath.relpath(page, posixpath.dirname(here) or '.')}{found[2] or ''})"


def _page(target: str) -> str | None:
    """The page, or the file of the site, that a file of the repository is."""
    if target.startswith("notebooks"):
        return GALLERY
    if target in ("namedtensor/interpreter", "namedtensor/interpreter/__init__.py"):
        return "api/interpreter.md"
    return PAGES.get(target) or (target.removeprefix("docs/") if target.startswith("docs/") else None)


def _gallery() -> str:
    """What each notebook is about, in its own first words, and how to open it."""
    found = [_notebook(path) for path in sorted((ROOT / "notebooks").glob("*.ipynb"))]
    return (
        "# The gallery\n\nNotebooks on real input, each a short story that runs from top to bottom. `make lab` opens them in"
        " a clone of this repository; the installed command copies them to a folder of yours.\n\n"
        + "\n".join(found)
    )


def _notebook(path: Path) -> str:
    cells = json.loads(path.read_text())["cells"]
    words = ["".join(c["source"]) for c in cells if c["cell_type"] == "markdown"]
    title, _, rest = (words[0] if words else path.stem).lstrip("# ").partition("\n")
    first = rest.strip().split("\n\n")[0]
    return f"## {title}\n\n{first}\n\n```console\nnamedtensor-workbench lab --notebook {path.stem}\n```\n"
