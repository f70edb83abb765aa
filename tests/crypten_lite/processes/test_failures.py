"""A role that dies, hangs or comes back: every other process ends with a typed error, and nothing more is revealed."""

import re
import signal
import sys
import time

import numpy as np
import pytest

from crypten_lite.roles import inputs as files
from tests.crypten_lite.processes.terminals import said, started, written

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals"),
]
TIMEOUT = 10  # longer than a rehearsal takes on a busy machine
PROGRAM = """
import pathlib, time
import crypten_lite as ct

def program(session):
    x, w = session.input("x", owner="alice"), session.input("w", owner="bob")
    product = ct.private(lambda x, w: x @ w)
    for i in range(100):
        y = product(x, w)
        y.reveal(to="alice")
        if not session.is_rehearsal:
            pathlib.Path(f"{session.name}.running").touch()
            time.sleep(0.2)
    return y.reveal(to="alice")
"""
X = np.arange(20, dtype=np.float32).reshape(4, 5)


@pytest.fixture
def folder(tmp_path):
    own = {
        "alice": f'timeout = {TIMEOUT}\nwait = 60\ninputs = "alice.npz"\nresults = "found.npz"\n',
        "bob": f'timeout = {TIMEOUT}\nwait = 60\ninputs = "bob.npz"\n',
        "dealer": f"timeout = {TIMEOUT}\nwait = 60\n",
    }
    written(tmp_path, PROGRAM, own)
    for name in own:
        config = tmp_path / f"{name}.toml"
        config.write_text(config.read_text().replace("timeout = 60\n", ""))
    files.write(tmp_path / "alice.npz", {"x": X})
    files.write(tmp_path / "bob.npz", {"w": X.T})
    return tmp_path


def wait_until_running(folder, processes):
    end = time.monotonic() + 100
    while not all((folder / f"{name}.running").exists() for name in ("alice", "bob")):
        assert time.monotonic() < end
        assert all(p.poll() is None for n, p in processes.items() if n != "dealer"), said(processes)
        time.sleep(0.05)


def one_line(err, name):
    """The last line of what a process wrote, and no traceback."""
    assert "Traceback" not in err, err
    last = err.strip().splitlines()[-1]
    assert last.startswith(f"{name}: "), err
    return last


def lose(folder, lost, signal_):
    """A party is lost in the middle of the program, which stops the other one."""
    with started(folder, "alice", "bob", "dealer") as processes:
        wait_until_running(folder, processes)
        processes[lost].send_signal(getattr(signal, signal_))
        begin = time.monotonic()
        left = "bob" if lost == "alice" else "alice"
        status, _, err = said({left: processes[left]})[left]
        waited = time.monotonic() - begin
        processes[lost].kill()
        dealer = said({"dealer": processes["dealer"]})["dealer"]
    assert status == 1
    kind = "PeerTimeoutError" if signal_ == "SIGSTOP" else "(PeerClosedError|PeerAbortedError)"
    assert re.match(rf"{left}: {kind}: (the connection to )?{lost} ", one_line(err, left)), err
    assert waited < 3 * TIMEOUT + 20  # far from the end of the program, or from for ever
    assert not (folder / "found.npz").exists()
    assert dealer[0] in (0, 1)  # it may have dealt all before


@pytest.mark.parametrize(("lost", "signal_"), [("alice", "SIGKILL"), ("bob", "SIGSTOP")])
def test_a_party_that_is_lost_stops_the_other(folder, lost, signal_):
    lose(folder, lost, signal_)


def test_a_party_that_is_lost_and_comes_back_does_not_join(folder):
    lose(folder, "bob", "SIGKILL")
    config = folder / "bob.toml"
    config.write_text(config.read_text().replace("wait = 60", "wait = 2"))
    with started(folder, "bob") as processes:
        status, _, err = said(processes)["bob"]
    assert status == 1
    assert "PeerUnreachableError: alice" in one_line(err, "bob")


def test_a_dealer_that_is_lost_stops_both(folder):
    """It is lost before it has dealt all: its program waits in each round, as theirs does."""
    with started(folder, "alice", "bob", "dealer") as processes:
        end = time.monotonic() + 100
        while not (folder / "dealer.running").exists():
            assert time.monotonic() < end
            time.sleep(0.05)
        processes["dealer"].kill()
        ended = said({n: processes[n] for n in ("alice", "bob")})
    for name, (status, _, err) in ended.items():
        assert status == 1
        assert re.search(
            r"(PeerClosedError|PeerAbortedError): (the connection to )?(dealer|bob|alice) ",
            one_line(err, name),
        ), err
