"""The named transformer and ResNet-18 against the same models with axis numbers, and what they cost."""

import importlib.util
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import namedtensor as nt
from namedtensor._errors import SizeMismatch
from namedtensor.models import resnet18, transformer

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def load_benchmark(name):
    """A benchmark script as a module: its raw model is hand-written, and its counters are what we assert."""
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


bench = load_benchmark("named_transformer")
bench.SIZES = bench.SIZES._replace(layers=4)  # of 12: enough, and a third of the compiling


@pytest.fixture(scope="module")
def model():
    """Parameters with nothing at its starting value, token numbers, and both for the raw model."""
    params = transformer.init(jax.random.key(0), bench.SIZES)
    leaves, tree = jax.tree.flatten(params)
    keys = jax.random.split(jax.random.key(2), len(leaves))
    leaves = [a + 0.1 * jax.random.normal(k, a.shape) for k, a in zip(keys, leaves, strict=True)]
    params = jax.tree.unflatten(tree, leaves)
    ids = nt.random.randint(jax.random.key(1), "batch:3 pos:16", 0, bench.SIZES.vocab)
    return params, ids, bench.raw_params(params), ids.to_array("batch pos")


# float32 through 4 blocks; the logits are of size 10
def near(got, want, atol=2e-3):
    np.testing.assert_allclose(got, want, rtol=1e-3, atol=atol)


def test_transformer_as_by_hand(model):
    params, ids, raw, raw_ids = model
    with jax.numpy_rank_promotion("allow"):
        want = jax.jit(bench.raw_apply)(raw, raw_ids)
    near(jax.jit(transformer.apply)(params, ids).to_array("batch pos vocab"), want)
    near(transformer.apply(params, ids.order("pos batch")).to_array("batch pos vocab"), want)


def test_transformer_gradients_as_by_hand(model):
    params, ids, raw, raw_ids = model
    got = jax.jit(nt.grad(transformer.loss))(params, ids)
    with jax.numpy_rank_promotion("allow"):
        want = jax.jit(jax.grad(bench.raw_loss))(raw, raw_ids)
    for g, w in zip(jax.tree.leaves(bench.raw_params(got)), jax.tree.leaves(want), strict=True):
        near(g, w, atol=1e-3 * float(jnp.abs(w).max()))


def test_no_position_sees_what_follows_it(model):
    params, ids, *_ = model
    changed = ids.at[{"pos": slice(9, None)}].set(0)
    before, after = (jax.jit(transformer.apply)(params, i).order("pos ...").array for i in (ids, changed))
    np.testing.assert_array_equal(before[:9], after[:9])
    assert jnp.abs(before[9:] - after[9:]).max() > 0.1
    free = jax.jit(lambda i: transformer.apply(params, i, causal=False))
    assert jnp.abs(free(ids).order("pos ...").array[0] - free(changed).order("pos ...").array[0]).max() > 1e-3


def test_batch_dims_are_free(model):
    params, ids, *_ = model
    one = transformer.apply(params, ids.isel(batch=0))
    many = transformer.apply(params, nt.stack([ids, ids], "copy"))
    near(many.isel(copy=1, batch=0).to_array("pos vocab"), one.to_array("pos vocab"))


def test_a_sequence_that_is_too_long(model):
    ids = nt.zeros("batch:1 pos:17", dtype=int)
    with pytest.raises(
        SizeMismatch, match=r"17 positions, the parameters have 16.*ids.isel\(pos=slice\(16\)\)"
    ):
        transformer.apply(model[0], ids)


def test_places_can_be_watched(model):
    params, ids, *_ = model

    def run(ids):
        return transformer.apply(params, ids)

    names = list(nt.list_taps(run, ids))
    assert names[:4] == ["embedding", "block0/attention", "block0/mlp", "block0"]
    assert len(names) == 1 + 3 * 4 + 1
    _, seen = nt.capture(run, ["block1", "block2/attention", "block2/mlp", "block2"])(ids)
    total = seen["block1"] + seen["block2/attention"] + seen["block2/mlp"]
    near(total.to_array("batch pos embed"), seen["block2"].to_array("batch pos embed"))


def test_names_cost_nothing_compiled(model):
    """The same FLOPs within 0.1 %, and no transpose more than by hand, forward and backward."""
    params, ids, *_ = model
    with jax.numpy_rank_promotion("allow"):
        counts = bench.counts(params, ids)
    for named, raw, by_head in counts.values():
        assert named["FLOPs"] <= 1.001 * raw["FLOPs"]
        assert named["transposes written"] <= raw["transposes written"]
        # XLA transposes weights that have heads as axes, whoever wrote them
        assert named["transposes compiled"] <= by_head["transposes compiled"]


def test_a_second_call_compiles_nothing(model, compilations):
    params, ids, *_ = model
    for call in (
        lambda: transformer.apply(params, ids),
        lambda: nt.value_and_grad(transformer.loss)(params, ids),
    ):
        call()
        assert compilations.since(call) == 0


def test_transformer_learns(model):
    """A sequence that repeats itself is learned in a few steps."""
    sizes = transformer.Sizes(vocab=8, pos=16, embed=16, head=2, key=8, ff=32, layers=2)
    ids = (nt.arange("pos", 16) + nt.arange("batch", 4)) % 8
    optimizer = optax.adam(1e-2)
    params = transformer.init(jax.random.key(0), sizes)

    @jax.jit
    def step(params, state):
        loss, gradient = nt.value_and_grad(transformer.loss)(params, ids)
        updates, state = optimizer.update(gradient, state)
        return optax.apply_updates(params, updates), state, loss

    state, losses = optimizer.init(params), []
    for _ in range(60):
        params, state, loss = step(params, state)
        losses.append(float(loss))
    assert losses[0] > 1.9  # log(8) = 2.08: it knows nothing
    assert losses[-1] < 0.1


SMALL = resnet18.Sizes(channel=3, classes=5, width=4, stem=7)


@pytest.fixture(scope="module")
def resnet():
    params = resnet18.init(jax.random.key(0), SMALL)
    images = nt.random.normal(jax.random.key(1), "batch:4 height:40 width:36 channel:3")
    return jax.jit(lambda p, x: resnet18.with_moving_moments(p, x, momentum=0.4))(params, images), images


def raw_conv(p, x, stride, training=False):
    """Convolution and batch norm with the axes ``[batch channel height width]``."""
    kernel, norm = p["kernel"].to_array("feature channel kh kw"), p["norm"]
    margin = (kernel.shape[2] - 1) // 2
    x = jax.lax.conv_general_dilated(x, kernel, (stride, stride), [(margin, margin)] * 2)
    mean, variance, scale, offset = (
        norm[k].array[:, None, None] for k in ("mean", "variance", "scale", "offset")
    )
    if training:
        mean, variance = x.mean((0, 2, 3))[:, None, None], x.var((0, 2, 3))[:, None, None]
    return (x - mean) / jnp.sqrt(variance + 1e-5) * scale + offset


def raw_resnet(params, x, training=False):
    x = jax.nn.relu(raw_conv(params["stem"], x, 2, training))
    x = jax.lax.reduce_window(
        x, -np.inf, jax.lax.max, (1, 1, 3, 3), (1, 1, 2, 2), ((0, 0), (0, 0), (1, 1), (1, 1))
    )
    for stage in range(4):
        for i in range(2):
            p, stride = params[f"stage{stage}/block{i}"], 2 if stage and not i else 1
            y = jax.nn.relu(raw_conv(p["first"], x, stride, training))
            y = raw_conv(p["second"], y, 1, training)
            x = jax.nn.relu(y + (raw_conv(p["shortcut"], x, stride, training) if "shortcut" in p else x))
    return x.mean((2, 3)) @ params["out"].to_array("channel class") + params["out.bias"].array


@pytest.mark.parametrize("training", [False, True])
def test_resnet_as_by_hand(resnet, training):
    params, images = resnet
    with jax.numpy_rank_promotion("allow"):
        want = jax.jit(raw_resnet, static_argnums=2)(
            params, images.to_array("batch channel height width"), training
        )
    got = jax.jit(lambda p, x: resnet18.apply(p, x, training=training))(
        params, images.order("width ... batch")
    )
    # float32 through 18 layers; without training the moments come from another epoch and the values grow
    np.testing.assert_allclose(
        got.to_array("batch class"), want, rtol=1e-3, atol=1e-3 * float(jnp.abs(want).max())
    )


def test_resnet_at_full_size_has_the_parameters_of_the_paper():
    params = jax.eval_shape(resnet18.init, jax.random.key(0))
    convs = [p for _, p in resnet18.convolutions(params)]
    learned = [params["out"], params["out.bias"], *(p["kernel"] for p in convs)]
    learned += [p["norm"][k] for p in convs for k in ("scale", "offset")]
    assert len(convs) == 20
    assert sum(x.size for x in learned) == 11_689_512  # as torchvision counts it


def test_moving_moments_reach_those_of_the_batch(resnet):
    params, images = resnet

    @jax.jit
    def both(params, images):
        params = resnet18.with_moving_moments(params, images, momentum=1.0)
        return [resnet18.apply(params, images, training=training) for training in (True, False)]

    trained, used = both(params, images)
    np.testing.assert_allclose(trained.array, used.array, rtol=1e-3, atol=1e-3)


def test_a_small_stem_reads_small_images():
    params = resnet18.init(jax.random.key(0), resnet18.Sizes(channel=1, classes=10, width=4, stem=3))
    out = resnet18.apply(params, nt.ones("height:8 width:8 batch:2 channel:1"))
    assert out.shape == {"batch": 2, "class": 10}
