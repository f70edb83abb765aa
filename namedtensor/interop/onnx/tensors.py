"""The arrays of a file: their numbers are there, as many as their shapes say."""

import math
from typing import Any

import numpy as np

from namedtensor._optional import optional
from namedtensor.interop.onnx.errors import MalformedModel, OnnxError
from namedtensor.interop.onnx.values import bounded


def array_of(proto: Any) -> np.ndarray:
    """A TensorProto as an array.

    Raises:
      MalformedModel: it holds fewer or more numbers than its shape says.
    """
    with optional("onnx"):
        from onnx import numpy_helper

    require_text(proto.name)
    try:
        shape = bounded(list(proto.dims))
        _enough(proto, shape)
        return numpy_helper.to_array(proto)
    except OnnxError as error:
        raise MalformedModel(f"the tensor {proto.name!r}: {error}") from error
    except Exception as error:
        raise MalformedModel(f"the tensor {proto.name!r} cannot be read: {error}") from error


def require_text(*names: Any) -> None:
    """Names are texts; the protocol's library hands out what is no UTF-8 as bytes.

    Raises:
      MalformedModel: one is not.
    """
    for name in names:
        if not isinstance(name, str):
            raise MalformedModel(f"the name {name!r} is no text.")


def _enough(proto: Any, shape: tuple[int, ...]) -> None:
    """Checked before anything of that size is allocated."""
    if proto.raw_data and (dtype := dtype_of(proto.data_type)) is not None:
        bits = {"int4": 4, "uint4": 4, "int2": 2, "uint2": 2, "float4_e2m1fn": 4}.get(
            np.dtype(dtype).name, np.dtype(dtype).itemsize * 8
        )
        expected = -(-math.prod(shape) * bits // 8)
        if len(proto.raw_data) != expected:
            raise MalformedModel(
                f"its shape {shape} needs {expected} bytes, there are {len(proto.raw_data)}."
            )
    elif proto.data_location == type(proto).EXTERNAL:
        raise MalformedModel("its numbers are in another file, which was not read.")


def dtype_of(number: int) -> np.dtype | None:
    """NumPy's dtype for ONNX's number of one; None for texts and those that NumPy has not.

    Raises:
      MalformedModel: no such number.
    """
    with optional("onnx"):
        from onnx import helper

    try:
        dtype = np.dtype(helper.tensor_dtype_to_np_dtype(number))
    except KeyError:
        raise MalformedModel(f"{number} is the number of no data type.") from None
    return None if dtype == np.dtype(object) else dtype
