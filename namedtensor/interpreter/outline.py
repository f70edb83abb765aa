"""The outline of a function: the tree of its places, with shapes, sizes, costs and parameters.

It is `list_taps` for the eye. Places whose names begin alike, up to a slash, stand below one another;
what is there comes from tracing alone, so the outline of a model that does not fit here costs nothing.
"""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from namedtensor._tensor import is_named
from namedtensor.interpreter import costs, frameworks, outline_table, parameters, places, taps
from namedtensor.interpreter.outline_tree import Tree, in_order
from namedtensor.interpreter.place import Place
from namedtensor.interpreter.walk import Program

__all__ = ["Outline", "Place", "outline"]


@dataclass(frozen=True)
class Outline:
    """The tree of a function's places, made by `outline`. It shows itself as a table.

    Attributes:
      root: the function; its ``flops`` are those of the whole function, its ``value`` is the result's
        shape if it is one array.
      notes: what the costs guess, in words; empty where they are known.
    """

    root: Place
    notes: tuple[str, ...] = ()

    def __getitem__(self, path: str) -> Place:
        """The place of this path, or of this name as ``layer=`` takes it."""
        for place in self.root.walk():
            if path in (place.path, place.layer):
                return place
        raise taps.unknown(path, [place.layer for place in self if place.layer is not None])

    def __iter__(self) -> Iterator[Place]:
        """All places and parameters but the function itself, each before those below it."""
        walk = self.root.walk()
        next(walk)
        return walk

    def table(self, *, parameters: bool = False, most: int | None = 60) -> str:
        """The outline as text, one line a place.

        Args:
          parameters: whether each parameter has a line too.
          most: how many lines there may be; None for all.
        """
        return outline_table.text(self.root, self.notes, parameters=parameters, most=most)

    def __repr__(self) -> str:
        return self.table()

    def _repr_html_(self) -> str:
        return outline_table.html(self.root, self.notes)


def outline(fun: Callable[..., Any], *args: Any, params: Any = None, **kwargs: Any) -> Outline:
    """The tree of a function's places, with named shapes, sizes, costs and parameters.

    Nothing is computed: the function is traced. A product and a sum count as two operations, and what a
    convolution would multiply by its padding is not counted (as by XLA); any elementwise function
    counts one for each result. A scan costs its body times its length, a cond its dearest branch, a
    while loop its body once, which `Outline.notes` says then.

    Args:
      fun: any JAX function; `list_taps` says what its places are.
      *args: arguments for it (arrays or `jax.ShapeDtypeStruct`).
      params: a pytree of its parameters, to be listed at the places that their paths name
        (``params["blocks"][0]["mlp"]`` at ``"blocks/0/mlp"``). By default those of the module that ``fun``
        is or belongs to (flax, equinox), if any.
      **kwargs: keyword arguments for it.

    Returns:
      The `Outline`.

    Raises:
      UnsupportedPrimitiveError: a tap inside a while loop.

    Warns:
      UserWarning: a framework that is imported is too old for its modules to be places.

    Example:
      >>> import namedtensor as nt
      >>> def f(params, x):
      ...     hidden = nt.tap(x.dot("pixel", params["dense"]).relu(), "dense")
      ...     return hidden.sum("hidden")
      >>> params = {"dense": nt.ones("pixel:6 hidden:4")}
      >>> nt.outline(f, params, nt.ones("batch:2 pixel:6"), params=params)
      place        shape                  size  FLOPs  share  parameters
      f            f32[batch:2]            8 B    110  100 %          24
      └ dense tap  f32[batch:2 hidden:4]  32 B    104   95 %          24
    """
    for trouble in frameworks.troubles():
        warnings.warn(f"{trouble}.", stacklevel=2)
    own, every = Program.traced(fun, args, kwargs), places.everywhere(fun, args, kwargs)
    tapped, shapes = taps.shapes(own), taps.shapes(every)
    extents = costs.by_extent(every.jaxpr.jaxpr)
    tree = Tree(costs.by_tap(own.jaxpr.jaxpr), extents, tapped.keys())
    for name, value in in_order(tapped | taps.others(tapped, shapes), shapes):
        tree.add_place(name, value)
    names = tree.nodes.keys() - {""}
    for path, leaf in parameters.listed(parameters.of_function(fun, args) if params is None else params):
        tree.add_parameter(parameters.placed(path, names), leaf)
    result = own.results if is_named(own.results) or hasattr(own.results, "shape") else None
    root = replace(tree.nodes[""].finished(), label=_name(fun), value=result, flops=extents[costs.TOTAL])
    return Outline(root, tuple(_notes(every.jaxpr.jaxpr)))


def _name(fun: Any) -> str:
    fun = parameters.unwrapped(fun)
    return getattr(fun, "__name__", None) or type(fun).__name__


def _notes(jaxpr: Any) -> Iterator[str]:
    """What the reader must know before the costs are believed."""
    unknown = costs.unknown(jaxpr)
    if loops := unknown.pop("while", 0):
        many = "a while loop is" if loops == 1 else f"{loops} while loops are"
        yield f"{many} counted as one iteration; how many there are depends on the data."
    if unknown:
        listed = ", ".join(sorted(unknown))
        yield f"no cost is known for {listed}: counted as one operation for each result."
