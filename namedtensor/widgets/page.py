"""A widget as one HTML file: interactive without a kernel, without a network.

The usual exporters load their libraries from elsewhere, and show nothing offline. A view needs only a
``model`` with ``get``, ``set``, ``on`` and ``save_changes``: a few lines stand in for the kernel's.
"""

import base64
import html
import json
import re
from collections.abc import Sequence
from typing import Any

from namedtensor.widgets.view import View, source


def standalone(parts: Sequence[View | str], title: str) -> str:
    """The page.

    Args:
      parts: views, and HTML between them.
      title: of the page.
    """
    views = [part for part in parts if isinstance(part, View)]
    modules = {_esm(view): i for i, view in enumerate(views)}
    styles = dict.fromkeys([source("core.css"), *(str(view._css) for view in views)])
    numbers = iter(range(len(views)))
    body = "\n".join(
        part if isinstance(part, str) else f'<div id="view-{next(numbers)}"></div>' for part in parts
    )
    shown = [{"module": modules[_esm(view)], "state": _state(view)} for view in views]
    # in a script "</" could only end it, and JSON may write it otherwise
    state = json.dumps(shown, allow_nan=False).replace("</", "<\\/")
    bodies = "\n".join(f"MODULES[{i}] = (() => {{\n{_as_value(esm)}\n}})();" for esm, i in modules.items())
    filled = {
        "title": html.escape(title),
        "style": "\n".join(styles),
        "body": body,
        "state": state,
        "modules": bodies,
    }
    # all at once: what is filled in may itself look like a place to fill
    return re.sub(r"\{\{(\w+)\}\}", lambda found: filled[found[1]], source("page.html"))


def _esm(view: View) -> str:
    esm: Any = view.trait_values()["_esm"]  # a trait that anywidget makes
    return str(esm)


def _as_value(esm: str) -> str:
    """A module's text as the body of a function that returns its default export."""
    before, found, after = esm.rpartition("export default ")
    if not found or "</script" in esm:
        raise ValueError("a view's module has one `export default`, and no end of a script in it.")
    return f"{before}return {after}"


def _state(view: View) -> dict[str, Any]:
    return {k: _written(v) for k, v in view.traits_of_page().items()}


def _written(value: Any) -> Any:
    if isinstance(value, (bytes, memoryview)):
        return {"base64": base64.b64encode(value).decode()}
    return value
