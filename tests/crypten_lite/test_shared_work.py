"""What is computed once is not computed again: counts of rounds and bytes, and what is kept."""

import contextlib
import gc
import weakref

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax, nn

import crypten_lite as ct
from crypten_lite.protocols import comparison
from crypten_lite.values import Number

RNG = np.random.default_rng(3)
X, W = (jnp.asarray(RNG.normal(size=s), jnp.float32) for s in ((3, 4), (4, 4)))


def spent(fun, *args):
    """Rounds and bytes of a private function, without what revealing takes."""
    with ct.simulate() as session:
        shared = session.share(args)
        before = session.cost
        out = ct.private(fun)(*shared)
        jax.tree.map(lambda x: x.reveal(), out, is_leaf=lambda x: isinstance(x, ct.SharedTensor))
        parts = (session.cost - before).by_layer
    own = [p for place, p in parts.items() if place != "revealing"]
    return sum(p.rounds for p in own), sum(p.bytes_per_party for p in own)


def test_a_product_with_itself_is_computed_once():
    once = spent(lambda x, w: (x @ w) * w[:3], X, W)
    assert spent(lambda x, w: ((x @ w) * w[:3], (x @ w) * w[:3]), X, W) == once


def test_queries_keys_and_values_open_their_input_once():
    def projected(x, *projections):
        x = x * x  # not open
        return [x @ w for w in projections]

    (rounds, one), (rounds_of_three, three) = spent(projected, X, W), spent(projected, X, W, W + 1, W + 2)
    assert rounds == rounds_of_three == 2  # to truncate the square, and to multiply it
    assert one == three == 2 * 8 * X.size


def test_the_gradient_of_a_relu_compares_nothing(monkeypatch):
    asked = []
    answered = comparison._at_least
    monkeypatch.setattr(
        comparison, "_at_least", lambda questions: asked.extend(questions) or answered(questions)
    )
    with ct.simulate() as session:
        x, w = session.share((X, W))
        ct.private(jax.value_and_grad(lambda x, w: (nn.relu(x @ w) * w[:3]).sum()))(x, w)[1].reveal()
    assert len(asked) == 1


def test_a_maximum_is_not_compared_with_its_operands_again():
    """Beyond the tournament, one comparison with the maximum, of what is open."""
    forward = spent(lambda x: x.max(1), X)
    gradient = spent(jax.grad(lambda x: x.max(1).sum()), X)
    # three rounds of comparison, and the openings of the maximum, of the count of ties, and of its inverse
    assert gradient[0] - forward[0] == 3 + 3


def test_pooling_comes_before_the_relu():
    images = jnp.asarray(RNG.normal(size=(1, 1, 4, 4)), jnp.float32)

    def pooled(x):
        return lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")

    after, before = spent(lambda x: pooled(nn.relu(x)), images), spent(lambda x: nn.relu(pooled(x)), images)
    assert after == before
    assert after[1] < spent(pooled, images)[1] + 16 * 5  # sixteen comparisons would be one a pixel


def test_nothing_is_remembered_after_a_call():
    with ct.simulate() as session:
        x = session.share(X)
        inner = []

        def fun(x):
            y = x * x
            return (y * y).sum()

        made = Number.__init__

        def noted(self, *args, **kwargs):
            made(self, *args, **kwargs)
            inner.append(weakref.ref(self))

        Number.__init__ = noted
        try:
            result = ct.private(fun)(x).reveal()
        finally:
            Number.__init__ = made
        gc.collect()
        assert session.memo == {}
        assert len(inner) > 2
        assert not [r for r in inner if r() is not None]
        assert result > 0


def test_an_error_leaves_nothing_remembered():
    with ct.simulate() as session:
        x = session.share(X)
        with contextlib.suppress(NotImplementedError):
            ct.private(lambda x: jnp.sort(x * x))(x)
        assert session.memo == {}
