"""What this distribution asks for, as its installed metadata says, and what of it is there.

The versions stand in ``pyproject.toml`` alone. Its requirements are all of the form ``name>=version`` or
``name>=version,<version``, so they are read here without the package that reads every form there is.
"""

import re
from dataclasses import dataclass
from importlib import metadata

DISTRIBUTION = "namedtensor-workbench"
CORE = ""  # in the place of an extra
_LINE = re.compile(r"([\w.-]+)\s*([^;\s]+)(?:\s*;\s*extra == ['\"]([\w-]+)['\"])?")
_BOUND = re.compile(r"(>=|<)([\d.]+)")


@dataclass(frozen=True)
class Requirement:
    """A package that is asked for.

    Attributes:
      name: of the package.
      bounds: on its version, ``>=9.6`` or ``<10,>=9.6``.
      extra: the extra that asks for it; "" for the core.
      found: the installed version; None if it is missing.
    """

    name: str
    bounds: str
    extra: str
    found: str | None

    @property
    def fault(self) -> str | None:
        """Why the version that is there will not do."""
        for sign, bound in _BOUND.findall(self.bounds):
            below = self.found is not None and _release(self.found) < _release(bound)
            if self.found is not None and below == (sign == ">="):
                return "is too old" if below else "is too new"
        return None

    @property
    def line(self) -> str:
        """What to type to install it, or another version."""
        if self.found is not None or self.extra == CORE:
            return f"pip install --upgrade '{self.name}{self.bounds}'"
        return f"pip install '{DISTRIBUTION}[{self.extra}]'"


def installed(name: str) -> str | None:
    """The installed version of a distribution; None if it is missing."""
    try:
        return metadata.version(name) or None
    except metadata.PackageNotFoundError:
        return None


def read() -> list[Requirement]:
    """All requirements, once for each extra that asks for them; none if this is not installed."""
    try:
        lines = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return []
    return [_parsed(line) for line in lines]


def missing(extra: str) -> list[str]:
    """The packages of an extra that are not installed."""
    return [r.name for r in read() if r.extra == extra and r.found is None]


def _parsed(line: str) -> Requirement:
    match = _LINE.fullmatch(line)
    if match is None or not all(map(_BOUND.fullmatch, match[2].split(","))):
        raise ValueError(
            f"the requirement {line!r} is not of the form name>=version,<version; extra == '...'."
        )
    name, bounds, extra = match.groups()
    return Requirement(name, bounds, extra or CORE, installed(name))


def _release(version: str) -> tuple[int, ...]:
    """The numbers of a version before any word, without zeros at the end: 2.1 of 2.1.0rc1."""
    match = re.match(r"\d+(\.\d+)*", version)
    numbers = [int(n) for n in match[0].split(".")] if match else []
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)
