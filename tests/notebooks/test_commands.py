"""The commands ``python -m notebooks lab`` and ``demo``."""

import re
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from notebooks import lab
from notebooks.__main__ import main
from notebooks.demo import run

ROOT = Path(__file__).parents[2]


def test_help_does_not_import_jax():
    code = "import sys, notebooks.__main__ as m; m._parser().format_help(); assert 'jax' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_a_port_that_is_taken_is_passed_over():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert lab.free_port(port) != port


def test_the_server_is_on_this_machine_alone_and_has_a_token():
    command = lab.command("explore.ipynb", 9000, "secret", browser=False)
    assert {"--ServerApp.ip=127.0.0.1", "--IdentityProvider.token=secret", "--no-browser"} <= set(command)
    assert "--LabApp.default_url=/lab/tree/explore.ipynb" in command


def test_unknown_notebook_lists_what_there_is(capsys):
    assert main(["lab", "--notebook", "none.ipynb"]) == 1
    assert "there are: explore.ipynb" in capsys.readouterr().err


def test_missing_packages_are_named_with_the_line_to_install_them(monkeypatch, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "matplotlib" else object())
    assert main(["demo"]) == 1
    assert (
        "not installed: matplotlib. Run: pip install 'namedtensor-workbench[lab]'" in capsys.readouterr().err
    )


def test_unknown_command_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["dance"])
    assert "invalid choice: 'dance'" in capsys.readouterr().err


@pytest.mark.slow
def test_demo_writes_a_picture_and_a_report(tmp_path, capsys):
    from matplotlib.image import imread

    assert run(tmp_path / "out") == 0
    pixels = imread(tmp_path / "out" / "attributions.png")
    assert pixels.shape[1] > 1500
    assert np.ptp(pixels[..., :3]) > 0.9
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.count("<tr><td>") == 6
    assert "lower bound on the error" in page
    assert not re.findall(r'(?:src|href)="(?!data:)', page), "the page must stand alone"
    assert "held-out accuracy" in capsys.readouterr().out
