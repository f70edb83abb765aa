"""Small ONNX models, written by the records of the onnx wheel."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

OPSET = 20


def value(name: str, sizes: Sequence[int | str | None] | None, dtype: int = TensorProto.FLOAT) -> Any:
    return helper.make_tensor_value_info(name, dtype, sizes)


def node(op: str, inputs: str, outputs: str, name: str = "", domain: str = "", **attributes: Any) -> Any:
    """``_`` stands for an operand that is left out."""
    names = ["" if part == "_" else part for part in inputs.split()]
    return helper.make_node(op, names, outputs.split(), name, domain=domain, **attributes)


def tensors(arrays: Mapping[str, np.ndarray]) -> list[Any]:
    return [numpy_helper.from_array(np.asarray(x), name) for name, x in arrays.items()]


def model(
    nodes: Sequence[Any],
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    weights: Mapping[str, np.ndarray] | None = None,
    *,
    opset: int = OPSET,
    functions: Sequence[Any] = (),
    domains: Sequence[str] = (),
) -> Any:
    graph = helper.make_graph(nodes, "graph", inputs, outputs, tensors(weights or {}))
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, 1) for d in domains)]
    return helper.make_model(graph, opset_imports=opsets, functions=functions, ir_version=10)


def runtime(proto: Any, *inputs: np.ndarray) -> list[np.ndarray]:
    """What onnxruntime computes."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, {i.name: x for i, x in zip(session.get_inputs(), inputs, strict=True)})


def network(rng: np.random.Generator, batch: int | str = "batch") -> Any:
    """A small convolutional network with a residual block, its nodes named as PyTorch names them."""
    normal = lambda *shape: (rng.normal(size=shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)  # noqa: E731
    weights = {
        "stem.weight": normal(4, 3, 3, 3), "stem.bias": normal(4), "block.weight": normal(4, 4, 3, 3),
        "block.bias": normal(4), "head.weight": normal(5, 4), "head.bias": normal(5),
    }  # fmt: skip
    pads = {"pads": [1, 1, 1, 1], "kernel_shape": [3, 3]}
    nodes = [
        node("Conv", "image stem.weight stem.bias", "/stem/Conv_output_0", "/stem/Conv", strides=[2, 2], **pads),
        node("Relu", "/stem/Conv_output_0", "/stem/relu/Relu_output_0", "/stem/relu/Relu"),
        node("Conv", "/stem/relu/Relu_output_0 block.weight block.bias", "/block/conv/Conv_output_0", "/block/conv/Conv", **pads),
        node("Add", "/block/conv/Conv_output_0 /stem/relu/Relu_output_0", "/block/Add_output_0", "/block/Add"),
        node("Relu", "/block/Add_output_0", "/block/relu/Relu_output_0", "/block/relu/Relu"),
        node("GlobalAveragePool", "/block/relu/Relu_output_0", "/pool/GlobalAveragePool_output_0", "/pool/GlobalAveragePool"),
        node("Shape", "/pool/GlobalAveragePool_output_0", "shape", "/Shape"),
        node("Gather", "shape zero", "rows", "/Gather"),
        node("Unsqueeze", "rows zeros", "rows1", "/Unsqueeze"),
        node("Concat", "rows1 minus", "flat", "/Concat", axis=0),
        node("Reshape", "/pool/GlobalAveragePool_output_0 flat", "/Reshape_output_0", "/Reshape"),
        node("Gemm", "/Reshape_output_0 head.weight head.bias", "logits", "/head/Gemm", transB=1),
    ]  # fmt: skip
    weights |= {"zero": np.array(0), "zeros": np.array([0]), "minus": np.array([-1])}
    image = value("image", [batch, "channel", "height", "width"])
    return model(nodes, [image], [value("logits", [batch, "class"])], weights)
