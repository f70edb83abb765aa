"""Pictures with maps over them, in rows and columns, looked at without the kernel.

The numbers go to the browser once. What changes the look (opacity, threshold, colours, zoom, the pixel under
the pointer) is drawn there, and comes back as one message when it is let go.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import traitlets

from namedtensor.widgets.packed import Packed
from namedtensor.widgets.palettes import SIGNED, UNSIGNED
from namedtensor.widgets.view import View, source

MOST_BYTES = 64 * 2**20  # what a browser takes in at once without a pause that one notices
CLIPS = ("none", "mass 98", "mass 90", "percentile 98")


@dataclass(frozen=True, eq=False)
class OverlayPanel:
    """One picture of an `Overlay`; an image, a map, or a map over an image.

    Attributes:
      image: ``[height, width]`` or ``[height, width, 3]``, from 0 to 1.
      map: ``[height, width]``.
      row: where it stands.
      column: where it stands.
      title: above it.
      note: below it.
      unit: of the map.
      group: which maps have one scale where scales are shared.
      name: what the readout calls the map's values.
      image_name: what it calls the image's.
      index: further indices that the readout names: ``{"batch": 3}``.
      values: whether the map holds any numbers, whose colours need not begin at 0; else attributions.
    """

    image: Any = field(default=None, repr=False)
    map: Any = field(default=None, repr=False)
    row: int = 0
    column: int = 0
    title: str = ""
    note: str = ""
    unit: str = ""
    group: str = ""
    name: str = "attr"
    image_name: str = "image"
    index: Mapping[str, Any] = field(default_factory=dict)
    values: bool = False

    def __post_init__(self) -> None:
        """Check what is there."""
        sizes = {np.shape(x)[:2] for x in (self.image, self.map) if x is not None}
        if len(sizes) != 1 or not all(map(_is_plane, (self.image, self.map))) or np.ndim(self.map) == 3:
            raise ValueError(
                f"a panel has an image {_shape(self.image)} and a map {_shape(self.map)}: give [height, "
                "width] for the map, [height, width] or [height, width, 3] for the image, of one size."
            )


class Overlay(View):
    """Pictures with maps over them.

    Traits:
      rows: titles of rows.
      columns: titles of columns.
      remarks: what stands in a row instead of pictures: ``{"2": "why there are none"}``.
      opacity: of the maps, 0 to 1.
      threshold: magnitudes below this fraction of the scale's end are not drawn.
      sign: "all", "positive", "negative" or "absolute_value".
      clip: where the colours end: "none" (the largest magnitude), "mass 98", "mass 90", "percentile 98".
      scale: "each" or "shared" (within a group of panels).
      palette: of maps with both signs, one of `SIGNED`.
      unsigned_palette: of others, one of `UNSIGNED`.
      zoom: top, left, bottom, right as fractions of the picture.
      cursor: panel, row, column under the pointer or reached by keys; None where there is none.
      selection: top, left, bottom, right (behind the last) in pixels, of the tool "select"; or None.
      tool: what the pointer does: "look", "select", "paint", "erase".
      tools: which are offered.
      mask: ``[height, width]`` bytes, 1 where painted.
      brush: radius of the painting brush in pixels.
      controls: which controls are shown; all that make sense, if empty.
      hint: what stands where the readout will be.
    """

    _esm = source("core.js", "board.js", "overlay.js")

    numbers = traitlets.Bytes().tag(sync=True)
    panels = traitlets.List().tag(sync=True)
    rows = traitlets.List(traitlets.Unicode()).tag(sync=True)
    columns = traitlets.List(traitlets.Unicode()).tag(sync=True)
    remarks = traitlets.Dict().tag(sync=True)
    dims = traitlets.List(traitlets.Unicode(), default_value=["height", "width"]).tag(sync=True)
    coords = traitlets.Dict().tag(sync=True)
    opacity = traitlets.Float(0.8, min=0, max=1).tag(sync=True)
    threshold = traitlets.Float(0.0, min=0, max=1).tag(sync=True)
    sign = traitlets.Enum(["all", "positive", "negative", "absolute_value"], "all").tag(sync=True)
    clip = traitlets.Enum(CLIPS, "mass 98").tag(sync=True)
    scale = traitlets.Enum(["each", "shared"], "each").tag(sync=True)
    palette = traitlets.Enum(SIGNED, SIGNED[0]).tag(sync=True)
    unsigned_palette = traitlets.Enum(UNSIGNED, UNSIGNED[0]).tag(sync=True)
    zoom = traitlets.List(traitlets.Float(), default_value=[0.0, 0.0, 1.0, 1.0]).tag(sync=True)
    cursor = traitlets.List(traitlets.Int(), default_value=None, allow_none=True).tag(sync=True)
    selection = traitlets.List(traitlets.Int(), default_value=None, allow_none=True).tag(sync=True)
    tool = traitlets.Enum(["look", "select", "paint", "erase"], "look").tag(sync=True)
    tools = traitlets.List(traitlets.Unicode(), default_value=["look", "select"]).tag(sync=True)
    mask = traitlets.CBytes().tag(sync=True)  # the browser's come as a memoryview
    brush = traitlets.Int(1, min=1).tag(sync=True)
    controls = traitlets.List(traitlets.Unicode()).tag(sync=True)
    cell_width = traitlets.Int(0).tag(sync=True)
    hint = traitlets.Unicode("Point at a pixel, or press an arrow key on a picture.").tag(sync=True)

    def put(self, panels: Sequence[OverlayPanel], **traits: Any) -> None:
        """Show other panels, and set traits, in one message.

        Raises:
          ValueError: more numbers than a browser should be sent.
        """
        packed = Packed()
        written = [_written(panel, packed) for panel in panels]
        if packed.size * 4 > MOST_BYTES:
            raise ValueError(
                f"the pictures are {packed.size * 4 / 2**20:.0f} MiB, and {MOST_BYTES / 2**20:.0f} are sent "
                "to a browser at most: show fewer of them, or smaller ones."
            )
        with self.hold_sync():
            # numbers first: whoever hears of the panels finds the numbers there
            self.set_trait("numbers", packed.tobytes())
            self.set_trait("panels", written)
            for name, value in traits.items():
                self.set_trait(name, value)

    def painted(self) -> np.ndarray:
        """``[height, width]``, true where the pointer painted on the first panel."""
        if not self.panels:
            return np.zeros((0, 0), bool)
        plane = self.panels[0]["map"] or self.panels[0]["image"]
        shape = plane["height"], plane["width"]
        if not self.mask:
            return np.zeros(shape, bool)
        return np.frombuffer(self.mask, np.uint8).reshape(shape).astype(bool)


def _is_plane(x: Any) -> bool:
    return x is None or np.ndim(x) == 2 or (np.ndim(x) == 3 and np.shape(x)[2] in (1, 3))


def _shape(x: Any) -> str:
    return "(none)" if x is None else str(list(np.shape(x)))


def _written(panel: OverlayPanel, packed: Packed) -> dict[str, Any]:
    return {
        "row": panel.row,
        "column": panel.column,
        "title": panel.title,
        "note": panel.note,
        "unit": panel.unit,
        "group": panel.group,
        "index": dict(panel.index),
        "values": panel.values,
        "image": _plane(panel.image, packed, panel.image_name),
        "map": _plane(panel.map, packed, panel.name),
    }


def _plane(x: Any, packed: Packed, name: str) -> dict[str, Any] | None:
    if x is None:
        return None
    height, width, *channels = np.shape(x)
    place = packed.add(x)
    return {
        "offset": place,
        "height": height,
        "width": width,
        "channels": channels[0] if channels else 1,
        "name": name,
    }
