"""A place of a function, with what is there and what it costs: a node of an outline."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from namedtensor._tensor import is_named


@dataclass(frozen=True)
class Place:
    """A node of an `Outline`.

    Attributes:
      path: where it stands in the tree, ``"blocks/0/mlp"``; the function itself has an empty path.
      label: the last part of the path.
      kind: ``"function"``, ``"tap"``, ``"module"``, ``"scope"``, ``"parameter"``, or ``"group"`` for a
        beginning that several names have in common.
      layer: its name as ``layer=``, `nt.capture` and `nt.replace` take it; None where nothing passes.
      value: shape and dtype of what passes there, named where the tensor was; of a parameter the array;
        None for a group.
      flops: floating-point operations of the equations in it; for a tap, those that its value needs and
        no tap before it has needed, with those of the taps below it. None where there are none to tell.
      children: the places and parameters below it.
    """

    path: str
    label: str
    kind: str
    layer: str | None
    value: Any
    flops: int | None
    children: tuple["Place", ...] = ()

    @property
    def bytes(self) -> int | None:
        """The size in memory of what passes there, or of the parameter."""
        return None if self.value is None else size(self.value) * _plain(self.value).dtype.itemsize

    @property
    def parameters(self) -> int:
        """How many parameters (numbers) there are at and below it."""
        own = size(self.value) if self.kind == "parameter" else 0
        return own + sum(child.parameters for child in self.children)

    def walk(self) -> Iterator["Place"]:
        """This place and all below it, each before those below it."""
        yield self
        for child in self.children:
            yield from child.walk()


def size(value: Any) -> int:
    """How many elements an array has, or one of this shape."""
    return math.prod(_plain(value).shape)


def _plain(value: Any) -> Any:
    return value.array if is_named(value) else value
