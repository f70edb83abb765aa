"""Sessions with a fault each: the checks of the other files must fail on every one of them.

A check that a broken session passes proves nothing.
"""

import functools
import itertools

import numpy as np
import pytest

from crypten_lite.protocols.opening import opened
from crypten_lite.protocols.product import product
from crypten_lite.protocols.truncation import truncated
from crypten_lite.roles.simulation import Simulation
from crypten_lite.session import Mask
from tests.crypten_lite import test_privacy as privacy
from tests.crypten_lite import test_protocols as protocols
from tests.crypten_lite import test_transcripts as transcripts
from tests.crypten_lite.chances import Seeded, check_chances
from tests.crypten_lite.views import Against, Enumerated, check_same, check_uniform


class Sound:
    """No fault: all checks pass."""


class ReusedMask(Sound):
    """One mask for all values of a shape."""

    def _mask(self, shape, dtype, xor):
        kept = vars(self).setdefault("kept", {})
        key = (shape, np.dtype(dtype), xor)
        if key not in kept:
            kept[key] = super()._mask(shape, dtype, xor)
        return kept[key]


class NoMask(Sound):
    """What is opened is not masked."""

    def _mask(self, shape, dtype, xor):
        mask = super()._mask(shape, dtype, xor)
        return Mask(np.zeros_like(mask.shares), np.zeros_like(mask.plain))


class MaskWithoutItsTopBit(Sound):
    """A mask that is not uniform."""

    def _mask(self, shape, dtype, xor):
        mask = super()._mask(shape, dtype, xor)
        if xor:
            return mask
        shares = mask.shares & self.ring.dtype.type(2 ** (self.ring.bits - 1) - 1)
        return Mask(shares, self._together(shares, xor))


class OneMaskOfTwo(Sound):
    """Only the first party masks what it sends."""

    def _mask(self, shape, dtype, xor):
        shares = super()._mask(shape, dtype, xor).shares.copy()
        shares[1:] = 0
        return Mask(shares, self._together(shares, xor))


class ReusedDeal(Sound):
    """The drawn shares of what is dealt come again."""

    def _split(self, plain, spec, xor):
        kept = vars(self).setdefault("kept_shares", {})
        key = (spec.shape, np.dtype(spec.dtype), xor)
        if key not in kept:
            kept[key] = super()._split(plain, spec, xor)
            return kept[key]
        shares = kept[key].copy()
        known = self._together(shares[:-1], xor)[0]
        shares[-1] = plain ^ known if xor else self.wrap(plain - known)
        return shares


class PlainDeal(Sound):
    """All but one share of what is dealt are zero, so the last one is the thing itself."""

    def _split(self, plain, spec, xor):
        shares = np.zeros_like(super()._split(plain, spec, xor))
        shares[-1] = plain
        return shares


class LostShare(Sound):
    """What the dealer sends does not arrive."""

    def _split(self, plain, spec, xor):
        shares = super()._split(plain, spec, xor).copy()
        shares[-1] = 0
        return shares


class OpenInput(Sound):
    """Owners send their inputs as they are."""

    unmasked = False

    def _enter(self, elements, owner):
        self.unmasked = True
        entered = super()._enter(elements, owner)
        self.unmasked = False
        return entered

    def _draw(self, party, shape, dtype, xor):
        drawn = super()._draw(party, shape, dtype, xor)
        return np.zeros_like(drawn) if self.unmasked else drawn


def mutant(fault, kind, *args, **options):
    return functools.partial(type(fault.__name__, (fault, kind), {}), *args, **options)


def openings_look_random(fault):
    check_uniform(mutant(fault, Enumerated, 2, 3), privacy.two_openings, [(0, 0), (3, -2)])


def opening_looks_random(fault):
    check_uniform(mutant(fault, Enumerated, 2, 3), privacy.opening, [0, 3])


def shares_look_random(fault):
    check_uniform(mutant(fault, Enumerated, 2, 3), privacy.dealing_twice, [(0, 0), (3, -2)])


def comparisons_look_random(fault):
    for honest in (0, 1):
        check_uniform(mutant(fault, Against, 2, 3, honest=honest), privacy.compared_and_true, [(1, True)])


def inputs_look_random(fault):
    check_uniform(mutant(fault, Enumerated, 2, 3), privacy.sharing, [0, 3])


def sums_tell_themselves(fault):
    make = mutant(fault, Enumerated, 3, 3)
    check_same(make, privacy.sum_revealed, [(0, 1), (1, 0), (3, -2)], privacy.own_inputs)


def words_of_64_bits_look_random(fault):
    check_chances(mutant(fault, Seeded), arithmetic)


def openings_of_a_network_differ(fault):
    transcripts.check_openings_differ(transcripts.network, mutant(fault, Seeded))


def results_are_exact(fault):
    for session in protocols.sessions(8, mutant(fault, Simulation)):
        n = protocols.number(session, [1, -2, 3])
        found = protocols.result(product(n, n, np.multiply, n.shape))
        assert found == [1, 4, 9], f"{found} is wrong"


def arithmetic(session):
    x, y = (session.number(v) for v in (1, -(2**40)))
    opened(x, y)
    opened(truncated(product(x, y, np.multiply, x.shape), 0))


CAUGHT = {
    ReusedMask: [
        openings_look_random,
        comparisons_look_random,
        words_of_64_bits_look_random,
        openings_of_a_network_differ,
    ],
    NoMask: [
        openings_look_random,
        opening_looks_random,
        comparisons_look_random,
        words_of_64_bits_look_random,
    ],
    MaskWithoutItsTopBit: [openings_look_random, opening_looks_random, words_of_64_bits_look_random],
    OneMaskOfTwo: [
        openings_look_random,
        opening_looks_random,
        comparisons_look_random,
        words_of_64_bits_look_random,
    ],
    ReusedDeal: [shares_look_random, words_of_64_bits_look_random],
    PlainDeal: [shares_look_random, words_of_64_bits_look_random],
    LostShare: [results_are_exact],
    OpenInput: [inputs_look_random],
}
CHECKS = [*dict.fromkeys(itertools.chain(*CAUGHT.values())), sums_tell_themselves]


@pytest.mark.parametrize(
    ("fault", "check"),
    [pytest.param(f, c, id=f"{f.__name__}-{c.__name__}") for f, cs in CAUGHT.items() for c in cs],
)
def test_a_fault_is_caught(fault, check):
    with pytest.raises(AssertionError, match=r"can tell|is not random|is wrong"):
        check(fault)


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.__name__)
def test_a_sound_session_passes(check):
    check(Sound)


def test_three_parties_that_reveal_without_shares_of_zero_are_caught(monkeypatch):
    """A sum of two inputs would reveal each of them to the third party."""
    monkeypatch.setattr(
        "crypten_lite.protocols.opening._zero",
        lambda session, shape: np.zeros((3, *shape), session.ring.dtype),
    )
    with pytest.raises(AssertionError, match="can tell"):
        sums_tell_themselves(Sound)


def test_dealt_bits_that_are_used_twice_are_caught(monkeypatch):
    """A conjunction that opens its result under the mask of a comparison."""
    original = Against.mask
    first = {}

    def kept(session, shape, dtype=None, *, xor=False):
        if np.dtype(dtype or session.ring.dtype) == np.uint8 and xor and shape[-1] * 8 == session.runs:
            return first.setdefault(id(session), original(session, shape, dtype, xor=xor))
        return original(session, shape, dtype, xor=xor)

    monkeypatch.setattr(Against, "mask", kept)
    with pytest.raises(AssertionError, match="can tell"):
        comparisons_look_random(Sound)
