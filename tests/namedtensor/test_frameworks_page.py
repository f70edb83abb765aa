"""docs/frameworks.md is what its script finds: a small CNN in each framework, against the hand-written one."""

import dataclasses
import importlib.util
import sys
from pathlib import Path

import jax
import pytest

pytest.importorskip("haiku")
PATH = Path(__file__).parents[2] / "docs/frameworks.py"


@pytest.fixture(scope="module")
def script():
    """The script, loaded beside its models."""
    spec = importlib.util.spec_from_file_location("frameworks_page", PATH)
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(PATH.parent))
        patch.setitem(sys.modules, spec.name, module)  # its dataclass looks itself up there
        spec.loader.exec_module(module)
        yield module


@pytest.fixture(scope="module")
def found(script):
    return script.checked()


def test_every_framework_can_do_everything(found):
    assert {
        row: no for row, cells in found.items() if (no := [c for c in cells.values() if c.startswith("no: ")])
    } == {}
    assert {len(cells) for cells in found.values()} == {5}


def test_the_page_is_what_the_script_writes(script, found):
    text = script.PAGE.read_text()
    if f"with JAX {jax.__version__}." not in text:
        pytest.skip("the page is written with the oldest release of JAX that is supported")
    assert text == script.page(found), "run python docs/frameworks.py"


def test_a_cell_that_is_wrong_says_so(script):
    framework = script.FRAMEWORKS["flax linen"]
    given = script.Given(script.written(framework), framework)
    f = given.names["f"]
    wrong = dataclasses.replace(given, names={**given.names, "f": lambda x: f(x) + 0.05})
    assert script.result(script.evaluation, given) == "yes"
    for check in (script.evaluation, script.private):
        assert script.result(check, wrong).startswith("no: AssertionError: ")
