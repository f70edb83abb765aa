"""LRP: each rule again in slow literal NumPy, conservation, AttnLRP, composites, and real models.

For networks of relu, maxima and sums LRP-0 is input times gradient, biases included (Ancona et al. 2018,
arXiv:1711.06104): JAX's own gradient is the reference there.
"""

import functools
import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx
from jax import lax

import namedtensor as nt
from captum_lite import LRP, NoiseTunnel
from captum_lite.rules import (
    Alpha1Beta0,
    AlphaBeta,
    Epsilon,
    EpsilonAlpha2Beta1,
    EpsilonAlpha2Beta1Flat,
    EpsilonGammaBox,
    EpsilonPlus,
    EpsilonPlusFlat,
    Flat,
    Gamma,
    GeneralizedGamma,
    Pass,
    WSquare,
    ZBox,
    ZPlus,
)
from namedtensor.interpreter import UnsupportedPrimitiveError
from namedtensor.models import digits_cnn, resnet18, transformer

RNG = np.random.default_rng(29)
EXACT = {"rtol": 1e-9, "atol": 1e-10}


def drawn(*shape):
    return RNG.normal(size=shape)


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def input_x_gradient(fun, *xs):
    """Of the sum of the scores."""
    slopes = jax.jit(jax.grad(lambda *xs: fun(*xs).sum(), argnums=tuple(range(len(xs)))))
    gradients = slopes(*map(jnp.asarray, xs))
    return [x * g for x, g in zip(xs, gradients, strict=True)]


def same(found, expected):
    np.testing.assert_allclose(found, expected, **EXACT)


def conserves(fun, *xs, **how):
    """The relevance of all inputs is the score."""
    found, delta = LRP(fun, **how).attribute(xs, return_convergence_delta=True)
    assert all(np.isfinite(a).all() for a in found)
    same(delta, np.zeros(len(xs[0])))
    same(sum(a.reshape(len(a), -1).sum(1) for a in found), fun(*map(jnp.asarray, xs)))
    return found


# the rules, literally: x [i], w [i, j], b [j], R [j] -> R [i]


def positive(v):
    return max(v, 0.0)


def negative(v):
    return min(v, 0.0)


def by_contributions(x, w, b, above, eps=0.0):
    """Each result hands down its relevance in proportion to ``x_i w_ij``."""
    out = np.zeros(len(x))
    for i, j in itertools.product(range(len(x)), range(len(above))):
        z = sum(x[k] * w[k, j] for k in range(len(x))) + b[j]
        out[i] += x[i] * w[i, j] / (z + eps * (1 if z >= 0 else -1)) * above[j]
    return out


def gamma(x, w, b, above, of_bias):
    changed = w + 0.3 * np.vectorize(positive)(w)
    return by_contributions(x, changed, [of_bias(v) for v in b], above, 0.01)


def generalized_gamma(x, w, b, above):
    out = np.zeros(len(x))
    for j in range(len(above)):
        parts = [x[i] * w[i, j] for i in range(len(x))]
        sign = positive if sum(parts) + b[j] >= 0 else negative
        more = [p + 0.3 * sign(p) for p in parts]
        for i in range(len(x)):
            out[i] += more[i] / (sum(more) + b[j] + 0.3 * sign(b[j])) * above[j]
    return out


def alpha_beta(x, w, b, above, alpha, beta):
    out = np.zeros(len(x))
    for j in range(len(above)):
        parts = [x[i] * w[i, j] for i in range(len(x))]
        up = sum(map(positive, parts)) + positive(b[j])
        down = sum(map(negative, parts)) + negative(b[j])
        for i in range(len(x)):
            out[i] += alpha * (positive(parts[i]) / up if up else 0) * above[j]
            out[i] -= beta * (negative(parts[i]) / down if down else 0) * above[j]
    return out


def box(x, w, b, above, low=-2.0, high=3.0):
    out = np.zeros(len(x))
    for j in range(len(above)):
        parts = [x[i] * w[i, j] - low * positive(w[i, j]) - high * negative(w[i, j]) for i in range(len(x))]
        out += np.array(parts) / sum(parts) * above[j]
    return out


def by_weights(x, w, b, above, of):
    seen = w != 0  # a convolution as a matrix has zeros where a result does not see an input
    share = np.where(seen, of(w), 0)
    return (share / share.sum(0) * above).sum(1)


RULES = {
    "epsilon": (Epsilon(0.1), functools.partial(by_contributions, eps=0.1)),
    "LRP-0": (Epsilon(), by_contributions),
    "gamma": (Gamma(0.3, 0.01), functools.partial(gamma, of_bias=lambda b: b + 0.3 * positive(b))),
    "gamma, bias kept": (Gamma(0.3, 0.01, "kept"), functools.partial(gamma, of_bias=lambda b: b)),
    "gamma, no bias": (Gamma(0.3, 0.01, "zero"), functools.partial(gamma, of_bias=lambda b: 0.0)),
    "generalized gamma": (GeneralizedGamma(0.3), generalized_gamma),
    "alpha 2 beta 1": (AlphaBeta(2, 1), functools.partial(alpha_beta, alpha=2, beta=1)),
    "z+": (ZPlus(), functools.partial(alpha_beta, alpha=1, beta=0)),
    "alpha 1 beta 0 of Captum": (
        Alpha1Beta0(0.01),
        lambda x, w, b, above: by_contributions(x, np.vectorize(positive)(w), b, above, 0.01),
    ),
    "z-box": (ZBox(-2.0, 3.0), box),
    "w squared": (WSquare(), functools.partial(by_weights, of=lambda w: w**2)),
    "flat": (Flat(), functools.partial(by_weights, of=np.ones_like)),
}


@pytest.mark.parametrize("rule", RULES)
def test_rule_on_a_dense_layer(rule):
    found_by, literal = RULES[rule]
    x, w, b, v = drawn(3, 5), drawn(5, 4), drawn(4), drawn(4)
    found = LRP(lambda x: jnp.tanh(x @ w + b[None]) @ v, rules={"first": found_by}).attribute(x)
    above = np.tanh(x @ w + b) * v
    same(found, [literal(x[k], w, b, above[k]) for k in range(3)])


def conv(x, w, stride=1, pad=1):
    return lax.conv_general_dilated(x, w, (stride,) * 2, [(pad, pad)] * 2)


def as_matrix(w, shape, **how):
    """A convolution as a matrix from all inputs of one example to all results."""
    units = np.eye(np.prod(shape)).reshape(-1, *shape)
    return np.asarray(conv(units, w, **how)).reshape(len(units), -1)


@pytest.mark.parametrize("rule", RULES)
def test_rule_on_a_convolution(rule):
    found_by, literal = RULES[rule]
    x, w, b = drawn(2, 2, 5, 5), drawn(3, 2, 3, 3), drawn(3)
    v = drawn(3 * 3 * 3)

    def fun(x):
        h = conv(x, w, stride=2) + b[None, :, None, None]
        return jnp.tanh(h).reshape(len(x), -1) @ v

    matrix, bias = as_matrix(w, (2, 5, 5), stride=2), np.repeat(b, 9)
    above = np.tanh(x.reshape(2, -1) @ matrix + bias) * v
    found = LRP(fun, rules=[("conv", found_by)]).attribute(x)
    same(found.reshape(2, -1), [literal(x[k].ravel(), matrix, bias, above[k]) for k in range(2)])


@pytest.mark.parametrize(
    "rule", ["epsilon", "gamma", "generalized gamma", "alpha 2 beta 1", "w squared", "flat"]
)
def test_normalisation_behind_a_layer_is_part_of_its_weights(rule):
    """As on the network into whose weights it has been folded; negative scales swap the signs."""
    found_by, literal = RULES[rule]
    x, w, b, v = drawn(3, 5), drawn(5, 4), drawn(4), drawn(4)
    mean, var, scale, shift = drawn(4), RNG.uniform(0.5, 2, 4), np.array([1.5, -0.7, 2.0, -1.1]), drawn(4)

    def fun(x):
        h = (x @ w + b[None] - mean[None]) / jnp.sqrt(var + 1e-5)[None] * scale[None] + shift[None]
        return jnp.tanh(h) @ v

    factor = scale / np.sqrt(var + 1e-5)
    folded, bias = w * factor, (b - mean) * factor + shift
    above = np.tanh(x @ folded + bias) * v
    found = LRP(fun, rules={"first": found_by}).attribute(x)
    same(found, [literal(x[k], folded, bias, above[k]) for k in range(3)])


def test_pass_keeps_relevance_and_needs_one_shape():
    w, v = drawn(4, 4), drawn(4)
    x = drawn(2, 4)
    same(LRP(lambda x: jnp.tanh(x @ w) @ v, rules={"first": Pass()}).attribute(x), np.tanh(x @ w) * v)
    with pytest.raises(ValueError, match=r"Pass\(\) is on a layer of \(2, 4\) to \(2, 3\)"):
        LRP(lambda x: (x @ w[:, :3]).sum(1), default=Pass()).attribute(x)


def test_a_result_of_zero_hands_nothing_down():
    x = np.array([[1.0, -1.0], [2.0, 1.0]])
    found = LRP(lambda x: jnp.exp(x @ np.ones((2, 1)))[:, 0]).attribute(x)
    same(found, [[0, 0], [np.exp(3) * 2 / 3, np.exp(3) / 3]])


# relu, maxima, sums: input times gradient


def two_paths(x):
    h = jax.nn.relu(x @ W1 + B1[None])
    return (jax.nn.relu(h @ W2 + B2[None]) + h) @ V1


W1, B1, W2, B2, V1 = drawn(6, 5), drawn(5), drawn(5, 5), drawn(5), drawn(5)
PIECEWISE_LINEAR = {
    "residual": two_paths,
    "jit": jax.jit(two_paths),
    "remat": jax.checkpoint(two_paths),
    "vmap": jax.vmap(lambda x: two_paths(x[None])[0]),
    "a layer used twice": lambda x: jax.nn.relu(jax.nn.relu((x @ W1) @ W2) @ W2) @ V1,
    "leaky relu": lambda x: jax.nn.leaky_relu(x @ W1 + B1[None]) @ V1,
    "maximum": lambda x: jnp.maximum(x @ W1, 0) @ V1,
    "maximum of two": lambda x: jnp.maximum(x @ W1, x[:, :5]) @ V1,
    "minimum of two": lambda x: jnp.minimum(x @ W1, x[:, 1:]) @ V1,
    "max": lambda x: (x @ W1).max(1),
    "sort": lambda x: jnp.sort(x @ W1, axis=1) @ V1,
    "top k": lambda x: lax.top_k(x @ W1, 3)[0] @ V1[:3],
    "argmax": lambda x: jnp.take_along_axis(x, jnp.argmax(x @ W1, 1)[:, None], 1)[:, 0],
    "gather": lambda x: x[:, jnp.array([4, 1, 1])].sum(1),
    "where": lambda x: jnp.where(x > 0, x, 0.1 * x) @ W1 @ V1,
    "difference": lambda x: (x - x.mean(1, keepdims=True)) @ W1 @ V1,
    "cumsum": lambda x: jnp.cumsum(x, 1) @ W1 @ V1,
    "concatenate": lambda x: jnp.concatenate([x @ W1, x[:, ::-1]], 1) @ drawn_once(11),
    "pad and slice": lambda x: jnp.pad(x, ((0, 0), (1, 2)), constant_values=0.5)[:, 2:8] @ W1 @ V1,
    "at add": lambda x: jnp.zeros((3, 4)).at[:, jnp.array([0, 1, 1, 2, 3, 3])].add(x) @ V1[:4],
    "at set": lambda x: x.at[:, 2].set(jax.nn.relu(x[:, 0])) @ W1 @ V1,
    "einsum": lambda x: jnp.einsum("bi,ij,j->b", x, W1, V1),
    "negative": lambda x: -(2 - x @ W1) @ V1 / 3,
    "cond": lambda x: lax.cond(len(x) > 2, lambda v: jax.nn.relu(v @ W1), lambda v: v[:, :5], x) @ V1,
    "float16 and back": lambda x: (x @ W1).astype(jnp.float32).astype(jnp.float64) @ V1,
}


@functools.cache
def drawn_once(n):
    return drawn(n)


@pytest.mark.parametrize("name", PIECEWISE_LINEAR)
def test_lrp_0_of_piecewise_linear_functions_is_input_times_gradient(name):
    fun, x = PIECEWISE_LINEAR[name], drawn(3, 6)
    (expected,) = input_x_gradient(fun, x)
    np.testing.assert_allclose(LRP(fun).attribute(x), expected, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("pool", ["max", "mean"])
def test_convolutions_and_pooling(pool):
    w, b, v, x = drawn(3, 2, 3, 3), drawn(3), drawn(3 * 9), drawn(2, 2, 6, 6)

    def fun(x):
        h = jax.nn.relu(conv(x, w) + b[None, :, None, None])
        start, reduce = (-jnp.inf, lax.max) if pool == "max" else (0.0, lax.add)
        return lax.reduce_window(h, start, reduce, (1, 1, 2, 2), (1, 1, 2, 2), "VALID").reshape(2, -1) @ v

    same(LRP(fun).attribute(x), input_x_gradient(fun, x)[0])


def test_scan_is_the_loop_written_out():
    a, w, v, x = drawn(4, 4) / 2, drawn(3, 4), drawn(4), drawn(2, 5, 3)

    def step(h, x):
        h = jnp.tanh(h @ a + x @ w)
        return h, h

    def scanned(x):
        return lax.scan(step, jnp.zeros((2, 4)), x.swapaxes(0, 1))[0] @ v

    def unrolled(x):
        h = jnp.zeros((2, 4))
        for t in range(5):
            h, _ = step(h, x[:, t])
        return h @ v

    same(conserves(scanned, x)[0], LRP(unrolled).attribute(x))


def test_branches_that_a_value_chooses():
    def fun(x, left):
        return lax.cond(left, lambda v: jnp.tanh(v @ W1), lambda v: jax.nn.relu(v[:, :5]), x) @ V1

    x = drawn(2, 6)
    for left in (True, False):
        found = LRP(fun).attribute(x, additional_forward_args=(jnp.asarray(left),))
        same(found, LRP(functools.partial(fun, left=left)).attribute(x))


# functions of each element, and what depends on the inputs twice


@jax.custom_jvp
def own_activation(x):
    return jnp.where(x > 0, x, jnp.exp(x) - 1) + jnp.maximum(x, 0) ** 2


own_activation.defjvp(lambda x, t: (own_activation(*x), t[0]))
ACTIVATIONS = {
    "gelu": lambda z: jax.nn.gelu(z),
    "gelu exact": lambda z: jax.nn.gelu(z, approximate=False),
    "silu": jax.nn.silu,
    "silu written out": lambda z: z * (1 / (1 + jnp.exp(-z))),
    "softplus": jax.nn.softplus,
    "elu": jax.nn.elu,
    "mish": lambda z: z * jnp.tanh(jax.nn.softplus(z)),
    "custom derivative": own_activation,
    "square": lambda z: z * z,
    "jitted": jax.jit(lambda z: 0.5 * z * (1 + jnp.tanh(z + 3))),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_is_one_function_however_it_is_written(name):
    x, act = drawn(3, 6), ACTIVATIONS[name]
    found = LRP(lambda x: act(x @ W1 + B1[None]) @ V1).attribute(x)
    above = np.asarray(act(x @ W1 + B1)) * V1
    same(found, [by_contributions(x[k], W1, B1, above[k]) for k in range(3)])


def test_factors_share_equally():
    x, y, c = drawn(2, 4), drawn(2, 4), drawn(4)
    for found in conserves(lambda x, y: (x * y) @ c, x, y):
        same(found, x * y * c / 2)
    a, b, c = drawn(2, 3, 4), drawn(2, 4, 5), drawn(3, 5)
    found = conserves(lambda a, b: jnp.einsum("bik,bkj,ij->b", a, b, c), a, b)
    shares = np.einsum("nik,nkj,ij->nikj", a, b, c) / 2
    same(found[0], shares.sum(3))
    same(found[1], shares.sum(1))


@pytest.mark.parametrize("form", ["jax", "plain", "written out", "masked"])
def test_softmax_rule(form):
    """Achtibat et al. 2024, proposition 3.1: ``R_i = x_i (R_i' - s_i sum R')``."""
    x, v = drawn(3, 5), drawn(5)
    allowed = np.array([True, True, False, True, True])

    def softmax(x):
        if form == "masked":
            return jax.nn.softmax(jnp.where(allowed[None], x, -jnp.inf), axis=1)
        if form == "jax":
            return jax.nn.softmax(x, axis=1)
        e = jnp.exp(x) if form == "plain" else jnp.exp(x - x.max(1, keepdims=True))
        return e / (e.sum(1, keepdims=True) + (0 if form == "plain" else 1e-300))

    s = np.asarray(softmax(x))
    above = s * v
    same(LRP(lambda x: softmax(x) @ v).attribute(x), x * (above - s * above.sum(1, keepdims=True)))


def test_log_softmax_and_logsumexp():
    """A normaliser is a constant of the example; a logsumexp is a soft maximum."""
    x = drawn(3, 5)
    s = np.exp(x) / np.exp(x).sum(1, keepdims=True)
    found = conserves(lambda x: jax.nn.log_softmax(x, axis=1)[:, 2], x)
    same(found[0], np.log(s) * (np.arange(5) == 2))
    found = conserves(lambda x: jax.nn.logsumexp(x, axis=1), x)
    same(found[0], s * np.log(np.exp(x).sum(1, keepdims=True)))


def layer_norm(x):
    centred = x - x.mean(-1, keepdims=True)
    return centred * lax.rsqrt((centred**2).mean(-1, keepdims=True) + 1e-5)


def fast_layer_norm(x):
    mean = x.mean(-1, keepdims=True)
    return (x - mean) / jnp.sqrt((x**2).mean(-1, keepdims=True) - mean**2 + 1e-5)


@pytest.mark.parametrize("norm", [layer_norm, fast_layer_norm, functools.partial(jax.nn.standardize, epsilon=1e-5)],
                         ids=["rsqrt", "mean of squares", "standardize"])  # fmt: skip
def test_layer_norm_is_linear_with_a_constant_factor(norm):
    x, scale, shift, v = drawn(3, 6), drawn(6), drawn(6), drawn(6)
    found = LRP(lambda x: (norm(x) * scale[None] + shift[None]) @ v).attribute(x)
    n = np.asarray(layer_norm(x))
    above = v * n * scale  # the shift keeps its part
    centre = np.eye(6) - 1 / 6
    same(found, [by_contributions(x[k], centre, np.zeros(6), above[k]) for k in range(3)])


def test_a_transformer_block_without_biases_conserves():
    """Attention, RMSNorm, a gated MLP and residuals, here in a remat inside a jit.

    All but the softmax: its expansion at the logits does not conserve (Achtibat et al. 2024, section 3.1).
    """
    x, v = drawn(2, 4, 6), drawn(6)
    q, k, values, out, gate, up = (drawn(6, 6) / 2 for _ in range(6))
    down = drawn(6, 6)

    def norm(x):
        return x * lax.rsqrt((x**2).mean(-1, keepdims=True))

    @jax.jit
    @jax.checkpoint
    def block(x):
        h = norm(x)
        scores = jnp.einsum("bik,bjk->bij", h @ q, h @ k) / 6**0.5
        x = x + jax.nn.softmax(scores, axis=-1) @ (h @ values) @ out
        return x + (jax.nn.silu(norm(x) @ gate) * (norm(x) @ up)) @ down

    found, delta = LRP(lambda x: block(x)[:, -1] @ v).attribute(x, return_convergence_delta=True)
    assert np.isfinite(found).all()

    def without_softmax(x):
        h = norm(x)
        x = x + jnp.tanh(jnp.einsum("bik,bjk->bij", h @ q, h @ k)) @ (h @ values) @ out
        return (x + (jax.nn.silu(norm(x) @ gate) * (norm(x) @ up)) @ down)[:, -1] @ v

    conserves(without_softmax, x)
    assert float(abs(delta).max()) > 1e-6


def test_gated_recurrent_unit_conserves():
    w, u, v, x = drawn(3, 4), drawn(4, 4), drawn(4), drawn(2, 5, 3)

    def step(h, x):
        gate = jax.nn.sigmoid(x @ w)
        return gate * jnp.tanh(x @ w + h @ u) + (h @ u) * gate, None

    conserves(lambda x: lax.scan(step, jnp.zeros((2, 4)), x.swapaxes(0, 1))[0] @ v, x)


# which layer gets which rule


def mlp(x):
    h = jax.nn.relu(nt.tap(x @ W1 + B1[None], "lower"))
    h = nt.tap(jax.nn.relu(h @ W2 + B2[None]), "upper/act")
    return h @ V1


def with_rules(lower, upper):
    """The expected relevance, layer by layer."""
    x = X6
    h1 = np.maximum(x @ W1 + B1, 0)
    h2 = np.maximum(h1 @ W2 + B2, 0)
    above = [upper(h1[k], W2, B2, h2[k] * V1) for k in range(len(x))]
    return [lower(x[k], W1, B1, above[k]) for k in range(len(x))]


X6 = drawn(3, 6)
SIGNED, STABLE = RULES["alpha 2 beta 1"], RULES["epsilon"]
CHOICES = {
    "by the tap behind it": ({"lower": SIGNED[0], "upper/*": STABLE[0]}, (SIGNED[1], STABLE[1])),
    "the first that fits counts": (
        [("low*", SIGNED[0]), ("lower", STABLE[0]), ("up*", STABLE[0])],
        (SIGNED[1], STABLE[1]),
    ),
    "first": ({"first": SIGNED[0]}, (SIGNED[1], by_contributions)),
    "first and dense": ({"first dense": SIGNED[0], "conv": STABLE[0]}, (SIGNED[1], by_contributions)),
    "text": ({"lower": "epsilon .1", "upper/act": "Epsilon 1e-1"}, (STABLE[1], STABLE[1])),
}


@pytest.mark.parametrize("name", CHOICES)
def test_rules_by_place(name):
    rules, expected = CHOICES[name]
    same(LRP(mlp, rules=rules, default=Epsilon()).attribute(X6), with_rules(*expected))


def test_default_rule():
    rule, literal = RULES["generalized gamma"]
    found = LRP(lambda x: jnp.tanh(x @ W1).sum(1), default=rule).attribute(X6)
    same(found, [literal(x, W1, np.zeros(5), np.tanh(x @ W1)) for x in X6])


TEXTS = {
    "epsilon 1e-9": Epsilon(1e-9),
    "EpsilonRule": None,
    "gamma": Gamma(bias="kept"),
    "gamma 0.5": Gamma(0.5, bias="kept"),
    "alpha1_beta0": Alpha1Beta0(),
    "alpha 2 beta 1": AlphaBeta(2.0, 1.0),
    "identity": Pass(),
}


@pytest.mark.parametrize("text", TEXTS)
def test_rules_as_text(text):
    if TEXTS[text] is None:
        with pytest.raises(TypeError, match=f"'{text}' is no LRP rule; write one of Epsilon"):
            LRP(mlp, rules={"lower": text})
    else:
        assert LRP(mlp, rules={"lower": text}).rules.rules == (TEXTS[text],)


class Scoped(linen.Module):
    """Two scoped layers of flax linen."""

    @linen.compact
    def __call__(self, x):
        x = linen.relu(linen.Dense(5, name="lower", param_dtype=jnp.float64)(x))
        return linen.Dense(3, name="upper", param_dtype=jnp.float64)(x)


@pytest.mark.parametrize("pattern", ["lower", "*/lower", "*lower", "Scoped/lower*"])
def test_rules_by_named_scope(pattern):
    params = Scoped().init(jax.random.key(0), X6)
    found = LRP(functools.partial(Scoped().apply, params), rules={pattern: SIGNED[0]}).attribute(X6, target=1)
    (lower, _), (upper, _) = ((p["kernel"], p["bias"]) for p in params["params"].values())
    lower, upper = np.asarray(lower), np.asarray(upper)
    h = np.maximum(X6 @ lower, 0)
    above = h * upper[:, 1]
    same(found, [SIGNED[1](X6[k], lower, np.zeros(5), above[k]) for k in range(3)])


def small_cnn(x):
    h = jax.nn.relu(conv(x, C1))
    h = jax.nn.relu(conv(h, C2)).reshape(len(x), -1)
    return jax.nn.relu(h @ D1) @ D2


C1, C2, D1, D2 = drawn(3, 2, 3, 3), drawn(2, 3, 3, 3), drawn(32, 5), drawn(5)
PRESETS = {
    "EpsilonPlus": (EpsilonPlus(), ZPlus(1e-6), ZPlus(1e-6)),
    "EpsilonPlusFlat": (EpsilonPlusFlat(), Flat(1e-6), ZPlus(1e-6)),
    "EpsilonAlpha2Beta1": (EpsilonAlpha2Beta1(), AlphaBeta(2.0, 1.0, 1e-6), AlphaBeta(2.0, 1.0, 1e-6)),
    "EpsilonAlpha2Beta1Flat": (EpsilonAlpha2Beta1Flat(), Flat(1e-6), AlphaBeta(2.0, 1.0, 1e-6)),
    "EpsilonGammaBox": (EpsilonGammaBox(-3.0, 3.0), ZBox(-3.0, 3.0, 1e-6), GeneralizedGamma(0.25, 1e-6)),
}


@pytest.mark.parametrize("preset", PRESETS)
def test_presets(preset):
    """The first convolution, the second, and both dense layers by their rules, as zennit's composites."""
    whole, first, second = PRESETS[preset]
    x = RNG.uniform(-3, 3, size=(2, 2, 4, 4))

    def tapped(x):
        h = nt.tap(conv(nt.tap(jax.nn.relu(conv(x, C1)), "c1"), C2), "c2")
        return jax.nn.relu(jax.nn.relu(h).reshape(len(x), -1) @ D1) @ D2

    by_hand = LRP(tapped, rules={"c1": first, "c2": second}, default=Epsilon(1e-6)).attribute(x)
    found = LRP(small_cnn, rules=whole).attribute(x)
    same(found, by_hand)
    assert float(abs(found - LRP(small_cnn).attribute(x)).max()) > 1e-3


def test_another_number_of_a_rule_compiles_nothing(compilations):
    def call(eps):
        return jax.block_until_ready(LRP(mlp, rules={"lower": Epsilon(eps)}).attribute(X6))

    call(0.1)
    assert compilations.since(lambda: call(0.2)) == 0


# what is reported


def test_the_record_says_what_biases_absorb_and_nothing_is_warned_of():
    record = LRP(mlp, rules={"lower": Gamma(0.5)}).explain(X6)
    absorbed = record.prediction - record.attributions.sum(1)
    same(record.convergence_delta, absorbed)
    assert float(abs(absorbed).max()) > 0.01
    assert record.baseline_prediction is None
    assert "absorbed by biases and stabilisers" in repr(record)
    assert "('lower', Gamma(gamma=0.5" in record.arguments["rules"]


def test_neuron_and_layer():
    both = LRP(mlp, layer="lower", neuron=2).attribute(X6)
    same(both, [by_contributions(x, W1[:, 2:3], B1[2:3], x @ W1[:, 2:3] + B1[2]) for x in X6])
    lower = LRP(mlp, layer="lower").attribute(X6)
    tail = LRP(lambda z: jax.nn.relu(jax.nn.relu(z) @ W2 + B2[None]) @ V1).attribute(X6 @ W1 + B1)
    same(lower, tail)


def test_under_noise_with_rules():
    bound = np.full((1, 6), -9.0)
    tunnel = NoiseTunnel(LRP(mlp, rules={"first": ZBox(bound, 9.0)}))
    same(tunnel.attribute(X6, stdevs=0.0), LRP(mlp, rules={"first": ZBox(-9.0, 9.0)}).attribute(X6))


def test_float32_is_close_to_float64():
    x = X6.astype("float32")
    found = LRP(mlp, rules=EpsilonPlusFlat()).attribute(x)
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, LRP(mlp, rules=EpsilonPlusFlat()).attribute(X6), rtol=1e-3, atol=1e-3)


# models


def test_the_digits_network():
    params = jax.tree.map(lambda p: p.astype("float64"), digits_cnn.init(jax.random.key(0)))
    x = nt.tensor(RNG.uniform(size=(2, 8, 8)), "batch height width")
    found = LRP(functools.partial(digits_cnn.apply, params)).attribute(x, target=3)
    assert found.dims == x.dims

    def score(x):
        return digits_cnn.apply(params, nt.tensor(x, "batch height width")).to_array("batch class")[:, 3]

    same(found.array, input_x_gradient(score, x.array)[0])


def test_the_residual_network():
    """Batch normalisation behind each convolution, residuals, pooling."""
    params = resnet18.init(jax.random.key(1), resnet18.Sizes(width=4, classes=5, stem=3))
    params = jax.tree.map(lambda p: p.astype("float64"), params)
    x = nt.tensor(drawn(2, 3, 8, 8), "batch channel height width")
    found = LRP(functools.partial(resnet18.apply, params)).attribute(x, target=3)

    def score(x):
        return resnet18.apply(params, nt.tensor(x, x_dims)).to_array("batch class")[:, 3]

    x_dims = "batch channel height width"
    np.testing.assert_allclose(found.array, input_x_gradient(score, x.array)[0], rtol=1e-6, atol=1e-8)


def test_the_named_transformer():
    sizes = transformer.Sizes(layers=2, vocab=20, pos=5, embed=8, head=2, key=4, ff=8)
    params = transformer.init(jax.random.key(0), sizes)
    ids = nt.random.randint(jax.random.key(1), "batch:2 pos:5", 0, 20)
    record = LRP(lambda i: transformer.apply(params, i).isel(pos=-1), layer="embedding").explain(
        ids, target=1
    )
    assert dict(record.attributions.shape) == {"batch": 2, "pos": 5, "embed": 8}
    assert np.isfinite(record.attributions.array).all()
    assert float(record.gap.max()) < 1


def test_equinox_and_flax_modules():
    x = drawn(2, 6)
    net = eqx.nn.MLP(6, 3, 5, 2, activation=jax.nn.relu, key=jax.random.key(0), dtype=jnp.float64)
    same(LRP(jax.vmap(net)).attribute(x, target=1), input_x_gradient(lambda x: jax.vmap(net)(x)[:, 1], x)[0])
    layers = [nnx.Linear(6, 5, rngs=nnx.Rngs(0), param_dtype=jnp.float64), nnx.relu,
              nnx.Linear(5, 3, rngs=nnx.Rngs(1), param_dtype=jnp.float64)]  # fmt: skip
    net = nnx.Sequential(*layers)
    same(LRP(net).attribute(x, target=1), input_x_gradient(lambda x: net(x)[:, 1], x)[0])


# what is refused


def refused(error, fun, *parts, x=X6, **how):
    with pytest.raises(error) as caught:
        LRP(fun, **how).attribute(x)
    for part in parts:
        assert part in str(caught.value)


def test_an_operation_without_a_rule():
    def fun(x):
        return jnp.cumprod(x, 1).sum(1)

    line = fun.__code__.co_firstlineno + 1
    refused(
        UnsupportedPrimitiveError,
        fun,
        "'cumprod'",
        f"test_lrp.py:{line} (fun)",
        "LRP has no rule",
        "DeepLift(f)",
    )
    refused(UnsupportedPrimitiveError, lambda x: (abs(x) ** (x @ W2x)).sum(1), "'pow'", "several operands")


W2x = drawn(6, 6)


def test_a_while_loop():
    def fun(x):
        return lax.while_loop(lambda s: s[0] < 3, lambda s: (s[0] + 1, jnp.tanh(s[1])), (0, x))[1].sum(1)

    refused(UnsupportedPrimitiveError, fun, "'while'", "cannot be run backwards", "jax.lax.scan")


def test_a_pattern_that_fits_nothing():
    there = ("dense at test_lrp.py", "tap 'lower' (first)", "tap 'upper/act'")
    refused(ValueError, mlp, "the rule for 'lowr' fits no layer", *there, rules={"lowr": Gamma()})

    def scanned(x):
        return lax.scan(lambda h, t: (h + t @ V1, None), jnp.zeros(2), x)[0]

    message = "the rule for 'first' fits no layer"
    refused(ValueError, scanned, message, rules={"first": Flat()}, x=drawn(2, 2, 5))


def test_rules_that_are_none():
    with pytest.raises(TypeError, match=r"0\.25 is no LRP rule; write one of Epsilon"):
        LRP(mlp, rules={"lower": 0.25})
    with pytest.raises(TypeError, match=r"'conv' is no pair \(pattern, rule\)"):
        LRP(mlp, rules=["conv", Gamma()])
    with pytest.raises(ValueError, match="alpha - beta must be 1"):
        AlphaBeta(2, 2)
    with pytest.raises(ValueError, match="bias='no': choose 'changed'"):
        Gamma(bias="no")
    refused(ValueError, mlp, "ZBox: a bound is (7,)", "(3, 6)", rules={"first": ZBox(np.zeros(7), 1.0)})
