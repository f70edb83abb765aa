"""What a message between parties looks like, and what of it is believed.

A frame is a header of 24 bytes and its payload. The receiver computes the header that is due and compares:
a length that a peer sends is never what is allocated. Two frames are different in length from what the
program says, messages in JSON and the reason why a peer stops, and both have a small limit.
"""

import enum
import json
import struct
from typing import Any

from crypten_lite.errors import PartyError, PeerAbortedError, ProtocolError
from crypten_lite.transport.streams import Stream

LONGEST_CONTROL = 1 << 20  # bytes
LONGEST_REASON = 500  # bytes
_MAGIC = b"CTL\x01"  # its last byte is the version of the protocol
_HEADER = struct.Struct("!4sB3xQQ")
HEADER_BYTES = _HEADER.size


class Kind(enum.IntEnum):
    """What a frame carries."""

    CONTROL = 1
    INPUT = 2
    OPENING = 3
    RESULT = 4
    MATERIAL = 5
    ABORT = 6


def header(kind: Kind, counter: int, size: int) -> bytes:
    """The header of the frame with this number in its direction, and so many bytes of payload."""
    return _HEADER.pack(_MAGIC, kind, counter, size)


def read_header(stream: Stream, due: bytes, end: float) -> None:
    """Read the header that is due.

    Raises:
      PeerAbortedError: the peer stopped instead, and said why.
      ProtocolError: another header came.
      PartyError: see `Stream.read`.
    """
    seen = _read(stream, HEADER_BYTES, end)
    if seen != due:
        raise _unexpected(stream, seen, due, end)


def read_control(
    stream: Stream, counter: int, begin: float, timeout: float, limit: int
) -> tuple[dict[str, Any], int]:
    """Read a message in JSON of at most so many bytes; with its length.

    Raises:
      ProtocolError: it is longer, or no object in JSON.
      PartyError: see `read_header`.
    """
    seen = _read(stream, HEADER_BYTES, begin + timeout)
    size = _HEADER.unpack(seen)[-1]
    if seen != header(Kind.CONTROL, counter, min(size, limit)):
        due, what = header(Kind.CONTROL, counter, limit), f"a message of at most {limit} bytes"
        raise _unexpected(stream, seen, due, begin + timeout, what)
    return decode(_read(stream, size, begin + stream.time(timeout, size)), stream.peer), size


def control(message: dict[str, Any], counter: int, limit: int = LONGEST_CONTROL) -> bytes:
    """A whole frame with a message.

    Raises:
      ValueError: it is too long, or cannot be written in JSON.
      TypeError: it cannot be written in JSON.
    """
    body = json.dumps(message, allow_nan=False).encode()
    if len(body) > limit:
        raise ValueError(f"a message of {len(body)} bytes; at most {limit} are sent.")
    return header(Kind.CONTROL, counter, len(body)) + body


def decode(body: bytes, peer: str) -> dict[str, Any]:
    """The message that these bytes are.

    Raises:
      ProtocolError: they are no object in JSON, or hold what cannot be written in it again.
    """
    try:
        message = json.loads(body.decode("utf-8"))
        # infinite numbers and halves of surrogate pairs would be read, and raise where they are printed
        json.dumps(message, allow_nan=False, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        raise ProtocolError(f"{peer} sent a message that is not JSON.") from None
    if not isinstance(message, dict):
        raise ProtocolError(f"{peer} sent a message that is not an object of JSON.")
    return message


def clean(text: str, limit: int = LONGEST_REASON) -> str:
    r"""A stranger's text, fit for a terminal: printable and of bounded length.

    Example:
      >>> clean("out of \x1b[31mmemory\n", 15)
      'out of  [31mmem'
    """
    return "".join(c if c.isprintable() else " " for c in text[:limit]).rstrip()


def abort(reason: str, counter: int) -> bytes:
    """A whole frame that says why this side stops; what is too long is cut."""
    text = clean(reason).encode("utf-8", "replace")[:LONGEST_REASON]
    text = text.decode("utf-8", "ignore").encode()
    return header(Kind.ABORT, counter, len(text)) + text


def _read(stream: Stream, size: int, end: float) -> bytes:
    buffer = bytearray(size)
    stream.read(memoryview(buffer), end)
    return bytes(buffer)


def _unexpected(stream: Stream, seen: bytes, due: bytes, end: float, what: str = "") -> PartyError:
    *_, size = _HEADER.unpack(seen)
    if size <= LONGEST_REASON and seen == header(Kind.ABORT, _HEADER.unpack(due)[2], size):
        reason = clean(_read(stream, size, end).decode("utf-8", "replace"))
        return PeerAbortedError(f"{stream.peer} stopped: {reason}")
    return ProtocolError(f"{stream.peer} sent {_described(seen)}, where {what or _described(due)} is due.")


def _described(head: bytes) -> str:
    magic, kind, counter, size = _HEADER.unpack(head)
    if magic != _MAGIC or kind not in set(Kind) or head[5:8] != bytes(3):
        return "no frame of this protocol"
    return f"frame {counter}, {Kind(kind).name} of {size} bytes"
