"""The listening side: it waits for its peers, and strangers do not stop it.

Who fails in the handshake or in its greeting is refused and named; the awaited peers may still come.
Strangers cost bounded time and memory: some handshakes at once, each with a deadline.
"""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from crypten_lite.errors import (
    CertificateError,
    ConfigError,
    PartyError,
    PeerUnreachableError,
    ProtocolError,
)
from crypten_lite.transport.greeting import Greeting, agree, hear_greeting, refuse, shows
from crypten_lite.transport.peers import Peer
from crypten_lite.transport.streams import Stream, shut, typed

_AT_ONCE = 8  # handshakes
_HANDSHAKE = 10.0  # seconds
_TICK = 0.05  # seconds between looks at what the threads have done
_FAREWELL = 1.0  # seconds
_NAMED = 8  # different refusals that are told; a scanner must not fill the log
_OURS = {"reading": "writing", "writing": "reading"}  # what a connection is to the other side


class Listener:
    """The port where later peers connect.

    Args:
      me: our name.
      awaited: the peers that come here.
      context: which shows our certificate, and accepts these peers' alone.
      address: where to listen.
      log: is told who was refused.

    Raises:
      ConfigError: this address cannot be listened at.
    """

    def __init__(
        self,
        me: str,
        awaited: Sequence[Peer],
        context: ssl.SSLContext,
        address: tuple[str, int],
        log: Callable[[str], object],
    ):
        """Open the port: peers may connect from now on."""
        self._me, self._context, self._log = me, context, log
        self._awaited = {peer.name: peer for peer in awaited}
        self._lock = threading.Lock()
        self._taken: set[tuple[str, str]] = set()
        self._found: dict[str, dict[str, ssl.SSLSocket]] = {name: {} for name in self._awaited}
        self._greeting: set[ssl.SSLSocket] = set()
        self._refusals: list[str] = []
        self._socket = _opened(address)
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="handshake")

    def gather(self, end: float) -> dict[str, dict[str, ssl.SSLSocket]]:
        """Both connections of each peer, "reading" and "writing" as we use them.

        Args:
          end: the deadline, of `time.monotonic`.

        Raises:
          PeerUnreachableError: a peer did not come in time; names who was refused.
        """
        while not all(len(found) == 2 for found in self._found.values()):
            if time.monotonic() > end:
                raise PeerUnreachableError(self._missing())
            if len(self._greeting) < _AT_ONCE:
                self._accept()
            else:
                time.sleep(_TICK)
        found, self._found = self._found, {}
        return found

    def close(self) -> None:
        """Close the port and whatever was not gathered."""
        self._socket.close()
        with self._lock:
            for tls in self._greeting:
                shut(tls)
        self._threads.shutdown()
        for found in self._found.values():
            for tls in found.values():
                tls.close()

    def _accept(self) -> None:
        try:
            tcp, (host, *_) = self._socket.accept()
        except TimeoutError:
            return
        except OSError:  # a connection that ended before, or no more files: others may come
            time.sleep(_TICK)
            return
        where = f"a caller from {host}"
        try:
            tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            tcp.settimeout(_HANDSHAKE)
            tls = self._context.wrap_socket(tcp, server_side=True, do_handshake_on_connect=False)
        except OSError as error:
            tcp.close()
            self._refused(typed(error, where))
            return
        with self._lock:
            self._greeting.add(tls)
        self._threads.submit(self._admit, tls, where)

    def _admit(self, tls: ssl.SSLSocket, where: str) -> None:
        try:
            self._agreed(tls, where)
        except Exception as error:  # whatever a stranger causes must not stop the listener
            unknown = ProtocolError(f"{where} caused {type(error).__name__}.")
            self._refused(error if isinstance(error, PartyError) else unknown)
            _part(tls)
            with self._lock:
                self._greeting.discard(tls)

    def _agreed(self, tls: ssl.SSLSocket, where: str) -> None:
        end = time.monotonic() + _HANDSHAKE
        try:
            tls.do_handshake()
        except OSError as error:
            raise typed(error, where) from error
        stream = Stream(tls, where)
        greeting = hear_greeting(stream, end - time.monotonic())
        try:
            self._take(greeting, tls, where)
        except PartyError as error:
            with contextlib.suppress(PartyError):
                refuse(stream, error, _FAREWELL)
            raise
        self._answer(stream, greeting)

    def _take(self, greeting: Greeting, tls: ssl.SSLSocket, where: str) -> None:
        peer, place = self._awaited.get(greeting.name), (greeting.name, _OURS[greeting.use])
        if greeting.to != self._me:
            raise ProtocolError(f"{where} looks for somebody else; this is {self._me}.")
        if peer is None:
            raise ProtocolError(f"{where} has a name that is not awaited by {self._me}.")
        if not shows(tls, peer.certificate.der):
            raise CertificateError(
                f"{where} calls itself {peer.name}, and that is not {peer.name}'s certificate."
            )
        with self._lock:
            if place in self._taken:
                raise ProtocolError(
                    f"{where} is a second {peer.name}: one is connected to {self._me} already."
                )
            self._taken.add(place)

    def _answer(self, stream: Stream, greeting: Greeting) -> None:
        place = greeting.name, _OURS[greeting.use]
        try:
            agree(stream, greeting, _FAREWELL)
        except PartyError:
            with self._lock:
                self._taken.discard(place)
            raise
        with self._lock:  # at once, or a port that closes now would end it as a stranger's
            self._greeting.discard(stream.tls)
            self._found[place[0]][place[1]] = stream.tls

    def _refused(self, error: PartyError) -> None:
        text = str(error)
        with self._lock:
            is_new = text not in self._refusals and len(self._refusals) < _NAMED
            self._refusals += [text] if is_new else []
        if is_new:
            self._log(f"refused: {text}")

    def _missing(self) -> str:
        missing = ", ".join(name for name, found in self._found.items() if len(found) < 2)
        refused = f" Refused meanwhile: {' '.join(self._refusals)}" if self._refusals else ""
        return f"{missing} did not connect to {self._me} in time.{refused}"


def _opened(address: tuple[str, int]) -> socket.socket:
    try:
        family = socket.getaddrinfo(*address, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        listening = socket.create_server(address, family=family)
    except OSError as error:
        host, port = address
        raise ConfigError(f"cannot listen at {host}:{port}: {error.strerror or error}.") from error
    listening.settimeout(_TICK)
    return listening


def _part(tls: ssl.SSLSocket) -> None:
    """Close so that the other side learns why: unread bytes would make it a reset, and that ends all."""
    end = time.monotonic() + _FAREWELL
    with contextlib.suppress(OSError):
        tls.settimeout(_FAREWELL)
        socket.socket.shutdown(tls, socket.SHUT_WR)
        while time.monotonic() < end and socket.socket.recv(tls, 1 << 14):
            pass
    tls.close()
