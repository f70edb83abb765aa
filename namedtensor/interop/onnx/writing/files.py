"""The file on the disk, or two: the graph, and beside it the data of a large model.

Everything is written and checked in a folder beside the place and moved there at the end, so a broken
run leaves the old file.
"""

import os
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from namedtensor._optional import optional
from namedtensor.interop.onnx.writing.finish import Finished
from namedtensor.interop.onnx.writing.proto import model_of, type_of

LARGEST = 2_000_000_000  # bytes: a protobuf message ends at 2 GiB, and a little is for the graph
_PAGE = 4096  # runtimes map the data of a tensor if it begins at a page
_SMALL = 1024  # bytes: smaller tensors stay in the graph


def resolved(path: str | os.PathLike[str]) -> Path:
    """The place of a file, which must be one for ONNX."""
    path = Path(path).resolve()
    if path.suffix.lower() != ".onnx":
        raise ValueError(f"{path.name!r} should end in .onnx, as all programs that read such files expect.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no directory {path.parent}")
    return path


def write(graph: Finished, path: Path, *, external: bool | None, check: Callable[[Path], None]) -> int:
    """Write and check a graph; its size in bytes, with its data."""
    size = sum(a.nbytes for a in graph.initializers.values())
    if external is False and size > LARGEST:
        raise ValueError(
            f"the parameters have {size / 1e9:.1f} GB, and an ONNX file ends at 2 GB: "
            "leave external=None, which writes their data beside it."
        )
    folder = path.parent / f".{secrets.token_hex(8)}.part"
    folder.mkdir()
    try:
        outside = external or size > LARGEST
        data = folder / f"{path.name}.data"
        tensors = _beside(graph, data) if outside else [_inside(k, a) for k, a in graph.initializers.items()]
        part = folder / path.name
        part.write_bytes(model_of(graph, path.stem, tensors).SerializeToString())
        check(part)
        parts = [p for p in (data, part) if p.exists()]  # the data first: the graph is what people open
        total = sum(p.stat().st_size for p in parts)
        for p in parts:
            _moved(p, path.parent / p.name)
        return total
    finally:
        shutil.rmtree(folder)


def _moved(part: Path, path: Path) -> None:
    if path.exists():
        part.chmod(path.stat().st_mode)
    with part.open("rb+") as file:
        os.fsync(file.fileno())  # the values are on the disk before the name points at them
    part.replace(path)


def _inside(name: str, array: np.ndarray) -> Any:
    with optional("onnx"):
        from onnx import numpy_helper

    return numpy_helper.from_array(array, name)


def _beside(graph: Finished, data: Path) -> list[Any]:
    """The tensors, the large ones of them as places in the file of data."""
    tensors = []
    with data.open("wb") as file:
        for name, array in graph.initializers.items():
            if array.nbytes < _SMALL:
                tensors.append(_inside(name, array))
                continue
            file.write(b"\0" * (-file.tell() % _PAGE))
            tensors.append(_reference(name, array, data.name, file.tell()))
            file.write(
                np.ascontiguousarray(array).data.cast("B") if array.dtype.isbuiltin == 1 else array.tobytes()
            )
    return tensors


def _reference(name: str, array: np.ndarray, location: str, offset: int) -> Any:
    from onnx import TensorProto

    tensor = TensorProto(
        name=name, data_type=type_of(array.dtype), dims=array.shape, data_location=TensorProto.EXTERNAL
    )
    for key, value in {"location": location, "offset": offset, "length": array.nbytes}.items():
        tensor.external_data.add(key=key, value=str(value))
    return tensor
