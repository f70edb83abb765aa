"""A graph of an ONNX file as plain Python: nodes in the order in which they can be computed.

Protocol buffers are read once, here; what follows knows only these records.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from namedtensor.interop.onnx.errors import MalformedModel, listed

DEEPEST = 16  # graphs within graphs


@dataclass(frozen=True)
class Declared:
    """What a file says about a value.

    Attributes:
      name: of the value.
      dtype: of its numbers; None where the file says nothing.
      sizes: for each axis a number, a name, or None for any; None where the file says nothing.
      denoted: what the axes mean (ONNX's denotations), "" where it says nothing.
      kind: "tensor", or what else it is.
    """

    name: str
    dtype: np.dtype | None = None
    sizes: tuple[int | str | None, ...] | None = None
    denoted: tuple[str, ...] = ()
    kind: str = "tensor"


@dataclass(frozen=True)
class Reference:
    """An attribute of a function's body that takes the value that the call gives."""

    name: str


@dataclass(frozen=True, eq=False)
class Node:
    """One operation.

    Attributes:
      op: the operator.
      domain: whose operator it is.
      name: what errors and layers call it.
      inputs: names of values; "" for one that is left out.
      outputs: the same.
      attributes: numbers, texts, arrays, lists of them, `Graph`, or a `Reference`.
      scopes: the modules that it is part of, outermost first, as far as the file says.
      source: its NodeProto, for the definitions of ONNX that are written per call.
    """

    op: str
    domain: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    scopes: tuple[str, ...] = ()
    source: Any = None

    @property
    def label(self) -> str:
        """The operator with its domain, as errors show it."""
        return f"{self.domain}.{self.op}" if self.domain else self.op

    def graphs(self) -> Iterator["Graph"]:
        """The graphs among the attributes."""
        for value in self.attributes.values():
            if isinstance(value, Graph):
                yield value
            elif isinstance(value, list):
                yield from (part for part in value if isinstance(part, Graph))

    def reads(self) -> set[str]:
        """The values that it needs, those of its subgraphs included."""
        return {name for name in self.inputs if name}.union(*(graph.free() for graph in self.graphs()))


@dataclass(frozen=True, eq=False)
class Graph:
    """Nodes, in an order in which each finds its operands.

    Attributes:
      inputs: what must be given.
      outputs: what it gives.
      constants: the arrays that the file holds.
      nodes: the operations.
    """

    inputs: tuple[Declared, ...]
    outputs: tuple[Declared, ...]
    constants: Mapping[str, np.ndarray]
    nodes: tuple[Node, ...]

    def free(self) -> set[str]:
        """The values that it takes from the graph around it."""
        made = {d.name for d in self.inputs} | set(self.constants)
        needed = {name for node in self.nodes for name in node.reads()} | {d.name for d in self.outputs}
        return needed - made - {name for node in self.nodes for name in node.outputs}

    def with_weights(self) -> "Graph":
        """The same with the arrays of Constant nodes among its own: some programs write all weights so.

        Numbers alone, such as the epsilon of a norm, stay where they are.
        """
        weights = {n.outputs[0]: x for n in self.nodes if (x := _weight(n)) is not None}
        rest = tuple(n for n in self.nodes if n.outputs[:1] == () or n.outputs[0] not in weights)
        return Graph(self.inputs, self.outputs, {**self.constants, **weights}, rest)

    def pruned(self, outputs: Sequence[Declared]) -> "Graph":
        """The part of it that these values need."""
        needed, kept = {d.name for d in outputs}, []
        for node in reversed(self.nodes):
            if needed & set(node.outputs):
                needed |= node.reads()
                kept.append(node)
        constants = {name: array for name, array in self.constants.items() if name in needed}
        return Graph(self.inputs, tuple(outputs), constants, tuple(reversed(kept)))


def _weight(node: Node) -> np.ndarray | None:
    value = node.attributes.get("value") if (node.domain, node.op) == ("", "Constant") else None
    return value if isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.size > 1 else None


@dataclass(frozen=True, eq=False)
class Function:
    """A function that a file, or ONNX's own definition of an operator, writes as a graph.

    Attributes:
      graph: its body.
      opsets: domain -> version of the operators in it.
      defaults: attribute -> value where a call gives none.
    """

    graph: Graph
    opsets: Mapping[str, int]
    defaults: Mapping[str, Any] = field(default_factory=dict)


def ordered(nodes: Sequence[Node], given: set[str]) -> tuple[Node, ...]:
    """The nodes such that each finds its operands; the order of the file is kept where it does.

    Raises:
      MalformedModel: a cycle, a value that nothing makes, or one that is made twice.
    """
    makers: dict[str, Node] = {}
    for node in nodes:
        for name in node.outputs:
            if name and (name in makers or name in given):
                raise MalformedModel(f"the value {name!r} is made twice, the second time by {node.name!r}.")
            makers |= {name: node} if name else {}
    waits = {id(node): {n for n in node.reads() if n not in given} for node in nodes}
    _all_made(nodes, waits, makers)
    done, order, rest = set(given), [], list(nodes)
    while rest:
        waiting = []
        for node in rest:
            if waits[id(node)] <= done:
                done |= set(node.outputs)
                order.append(node)
            else:
                waiting.append(node)
        if len(waiting) == len(rest):
            raise MalformedModel(f"the nodes {listed(n.name for n in rest)} wait for each other: a cycle.")
        rest = waiting
    return tuple(order)


def _all_made(nodes: Sequence[Node], waits: Mapping[int, set[str]], makers: Mapping[str, Node]) -> None:
    for node in nodes:
        if missing := sorted(waits[id(node)] - makers.keys()):
            raise MalformedModel(
                f"node {node.name!r} ({node.label}) reads {listed(missing)}, which nothing makes."
            )
