"""JAX, optax and pickle on the bare pytree: a named tensor needs no wrapping of them."""

import copy
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec

import namedtensor as nt
from namedtensor._errors import NamedShapeError
from tests.namedtensor.jaxprs import primitives

RNG = np.random.default_rng(17)
X = RNG.choice(np.float32([-3, -2, -1, 1, 2, 3]), (2, 3))


@pytest.fixture(params=["batch embed", "embed batch"])
def x(request):
    return nt.tensor(X, "batch embed").order(request.param)


def squares(t):
    return (t * t).sum("embed")


def loss(t):
    return (t**3).sum().array


def same(got, want):
    """Equal values, and the very same dims."""
    return got.dims is want.dims and nt.equal(got, want)


# transformations -------------------------------------------------------------------------------


def test_jit(x, compilations):
    compiled = jax.jit(squares)
    np.testing.assert_array_equal(compiled(x).array, (X * X).sum(1))
    other = x + 0
    assert compilations.since(lambda: compiled(other)) == 0
    assert (
        compilations.since(lambda: compiled(other.rename(batch="row"))) == 1
    )  # other names, another program


def test_jit_with_static_and_keyword_arguments(x):
    f = jax.jit(lambda t, over, *, scale: t.sum(over) * scale, static_argnames="over")
    np.testing.assert_array_equal(f(x, "embed", scale=2.0).array, 2 * X.sum(1))
    np.testing.assert_array_equal(f(x, over="batch", scale=x.sum()).array, X.sum(0) * X.sum())


def test_grad_and_value_and_grad(x):
    assert same(jax.grad(loss)(x), 3 * x * x)
    value, slope = jax.value_and_grad(loss)(x)
    assert float(value) == (X**3).sum()
    assert same(slope, 3 * x * x)
    assert same(jax.jit(jax.grad(loss))(x), 3 * x * x)
    second = jax.grad(lambda t: jax.grad(loss)(t).sum().array)(x)
    assert same(second, 6 * x)


def test_a_named_loss_is_refused_by_jax(x):
    with pytest.raises(TypeError, match="scalar"):
        jax.grad(lambda t: t.sum())(x)


def test_vjp_jvp_and_linearize(x):
    u = nt.tensor([1.0, -2.0], "batch")
    want = 2 * x * u
    out, pull = jax.vjp(squares, x)
    assert same(out, squares(x))
    assert same(pull(u)[0], want)
    out, slope = jax.jvp(squares, (x,), (x,))
    assert same(slope, 2 * squares(x))
    out, push = jax.linearize(squares, x)
    assert same(push(x), 2 * squares(x))
    transposed = jax.linear_transpose(lambda t: t.sum("embed"), x)
    assert same(transposed(u)[0], x * 0 + u)


def test_custom_vjp(x):
    @jax.custom_vjp
    def clipped(t):
        return t

    clipped.defvjp(lambda t: (t, t.shape["embed"]), lambda n, u: (u.clip(-1.0, 1.0) * n,))
    slope = jax.jit(nt.grad(lambda t: (clipped(t) * 5).sum()))(x)
    np.testing.assert_array_equal(slope.array, np.full(slope.array.shape, 3))


def test_custom_jvp(x):
    @jax.custom_jvp
    def cube(t):
        return t**3

    cube.defjvp(lambda primals, tangents: (cube(*primals), tangents[0] * 100.0))
    assert same(nt.grad(lambda t: cube(t).sum())(x), x * 0 + 100)
    assert same(nt.jvp(cube, (x,), (x,))[1], 100 * x)
    assert same(nt.vmap(cube, over="batch")(x.order("batch embed")), (x**3).order("batch embed"))


def test_checkpoint(x):
    policy = jax.checkpoint_policies.nothing_saveable
    for remade in (jax.checkpoint(squares), nt.checkpoint(squares, policy=policy)):
        assert same(nt.grad(lambda t, f=remade: f(t).sum())(x), 2 * x)
    text = str(jax.make_jaxpr(jax.grad(lambda t: jax.checkpoint(squares)(t).sum().array))(x))
    assert "remat" in text or "checkpoint" in text


def test_eval_shape_and_make_jaxpr(x):
    out = jax.eval_shape(squares, x)
    assert out.dims is nt.dims("batch")
    assert out.array == jax.ShapeDtypeStruct((2,), jnp.float32)
    again = jax.eval_shape(squares, jax.eval_shape(lambda t: t, x))
    assert again.array == out.array
    _, shape = jax.make_jaxpr(squares, return_shape=True)(x)
    assert primitives(squares, x) == ["mul", "reduce_sum"]
    assert shape.dims is nt.dims("batch")


def test_ahead_of_time(x):
    shapes = jax.eval_shape(lambda t: t, x)
    compiled = jax.jit(squares).lower(shapes).compile()
    np.testing.assert_array_equal(compiled(x).array, (X * X).sum(1))
    with pytest.raises(TypeError, match=r"dims|structure|batch"):
        compiled(x.rename(batch="row"))


def test_jacobians_of_jax_nest():
    """What nt.jacobian is for: JAX puts a named tensor into a named tensor."""
    t = nt.tensor(X, "batch embed")
    nested = jax.jacobian(squares)(t)
    assert nested.dims == ("batch",)
    assert nested.array.dims == ("batch", "embed")
    with pytest.raises(NamedShapeError):
        nested + 1
    want = nt.jacobian(squares)(t)
    np.testing.assert_array_equal(nested.array.array, want.to_array("batch batch' embed'"))


# trees -----------------------------------------------------------------------------------------


def test_tree_utilities(x):
    tree = {"x": x, "list": [x * 2, None, 1.0]}
    assert len(jax.tree.leaves(tree)) == 3
    doubled = jax.tree.map(lambda a: 2 * a, tree)
    assert same(doubled["x"], 2 * x)
    assert same(jax.tree.unflatten(jax.tree.structure(tree), jax.tree.leaves(tree))["x"], x)
    added = jax.tree.map(jnp.add, tree, tree)
    assert same(added["list"][0], 4 * x)
    named = jax.tree.map(lambda t: t.sum("embed") if nt.is_named(t) else t, tree, is_leaf=nt.is_named)
    assert same(named["x"], x.sum("embed"))
    paths = [jax.tree_util.keystr(path) for path, _ in jax.tree.leaves_with_path(tree)]
    assert paths == ["['list'][0].array", "['list'][2]", "['x'].array"]
    flat, back = jax.flatten_util.ravel_pytree({"x": x})
    assert flat.shape == (6,)
    assert same(back(flat)["x"], x)
    total = jax.tree.reduce(lambda total, a: total + a.size, tree["x"], 0)
    assert total == 6


def test_structures_compare_by_names():
    a, b = nt.zeros("a:2 b:3"), nt.ones("a:5 b:7")
    assert jax.tree.structure(a) == jax.tree.structure(b)
    assert hash(jax.tree.structure(a)) == hash(jax.tree.structure(b))
    assert jax.tree.structure(a) != jax.tree.structure(a.rename(a="c"))
    assert jax.tree.structure(a) != jax.tree.structure(a.order("b a"))
    with pytest.raises(ValueError, match="different pytree metadata"):
        jax.tree.map(jnp.add, a, a.order("b a"))


@pytest.mark.parametrize("protocol", [2, pickle.HIGHEST_PROTOCOL])
def test_pickle_and_copy(x, protocol):
    tree = {"x": x, "list": [x.astype(jnp.bfloat16), nt.tensor(3, "")]}
    for back in (pickle.loads(pickle.dumps(tree, protocol)), copy.deepcopy(tree), copy.copy(tree)):
        assert same(back["x"], x)
        assert same(back["list"][0], tree["list"][0])
        assert back["list"][0].dtype == jnp.bfloat16
        assert jax.tree.structure(back) == jax.tree.structure(tree)


# optax -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [optax.adam, optax.adamw, lambda rate: optax.sgd(rate, momentum=0.9)])
def test_optax_steps_are_those_of_plain_arrays(x, make):
    optimizer = make(0.5)
    arrays = {"x": X, "b": np.float32([1, 2, 3])}
    params = {"x": x, "b": nt.tensor(arrays["b"], "embed")}

    def named(p):
        return ((p["x"] + p["b"]) ** 2).sum()

    def by_hand(p):
        return ((p["x"] + p["b"][None]) ** 2).sum()

    def train(loss, grad, p):
        state = optimizer.init(p)
        for _ in range(3):
            updates, state = optimizer.update(grad(loss)(p), state, p)
            p = optax.apply_updates(p, updates)
        return p

    got = jax.jit(lambda p: train(named, nt.grad, p))(params)
    want = jax.jit(lambda p: train(by_hand, jax.grad, p))(arrays)
    assert jax.tree.structure(got) == jax.tree.structure(params)
    # each of three steps rounds about ten times, for numbers below 8
    near = {"rtol": 0, "atol": 3 * 10 * 8 * np.finfo(np.float32).eps}
    np.testing.assert_allclose(got["x"].to_array("batch embed"), want["x"], **near)
    np.testing.assert_allclose(got["b"].array, want["b"], **near)


def test_optax_masks_and_norms(x):
    params = {"x": x, "b": nt.tensor([3.0, 4.0], "embed")}
    assert float(optax.tree.norm(params, squared=True)) == (X**2).sum() + 25
    clip = optax.chain(optax.clip(1.0), optax.masked(optax.set_to_zero(), {"x": True, "b": False}))
    updates, _ = clip.update(params, clip.init(params))
    np.testing.assert_array_equal(updates["x"].array, 0 * x.array)
    assert same(updates["b"], nt.ones("embed:2"))


# devices ---------------------------------------------------------------------------------------


def test_device_put(x):
    device = jax.devices()[0]
    assert same(jax.device_put(x, device), x)
    sharding = NamedSharding(Mesh(np.array([device]), ("data",)), PartitionSpec("data", None))
    placed = jax.device_put({"x": x}, sharding)
    assert placed["x"].array.sharding == sharding
    assert same(placed["x"], x)
    back = jax.device_get(x)
    assert isinstance(back.array, np.ndarray)
    assert nt.equal(back, x)
    assert jax.block_until_ready(x) is not None


def test_donation(x):
    given = x + 0
    assert same(jax.jit(lambda t: t + 1, donate_argnums=0)(given), x + 1)
    assert given.array.is_deleted()


def test_random_keys_as_leaves():
    keys = nt.tensor(jax.random.split(jax.random.key(0), 4), "batch")
    drawn = nt.vmap(lambda key: nt.tensor(jax.random.normal(key.array, (3,)), "embed"), over="batch")(keys)
    want = jax.vmap(lambda key: jax.random.normal(key, (3,)))(keys.array)
    np.testing.assert_array_equal(drawn.to_array("batch embed"), want)


# callbacks -------------------------------------------------------------------------------------


def test_pure_callback(x):
    seen = []

    def on_host(t):
        seen.append(t.dims)
        return nt.NamedTensor(np.asarray(t.array) * 2, t.dims)

    double = jax.jit(lambda t: jax.pure_callback(on_host, jax.eval_shape(lambda t: t, t), t))
    assert same(double(x), 2 * x)
    assert set(seen) == {x.dims}


def test_debug_print_and_callback(x, capsys):
    seen = []

    @jax.jit
    def f(t):
        jax.debug.print("row {t}", t=t.isel(batch=0).order("embed"))
        jax.debug.callback(lambda t: seen.append(t), t)
        return t

    f(x)
    jax.effects_barrier()
    assert "row i32[" not in (printed := capsys.readouterr().out)
    assert printed.startswith("row f32[embed:3]")
    assert nt.equal(seen[0], x)


# export ----------------------------------------------------------------------------------------


def test_export_and_back(x):
    pytest.importorskip("flatbuffers")
    exported = jax.export.export(jax.jit(lambda p: {"y": squares(p["x"])}))({"x": x})
    back = jax.export.deserialize(bytearray(exported.serialize()))
    got = back.call({"x": x})["y"]
    assert same(got, squares(x))
    assert back.in_tree == jax.tree.structure((({"x": x},), {}))
    with pytest.raises(ValueError, match="batch"):
        back.call({"x": x.rename(batch="row")})


def test_export_of_a_dim_without_a_size(x):
    """A symbolic size: one program for every batch."""
    pytest.importorskip("flatbuffers")
    sizes = {"batch": jax.export.symbolic_shape("b")[0], "embed": 3}
    shape = nt.NamedTensor(jax.ShapeDtypeStruct([sizes[d] for d in x.dims], jnp.float32), x.dims)
    f = lambda t: (t - t.mean("embed")).order("embed batch").softmax("batch")  # noqa: E731
    back = jax.export.deserialize(bytearray(jax.export.export(jax.jit(f))(shape).serialize()))
    for many in (2, 5):
        t = nt.tensor(RNG.normal(size=(many, 3)).astype(np.float32), "batch embed").order(x.dims)
        got = back.call(t)
        assert got.dims == ("embed", "batch")
        np.testing.assert_allclose(got.array, f(t).array, rtol=8 * np.finfo(np.float32).eps)


def test_export_of_primed_names_and_scalars():
    pytest.importorskip("flatbuffers")
    t = nt.ones("embed:2 embed':3")
    back = jax.export.deserialize(
        bytearray(jax.export.export(jax.jit(lambda t: (t, t.sum())))(t).serialize())
    )
    same_again, total = back.call(t)
    assert same_again.dims is t.dims
    assert total.dims is nt.dims("")
