"""The frameworks whose modules are places: which of them are imported, and which releases are known to work.

The oldest release of each is the oldest that runs on the oldest JAX that is supported. A framework that is
too old, or that has lost a function which is needed, is left alone: it may be imported for something else,
and plain functions have their places as before. Who asks for a place that is not there is told.
"""

import re
import sys
from collections.abc import Iterator
from operator import attrgetter
from typing import NamedTuple


class Framework(NamedTuple):
    """A framework, and what the places of its modules need.

    Attributes:
      package: what is imported, and what carries the version.
      module: where its modules are; imported, or there are none.
      oldest: the oldest release that is supported.
      needs: what is called of ``module``.
      install: its name in the package index.
    """

    package: str
    module: str
    oldest: str
    needs: tuple[str, ...]
    install: str


NNX = Framework("flax", "flax.nnx", "0.12.2", ("Module", "iter_modules"), "flax")
LINEN = Framework("flax", "flax.linen", "0.12.2", ("intercept_methods",), "flax")
EQUINOX = Framework("equinox", "equinox", "0.13.1", ("Module",), "equinox")
HAIKU = Framework("haiku", "haiku", "0.0.16", ("intercept_methods",), "dm-haiku")
_ALL = (NNX, LINEN, EQUINOX, HAIKU)


def usable(framework: Framework) -> bool:
    """Whether a framework is imported, and its modules can be watched."""
    return framework.module in sys.modules and _trouble(framework) is None


def any_usable() -> bool:
    """Whether a function may have modules at all."""
    return any(map(usable, _ALL))


def troubles() -> list[str]:
    """A sentence for each framework that is imported and whose modules cannot be watched."""
    return list(dict.fromkeys(_troubles()))


def _troubles() -> Iterator[str]:
    for framework in _ALL:
        if framework.module in sys.modules and (trouble := _trouble(framework)) is not None:
            yield trouble


def _trouble(framework: Framework) -> str | None:
    package, module, oldest, needs, install = framework
    version = str(getattr(sys.modules.get(package), "__version__", ""))
    if version and _numbers(version) < _numbers(oldest):
        remedy = f"pip install -U {install}"
        return f"{package} {version} is older than {oldest}, so its modules are no places: {remedy}"
    missing = [name for name in needs if not _has(module, name)]
    if missing:
        names = " and ".join(f"{module}.{name}" for name in missing)
        return f"{package} {version} has no {names}, so its modules are no places: nt.tap names their values"
    return None


def _has(module: str, name: str) -> bool:
    try:
        attrgetter(name)(sys.modules[module])
    except AttributeError:
        return False
    return True


def _numbers(version: str) -> tuple[int, ...]:
    """The release in numbers: those of ``0.13.0.dev2`` are those of ``0.13.0``."""
    found = re.match(r"\d+(\.\d+)*", version)
    return tuple(map(int, found[0].split("."))) if found else (sys.maxsize,)
