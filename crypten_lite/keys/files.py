"""Files that only their owner reads, and that outlast a power cut: keys, sealed material, marks of use."""

import os
import stat
from pathlib import Path
from typing import BinaryIO

# a pipe under the name of a file must not make its reader wait
_READING = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


def new_file(path: Path) -> BinaryIO:
    """A file that was not there, unbuffered, for its owner only.

    Raises:
      OSError: it was there, or cannot be made.
    """
    return os.fdopen(os.open(path, _NEW, 0o600), "wb", buffering=0)


def plain_file(path: Path) -> BinaryIO:
    """A file to read, unbuffered.

    Raises:
      OSError: it is not there, not readable, or no plain file.
    """
    file = os.fdopen(os.open(path, _READING), "rb", buffering=0)
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError("not a plain file")
    return file


def write_all(file: BinaryIO, data: bytes) -> None:
    """Write all bytes: an unbuffered file may take fewer."""
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def make_folder(path: Path) -> None:
    """A folder for its owner only, where there is none; those above it too."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
        sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    if os.name != "posix":  # elsewhere a folder cannot be opened
        return
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
