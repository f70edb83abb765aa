"""The pages on attribution: what they show runs, and what they point to is there."""

import re
from pathlib import Path

import jax
import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    [
        *(ROOT / "docs/attribution").glob("*.md"),
        ROOT / "docs/captum_faults.md",
        ROOT / "docs/models_without_code.md",
        ROOT / "docs/onnx.md",
    ]
)


@pytest.fixture(autouse=True)
def as_a_user_has_it():
    """With the settings of a fresh process, and none left behind."""
    before = jax.config.jax_enable_x64
    with jax.numpy_rank_promotion("allow"):
        yield
    jax.config.update("jax_enable_x64", before)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_runs_from_top_to_bottom(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    assert blocks
    for i, block in enumerate(blocks, start=1):
        exec(compile(block, f"{page.name} block {i}", "exec"), names)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert (page.parent / link).exists(), link
