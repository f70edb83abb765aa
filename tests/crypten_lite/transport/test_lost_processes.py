"""A peer's process that dies or hangs: a typed error within the timeout, and nothing is left."""

import contextlib
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from crypten_lite.errors import PeerClosedError, PeerTimeoutError
from crypten_lite.transport.channel import Kind
from crypten_lite.transport.mesh import Peer, connect
from tests.crypten_lite.roles.roles import free_port, identities
from tests.crypten_lite.transport.partner import ARRAY
from tests.crypten_lite.transport.wires import LONG, nothing_left

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("keys")


@pytest.fixture(scope="module")
def keys(folder):
    return identities(folder, ("alice", "bob"))


@pytest.fixture(autouse=True)
def leaves_nothing(keys):
    with nothing_left():
        yield


@contextlib.contextmanager
def partner(keys, folder, timeout):
    """A mesh with bob, who is a process of his own, and this process."""
    address = ("127.0.0.1", free_port())
    peers = [Peer("alice", keys["alice"].certificate, address), Peer("bob", keys["bob"].certificate)]
    command = [sys.executable, "-m", "tests.crypten_lite.transport.partner", str(folder), str(address[1])]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        with connect("alice", keys["alice"], peers, listen=address, timeout=timeout, wait=120) as mesh:
            yield mesh, process
    finally:
        process.kill()
        process.wait(LONG)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize(
    ("sent", "error", "says"),
    [("SIGKILL", PeerClosedError, "bob"), ("SIGSTOP", PeerTimeoutError, "bob did not send in time")],
)
def test_a_process_that_dies_or_hangs(keys, folder, sent, error, says):
    with partner(keys, folder, timeout=2) as (mesh, process):
        received = {"bob": [np.empty_like(ARRAY)]}
        for _ in range(10):
            mesh.exchange(Kind.OPENING, [ARRAY], received)
        np.testing.assert_array_equal(received["bob"][0], ARRAY)
        process.send_signal(getattr(signal, sent))
        with pytest.raises(error, match=says):
            exchange_until_it_fails(mesh, received)


def exchange_until_it_fails(mesh, received):
    for _ in range(100_000):
        mesh.exchange(Kind.OPENING, [ARRAY], received)
