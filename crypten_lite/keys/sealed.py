"""A file that one reader opens, and that nobody changes unseen.

A header in plain JSON, then any number of bytes, encrypted in chunks. The key is what a fresh X25519 key
and those of the writer's and the reader's certificates agree on, with the header, so the header cannot be
changed, nobody but the reader can read the file, and nobody but these two can have written it. Chunks are
sealed with AES-256-GCM. The nonce is the chunk's place and whether it is the last (the STREAM construction
of Hoang, Reyhanitabar, Rogaway and Vizar, 2015), so chunks that are cut off, appended, exchanged or of
another file do not open::

    magic 8 | public key 32 | length of the header 4 | header | tag 16 | chunk 65536 + 16 | ... | last chunk
"""

import json
import os
from pathlib import Path
from typing import Any, Self

from crypten_lite.errors import MaterialError
from crypten_lite.keys.certificate import Certificate
from crypten_lite.keys.files import new_file, plain_file, sync_folder, write_all
from crypten_lite.keys.identity import Identity
from namedtensor._optional import optional

CHUNK = 1 << 16  # bytes in plain
LONGEST_HEADER = 1 << 16  # bytes
_MAGIC = b"ctseal\x00\x01"  # the last byte is the version of the layout
_PUBLIC = 32  # bytes
_TAG = 16  # bytes
_PURPOSE = b"crypten_lite sealed file "  # of its key
_MORE, _LAST, _HEADER = 0, 1, 2  # what a nonce says besides the place


class Writer:
    """Writes a sealed file. Nothing is at its name before it is complete; what fails leaves nothing.

    Args:
      path: of the file; what is written so far is at ``path`` and ``.part``.
      identity: who writes.
      reader: whose file it will be.
      header: what all may read, but nobody change: JSON, at most 64 KiB.

    Raises:
      OSError: the file, or its ``.part``, is there already or cannot be written; so do all methods.
      ValueError: the header is too long, or no JSON.
    """

    def __init__(self, path: Path, identity: Identity, reader: Certificate, header: dict[str, Any]):
        """A new file with its header."""
        text = json.dumps(header, sort_keys=True, allow_nan=False).encode()
        if len(text) > LONGEST_HEADER:
            raise ValueError(f"the header has {len(text)} bytes: at most {LONGEST_HEADER}.")
        if path.exists():
            raise FileExistsError(f"{path} is there already")
        self.path, self._part = path, path.with_name(path.name + ".part")
        public, key = identity.key_to_seal(reader, _PURPOSE + text)
        self._cipher = _cipher(key)
        self._waiting, self._place, self._published = bytearray(), 0, False
        self._file = new_file(self._part)
        tag = self._cipher.encrypt(_nonce(0, _HEADER), b"", None)
        self._put(_MAGIC + public + len(text).to_bytes(4, "big") + text + tag)

    def write(self, data: Any) -> int:
        """Add bytes: of anything that is C-contiguous and has a buffer, so of an array too.

        Returns:
          How many.
        """
        rest = flat(data)
        size = len(rest)
        while rest:
            if len(self._waiting) == CHUNK:  # more comes, so it is not the last
                self._seal(_MORE)
            room = CHUNK - len(self._waiting)
            self._waiting += rest[:room]
            rest = rest[room:]
        return size

    def finish(self) -> None:
        """Write what is left, and wait until it is on the disk; the file has not got its name yet."""
        self._seal(_LAST)
        try:
            os.fsync(self._file.fileno())
        except OSError:
            self.discard()
            raise
        self._file.close()

    def publish(self) -> None:
        """Give the finished file its name."""
        os.replace(self._part, self.path)
        self._published = True
        sync_folder(self.path.parent)

    def close(self) -> None:
        """Finish and publish."""
        if not self._published:
            self.finish()
            self.publish()

    def discard(self) -> None:
        """Remove what is written, unless it is published."""
        self._waiting.clear()
        self._file.close()
        self._part.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()

    def _seal(self, what: int) -> None:
        chunk = self._cipher.encrypt(_nonce(self._place, what), self._waiting, None)
        self._waiting.clear()
        self._place += 1
        self._put(chunk)

    def _put(self, data: bytes) -> None:
        try:
            write_all(self._file, data)
        except OSError:
            self.discard()
            raise


class Reader:
    """Opens a sealed file; its header and its length are checked then, each chunk when it is reached.

    Args:
      path: of the file.
      identity: whose file it is.
      writer: who must have written it.

    Attributes:
      header: what the writer said.
      size: bytes that `readinto` gives in all.

    Raises:
      MaterialError: no such file, or it is damaged, cut off, or not written by this writer for this reader.
    """

    header: dict[str, Any]
    size: int

    def __init__(self, path: Path, identity: Identity, writer: Certificate):
        """An opened file of which nothing is read but the header and the end."""
        self._name, self._writer, self._me = path.name, writer.name, identity.certificate.name
        self._open, self._place, self._read = memoryview(b""), 0, 0
        try:
            self._file = plain_file(path)
        except OSError as error:
            raise MaterialError(f"{self._name} cannot be read: {error.strerror or error}.") from error
        try:
            self._begin(identity, writer)
        except BaseException:
            self._file.close()
            raise

    def readinto(self, target: Any) -> None:
        """Fill a writable C-contiguous buffer, so an array too, to its end with what comes next.

        Raises:
          MaterialError: the file holds less, or is damaged here.
        """
        rest = flat(target)
        size = len(rest)
        if size > self.size - self._read:
            raise MaterialError(f"{self._name} holds {self.size - self._read} bytes where {size} are needed.")
        while rest:
            if not self._open:
                self._open = memoryview(self._chunk(self._place))
                self._place += 1
            some = min(len(rest), len(self._open))
            rest[:some], rest, self._open = self._open[:some], rest[some:], self._open[some:]
            self._read += some

    def close(self) -> None:
        """Close the file; what is closed gives nothing more."""
        self._open, self.size = memoryview(b""), self._read
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _begin(self, identity: Identity, writer: Certificate) -> None:
        magic, public, length = self._take(len(_MAGIC)), self._take(_PUBLIC), self._take(4)
        longest = int.from_bytes(length, "big")
        if magic != _MAGIC or longest > LONGEST_HEADER:
            raise MaterialError(f"{self._name} is no sealed file, or one of another version.")
        text, tag = self._take(longest), self._take(_TAG)
        try:
            self._cipher = _cipher(identity.key_to_open(writer, public, _PURPOSE + text))
        except ValueError as error:
            raise self._damaged() from error
        self._opened(_nonce(0, _HEADER), tag)
        try:
            self.header = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise self._damaged() from error
        if not isinstance(self.header, dict):
            raise self._damaged()
        self._measure(start=self._file.tell(), end=os.fstat(self._file.fileno()).st_size)

    def _measure(self, start: int, end: int) -> None:
        self._start, self._end = start, end
        self._chunks = max(1, -(-(end - start) // (CHUNK + _TAG)))
        self.size = end - start - self._chunks * _TAG
        self._chunk(self._chunks - 1)  # the last one opens as the last: nothing is cut off or appended

    def _chunk(self, place: int) -> bytes:
        start = self._start + place * (CHUNK + _TAG)
        self._file.seek(start)
        sealed = self._take(min(CHUNK + _TAG, self._end - start))
        return self._opened(_nonce(place, _LAST if place == self._chunks - 1 else _MORE), sealed)

    def _take(self, size: int) -> bytes:
        try:
            data = self._file.read(size)
        except OSError as error:
            raise MaterialError(f"{self._name} cannot be read: {error.strerror or error}.") from error
        if len(data) != size:
            raise self._damaged()
        return data

    def _opened(self, nonce: bytes, sealed: bytes) -> bytes:
        from cryptography.exceptions import InvalidTag

        try:
            return self._cipher.decrypt(nonce, sealed, None)
        except InvalidTag as error:
            raise self._damaged() from error

    def _damaged(self) -> MaterialError:
        return MaterialError(
            f"{self._name} is damaged or cut off, or it was not sealed by the pinned {self._writer} for this "
            f"{self._me}: copy it again, or check the certificates."
        )


def flat(data: Any) -> memoryview:
    """The bytes of a buffer, not copied.

    Raises:
      TypeError: it has no buffer, or one that is not C-contiguous.
    """
    view = memoryview(data)
    if not view.c_contiguous:
        raise TypeError("the bytes of an array that is not C-contiguous have no order.")
    return view.cast("B") if view.nbytes else memoryview(b"")


def _cipher(key: bytes) -> Any:
    with optional("private"):
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    return AESGCM(key)


def _nonce(place: int, what: int) -> bytes:
    return place.to_bytes(11, "big") + bytes([what])
