"""ONNX models as JAX functions, and back.

`load` reads a file into a function of its parameters and inputs, `save` writes a JAX function as a file.
What an operator does is one short function in a table (`operator` adds one); the graph is walked in
NumPy as far as values are known.
"""

from namedtensor.interop.onnx.errors import MalformedModel, OnnxError, UnsupportedOperators
from namedtensor.interop.onnx.model import OnnxModel, load
from namedtensor.interop.onnx.table import known_operators, operator
from namedtensor.interop.onnx.writing import Saved, save

__all__ = [
    "MalformedModel",
    "OnnxError",
    "OnnxModel",
    "Saved",
    "UnsupportedOperators",
    "known_operators",
    "load",
    "operator",
    "save",
]
