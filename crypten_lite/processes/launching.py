"""All roles on this machine, each in a process of its own: for notebooks and tests.

The processes talk as they would between machines, over TLS with keys made for this launch. What it does not
give is privacy: one user runs all of them.
"""

import os
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax

from crypten_lite.cost import Cost, Part
from crypten_lite.keys import identity
from crypten_lite.keys.certificate import checked_name
from crypten_lite.processes.children import Family
from crypten_lite.processes.commands import quoted
from crypten_lite.processes.results import reread
from crypten_lite.processes.shipping import shipped
from crypten_lite.roles import inputs as files
from namedtensor._optional import optional

_NAMES = ("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi")
_DEALER = "dealer"
_INSIDE = "CRYPTEN_LITE_LAUNCHED"  # set in the processes of a launch

# Roles that share one machine's cores: threads that wait for each other take turns away from other roles.
ONE_THREAD = {
    "NPROC": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
}

Program = str | Path | Callable[[Any], Any]


@dataclass(frozen=True)
class Launched:
    """What a launch came to.

    Attributes:
      results: of each party, by name: what the program returned, with None for what was revealed to others.
        Tuples are lists.
      costs: of each party and the dealer, by name.
      seconds: of each, by part: connecting, agreeing, running.
    """

    results: dict[str, Any] = field(repr=False)
    costs: dict[str, Cost] = field(repr=False)
    seconds: dict[str, dict[str, float]]


def launch(
    program: Program,
    *,
    inputs: Sequence[Mapping[str, Any]] | Mapping[str, Mapping[str, Any]] = (),
    parties: int | Sequence[str] = 2,
    fraction: int = 16,
    timeout: float = 60.0,
    progress: bool = True,
) -> Launched:
    """Run a program between processes of this machine: the parties, and a dealer.

    All is made for this launch (keys, files, connections) and gone at its end, however it ends. One user runs
    all processes, so it is NOT private; between machines run ``python -m crypten_lite party``.

    Args:
      program: a function of the session, or ``"classify.py:program"``. It runs in each process, which gets it
        from its file if it is at the top of one, and as a pickle otherwise.
      inputs: of each party, in order or by name: arrays and trees of them, by the name under which
        ``session.input`` asks for them.
      parties: how many (alice, bob, carol, ...), or their names.
      fraction: binary places.
      timeout: seconds that a party may be silent.
      progress: show a bar of the rounds.

    Raises:
      PartyError: of the kind that stopped the first process; errors of the program keep their kind too. The
        message says which process it was.
      ValueError: names or inputs of parties that there are not.
      TypeError: what cannot be an input or a program.
      RuntimeError: called by a program that is launched itself.

    Example::

        def program(session):
            x, w = session.input("x", owner="alice"), session.input("w", owner="bob")
            return ct.private(jnp.dot)(x, w).reveal(to="alice")


        done = ct.launch(program, inputs=[{"x": x}, {"w": w}])
        done.results["alice"], done.costs["alice"].rounds
    """
    if _INSIDE in os.environ:
        raise RuntimeError(
            "a launched program calls launch again, and so on forever: put the call below "
            "`if __name__ == '__main__':`."
        )
    names = _names(parties)
    given = _by_name(inputs, names)
    with tempfile.TemporaryDirectory(prefix="crypten_lite-") as folder, ExitStack() as stack:
        home = Path(folder)
        settings = {"program": quoted(shipped(program, home)), "fraction": fraction, "timeout": timeout}
        _write(home, names, given, settings)
        family, env = Family(), _environment()
        stack.callback(family.stop)
        for role in (*names, _DEALER):
            family.start(role, _command(home, role), home / f"{role}.stderr", env)
        with _bar(progress) as move:
            ended = family.follow(move)
        return _gathered(home, names, ended)


def _names(parties: int | Sequence[str]) -> tuple[str, ...]:
    if isinstance(parties, int):
        if not 2 <= parties <= 100:
            raise ValueError(
                f"parties={parties}: a secret is shared between 2 or more, and 100 at most here."
            )
        return (*_NAMES, *(f"party{i}" for i in range(len(_NAMES), parties)))[:parties]
    names = tuple(checked_name(name) for name in parties)
    if len(set(names)) < len(names) or len(names) < 2 or _DEALER in names:
        raise ValueError(
            f"parties={names}: give two or more names, all different, and none of them {_DEALER!r}."
        )
    return names


def _by_name(inputs: Any, names: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    given = inputs if isinstance(inputs, Mapping) else dict(zip(names, inputs, strict=False))
    unknown = [str(name) for name in given if name not in names]
    if unknown or len(inputs) > len(names):
        what = f"inputs of {', '.join(unknown)}" if unknown else f"{len(inputs)} inputs"
        raise ValueError(
            f"{what}, but the parties are {', '.join(names)}: give each party's, by name or in order."
        )
    return {name: given.get(name, {}) for name in names}


def _write(home: Path, names: Sequence[str], given: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    """Keys, inputs and configurations."""
    marks = {n: identity.create(n, home, days=1).certificate.fingerprint for n in (*names, _DEALER)}
    members = [
        f'[[parties]]\n{_member(name, marks[name])}address = "127.0.0.1:{port}"\n'
        for name, port in zip(names, _free_ports(len(names)), strict=True)
    ]
    common = "".join(f"{key} = {value}\n" for key, value in settings.items())
    rest = "\n".join([*members, f"[dealer]\n{_member(_DEALER, marks[_DEALER])}"])
    for name in (*names, _DEALER):
        own = f'name = "{name}"\nkey = "{name}.key"\n'
        if name in names:
            files.write(home / f"{name}.npz", given[name])
            own += f'inputs = "{name}.npz"\nresults = "{name}-results.npz"\n'
        (home / f"{name}.toml").write_text(f"{own}{common}\n{rest}", encoding="utf-8")


def _member(name: str, fingerprint: str) -> str:
    return f'name = "{name}"\ncertificate = "{name}.crt"\nfingerprint = "{fingerprint}"\n'


def _free_ports(count: int) -> list[int]:
    """Ports that nobody listens on; all are held until the last is found, so that they differ."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(closing(socket.socket())) for _ in range(count)]
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in sockets]


def _command(home: Path, role: str) -> list[str]:
    kind = "dealer" if role == _DEALER else "party"
    # -P: a file in the working directory must not stand in for one of Python's
    return [
        sys.executable,
        "-P",
        "-m",
        "crypten_lite",
        kind,
        "--config",
        str(home / f"{role}.toml"),
        "--status",
    ]


def _environment() -> dict[str, str]:
    """Of the processes: they find what this one finds, and count as this one counts."""
    places = [place or os.getcwd() for place in sys.path]
    places.append(str(Path(__file__).parents[2]))
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(dict.fromkeys(places)), _INSIDE: "1"}
    env["JAX_ENABLE_X64"] = str(int(jax.config.read("jax_enable_x64")))
    env.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # they share one device
    return {**ONE_THREAD, **env}


@contextmanager
def _bar(progress: bool) -> Iterator[Callable[[int, int], None]]:
    if not progress:
        yield lambda done, of: None
        return
    with optional("private"):
        from tqdm.auto import tqdm
    with tqdm(desc="rounds", unit="round") as bar:

        def move(done: int, of: int) -> None:
            if bar.total is None:
                bar.reset(of)  # the start of the processes is no part of a round
            bar.update(done - bar.n)

        yield move


def _gathered(home: Path, names: Sequence[str], ended: Mapping[str, Any]) -> Launched:
    results = {name: _result(home / f"{name}-results.npz", ended[name]) for name in names}
    costs = {name: _cost(told["cost"]) for name, told in ended.items()}
    return Launched(results, costs, {name: told["seconds"] for name, told in ended.items()})


def _result(path: Path, told: Mapping[str, Any]) -> Any:
    return jax.device_put(reread(path, told["hidden"], has_names=told["has_names"]))


def _cost(told: Mapping[str, Any]) -> Cost:
    return Cost(**{**told, "by_layer": {place: Part(*part) for place, part in told["by_layer"].items()}})
