"""SharedTensor: each operation is what JAX computes on the plain arrays, and what goes in comes out exactly."""

import contextvars

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import crypten_lite as ct
import namedtensor as nt
from crypten_lite import aliases, operations, scope
from crypten_lite.estimate import Survey
from crypten_lite.roles.simulation import Simulation

X = np.float32([[0.5, -1.25, 3.0], [2.0, 0.75, -0.5]])
Y = np.float32([[1.5, 0.5, -2.0], [2.0, -0.25, 1.0]])
PLAIN = {
    "x": jnp.array(X),
    "y": jnp.array(Y),
    "p": jnp.array(np.abs(X) + 0.5),
    "w": jnp.array(Y.T),
    "i": jnp.array([[1, -2, 3], [4, 5, -6]]),
    "b": jnp.array([[True, False, True], [False, False, True]]),
}
REFUSED = {"ceil", "floor", "sort"}  # test_bad_input.py: they say what to do instead
PUBLIC = {"numpy": Y, "jax": jnp.array(Y), "scalar": np.float32(1.5), "jnp": jnp, "jax_": jax}

OPERATORS = """
    x + y; x - y; x * y; x / p; x + 1; 1 + x; 1 - x; 2 * x; x * 0.5; x / 4; 3 / p; x ** 2; x ** 3; p ** -1
    x @ w; x @ numpy.T; numpy.T @ x; jax.T @ x; x + numpy; numpy + x; jax - x; x * jax; scalar * x; x - scalar
    x < y; x <= y; x > 0; x >= numpy; x == 2; x != y; 0 < x; numpy >= x; jax == x; jax < x
    -x; +x; abs(x); ~b; b & (x > 0); b | (x > 0); b ^ (x > 0); (x > 0) & numpy_b; numpy_b | b; ~(x == y)
    i + i; i * i; i - 7; i * 2; i > 3; i == i + 0; i + 0.5; i * x; -i; b * 3; b * x; b + i
    x[0]; x[-1]; x[:, 1]; x[0, 1:]; x[::-1, ::2]; x[..., None]; x[None]; x[jnp.array([1, 0, 1])]; i[1]; b[:, 0]
    x.T; x.mT; i.T; b.T; x.at[0].set(7.0); x.at[:, 1].set(y[:, 1]); i.at[0, 0].set(9)
"""
METHODS = """
    b.all(); b.any(0); i.astype("float32"); x.astype(bool); x.clip(-1, 1); x.cumsum(1); x.diagonal(); x.dot(w); x.flatten(); x.max(1)
    x.mean(); i.mean(0); x.min(); x.ravel(); x.repeat(2, axis=0); x.reshape(3, 2); x.squeeze(); x.std()
    x.sum(0); b.sum(); x.swapaxes(0, 1); x.take(jnp.array([0, 2]), axis=1); x.trace(); x.transpose(1, 0); x.var(1)
    x.ptp(0); x.argmax(1); x.argmin(); x.abs(); x[0].broadcast_to((2, 3)); x.exp(); x.expand_dims(1); x.expm1(); x.flip(0); x.inner(y); p.log()
    p.log1p(); x.matmul(w); x.maximum(y); x.minimum(0.25); x.moveaxis(0, 1); x.negative(); x[0].outer(y[1]); x.pad(1)
    x.power(2); p.reciprocal(); x.roll(1, 1); x.sign(); p.sqrt(); x.square(); x.subtract(y); x.tanh(); x.tensordot(w, 1)
    x.tile((1, 2)); x.tril(); x.triu(); x[0].vdot(y[0]); x.elu(); x.gelu(); x.leaky_relu(); x.log_sigmoid()
    x.log_softmax(); x.relu(); x.relu6(); x.sigmoid(); x.silu(); x.softmax(-1); x.softplus(); x.standardize(); x.swish()
    x.erf(); x.erfc(); x.logistic(); p.rsqrt(); x.stop_gradient(); x.where(b, 0.0); x.where(x > 0, y); x.logsumexp(1)
"""


def cases(text):
    return [c.strip() for c in text.replace("\n", ";").split(";") if c.strip()]


def plain_value(code, **names):
    """The same words on plain arrays: methods that arrays lack are the functions of JAX."""
    try:
        return eval(code, dict(names))
    except AttributeError:
        x, _, call = code.partition(".")
        name, _, rest = call.partition("(")
        if name == "where":
            condition, other = rest[:-1].split(", ")
            return eval(f"jnp.where({condition}, {x}, {other})", dict(names))
        module = next(m for m in (jnp, jax.nn, jax.lax) if hasattr(m, name))
        return eval(f"f({x}, {rest}", {**names, "f": getattr(module, name)})


@pytest.fixture(params=[2, 3])
def session(request):
    with ct.simulate(parties=request.param) as session:
        yield session


@pytest.fixture(scope="module")
def lasting():
    return ct.simulate(parties=2)


@pytest.mark.parametrize("code", cases(OPERATORS) + cases(METHODS))
def test_what_jax_computes(code, lasting):
    public = {**PUBLIC, "numpy_b": np.array([[True, True, False], [False, True, True]])}
    shared = {k: lasting.share(v) for k, v in PLAIN.items()}
    found = eval(code, {**shared, **public})
    expected = plain_value(code, **PLAIN, **public)
    assert isinstance(found, ct.SharedTensor)
    assert (found.shape, found.dtype, found.ndim) == (expected.shape, expected.dtype, expected.ndim)
    revealed = found.reveal()
    assert revealed.dtype == expected.dtype
    if expected.dtype == jnp.float32:
        np.testing.assert_allclose(revealed, expected, rtol=1e-3, atol=1e-3)
    else:
        np.testing.assert_array_equal(revealed, expected)


def test_each_method_has_its_case():
    called = {c.partition("(")[0].rpartition(".")[2] for c in cases(METHODS)}
    assert set(operations._OF_ARRAYS) - REFUSED == called


NAMED = """
    x + y; x + 1; 1 - x; x * y; x - v; v - x; v * x; u + x; x > 0; v < x; -x; abs(x); x ** 2
    x.sum("row"); x.mean("col"); x.max("col"); x.relu(); x.softmax("col"); x.dot("col", y); x.dot("row", u)
    x[{"row": 0}]; x[{"col": slice(1, 3)}]; x.order("col row"); x.rename(row="r"); x.merge("row col", "all")
    x.split("col", "a b", b=1); x.expand("new:2"); x.at[{"row": 0}].set(1.0); x.clip(-1, 1)
"""


@pytest.mark.parametrize("code", cases(NAMED))
def test_names_are_kept(code, lasting):
    plain = {"x": nt.tensor(X, "row col"), "y": nt.tensor(Y, "row col"), "u": nt.tensor(Y[:, 0], "row")}
    public = {"v": nt.tensor(Y[0], "col")}  # it stands on the left, too
    shared = {k: lasting.share(v) for k, v in plain.items()}
    found, expected = eval(code, {**shared, **public}), eval(code, {**plain, **public})
    assert isinstance(found, ct.SharedTensor)
    assert found.dims == expected.dims
    assert dict(found.shape) == dict(expected.shape)
    revealed = found.reveal()
    assert isinstance(revealed, nt.NamedTensor)
    np.testing.assert_allclose(
        np.asarray(revealed.order(expected.dims).array, float), np.asarray(expected.array, float), atol=1e-3
    )


def test_positional_from_named(lasting):
    x = lasting.share(nt.tensor(X, "row col"))
    assert x.to_array("col row").shape == (3, 2)
    np.testing.assert_array_equal(x.to_array("col row").reveal(), X.T)


DTYPES = ["bool", "int8", "uint8", "int16", "int32", "uint32", "float16", "bfloat16", "float32"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (5,), (2, 0, 3), (2, 3)])
def test_the_dtype_comes_back(dtype, shape, session):
    dtype = jnp.dtype(dtype)
    values = (np.arange(np.prod(shape)) % 3).reshape(shape).astype(dtype)
    for given in (values, jnp.asarray(values)):
        shared = session.share(given, owner=1)
        assert (shared.shape, shared.dtype, shared.size) == (shape, dtype, values.size)
        revealed = shared.reveal()
        assert isinstance(revealed, jax.Array)
        assert (revealed.shape, revealed.dtype) == (shape, dtype)
        assert (np.asarray(revealed) == values).all()


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (1.5, "float32"),
        (7, "int32"),
        (True, "bool"),
        (np.float64(0.25), "float32"),
        (np.int64(-3), "int32"),
        (np.uint64(9), "uint32"),
        (np.array([0.5, 2.0]), "float32"),
        (np.array([1, 2**29]), "int32"),
    ],
)
def test_as_jax_would_have_it(values, dtype, session):
    shared = session.share(values)
    assert shared.dtype == jnp.asarray(values).dtype == dtype
    assert (np.asarray(shared.reveal()) == values).all()


def test_the_round_trip_is_exact(session):
    codes = np.random.default_rng(0).integers(-(2**23), 2**23, 10_000)
    values = np.ldexp(codes.astype(np.float32), -16)  # 24 bits: each is a float32 and a multiple of 2 ** -16
    assert (np.asarray(session.share(values).reveal()) == values).all()
    assert (np.asarray((session.share(values) - 0.5).reveal()) == values - np.float32(0.5)).all()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_every_half_is_rounded_once(dtype, session):
    """All 65536 of them that have a place in the ring."""
    every = np.arange(2**16, dtype=np.uint16).view(jnp.dtype(dtype))
    with np.errstate(invalid="ignore"):
        wide = every.astype(np.float64)
    inside = np.isfinite(wide) & (np.abs(wide) < 2.0**30)
    expected = np.ldexp(np.rint(np.ldexp(wide[inside], 16)), -16).astype(every.dtype)
    assert (np.asarray(session.share(every[inside]).reveal()) == expected).all()


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32"])
def test_extreme_whole_numbers(dtype, session):
    held = np.iinfo(dtype)
    ends = np.array([max(held.min, 1 - 2**30), 0, 1, min(held.max, 2**30 - 1)], dtype)
    assert (np.asarray(session.share(ends).reveal()) == ends).all()
    assert (np.asarray((session.share(ends) == ends).reveal())).all()


def test_with_64_bits_float64_stays(session):
    codes = np.random.default_rng(2).integers(-(2**46) + 1, 2**46, 1000)
    values = np.ldexp(codes.astype(np.float64), -16)
    with jax.enable_x64(True):
        shared = session.share(values)
        assert shared.dtype == np.float64
        assert (np.asarray(shared.reveal()) == values).all()
        assert session.share(2**29).reveal().dtype == np.int64


def test_whole_numbers_stay_whole(session):
    numbers = np.random.default_rng(1).integers(-(2**14), 2**14, 1000)
    x = session.share(numbers)
    assert (np.asarray((x * x - x).reveal()) == numbers * numbers - numbers).all()
    assert (np.asarray((x + x.astype("float32")).reveal()) == 2 * numbers).all()


def test_trees_are_shared_leaf_by_leaf(session):
    tree = {"w": [X, None], "b": nt.tensor(Y, "row col"), "n": (3, 0.5)}
    shared = session.share(tree, owner=1)
    assert jax.tree.structure(shared) == jax.tree.structure(
        tree, is_leaf=lambda x: isinstance(x, nt.NamedTensor)
    )
    leaves = jax.tree.map(lambda x: x, shared)
    assert leaves["w"][0] is shared["w"][0]  # a leaf: JAX does not look inside
    assert shared["w"][1] is None
    assert shared["b"].dims == ("row", "col")
    back = jax.tree.map(lambda x: x.reveal(), shared)
    assert (np.asarray(back["w"][0]) == X).all()
    assert back["n"] == (3, 0.5)


def test_a_function_of_trees(session):
    params = session.share({"w": Y.T, "b": np.float32(0.5)})
    found = ct.private(lambda p, x: {"y": x @ p["w"] + p["b"], "n": 3})(params, session.share(X))
    assert found["n"] == 3
    np.testing.assert_allclose(found["y"].reveal(), X @ Y.T + 0.5, atol=1e-3)


def test_iteration_over_the_first_axis(session):
    rows = list(session.share(X))
    assert [r.shape for r in rows] == [(3,), (3,)]
    np.testing.assert_array_equal(rows[1].reveal(), X[1])
    assert len(session.share(X)) == 2


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (
            lambda s: s.share(X),
            "SharedTensor(float32[2 3], 2 parties, 16 binary places, simulation: not private)",
        ),
        (lambda s: s.share(1), "SharedTensor(int32[], 2 parties, 16 binary places, simulation: not private)"),
        (
            lambda s: s.share(X) > 0,
            "SharedTensor(bool[2 3], 2 parties, 16 binary places, simulation: not private)",
        ),
        (
            lambda s: s.share(nt.tensor(X, "row col")),
            "SharedTensor(float32[row:2 col:3], 2 parties, 16 binary places, simulation: not private)",
        ),
    ],
)
def test_repr_shows_no_number(make, text, lasting):
    assert repr(make(lasting)) == text


def test_repr_of_other_sessions():
    with ct.simulate(parties=3, fraction=12) as session:
        x = session.share(0.5)
        assert repr(x) == "SharedTensor(float32[], 3 parties, 12 binary places, simulation: not private)"
    assert repr(x) == "SharedTensor(float32[], 3 parties, 12 binary places, the session is over)"


class Recorded(Simulation):
    """A simulation that keeps what is sent, and to whom."""

    sent = ()

    def _exchange(self, arrays, xor):
        self.sent = (*self.sent, *(("all", a.copy()) for a in arrays))
        return super()._exchange(arrays, xor)

    def _gather(self, arrays, xor, to):
        self.sent = (*self.sent, *((to, a.copy()) for a in arrays))
        return Simulation._exchange(self, arrays, xor)


@pytest.mark.parametrize(
    ("parties", "to", "sent", "dealt"), [(2, None, 8, 0), (2, 1, 8, 0), (3, None, 16, 8), (3, 2, 8, 8)]
)
def test_what_revealing_costs(parties, to, sent, dealt):
    session = Recorded(parties)
    x, before = session.share(X), session.cost
    np.testing.assert_array_equal(x.reveal(to=to), X)
    cost = session.cost - before
    assert (cost.rounds, cost.bytes_per_party, cost.dealer_bytes) == (1, sent * X.size, dealt * X.size)
    assert [receiver for receiver, _ in session.sent] == ["all" if to is None else to]


def test_a_truth_is_revealed_by_bits():
    session = Recorded(3)
    truth = session.share(np.arange(20) > 7)
    before = session.cost
    assert truth.reveal(to=0).tolist() == [n > 7 for n in range(20)]
    cost = session.cost - before
    assert (cost.rounds, cost.bytes_per_party, cost.dealer_bytes) == (1, 3, 3)
    assert [(to, a.shape, a.dtype) for to, a in session.sent] == [(0, (3, 3), np.uint8)]


@pytest.mark.parametrize("make", [lambda x: x, lambda x: x > 0], ids=["number", "truth"])
def test_three_parties_reveal_fresh_shares(make):
    """Who receives shares learns their sum alone: the shares themselves are new each time."""
    session = Recorded(3)
    x = make(session.share(np.linspace(-1, 1, 64)))
    session.sent = ()
    x.reveal(to=0)
    x.reveal(to=0)
    (_, first), (_, second) = session.sent
    assert (first != second).any(axis=1).all()
    together = np.bitwise_xor.reduce if first.dtype == np.uint8 else np.add.reduce
    assert (together(first) == together(second)).all()


def test_sharing_costs_the_owner_alone(session):
    x = session.share(X, owner=1)
    assert session.cost.sharing_bytes == 8 * X.size * (session.parties - 1)
    assert session.cost.bytes_per_party == session.cost.rounds == 0
    assert x.session is session


def test_a_shared_truth_needs_no_comparison(session):
    condition, x = session.share(X > 0), session.share(X)
    before = session.cost
    np.testing.assert_array_equal(ct.private(jnp.where)(condition, x, 0.0).reveal(), np.maximum(X, 0))
    assert (session.cost - before).rounds == 1  # to reveal it


def test_costs_are_counted_at_the_users_line(session):
    x = session.share(X)
    (x > 0).reveal()
    place, revealing = session.cost.by_layer
    assert place.startswith("test_tensor.py:")
    assert place.endswith("(test_costs_are_counted_at_the_users_line)")
    assert revealing == "revealing"


@pytest.mark.parametrize("make", [lambda x: x, lambda x: nt.tensor(x, "row col")], ids=["unnamed", "named"])
def test_shared_tensors_tell_an_estimate_their_shape(make, lasting):
    x = lasting.share(make(X))
    assert ct.estimate(lambda x: x * x > 1, x) == ct.estimate(lambda x: x * x > 1, make(jnp.array(X)))


def test_jax_sees_the_public_shape(session):
    assert jax.eval_shape(lambda x: x.T, session.share(X)).shape == (3, 2)


def test_completion_lists_what_there_is(session):
    assert {"relu", "sum", "reveal", "get_plain_text", "T", "at"} <= set(dir(session.share(X)))
    named = dir(session.share(nt.tensor(X, "row col")))
    assert {"relu", "order", "rename"} <= set(named)
    assert session.share(X).sum.__name__ == "sum"


def test_cryptensor_shares_in_the_innermost_block():
    with ct.simulate(parties=2) as outer:
        with ct.simulate(parties=3) as inner:
            assert ct.cryptensor(X, src=2).session is inner
            assert ct.cryptensor(X, outer).session is outer
        assert ct.cryptensor(X).session is outer
        x = ct.cryptensor(X)
        np.testing.assert_array_equal(x.get_plain_text(dst=1), X)
        assert contextvars.Context().run(scope.innermost) is None  # another thread or task
    assert scope.innermost() is None


def test_lists_are_arrays_for_cryptensor_alone(session):
    matrix = ct.cryptensor([[1, 2.5], [3, 4]], session)
    assert matrix.get_plain_text().tolist() == [[1, 2.5], [3, 4]]
    assert [x.shape for x in session.share([1.0, 2.0])] == [(), ()]
    assert [x.shape for x in ct.cryptensor([X, 2.0], session)] == [(2, 3), ()]


def test_who_does_not_learn_the_numbers_gets_their_shape():
    nobody = Survey()
    for make in (lambda x: x, lambda x: x > 0):
        revealed = make(nobody.share(X)).reveal()
        assert isinstance(revealed, jax.ShapeDtypeStruct)
        assert revealed.shape == (2, 3)
    assert nobody.share(nt.tensor(X, "row col")).reveal().dims == ("row", "col")
    assert repr(nobody.share(X)).endswith("2 parties, 16 binary places, no share here)")


P = np.abs(X) + np.float32(0.5)
CRYPTEN = {
    "x.add(y)": X + Y,
    "x.sub(y)": X - Y,
    "x.mul(2)": X * 2,
    "p.div(4)": P / 4,
    "x.neg()": -X,
    "x.pow(2)": X**2,
    "x.gt(0)": X > 0,
    "x.ge(y)": X >= Y,
    "x.lt(0)": X < 0,
    "x.le(0)": X <= 0,
    "x.eq(2)": X == 2,
    "x.ne(2)": X != 2,
    "p.inv_sqrt()": P**-0.5,
    "x.t()": X.T,
    "x.unsqueeze(0)": X[None],
    "x.view(3, 2)": X.reshape(3, 2),
}


def test_all_names_of_crypten_are_below():
    assert set(aliases.METHODS) == {c[2:].partition("(")[0] for c in CRYPTEN}


@pytest.mark.parametrize("code", CRYPTEN)
def test_names_of_crypten(code, lasting):
    found = eval(code, {k: lasting.share(v) for k, v in PLAIN.items()}).reveal()
    np.testing.assert_allclose(np.asarray(found, float), CRYPTEN[code], atol=1e-3)
