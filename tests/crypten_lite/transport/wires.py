"""Raw TLS connections to a channel under test, and the check that a test leaves nothing behind."""

import contextlib
import gc
import os
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from crypten_lite.keys.identity import Identity
from crypten_lite.transport.channel import Channel
from crypten_lite.transport.mesh import Mesh, Peer, connect
from crypten_lite.transport.streams import shut
from tests.crypten_lite.roles.roles import free_port

LONG = 20.0  # seconds after which a test that waits has failed


@dataclass
class Rogue:
    """A channel of alice's, and both ends that are bob's."""

    channel: Channel
    writing: ssl.SSLSocket  # what alice reads
    reading: ssl.SSLSocket  # what alice writes


def in_thread(call: Callable[..., Any], *args: Any) -> "Future[Any]":
    """What the call ends with; the thread does not outlive the test by much."""
    future: Future[Any] = Future()

    def run() -> None:
        try:
            future.set_result(call(*args))
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, name="test", daemon=True).start()
    return future


def tls_pair(keys: Mapping[str, Identity], me: str, peer: str) -> tuple[ssl.SSLSocket, ssl.SSLSocket]:
    """Both ends of a connection, whose handshake is done."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        calling = socket.create_connection(listening.getsockname(), timeout=LONG)
        listening.settimeout(LONG)
        called, _ = listening.accept()
    for end in (calling, called):
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        end.settimeout(LONG)
    context = keys[me].serving([keys[peer].certificate])
    answer = in_thread(lambda: context.wrap_socket(called, server_side=True))
    mine = keys[peer].connecting([keys[me].certificate]).wrap_socket(calling)
    return answer.result(LONG), mine


@contextlib.contextmanager
def ending(*connections: ssl.SSLSocket) -> Iterator[None]:
    """End the connections after a while, so that a channel that waits for ever fails its test."""
    timer = threading.Timer(2 * LONG, lambda: [shut(c) for c in connections])
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


@contextlib.contextmanager
def rogue(keys: Mapping[str, Identity], timeout: float = LONG) -> Iterator[Rogue]:
    """Alice's channel to a bob who does what the test says."""
    (reading, out), (writing, into) = tls_pair(keys, "alice", "bob"), tls_pair(keys, "alice", "bob")
    channel = Channel("bob", reading, writing, timeout=timeout)
    with out, into, ending(reading, writing), contextlib.closing(channel):
        yield Rogue(channel, out, into)


@contextlib.contextmanager
def channels(keys: Mapping[str, Identity], timeout: float = LONG) -> Iterator[tuple[Channel, Channel]]:
    """Alice's channel to bob, and bob's to alice."""
    (a, b), (c, d) = tls_pair(keys, "alice", "bob"), tls_pair(keys, "alice", "bob")
    with (
        ending(a, b, c, d),
        contextlib.closing(Channel("bob", a, c, timeout=timeout)) as alice,
        contextlib.closing(Channel("alice", d, b, timeout=timeout)) as bob,
    ):
        yield alice, bob


@contextlib.contextmanager
def nothing_left() -> Iterator[None]:
    """No thread, and on Linux no open file, that was not there before."""
    threads, files = set(threading.enumerate()), open_files()
    yield
    end = time.monotonic() + LONG
    while set(threading.enumerate()) - threads and time.monotonic() < end:
        time.sleep(0.01)
    assert not set(threading.enumerate()) - threads
    if open_files() != files:
        gc.collect()  # a file that only this closes is a warning, and so an error
    assert open_files() == files


def open_files() -> int:
    """How many this process has; other systems than Linux do not say."""
    return len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0


def peers_of(keys: Mapping[str, Identity], names: Sequence[str]) -> list[Peer]:
    """All with free ports, but the last one, who listens nowhere."""
    address = {n: ("127.0.0.1", free_port()) for n in names[:-1]}
    return [Peer(n, keys[n].certificate, address.get(n)) for n in names]


def start(
    me: str,
    identity: Identity,
    peers: Sequence[Peer],
    *,
    wait: float = LONG,
    timeout: float = LONG,
    log: Callable[[str], object] = str,
) -> "Future[Mesh]":
    """Connect in a thread."""
    (listen,) = (p.address for p in peers if p.name == me)
    return in_thread(lambda: connect(me, identity, peers, listen=listen, timeout=timeout, wait=wait, log=log))


def close(*started: "Future[Mesh]") -> None:
    """Wait until all of them are connected, and end them."""
    for future in started:
        future.result(LONG).close()


def wait_until_open(address: tuple[str, int] | None) -> None:
    """Until somebody listens there; who listens sees a stranger that says nothing."""
    end = time.monotonic() + LONG
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(address or ("", 0), timeout=LONG):
            return
        time.sleep(0.01)
