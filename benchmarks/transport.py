"""Messages between two processes on this machine over TLS 1.3, both with certificates, as parties send them.

Small messages: the time there and back, and the time of a round in which both send at once, as in an opening.
Large ones: the bytes a second in one direction, and in each of both directions at once. A row says the
shortest time, and in brackets the median of the rounds.

Run: python benchmarks/transport.py [--rounds 15]
"""

import argparse
import multiprocessing
import os
import platform
import socket
import ssl
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from crypten_lite.keys.identity import Certificate, Identity, create
from crypten_lite.transport.channel import Channel, Kind
from crypten_lite.transport.mesh import Mesh, Peer, connect

NAMES = "alice", "bob"
SMALL = {64: 1000, 1000: 1000, 8000: 1000, 32_000: 500, 100_000: 200}  # bytes: messages a round
LARGE = {1_000_000: 64, 16_000_000: 8}


def there_and_back(channel: Channel, array: np.ndarray, count: int) -> None:
    for turn in range(2 * count):
        if turn % 2 == NAMES.index(channel.peer):
            channel.receive(Kind.OPENING, [array])
        else:
            channel.start(Kind.OPENING, [array]).wait()


def at_once(channel: Channel, array: np.ndarray, count: int) -> None:
    received = np.empty_like(array)
    for _ in range(count):
        sending = channel.start(Kind.OPENING, [array])
        channel.receive(Kind.OPENING, [received])
        sending.wait()


def one_way(channel: Channel, array: np.ndarray, count: int) -> None:
    for _ in range(count):
        if channel.peer == "bob":
            channel.start(Kind.OPENING, [array]).wait()
        else:
            channel.receive(Kind.OPENING, [array])
    together(channel)


def together(channel: Channel) -> None:
    channel.tell({})
    channel.hear()


def rounds(channel: Channel, way: Callable, size: int, count: int, times: int) -> list[float]:
    """Seconds a message, in each round; both processes run the same."""
    array, seconds = np.ones(size, np.uint8), []
    way(channel, array, 2)
    for _ in range(times):
        together(channel)
        start = time.perf_counter()
        way(channel, array, count)
        seconds.append((time.perf_counter() - start) / count)
    return seconds


def run(mesh: Mesh, times: int, show: Callable[[str], object]) -> None:
    (channel,) = mesh.channels.values()
    show("| bytes | there and back, us | both at once, us |\n|---|---|---|")
    for size, count in SMALL.items():
        found = [rounds(channel, way, size, count, times) for way in (there_and_back, at_once)]
        shown = [f"{min(t) * 1e6:.0f} ({statistics.median(t) * 1e6:.0f})" for t in found]
        show(f"| {size} | {' | '.join(shown)} |")
    show("\n| MB | one way, GB/s | both ways at once, GB/s each |\n|---|---|---|")
    for size, count in LARGE.items():
        found = [rounds(channel, way, size, count, times) for way in (one_way, at_once)]
        shown = [f"{size / min(t) / 1e9:.2f} ({size / statistics.median(t) / 1e9:.2f})" for t in found]
        show(f"| {size // 10**6} | {' | '.join(shown)} |")


def role(name: str, folder: str, port: int, times: int, show: Callable[[str], object]) -> None:
    identity = Identity.read(Path(folder, f"{name}.key"), Path(folder, f"{name}.crt"))
    listen = ("127.0.0.1", port)
    peers = [Peer(n, Certificate.read(Path(folder, f"{n}.crt")), listen) for n in NAMES]
    with connect(name, identity, peers, listen=listen, timeout=60, wait=60) as mesh:
        run(mesh, times, show)


def silent(_: str) -> None:
    """What the second process shows."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    times = parser.parse_args().rounds
    print(f"Python {platform.python_version()}, {ssl.OPENSSL_VERSION}, {os.cpu_count()} cores\n")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        for name in NAMES:
            create(name, folder)
        bob = multiprocessing.get_context("spawn").Process(
            target=role, args=("bob", folder, port, times, silent)
        )
        bob.start()
        role("alice", folder, port, times, print)
        bob.join()


if __name__ == "__main__":
    main()
