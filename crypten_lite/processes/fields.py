"""One table of a configuration, read strictly: each mistake is an error that says what to write instead."""

import difflib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crypten_lite.errors import ConfigError
from crypten_lite.keys.certificate import checked_name

_ADDRESS = re.compile(
    r"(?:\[(?P<v6>[0-9A-Fa-f:.%\w]+)\]|(?P<host>[^\s:\[\]/]+)):(?P<port>[0-9]{1,5})", re.ASCII
)
_FINGERPRINT = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_KINDS = {str: "text", bool: "true or false", int: "a whole number", float: "a number"}
_KINDS |= {dict: "a table", list: "a list"}
_REQUIRED: Any = object()


@dataclass(frozen=True)
class Fields:
    """The fields of a table, each read by its kind.

    Attributes:
      file: the configuration, to which paths are relative.
      where: the table in it, ``"parties[1]."``; empty for the top.
      values: as TOML gives them.
    """

    file: Path
    where: str
    values: Mapping[str, Any]

    def only(self, *known: str) -> "Fields":
        """These fields, unless there are others.

        Raises:
          ConfigError: a field that is not known.
        """
        for key in self.values:
            if key not in known:
                near = difflib.get_close_matches(key, known, 1)
                advice = f"did you mean {near[0]!r}?" if near else f"there may be {', '.join(known)}."
                raise self.wrong(f"{self.where}{key}", f"is not known: {advice}")
        return self

    def text(self, key: str, write: str, default: Any = _REQUIRED) -> Any:
        """Some text; ``write`` is an example."""
        value = self._given(key, write, default)
        return value if value is default else self._of(str, key, value, write)

    def name(self, key: str, write: str = '"alice"') -> str:
        """The name of a party or of the dealer."""
        value = self.text(key, write)
        try:
            return checked_name(value)
        except ConfigError:
            raise self._no(
                key, value, "no name (1 to 63 letters, digits, - and _, a letter or a digit first)", write
            ) from None

    def fingerprint(self, key: str) -> str:
        """Of a certificate."""
        write = '"sha256:..." with 64 digits 0-9a-f, which `python -m crypten_lite fingerprint FILE` prints'
        return self._matching(_FINGERPRINT, key, write, "no fingerprint")

    def path(self, key: str, write: str, default: Any = _REQUIRED) -> Any:
        """A path, relative to the configuration."""
        value = self.text(key, write, default)
        if value is default:
            return value
        if not value or not value.isprintable():
            raise self._no(key, value, "no path", write)
        return self.file.parent / value

    def address(self, key: str, write: str, default: Any = _REQUIRED) -> Any:
        """A host and a port."""
        value = self.text(key, write, default)
        if value is default:
            return value
        found = _ADDRESS.fullmatch(value)
        if found is None:
            raise self._no(key, value, "no address", f"{write}, or with [::1] for the host")
        if not 1 <= int(found["port"]) <= 65535:
            raise self._no(key, value, "an address whose port is not one of 1 to 65535", write)
        return found["v6"] or found["host"], int(found["port"])

    def whole(self, key: str, lowest: int, highest: int, default: int) -> int:
        """A whole number."""
        write = f"one of {lowest} to {highest}"
        value = self._of(int, key, self.values.get(key, default), write)
        if not lowest <= value <= highest:
            raise self._no(key, value, "out of range", write)
        return value

    def seconds(self, key: str, default: float) -> float:
        """A time."""
        write = "seconds, such as 60"
        value = self.values.get(key, default)
        value = self._of(int if isinstance(value, int) else float, key, value, write)
        if not (math.isfinite(value) and 0 < value <= 1e6):
            raise self._no(key, value, "no time above 0 and up to 1e6", write)
        return float(value)

    def table(self, key: str, write: str) -> "Fields":
        """The table below a key.

        Raises:
          ConfigError: it is missing, or something else.
        """
        value = self._of(dict, key, self._given(key, write, _REQUIRED), write)
        return Fields(self.file, f"{self.where}{key}.", value)

    def tables(self, key: str, write: str) -> "list[Fields]":
        """The list of tables below a key."""
        value = self._of(list, key, self._given(key, write, _REQUIRED), write)
        for i, item in enumerate(value):
            self._of(dict, f"{key}[{i}]", item, write)
        return [Fields(self.file, f"{self.where}{key}[{i}].", item) for i, item in enumerate(value)]

    def wrong(self, what: str, problem: str) -> ConfigError:
        """The error for something in this file."""
        return ConfigError(f"{self.file}: {what} {problem}")

    def _given(self, key: str, write: str, default: Any) -> Any:
        value = self.values.get(key, default)
        if value is _REQUIRED:
            raise self.wrong(f"{self.where}{key}", f"is missing: write {key} = {write}")
        return value

    def _of(self, kind: type, key: str, value: Any, write: str) -> Any:
        if type(value) is not kind:  # True is an int to isinstance
            there = _KINDS.get(type(value), f"a {type(value).__name__}")
            raise self.wrong(f"{self.where}{key}", f"is {there}, not {_KINDS[kind]}: write {write}")
        return value

    def _matching(self, pattern: re.Pattern[str], key: str, write: str, problem: str) -> str:
        value = self.text(key, write)
        if not pattern.fullmatch(value):
            raise self._no(key, value, problem, write)
        return value

    def _no(self, key: str, value: Any, problem: str, write: str) -> ConfigError:
        return self.wrong(f"{self.where}{key}", f"is {_shown(value)}, {problem}: write {write}")


def _shown(value: Any) -> str:
    """A value in a message: cut, and no key that was pasted where its path belongs."""
    if isinstance(value, str) and ("-----" in value or len(value) > 200):
        return "a long text"
    return repr(value) if len(repr(value)) <= 80 else f"{repr(value)[:77]}..."
