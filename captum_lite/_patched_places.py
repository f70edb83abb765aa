"""The places of a function that are patched, and the positions in each."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from captum_lite._inputs import BATCH
from captum_lite._loops import loops_around
from namedtensor import Dims, NamedTensor, capture, is_named
from namedtensor._dims import dims
from namedtensor._errors import describe
from namedtensor.interpreter import places

Over = str | int | Iterable[str | int]


@dataclass(frozen=True)
class Place:
    """A place, and the positions in it that are patched one by one.

    Attributes:
      name: of the place.
      dims: names, as it stores them; None for a plain one. The axes of loops stand before them.
      shape: of its array.
      loops: how many loops it stands in.
      axes: of the array: the loops, and those that are patched position by position.
    """

    name: str
    dims: Dims | None
    shape: tuple[int, ...]
    loops: int
    axes: tuple[int, ...]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Of the positions."""
        return tuple(self.shape[a] for a in self.axes)

    @property
    def count(self) -> int:
        """The number of positions."""
        return math.prod(self.sizes)

    @property
    def batch_axis(self) -> int:
        """Where the batch is."""
        return self.loops + (0 if self.dims is None else self.dims.index(BATCH))

    def mask(self, number: Any) -> Any:
        """True at one of the positions, of the place's shape."""
        here = jnp.ones(self.shape, bool)
        for axis, at in zip(self.axes, jnp.unravel_index(number, self.sizes or (1,)), strict=False):
            here &= jax.lax.broadcasted_iota(jnp.int32, self.shape, axis) == at
        return here

    def entries(self, effects: Any) -> dict[str, Any]:
        """Effects ``[batch, *positions]`` by the place's name, those of each iteration by its own."""
        out = {}
        for index in np.ndindex(self.sizes[: self.loops]):
            which = f"[{','.join(map(str, index))}]" if index else ""
            effect = effects[(slice(None), *index)]
            if self.dims is not None:
                over = [self.dims[a - self.loops] for a in self.axes[self.loops :]]
                effect = NamedTensor(effect, dims((BATCH, *over)))
            out[f"{self.name}{which}"] = effect
        return out


def array_of(value: Any) -> Any:
    """The array of a value that may be named."""
    return value.array if is_named(value) else value


def find_places(
    fun: Callable[..., Any],
    given: tuple[Any, ...],
    batch: int,
    layers: str | Iterable[str] | None,
    over: Over,
    *,
    differentiates: bool = False,
) -> list[Place]:
    """The places asked for, or all taps that can be patched so, in the order of the program.

    Args:
      fun: the function.
      given: its arguments.
      batch: the number of examples.
      layers: names of places; None for all taps.
      over: dims, or axes of plain values; a string may hold several dims.
      differentiates: whether the values must have a gradient.

    Raises:
      UnknownTapError: the function has no such place.
      ValueError: a place without those axes or without a batch, or no place at all.
      TypeError: a place of integers where a gradient is taken.
    """
    names = [layers] if isinstance(layers, str) else None if layers is None else list(layers)
    jaxpr = places.traced(fun, names or (), given, {}).jaxpr.jaxpr
    found, refused = [], []
    for name, value in _shapes(fun, given, names).items():
        try:
            found.append(_place(name, value, loops_around(jaxpr, name), batch, _wanted(over), differentiates))
        except (TypeError, ValueError) as error:
            if names is not None:
                raise
            refused.append(str(error))
    if not found:
        why = f"none of the taps can be patched: {refused[0]}" if refused else "the function has no taps: "
        raise ValueError(
            why if refused else f"{why}name places with nt.tap, or give layers= of namedtensor.list_taps."
        )
    return found


def _wanted(over: Over) -> tuple[str | int, ...]:
    if isinstance(over, int):
        return (over,)
    return tuple(over.split()) if isinstance(over, str) else tuple(over)


def _shapes(fun: Callable[..., Any], given: tuple[Any, ...], names: list[str] | None) -> dict[str, Any]:
    """What passes at places, as shapes, in the order of the program."""
    there: dict[str, Any] = {}

    def look(arrays: dict[int, Any]) -> None:
        leaves, tree = jax.tree.flatten(given)
        args = jax.tree.unflatten(tree, [arrays.get(i, leaf) for i, leaf in enumerate(leaves)])
        for name, value in capture(fun, names)(*args)[1].items():  # (a dict that JAX maps comes back sorted)
            there[name] = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), value)

    jax.eval_shape(look, {i: x for i, x in enumerate(jax.tree.leaves(given)) if hasattr(x, "dtype")})
    return there


def _place(
    name: str, value: Any, loops: int, batch: int, over: tuple[str | int, ...], differentiates: bool
) -> Place:
    """A place that can be patched so, or an error that says why not."""
    shape, names = array_of(value).shape, value.dims if is_named(value) else None
    inner = len(shape) - loops
    first = (BATCH in names and shape[loops + names.index(BATCH)]) if names else inner and shape[loops]
    if first != batch:
        raise ValueError(
            f"the place {name!r} is {describe(value)} for a batch of {batch}: "
            "a place that is patched has the batch in front (or as the dim batch), of the same size."
        )
    if differentiates and not jnp.issubdtype(array_of(value).dtype, jnp.floating):
        raise TypeError(f"the place {name!r} is {describe(value)}: integers have no gradient.")
    axes = [_axis(d, names, inner) for d in over]
    if None in axes or len(set(axes)) < len(axes):
        has = (
            f"the dims {' '.join(d for d in names if d != BATCH)!r}"
            if names
            else f"the axes 1 to {inner - 1}"
        )
        raise ValueError(f"the place {name!r} is {describe(value)}: over={over!r} is not among {has}.")
    return Place(name, names, shape, loops, (*range(loops), *(loops + a for a in axes if a is not None)))


def _axis(over: str | int, names: Dims | None, ndim: int) -> int | None:
    """The axis of a place (without its loops), or None if it has no such one besides the batch."""
    if names is not None:
        return names.index(over) if isinstance(over, str) and over in names and over != BATCH else None
    if isinstance(over, str):
        return None
    axis = over + ndim if over < 0 else over
    return axis if 0 < axis < ndim else None
