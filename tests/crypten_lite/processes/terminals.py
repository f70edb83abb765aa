"""Folders and commands of alice, bob and a dealer, each as in a terminal of its own."""

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from crypten_lite.keys.identity import create

ROOT = Path(__file__).parents[3]
SECONDS = 120.0  # after which a process that hangs is killed
ENV = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
ENV["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"  # as in conftest.py: each compiles a program to run it once


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "crypten_lite", *map(str, arguments)]


@contextlib.contextmanager
def started(cwd: Path, *roles: str) -> Iterator[dict[str, subprocess.Popen[str]]]:
    """The processes of roles; killed at the end if they are still there."""
    with contextlib.ExitStack() as stack:
        processes = {}
        for name in roles:
            arguments = command("dealer" if name == "dealer" else "party", "--config", f"{name}.toml")
            pipe = subprocess.PIPE
            process = subprocess.Popen(arguments, cwd=cwd, env=ENV, stdout=pipe, stderr=pipe, text=True)
            processes[name] = stack.enter_context(process)
            stack.callback(process.kill)
        yield processes


def said(processes: Mapping[str, subprocess.Popen[str]]) -> dict[str, tuple[int, str, str]]:
    """The exit status, output and errors of each; pipes are small, so all are started before."""
    return {
        name: (process.returncode, out, err)
        for name, process in processes.items()
        for out, err in [process.communicate(timeout=SECONDS)]
    }


def written(
    folder: Path, program: str, more: Mapping[str, str], parties: Sequence[str] = ("alice", "bob")
) -> None:
    """Keys and configurations of all; ``more`` are lines of one role's alone."""
    marks = {name: create(name, folder).certificate.fingerprint for name in (*parties, "dealer")}
    members = {n: f'name = "{n}"\ncertificate = "{n}.crt"\nfingerprint = "{m}"\n' for n, m in marks.items()}
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in parties]
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        ports = [s.getsockname()[1] for s in sockets]
    rest = "".join(
        f'[[parties]]\n{members[n]}address = "127.0.0.1:{p}"\n' for n, p in zip(parties, ports, strict=True)
    )
    (folder / "program.py").write_text(program)
    for name in marks:
        own = f'name = "{name}"\nprogram = "program.py"\nkey = "{name}.key"\ntimeout = 60\n'
        dealer = f"[dealer]\n{members['dealer']}"
        top, _, below = more.get(name, "").partition("---\n")
        (folder / f"{name}.toml").write_text(f"{own}{top}{rest}{dealer}{below}")
