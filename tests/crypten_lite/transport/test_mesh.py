"""All roles connect to each other, whoever comes first, and send to all."""

import contextlib
import dataclasses
import socket
import time

import numpy as np
import pytest

from crypten_lite.errors import (
    CertificateError,
    ConfigError,
    PeerAbortedError,
    PeerClosedError,
    PeerUnreachableError,
    ProtocolError,
)
from crypten_lite.transport.channel import Kind
from crypten_lite.transport.mesh import Peer, connect
from tests.crypten_lite.roles.roles import free_port, identities
from tests.crypten_lite.transport.wires import LONG, close, in_thread, nothing_left, peers_of, start

NAMES = ("alice", "bob", "carol", "dealer")


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return identities(tmp_path_factory.mktemp("keys"), NAMES)


@pytest.fixture(autouse=True)
def leaves_nothing(keys):
    with nothing_left():
        yield


@contextlib.contextmanager
def meshes(keys, names, **options):
    peers = peers_of(keys, names)
    started = {n: start(n, keys[n], peers, **options) for n in names}
    with contextlib.ExitStack() as stack:
        yield {n: stack.enter_context(contextlib.closing(f.result(LONG))) for n, f in started.items()}


def numbers(name, size):
    return np.full(size, NAMES.index(name) + 1, np.uint64)


@pytest.mark.parametrize("size", [0, 8, 100_000, 1_000_000])
@pytest.mark.parametrize("names", [NAMES[:2], NAMES[:3]], ids=["two", "three"])
def test_everybody_exchanges_with_everybody(keys, names, size):
    def role(name, mesh):
        received = {n: [np.zeros(size, np.uint64), np.zeros(1)] for n in names if n != name}
        for _ in range(3):
            mesh.exchange(Kind.OPENING, [numbers(name, size), np.ones(1)], received)
        return received

    with meshes(keys, names) as found:
        playing = {n: in_thread(role, n, mesh) for n, mesh in found.items()}
        for name, future in playing.items():
            received = future.result(LONG)
            assert received.keys() == set(names) - {name}
            for n, (array, one) in received.items():
                np.testing.assert_array_equal(array, numbers(n, size))
                assert one.tolist() == [1]
        for mesh in found.values():
            counted = {(c.written, c.read, c.frames_written, c.frames_read) for c in mesh.channels.values()}
            assert counted == {(3 * (8 * size + 8), 3 * (8 * size + 8), 3, 3)}


def test_who_sends_to_all(keys):
    with meshes(keys, NAMES) as found:
        sending = in_thread(found["dealer"].broadcast, Kind.MATERIAL, [numbers("dealer", 10**6)], NAMES[:3])
        for name in NAMES[:3]:
            array = np.empty(10**6, np.uint64)
            found[name].channels["dealer"].receive(Kind.MATERIAL, [array])
            np.testing.assert_array_equal(array, numbers("dealer", 10**6))
        sending.result(LONG)
        found["alice"].broadcast(Kind.INPUT, [], [])
        assert [list(mesh.channels) for mesh in found.values()] == [
            [m for m in NAMES if m != n] for n in NAMES
        ]


@pytest.mark.parametrize("late", NAMES)
def test_whoever_comes_last(keys, late):
    peers, log = peers_of(keys, NAMES), []
    started = {n: start(n, keys[n], peers, log=log.append) for n in NAMES if n != late}
    time.sleep(0.3)
    assert not any(f.done() for f in started.values())
    started[late] = start(late, keys[late], peers)
    close(*started.values())
    if late == "alice":
        assert f"waiting for alice at 127.0.0.1:{peers[0].address[1]}" in log


def test_who_never_comes(keys):
    peers = peers_of(keys, NAMES[:3])
    bob = start("bob", keys["bob"], peers, wait=0.5)
    with pytest.raises(
        PeerUnreachableError, match=r"alice at 127\.0\.0\.1:\d+ could not be reached in time: Conn"
    ):
        bob.result(LONG)
    alice = start("alice", keys["alice"], peers, wait=0.5)
    with pytest.raises(PeerUnreachableError, match=r"bob, carol did not connect to alice in time\."):
        alice.result(LONG)


def test_an_error_tells_all_peers(keys):
    def fail(mesh, error):
        with mesh:
            raise error

    for error, says in (
        (ProtocolError("carol sent rubbish"), "bob stopped: ProtocolError: carol sent rubbish"),
        (ConfigError("/home/bob/secret.npz"), "bob stopped: ConfigError"),
        (ValueError("the secret is 7"), "bob stopped: ValueError"),
        (KeyboardInterrupt(), "bob stopped: KeyboardInterrupt"),
        (type("OwnError", (ProtocolError,), {"__module__": "program"})("secret 7"), "bob stopped: OwnError"),
    ):
        with meshes(keys, NAMES[:3]) as found:
            with pytest.raises(type(error)):
                fail(found["bob"], error)
            for name in ("alice", "carol"):
                with pytest.raises(PeerAbortedError) as heard:
                    found[name].channels["bob"].receive(Kind.OPENING, [np.zeros(1)])
                assert str(heard.value) == says
                found[name].channels["carol" if name == "alice" else "alice"].tell({})


def test_the_end_of_a_mesh_closes_all(keys):
    with meshes(keys, NAMES[:2]) as found:
        with found["alice"]:
            pass
        with pytest.raises(PeerClosedError, match="alice closed the connection"):
            found["bob"].channels["alice"].hear()


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        (
            lambda p: (p[1:], {}),
            ConfigError,
            "alice must be one of the peers, and each name must be there once: bob",
        ),
        (lambda p: ([*p, p[1]], {}), ConfigError, "must be there once: alice, bob, bob"),
        (lambda p: (p, {"listen": None}), ConfigError, "bob will connect to alice: say where alice listens"),
        (lambda p: (p, {"listen": ("192.0.2.1", 1)}), ConfigError, r"cannot listen at 192\.0\.2\.1:1: "),
        (
            lambda p: (p, {"listen": ("nowhere.invalid", 1)}),
            ConfigError,
            "cannot listen at nowhere.invalid:1: ",
        ),
        (
            lambda p: ([p[1], p[0]], {}),
            ConfigError,
            "bob has no address, and alice connects to it: give host and port",
        ),
        (
            lambda p: ([dataclasses.replace(p[0], certificate=p[1].certificate), p[1]], {}),
            CertificateError,
            "the certificate that the peers have for alice is not the one of its key",
        ),
    ],
)
def test_a_setting_that_cannot_be(keys, change, error, says):
    peers, options = change(peers_of(keys, NAMES[:2]))
    options = {"listen": ("127.0.0.1", free_port()), "timeout": 1, "wait": 1, **options}
    with pytest.raises(error, match=says):
        connect("alice", keys["alice"], peers, **options)


def test_a_port_that_is_taken(keys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        peers = [
            Peer("alice", keys["alice"].certificate, taken.getsockname()),
            Peer("bob", keys["bob"].certificate),
        ]
        with pytest.raises(ConfigError, match=r"cannot listen at 127\.0\.0\.1:\d+: Address already in use"):
            connect("alice", keys["alice"], peers, listen=taken.getsockname(), timeout=1, wait=1)
