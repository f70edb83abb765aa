"""The program: a function of a session, in a Python file that every party and the dealer have."""

import difflib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from crypten_lite.errors import ConfigError

_EXAMPLE = "def program(session): ..."


def load(file: str | Path, function: str = "program") -> Callable[[Any], Any]:
    """The function of a file, which is run as it would be by ``python FILE``, apart from its main part.

    The folder of the file is searched for what it imports, in this process, from here on.

    Args:
      file: of Python.
      function: its name; it takes the session.

    Raises:
      ConfigError: no such file or function, a function that does not take one argument, or an error while
        the file runs, with its line. That error is the cause.
    """
    path = Path(file).absolute()
    if not path.is_file():
        raise ConfigError(f"{path}: there is no such file; it should hold `{_EXAMPLE}`.")
    found = getattr(_module(path), function, None)
    if found is None:
        raise ConfigError(f"{path}: there is no function {function!r}{_near(path, function)}")
    if not callable(found):
        raise ConfigError(
            f"{path}: {function!r} is a {type(found).__name__}, not a function: write `{_EXAMPLE}`."
        )
    _require_one_argument(path, function, found)
    return found


def _module(path: Path) -> ModuleType:
    name = f"program_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{path}: is no Python file: its name must end in .py.")
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))  # a program imports its neighbours, as a script does
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # data classes and pickles look their module up
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise ConfigError(f"{path}{_line(path, error)}: {type(error).__name__}: {error}") from error
    return module


def _line(path: Path, error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return f", line {error.lineno}"
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    return f", line {lines[-1]}" if lines else ""


def _near(path: Path, function: str) -> str:
    module = sys.modules[f"program_{path.stem}"]
    own = [n for n, f in vars(module).items() if inspect.isfunction(f) and f.__module__ == module.__name__]
    near = difflib.get_close_matches(function, own, 1)
    if near:
        return f": did you mean {near[0]!r}?"
    return f"; there are {', '.join(own)}." if own else f"; there are none: write `{_EXAMPLE}`."


def _require_one_argument(path: Path, function: str, found: Callable[..., Any]) -> None:
    try:
        signature = inspect.signature(found)
    except (TypeError, ValueError):  # some callables have none
        return
    try:
        signature.bind(object())
    except TypeError as error:
        raise ConfigError(
            f"{path}: {function}{signature} cannot be called with the session alone ({error}): write "
            f"`{_EXAMPLE}`."
        ) from None
