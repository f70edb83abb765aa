"""The places of a model: each node's result has the node's name, and each module's its last node's."""

from collections.abc import Mapping
from dataclasses import dataclass

from namedtensor.interop.onnx.graph import Graph, Node
from namedtensor.interop.onnx.values import Value, known
from namedtensor.interpreter import tap


@dataclass(frozen=True)
class Layer:
    """A place: of a node, or of a module as far as the file knows of modules.

    Attributes:
      operator: what made the value.
      nodes: how many nodes belong to it.
    """

    operator: str
    nodes: int = 1


@dataclass(frozen=True, eq=False)
class Places:
    """Names of values for `nt.tap`.

    Attributes:
      names: value -> the names it has, that of its node first.
      layers: name -> what is there, in the order of the graph.
    """

    names: Mapping[str, tuple[str, ...]]
    layers: Mapping[str, Layer]

    def passing(self, node: Node, values: list[Value]) -> list[Value]:
        """What a node has made, with its names."""
        return [self._named(name, x) for name, x in zip(node.outputs, values, strict=False)]

    def _named(self, value: str, x: Value) -> Value:
        if known(x):
            return x
        for name in self.names.get(value, ()):
            x = tap(x, name)
        return x


def places(graph: Graph, depending: set[str]) -> Places:
    """The places of those values that depend on the inputs."""
    names: dict[str, list[str]] = {}
    layers: dict[str, Layer] = {}
    last: dict[str, tuple[str, Node]] = {}
    sizes: dict[str, int] = {}
    for node in graph.nodes:
        made = [name for name in node.outputs if name in depending]
        for i, value in enumerate(made):
            name = _allowed(node.name if len(node.outputs) == 1 else f"{node.name}[{i}]")
            names[value] = [name]
            layers[name] = Layer(node.label)
        for scope in node.scopes if made else ():
            last[scope] = (made[0], node)
            sizes[scope] = sizes.get(scope, 0) + 1
    for scope, (value, node) in last.items():
        if (name := _allowed(scope)) not in layers:
            names[value].append(name)
            layers[name] = Layer(node.label, sizes[scope])
    return Places({value: tuple(found) for value, found in names.items()}, layers)


def _allowed(name: str) -> str:
    return name.replace("#", "_")  # which numbers the passages of a place
