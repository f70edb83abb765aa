"""Progress of long work: a bar, a function, or nothing."""

from collections.abc import Callable
from typing import Any

from namedtensor._optional import optional

Progress = bool | Callable[[float], Any]


def reporter(show_progress: Progress, name: str) -> Callable[[float], Any]:
    """What is called with the fraction done: the user's function, a bar of tqdm, or nothing."""
    if callable(show_progress):
        return show_progress
    if not show_progress:
        return lambda _: None
    with optional("models"):
        from tqdm.auto import tqdm

    bar = tqdm(total=100, desc=name, unit="%")
    return lambda done: bar.update(round(100 * done) - bar.n)
