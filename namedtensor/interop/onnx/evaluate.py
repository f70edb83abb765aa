"""Computing a graph: each node's function is called with its operands.

The same walk runs in NumPy, in JAX operation by operation, and under JAX's tracing.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jax.core import Tracer

from namedtensor._errors import describe
from namedtensor.interop.onnx.errors import OnnxError
from namedtensor.interop.onnx.graph import Function, Graph, Node, Reference
from namedtensor.interop.onnx.library import Library, PerCall, per_call
from namedtensor.interop.onnx.table import Operator
from namedtensor.interop.onnx.values import Value, beside_traced, concrete, known

Passing = Callable[[Node, list[Value]], list[Value]]


NOT_MADE = object()  # a result that a definition leaves out, because its call asked for fewer


class NodeError(OnnxError):
    """What a node could not do; its name and its operands are in the text."""


@dataclass(frozen=True)
class Evaluation:
    """How a graph is computed.

    Attributes:
      library: what its operators are.
      passing: is given what each node of the main graph makes, and returns it: where places are named.
      attributes: those of the call, inside of a function's body.
    """

    library: Library
    passing: Passing | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def run(
        self, graph: Graph, given: Sequence[Value], around: Mapping[str, Value] | None = None
    ) -> list[Value]:
        """The outputs of a graph, of inputs in their order, and of what it sees around it."""
        values: dict[str, Value] = dict(around or {}) | {"": None} | dict(graph.constants)
        for place, value in zip(graph.inputs, given, strict=False):
            values[place.name] = value
        for place in graph.inputs[len(given) :]:
            values[place.name] = None  # a function's operand that the call leaves out
        for node in graph.nodes:
            made = self._node(node, values)
            if self.passing is not None:
                made = self.passing(node, made)
            values |= {
                name: x for name, x in zip(node.outputs, made, strict=False) if name and x is not NOT_MADE
            }
        return [values.get(d.name, NOT_MADE) for d in graph.outputs]

    def _node(self, node: Node, values: Mapping[str, Value]) -> list[Value]:
        operands = [_made(values, name, node) for name in node.inputs]
        try:
            with np.errstate(all="ignore"):
                out = self._called(node, operands, values)
        except NodeError:
            raise
        except (
            ArithmeticError,
            LookupError,
            MemoryError,
            TypeError,
            ValueError,
            NotImplementedError,
        ) as error:
            shown = ", ".join("nothing" if x is None else describe(x) for x in operands)
            raise NodeError(
                f"node {node.name!r} ({node.label}) of {shown or 'no operands'}: {error}"
            ) from error
        return list(out) if isinstance(out, tuple | list) else [out]

    def _called(self, node: Node, operands: list[Value], values: Mapping[str, Value]) -> Any:
        attributes = {k: v for k, v in self._resolved(node).items() if v is not None}
        found = self.library.implementation(node)
        if isinstance(found, Operator):
            return self._operator(found, node, operands, attributes, values)
        if isinstance(found, PerCall):
            found = per_call(found, node, [_type_of(x) for x in operands], attributes)
        assert isinstance(found, Function), "all operators were looked up when the model was loaded"
        inner = Evaluation(self.library.within(found), None, {**found.defaults, **attributes})
        return inner.run(found.graph, operands)

    def _operator(
        self,
        op: Operator,
        node: Node,
        operands: list[Value],
        attributes: dict[str, Any],
        values: Mapping[str, Value],
    ) -> Any:
        if len(operands) > len(op.operands) and not op.variadic:
            raise OnnxError(f"it takes {len(op.operands)} operands, there are {len(operands)}.")
        operands = [
            concrete(x, f"its operand {op.operand(i)!r}") if op.is_static(i, node) else x
            for i, x in enumerate(operands)
        ]
        free = [x for i, x in enumerate(operands) if not op.is_static(i, node)]
        if not known(*free):
            wide = any(not known(x) and x.dtype == np.float64 for x in free)
            operands = [
                x if op.is_static(i, node) else beside_traced(x, wide) for i, x in enumerate(operands)
            ]
        if op.wants_node:
            attributes["node"] = Call(self, node, values)
        return op.fun(*operands, **attributes)

    def _resolved(self, node: Node) -> dict[str, Any]:
        """A node's attributes, where they refer to the call's, with its values."""
        return {
            name: self.attributes.get(value.name) if isinstance(value, Reference) else value
            for name, value in node.attributes.items()
        }


@dataclass(frozen=True)
class Call:
    """What an operator may ask about its node.

    Attributes:
      evaluation: how the graph is computed.
      node: the node.
      around: the values that its subgraphs can see.
    """

    evaluation: Evaluation
    node: Node
    around: Mapping[str, Value]

    @property
    def opset(self) -> int:
        """The version of the operator's domain."""
        return self.evaluation.library.opsets.get(self.node.domain, 1)

    @property
    def wanted(self) -> tuple[bool, ...]:
        """For each result, whether something reads it."""
        return tuple(bool(name) for name in self.node.outputs)

    def run(self, graph: Graph, *given: Value) -> list[Value]:
        """The outputs of a subgraph; no places are named in it."""
        return dataclasses.replace(self.evaluation, passing=None).run(graph, given, self.around)


def _made(values: Mapping[str, Value], name: str, node: Node) -> Value:
    if name not in values:
        raise NodeError(
            f"node {node.name!r} ({node.label}) reads {name!r}, which its node does not give here."
        )
    return values[name]


def _type_of(x: Value) -> Any:
    """The TypeProto of a value."""
    if x is None:
        return None
    from onnx import helper

    dtype = np.dtype(x.dtype)
    return helper.make_tensor_type_proto(helper.np_dtype_to_tensor_dtype(dtype), np.shape(x))


def is_traced(x: Value) -> bool:
    """Whether only the shape of a value is known."""
    return isinstance(x, Tracer)
