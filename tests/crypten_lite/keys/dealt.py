"""Material of three parties, prepared and stored, here and in other processes."""

import contextlib
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np

from crypten_lite.keys.identity import Identity
from crypten_lite.keys.material import Store, prepared
from tests.crypten_lite.keys.bounded import within

ROOT = Path(__file__).parents[3]
NAMES = ("alice", "bob", "carol")
CORRECTIONS = np.arange(1000, dtype=np.uint64)
PLAN, OTHER = "plan one", "plan two"
SPENT = "the material {} was spent: each is used once. Take another one."
TIMEOUT = 60  # seconds


def started(folder: Path, keys: dict[str, Identity], plan: str = PLAN, dealer="dealer"):
    return prepared(folder, keys[dealer], [keys[n].certificate for n in NAMES], plan)


def prepare(folder: Path, keys: dict[str, Identity], plan=PLAN, corrections=CORRECTIONS, dealer="dealer"):
    with started(folder, keys, plan, dealer) as run:
        run.write(corrections)
    return run


def store(folder: Path, keys: dict[str, Identity], name: str = "alice") -> Store:
    return Store(folder / name, keys[name], keys["dealer"].certificate)


def tree(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def spent(id: str) -> str:
    return re.escape(SPENT.format(id))


def full(*_):
    raise OSError(28, "No space left on device")


@contextlib.contextmanager
def running(script: str, *arguments: object):
    """A process that is gone when the block is left, which is soon."""
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(script), *map(str, arguments)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with within(TIMEOUT), subprocess.Popen(command, cwd=ROOT, **pipes) as process:
        try:
            yield process
        finally:
            process.kill()
