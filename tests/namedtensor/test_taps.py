"""Taps: places inside any function, watched and replaced from outside, at no cost."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import namedtensor as nt
from namedtensor.interpreter import UnknownTapError, UnsupportedPrimitiveError, interpret
from namedtensor.interpreter.rules import RuleTable, bind

EPS = float(np.finfo(np.float32).eps)
X = jnp.asarray([0.5, -1.25, 2.0])


@jax.custom_jvp
def kinked(x):
    return nt.tap(jnp.sin(x), "place") * x


@kinked.defjvp
def _kinked_jvp(primals, tangents):
    return kinked(*primals), 100.0 * tangents[0]  # on purpose not the derivative


@jax.custom_vjp
def strange(x):
    return nt.tap(jnp.sin(x), "place") * x


strange.defvjp(lambda x: (strange(x), x), lambda x, out: (7.0 * out,))


def plain(x):
    return nt.tap(jnp.sin(x), "place") * x


def scanned(x):
    def step(c, v):
        c = nt.tap(jnp.sin(c) + v, "place")
        return c, c * v

    last, each = jax.lax.scan(step, 0.0, x)
    return last + each


def reversed_scan(x):
    return jax.lax.scan(lambda c, v: (nt.tap(c * v, "place"), c), 1.0, x, reverse=True)[1]


def nested_scan(x):
    def inner(c, v):
        return nt.tap(c * v, "place"), c

    def outer(c, scale):
        c, each = jax.lax.scan(inner, c, x * scale)
        return c, each.sum()

    return jax.lax.scan(outer, 1.0, jnp.asarray([1.0, 2.0]))[1]


# the function, and what passes at its place, worked out by hand
PLACES = {
    "plain": (plain, lambda x: np.sin(x)),
    "jit": (jax.jit(lambda x: jax.jit(plain)(x) + 1), lambda x: np.sin(x)),
    "vmap": (jax.vmap(plain), lambda x: np.sin(x)),
    "grad": (lambda x: jax.grad(lambda v: plain(v).sum())(x), lambda x: np.sin(x)),
    "custom_jvp": (kinked, lambda x: np.sin(x)),
    "custom_vjp": (strange, lambda x: np.sin(x)),
    "remat": (jax.checkpoint(plain), lambda x: np.sin(x)),
    "cond": (lambda x: jax.lax.cond(x[0] > 0, plain, jnp.cos, x), lambda x: np.sin(x)),
    "scan": (scanned, lambda x: [np.sin(0) + x[0], np.sin(x[0]) + x[1], np.sin(np.sin(x[0]) + x[1]) + x[2]]),
    "reverse scan": (reversed_scan, lambda x: [x[0] * x[1] * x[2], x[1] * x[2], x[2]]),
    "nested scan": (nested_scan, lambda x: np.cumprod([*x, *(2 * x)]).reshape(2, 3)),
    "jit in scan": (jax.jit(lambda x: jax.jit(scanned)(x)), lambda x: PLACES["scan"][1](x)),
}
FORWARD_ONLY = {"grad"}


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("under", [lambda f: f, jax.jit], ids=["eager", "jit"])
def test_capture(name, under):
    f, by_hand = PLACES[name]
    out, places = under(nt.capture(f))(X)
    np.testing.assert_allclose(out, f(X), rtol=4 * EPS)
    assert list(places) == ["place"]
    np.testing.assert_allclose(places["place"], by_hand(np.asarray(X, np.float64)), rtol=16 * EPS)


@pytest.mark.parametrize("name", PLACES)
def test_list_taps_shows_what_capture_returns(name):
    f = PLACES[name][0]
    listed, captured = nt.list_taps(f, X), nt.capture(f)(X)[1]
    assert {k: (v.shape, v.dtype) for k, v in listed.items()} == {
        k: (v.shape, v.dtype) for k, v in captured.items()
    }
    assert all(isinstance(v, jax.ShapeDtypeStruct) for v in listed.values())
    assert nt.list_taps(f, jax.ShapeDtypeStruct(X.shape, X.dtype)) == listed


@pytest.mark.parametrize("name", PLACES)
def test_capture_does_not_change_the_gradient(name):
    f = PLACES[name][0]
    got = jax.grad(lambda x: nt.capture(f)(x)[0].sum())(X)
    np.testing.assert_allclose(got, jax.grad(lambda x: f(x).sum())(X), rtol=8 * EPS, atol=8 * EPS)


@pytest.mark.parametrize("name", sorted(set(PLACES) - FORWARD_ONLY))
def test_what_is_captured_has_derivatives(name):
    f = PLACES[name][0]
    slope = jax.jacrev(lambda x: nt.capture(f, "place")(x)[1]["place"])(X)
    assert slope.shape == (*nt.list_taps(f, X)["place"].shape, 3)
    if slope.shape == (3, 3) and "scan" not in name:
        np.testing.assert_allclose(slope, np.diag(np.cos(X)), rtol=8 * EPS)


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("under", [lambda f: f, jax.jit], ids=["eager", "jit"])
def test_replacing_by_the_same_value_changes_nothing(name, under):
    f = PLACES[name][0]
    same = nt.capture(f)(X)[1]
    np.testing.assert_allclose(
        under(lambda x, v: nt.replace(f, v)(x))(X, same), f(X), rtol=8 * EPS, atol=8 * EPS
    )


def scan_tail(x, places):
    """`scanned` from its place on, when every step's value is given."""
    return places[-1] + places * x


TAILS = {  # function, what follows the place (the value given), the shape of the place
    "plain": (plain, lambda x, v: v * x),
    "jit": (jax.jit(plain), lambda x, v: v * x),
    "vmap": (jax.vmap(plain), lambda x, v: v * x),
    "custom_jvp": (kinked, lambda x, v: v * x),
    "custom_vjp": (strange, lambda x, v: v * x),
    "remat": (jax.checkpoint(plain), lambda x, v: v * x),
    "cond": (lambda x: jax.lax.cond(x[0] > 0, plain, jnp.cos, x), lambda x, v: v * x),
    "cond, not taken": (lambda x: jax.lax.cond(x[0] > 9, plain, jnp.cos, x), lambda x, v: jnp.cos(x) + 0 * v),
    "scan": (scanned, scan_tail),
    "reverse scan": (reversed_scan, lambda x, v: jnp.concatenate([v[1:], jnp.ones(1)])),
}  # fmt: skip


@pytest.mark.parametrize("name", TAILS)
def test_replace_is_the_tail_of_the_function(name):
    f, tail = TAILS[name]
    value = jnp.asarray([0.25, 3.0, -2.0])
    replaced = lambda x, v: nt.replace(f, {"place": v})(x)  # noqa: E731
    np.testing.assert_allclose(replaced(X, value), tail(X, value), rtol=4 * EPS)
    weight = jnp.asarray([1.0, 2.0, 3.0])
    got = jax.jit(jax.grad(lambda x, v: (replaced(x, v) * weight).sum(), (0, 1)))(X, value)
    want = jax.jit(jax.grad(lambda x, v: (tail(x, v) * weight).sum(), (0, 1)))(X, value)
    np.testing.assert_allclose(got, want, rtol=8 * EPS, atol=8 * EPS)


def test_replace_in_a_nested_scan():
    value = jnp.arange(6.0).reshape(2, 3)
    out = nt.replace(nested_scan, {"place": value})(X)
    np.testing.assert_array_equal(out, [1 + 0 + 1, 2 + 3 + 4])


def test_custom_derivatives_of_other_functions_are_kept():
    def f(x):
        return nt.tap(x, "in") + jax.nn.relu(x)

    zero = jnp.asarray(0.0)
    assert jax.grad(nt.replace(f, {"in": jnp.asarray(5.0)}))(zero) == 0.0
    assert jax.grad(lambda x: nt.capture(f)(x)[0])(zero) == 1.0


# branches -----------------------------------------------------------------------------------------


def two_branches(x):
    def first(v):
        return nt.tap(v * 2, "both") + nt.tap(v, "first")

    def second(v):
        return nt.tap(v * 3, "both") * nt.tap(jnp.int32(4), "second")

    return jax.lax.cond(x > 0, first, second, x)


@pytest.mark.parametrize(
    ("x", "both", "first", "second"), [(1.0, 2.0, 1.0, 0), (-1.0, -3.0, np.nan, 4)], ids=["first", "second"]
)
def test_the_branch_not_taken_is_nan(x, both, first, second):
    out, places = nt.capture(two_branches)(x)
    assert out == two_branches(x)
    assert set(places) == {"both", "first", "second"}
    np.testing.assert_array_equal([places["both"], places["first"]], np.float32([both, first]))
    assert (places["second"], places["second"].dtype) == (second, jnp.int32)


def test_replace_in_branches():
    new = {"both": jnp.asarray(10.0), "first": jnp.asarray(0.5), "second": jnp.asarray(7)}
    assert nt.replace(two_branches, new)(1.0) == 10.5
    assert nt.replace(two_branches, new)(-1.0) == 70.0
    assert nt.replace(two_branches, {"second": jnp.asarray(7)})(-1.0) == -21.0


def test_a_place_after_a_branch_is_counted_right():
    def f(x):
        y = jax.lax.cond(x > 0, lambda v: nt.tap(v, "p"), lambda v: nt.tap(nt.tap(v, "p") * 2, "p"), x)
        return nt.tap(y + 1, "p")

    assert list(nt.list_taps(f, 1.0)) == ["p#1", "p#2", "p#3"]
    out, places = nt.capture(f)(-1.0)
    assert out == -1.0
    assert [float(v) for v in places.values()] == [-1.0, -2.0, -1.0]
    assert float(nt.capture(f)(1.0)[1]["p#3"]) == 2.0
    assert nt.replace(f, {"p#3": jnp.asarray(50.0)})(1.0) == 50.0


# names --------------------------------------------------------------------------------------------


def twice(x):
    return nt.tap(nt.tap(x + 1, "p") * 2, "p") + nt.tap(x, "q")


def test_a_name_passed_twice():
    out, places = nt.capture(twice)(1.0)
    assert out == 5.0
    assert {k: float(v) for k, v in places.items()} == {"p#1": 2.0, "p#2": 4.0, "q": 1.0}
    assert list(nt.list_taps(twice, 1.0)) == ["p#1", "p#2", "q"]
    assert nt.replace(twice, {"p#1": jnp.asarray(10.0)})(1.0) == 21.0
    assert nt.replace(twice, {"p#2": jnp.asarray(10.0)})(1.0) == 11.0
    assert nt.replace(twice, {"p#1": jnp.asarray(10.0), "p#2": jnp.asarray(1.0)})(1.0) == 2.0


def test_a_name_passed_twice_in_a_scan():
    def f(x):
        return jax.lax.scan(lambda c, v: (nt.tap(nt.tap(c + v, "p") * 2, "p"), None), 0.0, x)[0]

    out, places = nt.capture(f)(X)
    assert {k: v.shape for k, v in places.items()} == {"p#1": (3,), "p#2": (3,)}
    np.testing.assert_allclose(places["p#2"], 2 * places["p#1"], rtol=EPS)
    assert places["p#2"][-1] == out
    assert nt.replace(f, {"p#2": jnp.asarray([0.0, 1.0, 6.0])})(X) == 6.0


@pytest.mark.parametrize(
    ("names", "kept"), [("p#2", ["p#2"]), (["q", "p#1"], ["q", "p#1"]), ([], []), (("q",), ["q"])], ids=str
)
def test_capture_of_some_names(names, kept):
    assert list(nt.capture(twice, names)(1.0)[1]) == kept


def test_a_function_without_taps():
    assert nt.list_taps(jnp.sin, 1.0) == {}
    assert nt.capture(jnp.sin)(0.0) == (0.0, {})
    assert nt.replace(jnp.sin, {})(0.0) == 0.0


def test_a_pytree_is_a_place_for_each_leaf():
    def f(x):
        parts = nt.tap({"a": x, "b": [x * 2, nt.tensor(jnp.stack([x, x]), "e")]}, "parts")
        return parts["a"] + parts["b"][0] + parts["b"][1].sum().array

    out, places = nt.capture(f)(1.0)
    assert out == 5.0
    assert list(places) == ["parts['a']", "parts['b'][0]", "parts['b'][1]"]
    assert nt.equal(places["parts['b'][1]"], nt.ones("e:2"))
    new = {"parts['b'][0]": jnp.asarray(20.0), "parts['b'][1]": nt.tensor([1.0, 3.0], "e")}
    assert nt.replace(f, new)(1.0) == 25.0


@pytest.mark.parametrize("tree", [[X], {"only": X}, (nt.tensor([1.0], "e"),)], ids=["list", "dict", "named"])
def test_a_pytree_of_one_leaf_has_the_plain_name(tree):
    assert list(nt.list_taps(lambda t: nt.tap(t, "p"), tree)) == ["p"]
    assert jax.tree.structure(nt.tap(tree, "p")) == jax.tree.structure(tree)


def test_tap_is_the_identity():
    tree = {"a": X, "b": nt.tensor([1, 2], "e"), "none": None}
    out = nt.tap(tree, "p")
    assert out["b"].dims is tree["b"].dims
    np.testing.assert_array_equal(out["a"], X)
    assert nt.equal(out["b"], tree["b"])
    assert nt.tap((), "p") == ()


def test_arguments_that_are_not_arrays():
    def f(x, mode, *, scale):
        assert mode == "sine"
        return nt.tap(jnp.sin(x) * scale["by"], "p")

    assert list(nt.list_taps(f, X, "sine", scale={"by": 2.0})) == ["p"]
    np.testing.assert_allclose(
        nt.capture(f)(X, "sine", scale={"by": 2.0})[1]["p"], 2 * np.sin(X), rtol=4 * EPS
    )
    np.testing.assert_array_equal(nt.replace(f, {"p": X})(X, "sine", scale={"by": 2.0}), X)


# names of dims --------------------------------------------------------------------------------------


def named_model(x):
    hidden = nt.tap(x.order("embed ...").sin(), "hidden")
    return nt.tap((hidden * hidden).sum("embed"), "out")


def named_x():
    return nt.tensor(np.float32([[1, 2, 3], [4, 5, 6]]), "batch embed")


@pytest.mark.parametrize("under", [lambda f: f, jax.jit, jax.checkpoint], ids=["plain", "jit", "remat"])
def test_named_tensors_come_back_named(under):
    out, places = nt.capture(under(named_model))(named_x())
    assert nt.equal(places["hidden"], named_x().sin())
    assert nt.equal(places["out"], out)
    listed = nt.list_taps(under(named_model), named_x())
    assert dict(listed["hidden"].shape) == {"embed": 3, "batch": 2}
    assert repr(listed["out"]) == "f32[batch:2]"


@pytest.mark.parametrize("order", ["batch embed", "embed batch"])
def test_a_named_value_may_be_stored_in_any_order(order):
    value = nt.tensor(np.float32([[1, 0, 0], [2, 2, 0]]), "batch embed").order(order)
    out = nt.replace(named_model, {"hidden": value})(named_x())
    assert nt.equal(out, nt.tensor([1.0, 8.0], "batch"))


def test_the_gradient_at_a_named_place_is_named():
    value = named_x()
    slope = nt.grad(lambda v: nt.replace(named_model, {"hidden": v})(named_x()).sum())(value)
    assert nt.equal(slope, 2 * value)


def test_a_named_place_inside_grad_and_jit():
    _, places = nt.capture(jax.jit(nt.grad(lambda x: named_model(x).sum())))(named_x())
    assert nt.equal(places["hidden"], named_x().sin())


def test_a_named_place_with_primes_and_scopes():
    def f(x):
        with jax.named_scope("encoder"):
            return nt.tap(x.rename(embed="embed'"), "p")

    assert nt.capture(f)(named_x())[1]["p"].dims == ("batch", "embed'")


def test_a_named_place_in_a_scan_is_in_transit():
    """Its leading axis is the iterations: `name` gives it a name."""

    def f(x):
        return jax.lax.scan(lambda c, v: (nt.tap(c + v, "p"), None), nt.zeros("embed:3"), x.peel("batch"))[0]

    assert repr(nt.list_taps(f, named_x())["p"]) == "f32[2, embed:3]"
    place = nt.capture(f)(named_x())[1]["p"]
    assert nt.equal(place.name("batch"), named_x().cumsum("batch"))
    out = nt.replace(f, {"p": nt.zeros("batch:2 embed:3").peel("batch")})(named_x())
    assert nt.equal(out, nt.zeros("embed:3"))


def test_a_named_place_under_vmap_is_an_array():
    """vmap has added an axis, at a place that the names do not say."""

    def f(x):
        return nt.vmap(lambda v: nt.tap(v * 2, "p").sum(), over="batch")(x)

    place = nt.capture(f)(named_x())[1]["p"]
    assert not nt.is_named(place)
    np.testing.assert_array_equal(place, 2 * named_x().to_array("batch embed"))


def test_capture_under_vmap_is_named():
    out, places = nt.vmap(nt.capture(named_model), over="batch")(named_x())
    assert nt.equal(places["hidden"], named_x().sin())
    assert nt.equal(places["out"], out)


COMPOSED = {
    "capture": lambda f: lambda x: nt.capture(f)(x)[0],
    "replace nothing": lambda f: nt.replace(f, {}),
    "replace another place": lambda f: lambda x: nt.replace(f, {"in": nt.ones("batch:2 embed:3")})(x),
    "another table": lambda f: interpret(f, RuleTable("nothing", default=bind)),
}


@pytest.mark.parametrize("compose", COMPOSED.values(), ids=COMPOSED)
def test_places_are_still_there_in_a_transformed_function(compose):
    def f(x):
        return named_model(nt.tap(x, "in"))

    out, places = nt.capture(compose(f), ["hidden", "out"])(named_x())
    assert nt.equal(places["out"], out)
    assert dict(places["hidden"].shape) == {"batch": 2, "embed": 3}


@pytest.mark.parametrize("name", PLACES)
def test_a_place_is_counted_once_however_often_it_is_watched(name):
    f = PLACES[name][0]
    watched = nt.capture(lambda x: nt.capture(f)(x)[0])
    assert list(watched(X)[1]) == ["place"]
    np.testing.assert_allclose(watched(X)[1]["place"], nt.capture(f)(X)[1]["place"], rtol=4 * EPS)


def test_what_is_put_in_is_a_place_again():
    value = nt.ones("batch:2 embed:3")
    _, places = nt.capture(nt.replace(named_model, {"hidden": value}))(named_x())
    assert nt.equal(places["hidden"], value)


def test_branches_may_store_a_named_place_in_two_orders():
    def f(x, first):
        return jax.lax.cond(
            first, lambda v: nt.tap(v, "p").sum(), lambda v: nt.tap(2 * v.order("embed batch"), "p").sum(), x
        )

    for first in (True, False):
        place = nt.capture(f)(named_x(), first)[1]["p"]
        assert nt.equal(place, named_x() if first else 2 * named_x())


def test_branches_with_places_of_two_shapes_are_refused_by_name():
    def f(x):
        return jax.lax.cond(x[0] > 0, lambda v: nt.tap(v, "p").sum(), lambda v: nt.tap(v.sum(), "p"), x)

    with pytest.raises((TypeError, ValueError), match=r"'p'.*branch|branch.*'p'"):
        nt.capture(f)(X)


# cost ---------------------------------------------------------------------------------------------


def without_metadata(compiled):
    """The program, without the names of source lines and scopes."""
    text = re.sub(r",? ?metadata=\{[^}]*\}", "", compiled.as_text())
    return re.sub(r"(?ms)^(FileNames|FunctionNames|FileLocations|StackFrames).*?\n\n", "", text)


def untapped(x):
    return x.order("embed batch").sin().square().sum("embed")


def tapped(x):
    x = nt.tap(nt.tap(x, "in").order("embed batch"), "moved")
    return nt.tap(nt.tap(nt.tap(x.sin(), "sin").square(), "square").sum("embed"), "out")


def test_a_tap_costs_nothing_compiled():
    programs = []
    for f in (untapped, tapped):

        def model(x, f=f):
            return f(x)

        programs.append(jax.jit(model).lower(named_x()).compile())
    first, second = programs
    assert without_metadata(first) == without_metadata(second)
    assert first.cost_analysis() == second.cost_analysis()


def test_list_taps_computes_nothing(compilations):
    x = named_x()
    nt.list_taps(named_model, x)
    assert compilations.since(lambda: nt.list_taps(named_model, x)) == 0


# errors -------------------------------------------------------------------------------------------


def three(x):
    return nt.tap(nt.tap(nt.tap(x, "encoder/mlp") + 1, "decoder"), "decoder")


def while_model(x):
    return jax.lax.while_loop(lambda c: c < 10, lambda c: nt.tap(c * 2, "inside"), x)


def while_test(x):
    return jax.lax.while_loop(lambda c: nt.tap(c, "inside") < 10, lambda c: c * 2, x)


ERRORS = {
    "unknown, near": (lambda: nt.capture(three, ["encoder/mpl"])(1.0), UnknownTapError,
        ["no tap 'encoder/mpl'", "there are 'encoder/mlp', 'decoder#1', 'decoder#2'", "Did you mean 'encoder/mlp'?"]),
    "unknown to replace": (lambda: nt.replace(three, {"elsewhere": X})(1.0), UnknownTapError,
        ["no tap 'elsewhere'", "'encoder/mlp', 'decoder#1', 'decoder#2'"]),
    "no taps": (lambda: nt.capture(jnp.sin, ["p"])(1.0), UnknownTapError,
        ["no tap 'p'", "has no taps", "nt.tap(x, 'name')"]),
    "several": (lambda: nt.capture(three, ["decoder"])(1.0), UnknownTapError,
        ["the tap 'decoder' is passed 2 times", "'decoder#1', 'decoder#2'"]),
    "several to replace": (lambda: nt.replace(three, {"decoder": X})(1.0), UnknownTapError,
        ["choose one of 'decoder#1'"]),
    "a number too high": (lambda: nt.replace(three, {"decoder#3": X})(1.0), UnknownTapError,
        ["no tap 'decoder#3'"]),
    "wrong shape": (lambda: nt.replace(three, {"encoder/mlp": X})(1.0), ValueError,
        ["the place 'encoder/mlp' holds f32[]", "the new value is f32[3]", "give one of the same shape"]),
    "wrong names": (lambda: nt.replace(named_model, {"hidden": nt.ones("batch:2 seq:3")})(named_x()), ValueError,
        ["the place 'hidden' holds f32[embed:3 batch:2]", "the new value is f32[batch:2 seq:3]"]),
    "wrong sizes": (lambda: nt.replace(named_model, {"hidden": nt.ones("batch:2 embed:4")})(named_x()), ValueError,
        ["the place 'hidden' holds f32[embed:3 batch:2]", "the new value is f32[batch:2 embed:4]"]),
    "wrong shape in a scan": (lambda: nt.replace(scanned, {"place": jnp.ones((3, 2))})(X), ValueError,
        ["the place 'place' holds f32[3]", "the new value is f32[3, 2]"]),
    "wrong length in a scan": (lambda: nt.replace(scanned, {"place": jnp.ones(2)})(X), ValueError,
        ["the place 'place' holds f32[3]", "the new value is f32[2]"]),
    "not an array": (lambda: nt.replace(plain, {"place": [1.0, 2.0, 3.0, 4.0]})(X), ValueError,
        ["the place 'place'"]),
    "in while": (lambda: nt.capture(while_model)(1.0), UnsupportedPrimitiveError,
        ["the tap 'inside' is inside a while loop", "test_taps.py:", "(while_model)", "jax.lax.scan"]),
    "in the test of while": (lambda: nt.capture(while_test)(1.0), UnsupportedPrimitiveError,
        ["the tap 'inside'"]),
    "in while, listed": (lambda: nt.list_taps(while_model, 1.0), UnsupportedPrimitiveError,
        ["the tap 'inside'"]),
    "in while, replaced": (lambda: nt.replace(while_model, {"inside": X})(1.0), UnsupportedPrimitiveError,
        ["'inside'"]),
    "a name with #": (lambda: nt.tap(X, "p#1"), ValueError,
        ["'p#1' is not a name for a place", "without '#'"]),
    "no name": (lambda: nt.tap(X, ""), ValueError, ["'' is not a name for a place"]),
    "a number as name": (lambda: nt.tap(X, 3), ValueError, ["3 is not a name for a place"]),
}  # fmt: skip


@pytest.mark.parametrize(("call", "error", "parts"), ERRORS.values(), ids=ERRORS)
def test_error(call, error, parts):
    with pytest.raises(error) as caught:
        call()
    assert not [part for part in parts if part not in str(caught.value)], str(caught.value)


def test_a_while_loop_beside_taps_is_no_error():
    def f(x):
        return jax.lax.while_loop(lambda c: c < 10, lambda c: c * 2, nt.tap(x, "p"))

    assert nt.capture(f)(1.0) == (16.0, {"p": 1.0})
    assert nt.replace(f, {"p": jnp.asarray(3.0)})(1.0) == 12.0


@pytest.mark.parametrize("value", [2, 2.5, np.float64(2), np.float32(2.5)])
def test_a_number_may_be_put_in(value):
    out = nt.replace(three, {"encoder/mlp": value})(1.0)
    assert (out, out.dtype) == (value + 1, jnp.float32)
