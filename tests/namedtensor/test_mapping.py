"""Mapping over dims by name, and what raw positional transformations make of a named tensor."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import namedtensor as nt
from namedtensor._errors import (
    BadPattern,
    DuplicateDim,
    InvalidName,
    RankMismatch,
    SizeMismatch,
    UnknownDim,
)
from tests.namedtensor.jaxprs import equations, primitives

RNG = np.random.default_rng(3)
X = RNG.uniform(-1, 1, (2, 5, 3)).astype(np.float32)
W = RNG.uniform(-1, 1, (3, 5)).astype(np.float32)


def x(stored="batch seq embed"):
    return nt.tensor(X, "batch seq embed").order(stored)


def w():
    return nt.tensor(W, "embed seq")


def each(fun, over, *tensors):
    """A loop over the positions of one dim, by hand."""
    size = next(t.shape[over] for t in tensors if over in t.dims)
    picked = [[t[{over: i}] if over in t.dims else t for t in tensors] for i in range(size)]
    return nt.stack([fun(*one) for one in picked], over)


MAPPERS = {
    "vmap": nt.vmap,
    "map": nt.map,
    "map, two at once": lambda f, over: nt.map(f, over, batch_size=2),
    "map, more than there are": lambda f, over: nt.map(f, over, batch_size=50),
}
mappers = pytest.mark.parametrize("mapper", MAPPERS.values(), ids=MAPPERS)
ORDERS = ["batch seq embed", "embed seq batch", "seq batch embed"]


def close(got, want):
    """Equal up to a rounding of each of the 5 terms of a sum, of numbers below 1."""
    assert set(got.dims) == set(want.dims)
    np.testing.assert_allclose(got.to_array(want.dims), want.array, rtol=0, atol=8 * np.finfo(np.float32).eps)


@mappers
@pytest.mark.parametrize("stored", ORDERS)
def test_over_one_dim(mapper, stored):
    f = lambda t, u: (t * u).sum("seq").softmax("embed")  # noqa: E731
    for over in ("batch", "embed"):
        g = f if over == "batch" else lambda t, u: (t * u).sum("seq").tanh()
        close(mapper(g, over)(x(stored), w()), each(g, over, x(stored), w()))


@mappers
@pytest.mark.parametrize("stored", ORDERS)
def test_over_two_dims(mapper, stored):
    """``w`` lacks batch: it is passed whole to the one, and mapped over by the other."""
    f = lambda t, u: (t * u).sum("embed")  # noqa: E731
    got = mapper(f, "batch seq")(x(stored), w())
    assert got.dims == ("batch", "seq")
    close(got, each(lambda t: each(f, "seq", t, w()), "batch", x(stored)))
    assert mapper(f, ["seq", "batch"])(x(stored), w()).dims == ("seq", "batch")


@mappers
def test_trees_keywords_and_what_is_no_array(mapper):
    def inside(p, mode, *, scale, tags):
        assert p["x"].dims == ("batch", "embed")
        assert p["other"].dims == ("head",)
        assert (mode, tags) == ("fast", {1, 2})
        return {"sum": p["x"].sum() * scale, "list": [p["other"], None]}

    other = nt.arange("head", 4)
    got = mapper(inside, "seq")({"x": x(), "other": other}, "fast", scale=jnp.float32(2), tags={1, 2})
    close(got["sum"], 2 * x().sum("batch embed"))
    assert nt.equal(got["list"][0], nt.stack([other] * 5, "seq"))
    assert got["list"][1] is None


@mappers
def test_plain_results_get_leading_axes(mapper):
    one, two = mapper(lambda t: t.to_array("embed seq"), "batch"), mapper(lambda t: t.array, "seq batch")
    np.testing.assert_array_equal(one(x()), X.transpose(0, 2, 1))
    np.testing.assert_array_equal(two(x()), X.transpose(1, 0, 2))
    np.testing.assert_array_equal(mapper(lambda t: 1.0, "batch")(x()), np.ones(2, np.float32))


@mappers
def test_gradients_through_it_and_inside_it(mapper):
    cubes = lambda t: mapper(lambda u: u**3, "batch")(t).sum()  # noqa: E731
    close(nt.grad(cubes)(x()), 3 * x() ** 2)
    close(mapper(nt.grad(lambda u: (u**3).sum()), "seq")(x()), 3 * x() ** 2)


@mappers
def test_under_jit_and_within_itself(mapper, compilations):
    both = nt.jit(mapper(mapper(lambda t: t.sum(), "batch"), "seq"))
    close(both(x()), x().sum("embed"))
    assert compilations.since(lambda: both(x())) == 0


@mappers
def test_the_second_call_compiles_nothing(mapper, compilations):
    mapped, tensor, other = mapper(lambda t, u, mode: (t * u).sum("seq"), "batch"), x("embed seq batch"), w()
    mapped(tensor, other, "a")
    assert compilations.since(lambda: mapped(tensor, other, "a")) == 0


def test_over_no_dim_is_the_function_itself():
    assert nt.equal(nt.vmap(lambda t: t.sum("seq"), over="")(x()), x().sum("seq"))


@pytest.mark.parametrize("batch_size", [1, 2, 5, 9])
def test_map_works_on_so_many_at_once(batch_size):
    """The widest tensor that the function sees, by the shapes in its jaxpr."""
    jaxpr = jax.make_jaxpr(nt.map(lambda t: t.sin().sum(), over="seq", batch_size=batch_size))(x())
    wide = [e.outvars[0].aval.shape for e in equations(jaxpr.jaxpr) if e.primitive.name == "sin"]
    assert max(shape[0] if len(shape) == 3 else 1 for shape in wide) == min(batch_size, 5)
    assert [e.primitive.name for e in equations(jaxpr.jaxpr)].count("scan") <= 1


def test_vmap_leaves_what_jax_leaves():
    named = primitives(nt.vmap(lambda t: t.sin().sum("seq"), over="batch"), x())
    assert named == primitives(jax.vmap(lambda a: jnp.sin(a).sum(0)), X)


def test_maps_keep_the_name_of_the_function():
    def forward(t):
        """Pass on."""
        return t

    for mapped in (
        nt.vmap(forward, "batch"),
        nt.map(forward, "batch"),
        nt.jacobian(forward),
    ):
        assert (mapped.__name__, mapped.__doc__) == ("forward", "Pass on.")


# raw transformations ---------------------------------------------------------------------------

FEWER = ["took an axis away", "nt.vmap(f, over='...')", "nt.scan(", "x.peel('...')"]
MORE = ["in transit", "nt.vmap(f, over='...')", "y.name('...')"]
MESH = jax.make_mesh((1,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
P = jax.sharding.PartitionSpec


def double(t):
    return t * 2


START = nt.tensor(0.0, "")


def running(carry, t):
    return carry + t.sum(), t * 2


RAW = {  # a positional transformation of a tensor of which no dim was peeled
    "vmap": (lambda: jax.vmap(double)(x()), ["nt.multiply", "f32[5, 3] named 'batch seq embed'", *FEWER]),
    "vmap, in_axes=1": (lambda: jax.vmap(double, in_axes=1)(x()), ["f32[2, 3] named 'batch seq embed'", *FEWER]),
    "vmap, in a tree": (lambda: jax.vmap(lambda p: double(p["x"]))({"x": x()}), FEWER),
    "vmap, its names": (lambda: jax.vmap(lambda t: t.shape["batch"])(x()), FEWER),
    "vmap, a reduction": (lambda: jax.vmap(lambda t: t.sum("seq"))(x()), FEWER),
    "vmap, a new order": (lambda: jax.vmap(lambda t: t.order("embed ..."))(x()), FEWER),
    "vmap, a new name": (lambda: jax.vmap(lambda t: t.rename(seq="time"))(x()), FEWER),
    "vmap of vmap": (lambda: jax.vmap(jax.vmap(double))(x()), ["f32[3] named 'batch seq embed'", *FEWER]),
    "vmap, by name inside": (lambda: jax.vmap(nt.vmap(double, over="seq"))(x()), FEWER),
    "scan": (lambda: jax.lax.scan(running, START, x()), ["nt.sum", "f32[5, 3] named 'batch seq embed'", *FEWER]),
    "map": (lambda: jax.lax.map(double, x()), FEWER),
    "map, in batches": (lambda: jax.lax.map(double, x(), batch_size=2), FEWER),
    # of which one was peeled, and not named again
    "vmap, peeled": (lambda: jax.vmap(double)(x().peel("seq")) + 1, ["nt.add", "f32[5, batch:2 embed:3]", *MORE]),
    "vmap, peeled, out_axes=1": (lambda: jax.vmap(double, out_axes=1)(x().peel("seq")).sum(), MORE),
    "vmap, a result without dims": (lambda: jax.vmap(lambda t: t.sum())(x().peel("seq")) + 1, ["f32[5, ]", *MORE]),
    "scan, peeled": (lambda: jax.lax.scan(running, START, x().peel("seq"))[1].max(), MORE),
    "map, peeled": (lambda: jax.lax.map(double, x().peel("seq")).tanh(), MORE),
    "grad after vmap": (lambda: jax.grad(lambda t: jax.vmap(double)(t.peel("seq")).sum().array)(x()), MORE),
    "shard_map": (
        lambda: jax.shard_map(lambda t: t + 1, mesh=MESH, in_specs=P("data"), out_specs=P("data"))(x().peel("seq")), MORE),
}  # fmt: skip


@pytest.mark.parametrize(("call", "parts"), RAW.values(), ids=RAW)
def test_raw_transformations_are_loud(call, parts):
    with pytest.raises(RankMismatch) as caught:
        call()
    missing = [part for part in parts if part not in str(caught.value)]
    assert not missing, str(caught.value)


def test_raw_transformations_with_peel_and_name():
    peeled = x().peel("seq")
    assert nt.equal(jax.vmap(double)(peeled).name("seq"), 2 * x())
    assert nt.equal(jax.lax.map(double, peeled).name("seq"), 2 * x())
    assert nt.equal(jax.lax.map(double, peeled, batch_size=2).name("seq"), 2 * x())
    total, ys = jax.lax.scan(running, START, peeled)
    close(total, x().sum())
    assert nt.equal(ys.name("seq"), 2 * x())
    half = jax.vmap(lambda t, u: t * u.sum(), in_axes=(0, None))(peeled, w()).name("seq")
    assert nt.equal(half, x() * w().sum())


def test_raw_shard_map_keeps_all_axes():
    mapped = jax.shard_map(
        double, mesh=MESH, in_specs=nt.spec(x(), batch="data"), out_specs=nt.spec(x(), batch="data")
    )
    assert nt.equal(mapped(x()), 2 * x())


def test_a_tensor_in_transit_shows_itself():
    seen = []
    jax.vmap(lambda t: seen.append(repr(t)))(x())
    assert seen == ["f32[5, 3] named 'batch seq embed' (traced)"]
    assert repr(x().peel("seq")).startswith("f32[5, batch:2 embed:3]")


# errors ----------------------------------------------------------------------------------------

SHOWN = "f32[batch:2 seq:5 embed:3]"
ERRORS = {
    "no argument has the dim": (lambda m: m(double, "sed")(x()), UnknownDim,
        ["(over='sed')", SHOWN, "no dim 'sed'", "'batch seq embed'"]),
    "no argument has one of the dims": (lambda m: m(double, "batch sew")(x()), UnknownDim,
        ["(over='batch sew')", SHOWN, "no dim 'sew'", "Did you mean 'seq'?"]),
    "no named argument": (lambda m: m(double, "batch")(X), UnknownDim, ["(over='batch')", "no dim 'batch'"]),
    "no argument at all": (lambda m: m(lambda: 1, "batch")(), UnknownDim, ["no dim 'batch'"]),
    "two sizes": (lambda m: m(lambda t, u: t, "seq")(x(), nt.ones("seq:4")), SizeMismatch,
        ["(over='seq')", SHOWN, "f32[seq:4]", "'seq' is 5 in", ", 4 in", ".rename(seq='seq_2')"]),
    "a result that has it": (lambda m: m(lambda t: nt.ones("batch:2 seq:3"), "seq")(x()), DuplicateDim,
        ["(over='seq')", "a result is f32[batch:2 seq:3]", "rename(seq='seq_2')"]),
    "a result in transit": (lambda m: m(lambda t: t.peel("embed"), "seq")(x()), RankMismatch, ["(over='seq')", *MORE]),
    "an argument in transit": (lambda m: m(double, "seq")(x().peel("batch")), RankMismatch,
        ["(over='seq')", "f32[2, seq:5 embed:3]", *MORE]),
    "a name twice": (lambda m: m(double, "seq seq"), DuplicateDim, ["(over='seq seq')", "'seq' stands twice"]),
    "no name": (lambda m: m(double, 3), InvalidName, ["(over=3)", "3 is not"]),
    "no names": (lambda m: m(double, ["batch", 3]), InvalidName, ["3 is not a name"]),
    "inside": (lambda m: m(lambda t: t + nt.ones("embed:4"), "seq")(x()), SizeMismatch,
        ["SizeMismatch in nt.add", "f32[batch:2 embed:3]", "f32[embed:4]"]),
}  # fmt: skip


@pytest.mark.parametrize("mapper", [nt.vmap, nt.map])
@pytest.mark.parametrize(("call", "error", "parts"), ERRORS.values(), ids=ERRORS)
def test_error(call, error, parts, mapper):
    with pytest.raises(error) as caught:
        call(mapper)
    missing = [part for part in parts if part not in str(caught.value)]
    assert not missing, str(caught.value)
    if "over=" in parts[0]:
        assert f"in nt.{mapper.__name__}(over=" in str(caught.value)


@pytest.mark.parametrize("batch_size", [0, -1, 2.5, "2"])
def test_a_batch_size_is_a_count(batch_size):
    with pytest.raises(BadPattern, match=r"(?s)nt\.map\(over='seq'\).*batch_size="):
        nt.map(double, over="seq", batch_size=batch_size)
