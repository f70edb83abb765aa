"""The outline of a function as a tree in the browser."""

from collections.abc import Iterator
from typing import Any

import traitlets

from namedtensor._errors import describe
from namedtensor.interpreter import Outline, Place
from namedtensor.interpreter.outline_table import counted, sized
from namedtensor.widgets.view import View, source

_AT_ONCE = 40  # rows that are open at first


class TreeView(View):
    """Places in a tree, with shapes, sizes and costs.

    Traits:
      chosen: the path of the place that was clicked on, or reached by keys and taken with Enter.
      rows: what is shown, each place before those below it.
      notes: what the costs leave out.
    """

    _esm = source("core.js", "picked.js", "tree.js")
    _css = source("core.css", "picked.css", "tree.css")

    rows = traitlets.List().tag(sync=True)
    expanded = traitlets.List(traitlets.Unicode()).tag(sync=True)
    chosen = traitlets.Unicode(None, allow_none=True).tag(sync=True)
    notes = traitlets.List(traitlets.Unicode()).tag(sync=True)

    def put(self, outline: Outline) -> None:
        """Show another outline."""
        with self.hold_sync():
            self.chosen = None
            self.notes = list(outline.notes)
            self.expanded = list(_open_at_first(outline.root))
            self.rows = list(_rows(outline.root, outline.root, 1))


def _rows(place: Place, root: Place, level: int) -> Iterator[dict[str, Any]]:
    yield {
        "path": place.path,
        "label": place.label,
        "kind": place.kind,
        "layer": place.layer,
        "level": level,
        "leaf": not place.children,
        "shape": "" if place.value is None else describe(place.value),
        "size": "" if place.bytes is None else sized(place.bytes),
        "flops": "" if place.flops is None else counted(place.flops),
        "share": place.flops / root.flops if place.flops and root.flops else 0.0,
        "parameters": counted(place.parameters) if place.parameters else "",
    }
    for child in place.children:
        yield from _rows(child, root, level + 1)


def _open_at_first(root: Place) -> Iterator[str]:
    """The places that are open: level by level, as long as few rows are shown; never for parameters alone."""
    shown, level = 1, [root]
    while level:
        opened = [place for place in level if any(child.kind != "parameter" for child in place.children)]
        shown += sum(len(place.children) for place in opened)
        if shown > _AT_ONCE and level != [root]:
            return
        yield from (place.path for place in opened)
        level = [child for place in opened for child in place.children]
