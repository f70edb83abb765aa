"""Training on shares: neither the data nor the weights are seen, and the model is as good as one trained in the clear."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer

import crypten_lite as ct
import namedtensor as nt
from tests.crypten_lite import models


def descent(loss, rate):
    """A step of gradient descent: ``(params, *batch) -> params``."""

    def step(params, *batch):
        return jax.tree.map(lambda p, g: p - rate * g, params, jax.grad(loss)(params, *batch))

    return step


def trained(step, params, batches):
    """In the clear."""
    for batch in batches:
        params = step(params, *batch)
    return params


def trained_privately(step, params, batches):
    """Each owner shares once; what is revealed are the last weights."""
    with ct.simulate() as session:
        shared = session.share(params)
        for batch in batches:
            shared = ct.private(step)(shared, *session.share(batch))
        return jax.tree.map(lambda p: p.reveal(), shared, is_leaf=lambda p: isinstance(p, ct.SharedTensor))


def logistic_loss(params, x, y):
    """Mean cross-entropy of ``y`` in {0, 1}: log(1 + e^z) - y z."""
    z = x @ params["kernel"] + params["bias"]
    return (jax.nn.softplus(z) - y * z).mean()


@pytest.fixture(scope="module")
def tumours():
    """Standardised features and labels: 400 to train on, 169 held out."""
    x, y = load_breast_cancer(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    x, y = ((x - x.mean(0)) / x.std(0)).astype(np.float32)[order], y.astype(np.float32)[order]
    return (x[:400], y[:400]), (x[400:], y[400:])


def test_logistic_regression(tumours):
    batch, (x, y) = tumours
    start = {"kernel": np.zeros(30, np.float32), "bias": np.zeros((), np.float32)}
    step = descent(logistic_loss, 1.0)
    plain = trained(step, start, [batch] * 20)
    private = trained_privately(step, start, [batch] * 20)
    accuracies = [np.mean((x @ p["kernel"] + p["bias"] > 0) == (y > 0)) for p in (plain, private)]
    assert accuracies[0] > 0.95
    assert abs(accuracies[1] - accuracies[0]) <= 0.01
    np.testing.assert_allclose(private["kernel"], plain["kernel"], atol=5e-3)


def cross_entropy(params, x, y):
    """Of logits, with one-hot labels."""
    return -(jax.nn.log_softmax(models.mlp_logits(params, x)) * y).sum(-1).mean()


@pytest.fixture(scope="module")
def digits():
    parts = [nt.datasets.digits.load(split) for split in ("train", "heldout")]
    return [(p.images.to_array("batch height width").reshape(-1, 64), p.labels.array) for p in parts]


def test_a_network_for_one_epoch(digits):
    (x, labels), (heldout, expected) = digits
    _, start, _ = models.mlp((64, 64, 10))
    y = np.asarray(jax.nn.one_hot(labels, 10))
    batches = [(x[i : i + 25], y[i : i + 25]) for i in range(0, len(x) - 24, 25)]
    assert len(batches) == 59
    step = descent(cross_entropy, 0.3)
    plain, private = trained(jax.jit(step), start, batches), trained_privately(step, start, batches)
    accuracies = [
        float((models.mlp_logits(p, heldout).argmax(-1) == expected).mean()) for p in (plain, private)
    ]
    assert accuracies[0] > 0.85
    assert abs(accuracies[1] - accuracies[0]) <= 0.01


def test_a_loop_of_steps_is_one_private_function(tumours):
    (x, y), _ = tumours
    start = {"kernel": np.zeros(30, np.float32), "bias": np.zeros((), np.float32)}
    step = descent(logistic_loss, 1.0)

    def three_steps(params, x, y):
        return jax.lax.fori_loop(0, 3, lambda _, p: step(p, x, y), params)

    with ct.simulate() as session:
        private = ct.private(three_steps)(*session.share((start, x, y)))["kernel"].reveal()
    plain = three_steps(jax.tree.map(jnp.asarray, start), x, y)["kernel"]
    np.testing.assert_allclose(private, plain, atol=2e-3)
