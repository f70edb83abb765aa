"""A program on its way to other processes of this machine: as a file that they load."""

import importlib.util
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from namedtensor._optional import optional

# Only this user's own processes load it, from a folder of this user's alone: it never goes over a wire.
_PICKLED = """import pickle
from pathlib import Path

program = pickle.loads(Path(__file__).with_suffix(".pickle").read_bytes())
"""


def shipped(program: str | Path | Callable[[Any], Any], folder: Path) -> str:
    """``FILE:FUNCTION`` of a program.

    A function at the top of a file that can be imported is that; any other one (of a notebook, of the script
    that runs, a closure, a partial) is written into the folder, with what it refers to.

    Args:
      program: such a text, or a function of the session.
      folder: for this user alone.

    Raises:
      TypeError: what cannot be a program, or refers to what cannot be written.
      ImportError: the package `cloudpickle` is needed and not installed.
    """
    if isinstance(program, str | Path):
        return _absolute(str(program))
    if not callable(program):
        raise TypeError(
            f"the program is a {type(program).__name__}: give a function, or 'classify.py:program'."
        )
    if _is_in_a_package(program):
        text = f"from {program.__module__} import {program.__name__} as program\n"
    elif file := _file(program):
        return f"{file}:{program.__name__}"
    else:
        text = _PICKLED
        (folder / "program.pickle").write_bytes(_pickled(program))
    (folder / "program.py").write_text(text)
    return str(folder / "program.py")


def _absolute(text: str) -> str:
    file, colon, function = text.rpartition(":")
    if not colon or not function.isidentifier():
        return str(Path(text).absolute())
    return f"{Path(file).absolute()}:{function}"


def _file(program: Any) -> Path | None:
    """The file that has a function at its top, where another process finds it too."""
    module = sys.modules.get(getattr(program, "__module__", None) or "__main__")
    name = getattr(program, "__name__", "")
    if module is None or module.__name__ == "__main__" or getattr(module, name, None) is not program:
        return None
    file = inspect.getsourcefile(module)
    return Path(file).absolute() if file and Path(file).is_file() and inspect.isfunction(program) else None


def _is_in_a_package(program: Any) -> bool:
    """Whether its file may import relatively, so that it must be imported by its name."""
    module = getattr(program, "__module__", None) or ""
    if _file(program) is None or "." not in module:
        return False
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return False
    return spec is not None and spec.origin == inspect.getsourcefile(sys.modules[module])


def _pickled(program: Any) -> bytes:
    with optional("private"):
        import cloudpickle
    try:
        return cloudpickle.dumps(program)
    except Exception as error:  # whatever its parts raise when they are pickled
        raise TypeError(
            f"the program refers to what other processes cannot have ({type(error).__name__}: {error}): make "
            "it inside of the program, or give it as an input."
        ) from error
