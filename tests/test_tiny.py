"""The public face on one page, from end to end: run it first."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

import namedtensor as nt
from captum_lite import IntegratedGradients, Saliency


def model(params, x):
    hidden = nt.tap((x.dot("pixel", params["w"]) + params["b"]).relu(), "hidden")
    return hidden.dot("hidden", params["out"]).softmax("class")


def test_name_differentiate_watch_explain():
    k = jax.random.split(jax.random.key(0), 4)
    params = {
        "w": nt.random.normal(k[0], "pixel:6 hidden:8"),
        "b": nt.zeros("hidden:8"),
        "out": nt.random.normal(k[1], "hidden:8 class:3"),
    }
    x, labels = nt.random.normal(k[2], "batch:4 pixel:6"), nt.tensor([0, 1, 2, 0], "batch")

    loss = lambda p: -nt.log(model(p, x)[{"class": labels}]).mean()  # noqa: E731
    gradient = nt.jit(nt.grad(loss))(params)
    assert gradient["w"].shape == params["w"].shape
    step = jax.tree.map(lambda p, g: p - 0.05 * g, params, gradient)
    assert float(loss(step)) < float(loss(params))

    f = functools.partial(model, params)
    _, there = nt.capture(f, ["hidden"])(x)
    assert dict(there["hidden"].shape) == {"batch": 4, "hidden": 8}
    assert nt.equal(nt.replace(f, {"hidden": there["hidden"]})(x), f(x))

    baseline = nt.random.uniform(k[3], "pixel:6")
    record = IntegratedGradients(f).explain(x, baseline, target={"class": labels}, n_steps=200)
    difference = f(x)[{"class": labels}] - f(baseline * nt.ones("batch:4"))[{"class": labels}]
    np.testing.assert_allclose(record.attributions.sum("pixel").array, difference.array, atol=2e-3)
    assert Saliency(f, layer="hidden").attribute(x, target=1).shape == there["hidden"].shape


def test_plain_arrays_are_first_class():
    f = lambda x: jnp.tanh(x @ jnp.arange(6.0).reshape(3, 2))  # noqa: E731
    attributions = jax.jit(lambda x: IntegratedGradients(f).attribute(x, 0.1, 1))(jnp.ones((5, 3)))
    assert isinstance(attributions, jax.Array)
    assert attributions.shape == (5, 3)
