"""Guided backpropagation and deconvolution: written out by hand, whatever way a relu is written."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import lax

import namedtensor as nt
from captum_lite import Deconvolution, GuidedBackprop, Saliency

RNG = np.random.default_rng(31)
X, W, B, V = (RNG.normal(size=s) for s in [(3, 6), (6, 5), (5,), (5,)])
METHODS = {"guided": GuidedBackprop, "deconvolution": Deconvolution}


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def by_hand(method, x, w, b, v):
    """Of ``relu(relu(x w + b) w2) v``, literally: through each relu by its rule."""
    z = x @ w + b
    above = np.broadcast_to(v, z.shape)
    passes = (above > 0) & ((z > 0) | (method == "deconvolution"))
    return np.where(passes, above, 0) @ w.T


RELUS = {
    "jax.nn": jax.nn.relu,
    "maximum": lambda z: jnp.maximum(z, 0),
    "maximum, zero first": lambda z: jnp.maximum(0.0, z),
    "lax.max of zeros": lambda z: lax.max(z, jnp.zeros_like(z)),
    "numpy zeros": lambda z: jnp.maximum(np.zeros(5)[None], z),
    "jit": jax.jit(lambda z: jnp.maximum(z, 0)),
    "custom derivative": jax.custom_jvp(lambda z: jnp.maximum(z, 0)),
    "remat": jax.checkpoint(jax.nn.relu),
    "vmap": jax.vmap(jax.nn.relu),
    "nnx": nnx.relu,
    "named": lambda z: nt.tensor(z, "batch unit").relu().to_array("batch unit"),
    "in a scan": lambda z: lax.scan(lambda c, row: (c, jax.nn.relu(row)), 0.0, z)[1],
    "in a cond": lambda z: lax.cond(z.sum() < 1e9, jax.nn.relu, lambda z: z, z),
}
RELUS["custom derivative"].defjvp(lambda z, t: (jnp.maximum(*z, 0), t[0]))


@pytest.mark.parametrize("name", RELUS)
@pytest.mark.parametrize("method", METHODS)
def test_a_relu_however_it_is_written(method, name):
    found = METHODS[method](lambda x: RELUS[name](x @ W + B[None]) @ V).attribute(X)
    np.testing.assert_allclose(found, by_hand(method, X, W, B, V), rtol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_each_relu_of_several(method):
    w2 = RNG.normal(size=(5, 5))

    def fun(x):
        return jax.nn.relu(jax.nn.relu(x @ W + B[None]) @ w2) @ V

    h = np.maximum(X @ W + B, 0)
    above = by_hand(method, h, w2, 0, V)
    passes = (above > 0) & ((h > 0) | (method == "deconvolution"))
    np.testing.assert_allclose(
        METHODS[method](fun).attribute(X), np.where(passes, above, 0) @ W.T, rtol=1e-12
    )


@pytest.mark.parametrize(
    "other",
    [jax.nn.softplus, jax.nn.relu6, jax.nn.leaky_relu, jax.nn.gelu, jax.nn.hard_swish, lambda z: jnp.clip(z, 0, 1)],
    ids=["softplus", "relu6", "leaky_relu", "gelu", "hard_swish", "clip"],
)  # fmt: skip
@pytest.mark.parametrize("method", METHODS)
def test_other_activations_are_differentiated_as_they_are_and_it_is_said(method, other):
    def fun(x):
        return other(x @ W) @ V

    with pytest.warns(UserWarning, match=r"met no relu, max\(x, 0\).*the plain gradient"):
        found = METHODS[method](fun).attribute(X)
    np.testing.assert_allclose(found, Saliency(fun).attribute(X, abs=False), rtol=1e-12)


def test_the_warning_comes_at_every_call():
    explainer = GuidedBackprop(lambda x: jnp.tanh(x) @ W[:, 0])
    for _ in range(2):
        with pytest.warns(UserWarning, match="GuidedBackprop met no relu"):
            explainer.attribute(X)


def test_relus_before_the_layer_do_not_count():
    def fun(x):
        return nt.tap(jax.nn.relu(x @ W), "hidden") @ V

    with pytest.warns(UserWarning, match="between what is explained and the score"):
        found = GuidedBackprop(fun, layer="hidden").attribute(X)
    np.testing.assert_allclose(found, np.broadcast_to(V, (3, 5)))


@pytest.mark.parametrize("method", METHODS)
def test_layer_and_neuron(method):
    def fun(x):
        return jax.nn.relu(nt.tap(jax.nn.relu(x @ W + B[None]), "hidden") @ W.T) @ X[0]

    h = np.maximum(X @ W + B, 0)
    at_layer = METHODS[method](fun, layer="hidden").attribute(X)
    np.testing.assert_allclose(at_layer, by_hand(method, h, W.T, 0, X[0]), rtol=1e-12)
    neuron = METHODS[method](fun, layer="hidden", neuron=2).attribute(X)
    np.testing.assert_allclose(neuron, by_hand(method, X, W, B, np.eye(5)[2]), rtol=1e-12)


def test_pooling_and_sorting_hold_maxima_that_are_no_relus():
    image = RNG.normal(size=(2, 1, 4, 4))

    def pooled(x):
        return lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")

    def fun(x):
        return (
            jax.nn.relu(pooled(-x)) - jnp.sort(x, axis=3)[..., ::2, :2] + jnp.cumsum(x, 3)[..., 2:, 2:]
        ).sum((1, 2, 3))

    def linear_above(x):  # all relevance above the relu is 1, so only its sign at x counts: the gradient
        return (jax.nn.relu(pooled(-x))).sum((1, 2, 3))

    found = GuidedBackprop(fun).attribute(image)
    rest = jax.grad(lambda x: (fun(x) - linear_above(x)).sum())(jnp.asarray(image))
    np.testing.assert_allclose(found, rest + jax.grad(lambda x: linear_above(x).sum())(jnp.asarray(image)))


def test_custom_derivatives_are_kept_unless_a_network_is_inside():
    @jax.custom_vjp
    def doubled(x):
        return jnp.maximum(x, 0) + x

    doubled.defvjp(lambda x: (doubled(x), None), lambda _, g: (7 * g,))
    found = GuidedBackprop(lambda x: jax.nn.relu(doubled(x)).sum(1)).attribute(X)
    np.testing.assert_allclose(found, np.where(np.maximum(X, 0) + X > 0, 7.0, 0.0))

    @jax.custom_jvp
    def network(x):
        return jax.nn.relu(x @ W + B[None]) @ V

    network.defjvp(lambda x, t: jax.jvp(network.fun, x, t))
    np.testing.assert_allclose(
        GuidedBackprop(network).attribute(X), by_hand("guided", X, W, B, V), rtol=1e-12
    )
