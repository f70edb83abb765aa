"""What `test_sharding.py` runs in a process with eight devices; it is no test file of its own.

Values are small whole numbers: sums are exact in float32 in whatever order the devices make them, so that
sharded results are compared for equality with those of one device.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import AxisType

import namedtensor as nt
from namedtensor._errors import SizeMismatch

RNG = np.random.default_rng(5)


def whole_numbers(*shape):
    return RNG.choice(np.float32([-2, -1, 1, 2]), shape)


X, Y = whole_numbers(8, 16), whole_numbers(8, 4)
PARAMS = {"w_in": whole_numbers(16, 8), "w_out": whole_numbers(8, 4), "b": whole_numbers(4)}


def line():
    return nt.mesh(data=8)


def grid():
    return nt.mesh(data=4, model=2)


def explicit():
    """The axis types that JAX gives by default."""
    return jax.make_mesh((4, 2), ("data", "model"))


def x(stored="batch embed"):
    return nt.tensor(X, "batch embed").order(stored)


def params():
    dims = {"w_in": "ff embed", "w_out": "ff out", "b": "out"}
    arrays = PARAMS | {"w_in": PARAMS["w_in"].T}
    return {k: nt.tensor(a, dims[k]) for k, a in arrays.items()}


def split(t):
    """Which mesh axis each dim is split over, as JAX has it."""
    spec = tuple(t.array.sharding.spec)
    return {d: a for d, a in zip(t.dims, spec, strict=False) if a is not None}


def collectives(fun, *args):
    text = jax.jit(fun).lower(*args).compile().as_text()
    return {c for c in ("all-reduce", "all-gather", "all-to-all", "collective-permute") if f"{c}(" in text}


def test_there_are_eight():
    assert len(jax.devices()) == 8
    assert set(explicit().axis_types) == {AxisType.Explicit}
    assert set(grid().mesh.axis_types) == {AxisType.Auto}


# placing ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("mesh", [grid, lambda: grid().mesh, explicit], ids=["nt", "auto", "explicit"])
@pytest.mark.parametrize("stored", ["batch embed", "embed batch"])
def test_a_dim_is_split_wherever_it_is_stored(mesh, stored):
    placed = nt.shard(x(stored), mesh(), batch="data", embed="model")
    assert split(placed) == {"batch": "data", "embed": "model"}
    piece = nt.NamedTensor(placed.array.addressable_shards[0].data, placed.dims)
    assert dict(piece.shape) == {"batch": 2, "embed": 8}
    assert nt.equal(placed, x())


def test_several_axes_for_one_dim():
    with grid():
        placed = nt.shard(x(), batch="model data")
    assert split(placed) == {"batch": ("model", "data")}
    assert placed.array.addressable_shards[0].data.shape == (1, 16)


def test_a_tree_is_placed_by_the_dims_of_each_leaf():
    with grid():
        placed = nt.shard(params() | {"count": jnp.int32(3), "name": "mlp"}, ff="model")
    assert [split(placed[k]) for k in ("w_in", "w_out", "b")] == [{"ff": "model"}, {"ff": "model"}, {}]
    assert len(placed["b"].array.sharding.device_set) == 8
    assert len(placed["count"].sharding.device_set) == 8
    assert placed["name"] == "mlp"


def test_a_mesh_may_leave_devices_out():
    with nt.mesh(data=2, devices=jax.devices()[4:]) as mesh:
        placed = nt.shard(x(), batch="data")
    assert list(mesh.devices.flat) == jax.devices()[4:6]
    assert placed.array.sharding.device_set == set(jax.devices()[4:6])


@pytest.mark.parametrize("place", [nt.shard, nt.constrain])
@pytest.mark.parametrize("traced", [False, True])
@pytest.mark.parametrize("mesh", [grid, explicit], ids=["auto", "explicit"])
def test_a_size_that_does_not_divide(place, traced, mesh):
    t = nt.ones("batch:6 embed:4")
    run = lambda t: place(t, mesh(), batch="data")  # noqa: E731
    with pytest.raises(SizeMismatch) as caught:
        (jax.jit(run) if traced else run)(t)
    for part in (
        f"nt.{place.__name__}(batch='data')",
        "f32[batch:6 embed:4]",
        "'batch' is 6",
        "4 devices along 'data'",
    ):
        assert part in str(caught.value)


# contractions ----------------------------------------------------------------------------------


def dot(t, w):
    return t.dot("embed", w)


@pytest.mark.parametrize("stored", ["batch embed", "embed batch"])
@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "jit"])
def test_a_contraction_over_a_split_dim(stored, compiled):
    w = params()["w_in"]
    want = X @ PARAMS["w_in"]
    with line():
        t, split_w = nt.shard((x(stored), w), embed="data")
        assert split(t) == split(split_w) == {"embed": "data"}
        got = (jax.jit(dot) if compiled else dot)(t, split_w)
        assert collectives(dot, t, split_w) == {"all-reduce"}
    np.testing.assert_array_equal(got.to_array("batch ff"), want)
    assert collectives(dot, x(stored), w) == set()


def test_a_contraction_beside_a_split_dim_needs_no_messages():
    with line():
        t, w = nt.shard(x(), batch="data"), nt.shard(params()["w_in"])
        assert collectives(dot, t, w) == set()
        got = dot(t, w)
    assert split(got) == {"batch": "data"}
    np.testing.assert_array_equal(got.to_array("batch ff"), X @ PARAMS["w_in"])


# training --------------------------------------------------------------------------------------


def loss(p, t, y):
    hidden = t.dot("embed", p["w_in"]).clip(-4, 4)
    return ((hidden.dot("ff", p["w_out"]) + p["b"] - y) ** 2).sum() / 8


@functools.cache
def optimizer():
    return optax.adam(0.5)


def step(p, state, t, y):
    value, slopes = nt.value_and_grad(loss)(p, t, y)
    updates, state = optimizer().update(slopes, state, p)
    return value, slopes, optax.apply_updates(p, updates), state


def one_device():
    p = params()
    return jax.jit(step)(p, optimizer().init(p), x(), nt.tensor(Y, "batch out"))


def assert_as_on_one_device(got):
    """Loss and gradients are sums of whole numbers; Adam then rounds a few times, element by element."""
    want = one_device()
    np.testing.assert_array_equal(got[0], want[0])
    for k, slope in got[1].items():
        assert nt.equal(jax.device_get(slope), jax.device_get(want[1][k]))
        np.testing.assert_allclose(got[2][k].array, want[2][k].array, rtol=16 * np.finfo(np.float32).eps)


def test_data_parallel_training():
    p = params()
    with line():
        p, state = nt.shard((p, optimizer().init(p)))
        batch = nt.shard((x("embed batch"), nt.tensor(Y, "batch out")), batch="data")
        got = jax.jit(step)(p, state, *batch)
        assert "all-reduce" in collectives(step, p, state, *batch)
    assert_as_on_one_device(got)
    assert all(split(got[2][k]) == {} for k in p)


def test_training_on_a_grid_of_devices():
    p = params()
    with grid():
        p, state = nt.shard((p, optimizer().init(p)), ff="model")
        batch = nt.shard((x(), nt.tensor(Y, "batch out")), batch="data")
        got = jax.jit(step)(p, state, *batch)
    assert_as_on_one_device(got)
    for k in ("w_in", "w_out"):
        assert split(got[1][k]) == split(got[2][k]) == split(got[3][0].mu[k]) == {"ff": "model"}


def test_parameters_split_over_the_data_axis():
    """What is called FSDP: parameters and optimizer state are split over the devices that split the batch."""
    p = params()
    with line():
        p, state = nt.shard((p, optimizer().init(p)), ff="data")
        batch = nt.shard((x(), nt.tensor(Y, "batch out")), batch="data")
        got = jax.jit(step)(p, state, *batch)
    assert_as_on_one_device(got)


# transformations -------------------------------------------------------------------------------


def test_transformations_of_split_tensors():
    with grid():
        t = nt.shard(x(), batch="data", embed="model")
        mapped = nt.vmap(lambda r: (r * r).sum(), over="batch")
        assert split(mapped(t)) == {"batch": "data"}
        np.testing.assert_array_equal(mapped(t).array, (X * X).sum(1))
        slope = nt.grad(lambda t: (t**3).sum())(t)
        assert split(slope) == {"batch": "data", "embed": "model"}
        np.testing.assert_array_equal(slope.array, 3 * X**2)
        carry, ys = nt.scan(lambda c, r: (c + r, c + r), nt.zeros("embed:16"), t, over="batch")
        np.testing.assert_array_equal(carry.array, X.sum(0))
        np.testing.assert_array_equal(ys.to_array("batch embed"), X.cumsum(0))
        both = nt.cond(t.sum() > 1e6, lambda t: t, lambda t: (2 * t).order("embed batch"), t)
        assert split(both) == {"batch": "data", "embed": "model"}
        np.testing.assert_array_equal(both.array, 2 * X)
        looped = nt.fori_loop(0, 3, lambda i, c: c * 2, t)
        np.testing.assert_array_equal(looped.array, 8 * X)


def test_shardings_as_arguments_of_jit():
    with grid():
        double = jax.jit(
            lambda t: (t * 2).order("embed batch"),
            in_shardings=nt.spec(x(), batch="data"),
            out_shardings=nt.spec("embed batch", embed="model"),
        )
        got = double(nt.shard(x(), batch="data"))
    assert split(got) == {"embed": "model"}
    assert nt.equal(got, 2 * x())


@pytest.mark.parametrize("mesh", [lambda: grid().mesh, explicit], ids=["auto", "explicit"])
def test_constrain(mesh):
    def run(t):
        return nt.constrain(t.softmax("embed"), embed="model"), nt.constrain(
            {"t": t * 2}, batch="model", embed=None
        )

    with jax.set_mesh(mesh()):
        soft, double = jax.jit(run)(nt.shard(x("embed batch"), batch="data"))
        assert split(nt.constrain(double["t"], batch="data")) == {"batch": "data"}
    assert split(soft) == {"embed": "model"}
    assert split(double["t"]) == {"batch": "model"}
    assert nt.equal(double["t"], 2 * x())


def test_constrain_with_a_given_mesh():
    got = jax.jit(lambda t: nt.constrain(t * 2, grid(), batch="data"))(x())
    assert split(got) == {"batch": "data"}


def test_shard_map_takes_specs_by_name():
    """Names stay those of the axes inside a shard_map: a piece has the same dims, and smaller sizes."""
    w = params()["w_in"]
    seen = []

    def piece(t, w):
        seen.append((dict(t.shape), dict(w.shape)))
        return jax.lax.psum(t.dot("embed", w), "model")

    with grid() as mesh:
        got = jax.shard_map(
            piece,
            mesh=mesh,
            in_specs=(nt.spec(x(), batch="data", embed="model"), nt.spec(w, embed="model")),
            out_specs=nt.spec("batch ff", batch="data"),
        )(x(), w)
    assert seen[0] == ({"batch": 2, "embed": 8}, {"ff": 8, "embed": 8})
    np.testing.assert_array_equal(got.to_array("batch ff"), X @ PARAMS["w_in"])


# explicit mesh axes ----------------------------------------------------------------------------


def test_explicit_axes_show_in_the_type():
    with jax.set_mesh(explicit()):
        t = nt.shard(x(), batch="data")
        assert jax.typeof(t.array).sharding.spec == nt.spec(x(), batch="data")
        y = (t * 2 + 1).softmax("embed")
        assert split(y) == {"batch": "data"}
        assert split(nt.grad(lambda t: (t**2).sum())(t)) == {"batch": "data"}
        assert split(t.dot("embed", params()["w_in"])) == {"batch": "data"}


def test_on_explicit_axes_a_split_dim_is_joined_before_it_is_contracted():
    with jax.set_mesh(explicit()):
        t, w = nt.shard((x(), params()["w_in"]), embed="model")
        with pytest.raises(Exception, match="Contracting dimensions are sharded"):
            dot(t, w)
        got = jax.jit(lambda t, w: dot(*nt.constrain((t, w), embed=None)))(t, w)
    np.testing.assert_array_equal(got.to_array("batch ff"), X @ PARAMS["w_in"])
