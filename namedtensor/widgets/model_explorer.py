"""The model explorer: what is inside a function, what it costs, and what passes there."""

from collections.abc import Callable
from typing import Any

import ipywidgets as w
import jax
import traitlets
from matplotlib.figure import Figure

from namedtensor._tensor import is_named
from namedtensor.interpreter import Outline, Place, capture, outline
from namedtensor.interpreter.walk import is_array
from namedtensor.widgets import tree_figure
from namedtensor.widgets.job import Job
from namedtensor.widgets.panel import Panel
from namedtensor.widgets.tensor_explorer import MOST_BYTES, TensorExplorer
from namedtensor.widgets.tree import TreeView
from namedtensor.widgets.view import View


class ModelExplorer(Panel):
    """Explore a function: the tree of its places and parameters, with shapes, sizes and costs.

    A click on a place shows what passes there, beside the tree; a click on a parameter shows its values.
    Places are taps (`nt.tap`), the modules of flax and equinox, and named scopes, as `nt.outline` has them.

    Args:
      fun: any JAX function, or a module.
      *args: arguments for it. Of shapes alone (`jax.ShapeDtypeStruct`) there is a tree, and nothing passes.
      params: a pytree of its parameters, as for `nt.outline`.
      most_bytes: activations above this size are not sent to the browser as a whole, see `TensorExplorer`.
      **kwargs: keyword arguments for ``fun``.

    Traits:
      selection: the name of the chosen place, as ``layer=`` of an explanation takes it; None at first, and
        where nothing passes (a parameter, a group of places).

    Attributes:
      outline: the `Outline`; None where the function cannot be traced, which is a message in the widget.
      activation: what passes at the selection.
      explorer: the `TensorExplorer` that shows it.

    Raises:
      UnknownTapError: a ``selection`` that is set to no place. (A function that raises is a message.)

    Example:
      >>> import jax.numpy as jnp, namedtensor as nt
      >>> from namedtensor.widgets import ModelExplorer
      >>> explorer = ModelExplorer(lambda x: nt.tap(x.tanh(), "hidden").sum(), nt.zeros("embed:3"))
      >>> explorer.selection = "hidden"  # as a click does
      >>> explorer.wait()
      >>> explorer.activation.dims
      ('embed',)
    """

    title = "model"
    selection = traitlets.Unicode(None, allow_none=True)

    def __init__(
        self,
        fun: Callable[..., Any],
        *args: Any,
        params: Any = None,
        most_bytes: int = MOST_BYTES,
        **kwargs: Any,
    ):
        """Show the tree; nothing is computed yet."""
        self.tree = TreeView(label="places of the function")
        self.explorer = TensorExplorer(most_bytes=most_bytes)
        self.outline: Outline | None = None
        self.activation: Any = None
        self._fun, self._args, self._kwargs = fun, args, kwargs
        beside = w.VBox(
            [self.explorer.message, self.explorer.view], layout=w.Layout(flex="1 1 460px", min_width="0")
        )
        self.tree.layout = w.Layout(flex="1 1 460px", min_width="0")
        super().__init__(
            [], [w.HBox([self.tree, beside], layout=w.Layout(flex_flow="row wrap", grid_gap="0 24px"))]
        )
        self.tree.observe(lambda change: self._choose(change["new"]), "chosen")
        self.observe(lambda change: self._follow(change["new"]), "selection")
        with self.answering():
            self.outline = outline(fun, *args, params=params, **kwargs)
            self.title = self.outline.root.label
            self.tree.put(self.outline)

    # ---- choices

    def _choose(self, path: str | None) -> None:
        """What was clicked on."""
        if path is None or self.outline is None:
            return
        place = self.outline[path]
        self.activation = None
        self.selection = place.layer
        if place.kind == "parameter":
            self.cancel()
            self._show(place, place.value)

    def _follow(self, layer: str | None) -> None:
        """Show what passes at the selection, whoever chose it."""
        if layer is None or self.outline is None:
            return
        place = self.outline[layer]  # an unknown name is an error of the call that sets it
        self.tree.chosen = place.path
        self.start(lambda job: self._compute(job, place), f"computing {layer}")

    def _compute(self, job: Job, place: Place) -> None:
        value = activation(self._fun, place.layer or "", self._args, self._kwargs)
        if not job.cancel.is_set():
            self.activation = value
            job.show(lambda: self._show(place, value))

    def _show(self, place: Place, value: Any) -> None:
        if isinstance(_plain(value), jax.ShapeDtypeStruct):
            self.explorer.hide()
            self.fail(ValueError(f"{place.path} is a shape alone: give arrays, to see values."))
            return
        self.explorer.show(value, name=place.label if place.label.isidentifier() else "x")

    # ---- for papers and pages

    def figure(self) -> Figure:
        """The costs of the places, as bars.

        Raises:
          ValueError: the function could not be traced.
        """
        if self.outline is None:
            raise ValueError("there is no outline: the function could not be traced.")
        return tree_figure.drawn(self.outline)

    def parts(self) -> list[View | str]:
        """The tree, and the activation that is on display beside it."""
        shown = [self.explorer.view] if self.explorer.view.shown is not None else []
        return ['<div class="nt-beside">', self.tree, *shown, "</div>"]


def activation(fun: Callable[..., Any], layer: str, args: tuple, kwargs: dict[str, Any]) -> Any:
    """What passes at a place of a function, compiled, without what comes after it.

    Raises:
      ValueError: the arguments are shapes alone.
    """
    leaves, tree = jax.tree.flatten((args, kwargs))
    if any(isinstance(leaf, jax.ShapeDtypeStruct) for leaf in leaves):
        raise ValueError("the arguments are shapes alone: give arrays, to see what passes.")
    at = [i for i, leaf in enumerate(leaves) if is_array(leaf)]

    @jax.jit
    def passing(arrays: list[Any]) -> Any:
        filled = list(leaves)
        for i, array in zip(at, arrays, strict=True):
            filled[i] = array
        given, named = jax.tree.unflatten(tree, filled)
        return capture(fun, [layer])(*given, **named)[1][layer]

    return jax.block_until_ready(passing([leaves[i] for i in at]))


def _plain(value: Any) -> Any:
    return value.array if is_named(value) else value
