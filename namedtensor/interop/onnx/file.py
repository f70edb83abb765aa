"""Reading a file, and the files beside it that hold its weights; neither is trusted."""

import os
from pathlib import Path
from typing import Any

from namedtensor._optional import optional
from namedtensor.interop.onnx.errors import MalformedModel


def read(source: Any) -> Any:
    """The ModelProto of a path, of bytes, or of a loaded model (which is left as it is).

    Raises:
      FileNotFoundError: there is no such file.
      MalformedModel: it is no ONNX model, or damaged; or its weights lie outside its folder.
      TypeError: something else than these.
    """
    with optional("onnx"):
        import onnx

    if isinstance(source, onnx.ModelProto):
        return _whole(source, None, "the model")
    if isinstance(source, bytes | bytearray | memoryview):
        return _whole(_parsed(bytes(source), "the bytes"), None, "the model")
    if not isinstance(source, str | os.PathLike):
        raise TypeError(
            f"nt.interop.onnx.load takes a path, bytes or an onnx.ModelProto, not {type(source).__name__}."
        )
    path = Path(source)
    if path.is_dir():
        raise MalformedModel(f"{path} is a folder: give the .onnx file in it.")
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    return _whole(_parsed(path.read_bytes(), str(path)), path.parent, str(path))


def _parsed(data: bytes, where: str) -> Any:
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.ModelProto.FromString(data)
    except DecodeError as error:
        raise MalformedModel(f"{where}: no ONNX model, or a damaged one ({error}).") from error
    if not model.HasField("graph") or not model.opset_import:
        raise MalformedModel(f"{where}: no ONNX model: it has no graph, or names no opset.")
    return model


def _whole(model: Any, folder: Path | None, where: str) -> Any:
    """The model with the numbers that lie in files beside it."""
    import onnx
    from onnx.external_data_helper import load_external_data_for_tensor, uses_external_data

    outside = [t for t in _tensors(model.graph) if uses_external_data(t)]
    if not outside:
        return model
    if folder is None:
        raise MalformedModel(
            f"{where} keeps {len(outside)} tensors in other files, such as {outside[0].name!r}: "
            "give the path of the .onnx file, whose folder they are in."
        )
    for tensor in outside:
        _inside(tensor, folder)
        try:  # the library refuses links and paths that lead out of the folder, too
            load_external_data_for_tensor(tensor, str(folder))
        except (onnx.checker.ValidationError, OSError, ValueError) as error:
            raise MalformedModel(
                f"{where}: the weights of {tensor.name!r} cannot be read: {error}"
            ) from error
        tensor.data_location = onnx.TensorProto.DEFAULT
        del tensor.external_data[:]
    return model


def _inside(tensor: Any, folder: Path) -> None:
    """Checked here as well: what a file names must be a file in its own folder, and long enough."""
    told = {entry.key: entry.value for entry in tensor.external_data}
    place = (folder / told.get("location", "")).resolve()
    if not place.is_relative_to(folder.resolve()):
        raise MalformedModel(
            f"the weights of {tensor.name!r} lie at {told.get('location')!r}, outside the folder."
        )
    if not place.is_file():
        raise MalformedModel(
            f"the weights of {tensor.name!r} lie in {told.get('location')!r}, which is not there."
        )
    length, offset = (_whole_number(told.get(key) or "0") for key in ("length", "offset"))
    if offset < 0 or length < 0 or offset + length > place.stat().st_size:
        raise MalformedModel(
            f"the weights of {tensor.name!r} should be bytes {offset} to {offset + length} of "
            f"{told.get('location')!r}, which has {place.stat().st_size}."
        )


def _whole_number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise MalformedModel(f"{text[:40]!r} is no number of bytes.") from None


def _tensors(graph: Any) -> Any:
    """All tensors of a graph, those of the graphs in it included."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            yield from ([attribute.t] if attribute.HasField("t") else [])
            yield from attribute.tensors
            for inner in [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]:
                yield from _tensors(inner)
