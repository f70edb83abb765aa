"""The connecting side: it tries until the peer is up, and stops at once where trying again cannot help."""

import socket
import ssl
import time
from collections.abc import Callable

from crypten_lite.errors import (
    CertificateError,
    ConfigError,
    PeerClosedError,
    PeerTimeoutError,
    PeerUnreachableError,
)
from crypten_lite.transport.greeting import Greeting, greet, shows
from crypten_lite.transport.peers import Peer
from crypten_lite.transport.streams import Stream, typed

_LONGEST_TRY = 20.0  # seconds; a listener takes ten for a stranger before it turns to us
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0  # seconds
_MAYBE_LATER = (PeerClosedError, PeerTimeoutError, PeerUnreachableError)


def call(
    me: str, peer: Peer, use: str, context: ssl.SSLContext, end: float, log: Callable[[str], object]
) -> ssl.SSLSocket:
    """A connection to a peer that listens, and agrees.

    Args:
      me: our name.
      peer: whom to call.
      use: what we do with the connection, "reading" or "writing".
      context: which shows our certificate, and accepts the peer's alone.
      end: the deadline, of `time.monotonic`.
      log: is told once that the peer is not up yet.

    Raises:
      ConfigError: the peer has no address.
      PeerUnreachableError: it did not come up in time; says what happened in the last try.
      CertificateError: it is not the peer that was pinned, or does not accept us.
      ProtocolError: it does not speak this protocol, or expects somebody else.
    """
    if peer.address is None:
        raise ConfigError(f"{peer.name} has no address, and {me} connects to it: give host and port.")
    pause = _FIRST_PAUSE
    while True:
        try:
            return _called(peer, Greeting(me, peer.name, use), context, max(end - time.monotonic(), pause))
        except _MAYBE_LATER as error:
            if pause == _FIRST_PAUSE:
                log(f"waiting for {_place(peer)}")
            if time.monotonic() + pause > end:
                raise PeerUnreachableError(f"{_place(peer)} could not be reached in time: {error}") from error
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def _called(peer: Peer, greeting: Greeting, context: ssl.SSLContext, seconds: float) -> ssl.SSLSocket:
    seconds = min(seconds, _LONGEST_TRY)
    tls = _connected(peer, context, seconds)
    try:
        _handshake(tls, peer)
        greet(Stream(tls, peer.name), greeting, seconds)
    except BaseException:
        tls.close()
        raise
    return tls


def _connected(peer: Peer, context: ssl.SSLContext, seconds: float) -> ssl.SSLSocket:
    try:
        tcp = socket.create_connection(peer.address or ("", 0), timeout=seconds)
    except OSError as error:
        raise PeerUnreachableError(f"{error.strerror or type(error).__name__}.") from error
    with tcp:  # wrapping takes the connection out of it
        try:
            tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return context.wrap_socket(tcp, do_handshake_on_connect=False)
        except OSError as error:
            raise typed(error, peer.name) from error


def _handshake(tls: ssl.SSLSocket, peer: Peer) -> None:
    try:
        tls.do_handshake()
    except OSError as error:
        raise typed(error, peer.name) from error
    if not shows(tls, peer.certificate.der):
        raise CertificateError(f"{peer.name} showed another certificate than the pinned one.")


def _place(peer: Peer) -> str:
    host, port = peer.address or ("", 0)
    return f"{peer.name} at {host}:{port}"
