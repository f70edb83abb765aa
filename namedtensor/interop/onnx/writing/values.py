"""What the rules pass around while a function is written: values of a graph, and the nodes that make them."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Shape = tuple[Any, ...]  # of integers and of JAX's symbolic dims


@dataclass(frozen=True, eq=False)
class Value:
    """A value of the graph.

    Attributes:
      name: what nodes call it while the graph is written; a tap may give it another one at the end.
      shape: its sizes, integers or symbolic dims.
      dtype: its type.
      known: the array, of a constant.
      thin: the smaller value that this one repeats, as NumPy broadcasts: elementwise nodes read that one.
      as_factor: a cheaper value to multiply with.
    """

    name: str
    shape: Shape
    dtype: np.dtype
    known: np.ndarray | None = None
    thin: "Value | None" = None
    as_factor: "Value | None" = None

    @property
    def ndim(self) -> int:
        """How many axes it has."""
        return len(self.shape)


@dataclass
class Node:
    """A node while the graph is written.

    Attributes:
      op: the operator.
      name: a readable name, below the scope that its equation stands in.
      inputs: names of values; an empty one is an operand left out.
      outputs: names of values.
      attributes: numbers, texts, lists, arrays, and the bodies of control flow.
    """

    op: str
    name: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, Any] = field(default_factory=dict)

    @property
    def bodies(self) -> list["Body"]:
        """The graphs among the attributes."""
        return [a for a in self.attributes.values() if isinstance(a, Body)]


@dataclass
class Body:
    """The graph inside a node: a branch, or what a loop repeats."""

    name: str
    inputs: list[Value]
    outputs: list[Value]
    nodes: list[Node]


def is_static(size: Any) -> bool:
    """Whether a size is a number and not a symbolic dim."""
    return isinstance(size, int | np.integer)


def all_static(shape: Shape) -> bool:
    """Whether all sizes are numbers."""
    return all(map(is_static, shape))


def same(a: Shape, b: Shape) -> bool:
    """Whether two shapes are known to be the same; symbolic dims are by what they spell."""
    return len(a) == len(b) and all(str(m) == str(n) for m, n in zip(a, b, strict=True))


def broadcast(*shapes: Shape) -> Shape:
    """The shape of an elementwise result, as NumPy broadcasts."""
    rank = max(map(len, shapes))
    columns = zip(*((1,) * (rank - len(s)) + tuple(s) for s in shapes), strict=True)
    return tuple(next((n for n in column if not (is_static(n) and n == 1)), 1) for column in columns)


def size(shape: Shape) -> int:
    """How many elements there are; a symbolic dim counts as one."""
    return math.prod(int(n) for n in shape if is_static(n))
