"""In which types operators can be relied on.

The standard lets most operators take any number, but runtimes have kernels for few types, and
onnxruntime's are what everybody runs. An operator that is asked for another type computes in a wider one
that contains it, and its result is cast back: integers wrap around as they do in JAX, and a bfloat16 is
rounded once an operation.
"""

import numpy as np

_WIDER = {
    "bool": "int32", "int8": "int32", "uint8": "int32", "int16": "int32", "uint16": "int32",
    "uint32": "int64", "bfloat16": "float32", "float16": "float32",
}  # fmt: skip
_FLOATS = ("float32", "float64", "float16")
_MAIN = (*_FLOATS, "int32", "int64")
_BITS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")


def _each(names: str, types: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    return dict.fromkeys(names.split(), types)


_KERNELS: dict[str, tuple[str, ...]] = {
    **_each("Add Sub Mul Div Mod Abs Neg Sign Pow Less LessOrEqual Greater GreaterOrEqual", _MAIN),
    **_each("ReduceSum ReduceMax ReduceMin ReduceProd CumSum TopK MatMul Range ArgMax ArgMin", _MAIN),
    **_each("Exp Log Sqrt Reciprocal Sin Cos Tan Asin Acos Atan Sinh Cosh Asinh Acosh Atanh Tanh", _FLOATS),
    **_each("Sigmoid Erf Floor Ceil Round Relu Conv ConvTranspose MaxPool AveragePool IsNaN", _FLOATS),
    **_each("Max Min", (*_MAIN, "uint32", "uint64")),
    **_each("Expand Tile", ("bool", *_MAIN, *_BITS)),
    "Equal": ("bool", *_MAIN),
    "Where": (*_MAIN, "uint8"),
    "Pad": ("bool", *_MAIN, "int8", "uint8", "uint32", "uint64"),
    "IsInf": ("float32", "float64"),
    "BitShift": ("uint8", "uint32", "uint64"),
}
FIXED = {"Where": 0}  # operands whose type the standard fixes, whatever the others have


def wider(op: str, dtype: np.dtype) -> np.dtype:
    """The type to compute in; the same one where the operator has it, or where no wider one is exact."""
    known, name = _KERNELS.get(op), dtype.name
    if known is None:
        return dtype
    while name not in known and name in _WIDER:
        name = _WIDER[name]
    return np.dtype(name) if name in known and name != dtype.name else dtype
