"""Agreement: before the first round all roles see that they are about to do the same.

First they compare their settings and learn the shapes of each other's inputs. With these each rehearses its
own program; then they compare plans. Any difference stops all of them, with a message that says what
differs.
"""

import functools
import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

import crypten_lite
from crypten_lite.errors import AgreementError, ProtocolError
from crypten_lite.fixed_point import FixedPoint
from crypten_lite.prg import KEY_BYTES, Generator
from crypten_lite.roles.plan import Plan
from crypten_lite.transport.channel import Channel, Kind
from crypten_lite.transport.mesh import Mesh
from namedtensor import interpreter
from namedtensor._optional import optional

PROTOCOL = 1  # of messages and of the order of draws: parties of different ones cannot compute together
_SEED_BYTES = 32
_MOST_MATERIAL = 4096  # prepared runs that one message names

_SETTINGS = {
    "protocol": "the version of the protocol",
    "code": "the version of crypten_lite (a digest of its source)",
    "parties": "the parties and their order",
    "certificates": "the pinned certificates",
    "dealer": "the dealer",
    "ring": "the bits of the ring",
    "fraction": "the binary places (fraction)",
}


def settings(certificates: Mapping[str, str], dealer: Sequence[str], point: FixedPoint) -> dict[str, Any]:
    """What must be the same everywhere.

    Args:
      certificates: of the parties, fingerprints by name, in order.
      dealer: its name, its fingerprint, and how it deals.
      point: the fixed-point numbers.
    """
    return {
        "protocol": PROTOCOL,
        "code": _code(),
        "parties": list(certificates),
        "certificates": list(certificates.values()),
        "dealer": list(dealer),
        "ring": point.ring.bits,
        "fraction": point.fraction,
    }


def told_settings(mesh: Mesh, own: dict[str, Any], inputs: Any) -> dict[str, Any]:
    """Compare settings with all peers, and tell them the shapes of this role's inputs.

    Returns:
      What each peer told of its inputs, unchecked.

    Raises:
      AgreementError: a setting differs.
    """
    heard = _told(mesh, {"settings": own, "inputs": inputs, "jax": jax.__version__})
    for peer, message in heard.items():
        theirs = _field(peer, message, "settings", dict)
        _require_same(peer, {k: own[k] for k in _SETTINGS}, {k: theirs.get(k) for k in _SETTINGS})
    return {peer: message.get("inputs") for peer, message in heard.items()}


def told_plan(mesh: Mesh, me: str, plan: Plan, material: Sequence[str] | None) -> tuple[str, str | None]:
    """Compare plans with all peers.

    Args:
      mesh: the connections.
      me: this role.
      plan: its own.
      material: prepared runs that this party has not spent; None if the dealer is there.

    Returns:
      The id of the session, which is new and the same for all; and the prepared run that all parties have,
      or None.

    Raises:
      AgreementError: the plans differ.
    """
    own = {
        "plan": plan.summary(),
        "nonce": secrets.token_hex(_SEED_BYTES),
        "material": None if material is None else list(material[:_MOST_MATERIAL]),
        "jax": jax.__version__,
    }
    heard = _told(mesh, own)
    for peer, message in heard.items():
        _require_same_plan(peer, own, message)
    everyone = {**heard, me: own}
    nonces = {name: _field(name, message, "nonce", str) for name, message in everyone.items()}
    session = hashlib.sha256(canonical([plan.digest, nonces])).hexdigest()
    for peer, message in _told(mesh, {"session": session}).items():
        if message.get("session") != session:
            raise AgreementError(f"{peer} is in another session: somebody told the roles different things.")
    return session, None if material is None else _common(everyone)


def seeded(channel: Channel, session: str, party: str) -> Generator:
    """The generator of a party, which the dealer has too; each gives half of what its key is made of.

    Args:
      channel: between the party and the dealer.
      session: the id of the session.
      party: whose generator it is.
    """
    own = np.frombuffer(secrets.token_bytes(_SEED_BYTES), np.uint8)
    theirs = np.empty(_SEED_BYTES, np.uint8)
    sending = channel.start(Kind.MATERIAL, [own])
    channel.receive(Kind.MATERIAL, [theirs])
    sending.wait()
    halves = [own, theirs] if channel.peer != party else [theirs, own]
    return generator(b"".join(h.tobytes() for h in halves), session, party)


def generator(seed: bytes, session: str, party: str) -> Generator:
    """A party's generator for one session, from a seed of its own.

    Source: Krawczyk, Eronen 2010, "HMAC-based Extract-and-Expand Key Derivation Function (HKDF)", RFC 5869.
    """
    with optional("private"):
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF
    label = b"crypten_lite generator\0" + canonical([session, party])
    return Generator(HKDF(SHA256(), KEY_BYTES, salt=None, info=label).derive(seed))


def canonical(value: Any) -> bytes:
    """A JSON value as bytes that are the same everywhere."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


@functools.cache
def _code() -> str:
    """A digest of what computes: tables of two versions may differ where their shapes do not."""
    hashed = hashlib.sha256()
    for package in (crypten_lite, interpreter):
        (folder,) = map(Path, package.__path__)
        for path in sorted(folder.rglob("*.py")):
            hashed.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return hashed.hexdigest()


def _told(mesh: Mesh, message: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What all peers say, after all were told: nobody waits for somebody who waits."""
    for channel in mesh.channels.values():
        channel.tell(message)
    return {peer: channel.hear() for peer, channel in mesh.channels.items()}


def _field(peer: str, message: dict[str, Any], name: str, kind: type) -> Any:
    value = message.get(name)
    if not isinstance(value, kind):
        raise ProtocolError(f"{peer} sent no {name} where it was to come: do all run the same version?")
    return value


def _require_same(peer: str, own: dict[str, Any], theirs: dict[str, Any]) -> None:
    differ = [k for k in own if own[k] != theirs[k]]
    if differ:
        each = "; ".join(
            f"{_SETTINGS[k]}: {_short(own[k])} here, {_short(theirs[k])} at {peer}" for k in differ
        )
        raise AgreementError(f"{peer} has other settings. {each}. Write the same in both configurations.")


def _require_same_plan(peer: str, own: dict[str, Any], message: dict[str, Any]) -> None:
    mine, theirs = own["plan"], _field(peer, message, "plan", dict)
    if mine == theirs:
        return
    versions = own["jax"], _short(message.get("jax"))
    hint = f" JAX is {versions[0]} here and {versions[1]} at {peer}." if versions[0] != versions[1] else ""
    raise AgreementError(
        f"{peer} runs another program. {_difference(peer, mine, theirs)}.{hint} Nothing was computed; "
        "give all roles the same program, and inputs of the same shapes."
    )


def _difference(peer: str, mine: dict[str, Any], theirs: dict[str, Any]) -> str:
    """The first thing that differs between two plans."""
    ours, other = mine["functions"], theirs.get("functions")
    if isinstance(other, list):
        for i, (a, b) in enumerate(zip(ours, other, strict=False)):
            if a != b:
                return f"Its private function {i} is {_said(b)}, here it is {_said(a)}"
        if len(ours) != len(other):
            return f"It has {len(other)} private functions, here there are {len(ours)}"
    told = theirs.get("told")
    for a, b in zip(mine["told"], told if isinstance(told, list) else (), strict=False):
        if a != b:
            return f"There {_short(b)}, here {a}"
    for name in ("steps", "rounds", "bytes"):
        if mine[name] != theirs.get(name):
            return f"It has {_short(theirs.get(name))} {name}, here there are {mine[name]}"
    return "Its order of messages, its shapes or its public numbers are not those here"


def _said(function: Any) -> str:
    if not isinstance(function, dict):
        return _short(function)
    name, count, digest = (_short(function.get(k)) for k in ("name", "equations", "digest"))
    return f"{name} of {count} equations ({digest[:12]})"


def _short(value: Any) -> str:
    """What a peer said, as text that is short and printable, whatever it is."""
    text = value if isinstance(value, str) else repr(value)
    return "".join(c if c.isprintable() else "?" for c in text)[:200]


def _common(everyone: dict[str, dict[str, Any]]) -> str | None:
    """The first prepared run that no party has spent."""
    offered = [set(map(str, _field(peer, m, "material", list))) for peer, m in everyone.items()]
    return min(set.intersection(*offered), default=None)
