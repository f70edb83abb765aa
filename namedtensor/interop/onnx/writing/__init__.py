"""JAX functions as ONNX files: one more rule table on the interpreter."""

from namedtensor.interop.onnx.writing.save import Saved, save
from namedtensor.interop.onnx.writing.table import supported

__all__ = ["Saved", "save", "supported"]
