"""The command line: what it prints, how it ends, and two parties and a dealer in processes of their own."""

import gc
import re
import signal
import sys
import time

import numpy as np
import pytest

from crypten_lite.__main__ import main
from crypten_lite.errors import PeerClosedError
from crypten_lite.keys.identity import Identity
from crypten_lite.processes.guarding import interrupt
from crypten_lite.roles import inputs
from tests.crypten_lite.processes.terminals import said, started, written

PROGRAM = """
import jax.numpy as jnp
import crypten_lite as ct
try:
    import resource
    print("core dumps:", resource.getrlimit(resource.RLIMIT_CORE))
except ImportError:
    print("core dumps: (0, 0)")

def program(session):
    image, weights = session.input("image", owner="alice"), session.input("weights", owner="bob")
    scores = ct.private(lambda x, w: jnp.maximum(x @ w, 0))(image, weights)
    return {"scores": scores.reveal(to="alice"), "total": scores.sum().reveal()}
"""
IMAGE = np.float32([[1234.5, -2.25]])
WEIGHTS = np.float32([[3.5, 0.125], [1.0, -77.75]])
SCORES = np.maximum(IMAGE @ WEIGHTS, 0)
ALICE = 'inputs = "alice.npz"\nresults = "alice-results.npz"\n'
BOB = 'inputs = "bob.npz"\n'


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    inputs.write("alice.npz", {"image": IMAGE})
    inputs.write("bob.npz", {"weights": WEIGHTS})
    return tmp_path


def test_keys_are_made_and_where_they_go_is_said(tmp_path, capsys):
    assert main(["keys", "--party", "alice", "--out", str(tmp_path / "keys"), "--days", "7"]) == 0
    identity = Identity.read(tmp_path / "keys/alice.key", tmp_path / "keys/alice.crt")
    out = capsys.readouterr().out
    assert out.count(identity.certificate.fingerprint) == 2
    assert "alice.key\n  the private keys: keep the file to yourself." in out
    assert "alice.crt\n  the certificate: give it to every party and to the dealer." in out
    assert f"It expires on {identity.certificate.expires:%Y-%m-%d}." in out
    for line in identity.key_file.read_text().splitlines():
        assert line not in out


def test_keys_are_not_made_twice(tmp_path, capsys):
    assert main(["keys", "--party", "alice", "--out", str(tmp_path)]) == 0
    assert main(["keys", "--party", "alice", "--out", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("crypten_lite: KeyFileError: ")
    assert error.count("\n") == 1


def test_the_fingerprint_of_a_file(tmp_path, capsys):
    main(["keys", "--party", "bob", "--out", str(tmp_path)])
    mark = re.search(r"sha256:\w{64}", capsys.readouterr().out)
    assert mark
    assert main(["fingerprint", str(tmp_path / "bob.crt")]) == 0
    assert capsys.readouterr().out.startswith(f"{mark[0]}  bob, until 20")
    assert main(["fingerprint", str(tmp_path / "bob.key")]) == 1
    assert "CertificateError" in capsys.readouterr().err


def test_shapes_are_what_a_dealers_configuration_has(tmp_path, capsys):
    import tomllib

    inputs.write(tmp_path / "bob.npz", {"a b": {'"x"\\': [IMAGE, 3]}, "rate": True})
    assert main(["shapes", "--inputs", str(tmp_path / "bob.npz")]) == 0
    out = capsys.readouterr().out
    assert tomllib.loads(out) == {"inputs": {"bob": inputs.describe(inputs.read(tmp_path / "bob.npz"))}}
    assert "1234" not in out
    assert main(["shapes", "--inputs", str(tmp_path / "bob.npz"), "--party", "carol"]) == 0
    assert capsys.readouterr().out.startswith("[inputs.carol]\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: command"),
        (["dance"], "invalid choice: 'dance'"),
        (["party"], "the following arguments are required: --config"),
        (["keys"], "the following arguments are required: --party"),
        (["keys", "--party", "alice", "--days", "many"], "invalid int value: 'many'"),
    ],
)
def test_what_cannot_be_asked_for(arguments, message, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


CONFIGS = {
    "no file": (
        "",
        ["party", "--config", "carol.toml"],
        "crypten_lite: ConfigError: carol.toml: cannot be read",
    ),
    "a dealer's": (
        "",
        ["party", "--config", "dealer.toml"],
        "name is 'dealer', a dealer's: run `python -m crypten_lite dealer",
    ),
    "a party's": (
        "",
        ["dealer", "--config", "alice.toml"],
        "name is 'alice', a party's: run `python -m crypten_lite party",
    ),
    "to prepare": ("", ["prepare", "--config", "bob.toml"], "name is 'bob', a party's"),
    "no runs": ("", ["prepare", "--config", "dealer.toml", "--runs", "0"], "--runs 0: prepare one or more."),
    "no inputs": (
        'inputs = "none.npz"\n',
        ["party", "--config", "alice.toml"],
        "none.npz: there is no such file: numpy.savez('none.npz'",
    ),
    "no place for results": (
        'results = "none/r.npz"\n',
        ["party", "--config", "alice.toml"],
        "results is none/r.npz, which cannot be written",
    ),
    "results are a folder": (
        'results = "."\n',
        ["party", "--config", "alice.toml"],
        "results is ., which cannot be written",
    ),
}


@pytest.mark.parametrize(("more", "arguments", "message"), CONFIGS.values(), ids=CONFIGS)
def test_a_configuration_that_cannot_be_ends_with_2(more, arguments, message, folder, capsys):
    written(folder, PROGRAM, {"alice": more})
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_computation_that_stopped_ends_with_1_in_one_line(folder, capsys, monkeypatch):
    def closed(setting, program, brought, **_):
        assert list(brought) == ["image"]
        raise PeerClosedError("bob closed the connection before the end.")

    monkeypatch.setattr("crypten_lite.roles.running.run_party", closed)
    monkeypatch.setattr(sys, "path", [*sys.path])
    written(folder, PROGRAM, {"alice": ALICE})
    assert main(["party", "--config", "alice.toml"]) == 1
    assert capsys.readouterr().err == "alice: PeerClosedError: bob closed the connection before the end.\n"


def test_an_error_of_the_program_is_shown_where_it_is(folder, monkeypatch):
    def failing(setting, program, brought, **_):
        raise TypeError("the author's mistake")

    monkeypatch.setattr("crypten_lite.roles.running.run_party", failing)
    monkeypatch.setattr(sys, "path", [*sys.path])
    written(folder, PROGRAM, {"alice": ALICE})
    with pytest.raises(TypeError, match="the author's mistake"):
        main(["party", "--config", "alice.toml"])


@pytest.mark.skipif(sys.platform == "win32", reason="it has other signals")
def test_an_interrupt_is_not_lost_while_garbage_is_collected():
    def callback(phase, _):
        if phase == "start" and not seen:
            seen.append(phase)
            signal.raise_signal(signal.SIGUSR1)

    seen, before = [], signal.signal(signal.SIGUSR1, interrupt)
    gc.callbacks.append(callback)
    try:
        with pytest.raises(KeyboardInterrupt):  # noqa: PT012  (it comes between them)
            gc.collect()
            time.sleep(60)
    finally:
        gc.callbacks.remove(callback)
        signal.signal(signal.SIGUSR1, before)


@pytest.mark.slow
def test_two_parties_and_a_dealer_in_three_terminals(folder):
    written(folder, PROGRAM, {"alice": ALICE, "bob": BOB})
    with started(folder, "alice", "bob", "dealer") as processes:
        ended = said(processes)
    for name, (status, out, err) in ended.items():
        assert (name, status, err) == (name, 0, "")
        assert "core dumps: (0, 0)" in out
        assert f"{name}: all agree: 2 private functions, " in out
        assert "sharing inputs and weights: 48 bytes" in out
    found = inputs.read("alice-results.npz")
    np.testing.assert_allclose(found["scores"], SCORES, atol=1e-3)
    np.testing.assert_allclose(found["total"], SCORES.sum(), atol=1e-3)
    out = ended["alice"][1]
    assert (
        "alice: the results are in alice-results.npz\nalice:   scores: float32[1,2]\nalice:   total: float32[]"
        in out
    )
    assert "bob: the results are not kept, as the configuration has no `results" in ended["bob"][1]
    assert "bob:   scores: revealed to another party" in ended["bob"][1]
    secrets = [str(x) for x in (*IMAGE.flat, *WEIGHTS.flat, *SCORES.flat) if abs(x) > 70]
    assert len(secrets) == 4
    assert not [s for s in secrets for _, out, err in ended.values() if s in out + err]


@pytest.mark.slow
def test_a_difference_stops_all_roles_in_one_line(folder):
    written(folder, PROGRAM, {"alice": ALICE, "bob": BOB + "fraction = 15\n"})
    with started(folder, "alice", "bob", "dealer") as processes:
        ended = said(processes)
    for name, (status, _, err) in ended.items():
        assert status == 1, name
        assert err.startswith(f"{name}: ")
        assert err.count("\n") == 1
    assert re.search("AgreementError: .*binary places", ended["alice"][2])
    assert not (folder / "alice-results.npz").exists()


@pytest.mark.slow
def test_a_request_to_end_is_an_interrupt(folder):
    written(folder, PROGRAM, {"alice": ALICE})
    with started(folder, "alice") as processes:
        alice = processes["alice"]
        assert alice.stdout is not None
        while "waiting for the others" not in (line := alice.stdout.readline()):
            assert line, alice.communicate()
        alice.terminate()
        _, err = alice.communicate(timeout=60)
    assert (alice.returncode, err) == (130, "alice: interrupted.\n")


@pytest.mark.slow
def test_two_parties_after_the_dealer_has_gone(folder, capsys, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    assert [main(["shapes", "--inputs", f"{name}.npz"]) for name in ("alice", "bob")] == [0, 0]
    below = capsys.readouterr().out
    material = {n: f'---\nmaterial = "material/{n}"\n' for n in ("alice", "bob")}
    more = {"alice": ALICE + material["alice"], "bob": BOB + material["bob"], "dealer": f"---\n{below}"}
    written(folder, PROGRAM, more)
    assert main(["prepare", "--config", "dealer.toml", "--runs", "1"]) == 0
    assert "give material/alice to alice, whose [dealer] says: material = " in capsys.readouterr().out
    with started(folder, "alice", "bob") as processes:
        ended = said(processes)
    assert [(status, err) for status, _, err in ended.values()] == [(0, "")] * 2
    np.testing.assert_allclose(inputs.read("alice-results.npz")["scores"], SCORES, atol=1e-3)
    with started(folder, "alice", "bob") as processes:
        ended = said(processes)
    assert [status for status, _, _ in ended.values()] == [1, 1]
    assert "MaterialError" in ended["alice"][2]
