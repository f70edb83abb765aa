"""A party's two connections to one peer, one a direction, and the frames on them.

Nothing that a peer sends says how much is read: the program does. After an error the position in a stream is
unknown, so the channel stays broken.
"""

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from ssl import SSLSocket
from typing import Any, NoReturn

import numpy as np

from crypten_lite.errors import PartyError, PeerAbortedError, PeerClosedError
from crypten_lite.transport import frames
from crypten_lite.transport.frames import Kind
from crypten_lite.transport.streams import Stream

_EAGER = 256 << 10  # bytes up to which handing a frame to another thread costs more than writing it here
_LAST_WORDS = 1.0  # seconds for saying, or learning, why it ends


class Channel:
    """What goes to and comes from one peer. It belongs to one thread.

    Args:
      peer: its name.
      reading: the connection it writes on.
      writing: the connection it reads.
      timeout: seconds that a peer may be silent or not read; a frame gets a second more for each 100 kB.

    Attributes:
      written: bytes of payload, of the frames that were started.
      read: bytes of payload.
      frames_written: how many were started.
      frames_read: how many were received.
    """

    def __init__(self, peer: str, reading: SSLSocket, writing: SSLSocket, *, timeout: float):
        """Take the connections over, after their handshakes."""
        self.peer, self.timeout = peer, timeout
        self.written = self.read = self.frames_written = self.frames_read = 0
        self._reading, self._writing = Stream(reading, peer), Stream(writing, peer)
        self._worker = ThreadPoolExecutor(1, thread_name_prefix=f"to {peer}")
        self._pending: Future[None] | None = None
        self._failure: PartyError | None = None
        self._at_end_of_frame = True  # of what was written

    def __repr__(self) -> str:
        return f"Channel({self.peer!r}, {self.frames_written} frames out, {self.frames_read} in)"

    def start(self, kind: Kind, arrays: Sequence[Any]) -> "Sending":
        """Send a frame that holds the arrays one after another.

        This never waits for the peer: what the system does not take at once is written by another thread. The
        arrays must not change until `Sending.wait` returns.

        Raises:
          PartyError: as `Sending.wait`.
        """
        views = [_bytes_of(np.ascontiguousarray(a)) for a in arrays]
        size = sum(len(v) for v in views)
        parts = [frames.header(kind, self.frames_written, size), *views]
        return self._start(parts, size)

    def receive(self, kind: Kind, arrays: Sequence[np.ndarray]) -> None:
        """Fill the arrays with the next frame, which must be of this kind and of exactly their bytes.

        Args:
          kind: what is due.
          arrays: writable and contiguous. After an error they hold anything.

        Raises:
          PeerAbortedError: the peer stopped, and said why.
          PeerClosedError: it closed the connection.
          PeerTimeoutError: it did not send all in time.
          ProtocolError: it sent something else.
          ValueError: an array cannot be filled.
        """
        views = [_writable(a) for a in arrays]
        size = sum(len(v) for v in views)
        self._require_sound()
        end = time.monotonic() + Stream.time(self.timeout, size)
        try:
            frames.read_header(self._reading, frames.header(kind, self.frames_read, size), end)
            for view in views:
                self._reading.read(view, end)
        except BaseException as error:
            self._fail(error)
        self._count_read(size)

    def tell(self, message: dict[str, Any]) -> None:
        """Send a message, of at most 1 MiB in JSON.

        Raises:
          ValueError: it is longer, or cannot be written in JSON.
          TypeError: it cannot be written in JSON.
          PartyError: as `Sending.wait`.
        """
        frame = frames.control(message, self.frames_written)
        self._start([frame], len(frame) - frames.HEADER_BYTES).wait()

    def hear(self) -> dict[str, Any]:
        """Receive the message that is due.

        Raises:
          PartyError: as `receive`; a message that is no object of JSON is a ProtocolError.
        """
        self._require_sound()
        begin, before = time.monotonic(), self.frames_read
        try:
            message, size = frames.read_control(
                self._reading, before, begin, self.timeout, frames.LONGEST_CONTROL
            )
        except BaseException as error:
            self._fail(error)
        self._count_read(size)
        return message

    def abort(self, reason: str) -> None:
        """Close, and say why, if the peer still listens. It takes two seconds at most, and raises nothing."""
        try:
            if self._pending is not None:
                wait_for([self._pending], _LAST_WORDS)
            if self._at_end_of_frame and not self._worker_is_busy():
                frame = frames.abort(reason, self.frames_written)
                self._writing.write(memoryview(frame), time.monotonic() + _LAST_WORDS)
        except PartyError:
            pass  # it cannot be told
        finally:
            self.close()

    def close(self) -> None:
        """End the connections. Whatever has been waited for still arrives."""
        if self._failure is None:
            self._failure = PeerClosedError(f"the connection to {self.peer} was closed on this side.")
        self._reading.shut()
        self._writing.shut()
        self._worker.shutdown()
        self._reading.close()
        self._writing.close()

    def _start(self, parts: Sequence[Any], size: int) -> "Sending":
        self._require_sound()
        if not self._worker_is_busy():
            self._finish(self._pending)  # nobody may have waited for it
        self.frames_written += 1
        self.written += size
        end = time.monotonic() + Stream.time(self.timeout, size)
        if size > _EAGER or self._worker_is_busy():
            self._pending = self._worker.submit(self._write, parts, size)
            return Sending(self, self._pending)
        try:
            rest = self._write_now(b"".join(parts))
        except BaseException as error:
            self._fail(self._last_words(error))
        self._pending = self._worker.submit(self._write_rest, [rest], end) if rest else None
        return Sending(self, self._pending)

    def _worker_is_busy(self) -> bool:
        return self._pending is not None and not self._pending.done()

    def _write_now(self, frame: bytes) -> memoryview:
        self._begin()
        rest = self._writing.write_now(memoryview(frame))
        self._at_end_of_frame = not rest
        return rest

    def _write(self, parts: Sequence[Any], size: int) -> None:
        self._begin()
        self._write_rest(parts, time.monotonic() + Stream.time(self.timeout, size))

    def _begin(self) -> None:
        if not self._at_end_of_frame:
            raise PeerClosedError(f"an earlier frame to {self.peer} was not finished.")
        self._at_end_of_frame = False

    def _write_rest(self, parts: Sequence[Any], end: float) -> None:
        for part in parts:
            self._writing.write(memoryview(part), end)
        self._at_end_of_frame = True

    def _finish(self, sending: Future[None] | None) -> None:
        try:
            if sending is not None:
                sending.result()
        except BaseException as error:
            self._fail(self._last_words(error))

    def _last_words(self, error: BaseException) -> BaseException:
        """A peer that stops says why on the other connection."""
        if not isinstance(error, PeerClosedError) or self._failure is not None:
            return error
        try:
            due = frames.header(Kind.CONTROL, self.frames_read, 0)
            frames.read_header(self._reading, due, time.monotonic() + _LAST_WORDS)
        except PeerAbortedError as reason:
            return reason
        except PartyError:
            pass
        return error

    def _count_read(self, size: int) -> None:
        self.frames_read += 1
        self.read += size

    def _require_sound(self) -> None:
        if self._failure is not None:
            raise type(self._failure)(*self._failure.args)

    def _fail(self, error: BaseException) -> NoReturn:
        if self._failure is None:
            broken = PeerClosedError(f"the exchange with {self.peer} was interrupted.")
            self._failure = error if isinstance(error, PartyError) else broken
        raise error


class Sending:
    """A frame that is on its way."""

    def __init__(self, channel: Channel, future: Future[None] | None):
        """Follow one frame of the channel; None for one that is written."""
        self._channel, self._future = channel, future

    def wait(self) -> None:
        """Wait until all of it is written.

        Raises:
          PeerAbortedError: the peer stopped, and said why.
          PeerClosedError: it closed the connection.
          PeerTimeoutError: it did not read in time.
        """
        self._channel._finish(self._future)


def _bytes_of(array: np.ndarray) -> memoryview:
    if array.dtype.hasobject:
        raise TypeError("an array of objects is not sent.")
    return array.reshape(-1).view(np.uint8).data


def _writable(array: np.ndarray) -> memoryview:
    if not (array.flags.c_contiguous and array.flags.writeable):
        raise ValueError("an array to receive into must be contiguous and writable.")
    return _bytes_of(array)
