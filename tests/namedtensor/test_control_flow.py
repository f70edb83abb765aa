"""Loops and branches by name, against loops written in Python and closed forms.

Values are small whole numbers, so that results are exact in float32.
"""

import functools
import gc
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
)
from tests.namedtensor.jaxprs import primitives

RNG = np.random.default_rng(11)


def whole_numbers(*shape):
    return RNG.choice(np.float32([-2, -1, 1, 2]), shape)


X, W, H = whole_numbers(4, 2, 3), whole_numbers(3, 3), whole_numbers(2, 3)
ORDERS = ["time batch embed", "embed time batch", "batch embed time"]
orders = pytest.mark.parametrize("stored", ORDERS)


def x(stored="time batch embed"):
    return nt.tensor(X, "time batch embed").order(stored)


def h(stored="batch embed"):
    return nt.tensor(H, "batch embed").order(stored)


def w():
    return nt.tensor(W, "embed out")


def cell(carry, t):
    """A linear recurrence; by itself it stores the carry in another order at each step."""
    new = carry.dot("embed", w()).rename(out="embed").clip(-20, 20) + t
    return new.order("embed batch"), (new * 2).order("batch embed")


def cell_by_hand(carry, t):
    new = np.clip(carry @ W, -20, 20) + t
    return new, new * 2


def unrolled(steps):
    carry, ys = H, {}
    for i in steps:
        carry, ys[i] = cell_by_hand(carry, X[i])
    return carry, np.stack([ys[i] for i in sorted(ys)])


# scan ------------------------------------------------------------------------------------------


@orders
@pytest.mark.parametrize("reverse", [False, True])
def test_scan_is_the_loop(stored, reverse):
    carry, ys = nt.scan(cell, h("embed batch"), x(stored), over="time", reverse=reverse, unroll=2)
    want_carry, want_ys = unrolled(range(4)[::-1] if reverse else range(4))
    assert carry.dims == ("embed", "batch")
    assert ys.dims[0] == "time"
    np.testing.assert_array_equal(carry.to_array("batch embed"), want_carry)
    np.testing.assert_array_equal(ys.to_array("time batch embed"), want_ys)


def test_scan_of_trees_with_plain_arrays():
    def step(carry, t):
        h, count, key, nothing = carry["h"], carry["count"], carry["key"], carry["nothing"]
        key, _ = jax.random.split(key)
        new = {"h": h + t["x"], "count": count + 1, "key": key, "nothing": nothing}
        return new, [t["y"], t["x"].array, count, None, jnp.ones(2)]

    init = {"h": h(), "count": 0, "key": jax.random.key(1), "nothing": None}
    carry, ys = nt.scan(step, init, {"x": x("batch time embed"), "y": nt.arange("time", 4)}, over="time")
    np.testing.assert_array_equal(carry["h"].array, H + X.sum(0))
    assert int(carry["count"]) == 4
    assert nt.equal(ys[0], nt.arange("time", 4))
    np.testing.assert_array_equal(ys[1], X)
    np.testing.assert_array_equal(ys[2], np.arange(4))
    assert ys[3] is None
    np.testing.assert_array_equal(ys[4], np.ones((4, 2), np.float32))


def test_scan_without_xs():
    last, powers = nt.scan(lambda c, _: (c * 2, c), h(), None, over="step", length=5)
    np.testing.assert_array_equal(last.array, 32 * H)
    np.testing.assert_array_equal(powers.to_array("step batch embed"), np.stack([2**i * H for i in range(5)]))
    last, none = nt.scan(lambda c, _: (c, c), h(), None, over="step", length=0)
    assert nt.equal(last, h())
    assert none.shape["step"] == 0


def test_scan_over_a_dim_that_the_carry_has_too():
    """Each time step is set into a buffer over all time."""
    buffer, _ = nt.scan(lambda c, t: (c + t, None), nt.zeros("time:4 batch:2 embed:3"), x(), over="time")
    np.testing.assert_array_equal(buffer.to_array("time batch embed"), np.stack([X.sum(0)] * 4))


def test_a_carry_that_is_a_named_scalar_or_a_number():
    step = lambda c, t: (c + t.sum(), c)  # noqa: E731
    number, ys = nt.scan(step, 0.0, x(), over="time")
    named, named_ys = nt.scan(step, nt.tensor(0.0, ""), x(), over="time")
    assert isinstance(number, jax.Array)
    assert float(number) == float(named) == X.sum()
    np.testing.assert_array_equal(ys, named_ys.array)
    back, _ = nt.scan(lambda c, t: (t.sum().array, None), nt.tensor(0.0, ""), x(), over="time")
    assert back.dims == ()


def test_a_carry_from_a_python_number_takes_the_dtype_that_comes_out():
    total, _ = nt.scan(lambda c, t: (c + t.sum(), None), 0, x(), over="time")
    assert (total.dtype, float(total)) == (jnp.float32, X.sum())


@orders
def test_gradient_through_scan(stored):
    """Of the sum of the last carry of c = 2 c + x[t]: 2^(T-1-t) for x[t], and 2^T for the first carry."""

    def loss(first, t):
        carry, _ = nt.scan(lambda c, u: ((2 * c + u).order("batch embed"), None), first, t, over="time")
        return carry.sum()

    of_first, of_x = nt.jit(nt.grad(loss, (0, 1)))(h("embed batch"), x(stored))
    assert of_first.dims == ("embed", "batch")
    assert of_x.dims == tuple(stored.split())
    np.testing.assert_array_equal(of_first.array, np.full((3, 2), 16))
    want = np.broadcast_to(np.float32([8, 4, 2, 1])[:, None, None], X.shape)
    np.testing.assert_array_equal(of_x.to_array("time batch embed"), want)


def test_second_derivative_through_scan():
    """f(a) = sum of a^1 + ... + a^4: f'' = 2 + 6 a + 12 a^2."""

    def f(a):
        _, powers = nt.scan(lambda c, _: (c * a, c * a), nt.ones("embed:2"), None, over="step", length=4)
        return powers.sum()

    a = nt.tensor([2.0, -1.0], "embed")
    got = nt.jit(nt.hessian(f))(a)
    np.testing.assert_array_equal(got.array, np.diag([2 + 12 + 48, 2 - 6 + 12]))


def test_scan_under_jit_vmap_and_checkpoint():
    run = lambda t: nt.scan(lambda c, u: (c + u, c + u), nt.zeros("embed:3"), t, over="time")[1]  # noqa: E731
    want = X.cumsum(0)
    for wrapped in (nt.jit(nt.vmap(run, over="batch")), nt.vmap(nt.checkpoint(run), over="batch")):
        np.testing.assert_array_equal(wrapped(x("embed batch time")).to_array("time batch embed"), want)


def test_scan_leaves_what_jax_leaves():
    got = primitives(lambda c, t: nt.scan(lambda c, t: (c + t, c * t), c, t, over="time"), h(), x())
    assert got == primitives(lambda c, t: jax.lax.scan(lambda c, t: (c + t, c * t), c, t), H, X)


# associative_scan --------------------------------------------------------------------------------


@orders
@pytest.mark.parametrize("reverse", [False, True])
def test_associative_scan(stored, reverse):
    """Products of matrices: associative, and not commutative."""
    matrices = whole_numbers(5, 2, 2)
    m = nt.tensor(matrices, "t row col").order(
        stored.replace("time", "t").replace("batch", "row").replace("embed", "col")
    )

    def times(a, b):
        if reverse:
            a, b = b, a
        return nt.dot(a.rename(col="k"), b.rename(row="k"), over="k").order("col row")

    got = nt.associative_scan(times, m, over="t", reverse=reverse)
    steps, want = range(5)[::-1] if reverse else range(5), {}
    total = np.eye(2, dtype=np.float32)
    for i in steps:
        total = matrices[i] @ total if reverse else total @ matrices[i]
        want[i] = total
    np.testing.assert_array_equal(got.to_array("t row col"), [want[i] for i in range(5)])


def test_associative_scan_of_a_tree_and_its_gradient():
    """The linear recurrence c = a c + b, as pairs."""
    combine = lambda p, q: {"a": p["a"] * q["a"], "b": q["a"] * p["b"] + q["b"]}  # noqa: E731
    a, b = nt.full("time:4", 2.0), x("batch time embed")
    run = lambda b: nt.associative_scan(combine, {"a": a, "b": b}, over="time")["b"]  # noqa: E731
    c, want = np.zeros_like(H), []
    for t in X:
        want.append(c := 2 * c + t)
    np.testing.assert_array_equal(run(b).to_array("time batch embed"), want)
    slope = nt.jit(nt.grad(lambda b: run(b).isel(time=3).sum()))(b)
    np.testing.assert_array_equal(slope.isel(batch=0, embed=0).array, [8, 4, 2, 1])


# branches ----------------------------------------------------------------------------------------


def test_cond_chooses_and_keeps_the_order_of_the_first():
    def choose(t, bound):
        return nt.cond(
            t.sum() > bound, lambda u: {"y": u + 1}, lambda u: {"y": (u * 2).order("embed ...")}, t
        )

    for run in (choose, nt.jit(choose)):
        above, below = run(h(), -1e3)["y"], run(h(), 1e3)["y"]
        assert above.dims == below.dims == ("batch", "embed")
        np.testing.assert_array_equal(above.array, H + 1)
        np.testing.assert_array_equal(below.array, H * 2)


def test_cond_without_operands_and_with_plain_ones():
    t = h()
    assert nt.equal(nt.cond(False, lambda: t, lambda: (t * 2).order("embed ...")), t * 2)
    assert float(nt.cond(True, lambda a, n: a.sum() * n, lambda a, n: a.max(), jnp.ones(3), 2.0)) == 6.0
    named = nt.cond(True, lambda t: t.sum(), lambda t: 0.0, t)
    assert (named.dims, float(named)) == ((), H.sum())
    plain = nt.cond(False, lambda t: 0.0, lambda t: t.sum(), t)
    assert isinstance(plain, jax.Array)
    assert float(plain) == H.sum()


def test_switch_chooses():
    branches = [lambda t: t, lambda t: (t * 2).order("embed ..."), lambda t: -t]
    compiled = nt.jit(lambda i, t: nt.switch(i, branches, t))
    for i, want in enumerate((H, 2 * H, -H)):
        for got in (
            nt.switch(i, branches, h()),
            compiled(i, h()),
            nt.switch(nt.tensor(i, ""), branches, h()),
        ):
            assert got.dims == ("batch", "embed")
            np.testing.assert_array_equal(got.array, want)
    np.testing.assert_array_equal(compiled(7, h()).array, -H)  # the nearest, as in JAX
    assert nt.equal(nt.switch(0, branches[:1], h()), h())


def test_gradients_through_branches():
    f = lambda t: nt.cond(t.sum() > 0, lambda u: u**2, lambda u: (u**3).order("embed ..."), t).sum()  # noqa: E731
    slope = nt.grad(f)
    np.testing.assert_array_equal(slope(abs(h())).array, 2 * abs(H))
    np.testing.assert_array_equal(slope(-abs(h())).array, 3 * H**2)
    g = lambda i, t: nt.switch(i, [lambda u: u, lambda u: u**3], t).sum()  # noqa: E731
    np.testing.assert_array_equal(nt.jit(nt.grad(g, 1))(1, h()).array, 3 * H**2)
    each = nt.vmap(slope, over="batch")(nt.tensor([[1.0, 2.0], [-1.0, -2.0]], "batch embed"))
    np.testing.assert_array_equal(each.to_array("batch embed"), [[2, 4], [3, 12]])


# while, fori -------------------------------------------------------------------------------------


def test_while_loop():
    def run(t):
        carry = {"t": t, "n": 0}
        below = lambda c: abs(c["t"]).max() < 100  # noqa: E731
        return nt.while_loop(below, lambda c: {"t": (c["t"] * 2).order("embed ..."), "n": c["n"] + 1}, carry)

    for loop in (run, nt.jit(run)):
        got = loop(h())
        n = int(got["n"])
        assert got["t"].dims == ("batch", "embed")
        np.testing.assert_array_equal(got["t"].array, 2**n * H)
        assert 2 ** (n - 1) * abs(H).max() < 100 <= 2**n * abs(H).max()
    slope = nt.jvp(
        lambda t: nt.while_loop(lambda c: c.max() < 9, lambda c: c * c, t), (2 + 0 * h(),), (h(),)
    )[1]
    np.testing.assert_array_equal(slope.array, 4 * 2**3 * H)  # (x^2)^2 at 2


def test_fori_loop_and_its_gradient():
    """c = c^2 thrice is c^8."""
    run = lambda t: nt.fori_loop(0, 3, lambda i, c: (c * c).order("embed ..."), t)  # noqa: E731
    np.testing.assert_array_equal(run(h()).array, H**8)
    np.testing.assert_array_equal(nt.jit(nt.grad(lambda t: run(t).sum()))(h()).array, 8 * H**7)
    unrolled = nt.fori_loop(1, 4, lambda i, c: c + i, h(), unroll=True)
    np.testing.assert_array_equal(unrolled.array, H + 6)
    bounds = nt.fori_loop(nt.tensor(1, ""), nt.tensor(4, ""), lambda i, c: c + i, h())
    np.testing.assert_array_equal(bounds.array, H + 6)


# compilation -------------------------------------------------------------------------------------

below = lambda c: c.sum() < 100  # noqa: E731
more = lambda c: (c + 1).order("embed ...")  # noqa: E731
counted = lambda i, c: (c + i).order("embed ...")  # noqa: E731
LOOPS = {
    "scan": lambda: nt.scan(cell, h(), x(), over="time"),
    "scan, another order": lambda: nt.scan(cell, h("embed batch"), x("embed batch time"), over="time"),
    "associative_scan": lambda: nt.associative_scan(nt.add, x(), over="time"),
    "cond": lambda: nt.cond(h().sum() < 0, more, more, h()),
    "switch": lambda: nt.switch(1, [more, nt.exp, more], h()),
    "while": lambda: nt.while_loop(below, more, h()),
    "fori": lambda: nt.fori_loop(0, 3, counted, h()),
}


@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)
def test_the_second_call_compiles_nothing(loop, compilations):
    """As in JAX, of the same functions: nothing is wrapped anew."""
    loop()
    assert compilations.since(loop) == 0


def test_one_function_serves_several_loops(compilations):
    """What is kept for a function says for which loop it is."""
    for over in ("time", "batch"):
        got = nt.scan(lambda c, t: (c, t), 0.0, x(), over=over)[1]
        assert got.dims[0] == over
    same = lambda c, t: (c, t)  # noqa: E731
    assert nt.scan(same, 0.0, x(), over="time")[1].dims[0] == "time"
    assert nt.scan(same, 0.0, x(), over="batch")[1].dims[0] == "batch"
    double = lambda t: (2 * t).order("embed ...")  # noqa: E731
    for stored in ("batch embed", "embed batch"):
        assert nt.cond(False, lambda t, stored=stored: t.order(stored), double, h()).dims == tuple(
            stored.split()
        )


def test_nothing_keeps_a_function_alive():
    big = jnp.ones(3)
    step = lambda c, t: (c + big.sum(), t)  # noqa: E731
    nt.scan(step, 0.0, x(), over="time")
    nt.cond(True, step, step, 0.0, 1.0)
    gone = weakref.ref(step)
    del step
    gc.collect()
    assert gone() is None


class Model:
    """Its method is a new object at each look-up."""

    def step(self, carry, t):
        return carry + t, carry


def test_methods_and_functions_of_jit():
    want = H + X.sum(0)
    for step in (Model().step, nt.jit(lambda c, t: (c + t, c)), functools.partial(Model.step, None)):
        for _ in range(2):
            np.testing.assert_array_equal(nt.scan(step, h(), x(), over="time")[0].array, want)


def test_without_jit():
    with jax.disable_jit():
        for loop in LOOPS.values():
            loop()
        carry, _ = nt.scan(cell, h(), x(), over="time")
    np.testing.assert_array_equal(carry.array, unrolled(range(4))[0])


# errors ------------------------------------------------------------------------------------------

SHOWN, CARRY = "f32[time:4 batch:2 embed:3]", "f32[batch:2 embed:3]"


def stepping(new, xs=x, init=h):
    return lambda: nt.scan(lambda c, t: (new(c, t), t), init(), xs(), over="time")


ERRORS = {
    "scan, unknown dim": (lambda: nt.scan(cell, h(), x(), over="tme"), UnknownDim,
        ["nt.scan(over='tme')", SHOWN, "no dim 'tme'", "Did you mean 'time'?"]),
    "scan, a leaf without the dim": (lambda: nt.scan(cell, h(), {"x": x(), "w": w()}, over="time"), UnknownDim,
        ["nt.scan(over='time')", "f32[embed:3 out:3]", "no dim 'time'"]),
    "scan, an array": (lambda: nt.scan(cell, h(), (x(), jnp.ones((4, 2))), over="time"), MissingName,
        ["nt.scan(over='time')", "f32[4, 2] has no names", "nt.tensor(array"]),
    "scan, a number": (lambda: nt.scan(cell, h(), (x(), 1.0), over="time"), UnknownDim, ["no dim 'time'", "1.0"]),
    "scan, two sizes": (lambda: nt.scan(cell, h(), (x(), nt.ones("time:5")), over="time"), SizeMismatch,
        ["nt.scan(over='time')", "'time' is 4 in", "5 in f32[time:5]"]),
    "scan, another length": (lambda: nt.scan(cell, h(), x(), over="time", length=3), SizeMismatch,
        ["length=3", "'time' is 4", SHOWN]),
    "scan, no length": (lambda: nt.scan(cell, h(), None, over="step"), BadPattern,
        ["nt.scan(over='step')", "number of steps is not known", "length="]),
    "scan, less than nothing": (lambda: nt.scan(cell, h(), None, over="step", length=-1), BadPattern, ["length=-1"]),
    "scan, no number": (lambda: nt.scan(cell, h(), None, over="step", length="3"), BadPattern, ["length='3'"]),
    "scan, two dims": (lambda: nt.scan(cell, h(), x(), over="time batch"), InvalidName, ["'time batch' is not a name"]),
    "scan, no dim": (lambda: nt.scan(cell, h(), x(), over=None), InvalidName, ["nt.scan(over=None)", "None is not a name"]),
    "scan, in transit": (lambda: nt.scan(cell, h(), x().peel("batch"), over="time"), RankMismatch,
        ["nt.scan(over='time')", "in transit"]),
    "scan, a carry that lost a dim": (stepping(lambda c, t: c.sum("batch")), DimMismatch,
        ["DimMismatch in nt.scan(over='time')", f"goes in as {CARRY}", "comes out as f32[embed:3]", "'batch' is missing"]),
    "scan, a carry with another dim": (stepping(lambda c, t: c.rename(embed="embd")), DimMismatch,
        ["'embed' is missing, 'embd' is new", "Did you mean 'embed'?"]),
    "scan, a carry in a tree": (
        lambda: nt.scan(lambda c, t: ({"h": c["h"].sum()}, t), {"h": h()}, x(), over="time"), DimMismatch,
        ["the carry['h'] goes in as", "'batch embed' is missing"]),
    "scan, a carry of another size": (stepping(lambda c, t: nt.ones("batch:2 embed:4")), SizeMismatch,
        [f"goes in as {CARRY}", "f32[batch:2 embed:4]", "'embed' has two sizes"]),
    "scan, a carry of another dtype": (stepping(lambda c, t: c.astype(jnp.int32)), TypeError,
        ["nt.scan(over='time')", f"goes in as {CARRY}", "i32[batch:2 embed:3]", "dtypes differ", "x.astype('float32')"]),
    "scan, a plain carry of another dtype": (stepping(lambda c, t: 1, init=lambda: jnp.float32(0)), TypeError,
        ["goes in as f32[]", "comes out as 1", "dtypes differ"]),
    "scan, a carry without names": (stepping(lambda c, t: c.array), MissingName, ["comes out as f32[2, 3]", "no names"]),
    "scan, a carry with names": (stepping(lambda c, t: h(), init=lambda: jnp.ones((2, 3))), MissingName,
        ["goes in as f32[2, 3]", "no names"]),
    "scan, no pair": (lambda: nt.scan(lambda c, t: c, h(), x(), over="time"), BadPattern,
        ["nt.scan(over='time')", f"returned {CARRY}, not a pair", "return carry, y"]),
    "scan, nothing": (lambda: nt.scan(lambda c, t: None, h(), x(), over="time"), BadPattern, ["a NoneType, not a pair"]),
    "scan, a result that has the dim": (lambda: nt.scan(lambda c, t: (c, x()), h(), x(), over="time"), DuplicateDim,
        ["nt.scan(over='time')", f"a result is {SHOWN}", "y.rename(time='time_2')"]),
    "scan, inside": (stepping(lambda c, t: c + nt.ones("embed:4")), SizeMismatch, ["SizeMismatch in nt.add"]),
    "associative_scan, other names": (lambda: nt.associative_scan(lambda a, b: a.sum(), x(), over="time"), DimMismatch,
        ["nt.associative_scan(over='time')", f"of two {CARRY} is f32[]", "'batch embed' is missing"]),
    "associative_scan, an array": (lambda: nt.associative_scan(nt.add, X, over="time"), MissingName, ["no names"]),
    "associative_scan, nothing": (lambda: nt.associative_scan(nt.add, {}, over="time"), BadPattern, ["nothing to scan"]),
    "associative_scan, unknown dim": (lambda: nt.associative_scan(nt.add, x(), over="times"), UnknownDim,
        ["nt.associative_scan(over='times')", "Did you mean 'time'?"]),
    "cond, a condition with dims": (lambda: nt.cond(h() > 0, more, more, h()), DimMismatch,
        ["nt.cond", "bool[batch:2 embed:3], not a scalar", "nt.where(pred, x, y)"]),
    "cond, other names": (lambda: nt.cond(True, lambda t: t, lambda t: t.sum("batch"), h()), DimMismatch,
        ["nt.cond", f"of true_fun is {CARRY}", "of false_fun f32[embed:3]", "'batch' is missing"]),
    "cond, another size": (lambda: nt.cond(True, lambda t: t, lambda t: nt.ones("batch:2 embed:4"), h()), SizeMismatch,
        ["of true_fun", "f32[batch:2 embed:4]", "'embed' has two sizes"]),
    "cond, another dtype": (lambda: nt.cond(True, lambda t: t, lambda t: t.astype(jnp.int32), h()), TypeError,
        ["nt.cond", CARRY, "i32[batch:2 embed:3]", "dtypes differ"]),
    "cond, no names": (lambda: nt.cond(True, lambda t: {"y": t}, lambda t: {"y": t.array}, h()), MissingName,
        ["result['y'] of true_fun", "f32[2, 3]", "no names"]),
    "cond, inside the first": (lambda: nt.cond(True, lambda t: t + nt.ones("embed:4"), more, h()), SizeMismatch, ["nt.add"]),
    "cond, inside the second": (lambda: nt.cond(True, more, lambda t: t + nt.ones("embed:4"), h()), SizeMismatch, ["nt.add"]),
    "switch, other names": (lambda: nt.switch(0, [more, more, lambda t: t.max("embed")], h()), DimMismatch,
        ["nt.switch", "of branch 0 is", "of branch 2 f32[batch:2]", "'embed' is missing"]),
    "switch, an index with dims": (lambda: nt.switch(nt.arange("batch", 2), [more, more], h()), DimMismatch,
        ["nt.switch", "i32[batch:2], not a scalar"]),
    "switch, out of range": (lambda: nt.switch(2, [more, more], h()), IndexError, ["nt.switch", "branch 2 of 2", "0 to 1"]),
    "switch, before the first": (lambda: nt.switch(-1, [more, more], h()), IndexError, ["branch -1 of 2"]),
    "switch, no branch": (lambda: nt.switch(0, [], h()), BadPattern, ["nt.switch", "no branch"]),
    "while, a condition with dims": (lambda: nt.while_loop(lambda c: c < 9, more, h()), DimMismatch,
        ["nt.while_loop", "bool[batch:2 embed:3], not a scalar", ".all()"]),
    "while, other names": (lambda: nt.while_loop(below, lambda c: c.sum("batch"), h()), DimMismatch,
        ["nt.while_loop", f"goes in as {CARRY}", "comes out as f32[embed:3]"]),
    "fori, other names": (lambda: nt.fori_loop(0, 3, lambda i, c: c.sum("batch"), h()), DimMismatch,
        ["nt.fori_loop", f"goes in as {CARRY}", "comes out as f32[embed:3]"]),
    "fori, another dtype": (lambda: nt.fori_loop(0, 3, lambda i, c: c > 0, h()), TypeError,
        ["nt.fori_loop", "bool[batch:2 embed:3]", "dtypes differ"]),
    "fori, a bound with dims": (lambda: nt.fori_loop(0, nt.arange("batch", 2), counted, h()), DimMismatch,
        ["nt.fori_loop", "i32[batch:2], not a scalar"]),
}  # fmt: skip


@pytest.mark.parametrize(("call", "error", "parts"), ERRORS.values(), ids=ERRORS)
@pytest.mark.parametrize("traced", [False, True], ids=["eager", "jit"])
def test_error(call, error, parts, traced):
    with pytest.raises(error) as caught:
        jax.jit(call)() if traced else call()
    missing = [part for part in parts if part not in str(caught.value)]
    assert not missing, str(caught.value)


def test_trees_of_two_structures_are_shown_by_jax():
    with pytest.raises(TypeError, match="pytree structure"):
        nt.scan(lambda c, t: ([c], t), h(), x(), over="time")
    with pytest.raises(TypeError, match="pytree structure"):
        nt.cond(True, lambda t: t, lambda t: (t, t), h())
    with pytest.raises(TypeError, match="shapes do not match"):
        nt.scan(lambda c, t: (jnp.ones(2), t), jnp.ones(3), x(), over="time")
