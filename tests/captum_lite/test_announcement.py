"""The snippet of Captum's announcement runs here, word for word but for how the array is taken out."""

import jax.numpy as jnp
import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import LinearSegmentedColormap

import namedtensor as nt
from captum_lite import IntegratedGradients, NoiseTunnel

mpl.use("Agg")

RNG = np.random.default_rng(31)
W = RNG.normal(size=(3 * 8 * 8, 4)).astype("float32") / 14
BLUE = LinearSegmentedColormap.from_list("blue", [(0, "#ffffff"), (0.25, "#000000"), (1, "#000000")], N=256)


def model(x):
    """Logits of images ``[batch, channel, height, width]``."""
    return jnp.tanh(x.reshape(len(x), -1) @ W)


@pytest.fixture
def close():
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


def check(axes, image) -> None:
    original, heat = axes
    np.testing.assert_allclose(original.images[0].get_array(), image, atol=1 / 255)
    assert heat.images[0].get_array().shape == image.shape[:2]
    assert heat.images[0].get_cmap()(0.0) == BLUE(0.0)
    assert heat.images[0].get_cmap()(0.25) == BLUE(0.25)
    assert float(np.ma.asarray(heat.images[0].get_array()).min()) >= 0
    assert heat.images[0].colorbar is not None
    assert original.images[0].colorbar is None


@pytest.mark.usefixtures("close")
def test_the_snippet():
    viz = pytest.importorskip("captum_lite.viz")
    input = jnp.asarray(RNG.uniform(size=(1, 3, 8, 8)), "float32")
    pred_label_idx = model(input).argmax(1)

    integrated_gradients = IntegratedGradients(model)
    noise_tunnel = NoiseTunnel(integrated_gradients)
    attributions_ig_nt = noise_tunnel.attribute(
        input, n_samples=10, nt_type="smoothgrad_sq", target=pred_label_idx
    )
    image = np.transpose(np.asarray(input.squeeze()), (1, 2, 0))
    _, axes = viz.visualize_image_attr_multiple(
        np.transpose(np.asarray(attributions_ig_nt.squeeze()), (1, 2, 0)),
        image,
        ["original_image", "heat_map"],
        ["all", "positive"],
        cmap=BLUE,
        show_colorbar=True,
    )
    assert attributions_ig_nt.shape == input.shape
    assert float(attributions_ig_nt.min()) >= 0  # means of squares
    check(axes, image)


@pytest.mark.usefixtures("close")
def test_the_snippet_with_names():
    viz = pytest.importorskip("captum_lite.viz")
    input = nt.tensor(RNG.uniform(size=(1, 3, 8, 8)).astype("float32"), "batch channel height width")

    def named(x):
        return nt.tensor(model(x.to_array("batch channel height width")), "batch class")

    tunnel = NoiseTunnel(IntegratedGradients(named))
    found = tunnel.attribute(input, n_samples=10, nt_type="smoothgrad_sq", target={"class": 2})
    _, axes = viz.visualize_image_attr_multiple(
        found.isel(batch=0),
        input.isel(batch=0),
        ["original_image", "heat_map"],
        ["all", "positive"],
        cmap=BLUE,
        show_colorbar=True,
    )
    check(axes, input.isel(batch=0).to_array("height width channel"))


def test_n_samples_is_nt_samples():
    tunnel = NoiseTunnel(IntegratedGradients(model))
    x = jnp.asarray(RNG.uniform(size=(1, 3, 8, 8)), "float32")
    older, newer = (tunnel.explain(x, target=1, **{k: 7}) for k in ("n_samples", "nt_samples"))
    np.testing.assert_array_equal(older.attributions, newer.attributions)
    assert older.evaluations == newer.evaluations == {"forward": 2, "gradient": 7 * 50}
