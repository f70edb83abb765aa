"""How the tree of an outline grows: names become paths, and what several have in common becomes a node."""

import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from namedtensor.interpreter import places
from namedtensor.interpreter.costs import TOTAL
from namedtensor.interpreter.place import Place

_FIELD = re.compile(r"\.[^/]*$")  # which of several values, where they are fields
_NUMBER = re.compile(r"#(\d+)$")


@dataclass
class Node:
    """A place while the tree grows; fields as those of `Place`.

    Attributes:
      flops: the operations of its extent, if it has one.
      claimed: those of a tap.
    """

    path: str
    label: str
    kind: str = "group"
    layer: str | None = None
    value: Any = None
    flops: int | None = None
    claimed: int | None = None
    children: dict[str, "Node"] = field(default_factory=dict)

    def finished(self) -> Place:
        """The place, with its costs: of its extent, of the taps in it, or else of its parts."""
        below = tuple(child.finished() for child in self.children.values())
        known = [cost for cost in (self.flops, self.taps()) if cost is not None]
        known += [sum(parts)] if (parts := [p.flops for p in below if p.flops is not None]) else []
        flops = known[0] if known else None
        return Place(self.path, self.label, self.kind, self.layer, self.value, flops, below)

    def taps(self) -> int | None:
        """What the tap here and those below it have claimed; None where there are none."""
        claims = [self.claimed, *(child.taps() for child in self.children.values())]
        known = [claim for claim in claims if claim is not None]
        return sum(known) if known else None


@dataclass
class Tree:
    """A tree that grows place by place. Scopes that a framework makes around its modules are left out.

    Attributes:
      taps: the operations of each passage of a tap.
      extents: the operations in each module and scope.
      tapped: the places that are taps.
      nodes: path -> node, of all there are so far.
    """

    taps: Mapping[str, list[int]]
    extents: Mapping[tuple[str, str], int]
    tapped: Set[str]
    nodes: dict[str, Node] = field(default_factory=lambda: {"": Node("", "", "function")})

    def add_place(self, name: str, value: Any) -> None:
        """A place as `list_taps` names it."""
        kind, stem = self._kind(name)
        if kind == "scope" and self._around_a_module(stem):
            return
        node = self._at(stem)
        if kind != "tap":
            node.kind, node.flops = kind, self.extents.get((kind, stem))
        if name != stem:  # one of several passages or values
            node = self._child(node, name, name[len(stem) :])
        node.kind, node.layer, node.value = kind, name, value
        if kind == "tap":
            node.claimed = self._of_tap(name)

    def add_parameter(self, path: str, value: Any) -> None:
        """A parameter, where `parameters.placed` puts it."""
        above, _, label = path.rpartition("/")
        node = self._at(above)
        node = self._child(node, path if path not in self.nodes else f"{path} (parameter)", label)
        node.kind, node.value = "parameter", value

    def _kind(self, name: str) -> tuple[str, str]:
        """What a place is, and its name without what tells its passages and values apart."""
        stem = places.base(name)
        if name in self.tapped:
            return "tap", stem
        for kind in ("module", "scope"):
            for part in (stem, _FIELD.sub("", stem)):
                if (kind, part) in self.extents:
                    return kind, part
        return "scope", stem

    def _around_a_module(self, scope: str) -> bool:
        """Whether a framework made the scope: equinox for each layer, linen for the model as a whole."""
        if not any(kind == "module" for kind, _ in self.extents):
            return False
        whole = "/" not in scope and self.extents.get(("scope", scope)) == self.extents[TOTAL]
        return whole or scope.rpartition("/")[2].startswith("eqx.nn.")

    def _of_tap(self, name: str) -> int | None:
        number = _NUMBER.search(name)
        passages = self.taps.get(_NUMBER.sub("", name), [])
        at = int(number[1]) - 1 if number else 0
        return passages[at] if at < len(passages) else None

    def _at(self, path: str) -> Node:
        """The node of a path, with those above it."""
        node = self.nodes.get(path)
        if node is None:
            above, _, label = path.rpartition("/")
            node = self._child(self._at(above), path, label)
            node.flops = self.extents.get(("scope", path))
        return node

    def _child(self, node: Node, path: str, label: str) -> Node:
        return node.children.setdefault(path, self.nodes.setdefault(path, Node(path, label)))


def in_order(there: Mapping[str, Any], program: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Places in the order in which the program passes them; those that it does not name come last."""
    order = {name: i for i, name in enumerate(program)}
    return iter(sorted(there.items(), key=lambda item: order.get(item[0], len(order))))
