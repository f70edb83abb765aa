"""The command ``lab``: a copy of the gallery in JupyterLab, on this machine alone, behind a token."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from notebooks import gallery, lab, requirements
from notebooks.__main__ import main
from notebooks.errors import CommandError

ROOT = Path(__file__).parents[2]
THERE = ["00_index.ipynb", "01_tensors.ipynb", "02_explore.ipynb", "02_explore_v2.ipynb", "mine.ipynb"]


def test_a_port_that_is_taken_is_passed_over():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert lab.free_port(port) != port


def test_no_port_is_one_message():
    with pytest.raises(CommandError, match="no port from 70000 to 70049 is free: choose another with --port"):
        lab.free_port(70000)


def test_the_server_is_on_this_machine_alone_and_has_a_token():
    told = lab.arguments(Path("/mine"), "00 index.ipynb", 9000, "secret", browser=False)
    assert {"--ServerApp.ip=127.0.0.1", "--IdentityProvider.token=secret", "--no-browser"} <= set(told)
    assert {"--LabApp.default_url=/lab/tree/00%20index.ipynb", "--ServerApp.root_dir=/mine"} <= set(told)
    assert "--no-browser" not in lab.arguments(Path("/mine"), "a.ipynb", 9000, "secret", browser=True)


@pytest.mark.parametrize(
    ("name", "chosen"),
    [
        ("00_index", "00_index.ipynb"),
        ("mine.ipynb", "mine.ipynb"),
        ("01", "01_tensors.ipynb"),
        ("02", "02_explore.ipynb"),
        ("02_explore.ipynb", "02_explore.ipynb"),
        ("02_explore_v", "02_explore_v2.ipynb"),
    ],
)
def test_a_notebook_is_chosen_by_its_name_or_the_beginning_of_it(name, chosen):
    assert lab.choose(name, THERE) == chosen


@pytest.mark.parametrize(("name", "hint"), [("none", ""), ("indx", " Did you mean 00_index?")])
def test_no_such_notebook_lists_what_there_is(name, hint):
    with pytest.raises(CommandError) as error:
        lab.choose(name, THERE)
    stems = "00_index, 01_tensors, 02_explore, 02_explore_v2, mine"
    assert str(error.value) == f"there is no notebook {name!r}; there are: {stems}.{hint}"


def test_a_beginning_of_several_names_lists_them():
    with pytest.raises(
        CommandError, match=r"^several notebooks begin with '0': 00_index, 01_tensors, 02_expl"
    ):
        lab.choose("0", THERE)


def test_the_copy_is_below_the_current_directory_or_is_it(tmp_path):
    assert lab.default_directory(tmp_path) == tmp_path / "namedtensor-notebooks"
    (tmp_path / gallery.MANIFEST).touch()
    assert lab.default_directory(tmp_path) == tmp_path


@pytest.fixture
def served(monkeypatch, tmp_path):
    """What JupyterLab would be told, in a directory of its own."""
    told = []
    monkeypatch.setattr(lab, "serve", told.append)
    monkeypatch.setattr(requirements, "missing", lambda _: [])
    monkeypatch.chdir(tmp_path)
    return told


def test_it_copies_says_so_and_opens(served, tmp_path, capsys):
    name = gallery.names()[0]
    write = (tmp_path / "namedtensor-notebooks").joinpath
    assert main(["lab", "--no-browser", "--notebook", name]) == 0
    assert sorted(write().glob("*.ipynb")) == [write(n) for n in gallery.names()]
    said = capsys.readouterr().out
    assert f"Notebooks:   {tmp_path / 'namedtensor-notebooks'}  ({len(gallery.names())} copied)" in said
    assert re.search(rf"http://127\.0\.0\.1:\d+/lab/tree/{re.escape(name)}\?token=[0-9a-f]{{32}}\n", said)
    assert f"--ServerApp.root_dir={tmp_path / 'namedtensor-notebooks'}" in served[0]


def test_an_unknown_notebook_copies_nothing(served, tmp_path, capsys):
    assert main(["lab", "--notebook", "none", "--directory", "here"]) == 1
    assert (
        f"there is no notebook 'none'; there are: {Path(gallery.names()[0]).stem}" in capsys.readouterr().err
    )
    assert not served
    assert not list(tmp_path.iterdir())


def test_missing_packages_are_named_with_the_line_to_install_them(monkeypatch, capsys):
    lines = ["no-such-package>=1; extra == 'lab'", "pytest>=1; extra == 'lab'", "nor-this>=1; extra == 'dev'"]
    monkeypatch.setattr(requirements.metadata, "requires", lambda _: lines)
    assert main(["lab"]) == 1
    line = "not installed: no-such-package. Run: pip install 'namedtensor-workbench[lab]'"
    assert capsys.readouterr().err == f"namedtensor-workbench: {line}\n"


@pytest.fixture
def server(tmp_path):
    """The real command, beside a user's settings that would let everyone in."""
    homes = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    env = os.environ | {name: str(tmp_path / name.lower()) for name in homes}
    (tmp_path / "jupyter_config_dir").mkdir()
    settings = "c.IdentityProvider.token = ''\nc.ServerApp.ip = '0.0.0.0'\n"
    (tmp_path / "jupyter_config_dir/jupyter_server_config.py").write_text(settings)
    command = [
        sys.executable,
        "-m",
        "notebooks",
        "lab",
        "--no-browser",
        "--directory",
        str(tmp_path / "mine"),
    ]
    command += ["--notebook", gallery.names()[0]]
    with subprocess.Popen(
        command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    ) as process:
        patience = threading.Timer(120, process.kill)
        patience.start()
        try:
            yield process
        finally:
            patience.cancel()
            process.kill()


def asked(url, token=None):
    headers = {"Authorization": f"token {token}"} if token else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, b""


def until_it_listens(host, port):
    for _ in range(1000):
        with socket.socket() as probe:
            if not probe.connect_ex((host, port)):
                return
        time.sleep(0.1)
    raise AssertionError("the server does not listen")


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="stops the server by SIGINT")
def test_a_real_server_answers_those_who_have_the_token_and_stops(server):
    line = next(text for text in iter(server.stdout.readline, b"") if b"JupyterLab:" in text).decode()
    address, port, token = re.search(r"(http://127\.0\.0\.1:(\d+))/.*token=(\w+)", line).groups()
    until_it_listens("127.0.0.1", int(port))
    status, answer = asked(f"{address}/api/contents", token)
    assert status == 200
    assert {entry["name"] for entry in json.loads(answer)["content"]} == set(gallery.names())
    assert asked(f"{address}/api/contents")[0] == 403
    assert asked(f"{address}/lab/tree/{gallery.names()[0]}?token={token}")[0] == 200
    server.send_signal(signal.SIGINT)
    assert server.wait(timeout=60) == 0
