"""A model between real roles, each a process: alice has the input, bob the weights, and a dealer deals.

The roles start each timed part together, so nothing is dealt, or sent, before it: the time to the last
party's result holds all work of all three. What it counts comes from the sessions, not from the clock.
"""

import cProfile
import multiprocessing
import os
import socket
import tempfile
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from unittest import mock

import jax
import numpy as np
from private_peers import MODELS
from wide_area import Place

import crypten_lite as ct
from crypten_lite.cost import Cost
from crypten_lite.keys.identity import Identity, create
from crypten_lite.processes.launching import ONE_THREAD
from crypten_lite.roles.running import Outcome, Setting, run_dealer, run_party
from crypten_lite.transport.mesh import Peer

PARTIES, DEALER = ("alice", "bob"), "dealer"
ROLES = (*PARTIES, DEALER)
PATIENCE = 600.0  # seconds that one role may take longer than another


@dataclass(frozen=True)
class Schedule:
    """Runs of the model: the first, some that all roles start together, and rows that they start together."""

    alone: int = 5
    rows: int = 3
    in_a_row: int = 4

    @property
    def parts(self) -> list[int]:
        """How many runs are timed as one."""
        return [1, *[1] * self.alone, *[self.in_a_row] * self.rows]


@dataclass
class Notes:
    """What one role sees.

    Attributes:
      starts: of each part, on a clock that the roles of this machine share.
      ends: of each part.
      work: seconds of the processor, of all threads, in each part.
      costs: before the weights are shared, after it, and after each run.
      result: of the last run.
    """

    starts: list[float] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)
    work: list[float] = field(default_factory=list)
    costs: list[Cost] = field(default_factory=list)
    result: Any = None


@dataclass(frozen=True)
class Played:
    """What a session came to.

    Attributes:
      first: seconds of the first run, which compiles.
      alone: of the runs by themselves.
      in_a_row: of a run among others, in each row.
      work: seconds of the processor that a run takes each role.
      run: the cost of one.
      weights: bytes of sharing them, once.
      result: of the last run.
    """

    first: float
    alone: list[float]
    in_a_row: list[float]
    work: dict[str, float]
    run: Cost
    weights: int
    result: Any


def play(
    model: str, schedule: Schedule, places: Sequence[Place] | None = None, profiled: str | None = None
) -> Played:
    """Run a model in three processes.

    Args:
      model: of `MODELS`.
      schedule: of the runs.
      places: where the parties and the dealer are; all at the loopback if there are none.
      profiled: a role that prints where the time of all runs but the first goes.
    """
    spawn = multiprocessing.get_context("spawn")
    start, pipes, processes = spawn.Barrier(len(ROLES)), [], []
    with tempfile.TemporaryDirectory() as folder:
        for name in ROLES:
            create(name, folder)
        where = _addresses(places)
        for i, name in enumerate(ROLES):
            ours, theirs = spawn.Pipe(duplex=False)
            place = places[i] if places else None
            args = (name, folder, where, model, schedule, start, theirs, place, name == profiled)
            processes.append(spawn.Process(target=_role, args=args))
            with mock.patch.dict(os.environ, ONE_THREAD):  # a core each, as CrypTen's parties have
                processes[-1].start()
            theirs.close()
            pipes.append(ours)
        try:
            notes = dict(zip(ROLES, map(_told, pipes), strict=True))
        except BaseException:
            for process in processes:
                process.terminate()
            raise
        finally:
            for process in processes:
                process.join(PATIENCE)
    return _together(notes, schedule)


def _addresses(places: Sequence[Place] | None) -> dict[str, tuple[str, int]]:
    if places:
        return {name: (place.address, 7000) for name, place in zip(PARTIES, places, strict=False)}
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in PARTIES]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return {name: ("127.0.0.1", port) for name, port in zip(PARTIES, ports, strict=True)}


def _told(pipe: Connection) -> Notes:
    try:
        found = pipe.recv()
    except EOFError:
        raise RuntimeError("a role ended without a word.") from None
    if isinstance(found, str):
        raise RuntimeError(found)
    return found


def _role(
    name: str,
    folder: str,
    where: Mapping[str, tuple[str, int]],
    model: str,
    schedule: Schedule,
    start: Any,
    pipe: Connection,
    place: Place | None,
    profiled: bool,
) -> None:
    """One process."""
    try:
        if place:
            place.enter()
        profile = cProfile.Profile(time.thread_time) if profiled else None
        pipe.send(_performed(_setting(name, Path(folder), where), MODELS[model](), schedule, start, profile))
        if profile:
            print(f"{name}, {sum(schedule.parts[1:])} runs, seconds of its main thread's work:")
            profile.print_stats("tottime")
    except BaseException:
        start.abort()
        pipe.send(traceback.format_exc())


def _setting(name: str, folder: Path, where: Mapping[str, tuple[str, int]]) -> Setting:
    keys = {n: Identity.read(folder / f"{n}.key", folder / f"{n}.crt") for n in ROLES}
    parties = tuple(Peer(n, keys[n].certificate, where[n]) for n in PARTIES)
    dealer = Peer(DEALER, keys[DEALER].certificate, None)
    return Setting(name, parties, dealer, keys[name], where.get(name), timeout=PATIENCE)


def _performed(
    setting: Setting, model: Any, schedule: Schedule, start: Any, profile: cProfile.Profile | None
) -> Notes:
    apply, params, x = model
    notes, inputs = Notes(), {"alice": {"x": x}, "bob": {"params": params} if params else {}}

    def program(session: ct.Session) -> Any:
        found = notes if not session.is_rehearsal else Notes()
        found.costs.append(session.cost)
        weights = session.input("params", owner="bob") if params else {}
        found.costs.append(session.cost)
        for part, runs in enumerate(schedule.parts):
            if not session.is_rehearsal:
                start.wait(PATIENCE)
                if profile and part == 1:
                    profile.enable()
            worked = time.process_time()
            found.starts.append(time.perf_counter())
            for _ in range(runs):
                y = ct.private(apply)(weights, session.input("x", owner="alice"))
                found.result = jax.tree.map(lambda y: y.reveal(), y, is_leaf=_is_shared)
                found.costs.append(session.cost)
            found.ends.append(time.perf_counter())
            found.work.append((time.process_time() - worked) / runs)

    _run(setting, program, inputs)
    if profile:
        profile.disable()
    notes.result = jax.tree.map(np.asarray, notes.result) if setting.name in PARTIES else None
    return notes


def _run(setting: Setting, program: Any, inputs: Mapping[str, Any]) -> Outcome:
    if setting.name == DEALER:
        return run_dealer(setting, program, log=_quiet)
    return run_party(setting, program, inputs[setting.name], log=_quiet)


def _together(notes: Mapping[str, Notes], schedule: Schedule) -> Played:
    """A part takes from the first role's start to the last party's end."""
    starts = np.min([n.starts for n in notes.values()], axis=0)
    ends = np.max([notes[name].ends for name in PARTIES], axis=0)
    first, *rest = (ends - starts) / schedule.parts
    costs = notes[PARTIES[0]].costs
    return Played(
        first=first,
        alone=rest[: schedule.alone],
        in_a_row=rest[schedule.alone :],
        work={name: float(np.median(n.work[1:])) for name, n in notes.items()},
        run=costs[-1] - costs[-2],
        weights=(costs[1] - costs[0]).sharing_bytes,
        result=notes[PARTIES[0]].result,
    )


def _is_shared(x: Any) -> bool:
    return isinstance(x, ct.SharedTensor)


def _quiet(_: str) -> None:
    """Benchmarks log nothing."""
