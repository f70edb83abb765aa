"""Two honest ends of a channel: everything arrives, in order, and nothing waits that need not."""

import socket
import threading
from concurrent import futures

import numpy as np
import pytest

from crypten_lite.errors import PeerAbortedError, PeerClosedError, ProtocolError
from crypten_lite.transport import frames, streams
from crypten_lite.transport.channel import Channel, Kind
from tests.crypten_lite.roles.roles import identities
from tests.crypten_lite.transport.wires import LONG, channels, in_thread, nothing_left, tls_pair

SIZES = (0, 1, 8, 4096, 100_000, (256 << 10) - 1, 256 << 10, (256 << 10) + 1, 3_000_000)


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return identities(tmp_path_factory.mktemp("keys"), ("alice", "bob"))


@pytest.fixture(autouse=True)
def leaves_nothing(keys):
    with nothing_left():
        yield


def words(size, seed=0):
    return np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8)


@pytest.mark.parametrize("size", SIZES)
def test_a_frame_arrives_as_it_was(keys, size):
    sent, received = words(size), np.full(size, 7, np.uint8)
    with channels(keys) as (alice, bob):
        sending = alice.start(Kind.OPENING, [sent])
        bob.receive(Kind.OPENING, [received])
        sending.wait()
    np.testing.assert_array_equal(received, sent)


@pytest.mark.parametrize(
    "arrays",
    [
        [],
        [np.empty((0, 3), np.uint64)],
        [np.uint64([1, 2**64 - 1]), np.empty(0, np.uint8), np.float32([[0.5], [-1]])],
        [np.array(-7), np.array([True, False]), np.int8([[[-128]]])],
        [np.arange(10**6, dtype=np.int64).reshape(10, 100, 1000), np.uint8([1])],
        [np.arange(12).reshape(3, 4).T, np.arange(10)[::-2]],  # not contiguous: sent as they read
    ],
    ids=["none", "empty", "several", "scalars", "large", "strided"],
)
def test_arrays_of_all_kinds(keys, arrays):
    received = [np.zeros(a.shape, a.dtype) for a in arrays]
    with channels(keys) as (alice, bob):
        sending = alice.start(Kind.INPUT, arrays)
        bob.receive(Kind.INPUT, received)
        sending.wait()
        assert alice.written == bob.read == sum(a.nbytes for a in arrays)
    for a, b in zip(arrays, received, strict=True):
        np.testing.assert_array_equal(a, b)


def test_frames_keep_their_order_whatever_their_size(keys):
    order = (300_000, 8, 2_000_000, 0, 8, 500_000, 64)
    with channels(keys) as (alice, bob):
        sending = [alice.start(Kind.MATERIAL, [words(s, i)]) for i, s in enumerate(order)]
        for i, size in enumerate(order):
            received = np.empty(size, np.uint8)
            bob.receive(Kind.MATERIAL, [received])
            np.testing.assert_array_equal(received, words(size, i))
        for frame in sending:
            frame.wait()
        assert alice.frames_written == bob.frames_read == len(order)
        assert alice.written == bob.read == sum(order)
        assert alice.frames_read == bob.frames_written == alice.read == bob.written == 0


@pytest.mark.parametrize("size", [64, 200_000, 6_000_000])
def test_both_ways_at_once(keys, size):
    def run(channel, seed):
        received = np.empty(size, np.uint8)
        for _ in range(3):
            sending = channel.start(Kind.OPENING, [words(size, seed)])
            channel.receive(Kind.OPENING, [received])
            sending.wait()
        return received

    with channels(keys) as (alice, bob):
        other = in_thread(run, bob, 2)
        np.testing.assert_array_equal(run(alice, 1), words(size, 2))
        np.testing.assert_array_equal(other.result(LONG), words(size, 1))


def test_starting_never_waits_for_the_peer(keys):
    with channels(keys) as (alice, bob):  # more than any system buffers, and bob has not read a byte
        sending = [alice.start(Kind.OPENING, [words(200_000, i)]) for i in range(200)]
        received = np.empty(200_000, np.uint8)
        for i in range(200):
            bob.receive(Kind.OPENING, [received])
            np.testing.assert_array_equal(received, words(200_000, i))
        for frame in sending:
            frame.wait()


def test_messages(keys):
    message = {
        "parties": ["alice", "bob"],
        "digest": "ä" * 1000,
        "n": 2,
        "none": None,
        "deep": {"x": [1.5, True]},
    }
    with channels(keys) as (alice, bob):
        for said in (message, {}):
            alice.tell(said)
            assert bob.hear() == said
        bob.tell({"x": "y" * 1_000_000})
        assert len(alice.hear()["x"]) == 1_000_000
        assert bob.written == alice.read == 1_000_009


def test_a_message_that_cannot_be_sent_changes_nothing(keys):
    with channels(keys) as (alice, bob):
        with pytest.raises(ValueError, match="a message of 1048585 bytes; at most 1048576 are sent"):
            alice.tell({"x": "y" * (1 << 20)})
        with pytest.raises(ValueError, match="not JSON compliant"):
            alice.tell({"x": float("nan")})
        with pytest.raises(TypeError, match="not JSON serializable"):
            alice.tell({"x": object()})
        alice.tell({"x": 1})
        assert bob.hear() == {"x": 1}


def test_an_array_that_cannot_be_used_changes_nothing(keys):
    fixed = np.zeros(2)
    fixed.flags.writeable = False
    with channels(keys) as (alice, bob):
        for array in (fixed, np.zeros((2, 4))[:, 1]):
            with pytest.raises(ValueError, match="must be contiguous and writable"):
                bob.receive(Kind.INPUT, [array])
        for call in (alice.start, alice.receive):
            with pytest.raises(TypeError, match="an array of objects is not sent"):
                call(Kind.INPUT, [np.array([object()])])
        alice.start(Kind.INPUT, [np.ones(2)]).wait()
        received = np.zeros(2)
        bob.receive(Kind.INPUT, [received])
        assert received.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("reason", "heard"),
    [
        ("the disk is full", "the disk is full"),
        ("\x1b[31mred\x00\r\nnext\u202e", " [31mred   next"),
        ("é" * 1000, "é" * 250),
        ("x" * 499 + "é", "x" * 499),
        ("", ""),
    ],
    ids=["plain", "control", "long", "cut in a letter", "none"],
)
def test_who_stops_says_why(keys, reason, heard):
    with channels(keys) as (alice, bob):
        alice.abort(reason)
        with pytest.raises(PeerAbortedError) as error:
            bob.receive(Kind.OPENING, [np.empty(8)])
        assert str(error.value) == f"alice stopped: {heard}"
        with pytest.raises(PeerAbortedError):
            bob.hear()  # the channel stays what it is


def test_who_writes_learns_why_the_peer_stopped(keys):
    with channels(keys) as (alice, bob):
        bob.abort("ConfigError: no")
        with pytest.raises(PeerAbortedError, match="bob stopped: ConfigError: no"):
            write_until_it_fails(alice)


def write_until_it_fails(channel):
    for _ in range(1000):  # the first ones may still fit into buffers
        channel.start(Kind.OPENING, [words(300_000)]).wait()


def test_stopping_in_the_middle_of_a_frame_says_nothing_wrong(keys):
    with channels(keys) as (alice, bob):
        alice.start(Kind.MATERIAL, [words(50_000_000)])
        alice.abort("too late")
        with pytest.raises(PeerClosedError, match="alice"):
            bob.receive(Kind.MATERIAL, [np.empty(50_000_000, np.uint8)])


def test_stopping_twice_or_after_the_peer(keys):
    with channels(keys) as (alice, bob):
        bob.close()
        alice.abort("first")
        alice.abort("second")
        alice.close()
        bob.abort("third")


def test_what_was_waited_for_arrives_though_the_sender_closes(keys):
    with channels(keys) as (alice, bob):
        alice.start(Kind.RESULT, [words(200_000)]).wait()
        bob.start(Kind.RESULT, [words(50)]).wait()  # which alice never reads
        alice.close()
        received = np.empty(200_000, np.uint8)
        bob.receive(Kind.RESULT, [received])
        np.testing.assert_array_equal(received, words(200_000))
        with pytest.raises(PeerClosedError, match="alice closed the connection"):
            bob.hear()


def test_a_closed_channel_is_of_no_use(keys):
    with channels(keys) as (alice, _):
        alice.close()
        alice.close()
        for call in (
            lambda: alice.start(Kind.INPUT, [words(3)]),
            lambda: alice.receive(Kind.INPUT, [words(3)]),
            lambda: alice.tell({}),
            alice.hear,
        ):
            with pytest.raises(PeerClosedError, match="the connection to bob was closed on this side"):
                call()


def test_closing_ends_a_large_frame(keys):
    with channels(keys) as (alice, _):
        sending = alice.start(Kind.MATERIAL, [words(50_000_000)])
        assert [t for t in threading.enumerate() if t.name.startswith("to bob")]
        alice.close()
        assert not [t for t in threading.enumerate() if t.name.startswith("to bob")]
        with pytest.raises(PeerClosedError):
            sending.wait()


def test_an_error_that_nobody_waited_for_is_raised_next(keys):
    with channels(keys) as (alice, bob):
        sending = alice.start(Kind.MATERIAL, [words(50_000_000)])
        bob.close()
        futures.wait([sending._future], LONG)
        with pytest.raises(PeerClosedError, match="bob"):
            alice.start(Kind.MATERIAL, [words(8)])


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, MemoryError])
def test_an_interrupted_channel_is_broken_and_can_be_closed(keys, monkeypatch, interrupt):
    def raises(*_):
        raise interrupt

    with channels(keys) as (alice, bob):
        monkeypatch.setattr(frames, "read_header", raises)
        with pytest.raises(interrupt):
            alice.receive(Kind.INPUT, [words(3)])
        monkeypatch.undo()
        with pytest.raises(PeerClosedError, match="the exchange with bob was interrupted"):
            alice.receive(Kind.INPUT, [words(3)])
        alice.abort("KeyboardInterrupt")
        with pytest.raises(PeerAbortedError, match="alice stopped: KeyboardInterrupt"):
            bob.hear()


@pytest.mark.parametrize(
    ("sent", "due", "says"),
    [
        ((Kind.INPUT, 8), (Kind.OPENING, 8), "frame 0, INPUT of 8 bytes, where frame 0, OPENING of 8 bytes"),
        ((Kind.OPENING, 16), (Kind.OPENING, 8), "frame 0, OPENING of 16 bytes, where frame 0, OPENING of 8"),
        ((Kind.OPENING, 0), (Kind.OPENING, 8), "frame 0, OPENING of 0 bytes, where"),
    ],
)
def test_two_programs_that_differ(keys, sent, due, says):
    with channels(keys) as (alice, bob):
        alice.start(sent[0], [words(sent[1])]).wait()
        with pytest.raises(ProtocolError, match=f"alice sent {says}"):
            bob.receive(due[0], [words(due[1])])


def test_a_message_where_a_frame_is_due_and_the_other_way(keys):
    with channels(keys) as (alice, bob):
        alice.tell({})
        with pytest.raises(
            ProtocolError, match="alice sent frame 0, CONTROL of 2 bytes, where frame 0, INPUT"
        ):
            bob.receive(Kind.INPUT, [words(2)])
    with channels(keys) as (alice, bob):
        bob.start(Kind.INPUT, [words(2)]).wait()
        with pytest.raises(ProtocolError, match="bob sent frame 0, INPUT of 2 bytes, where a message"):
            alice.hear()


def test_nothing_is_sent_in_plain_after_the_end(keys):
    one, other = tls_pair(keys, "alice", "bob")
    with one, other:
        streams.shut(one)
        assert one.version() == "TLSv1.3"  # SSLSocket.shutdown would have dropped it
        with pytest.raises(OSError, match=r".*"):
            one.send(b"a share")
        assert socket.socket.recv(other, 100) == b""


def test_the_repr_holds_no_data(keys):
    with channels(keys) as (alice, bob):
        alice.start(Kind.INPUT, [words(3)]).wait()
        bob.receive(Kind.INPUT, [words(3)])
        assert repr(alice) == "Channel('bob', 1 frames out, 0 in)"
        assert isinstance(bob, Channel)
