"""Each protocol against Python's integers: at all widths of the ring, for two and three parties."""

import itertools

import jax
import numpy as np
import pytest

import crypten_lite as ct
from crypten_lite.fixed_point import FixedPoint
from crypten_lite.functions.piecewise import Line, Piecewise, Segments
from crypten_lite.products import matmul
from crypten_lite.protocols.comparison import at_least
from crypten_lite.protocols.conjunction import both
from crypten_lite.protocols.lookup import evaluated
from crypten_lite.protocols.maximum import largest, played
from crypten_lite.protocols.opening import opened, revealed, revealed_bits
from crypten_lite.protocols.product import product
from crypten_lite.protocols.selection import as_number, gated
from crypten_lite.protocols.truncation import truncated
from crypten_lite.ring import Ring
from crypten_lite.roles.simulation import Simulation
from crypten_lite.session import Spec
from crypten_lite.values import Number

WIDTHS = range(5, 65)


@pytest.fixture(autouse=True)
def flag_of_jax_stays_off():
    assert not jax.config.jax_enable_x64
    yield
    assert not jax.config.jax_enable_x64


def sessions(bits, make=Simulation):
    return [make(parties, FixedPoint(1, Ring(bits))) for parties in (2, 3)]


def number(session, integers, scale=1):
    """A number that is not open, of Python's integers."""
    array = np.asarray(integers, dtype=object)
    plain = session.ring.of(array)[None]
    (shares,) = session.deal(lambda: [plain], Spec(array.shape, session.ring.dtype))
    return Number(session, array.shape, np.float32, scale, shares=shares)


def signed(session, elements):
    """Python's integers of opened ring elements."""
    half = 2 ** (session.ring.bits - 1)
    return [(int(e) + half) % (2 * half) - half for e in elements[0].ravel()]


def result(found):
    return signed(found.session, revealed([found])[0])


def some(bits, spare=2, count=24):
    """Integers of magnitude up to ``2 ** (bits - spare)``, without the upper end: the extremes, and others."""
    top = 2 ** (bits - spare)
    chance = np.random.default_rng(bits)
    middle = [int(n) % (2 * top) - top for n in chance.integers(0, 2**63, count)]
    return [-top, 1 - top, -2, -1, 0, 1, 2, top - 2, top - 1, *(m for m in middle if abs(m) < top)]


def truths(session, bits):
    """Truths that are comparisons."""
    return at_least((number(session, [2 * int(b) - 1 for b in bits]), 0))[0]


@pytest.mark.parametrize("bits", WIDTHS)
def test_an_opening_is_the_value_and_its_mask(bits):
    values = some(bits, spare=1)
    for session in sessions(bits):
        n = number(session, values)
        assert result(n) == values
        (o,) = opened(n)
        assert [(int(d) - int(m)) % 2**bits for d, m in zip(o.public[0], o.plain[0], strict=True)] == [
            v % 2**bits for v in values
        ]
        assert result(n) == values == result(n.map(lambda a: a[:, ::-1], n.shape))[::-1]


@pytest.mark.parametrize("bits", WIDTHS)
def test_entered_numbers_are_open(bits):
    for session in sessions(bits):
        values = np.array(some(bits), object)
        for owner in range(session.parties):
            public, shares, plain = session.enter(session.ring.of(values), owner)
            total = session.wrap(np.add.reduce(shares, axis=0, dtype=shares.dtype))
            assert (total == plain[0]).all()
            assert not np.delete(shares, owner, 0).any()
            assert signed(session, session.wrap(public - plain)) == values.tolist()


@pytest.mark.parametrize("bits", WIDTHS)
def test_comparisons(bits):
    top = 2 ** (bits - 2)
    values = some(bits)
    thresholds = [-top, -1, 0, 1, 2, 3, top - 1, top, values[-1]]
    for session in sessions(bits):
        n = number(session, values)
        for t, found in zip(thresholds, at_least(*((n, t) for t in thresholds)), strict=True):
            expected = [v >= t for v in values]
            assert revealed_bits([found])[0][0].tolist() == expected
            assert revealed_bits([found.negative()])[0][0].tolist() == [not e for e in expected]


def test_all_comparisons_of_eight_bits():
    everything = range(-128, 128)
    for session in sessions(8):
        n = number(session, everything)
        for t, found in zip(everything, at_least(*((n, t) for t in everything)), strict=True):
            bits = revealed_bits([found])[0][0]
            for v, bit in zip(everything, bits.tolist(), strict=True):
                assert bit == (v >= t) or not -128 <= v - t < 128


def test_a_comparison_is_made_once():
    session = Simulation(2)
    n = number(session, [5, -5])
    (first,) = at_least((n, 0))
    before = session.cost
    again, same = at_least((n, 0), (n, 0))
    assert again is same is first
    assert session.cost == before


@pytest.mark.parametrize("bits", WIDTHS)
def test_selection(bits):
    values = some(bits)
    for session in sessions(bits):
        n = number(session, values)
        for holds in ([v >= 1 for v in values], [v % 3 == 0 for v in values]):
            found = truths(session, holds)
            expected = [v if h else 0 for v, h in zip(values, holds, strict=True)]
            assert result(gated(found, n)) == expected
            assert result(gated(found.negative(), n)) == [
                v - e for v, e in zip(values, expected, strict=True)
            ]
            short = gated(found, n, places=1)
            assert short.scale == n.scale - 1
            for got, e in zip(result(short), expected, strict=True):
                assert got - (e >> 1) in ((0, 1) if e % 2 else (0,))
            assert result(as_number(found)) == holds


@pytest.mark.parametrize("bits", WIDTHS)
def test_products(bits):
    values = some(bits, spare=1)
    for session in sessions(bits):
        for a, b in [(values, values[::-1]), (values, values)]:
            x, y = number(session, a), number(session, b)
            found = product(x, y if a != b else x, np.multiply, x.shape)
            assert found.scale == 2
            expected = [p * q for p, q in zip(a, b, strict=True)]
            assert result(found) == [_wrapped(e, bits) for e in expected]


@pytest.mark.parametrize("bits", WIDTHS)
def test_matrix_products(bits):
    values = some(bits, spare=1)[:12]
    a, b = np.array(values, object).reshape(3, 4), np.array(values[::-1], object).reshape(4, 3)
    for session in sessions(bits):
        found = product(number(session, a), number(session, b), matmul, (3, 3))
        assert result(found) == [_wrapped(e, bits) for e in (a @ b).ravel()]


@pytest.mark.parametrize("bits", WIDTHS)
def test_elementwise_products_of_truncated_numbers_open_nothing(bits):
    values = some(bits)
    for session in sessions(bits):
        x, y = (truncated(number(session, v, scale=2), 1) for v in (values, values[::-1]))
        z = number(session, values)
        opened(z)
        twice = [
            x,
            y,
            z,
            x.negative(),
            x.plus(z),
            y.minus(z),
            x.moved(lambda a: a[:, ::-1], x.shape),
            x.at(3).tagged(scale=1),
        ]
        integers = [result(n) for n in twice]
        before = session.cost
        pairs = list(itertools.combinations_with_replacement(range(len(twice) - 1), 2))
        found = [product(twice[i], twice[j], np.multiply, x.shape) for i, j in pairs]
        assert session.cost.rounds == before.rounds
        for (i, j), n in zip(pairs, found, strict=True):
            assert result(n) == [_wrapped(a * b, bits) for a, b in zip(integers[i], integers[j], strict=True)]
        last = product(twice[-1], y, np.multiply, x.shape)  # which has forgotten what it is made of
        assert result(last) == [_wrapped(a * b, bits) for a, b in zip(integers[-1], integers[1], strict=True)]


@pytest.mark.parametrize("bits", WIDTHS)
def test_sums_of_repeated_numbers_are_opened_by_their_parts(bits):
    values, rows = some(bits, spare=3), 4
    for session in sessions(bits):
        x, y = number(session, values), number(session, values[:rows])
        wide = x.moved(
            lambda a: np.broadcast_to(a[:, None], (len(a), rows, len(values))), (rows, len(values))
        )
        long = y.moved(
            lambda a: np.broadcast_to(a[:, :, None], (len(a), rows, len(values))), (rows, len(values))
        )
        total = wide.minus(long)
        (o,) = opened(total)
        assert session.cost.bytes_per_party == (len(values) + rows) * session.ring.dtype.itemsize * (
            session.parties - 1
        )
        assert signed(session, session.wrap(o.public - o.plain)) == [
            a - b for b in values[:rows] for a in values
        ]
        assert result(total) == [a - b for b in values[:rows] for a in values]


def _wrapped(integer, bits):
    return (integer + 2 ** (bits - 1)) % 2**bits - 2 ** (bits - 1)


@pytest.mark.parametrize("bits", WIDTHS)
def test_conjunctions_and_differences(bits):
    holds = list(itertools.product((False, True), repeat=2)) * 3
    for session in sessions(bits):
        x, y = (truths(session, column) for column in zip(*holds, strict=True))
        assert revealed_bits([both(x, y)])[0][0].tolist() == [a and b for a, b in holds]
        assert revealed_bits([both(x.negative(), y.negative()).negative()])[0][0].tolist() == [
            a or b for a, b in holds
        ]
        assert revealed_bits([x.differs(y)])[0][0].tolist() == [a != b for a, b in holds]


@pytest.mark.parametrize("group", [2, 3, 4])
@pytest.mark.parametrize("bits", [8, 18, 64])
def test_maxima(bits, group):
    for session in sessions(bits):
        chance = np.random.default_rng(group)
        top = 2 ** (bits - 2) - 1
        for rows in range(1, 21):
            values = chance.integers(-2, 3, (rows, 5)).astype(object)  # with ties
            values[:, 0] = [int(chance.choice([-top, top, 0])) for _ in range(rows)]
            values[:, 1] = -top
            found = largest(number(session, values), group=group)
            assert found.shape == (5,)
            assert result(found) == values.max(0).tolist()


@pytest.mark.parametrize("bits", [5, 17, 18, 33, 64])
def test_maxima_of_open_numbers(bits):
    for session in sessions(bits):
        values = np.array(some(bits)[:9], object)
        n = number(session, values[:, None])
        opened(n)
        before = session.cost.rounds
        assert result(largest(n, group=3)) == [values.max()]
        rounds = 3 if bits > 17 else 2  # of a comparison
        assert session.cost.rounds - before == rounds + 1 + rounds + 1  # the second level opens; the reveal


@pytest.mark.parametrize("group", [2, 3, 4])
@pytest.mark.parametrize("rows", [2, 3, 5, 9, 16, 17])
def test_where_the_maximum_stood(rows, group):
    chance = np.random.default_rng(rows)
    values, others = (
        chance.integers(-3, 4, (rows, 6)) for _ in range(2)
    )  # with ties, of which the first counts
    handed = np.arange(1, 7)
    for session in sessions(32):
        found = played(number(session, values), group=group)
        winner = values.argmax(0)
        assert result(found.winner) == values.max(0).tolist()
        assert result(found.carried(number(session, others))) == others[winner, np.arange(6)].tolist()
        expected = np.where(np.arange(rows)[:, None] == winner, handed, 0)
        assert result(found.routed(number(session, handed))) == expected.ravel().tolist()


def steps(low, high, values, segments):
    """A table of any integers, one for each integer of a range."""

    def function(z):
        at = np.clip(np.floor(z * 2).astype(int) - low, 0, high - low - 1)  # one binary place
        return np.array(values)[at] / 4.0  # two of them

    return Segments(function, low / 2, high / 2, segments=segments, degree=0)


@pytest.mark.parametrize("bits", WIDTHS)
def test_tables(bits):
    values = [3, -1, 0, 2, -4, 1, 1]
    for session in sessions(bits):
        found = evaluated(
            number(session, range(-3, 4)),
            Piecewise("any", None, (steps(-3, 4, values, 8),), (), 0.0, (-1.5, 2)),
        )
        assert found.scale == 2
        assert result(found) == values


@pytest.mark.parametrize("bits", range(6, 65))
def test_tables_between_lines(bits):
    values = [3, -1, 2]
    pieces = (Line(0, 0.75), steps(-1, 2, values, 4), Line(1, 0.5))
    function = Piecewise("any", None, pieces, (-0.5, 1.0), 0.0)
    inputs = [-3, -2, -1, 0, 1, 2, 3]
    for session in sessions(bits):
        found = evaluated(number(session, inputs), function)
        assert result(found) == [3, 3, *values, 2 * 2 + 2, 2 * 3 + 2]


def test_tables_are_those_in_the_clear_at_64_bits():
    from crypten_lite.functions import SIGMOID, tables

    z = np.linspace(-12, 12, 501)
    for parties in (2, 3):
        session = Simulation(parties)
        integers = np.rint(z * 2**16).astype(np.int64)
        n = number(session, [int(i) for i in integers], scale=16)
        found = result(evaluated(n, SIGMOID))
        assert found == tables.apply(SIGMOID, integers, opened(n)[0].plain[0], scale=16).tolist()
        assert np.abs(np.array(found) / 2.0**32 - 1 / (1 + np.exp(-z))).max() <= SIGMOID.error


@pytest.mark.parametrize("bits", [5, 8, 13, 16, 17, 18, 32, 33, 64])
def test_compiled_kernels_compute_the_same(bits):
    """Beyond 16384 elements JAX compiles what NumPy computes for fewer."""
    size, top = 16384 + 7, 2 ** (bits - 2)
    z = np.random.default_rng(bits).integers(-top, top, size)
    for session in sessions(bits):
        plain = session.ring.of(z)[None]
        (shares,) = session.deal(lambda plain=plain: [plain], Spec(z.shape, session.ring.dtype))
        n = Number(session, z.shape, np.float32, 2, shares=shares)
        holds, reached = at_least((n, 1), (n, 3))
        assert (revealed_bits([holds])[0][0] == (z >= 1)).all()
        assert (revealed_bits([both(holds, reached.negative())])[0][0] == ((z >= 1) & (z < 3))).all()

        def off(found, session=session):
            return session.ring.signed(revealed([found])[0][0])

        assert (off(gated(holds, n)) == np.maximum(z, 0)).all()
        coins = opened(n)[0].public[0].astype(np.int64) & 1
        rounded = (z + 1 - coins) >> 1
        assert (off(truncated(n, 1)) == rounded).all()
        assert (off(gated(holds, n, places=1)) == np.where(z > 0, rounded, 0)).all()
        assert (off(as_number(holds)) == (z >= 1)).all()
        exact = session.ring.signed(session.ring.of(z) * session.ring.of(z))
        assert (off(product(n, n, np.multiply, n.shape)) == exact).all()
        rows = n.map(lambda a: np.stack([a, -a], 1), (2, size))
        assert (off(largest(rows, group=2)) == np.abs(z)).all()


@pytest.mark.parametrize("value", [-9e8, 9e8])
def test_padded_windows_of_numbers_near_the_end_of_the_range(value):
    """What is padded with is below all numbers, also below products with all of their places."""
    with ct.simulate() as session:
        x, y = session.share(np.full(4, 30000.0)), session.share(np.full(4, value / 30000))
        pool = ct.private(lambda x, y: jax.lax.reduce_window(x * y, -np.inf, jax.lax.max, (3,), (1,), "SAME"))
        np.testing.assert_allclose(pool(x, y).reveal(), value, rtol=1e-6)


def test_truncated_numbers_open_once():
    session = Simulation(2)
    n = number(session, [7, -7], scale=2)
    first = truncated(n, 1)
    before = session.cost
    assert truncated(n, 1) is first
    assert truncated(n, 2) is n
    assert session.cost == before
