"""One way to refuse a word: what was asked, what there is, and the near miss."""

import difflib
from collections.abc import Collection, Mapping
from typing import TypeVar

Entry = TypeVar("Entry")


def choose(what: str, given: object, table: Mapping[str, Entry]) -> Entry:
    """The entry of ``table`` under ``given``; ``what`` names the kind of word in the error."""
    if isinstance(given, str) and given in table:
        return table[given]
    raise unknown(what, given, table)


def unknown(what: str, given: object, known: Collection[str], shown: str | None = None) -> ValueError:
    """The error for a word not among ``known``; ``shown`` replaces a list too long to read."""
    close = difflib.get_close_matches(str(given), list(known), n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return ValueError(f"unknown {what} {given!r}.{hint} There is: {shown or ', '.join(known)}.")
