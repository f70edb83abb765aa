"""Imports of packages that only some features need: a missing one says how to install it."""

from types import TracebackType


class optional:
    """Turn a missing module into an error with the line that installs it.

    Args:
      extra: the extra of this distribution that brings the module.

    Raises:
      ImportError: the module imported inside is not installed.
    """

    def __init__(self, extra: str):
        self.extra = extra

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, ModuleNotFoundError):
            line = f"pip install 'namedtensor-workbench[{self.extra}]'"
            package = (error.name or "a package").partition(".")[0]
            raise ImportError(f"{package} is not installed: {line}", name=error.name) from error
