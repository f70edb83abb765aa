"""Which sessions the ``with`` blocks around a call have entered, for calls that name none.

The one thing that is not passed as a value, because CrypTen's `cryptensor` has no argument for it. It belongs
to the thread or task that entered, and nothing that computes looks at it.
"""

from contextvars import ContextVar
from typing import Any

_ENTERED: ContextVar[tuple[Any, ...]] = ContextVar("sessions entered", default=())


def enter(session: Any) -> None:
    """A ``with`` block begins."""
    _ENTERED.set((*_ENTERED.get(), session))


def leave(session: Any) -> None:
    """It ends, in whatever order."""
    _ENTERED.set(tuple(s for s in _ENTERED.get() if s is not session))


def innermost() -> Any:
    """The session entered last, or None."""
    return next(reversed(_ENTERED.get()), None)
