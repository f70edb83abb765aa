"""A finished graph as the messages of an ONNX file."""

from collections.abc import Sequence
from importlib import metadata
from typing import Any

import numpy as np

from namedtensor._dims import Dims
from namedtensor._optional import optional
from namedtensor.interop.onnx.writing.finish import Finished
from namedtensor.interop.onnx.writing.values import Body, Node, Value, is_static

OPSET = 18
IR_VERSION = 8  # of the release of ONNX that brought this opset: older runtimes read it, and the web's


def model_of(graph: Finished, name: str, initializers: Sequence[Any]) -> Any:
    """The `onnx.ModelProto`; its tensors are given, for they may be in another file."""
    with optional("onnx"):
        from onnx import helper

    proto = helper.make_graph(
        [_node(n) for n in graph.nodes],
        name,
        [_described(v.name, v, dims) for v, dims in graph.inputs],
        [_described(t.name, t.value, t.dims) for t in graph.outputs],
        initializers,
        value_info=_places(graph),
    )
    return helper.make_model(
        proto,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="namedtensor",
        producer_version=_version(),
    )


def _version() -> str:
    try:
        return metadata.version("namedtensor-workbench")
    except metadata.PackageNotFoundError:  # run from its source
        return ""


def _places(graph: Finished) -> list[Any]:
    """The shapes of the layers, with the names of their dims; an output has them already."""
    of_graph = {name for node in graph.nodes for name in node.outputs}
    shown = {t.name for t in graph.outputs}
    return [_described(t.name, t.value, t.dims) for t in graph.taps if t.name in of_graph - shown]


def type_of(dtype: Any) -> int:
    """The number of a type in the format."""
    from onnx import helper

    return helper.np_dtype_to_tensor_dtype(np.dtype(dtype))


def _described(name: str, value: Value, dims: Dims | None) -> Any:
    """Type and shape: a symbolic size by its name. The name of a dim is its denotation, of any size."""
    from onnx import helper

    sizes = [int(n) if is_static(n) else str(n) for n in value.shape]
    info = helper.make_tensor_value_info(name, type_of(value.dtype), sizes)
    for dim, label in zip(info.type.tensor_type.shape.dim, dims or (), strict=False):
        dim.denotation = str(label)
    return info


def _node(node: Node) -> Any:
    from onnx import helper

    made = helper.make_node(node.op, node.inputs, node.outputs, name=node.name)
    for key, value in sorted(node.attributes.items()):
        made.attribute.append(_attribute(key, value))
    return made


def _attribute(key: str, value: Any) -> Any:
    from onnx import AttributeProto, helper, numpy_helper

    if isinstance(value, Body):
        return helper.make_attribute(key, _body(value))
    if isinstance(value, np.dtype):
        return helper.make_attribute(key, type_of(value))
    if isinstance(value, np.ndarray):
        return helper.make_attribute(key, numpy_helper.from_array(value))
    if isinstance(value, list):
        return helper.make_attribute(key, [int(v) for v in value], attr_type=AttributeProto.INTS)
    return helper.make_attribute(key, value)


def _body(body: Body) -> Any:
    from onnx import helper

    return helper.make_graph(
        [_node(n) for n in body.nodes],
        body.name,
        [_described(v.name, v, None) for v in body.inputs],
        [_described(v.name, v, None) for v in body.outputs],
    )
