"""Sharding by name: specs and errors here, and what needs several devices in a process that has eight."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P

import namedtensor as nt
from namedtensor._errors import (
    BadPattern,
    DuplicateDim,
    InvalidName,
    RankMismatch,
    SizeMismatch,
    UnknownDim,
    Unsupported,
)

EIGHT = Path(__file__).with_name("eight_devices.py")


def test_in_a_process_of_eight_devices():
    env = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=8", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(EIGHT)]
    done = subprocess.run(command, env=env, cwd=EIGHT.parents[2], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def params():
    return {
        "w": nt.ones("embed:6 ff:8"),
        "b": nt.ones("ff:8"),
        "scale": nt.tensor(2.0, ""),
        "step": jnp.ones(3),
    }


@pytest.mark.parametrize(
    ("dims", "where", "want"),
    [
        ("batch embed", {"batch": "data"}, P("data", None)),
        ("embed batch", {"batch": "data"}, P(None, "data")),
        ("batch embed", {"batch": "data", "embed": "model"}, P("data", "model")),
        ("batch embed", {"batch": "data model"}, P(("data", "model"), None)),
        ("batch embed", {"batch": ("model", "data"), "embed": None}, P(("model", "data"), None)),
        (["batch", "embed"], {"embed": ["model"]}, P(None, "model")),
        (nt.ones("a:2 seq':3"), {"seq'": "data"}, P(None, "data")),
        ("batch embed", {}, P(None, None)),
        ("", {}, P()),
    ],
)
def test_spec_is_in_storage_order(dims, where, want):
    assert nt.spec(dims, **where) == want


def test_spec_of_a_tree():
    got = nt.spec(params(), ff="model")
    assert got == {"w": P(None, "model"), "b": P("model"), "scale": P(), "step": P()}


def test_spec_of_shapes_alone():
    shapes = jax.eval_shape(params)
    assert nt.spec(shapes, embed="model")["w"] == P("model", None)


@pytest.mark.parametrize("place", [nt.shard, nt.constrain])
def test_on_one_device(place):
    mesh = nt.mesh(data=1, model=1)
    tree = {"x": nt.ones("batch:3 embed:2"), "name": "x", "rate": 0.5, "none": None, "array": np.ones(2)}
    placed = place(tree, mesh, batch="data", embed="model")
    assert placed["x"].array.sharding.spec == P("data", "model")
    assert (placed["name"], placed["rate"], placed["none"]) == ("x", 0.5, None)
    assert placed["array"].sharding.spec == P()
    assert nt.equal(placed["x"], tree["x"])
    with mesh:
        assert place(tree["x"], batch="data").array.sharding.spec == P("data", None)
    assert place(tree["x"], mesh.mesh, embed="data").array.sharding.spec == P(None, "data")


def test_a_mesh_is_a_context():
    mesh = nt.mesh(data=1)
    with mesh as entered:
        assert isinstance(entered, jax.sharding.Mesh)
        assert jax.sharding.get_mesh() == entered
        with nt.mesh(model=1) as inner, mesh:
            assert jax.sharding.get_mesh() == entered
        assert inner != entered
        assert jax.sharding.get_mesh() == entered
    with pytest.raises(RuntimeError, match="left early"), mesh:
        raise RuntimeError("left early")
    assert jax.sharding.get_mesh().empty


def test_inside_jit_the_mesh_of_the_context_serves():
    with nt.mesh(data=1):
        out = nt.jit(lambda t: nt.constrain(t * 2, batch="data"))(nt.ones("embed:2 batch:4"))
    assert out.dims == ("embed", "batch")
    assert nt.equal(out, nt.full("embed:2 batch:4", 2.0))
    given = nt.mesh(data=1)
    assert nt.equal(nt.jit(lambda t: nt.shard(t, given, batch="data"))(out), out)


def x():
    return nt.ones("batch:8 embed:6")


SHOWN = "f32[batch:8 embed:6]"
ONE = nt.mesh(data=1, model=1)
ERRORS = {
    "no mesh": (lambda f: f(x(), batch="data"), Unsupported,
        ["(batch='data')", "there is no mesh", "with nt.mesh(", "mesh="]),
    "no mesh, traced": (lambda f: nt.jit(lambda t: f(t, batch="data"))(x()), Unsupported, ["there is no mesh"]),
    "unknown mesh axis": (lambda f: f(x(), ONE, batch="dta"), UnknownDim,
        ["(batch='dta')", "the mesh has no axis 'dta'", "'data model'", "Did you mean 'data'?"]),
    "unknown dim": (lambda f: f(x(), ONE, bach="data"), UnknownDim,
        ["(bach='data')", SHOWN, "no dim 'bach'", "Did you mean 'batch'?"]),
    "unknown dim in a tree": (lambda f: f({"x": x(), "b": nt.ones("ff:2")}, ONE, head="data"), UnknownDim,
        ["f32[ff:2]", SHOWN, "no dim 'head'", "'ff batch embed'"]),
    "no named tensor": (lambda f: f({"x": jnp.ones(3)}, ONE, batch="data"), UnknownDim, ["no dim 'batch'"]),
    "the wrong way round": (lambda f: f(x(), ONE, data="batch"), UnknownDim,
        ["no dim 'data'", "then the mesh axis: batch='data'"]),
    "one axis for two dims": (lambda f: f(x(), ONE, batch="data", embed="data"), DuplicateDim,
        ["'data' would split 'batch' and 'embed' of 'batch embed'", "embed=None"]),
    "one axis twice for a dim": (lambda f: f(x(), ONE, batch="data data"), DuplicateDim, ["'data' would split 'batch'"]),
    "no axis": (lambda f: f(x(), ONE, batch=3), BadPattern, ["(batch=3)", "3 is no axis", "'data model' for both"]),
    "an empty axis": (lambda f: f(x(), ONE, batch=""), BadPattern, ["'' is no axis"]),
    "axes that are no names": (lambda f: f(x(), ONE, batch=[1]), BadPattern, ["[1] is no axis"]),
    "no name": (lambda f: f(x(), ONE, **{"batch seq": "data"}), InvalidName, ["'batch seq' is not a name"]),
    "in transit": (lambda f: f(x().peel("batch"), ONE, embed="data"), RankMismatch, ["f32[8, embed:6]", "in transit"]),
    "no mesh at all": (lambda f: f(x(), "data", batch="data"), BadPattern, ["'data' is no mesh", "nt.mesh("]),
}  # fmt: skip


@pytest.mark.parametrize("place", [nt.shard, nt.constrain])
@pytest.mark.parametrize(("call", "error", "parts"), ERRORS.values(), ids=ERRORS)
def test_error(place, call, error, parts):
    with pytest.raises(error) as caught:
        call(place)
    missing = [part for part in parts if part not in str(caught.value)]
    assert not missing, str(caught.value)
    assert f"in nt.{place.__name__}(" in str(caught.value)


OTHERS = {
    "spec, unknown dim": (lambda: nt.spec("batch embed", bach="data"), UnknownDim,
        ["nt.spec(bach='data')", "no dim 'bach'", "'batch embed'", "Did you mean 'batch'?"]),
    "spec, one axis for two dims": (lambda: nt.spec(x(), batch="data", embed="data model"), DuplicateDim,
        ["nt.spec(", "'data' would split 'batch' and 'embed'"]),
    "spec, a name twice": (lambda: nt.spec("batch batch"), DuplicateDim, ["nt.spec()", "'batch' stands twice"]),
    "too few devices": (lambda: nt.mesh(data=4096), SizeMismatch, ["nt.mesh(data=4096)", "'data:4096' needs 4096 devices"]),
    "no axes": (lambda: nt.mesh(), BadPattern, ["nt.mesh()", "nt.mesh(data=4, model=2)"]),
    "an axis of nothing": (lambda: nt.mesh(data=0), BadPattern, ["nt.mesh(data=0)", "data=0 is no whole number of at least 1"]),
    "an axis of no number": (lambda: nt.mesh(data="4"), BadPattern, ["nt.mesh(data='4')", "data='4' is no whole number"]),
}  # fmt: skip


@pytest.mark.parametrize(("call", "error", "parts"), OTHERS.values(), ids=OTHERS)
def test_error_without_a_mesh(call, error, parts):
    with pytest.raises(error) as caught:
        call()
    missing = [part for part in parts if part not in str(caught.value)]
    assert not missing, str(caught.value)
