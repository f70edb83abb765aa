"""What a tensor is: how it shows itself, and that it is a pytree that every part of JAX takes."""

import copy
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec

import namedtensor as nt

ON = f" on {jax.default_backend()}"
NAN, INF = float("nan"), float("inf")


@pytest.fixture
def x():
    return nt.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], "batch embed")


def shape_of(t):
    return jax.eval_shape(lambda a: a, t)


REPRS = {
    "mean and spread": (lambda: nt.tensor([[1.0, 3.0]], "b e"), f"f32[b:1 e:2] ~N(2, 1) in [1, 3]{ON}"),
    "three digits": (lambda: nt.tensor([0.0, 1.0, 1.0], "e"), f"f32[e:3] ~N(0.667, 0.471) in [0, 1]{ON}"),
    "a prime": (lambda: nt.tensor([1, 2], "seq'"), f"i32[seq':2] in [1, 2]{ON}"),
    "storage order": (lambda: nt.tensor([[1, 2]], "b a"), f"i32[b:1 a:2] in [1, 2]{ON}"),
    "unsigned": (lambda: nt.tensor([1, 255], "e", dtype=jnp.uint8), f"u8[e:2] in [1, 255]{ON}"),
    "bool": (lambda: nt.tensor([True, False], "e"), f"bool[e:2]{ON}"),
    "half": (lambda: nt.tensor([1.0, 3.0], "e", dtype=jnp.float16), f"f16[e:2] ~N(2, 1) in [1, 3]{ON}"),
    "bfloat16": (lambda: nt.tensor([1.0, 3.0], "e", dtype=jnp.bfloat16), f"bf16[e:2] ~N(2, 1) in [1, 3]{ON}"),
    "complex": (lambda: nt.tensor([1j, 2.0], "e"), f"c64[e:2]{ON}"),
    "scalar": (lambda: nt.tensor(2.5, ""), f"f32[] = 2.5{ON}"),
    "scalar int": (lambda: nt.tensor(3, ""), f"i32[] = 3{ON}"),
    "scalar bool": (lambda: nt.tensor(True, ""), f"bool[] = True{ON}"),
    "one element": (lambda: nt.tensor([[7.0]], "b e"), f"f32[b:1 e:1] = 7{ON}"),
    "empty": (lambda: nt.zeros("b:0 e:2"), "f32[b:0 e:2]"),
    "nan": (lambda: nt.tensor([1.0, NAN, 3.0], "e"), f"f32[e:3] ~N(2, 1) in [1, 3] 1 not finite{ON}"),
    "nan and inf": (
        lambda: nt.tensor([1.0, NAN, -INF], "e"),
        f"f32[e:3] ~N(1, 0) in [1, 1] 2 not finite{ON}",
    ),
    "all nan": (lambda: nt.tensor([NAN, NAN], "e"), f"f32[e:2] 2 not finite{ON}"),
    "scalar nan": (lambda: nt.tensor(NAN, ""), f"f32[] = nan{ON}"),
    "shapes only": (lambda: shape_of(nt.zeros("b:2 e:3")), "f32[b:2 e:3]"),
    "in transit": (lambda: nt.zeros("t:4 b:2").peel("t"), f"f32[4, b:2] ~N(0, 0) in [0, 0]{ON}"),
}


@pytest.mark.parametrize(("make", "text"), REPRS.values(), ids=REPRS)
def test_repr(make, text):
    assert repr(make()) == text


def test_repr_while_traced(x):
    seen = []
    jax.make_jaxpr(lambda a: seen.append(repr(a)) or a)(x)
    assert seen == ["f32[batch:2 embed:3] (traced)"]


def test_repr_of_random_keys():
    assert repr(nt.tensor(jax.random.split(jax.random.key(0), 2), "layer")).startswith("key<fry>[layer:2]")


def test_repr_of_a_large_tensor_moves_nothing():
    large = nt.NamedTensor(jnp.zeros((1 << 22) + 1, jnp.int8), nt.dims("e"))
    assert repr(large) == "i8[e:4194305]"


def test_parts(x):
    assert x.dims == ("batch", "embed")
    assert dict(x.shape) == {"batch": 2, "embed": 3}
    assert (x.ndim, x.size, x.dtype) == (2, 6, jnp.float32)
    assert repr(x.shape) == "Shape(batch:2 embed:3)"
    assert len(x.shape) == 2
    assert list(x.shape) == ["batch", "embed"]
    with pytest.raises(TypeError):
        x.shape["batch"] = 3


def test_shape_is_a_mapping(x):
    assert "embed" in x.shape
    assert "seq" not in x.shape
    assert x.shape.get("seq") is None
    assert x.shape.get("seq", 1) == 1
    assert x.shape == {"embed": 3, "batch": 2}


def test_numbers():
    one = nt.tensor(3.0, "")
    assert (float(one), int(one), bool(one), one.item()) == (3.0, 3, True, 3.0)
    assert type(one.item()) is float


def test_a_tensor_from_lists_and_dtypes():
    assert nt.tensor([[1, 2]], "b e", dtype=jnp.float32).dtype == jnp.float32
    assert nt.tensor(np.ones((2, 1)), ["b", "e"]).dims is nt.dims("b e")
    assert nt.tensor(5, "").dims is nt.dims("")


def test_is_named(x):
    assert nt.is_named(x)
    assert not nt.is_named(x.array)


def test_equality_is_elementwise_so_there_is_no_hash(x):
    assert nt.equal(x == x, nt.ones("batch:2 embed:3") > 0)
    assert nt.equal(x != 1.0, x > 1.0)
    with pytest.raises(TypeError, match="unhashable"):
        hash(x)


def test_other_types_are_never_equal(x):
    assert (x == None) is False  # noqa: E711
    assert (x != "x") is True


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickle(x, protocol):
    back = pickle.loads(pickle.dumps(x, protocol))
    assert back.dims is x.dims
    np.testing.assert_array_equal(back.array, x.array)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_copy(x, copied):
    assert copied(x).dims is x.dims
    assert nt.equal(copied(x), x)


def test_one_leaf_and_the_names_in_the_structure(x):
    leaves, tree = jax.tree.flatten(x)
    assert len(leaves) == 1
    assert tree == jax.tree.structure(nt.zeros("batch:5 embed:1"))
    assert tree != jax.tree.structure(nt.zeros("batch:2 seq:3"))
    assert hash(tree) == hash(jax.tree.structure(nt.zeros("batch:5 embed:1")))
    assert jax.tree.unflatten(tree, [object()]).dims is x.dims


def test_tree_map(x):
    assert nt.equal(jax.tree.map(lambda a: 2 * a, {"w": x})["w"], 2 * x)
    assert nt.equal(jax.tree.map(lambda a, b: a + b, x, x), x + x)


def test_tree_map_never_lines_up_by_position():
    with pytest.raises(ValueError, match=r"dims|structure|Mismatch|mismatch"):
        jax.tree.map(jnp.add, nt.zeros("a:2 b:2"), nt.zeros("b:2 a:2"))


def squares(t):
    return (t * t).sum("embed")


def total(t):
    return (t**3).sum().array


def test_jit(x):
    out = jax.jit(squares)(x)
    assert out.dims is nt.dims("batch")
    assert nt.equal(out, nt.tensor([14.0, 77.0], "batch"))


def test_grad(x):
    assert nt.equal(jax.grad(total)(x), 3 * x * x)
    assert nt.equal(jax.jit(jax.grad(total))(x), 3 * x * x)
    assert nt.equal(nt.grad(lambda t: (t**3).sum())(x), 3 * x * x)


def test_value_and_grad_with_aux_and_argnums(x):
    def loss(a, b):
        return (a * b).sum(), {"a": a}

    (value, aux), (da, db) = nt.value_and_grad(loss, (0, 1), has_aux=True)(x, x.order("embed batch"))
    assert float(value) == 91.0
    assert nt.equal(aux["a"], x)
    assert nt.equal(da, x)
    assert nt.equal(db, x)
    assert nt.equal(nt.grad(loss, has_aux=True)(x, x)[0], x)


def test_grad_of_grad(x):
    second = nt.grad(lambda t: nt.grad(lambda u: (u**3).sum())(t).sum())(x)
    assert nt.equal(second, 6 * x)


def test_grad_takes_a_positional_loss_too():
    assert float(nt.grad(lambda v: v * v)(3.0)) == 6.0


@pytest.mark.parametrize("stored", ["batch embed", "embed batch"])
def test_vmap_by_name(x, stored):
    scale = nt.tensor([1.0, 10.0, 100.0], "embed")
    out = nt.vmap(lambda t, s: (t * s).sum(), over="batch")(x.order(stored), scale)
    assert nt.equal(out, nt.tensor([321.0, 654.0], "batch"))


def test_vmap_sees_the_dim_nowhere_and_names_every_result(x):
    def inside(tree, plain):
        assert "embed" not in tree["x"].dims
        return [tree["x"].sum(), plain, tree["other"]]

    total_, plain, other = nt.vmap(inside, over="embed")({"x": x, "other": nt.ones("seq:4")}, jnp.ones(()))
    assert nt.equal(total_, nt.tensor([5.0, 7.0, 9.0], "embed"))
    assert plain.shape == (3,)
    assert nt.equal(other, nt.ones("embed:3 seq:4"))


def test_vmap_composes(x):
    both = nt.vmap(nt.vmap(lambda t: t * 2, over="embed"), over="batch")
    assert nt.equal(both(x), 2 * x)
    slopes = nt.vmap(nt.grad(lambda t: (t * t).sum()), over="batch")(x)
    assert nt.equal(slopes, 2 * x)
    assert nt.equal(jax.jit(both)(x), 2 * x)


def test_peel_for_raw_vmap_and_scan(x):
    out = jax.vmap(lambda t: t.sum("batch"))(x.peel("embed"))
    assert nt.equal(out.name("embed"), x.sum("batch"))
    last, partial = jax.lax.scan(lambda c, t: (c + t, c + t), nt.zeros("embed:3"), x.peel("batch"))
    assert nt.equal(last, x.sum("batch"))
    assert nt.equal(partial.name("batch"), x.cumsum("batch"))


def test_optax_update(x):
    params = {"w": x, "b": nt.zeros("embed:3")}
    grads = nt.grad(lambda p: ((p["w"] + p["b"]) ** 2).sum())(params)
    optimizer = optax.adam(0.1)
    updates, _ = optimizer.update(grads, optimizer.init(params), params)
    after = optax.apply_updates(params, updates)
    assert jax.tree.structure(after) == jax.tree.structure(params)
    # the first step of Adam is the sign of the gradient times the rate, up to its epsilon
    np.testing.assert_allclose(after["w"].array, x.array - 0.1, rtol=0, atol=1e-6)


def test_device_put_and_shardings(x):
    moved = jax.device_put(x, jax.devices()[0])
    assert nt.equal(moved, x)
    sharding = NamedSharding(Mesh(np.array(jax.devices()[:1]), ("data",)), PartitionSpec("data", None))
    placed = jax.device_put(x, sharding)
    assert placed.array.sharding == sharding
    assert nt.equal(jax.jit(squares, in_shardings=(sharding,))(placed), squares(x))


def test_eval_shape(x):
    out = jax.eval_shape(squares, x)
    assert out.dims is nt.dims("batch")
    assert out.array == jax.ShapeDtypeStruct((2,), jnp.float32)
    assert dict(out.shape) == {"batch": 2}


def test_checkpoint(x):
    remade = jax.checkpoint(squares)
    assert nt.equal(remade(x), squares(x))
    assert nt.equal(nt.grad(lambda t: nt.checkpoint(squares)(t).sum())(x), 2 * x)


def test_jvp_linearize_and_vjp(x):
    out, slope = jax.jvp(squares, (x,), (x,))
    assert nt.equal(out, squares(x))
    assert nt.equal(slope, 2 * squares(x))
    _, push = jax.linearize(squares, x)
    assert nt.equal(push(x), 2 * squares(x))
    _, pull = jax.vjp(squares, x)
    assert nt.equal(pull(nt.ones("batch:2"))[0], 2 * x)


def test_custom_vjp(x):
    @jax.custom_vjp
    def f(t):
        return squares(t)

    f.defvjp(lambda t: (squares(t), t), lambda t, out: ((out * t * 100.0).order("batch embed"),))
    assert nt.equal(f(x), squares(x))
    assert nt.equal(nt.grad(lambda t: f(t).sum())(x), 100 * x)


def test_custom_jvp(x):
    @jax.custom_jvp
    def f(t):
        return squares(t)

    f.defjvp(lambda primals, tangents: (squares(*primals), (tangents[0] * 100.0).sum("embed")))
    assert nt.equal(nt.grad(lambda t: f(t).sum())(x), 100 * nt.ones("batch:2 embed:3"))


def test_cond_and_donation(x):
    out = jax.lax.cond(True, lambda t: t + 1, lambda t: t - 1, x)
    assert nt.equal(out, x + 1)
    assert nt.equal(jax.jit(lambda t: t + 1, donate_argnums=0)(x + 0), x + 1)


EQUALS = {
    "another order": (
        lambda: nt.tensor([[1, 2], [3, 4]], "a b"),
        lambda: nt.tensor([[1, 3], [2, 4]], "b a"),
        True,
    ),
    "transposed": (
        lambda: nt.tensor([[1, 2], [3, 4]], "a b"),
        lambda: nt.tensor([[1, 2], [3, 4]], "b a"),
        False,
    ),
    "another name": (lambda: nt.ones("a:2"), lambda: nt.ones("b:2"), False),
    "another size": (lambda: nt.ones("a:2"), lambda: nt.ones("a:3"), False),
    "one name more": (lambda: nt.ones("a:2"), lambda: nt.ones("a:2 b:1"), False),
    "empty": (lambda: nt.zeros("a:0"), lambda: nt.zeros("a:0"), True),
    "scalars": (lambda: nt.tensor(1.0, ""), lambda: nt.tensor(1.0, ""), True),
    "number on the left": (lambda: 1.0, lambda: nt.tensor(1.0, ""), True),
    "number on the right": (lambda: nt.tensor(1.0, ""), lambda: 1.0, True),
    "another number": (lambda: nt.tensor(1.0, ""), lambda: 2.0, False),
    "NumPy scalar": (lambda: nt.tensor(1.0, ""), lambda: np.float32(1), True),
    "tensor and number": (lambda: nt.ones("a:2"), lambda: 1.0, False),
    "two numbers": (lambda: 1.0, lambda: 1.0, True),
    "nan": (lambda: nt.tensor([NAN], "a"), lambda: nt.tensor([NAN], "a"), False),
}


@pytest.mark.parametrize(("a", "b", "same"), EQUALS.values(), ids=EQUALS)
def test_equal(a, b, same):
    assert nt.equal(a(), b()) is same
