"""What each operator of a model is: one of its own functions, one of the table, or ONNX's definition of it.

ONNX defines many operators as graphs of simpler ones. That definition is what runs where the table has
no entry, so an operator that is new in ONNX often works before anyone has written it here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from namedtensor._optional import optional
from namedtensor.interop.onnx import parse
from namedtensor.interop.onnx.errors import OnnxError, UnsupportedOperators
from namedtensor.interop.onnx.graph import Function, Graph, Node
from namedtensor.interop.onnx.table import Operator, find

DEEPEST = 64  # functions that call functions
MOST = 200_000  # nodes of a model, those of called functions included


@dataclass(frozen=True)
class PerCall:
    """An operator whose definition ONNX writes anew for each call, from the dtypes of its operands."""

    schema: Any
    version: int


Implementation = Operator | Function | PerCall


@dataclass(frozen=True, eq=False)
class Library:
    """The functions of a model, and the versions of the operators in it.

    Attributes:
      opsets: domain -> version.
      functions: (domain, name) -> function, of those that the file brings.
      found: what was found for nodes before.
    """

    opsets: Mapping[str, int]
    functions: Mapping[tuple[str, str], Function]
    found: WeakKeyDictionary[Node, Implementation | None] = field(default_factory=WeakKeyDictionary)

    def within(self, function: Function) -> "Library":
        """The same functions, with the versions of the operators in one of them."""
        return Library({**self.opsets, **function.opsets}, self.functions, self.found)

    def implementation(self, node: Node) -> Implementation | None:
        """What a node computes; None where nobody says."""
        if node not in self.found:
            self.found[node] = self._find(node)
        return self.found[node]

    def _find(self, node: Node) -> Implementation | None:
        if own := self.functions.get((node.domain, node.op)):
            return own
        version = self.opsets.get(node.domain, self.opsets.get("", 1) if not node.domain else 1)
        known = find(node.domain, node.op, version)
        if known is not None and not self.foreign(node, known):
            return known
        return _defined(node, version)

    def foreign(self, node: Node, known: Operator) -> list[str]:
        """The attributes of a node that the table's entry does not know."""
        return sorted(set(node.attributes) - known.attributes)


def library(model: Any) -> Library:
    """The library of a ModelProto."""
    opsets = {"" if o.domain == "ai.onnx" else o.domain: o.version for o in model.opset_import}
    functions = {
        ("" if f.domain == "ai.onnx" else f.domain, f.name): parse.function(f, opsets)
        for f in model.functions
    }
    return Library(opsets, functions)


def per_call(found: PerCall, node: Node, types: Sequence[Any], attributes: Mapping[str, Any]) -> Function:
    """ONNX's definition of this call, whose operands have these types (TypeProto, or None)."""
    import onnx

    source = onnx.NodeProto.FromString(node.source.SerializeToString())
    for i, attribute in reversed(list(enumerate(source.attribute))):
        if attribute.ref_attr_name:  # in a function's body: the value that the function was called with
            name = attribute.name
            del source.attribute[i]
            if (value := attributes.get(name)) is not None:
                source.attribute.append(onnx.helper.make_attribute(name, value))
    data = found.schema.get_context_dependent_function_with_opset_version(
        found.version, source.SerializeToString(), [t.SerializeToString() if t else b"" for t in types]
    )
    return parse.function(onnx.FunctionProto.FromString(data), {"": found.version}, _defaults(found.schema))


def _defaults(schema: Any) -> dict[str, Any]:
    """The AttributeProtos that hold where a call says nothing."""
    return {name: a.default_value for name, a in schema.attributes.items() if a.default_value.name}


def _defined(node: Node, version: int) -> Implementation | None:
    """ONNX's own definition, if it writes the operator as a graph."""
    with optional("onnx"):
        from onnx import FunctionProto, defs

    try:
        schema: Any = defs.get_schema(node.op, version, node.domain)
    except defs.SchemaError:
        return None
    if set(node.attributes) - set(schema.attributes):
        return None
    if schema.has_function:
        body = schema.function_body
        proto = body if isinstance(body, FunctionProto) else FunctionProto.FromString(body)
        return parse.function(proto, {node.domain: version}, _defaults(schema))
    versions = [v for v in schema.context_dependent_function_opset_versions if v <= version]
    return PerCall(schema, versions[-1]) if versions else None


def require_all(graph: Graph, there: Library) -> None:
    """Check that all operators of a model are known, before anything runs.

    Raises:
      UnsupportedOperators: those that are not, all at once, with their nodes.
      OnnxError: functions that call each other without end, or so often that no program is that large.
    """
    survey = _Survey()
    if (count := survey.count(graph, there)) > MOST:
        raise OnnxError(f"the functions of this model make {count} nodes: more than {MOST} are refused.")
    if survey.missing:
        raise UnsupportedOperators(survey.missing, survey.reasons)


@dataclass(frozen=True)
class _Survey:
    """What a walk over all nodes finds, those of subgraphs and of called functions included.

    Attributes:
      missing: operator -> its nodes, of those that nobody defines.
      reasons: operator -> why, where it is not unknown.
      counts: function -> how many nodes it makes; None while it is being counted.
    """

    missing: dict[str, list[str]] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    counts: dict[int, int | None] = field(default_factory=dict)

    def count(self, graph: Graph, there: Library) -> int:
        """How many nodes a graph makes."""
        return sum(self._of_node(node, there) for node in graph.nodes)

    def _of_node(self, node: Node, there: Library) -> int:
        inner = sum(self.count(graph, there) for graph in node.graphs())
        called = there.implementation(node)
        if called is None:
            self._note(node, there)
        return 1 + inner + (self._of_function(node, called, there) if isinstance(called, Function) else 0)

    def _of_function(self, node: Node, function: Function, there: Library) -> int:
        before = self.counts.get(id(function), 0)
        if before is None:
            raise OnnxError(f"the function {node.label!r} calls itself.")
        if list(self.counts.values()).count(None) > DEEPEST:
            raise OnnxError(f"functions that call functions, more than {DEEPEST} deep.")
        if id(function) not in self.counts:
            self.counts[id(function)] = None
            self.counts[id(function)] = before = self.count(function.graph, there.within(function))
        return before

    def _note(self, node: Node, there: Library) -> None:
        self.missing.setdefault(node.label, []).append(node.name)
        known = find(node.domain, node.op, there.opsets.get(node.domain, 1))
        if known is not None:
            self.reasons[node.label] = f"its attribute {', '.join(there.foreign(node, known))} is unknown"
