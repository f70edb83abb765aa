"""What crosses the sockets is what is proven: the messages of a simulation, byte for byte, and nothing else.

The proofs and their exhaustive tests are about simulations. Here the parties and the dealer of real connections draw from
known keys; each message must be the one that the simulation with these keys has. So what holds for it holds for the sockets.
"""

import socket
import threading
from collections import Counter, defaultdict
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

import crypten_lite as ct
from crypten_lite.prg import Generator
from crypten_lite.roles import agreement, running
from crypten_lite.transport.channel import Kind
from tests.crypten_lite.chances import Seeded
from tests.crypten_lite.roles.roles import identities, play, settings
from tests.crypten_lite.test_transcripts import arguments, gradient, network

THREE = ("alice", "bob", "carol")
PROGRAM = {Kind.INPUT, Kind.OPENING, Kind.RESULT, Kind.MATERIAL}


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return identities(tmp_path_factory.mktemp("keys"), (*THREE, "dealer"))


@pytest.fixture
def wire(monkeypatch):
    """The payloads of all frames, by sender and receiver."""
    sent = defaultdict(list)
    connect = running.connect

    def listening(me, *args, **options):
        mesh = connect(me, *args, **options)
        for channel in mesh.channels.values():
            channel.start = noting(me, channel, channel.start)
        return mesh

    def noting(me, channel, start):
        def noted(kind, arrays):
            if kind in PROGRAM:
                sent[me, channel.peer].append((kind, b"".join(np.asarray(a).tobytes() for a in arrays)))
            return start(kind, arrays)

        return noted

    monkeypatch.setattr(running, "connect", listening)
    return sent


@pytest.fixture
def known_keys(monkeypatch):
    """The parties draw from the keys of `Seeded`; the halves of the seeds do not count."""

    def known(seed, session, party):
        return Generator(bytes([0, THREE.index(party)] * 8))

    monkeypatch.setattr(agreement, "generator", known)


def program_of(function, to=None):
    def program(session):
        params, x = session.input("params", owner="bob"), session.input("x", owner="alice")
        return ct.private(function)(params, x).reveal(to=to)

    return program


def played(keys, names, function, kind, to=None):
    params, x = arguments(kind)
    outcomes = play(
        settings(keys, names), program_of(function, to), {"alice": {"x": x}, "bob": {"params": params}}
    )
    for outcome in outcomes.values():
        if isinstance(outcome, Exception):
            raise outcome
    return outcomes


def messages(session, names, to):
    """What the simulation says that each role sends to each other, in order."""
    found = defaultdict(list)
    for e in session.entries:
        if e.kind == "dealt":
            found["dealer", names[-1]].append(e.words.tobytes())
        elif e.kind != "drawn":
            for name in names:
                wanted = e.to is None or name == names[e.to]
                if name != names[e.party] and wanted:
                    found[names[e.party], name].append(e.words.tobytes())
    return {pair: b"".join(parts) for pair, parts in found.items()}


@pytest.mark.parametrize("to", [None, "alice"])
@pytest.mark.parametrize("names", [THREE[:2], THREE], ids=len)
@pytest.mark.parametrize("function", [network, gradient])
def test_each_message_is_that_of_the_simulation(function, names, to, keys, wire, known_keys):
    outcomes = played(keys, names, function, "others", to)
    session = Seeded(len(names))
    session.names = names
    params, x = arguments("others")
    session.inputs = [{"x": x}, {"params": params}, {}][: len(names)]
    simulated = program_of(function, to)(session)
    np.testing.assert_array_equal(outcomes["alice"].results, simulated)
    on_the_wire = {}
    for pair, frames in wire.items():
        seeds = 1 if "dealer" in pair else 0  # halves of the seeds come first
        body = b"".join(payload for _, payload in frames[seeds:])
        if body:
            on_the_wire[pair] = body
    expected = messages(session, names, to)
    assert on_the_wire.keys() == expected.keys()
    for pair, body in expected.items():
        assert on_the_wire[pair] == body, pair


def test_a_message_of_another_key_is_another(keys, wire, known_keys, monkeypatch):
    played(keys, THREE[:2], network, "others")
    first = dict(wire)
    wire.clear()
    monkeypatch.setattr(agreement, "generator", lambda *_: Generator(bytes(range(16))))
    played(keys, THREE[:2], network, "others")
    assert all(wire[pair][2:] != frames[2:] for pair, frames in first.items() if len(frames) > 2)


def test_bytes_on_the_wire_do_not_depend_on_the_inputs(keys, wire):
    """The same fixed secret many times: each party's incoming bytes are uniform, and no two runs share a message."""
    seen = {"zeros": Counter(), "others": Counter()}
    lengths = {}
    for kind in seen:
        for _ in range(3):
            wire.clear()
            played(keys, THREE[:2], network, kind, "alice")
            shape = {pair: [(k, len(p)) for k, p in frames] for pair, frames in wire.items()}
            assert lengths.setdefault("shape", shape) == shape
            for (sender, _), frames in wire.items():
                for k, payload in frames:
                    if sender != "dealer" and k in (Kind.INPUT, Kind.OPENING):
                        seen[kind].update(payload[: len(payload) // 8 * 8])
    counts = [np.array([c[i] for i in range(256)]) for c in seen.values()]
    for count in counts:
        assert stats.chisquare(count).pvalue > 1e-7
    assert stats.chi2_contingency(np.stack(counts)).pvalue > 1e-7


def test_a_dropped_mask_would_be_seen(keys, wire, monkeypatch):
    """The test above can fail: parties that draw zeros send their secrets."""

    class Zeros(Generator):
        def draw(self, shape, dtype=np.uint64):
            return super().draw(shape, dtype) * np.zeros((), dtype)

    monkeypatch.setattr(agreement, "generator", lambda *_: Zeros(bytes(16)))
    played(keys, THREE[:2], network, "zeros", "alice")
    count = np.zeros(256, np.int64)
    for (sender, _), frames in wire.items():
        for kind, payload in frames:
            if sender != "dealer" and kind in (Kind.INPUT, Kind.OPENING):
                count += np.bincount(np.frombuffer(payload, np.uint8), minlength=256)
    assert stats.chisquare(count).pvalue < 1e-7


class Relay:
    """Passes bytes between two ports, and counts them: the wire as somebody in between sees it."""

    def __init__(self, to):
        self.to, self.up, self.down = to, Counter(), Counter()
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.sockets = []
        self.threads = [threading.Thread(target=self._serve)]
        self.threads[0].start()

    def _serve(self):
        with self.server:
            for number in range(4):  # two connections of bob's, two of the dealer's
                caller, _ = self.server.accept()
                callee = self._reach()
                self.sockets += caller, callee
                for source, sink, total in ((caller, callee, self.up), (callee, caller, self.down)):
                    thread = threading.Thread(target=self._pass, args=(source, sink, total, number))
                    thread.start()
                    self.threads.append(thread)

    def _reach(self):
        while True:
            try:
                return socket.create_connection(("127.0.0.1", self.to))
            except ConnectionRefusedError:
                continue

    def _pass(self, source, sink, total, number):
        try:
            while data := source.recv(1 << 16):
                total[number] += len(data)
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def join(self):
        for thread in self.threads:
            thread.join(20)
            assert not thread.is_alive()
        for each in self.sockets:
            each.close()


@pytest.mark.parametrize("function", [network, gradient])
def test_who_reads_the_wire_sees_the_same_lengths_for_all_inputs(function, keys):
    totals = []
    for kind in ("zeros", "others"):
        given = settings(keys)
        relay = Relay(given["alice"].listen[1])
        # the others reach alice by the relay
        given = {
            name: replace(
                s, parties=(replace(s.parties[0], address=("127.0.0.1", relay.port)), *s.parties[1:])
            )
            for name, s in given.items()
        }
        params, x = arguments(kind)
        outcomes = play(given, program_of(function), {"alice": {"x": x}, "bob": {"params": params}})
        assert not [o for o in outcomes.values() if isinstance(o, Exception)]
        relay.join()
        totals.append((sorted(relay.up.values()), sorted(relay.down.values())))
        program = outcomes["bob"].sent["alice"] + outcomes["alice"].sent["bob"]
        assert (
            program < sum(map(sum, totals[-1])) < program + 100_000
        )  # the rest is agreement, headers and TLS
    assert totals[0] == totals[1]
