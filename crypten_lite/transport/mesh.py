"""All connections of one role: to every party, and to or from the dealer."""

import contextlib
import logging
import ssl
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import numpy as np

from crypten_lite.errors import (
    AgreementError,
    CertificateError,
    ConfigError,
    PeerAbortedError,
    PeerClosedError,
    PeerTimeoutError,
    ProtocolError,
)
from crypten_lite.keys.identity import Identity
from crypten_lite.transport.calling import call
from crypten_lite.transport.channel import Channel, Kind
from crypten_lite.transport.greeting import USES
from crypten_lite.transport.listening import Listener
from crypten_lite.transport.peers import Peer as Peer

_LOG = logging.getLogger(__name__)
# errors about the exchange itself
_TELLING = (PeerClosedError, PeerTimeoutError, PeerAbortedError, ProtocolError, AgreementError)


class Mesh:
    """A channel to each peer. Leaving it by an exception tells the peers that this side stopped.

    Args:
      channels: by name.

    Attributes:
      channels: by name.
    """

    def __init__(self, channels: Mapping[str, Channel]):
        """Take the channels over."""
        self.channels = dict(channels)

    def exchange(self, kind: Kind, sent: Sequence[Any], received: Mapping[str, Sequence[np.ndarray]]) -> None:
        """Send the same arrays to some peers, and fill the arrays of each with what it sends.

        Args:
          kind: of all these frames.
          sent: arrays.
          received: by peer, contiguous writable arrays.

        Raises:
          PartyError: as `Channel.receive` and `Sending.wait`.
        """
        sending = [self.channels[name].start(kind, sent) for name in received]
        for name, arrays in received.items():
            self.channels[name].receive(kind, arrays)
        for frame in sending:
            frame.wait()

    def broadcast(self, kind: Kind, arrays: Sequence[Any], peers: Iterable[str]) -> None:
        """Send the same arrays to some peers.

        Raises:
          PartyError: as `Sending.wait`.
        """
        for frame in [self.channels[name].start(kind, arrays) for name in peers]:
            frame.wait()

    def abort(self, reason: str) -> None:
        """Tell the peers that still listen why this side stops, and close."""
        for channel in self.channels.values():
            channel.abort(reason)

    def close(self) -> None:
        """End all connections."""
        for channel in self.channels.values():
            channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            self.abort(_safe(error))


def connect(
    me: str,
    identity: Identity,
    peers: Sequence[Peer],
    *,
    listen: tuple[str, int] | None,
    timeout: float,
    wait: float,
    log: Callable[[str], object] = _LOG.info,
) -> Mesh:
    """Connect to all peers: to the earlier ones, and from the later ones.

    Args:
      me: our name among the peers.
      identity: our keys.
      peers: all in order, the parties and then the dealer, and us.
      listen: host and port for the later peers; not used by the last.
      timeout: seconds that a peer may be silent, later on.
      wait: seconds for all peers to come up.
      log: is told who is waited for and who was refused.

    Raises:
      ConfigError: a name is missing or twice, an address is missing, or cannot be listened at.
      CertificateError: a peer is not the pinned one, or refuses us.
      PeerUnreachableError: a peer did not come in time.
      ProtocolError: a peer speaks another protocol, or expects somebody else.
    """
    earlier, later = _sides(me, identity, peers)
    end = time.monotonic() + wait
    with _listener(me, identity, later, listen, log) as listener, contextlib.ExitStack() as opened:
        pairs: dict[str, dict[str, ssl.SSLSocket]] = {}
        for peer in earlier:
            context = identity.connecting([peer.certificate])
            pairs[peer.name] = {
                use: opened.enter_context(call(me, peer, use, context, end, log)) for use in USES
            }
        if listener is not None:
            pairs |= listener.gather(end)
        opened.pop_all()
    return Mesh({p.name: Channel(p.name, **pairs[p.name], timeout=timeout) for p in peers if p.name != me})


def _listener(
    me: str,
    identity: Identity,
    later: Sequence[Peer],
    listen: tuple[str, int] | None,
    log: Callable[[str], object],
) -> contextlib.AbstractContextManager[Listener | None]:
    if not later:
        return contextlib.nullcontext()
    if listen is None:
        raise ConfigError(f"{', '.join(p.name for p in later)} will connect to {me}: say where {me} listens.")
    context = identity.serving([peer.certificate for peer in later])
    return contextlib.closing(Listener(me, later, context, listen, log))


def _sides(me: str, identity: Identity, peers: Sequence[Peer]) -> tuple[Sequence[Peer], Sequence[Peer]]:
    names = [peer.name for peer in peers]
    if names.count(me) != 1 or len(set(names)) != len(names):
        raise ConfigError(
            f"{me} must be one of the peers, and each name must be there once: {', '.join(names)}."
        )
    place = names.index(me)
    if peers[place].certificate.der != identity.certificate.der:
        raise CertificateError(f"the certificate that the peers have for {me} is not the one of its key.")
    return peers[:place], peers[place + 1 :]


def _safe(error: BaseException) -> str:
    """What peers may know: the texts of others hold numbers, or paths of this machine."""
    name = type(error).__name__
    return f"{name}: {error}" if type(error) in _TELLING else name
