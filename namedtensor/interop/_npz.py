"""NumPy's ``.npz``: a zip of one ``.npy`` file for each array, with a JSON file beside them."""

import zipfile
from pathlib import Path

import numpy as np

from namedtensor.interop._tree import Arrays

_TEXT = "namedtensor.json"


def native(dtype: np.dtype) -> bool:
    """Whether it is one of NumPy's own dtypes (a ``.npy`` file forgets what a bfloat16 is)."""
    return dtype.isbuiltin == 1


def write(path: Path, arrays: Arrays, text: str) -> None:
    """Write arrays and text."""
    # not np.savez: it takes the names as keywords, so an array could not be called "file"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(_TEXT, text)
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)


def read(path: Path) -> tuple[Arrays, str | None]:
    """The arrays and the text; None for the text of a file from elsewhere."""
    if not zipfile.is_zipfile(path):
        raise ValueError("it is no zip file")
    with np.load(path, allow_pickle=False) as archive:
        text = archive[_TEXT].decode() if _TEXT in archive.files else None
        names = [name for name in archive.files if name != _TEXT]
        # by their full names: "a.npy" may be an array, or the file of the array "a"
        return {name: archive[f"{name}.npy"] for name in names}, text
