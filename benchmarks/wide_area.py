"""A wide area on one machine: places that reach each other over IP packets which come late.

Each place is a network namespace of Linux, whose packets go through a TUN device to this process, which holds
them back and hands them on. So TCP itself meets the delay, with its windows and its slow start. There is no
other limit: no rate, no loss. It needs root, ``unshare``, ``ip`` and ``/dev/net/tun``, and no kernel module.

Run by `wide_area`, as a process of its own: python benchmarks/wide_area.py PLACES MILLISECONDS
"""

import ctypes
import fcntl
import json
import os
import select
import socket
import struct
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

DEVICE, NETWORK = "wide", "10.77.0"
PACKET = 1500  # bytes, as on the Internet
HEADER = 10  # bytes before each packet that say how the system shall split it: it hands on many at once
_SET_DEVICE, _TUN, _NO_INFORMATION, _HEADER = 0x400454CA, 0x0001, 0x1000, 0x4000
_SET_OFFLOAD, _CHECKSUMS, _SEGMENTS = 0x400454D0, 0x01, 0x02
_NEW_NETWORK = 0x40000000
_INPUT = 0  # of this process


@dataclass(frozen=True)
class Place:
    """A process that keeps a network alive, and the address in it."""

    pid: int
    address: str

    def enter(self) -> None:
        """Take this process there; sockets that it has stay where they are."""
        with open(f"/proc/{self.pid}/ns/net") as network:
            if ctypes.CDLL(None, use_errno=True).setns(network.fileno(), _NEW_NETWORK):
                raise OSError(ctypes.get_errno(), "the network of the place cannot be entered")


@contextmanager
def wide_area(places: int, milliseconds: float) -> Iterator[list[Place]]:
    """Places, each so far from each other, one way."""
    pipe = subprocess.PIPE
    command = [sys.executable, __file__, str(places), str(milliseconds)]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe) as hub:
        assert hub.stdin is not None
        assert hub.stdout is not None
        told = hub.stdout.readline()
        if not told:
            raise SystemExit("a wide area needs Linux, root, unshare, ip and /dev/net/tun: see above.")
        try:
            yield [Place(pid, address) for pid, address in json.loads(told)]
        finally:
            hub.stdin.close()


def hold(place: int, channel: int) -> None:
    """Make the device in the network that this process is in, give it away, and stay."""
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, _SET_DEVICE, struct.pack("16sH22x", DEVICE.encode(), _TUN | _NO_INFORMATION | _HEADER))
    fcntl.ioctl(tun, _SET_OFFLOAD, _CHECKSUMS | _SEGMENTS)
    for words in (
        f"addr add {address(place)}/24 dev {DEVICE}",
        f"link set {DEVICE} mtu {PACKET} txqueuelen 10000 up",
        "link set lo up",
    ):
        subprocess.run(["ip", *words.split()], check=True)
    with socket.socket(fileno=channel) as to_hub:
        socket.send_fds(to_hub, [b"."], [tun])
    sys.stdin.read()


def address(place: int) -> str:
    return f"{NETWORK}.{place + 1}"


def hub(places: int, seconds: float) -> None:
    holders, tuns = [], {}
    try:
        for place in range(places):
            holder, tuns[place + 1] = _held(place)
            holders.append(holder)
        print(json.dumps([(h.pid, address(i)) for i, h in enumerate(holders)]), flush=True)
        forward(tuns, seconds)
    finally:
        for holder in holders:
            holder.communicate()  # its input ends, and so does it


def _held(place: int) -> tuple[subprocess.Popen, int]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        command = ["unshare", "--net", sys.executable, __file__, "hold", str(place), str(theirs.fileno())]
        holder = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[theirs.fileno()])
        theirs.close()
        _, fds, *_ = socket.recv_fds(ours, 1, 1)
    if not fds:
        raise SystemExit("the network of a place cannot be made.")
    return holder, fds[0]


def forward(tuns: dict[int, int], seconds: float) -> None:
    """Hand packets on, so late, until the input of this process ends."""
    late: deque[tuple[float, int, bytes]] = deque()
    while True:
        wait = max(0.0, late[0][0] - time.monotonic()) if late else None
        ready, _, _ = select.select([*tuns.values(), _INPUT], [], [], wait)
        if _INPUT in ready:
            return
        for tun in ready:
            due = time.monotonic() + seconds
            late += ((due, to, packet) for to, packet in _packets(tun, tuns))
        now = time.monotonic()
        while late and late[0][0] <= now:
            _, to, packet = late.popleft()
            os.write(to, packet)


def _packets(tun: int, tuns: dict[int, int]) -> Iterator[tuple[int, bytes]]:
    """What lies ready, with where it goes; packets of IPv6 look for neighbours and are left."""
    for _ in range(64):
        try:
            packet = os.read(tun, 1 << 17)
        except BlockingIOError:
            return
        if packet[HEADER] >> 4 == 4 and packet[HEADER + 19] in tuns:
            yield tuns[packet[HEADER + 19]], packet


if __name__ == "__main__":
    if sys.argv[1] == "hold":
        hold(int(sys.argv[2]), int(sys.argv[3]))
    else:
        hub(int(sys.argv[1]), float(sys.argv[2]) / 1000)
