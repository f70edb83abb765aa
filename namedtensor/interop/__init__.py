"""To and from others: files, NumPy and DLPack, xarray, and the parameter trees of module systems.

What another package is needed for imports it when called; the core needs jax and numpy alone.
"""

from namedtensor.interop import exported, onnx
from namedtensor.interop.arrays import from_dlpack, to_numpy
from namedtensor.interop.files import load, save
from namedtensor.interop.params import named_params, unnamed_params
from namedtensor.interop.xarray import from_xarray, to_xarray

__all__ = [
    "exported",
    "from_dlpack",
    "from_xarray",
    "load",
    "named_params",
    "onnx",
    "save",
    "to_numpy",
    "to_xarray",
    "unnamed_params",
]
