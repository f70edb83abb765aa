"""Every operation against its positional counterpart, for any names, sizes and storage orders.

A row says which roles ("a b c") its operands and its result have. Hypothesis draws a name for each
role, a size, and the order in which each operand is stored; the positional counterpart gets the axes
in the order of the roles, and the result is compared in the order of its roles.
"""

import dataclasses
import math
import operator
from collections.abc import Callable
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import namedtensor as nt
from namedtensor.ops import along, contract, elementwise, factories, index, random, reduce, shape

EPS = float(np.finfo(np.float32).eps)
NAMES = ["batch", "seq", "embed", "head", "seq'", "x_1"]


@dataclasses.dataclass(frozen=True)
class Row:
    """One operation: how it is called by name, and by position."""

    operation: str
    signature: str  # roles of each operand and of the result, "a b, b c -> a b c"
    named: Callable  # (names of the roles, *named operands)
    positional: Callable  # (numpy or jax.numpy, *arrays)
    _: dataclasses.KW_ONLY
    values: tuple[str, ...] = ()  # of each operand; "real" where left out
    sizes: dict[str, int] = dataclasses.field(default_factory=dict)
    nonempty: str = ""  # roles of which size 0 is not legal
    slopes: bool = False  # whether it is differentiable
    roundings: int = 1  # for each element of the operands that a result depends on
    label: str = ""

    @property
    def operands(self):
        return [o for o in self.signature.partition("->")[0].strip().split(", ") if o]

    @property
    def result(self):
        return self.signature.partition("->")[2].strip()

    @property
    def roles(self):
        return sorted(set(" ".join([*self.operands, self.result]).split()))

    def domain(self, i):
        return self.values[i] if i < len(self.values) else "real"


DOMAINS = {
    "real": lambda rng, n: rng.uniform(-1, 1, n).astype(np.float32),
    "positive": lambda rng, n: rng.uniform(0.25, 1, n).astype(np.float32),
    "low": lambda rng, n: rng.uniform(-0.5, -0.25, n).astype(np.float32),
    "high": lambda rng, n: rng.uniform(0.25, 0.5, n).astype(np.float32),
    "integer": lambda rng, n: rng.integers(-3, 4, n).astype(np.int32),
    "count": lambda rng, n: rng.integers(1, 4, n).astype(np.int32),
    "bool": lambda rng, n: rng.integers(0, 2, n).astype(bool),
    "index": lambda rng, n: rng.integers(-3, 3, n).astype(np.int32),
    "special": lambda rng, n: rng.choice(np.float32([0, 1, np.nan, np.inf, -np.inf]), n),
}
DISCRETE = {"integer", "count", "bool", "index"}


def same(name):
    """The function of this name in NumPy, and in jax.numpy where a derivative is asked for."""
    return lambda xp, *arrays: getattr(xp, name)(*arrays)


def jax_only(function):
    return lambda xp, *arrays: function(*arrays)


# rule U: name -> (positional, values, differentiable, roundings)
UNARY = {
    **{
        k: (same(k), "real", True, 4)
        for k in ("absolute", "cos", "exp", "expm1", "negative", "sin", "square", "tanh")
    },
    **{k: (same(k), "positive", True, 4) for k in ("log", "log1p", "reciprocal", "sqrt")},
    **{k: (same(k), "real", True, 0) for k in ("ceil", "floor", "sign")},
    **{k: (same(k), "special", False, 0) for k in ("isfinite", "isnan")},
    **{
        k: (jax_only(getattr(jax.nn, k)), "real", True, 8)
        for k in ("elu", "gelu", "leaky_relu", "relu", "sigmoid", "silu", "softplus")
    },
    "bitwise_not": (same("bitwise_not"), "integer", False, 0),
    "logical_not": (same("logical_not"), "bool", False, 0),
    "rsqrt": (lambda xp, x: 1 / xp.sqrt(x), "positive", True, 4),
    "stop_gradient": (jax_only(jax.lax.stop_gradient), "real", True, 0),
}

# rule B: name -> (positional, values of both, differentiable)
BINARY = {
    **{k: (same(k), ("real", "real"), True) for k in ("add", "maximum", "minimum", "multiply", "subtract")},
    **{
        k: (same(k), ("integer", "integer"), False)
        for k in ("greater", "greater_equal", "less", "less_equal", "not_equal")
    },
    **{k: (same(k), ("integer", "integer"), False) for k in ("bitwise_and", "bitwise_or", "bitwise_xor")},
    **{k: (same(k), ("bool", "bool"), False) for k in ("logical_and", "logical_or", "logical_xor")},
    **{k: (same(k), ("integer", "count"), False) for k in ("floor_divide", "remainder")},
    "divide": (same("divide"), ("real", "positive"), True),
    "equal_to": (same("equal"), ("integer", "integer"), False),
    "power": (same("power"), ("positive", "real"), True),
}

# rule R: name -> (NumPy's, values, differentiable, whether it is defined for no elements)
REDUCTIONS = {
    "all": (lambda xp, x, axis: xp.all(x, axis), "bool", False, True),
    "any": (lambda xp, x, axis: xp.any(x, axis), "bool", False, True),
    "logsumexp": (lambda xp, x, axis: xp.log(xp.sum(xp.exp(x), axis)), "real", True, False),
    "max": (lambda xp, x, axis: xp.max(x, axis), "real", True, False),
    "mean": (lambda xp, x, axis: xp.mean(x, axis), "real", True, False),
    "min": (lambda xp, x, axis: xp.min(x, axis), "real", True, False),
    "prod": (lambda xp, x, axis: xp.prod(x, axis), "positive", True, True),
    "std": (lambda xp, x, axis: xp.std(x, axis), "real", True, False),
    "sum": (lambda xp, x, axis: xp.sum(x, axis), "real", True, True),
    "var": (lambda xp, x, axis: xp.var(x, axis), "real", True, False),
}


def standardized(xp, x, axis):
    centred = x - xp.mean(x, axis, keepdims=True)
    return centred / xp.sqrt(xp.var(x, axis, keepdims=True) + np.float32(1e-5))


def softmax(xp, x, axis):
    return xp.exp(x) / xp.sum(xp.exp(x), axis, keepdims=True)


# rule K: name -> (positional, whether several dims may be given)
ALONG = {
    "cumprod": (lambda xp, x, axis: xp.cumprod(x, axis), False),
    "cumsum": (lambda xp, x, axis: xp.cumsum(x, axis), False),
    "flip": (lambda xp, x, axis: xp.flip(x, axis), True),
    "log_softmax": (lambda xp, x, axis: xp.log(softmax(xp, x, axis)), True),
    "softmax": (softmax, True),
    "sort": (lambda xp, x, axis: xp.sort(x, axis), False),
    "standardize": (standardized, True),
}


# Each row: operation, its signature, by name, by position, and what else it needs.
# fmt: off
def elementwise_rows():
    for name, (positional, values, slopes, roundings) in UNARY.items():
        yield Row(name, "a b -> a b", lambda d, x, f=getattr(nt, name): f(x), positional,
                  values=(values,), slopes=slopes, roundings=roundings)
    for name, (positional, values, slopes) in BINARY.items():
        yield Row(name, "a b, b c -> a b c", lambda d, x, y, f=getattr(nt, name): f(x, y),
                  lambda xp, x, y, f=positional: f(xp, x[:, :, None], y[None]),
                  values=values, slopes=slopes, roundings=4)
    yield Row("where", "a b, b c, c -> a b c", lambda d, p, x, y: nt.where(p, x, y),
              lambda xp, p, x, y: xp.where(p[:, :, None], x[None], y[None, None]), values=("bool",), slopes=True)
    yield Row("clip", "a b, b, c -> a b c", lambda d, x, low, high: nt.clip(x, low, high),
              lambda xp, x, low, high: xp.clip(x[:, :, None], low[None, :, None], high[None, None]),
              values=("real", "low", "high"), slopes=True)
    yield Row("astype", "a b -> a b", lambda d, x: nt.astype(x, jnp.int32), lambda xp, x: x.astype("int32"))
    yield Row("astype", "a -> a", lambda d, x: x.astype(float), lambda xp, x: x.astype("float32"),
              values=("bool",), label="from bool")


def reduction_rows():
    for name, (positional, values, slopes, empty) in REDUCTIONS.items():
        f, nonempty = getattr(nt, name), "" if empty else "a b c"
        more = {"values": (values,), "slopes": slopes, "roundings": 8, "nonempty": nonempty}
        yield Row(name, "a b c -> b", lambda d, x, f=f: f(x, f"{d.c} {d.a}"),
                  lambda xp, x, p=positional: p(xp, x, (0, 2)), **more)
        yield Row(name, "a b c -> ", lambda d, x, f=f: f(x), lambda xp, x, p=positional: p(xp, x, None),
                  label="all dims", **more)
    yield Row("sum", "a b -> a b", lambda d, x: x.sum(""), lambda xp, x: x, label="no dims")
    for name in ("argmax", "argmin"):
        yield Row(name, "a b c -> a c", lambda d, x, f=getattr(nt, name): f(x, d.b),
                  lambda xp, x, name=name: getattr(xp, name)(x, 1), nonempty="b")


def along_rows():
    for name, (positional, several) in ALONG.items():
        f, more = getattr(nt, name), {"slopes": True, "roundings": 16, "nonempty": "a b c"}
        yield Row(name, "a b c -> a b c", lambda d, x, f=f: f(x, d.b),
                  lambda xp, x, p=positional: p(xp, x, 1), **more)
        if several:
            yield Row(name, "a b c -> a b c", lambda d, x, f=f: f(x, [d.c, d.a]),
                      lambda xp, x, p=positional: p(xp, x, (0, 2)), label="two dims", **more)


def einsum(formula):
    return lambda xp, *arrays: xp.einsum(formula, *arrays)


def dot_rows():
    def dot(label, formula, over, **more):
        def named(d, *tensors):
            return nt.dot(*tensors, over=[getattr(d, r) for r in over])

        operands, _, result = formula.partition("->")
        signature = f"{', '.join(map(' '.join, operands.split(',')))} -> {' '.join(result)}"
        return Row("dot", signature, named, einsum(formula), label=label, roundings=4, **more)

    yield dot("matrix product", "ab,bc->ac", over="b", slopes=True)
    yield dot("two dims", "abc,cdb->ad", over="cb", slopes=True)
    yield dot("batch", "abc,cad->abd", over="c", slopes=True)
    yield dot("inner", "a,a->", over="a", slopes=True)
    yield dot("outer", "a,b->ab", over="", slopes=True)
    yield dot("pointwise", "ab,ba->ab", over="")
    yield dot("one tensor", "ab->b", over="a")
    yield dot("three", "ab,bc,cad->ad", over="bc", slopes=True)
    yield dot("in all three", "ab,b,bc->ac", over="b", slopes=True)
    yield dot("skips one", "ab,c,bc->ac", over="b")
    yield dot("integers", "ab,bc->ac", over="b", values=("integer", "integer"))
    yield Row("dot", "a b, b c -> a c", lambda d, x, y: x.dot(d.b, y), einsum("ab,bc->ac"), label="method")


def random_row(name, **more):
    key = jax.random.key(7)
    return Row(name, " -> a b", lambda d: getattr(nt.random, name)(key, f"{d.a}:2 {d.b}:3", **more),
               lambda xp: getattr(jax.random, name)(key, (2, 3), float, *more.values()), label=str(more or ""))


def factory_rows():
    yield Row("full", " -> a b", lambda d: nt.full(f"{d.a}:2 {d.b}:3", 7), lambda xp: xp.full((2, 3), 7, "int32"))
    yield Row("zeros", " -> a b", lambda d: nt.zeros(f"{d.a}:2 {d.b}:0"), lambda xp: xp.zeros((2, 0), "float32"))
    yield Row("ones", " -> a", lambda d: nt.ones(f"{d.a}:2", dtype=jnp.int32), lambda xp: xp.ones(2, "int32"))
    yield Row("arange", " -> a", lambda d: nt.arange(d.a, 4), lambda xp: xp.arange(4, dtype="int32"))
    yield Row("one_hot", "a b -> a b c", lambda d, x: nt.one_hot(x, d.c, 3),
              lambda xp, x: (x[..., None] == xp.arange(3)).astype("float32"), values=("integer",))
    yield random_row("normal")
    yield random_row("uniform")
    yield random_row("uniform", low=-2.0, high=5.0)


def index_rows():
    real_index, three = ("real", "index", "index"), {"a": 3, "b": 3}
    yield Row("isel", "a b -> a", lambda d, x: x.isel(**{d.b: 1}), lambda xp, x: x[:, 1],
              sizes=three, slopes=True, label="integer")
    yield Row("isel", "a b -> a", lambda d, x: x[{d.b: np.int64(-1)}], lambda xp, x: x[:, -1],
              nonempty="b", label="from the end")
    yield Row("isel", "a b -> ", lambda d, x: x[{d.b: nt.tensor(2, ""), d.a: jnp.int32(0)}], lambda xp, x: x[0, 2],
              sizes=three, label="arrays of no axes")
    for s in (slice(1, 3), slice(None, None, -1), slice(-1, None), slice(5, 9), slice(None, None, 2)):
        yield Row("isel", "a b -> a b", lambda d, x, s=s: x.isel(**{d.a: s}), lambda xp, x, s=s: x[s],
                  slopes=s.step == -1, label=str(s))
    yield Row("isel", "a b, c -> c b", lambda d, x, i: x.isel(**{d.a: i}), lambda xp, x, i: x[i],
              values=real_index, sizes=three, slopes=True, label="new dim")
    yield Row("isel", "a b, c d -> c d b", lambda d, x, i: x[{d.a: i}], lambda xp, x, i: x[i],
              values=real_index, sizes={"a": 3}, label="two new dims")
    yield Row("isel", "a b c, b -> b c", lambda d, x, i: x.isel(**{d.a: i}),
              lambda xp, x, i: xp.stack([x[i[k], k] for k in range(3)]),
              values=real_index, sizes=three, slopes=True, label="shared dim")
    yield Row("isel", "a b c, d b -> b d c", lambda d, x, i: x.isel(**{d.a: i}),
              lambda xp, x, i: xp.stack([x[i[:, k], k] for k in range(3)]),
              values=real_index, sizes=three, label="shared and new")
    yield Row("isel", "a b, c, c -> c", lambda d, x, i, j: x.isel(**{d.a: i, d.b: j}),
              lambda xp, x, i, j: x[i, j], values=real_index, sizes=three, label="pairs")


def shape_rows():
    six = {"b": 6}
    yield Row("split", "a b -> a c d", lambda d, x: x.split(d.b, f"{d.c} {d.d}", **{d.c: 2, d.d: 3}),
              lambda xp, x: x.reshape(x.shape[0], 2, 3), sizes=six, slopes=True)
    yield Row("split", "a b -> a c d", lambda d, x: x.split(d.b, [d.c, d.d], **{d.d: 3}),
              lambda xp, x: x.reshape(x.shape[0], 2, 3), sizes=six, label="one left out")
    yield Row("split", "a b -> a b c", lambda d, x: x.split(d.b, f"{d.b} {d.c}", **{d.c: 1}),
              lambda xp, x: x[..., None], nonempty="b", label="keeps its name")
    yield Row("split", "a b -> a c d", lambda d, x: x.split(d.b, f"{d.c} {d.d}", **{d.c: 0, d.d: 5}),
              lambda xp, x: x.reshape(x.shape[0], 0, 5), sizes={"b": 0}, label="of size 0")
    yield Row("merge", "a b c -> d b", lambda d, x: x.merge(f"{d.c} {d.a}", d.d),
              lambda xp, x: xp.transpose(x, (2, 0, 1)).reshape(x.shape[2] * x.shape[0], x.shape[1]), slopes=True)
    yield Row("merge", "a b -> a", lambda d, x: x.merge([d.b, d.a], d.a), lambda xp, x: x.T.reshape(-1),
              label="keeps a name")
    yield Row("rename", "a b -> c b", lambda d, x: x.rename(**{d.a: d.c}), lambda xp, x: x, slopes=True)
    yield Row("rename", "a b -> b a", lambda d, x: x.rename(**{d.a: d.b, d.b: d.a}), lambda xp, x: x, label="swap")
    yield Row("rename", "a b -> c b", lambda d, x: x.order([d.a, d.b]).rename(f"{d.c} ..."), lambda xp, x: x,
              label="by position")
    yield Row("order", "a b c -> a b c", lambda d, x: x.order(f"{d.c} ... {d.a}"), lambda xp, x: x, slopes=True)
    yield Row("to_array", "a b c -> ", lambda d, x: x.to_array(f"{d.c} ... {d.a}"),
              lambda xp, x: xp.transpose(x, (2, 1, 0)))
    yield Row("expect", "a b c -> a b c", lambda d, x: x.expect(f"{d.c} ...").expect([d.c, d.a, d.b]),
              lambda xp, x: x, slopes=True)
    yield Row("concat", "a b, b a -> a b", lambda d, x, y: nt.concat([x, y], d.a),
              lambda xp, x, y: xp.concatenate([x, y.T]), slopes=True)
    yield Row("concat", "a b, c b -> a b", lambda d, x, y: nt.concat([x, y.rename(**{d.c: d.a})], d.a),
              lambda xp, x, y: xp.concatenate([x, y]), label="two sizes")
    yield Row("stack", "a b, b a, a b -> a c b", lambda d, x, y, z: nt.stack([x, y, z], d.c),
              lambda xp, x, y, z: xp.stack([x, y.T, z], 1), slopes=True)
    yield Row("unstack", "a b -> b", lambda d, x: x.unstack(d.a), lambda xp, x: list(x))
    yield Row("equal", "a b c -> ", lambda d, x: nt.equal(x, x.order(f"{d.b} ... {d.a}")), lambda xp, x: True)
    yield Row("equal", "a b -> ", lambda d, x: nt.equal(x, x + 1), lambda xp, x: False, nonempty="a b",
              label="other values")
    yield Row("peel", "a b c -> b c a", lambda d, x: nt.vmap(lambda t: t * 2, over=d.b)(x),
              lambda xp, x: 2 * xp.transpose(x, (1, 2, 0)), nonempty="b")
    yield Row("name", "a b c -> d b c", lambda d, x: x.peel(d.a).name(d.d), lambda xp, x: x, slopes=True)
# fmt: on


ROWS = [
    *elementwise_rows(),
    *reduction_rows(),
    *along_rows(),
    *dot_rows(),
    *factory_rows(),
    *index_rows(),
    *shape_rows(),
]
TABLES = (along, contract, elementwise, factories, index, reduce, shape)
EXPORTED = {name for table in TABLES for name in table.__all__} | {
    name for name, value in vars(random).items() if getattr(value, "__module__", "") == random.__name__
}


def row_id(row):
    return f"{row.operation} {row.label}".strip()


@st.composite
def layouts(draw, row):
    """Names and sizes of the roles, and the storage order of each operand."""
    names = dict(zip(row.roles, draw(st.permutations(NAMES)), strict=False))
    sizes = {
        r: row.sizes.get(r, draw(st.sampled_from([1, 2, 3] if r in row.nonempty else [2, 3, 1, 0])))
        for r in row.roles
    }
    return names, sizes, [draw(st.permutations(operand.split())) for operand in row.operands]


def arrays_for(row, sizes):
    rng = np.random.default_rng(len(row.operation))
    shapes = [tuple(sizes[r] for r in operand.split()) for operand in row.operands]
    return [DOMAINS[row.domain(i)](rng, s) for i, s in enumerate(shapes)]


def tensors_for(row, names, orders, arrays):
    """The arrays, named and stored in the drawn orders."""
    return [
        nt.tensor(np.transpose(a, [roles.split().index(r) for r in order]), [names[r] for r in order])
        for a, roles, order in zip(arrays, row.operands, orders, strict=True)
    ]


def in_roles(x, roles, names):
    """What an operation returned, with its axes in the order of the roles."""
    return x.to_array([names[r] for r in roles.split()]) if nt.is_named(x) else x


def assert_near(got, want, roundings):
    """Equal up to so many roundings of numbers of size 1 (the values of all operands are below 1)."""
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape
    assert (got.dtype.kind in "iu") == (want.dtype.kind in "iu")
    assert (got.dtype == bool) == (want.dtype == bool)
    np.testing.assert_allclose(got, want, rtol=roundings * EPS, atol=roundings * EPS)


def roundings_of(row, sizes):
    """A sum of n terms is rounded n times."""
    return row.roundings * max(1, *(math.prod(sizes[r] for r in o.split()) for o in row.operands), 1)


@pytest.mark.parametrize("row", ROWS, ids=row_id)
def test_as_the_positional_counterpart(row):
    @settings(max_examples=5, deadline=None, database=None, derandomize=True)
    @given(layouts(row))
    def check(layout):
        names, sizes, orders = layout
        arrays = arrays_for(row, sizes)
        got = row.named(SimpleNamespace(**names), *tensors_for(row, names, orders, arrays))
        want = row.positional(np, *arrays)
        if isinstance(got, list):
            assert len(got) == len(want)
        else:
            got, want = [got], [want]
        for g, w in zip(got, want, strict=True):
            assert_near(in_roles(g, row.result, names), w, roundings_of(row, sizes))

    check()


@pytest.mark.parametrize("row", [r for r in ROWS if r.slopes], ids=row_id)
def test_gradients_as_the_positional_counterpart(row):
    rng = np.random.default_rng(len(row.label))
    names = dict(zip(row.roles, rng.permutation(NAMES).tolist(), strict=False))
    sizes = {r: row.sizes.get(r, 2 + i % 2) for i, r in enumerate(row.roles)}
    orders = [rng.permutation(operand.split()).tolist() for operand in row.operands]
    arrays = arrays_for(row, sizes)
    tensors = tensors_for(row, names, orders, arrays)
    argnums = tuple(i for i in range(len(arrays)) if row.domain(i) not in DISCRETE)

    def weighted(out):
        return jnp.sum(out * jnp.cos(jnp.arange(out.size, dtype=jnp.float32)).reshape(out.shape))

    def named(*operands):
        return weighted(in_roles(row.named(SimpleNamespace(**names), *operands), row.result, names))

    def positional(*operands):
        return weighted(row.positional(jnp, *operands))

    def both(tensors, arrays):
        return [jax.value_and_grad(f, argnums)(*x) for f, x in ((named, tensors), (positional, arrays))]

    (got, got_slopes), (want, want_slopes) = jax.jit(both)(tensors, [jnp.asarray(a) for a in arrays])
    # a derivative takes about as many roundings again, and the values here have slopes of up to 4
    allowed = 8 * (roundings_of(row, sizes) + 1)
    assert_near(got, want, allowed)
    for i, g, w in zip(argnums, got_slopes, want_slopes, strict=True):
        assert_near(in_roles(g, row.operands[i], names), w, allowed)


def test_every_operation_has_a_row():
    assert {row.operation for row in ROWS} == EXPORTED


def test_every_operation_is_public():
    assert [name for name in EXPORTED if not hasattr(nt.random if hasattr(random, name) else nt, name)] == []


def test_what_takes_a_tensor_first_is_a_method_too():
    functions = {"arange", "concat", "equal", "full", "normal", "ones", "stack", "uniform", "where", "zeros"}
    assert {name for name in EXPORTED if not hasattr(nt.NamedTensor, name)} == functions


ARITHMETIC = [
    operator.add,
    operator.sub,
    operator.mul,
    operator.truediv,
    operator.floordiv,
    operator.mod,
    operator.pow,
    operator.eq,
    operator.ne,
    operator.lt,
    operator.le,
    operator.gt,
    operator.ge,
]
FLOATS = (np.float32([[0.5, 2.0], [1.0, 3.0]]), np.float32([2.0, 0.5]), 2.0)
INTEGERS = (np.int32([[7, 2], [1, 4]]), np.int32([2, 3]), 3)
BOOLS = (np.array([[True, False], [True, True]]), np.array([True, False]), True)


@pytest.mark.parametrize(
    ("operation", "values"),
    [(f, v) for f in ARITHMETIC for v in (FLOATS, INTEGERS)]
    + [(f, v) for f in (operator.and_, operator.or_, operator.xor) for v in (BOOLS, INTEGERS)],
    ids=lambda p: p.__name__ if callable(p) else str(p[0].dtype),
)
def test_operators(operation, values):
    matrix, vector, number = values
    x, y = nt.tensor(matrix.T, "b a"), nt.tensor(vector, "b")
    cases = [(x, y, matrix, vector[None]), (y, x, vector[None], matrix), (x, number, matrix, number)]
    cases += [(number, x, number, matrix), (type(matrix[0, 0])(number), x, number, matrix)]
    for left, right, *arrays in cases:
        out = operation(left, right)
        want = operation(*arrays)
        assert (out.dtype == bool) == (want.dtype == bool)
        np.testing.assert_allclose(out.to_array("a b"), want, rtol=4 * EPS)


@pytest.mark.parametrize(
    ("operation", "values"),
    [
        (operator.neg, FLOATS),
        (operator.neg, INTEGERS),
        (abs, FLOATS),
        (operator.inv, BOOLS),
        (operator.inv, INTEGERS),
    ],
    ids=lambda p: p.__name__ if callable(p) else str(p[0].dtype),
)
def test_unary_operators(operation, values):
    np.testing.assert_array_equal(operation(nt.tensor(values[0], "a b")).array, operation(values[0]))


@pytest.mark.parametrize("n", [2, 3, -1, 0.5])
def test_power_of_negative_numbers_and_its_slope_at_zero(n):
    values = np.float32([-2.0, 0.0, 1.5] if n in (2, 3) else [0.25, 1.0, 4.0])
    x = nt.tensor(values, "a")
    np.testing.assert_allclose((x**n).array, values**n, rtol=4 * EPS)
    slope = nt.grad(lambda t: (t**n).sum())(x)
    np.testing.assert_allclose(slope.array, n * values ** (n - 1), rtol=8 * EPS)


@pytest.mark.parametrize("missing", [3, -4, 100])
def test_a_tensor_index_out_of_range_is_no_neighbour(missing):
    table = nt.tensor(np.float32([[0, 1], [2, 3], [4, 5]]), "vocab embed")
    out = table.isel(vocab=nt.tensor([0, missing], "seq")).to_array("seq embed")
    np.testing.assert_array_equal(out, [[0, 1], [np.nan, np.nan]])
    counts = nt.tensor([1, 2, 3], "vocab").isel(vocab=nt.tensor([missing], "seq"))
    assert counts.array[0] == np.iinfo(np.int32).min


def test_one_hot_out_of_range_is_zero_and_takes_a_dtype():
    out = nt.one_hot(nt.tensor([-1, 3, 2], "seq"), "class", 3, dtype=jnp.int32)
    np.testing.assert_array_equal(out.to_array("seq class"), [[0, 0, 0], [0, 0, 0], [0, 0, 1]])
    assert out.dtype == jnp.int32


def test_an_index_that_is_traced():
    x = nt.tensor(np.arange(6).reshape(2, 3), "a b")
    for i in (-3, -1, 0, 2):
        assert nt.equal(jax.jit(lambda x, i: x.isel(b=i))(x, i), x.isel(b=i))


def test_dot_takes_a_precision():
    x, w = nt.tensor([[1.0, 2.0]], "a b"), nt.tensor([3.0, 4.0], "b")
    assert float(nt.dot(x, w, over="b", precision=jax.lax.Precision.HIGHEST).sum()) == 11.0
    jaxpr = str(jax.make_jaxpr(lambda x, w: x.dot("b", w, precision="highest"))(x, w))
    assert "HIGHEST" in jaxpr


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16, jnp.int8])
def test_a_number_does_not_change_the_dtype(dtype):
    x = nt.ones("a:2", dtype=dtype)
    assert (x + 1).dtype == (1 * x).dtype == (x.array + 1).dtype == dtype
    assert (x * np.float32(2)).dtype == (x.array * np.float32(2)).dtype
