"""Trained parameters, kept under the user's cache directory with a checksum."""

import hashlib
import os
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from namedtensor._optional import optional
from namedtensor._tensor import NamedTensor, tensor

Params = dict[str, NamedTensor]


def directory() -> Path:
    """Where trained parameters are kept; ``NAMEDTENSOR_CACHE`` overrides the user's cache directory."""
    if chosen := os.environ.get("NAMEDTENSOR_CACHE"):
        return Path(chosen)
    with optional("models"):
        from platformdirs import user_cache_path

    return user_cache_path("namedtensor-workbench", appauthor=False)


def _checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _write(path: Path, params: Params) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {k: np.asarray(v.array) for k, v in params.items()} | {
        f"{k}.dims": np.array(str(v.dims)) for k, v in params.items()
    }
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
        # written beside and moved, so that a broken run leaves nothing half written
        np.savez(file, allow_pickle=False, **arrays)
    path.with_suffix(".sha256").write_text(_checksum(Path(file.name)))
    Path(file.name).replace(path)


def _read(path: Path) -> Params:
    with np.load(path, allow_pickle=False) as file:
        return {k: tensor(file[k], str(file[f"{k}.dims"])) for k in file.files if not k.endswith(".dims")}


def cached(name: str, recipe: str, make: Callable[[], Params]) -> Params:
    """The parameters made by ``make``, or those that it made before.

    Args:
      name: the model's name, the beginning of the file's.
      recipe: all that the result depends on; another recipe is another file.
      make: trains the model.

    Warns:
      UserWarning: the cached file does not match its checksum (it is made again).
    """
    path = directory() / f"{name}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}.npz"
    note = path.with_suffix(".sha256")
    if path.exists() and note.exists():
        if note.read_text() == _checksum(path):
            return _read(path)
        # the levels: this, `trained`, the `load` of a model, who called it
        warnings.warn(f"{path} does not match its checksum; the model is trained again.", stacklevel=4)
    params = make()
    _write(path, params)
    return params
