"""The user's own copy of the gallery: made once, brought up to date, and never written over.

What running a notebook does to its file (outputs, counters, metadata, the empty cell that JupyterLab adds
after the last one) is no change of it. What counts are its cells: their kinds, their sources and the files
attached to them. A small file beside the notebooks keeps the fingerprint of each as it was shipped last, so
that a notebook that its reader changed is told from one that only its authors changed.
"""

import contextlib
import hashlib
import itertools
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from notebooks.errors import CommandError

HERE = Path(__file__).parent
MANIFEST = ".namedtensor-workbench.json"  # JupyterLab hides names that begin with a dot


@dataclass(frozen=True)
class Refreshed:
    """What was done to a copy.

    Attributes:
      copied: how many notebooks were not there.
      updated: how many were as shipped, and are so again.
      notes: a line for each thing that its reader should know.
    """

    copied: int
    updated: int
    notes: tuple[str, ...] = ()


def names(directory: Path = HERE) -> list[str]:
    """The notebooks in a directory; those of the gallery by default."""
    return sorted(path.name for path in directory.glob("*.ipynb"))


def fingerprint(notebook: Path) -> str | None:
    """A hash of what a reader may have changed; None where there is no such file.

    A file that is no notebook is hashed as it is: it differs from all that were shipped.
    """
    try:
        content = notebook.read_bytes()
    except FileNotFoundError:
        return None
    with contextlib.suppress(ValueError, KeyError, TypeError):
        content = json.dumps(_cells(json.loads(content)), sort_keys=True).encode()
    return hashlib.sha256(content).hexdigest()


def _cells(notebook: dict) -> list[list]:
    """Kinds, sources and attachments of the cells that are not empty."""
    cells = [[c["cell_type"], "".join(c["source"]), c.get("attachments") or {}] for c in notebook["cells"]]
    return [cell for cell in cells if cell[1].strip()]


def refresh(target: Path, version: str, source: Path = HERE) -> Refreshed:
    """Copy to ``target`` what is not there, update what is as it was shipped, leave the rest.

    Args:
      target: the user's directory; made if it is not there.
      version: of what is shipped, for the names of files put beside changed ones.
      source: where the shipped notebooks are; nothing is written there.

    Raises:
      CommandError: ``target`` is in the installed gallery itself, or cannot be written to.
    """
    if target.resolve().is_relative_to(source.resolve()):
        raise CommandError(
            f"{target} is the installed gallery itself, which is not worked in: give another --directory."
        )
    try:
        target.mkdir(parents=True, exist_ok=True)
        return _refresh(target, version, source)
    except OSError as error:
        raise CommandError(
            f"cannot write to {target}: {error.strerror}. Choose another place with --directory."
        ) from error


def _refresh(target: Path, version: str, source: Path) -> Refreshed:
    shipped, notes = _manifest(target)
    done: Counter[str] = Counter()
    for name in names(source):
        what, note = _bring(source / name, target / name, shipped.get(name), version)
        done[what] += 1
        notes += note
    # last: a run that breaks off before finds each notebook equal to what is shipped, or as it was
    shipped |= {name: fingerprint(source / name) for name in names(source)}
    _write(target / MANIFEST, json.dumps({"version": version, "shipped": shipped}, indent=1).encode())
    return Refreshed(done["copied"], done["updated"], tuple(notes))


def _bring(new: Path, mine: Path, shipped: str | None, version: str) -> tuple[str, list[str]]:
    """One notebook: what was done, and what its reader should know of it."""
    wanted, there = fingerprint(new), fingerprint(mine)
    if there is None:
        _write(mine, new.read_bytes())
        return "copied", []
    if there == wanted:
        return "kept", []
    if there == shipped:
        _write(mine, new.read_bytes())
        return "updated", []
    if shipped == wanted:  # changed by its reader, and nothing newer has come
        return "kept", []
    beside = _beside(mine, wanted, version)
    if fingerprint(beside) is None:
        _write(beside, new.read_bytes())
    return "kept", [f"{mine.name} is not as it was shipped and stays; the newer one is {beside.name}."]


def _beside(mine: Path, wanted: str | None, version: str) -> Path:
    """A name of its own for a newer version: one that is free, or that holds this version already."""
    stem = f"{mine.stem}_v{version}"
    numbered = (mine.with_name(f"{stem}_{i}.ipynb") for i in itertools.count(2))
    paths = itertools.chain([mine.with_name(f"{stem}.ipynb")], numbered)
    return next(path for path in paths if fingerprint(path) in (None, wanted))


def _manifest(target: Path) -> tuple[dict[str, str | None], list[str]]:
    """The fingerprints of what was shipped last, and what to say about them."""
    try:
        return dict(json.loads((target / MANIFEST).read_bytes())["shipped"]), []
    except FileNotFoundError:
        return {}, []
    except (ValueError, KeyError, TypeError):
        return {}, [
            f"{MANIFEST} cannot be read: each notebook that is not as shipped counts as changed by you."
        ]


def _write(path: Path, content: bytes) -> None:
    """Written beside and moved, so that a broken run leaves nothing half written (and no read-only copy)."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
