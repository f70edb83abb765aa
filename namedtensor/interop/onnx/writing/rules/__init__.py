"""The rules, by family; importing this package registers all of them."""

from namedtensor.interop.onnx.writing.rules import (
    contract,
    control,
    convolution,
    elementwise,
    functions,
    index,
    integers,
    order,
    reduce,
    scatter,
    shape,
    windows,
)

__all__ = [
    "contract",
    "control",
    "convolution",
    "elementwise",
    "functions",
    "index",
    "integers",
    "order",
    "reduce",
    "scatter",
    "shape",
    "windows",
]
