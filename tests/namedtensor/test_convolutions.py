"""The rewrite of convolutions: the same function and gradient, with few transpositions and no XLA convolution."""

from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import namedtensor as nt
from namedtensor.interpreter import fast_convolutions
from namedtensor.models import resnet18
from tests.namedtensor.jaxprs import equations


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def draw(*shapes, seed=0):
    rng = np.random.default_rng(seed)
    arrays = [jnp.asarray(rng.normal(size=s)) for s in shapes]
    return arrays if len(arrays) > 1 else arrays[0]


X = (2, 9, 7, 6)
W = (8, 9, 3, 3)


def conv(x, w, stride=1, numbers=("NCHW", "OIHW", "NCHW"), **options):
    return lax.conv_general_dilated(x, w, (stride, stride), "SAME", dimension_numbers=numbers, **options)


def count(fun, *args):
    jaxpr = jax.make_jaxpr(fun)(*args).jaxpr
    return Counter(eqn.primitive.name for eqn in equations(jaxpr))


def image_transposes(fun, *args):
    """The transpositions of what has a batch of two; weights have none here."""
    jaxpr = jax.make_jaxpr(fun)(*args).jaxpr
    moved = [eqn for eqn in equations(jaxpr) if eqn.primitive.name == "transpose"]
    return len([eqn for eqn in moved if eqn.invars[0].aval.ndim > 2 and 2 in eqn.invars[0].aval.shape])


def check(fun, *args, tolerance=1e-12):
    """Value and gradient as without the rewrite."""

    def both(fun):
        @jax.jit
        def run(*args):
            y, back = jax.vjp(fun, *args)
            ct = jnp.asarray(np.random.default_rng(9).normal(size=y.shape), y.dtype)
            return y, back(ct)

        return run(*args)

    found, wanted = both(fast_convolutions(fun)), both(fun)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        assert a.shape == b.shape
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, atol=tolerance * float(abs(b).max()), rtol=0)


# -- whole networks


def norm(x, p):
    scaled = (x - p[0][None, :, None, None]) * lax.rsqrt(p[1] ** 2 + 1e-5)[None, :, None, None]
    return scaled * p[2].reshape(1, -1, 1, 1) + p[3][None, :, None, None]


def residual_net(p, x):
    """A ResNet as most write it: channels first, batch norms, a stem with a pool."""
    x = jax.nn.relu(norm(conv(x, p["stem"], 2), p["norm"]))
    x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, 3, 3), (1, 1, 2, 2), [(0, 0), (0, 0), (1, 1), (1, 1)])
    x = jax.nn.relu(x + conv(jax.nn.gelu(conv(x, p["a"])), p["b"]))
    y = conv(jax.nn.relu(conv(x, p["c"], 2)), p["d"])
    x = jax.nn.silu(conv(x, p["e"], 2) + y)
    return x.mean((2, 3)) @ p["out"]


def net_and_input():
    shapes = {"stem": (9, 3, 7, 7), "norm": (4, 9), "a": (9, 9, 3, 3), "b": (9, 9, 3, 3), "c": (12, 9, 3, 3)}
    shapes |= {"d": (12, 12, 3, 3), "e": (12, 9, 1, 1), "out": (12, 5)}
    return dict(zip(shapes, draw(*shapes.values()), strict=True)), draw((2, 3, 21, 18), seed=1)


def test_a_net_with_channels_first_is_transposed_at_its_borders_alone():
    params, x = net_and_input()
    gradient = jax.grad(lambda x: (fast_convolutions(lambda x: residual_net(params, x))(x) ** 2).sum())
    assert image_transposes(gradient, x) == 2
    there = count(gradient, x)
    assert there["conv_general_dilated"] == 2  # the stem's and the strided one's, forwards
    assert there["select_and_scatter_add"] == 0


def test_a_net_and_the_gradients_of_its_input_and_weights():
    check(residual_net, *net_and_input())


def test_the_named_resnet_keeps_its_names():
    params = resnet18.init(jax.random.key(0), resnet18.Sizes(width=8, classes=10, stem=3))
    x = nt.random.normal(jax.random.key(1), "batch:2 height:8 width:8 channel:3")

    def loss(f):
        return jax.jit(jax.grad(lambda x: (f(x) ** 2).sum().array))

    model = lambda x: resnet18.apply(params, x)  # noqa: E731
    found, wanted = loss(fast_convolutions(model))(x), loss(model)(x)
    assert found.dims == wanted.dims
    np.testing.assert_allclose(found.array, wanted.array, atol=1e-13 * float(abs(wanted.array).max()), rtol=0)


# -- one convolution, however it is written

LAYOUTS = [
    ("NHWC", "HWIO", "NHWC"),
    ("NCHW", "OIHW", "NCHW"),
    ("CHWN", "IHWO", "NCHW"),
    ("HWNC", "HWOI", "NHWC"),
]


@pytest.mark.parametrize("numbers", LAYOUTS, ids=["/".join(n) for n in LAYOUTS])
def test_all_layouts(numbers):
    sizes, kernel = dict(zip("NCHW", X, strict=True)), dict(zip("OIHW", W, strict=True))
    x, w = draw(tuple(sizes[a] for a in numbers[0]), tuple(kernel[a] for a in numbers[1]))
    check(lambda x, w: jnp.tanh(conv(jnp.tanh(x), w, numbers=numbers)), x, w)


ODD = {
    "groups": ({"feature_group_count": 3}, (2, 9, 7, 6), (6, 3, 3, 3)),
    "depthwise": ({"feature_group_count": 9}, (2, 9, 7, 6), (9, 1, 3, 3)),
    "batch groups": ({"batch_group_count": 2}, (2, 9, 7, 6), (8, 9, 3, 3)),
    "dilated": ({"rhs_dilation": (2, 2)}, (2, 9, 7, 6), (8, 9, 3, 3)),
    "transposed": ({"lhs_dilation": (2, 2)}, (2, 9, 7, 6), (8, 9, 3, 3)),
    "other sums": ({"preferred_element_type": jnp.float64}, (2, 9, 7, 6), (8, 9, 3, 3)),
}


@pytest.mark.parametrize("name", ODD)
def test_what_has_no_kernel_stays_a_convolution(name):
    options, x, w = ODD[name]
    x, w = draw(x, w)

    def fun(x, w):
        padding = [(1, 1), (1, 1)]
        return jnp.sin(lax.conv_general_dilated(x, w, (1, 1), padding, **options))

    check(fun, x, w)
    assert bool(count(fast_convolutions(fun), x, w)["conv_general_dilated"]) == (name != "other sums")


def test_one_and_three_spatial_axes_stay():
    for rank in (1, 3):
        x, w = draw((2, 4, *[5] * rank), (3, 4, *[3] * rank))
        check(lambda x, w, r=rank: jnp.sin(lax.conv_general_dilated(x, w, (1,) * r, "SAME")), x, w)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16], ids=str)
def test_narrow_numbers_stay(dtype):
    x, w = (a.astype(dtype) for a in draw(X, W))
    y, y0 = (f(lambda x: jnp.tanh(conv(x, w)))(x) for f in (fast_convolutions, lambda f: f))
    assert y.dtype == dtype
    np.testing.assert_allclose(y.astype(float), y0.astype(float), atol=0.02)


# -- what stands between two convolutions: stored order where it can be, as written where not

BETWEEN = {
    "reductions": lambda y: (
        (y - y.mean((2, 3), keepdims=True)) / (1 + y.std(1, keepdims=True)) + y.max((0, 2), keepdims=True)
    ),
    "partial": lambda y: y + y.mean((2, 3), keepdims=True) * y.std(1, keepdims=True),
    "argmax": lambda y: y * (y.argmax(1, keepdims=True) + jnp.argmin(y, 2, keepdims=True)),
    "gate": lambda y: y * jax.nn.sigmoid(y.mean((2, 3)) @ jnp.ones((8, 8)))[:, :, None, None],
    "select": lambda y: jnp.where(y > jnp.arange(6.0)[None, None, None], jnp.clip(y, -1, 2), 0.1 * y),
    "flatten": lambda y: jnp.tanh(y.reshape(2, -1)).reshape(y.shape),
    "split channels": lambda y: y.reshape(2, 4, 2, 7, 6).mean(2, keepdims=True).repeat(2, 2).reshape(y.shape),
    "merge pixels": lambda y: jnp.cumsum(y.reshape(2, 8, 42), 2).reshape(y.shape),
    "attention": lambda y: jnp.einsum("nchw,ncab->nhwab", y, y).sum((3, 4))[:, None] + y,
    "concatenate": lambda y: jnp.concatenate([y[:, :3], jnp.tanh(y[:, 3:])], 1),
    "shuffle": lambda y: y[:, ::-1].transpose(0, 1, 3, 2).transpose(0, 1, 3, 2),
    "pad and slice": lambda y: jnp.pad(y, ((0, 0), (0, 0), (1, 2), (0, 1)))[:, :, 1:-2, :-1],
    "average pool": lambda y: lax.reduce_window(y, 0.0, lax.add, (1, 1, 3, 3), (1, 1, 1, 1), "SAME"),
    "max over channels": lambda y: lax.reduce_window(
        y, -jnp.inf, lax.max, (1, 3, 1, 1), (1, 1, 1, 1), "SAME"
    ),
    "min pool": lambda y: lax.reduce_window(y, jnp.inf, lax.min, (1, 1, 2, 2), (1, 1, 1, 1), "SAME"),
    "gather": lambda y: y[:, jnp.array([3, 0, 1, 2, 7, 6, 5, 4])],
    "scatter": lambda y: y.at[:, 2].add(y[:, 0]).at[:, :, 1].max(0.1),
    "sort": lambda y: jnp.sort(y, 1),
    "squeeze": lambda y: jnp.squeeze(y[:1], 0)[None] + y,
    "integers": lambda y: y * (y > 0).astype(jnp.int32).astype(y.dtype),
    "jit": lambda y: jax.jit(lambda y: jax.nn.softmax(y, 1))(y),
    "remat": lambda y: jax.checkpoint(lambda y: jnp.tanh(y) ** 2)(y),
    "tap": lambda y: nt.tap(y, "here"),
    "zeros": lambda y: y + jnp.zeros((2, 8, 7, 6)) + jnp.ones(()),
    "relu6": jax.nn.relu6,
    "elu": jax.nn.elu,
    "logsumexp": lambda y: y - jax.nn.logsumexp(y, axis=1, keepdims=True),
}


@pytest.mark.parametrize("name", BETWEEN)
def test_what_stands_between(name):
    x, w, v = draw(X, W, (8, 8, 3, 3))

    def fun(x):
        y = BETWEEN[name](conv(x, w))
        assert y.shape == (2, 8, 7, 6)
        return conv(y, v)

    check(fun, x, tolerance=1e-11)


FREE = [
    "reductions",
    "select",
    "average pool",
    "pad and slice",
    "concatenate",
    "gate",
    "elu",
    "relu6",
    "zeros",
]


@pytest.mark.parametrize("name", FREE)
def test_what_is_not_transposed(name):
    x, w, v = draw(X, W, (8, 8, 3, 3))
    fun = fast_convolutions(lambda x: conv(BETWEEN[name](conv(x, w)), v))
    assert image_transposes(fun, x) == 2


# -- loops, branches, calls


def test_loops_and_branches():
    x, w, v = draw(X, (9, 9, 3, 3), (9, 9, 3, 3))

    def scan(x, w):
        step = lambda c, k: (jnp.tanh(conv(c, k)), c.mean())  # noqa: E731
        y, means = lax.scan(step, jnp.tanh(conv(x, w)), jnp.stack([w, v]))
        return y.sum((1, 2, 3)) + means.sum()

    def cond(x, w):
        y = conv(x, w)
        return lax.cond(x.sum() > 0, lambda y: conv(y, v), lambda y: 2 * y, y)

    def remat(x, w):
        return conv(jax.checkpoint(lambda y: jnp.tanh(conv(y, w)))(conv(x, v)), w)

    for fun in (scan, cond, remat):
        check(fun, x, w)
        assert (
            count(jax.grad(lambda x, f=fun: fast_convolutions(f)(x, w).sum()), x)["conv_general_dilated"] == 0
        )


def test_a_while_loop():
    x, w = draw(X, (9, 9, 3, 3))
    step = lambda c: (c[0] + 1, jnp.tanh(conv(c[1], w)))  # noqa: E731
    fun = lambda x: lax.while_loop(lambda c: c[0] < 3, step, (0, x))[1]  # noqa: E731
    np.testing.assert_allclose(fast_convolutions(fun)(x), fun(x), atol=1e-13)


def test_under_vmap_and_twice_differentiated():
    x, w = draw((3, *X), W)
    loss = lambda f: lambda x: (f(lambda x: jnp.tanh(conv(x, w)))(x) ** 2).sum()  # noqa: E731
    fast, plain = loss(fast_convolutions), loss(lambda f: f)
    for transform in (
        lambda f: jax.vmap(jax.grad(f)),
        lambda f: jax.grad(lambda x: jax.vmap(f)(x).sum()),
        lambda f: jax.vmap(jax.grad(lambda x: (jax.grad(f)(x) ** 2).sum())),
    ):
        found, wanted = (jax.jit(transform(f))(x) for f in (fast, plain))
        np.testing.assert_allclose(found, wanted, atol=1e-12 * float(abs(wanted).max()))
    # the rewrite of what is mapped already
    found = jax.grad(lambda x: fast_convolutions(jax.vmap(plain))(x).sum())(x)
    np.testing.assert_allclose(found, jax.vmap(jax.grad(plain))(x), atol=1e-12)


# -- derivatives that are not those of the operations


def test_relu_keeps_its_derivative_at_zero():
    x, w = draw(X), jnp.zeros(W)
    gradient = jax.grad(lambda y: fast_convolutions(lambda y: jax.nn.relu(conv(x, w) + y))(y).sum())
    assert (gradient(jnp.zeros((2, 8, 7, 6))) == 0).all()


@jax.custom_vjp
def straight(x, y):
    return jnp.round(x) * y


straight.defvjp(lambda x, y: (straight(x, y), (x, y)), lambda kept, g: (g * kept[1] * 7, g * kept[0].sum()))


def test_a_backward_pass_of_the_users_is_kept():
    x, w, v = draw(X, W, (8, 8, 3, 3))

    def transposes(multiply):
        fun = lambda x: conv(multiply(conv(x, w), jnp.cos(conv(x, w))), v)  # noqa: E731
        check(fun, x)
        return image_transposes(jax.grad(lambda x: fast_convolutions(fun)(x).sum()), x)

    assert transposes(straight) == transposes(lambda x, y: x * y)


def test_a_convolution_inside_a_custom_derivative():
    x, w = draw(X, (9, 9, 3, 3))

    @jax.custom_jvp
    def tripled(x):
        return conv(x, w)

    tripled.defjvp(lambda primals, tangents: (tripled(*primals), 3 * conv(*tangents, w)))
    check(lambda x: jnp.tanh(tripled(x)), x)
    check(lambda x: jnp.tanh(tripled(conv(x, w))), x)


# -- what is left alone


def test_a_function_without_convolutions_is_left_as_it_is():
    def fun(x):
        return jax.nn.softmax(lax.scan(lambda c, a: (jnp.sin(c.T).T, a), x, x)[0]) @ jax.nn.relu(x)

    x = draw((4, 4))
    assert str(jax.make_jaxpr(fast_convolutions(fun))(x)) == str(jax.make_jaxpr(fun)(x))


def test_arguments_that_are_no_arrays_and_trees():
    x, w = draw(X, W)
    fun = lambda x, how, *, extra: {"y": getattr(jnp, how)(conv(x["x"], w)), "n": extra}  # noqa: E731
    out = fast_convolutions(fun)({"x": x}, "tanh", extra=3)
    np.testing.assert_allclose(out["y"], jnp.tanh(conv(x, w)), atol=1e-12)
    assert out["n"] == 3
