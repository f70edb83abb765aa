"""The wheel that is installed: all that the commands and the widgets read is in it."""

import email
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from notebooks import gallery, requirements

ROOT = Path(__file__).parents[2]
PACKAGES = ("namedtensor", "captum_lite", "crypten_lite", "notebooks")
READ = {".py", ".ipynb", ".js", ".css", ".html", ".typed"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(out)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    with zipfile.ZipFile(next(out.glob("*.whl"))) as archive:
        yield archive


def test_it_holds_what_the_packages_hold(wheel):
    files = [p for package in PACKAGES for p in (ROOT / package).rglob("*") if p.suffix in READ]
    wanted = {
        str(p.relative_to(ROOT)) for p in files if not {"__pycache__", ".ipynb_checkpoints"} & set(p.parts)
    }
    assert {f"notebooks/{name}" for name in gallery.names()} <= wanted
    assert {Path(name).suffix for name in wanted} >= {".py", ".ipynb", ".js", ".css"}
    assert wanted - set(wheel.namelist()) == set()


def test_its_requirements_are_read_as_packaging_reads_them(wheel):
    name = next(name for name in wheel.namelist() if name.endswith("METADATA"))
    lines = email.message_from_bytes(wheel.read(name)).get_all("Requires-Dist")
    assert len(lines) > 20
    for line in lines:
        ours, theirs = requirements._parsed(line), Requirement(line)
        assert (ours.name, SpecifierSet(ours.bounds)) == (theirs.name, theirs.specifier)
        assert theirs.marker is None or theirs.marker.evaluate({"extra": ours.extra})


def test_the_gallery_is_copied_out_of_it(wheel, tmp_path):
    wheel.extractall(tmp_path / "site")
    code = "from pathlib import Path; from notebooks import gallery; print(gallery.refresh(Path('mine'), '1').copied)"
    command = [sys.executable, "-P", "-c", code]
    env = {"PYTHONPATH": str(tmp_path / "site"), "PATH": ""}
    ended = subprocess.run(
        command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=True
    )
    assert int(ended.stdout) == len(list((tmp_path / "mine").glob("*.ipynb"))) == len(gallery.names())
