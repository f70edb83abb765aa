"""The cases that the onnx wheel brings: they pass, or are refused with an error; none is silently wrong.

Cases are run in handfuls, since listing all of them takes seconds in every worker.
"""

import importlib.util
from pathlib import Path

import jax
import numpy as np
import pytest

from namedtensor.interop.onnx import OnnxError
from tests.namedtensor.onnx import suite

PATH = Path(__file__).parents[3] / "docs/onnx_operators.py"
spec = importlib.util.spec_from_file_location("onnx_operators", PATH)
tables = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tables)
PARTS = 12


def outcome(case):
    """None where it is as it should be, else what it is."""
    refused = case.name in suite.REFUSED
    try:
        with jax.enable_x64(True):
            suite.run(case)
    except OnnxError as error:
        return None if refused else f"refused: {error}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "it passes: take it off the list" if refused else None


@pytest.mark.parametrize(
    ("kind", "part"),
    [("node", part) for part in range(PARTS)] + [(kind, 0) for kind in suite.KINDS if kind != "node"],
)
def test_cases(kind, part):
    cases = suite.cases(kind)[part :: PARTS if kind == "node" else 1]
    run = [case for case in cases if suite.left_out(case) is None]
    assert {case.name: why for case in run if (why := outcome(case)) is not None} == {}


@pytest.mark.parametrize(
    ("kind", "least"), [("node", 0.9), ("pytorch-converted", 0.95), ("pytorch-operator", 0.95)]
)
def test_most_cases_pass(kind, least):
    run = [case for case in suite.cases(kind) if suite.left_out(case) is None]
    assert len([case for case in run if case.name not in suite.REFUSED]) >= least * len(run)
    assert set(suite.REFUSED) <= {case.name for kind in suite.KINDS for case in suite.cases(kind)}


def test_a_wrong_result_does_not_pass(monkeypatch):
    """The comparison sees a difference of a tenth of a percent in one number."""
    case = next(c for c in suite.cases("node") if c.name == "test_sigmoid")
    exact = jax.nn.sigmoid
    monkeypatch.setattr(jax.nn, "sigmoid", lambda x: exact(x) * np.float32(1.002))
    assert "Not equal to tolerance" in outcome(case)


def test_the_page_is_what_its_script_writes():
    assert tables.PAGE.read_text() == tables.page(), "run PYTHONPATH=. python docs/onnx_operators.py"
