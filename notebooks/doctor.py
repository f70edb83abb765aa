"""Say what is installed, what is missing and how to install it; works where JAX does not."""

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from notebooks import requirements
from notebooks.requirements import CORE, DISTRIBUTION, Requirement

_PROBE = Path(__file__).with_name("probe.py")
_PATIENCE = 120  # seconds that JAX may take to find its devices


@dataclass(frozen=True)
class Finding:
    """A line of the report.

    Attributes:
      name: what it is about.
      text: what was found.
      fault: whether it must be mended: what is installed and does not work. What is merely missing is none.
    """

    name: str
    text: str
    fault: bool = False


def run() -> int:
    """Print the report; returns 1 if there is a fault, else 0."""
    asked = requirements.read()
    sections = (
        {"": _versions(asked), "machine": _machine(probe())} | _extras(asked) | {"browser tests": _browser()}
    )
    for title, findings in sections.items():
        print(f"\n{title}" if title else "", end="\n" if title else "")
        for finding in findings:
            print(f"  {'!' if finding.fault else ' '} {finding.name:<22}{finding.text}")
    faults = dict.fromkeys(f.name for findings in sections.values() for f in findings if f.fault)
    print(f"\n{'to mend: ' + ', '.join(faults) if faults else 'nothing to mend'}")
    return 1 if faults else 0


def _versions(asked: list[Requirement]) -> list[Finding]:
    own = requirements.installed(DISTRIBUTION)
    lines = [
        Finding(DISTRIBUTION, own or f"not installed: pip install '{DISTRIBUTION}[lab]'", own is None),
        Finding("python", f"{platform.python_version()} on {platform.platform()}"),
    ]
    core = {r.name: r for r in asked if r.extra == CORE}
    return lines + [
        _package(core[name]) if name in core else Finding(name, requirements.installed(name) or "missing")
        for name in sorted({"jax", "jaxlib", "numpy", *core})
    ]


def _package(asked: Requirement) -> Finding:
    if asked.found is None:
        return Finding(asked.name, f"missing: {asked.line}", True)
    if asked.fault:
        return Finding(asked.name, f"{asked.found} {asked.fault}: {asked.line}", True)
    return Finding(asked.name, asked.found)


def _extras(asked: Iterable[Requirement]) -> dict[str, list[Finding]]:
    """Each optional package once, under the smallest extra that brings it."""
    by_extra: dict[str, list[Requirement]] = {}
    for one in asked:
        by_extra.setdefault(one.extra, []).append(one)
    seen, sections = {r.name for r in by_extra.pop(CORE, [])}, {}
    for extra, group in sorted(by_extra.items(), key=lambda item: len(item[1])):
        new = [r for r in group if r.name not in seen]
        seen |= {r.name for r in new}
        sections[f"extra [{extra}]"] = _group(new)
    return sections


def _group(group: list[Requirement]) -> list[Finding]:
    """What is there, one a line; then what is not, with the one line that installs it all."""
    missing = [r for r in group if r.found is None]
    lines = [_package(r) for r in group if r.found is not None]
    if missing:
        lines.append(Finding("missing", f"{', '.join(r.name for r in missing)}: {missing[0].line}"))
    return lines


def probe() -> dict[str, Any]:
    """What `notebooks.probe` finds, in a process of its own: JAX may be broken in a way that ends it."""
    # the same modules as here, and no share of an accelerator's memory that others may be using
    more = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    command = [sys.executable, "-P", str(_PROBE)]
    try:
        ended = subprocess.run(
            command, env=os.environ | more, capture_output=True, text=True, check=False, timeout=_PATIENCE
        )
    except subprocess.TimeoutExpired:
        return {"jax": f"it did not answer in {_PATIENCE} seconds"}
    except OSError as error:
        return {"jax": f"no process could be started to ask it: {error}"}
    if ended.returncode:
        said = (ended.stderr.strip().splitlines() or [""])[-1]
        return {"jax": f"importing it ended the process with status {ended.returncode}. {said}".strip()}
    notes = [line for line in ended.stderr.splitlines() if "WARNING" in line or "rror" in line]
    return json.loads(ended.stdout.splitlines()[-1]) | {"notes": notes}


def _machine(found: dict[str, Any]) -> list[Finding]:
    if "jax" in found:
        return [Finding("jax", f"does not work: {found['jax']}", True)]
    lines = [
        Finding(name, _devices(kinds, name == found["default"])) for name, kinds in found["devices"].items()
    ]
    lines += [Finding("says jax", note) for note in found["notes"]]
    if failed := found.get("namedtensor"):
        missing = "pip install" in failed  # one of its optional packages
        return [*lines, Finding("cache directory", failed.removeprefix("ImportError: "), not missing)]
    return [*lines, _cache(Path(found["cache"]))]


def _devices(kinds: list[str], default: bool) -> str:
    counts = {kind: kinds.count(kind) for kind in kinds}
    listed = ", ".join(f"{n} x {kind}" for kind, n in counts.items())
    return listed + (" (used by default)" if default else "")


def _cache(directory: Path) -> Finding:
    there = next(path for path in (directory, *directory.parents) if path.exists())
    if not os.access(there, os.W_OK):
        return Finding("cache directory", f"{directory}: cannot be written to. Set NAMEDTENSOR_CACHE.", True)
    models = len(list(directory.glob("*.npz")))
    return Finding(
        "cache directory", f"{directory} ({models} trained {'model' if models == 1 else 'models'})"
    )


def _browser() -> list[Finding]:
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    return [Finding("chromium", found or "missing: apt install chromium (only the browser tests need it)")]
