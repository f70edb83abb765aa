"""Truncation: never off by more than one unit in the last place, right on average, and sharp at its bound."""

from fractions import Fraction

import numpy as np
import pytest

from crypten_lite.fixed_point import FixedPoint
from crypten_lite.openings import Opening
from crypten_lite.protocols.comparison import at_least
from crypten_lite.protocols.opening import opened, revealed
from crypten_lite.protocols.selection import gated
from crypten_lite.protocols.truncation import truncated
from crypten_lite.ring import Ring
from crypten_lite.roles.simulation import Simulation
from crypten_lite.values import Number
from tests.crypten_lite.chances import Seeded
from tests.crypten_lite.test_protocols import number, result, sessions, some


def under_all_masks(session, integers, scale):
    """A number for each integer and each mask: ``[integer, mask]``."""
    ring = session.ring
    masks = np.broadcast_to(np.arange(2**ring.bits, dtype=ring.dtype), (len(integers), 2**ring.bits))
    public = ring.wrap(ring.of(np.array(integers, object))[:, None] + masks)
    shares = np.zeros((session.parties, *masks.shape), ring.dtype)
    shares[-1] = masks
    return Number(session, masks.shape, np.float32, scale, opening=Opening(public[None], shares, masks[None]))


@pytest.mark.parametrize("places", range(1, 7))
def test_all_numbers_under_all_masks_at_eight_bits(places):
    session = Simulation(2, FixedPoint(1, Ring(8)))
    integers = range(-64, 64)
    found = truncated(under_all_masks(session, integers, places), 0)
    off = session.ring.signed(revealed([found])[0][0]) - np.array([z >> places for z in integers])[:, None]
    assert set(np.unique(off)) == {0, 1}
    for z, row in zip(integers, off, strict=True):
        assert Fraction(int(row.sum()), 256) == Fraction(
            z % 2**places, 2**places
        )  # right on average, exactly


@pytest.mark.parametrize("distance", [0, 1, 2, 31, 60])
def test_beyond_the_range_it_fails_as_often_as_the_distance_says(distance):
    session = Simulation(2, FixedPoint(1, Ring(8)))
    integers = [64 + distance, -64 - distance]
    found = truncated(under_all_masks(session, integers, 2), 0)
    off = session.ring.signed(revealed([found])[0][0]) - np.array([z >> 2 for z in integers])[:, None]
    wrong = (off < 0) | (off > 1)
    assert wrong.mean(1).tolist() == [distance / 128] * 2


@pytest.mark.parametrize("bits", range(5, 65))
def test_numbers_of_all_widths(bits):
    values = some(bits)
    for session in sessions(bits):
        for places in {1, (bits - 2) // 2, bits - 2}:
            n = number(session, values, scale=places)
            found = truncated(n, 0)
            assert found.scale == 0
            coins = [int(d) % 2**places for d in opened(n)[0].public[0]]
            expected = [(z + 2**places - 1 - c) >> places for z, c in zip(values, coins, strict=True)]
            assert result(found) == expected
            assert all(e - (z >> places) in (0, 1) for z, e in zip(values, expected, strict=True))


def test_a_selection_rounds_like_a_truncation():
    values = some(64)
    for session in sessions(64):
        n = number(session, values, scale=16)
        (truth,) = at_least((n, 1))
        both = zip(values, result(truncated(n, 0)), strict=True)
        assert result(gated(truth, n, places=16)) == [t if z > 0 else 0 for z, t in both]


@pytest.mark.parametrize(
    ("z", "places"),
    [
        (2**62 - 1, 16),
        (-(2**62) + 12345, 16),
        (2**61 + 2**15, 16),
        (-(2**62) + 1, 32),
        (3 * 2**40 + 77, 20),
        (-1, 4),
    ],
)
def test_rounding_is_right_on_average(z, places):
    """Over ``10 ** 7`` numbers the share of those rounded up is within four standard deviations of the fraction."""
    session, runs, total, up = Seeded(runs=500_000), 20, 0, 0
    for _ in range(runs):
        found = truncated(session.number(z, places), 0)
        off = session.ring.signed(revealed([found])[0][0]) - (z >> places)
        assert off.min() >= 0
        assert off.max() <= 1
        up, total = up + int(off.sum()), total + off.size
        session.entries.clear()
        session.opened.clear()
    fraction = (z % 2**places) / 2**places
    assert total == 10**7
    assert abs(up / total - fraction) <= 4 * np.sqrt(fraction * (1 - fraction) / total)
