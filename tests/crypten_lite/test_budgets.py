"""What private inference may cost, as counts: rounds, bytes that a party sends, bytes that the dealer sends.

They are counted by `ct.estimate`, before anything runs, and revealing is part of them; sharing inputs and weights is not. That
a run counts the same is asserted here too.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import crypten_lite as ct
import namedtensor as nt
from namedtensor.models import digits_cnn
from tests.crypten_lite import models

MB = 1_000_000


def relu_of_products(x, w):
    return jax.nn.relu(x * w)


def input_gradient(apply, params, x):
    return jax.grad(lambda x: apply(params, x)[:, 3].sum())(x)


def softmax(x):
    return jax.nn.softmax(x, axis=-1)


def gradient_of(model):
    apply, params, x = model
    return functools.partial(input_gradient, apply), params, x


PRODUCTS = relu_of_products, np.ones(10_000, np.float32), np.ones(10_000, np.float32)
DIGITS = digits_cnn.apply, digits_cnn.init(jax.random.key(0)), nt.ones("batch:32 height:8 width:8")

# name: model, most rounds, most bytes a party, most bytes from the dealer
BUDGETS = {
    "relu with truncation": (lambda: PRODUCTS, 4 + 1, (13.2 + 8) * 10_000, 1.3 * MB),
    "MLP": (models.mlp, 12, 0.27 * MB, 1.6 * MB),
    "MLP, input gradient": (lambda: gradient_of(models.mlp()), 16, 0.7 * MB, 2.2 * MB),
    "digits CNN": (lambda: DIGITS, 26, 2.5 * MB, 20 * MB),
    "LeNet-5": (models.lenet, 38, 0.12 * MB, 1.2 * MB),
    "ResNet-18": (models.resnet18, 90, 12.5 * MB, 75 * MB),
    "ResNet-18, stem of ImageNet": (functools.partial(models.resnet18, stem=7), 90, 1.5 * MB, 13 * MB),
    "transformer block": (models.transformer_block, 56, 2.6 * MB, 45 * MB),
    "softmax": (lambda: (softmax, models.softmax()), 32, 4.5 * MB, 100 * MB),
}


@pytest.mark.parametrize("name", BUDGETS)
def test_the_budget(name):
    make, rounds, sent, dealt = BUDGETS[name]
    cost = ct.estimate(*make())
    assert cost.rounds <= rounds, cost
    assert cost.bytes_per_party <= sent, cost
    assert cost.dealer_bytes <= dealt, cost


def run_cost(apply, *args, parties=2):
    with ct.simulate(parties=parties) as session:
        shared = session.share(args)
        jax.tree.map(
            lambda y: y.reveal(), ct.private(apply)(*shared), is_leaf=lambda y: isinstance(y, ct.SharedTensor)
        )
        return session.cost


SMALL = {
    "MLP": lambda: models.mlp((20, 12, 4), batch=3),
    "MLP, input gradient": lambda: gradient_of(models.mlp((20, 12, 4), batch=3)),
    "LeNet-5": models.lenet,
    "LeNet-5, input gradient": lambda: gradient_of(models.lenet()),
    "ResNet-18": lambda: models.resnet18(width=8, stem=7),
    "transformer block": lambda: models.transformer_block(tokens=4, d=8, heads=2, hidden=6),
    "softmax": lambda: (softmax, models.softmax(3, 7)),
    "digits CNN": lambda: DIGITS,
}


@pytest.mark.parametrize("parties", [2, 3])
@pytest.mark.parametrize("name", SMALL)
def test_the_estimate_is_what_a_run_counts(name, parties):
    model = SMALL[name]()
    assert ct.estimate(*model, parties=parties) == run_cost(*model, parties=parties)


def test_shapes_are_enough_for_an_estimate():
    apply, params, x = models.mlp()
    shapes = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), (params, x))
    assert ct.estimate(apply, *shapes) == ct.estimate(apply, params, x)


def test_sharing_is_counted_apart():
    apply, params, x = models.lenet()
    numbers = sum(a.size for a in jax.tree.leaves((params, x)))
    assert ct.estimate(apply, params, x).sharing_bytes == 8 * numbers


def test_weights_are_sent_once_a_session():
    """The second batch pays for its activations alone: opening the weights is part of sharing them."""
    apply, params, x = models.mlp((20, 12, 4), batch=3)
    with ct.simulate() as session:
        shared = session.share(params)
        costs = []
        for _ in range(2):
            before = session.cost
            ct.private(apply)(shared, session.share(x)).reveal()
            costs.append(session.cost - before)
        assert costs[0].by_layer == costs[1].by_layer
        assert costs[1].sharing_bytes == 8 * x.size
        assert costs[1].bytes_per_party == 3 * 12 * (8 + 4 + 1 + 8) + -(-3 * 12 // 8) + 3 * 4 * 8


@pytest.mark.parametrize("name", ["LeNet-5", "ResNet-18", "digits CNN"])
def test_few_kernels_are_compiled(compilations, name):
    jax.clear_caches()
    model = SMALL[name]()
    assert compilations.since(lambda: run_cost(*model)) <= 20


def test_the_number_of_kernels_does_not_grow_with_depth(compilations):
    shallow, deep = (models.mlp((200, *[200] * depth, 10), batch=200) for depth in (2, 6))
    jax.clear_caches()
    assert 0 < compilations.since(lambda: run_cost(*shallow)) <= 20
    assert compilations.since(lambda: run_cost(*deep)) == 0


def test_a_public_model_on_a_secret_input_opens_nothing_twice():
    """The sharing of the input opens what public weights make of it: the ReLU costs its comparison, and no more is sent."""
    apply, params, x = models.mlp((20, 12, 4), batch=3)
    cost = ct.estimate(apply, params, x, public=(0,))
    assert cost.rounds == 3 + 1
    assert cost.bytes_per_party == 3 * 12 * (4 + 1) + -(-3 * 12 // 8) + 3 * 4 * 8


def test_public_arguments_cost_nothing():
    apply, params, x = models.mlp((20, 12, 4), batch=3)
    cost = ct.estimate(
        lambda p, x, s: apply(p, x) + apply(p, jnp.ones_like(x)).mean() + s, params, x, x[:, :4], public=(0,)
    )
    assert cost.sharing_bytes == 8 * (x.size + x[:, :4].size)
    assert cost.rounds == 4
