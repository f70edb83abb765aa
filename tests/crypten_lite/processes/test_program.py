"""A program is found in its file, and one without a file is brought to other processes."""

import functools
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from crypten_lite.errors import ConfigError
from crypten_lite.processes.program import load
from crypten_lite.processes.shipping import shipped

ROOT = Path(__file__).parents[3]


@pytest.fixture
def put(tmp_path, monkeypatch):
    """A file of Python; what loading it changes in this process is undone."""
    monkeypatch.setattr(sys, "path", [*sys.path])

    def write(text, name="classify.py"):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    yield write
    for name in ("program_classify", "a_neighbour", "another_neighbour"):
        sys.modules.pop(name, None)


def test_a_function_of_a_file(put):
    file = put("def program(session): return session + 1\ndef explain(session, steps=3): return steps")
    assert load(file)(1) == 2
    assert load(file, "explain")(None) == 3


def test_a_program_imports_its_neighbours_also_later(put):
    put("LAYERS = 3", "a_neighbour.py")
    put("WEIGHTS = 4", "another_neighbour.py")
    code = "import a_neighbour\ndef program(s):\n  import another_neighbour as n\n  return a_neighbour.LAYERS + n.WEIGHTS"
    assert load(put(code))(None) == 7


def test_data_classes_find_their_module(put):
    code = "from __future__ import annotations\nimport dataclasses\n@dataclasses.dataclass\nclass A:\n  x: int = 2\n"
    assert load(put(code + "def program(s): return A().x"))(None) == 2


def test_the_main_part_does_not_run(put):
    assert load(put("def program(s): return 1\nif __name__ == '__main__': raise SystemExit"))(None) == 1


WRONG = {
    "no function": (
        "x = 1",
        "there is no function 'program'; there are none: write `def program(session): ...`.",
    ),
    "another name": (
        "def programm(s): ...\ndef f(s): ...",
        "there is no function 'program': did you mean 'programm'?",
    ),
    "other names": (
        "from math import sin\ndef f(s): ...\ndef g(s): ...",
        "there is no function 'program'; there are f, g.",
    ),
    "no callable": ("program = 3", "'program' is a int, not a function: write `def program(session): ...`."),
    "no argument": ("def program(): ...", "program() cannot be called with the session alone"),
    "more arguments": (
        "def program(session, x): ...",
        "program(session, x) cannot be called with the session alone (missing",
    ),
    "syntax": ("x = 1\ndef program(session: ...", "classify.py, line 2: SyntaxError: "),
    "an error": ("import math\n\nmath.sqrt(-1)", "classify.py, line 3: ValueError: "),
    "an import": (
        "import no_such_module_at_all",
        "classify.py, line 1: ModuleNotFoundError: No module named 'no_such",
    ),
}


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG)
def test_a_program_that_cannot_be_loaded(text, message, put):
    with pytest.raises(ConfigError, match=re.escape(message)) as caught:
        load(put(text))
    assert "classify.py" in str(caught.value)


def test_no_file(tmp_path):
    with pytest.raises(
        ConfigError, match=r"none.py: there is no such file; it should hold `def program\(session\)"
    ):
        load(tmp_path / "none.py")


def at_the_top(session):
    return "top", session


def test_a_path_is_made_absolute(tmp_path):
    assert shipped("a.py:explain", tmp_path) == f"{Path.cwd() / 'a.py'}:explain"
    assert shipped(Path("a.py"), tmp_path) == str(Path.cwd() / "a.py")


def test_a_function_of_a_file_is_that(put, tmp_path):
    file = put("def program(session): return 5")
    program = load(file)
    assert shipped(program, tmp_path) == f"{file}:program"


def test_functions_that_need_more_than_their_file(tmp_path):
    """Of a package, a closure, and a partial: all in one process, which takes its time to start."""
    three = 3

    def nested(session):
        return f"{three}{session}"

    folders = [tmp_path / n for n in ("package", "closure", "partial")]
    for folder in folders:
        folder.mkdir()
    programs = (at_the_top, nested, functools.partial(at_the_top))
    references = [shipped(p, f) for p, f in zip(programs, folders, strict=True)]
    code = "from crypten_lite.processes.program import load\n"
    code += f"for f in {references!r}:\n  f, _, g = f.rpartition(':') if not f.endswith('.py') else (f, '', 'program')\n  print(load(f, g)(1))"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert run.stdout.splitlines() == ["('top', 1)", "31", "('top', 1)"]


def test_what_cannot_be_a_program(tmp_path):
    with pytest.raises(TypeError, match=r"the program is a int: give a function, or 'classify.py:program'."):
        shipped(3, tmp_path)
    lock = threading.Lock()
    with pytest.raises(
        TypeError, match=r"refers to what other processes cannot have \(TypeError: cannot pickle"
    ) as caught:
        shipped(lambda session: lock, tmp_path)
    assert "make it inside of the program, or give it as an input." in str(caught.value)
