"""A party's numbers in files, and what others may know of them: names, shapes and types.

An ``.npz`` file holds arrays by key; the keys make a tree (`crypten_lite.roles.trees`). Whoever does not
own an input still traces the program with it, so its owner describes it, ``{"image[row,col]":
"float32[28,28]"}``. A description comes from a peer: it is checked strictly, and bounded.
"""

import contextlib
import math
import os
import re
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote

import jax
import jax.numpy as jnp
import numpy as np

from crypten_lite.errors import ConfigError
from crypten_lite.roles.trees import Empty, flatten, shown, unflatten

MOST_ARRAYS = 10_000
MOST_BYTES = 1 << 40
_MOST_AXES = 32
_DTYPES = [jnp.bool_, jnp.int4, jnp.int8, jnp.int16, jnp.int32, jnp.int64, jnp.uint4, jnp.uint8, jnp.uint16]
_DTYPES += [jnp.uint32, jnp.uint64, jnp.float16, jnp.bfloat16, jnp.float32, jnp.float64]
_NAMED = {np.dtype(d).name: np.dtype(d) for d in _DTYPES}
_DESCRIPTION = re.compile(r"(?P<dtype>[a-z0-9]{1,20})\[(?P<sizes>(\d{1,13}(,\d{1,13})*)?)\]", re.ASCII)
_DAMAGED = (OSError, ValueError, EOFError, KeyError, NotImplementedError, zipfile.BadZipFile, zlib.error)


def write(path: str | Path, tree: Mapping[str, Any]) -> None:
    """Write a tree of arrays as an ``.npz`` file that its owner alone can read.

    The file is there as a whole or not at all. Types that NumPy has no files for (bfloat16, int4) become
    float32 and int8.

    Args:
      path: of the file; one that is there is replaced.
      tree: arrays, numbers and named tensors, by name; dicts, lists and tuples of them.

    Raises:
      TypeError: what is not an array of real numbers or truths, an empty part, or no dict.
      OSError: the file cannot be written.

    Example:
      >>> import numpy as np
      >>> from crypten_lite.roles import inputs
      >>> folder = getfixture("tmp_path")
      >>> inputs.write(folder / "bob.npz", {"model": [{"w": np.ones((2, 3))}, {"w": np.ones(3)}]})
      >>> inputs.read(folder / "bob.npz")["model"][1]["w"]
      array([1., 1., 1.])
    """
    write_flat(Path(path), flatten(tree))


def write_flat(path: Path, flat: Mapping[str, Any]) -> None:
    """`write` for arrays by key."""
    arrays = {key: _stored(key, value) for key, value in flat.items()}
    with _replacing(path) as file, zipfile.ZipFile(file, "w") as archive:
        for key, array in arrays.items():  # numpy.savez has no place for keys such as "file"
            with archive.open(f"{key}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def read(path: str | Path) -> dict[str, Any]:
    """The tree of an ``.npz`` file, as `write` makes them, or as ``numpy.savez(path, image=x)`` does.

    Raises:
      ConfigError: the file is missing, damaged, or holds something else than numbers. The message names the
        key and holds no values.
    """
    return unflatten(read_flat(Path(path)), str(path))


def read_flat(path: Path) -> dict[str, np.ndarray]:
    """`read` for arrays by key."""
    with _opened(path) as archive:
        return {key: _loaded(path, archive, key) for key in archive.files}


def describe(tree: Mapping[str, Any]) -> dict[str, str]:
    """Keys, types and shapes of a tree: what others may know of an owner's inputs.

    Args:
      tree: as for `write`; `jax.ShapeDtypeStruct` will do for arrays.

    Raises:
      TypeError: what is not an array of real numbers or truths, an empty part, or no dict.
      ConfigError: more than `specs` accepts.

    Example:
      >>> import jax.numpy as jnp
      >>> import namedtensor as nt
      >>> from crypten_lite.roles import inputs
      >>> inputs.describe({"image": nt.zeros("row:28 col:28"), "rate": jnp.ones(())})
      {'image[row,col]': 'float32[28,28]', 'rate': 'float32[]'}
    """
    flat = flatten(tree)
    for key, value in flat.items():
        _require_numbers(key, value)
    described = {key: description(value) for key, value in flat.items()}
    specs(described)  # what a peer would refuse is refused here, where the inputs are
    return described


def specs(described: Any, what: str = "the inputs") -> dict[str, Any]:
    """The tree of shapes that a description stands for; it may come from a peer, so nothing of it is trusted.

    Args:
      described: as `describe` makes it.
      what: it is, in messages: ``"the inputs of bob"``.

    Returns:
      A tree of `jax.ShapeDtypeStruct`, or named tensors that hold one.

    Raises:
      ConfigError: it is no description, or more than 10,000 arrays, 32 levels or 2 ** 40 bytes.

    Example:
      >>> from crypten_lite.roles import inputs
      >>> inputs.specs({"dense/w": "float32[784,10]"})
      {'dense': {'w': ShapeDtypeStruct(shape=(784, 10), dtype=float32)}}
    """
    if not isinstance(described, Mapping):
        raise ConfigError(f"{what}: a {type(described).__name__} stands where a table of shapes belongs.")
    if len(described) > MOST_ARRAYS:
        raise ConfigError(f"{what}: there are {len(described)} arrays; {MOST_ARRAYS} are allowed.")
    flat = {key: _spec(text, key, what) for key, text in described.items()}
    size = sum(_size(spec) for spec in flat.values())
    if size >= MOST_BYTES:
        raise ConfigError(f"{what}: there are {size:.2e} bytes; {MOST_BYTES:.2e} are too many.")
    return unflatten(flat, what)


def description(value: Any) -> str:
    """The type and the shape of an array or a number: ``float32[28,28]``."""
    array = value if hasattr(value, "dtype") else np.asarray(value)
    return f"{np.dtype(array.dtype).name}[{','.join(map(str, array.shape))}]"


def is_numbers(value: Any) -> bool:
    """Whether this is an array of real numbers or truths, a number or a truth."""
    dtype = getattr(value, "dtype", None)
    if dtype is None:
        return isinstance(value, bool | int | float) and np.asarray(value).dtype != object
    # a masked array would become one without a mask
    return isinstance(dtype, np.dtype) and dtype.name in _NAMED and not isinstance(value, np.ma.MaskedArray)


def _stored(key: str, value: Any) -> np.ndarray:
    _require_numbers(key, value)
    array = np.asarray(value)
    if array.dtype.kind in "biuf":  # NumPy's own, in this machine's order of bytes
        return array.astype(array.dtype.newbyteorder("="), copy=False)
    return array.astype(np.int8 if jnp.issubdtype(array.dtype, jnp.integer) else np.float32)


def _require_numbers(key: str, value: Any) -> None:
    if isinstance(value, Empty):
        raise TypeError(f"{shown(key)} holds no arrays: leave it out, and make it in the program.")
    if not is_numbers(value):
        kind = getattr(value, "dtype", type(value).__name__)
        raise TypeError(f"{shown(key)} is of {kind}: only arrays of real numbers and truths can be inputs.")


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    """A new file, readable by its owner alone, that takes the place of ``path`` once it is whole."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(handle, "wb") as file:
            yield file
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(path.open("rb"))  # numpy.load leaves a damaged one open
            archive = np.load(file, allow_pickle=False)
        except FileNotFoundError:
            make = f"numpy.savez({path.name!r}, image=x)"
            raise ConfigError(f"{path}: there is no such file: {make} makes one.") from None
        except _DAMAGED as error:
            kind = type(error).__name__
            raise ConfigError(f"{path}: this is no .npz file, or a damaged one ({kind}).") from None
        if isinstance(archive, np.ndarray):
            raise ConfigError(f"{path}: one array without a name: write numpy.savez('inputs.npz', image=x).")
        yield stack.enter_context(archive)


def _loaded(path: Path, archive: Any, key: str) -> np.ndarray:
    try:
        array = archive[key]
    except _DAMAGED as error:
        if "allow_pickle" in str(error):
            raise ConfigError(f"{path}: {shown(key)} holds Python objects: {_NUMBERS}") from None
        raise ConfigError(f"{path}: {shown(key)} is damaged ({type(error).__name__}).") from None
    if not isinstance(array, np.ndarray) or array.dtype.name not in _NAMED:
        kind = array.dtype if isinstance(array, np.ndarray) else "no array"
        raise ConfigError(f"{path}: {shown(key)} is of {kind}: {_NUMBERS}")
    return array.astype(array.dtype.newbyteorder("="), copy=False)


_NUMBERS = "inputs are arrays of real numbers and truths."


def _spec(text: Any, key: Any, what: str) -> jax.ShapeDtypeStruct:
    if not isinstance(key, str) or not unquote(key).isprintable():  # names are shown to users
        raise ConfigError(f"{what}: {shown(key)} is no key: write 'image', 'dense/w' or 'image[row,col]'.")
    found = _DESCRIPTION.fullmatch(text) if isinstance(text, str) and len(text) <= 1000 else None
    if found is None or found["dtype"] not in _NAMED:
        raise ConfigError(f"{what}: {shown(key)} is {shown(text)}: write a type and sizes, 'float32[28,28]'.")
    sizes = tuple(int(size) for size in found["sizes"].split(",") if size)
    if len(sizes) > _MOST_AXES:
        raise ConfigError(f"{what}: {shown(key)} has {len(sizes)} axes; {_MOST_AXES} are allowed.")
    return jax.ShapeDtypeStruct(sizes, _NAMED[found["dtype"]])


def _size(spec: jax.ShapeDtypeStruct) -> int:
    # An axis of none counts as one: an array without elements may not have huge axes either.
    return math.prod(max(size, 1) for size in spec.shape) * np.dtype(spec.dtype).itemsize
