"""The first words on a new connection: who connects to whom, and what the connection is for.

TLS says that the peer holds a pinned certificate. This says which name it goes by, so that the certificate
can be compared with the one of that name, and the answer says to the connecting side that all is well.
"""

import hmac
import ssl
import time
from dataclasses import dataclass
from typing import Any

from crypten_lite.errors import CertificateError, PartyError, ProtocolError
from crypten_lite.transport import frames
from crypten_lite.transport.streams import Stream

PROTOCOL = 1
LONGEST = 1024  # bytes of a greeting
USES = ("reading", "writing")


@dataclass(frozen=True)
class Greeting:
    """What the connecting side says.

    Attributes:
      name: its own.
      to: the name of the listener.
      use: what it does with the connection, "reading" or "writing".
    """

    name: str
    to: str
    use: str


def greet(stream: Stream, greeting: Greeting, seconds: float) -> None:
    """Say who connects, and wait until the listener agrees.

    Raises:
      CertificateError: it has another certificate for this name, or refused ours in the handshake.
      ProtocolError: it refused for another reason, or is no listener of this protocol.
      PartyError: see `Stream.read`.
    """
    said = {"protocol": PROTOCOL, "from": greeting.name, "to": greeting.to, "for": greeting.use}
    _say(stream, said, time.monotonic() + seconds)
    answer = _hear(stream, seconds)
    if "refused" in answer:
        error = CertificateError if answer.get("because") == "certificate" else ProtocolError
        raise error(f"{stream.peer} refused the connection: {frames.clean(str(answer['refused']))}")
    if answer != {"protocol": PROTOCOL, "from": greeting.to, "to": greeting.name}:
        raise ProtocolError(f"{stream.peer} answered something else than its name.")


def hear_greeting(stream: Stream, seconds: float) -> Greeting:
    """What the connecting side says.

    Raises:
      ProtocolError: it is no greeting of this version.
      PartyError: see `Stream.read`.
    """
    said = _hear(stream, seconds)
    if said.get("protocol") != PROTOCOL:
        version = frames.clean(repr(said.get("protocol")), 20)
        raise ProtocolError(f"protocol {version}, where this version speaks protocol {PROTOCOL}")
    greeting = [said.get(key) for key in ("from", "to", "for")]
    if len(said) != 4 or not all(isinstance(x, str) for x in greeting) or greeting[2] not in USES:
        raise ProtocolError("no greeting of this protocol")
    return Greeting(*map(str, greeting))


def agree(stream: Stream, greeting: Greeting, seconds: float) -> None:
    """Tell the connecting side that it is expected."""
    answer = {"protocol": PROTOCOL, "from": greeting.to, "to": greeting.name}
    _say(stream, answer, time.monotonic() + seconds)


def refuse(stream: Stream, error: PartyError, seconds: float) -> None:
    """Tell the connecting side why it is not."""
    because = "certificate" if isinstance(error, CertificateError) else "protocol"
    answer = {"refused": frames.clean(str(error), 200), "because": because}
    _say(stream, answer, time.monotonic() + seconds)


def shows(tls: ssl.SSLSocket, der: bytes) -> bool:
    """Whether the peer has shown this certificate in its handshake."""
    return hmac.compare_digest(tls.getpeercert(binary_form=True) or b"", der)


def _say(stream: Stream, message: dict[str, Any], end: float) -> None:
    stream.write(memoryview(frames.control(message, 0, LONGEST)), end)


def _hear(stream: Stream, seconds: float) -> dict[str, Any]:
    message, _ = frames.read_control(stream, 0, time.monotonic(), seconds, LONGEST)
    return message
