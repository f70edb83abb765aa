"""GradCAM and what is made of it: by hand, on named and on plain layers, and where it cannot apply."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import namedtensor as nt
from captum_lite import GuidedGradCam, LayerAttribution, LayerGradCam, NoiseTunnel, Saliency
from namedtensor.models import digits_cnn, resnet18, transformer

RNG = np.random.default_rng(23)
BATCH, CHANNEL, HEIGHT, WIDTH, CLASS = 2, 3, 6, 4, 5
X = RNG.normal(size=(BATCH, 2, HEIGHT, WIDTH))
KERNEL = RNG.normal(size=(CHANNEL, 2, 3, 3))
OUT = RNG.normal(size=(CHANNEL, HEIGHT // 2, WIDTH // 2, CLASS))
EXACT = {"rtol": 1e-10, "atol": 1e-12}


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def maps_of(x: Any) -> Any:
    h = jax.nn.relu(jax.lax.conv(jnp.asarray(x), jnp.asarray(KERNEL), (1, 1), "SAME"))
    return jax.lax.reduce_window(h, -jnp.inf, jax.lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")


def plain(x: Any) -> Any:
    """``[batch, class]``, linear after the maps ``[batch, channel, height, width]``."""
    return nt.tap(jnp.einsum("bchw,chwk->bk", nt.tap(maps_of(x), "maps"), OUT), "logits")


def last(x: Any) -> Any:
    """The same with channels last."""
    return jnp.einsum("bhwc,chwk->bk", nt.tap(jnp.moveaxis(maps_of(x), 1, -1), "maps"), OUT)


def named(x: Any) -> Any:
    """The same with names, the maps stored channels last."""
    maps = nt.tensor(
        jnp.moveaxis(maps_of(x.to_array("batch channel height width")), 1, -1), "batch height width channel"
    )
    return nt.tap(maps, "maps").dot("channel height width", nt.tensor(OUT, "channel height width class"))


def by_hand(target: int) -> Any:
    """After the maps the model is linear: the gradient at them is ``OUT``."""
    weights = OUT[..., target].mean((1, 2))
    return np.einsum("c,bchw->bhw", weights, maps_of(X))


def test_by_hand():
    np.testing.assert_allclose(LayerGradCam(plain, "maps").attribute(X, target=3)[:, 0], by_hand(3), **EXACT)
    kept = LayerGradCam(plain, "maps").attribute(X, target=3, relu_attributions=True)
    np.testing.assert_allclose(kept[:, 0], np.maximum(by_hand(3), 0), **EXACT)


def test_channels_last():
    found = LayerGradCam(last, "maps").attribute(X, target=3, channel_axis=-1)
    assert found.shape == (BATCH, HEIGHT // 2, WIDTH // 2, 1)
    np.testing.assert_allclose(found[..., 0], by_hand(3), **EXACT)


def test_a_named_layer_gives_a_named_map_without_the_channel():
    x = nt.tensor(X, "batch channel height width")
    found = LayerGradCam(named, "maps").attribute(x, target={"class": 3})
    assert dict(found.shape) == {"batch": BATCH, "height": HEIGHT // 2, "width": WIDTH // 2}
    np.testing.assert_allclose(found.to_array("batch height width"), by_hand(3), **EXACT)


def test_any_dim_may_be_the_channel():
    def sequence(x: Any) -> Any:
        return (nt.tap(x.dot("feature", nt.tensor(W, "feature hidden")), "hidden") ** 2).sum("time hidden")

    W = RNG.normal(size=(4, 5))
    x = RNG.normal(size=(2, 3, 4))
    found = LayerGradCam(sequence, "hidden").attribute(nt.tensor(x, "batch time feature"), channel="hidden")
    h = x @ W
    expected = np.einsum("bh,bth->bt", 2 * h.mean(1), h)
    np.testing.assert_allclose(found.to_array("batch time"), expected, **EXACT)


def test_jit_vmap_and_a_second_call_that_compiles_nothing(compilations):
    explainer = LayerGradCam(plain, "maps")
    expected = explainer.attribute(X, target=3)
    np.testing.assert_allclose(jax.jit(lambda x: explainer.attribute(x, target=3))(X), expected, **EXACT)
    mapped = jax.vmap(lambda x: explainer.attribute(x, target=3))(np.stack([X, X + 1]))
    np.testing.assert_allclose(mapped[0], expected, **EXACT)
    explainer.attribute(jnp.asarray(X), target=3)
    assert compilations.since(lambda: explainer.attribute(jnp.asarray(X + 1), target=2)) == 0


def test_the_record_keeps_the_image():
    x = nt.tensor(X, "batch channel height width")
    record = LayerGradCam(named, "maps").explain(x, target={"class": 3})
    assert dict(record.inputs.shape) == dict(x.shape)
    assert set(record.attributions.dims) == {"batch", "height", "width"}
    assert record.arguments["layer"] == "maps"


def test_under_noise():
    quiet = {"nt_samples": 2, "stdevs": 0.0}
    found = NoiseTunnel(LayerGradCam(plain, "maps")).attribute(X, target=3, **quiet)
    np.testing.assert_allclose(found[:, 0], by_hand(3), **EXACT)
    x = nt.tensor(X, "batch channel height width")
    found = NoiseTunnel(LayerGradCam(named, "maps")).attribute(x, target={"class": 3}, **quiet)
    np.testing.assert_allclose(found.to_array("batch height width"), by_hand(3), **EXACT)


# where it cannot apply


def test_a_layer_without_space():
    with pytest.raises(
        ValueError,
        match=r"the layer 'logits' is f64\[2, 5\], without spatial axes to map: use "
        r"LayerGradientXActivation, which needs no space, or choose a layer before the pooling",
    ):
        LayerGradCam(plain, "logits").attribute(X, target=3)


def test_a_channel_that_is_not_there():
    x = nt.tensor(X, "batch channel height width")
    with pytest.raises(ValueError, match=r"the layer 'maps' is f64\[batch:2 .*'chanel'.*with channel="):
        LayerGradCam(named, "maps").attribute(x, target={"class": 3}, channel="chanel")
    with pytest.raises(ValueError, match=r"channel_axis=0 is not an axis of the layer 'maps'.*give 1 to 3"):
        LayerGradCam(plain, "maps").attribute(X, target=3, channel_axis=0)


# at the size of the image


def test_interpolation_as_pytorch_does_it():
    """Values of torch.nn.functional.interpolate on arange(6), modes nearest and bilinear."""
    small = np.arange(6.0).reshape(1, 1, 2, 3)
    nearest = LayerAttribution.interpolate(small, (3, 5))
    np.testing.assert_array_equal(nearest[0, 0], [[0, 0, 1, 1, 2], [0, 0, 1, 1, 2], [3, 3, 4, 4, 5]])
    linear = LayerAttribution.interpolate(small, (4, 3), "bilinear")
    np.testing.assert_allclose(
        linear[0, 0], [[0, 1, 2], [0.75, 1.75, 2.75], [2.25, 3.25, 4.25], [3, 4, 5]], **EXACT
    )
    smaller = LayerAttribution.interpolate(np.arange(8.0).reshape(1, 1, 8), 4, "linear")
    np.testing.assert_allclose(smaller[0, 0], [0.5, 2.5, 4.5, 6.5], **EXACT)


def test_interpolation_by_name():
    small = nt.tensor(np.arange(6.0).reshape(3, 1, 2), "width batch height")
    found = LayerAttribution.interpolate(small, {"height": 4, "width": 6})
    assert dict(found.shape) == {"width": 6, "batch": 1, "height": 4}
    expected = np.repeat(np.repeat(small.to_array("batch height width"), 2, 1), 2, 2)
    np.testing.assert_array_equal(found.to_array("batch height width"), expected)


def test_sizes_and_modes_that_do_not_fit():
    small = np.zeros((1, 1, 2, 3))
    with pytest.raises(
        ValueError, match=r"interpolate_dims=\(3,\) does not fit f64\[1, 1, 2, 3\]: give one size"
    ):
        LayerAttribution.interpolate(small, (3,))
    with pytest.raises(ValueError, match=r"interpolate_mode='cubic' is not known: choose 'nearest'"):
        LayerAttribution.interpolate(small, (3, 3), "cubic")
    with pytest.raises(ValueError, match=r"interpolate_dims=4 does not fit .*: give the new sizes by name"):
        LayerAttribution.interpolate(nt.tensor(small[0, 0], "batch width"), 4)


# guided


def test_guided_grad_cam_is_the_guided_gradient_times_the_map():
    """The model has one relu, and the gradient that reaches it is ``OUT`` where it wins the pooling."""
    cam = np.repeat(np.repeat(np.maximum(by_hand(3), 0), 2, 1), 2, 2)
    slopes = Saliency(plain, layer="maps").attribute(X, target=3, abs=False)

    def guided(x: Any) -> Any:
        """The plain gradient, with only what is positive let through the relu."""
        h = jax.lax.conv(x, jnp.asarray(KERNEL), (1, 1), "SAME")
        _, back = jax.vjp(
            lambda r: jax.lax.reduce_window(r, -jnp.inf, jax.lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID"),
            jax.nn.relu(h),
        )
        (above,) = back(slopes)
        _, through = jax.vjp(lambda x: jax.lax.conv(x, jnp.asarray(KERNEL), (1, 1), "SAME"), x)
        return through(jnp.where((h > 0) & (above > 0), above, 0))[0]

    expected = guided(jnp.asarray(X)) * cam[:, None]
    np.testing.assert_allclose(GuidedGradCam(plain, "maps").attribute(X, target=3), expected, **EXACT)
    x = nt.tensor(X, "batch channel height width")
    found = GuidedGradCam(named, "maps").attribute(x, target={"class": 3})
    np.testing.assert_allclose(found.to_array("batch channel height width"), expected, **EXACT)


def test_guided_grad_cam_needs_an_input_with_the_same_space():
    flat = X.reshape(BATCH, -1)
    with pytest.raises(
        ValueError, match=r"the map of 'maps' is f64\[2, 1, 3, 2\], the input is f64\[2, 48\]"
    ):
        GuidedGradCam(lambda x: plain(x.reshape(X.shape)), "maps").attribute(flat, target=3)


# real models


def test_on_the_digits_network():
    """Where the map says that there is evidence, erasing costs more than where it says that there is none."""
    digits = nt.datasets.digits.load("heldout")
    model = functools.partial(digits_cnn.apply, digits_cnn.load(progress=False))
    images, labels = (v.isel(batch=slice(0, 40)) for v in (digits.images, digits.labels))
    chosen = {"class": labels}
    cam = LayerGradCam(model, "conv2").attribute(images, target=chosen, relu_attributions=True)
    assert dict(cam.shape) == {"batch": 40, "height": 8, "width": 8}
    order = np.argsort(cam.to_array("batch height width").reshape(40, 64), axis=1)

    def without(pixels: np.ndarray) -> float:
        flat = np.array(images.to_array("batch height width").reshape(40, 64))
        np.put_along_axis(flat, pixels, 0.0, 1)
        erased = nt.tensor(flat.reshape(40, 8, 8), "batch height width")
        return float(model(erased).to_array("batch class")[np.arange(40), labels.array].mean())

    assert without(order[:, -16:]) < without(order[:, :16]) - 2
    guided = GuidedGradCam(model, "conv2").attribute(images, target=chosen)
    assert dict(guided.shape) == dict(images.shape)


def test_on_a_residual_network():
    params = resnet18.init(jax.random.key(0), resnet18.Sizes(width=2, classes=3, stem=3))
    model = functools.partial(resnet18.apply, params)
    images = nt.random.uniform(jax.random.key(1), "batch:2 height:16 width:16 channel:3")
    cam = LayerGradCam(model, "stage3/block1").attribute(images, target=1)
    assert dict(cam.shape) == {"batch": 2, "height": 2, "width": 2}


def test_on_a_transformer_of_tokens():
    """Over the embedding as the channel, the map is over positions; later ones do not count for pos 2."""
    sizes = transformer.Sizes(layers=2, vocab=20, pos=5, embed=8, head=2, key=4, ff=8)
    params = transformer.init(jax.random.key(0), sizes)
    ids = nt.random.randint(jax.random.key(1), "batch:2 pos:5", 0, 20)
    third = LayerGradCam(lambda ids: transformer.apply(params, ids).isel(pos=2), "block0")
    cam = third.attribute(ids, target=3, channel="embed").to_array("batch pos")
    assert cam.shape == (2, 5)
    assert float(abs(cam).min()) > 0
