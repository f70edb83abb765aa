"""Elementwise operations, reductions and operations along a dim: what they refuse, and what is special about them."""

import inspect
import operator
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import namedtensor as nt
from namedtensor._errors import (
    BadPattern,
    DuplicateDim,
    InvalidName,
    MissingDim,
    MissingName,
    SizeMismatch,
    UnknownDim,
    Unsupported,
)
from namedtensor.nn import activations
from namedtensor.ops import along, calculus, elementwise, logic, quantile, reduce, sorting, special

TABLES = (activations, along, calculus, elementwise, logic, quantile, reduce, sorting, special)


def x():
    return nt.ones("batch:8 seq:16")


def none():
    return nt.zeros("seq:0")


RAW, X = np.ones(16, np.float32), "f32[batch:8 seq:16]"
LEFT = f"left {X}"

CASES = {
    # which dim
    "argmax over all": (lambda: x().argmax(), MissingDim,
        ["MissingDim in nt.argmax:", X, "one dim is needed", "a position in several dims is not one number", "over='seq'"]),
    "argmax over a list": (lambda: x().argmax(["seq"]), InvalidName, ["nt.argmax(over='seq')", X, "['seq'] is not a name"]),
    "argmax over a number": (lambda: x().argmax(1), InvalidName, ["nt.argmax(over=1)", X, "1 is not a name"]),
    "kthvalue of no dim": (lambda: x().kthvalue(k=1), MissingDim, ["nt.kthvalue(k=1)", X, "one dim is needed"]),
    "sum over a number": (lambda: x().sum(3), InvalidName, ["nt.sum(over=3)", X, "3 is not a list of names"]),
    "softmax over None": (lambda: x().softmax(None), InvalidName, ["nt.softmax", X, "None is not a list of names"]),
    "cumsum over None": (lambda: x().cumsum(None), MissingDim, ["nt.cumsum", X, "over='seq'"]),
    "roll over a list": (lambda: x().roll(["seq"], shift=1), InvalidName, ["nt.roll(", X, "['seq'] is not a name"]),
    "top_k, near miss": (lambda: x().top_k("sec", k=2), UnknownDim, ["nt.top_k(over='sec', k=2)", X, "Did you mean 'seq'?"]),
    "trapezoid of other positions": (lambda: x().trapezoid("seq", x=nt.ones("batch:8")), UnknownDim,
        ["nt.trapezoid(over='seq')", LEFT, "right f32[batch:8]", "no dim 'seq'"]),
    "quantile near miss": (lambda: x().quantile("sec", q=0.5), UnknownDim,
        ["nt.quantile(over='sec'", LEFT, "right 0.5", "Did you mean 'seq'?"]),
    # what is no operand
    "a text": (lambda: nt.exp("text"), MissingName, ["nt.exp", "'text' is neither a named tensor nor a number"]),
    "None": (lambda: nt.add(x(), None), MissingName, ["nt.add", LEFT, "None is neither a named tensor nor a number"]),
    "three of four": (lambda: nt.hyp2f1(x(), RAW, 1.0, 0.5), MissingName, ["nt.hyp2f1", "operand 1 f32[16]", "has no names"]),
    "an array in select": (lambda: nt.select([x() > 0], [RAW]), MissingName, ["nt.select", "operand 1 f32[16]"]),
    "an array as mask": (lambda: x().sum("seq", where=RAW > 0), MissingName, ["nt.sum(over='seq')", "right bool[16]"]),
    "an array as weights": (lambda: x().average("seq", weights=RAW), MissingName, ["nt.average(over='seq')", LEFT]),
    "an array as q": (lambda: x().quantile("seq", q=RAW), MissingName, ["nt.quantile(", "right f32[16]"]),
    "an array as option": (lambda: x().elu(alpha=RAW), MissingName, ["nt.elu", LEFT, "right f32[16]"]),
    "an array in allclose": (lambda: x().allclose(RAW), MissingName, ["nt.allclose", LEFT, "right f32[16]"]),
    "an array as shift": (lambda: x().roll("seq", shift=np.array([1, 2])), MissingName, ["nt.roll(over='seq')", "i64[2]"]),
    # masks and weights add no names and have the sizes of x
    "mask with a new name": (lambda: x().mean("seq", where=nt.ones("other:3") > 0), UnknownDim,
        ["nt.mean(over='seq')", LEFT, "right bool[other:3]", "no dim 'other'"]),
    "mask of another size": (lambda: x().softmax("seq", where=nt.ones("seq:3") > 0), SizeMismatch,
        ["nt.softmax(over='seq')", LEFT, "right bool[seq:3]", "'seq' is 16 on the left, 3 on the right"]),
    "mask of numbers": (lambda: x().sum("seq", where=nt.ones("seq:16")), Unsupported,
        ["nt.sum(over='seq')", LEFT, "right f32[seq:16]", "boolean"]),
    "weights with a new name": (lambda: x().average("seq", weights=nt.ones("other:2")), UnknownDim,
        ["nt.average(over='seq')", "right f32[other:2]", "no dim 'other'"]),
    "q with a name of x": (lambda: x().quantile("seq", q=nt.tensor([0.5], "batch")), DuplicateDim,
        ["nt.quantile(", "right f32[batch:1]", "q has the dim 'batch', which x has too", "q.rename(batch='batch_2')"]),
    "positions of two dims": (lambda: x().gradient("seq", spacing=x()), BadPattern,
        ["nt.gradient(over='seq')", LEFT, "positions have dims beside"]),
    "widths along the dim": (lambda: x().trapezoid("seq", dx=nt.ones("seq:16")), BadPattern,
        ["nt.trapezoid(over='seq')", LEFT, "right f32[seq:16]", "dx has the dim 'seq'", "x=..."]),
    # options
    "decimals is a text": (lambda: x().round(decimals="a"), BadPattern,
        ["nt.round(decimals='a')", X, "decimals='a' is not a number that is known before tracing", "decimals=0"]),
    "decimals is an array": (lambda: x().round(decimals=jnp.asarray(2)), BadPattern, ["decimals=i32[] is not a number"]),
    "decimals is a list of them": (lambda: x().round(decimals=np.array([1, 2])), BadPattern, ["decimals=i64[2] is not a number"]),
    "decimals is traced": (lambda: jax.jit(lambda n: x().round(decimals=n))(2), BadPattern,
        [X, "is not a number that is known before tracing"]),
    "ord of a matrix": (lambda: x().norm("seq", ord="fro"), BadPattern, ["nt.norm(over='seq', ord='fro')", X, "ord=2"]),
    "descending is a text": (lambda: x().sort("seq", descending="yes"), BadPattern,
        ["nt.sort(over='seq', descending='yes')", X, "is not True or False"]),
    "a dtype that is none": (lambda: x().astype("float33"), BadPattern, ["nt.astype(dtype='float33')", X, "'float33' is no dtype"]),
    "a dtype that is a list": (lambda: x().astype([1]), BadPattern, ["[1] is no dtype"]),
    "a dtype of a sum": (lambda: x().sum(dtype="float33"), Unsupported, ["nt.sum(dtype='float33')", X, "float33"]),
    "an unhashable dtype": (lambda: x().sum(dtype=[1]), BadPattern, ["dtype=[1] is no constant"]),
    "k is not given": (lambda: x().kthvalue("seq"), BadPattern, ["nt.kthvalue(over='seq')", X, "k is not given", "k=2"]),
    "k is no whole number": (lambda: x().kthvalue("seq", k=1.5), BadPattern, ["k=1.5 is no whole number"]),
    "k is too large": (lambda: x().kthvalue("seq", k=17), BadPattern, ["nt.kthvalue(over='seq', k=17)", X, "outside 1 to 16"]),
    "k is zero": (lambda: x().kthvalue("seq", k=0), BadPattern, ["outside 1 to 16", "k=1 is the smallest"]),
    "top k of fewer": (lambda: x().top_k("seq", k=17), SizeMismatch, ["nt.top_k(over='seq', k=17)", X, "16 values along 'seq', and k=17"]),
    "top k below zero": (lambda: x().top_k("seq", k=-1), BadPattern, ["k=-1 is no whole number of at least 0"]),
    "top k with a name of x": (lambda: x().top_k("seq", k=2, new="batch"), DuplicateDim,
        ["nt.top_k(over='seq', k=2, new='batch')", X, "a dim 'batch' already"]),
    "top k with no name": (lambda: x().top_k("seq", k=2, new=["rank"]), InvalidName, [X, "['rank'] is not a name"]),
    "kth too large": (lambda: x().partition("seq", kth=16), Unsupported, ["nt.partition(over='seq', kth=16)", X, "out of bounds"]),
    "shift of a half": (lambda: x().roll("seq", shift=1.5), BadPattern, ["nt.roll(over='seq', shift=1.5)", X, "no whole number"]),
    "shift of a half, as a tensor": (lambda: x().roll("seq", shift=jnp.asarray(1.5)), BadPattern, [LEFT, "not one whole number", "shift=1"]),
    "shift of several": (lambda: x().roll("seq", shift=nt.arange("batch", 8)), BadPattern, [LEFT, "not one whole number"]),
    "q of percent": (lambda: x().quantile("seq", q=50), BadPattern,
        ["nt.quantile(over='seq')", LEFT, "right 50", "q=50 is outside 0 to 1", "nt.percentile 0 to 100"]),
    "q below zero": (lambda: x().nanpercentile("seq", q=-1), BadPattern, ["nt.nanpercentile", "q=-1 is outside 0 to 100"]),
    "q is NaN": (lambda: x().quantile("seq", q=float("nan")), BadPattern, ["q=nan is outside 0 to 1"]),
    "method unknown": (lambda: x().quantile("seq", q=0.5, method="cubic"), BadPattern, ["method='cubic' is not known", "'linear'"]),
    "differences below zero": (lambda: x().diff("seq", n=-1), Unsupported, ["nt.diff(over='seq', n=-1)", X, "non-negative"]),
    # lists of select
    "more choices": (lambda: nt.select([x() > 0], [1.0, 2.0]), BadPattern,
        ["nt.select", "operand 2 2.0", "not of 1 and 2", "nt.select([x < 0, x > 1], [0.0, 1.0], x)"]),
    "no lists": (lambda: nt.select(x() > 0, x()), BadPattern, ["nt.select", "left bool[batch:8 seq:16]", f"right {X}", "lists"]),
    # nothing to choose from
    **{name: (lambda f=getattr(nt, name), more=more: f(none(), "seq", **more), Unsupported, [f"nt.{name}(over='seq'", "f32[seq:0]"])
       for name, more in {"max": {}, "min": {}, "minmax": {}, "median": {}, "nanmedian": {}, "ptp": {}, "argmax": {},
                          "nanargmin": {}, "mode": {}, "quantile": {"q": 0.5}}.items()},
    "odd size in glu": (lambda: nt.ones("embed:5").glu("embed"), SizeMismatch, ["nt.glu(over='embed')", "f32[embed:5]", "odd size 5"]),
    "too few for a slope": (lambda: nt.ones("seq:1").gradient("seq"), Unsupported, ["nt.gradient(over='seq')", "at least 2"]),
    # dtypes
    "bits of fractions": (lambda: ~x(), Unsupported, ["nt.bitwise_not", X, "float32"]),
    "shift of fractions": (lambda: x() << 1, Unsupported, ["nt.left_shift", LEFT, "right 1", "float32"]),
    "negative of truth": (lambda: -(x() > 0), Unsupported, ["nt.negative", "bool[batch:8 seq:16]", "bool"]),
    "difference of truth": (lambda: (x() > 0) - (x() > 0), Unsupported, ["nt.subtract", "left bool[batch:8 seq:16]"]),
    "median of complex": (lambda: (x() + 1j).median(), Unsupported, ["nt.median", "c64[batch:8 seq:16]", "complex"]),
    "clip of complex": (lambda: (x() + 1j).clip(0.0), Unsupported, ["nt.clip", "left c64[batch:8 seq:16]", "omplex"]),
    "gcd of fractions": (lambda: x().gcd(2), Unsupported, ["nt.gcd", LEFT, "integers"]),
    # derivatives that JAX has not
    "betainc by its parameter": (lambda: nt.grad(lambda a: nt.betainc(a, 1.0, 0.5 * x()).sum())(x()), Unsupported,
        ["nt.betainc", "operand 0", "gradient with respect to a and b"]),
}  # fmt: skip


@pytest.mark.parametrize(("call", "error", "parts"), CASES.values(), ids=CASES)
def test_error(call, error, parts):
    with pytest.raises(error) as caught:
        call()
    missing = [part for part in parts if part not in str(caught.value)]
    assert not missing, str(caught.value)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: x().round(2), "1 positional argument"),
        (lambda: x().round(decimal=2), "'decimal'"),
        (lambda: x().softmax("seq", axis=1), "'axis'"),
        (lambda: x().sum("seq", keepdims=True), "'keepdims'"),
        (lambda: nt.betainc(1.0, x()), "takes 3 operands (a, b, x), 2 were given"),
        (lambda: divmod(x(), None), "unsupported operand"),
    ],
)
def test_a_wrong_signature_is_pythons_own_error(call, says):
    with pytest.raises(TypeError) as caught:
        call()
    assert says in str(caught.value)


def test_every_operation_refuses_a_tensor_in_transit():
    moving = nt.ones("layer:2 a:2 b:2").peel("layer")
    options = {
        "k": 1,
        "kth": 0,
        "q": 0.5,
        "shift": 1,
        "d": 1,
        "exponent_bits": 5,
        "mantissa_bits": 3,
        "dtype": int,
    }
    for table in TABLES:
        for name in set(table.__all__) - {"select"}:
            parameters = inspect.signature(getattr(nt, name)).parameters.values()
            needed = [p for p in parameters if p.default is p.empty]
            more = {p.name: options[p.name] for p in needed if p.name in options}
            operands = ["b" if p.name == "over" else moving for p in needed if p.name not in options]
            if not any(p.name == "over" for p in needed) and any(p.name == "over" for p in parameters):
                more["over"] = "b"
            with pytest.raises(nt.NamedShapeError, match="in transit"):
                getattr(nt, name)(*operands, **more)


# options


def test_a_signature_shows_the_options():
    assert str(inspect.signature(nt.nan_to_num)) == "(x: Any, *, nan=0.0, posinf=None, neginf=None)"
    assert "k" in inspect.signature(nt.kthvalue).parameters
    assert inspect.signature(nt.hyp2f1).parameters.keys() == {"a", "b", "c", "x"}


def test_a_new_number_compiles_nothing(compilations):
    t = nt.ones("a:3")
    t.leaky_relu(negative_slope=0.1), t.quantile(q=0.1), t.isclose(t, rtol=0.1)
    assert compilations.since(lambda: [t.leaky_relu(negative_slope=n / 8) for n in range(3)]) == 0
    assert compilations.since(lambda: [t.quantile(q=n / 8) for n in range(3)]) == 0


def test_an_option_may_be_traced_and_learned():
    t = nt.tensor([-2.0, 3.0], "a")
    slope = jax.jit(jax.grad(lambda s: t.leaky_relu(negative_slope=s).sum().array))(0.1)
    assert float(slope) == -2.0
    out = jax.jit(lambda n: nt.arange("a", 4).roll("a", shift=n))(3)
    np.testing.assert_array_equal(out.array, np.roll(np.arange(4), 3))


def test_none_stands_for_the_default():
    t = nt.tensor([-1.234, 2.5], "a")
    assert nt.equal(t.round(decimals=None), t.round())
    assert nt.equal(t.leaky_relu(negative_slope=None), t.leaky_relu())
    assert nt.equal(t.sum("a", where=None, dtype=None), t.sum("a"))


@pytest.mark.parametrize(
    ("named", "positional"),
    [
        (lambda t: t.leaky_relu(), lambda a: jax.nn.leaky_relu(a, 0.01)),
        (lambda t: t.leaky_relu(negative_slope=0.2), lambda a: jax.nn.leaky_relu(a, 0.2)),
        (lambda t: t.round(decimals=1), lambda a: jnp.round(a, 1)),
        (lambda t: t.std("b", ddof=1), lambda a: jnp.std(a, (1,), ddof=1)),
        (lambda t: t.softmax("b"), lambda a: jax.nn.softmax(a, (1,))),
        (lambda t: t.sort("b", descending=True), lambda a: jnp.sort(a, 1, descending=True)),
        (lambda t: t.clip(0.0, 1.0), lambda a: jnp.clip(a, min=0.0, max=1.0)),
    ],
)
def test_names_leave_nothing_in_a_jaxpr(named, positional):
    t = nt.tensor(np.random.default_rng(0).normal(size=(2, 3)).astype(np.float32), "a b")
    assert str(jax.make_jaxpr(lambda t: named(t).array)(t)) == str(jax.make_jaxpr(positional)(t.array))


# second names


@pytest.mark.parametrize(
    "name", sorted({n for t in TABLES for n in t.__all__ if getattr(t, n).__name__ != n})
)
def test_a_second_name_is_the_same_function(name):
    function = getattr(nt, name)
    first = function.__name__
    assert function is getattr(nt, first)
    assert getattr(nt.NamedTensor, name) is function
    places = [place for place in (jnp, jax.nn, jax.lax, jax.scipy.special) if hasattr(place, name)]
    assert places, "a second name is one that JAX has"


def test_functions_are_pickled_by_their_table():
    for name in ("exp", "add", "sum", "cumsum", "relu", "digamma"):
        assert pickle.loads(pickle.dumps(getattr(nt, name))) is getattr(nt, name)


@pytest.mark.parametrize("name", sorted(activations.__all__))
def test_an_activation_is_in_nn_too(name):
    assert getattr(nt.nn, name) is getattr(nt, name)


def test_softmax_and_the_identity_are_in_nn():
    assert nt.nn.softmax is nt.softmax
    assert nt.nn.log_softmax is nt.log_softmax
    t = x()
    assert nt.nn.identity(t) is t


# operators


@pytest.mark.parametrize("operation", [operator.lshift, operator.rshift, divmod])
def test_operators_of_integers(operation):
    a, b = np.int32([[9, 20], [5, 7]]), np.int32([1, 3])
    s, t = nt.tensor(a.T, "c r"), nt.tensor(b, "c")
    cases = [(s, t, a, b[None]), (t, s, b[None], a), (s, 2, a, 2), (100, s, 100, a)]
    for left, right, *arrays in cases:
        got, want = operation(left, right), operation(*arrays)
        for g, w in zip(*[o if isinstance(o, tuple) else (o,) for o in (got, want)], strict=True):
            np.testing.assert_array_equal(g.to_array("r c"), w)


def test_pythons_round_plus_and_parts():
    t = nt.tensor([1.256 + 2j, -0.5], "a")
    np.testing.assert_allclose(round(t.real, 1).array, [1.3, -0.5], rtol=np.finfo(np.float32).eps)
    np.testing.assert_array_equal(round(t.imag).array, [2, 0])
    assert nt.equal(+t, t)


# values


def test_nothing_left_by_a_mask():
    t, no = nt.tensor([[1.0, 2.0]], "a b"), nt.tensor([False, False], "b")
    assert t.sum("b", where=no).item() == 0
    assert t.prod("b", where=no).item() == 1
    assert t.max("b", where=no).item() == -np.inf
    assert t.min("b", where=no).item() == np.inf
    assert t.astype(int).max("b", where=no).item() == np.iinfo(np.int32).min
    assert t.astype(bool).min("b", where=no).item() is True
    assert np.isnan(t.mean("b", where=no).item())


def test_whole_numbers_have_a_softmax():
    t = nt.tensor([1, 2, 3], "a")
    np.testing.assert_array_equal(t.softmax("a").array, t.astype(float).softmax("a").array)
    np.testing.assert_array_equal(t.cumlogsumexp("a").array, t.astype(float).cumlogsumexp("a").array)


def test_standardize_far_from_zero():
    t = nt.tensor(1e4 + np.float32([0, 1, 2, 3]), "a")
    want = (np.arange(4) - 1.5) / np.sqrt(1.25 + 1e-5)
    # the centred values are exact; a square, a mean, a root and a product are rounded
    np.testing.assert_allclose(t.standardize("a").array, want, rtol=8 * np.finfo(np.float32).eps)


def test_quantiles_by_whole_numbers():
    t = nt.arange("a", 5)
    np.testing.assert_array_equal(t.percentile("a", q=nt.tensor([25, 50, 100], "level")).array, [1, 2, 4])
    assert t.quantile(q=1).item() == 4
    assert t.quantile(q=nt.tensor(0.5, "")).dims == ()


def test_the_mode_is_the_smallest_of_the_commonest():
    values, counts = nt.tensor([[3, 1, 3, 1], [2, 2, 2, 0]], "a b").mode("b")
    np.testing.assert_array_equal(values.array, [1, 2])
    np.testing.assert_array_equal(counts.array, [2, 3])


def test_the_first_of_equals_is_the_kth():
    values, positions = nt.tensor([5.0, 1.0, 1.0], "a").kthvalue("a", k=1)
    assert (values.item(), positions.item()) == (1.0, 1)


def test_allclose_is_false_for_other_names_and_sizes():
    t = nt.ones("a:2 b:2")
    assert t.allclose(1.0)
    assert nt.allclose(1.0, t)
    assert t.allclose(t.order("b a"))
    assert not t.allclose(nt.ones("a:2"))
    assert not t.allclose(nt.ones("a:2 b:1"))
    assert t.allclose(t + 0.1, atol=0.2)
    assert not t.allclose(t + 0.1, rtol=0.0, atol=0.01)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
@pytest.mark.parametrize(
    "operation",
    [
        lambda t: t.exp(), lambda t: t.gelu(), lambda t: t.leaky_relu(negative_slope=0.1), lambda t: t.softmax("a"),
        lambda t: t.mean(), lambda t: t.std("a", ddof=1), lambda t: t.norm("a"), lambda t: t.quantile("a", q=0.25),
        lambda t: t.average("a", weights=t), lambda t: t.standardize("a"), lambda t: t.clip(0.0, 0.5),
        lambda t: t.trapezoid("a", dx=0.1), lambda t: t.cumlogsumexp("a"), lambda t: t.digamma(), lambda t: nt.where(t > 0, t, 1.0),
    ],
)  # fmt: skip
def test_a_half_stays_a_half(operation, dtype):
    assert operation(nt.tensor([0.25, 0.5, 1.0, 2.0], "a").astype(dtype)).dtype == dtype


@pytest.mark.parametrize(
    ("call", "advice"),
    [
        (lambda x: x.sum(axis=1), "over='embed'"),
        (lambda x: x.mean("a", keepdims=True), "lines up by name"),
        (lambda x: x.softmax("a", dim=0), "over='embed'"),
    ],
)
def test_options_of_positional_libraries_get_advice(call, advice):
    with pytest.raises(TypeError, match="unexpected keyword argument") as caught:
        call(nt.ones("a:2"))
    assert advice in str(caught.value)


def test_attributes_of_positional_arrays_get_advice():
    x = nt.ones("a:2 b:3")
    with pytest.raises(AttributeError, match=r"no attribute 'T': axes have names here. Write x.order"):
        x.T
    with pytest.raises(AttributeError, match=r"no attribute 'kitchen'$"):
        x.kitchen
    assert not hasattr(x, "reshape")
    assert getattr(x, "numpy", None) is None
