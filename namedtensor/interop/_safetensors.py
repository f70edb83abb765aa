"""The ``.safetensors`` format of Hugging Face, through its own library."""

from pathlib import Path

import numpy as np

from namedtensor._optional import optional
from namedtensor.interop._tree import Arrays

_TEXT = "namedtensor"
_NATIVE = {
    "bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64",
    "float16", "bfloat16", "float32", "float64", "complex64",
}  # fmt: skip


def native(dtype: np.dtype) -> bool:
    """Whether the library reads it back with NumPy."""
    return dtype.name in _NATIVE


def write(path: Path, arrays: Arrays, text: str) -> None:
    """Write arrays and text."""
    with optional("interop"):
        from safetensors.numpy import save_file

    save_file(arrays, path, metadata={_TEXT: text})


def read(path: Path) -> tuple[Arrays, str | None]:
    """The arrays and the text; None for the text of a file from elsewhere."""
    with optional("interop"):
        from safetensors import safe_open

    with safe_open(path, framework="np") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, (file.metadata() or {}).get(_TEXT)  # noqa: SIM118
