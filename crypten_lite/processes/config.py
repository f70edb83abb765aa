"""The configuration of one process: a TOML file that says who takes part, and what this process brings.

All parties and the dealer list the same parties in the same order, each pinned by its fingerprint. The file
names keys and inputs by their paths, so it holds no secret itself::

    name = "alice"                      # one of the parties, or the dealer
    program = "classify.py:program"     # the function is called `program` if none is named
    key = "alice.key"                   # from: python -m crypten_lite keys --party alice
    inputs = "alice.npz"                # what this party brings; leave it out if nothing
    results = "alice-results.npz"       # where what is revealed to this party goes

    [[parties]]
    name = "alice"
    address = "alice.example.org:7001"  # where the others reach it
    certificate = "alice.crt"
    fingerprint = "sha256:..."

    [[parties]]
    name = "bob"
    address = "bob.example.org:7002"
    certificate = "bob.crt"
    fingerprint = "sha256:..."

    [dealer]
    name = "dealer"
    certificate = "dealer.crt"
    fingerprint = "sha256:..."
    material = "material/alice"         # only if it was prepared ahead of time; then no dealer runs

Optional, with their defaults: ``listen`` (a party's own address; ``"0.0.0.0:7001"`` behind a router),
``certificate`` (that of the list), ``fraction = 16`` (binary places), ``timeout = 60`` (seconds that a peer
may be silent), ``wait = 300`` (seconds to wait for the peers to come). A dealer that prepares ahead of time
lists the inputs' shapes in ``[inputs.alice]``, as ``python -m crypten_lite shapes`` prints them. Paths are
relative to the file.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crypten_lite.errors import CertificateError, ConfigError
from crypten_lite.processes.fields import Fields

if TYPE_CHECKING:
    from crypten_lite.roles.running import Setting
    from crypten_lite.transport.mesh import Peer

_COMMON = ("name", "program", "key", "certificate", "fraction", "timeout", "wait", "parties", "dealer")
_MEMBER = ("name", "certificate", "fingerprint")
_PARTIES = "[[parties]] with name, address, certificate and fingerprint, for each party, two or more"
_DEALER = "[dealer] with name, certificate and fingerprint"


@dataclass(frozen=True)
class Member:
    """A party or the dealer, as a configuration lists it.

    Attributes:
      where: it stands, in messages: ``"parties[0]"``.
      name: of it.
      address: where the others reach it; None for the dealer, who connects to them.
      certificate: its file.
      fingerprint: that the certificate must have.
    """

    where: str
    name: str
    address: tuple[str, int] | None
    certificate: Path
    fingerprint: str


@dataclass(frozen=True)
class Config:
    """What a configuration says. Nothing in it is secret, and nothing it names was read.

    Attributes:
      file: it was read from.
      name: of this process.
      parties: in order.
      dealer: of all of them.
      program: the file and its function.
      key: the private keys' file.
      certificate: of this process.
      listen: where a party waits for those that come later in the list; None for a dealer.
      inputs: a party's file, or None.
      results: a party's file, or None.
      shapes: of each party's inputs, for a dealer that prepares ahead of time.
      material: the folder of what was prepared for this party, or None.
      fraction: binary places.
      timeout: seconds that a peer may be silent.
      wait: seconds to wait for the peers to come.
    """

    file: Path
    name: str
    parties: tuple[Member, ...]
    dealer: Member
    program: tuple[Path, str]
    key: Path
    certificate: Path
    listen: tuple[str, int] | None = None
    inputs: Path | None = None
    results: Path | None = None
    shapes: Mapping[str, Any] = field(default_factory=dict)
    material: Path | None = None
    fraction: int = 16
    timeout: float = 60
    wait: float = 300

    @property
    def role(self) -> str:
        """``party`` or ``dealer``."""
        return "dealer" if self.name == self.dealer.name else "party"

    def setting(self) -> "Setting":
        """With the keys and certificates that it names, which are read and compared with the fingerprints.

        Raises:
          ConfigError: a certificate has another fingerprint or another name than the one that is pinned.
          CertificateError, KeyFileError: a file is missing, damaged, expired, or readable by others.
        """
        from crypten_lite.keys.identity import Identity
        from crypten_lite.roles.running import Setting

        parties, dealer = tuple(self._peer(m) for m in self.parties), self._peer(self.dealer)
        own = next(m for m in (*self.parties, self.dealer) if m.name == self.name)
        identity = Identity.read(self.key, self.certificate)
        self._require_pinned(own, self.certificate, identity.certificate.fingerprint)
        return Setting(
            name=self.name,
            parties=parties,
            dealer=dealer,
            identity=identity,
            listen=self.listen,
            fraction=self.fraction,
            timeout=self.timeout,
            wait=self.wait,
            material=self.material,
        )

    def _peer(self, member: Member) -> "Peer":
        from crypten_lite.keys.identity import Certificate
        from crypten_lite.transport.mesh import Peer

        try:
            certificate = Certificate.read(member.certificate)
        except CertificateError as error:
            raise CertificateError(f"{self.file}: {member.where}.certificate: {error}") from error
        self._require_pinned(member, member.certificate, certificate.fingerprint)
        if certificate.name != member.name:
            raise ConfigError(
                f"{self.file}: {member.where}.certificate: {member.certificate} is the certificate of "
                f"{certificate.name!r}, not of {member.name!r}: names are part of certificates."
            )
        return Peer(member.name, certificate, member.address)

    def _require_pinned(self, member: Member, path: Path, fingerprint: str) -> None:
        if fingerprint != member.fingerprint:
            raise ConfigError(
                f"{self.file}: {member.where}.fingerprint is {member.fingerprint}, but {path} has "
                f"{fingerprint}: ask {member.name} which is right, by another way than the file came."
            )


def read(path: str | Path) -> Config:
    """Read a configuration strictly.

    Raises:
      ConfigError: it cannot be read, or something in it is missing, unknown, of the wrong kind, or in
        contradiction to the rest. The message names the file, the key, what is there, and what to write.
    """
    top = Fields(Path(path), "", _loaded(Path(path)))
    parties, dealer = _parties(top), _dealer(top)
    name = top.name("name")
    members = {m.name: m for m in (*parties, dealer)}
    _require_distinct(top, (*parties, dealer))
    if name not in members:
        raise top.wrong(
            "name", f"is {name!r}, which is none of the parties or the dealer: {', '.join(members)}."
        )
    own = members[name]
    special = _of_dealer(top, parties) if own is dealer else _of_party(top, own)
    return Config(
        file=top.file,
        name=name,
        parties=parties,
        dealer=dealer,
        program=_program(top),
        key=top.path("key", f'"{name}.key"'),
        certificate=top.path("certificate", f'"{name}.crt"', own.certificate),
        fraction=top.whole("fraction", 0, 30, 16),
        timeout=top.seconds("timeout", 60.0),
        wait=top.seconds("wait", 300.0),
        **special,
    )


def _loaded(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode())
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or type(error).__name__}.") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is no text in UTF-8, so no configuration.") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: is no TOML: {error}.") from None


def _parties(top: Fields) -> tuple[Member, ...]:
    tables = top.tables("parties", _PARTIES)
    if len(tables) < 2:
        raise top.wrong("parties", f"are {len(tables)}: write {_PARTIES}")
    return tuple(_member(t.only(*_MEMBER, "address"), t.address("address", '"host:7001"')) for t in tables)


def _dealer(top: Fields) -> Member:
    return _member(top.table("dealer", _DEALER).only(*_MEMBER, "material"), None)


def _member(table: Fields, address: tuple[str, int] | None) -> Member:
    name = table.name("name")
    certificate = table.path("certificate", f'"{name}.crt"')
    return Member(table.where.rstrip("."), name, address, certificate, table.fingerprint("fingerprint"))


def _require_distinct(top: Fields, members: tuple[Member, ...]) -> None:
    for what in ("name", "address", "fingerprint"):
        seen: dict[Any, Member] = {}
        for member in members:
            value = getattr(member, what)
            if value is not None and value in seen:
                there = ":".join(map(str, value)) if what == "address" else value
                raise top.wrong(
                    f"{member.where}.{what}",
                    f"is {there!r}, as {seen[value].where}.{what}: each has its own.",
                )
            seen[value] = member


def _of_party(top: Fields, own: Member) -> dict[str, Any]:
    top.only(*_COMMON, "listen", "inputs", "results")
    return {
        "listen": top.address("listen", '"0.0.0.0:7001"', own.address),
        "inputs": top.path("inputs", f'"{own.name}.npz"', None),
        "results": top.path("results", f'"{own.name}-results.npz"', None),
        "material": top.table("dealer", _DEALER).path("material", f'"material/{own.name}"', None),
    }


def _of_dealer(top: Fields, parties: tuple[Member, ...]) -> dict[str, Any]:
    for key, why in (("listen", "connects to the parties"), ("results", "learns no results")):
        if key in top.values:
            raise top.wrong(key, f"is a party's: the dealer {why}. Leave it out.")
    if "material" in top.table("dealer", _DEALER).values:
        raise top.wrong("dealer.material", "is a party's: the dealer makes it. Leave it out.")
    top.only(*_COMMON, "inputs")
    if "inputs" not in top.values:
        return {"shapes": {}}
    shapes = top.table("inputs", "[inputs.NAME], as `python -m crypten_lite shapes` prints it")
    shapes.only(*(p.name for p in parties))
    return {"shapes": {name: _shapes(shapes, name) for name in shapes.values}}


def _shapes(shapes: Fields, name: str) -> Any:
    from crypten_lite.roles.inputs import specs

    table = shapes.table(name, "a table of shapes, as `python -m crypten_lite shapes` prints it")
    return specs(table.values, f"{table.file}: {table.where.rstrip('.')}")


def _program(top: Fields) -> tuple[Path, str]:
    write = '"classify.py:program"'
    text = top.text("program", write)
    file, colon, function = text.rpartition(":")
    if not colon or not function.isidentifier():
        file, function = text, "program"
    if not file.endswith(".py") or not file.isprintable():
        raise top.wrong("program", f"is {text[:80]!r}, no Python file and its function: write {write}")
    return top.file.parent / file, function
