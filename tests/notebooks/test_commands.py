"""The command line: what each command takes, and how it fails."""

import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from notebooks import __main__ as command_line
from notebooks.__main__ import main
from notebooks.demo import run
from notebooks.errors import CommandError

ROOT = Path(__file__).parents[2]
COMMANDS = ("lab", "attribute", "demo", "doctor")


def python(code: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )


def test_help_of_each_command_imports_nothing_heavy():
    code = f"""import sys, notebooks.__main__ as m
for words in [[], *([name] for name in {COMMANDS})]:
    try: m.main([*words, "--help"])
    except SystemExit as end: assert end.code == 0
heavy = {{"jax", "numpy", "matplotlib", "jupyterlab", "namedtensor"}} & set(sys.modules)
assert not heavy, heavy"""
    ended = python(code)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.count("usage: namedtensor-workbench") == 1 + len(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_a_module_that_runs_with_what_is_parsed(command):
    arguments = vars(command_line._parser().parse_args([command]))
    module = importlib.import_module(f"notebooks.{arguments.pop('command')}")
    inspect.signature(module.run).bind(**arguments)


def test_unknown_command_is_refused(capsys):
    with pytest.raises(SystemExit) as end:
        main(["dance"])
    assert end.value.code == 2
    assert "invalid choice: 'dance'" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["attribute", "demo"])
def test_a_missing_package_is_one_line_with_the_line_to_install_it(command):
    code = f"import sys; sys.modules['matplotlib'] = None; import notebooks.__main__ as m; sys.exit(m.main([{command!r}]))"
    ended = python(code)
    assert ended.returncode == 1
    assert ended.stderr == (
        "namedtensor-workbench: matplotlib is not installed: pip install 'namedtensor-workbench[lab]'\n"
    )


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (CommandError("no such thing."), 1, "namedtensor-workbench: no such thing.\n"),
        (
            OSError(28, "No space left on device", "fig.png"),
            1,
            "namedtensor-workbench: [Errno 28] No space left",
        ),
        (
            ImportError("optax is not installed: pip install it"),
            1,
            "namedtensor-workbench: optax is not installed",
        ),
        (KeyboardInterrupt(), 130, ""),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_fails_is_one_line_and_a_status(error, status, said, monkeypatch, capsys):
    def fails(**_):
        raise error

    monkeypatch.setattr("notebooks.doctor.run", fails)
    assert main(["doctor"]) == status
    shown = capsys.readouterr()
    assert shown.err.startswith(said)
    assert (shown.err.count("\n"), shown.out) == (bool(said), "")


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
