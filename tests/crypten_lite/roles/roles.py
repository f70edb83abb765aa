"""Alice, bob and a dealer in threads of this process, over real TLS connections of the loopback."""

import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from crypten_lite.keys.identity import Identity, create
from crypten_lite.roles.running import Outcome, Setting, run_dealer, run_party
from crypten_lite.transport.mesh import Peer

NAMES = ("alice", "bob")


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def identities(folder: Path, names: Any = (*NAMES, "dealer")) -> dict[str, Identity]:
    return {name: create(name, folder) for name in names}


def settings(keys: dict[str, Identity], names: Any = NAMES, **options: Any) -> dict[str, Setting]:
    """The settings of all roles; the dealer's too."""
    options = {"timeout": 20.0, "wait": 20.0, **options}
    addresses = {n: ("127.0.0.1", free_port()) for n in names}
    peers = tuple(Peer(n, keys[n].certificate, addresses[n]) for n in names)
    dealer = Peer("dealer", keys["dealer"].certificate, None)
    return {
        n: Setting(n, peers, dealer, keys[n], addresses.get(n), **options)
        for n in (*names, *([] if options.get("material") else ["dealer"]))
    }


def play(
    given: dict[str, Setting], program: Any, inputs: Any, log: Any = lambda _: None
) -> dict[str, Outcome | Exception]:
    """What each role ends with: its outcome, or its error."""

    def role(name: str) -> Any:
        own = program[name] if isinstance(program, dict) else program
        try:
            if name == "dealer":
                return run_dealer(given[name], own, log=log)
            return run_party(given[name], own, inputs.get(name, {}), log=log)
        except Exception as error:
            return error

    with ThreadPoolExecutor(len(given)) as pool:
        return dict(zip(given, pool.map(role, given), strict=True))
