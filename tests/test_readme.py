"""What the README shows runs, and says what the code says."""

import re
import tomllib
from pathlib import Path

import jax
import pytest

import namedtensor as nt

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=[f"example {i}" for i in range(1, len(BLOCKS) + 1)])
def test_examples_run(block):
    exec(compile(block, "README.md", "exec"), {})


def test_there_are_five_short_examples():
    assert len(BLOCKS) == 5
    assert all(len([line for line in b.splitlines() if line and "import" not in line]) <= 8 for b in BLOCKS)


def test_the_error_shown_is_the_error_raised():
    x = nt.random.normal(jax.random.key(0), "batch:8 seq:16 embed:64")
    shown = re.search(r'>>> x.dot\("embd", w\)\n(.*?)```', README, re.DOTALL)
    assert shown is not None
    with pytest.raises(nt.NamedShapeError) as error:
        x.dot("embd", nt.ones("embed:64 ff:256"))
    assert shown[1].strip() == f"{type(error.value).__name__}{str(error.value).removeprefix('UnknownDim')}"


def test_extras_and_files_exist():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(re.findall(r'-e "\.\[(\w+)\]"', README)) <= set(project["optional-dependencies"])
    for link in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / link).exists(), link


def test_targets_exist():
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"`make (\w+)`", README)) | set(
        re.findall(r"^make (\w+)", README, re.MULTILINE)
    ):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
