"""Convolutions of any layout: `Conv` or `ConvTranspose` between transposes to channels first."""

from collections.abc import Sequence
from typing import Any

from namedtensor.interop.onnx.writing.graph import Graph
from namedtensor.interop.onnx.writing.rules.contract import grouped
from namedtensor.interop.onnx.writing.rules.shape import padded, reversed_
from namedtensor.interop.onnx.writing.table import Refused, rule
from namedtensor.interop.onnx.writing.values import Value, all_static
from namedtensor.interpreter import Equation


@rule("conv_general_dilated")
def _conv(g: Graph, eqn: Equation, x: Value, kernel: Value) -> Value:
    p, out = eqn.params, eqn.outputs[0]
    numbers = p["dimension_numbers"]
    if x.dtype.kind not in "f" and x.dtype.name != "bfloat16":
        raise Refused(f"a convolution of {x.dtype} numbers: ONNX convolves floats")
    if x.ndim == 2:
        raise Refused("a convolution without spatial axes; write it as a product of matrices")
    x, kernel = g.cast(x, out.dtype), g.cast(kernel, out.dtype)
    x, kernel = g.transpose(x, numbers.lhs_spec), g.transpose(kernel, numbers.rhs_spec)
    groups = p["feature_group_count"]
    if p["batch_group_count"] > 1:
        x, groups = _by_batch(g, x, p["batch_group_count"]), p["batch_group_count"]
    shape = tuple(out.shape[i] for i in numbers.out_spec)
    result = _convolved(g, x, kernel, shape, groups, p)
    back = sorted(range(x.ndim), key=lambda i: numbers.out_spec[i])
    return g.transpose(result, back)


def _by_batch(g: Graph, x: Value, groups: int) -> Value:
    """Groups of the batch as groups of channels."""
    apart = g.transpose(grouped(g, x, 0, groups), [1, 0, *range(2, x.ndim + 1)])
    return g.reshape(apart, (apart.shape[0], groups * x.shape[1], *x.shape[2:]))


def _convolved(g: Graph, x: Value, kernel: Value, shape: Any, groups: int, p: dict[str, Any]) -> Value:
    padding, spread = list(p["padding"]), p["lhs_dilation"]
    if not all_static(tuple(n for pair in padding for n in pair)):
        raise Refused("the padding depends on a symbolic size")
    if any(n > 1 for n in spread):
        transposed = _transposed(g, x, kernel, shape, groups, p)
        if transposed is not None:
            return transposed
    zero = g.constant(0, x.dtype)
    before = [(min(0, low), min(0, high), n - 1) for (low, high), n in zip(padding, spread, strict=True)]
    x = padded(g, x, zero, [(0, 0, 0), (0, 0, 0), *before])
    around = [(max(0, low), max(0, high)) for low, high in padding]
    return g.op(
        "Conv",
        x,
        kernel,
        shape=shape,
        group=groups,
        pads=_ends(around),
        strides=list(p["window_strides"]),
        dilations=list(p["rhs_dilation"]),
        kernel_shape=list(kernel.shape[2:]),
    )


def _ends(pairs: Sequence[tuple[int, int]]) -> list[int]:
    return [low for low, _ in pairs] + [high for _, high in pairs]


def _transposed(
    g: Graph, x: Value, kernel: Value, shape: Any, groups: int, p: dict[str, Any]
) -> Value | None:
    """The gradient of a strided convolution, if it is one: zeros between, none beyond the kernel's reach."""
    reach = [d * (k - 1) for k, d in zip(kernel.shape[2:], p["rhs_dilation"], strict=True)]
    pads = [(r - low, r - high) for r, (low, high) in zip(reach, p["padding"], strict=True)]
    more = [max(0, -high) for _, high in pads]  # rows at the end that the operator adds
    fits = all(
        low >= 0 and extra < s for (low, _), extra, s in zip(pads, more, p["lhs_dilation"], strict=True)
    )
    if not fits or any(s != 1 for s in p["window_strides"]):
        return None
    return g.op(
        "ConvTranspose",
        x,
        _turned(g, kernel, groups),
        shape=shape,
        group=groups,
        pads=_ends([(low, max(0, high)) for low, high in pads]),
        output_padding=more,
        strides=list(p["lhs_dilation"]),
        dilations=list(p["rhs_dilation"]),
        kernel_shape=list(kernel.shape[2:]),
    )


def _turned(g: Graph, kernel: Value, groups: int) -> Value:
    """``[out, in, *space]`` as ``[in, out, *space]`` with the space turned around, group by group."""
    kernel = reversed_(g, kernel, range(2, kernel.ndim))
    space = kernel.shape[2:]
    if groups == 1:
        return g.transpose(kernel, [1, 0, *range(2, kernel.ndim)])
    apart = g.transpose(grouped(g, kernel, 0, groups), [0, 2, 1, *range(3, kernel.ndim + 1)])
    return g.reshape(apart, (groups * apart.shape[1], apart.shape[2], *space))
