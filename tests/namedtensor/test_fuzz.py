"""The public face under random names, orders, sizes and nonsense, against the literal semantics.

Whatever comes in, out comes the result that `literal.py` defines, or a `NamedShapeError` where it has
none: never another error, never another result, and never a result where there should be an error.
"""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import namedtensor as nt
from tests.namedtensor import literal
from tests.namedtensor.literal import Literal, Refused

NAMES = ["a", "b", "c"]
EXAMPLES = settings(max_examples=60, deadline=None, database=None, derandomize=True)

# what a hurried user passes for a name or a list of them
nonsense = st.sampled_from(["", "d", "a b", "a a", "1", "a:2", "...", 3, -1, 1.5, None, [], ["a", 0], (), True, {"a": 1}, object])  # fmt: skip
specs = st.one_of(
    st.lists(st.sampled_from([*NAMES, "d"]), max_size=3).map(" ".join),
    st.lists(st.sampled_from(NAMES), max_size=3, unique=True),
    nonsense,
)
one_name = st.one_of(st.sampled_from([*NAMES, "d"]), nonsense)


@st.composite
def tensors(draw, sizes=(2, 3, 1, 0), low=-3):
    """A named tensor in some order of storage, and the same thing literally; whole numbers, so exact."""
    names = draw(st.lists(st.sampled_from(NAMES), max_size=3, unique=True))
    shape = [draw(st.sampled_from(sizes)) for _ in names]
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    array = rng.integers(low, 4, shape).astype(np.float32)
    pair = Literal(dict(zip(names, shape, strict=True)), lambda p: float(array[tuple(p[d] for d in names)]))
    return nt.tensor(array, names), pair


def outcome(call):
    """A result, or that it was refused; any error but a named one is let through, and fails the test."""
    try:
        return call()
    except (nt.NamedShapeError, Refused):
        return None


def check(named, literally):
    """Both refuse, or both agree on names, sizes and values."""
    got, want = outcome(named), outcome(literally)
    assert (got is None) == (want is None), f"here {got!r}, literally {want and want.sizes}"
    if want is not None:
        assert dict(got.shape) == want.sizes
        names = list(want.sizes)
        np.testing.assert_allclose(got.to_array(names), want.array(names), rtol=1e-5, atol=1e-5)


BINARY = {
    "add": np.add, "subtract": np.subtract, "multiply": np.multiply, "maximum": np.maximum,
    "less": np.less, "equal_to": np.equal, "arctan2": np.arctan2, "hypot": np.hypot, "logaddexp": np.logaddexp,
}  # fmt: skip
UNARY = {
    "exp": np.exp,
    "negative": np.negative,
    "relu": lambda v: max(v, 0.0),
    "floor": np.floor,
    "tanh": np.tanh,
}
REDUCTIONS = {"sum": sum, "prod": np.prod, "any": any, "all": all, "count_nonzero": np.count_nonzero}
NONEMPTY = {"max": max, "min": min, "mean": np.mean, "var": np.var, "median": np.median}
ALONG = {"cumsum": np.cumsum, "cumprod": np.cumprod, "sort": np.sort, "flip": np.flip}


@pytest.mark.parametrize("name", BINARY)
@EXAMPLES
@given(tensors(), tensors())
def test_binary(name, x, y):
    check(lambda: getattr(nt, name)(x[0], y[0]), lambda: literal.elementwise(BINARY[name], x[1], y[1]))


@pytest.mark.parametrize("name", UNARY)
@EXAMPLES
@given(tensors())
def test_unary(name, x):
    check(lambda: getattr(nt, name)(x[0]), lambda: literal.elementwise(UNARY[name], x[1]))


@EXAMPLES
@given(tensors(), tensors(), tensors())
def test_where(condition, x, y):
    choose = lambda c, a, b: a if c > 0 else b  # noqa: E731
    check(lambda: nt.where(condition[0] > 0, x[0], y[0]),
          lambda: literal.elementwise(choose, condition[1], x[1], y[1]))  # fmt: skip


@pytest.mark.parametrize("name", REDUCTIONS)
@EXAMPLES
@given(tensors(), specs)
def test_reductions(name, x, over):
    check(lambda: getattr(nt, name)(x[0], over), lambda: literal.reduced(REDUCTIONS[name], x[1], over))


@pytest.mark.parametrize("name", NONEMPTY)
@EXAMPLES
@given(tensors(sizes=(2, 3, 1)), specs)
def test_reductions_of_something(name, x, over):
    check(lambda: getattr(nt, name)(x[0], over), lambda: literal.reduced(NONEMPTY[name], x[1], over))


@pytest.mark.parametrize("name", ALONG)
@EXAMPLES
@given(tensors(), one_name)
def test_along(name, x, over):
    if name == "flip" and not (isinstance(over, str) and len(over.split()) == 1):
        return  # it takes several dims
    check(lambda: getattr(nt, name)(x[0], over), lambda: literal.along(ALONG[name], x[1], over))


@EXAMPLES
@given(st.lists(tensors(), max_size=3), specs)
def test_dot(operands, over):
    check(
        lambda: nt.dot(*[x for x, _ in operands], over=over),
        lambda: literal.dot([x for _, x in operands], over),
    )


@EXAMPLES
@given(tensors(), st.dictionaries(st.sampled_from([*NAMES, "d"]), one_name, max_size=3))
def test_rename(x, names):
    check(lambda: x[0].rename(**names), lambda: literal.rename(x[1], names))


@EXAMPLES
@given(tensors(), specs, one_name)
def test_merge(x, parts, into):
    check(lambda: x[0].merge(parts, into), lambda: literal.merge(x[1], parts, into))


@EXAMPLES
@given(
    tensors(sizes=(2, 3, 1, 0, 6)),
    st.sampled_from(NAMES),
    specs,
    st.lists(st.integers(0, 3), min_size=3, max_size=3),
)
def test_split(x, dim, into, counts):
    names = into.split() if isinstance(into, str) else into if isinstance(into, list | tuple) else []
    names = [n for n in names if isinstance(n, str) and n.isidentifier() and n not in ("x", "dim", "into")]
    sizes = dict(zip(dict.fromkeys(names), counts, strict=False))
    check(lambda: x[0].split(dim, into, **sizes), lambda: literal.split(x[1], dim, into, sizes))


@EXAMPLES
@given(st.lists(tensors(), max_size=3), one_name)
def test_concat_and_stack(operands, dim):
    named, pairs = [x for x, _ in operands], [x for _, x in operands]
    check(lambda: nt.concat(named, dim), lambda: literal.concat(pairs, dim))
    check(lambda: nt.stack(named, dim), lambda: literal.stack(pairs, dim))


@EXAMPLES
@given(
    tensors(),
    st.sampled_from([*NAMES, "d"]),
    st.integers(-4, 4),
    st.integers(-4, 4),
    st.sampled_from([1, 2, -1, None]),
)
def test_positions_and_slices(x, dim, i, j, step):
    check(lambda: x[0].isel(**{dim: i}), lambda: literal.picked(x[1], dim, i))
    check(lambda: x[0].isel(**{dim: slice(i, j, step)}), lambda: literal.sliced(x[1], dim, slice(i, j, step)))


@EXAMPLES
@given(tensors(), st.sampled_from([*NAMES, "d"]), tensors(low=-4))
def test_gather(x, dim, ids):
    check(lambda: x[0].isel(**{dim: ids[0].astype(int)}), lambda: literal.gathered(x[1], dim, ids[1]))


@EXAMPLES
@given(tensors(), specs)
def test_order_changes_nothing(x, spec):
    got = outcome(lambda: x[0].order(spec))
    if got is not None:
        check(lambda: got, lambda: x[1])


RAW = st.sampled_from(
    [np.ones((2, 3)), [1.0, 2.0], "text", None, object(), {"a": 1}, (), jax.random.key(0), float]
)
CALLS = {
    "add": lambda x, y: nt.add(x, y), "+": lambda x, y: x + y, "exp": lambda x, y: nt.exp(y),
    "sum": lambda x, y: nt.sum(y, "a"), "softmax": lambda x, y: nt.softmax(y, "a"),
    "dot": lambda x, y: nt.dot(x, y, over="a"), "where": lambda x, y: nt.where(y, x, x),
    "concat": lambda x, y: nt.concat([x, y], "a"), "stack": lambda x, y: nt.stack([y, x], "d"),
    "order": lambda x, y: nt.order(y, "a"), "merge": lambda x, y: nt.merge(y, "a b", "d"),
    "isel": lambda x, y: nt.isel(y, a=0), "gather": lambda x, y: x.isel(a=y), "one_hot": lambda x, y: nt.one_hot(y, "d", 3),
    "clip": lambda x, y: nt.clip(y, 0, 1), "rename": lambda x, y: nt.rename(y, a="d"),
    "conv": lambda x, y: nt.nn.conv(x, y, {"a": "k"}), "cross_entropy": lambda x, y: nt.nn.cross_entropy(y, x, "a"),
    "tensor": lambda x, y: nt.tensor(y, "a b c d"), "full": lambda x, y: nt.full(y, 1.0), "[]": lambda x, y: x[y],
}  # fmt: skip


@pytest.mark.parametrize("call", CALLS)
@settings(max_examples=20, deadline=None, database=None, derandomize=True)
@given(RAW)
def test_what_is_no_named_tensor_is_refused(call, raw):
    """With one clear error; Python's own TypeError is one for an operator between two types."""
    x = nt.ones("a:2 b:3")
    if call in ("full", "[]") and isinstance(raw, dict):
        return  # sizes, or positions, by name
    with pytest.raises((nt.NamedShapeError, TypeError) if call == "+" else nt.NamedShapeError):
        CALLS[call](x, raw)


def test_what_is_in_transit_is_refused_everywhere():
    x = nt.ones("a:2 b:3 c:4").peel("a")
    for call in (lambda: x + 1, lambda: x.sum("b"), lambda: x.sum(), lambda: x.softmax("b"), lambda: x.rename(b="d"),
                 lambda: x.order("c b"), lambda: x.isel(b=0), lambda: x.dot("b", nt.ones("b:3")),
                 lambda: nt.concat([x, x], "b"), lambda: x.to_array("b c"), lambda: x.peel("b")):  # fmt: skip
        with pytest.raises(nt.NamedShapeError, match="in transit"):
            call()
