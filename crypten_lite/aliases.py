"""CrypTen's names, for code that comes from there; `docs/coming_from_crypten.md` has the whole table."""

from typing import Any

import numpy as np

from crypten_lite import scope
from crypten_lite.session import Session
from crypten_lite.tensor import SharedTensor

# CrypTen's name of a method -> ours
METHODS = {
    "add": "__add__", "sub": "__sub__", "mul": "__mul__", "div": "__truediv__", "neg": "__neg__",
    "pow": "__pow__", "eq": "__eq__", "ne": "__ne__", "lt": "__lt__", "le": "__le__", "gt": "__gt__",
    "ge": "__ge__", "inv_sqrt": "rsqrt", "unsqueeze": "expand_dims", "view": "reshape", "t": "transpose",
}  # fmt: skip


def cryptensor(x: Any, session: Session | None = None, *, src: int = 0) -> Any:
    """CrypTen's name for `Session.share`.

    Args:
      x: an array, a named tensor, or a tree of them; lists of numbers are arrays here, as in CrypTen.
      session: to share in; by default that of the innermost ``with`` block around the call.
      src: the party whose numbers they are; ``owner`` of `Session.share`.

    Returns:
      The `SharedTensor`, or the tree of them.

    Raises:
      ValueError: no session is given and none is entered; otherwise as `Session.share`.

    Example:
      >>> import crypten_lite as ct
      >>> with ct.simulate(parties=2):
      ...     ct.cryptensor([0.5, -1.0]).get_plain_text()
      Array([ 0.5, -1. ], dtype=float32)
    """
    session = scope.innermost() if session is None else session
    if session is None:
        raise ValueError(
            "cryptensor() needs a session: call it within `with ct.simulate(parties=2):`, or give it, "
            "ct.cryptensor(x, session)."
        )
    return session.share(np.asarray(x) if isinstance(x, list) and _is_numbers(x) else x, owner=src)


def _is_numbers(x: Any) -> bool:
    if isinstance(x, list):
        return bool(x) and all(map(_is_numbers, x))
    return isinstance(x, int | float)


def get_plain_text(x: SharedTensor, dst: int | None = None) -> Any:
    """CrypTen's name for `SharedTensor.reveal`."""
    return x.reveal(to=dst)


setattr(SharedTensor, "get_plain_text", get_plain_text)  # noqa: B010  (the class does not know other libraries)

__all__ = ["cryptensor"]
