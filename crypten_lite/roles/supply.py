"""The dealer's material on its way to the last party: frames whose lengths both sides know before.

They follow from the plan, so the receiver trusts no length and needs no buffer but one frame's. A frame ends
where a round does, or sooner: nobody waits for what is needed later. TCP lets the dealer run ahead as far as
the sockets hold, so it works just ahead of the use.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from crypten_lite.errors import AgreementError
from crypten_lite.transport.channel import Channel, Kind

FRAME = 1 << 17  # bytes: as much as the processor's cache holds beside the rest


def frames(rounds: Iterable[int]) -> Iterator[int]:
    """The lengths of frames, of what is dealt for each round: bytes."""
    for size in rounds:
        whole, rest = divmod(size, FRAME)
        yield from (FRAME for _ in range(whole))
        if rest:
            yield rest


class Writing:
    """The dealer's end: a frame leaves as soon as it is full.

    Args:
      channel: to the last party.
      rounds: bytes that are dealt for each.
    """

    def __init__(self, channel: Channel, rounds: Iterable[int]):
        """Before the first byte."""
        self._channel, self._lengths = channel, frames(rounds)
        self._buffer = np.empty(FRAME, np.uint8)
        self._frame, self._filled = self._buffer[:0], 0

    def write(self, data: memoryview) -> None:
        """Append bytes.

        Raises:
          AgreementError: more than the plan says.
          PartyError: they cannot be sent.
        """
        rest = np.frombuffer(data, np.uint8)
        while len(rest):
            if not len(self._frame):
                self._frame = self._buffer[: self._next()]
            part = rest[: len(self._frame) - self._filled]
            rest = rest[len(part) :]
            if len(part) == len(self._frame):
                self._send(part)  # as it lies
                continue
            self._frame[self._filled : self._filled + len(part)] = part
            self._filled += len(part)
            if self._filled == len(self._frame):
                self._send(self._frame)

    def _next(self) -> int:
        size = next(self._lengths, 0)
        if not size:
            raise AgreementError("the program deals more than it did in its rehearsal.")
        return size

    def _send(self, frame: Any) -> None:
        self._channel.start(Kind.MATERIAL, [frame]).wait()
        self._frame, self._filled = self._buffer[:0], 0


class Reading:
    """The last party's end.

    Args:
      channel: from the dealer.
      rounds: bytes that are dealt for each.
    """

    def __init__(self, channel: Channel, rounds: Iterable[int]):
        """Before the first byte."""
        self._channel, self._lengths = channel, frames(rounds)
        self._buffer = np.empty(FRAME, np.uint8)
        self._frame = self._buffer[:0]

    def readinto(self, target: memoryview) -> None:
        """Fill ``target`` with the bytes that come next; waits until they are there.

        Raises:
          AgreementError: more than the plan says.
          PartyError: they do not come.
        """
        rest = np.frombuffer(target, np.uint8)
        while len(rest):
            if not len(self._frame):
                rest = self._receive(rest)
            taken = min(len(self._frame), len(rest))
            rest[:taken] = self._frame[:taken]
            rest, self._frame = rest[taken:], self._frame[taken:]

    def _receive(self, rest: Any) -> Any:
        """Receive a frame: to its place if all of it belongs there, to the buffer otherwise."""
        size = next(self._lengths, 0)
        if not size:
            raise AgreementError("the program uses more material than it did in its rehearsal.")
        if len(rest) >= size:
            self._channel.receive(Kind.MATERIAL, [rest[:size]])
            return rest[size:]
        self._frame = self._buffer[:size]
        self._channel.receive(Kind.MATERIAL, [self._frame])
        return rest
