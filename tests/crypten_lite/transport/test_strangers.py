"""Who is not awaited is refused, and does not keep out who is."""

import contextlib
import re
import socket
import ssl
import threading
import time

import pytest

from crypten_lite.errors import PeerUnreachableError, ProtocolError
from crypten_lite.transport import listening
from crypten_lite.transport.frames import Kind, header
from crypten_lite.transport.greeting import Greeting, greet
from crypten_lite.transport.streams import Stream
from tests.crypten_lite.roles.roles import free_port, identities
from tests.crypten_lite.transport.wires import (
    LONG,
    close,
    in_thread,
    nothing_left,
    peers_of,
    start,
    wait_until_open,
)

NAMES = ("alice", "bob")


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return identities(tmp_path_factory.mktemp("keys"), NAMES)


@pytest.fixture(autouse=True)
def leaves_nothing(keys):
    with nothing_left():
        yield


def silent(address, stop):
    with socket.create_connection(address, timeout=LONG):
        stop.wait(3 * LONG)


def scanning(address, stop):
    for _ in range(20):
        socket.create_connection(address, timeout=LONG).close()


def rubbish(address, stop):
    with socket.create_connection(address, timeout=LONG) as stranger:
        stranger.sendall(b"GET / HTTP/1.1\r\nHost: alice\r\n\r\n" * 100)
        with contextlib.suppress(OSError):
            while stranger.recv(1000):
                pass


def without_certificate(address, stop):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(address, timeout=LONG) as tcp,
        contextlib.suppress(OSError),
        context.wrap_socket(tcp) as tls,
    ):
        tls.recv(1)


STRANGERS = {
    "silent": (silent, 3, None),
    "scanning": (scanning, 1, "closed the connection|broke"),
    "rubbish": (rubbish, 3, "TLS with a caller from 127.0.0.1 failed: http request"),
    "without a certificate": (without_certificate, 3, "showed no certificate"),
}


@pytest.mark.parametrize(("stranger", "count", "says"), STRANGERS.values(), ids=STRANGERS)
def test_strangers_do_not_keep_the_peers_out(keys, monkeypatch, stranger, count, says):
    monkeypatch.setattr(listening, "_HANDSHAKE", 10 * LONG)  # nobody is waited for at the end
    peers, log, stop = peers_of(keys, NAMES), [], threading.Event()
    alice = start("alice", keys["alice"], peers, log=log.append)
    wait_until_open(peers[0].address)
    strangers = [in_thread(stranger, peers[0].address, stop) for _ in range(count)]
    time.sleep(0.2)
    bob = start("bob", keys["bob"], peers)
    close(alice, bob)
    stop.set()
    for future in strangers:
        future.result(LONG)
    if says:
        assert any(line.startswith("refused: a caller from 127.0.0.1") for line in log)
        assert len(log) <= 8
        assert [line for line in log if re.search(says, line)]


def test_a_crowd_of_silent_strangers_passes(keys, monkeypatch):
    monkeypatch.setattr(listening, "_HANDSHAKE", 0.5)
    peers, stop = peers_of(keys, NAMES), threading.Event()
    alice = start("alice", keys["alice"], peers)
    wait_until_open(peers[0].address)
    crowd = [in_thread(silent, peers[0].address, stop) for _ in range(20)]
    time.sleep(0.2)
    bob = start("bob", keys["bob"], peers)
    close(alice, bob)
    stop.set()
    for future in crowd:
        future.result(LONG)


def test_handshakes_at_once_are_bounded(keys):
    peers, stop = peers_of(keys, NAMES), threading.Event()
    context, address = keys["alice"].serving([keys["bob"].certificate]), ("127.0.0.1", free_port())
    with contextlib.closing(listening.Listener("alice", peers[1:], context, address, str)) as listener:
        crowd = [in_thread(silent, address, stop) for _ in range(20)]
        with pytest.raises(PeerUnreachableError, match="bob did not connect to alice in time"):
            listener.gather(time.monotonic() + 1)
        assert len(listener._greeting) == 8
    stop.set()
    for future in crowd:
        future.result(LONG)


@contextlib.contextmanager
def calling(keys, me, peers):
    """A connection to alice with the right certificate, before the greeting."""
    wait_until_open(peers[0].address)
    context = keys[me].connecting([keys["alice"].certificate])
    with socket.create_connection(peers[0].address, timeout=LONG) as tcp, context.wrap_socket(tcp) as tls:
        yield Stream(tls, "alice")


GREETINGS = {
    "another name": (Greeting("dave", "alice", "reading"), "has a name that is not awaited by alice"),
    "the listener's name": (Greeting("alice", "alice", "reading"), "has a name that is not awaited by alice"),
    "somebody else": (Greeting("bob", "zoe", "reading"), "looks for somebody else; this is alice"),
}


@pytest.mark.parametrize(("greeting", "says"), GREETINGS.values(), ids=GREETINGS)
def test_a_greeting_that_is_refused(keys, greeting, says):
    peers, log = peers_of(keys, NAMES), []
    alice = start("alice", keys["alice"], peers, log=log.append)
    with calling(keys, "bob", peers) as stream, pytest.raises(ProtocolError, match=f"alice refused.*{says}"):
        greet(stream, greeting, LONG)
    bob = start("bob", keys["bob"], peers)
    close(alice, bob)
    assert any(says in line for line in log)


def test_a_second_connection_for_the_same_use(keys):
    peers = peers_of(keys, NAMES)
    alice = start("alice", keys["alice"], peers, wait=2)
    with calling(keys, "bob", peers) as first, calling(keys, "bob", peers) as second:
        greet(first, Greeting("bob", "alice", "writing"), LONG)
        with pytest.raises(
            ProtocolError, match=r"alice refused.*is a second bob: one is connected to alice already"
        ):
            greet(second, Greeting("bob", "alice", "writing"), LONG)
        with pytest.raises(PeerUnreachableError, match="bob did not connect to alice in time"):
            alice.result(LONG)


SAID = {
    "rubbish": b"x" * 100,
    "nothing": b"",
    "another version": b'{"protocol": 2, "from": "bob", "to": "alice", "for": "reading"}',
    "wrong types": b'{"protocol": 1, "from": ["bob"], "to": "alice", "for": "reading"}',
    "another use": b'{"protocol": 1, "from": "bob", "to": "alice", "for": "control"}',
    "more": b'{"protocol": 1, "from": "bob", "to": "alice", "for": "reading", "x": 1}',
    "a list": b'["protocol", 1]',
    "too long": b'{"protocol": 1, "from": "bob", "to": "' + b"a" * 2000 + b'", "for": "reading"}',
}


@pytest.mark.parametrize("said", SAID.values(), ids=SAID)
@pytest.mark.parametrize("framed", [True, False], ids=["framed", "bare"])
def test_a_greeting_that_is_none(keys, said, framed):
    peers, log = peers_of(keys, NAMES), []
    alice = start("alice", keys["alice"], peers, log=log.append)
    with calling(keys, "bob", peers) as stream:
        stream.tls.settimeout(LONG)
        stream.tls.sendall((header(Kind.CONTROL, 0, len(said)) if framed else b"") + said)
        socket.socket.shutdown(stream.tls, socket.SHUT_WR)
        with contextlib.suppress(OSError):
            assert stream.tls.recv(1000) == b""
    bob = start("bob", keys["bob"], peers)
    close(alice, bob)
    assert [line for line in log if line.startswith("refused: a caller from 127.0.0.1")]
