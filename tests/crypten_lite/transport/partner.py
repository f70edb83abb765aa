"""Bob in a process of his own, who exchanges with alice until something stops him.

Run: python -m tests.crypten_lite.transport.partner FOLDER PORT
"""

import sys
from pathlib import Path

import numpy as np

from crypten_lite.keys.identity import Certificate, Identity
from crypten_lite.transport.channel import Kind
from crypten_lite.transport.mesh import Peer, connect

ARRAY = np.arange(1000, dtype=np.uint64)


def main(folder: Path, port: int) -> None:
    """Connect, and exchange for ever."""
    keys = Identity.read(folder / "bob.key", folder / "bob.crt")
    alice = Peer("alice", Certificate.read(folder / "alice.crt"), ("127.0.0.1", port))
    bob = Peer("bob", keys.certificate)
    with connect("bob", keys, [alice, bob], listen=None, timeout=60, wait=60) as mesh:
        received = {"alice": [np.empty_like(ARRAY)]}
        while True:
            mesh.exchange(Kind.OPENING, [ARRAY], received)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
