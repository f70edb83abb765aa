"""A peer with the right certificate and the wrong bytes: a typed error, in time, in bounded memory."""

import contextlib
import json
import socket
import struct
import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crypten_lite.errors import (
    PartyError,
    PeerAbortedError,
    PeerClosedError,
    PeerTimeoutError,
    ProtocolError,
)
from crypten_lite.transport import streams
from crypten_lite.transport.channel import Kind
from crypten_lite.transport.frames import header
from tests.crypten_lite.roles.roles import identities
from tests.crypten_lite.transport.wires import LONG, in_thread, nothing_left, rogue

SHORT = 0.3  # seconds
GOOD = header(Kind.OPENING, 0, 8)


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return identities(tmp_path_factory.mktemp("keys"), ("alice", "bob"))


@pytest.fixture(autouse=True)
def leaves_nothing(keys):
    with nothing_left():
        yield


def eight():
    return [np.zeros(8, np.uint8)]


WRONG = {
    "rubbish": (bytes(range(100)), "no frame of this protocol, where frame 0, OPENING of 8 bytes is due"),
    "zeros": (bytes(100), "no frame of this protocol"),
    "http": (b"GET / HTTP/1.1\r\nHost: alice\r\n\r\n", "no frame of this protocol"),
    "other magic": (b"XTL\x01" + GOOD[4:], "no frame of this protocol"),
    "other version": (b"CTL\x02" + GOOD[4:], "no frame of this protocol"),
    "reserved bytes": (GOOD[:5] + b"\x01" + GOOD[6:], "no frame of this protocol"),
    "unknown kind": (GOOD[:4] + b"\x63" + GOOD[5:], "no frame of this protocol"),
    "other kind": (
        header(Kind.INPUT, 0, 8),
        "frame 0, INPUT of 8 bytes, where frame 0, OPENING of 8 bytes is due",
    ),
    "a later frame": (header(Kind.OPENING, 1, 8), "frame 1, OPENING of 8 bytes"),
    "too short": (header(Kind.OPENING, 0, 7), "frame 0, OPENING of 7 bytes"),
    "huge": (header(Kind.OPENING, 0, 2**64 - 1), "frame 0, OPENING of 18446744073709551615 bytes"),
    "an ABORT that is too long": (header(Kind.ABORT, 0, 501) + b"x" * 501, "frame 0, ABORT of 501 bytes"),
    "an ABORT out of order": (header(Kind.ABORT, 3, 1) + b"x", "frame 3, ABORT of 1 bytes"),
}


@pytest.mark.parametrize(("sent", "says"), WRONG.values(), ids=WRONG)
def test_another_header(keys, sent, says):
    with rogue(keys) as bob:
        bob.writing.sendall(sent)
        with pytest.raises(ProtocolError) as error:
            bob.channel.receive(Kind.OPENING, eight())
        assert f"bob sent {says}" in str(error.value)
        with pytest.raises(ProtocolError, match="bob sent"):
            bob.channel.start(Kind.OPENING, eight())  # broken in both directions


def test_a_replayed_frame(keys):
    frame = GOOD + b"abcdefgh"
    with rogue(keys) as bob:
        bob.writing.sendall(frame + frame)
        array = eight()
        bob.channel.receive(Kind.OPENING, array)
        assert array[0].tobytes() == b"abcdefgh"
        with pytest.raises(ProtocolError, match="frame 0, OPENING of 8 bytes, where frame 1, OPENING of 8"):
            bob.channel.receive(Kind.OPENING, array)


def test_rubbish_below_tls(keys):
    with rogue(keys) as bob:
        socket.socket.sendall(bob.writing, bytes(1000))
        with pytest.raises(ProtocolError, match="TLS with bob failed: wrong version number"):
            bob.channel.receive(Kind.OPENING, eight())


SILENT = {
    "nothing": b"",
    "half a header": GOOD[:11],
    "a header": GOOD,
    "half a frame": GOOD + b"abcd",
    "half a reason": header(Kind.ABORT, 0, 10) + b"abc",
}


@pytest.mark.parametrize("sent", SILENT.values(), ids=SILENT)
def test_silence(keys, sent):
    with rogue(keys, SHORT) as bob:
        bob.writing.sendall(sent)
        with pytest.raises(PeerTimeoutError, match=r"bob did not send in time: \d+ bytes are missing"):
            bob.channel.receive(Kind.OPENING, eight())


@pytest.mark.parametrize("sent", SILENT.values(), ids=SILENT)
@pytest.mark.parametrize("end", ["closed", "reset", "said goodbye"])
def test_an_early_end(keys, sent, end):
    with rogue(keys) as bob:
        bob.writing.sendall(sent)
        leave(bob.writing, end)
        with pytest.raises(PeerClosedError, match="bob"):
            bob.channel.receive(Kind.OPENING, eight())


def leave(connection, how):
    if how == "reset":
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if how == "said goodbye":
        connection.settimeout(0)
        with contextlib.suppress(OSError):
            connection.unwrap()  # sends its half of TLS's goodbye
    connection.close()


def test_drop_by_drop(keys):
    with rogue(keys, SHORT) as bob:
        dripping = in_thread(drip, bob.writing, header(Kind.OPENING, 0, 10_000) + bytes(10_000))
        with pytest.raises(PeerTimeoutError, match="bob did not send in time"):
            bob.channel.receive(Kind.OPENING, [np.empty(10_000, np.uint8)])
        bob.channel.close()
        assert dripping.result(LONG) < 10_000


def drip(connection, data):
    """How many bytes were sent before the other side left; all of them would take minutes."""
    for i in range(len(data)):
        try:
            connection.sendall(data[i : i + 1])
        except OSError:
            return i
        time.sleep(0.02)
    return len(data)


@pytest.mark.parametrize("size", [300_000, 20_000_000])
def test_a_peer_that_never_reads(keys, monkeypatch, size):
    monkeypatch.setattr(streams, "_SLOWEST", 1e12)
    with rogue(keys, SHORT) as bob, pytest.raises(PeerTimeoutError, match="bob did not read in time"):
        write_until_it_fails(bob.channel, size)


def write_until_it_fails(channel, size):
    for _ in range(100_000_000 // size):  # the first ones may fit into buffers
        channel.start(Kind.OPENING, [np.zeros(size, np.uint8)]).wait()


def test_nothing_follows_a_frame_that_was_not_finished(keys, monkeypatch):
    monkeypatch.setattr(streams, "_SLOWEST", 1e12)
    with rogue(keys, SHORT) as bob:
        large = bob.channel.start(Kind.OPENING, [np.zeros(50_000_000, np.uint8)])
        small = bob.channel.start(Kind.OPENING, eight())
        with pytest.raises(PeerTimeoutError, match="bob did not read in time"):
            large.wait()
        with pytest.raises(PeerClosedError, match="an earlier frame to bob was not finished"):
            small.wait()


def test_a_peer_that_reads_drop_by_drop(keys, monkeypatch):
    monkeypatch.setattr(streams, "_SLOWEST", 1e12)
    with rogue(keys, SHORT) as bob:
        sipping = in_thread(sip, bob.reading)
        sending = bob.channel.start(Kind.OPENING, [np.zeros(100_000_000, np.uint8)])
        with pytest.raises(PeerTimeoutError, match="bob did not read in time"):
            sending.wait()
        streams.shut(bob.reading)
        sipping.result(LONG)


def sip(connection):
    with contextlib.suppress(OSError):
        while connection.recv(1000):
            time.sleep(0.002)


def test_a_flood(keys):
    with rogue(keys) as bob:
        flooding = in_thread(flood, bob.writing)
        array = eight()
        tracemalloc.start()
        try:
            bob.channel.receive(Kind.OPENING, array)
            with pytest.raises(ProtocolError, match="no frame of this protocol"):
                bob.channel.receive(Kind.OPENING, array)
            assert tracemalloc.get_traced_memory()[1] < 1_000_000
        finally:
            tracemalloc.stop()
        bob.channel.close()
        assert array[0].tobytes() == b"abcdefgh"
        assert flooding.result(LONG) == "stopped"


WASTE = bytes(1 << 18)


def flood(connection):
    with contextlib.suppress(OSError):
        connection.sendall(GOOD + b"abcdefgh")
        for _ in range(100_000):
            connection.sendall(WASTE)
        return "sent all of it"
    return "stopped"


@pytest.mark.parametrize("kind", [Kind.OPENING, Kind.CONTROL, Kind.ABORT])
def test_a_length_allocates_nothing(keys, kind):
    with rogue(keys) as bob:
        bob.writing.sendall(header(kind, 0, 2**62))
        tracemalloc.start()
        try:
            with pytest.raises(ProtocolError, match="of 4611686018427387904 bytes"):
                bob.channel.hear()
            assert tracemalloc.get_traced_memory()[1] < 1_000_000
        finally:
            tracemalloc.stop()


BODIES = {
    "nothing": b"",
    "rubbish": b"\x80\x04\x95",
    "not UTF-8": b'{"x": "\xff"}',
    "UTF-16": '{"x": 1}'.encode("utf-16"),
    "half": b'{"x": ',
    "two": b"{}{}",
    "a list": b"[1, 2]",
    "a number": b"1",
    "a text": b'"x"',
    "null": b"null",
    "NaN": b'{"x": NaN}',
    "infinity": b'{"x": -Infinity}',
    "too large a number": b'{"x": 1e999}',
    "too long a number": b'{"x": ' + b"9" * 10_000 + b"}",
    "half a letter": b'{"x": "\\ud800"}',
    "half a letter in a key": b'{"\\udfff": 1}',
    "deep lists": b'{"x": ' + b"[" * 500_000 + b"]" * 500_000 + b"}",
    "deep objects": b'{"x":' * 170_000 + b"1" + b"}" * 170_000,
    "open lists": b"[" * 1_000_000,
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_message_that_is_none(keys, body):
    with rogue(keys) as bob:
        sending = in_thread(bob.writing.sendall, header(Kind.CONTROL, 0, len(body)) + body)
        with pytest.raises(ProtocolError, match="bob sent a message that is not"):
            bob.channel.hear()
        sending.result(LONG)


@pytest.mark.parametrize("size", [(1 << 20) + 1, 2 << 20])
def test_a_message_that_is_too_long(keys, size):
    with rogue(keys) as bob:
        sending = in_thread(bob.writing.sendall, header(Kind.CONTROL, 0, size) + b" " * size)
        with pytest.raises(
            ProtocolError, match=f"CONTROL of {size} bytes, where a message of at most 1048576"
        ):
            bob.channel.hear()
        bob.channel.close()
        assert sending.exception(LONG) is None or isinstance(sending.exception(), OSError)


@pytest.mark.parametrize(
    ("text", "heard"),
    [
        (b"\x1b]0;owned\x07\x00\r\nalice: all is well", " ]0;owned    alice: all is well"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        ("\u202ereversed\u2028".encode(), " reversed"),
        (b"", ""),
    ],
    ids=["control characters", "not UTF-8", "directions", "nothing"],
)
def test_a_reason_is_fit_for_a_terminal(keys, text, heard):
    with rogue(keys) as bob:
        bob.writing.sendall(header(Kind.ABORT, 0, len(text)) + text)
        with pytest.raises(PeerAbortedError) as error:
            bob.channel.receive(Kind.OPENING, eight())
        assert str(error.value) == f"bob stopped: {heard}"


MESSAGE = b'{"x": [1, "\xc3\xa4"]}'
PARTS = [
    header(Kind.OPENING, 0, 8) + b"abcdefgh",
    header(Kind.CONTROL, 1, len(MESSAGE)) + MESSAGE,
    header(Kind.INPUT, 2, 20) + bytes(range(20)),
]


@st.composite
def changed(draw):
    """The right bytes with some changed, taken out, put in, repeated or cut."""
    data = bytearray(b"".join(PARTS))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(data)))
        some = draw(st.binary(min_size=1, max_size=30))
        begin, end = {
            "change": (at, at + len(some)),
            "put in": (at, at),
            "take out": (at, at + len(some)),
            "cut": (at, len(data)),
            "repeat": (at, at),
        }[how := draw(st.sampled_from(["change", "put in", "take out", "cut", "repeat"]))]
        new = {"take out": b"", "cut": b"", "repeat": draw(st.sampled_from(PARTS))}
        data[begin:end] = new.get(how, some)
    return bytes(data)


def received(channel):
    """What is received, as the bytes that must have been sent for it."""
    small, numbers = eight(), [np.zeros(2, np.uint64), np.zeros((0, 3)), np.zeros(4, np.int8)]
    channel.receive(Kind.OPENING, small)
    yield header(Kind.OPENING, 0, 8) + small[0].tobytes()
    message = channel.hear()
    yield message
    channel.receive(Kind.INPUT, numbers)
    yield header(Kind.INPUT, 2, 20) + b"".join(n.tobytes() for n in numbers)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=changed() | st.binary(max_size=200))
def test_any_bytes(keys, data):
    with rogue(keys) as bob:
        bob.writing.sendall(data)
        bob.writing.close()
        with contextlib.suppress(PartyError):
            for got in received(bob.channel):
                data = left(data, got)


def left(data, got):
    """What follows the frame that was received, which must be what was sent."""
    if isinstance(got, dict):
        size = int.from_bytes(data[16:24], "big")
        assert data[:24] == header(Kind.CONTROL, 1, size)
        assert json.loads(data[24 : 24 + size].decode()) == got
        return data[24 + size :]
    assert data.startswith(got)
    return data[len(got) :]


def test_the_right_bytes_are_received(keys):
    with rogue(keys) as bob:
        bob.writing.sendall(b"".join(PARTS))
        assert list(received(bob.channel)) == [PARTS[0], {"x": [1, "ä"]}, PARTS[2]]
