"""Every operation against its positional counterpart, for any names, sizes and storage orders.

The table is in `operations/`, a file for each naming rule: a row there is all that a new operation needs.
"""

import importlib
import math
import operator
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import namedtensor as nt
from tests.namedtensor.operations.row import DISCRETE, DOMAINS

EPS = float(np.finfo(np.float32).eps)
NAMES = ["batch", "seq", "embed", "head", "seq'", "x_1"]
RULES = [
    "elementwise", "reduce", "along", "activations", "calculus", "logic", "quantile", "sorting",
    "special", "contract", "random", "factories", "index", "shape", "linalg", "fft", "diagonal", "edit",
    "einsum", "join", "ranges", "rename", "search", "segment", "window", "pad",
]  # fmt: skip
NAMESPACES = {
    "fft",
    "linalg",
    "random",
}  # rules whose functions are nt.random.normal and so on, and no methods

PACKAGES = {"activations": "nn"}  # tables that are not in namedtensor.ops


def rows_of(rule):
    return importlib.import_module(f"tests.namedtensor.operations.{rule}").ROWS


def table(rule):
    return importlib.import_module(f"namedtensor.{PACKAGES.get(rule, 'ops')}.{rule}")


def operations(rule):
    """The functions of a table, each once: the second names that some have need no row of their own."""
    return {getattr(table(rule), name).__name__ for name in table(rule).__all__}


ROWS = [row for rule in RULES for row in rows_of(rule)]


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
    return names, row.sized(sizes), [draw(st.permutations(operand.split())) for operand in row.operands]


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


def results_of(row, out, names):
    """The results of an operation as arrays; where one signature stands for several, they share it."""
    outs = list(out) if isinstance(out, list | tuple) else [out]
    results = row.results * len(outs) if len(row.results) == 1 else row.results
    return [in_roles(x, roles, names) for x, roles in zip(outs, results, strict=True)]


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
    @settings(max_examples=row.examples, deadline=None, database=None, derandomize=True)
    @given(layouts(row))
    def check(layout):
        names, sizes, orders = layout
        arrays = arrays_for(row, sizes)
        got = row.named(SimpleNamespace(**names), *tensors_for(row, names, orders, arrays))
        want = row.positional(np, *arrays)
        want = list(want) if isinstance(want, list | tuple) else [want]
        for g, w in zip(results_of(row, got, names), want, strict=True):
            assert_near(g, w, roundings_of(row, sizes))

    check()


@pytest.mark.parametrize("row", [r for r in ROWS if r.slopes], ids=row_id)
def test_gradients_as_the_positional_counterpart(row):
    rng = np.random.default_rng(len(row.label))
    names = dict(zip(row.roles, rng.permutation(NAMES).tolist(), strict=False))
    sizes = row.sized({r: row.sizes.get(r, 2 + i % 2) for i, r in enumerate(row.roles)})
    orders = [rng.permutation(operand.split()).tolist() for operand in row.operands]
    arrays = arrays_for(row, sizes)
    tensors = tensors_for(row, names, orders, arrays)
    argnums = tuple(i for i in range(len(arrays)) if row.domain(i) not in DISCRETE)

    def weighted(out):
        out = jnp.real(out) + jnp.imag(out) / 2
        return jnp.sum(out * jnp.cos(jnp.arange(out.size, dtype=jnp.float32)).reshape(out.shape))

    def named(*operands):
        return sum(map(weighted, results_of(row, row.named(SimpleNamespace(**names), *operands), names)))

    def positional(*operands):
        out = row.positional(jnp, *operands)
        return sum(map(weighted, out if isinstance(out, list | tuple) else [out]))

    def both(tensors, arrays):
        return [jax.value_and_grad(f, argnums)(*x) for f, x in ((named, tensors), (positional, arrays))]

    (got, got_slopes), (want, want_slopes) = jax.jit(both)(tensors, [jnp.asarray(a) for a in arrays])
    # a derivative takes about as many roundings again, and the values here have slopes of up to 4
    allowed = 8 * (roundings_of(row, sizes) + 1)
    assert_near(got, want, allowed)
    for i, g, w in zip(argnums, got_slopes, want_slopes, strict=True):
        assert_near(in_roles(g, row.operands[i], names), w, allowed)


@pytest.mark.parametrize("rule", RULES)
def test_every_operation_has_a_row(rule):
    assert {row.operation for row in rows_of(rule)} == operations(rule)


@pytest.mark.parametrize("rule", RULES)
def test_every_operation_is_public(rule):
    place = getattr(nt, rule) if rule in NAMESPACES else nt
    assert [name for name in table(rule).__all__ if not hasattr(place, name)] == []


def test_what_takes_a_tensor_first_is_a_method_too():
    functions = {
        "arange", "bartlett", "blackman", "broadcast", "concat", "einsum", "empty", "equal", "eye", "full",
        "geomspace", "hamming", "hanning", "kaiser", "linspace", "logspace", "ones", "select", "stack", "tri",
        "where", "zeros",
    }  # fmt: skip
    exported = {name for rule in RULES if rule not in NAMESPACES for name in table(rule).__all__}
    assert {name for name in exported if not hasattr(nt.NamedTensor, name)} == functions


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
