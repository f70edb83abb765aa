"""Whole models: those of the zoo and of frameworks, in onnxruntime, with their batch left open, and back again."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx

import namedtensor as nt
from namedtensor.interop.onnx import load
from namedtensor.interop.onnx.writing import save
from namedtensor.models import digits_cnn, minilm, photo_cnn, planted_cnn, resnet18, transformer
from tests.namedtensor.onnx.running import agrees, arrays, same

KEY = jax.random.key(0)
TEXT = minilm.Sizes(vocab=50, pos=8, embed=12, head=3, key=4, ff=20, layers=1)


def drawn(shapes):
    """Numbers for a tree of shapes, drawn without compiling anything; those of variances are positive."""
    rng = np.random.default_rng(0)
    return jax.tree.map(
        lambda s: (
            (np.abs(rng.normal(size=s.shape)) * 0.3 + 0.05).astype(s.dtype)
            * (rng.random() if s.ndim < 2 else np.sign(rng.normal(size=s.shape)).astype(s.dtype))
        ),
        shapes,
    )


def images(shape):
    sizes = [int(part.partition(":")[2]) for part in shape.split()]
    names = "batch " + " ".join(part.partition(":")[0] for part in shape.split())
    return lambda batch: (
        nt.tensor(np.random.default_rng(batch).normal(size=(batch, *sizes)).astype(np.float32), names),
    )


def tokens(vocab, *, masked=False):
    def made(batch):
        ids = nt.tensor(
            np.random.default_rng(batch).integers(0, vocab, (batch, 7)).astype(np.int32), "batch pos"
        )
        return (
            (ids, nt.tensor(np.arange(7 * batch).reshape(batch, 7) % 4 > 0, "batch pos"))
            if masked
            else (ids,)
        )

    return made


ZOO = {
    "digits_cnn": (digits_cnn.apply, digits_cnn.init, images("height:8 width:8")),
    "planted_cnn": (planted_cnn.apply, planted_cnn.init, images("height:16 width:16 channel:3")),
    "photo_cnn": (photo_cnn.apply, photo_cnn.init, images("height:29 width:25 channel:3")),
    "resnet18": (resnet18.apply, lambda key: resnet18.init(key, resnet18.Sizes(width=2, classes=5)), images("height:32 width:32 channel:3")),
    "transformer": (transformer.apply, lambda key: transformer.init(key, transformer.Sizes(vocab=11, layers=1)), tokens(11)),
    "minilm": (minilm.apply, lambda key: minilm.init(key, TEXT), tokens(50)),
    "minilm masked": (minilm.apply, lambda key: minilm.init(key, TEXT), tokens(50, masked=True)),
}  # fmt: skip


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Each model, saved once with its batch left open."""
    folder = tmp_path_factory.mktemp("onnx")

    def named(name):
        f, init, inputs = ZOO[name]
        return save(f, params(init), inputs(2), folder / f"{name}.onnx", dynamic="batch")

    return {name: named(name) for name in ZOO}


def params(init):
    return drawn(jax.eval_shape(init, KEY))


@pytest.mark.parametrize("name", ZOO)
def test_models_of_the_zoo(name, saved):
    f, init, inputs = ZOO[name]
    agrees(saved[name], f, params(init), inputs(3))


@pytest.mark.parametrize("name", ZOO)
def test_their_layers_are_those_that_they_have_in_jax(name, saved):
    f, init, inputs = ZOO[name]
    assert list(saved[name].layers) == list(nt.list_taps(f, jax.eval_shape(init, KEY), *inputs(2)))


@pytest.mark.parametrize("name", ["digits_cnn", "transformer"])
def test_there_and_back(name, saved):
    f, init, inputs = ZOO[name]
    given = inputs(2)
    model = load(saved[name].path)
    known = nt.list_taps(model, model.params, *arrays(given))
    assert set(saved[name].layers) <= set(known)
    layers = list(saved[name].layers)
    _, found = jax.jit(nt.capture(model, layers))(model.params, *arrays(given))
    _, expected = jax.jit(nt.capture(f, layers))(params(init), *given)
    for layer in layers:
        same(*(arrays(x[layer])[0] for x in (found, expected)))


class Small(nnx.Module):
    """Positional pooling, batch norm with running averages, dropout at rest."""

    def __init__(self):
        rngs = nnx.Rngs(0)
        self.conv = nnx.Conv(1, 4, (3, 3), rngs=rngs)
        self.norm = nnx.BatchNorm(4, use_running_average=True, rngs=rngs)
        self.drop = nnx.Dropout(0.5, deterministic=True, rngs=rngs)
        self.blocks = nnx.List([nnx.Linear(64, 8, rngs=rngs), nnx.Linear(8, 3, rngs=rngs)])

    def __call__(self, x):
        x = nnx.max_pool(nnx.relu(self.norm(self.conv(x))), (2, 2), (2, 2))
        x = nnx.avg_pool(x, (2, 2), (1, 1), "SAME").reshape(x.shape[0], -1)
        return self.blocks[1](self.drop(nnx.gelu(self.blocks[0](x))))


class Linen(linen.Module):
    @linen.compact
    def __call__(self, x):
        x = linen.LayerNorm()(linen.relu(linen.ConvTranspose(3, (3, 3), strides=(2, 2))(x)))
        return linen.Dense(3, name="out")(x.reshape(x.shape[0], -1))


def pictures(batch, channels_first=False):
    x = np.random.default_rng(batch).normal(size=(batch, 8, 8, 1)).astype(np.float32)
    return x.transpose(0, 3, 1, 2) if channels_first else x


def test_flax_nnx(tmp_path):
    graph, state = nnx.split(Small())
    f = lambda state, x: nnx.merge(graph, state)(x)  # noqa: E731
    saved = save(f, state, pictures(2), tmp_path / "f.onnx", dynamic={0: "batch"})
    assert saved.layers == ("conv", "norm", "blocks/0", "drop", "blocks/1")
    assert {"conv/kernel", "blocks/1/bias", "norm/mean"} <= set(saved.parameters)
    assert saved.outputs == ("output",)
    agrees(saved, f, state, (pictures(3),))


def test_flax_linen(tmp_path):
    model = Linen()
    params = model.init(KEY, pictures(1))
    saved = save(model.apply, params, pictures(2), tmp_path / "f.onnx", dynamic={0: "batch"})
    assert {"Dense_0", "ConvTranspose_0", "LayerNorm_0", "out"} & set(saved.layers) >= {
        "ConvTranspose_0",
        "LayerNorm_0",
        "out",
    }
    assert "params/out/kernel" in saved.parameters
    agrees(saved, model.apply, params, (pictures(3),))


def test_equinox(tmp_path):
    one, two = jax.random.split(KEY)
    layers = [
        eqx.nn.Conv2d(1, 4, 3, key=one),
        eqx.nn.Lambda(jax.nn.relu),
        eqx.nn.MaxPool2d(2, 2),
        eqx.nn.Lambda(jnp.ravel),
        eqx.nn.Linear(36, 5, key=two),
    ]
    model = eqx.nn.Sequential(layers)
    f = lambda model, x: jax.vmap(model)(x)  # noqa: E731
    saved = save(f, model, pictures(2, True), tmp_path / "f.onnx", dynamic={0: "batch"})
    assert {"layers/0", "layers/4"} <= set(saved.layers)
    assert saved.parameters == ("layers/0/weight", "layers/0/bias", "layers/4/weight", "layers/4/bias")
    agrees(saved, f, model, (pictures(3, True),))
