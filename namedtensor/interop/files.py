"""`save` and `load`: trees of named tensors in files that other programs can read.

Reading never unpickles, so a file from elsewhere runs no code. A file is written beside its place
and moved there, so a broken run leaves the old file.
"""

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from namedtensor.interop import _npz, _safetensors
from namedtensor.interop._tree import decode, encode

_FORMATS: dict[str, ModuleType] = {".npz": _npz, ".safetensors": _safetensors}


def save(path: str | os.PathLike[str], tree: Any) -> None:
    """Write a tree of tensors to ``path``, whose suffix chooses the format.

    ``.npz`` is NumPy's zip of arrays, ``.safetensors`` the format that most model hubs use (install
    the extra ``interop``). Names are kept in the metadata of the file; each array is called by the
    path of its leaf, ``encoder/kernel``. A dtype that the format does not know is written as bytes.

    Args:
      path: the file; one that is there is replaced, in one step.
      tree: nested dicts (with texts or integers for keys), lists and tuples of named tensors, arrays,
        random keys, numbers, texts and None. `load` gives back the same tree.

    Raises:
      ValueError: another suffix.
      Unsupported: something else in the tree.
      FileNotFoundError: there is no such directory.

    Example:
      >>> import tempfile, namedtensor as nt
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     nt.save(f"{folder}/model.npz", {"w": nt.ones("embed:2 ff:3"), "steps": 100})
      ...     nt.load(f"{folder}/model.npz")
      {'w': f32[embed:2 ff:3] ~N(1, 0) in [1, 1] on cpu, 'steps': 100}
    """
    path, format = _resolved(path)
    arrays, text = encode(tree, format.native)
    write_beside(path, lambda part: format.write(part, arrays, text))


def load(path: str | os.PathLike[str]) -> Any:
    """Read what `save` has written, or any other ``.npz`` or ``.safetensors`` file.

    Tensors and JAX arrays come back on the default device, with their dtype, 64 bits too. A file
    that `save` has not written gives a dict of NumPy arrays; `nt.interop.named_params` names them.

    Args:
      path: a file with one of the suffixes that `save` writes.

    Raises:
      ValueError: another suffix, or a file that cannot be read: damaged, holding pickled Python
        objects, or written by a newer version.
      FileNotFoundError: there is no such file.

    Example:
      >>> import tempfile, numpy as np, namedtensor as nt
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     np.savez(f"{folder}/other.npz", w=np.ones(2))
      ...     nt.load(f"{folder}/other.npz")
      {'w': array([1., 1.])}
    """
    path, format = _resolved(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        arrays, text = format.read(path)
        return dict(arrays) if text is None else decode(arrays, text)
    except ImportError:
        raise
    except Exception as error:
        reason = error if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        raise ValueError(f"{path} cannot be read as {path.suffix}: {reason}") from error


def _resolved(path: str | os.PathLike[str]) -> tuple[Path, ModuleType]:
    path = Path(path).resolve()  # through a link, so that its target is replaced and not the link
    if path.suffix.lower() not in _FORMATS:
        raise ValueError(f"{path.name!r} should end in {' or '.join(_FORMATS)}, which says the format.")
    return path, _FORMATS[path.suffix.lower()]


def write_beside(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file in one step: beside its place, and moved there when it is whole."""
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no directory {path.parent}")
    part = path.with_name(f".{secrets.token_hex(8)}.part")
    part.touch()
    rights = (path if path.exists() else part).stat().st_mode
    try:
        write(part)
        part.chmod(rights)  # a library may make its files unreadable for others
        with part.open("rb+") as file:
            os.fsync(file.fileno())  # the values are on the disk before the name points at them
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
