"""What private computation takes between two parties and a dealer, each a process, beside CrypTen's two.

The roles are those of `python -m crypten_lite party` and `dealer`: TLS 1.3 over the loopback, mutual
certificates, agreement before the first round. Weights are shared once; each run shares its input anew and
reveals its result to both. Rounds and bytes are counted by the sessions, per run. A run starts when all three
roles do, so what is dealt for it is dealt in its time; in a row the dealer works ahead of the parties, but
starts no earlier than they do. CrypTen has no dealer: its first party makes the triples, and knows every
secret.

`--delay` puts each role, and each of CrypTen's parties, into a network of its own, so many milliseconds (one
way) from the others: `wide_area.py` says how, and what that needs.

Run: PYTHONPATH=. python benchmarks/private_two_parties.py [--peer crypten=/path/to/python] [--delay 1 10 50]
"""

import argparse
import functools
import json
import os
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
from private_peers import MODELS, error
from private_roles import ROLES, Played, Schedule, play
from wide_area import Place, wide_area

MB = 1e6
CASES = [name for name in MODELS if name != "MLP"]
QUICK = Schedule(alone=1, rows=1, in_a_row=2)
FAR = Schedule(alone=2, rows=0, in_a_row=0)

OURS = ["", "rounds", "MB a party", "MB from the dealer", "MB of sharing weights"]
OURS += ["cold, s", "s", "in a row, s", "work of alice, bob, the dealer, s", "error"]
THEIRS = ["peer", "rounds", "MB a party", "s", "ratio", "in a row", "bytes, ours / its", "error"]
FAR_OURS = ["", "delay, ms", "rounds", "rounds x delay, s", "measured, s"]
FAR_THEIRS = ["peer", "rounds", "rounds x delay, s", "measured, s", "ratio"]

Peer = tuple[str, str]  # its name, and its environment's Python


@dataclass(frozen=True)
class Turn:
    """One session of ours, and one of the peer's."""

    ours: Played
    theirs: dict[str, Any] | None

    @property
    def seconds(self) -> float:
        return min(self.ours.alone)

    @property
    def in_a_row(self) -> float:
        return min(self.ours.in_a_row)

    @property
    def their_seconds(self) -> float:
        return min(self.theirs["seconds"]) if self.theirs else float("nan")


def table(cases: Sequence[str], peer: Peer | None, schedule: Schedule, turns: int) -> None:
    """Ours and the peer's in turns; a ratio is the median of those of the turns' shortest runs."""
    header(OURS + (THEIRS if peer else []))
    for name in cases:
        measured = [turn(name, peer, schedule, 3) for _ in range(turns)]
        row(name, *ours(name, measured), *(theirs(peer, measured) if peer else []))


def header(columns: Sequence[str]) -> None:
    row(*columns)
    print("|---" * len(columns) + "|", flush=True)


def row(*cells: str) -> None:
    print(f"| {' | '.join(cells)} |", flush=True)


def turn(
    name: str, peer: Peer | None, schedule: Schedule, runs: int, places: Sequence[Place] | None = None
) -> Turn:
    played = play(name, schedule, places)
    return Turn(played, ask(*peer, name, runs, places) if peer else None)


def ours(name: str, turns: Sequence[Turn]) -> list[str]:
    played, run = turns[-1].ours, turns[-1].ours.run
    sent = [b / MB for b in (run.bytes_per_party, run.dealer_bytes, played.weights)]
    cold, alone, in_a_row = (
        statistics.median(times)
        for times in ([t.ours.first for t in turns], [t.seconds for t in turns], [t.in_a_row for t in turns])
    )
    return [
        str(run.rounds),
        *(f"{b:.3g}" for b in sent),
        f"{cold:.2f}",
        f"{alone:.3g}",
        f"{in_a_row:.3g}",
        ", ".join(f"{seconds:.3f}" for seconds in played.work.values()),
        f"{error(played.result, plain(name)):.1e}",
    ]


@functools.cache
def plain(name: str) -> Any:
    apply, params, x = MODELS[name]()
    return apply(params, x)


def theirs(peer: Peer, turns: Sequence[Turn]) -> list[str]:
    last, run = turns[-1].theirs or {}, turns[-1].ours.run
    alone = statistics.median(t.their_seconds / t.seconds for t in turns)
    in_a_row = statistics.median(t.their_seconds / t.in_a_row for t in turns)
    return [
        peer[0],
        str(last["rounds"]),
        f"{last['MB']:.3g}",
        f"{statistics.median(t.their_seconds for t in turns):.3g}",
        f"{alone:.1f}",
        f"{in_a_row:.1f}",
        f"{run.bytes_per_party / MB / last['MB']:.3f}",
        f"{last['error']:.1e}",
    ]


def ask(peer: str, python: str, name: str, runs: int, places: Sequence[Place] | None) -> dict[str, Any]:
    where = ["--places", *(str(p.pid) for p in places[:2])] if places else []
    command = [python, "benchmarks/private_peers.py", peer, name, "--afresh", "--runs", str(runs), *where]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=os.environ)
    return json.loads(done.stdout.splitlines()[-1])


def delays(cases: Sequence[str], peer: Peer | None, milliseconds: Sequence[float]) -> None:
    """Rounds times the delay, and what was measured."""
    header(FAR_OURS + (FAR_THEIRS if peer else []))
    for name in cases:
        for delay in milliseconds:
            with wide_area(len(ROLES), delay) as places:
                row(*far(name, peer, delay, places))


def far(name: str, peer: Peer | None, delay: float, places: Sequence[Place]) -> list[str]:
    measured = turn(name, peer, FAR, 1, places)
    rounds = measured.ours.run.rounds
    cells = [name, f"{delay:g}", str(rounds), f"{rounds * delay / 1000:.3g}", f"{measured.seconds:.3g}"]
    if not (peer and measured.theirs):
        return cells
    rounds, seconds = measured.theirs["rounds"], measured.their_seconds
    counted = [str(rounds), f"{rounds * delay / 1000:.3g}"]
    return [*cells, peer[0], *counted, f"{seconds:.3g}", f"{seconds / measured.seconds:.1f}"]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--peer", help="name=python, as private_peers.py names it")
    arguments.add_argument("--case", action="append", choices=CASES, help="one of them alone")
    arguments.add_argument("--turns", type=int, default=3)
    arguments.add_argument("--delay", type=float, nargs="+", help="milliseconds, one way: that table alone")
    arguments.add_argument("--quick", action="store_true", help="few runs of LeNet-5")
    arguments.add_argument("--profile", choices=ROLES, help="print where a role's time goes")
    given = arguments.parse_args()
    peer = tuple(given.peer.split("=", 1)) if given.peer else None
    cases = given.case or (CASES[:1] if given.quick else CASES)
    load = os.getloadavg()[0]
    print(f"jax {jax.__version__}, {jax.default_backend()}, {os.cpu_count()} cores, load {load:.2f}\n")
    if given.profile:
        for name in cases:
            play(name, Schedule(), profiled=given.profile)
    elif given.delay:
        delays(cases, peer, given.delay)
    elif given.quick:
        table(cases, peer, QUICK, 1)
    else:
        table(cases, peer, Schedule(), given.turns)


if __name__ == "__main__":
    main()
