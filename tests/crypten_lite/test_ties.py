"""Windows in which a ReLU leaves nothing: of equal numbers JAX takes the first, and so do shares."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import crypten_lite as ct


def pooled(h, padding):
    window, strides = (1, 1, 2, 2), (1, 1, 2, 2)
    return jax.lax.reduce_window(h, -jnp.inf, jax.lax.max, window, strides, [(0, 0), (0, 0), *padding])


def image():
    z = np.random.default_rng(0).normal(size=(2, 1, 6, 6)).astype(np.float32)
    z[0] = -abs(z[0])  # no window has anything
    return z


def at_the_activations(z, padding):
    """The gradient at the result of the ReLU, as attributions at that layer want it."""
    h = jax.nn.relu(z)
    size = pooled(h, padding).shape[-1]
    weights = jnp.arange(1.0, size * size + 1).reshape(1, 1, size, size)
    return jax.grad(lambda h: (pooled(h, padding) * jnp.broadcast_to(weights, (2, 1, size, size))).sum())(h)


def along(z, padding):
    h = jax.nn.relu(z)
    return jax.jvp(lambda h: pooled(h, padding), (h,), (jnp.cos(jnp.arange(72.0)).reshape(2, 1, 6, 6),))[1]


@pytest.mark.parametrize("padding", [[(0, 0), (0, 0)], [(1, 1), (1, 1)]], ids=["valid", "padded"])
@pytest.mark.parametrize("function", [at_the_activations, along])
def test_the_first_of_equal_numbers(function, padding):
    z = image()
    with ct.simulate() as session:
        found = ct.private(lambda z: function(z, padding))(session.share(z)).reveal()
    np.testing.assert_allclose(found, function(z, padding), atol=2e-4)
