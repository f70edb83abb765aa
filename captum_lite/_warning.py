"""Warnings that point at the user's line, however deep in the package they are found."""

import inspect
import os
import warnings
from pathlib import Path

_HERE = str(Path(__file__).parent) + os.sep


def warn(message: str, category: type[Warning]) -> None:
    """Warn at the first line, from the inside out, that is not of this package.

    Python 3.12 has ``skip_file_prefixes`` for this; 3.11 counts frames.
    """
    frame, depth = inspect.currentframe(), 0
    while frame is not None and frame.f_code.co_filename.startswith(_HERE):
        frame, depth = frame.f_back, depth + 1
    warnings.warn(message, category, stacklevel=depth + 1)
