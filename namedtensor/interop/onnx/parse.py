"""From protocol buffers to `Graph`: names made unique, attributes made Python's, order checked."""

import ast
import contextlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from namedtensor._optional import optional
from namedtensor.interop.onnx.errors import MalformedModel
from namedtensor.interop.onnx.graph import DEEPEST, Declared, Function, Graph, Node, Reference, ordered
from namedtensor.interop.onnx.tensors import array_of, dtype_of, require_text

NO_NAMES = ("", "?", "-1", "None")  # what exporters write for a size of which they know nothing


def graph(proto: Any, around: Iterable[str] = (), depth: int = 0) -> Graph:
    """A GraphProto; ``around`` are the values that it can see from outside.

    Raises:
      MalformedModel: what the records do not allow.
    """
    if depth > DEEPEST:
        raise MalformedModel(f"graphs within graphs, more than {DEEPEST} deep.")
    constants = {t.name: array_of(t) for t in proto.initializer}
    if proto.sparse_initializer:
        raise MalformedModel("sparse initializers are not supported: save the model with dense ones.")
    inputs = tuple(declared(v) for v in proto.input if v.name not in constants)
    outputs = tuple(declared(v) for v in proto.output)
    given = {*constants, *(d.name for d in inputs), *around}
    made = {name for n in proto.node for name in n.output}
    parsed = nodes(proto.node, given | made, depth)
    result = Graph(inputs, outputs, constants, ordered(parsed, given))
    if lost := [d.name for d in outputs if d.name not in given | made]:
        raise MalformedModel(f"the output {lost[0]!r} is made by no node.")
    return result


def nodes(protos: Sequence[Any], around: set[str], depth: int = 0) -> list[Node]:
    """NodeProtos, each with a name of its own."""
    names = [n.name for n in protos]
    return [_node(n, _name(n, i, names), around, depth) for i, n in enumerate(protos)]


def _name(proto: Any, i: int, names: Sequence[str]) -> str:
    """The node's own name if no other node has it; else that of its first result."""
    made = next((name for name in proto.output if name), f"{proto.op_type}_{i}")
    return proto.name if proto.name and names.count(proto.name) == 1 else made


def _node(proto: Any, name: str, around: set[str], depth: int) -> Node:
    domain = "" if proto.domain == "ai.onnx" else proto.domain
    attributes = {a.name: attribute(a, around, depth) for a in proto.attribute}
    inputs, outputs = tuple(proto.input), tuple(proto.output)
    require_text(proto.op_type, domain, proto.name, *inputs, *outputs)
    return Node(proto.op_type, domain, name, inputs, outputs, attributes, _scopes(proto), proto)


def _scopes(proto: Any) -> tuple[str, ...]:
    """The modules around a node: what PyTorch notes about it, or else the slashes of its name."""
    told = {entry.key: entry.value for entry in getattr(proto, "metadata_props", ())}
    if noted := told.get("pkg.torch.onnx.name_scopes"):
        with contextlib.suppress(ValueError, SyntaxError):
            return tuple(str(scope) for scope in ast.literal_eval(noted)[:-1] if scope)
    parts = proto.name.split("/")
    prefixes = ["/".join(parts[:i]) for i in range(1, len(parts))]
    return tuple(prefix for prefix in prefixes if prefix.strip("/"))


def attribute(proto: Any, around: Iterable[str] = (), depth: int = 0) -> Any:
    """An AttributeProto's value."""
    if proto.ref_attr_name:
        return Reference(proto.ref_attr_name)
    with optional("onnx"):
        from onnx import AttributeProto as Kind

    read = {
        Kind.FLOAT: lambda: proto.f,
        Kind.INT: lambda: proto.i,
        Kind.STRING: lambda: _text(proto.s),
        Kind.TENSOR: lambda: array_of(proto.t),
        Kind.GRAPH: lambda: graph(proto.g, around, depth + 1),
        Kind.FLOATS: lambda: list(proto.floats),
        Kind.INTS: lambda: list(proto.ints),
        Kind.STRINGS: lambda: [_text(s) for s in proto.strings],
        Kind.TENSORS: lambda: [array_of(t) for t in proto.tensors],
        Kind.GRAPHS: lambda: [graph(g, around, depth + 1) for g in proto.graphs],
    }.get(proto.type)
    # types and sparse tensors stay records, which no operator of the table takes
    return proto if read is None else read()


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def function(proto: Any, opsets: Mapping[str, int], defaults: Mapping[str, Any] | None = None) -> Function:
    """A FunctionProto; ``opsets`` hold where it names none itself, ``defaults`` are AttributeProtos."""
    own = {o.domain: o.version for o in proto.opset_import}
    given = set(proto.input)
    made = {name for n in proto.node for name in n.output}
    body = Graph(
        tuple(Declared(name) for name in proto.input),
        tuple(Declared(name) for name in proto.output),
        {},
        ordered(nodes(proto.node, given | made), given),
    )
    instead = {**(defaults or {}), **{a.name: a for a in getattr(proto, "attribute_proto", ())}}
    return Function(body, {**opsets, **own}, {name: attribute(a) for name, a in instead.items()})


def declared(proto: Any) -> Declared:
    """A ValueInfoProto."""
    require_text(proto.name)
    kind = proto.type.WhichOneof("value") or "tensor_type"
    if kind != "tensor_type":
        return Declared(proto.name, kind=kind.removesuffix("_type"))
    tensor = proto.type.tensor_type
    dtype = dtype_of(tensor.elem_type) if tensor.elem_type else None
    sizes = tuple(_size(d) for d in tensor.shape.dim) if tensor.HasField("shape") else None
    denoted = tuple(d.denotation for d in tensor.shape.dim)
    require_text(*denoted)
    return Declared(proto.name, np.dtype(dtype) if dtype is not None else None, sizes, denoted)


def _size(proto: Any) -> int | str | None:
    kind = proto.WhichOneof("value")
    require_text(proto.dim_param)
    if kind == "dim_value":
        return proto.dim_value if proto.dim_value > 0 else None  # some write 0 or -1 for any
    return None if proto.dim_param in NO_NAMES else proto.dim_param
