"""Each role alone: a party computes from what it sees and nothing else, and the dealer without anything it might see.

A program runs in a simulation, which is written down. Then it runs again as each party by itself: with its own inputs (zeros
for those of the others), its own words, and what was opened; it must send what it sent. It runs as the dealer: with no
inputs and no openings; it must deal what it dealt. So no protocol uses what its role does not know.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import crypten_lite as ct
from crypten_lite.roles.simulation import Simulation
from crypten_lite.session import Mask, Session


class Recorded(Simulation):
    """A simulation that keeps what its four calls were given and gave."""

    def __init__(self, parties):
        super().__init__(parties)
        self.calls = []

    def _enter(self, elements, owner):
        self.calls.append(found := super()._enter(elements, owner))
        return found

    def _exchange(self, arrays, xor):
        found = super()._exchange(arrays, xor)
        self.calls.append(([a.copy() for a in arrays], found))
        return found

    def _mask(self, shape, dtype, xor):
        self.calls.append(found := super()._mask(shape, dtype, xor))
        return found

    def _deal(self, compute, specs, xor):
        plain = compute()
        self.calls.append((plain, found := super()._deal(lambda: plain, specs, xor)))
        return found


class Role(Session):
    """One party, or the dealer, of a recorded session."""

    def __init__(self, record, party=None):
        super().__init__(record.parties, record.point)
        self.mine = slice(0, 0) if party is None else slice(party, party + 1)
        self.held, self.seeing, self.dealing = (0, 0, 1) if party is None else (1, 1, 0)
        self.leads = record.leads[self.mine]
        self.left = list(record.calls)

    def _enter(self, elements, owner):
        public, shares, plain = self.left.pop(0)
        assert elements.shape == public.shape[1:]
        if self.held and owner == self.mine.start:
            assert (public[0] == self.wrap(elements + shares[owner])).all(), "it sends something else"
        return public[: self.seeing], shares[self.mine], plain[: self.dealing]

    def _exchange(self, arrays, xor):
        sent, found = self.left.pop(0)
        for array, expected in zip(arrays, sent, strict=True):
            assert (array == expected[self.mine]).all(), "it sends something else"
        return [f[: self.seeing] for f in found]

    def _gather(self, arrays, xor, to):
        return self._exchange(arrays, xor)

    def _mask(self, shape, dtype, xor):
        mask = self.left.pop(0)
        assert mask.plain.shape[1:] == shape
        return Mask(mask.shares[self.mine], mask.plain[: self.dealing])

    def _deal(self, compute, specs, xor):
        plain, shares = self.left.pop(0)
        if self.dealing:
            for array, expected in zip(compute(), plain, strict=True):
                assert (array == expected).all(), "it deals something else"
        assert [s.shape for s in shares] == [(self.parties, *spec.shape) for spec in specs]
        return [s[self.mine] for s in shares]


CHANCE = np.random.default_rng(0)
X, W, V = (CHANCE.normal(size=s).astype(np.float32) for s in ((6, 8), (8, 5), (3, 3, 1, 4)))


def mlp(x, w):
    return jax.nn.softmax(jax.nn.relu(x @ w))


def loss(x, w):
    return (jnp.tanh(x @ w) ** 2).sum()


def cnn(x, v):
    image = jnp.broadcast_to(x[:, :, None, None], (6, 8, 8, 1))
    h = jax.lax.conv_general_dilated(image, v, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
    return jax.lax.reduce_window(
        jax.nn.relu(h), -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID"
    ).sum((1, 2))


def norm(x, w):
    h = x @ w
    return jax.nn.gelu((h - h.mean(-1, keepdims=True)) * jax.lax.rsqrt(h.var(-1, keepdims=True) + 1e-3))


def logic(x, w):
    h = x @ w
    high = (h > 0) & (h < 1) | ~(jnp.abs(h) >= 2)
    return jnp.where(high, 1 / (1 + h * h), jnp.minimum(h, w[:1])), h.argmax(-1), jax.lax.cummax(h, 1), high


PROGRAMS = [
    (mlp, W),
    (jax.grad(loss), W),
    (cnn, V),
    (jax.grad(lambda x, v: (cnn(x, v) ** 2).sum()), V),
    (norm, W),
    (logic, W),
]


def outcome(session, program, x, w):
    shared = session.share(x, owner=0), session.share(w, owner=1)
    return jax.tree.map(
        lambda y: y.reveal(), ct.private(program)(*shared), is_leaf=lambda y: isinstance(y, ct.SharedTensor)
    )


@pytest.mark.parametrize("parties", [2, 3])
@pytest.mark.parametrize(
    ("program", "w"), PROGRAMS, ids=["mlp", "gradient", "cnn", "its gradient", "norm", "logic"]
)
def test_each_role_needs_only_what_it_knows(program, w, parties):
    record = Recorded(parties)
    expected = jax.tree.leaves(outcome(record, program, X, w))
    for plain, found in zip(jax.tree.leaves(program(X, w)), expected, strict=True):
        np.testing.assert_allclose(found, plain, atol=0.02)
    nothing = np.zeros_like(X), np.zeros_like(w)
    for party in range(parties):
        own = [
            value if party == owner else zeros
            for owner, (value, zeros) in enumerate(zip((X, w), nothing, strict=True))
        ]
        role = Role(record, party)
        found = jax.tree.leaves(outcome(role, program, *own))
        assert all((np.asarray(f) == np.asarray(e)).all() for f, e in zip(found, expected, strict=True))
        assert not role.left
        assert role.cost == record.cost
    dealer = Role(record)
    found = outcome(dealer, program, *nothing)
    assert all(isinstance(f, jax.ShapeDtypeStruct) for f in jax.tree.leaves(found))
    assert not dealer.left
    assert dealer.cost == record.cost


def test_a_role_with_other_inputs_sends_something_else():
    record = Recorded(2)
    outcome(record, mlp, X, W)
    with pytest.raises(AssertionError, match="it sends something else"):
        outcome(Role(record, 0), mlp, X + 1, W)
    shares = record.calls[-1][0][0]
    shares[1] += np.uint64(1)
    with pytest.raises(AssertionError, match="it sends something else"):
        outcome(Role(record, 1), mlp, X, W)
