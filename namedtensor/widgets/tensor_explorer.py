"""The tensor explorer: any tensor as pictures, its dims dragged to where one wants to see them."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import traitlets
from matplotlib.figure import Figure

from namedtensor._tensor import is_named
from namedtensor.widgets import tensor_figure, tensor_roles
from namedtensor.widgets.panel import Panel
from namedtensor.widgets.tensor_view import Explored, TensorView, value_at

MOST_BYTES = 16 * 2**20


class TensorExplorer(Panel):
    """Explore a tensor: drag its dims between rows, columns, facets, slider and mean.

    Slicing, means and colours are made in the browser, without the kernel. Pointing at a value reads out its
    named index; a click selects it, with a line to copy, ``x.isel(height=3, batch=2)``. A dim is moved by the
    pointer, or with the arrow keys.

    Args:
      x: a named tensor, or an array, whose dims are then ``axis0``, ``axis1``; floats, integers or booleans.
      name: what the tensor is called in the line to copy.
      rows: the dim down; by default height and width, or else the last two dims, are the picture.
      columns: the dim across.
      facets: the dim side by side.
      mean: the dims over which the mean is taken, ``"batch head"``.
      unit: of the values, for the colour bar.
      labels: texts at the positions of some dims: ``{"class": ["cat", "dog"]}``.
      most_bytes: a tensor of more float32 numbers than this is not sent to the browser; the kernel sends
        the slice that is shown, and the widget says so.

    Traits:
      selection: dim -> position of the value that was clicked on; empty at first.

    Raises:
      ValueError: a dim that is not there, or in two roles. (What cannot be drawn is a message in the widget.)

    Example:
      >>> import namedtensor as nt
      >>> from namedtensor.widgets import TensorExplorer
      >>> explorer = TensorExplorer(nt.ones("batch:2 height:4 width:4"), name="images")
      >>> explorer.view.roles
      {'batch': 'slider', 'height': 'rows', 'width': 'columns'}
      >>> explorer.selection = {"batch": 1, "height": 3, "width": 0}  # as a click does
      >>> explorer.selected.item()
      1.0
    """

    title = "tensor"
    selection = traitlets.Dict()

    def __init__(
        self,
        x: Any = None,
        *,
        name: str = "x",
        rows: str | None = None,
        columns: str | None = None,
        facets: str | None = None,
        mean: str | Iterable[str] = (),
        unit: str = "",
        labels: Mapping[str, Sequence[Any]] | None = None,
        most_bytes: int = MOST_BYTES,
    ):
        """Show the tensor; without one, `show` does."""
        self.view = TensorView(most_bytes=most_bytes)
        super().__init__([], [self.view])
        self.tensor: Any = None
        traitlets.link((self.view, "selection"), (self, "selection"))
        if x is not None:
            self.show(
                x, name=name, rows=rows, columns=columns, facets=facets, mean=mean, unit=unit, labels=labels
            )

    def show(
        self,
        x: Any,
        *,
        name: str = "x",
        rows: str | None = None,
        columns: str | None = None,
        facets: str | None = None,
        mean: str | Iterable[str] = (),
        unit: str = "",
        labels: Mapping[str, Sequence[Any]] | None = None,
    ) -> None:
        """Show another tensor; arguments as for the class. What cannot be drawn is a message.

        Where nothing is said of its dims, and they are those of the tensor before, they keep their roles.
        """
        x, name = _out_of_transit(x, name)
        try:
            explored = Explored.of(x)
        except ValueError as error:
            self.hide()
            return self.fail(error)
        at: dict[str, int] = {}
        roles = tensor_roles.chosen(explored.sizes, rows, columns, facets, mean)
        if (rows, columns, facets, mean) == (None, None, None, ()) and set(explored.dims) == set(
            self.view.dims
        ):
            roles, at = self.view.roles, self.view.at
        self.tensor = x
        texts = {dim: [str(text) for text in texts] for dim, texts in (labels or {}).items()}
        self.view.put(explored, roles, name=name, unit=unit, labels=_fitting(texts, explored.sizes), at=at)
        self.clear()
        return None

    def hide(self) -> None:
        """Show nothing."""
        with self.view.hold_sync():
            self.tensor = self.view.shown = None
            self.view.dims, self.view.sizes, self.view.numbers = [], [], b""
            self.view.roles, self.view.at, self.view.selection = {}, {}, {}
            self.view.text = self.view.note = ""
            self.view.version += 1

    def arrange(
        self,
        *,
        rows: str | None = None,
        columns: str | None = None,
        facets: str | None = None,
        mean: str | Iterable[str] = (),
    ) -> None:
        """Give the dims other roles; those that are not named are on sliders.

        Raises:
          ValueError: a dim that is not there, or in two roles.
        """
        sizes = dict(zip(self.view.dims, self.view.sizes, strict=True))
        self.view.roles = tensor_roles.chosen(sizes, rows, columns, facets, mean)

    @property
    def selected(self) -> Any:
        """The tensor at the selection: a value, or what is left over the dims that the mean is taken of."""
        return None if self.tensor is None else value_at(self.tensor, self.selection)

    def to_html(self, path: str | Path, title: str | None = None) -> Path:
        """A page that stands alone, see `Panel.to_html`; of a tensor too large to send it holds one slice.

        Raises:
          ValueError: there is nothing to show.
        """
        self._require_a_tensor()
        return super().to_html(path, title or self.view.text)

    def _require_a_tensor(self) -> None:
        if self.view.shown is None:
            raise ValueError("there is no tensor to show: call show(x) first.")

    def figure(self) -> Figure:
        """What is shown, as a matplotlib figure.

        Raises:
          ValueError: there is nothing to show.
        """
        self._require_a_tensor()
        return tensor_figure.drawn(self.view)


def _out_of_transit(x: Any, name: str) -> tuple[Any, str]:
    """What was captured in a scan has its iterations in front, without a name."""
    extra = np.ndim(x.array) - len(x.dims) if is_named(x) else 0
    if extra < 1:
        return x, name
    names = " ".join(f"iteration{'_' * k}" for k in range(extra))
    return x.name(names), f"{name}.name({names!r})"


def _fitting(labels: dict[str, list[str]], sizes: Mapping[str, int]) -> dict[str, list[str]]:
    for dim, texts in labels.items():
        if dim not in sizes:
            raise ValueError(f"there are labels for {dim!r}, and no such dim: there are {', '.join(sizes)}.")
        if len(texts) != sizes[dim]:
            raise ValueError(
                f"{dim!r} has {sizes[dim]} positions and {len(texts)} labels: give one for each."
            )
    return labels
