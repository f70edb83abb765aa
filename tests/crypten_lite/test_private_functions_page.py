"""docs/private_functions.md is what its script writes, and what it says is so."""

import importlib.util
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import crypten_lite as ct
from crypten_lite import functions
from crypten_lite.functions.bounds import bound
from crypten_lite.functions.piecewise import Piecewise

PATH = Path(__file__).parents[2] / "docs/private_functions.py"
spec = importlib.util.spec_from_file_location("private_functions_page", PATH)
page = importlib.util.module_from_spec(spec)
spec.loader.exec_module(page)


@pytest.mark.skipif(
    not page.PAGE.read_text().count(f"with JAX {jax.__version__};"),
    reason="the page is written with the oldest release of JAX that is supported",
)
def test_the_page_is_what_the_script_writes():
    assert page.PAGE.read_text() == page.page(), "run python docs/private_functions.py"


@pytest.mark.parametrize("name", page.ROWS)
def test_measured_derived_stated(name):
    function = page.ROWS[name][1]
    assert page.measured(function) <= bound(function) <= function.error


@pytest.mark.parametrize("name", page.ROWS)
def test_the_function_is_the_one_of_the_table(name):
    function, table = page.ROWS[name]
    low, high = np.clip(table.domain, -8, 8)
    x = np.linspace(low, high - 1e-2, 200).astype(np.float32)
    if name == "1 / x":
        x = x[np.abs(x) > 1e-2]
    if name == "jnp.exp(x - x.max())":
        x = -x[x < 0]  # what the row's function makes negative
    arguments = (x, np.ones_like(x)) if name.startswith("derivative") else (x,)
    exact = table.function(-x.astype(float) if name == "jnp.exp(x - x.max())" else x.astype(float))
    with ct.simulate() as session:
        found = np.asarray(ct.private(function)(*session.share(arguments)).reveal())
    rounding = 2.0**-15 * np.abs(np.gradient(exact, x)) + 1e-6 * np.abs(exact)  # of the arguments, of float32
    scale = np.maximum(np.abs(exact), table.floor) if table.relative else 1.0
    assert (np.abs(found - exact) <= table.error * scale + rounding + 3e-5).all()


def test_every_table_that_is_exported_has_its_row():
    exported = {n for n in functions.__all__ if isinstance(getattr(functions, n), Piecewise)}
    shown = {n for n in exported if any(getattr(functions, n) is table for _, table in page.ROWS.values())}
    assert exported - shown == {"EXP_NEGATIVE_COARSE"}  # not used by default


def test_an_error_is_rounded_up():
    assert [page.rounded_up(e) for e in (1.01e-4, 1.5e-4, 2e-4, 9.9e-5)] == ["1e-4", "2e-4", "2e-4", "1e-4"]
    assert page.rounded_up(1.51e-4, 2) == "1.6e-4"


def test_costs_are_those_of_a_run():
    x = np.ones(page.SIZE, np.float32)
    with ct.simulate() as session:
        shared = session.share(x)
        before = session.cost
        ct.private(jnp.tanh)(shared).reveal()
        run = session.cost - before
    rounds, sent, dealt = page.costs("jnp.tanh(x)")
    assert (rounds + 1, (sent + 8) * page.SIZE, dealt * page.SIZE) == (
        run.rounds,
        run.bytes_per_party,
        run.dealer_bytes,
    )
