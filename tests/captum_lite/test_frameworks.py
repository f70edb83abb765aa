"""Models of flax, equinox and haiku are explained as the same function written by hand is.

Inputs and baselines are random, parameters are float64, layers are module paths.
"""

import functools

import equinox as eqx
import flax.linen as nn
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import namedtensor as nt
from captum_lite import IntegratedGradients, Saliency
from captum_lite.methods import METHODS

RNG = np.random.default_rng(41)
IMAGES, IMAGE_BASELINES = RNG.normal(size=(2, 2, 5, 5, 1))
ROWS, ROW_BASELINES = RNG.normal(size=(2, 3, 4))
KERNEL, BIAS = RNG.normal(size=(3, 3, 1, 2)), RNG.normal(size=2)
HEAD, HEAD_BIAS = RNG.normal(size=(50, 3)), RNG.normal(size=3)
ONE, ONE_BIAS = RNG.normal(size=(3, 4)), RNG.normal(size=3)
TWO, TWO_BIAS = RNG.uniform(0.5, 2, size=(2, 3)), RNG.normal(size=2)
FEW = {"n_steps": 4, "nt_samples": 2, "n_samples": 8}  # options that decide the cost
PICTURES = {"occlusion": {"sliding_window_shapes": (2, 2, 1)}}
VECTORS = {"occlusion": {"sliding_window_shapes": (2,)}}
ANYTHING_OF_64 = {"Shapley values"}  # evaluates 2^n coalitions: not for images, without a mask


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def conv_by_hand(x):
    dims = ("NHWC", "HWIO", "NHWC")
    h = jax.lax.conv_general_dilated(x, jnp.asarray(KERNEL), (1, 1), "SAME", dimension_numbers=dims)
    h = jax.nn.relu(nt.tap(h + jnp.asarray(BIAS).reshape(1, 1, 1, 2), "layer"))
    return h.reshape(len(x), 50) @ jnp.asarray(HEAD) + jnp.asarray(HEAD_BIAS)[None]


class LinenCnn(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Conv(2, (3, 3))(x))
        return nn.Dense(3)(x.reshape(x.shape[0], -1))


LINEN = LinenCnn()


def linen_cnn(scale=1.0):
    conv = {"kernel": jnp.asarray(KERNEL) * scale, "bias": jnp.asarray(BIAS)}
    head = {"kernel": jnp.asarray(HEAD), "bias": jnp.asarray(HEAD_BIAS)}
    return functools.partial(LINEN.apply, {"params": {"Conv_0": conv, "Dense_0": head}})


class NnxCnn(nnx.Module):
    def __init__(self, rngs):
        self.conv = nnx.Conv(1, 2, (3, 3), param_dtype=jnp.float64, rngs=rngs)
        self.head = nnx.Linear(50, 3, param_dtype=jnp.float64, rngs=rngs)

    def __call__(self, x):
        return self.head(nnx.relu(self.conv(x)).reshape(x.shape[0], -1))


def nnx_cnn(scale=1.0):
    model = NnxCnn(nnx.Rngs(0))
    model.conv.kernel[...], model.conv.bias[...] = jnp.asarray(KERNEL) * scale, jnp.asarray(BIAS)
    model.head.kernel[...], model.head.bias[...] = jnp.asarray(HEAD), jnp.asarray(HEAD_BIAS)
    return model


def nnx_split(scale=1.0):
    graph, state = nnx.split(nnx_cnn(scale))
    return functools.partial(apply_nnx, graph, state)


def apply_nnx(graph, state, x):
    return nnx.merge(graph, state)(x)


HAIKU = hk.without_apply_rng(
    hk.transform(lambda x: hk.Linear(3)(jax.nn.relu(hk.Conv2D(2, 3)(x)).reshape(x.shape[0], -1)))
)


def haiku_cnn(scale=1.0):
    conv = {"w": jnp.asarray(KERNEL) * scale, "b": jnp.asarray(BIAS)}
    head = {"w": jnp.asarray(HEAD), "b": jnp.asarray(HEAD_BIAS)}
    return functools.partial(HAIKU.apply, {"conv2_d": conv, "linear": head})


def mlp_by_hand(x):
    h = nt.tap(jnp.einsum("bi,oi->bo", x, jnp.asarray(ONE)) + jnp.asarray(ONE_BIAS)[None], "layer")
    return jnp.einsum("bi,oi->bo", jax.nn.relu(h), jnp.asarray(TWO)) + jnp.asarray(TWO_BIAS)[None]


def equinox_mlp(scale=1.0):
    mlp = eqx.nn.MLP(4, 2, 3, 1, key=jax.random.key(0))
    where = lambda m: [p for layer in m.layers for p in (layer.weight, layer.bias)]  # noqa: E731
    return eqx.tree_at(where, mlp, [jnp.asarray(a) for a in (scale * ONE, ONE_BIAS, TWO, TWO_BIAS)])


def by_rows(model, x):
    return jax.vmap(model)(x)


MODELS = {  # model, its layer, by hand, inputs, baselines, options
    "linen": (linen_cnn, "Conv_0", conv_by_hand, IMAGES, IMAGE_BASELINES, PICTURES),
    "linen, by scope": (linen_cnn, "LinenCnn/Conv_0", conv_by_hand, IMAGES, IMAGE_BASELINES, PICTURES),
    "haiku": (haiku_cnn, "conv2_d", conv_by_hand, IMAGES, IMAGE_BASELINES, PICTURES),
    "nnx": (nnx_cnn, "conv", conv_by_hand, IMAGES, IMAGE_BASELINES, PICTURES),
    "nnx, split": (nnx_split, "conv", conv_by_hand, IMAGES, IMAGE_BASELINES, PICTURES),
    "equinox": (lambda scale=1.0: functools.partial(by_rows, equinox_mlp(scale)), "layers/0", mlp_by_hand, ROWS, ROW_BASELINES, VECTORS),
    "equinox, vmap": (lambda: jax.vmap(equinox_mlp()), "layers/0", mlp_by_hand, ROWS, ROW_BASELINES, VECTORS),
}  # fmt: skip
SOME = ("LRP", "guided backprop")  # others of each framework: docs/frameworks.md
# all methods on one kind of model, some on the others
PAIRS = [("nnx", name) for name in METHODS] + [(m, name) for m in ("linen", "equinox") for name in SOME]


def arguments(name, explainer, model, at_layer):
    """Arguments of `attribute` that make it quick, and the same for both functions."""
    _, _, _, x, b, special = MODELS[model]
    known = explainer.defaults()
    options = {k: v for k, v in FEW.items() if k in known}
    if not (at_layer and model == "equinox") or name != "occlusion":
        options |= special.get(name, {})
    if "key" in known:
        options["key"] = jax.random.key(7)
    if explainer.compares():
        options["baselines"] = b
    if name in ANYTHING_OF_64 and model != "equinox":
        options["feature_mask"] = (np.arange(25) % 4).reshape(1, 5, 5, 1)
    return (x,), options | {"target": 1}


@pytest.mark.parametrize(("model", "name"), PAIRS)
def test_at_the_inputs(model, name):
    make, _, by_hand, *_ = MODELS[model]
    found, expected = (
        explainer.attribute(*given, **options)
        for explainer in (METHODS[name](make()), METHODS[name](by_hand))
        for given, options in [arguments(name, explainer, model, False)]
    )
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    assert float(abs(found).sum()) > 0


def takes_a_layer(name):
    return "layer" in getattr(METHODS[name], "__dataclass_fields__", {})


@pytest.mark.parametrize(("model", "name"), [pair for pair in PAIRS if takes_a_layer(pair[1])])
def test_at_a_layer(model, name):
    make, layer, by_hand, *_ = MODELS[model]
    pair = (METHODS[name](make(), layer=layer), METHODS[name](by_hand, layer="layer"))
    found, expected = (
        explainer.attribute(*given, **options)
        for explainer in pair
        for given, options in [arguments(name, explainer, model, True)]
    )
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    assert float(abs(found).sum()) > 0


@pytest.mark.parametrize("model", ["linen, by scope", "nnx, split", "equinox, vmap"])
def test_other_spellings(model):
    make, layer, by_hand, x, b, _ = MODELS[model]
    for given in ({}, {"layer": layer}):
        hand = dict.fromkeys(given, "layer")
        found = IntegratedGradients(make(), **given).attribute(x, b, target=1, n_steps=4)
        expected = IntegratedGradients(by_hand, **hand).attribute(x, b, target=1, n_steps=4)
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("model", MODELS)
def test_completeness_at_the_layer_and_at_the_inputs(model):
    make, layer, _, x, b, _ = MODELS[model]
    for given in ({}, {"layer": layer}):
        fun = make()
        found = IntegratedGradients(fun, **given).attribute(
            x, b, target=1, n_steps=2000, method="riemann_middle"
        )
        difference = (fun(jnp.asarray(x)) - fun(jnp.asarray(b)))[:, 1]
        np.testing.assert_allclose(found.reshape(len(x), -1).sum(1), difference, rtol=2e-3)


@pytest.mark.parametrize("model", MODELS)
def test_a_neuron_of_a_module(model):
    make, layer, by_hand, x, _, _ = MODELS[model]
    neuron = (1, 2, 0) if x.ndim == 4 else 1
    found = Saliency(make(), layer=layer, neuron=neuron).attribute(x)
    np.testing.assert_allclose(
        found, Saliency(by_hand, layer="layer", neuron=neuron).attribute(x), rtol=1e-10
    )


@pytest.mark.parametrize("model", ["linen", "haiku", "nnx", "nnx, split", "equinox"])
@pytest.mark.parametrize("at_layer", [False, True], ids=["inputs", "layer"])
def test_new_parameters_compile_nothing(model, at_layer, compilations):
    make, layer, _, x, b, _ = MODELS[model]
    where = {"layer": layer} if at_layer else {}

    def call(fun):
        jax.block_until_ready(IntegratedGradients(fun, **where).attribute(x, b, target=1, n_steps=4))

    first, second = make(), make(2.0)
    call(first)
    assert compilations.since(lambda: call(second)) == 0


def test_a_scope_whose_first_axis_is_not_the_batch_is_refused():
    weight = jnp.asarray(RNG.normal(size=(3, 4)))

    def row(x):
        with jax.named_scope("hidden"):
            h = weight @ x  # vmap leaves its axis behind: [hidden, batch], both 3
        return jnp.tanh(h).sum()

    with pytest.raises(ValueError, match=r"at the place 'hidden' is f64\[3, 4\] for a batch of 4.*nt\.tap"):
        Saliency(jax.vmap(row), layer="hidden").attribute(ROWS)


def test_an_unknown_module_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match=r"no tap 'convs': there are 'conv', 'head'\. Did you mean 'conv'"):
        Saliency(nnx_cnn(), layer="convs").attribute(IMAGES, target=1)
