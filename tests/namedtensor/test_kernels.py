"""The CPU kernels against XLA's own convolutions and pools."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from namedtensor.kernels import Window, convolution, convolve, max_pool

NHWC = ("NHWC", "HWIO", "NHWC")


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def reference(window, x, kernel):
    return lax.conv_general_dilated(x, kernel, window.strides, window.padding, dimension_numbers=NHWC)


def draw(seed, *shapes, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return [jnp.asarray(rng.normal(size=s), dtype) for s in shapes]


def far(found, wanted):
    """The largest relative error over all arrays."""
    pairs = zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True)
    return max(float(abs(a - b).max() / abs(b).max()) for a, b in pairs)


@functools.partial(jax.jit, static_argnums=(0, 1))
def with_gradients(convolution, window, x, kernel, ct):
    y, back = jax.vjp(functools.partial(convolution, window=window), x, kernel)
    return y, back(ct)


def new(x, kernel, window):
    return convolve(x, kernel, window)


def in_a_loop(x, kernel, window):
    """As it is written into the body of a loop, and run in one."""
    return lax.scan(lambda c, _: (c, convolve(x, kernel, window, looped=True)), 0, None, length=1)[1][0]


def old(x, kernel, window):
    return reference(window, x, kernel)


WINDOWS = {
    "3x3": Window((3, 3), (1, 1), ((1, 1), (1, 1)), (7, 10)),
    "3x3 of one pixel": Window((3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1)),
    "3x3 uneven margins": Window((3, 3), (1, 1), ((0, 3), (2, 0)), (6, 9)),
    "3x3 without margins": Window((3, 3), (1, 1), ((0, 0), (0, 0)), (8, 5)),
    "3x3 cropped": Window((3, 3), (1, 1), ((-1, 1), (1, -2)), (8, 9)),
    "3x3 stride 2": Window((3, 3), (2, 2), ((1, 1), (1, 1)), (8, 9)),
    "3x3 stride 2 and 1": Window((3, 3), (2, 1), ((0, 1), (1, 1)), (9, 8)),
    "3x3 stride 4": Window((3, 3), (4, 4), ((1, 1), (1, 1)), (9, 11)),
    "1x1": Window((1, 1), (1, 1), ((0, 0), (0, 0)), (5, 4)),
    "1x1 stride 2": Window((1, 1), (2, 2), ((0, 0), (0, 0)), (7, 8)),
    "1x1 with a margin": Window((1, 1), (2, 1), ((1, 1), (0, 1)), (7, 8)),
    "7x7 stride 2": Window((7, 7), (2, 2), ((3, 3), (3, 3)), (13, 16)),
    "5x2": Window((5, 2), (1, 1), ((2, 2), (0, 1)), (8, 7)),
}


@pytest.mark.parametrize("channels", [(3, 10), (9, 8)], ids=["stem", "inside"])
@pytest.mark.parametrize("name", WINDOWS)
def test_convolutions_and_both_gradients(name, channels):
    window = WINDOWS[name]
    x, kernel, ct = draw(
        0, (2, *window.image, channels[0]), (*window.size, *channels), (2, *window.out, channels[1])
    )
    wanted = with_gradients(old, window, x, kernel, ct)
    assert far(with_gradients(new, window, x, kernel, ct), wanted) < 1e-12
    assert far(with_gradients(in_a_loop, window, x, kernel, ct), wanted) < 1e-12


@pytest.mark.parametrize("name", ["3x3", "3x3 stride 2", "1x1", "7x7 stride 2"])
def test_float32_loses_no_more_than_a_few_roundings(name):
    window = WINDOWS[name]
    shapes = (2, *window.image, 32), (*window.size, 32, 32), (2, *window.out, 32)
    x, kernel, ct = draw(1, *shapes, dtype=np.float32)
    exact = with_gradients(old, window, *(a.astype(np.float64) for a in (x, kernel, ct)))
    assert far(with_gradients(new, window, x, kernel, ct), exact) < 1e-6


def test_each_kernel_is_used():
    def chosen(name, channels=(16, 16), **where):
        window = WINDOWS[name]
        x, kernel = draw(0, (2, *window.image, channels[0]), (*window.size, *channels))
        return convolution.choose(x, kernel, window, **where).kernel

    assert chosen("3x3") == "winograd"
    assert chosen("1x1 stride 2") == "pointwise"
    assert chosen("3x3 stride 2") == chosen("7x7 stride 2") == chosen("3x3", (3, 16)) == "direct"
    assert chosen("3x3 stride 2", looped=True) == chosen("3x3", (3, 16), looped=True) == "im2col"


def test_others_are_left_to_xla():
    window = WINDOWS["3x3"]
    x, kernel = draw(0, (2, *window.image, 8), (3, 3, 8, 8))
    for dtype in (jnp.bfloat16, jnp.float16, jnp.complex64):
        assert convolution.choose(x.astype(dtype), kernel.astype(dtype), window) is None
    assert convolution.choose(x, kernel.astype(jnp.float32), window) is None
    large = Window((9, 9), (1, 1), ((4, 4), (4, 4)), (12, 12))
    x, kernel = draw(0, (1, 12, 12, 2), (9, 9, 2, 3))
    assert convolution.choose(x, kernel, large) is None
    assert far(convolve(x, kernel, large), reference(large, x, kernel)) == 0


@pytest.mark.parametrize("name", ["3x3", "3x3 stride 2", "1x1 stride 2"])
@pytest.mark.parametrize(
    "transform",
    [
        lambda f: jax.vmap(jax.grad(f, (0, 1)), (0, None)),
        lambda f: jax.grad(lambda x, k: jax.vmap(f, (0, None))(x, k).sum(), (0, 1)),
        lambda f: jax.vmap(jax.grad(f, (0, 1)), (None, 0)),
        lambda f: jax.grad(lambda x, k: (jax.grad(f)(x, k) ** 2).sum(), (0, 1)),
        lambda f: jax.grad(lambda x, k: (jax.grad(f, 1)(x, k) ** 2).sum(), (0, 1)),
        lambda f: jax.grad(jax.checkpoint(f), (0, 1)),
    ],
    ids=["vmap of grad", "grad of vmap", "vmap over kernels", "grad of grad", "grad of kernel grad", "remat"],
)
def test_transformations(name, transform, request):
    window = WINDOWS[name]
    x, kernel = draw(3, (2, 2, *window.image, 9), (2, *window.size, 9, 8))
    case = request.node.callspec.id
    args = (x if "vmap of grad" in case or "grad of vmap" in case else x[0],)
    args += (kernel if "over kernels" in case else kernel[0],)
    found, wanted = (
        jax.jit(transform(lambda x, k, c=c: (c(x, k, window) ** 3).sum()))(*args) for c in (new, old)
    )
    assert far(found, wanted) < 1e-12


def test_prepared_weights_have_no_derivative_of_their_own():
    window = WINDOWS["3x3"]
    x, kernel = draw(4, (2, *window.image, 8), (3, 3, 8, 8))
    prepared = convolution.prepare(kernel, convolution.choose(x, kernel, window))
    run = jax.jit(jax.grad(lambda k, *p: (convolve(x, k, window, *p) ** 2).sum()))
    assert far(run(kernel, prepared), run(kernel)) < 1e-14


POOLS = list(itertools.product([1, 2, 3], [0, 1], [2, 3], [(8, 8), (7, 9)]))


@pytest.mark.parametrize(("stride", "margin", "size", "image"), POOLS)
def test_max_pool_and_its_gradient_with_ties(stride, margin, size, image):
    window = Window((size, size), (stride, stride), ((margin, margin),) * 2, image)
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.integers(0, 4, (2, *image, 3)), float)  # of many equals one wins, the same one
    ct = jnp.asarray(rng.normal(size=(2, *window.out, 3)))

    def xla(x):
        edges = ((0, 0), (margin, margin), (margin, margin), (0, 0))
        return lax.reduce_window(x, -jnp.inf, lax.max, (1, size, size, 1), (1, stride, stride, 1), edges)

    @functools.partial(jax.jit, static_argnums=0)
    def both(pool, x, ct):
        y, back = jax.vjp(pool, x)
        return y, back(ct)[0]

    (y, dx), (y0, dx0) = both(lambda x: max_pool(x, window), x, ct), both(xla, x, ct)
    assert (y == y0).all()
    np.testing.assert_allclose(dx, dx0, atol=1e-14)


def test_max_pool_maps():
    window = Window((2, 2), (2, 2), ((0, 0), (0, 0)), (4, 6))
    (x,) = draw(5, (3, 2, 4, 6, 2))
    gradient = jax.grad(lambda x: (max_pool(x, window) ** 2).sum())
    assert far(jax.vmap(gradient)(x), jnp.stack([gradient(one) for one in x])) == 0
