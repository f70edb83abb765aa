"""`nt.lift` and `nt.wrap_fn`: names around functions that are written with positions."""

import collections
import gc
import itertools
import weakref

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import namedtensor as nt
from namedtensor._errors import (
    BadPattern,
    DimMismatch,
    DuplicateDim,
    InvalidName,
    MissingName,
    RankMismatch,
    SizeMismatch,
    UnknownDim,
    Unsupported,
)

EPS = float(np.finfo(np.float32).eps)
RNG = np.random.default_rng(0)
A, B = (RNG.uniform(0.5, 1, s).astype(np.float32) for s in ((2, 3, 4), (3, 5)))  # [batch i j], [i head]
ORDERS = list(itertools.permutations(["batch", "i", "j"]))
Pair = collections.namedtuple("Pair", "low high")


def x():
    return nt.ones("batch:2 seq:3 embed:4")


def lopsided(a):
    """A function of a matrix whose result changes with the order of its axes, and that of its rows."""
    return a.cumsum(0) / a.sum(1)[:, None]


def stored(array, names, order):
    """A tensor whose axes are stored in another order."""
    return nt.tensor(np.transpose(array, [names.split().index(d) for d in order]), order)


# nt.lift --------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ORDERS, ids=" ".join)
def test_each_slice_as_by_itself(order):
    out = nt.lift(lopsided, "i j")(stored(A, "batch i j", order))
    want = np.stack([lopsided(a) for a in A])
    np.testing.assert_allclose(out.to_array("batch i j"), want, rtol=8 * EPS)
    swapped = nt.lift(lopsided, "j i -> j i")(stored(A, "batch i j", order))
    np.testing.assert_allclose(swapped.to_array("batch j i"), [lopsided(a.T) for a in A], rtol=8 * EPS)


@pytest.mark.parametrize("order", ORDERS, ids=" ".join)
@pytest.mark.parametrize("other", [["i", "head"], ["head", "i"]], ids=" ".join)
def test_dims_that_are_not_listed_are_united(order, other):
    both = nt.lift(lambda a, b: jnp.outer(a, b)[1:], "j, i -> j' i")
    out = both(stored(A, "batch i j", order).rename(i="k"), stored(B, "i head", other))
    want = np.einsum("bkj,ih->bkhji", A, B)[..., 1:, :]
    np.testing.assert_allclose(out.to_array("batch k head j' i"), want, rtol=4 * EPS)
    assert out.dims[-2:] == ("j'", "i")


def test_a_shared_dim_is_matched_by_name():
    out = nt.lift(jnp.dot, "j, head -> ")(nt.tensor(A[:, :, :3], "batch i j"), nt.tensor(B[:, :3], "i head"))
    np.testing.assert_allclose(
        out.to_array("batch i"), np.einsum("bij,ij->bi", A[:, :, :3], B[:, :3]), rtol=8 * EPS
    )


def test_gradients():
    a, b = stored(A, "batch i j", ["j", "batch", "i"]), nt.tensor(B, "i head")
    weight = RNG.uniform(size=(2, 5, 3, 4)).astype(np.float32)

    def core(a, b):
        return jnp.sin(a.cumsum(0) * b[:, None])

    def named(a, b):
        return (nt.lift(core, "i j, i -> i j")(a, b) * nt.tensor(weight, "batch head i j")).sum()

    def positional(a, b):
        return sum((core(a[n], b[:, h]) * weight[n, h]).sum() for n in range(2) for h in range(5))

    got, want = nt.grad(named, (0, 1))(a, b), jax.grad(positional, (0, 1))(jnp.asarray(A), jnp.asarray(B))
    rounded = {"rtol": 0, "atol": 40 * 16 * EPS}  # 40 terms below 4, each a product of several factors
    np.testing.assert_allclose(got[0].to_array("batch i j"), want[0], **rounded)
    np.testing.assert_allclose(got[1].to_array("i head"), want[1], **rounded)


def test_keywords_are_bound_and_not_mapped():
    a = nt.tensor(A, "batch i t")
    quartile = nt.lift(jnp.quantile, "t -> ", q=0.25)
    np.testing.assert_allclose(quartile(a).to_array("batch i"), np.quantile(A, 0.25, axis=-1), rtol=8 * EPS)
    several = nt.lift(jnp.quantile, "t -> q", q=jnp.array([0.25, 0.5]))
    np.testing.assert_allclose(
        several(a).to_array("q batch i"), np.quantile(A, [0.25, 0.5], axis=-1), rtol=8 * EPS
    )


def test_numbers():
    power = nt.lift(lambda a, n: a**n, "i, -> i")
    np.testing.assert_allclose(power(nt.tensor(B, "i head"), 3).to_array("i head"), B**3, rtol=8 * EPS)
    exponents = nt.tensor([1.0, 2.0], "n")
    assert dict(power(nt.tensor(B, "i head"), exponents).shape) == {"i": 3, "head": 5, "n": 2}
    np.testing.assert_allclose(
        power(nt.tensor(B, "i head"), exponents).isel(n=1).to_array("i head"), B**2, rtol=8 * EPS
    )


def test_one_entry_stands_for_each_named_operand():
    blend = nt.lift(lambda a, b, share: a * share + b[::-1], "i")
    out = blend(nt.tensor(B, "i head"), nt.tensor(A, "batch i j"), 0.5)
    want = 0.5 * B[None, :, :, None] + A[:, ::-1][:, :, None]
    np.testing.assert_allclose(out.to_array("batch i head j"), want, rtol=4 * EPS)
    assert float(nt.lift(jnp.hypot, "")(3.0, nt.tensor(4.0, ""))) == 5.0
    number_first = nt.lift(lambda share, a: share * a, "i")(0.5, nt.tensor(B, "i head"))
    np.testing.assert_array_equal(number_first.to_array("i head"), 0.5 * B)


def test_an_empty_pattern_maps_over_all():
    out = nt.lift(lambda a: jnp.where(a > 0.75, a, -a), "")(nt.tensor(A, "batch i j"))
    np.testing.assert_array_equal(out.to_array("batch i j"), np.where(A > 0.75, A, -A))


def test_several_results():
    q, r = nt.lift(jnp.linalg.qr, "i j -> i k, k j")(nt.tensor(A, "batch i j"))
    np.testing.assert_allclose(q.dot("k", r).to_array("batch i j"), A, rtol=0, atol=32 * EPS)
    assert dict(q.shape) == {"batch": 2, "i": 3, "k": 3}
    low, high = nt.lift(lambda t: [t.min(), jnp.sort(t)], "t")(nt.tensor(B, "head t"))
    np.testing.assert_array_equal(low.to_array("head"), B.min(1))
    np.testing.assert_array_equal(high.to_array("head t"), np.sort(B, 1))


def test_a_tree_of_results_keeps_its_structure():
    b = nt.tensor(B, "head t")
    out = nt.lift(lambda t: {"low": t.min(), "rest": (t.max(), 1.0)}, "t -> ")(b)
    assert set(out) == {"low", "rest"}
    np.testing.assert_array_equal(out["rest"][0].to_array("head"), B.max(1))
    np.testing.assert_array_equal(out["rest"][1].to_array("head"), np.ones(3))
    pair = nt.lift(lambda t: Pair(t.min(), t), "t -> , t")(b)
    assert type(pair) is Pair
    assert (pair.low.dims, pair.high.dims) == (("head",), ("head", "t"))


def test_a_result_may_have_another_size_where_the_arrow_names_it():
    out = nt.lift(jnp.diff, "t -> t")(nt.tensor(B, "head t"))
    np.testing.assert_array_equal(out.to_array("head t"), np.diff(B, axis=1))


def test_a_result_that_does_not_depend_on_the_operand_has_its_dims():
    assert dict(nt.lift(lambda t: 2.0, "t -> ")(nt.tensor(B, "head t")).shape) == {"head": 3}


@pytest.mark.parametrize("sizes", ["batch:0 t:3", "batch:2 t:0", "batch:1 t:1"])
def test_dims_of_size_0_and_1(sizes):
    out = nt.lift(lambda t: t.sum() + t, "t")(nt.ones(sizes))
    assert out.shape == nt.ones(sizes).shape


def test_random_keys_are_mapped():
    keys = nt.tensor(jax.random.split(jax.random.key(0), 3), "batch")
    draw = nt.lift(lambda key, scale: scale * jax.random.normal(key, (4,)), ", -> sample")
    out = draw(keys, nt.ones("head:2"))
    want = jax.vmap(lambda key: jax.random.normal(key, (4,)))(keys.array)
    np.testing.assert_allclose(out.to_array("head batch sample")[1], want, rtol=4 * EPS)


def test_it_is_called_as_the_function_that_it_lifts():
    def median(t):
        """The middle."""
        return jnp.median(t)

    assert (nt.lift(median, "t").__name__, nt.lift(median, "t").__doc__) == ("median", "The middle.")


# lift: under transformations, and what it costs


def test_under_transformations():
    a = nt.tensor(A, "batch i j")
    unit = nt.lift(lopsided, "i j")
    want = unit(a).to_array("batch i j")
    stacked = nt.stack([a, a], "layer")
    for other in (
        jax.jit(unit)(a),
        nt.vmap(unit, over="batch")(a),
        nt.vmap(unit, over="layer")(stacked).isel(layer=1),
    ):
        np.testing.assert_allclose(other.to_array("batch i j"), want, rtol=8 * EPS)
    slope = jax.grad(lambda p: nt.lift(lambda t: t * p, "j")(a).sum().array)(2.0)  # a tracer in the closure
    np.testing.assert_allclose(slope, A.sum(), rtol=24 * EPS)
    _, tangent = jax.jvp(nt.lift(jnp.cumsum, "j"), (a,), (a,))
    np.testing.assert_allclose(tangent.to_array("batch i j"), A.cumsum(-1), rtol=8 * EPS)


def test_nothing_is_left_in_a_jaxpr():
    a, b = nt.tensor(A, "batch i j"), nt.tensor(B, "i head")
    got = jax.make_jaxpr(lambda a: nt.lift(lopsided, "i j")(a).array)(a)
    assert str(got) == str(jax.make_jaxpr(jax.vmap(lopsided))(a.array))
    a, c = a.isel(j=slice(3)), b.isel(head=slice(3))
    got = jax.make_jaxpr(lambda a, c: nt.lift(jnp.dot, "j, head -> ")(a, c).array)(a, c)
    by_hand = jax.vmap(jax.vmap(jnp.dot), in_axes=(0, None))
    assert str(got) == str(jax.make_jaxpr(by_hand)(a.array, c.array))


def test_an_eager_call_is_one_program_and_the_second_compiles_nothing(compilations):
    a, b = nt.ones("batch:5 i:3 j:4"), nt.ones("head:6 i:3")
    lifted = nt.lift(lambda a, b: (a.cumsum(0).T @ b, b), "i j, i -> j, i")
    assert compilations.since(lambda: lifted(a, b)) == 1
    other, reordered = a + a, b.order("i head")
    assert compilations.since(lambda: lifted(other, b)) == 0
    assert compilations.since(lambda: lifted(a, reordered)) == 1


def test_a_lifted_function_that_is_dropped_is_freed():
    def core(t):
        return t * 2

    lifted, ref = nt.lift(core, "t"), weakref.ref(core)
    lifted(nt.ones("batch:2 t:3"))
    del lifted, core
    gc.collect()
    assert ref() is None


def middle(t):
    return jnp.median(t)


def failing(t):
    raise ZeroDivisionError("what the user wrote")


X = "f32[batch:2 seq:3 embed:4]"
LIFT_ERRORS = {
    "unknown dim": (lambda: nt.lift(middle, "sec -> ")(x()), UnknownDim,
        ["UnknownDim in nt.lift(middle, 'sec -> ')", X, "no dim 'sec'", "Did you mean 'seq'?"]),
    "a dim of a number": (lambda: nt.lift(jnp.dot, "seq, seq -> ")(x(), 2.0), UnknownDim,
        [f"left {X}", "right 2.0", "no dim 'seq'", "it is a scalar"]),
    "no pattern": (lambda: nt.lift(middle, ["seq"]), BadPattern, ["nt.lift(middle, ['seq'])", "is no pattern", "'i j, k -> i k'"]),
    "two arrows": (lambda: nt.lift(middle, "i -> j -> k"), BadPattern, ["'->' stands twice", "'i -> j -> k'"]),
    "dots": (lambda: nt.lift(middle, "... seq -> "), BadPattern, ["'... seq' is no list of dims", "maps over all others"]),
    "a star": (lambda: nt.lift(middle, "*, seq -> "), BadPattern, ["'*' is no list of dims"]),
    "no name": (lambda: nt.lift(middle, "seq:3 -> "), InvalidName, ["nt.lift(middle, 'seq:3 -> ')", "'seq:3' is not a name"]),
    "a name twice": (lambda: nt.lift(middle, "seq -> a a"), DuplicateDim, ["'a' stands twice"]),
    "no function": (lambda: nt.lift(x(), "seq"), Unsupported, ["nt.lift(NamedTensor, 'seq')", "is no function"]),
    "operands too many": (lambda: nt.lift(jnp.dot, "seq, seq -> ")(x(), x(), x()), BadPattern,
        ["nt.lift(dot, 'seq, seq -> ')", f"operand 2 {X}", "lists 2 operands, the call has 3"]),
    "operands too few": (lambda: nt.lift(jnp.dot, "seq, seq -> ")(x()), BadPattern, ["lists 2 operands, the call has 1"]),
    "no operands": (lambda: nt.lift(middle, "seq -> ")(), BadPattern, ["lists 1 operands, the call has 0"]),
    "sizes of what is mapped": (lambda: nt.lift(jnp.dot, "seq, seq -> ")(x(), nt.ones("seq:3 batch:1")), SizeMismatch,
        [f"left {X}", "right f32[seq:3 batch:1]", "'batch' is 2 on the left, 1 on the right"]),
    "sizes of what is listed": (lambda: nt.lift(jnp.outer, "seq, seq -> a b")(x(), nt.ones("seq:1")), SizeMismatch,
        ["'seq' is 3 on the left, 1 on the right"]),
    "listed here, mapped there": (lambda: nt.lift(jnp.dot, "seq, embed -> ")(x().isel(embed=0), x().isel(seq=0).rename(batch="seq")),
        DimMismatch, ["'seq' is listed for one operand, and another has it too", ".rename(seq='seq_2')"]),
    "a result that is mapped over": (lambda: nt.lift(lambda t: t, "seq -> embed")(x()), DuplicateDim,
        ["nt.lift(<lambda>, 'seq -> embed')", X, "a result gets the dim 'embed', and the operands are mapped over it"]),
    "too many axes": (lambda: nt.lift(jnp.outer, "seq, embed -> seq")(x(), x()[{"seq": 0}].rename(batch="b")), DimMismatch,
        ["'embed' is listed for one operand"]),
    "a result of too many axes": (lambda: nt.lift(lambda t: t[:, None], "seq -> seq")(x()), RankMismatch,
        [X, "a result has 2 axes (3, 1), and 'seq' names 1"]),
    "a result of too few axes": (lambda: nt.lift(middle, "seq -> seq")(x()), RankMismatch, ["a result has 0 axes (), and 'seq' names 1"]),
    "a result that nobody named": (lambda: nt.lift(lambda t: jnp.outer(t, t), "seq")(x()), BadPattern,
        [X, "the shape (3, 3), the first operand (3,)", "'seq -> dim_0 dim_1'"]),
    "a result of another size": (lambda: nt.lift(jnp.diff, "seq")(x()), BadPattern, ["the shape (2,), the first operand (3,)", "'seq -> dim_0'"]),
    "a transposed result": (lambda: nt.lift(jnp.transpose, "seq embed")(x()), BadPattern, ["(4, 3)", "(3, 4)", "'seq embed -> dim_0 dim_1'"]),
    "a result for two entries": (lambda: nt.lift(middle, "seq -> , seq")(x()), BadPattern,
        ["the function returned one ", "names 2 results", "each part after '->'"]),
    "three results for two entries": (lambda: nt.lift(lambda t: (t, t, t), "seq -> seq, seq")(x()), BadPattern,
        ["the function returned 3 parts", "names 2 results"]),
    "nothing": (lambda: nt.lift(lambda t: None, "seq")(x()), Unsupported, [X, "the function returned None, no array"]),
    "a string": (lambda: nt.lift(lambda t: "t", "seq -> ")(x()), Unsupported, ["the function returned a str, no array"]),
    "a named result": (lambda: nt.lift(lambda t: nt.tensor(t, "seq"), "seq")(x()), Unsupported,
        ["the function returned f32[seq:3], which has names already", "nt.vmap(f, over='batch')"]),
    "an array": (lambda: nt.lift(middle, "seq -> ")(np.ones((2, 3))), MissingName,
        ["nt.lift(middle, 'seq -> ')", "f64[2, 3] has no names"]),
    "a list": (lambda: nt.lift(middle, "seq -> ")([1.0, 2.0]), MissingName, ["a list has no names"]),
    "parameters": (lambda: nt.lift(jnp.dot, ", seq -> ")({"w": 1.0}, x()), Unsupported,
        ["an operand is a dict", "nt.lift(f, spec, name=value)"]),
    "in transit": (lambda: nt.lift(middle, "seq -> ")(x().peel("batch")), RankMismatch, ["nt.lift(middle", "in transit"]),
    "a named keyword": (lambda: nt.lift(jnp.quantile, "seq -> ", q=nt.ones("q:2")), Unsupported,
        ["nt.lift(quantile, 'seq -> ')", "the keyword 'q' is a named tensor", "an entry of its own"]),
}  # fmt: skip


@pytest.mark.parametrize(("call", "error", "parts"), LIFT_ERRORS.values(), ids=LIFT_ERRORS)
def test_errors_of_lift(call, error, parts):
    with pytest.raises(error) as caught:
        call()
    assert not [part for part in parts if part not in str(caught.value)], str(caught.value)


@pytest.mark.parametrize("under", [lambda f: f, jax.jit], ids=["eager", "jit"])
def test_an_error_of_the_function_is_let_through(under):
    with pytest.raises(ZeroDivisionError) as caught:
        under(nt.lift(failing, "seq"))(x())
    assert caught.value.args == ("what the user wrote",)


def test_a_named_error_inside_shows_its_own_operation():
    with pytest.raises(UnknownDim, match=r"in nt\.sum\(over='time'\)"):
        nt.lift(lambda t: nt.tensor(t, "seq").sum("time").array, "seq -> ")(x())


# nt.wrap_fn -----------------------------------------------------------------------------------


def dense(params, x):
    return {"out": x @ params["w"]}, x.shape[0]


def product(x, w):
    return x @ w


def test_arguments_are_ordered_and_results_named():
    model = nt.wrap_fn(product, "batch seq, seq out -> batch out")
    left, right = RNG.normal(size=(2, 3)).astype(np.float32), B
    for names in itertools.permutations(["batch", "seq"]):
        out = model(stored(left, "batch seq", names), stored(right, "seq out", ["out", "seq"]))
        assert out.dims == ("batch", "out")
        np.testing.assert_allclose(out.array, left @ right, rtol=0, atol=16 * EPS)


def test_what_is_passed_as_it_is():
    params, batch = {"w": jnp.ones((4, 2))}, nt.ones("embed:4 batch:3")
    (named, count) = nt.wrap_fn(dense, "*, batch embed -> batch out, *")(params, batch)
    assert dict(named["out"].shape) == {"batch": 3, "out": 2}
    assert count == 3
    assert type(nt.wrap_fn(dense, "*, batch embed -> *")(params, batch)[0]["out"]) is type(params["w"])


def test_keywords_and_numbers_reach_the_function():
    scaled = nt.wrap_fn(lambda x, n, *, shift=0.0: x * n + shift, "batch, -> batch")
    np.testing.assert_array_equal(scaled(nt.ones("batch:2"), 3, shift=1.0).array, [4, 4])
    assert nt.wrap_fn(lambda x: 2.0, "batch -> ")(nt.ones("batch:2")).item() == 2.0


def test_wrapped_under_transformations():
    model = nt.wrap_fn(product, "batch seq, seq out -> batch out")
    left, right = nt.tensor(A, "layer seq batch"), nt.tensor(B[:, :2], "seq out")
    one = left.isel(layer=1)
    want = model(one, right).array
    np.testing.assert_allclose(jax.jit(model)(one, right).array, want, rtol=8 * EPS)
    mapped = nt.vmap(model, over="layer")(left, right).isel(layer=1)
    np.testing.assert_allclose(mapped.to_array("batch out"), want, rtol=8 * EPS)
    slope = nt.grad(lambda w: model(one, w).sum())(right)
    np.testing.assert_allclose(slope.to_array("seq out"), A[1].sum(1)[:, None].repeat(2, 1), rtol=8 * EPS)
    got = jax.make_jaxpr(lambda x, w: model(x, w).array)(one.order("batch seq"), right)
    assert str(got) == str(jax.make_jaxpr(product)(one.to_array("batch seq"), right.array))


def test_a_wrapped_function_keeps_its_name():
    assert nt.wrap_fn(product, "a b, b c -> a c").__name__ == "product"


SPEC = "batch seq, seq out -> batch out"
LEFT, RIGHT = "left f32[batch:2 seq:3]", "right f32[seq:3 out:5]"


def call(spec=SPEC, f=product, left="batch:2 seq:3", right="seq:3 out:5"):
    return nt.wrap_fn(f, spec)(nt.ones(left), nt.ones(right))


WRAP_ERRORS = {
    "no arrow": (lambda: call("batch seq, seq out"), BadPattern,
        ["nt.wrap_fn(product, 'batch seq, seq out')", "does not say what the results are", "-> batch out"]),
    "dots": (lambda: call("... seq, seq out -> ... out"), BadPattern, ["'... seq' is no list of dims"]),
    "no function": (lambda: nt.wrap_fn("model", SPEC), Unsupported, ["'model' is no function"]),
    "another dim": (lambda: call(left="batch:2 sek:3"), DimMismatch,
        [f"nt.wrap_fn(product, {SPEC!r})", "left f32[batch:2 sek:3]", RIGHT,
         "argument 0 must have the dims 'batch seq', and has 'batch sek'", "Did you mean 'seq'?"]),
    "a dim too many": (lambda: call(right="seq:3 out:5 head:1"), DimMismatch, [LEFT, "argument 1 must have the dims 'seq out'"]),
    "a dim too few": (lambda: call(left="seq:3"), DimMismatch, ["must have the dims 'batch seq', and has 'seq'"]),
    "two sizes": (lambda: call(right="seq:4 out:5"), SizeMismatch,
        [LEFT, "right f32[seq:4 out:5]", "'seq' is 3 on the left, 4 on the right"]),
    "an argument too many": (lambda: nt.wrap_fn(product, SPEC)(1, 2, 3), BadPattern, ["lists 2 arguments, the call has 3"]),
    "an array": (lambda: nt.wrap_fn(product, SPEC)(np.ones((2, 3)), nt.ones("seq:3 out:5")), MissingName,
        ["left f64[2, 3]", "f64[2, 3] has no names"]),
    "a number": (lambda: nt.wrap_fn(product, SPEC)(2.0, nt.ones("seq:3 out:5")), DimMismatch, ["argument 0", "and has ''"]),
    "in transit": (lambda: nt.wrap_fn(jnp.sin, "seq embed -> seq embed")(x().peel("batch")), RankMismatch, ["in transit"]),
    "a result of another rank": (lambda: call("batch seq, seq out -> batch"), RankMismatch,
        [LEFT, "a result has 2 axes (2, 5), and 'batch' names 1"]),
    "a result that is transposed": (lambda: call("batch seq, seq out -> out batch"), SizeMismatch,
        ["'out' is 5 in the arguments, 2 in a result", "after '->': out_2"]),
    "a result too many": (lambda: call("batch seq, seq out -> batch out, *"), BadPattern, ["names 2 results"]),
    "a named result": (lambda: nt.wrap_fn(lambda t: nt.tensor(t, "seq"), "seq -> seq")(nt.ones("seq:3")), Unsupported,
        ["f32[seq:3], which has names already"]),
}  # fmt: skip


@pytest.mark.parametrize(("call", "error", "parts"), WRAP_ERRORS.values(), ids=WRAP_ERRORS)
def test_errors_of_wrap_fn(call, error, parts):
    with pytest.raises(error) as caught:
        call()
    assert not [part for part in parts if part not in str(caught.value)], str(caught.value)
