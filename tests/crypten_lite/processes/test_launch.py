"""All roles on this machine: what they return, which error is the first, and that nothing of them is left."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import crypten_lite as ct
import namedtensor as nt
from crypten_lite.errors import AgreementError, PartyError, PeerAbortedError, PeerClosedError
from crypten_lite.processes import children, launching
from crypten_lite.processes.children import Family
from crypten_lite.processes.launching import launch
from namedtensor.interpreter import UnsupportedPrimitiveError
from tests.crypten_lite.processes.terminals import ENV, command, written

pytestmark = pytest.mark.skipif(os.name != "posix", reason="its limits are alarms")


@pytest.fixture(autouse=True)
def bounded():
    """What hangs is an error after two minutes."""

    def ring(*_):
        raise TimeoutError("this took two minutes")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(120)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    """Folders of a launch are made here, and gone at the end."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield
    assert [p.name for p in tmp_path.glob("crypten_lite-*")] == []


IMAGE = nt.tensor(np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3), "row col")
MODEL = [{"w": np.float32([[1, -2], [3, 4], [-5, 6]])}, {"w": np.float32([[2], [-1]])}]


def scores(image, model):
    hidden = jnp.maximum(image.to_array("row col") @ model[0]["w"], 0)
    return hidden @ model[1]["w"]


def classify(session):
    raise AssertionError("what starts it is replaced")


@pytest.mark.slow
def test_what_a_launch_returns_is_what_a_simulation_does(capsys):
    factor = 2.0  # of a closure, which no file has

    def program(session):
        image, model = session.input("image", owner="north"), session.input("model", owner="south")
        y = ct.private(scores)(image, model)
        return {
            "image": (factor * image).reveal(to="north"),
            "both": [y.reveal(to="south"), y.sum().reveal()],
        }

    given = {"south": {"model": MODEL}, "north": {"image": IMAGE}}
    done = launch(program, inputs=given, parties=["north", "south"], timeout=30)
    with ct.simulate() as session:
        image, model = session.share(IMAGE), session.share(MODEL, owner=1)
        y = ct.private(scores)(image, model)
        expected = [(2 * image).reveal(), y.reveal(to=1), y.sum().reveal()]
    north, south = done.results["north"], done.results["south"]
    assert north["image"].dims == ("row", "col")
    np.testing.assert_allclose(north["image"].array, 2 * IMAGE.array, atol=1e-4)
    assert (north["both"][0], south["image"]) == (None, None)
    np.testing.assert_allclose(south["both"][0], expected[1], atol=1e-3)
    for results in (north, south):
        assert isinstance(results["both"][1], jax.Array)
        np.testing.assert_allclose(results["both"][1], expected[2], atol=1e-3)
    assert list(done.costs) == list(done.seconds) == ["north", "south", "dealer"]
    cost = session.cost
    for found in done.costs.values():
        assert (found.rounds, found.bytes_per_party) == (cost.rounds, cost.bytes_per_party)
        assert (found.dealer_bytes, found.sharing_bytes) == (cost.dealer_bytes, cost.sharing_bytes)
        assert [part.rounds for part in found.by_layer.values()] == [p.rounds for p in cost.by_layer.values()]
    assert "Array" not in repr(done)
    assert f"{cost.rounds}/{cost.rounds}" in capsys.readouterr().err


@pytest.mark.slow
def test_a_process_that_is_killed_is_the_cause():
    def program(session):
        x = session.input("x", owner="alice")
        y = (x * x).sum().reveal()
        if session.name == "bob" and not isinstance(y, jax.ShapeDtypeStruct):
            print("the last words of bob", file=sys.stderr, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        return (x * x * x).reveal()

    with pytest.raises(PeerClosedError, match="bob: the process ended, by signal 9") as caught:
        launch(program, inputs=[{"x": np.ones(3)}], progress=False, timeout=30)
    assert str(caught.value).endswith("bob printed at last:\nthe last words of bob")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"parties": 1}, ValueError, "parties=1: a secret is shared between 2 or more"),
        ({"parties": ["alice"]}, ValueError, "give two or more names, all different"),
        ({"parties": ["alice", "alice"]}, ValueError, "give two or more names, all different"),
        ({"parties": ["alice", "dealer"]}, ValueError, "none of them 'dealer'"),
        ({"parties": ["alice", "b c"]}, ValueError, "'b c' is no name of a party"),
        ({"inputs": [{}, {}, {}]}, ValueError, "3 inputs, but the parties are alice, bob: give each party's"),
        ({"inputs": {"carol": {}}}, ValueError, "inputs of carol, but the parties are alice, bob"),
        ({"inputs": [{"x": "text"}]}, TypeError, "'x' is of str: only arrays of real numbers"),
        ({"inputs": [[np.ones(2)]]}, TypeError, "this is a list, without names: write a dict"),
        ({"program": 3}, TypeError, "the program is a int: give a function"),
    ],
)
def test_what_cannot_be_launched_starts_nothing(options, error, message, monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", None)
    with pytest.raises(error, match=re.escape(message)):
        launch(**{"program": classify, "progress": False, **options})


def test_a_program_does_not_launch_itself(monkeypatch):
    monkeypatch.setenv("CRYPTEN_LITE_LAUNCHED", "1")
    with pytest.raises(RuntimeError, match="put the call below `if __name__ == '__main__':`"):
        launch(classify)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_interrupt_ends_all_processes(error, monkeypatch):
    families = []

    def interrupted(family, progress):
        families.append(family)
        folder = family.children["alice"].stderr.parent
        assert folder.stat().st_mode & 0o777 == 0o700
        raise error

    monkeypatch.setattr(Family, "follow", interrupted)
    with pytest.raises(error):
        launch(classify, inputs=[{"image": IMAGE}, {"model": MODEL}], progress=False)
    assert list(families[0].children) == ["alice", "bob", "dealer"]
    for child in families[0].children.values():
        assert child.process.returncode is not None
        assert not child.reader.is_alive()


def test_processes_find_what_this_one_finds(monkeypatch):
    monkeypatch.setattr(sys, "path", ["", "/somewhere", *sys.path])
    with jax.enable_x64(True):
        env = launching._environment()
    places = env["PYTHONPATH"].split(os.pathsep)
    assert places[:2] == [os.getcwd(), "/somewhere"]
    assert str(Path(ct.__file__).parents[1]) in places
    assert env["JAX_ENABLE_X64"] == "1"
    assert launching._environment()["JAX_ENABLE_X64"] == "0"


@pytest.mark.slow
def test_a_role_ends_when_the_process_that_started_it_does(tmp_path):
    written(tmp_path, "def program(session): ...\nprint('loaded')", {})
    arguments = [*command("party", "--config", "alice.toml"), "--status"]
    pipe = subprocess.PIPE
    with subprocess.Popen(arguments, cwd=tmp_path, env=ENV, stdin=pipe, stdout=pipe, stderr=pipe) as alice:
        assert alice.stdin is not None
        assert alice.stderr is not None
        while b"loaded" not in (line := alice.stderr.readline()):
            assert line
        alice.stdin.close()
        assert alice.wait(60) == 130
        assert alice.stdout is not None
        assert json.loads(alice.stdout.read())["message"] == "interrupted."


@pytest.mark.slow
def test_an_error_of_the_program_is_told_with_its_type_and_printed_with_its_place(tmp_path):
    written(tmp_path, "def program(session): raise LookupError('no such input')", {})
    code = """
import sys
from crypten_lite.__main__ import main
from crypten_lite.roles import running
running.run_party = lambda setting, program, brought, **_: program(None)
sys.exit(main(["party", "--config", "alice.toml", "--status"]))
"""
    pipe = subprocess.PIPE
    arguments = [sys.executable, "-c", code]
    with subprocess.Popen(arguments, cwd=tmp_path, env=ENV, stdin=pipe, stdout=pipe, stderr=pipe) as alice:
        assert alice.stdout is not None
        assert alice.stderr is not None
        told, printed = alice.stdout.read(), alice.stderr.read().decode()
    assert json.loads(told) == {"error": "LookupError", "message": "no such input"}
    assert alice.returncode == 1
    assert 'program.py", line 1, in program' in printed


def family(tmp_path, **codes):
    """Processes of a few lines of Python each, which tell what they are told to."""
    start = "import json, os, sys, time\ndef tell(**m): print(json.dumps(m), flush=True)\n"
    found = Family()
    for name, code in codes.items():
        found.start(name, [sys.executable, "-c", start + code], tmp_path / f"{name}.stderr", os.environ)
    return found


@pytest.fixture
def follow(tmp_path, monkeypatch):
    monkeypatch.setattr(children, "_GRACE", 1.0)

    def play(progress=lambda done, of: None, **codes):
        found = family(tmp_path, **codes)
        try:
            return found.follow(progress)
        finally:
            found.stop()
            assert all(c.process.returncode is not None for c in found.children.values())

    return play


def test_all_come_to_the_end(follow):
    seen = []
    code = "tell(rounds=1, of=2); print('rubbish'); tell(rounds=2, of=2); tell(done={'cost': 3})"
    done = follow(lambda *rounds: seen.append(rounds), alice=code, bob=code.replace("2)", "9)"))
    assert done == {"alice": {"cost": 3}, "bob": {"cost": 3}}
    assert seen == [(1, 2), (2, 2)]


ABORTED = "tell(error='PeerAbortedError', message='bob stopped.')"
CAUSES = {
    "the first that is no consequence": (
        ABORTED,
        "time.sleep(0.3); tell(error='AgreementError', message='the fraction differs.')",
        AgreementError,
        "bob: the fraction differs.",
    ),
    "a process that ended without a word": (
        ABORTED,
        "os._exit(3)",
        PeerClosedError,
        "bob: the process ended, with status 3.",
    ),
    "one that hangs": (ABORTED, "time.sleep(100)", PeerAbortedError, "alice: bob stopped."),
    "one that does not end when it is asked to": (
        ABORTED,
        "import signal; signal.signal(15, signal.SIG_IGN); time.sleep(100)",
        PeerAbortedError,
        "alice: bob stopped.",
    ),
    "silence before an abort": (
        ABORTED,
        "tell(error='PeerTimeoutError', message='carol was silent.')",
        children.errors.PeerTimeoutError,
        "bob: carol was silent.",
    ),
    "the first of equals": (ABORTED, ABORTED, PeerAbortedError, "alice: bob stopped."),
    "an error of the program": (
        ABORTED,
        "tell(error='ValueError', message='no such input.')",
        ValueError,
        "bob: no such input.",
    ),
    "an error of a library": (
        ABORTED,
        "tell(error='OptaxError', message='no.')",
        PartyError,
        "OptaxError: bob: no.",
    ),
    "one that needs more than a text": (
        ABORTED,
        "tell(error='UnicodeDecodeError', message='no.')",
        PartyError,
        "UnicodeDecodeError: bob: no.",
    ),
    "an operation without a protocol": (
        ABORTED,
        "tell(error='UnsupportedPrimitiveError', message='no rule.')",
        UnsupportedPrimitiveError,
        "bob: no rule.",
    ),
    "what is no error": (ABORTED, "tell(error='print', message='no.')", PartyError, "print: bob: no."),
    "its last words": (
        ABORTED,
        "print('x' * 5000 + 'end', file=sys.stderr); tell(error='TypeError', message='no.')",
        TypeError,
        f"bob: no.\nbob printed at last:\n{'x' * 1997}end",
    ),
}


@pytest.mark.parametrize(("alice", "bob", "error", "message"), CAUSES.values(), ids=CAUSES)
def test_the_first_cause_is_raised(alice, bob, error, message, follow):
    with pytest.raises(error) as caught:
        follow(alice=alice, bob=bob)
    assert type(caught.value) is error
    assert str(caught.value) == message


def test_what_a_stopped_family_leaves(tmp_path):
    found = family(tmp_path, alice="sys.stdin.read()", bob="time.sleep(1000)")
    found.stop()
    assert {c.process.returncode for c in found.children.values()} <= {0, -signal.SIGTERM}
