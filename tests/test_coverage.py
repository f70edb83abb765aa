"""docs/coverage.md is true: JAX's functions are all in its tables, and each of its lines runs."""

import importlib.util
from pathlib import Path

import jax
import pytest

PATH = Path(__file__).parents[1] / "docs/coverage.py"
spec = importlib.util.spec_from_file_location("coverage_tables", PATH)
coverage = importlib.util.module_from_spec(spec)
spec.loader.exec_module(coverage)
LINES = {
    f"{module}.{name}": line
    for table in (coverage.SPELLED, coverage.LIFTED)
    for module, lines in table.items()
    for name, line in lines.items()
}


@pytest.mark.parametrize("module", coverage.MODULES)
def test_every_public_function_is_known(module):
    unknown = [n for n in coverage.public_names(module) if coverage.status(module, n) is None]
    assert unknown == [], "add them to a table of ops/, or to docs/coverage.py"


@pytest.mark.parametrize("module", coverage.MODULES)
def test_what_is_left_out_is_not_there(module):
    left_out = [name for names in coverage.EXCLUDED[module].values() for name in names]
    assert [name for name in left_out if coverage.same_name(module, name)] == []
    assert len(set(left_out)) == len(left_out)


def test_every_line_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = coverage.examples()
    failed = {}
    for function, line in LINES.items():
        try:
            eval(line, dict(names))
        except Exception as error:  # any error is what the table must not have
            failed[function] = repr(error)
    assert failed == {}


@pytest.mark.skipif(
    not coverage.PAGE.read_text().count(f"with JAX {jax.__version__}."),
    reason="the page is written with the oldest release of JAX that is supported",
)
def test_the_page_shows_the_tables():
    assert coverage.PAGE.read_text() == coverage.page(), "run python docs/coverage.py"
