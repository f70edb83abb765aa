"""A role from its beginning to its end: connect, agree, run, say goodbye."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crypten_lite.cost import Cost
from crypten_lite.errors import MaterialError, PartyError
from crypten_lite.fixed_point import FixedPoint
from crypten_lite.keys.identity import Identity
from crypten_lite.keys.material import Store, prepared
from crypten_lite.prg import Generator
from crypten_lite.roles.agreement import generator, seeded, settings, told_plan, told_settings
from crypten_lite.roles.dealer import Dealer
from crypten_lite.roles.inputs import describe, specs
from crypten_lite.roles.party import Material, Party
from crypten_lite.roles.plan import Performance, Plan, rehearsed
from crypten_lite.roles.supply import Reading, Writing
from crypten_lite.session import Session
from crypten_lite.transport.mesh import Mesh, Peer, connect

Program = Callable[[Session], Any]
Log = Callable[[str], object]


@dataclass(frozen=True)
class Setting:
    """What a role knows before it connects. Nothing of it is secret but the key that the identity points to.

    Attributes:
      name: of this role.
      parties: in the order that all of them have.
      dealer: who deals.
      identity: this role's key and certificate.
      listen: address and port where peers that come later in the order reach this role.
      fraction: binary places.
      timeout: seconds that a peer may be silent.
      wait: seconds that peers may take to come up.
      material: the folder of prepared material, if the dealer is not there; None if it is.
    """

    name: str
    parties: tuple[Peer, ...]
    dealer: Peer
    identity: Identity
    listen: tuple[str, int] | None = None
    fraction: int = 16
    timeout: float = 60.0
    wait: float = 300.0
    material: Path | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Of the parties, in order."""
        return tuple(p.name for p in self.parties)

    @property
    def place(self) -> int:
        """Of this party among the parties."""
        return self.names.index(self.name)

    @property
    def point(self) -> FixedPoint:
        """The fixed-point numbers."""
        return FixedPoint(self.fraction)

    @property
    def peers(self) -> tuple[Peer, ...]:
        """All who connect, in order."""
        return self.parties if self.material else (*self.parties, self.dealer)

    @property
    def terms(self) -> dict[str, Any]:
        """What must be the same everywhere."""
        certificates = {p.name: p.certificate.fingerprint for p in self.parties}
        how = "prepared" if self.material else "online"
        dealer = [self.dealer.name, self.dealer.certificate.fingerprint, how]
        return settings(certificates, dealer, self.point)


@dataclass(frozen=True, repr=False)  # results are the owner's, and not a log's
class Outcome:
    """What a role has at the end.

    Attributes:
      results: what the program returned: arrays that were revealed here, `Unrevealed` for others.
      cost: of the program, as counted.
      sent: bytes of the program that were written to each peer's socket, headers and agreement apart.
      received: bytes of the program that were read from each peer's.
      seconds: spent by part.
    """

    results: Any
    cost: Cost
    sent: dict[str, int] = field(default_factory=dict)
    received: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


def run_party(
    setting: Setting,
    program: Program,
    inputs: Mapping[str, Any],
    *,
    progress: Callable[[int, int], None] | None = None,
    log: Log = print,
) -> Outcome:
    """Run a program as one of the parties.

    Args:
      setting: who takes part.
      program: a function of the session, the same at all roles.
      inputs: of this party, by name: trees of arrays.
      progress: told how many rounds are over, and of how many.
      log: told what happens; never a secret.

    Raises:
      PartyError: one of its kinds, at all roles, within the timeout; nothing is revealed any more.
    """
    clock = _Clock()
    with _connected(setting, log) as mesh:
        clock.lap("connecting")
        plan, shapes = _rehearsed(setting, mesh, program, inputs)
        with _equipped(setting, mesh, plan) as (source, material):
            _log_plan(plan, log)
            clock.lap("agreeing")
            session = Party(setting.place, setting.names, setting.point, mesh, source, material)
            session.inputs = [*shapes]
            session.inputs[setting.place] = dict(inputs)
            before = _wire(mesh)
            results = _performed(session, plan, program, progress)
            sent, received = (dict(now - old) for now, old in zip(_wire(mesh), before, strict=True))
        clock.lap("running")
        _say_goodbye(setting, mesh, log)
    return Outcome(results, session.cost, sent, received, clock.seconds)


def run_dealer(setting: Setting, program: Program, *, log: Log = print) -> Outcome:
    """Run a program as the dealer, which brings no input and gets no result.

    It works just ahead of the parties, and leaves when it has dealt all.

    Raises:
      PartyError: as `run_party`.
    """
    clock = _Clock()
    with _connected(setting, log) as mesh:
        clock.lap("connecting")
        plan, shapes = _rehearsed(setting, mesh, program, {})
        channels = [mesh.channels[name] for name in setting.names]
        session_id, _ = told_plan(mesh, setting.name, plan, None)
        generators = {c.peer: seeded(c, session_id, c.peer) for c in channels}
        _log_plan(plan, log)
        clock.lap("agreeing")
        sink = Writing(channels[-1], plan.dealt)
        session = Dealer(setting.names, setting.point, generators, sink, setting.name)
        session.inputs = [*shapes]
        before = _wire(mesh)
        _performed(session, plan, program, None)
        sent, received = (dict(now - old) for now, old in zip(_wire(mesh), before, strict=True))
        clock.lap("running")
    return Outcome(None, session.cost, sent, received, clock.seconds)


def prepare(
    setting: Setting,
    program: Program,
    shapes: Sequence[Mapping[str, Any]],
    folder: Path,
    *,
    runs: int,
    log: Log = print,
) -> Cost:
    """Deal ahead of time: files for each party, which it uses instead of a dealer that is there.

    Args:
      setting: the dealer's.
      program: a function of the session, the same at all roles.
      shapes: of each party's inputs: by name, trees of `jax.ShapeDtypeStruct`.
      folder: where each party's files appear, in a folder of its name.
      runs: how many; each serves one run.
      log: told what happens.

    Returns:
      The cost of one run.

    Raises:
      MaterialError: the disk is full, or the files cannot be written.
    """
    plan = rehearsed(program, setting.names, setting.point, shapes, setting.name)
    certificates = [p.certificate for p in setting.parties]
    for run in range(runs):
        with prepared(folder, setting.identity, certificates, plan.digest) as files:
            sources = {n: generator(files.seeds[n], plan.digest, n) for n in setting.names}
            session = Dealer(setting.names, setting.point, sources, files, setting.name)
            session.inputs = [dict(s) for s in shapes]
            _performed(session, plan, program, None)
        log(f"prepared run {run + 1} of {runs}")
    return plan.cost


@contextmanager
def _connected(setting: Setting, log: Log) -> Iterator[Mesh]:
    with connect(
        setting.name,
        setting.identity,
        setting.peers,
        listen=setting.listen,
        timeout=setting.timeout,
        wait=setting.wait,
        log=log,
    ) as mesh:
        yield mesh


def _rehearsed(
    setting: Setting, mesh: Mesh, program: Program, inputs: Mapping[str, Any]
) -> tuple[Plan, list[dict[str, Any]]]:
    """The plan of a program, and the shapes of all inputs, as their owners tell."""
    own = describe(dict(inputs))
    told = told_settings(mesh, setting.terms, own)
    shapes = [specs(own if name == setting.name else told[name], name) for name in setting.names]
    return rehearsed(program, setting.names, setting.point, shapes, setting.name), shapes


@contextmanager
def _equipped(setting: Setting, mesh: Mesh, plan: Plan) -> Iterator[tuple[Generator, Material | None]]:
    """A party's generator and material, for a plan that all agree to."""
    is_last = setting.place == len(setting.names) - 1
    if setting.material is None:
        session_id, _ = told_plan(mesh, setting.name, plan, None)
        channel = mesh.channels[setting.dealer.name]
        source = seeded(channel, session_id, setting.name)
        yield source, Reading(channel, plan.dealt) if is_last else None
        return
    store = Store(setting.material, setting.identity, setting.dealer.certificate)
    _, chosen = told_plan(mesh, setting.name, plan, store.unspent(plan.digest))
    if chosen is None:
        store.require_unspent(plan.digest)  # which says what lies there instead, if nothing does
        raise MaterialError("the parties have no prepared run in common that none of them has spent.")
    with store.take(chosen, plan.digest) as taken:
        if is_last and taken.size != plan.cost.dealer_bytes:
            raise MaterialError(f"the material {chosen} is not as long as this program needs.")
        yield generator(taken.seed, plan.digest, setting.name), taken if is_last else None


def _performed(session: Session, plan: Plan, program: Program, progress: Any) -> Any:
    """What a program returns; all of the plan must be done."""
    session.journal = journal = Performance(plan, progress)
    with session:
        results = program(session)
    journal.finish()
    return results


def _wire(mesh: Mesh) -> tuple[Counter[str], Counter[str]]:
    """Bytes written to each peer so far, and read from it."""
    channels = mesh.channels.values()
    return Counter({c.peer: c.written for c in channels}), Counter({c.peer: c.read for c in channels})


def _say_goodbye(setting: Setting, mesh: Mesh, log: Log) -> None:
    """See that the other parties came to the end too; what is computed is kept if one did not."""
    others = [mesh.channels[n] for n in setting.names if n != setting.name]
    try:
        for channel in others:
            channel.tell({"goodbye": setting.name})
        for channel in others:
            channel.hear()
    except PartyError as error:
        log(f"the program is done here, but not everywhere: {error}")


def _log_plan(plan: Plan, log: Log) -> None:
    cost, count = plan.cost, len(plan.functions)
    log(
        f"all agree: {count} private function{'s' * (count != 1)}, {cost.rounds} rounds, "
        f"{cost.bytes_per_party:,} bytes a party, {cost.dealer_bytes:,} from the dealer, "
        f"{cost.sharing_bytes:,} to share inputs"
    )
    for line in plan.told:
        log(line)


class _Clock:
    """Seconds by part."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._start = time.perf_counter()

    def lap(self, part: str) -> None:
        now = time.perf_counter()
        self.seconds[part], self._start = now - self._start, now
