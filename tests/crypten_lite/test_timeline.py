"""The timeline: the order of layers, and that it adds up to what is counted otherwise."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import crypten_lite as ct
from crypten_lite.cost import Part
from crypten_lite.timeline import History, Stretch, network_seconds
from namedtensor.interpreter import UnsupportedPrimitiveError
from tests.crypten_lite import models

WEIGHTS = np.ones((6, 5), np.float32), np.ones((5, 3), np.float32)
IMAGE = np.ones((2, 6), np.float32)


def model(weights, x):
    with jax.named_scope("one"):
        x = jax.nn.relu(x @ weights[0])
    with jax.named_scope("two"):
        return jax.nn.relu(x @ weights[1])


def gradient(weights, x):
    return jax.grad(lambda x: model(weights, x).sum())(x)


def layers(stretches):
    return [s.layer for s in stretches]


def by_layer(stretches):
    totals = {}
    for s in stretches:
        part = Part(s.rounds, s.bytes_per_party, s.dealer_bytes)
        totals[s.layer] = Part(*map(sum, zip(part, totals.get(s.layer, Part()), strict=True)))
    return totals


@pytest.mark.parametrize("parties", [2, 3])
@pytest.mark.parametrize("fun", [model, gradient])
def test_it_adds_up_to_the_estimate(fun, parties):
    stretches = ct.timeline(fun, WEIGHTS, IMAGE, parties=parties)
    cost = ct.estimate(fun, WEIGHTS, IMAGE, parties=parties)
    assert by_layer(stretches) == cost.by_layer
    assert sum(s.rounds for s in stretches) == cost.rounds > 0
    assert sum(s.bytes_per_party for s in stretches) == cost.bytes_per_party > 0
    assert sum(s.dealer_bytes for s in stretches) == cost.dealer_bytes > 0


def test_layers_come_in_the_order_of_the_program():
    assert layers(ct.timeline(model, WEIGHTS, IMAGE)) == ["one", "two", "revealing"]


def test_a_gradient_comes_back_to_the_first_layer():
    # two layers forwards, then backwards: the costs by layer alone would not tell
    visited = [name.split("/")[-1].strip("()") for name in layers(ct.timeline(gradient, WEIGHTS, IMAGE))]
    forwards, backwards = visited.index("one"), len(visited) - 1 - visited[::-1].index("one")
    assert forwards < visited.index("two") < backwards


def test_each_stretch_begins_where_the_one_before_ends():
    stretches = ct.timeline(*models.transformer_block(tokens=4, d=8, heads=2, hidden=8))
    assert len(stretches) > 3
    over = 0
    for stretch in stretches:
        assert stretch.start == over
        over += stretch.rounds
    assert all(a.layer != b.layer for a, b in itertools.pairwise(stretches))


def test_a_run_remembers_what_was_foreseen():
    with ct.simulate(parties=2) as session:
        session.meter = history = History()
        session.reveal(ct.private(model)(session.share(WEIGHTS), session.share(IMAGE)))
    assert history.stretches == ct.timeline(model, WEIGHTS, IMAGE)
    assert session.cost == ct.estimate(model, WEIGHTS, IMAGE)


def test_public_arguments_cost_nothing():
    stretches = ct.timeline(lambda w, x: x @ w, WEIGHTS[0], IMAGE, public=(0,), point=ct.FixedPoint(12))
    assert sum(s.bytes_per_party for s in stretches if s.layer == "revealing") == 8 * 2 * 5
    assert "revealing" in layers(stretches)


def test_what_cannot_run_privately_is_refused_before():
    with pytest.raises(UnsupportedPrimitiveError, match="eigh"):
        ct.timeline(jnp.linalg.eigh, np.ones((3, 3), np.float32))


def test_the_network_takes_a_delay_a_round_and_its_time_for_bytes():
    stretch = Stretch("dense", rounds=5, bytes_per_party=2_500_000, dealer_bytes=10**9)
    assert network_seconds(stretch, delay=0.02, bandwidth=100e6) == pytest.approx(0.1 + 0.2)
    assert network_seconds(ct.Cost(rounds=3), delay=1, bandwidth=1) == 3
    for delay, bandwidth in ((-1, 1e6), (0.1, 0), (float("nan"), 1e6)):
        with pytest.raises(ValueError, match="give seconds of 0 or more, and bits a second above 0"):
            network_seconds(stretch, delay=delay, bandwidth=bandwidth)
