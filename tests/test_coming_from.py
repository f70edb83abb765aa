"""docs/coming_from.md: each library's line does what ours does, for those that are installed."""

import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import namedtensor as nt

PAGE = (Path(__file__).parents[1] / "docs/coming_from.md").read_text()
TASKS = {
    title: dict(reversed(line.split("  # ")) for line in code.strip().splitlines())
    for title, code in re.findall(r"^## (.*?)\n\n```python\n(.*?)```", PAGE, re.M | re.S)
}
NAMES = {
    "array": "batch seq embed",
    "b": "embed",
    "w": "embed ff",
    "ids": "batch seq",
    "table": "vocab embed",
}
KEY = jax.random.key(3)
ARRAYS = {
    "array": jax.random.normal(KEY, (2, 3, 8)),
    "b": jax.random.normal(KEY, (8,)),
    "w": jax.random.normal(KEY, (8, 5)),
    "ids": jnp.array([[0, 1, 2], [3, 4, 0]]),
    "table": jax.random.normal(KEY, (5, 8)),
}


def operands(make):
    """``x``, ``b`` ... made by a library, beside the raw array."""
    made = {k: make(a, NAMES[k].split()) for k, a in ARRAYS.items()}
    return {"jax": jax, "jnp": jnp, "np": np, "array": ARRAYS["array"], "x": made.pop("array"), **made}


def here():
    return {"nt": nt, **operands(nt.tensor)}


def haliax():
    hax = pytest.importorskip("haliax")
    return {"hax": hax, **operands(lambda a, names: hax.named(a, tuple(names)))}


def penzai():
    pz = pytest.importorskip("penzai.pz")
    return {"pz": pz, "nx": pz.nx, "nmap": pz.nx.nmap, **operands(lambda a, names: pz.nx.wrap(a, *names))}


def xarray():
    xr = pytest.importorskip("xarray")
    return {"xr": xr, **operands(lambda a, names: xr.DataArray(np.asarray(a), dims=names))}


def einops():
    ops = pytest.importorskip("einops")
    return {k: getattr(ops, k) for k in ("rearrange", "reduce", "einsum")} | operands(lambda a, names: a)


def names_and_values(x):
    """The sizes by name where there are names, and the values in no order, which all libraries can give."""
    array = next((getattr(x, k) for k in ("array", "data_array", "data") if hasattr(x, k)), x)
    sizes = dict(x.shape) if nt.is_named(x) else getattr(x, "named_shape", getattr(x, "sizes", None))
    if sizes is None and hasattr(x, "axes"):
        sizes = {axis.name: axis.size for axis in x.axes}
    return None if sizes is None else dict(sizes), np.sort(np.asarray(array), axis=None)


@pytest.mark.parametrize("library", [haliax, penzai, xarray, einops], ids=lambda f: f.__name__)
@pytest.mark.parametrize("task", TASKS)
def test_the_line_does_the_same(task, library):
    theirs = names_and_values(eval(TASKS[task][library.__name__], library()))
    ours = names_and_values(eval(TASKS[task]["here"], here()))
    if theirs[0] is not None:
        assert theirs[0] == ours[0]
    np.testing.assert_allclose(theirs[1], ours[1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("task", TASKS)
def test_ours_runs_and_all_are_shown(task):
    assert eval(TASKS[task]["here"], here()) is not None
    assert list(TASKS[task]) == ["here", "PyTorch", "haliax", "penzai", "xarray", "einops"]
