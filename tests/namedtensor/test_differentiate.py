"""Derivatives by name against closed forms and against JAX on positional arrays.

Values are small whole numbers: then every sum and product is exact in float32, in whatever order it is
made, and results can be compared for equality.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import namedtensor as nt
from namedtensor._errors import BadPattern, DimMismatch, MissingName, SizeMismatch
from tests.namedtensor.jaxprs import primitives

RNG = np.random.default_rng(7)


def whole_numbers(*shape):
    return RNG.choice(np.float32([-3, -2, -1, 1, 2, 3]), shape)


X, W, B = whole_numbers(2, 3), whole_numbers(3, 4), whole_numbers(4)


def x(stored="batch embed"):
    return nt.tensor(X, "batch embed").order(stored)


def params(stored="embed ff"):
    return {"w": nt.tensor(W, "embed ff").order(stored), "b": nt.tensor(B, "ff")}


ORDERS = ["batch embed", "embed batch"]


# gradients -----------------------------------------------------------------------------------


@pytest.mark.parametrize("stored", ORDERS)
def test_a_gradient_has_the_names_and_the_order_of_its_argument(stored):
    got = nt.grad(lambda t: (t**3).sum())(x(stored))
    assert got.dims == tuple(stored.split())
    np.testing.assert_array_equal(got.to_array("batch embed"), 3 * X**2)


def test_gradients_of_orders_one_to_four():
    """f = sum of x^4: 4 x^3, 12 x^2, 24 x, 24."""

    def slope_of(f):
        return lambda t: nt.grad(lambda u: f(u).sum())(t)

    f = lambda t: t**4  # noqa: E731
    for want in (4 * X**3, 12 * X**2, 24 * X, 24 * np.ones_like(X)):
        f = slope_of(f)
        np.testing.assert_array_equal(f(x("embed batch")).to_array("batch embed"), want)


def test_argnums_and_aux():
    def loss(p, t, scale):
        y = t.dot("embed", p["w"]) + p["b"]
        return (y * y * scale).sum(), {"y": y}

    (slopes, scale), aux = nt.grad(loss, (0, 2), has_aux=True)(params("ff embed"), x(), 0.5)
    y = X @ W + B
    assert slopes["w"].dims == ("ff", "embed")
    np.testing.assert_array_equal(slopes["w"].to_array("embed ff"), X.T @ y)
    np.testing.assert_array_equal(slopes["b"].array, y.sum(0))
    assert float(scale) == (y * y).sum()
    np.testing.assert_array_equal(aux["y"].to_array("batch ff"), y)


def test_value_and_grad():
    (value, aux), slope = nt.value_and_grad(lambda t: ((t * t).sum(), t), has_aux=True)(x())
    assert float(value) == (X * X).sum()
    assert nt.equal(aux, x())
    assert nt.equal(slope, 2 * x())


def test_options_are_jax_s():
    z = x().astype(jnp.complex64)
    assert nt.equal(nt.grad(lambda t: (t * t).sum(), holomorphic=True)(z), 2 * z)
    count = nt.grad(lambda n: (n * 1.5).sum(), allow_int=True)(nt.arange("embed", 3))
    assert count.dims == ("embed",)
    assert count.dtype == jax.dtypes.float0
    with pytest.raises(TypeError, match="unexpected keyword"):
        nt.grad(lambda t: t.sum(), holomorfic=True)


@pytest.mark.parametrize(
    ("loss", "says"),
    [
        (lambda t: None, "Gradient only defined for scalar-output functions"),
        (lambda t: t.array, "Gradient only defined for scalar-output functions"),
        (lambda t: (t > 0).sum(), "grad requires real-valued outputs"),
    ],
)
def test_what_is_no_loss_is_refused_by_jax(loss, says):
    with pytest.raises(TypeError, match=says):
        nt.grad(loss)(x())


def test_aux_that_is_missing():
    with pytest.raises(TypeError, match="two-element tuple"):
        nt.grad(lambda t: t.sum(), has_aux=True)(x())


# Jacobians -----------------------------------------------------------------------------------


def layer(p, t):
    return {"y": (t**2).dot("embed", p["w"]) * p["b"], "norm": (p["w"] ** 2).sum()}


def layer_by_hand(p, t):
    return {"y": (t**2) @ p["w"] * p["b"][None], "norm": (p["w"] ** 2).sum()}


@pytest.mark.parametrize(("stored", "mode"), list(itertools.product(ORDERS, ["reverse", "forward"])))
def test_jacobian_of_a_tree(stored, mode):
    got = nt.jit(nt.jacobian(layer, (0, 1), mode=mode))(params("ff embed"), x(stored))
    want = jax.jit(jax.jacobian(layer_by_hand, (0, 1)))({"w": W, "b": B}, X)
    dims = {
        "y": ({"w": "batch ff embed' ff'", "b": "batch ff ff'"}, "batch ff batch' embed'"),
        "norm": ({"w": "embed' ff'", "b": "ff'"}, "batch' embed'"),
    }
    for key, (of_params, of_x) in dims.items():
        for name, spec in of_params.items():
            np.testing.assert_array_equal(got[key][0][name].to_array(spec), want[key][0][name])
        np.testing.assert_array_equal(got[key][1].to_array(of_x), want[key][1])


def test_dims_of_the_result_come_first_and_the_argument_s_have_primes():
    got = nt.jacobian(lambda t: t.sum("batch").rename(embed="out"))(x("embed batch"))
    assert got.dims == ("out", "embed'", "batch'")


@pytest.mark.parametrize(
    ("result", "want"),
    [
        (lambda t: t.rename(embed="a"), "batch a batch' embed'"),
        (lambda t: t.rename(embed="embed'"), "batch embed' batch'' embed''"),
        (lambda t: t.rename(batch="batch''", embed="embed'"), "batch'' embed' batch''' embed'''"),
    ],
)
def test_as_many_primes_as_are_new_and_the_same_number_for_all(result, want):
    assert " ".join(nt.jacobian(result)(x()).dims) == want


def test_a_jacobian_times_a_change_is_the_change_of_the_result():
    """f is quadratic: f(x + d) - f(x - d) = 2 J d, exactly."""
    change = nt.tensor(whole_numbers(2, 3), "batch embed")
    f = lambda t: (t * t).dot("embed", params()["w"])  # noqa: E731
    slope = nt.jacobian(f)(x())
    moved = nt.dot(slope, change.rename(batch="batch'", embed="embed'"), over="batch' embed'")
    assert nt.equal(2 * moved, f(x() + change) - f(x() - change))


def test_plain_arrays_and_scalars():
    assert isinstance(nt.jacobian(lambda a: a**2)(B), jax.Array)
    np.testing.assert_array_equal(nt.jacobian(lambda a: a**2)(B), np.diag(2 * B))
    by_number = nt.jacobian(lambda s: s * x())(2.0)
    assert nt.equal(by_number, x())
    of_number = nt.jacobian(lambda t: t.sum().array)(x())
    assert nt.equal(of_number, nt.ones("batch':2 embed':3"))
    assert float(nt.jacobian(lambda s: s * s)(3.0)) == 6.0


def test_jacobian_with_aux_options_and_keywords():
    slope, aux = nt.jacobian(lambda t, *, k: (k * t, {"t": t}), has_aux=True)(x(), k=3.0)
    assert nt.equal(aux["t"], x())
    assert float(slope.sum()) == 18.0
    z = x().astype(jnp.complex64)
    for mode in ("reverse", "forward"):
        got = nt.jacobian(lambda t: (t * t).sum(), mode=mode, holomorphic=True)(z)
        assert nt.equal(got, 2 * z.rename(batch="batch'", embed="embed'"))
    of_ints = nt.jacobian(lambda n: n * 1.5, allow_int=True)(nt.arange("a", 2))
    assert of_ints.dtype == jax.jacobian(lambda n: n * 1.5, allow_int=True)(jnp.arange(2)).dtype


def test_jacobian_under_jit_and_vmap(compilations):
    compiled = nt.jit(nt.jacobian(lambda t: t**3))
    row = nt.tensor(X[0], "embed")
    first = compiled(row)
    assert compilations.since(lambda: compiled(row)) == 0
    np.testing.assert_array_equal(first.to_array("embed embed'"), np.diag(3 * X[0] ** 2))
    each = nt.vmap(nt.jacobian(lambda t: t**3), over="batch")(x())
    want = np.stack([np.diag(3 * r**2) for r in X])
    np.testing.assert_array_equal(each.to_array("batch embed embed'"), want)


def test_a_jacobian_leaves_what_jax_leaves():
    got = primitives(nt.jacobian(lambda t: (t * t).sum("batch")), x())
    assert got == primitives(jax.jacobian(lambda a: (a * a).sum(0)), X)


# Hessians ------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_hessian_in_closed_form(mode):
    """f = (a . x)^3: H = 6 (a . x) a a^T, and its derivative 6 a a a."""
    a, v = np.float32([1, -2, 3]), np.float32([2, 1, -1])
    f = lambda t: t.dot("embed", nt.tensor(a, "embed")) ** 3  # noqa: E731
    hessian = nt.jit(nt.hessian(f, mode=mode))
    t = nt.tensor(v, "embed")
    assert hessian(t).dims == ("embed", "embed'")
    np.testing.assert_array_equal(hessian(t).array, 6 * (a @ v) * np.outer(a, a))
    third = nt.jit(nt.jacobian(hessian))(t)
    assert third.dims == ("embed", "embed'", "embed''")
    np.testing.assert_array_equal(third.array, 6 * np.einsum("i,j,k->ijk", a, a, a))
    fourth = nt.jit(nt.jacobian(nt.jacobian(nt.jacobian(nt.grad(f)))))(t)
    assert nt.equal(fourth, nt.zeros("embed:3 embed':3 embed'':3 embed''':3"))


def test_hessian_is_the_jacobian_of_the_gradient():
    loss = lambda p: (x().dot("embed", p["w"]) * p["b"]).sum() ** 2  # noqa: E731
    got = nt.jit(nt.hessian(loss))(params("ff embed"))
    other = nt.jit(nt.jacobian(nt.grad(loss)))(params("ff embed"))
    want = jax.jit(jax.hessian(lambda p: ((X @ p["w"]) * p["b"][None]).sum() ** 2))({"w": W, "b": B})
    dims = {
        "w": {"w": "embed ff embed' ff'", "b": "embed ff ff'"},
        "b": {"w": "ff embed' ff'", "b": "ff ff'"},
    }
    for i, j in itertools.product("wb", "wb"):
        assert nt.equal(got[i][j], other[i][j])
        np.testing.assert_array_equal(got[i][j].to_array(dims[i][j]), want[i][j])


def test_hessian_with_argnums_and_aux():
    f = lambda s, t: ((s * t * t).sum(), s)  # noqa: E731
    hessian, aux = nt.jit(nt.hessian(f, (0, 1), has_aux=True))(2.0, x())
    assert float(aux) == 2.0
    assert float(hessian[0][0]) == 0.0
    assert nt.equal(hessian[0][1], 2 * x().rename(batch="batch'", embed="embed'"))
    assert nt.equal(hessian[1][0], 2 * x())


# products ------------------------------------------------------------------------------------


@pytest.mark.parametrize("stored", ORDERS)
def test_cotangents_and_tangents_in_any_order(stored):
    u = nt.tensor(whole_numbers(2, 3), "batch embed")
    f = lambda t: t**3  # noqa: E731
    want = 3 * x() ** 2 * u
    out, pull = nt.vjp(f, x())
    _, push = nt.linearize(f, x())
    _, slope = nt.jvp(f, (x(),), (u.order(stored),))
    for got in (pull(u.order(stored))[0], push(u.order(stored)), slope):
        assert got.dims == ("batch", "embed")
        assert nt.equal(got, want)
    assert nt.equal(out, f(x()))


def test_products_of_trees_and_with_aux():
    out, pull, aux = nt.vjp(lambda p, t: (layer(p, t), 1.0), params(), x(), has_aux=True)
    assert float(aux) == 1.0
    of_params, of_x = pull({"y": out["y"].order("ff batch"), "norm": 2.0})
    y = X**2 @ W * B
    np.testing.assert_array_equal(of_params["w"].array, (X**2).T @ (y * B) + 4 * W)
    np.testing.assert_array_equal(of_params["b"].array, (y * (X**2 @ W)).sum(0))
    np.testing.assert_array_equal(of_x.array, ((y * B) @ W.T) * 2 * X)
    _, slope, kept = nt.jvp(lambda p: (p["b"] ** 2, p), (params(),), (params(),), has_aux=True)
    np.testing.assert_array_equal(slope.array, 2 * B**2)
    assert nt.equal(kept["b"], params()["b"])


def test_a_pullback_passes_through_jit(compilations):
    out, pull = nt.jit(lambda t: nt.vjp(lambda u: u**2, t))(x())
    apply = nt.jit(lambda pull, u: pull(u)[0])
    assert nt.equal(apply(pull, out), 2 * x() ** 3)
    again = nt.vjp(lambda u: u**2, x())[1]
    assert nt.equal(apply(again, out), 2 * x() ** 3)
    _, pull = nt.jit(lambda t: nt.vjp(lambda u: u**2, t))(x())
    assert nt.equal(pull(out.order("embed batch"))[0], 2 * x() ** 3)


def test_products_by_jax_agree():
    """The bare pytree, with tangents in the storage order of the primals."""
    f = lambda t: (t**2).sum("embed")  # noqa: E731
    u = nt.tensor(whole_numbers(2), "batch")
    assert nt.equal(nt.vjp(f, x())[1](u)[0], jax.vjp(f, x())[1](u)[0])
    assert nt.equal(nt.jvp(f, (x(),), (x(),))[1], jax.jvp(f, (x(),), (x(),))[1])


def test_second_order_through_products():
    """A Hessian-vector product, forward over reverse, against the Hessian of f = sum of x^3 w."""
    f = lambda t: (t**3 * params()["w"].sum("ff")).sum()  # noqa: E731
    _, product = nt.jvp(nt.grad(f), (x(),), (x("embed batch"),))
    np.testing.assert_array_equal(product.array, 6 * X * W.sum(1) * X)


# errors --------------------------------------------------------------------------------------

SHOWN = "f32[batch:2 embed:3]"
ERRORS = {
    "a loss with dims": (lambda: nt.grad(lambda t: t * t)(x()), DimMismatch,
        ["DimMismatch in nt.grad:", SHOWN, "the loss", "not a scalar", "loss.mean() or loss.sum()"]),
    "a loss with dims, with its value": (lambda: nt.value_and_grad(lambda t: t * t)(x()), DimMismatch,
        ["nt.value_and_grad", SHOWN]),
    "a loss with dims, twice": (lambda: nt.hessian(lambda t: t * t)(x()), DimMismatch, ["nt.hessian", SHOWN]),
    "an unknown mode": (lambda: nt.jacobian(lambda t: t, mode="forwards"), BadPattern,
        ["mode='forwards'", "'reverse' and 'forward'", "Did you mean 'forward'?"]),
    "argnums out of range": (lambda: nt.jacobian(lambda t: t, 1)(x()), BadPattern,
        ["nt.jacobian", SHOWN, "argnums=1", "1 are given by position"]),
    "argnums given by keyword": (lambda: nt.jacobian(lambda t: t)(t=x()), BadPattern, ["argnums=0", "0 are given"]),
    "argnums of no number": (lambda: nt.jacobian(lambda t: t, "t")(x()), BadPattern, ["argnums='t'"]),
    "an argument without names": (lambda: nt.jacobian(lambda a: nt.tensor(a, "embed"))(jnp.ones(3)), MissingName,
        ["nt.jacobian", "the argument f32[3] has no names", "nt.tensor(array"]),
    "a result without names": (lambda: nt.jacobian(lambda t: t.array)(x()), MissingName,
        ["nt.jacobian", SHOWN, "the result f32[2, 3] has no names"]),
    "a cotangent of other names": (lambda: nt.vjp(lambda t: 2 * t, x())[1](nt.ones("batch:2 embd:3")), DimMismatch,
        ["nt.vjp", "cotangent", "f32[batch:2 embd:3]", f"for {SHOWN}", "'embed' is missing, 'embd' is new",
         "Did you mean 'embed'?"]),
    "a cotangent of other names, in a tree": (
        lambda: nt.vjp(lambda t: {"y": 2 * t}, x())[1]({"y": nt.ones("batch:2")}), DimMismatch,
        ["cotangent[0]['y']", "'embed' is missing"]),
    "a cotangent of another size": (lambda: nt.vjp(lambda t: 2 * t, x())[1](nt.ones("batch:2 embed:4")), SizeMismatch,
        ["cotangent", "f32[batch:2 embed:4]", "'embed' has two sizes"]),
    "a cotangent without names": (lambda: nt.vjp(lambda t: 2 * t, x())[1](jnp.ones((2, 3))), MissingName,
        ["cotangent", "f32[2, 3]", SHOWN, "no names"]),
    "a number for a cotangent with dims": (lambda: nt.vjp(lambda t: 2 * t, x())[1](1.0), DimMismatch,
        ["cotangent", "1.0", "'batch embed' is missing"]),
    "a tangent of other names": (lambda: nt.jvp(lambda t: t, (x(),), (nt.ones("embed:3"),)), DimMismatch,
        ["nt.jvp", "tangent[0]", "f32[embed:3]", SHOWN]),
    "a tangent of other names, pushed": (lambda: nt.linearize(lambda t: t, x())[1](nt.ones("embed:3")), DimMismatch,
        ["nt.linearize", "tangent", "f32[embed:3]", SHOWN]),
}  # fmt: skip


@pytest.mark.parametrize(("call", "error", "parts"), ERRORS.values(), ids=ERRORS)
def test_error(call, error, parts):
    with pytest.raises(error) as caught:
        call()
    missing = [part for part in parts if part not in str(caught.value)]
    assert not missing, str(caught.value)


def test_other_mistakes_are_jax_s():
    with pytest.raises(TypeError, match="must be tuples or lists"):
        nt.jvp(lambda t: t, x(), x())
    with pytest.raises(TypeError, match="same tree structure"):
        nt.jvp(lambda p: p["b"], (params(),), ({"b": x()},))
    with pytest.raises(ValueError, match="int32"):
        nt.vjp(lambda t: t, x())[1](x().astype(jnp.int32))
    with pytest.raises(TypeError, match="real- or complex-valued inputs"):
        nt.jacobian(lambda n: n * 2)(nt.arange("a", 3))
