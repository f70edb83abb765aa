"""One TLS connection, read and written to the last byte before a deadline, with typed errors."""

import contextlib
import socket
import ssl
import time

from crypten_lite.errors import (
    CertificateError,
    PartyError,
    PeerClosedError,
    PeerTimeoutError,
    ProtocolError,
)

_PATIENCE = 0.25  # seconds after which a call that waits looks at its deadline, and at Ctrl-C on Windows
_SLOWEST = 1e5  # bytes a second
_SLICE = 1 << 16  # bytes a call: whole TLS records, and few turns of the interpreter


class Stream:
    """A connection to a peer.

    Args:
      tls: after its handshake.
      peer: its name, for errors.
    """

    def __init__(self, tls: ssl.SSLSocket, peer: str):
        """Take the connection over."""
        self.tls, self.peer = tls, peer
        tls.settimeout(_PATIENCE)

    @staticmethod
    def time(timeout: float, size: int) -> float:
        """Seconds that a frame of so many bytes may take: a peer that sends drop by drop gets no more."""
        return timeout + size / _SLOWEST

    def read(self, into: memoryview, end: float) -> None:
        """Fill the bytes, without a copy.

        Args:
          into: writable bytes.
          end: the deadline, of `time.monotonic`.

        Raises:
          PeerClosedError: the connection ended before.
          PeerTimeoutError: the deadline has passed.
          CertificateError: the peer refused our certificate, which TLS tells at the first read.
          ProtocolError: TLS found rubbish.
        """
        while into:
            into = into[self._receive(into) :]
            if into and time.monotonic() > end:
                raise PeerTimeoutError(f"{self.peer} did not send in time: {len(into)} bytes are missing.")

    def write(self, data: memoryview, end: float) -> None:
        """Write all bytes.

        Raises:
          PeerClosedError: the connection ended before.
          PeerTimeoutError: the deadline has passed, because the peer does not read.
          ProtocolError: TLS failed.
        """
        while data:
            data = data[self._send(data[:_SLICE]) :]
            if data and time.monotonic() > end:
                raise PeerTimeoutError(f"{self.peer} did not read in time: {len(data)} bytes are left.")

    def write_now(self, data: memoryview) -> memoryview:
        """Write what fits into the system's buffers, without waiting for the peer; the rest of the bytes.

        Raises:
          PeerClosedError: the connection ended before.
          ProtocolError: TLS failed.
        """
        self.tls.settimeout(0)
        sent = len(data)
        while data and sent:
            sent = self._send(data[:_SLICE])
            data = data[sent:]
        self.tls.settimeout(_PATIENCE)
        return data

    def shut(self) -> None:
        """End both directions: calls that wait in other threads return."""
        shut(self.tls)

    def close(self) -> None:
        """Give the socket back, once no thread uses it."""
        self.tls.close()

    def _receive(self, into: memoryview) -> int:
        try:
            got = self.tls.recv_into(into, min(len(into), _SLICE))
        except TimeoutError:
            return 0
        except OSError as error:
            raise typed(error, self.peer) from error
        if not got:
            raise PeerClosedError(f"{self.peer} closed the connection.")
        return got

    def _send(self, data: memoryview) -> int:
        try:
            return self.tls.send(data)
        except (TimeoutError, ssl.SSLWantWriteError):
            return 0  # TLS keeps what it has begun: the next call must bring the same bytes, and does
        except OSError as error:
            raise typed(error, self.peer) from error


def shut(connection: socket.socket) -> None:
    """End both directions of a socket, and leave the socket itself to its threads."""
    with contextlib.suppress(OSError):
        # SSLSocket's own shutdown takes the encryption away first: a thread that writes would go on in plain.
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


def typed(error: OSError, peer: str) -> PartyError:
    """What an error of a socket means between parties.

    Args:
      error: of a socket, TLS's included.
      peer: its name, or where it is.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        why = error.verify_message
        return CertificateError(f"{peer} did not show the pinned certificate, or it is not valid now: {why}.")
    if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return PeerClosedError(f"{peer} closed the connection.")
    if isinstance(error, ssl.SSLError):
        return _of_tls(error.reason or "UNKNOWN", peer)
    if isinstance(error, TimeoutError):
        return PeerTimeoutError(f"{peer} was silent for too long.")
    return PeerClosedError(f"the connection to {peer} broke: {error.strerror or type(error).__name__}.")


def _of_tls(reason: str, peer: str) -> PartyError:
    words = reason.lower().replace("_", " ")
    if "ALERT" in reason and any(w in reason for w in ("CERTIFICATE", "UNKNOWN_CA", "DECRYPT_ERROR")):
        return CertificateError(f"{peer} refused our certificate: {words}.")
    if reason == "PEER_DID_NOT_RETURN_A_CERTIFICATE":
        return CertificateError(f"{peer} showed no certificate.")
    return ProtocolError(f"TLS with {peer} failed: {words}.")
