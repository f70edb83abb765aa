"""A peer: its name, the certificate that it is, and where it listens."""

from dataclasses import dataclass

from crypten_lite.keys.identity import Certificate


@dataclass(frozen=True)
class Peer:
    """A party or the dealer, as its peers know it.

    Attributes:
      name: the same everywhere.
      certificate: what it shows in handshakes; no other is accepted.
      address: host and port where others connect to it; None where nobody does.
    """

    name: str
    certificate: Certificate
    address: tuple[str, int] | None = None
