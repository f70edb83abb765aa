"""A view: traits in Python, one ES module in the browser.

The module is put together from the files of the ``js`` folders, without a build step: `core.js` has what all
views share, and a view adds its own ``render``. It imports nothing and asks nobody for anything, so it works
in JupyterLab, in a saved page and without a network.
"""

import functools
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from namedtensor.widgets.palettes import palettes

_FOREIGN = {"layout", "tabbable", "tooltip"}  # of ipywidgets; none of ours is drawn by them
JS = Path(__file__).parent / "js"


@functools.cache
def source(*files: str | Path) -> str:
    """One ES module (or style sheet) from several files; names alone are those of this package."""
    texts = [(JS / file).read_text(encoding="utf-8") for file in files]
    if str(files[0]).endswith(".js"):
        texts.insert(0, f"const PALETTES = {palettes()};")
    return "\n".join(texts)


class View(anywidget.AnyWidget):
    """What draws itself in the browser; a subclass gives ``_esm`` and its traits.

    Traits:
      label: what a screen reader calls it.
    """

    _css = source("core.css")
    label = traitlets.Unicode().tag(sync=True)

    def traits_of_page(self) -> dict[str, Any]:
        """The values of all that the browser sees, for a page without a kernel."""
        return {k: v for k, v in self.get_state().items() if not k.startswith("_") and k not in _FOREIGN}
