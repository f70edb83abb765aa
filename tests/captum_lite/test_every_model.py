"""Every method on every kind of model: named and plain, convolutional, residual, attention; equinox and flax.

Random weights will do: what a method says of a trained model is tested where the method is. Here each
must run as a user runs it, keep the names, and add up where it claims to.
"""

import functools
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import captum_lite as cl
import namedtensor as nt
from captum_lite.methods import METHODS
from namedtensor.models import digits_cnn, resnet18, transformer

KEY = jax.random.key(0)
FEW = {"n_steps": 40, "nt_samples": 2, "n_samples": 12}


class Case(NamedTuple):
    """A model with something to explain.

    Attributes:
      fun: the function.
      x: inputs.
      b: baselines, random.
      layer: where to explain, for a model whose inputs are token numbers.
      mask: which values belong to one feature: few features, for methods that count them.
    """

    fun: Any
    x: Any
    b: Any
    layer: str | None
    mask: Any


def uniform(k: int, shape: str) -> nt.NamedTensor:
    return nt.random.uniform(jax.random.key(k), shape)


def quarters(*sizes: int) -> np.ndarray:
    """Five features, whatever the shape."""
    return np.arange(int(np.prod(sizes))).reshape(sizes) * 5 // int(np.prod(sizes))


def digits() -> Case:
    params = digits_cnn.init(KEY)
    mask = nt.tensor(quarters(8, 8), "height width")
    x, b = uniform(1, "batch:2 height:8 width:8"), uniform(2, "batch:2 height:8 width:8")
    return Case(functools.partial(digits_cnn.apply, params), x, b, None, mask)


def resnet() -> Case:
    params = resnet18.init(KEY, resnet18.Sizes(width=4, classes=5, stem=3))
    shape = "batch:2 channel:3 height:8 width:8"
    mask = nt.tensor(quarters(8, 8), "height width")
    return Case(functools.partial(resnet18.apply, params), uniform(1, shape), uniform(2, shape), None, mask)


def named_transformer() -> Case:
    params = transformer.init(KEY, transformer.Sizes(layers=2, vocab=20, pos=5, embed=8, head=2, key=4, ff=8))

    def last(ids):
        return transformer.apply(params, ids).isel(pos=-1)

    ids, other = (nt.random.randint(jax.random.key(k), "batch:2 pos:5", 0, 20) for k in (1, 2))
    return Case(last, ids, other, "embedding", nt.tensor(np.arange(5), "pos"))


def embeddings() -> Case:
    """The same from the embeddings on, which take noise."""
    params = transformer.init(KEY, transformer.Sizes(layers=2, vocab=20, pos=5, embed=8, head=2, key=4, ff=8))

    def last(x):
        return transformer.encode(params, x).isel(pos=-1).dot("embed", params["embedding"])

    x, b = uniform(1, "batch:2 pos:5 embed:8"), uniform(2, "batch:2 pos:5 embed:8")
    return Case(last, x, b, None, nt.tensor(np.arange(5), "pos"))


def equinox() -> Case:
    model = eqx.nn.MLP(6, 3, 5, 2, activation=jax.nn.gelu, key=KEY)
    x, b = np.random.default_rng(3).normal(size=(2, 2, 6)).astype("float32")
    return Case(jax.vmap(model), x, b, None, np.array([0, 0, 1, 2, 2, 3]))


class FlaxCNN(nnx.Module):
    """Convolution, pooling, LayerNorm, SiLU."""

    def __init__(self, rngs):
        self.conv = nnx.Conv(2, 4, (3, 3), rngs=rngs)
        self.norm = nnx.LayerNorm(4, rngs=rngs)
        self.out = nnx.Linear(4 * 9, 3, rngs=rngs)

    def __call__(self, x):
        x = nnx.max_pool(nnx.relu(self.conv(x)), (2, 2), (2, 2))
        return self.out(nnx.silu(self.norm(x)).reshape(x.shape[0], -1))


def flax() -> Case:
    x, b = np.random.default_rng(4).normal(size=(2, 2, 6, 6, 2)).astype("float32")
    return Case(FlaxCNN(nnx.Rngs(0)), x, b, None, quarters(6, 6, 2))


MODELS = {
    "digits CNN": digits,
    "ResNet-18": resnet,
    "token numbers": named_transformer,
    "transformer": embeddings,
    "equinox": equinox,
    "flax": flax,
}


@functools.cache
def case(model: str) -> Case:
    return MODELS[model]()


NOISY = {"SmoothGrad", "VarGrad"}  # token numbers take no noise
PAIRS = [(m, k) for m in MODELS for k in METHODS if not (m == "token numbers" and k in NOISY)]


@pytest.mark.filterwarnings("ignore:.* met no relu", "ignore:the attributions miss")
@pytest.mark.parametrize(("model", "method"), PAIRS)
def test_it_runs(model, method):
    fun, x, b, layer, mask = case(model)
    explainer = METHODS[method](fun, layer=layer) if layer else METHODS[method](fun)
    known = explainer.defaults()
    options = {k: v for k, v in (FEW | {"feature_mask": mask}).items() if k in known}
    if explainer.compares():
        options["baselines"] = b
    record = explainer.explain(x, target=1, **options)
    explained = jax.tree.leaves(record.attributions)
    assert all(np.isfinite(np.asarray(a)).all() for a in explained)
    assert float(sum(abs(a).sum() for a in explained)) > 0
    if nt.is_named(x) and layer is None:
        assert dict(record.attributions.shape) == dict(x.shape)
    if explainer.is_complete() and record.gap is not None:
        assert not record.residuals
        assert float(jnp.max(record.gap)) < 0.05  # float32, and few steps; exactness is tested by method


# the place in each model at which the methods of layers are run
PLACES = {
    "digits CNN": "conv2",
    "ResNet-18": "stage1/block0",
    "transformer": "block0",
    "equinox": "layers/1",
    "flax": "conv",
}
LAYERED = [
    cl.LayerActivation,
    cl.LayerGradientXActivation,
    cl.LayerConductance,
    cl.InternalInfluence,
    cl.LayerGradCam,
    cl.LayerIntegratedGradients,
    cl.LayerDeepLift,
]
SPATIAL = {"digits CNN", "ResNet-18", "flax"}
AT_PLACES = [(m, k) for m in PLACES for k in LAYERED if m in SPATIAL or k is not cl.LayerGradCam]


@pytest.mark.filterwarnings("ignore:the attributions miss")
@pytest.mark.parametrize(("model", "method"), AT_PLACES, ids=lambda v: getattr(v, "__name__", v))
def test_a_layer_of_it(model, method):
    fun, x, b, _, _ = case(model)
    if model == "equinox":  # a vmapped module is opaque: its places are found when the module is an argument
        fun = functools.partial(lambda net, x: jax.vmap(net)(x), fun.__wrapped__)
    explainer = method(fun, PLACES[model])
    options = {k: v for k, v in FEW.items() if k in explainer.defaults()}
    if method is cl.LayerGradCam and model == "flax":
        options["channel_axis"] = -1
    if explainer.compares():
        options["baselines"] = b
    if explainer.scores():
        options["target"] = 1
    found = jax.tree.leaves(explainer.attribute(x, **options))
    assert all(np.isfinite(np.asarray(a)).all() for a in found)
    assert float(sum(abs(a).sum() for a in found)) > 0


@pytest.mark.filterwarnings("ignore:the attributions miss")
@pytest.mark.parametrize("method", [cl.GradientShap, cl.DeepLiftShap, cl.FeaturePermutation])
@pytest.mark.parametrize("model", PLACES)
def test_methods_with_a_distribution(model, method):
    fun, x, b, _, mask = case(model)
    explainer = method(fun)
    given = {k: v for k, v in {"n_samples": 4, "feature_mask": mask}.items() if k in explainer.defaults()}
    if explainer.compares():
        given["baselines"] = nt.concat([b, x], "batch") if nt.is_named(x) else np.concatenate([b, x, x])
    found = explainer.attribute(x, target=1, **given)
    shape = dict(x.shape) if nt.is_named(x) else x.shape
    assert (dict(found.shape) if nt.is_named(found) else found.shape) == shape
    assert float(abs(found.array if nt.is_named(found) else found).sum()) > 0
