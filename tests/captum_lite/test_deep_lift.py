"""DeepLift's rules: worked examples, and completeness through every kind of primitive, in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from captum_lite import DeepLift, IntegratedGradients

RNG = np.random.default_rng(7)
X, B = RNG.normal(size=(2, 3, 4))
W, V = RNG.normal(size=(4, 4)), RNG.normal(size=(4, 3))
U = RNG.normal(size=4)
INDEX = np.array([2, 0, 0, 3])
EXACT = {"rtol": 1e-10, "atol": 1e-12}


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def explained_row_by_row(table):
    """The record of all functions of a table in one program: row ``k`` is explained for function ``k``."""
    n = len(table)
    x, b = np.random.default_rng(11).normal(size=(2, n, 4))

    def all_of_them(x):
        return jnp.stack([weighed(fun(x @ W)) for fun in table.values()], axis=1)

    return DeepLift(all_of_them).explain(x, b, np.arange(n))


def incomplete(table):
    """The functions of a table of whose change something is missed."""
    record = explained_row_by_row(table)
    return {
        k: float(d) for k, d in zip(table, record.convergence_delta, strict=True) if not abs(d) < 1e-10
    }, record


def weighed(v):
    """One number for each example, in which each element counts differently."""
    v = jnp.asarray(v, float).reshape(len(v), -1)
    return v @ np.sin(1 + np.arange(v.shape[1]))


def positive(x):
    return jnp.exp(x / 2)


def squashed(x):
    return 0.9 * jnp.tanh(x)


def halves(x):
    return x[:, :2], x[:, 2:]


# worked examples


def test_two_relus_of_the_paper():
    """Section 2.2 of the paper: y = max(0, x - 10) has a gradient of 0 or 1, and a difference of 5."""
    found = DeepLift(lambda x: jax.nn.relu(x[:, 0] - 10)).attribute(jnp.array([[15.0]]), 0.0)
    np.testing.assert_allclose(found, [[5.0]], **EXACT)


def test_saturation_of_the_paper():
    """Section 2.1: y = 1 - max(0, 1 - (i1 + i2)) is 1 at (1, 1), where no gradient is left."""
    found = DeepLift(lambda x: 1 - jax.nn.relu(1 - (x[:, 0] + x[:, 1]))).attribute(jnp.ones((1, 2)), 0.0)
    np.testing.assert_allclose(found, [[0.5, 0.5]], **EXACT)


def test_linear_functions_are_exact():
    found = DeepLift(lambda x: x @ U + 3).attribute(X, B)
    np.testing.assert_allclose(found, (X - B) * U[None], **EXACT)


def test_one_number_gets_all_of_the_difference():
    for fun in (jnp.exp, jnp.sin, jax.nn.gelu, lambda v: jnp.sin(v) * jnp.exp(v) / (2 + v**2)):
        found = DeepLift(lambda x, fun=fun: fun(x[:, 0])).attribute(X[:, :1], B[:, :1])
        np.testing.assert_allclose(found[:, 0], fun(X[:, 0]) - fun(B[:, 0]), **EXACT)


def test_products_are_shared_as_two_players_share():
    found = DeepLift(lambda x: x[:, 0] * x[:, 1]).attribute(X, B)
    (a, c), (a0, c0) = X[:, :2].T, B[:, :2].T
    np.testing.assert_allclose(found[:, 0], ((a * c - a0 * c) + (a * c0 - a0 * c0)) / 2, **EXACT)
    np.testing.assert_allclose(found[:, 1], ((a * c - a * c0) + (a0 * c - a0 * c0)) / 2, **EXACT)


@pytest.mark.parametrize("f", [jnp.maximum, jnp.minimum, jnp.arctan2, jnp.logaddexp, jnp.hypot, jnp.divide])
def test_functions_of_two_are_shared_as_two_players_share(f):
    x, b = 1 + abs(X), 1 + abs(B)
    call = jax.jit(f)  # one function of two numbers, also where it is made of several primitives
    found = DeepLift(lambda x: call(x[:, 0], x[:, 1])).attribute(x, b)
    (a, c), (a0, c0) = x[:, :2].T, b[:, :2].T
    np.testing.assert_allclose(found[:, 0], ((f(a, c) - f(a0, c)) + (f(a, c0) - f(a0, c0))) / 2, **EXACT)


def test_a_maximum_is_credited_to_the_winner_that_moved():
    """DeepLIFT's rule for max-pooling: the winner that rose above the old maximum, or fell below the new."""
    x, b = np.array([[1.0, 7.0, 3.0], [1.0, 2.0, 3.0]]), np.array([[4.0, 0.0, 5.0], [1.0, 9.0, 0.0]])
    found = DeepLift(lambda x: x.max(1)).attribute(x, b)
    np.testing.assert_allclose(found, [[0, 2, 0], [0, -6, 0]], **EXACT)


def test_sort_credits_whoever_stands_at_the_place():
    """The median of (1, 2, t) moves with t while t is between 1 and 2, and by nobody else."""
    x, b = np.array([[1.0, 2.0, 3.0]]), np.array([[1.0, 2.0, 0.0]])
    found = DeepLift(lambda x: jnp.sort(x, 1)[:, 1]).attribute(x, b)
    np.testing.assert_allclose(found, [[0, 0, 1]], **EXACT)


@pytest.mark.parametrize("f", [lambda x: jnp.sort(x, 1) @ U, lambda x: lax.top_k(x, 2)[0] @ U[:2]])
def test_sort_and_top_k_are_what_the_path_integral_is(f):
    """Piecewise linear, so integrated gradients with many points approach it, feature by feature."""
    exact = DeepLift(f).attribute(X, B)
    path = IntegratedGradients(f).attribute(X, B, n_steps=4000, method="riemann_middle")
    np.testing.assert_allclose(exact, path, atol=5e-3)


def test_softmax_of_two_is_shared_by_their_difference():
    """Only the difference of two logits counts: closed form, and nothing for a shift of both."""
    x, b = np.array([[10.0, 2.0]]), np.zeros((1, 2))
    found = DeepLift(lambda x: jax.nn.softmax(x)[:, 0]).attribute(x, b)
    change = jax.nn.sigmoid(8.0) - 0.5
    np.testing.assert_allclose(found, [[change * 10 / 8, -change * 2 / 8]], rtol=1e-9)
    shift = DeepLift(lambda x: jax.nn.softmax(x)[:, 0]).attribute(np.full((1, 2), 3.0), b)
    np.testing.assert_allclose(shift.sum(), 0, atol=1e-12)


def test_a_relu_written_with_where_is_a_relu():
    for written in (lambda v: jnp.where(v > 0, v, 0), lambda v: (v > 0) * v, lambda v: v.clip(0)):
        found = DeepLift(lambda x, w=written: w(x @ W) @ U).attribute(X, B)
        np.testing.assert_allclose(found, DeepLift(lambda x: jax.nn.relu(x @ W) @ U).attribute(X, B), **EXACT)


def test_the_gradient_stands_in_where_nothing_moves():
    x = np.concatenate([X[:1], B[1:]])
    multipliers = DeepLift(lambda x: jnp.tanh(x @ W) @ U, multiply_by_inputs=False).attribute(x, B)
    slope = jax.grad(lambda x: (jnp.tanh(x @ W) @ U).sum())(jnp.asarray(B))
    np.testing.assert_allclose(multipliers[1:], slope[1:], **EXACT)
    np.testing.assert_array_equal(DeepLift(lambda x: jnp.linalg.norm(x, axis=1)).attribute(X * 0), X * 0)


# completeness, primitive by primitive

UNARY = {
    "exp": jnp.exp, "exp2": jnp.exp2, "expm1": jnp.expm1, "log": lambda x: jnp.log(positive(x)),
    "log1p": lambda x: jnp.log1p(positive(x)), "log2": lambda x: jnp.log2(positive(x)),
    "sqrt": lambda x: jnp.sqrt(positive(x)), "rsqrt": lambda x: lax.rsqrt(positive(x)), "cbrt": jnp.cbrt,
    "sin": jnp.sin, "cos": jnp.cos, "tan": jnp.tan, "asin": lambda x: jnp.arcsin(squashed(x)),
    "acos": lambda x: jnp.arccos(squashed(x)), "atan": jnp.arctan, "sinh": jnp.sinh, "cosh": jnp.cosh,
    "tanh": jnp.tanh, "asinh": jnp.arcsinh, "acosh": lambda x: jnp.arccosh(1 + positive(x)),
    "atanh": lambda x: jnp.arctanh(squashed(x)), "logistic": jax.nn.sigmoid, "erf": lax.erf, "erfc": lax.erfc,
    "erf_inv": lambda x: lax.erf_inv(squashed(x)), "lgamma": lambda x: lax.lgamma(positive(x)),
    "digamma": lambda x: lax.digamma(positive(x)), "bessel": lax.bessel_i0e, "abs": jnp.abs,
    "sign": jnp.sign, "floor": lambda x: jnp.floor(3 * x), "ceil": lambda x: jnp.ceil(3 * x),
    "round": lambda x: jnp.round(3 * x), "square": jnp.square, "cube": lambda x: x**3,
    "power": lambda x: positive(x) ** 2.5, "inverse": lambda x: 1 / positive(x),
    "exponent": lambda x: 2.5**x, "neg": lambda x: -x, "clip": lambda x: jnp.clip(x, -0.5, 0.5),
    "integers": lambda x: (5 * x).astype(int), "bits": lambda x: (5 * x).astype(int) & 3,
    "threshold": lambda x: x > 0.1, "not": lambda x: ~(x > 0.1), "isfinite": lambda x: jnp.isfinite(x) * x,
    "relu": jax.nn.relu, "relu6": jax.nn.relu6, "elu": jax.nn.elu, "selu": jax.nn.selu,
    "celu": jax.nn.celu, "gelu": jax.nn.gelu, "gelu exact": lambda x: jax.nn.gelu(x, approximate=False),
    "silu": jax.nn.silu, "mish": jax.nn.mish, "softplus": jax.nn.softplus, "soft_sign": jax.nn.soft_sign,
    "leaky_relu": jax.nn.leaky_relu, "hard_tanh": jax.nn.hard_tanh, "hard_silu": jax.nn.hard_silu,
    "hard_sigmoid": jax.nn.hard_sigmoid, "log_sigmoid": jax.nn.log_sigmoid, "squareplus": jax.nn.squareplus,
    "reduce_precision": lambda x: lax.reduce_precision(jnp.round(8 * x), 8, 20),
    "nan where not taken": lambda x: jnp.where(x > 0, jnp.log(jnp.where(x > 0, x, 1)), 0),
    "log where not taken": lambda x: jnp.where(x > 0, jnp.log(x), x),
    "real": lambda x: jnp.real(lax.complex(x, 2 * x) ** 2), "imag": lambda x: jnp.imag(jnp.exp(1j * x)),
    "complex abs": lambda x: jnp.abs(lax.complex(x, x**2)), "angle": lambda x: jnp.angle(lax.complex(x**2, x)),
}  # fmt: skip

BINARY = {
    "add": jnp.add, "sub": jnp.subtract, "mul": jnp.multiply,
    "div": lambda a, b: a / (2 + jnp.tanh(b)), "max": jnp.maximum, "min": jnp.minimum,
    "pow": lambda a, b: positive(a) ** b, "atan2": jnp.arctan2, "rem": lambda a, b: lax.rem(a, positive(b)),
    "logaddexp": jnp.logaddexp, "hypot": jnp.hypot, "where": lambda a, b: jnp.where(a > b, a, b**2),
    "gt": lambda a, b: a > b, "and": lambda a, b: (a > 0) & (b > 0), "or": lambda a, b: (a > 0) | (b > 0),
    "xor": lambda a, b: (a > 0) ^ (b > 0), "xlogy": lambda a, b: jax.scipy.special.xlogy(a, positive(b)),
    "three": lambda a, b: jnp.clip(a * b, jnp.minimum(a, b), jnp.maximum(a, b)),
    "clamp": lambda a, b: lax.clamp(a - 1, a * b, b + 1),
    "complex mul": lambda a, b: jnp.real(lax.complex(a, b) * lax.complex(b, a) / lax.complex(a, 1 + b**2)),
    "products of integers": lambda a, b: (3 * a).astype(int) * (3 * b).astype(int),
    "select of integers": lambda a, b: jnp.where(a > b, (3 * a).astype(int), 2),
    "select_n": lambda a, b: lax.select_n(jnp.clip((2 * a).astype("int32"), 0, 2), a, b, a * b),
}  # fmt: skip

SHAPES = {
    "reshape": lambda x: x.reshape(-1, 2, 2), "transpose": lambda x: x.reshape(-1, 2, 2).swapaxes(1, 2),
    "concatenate": lambda x: jnp.concatenate([x, x**2], 1), "pad": lambda x: jnp.pad(x**2, ((0, 0), (1, 2))),
    "reflect": lambda x: jnp.pad(x**2, ((0, 0), (2, 2)), mode="reflect"), "roll": lambda x: jnp.roll(x**2, 1, 1),
    "rev": lambda x: x[:, ::-1] ** 2, "tile": lambda x: jnp.tile(x**2, (1, 2)),
    "gather": lambda x: (x**2)[:, INDEX], "take_along": lambda x: jnp.take_along_axis(x**2, INDEX[None], 1),
    "dynamic_slice": lambda x: lax.dynamic_slice(x**2, (0, 1), (x.shape[0], 2)),
    "set": lambda x: (x**2).at[:, 1].set(x[:, 0]), "at add": lambda x: (x**2).at[:, INDEX].add(jnp.sin(x)),
    "split": lambda x: jnp.split(x**2, 2, 1)[1],
    "update": lambda x: lax.dynamic_update_slice(x**2, x[:, :2], (0, 1)),
    "bool reshape": lambda x: jnp.tile((x > 0).reshape(-1, 2, 2), (1, 1, 2)),
    "masked": lambda x: jnp.where(np.arange(4) > 1, x**2, -jnp.inf).max(1),
    "one_hot": lambda x: jax.nn.one_hot(INDEX, 4) @ (x**2)[..., None],
}  # fmt: skip

REDUCTIONS = {
    "sum": lambda x: (x**2).sum(1), "mean": lambda x: jnp.exp(x).mean(1), "var": lambda x: x.var(1),
    "std": lambda x: x.std(1), "norm": lambda x: jnp.linalg.norm(x, axis=1), "prod": lambda x: x.prod(1),
    "prod of zeros": lambda x: (x * (x > 0)).prod(1), "max": lambda x: (x**2).max(1), "min": lambda x: x.min(1),
    "max of two axes": lambda x: x.reshape(-1, 2, 2).max((1, 2)), "any": lambda x: (x > 1).any(1),
    "all": lambda x: (x > -1).all(1), "ptp": lambda x: jnp.ptp(x, axis=1), "count": lambda x: (x > 0).sum(1),
    "median": lambda x: jnp.median(x, axis=1), "quantile": lambda x: jnp.quantile(x, 0.3, axis=1),
    "logsumexp": lambda x: jax.nn.logsumexp(x, axis=1),
    "softmax": lambda x: jax.nn.softmax(3 * x), "log_softmax": lambda x: jax.nn.log_softmax(3 * x),
    "softmax by hand": lambda x: jnp.exp(x - x.max(1, keepdims=True)) / jnp.exp(x - x.max(1, keepdims=True)).sum(1, keepdims=True),
    "softmax without shift": lambda x: jnp.exp(x) / jnp.exp(x).sum(1, keepdims=True),
    "sparsemax": lambda x: jnp.cumsum(jnp.sort(x, 1), 1), "standardize": jax.nn.standardize,
    "cumsum": lambda x: jnp.cumsum(x**2, 1), "cumprod": lambda x: jnp.cumprod(x, 1),
    "cumprod back": lambda x: lax.cumprod(x, 1, reverse=True), "cummax": lambda x: lax.cummax(x, 1),
    "cummin": lambda x: lax.cummin(x, 1), "cummax back": lambda x: lax.cummax(x**2, 1, reverse=True),
    "cumlogsumexp": lambda x: lax.cumlogsumexp(x, 1), "fft": lambda x: jnp.abs(jnp.fft.fft(x)) ** 2,
    "rfft": lambda x: jnp.abs(jnp.fft.rfft(x)), "sort": lambda x: jnp.sort(x, 1), "top_k": lambda x: lax.top_k(x, 3)[0],
    "sorted down": lambda x: jnp.sort(x, 1, descending=True), "sort of masked": lambda x: jnp.sort(jnp.where(np.arange(4)[None] == 1, -jnp.inf, x), 1)[:, 1:],
    "sorted by a constant": lambda x: lax.sort((np.tile(-INDEX, (x.shape[0], 1)), x**2), num_keys=1)[1],
    "sorted along itself": lambda x: lax.sort((-x, x**1), num_keys=1)[1], "interpolated": lambda x: jnp.interp(x, np.arange(3.0), U[:3]),
}  # fmt: skip

CONTRACTIONS = {
    "dot": lambda x: x @ W, "of two": lambda x: jnp.einsum("bi,bj->bij", x, x @ W),
    "quadratic": lambda x: jnp.einsum("bi,ij,bj->b", x, W, x), "gate": lambda x: jax.nn.sigmoid(x @ W) * jnp.tanh(x),
    "layer norm": lambda x: (x - x.mean(1, keepdims=True)) * lax.rsqrt(x.var(1, keepdims=True) + 1e-5) * U[None],
    "rms norm": lambda x: x * lax.rsqrt((x**2).mean(1, keepdims=True) + 1e-6) * U[None],
    "unit length": lambda x: x / jnp.linalg.norm(x, axis=1, keepdims=True),
    "attention": lambda x: attention(x.reshape(-1, 2, 2)), "causal": lambda x: attention(x.reshape(-1, 2, 2), True),
    "residual": lambda x: x + jax.nn.gelu(x @ W) @ W.T, "reused relu": lambda x: jax.nn.relu(jax.nn.relu(x @ W) @ W) @ V,
    "conv": lambda x: lax.conv(x.reshape(-1, 1, 2, 2), W[:1, None, :1, None], (1, 1), "SAME"),
    "avg pool": lambda x: lax.reduce_window(x**2, 0.0, lax.add, (1, 2), (1, 1), "VALID"),
    "max pool": lambda x: lax.reduce_window(x, -jnp.inf, lax.max, (1, 2), (1, 1), "VALID"),
    "min pool": lambda x: lax.reduce_window(x, jnp.inf, lax.min, (1, 3), (1, 2), "SAME"),
    "max pool of two axes": lambda x: lax.reduce_window(x.reshape(-1, 2, 2), -jnp.inf, lax.max, (1, 2, 2), (1, 1, 1), "SAME"),
    "dilated max pool": lambda x: lax.reduce_window(x, -jnp.inf, lax.max, (1, 2), (1, 1), ((0, 0), (1, 1)), (1, 2), (1, 1)),
    "relu and max pool": lambda x: lax.reduce_window(jax.nn.relu(x @ W), -jnp.inf, lax.max, (1, 2), (1, 2), "VALID"),
    "linear solve": lambda x: jax.scipy.linalg.solve_triangular(np.tril(W) + 3 * np.eye(4), x.T, lower=True).T,
}  # fmt: skip


def attention(x, causal=False):
    scores = jnp.einsum("bqd,bkd->bqk", jnp.tanh(x), x) / 2**0.5
    scores = jnp.where(np.tri(2, dtype=bool), scores, -jnp.inf) if causal else scores
    return jnp.einsum("bqk,bkd->bqd", jax.nn.softmax(scores, axis=-1), x**2)


TABLES = {
    "of one": UNARY,
    "of two": {k: lambda x, f=f: f(*halves(x)) for k, f in BINARY.items()},
    "shapes": SHAPES,
    "reductions": REDUCTIONS,
    "contractions": CONTRACTIONS,
}


@pytest.mark.filterwarnings("ignore::captum_lite.IncompleteWarning")
@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_every_primitive_is_complete(table):
    gaps, record = incomplete(table)
    assert gaps == {}
    assert record.residuals == {}
