"""DeepLift through whole programs: loops, branches, calls, models; and what it says where it cannot."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx
from jax import lax

import namedtensor as nt
from captum_lite import DeepLift, LayerDeepLift, NoiseTunnel
from captum_lite.rules.deeplift import multipliers
from namedtensor.interpreter import UnsupportedPrimitiveError
from namedtensor.models import digits_cnn, resnet18, transformer

RNG = np.random.default_rng(7)
BATCH, N = 3, 4
X, B = RNG.normal(size=(2, BATCH, N))
W, V, Q = RNG.normal(size=(3, N, N))
EXACT = {"rtol": 1e-10, "atol": 1e-12}


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def lift(fun, x=X, b=B, **options):
    """Attributions and the largest gap."""
    found, delta = DeepLift(fun).attribute(x, b, return_convergence_delta=True, **options)
    return found, float(abs(delta).max())


def complete_and_by_example(fun, x=X, b=B, tolerance=1e-10, **options):
    """Adds up, and an example's attribution does not depend on the rest of its batch."""
    found, gap = lift(fun, x, b, **options)
    assert gap < tolerance
    assert float(abs(found[0]).sum()) > 0
    others = np.concatenate([x[:1], 3 * RNG.normal(size=x[1:].shape)])
    again, _ = lift(fun, others, np.concatenate([b[:1], RNG.normal(size=b[1:].shape)]), **options)
    np.testing.assert_allclose(again[0], found[0], **EXACT)


# where others are wrong

CONV = RNG.normal(size=(3, 1, 3, 3))


def pooled(x):
    """ReLU directly followed by max-pooling."""
    h = jax.nn.relu(lax.conv(x, CONV, (1, 1), "SAME"))
    return lax.reduce_window(h, -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID").reshape(len(x), -1)


class Block(nnx.Module):
    """A pre-normalised transformer block."""

    def __init__(self, rngs):
        self.norm, self.norm2 = (nnx.LayerNorm(8, param_dtype=float, rngs=rngs) for _ in range(2))
        self.qkv, self.mix, self.up = (nnx.Linear(8, n, param_dtype=float, rngs=rngs) for n in (24, 8, 16))
        self.down = nnx.Linear(16, 8, param_dtype=float, rngs=rngs)

    def __call__(self, x):
        heads = self.qkv(self.norm(x)).reshape(*x.shape[:2], 3, 2, 4)
        q, k, v = jnp.moveaxis(heads, 2, 0)
        weights = jax.nn.softmax(jnp.einsum("bqhd,bkhd->bhqk", q, k) / 2, axis=-1)
        x = x + self.mix(jnp.einsum("bhqk,bkhd->bqhd", weights, v).reshape(x.shape))
        return x + self.down(nnx.gelu(self.up(self.norm2(x))))


def test_relu_followed_by_max_pool():
    x, b = RNG.normal(size=(2, BATCH, 1, 6, 6))
    complete_and_by_example(lambda x: pooled(x) @ np.cos(np.arange(27.0)), x, b)


def test_softmax():
    complete_and_by_example(lambda x: jax.nn.softmax(5 * x @ W), target=1)


def test_functional_relu():
    complete_and_by_example(lambda x: jnp.maximum(x @ W, 0) @ V[0])
    assert abs(lift(lambda x: jnp.maximum(x @ W, 0) @ V[0])[0] - (X - B) * (W @ V[0])).max() > 0.1


@pytest.mark.parametrize("act", [jax.nn.gelu, jax.nn.silu, jax.nn.standardize])
def test_gelu_silu_and_layer_norm(act):
    complete_and_by_example(lambda x: act(x @ W) @ V, target=2)


def test_a_transformer_block():
    block = Block(nnx.Rngs(0))
    x, b = RNG.normal(size=(2, BATCH, 5, 8))
    complete_and_by_example(lambda x: block(x).reshape(len(x), -1) @ np.cos(np.arange(40.0)), x, b)


def test_a_relu_that_is_used_twice():
    relu = jax.jit(jax.nn.relu)
    complete_and_by_example(lambda x: relu(relu(x @ W) @ V) @ Q[0])


# loops, branches and calls


def gated(x, h):
    gate = jax.nn.sigmoid(x @ W + h @ V)
    return gate * h + (1 - gate) * jnp.tanh(x @ Q + h)


def recurrent(x):
    return lax.scan(lambda h, row: (gated(row, h), h.max()), jnp.zeros((len(x), N)), x.swapaxes(0, 1))


def unrolled(x):
    h = jnp.zeros((len(x), N))
    for t in range(5):
        h = gated(x[:, t], h)
    return h


def test_scan_is_what_the_unrolled_loop_is():
    x, b = RNG.normal(size=(2, BATCH, 5, N))
    complete_and_by_example(lambda x: recurrent(x)[0] @ V[0], x, b)
    found = lift(lambda x: recurrent(x)[0] @ V[0], x, b)[0]
    np.testing.assert_allclose(found, lift(lambda x: unrolled(x) @ V[0], x, b)[0], **EXACT)


def test_scan_carries_decisions_and_counts():
    def step(carry, row):
        count, up, best = carry
        return (count + (row > 0), up ^ (row > best), jnp.maximum(best, row)), None

    def fun(x):
        start = (jnp.zeros(len(x), int), jnp.zeros(len(x), bool), jnp.zeros(len(x)))
        count, up, best = lax.scan(step, start, x.T)[0]
        return count * 2.0 + jnp.where(up, best, -best)

    assert lift(fun)[1] < 1e-10


def test_fori_loop_remat_and_calls_inside_calls():
    @jax.checkpoint
    def layer(h, k):
        return jax.jit(jax.nn.silu)(h @ W) * jnp.cos(k) + h

    complete_and_by_example(lambda x: lax.fori_loop(0, 3, lambda k, h: layer(h, k), x) @ V[0])


def test_cond_on_what_does_not_vary():
    def fun(x, n):
        return lax.cond(n > 2, lambda v: jax.nn.silu(v @ W), lambda v: v**3, x) @ V[0]

    for n in (1, 3):
        assert lift(fun, additional_forward_args=(n,))[1] < 1e-10
        branch = (lambda x: jax.nn.silu(x @ W) @ V[0]) if n == 3 else (lambda x: x**3 @ V[0])
        found = lift(fun, additional_forward_args=(n,))[0]
        np.testing.assert_allclose(found, lift(branch)[0], **EXACT)


@pytest.mark.parametrize("shift", [-9.0, 0.0, 9.0])
def test_cond_and_switch_on_what_varies(shift):
    def fun(row):
        chosen = lax.cond(row.sum() > shift, lambda v: jax.nn.silu(v @ W), lambda v: v**3, row)
        index = jnp.clip((row[0] * 2).astype(int), 0, 2)
        return chosen @ V[0] + lax.switch(index, [jnp.sum, jnp.prod, lambda v: v[1]], row)

    batch = lambda x: jnp.stack([fun(row) for row in x])  # noqa: E731  (vmap would make it a select)
    complete_and_by_example(batch)
    assert lift(jax.vmap(fun))[1] < 1e-10


def test_custom_derivatives_are_not_what_is_passed():
    @jax.custom_vjp
    def clipped(x):
        return x**2

    clipped.defvjp(lambda x: (x**2, x), lambda x, g: (jnp.clip(g, -1, 1),))

    @jax.custom_jvp
    def mixed(x):
        return jnp.sin(x @ W)

    mixed.defjvp(lambda p, t: (mixed(*p), t[0] * 0))
    complete_and_by_example(lambda x: mixed(clipped(x)) @ V[0])


def test_vmap_inside_and_stop_gradient():
    complete_and_by_example(lambda x: jax.vmap(lambda v: jax.nn.softmax(W @ v) @ v)(x))
    rounded = lambda x: x + lax.stop_gradient(jnp.round(3 * x) - x)  # noqa: E731
    assert lift(lambda x: rounded(x) @ V[0])[1] < 1e-10


def test_a_loop_of_unknown_length_is_refused_by_place():
    def halved(x):
        return lax.while_loop(lambda v: (abs(v) > 1).any(), lambda v: v / 2, x).sum(1)

    with pytest.raises(UnsupportedPrimitiveError) as caught:
        DeepLift(halved).attribute(10 * X, B)
    for part in (
        "DeepLift", "'while'", "test_deep_lift_transforms.py", "(halved)", "lax.scan", "FeatureAblation",
        "IntegratedGradients",
    ):  # fmt: skip
        assert part in str(caught.value)


def test_what_jax_cannot_differentiate_is_refused_by_place():
    def fun(x):
        return jax.pure_callback(np.sin, jax.ShapeDtypeStruct(x.shape, x.dtype), x).sum(1)

    with pytest.raises(
        UnsupportedPrimitiveError, match=r"'pure_callback' at test_deep_lift_transforms.*\n.*Ablat"
    ):
        DeepLift(fun).attribute(X, B)


# what is missed is said


@pytest.mark.filterwarnings("ignore::captum_lite.IncompleteWarning")
def test_residuals_are_what_is_missed():
    def fun(x):
        values, vectors = jnp.linalg.eigh(x[:, :, None] * x[:, None] + (W @ W.T + 5 * np.eye(N))[None])
        chosen = jax.nn.one_hot(jnp.argmax(x, 1), N)
        return (jnp.log(values) @ V[0]) * 3 + chosen @ V[1] + vectors[:, 0, 0] ** 2

    record = DeepLift(fun).explain(X, B)
    places = {k.partition(" at ")[0] for k in record.residuals}
    assert {"argmax", "eigh"} <= places
    assert all("test_deep_lift_transforms.py" in k for k in record.residuals)
    total = sum(record.residuals.values())
    assert (total >= abs(record.convergence_delta) - 1e-10).all()
    by_choice = abs((np.eye(N)[X.argmax(1)] - np.eye(N)[B.argmax(1)]) @ V[1])
    argmax = next(v for k, v in record.residuals.items() if k.startswith("argmax"))
    np.testing.assert_allclose(argmax, by_choice, **EXACT)
    assert "where no exact rule applies" in repr(record)


@pytest.mark.filterwarnings("ignore::captum_lite.IncompleteWarning")
def test_residuals_of_a_loop_are_of_all_its_iterations():
    def fun(x):
        def step(h, _):
            return h + jax.nn.one_hot(jnp.argmax(x, 1), N) @ V, None

        return lax.scan(step, jnp.zeros((len(x), N)), None, length=3)[0].sum(1)

    record = DeepLift(fun).explain(X, B)
    (missed,) = record.residuals.values()
    np.testing.assert_allclose(missed, abs(record.convergence_delta), **EXACT)
    np.testing.assert_array_equal(record.attributions, 0)


def test_the_fallback_is_exact_where_the_function_is_smooth():
    def fun(x):
        return jnp.linalg.slogdet(0.1 * x[:, :, None] * x[:, None] + 3 * np.eye(N)[None])[1]

    record = DeepLift(fun).explain(X, B)
    assert float(abs(record.convergence_delta).max()) < 1e-10


def test_the_rule_is_known():
    with pytest.raises(ValueError, match="rule='linear' is not known: the rule of DeepLift is 'rescale'"):
        DeepLift(lambda x: x.sum(1)).attribute(X, rule="linear")


# layers


def branching(x):
    """A layer that something goes around."""
    h = nt.tap(jnp.tanh(x @ W), "hidden")
    return (jax.nn.relu(h @ V) * x).sum(1) + x @ Q[0]


def test_what_goes_around_a_layer_moves_too():
    found, delta = LayerDeepLift(branching, "hidden").attribute(X, B, return_convergence_delta=True)
    (h, h0), (r, r0) = (np.tanh(v @ W) for v in (X, B)), (np.maximum(np.tanh(v @ W) @ V, 0) for v in (X, B))
    slopes = (r - r0) / (h @ V - h0 @ V) * (X + B) / 2
    np.testing.assert_allclose(found, (h - h0) * (slopes @ V.T), **EXACT)
    around = ((X - B) * (r + r0) / 2).sum(1) + (X - B) @ Q[0]
    np.testing.assert_allclose(delta, -around, **EXACT)


def test_a_neuron_is_complete():
    found, delta = DeepLift(branching, layer="hidden", neuron=2).attribute(
        X, B, return_convergence_delta=True
    )
    np.testing.assert_allclose(found.sum(1), (np.tanh(X @ W) - np.tanh(B @ W))[:, 2], **EXACT)
    assert float(abs(delta).max()) < 1e-12


# models


def doubled(tree):
    """Parameters in float64."""
    return jax.tree.map(lambda v: v.astype(float) if eqx.is_inexact_array(v) else v, tree)


def uniform(k, shape):
    return nt.random.uniform(jax.random.key(k), shape).astype("float64")


def test_digits_cnn():
    params = doubled(digits_cnn.init(jax.random.key(0)))
    x, b = (uniform(k, "batch:2 height:8 width:8") for k in (1, 2))
    assert lift(functools.partial(digits_cnn.apply, params), x, b, target=3)[1] < 1e-10


def test_resnet():
    params = doubled(resnet18.init(jax.random.key(0), resnet18.Sizes(width=4, classes=5, stem=3)))
    x, b = (uniform(k, "batch:2 channel:3 height:8 width:8") for k in (1, 2))
    assert lift(functools.partial(resnet18.apply, params), x, b, target=3)[1] < 1e-10


def test_transformer_at_its_embedding():
    sizes = transformer.Sizes(layers=2, vocab=20, pos=5, embed=8, head=2, key=4, ff=8)
    params = doubled(transformer.init(jax.random.key(0), sizes))
    ids, other = (nt.random.randint(jax.random.key(k), "batch:2 pos:5", 0, 20) for k in (1, 2))
    method = DeepLift(lambda i: transformer.apply(params, i).isel(pos=-1), layer="embedding")
    _, delta = method.attribute(ids, other, 3, return_convergence_delta=True)
    assert float(abs(delta).max()) < 1e-10


def test_equinox():
    model = doubled(eqx.nn.MLP(N, 3, 5, 2, activation=jax.nn.gelu, key=jax.random.key(0)))
    complete_and_by_example(jax.vmap(model), target=1)


def test_linen():
    model = linen.Sequential(
        [linen.Dense(6, param_dtype=float), linen.LayerNorm(), linen.silu, linen.Dense(3)]
    )
    params = model.init(jax.random.key(0), X)
    complete_and_by_example(functools.partial(model.apply, params), target=1)


def test_float32_and_a_noise_tunnel():
    with jax.enable_x64(False):
        x, b = X.astype("float32"), B.astype("float32")
        fun = lambda x: jax.nn.softmax(jax.nn.gelu(x @ W.astype("float32")) * 5)[:, 1]  # noqa: E731
        found, gap = lift(fun, x, b)
        assert found.dtype == np.float32
        assert gap < 1e-6
        near = lift(fun, x, x * np.float32(1 + 1e-6))[0]
        gradient = jax.grad(lambda x: fun(x).sum())(x)
        np.testing.assert_allclose(near, gradient * (x - x * np.float32(1 + 1e-6)), rtol=2e-2, atol=1e-9)
        tunnel = NoiseTunnel(DeepLift(fun)).attribute(x, baselines=b, nt_samples=3, stdevs=0.0)
        np.testing.assert_allclose(tunnel, found, atol=1e-6)


# programs made at random

STEPS = {
    "relu": lambda h, g: jax.nn.relu(h), "gelu": lambda h, g: jax.nn.gelu(h), "dense": lambda h, g: h @ W,
    "tanh": lambda h, g: jnp.tanh(h), "gate": lambda h, g: jax.nn.sigmoid(h) * g, "add": lambda h, g: h + g,
    "softmax": lambda h, g: jax.nn.softmax(h) * 3, "max": jnp.maximum, "norm": lambda h, g: jax.nn.standardize(h),
    "where": lambda h, g: jnp.where(h > g, h, -g), "sort": lambda h, g: jnp.sort(h, axis=1),
    "sin": lambda h, g: jnp.sin(h), "pool": lambda h, g: jnp.tile(h.reshape(-1, 2, 2).max(2), (1, 2)),
    "outer": lambda h, g: jnp.einsum("bi,bj->bij", jnp.tanh(h), jnp.tanh(g)).sum(1), "cummax": lambda h, g: lax.cummax(h, 1),
    "division": lambda h, g: h / (1 + g**2), "rescale": lambda h, g: h / (1e-3 + jnp.linalg.norm(h, axis=1, keepdims=True)),
    "top": lambda h, g: jnp.concatenate([lax.top_k(h, 2)[0], g[:, 2:]], 1), "threshold": lambda h, g: (h > 0.1) * g,
    "lse": lambda h, g: jax.nn.logsumexp(h, axis=1, keepdims=True) - g, "mask": lambda h, g: jnp.where(g > 0, h, 0.1 * h),
}  # fmt: skip


def program(seed, x):
    """Six operations, each on one earlier value or two."""
    rng, values = np.random.default_rng(seed), [x, x @ Q]
    for _ in range(6):
        step = STEPS[rng.choice(list(STEPS))]
        newest = values[-1]
        values.append(step(newest, values[rng.integers(len(values))]))
    return values[-1] @ V[0]


@pytest.mark.parametrize("seed", range(30))
def test_random_programs_are_complete(seed):
    """Not compiled: the same few operations, again and again."""
    x, b = jnp.asarray(np.random.default_rng([seed, 5]).normal(size=(2, 2, N)))
    fun = functools.partial(program, seed)
    (m,), residuals = multipliers(fun, (x,), (b,))
    assert float(abs((m * (x - b)).sum(1) - (fun(x) - fun(b))).max()) < 1e-10
    assert not any(map(np.any, residuals.values()))
    assert float(abs(m).sum()) > 0
