"""What parties see tells nothing: their views at small rings, over all values of all random words.

`check_uniform` compares with a simulator that knows nothing and draws uniform words; `check_same` compares secrets with the
same revealed result. Comparisons have too many words for one enumeration: there the honest party's are enumerated
against fixed ones of all others, for several of these (`Against`).
"""

import functools

import numpy as np
import pytest

from crypten_lite.functions.piecewise import Line, Piecewise, Segments
from crypten_lite.openings import Opening
from crypten_lite.protocols.comparison import at_least
from crypten_lite.protocols.conjunction import both
from crypten_lite.protocols.lookup import evaluated
from crypten_lite.protocols.maximum import largest, played, selected_by_all
from crypten_lite.protocols.opening import opened, revealed, revealed_bits
from crypten_lite.protocols.product import product
from crypten_lite.protocols.selection import as_number, gated
from crypten_lite.protocols.truncation import truncated
from crypten_lite.session import Spec
from crypten_lite.sharing import entered as entered_truth
from crypten_lite.values import Number
from tests.crypten_lite.views import Against, Enumerated, check_same, check_uniform, shared, truth

ALL = tuple(range(-4, 4))  # of three bits
IN_RANGE = (-2, -1, 0, 1)  # what can be truncated


def entered(session, value, owner=0):
    elements = np.full(session.runs, session.ring.of(value))
    return Number(session, elements.shape, np.float32, 1, opening=Opening(*session.enter(elements, owner)))


def sharing(session, value):
    entered(session, value)


def dealing(session, value):
    shared(session, value)


def dealing_twice(session, values):
    for value in values:
        dealing(session, value)


def dealing_words(session, value):
    session.deal(
        lambda: [np.full((1, session.runs), value, np.uint8)], Spec((session.runs,), np.uint8), xor=True
    )


def opening(session, value):
    number = shared(session, value)
    assert opened(number, number)[0] is opened(number)[0]


def two_openings(session, values):
    opened(*(shared(session, v) for v in values))


def multiplication(session, values):
    x, y = (shared(session, v) for v in values)
    return product(x, y, np.multiply, x.shape)


def square(session, value):
    x = shared(session, value)
    product(x, x, np.multiply, x.shape)


def moved_and_multiplied(session, value):
    """The same opening in several places."""
    x = shared(session, value)
    opened(x)
    turned = x.map(lambda a: a[:, ::-1], x.shape)  # runs are alike, but their words are not
    product(x.plus(x.negative()), turned.at(1), np.multiply, x.shape)


def truncation(session, value):
    return truncated(shared(session, value, 1), 0)


def square_of_truncated(session, value):
    """Which is half open: nothing is sent for it."""
    number = truncated(shared(session, value, 1), 0)
    before = len([e for e in session.entries if e.kind == "sent"])
    product(number, number, np.multiply, number.shape)
    assert len([e for e in session.entries if e.kind == "sent"]) == before


def truncated_and_open(session, values):
    x, y = (truncated(shared(session, v, 1), 0) for v in values)
    z = shared(session, 1)
    opened(z)
    product(x.plus(z), y.negative(), np.multiply, x.shape)


def two_truncations(session, values):
    for value in values:
        truncated(shared(session, value, 1), 0)


def selection(session, secret):
    value, holds = secret
    return gated(truth(session, holds), shared(session, value))


def selection_truncated(session, secret):
    value, holds = secret
    return gated(truth(session, holds), shared(session, value, 1), places=1)


def selection_by_an_input(session, secret):
    """A shared truth, whose mask its owner knows."""
    value, holds = secret
    return gated(entered_truth(session, np.full(session.runs, holds), 1), shared(session, value))


def counted(session, holds):
    return as_number(truth(session, holds))


def conjunction(session, secret):
    return both(*(truth(session, holds) for holds in secret))


def winner(session, secret):
    value, *holds = secret
    return selected_by_all([truth(session, h) for h in holds], shared(session, value))


STEPS = Segments(lambda z: np.floor(z) ** 2, -1, 1, segments=2, degree=0)
WITHIN = Piecewise("steps", STEPS.function, (STEPS,), (), 0.0, (-1, 1))
CLIPPED = Piecewise("clipped", STEPS.function, (Line(1, 1.0), STEPS), (-1,), 0.0, (-4, 1))


def table(session, value):
    return evaluated(shared(session, value), WITHIN)


def comparison(session, value, threshold=1):
    return at_least((shared(session, value), threshold))[0]


def compared_and_true(session, secret):
    value, holds = secret
    return both(comparison(session, value), truth(session, holds))


def two_comparisons(session, value):
    number = shared(session, value)
    return at_least((number, 0), (number, 2))


def relu(session, value):
    number = shared(session, value, 1)
    return gated(at_least((number, 1))[0], number, places=1)


def larger(session, values):
    x, y = (shared(session, v) for v in values)
    rows = x.like(shares=np.stack([x.shares, y.shares], 1), shape=(2, session.runs))
    opened(rows)
    return largest(rows, group=2)


def routed(session, values):
    x, y = (shared(session, v) for v in values)
    rows = x.like(shares=np.stack([x.shares, y.shares], 1), shape=(2, session.runs))
    played(rows, group=2).routed(shared(session, values[0] + 1))


def carried(session, values):
    x, y = (shared(session, v) for v in values)
    rows = x.like(shares=np.stack([x.shares, y.shares], 1), shape=(2, session.runs))
    played(rows, group=2).carried(rows.negative())


def clipped(session, value):
    return evaluated(shared(session, value), CLIPPED)


BITS = (False, True)
PAIRS = [(0, 0), (3, -2), (-4, 1), (1, 3)]
WHOLE = {  # protocol: bits of the ring, parties, secrets
    sharing: [(3, 2, ALL), (3, 3, ALL), (5, 2, (0, 7, -16))],
    dealing: [(3, 2, ALL), (3, 3, ALL), (4, 4, (0, 5))],
    dealing_twice: [(3, 2, PAIRS)],
    dealing_words: [(3, 2, (0, 1, 77, 255))],
    opening: [(3, 2, ALL), (3, 3, ALL), (5, 2, (0, 7, -16))],
    two_openings: [(3, 2, PAIRS)],
    multiplication: [(3, 2, PAIRS[:2])],
    square: [(3, 2, ALL), (3, 3, (0, -4))],
    moved_and_multiplied: [(3, 2, ALL[::3])],
    truncation: [(3, 2, IN_RANGE), (4, 2, (-4, 3))],
    square_of_truncated: [(3, 2, (-2, 1))],
    selection: [(3, 2, [(v, b) for v in ALL for b in BITS])],
    selection_by_an_input: [(3, 2, [(v, b) for v in (0, 3, -4) for b in BITS])],
    counted: [(3, 2, BITS), (3, 3, BITS)],
    conjunction: [(3, 2, [(a, b) for a in BITS for b in BITS]), (3, 3, [(False, True), (True, True)])],
    table: [(3, 2, (-1, 0)), (4, 2, (-1, 0))],
}
AGAINST = {
    two_openings: [(3, 3, PAIRS)],
    multiplication: [(3, 3, PAIRS), (5, 2, [(3, -4), (7, 15)])],
    truncation: [(3, 3, IN_RANGE), (8, 2, (0, 1, -64, 63))],
    two_truncations: [(4, 2, [(0, 0), (1, -2)])],
    square_of_truncated: [(8, 2, (0, 63)), (4, 3, (-4, 3))],
    truncated_and_open: [(5, 2, [(0, 0), (7, -8)])],
    selection_truncated: [
        (4, 2, [(v, b) for v in range(-4, 4) for b in BITS]),
        (4, 3, [(0, False), (3, True)]),
    ],
    winner: [(3, 2, [(v, a, b) for v in (0, -3) for a in BITS for b in BITS])],
    comparison: [(3, 2, ALL), (5, 2, range(-16, 16, 3)), (8, 2, (-128, 0, 127)), (4, 3, (0, 7))],
    compared_and_true: [(3, 2, [(0, True), (1, True), (-4, False)])],
    two_comparisons: [(3, 2, (-2,))],
    relu: [(4, 2, range(-4, 4)), (4, 3, (-4, 3))],
    larger: [(3, 2, [(0, 0), (1, -2), (-2, 1)])],
    routed: [(3, 2, [(0, 0), (1, -2)])],
    carried: [(3, 2, [(0, 0), (1, -2)])],
    clipped: [(3, 2, (-2, -1, 0, 1))],
}


def cases(table):
    return [
        pytest.param(p, *row, id=f"{p.__name__}-{row[0]}-{row[1]}")
        for p, rows in table.items()
        for row in rows
    ]


@pytest.mark.parametrize(("protocol", "bits", "parties", "secrets"), cases(WHOLE))
def test_views_are_those_of_a_simulator_that_draws_uniform_words(protocol, bits, parties, secrets):
    check_uniform(functools.partial(Enumerated, parties, bits), protocol, secrets)


@pytest.mark.parametrize(("protocol", "bits", "parties", "secrets"), cases(AGAINST))
def test_what_an_honest_party_sends_is_uniform_given_all_that_others_know(protocol, bits, parties, secrets):
    for honest in range(parties):
        for seed in range(1 if protocol is two_comparisons else 3):
            check_uniform(
                functools.partial(Against, parties, bits, honest=honest, seed=seed), protocol, secrets
            )


def own_inputs(secret, coalition):
    """Party ``i`` owns the secret's value ``i``."""
    return tuple(secret[p] for p in coalition if p < len(secret))


def sum_revealed(session, values):
    x, y = (entered(session, v, owner) for owner, v in enumerate(values))
    return revealed([x.plus(y)])[0][0]


def open_sum_revealed(session, values):
    x, y = (shared(session, v) for v in values)
    opened(x, y)
    return revealed([x.plus(y)])[0][0]


def product_revealed(session, values):
    x, y = (entered(session, v, owner) for owner, v in enumerate(values))
    return revealed([product(x, y, np.multiply, x.shape)])[0][0]


def truncation_revealed(session, value):
    """Tells the result, and the places of the opening that round it, which are public coins."""
    number = shared(session, value, 1)
    return coins(number, 1) + 2 * revealed([truncated(number, 0)])[0][0].astype(np.int64)


def coins(number, places):
    return opened(number)[0].public[0].astype(np.int64) % 2**places


def relu_revealed(session, value):
    number = shared(session, value, 1)
    truth = at_least((number, 1))[0]
    return coins(number, 1) + 2 * revealed([gated(truth, number, places=1)])[0][0].astype(np.int64)


def table_revealed(session, value):
    """A table's result depends on the place in its segment, which is public: of two places, here."""
    number = shared(session, value)
    return coins(number, 1) + 2 * revealed([evaluated(number, WITHIN)])[0][0].astype(np.int64)


def comparison_revealed(session, values):
    x, y = (entered(session, v, owner) for owner, v in enumerate(values))
    return revealed_bits(at_least((x.minus(y), 0)))[0][0]


def bit_revealed(session, value):
    (truth,) = at_least((shared(session, value), 0))
    return revealed_bits([truth])[0][0]


GRID = [(x, y) for x in (-2, -1, 0, 1, 3) for y in (-1, 0, 2)]
OWNED = (sum_revealed, product_revealed, comparison_revealed)
REVEALED = [
    (Enumerated, sum_revealed, 3, 2, GRID),
    (Enumerated, sum_revealed, 3, 3, GRID),
    (Enumerated, open_sum_revealed, 3, 2, [(0, 1), (1, 0), (3, -2)]),
    (Against, open_sum_revealed, 4, 3, GRID),
    (Enumerated, product_revealed, 3, 2, GRID),
    (Enumerated, product_revealed, 3, 3, GRID[:6]),
    (Enumerated, truncation_revealed, 4, 2, range(-4, 4)),
    (Enumerated, table_revealed, 4, 2, (-1, 0)),
    (Against, relu_revealed, 4, 2, range(-4, 4)),
    (Against, bit_revealed, 3, 2, range(-4, 4)),
    (Against, bit_revealed, 3, 3, range(-4, 4)),
    (Against, comparison_revealed, 4, 2, GRID),
]


@pytest.mark.parametrize(
    ("kind", "protocol", "bits", "parties", "secrets"),
    [pytest.param(*row, id=f"{row[1].__name__}-{row[2]}-{row[3]}") for row in REVEALED],
)
def test_what_is_revealed_tells_itself_and_nothing_more(kind, protocol, bits, parties, secrets):
    """Secrets with one result, of which a coalition owns the same inputs, make the same views."""
    owned = own_inputs if protocol in OWNED else lambda *_: None
    for options in [{}] if kind is Enumerated else [{"honest": h, "seed": h} for h in range(parties)]:
        check_same(functools.partial(kind, parties, bits, **options), protocol, secrets, owned)


def revealed_to_first(session, value):
    revealed([shared(session, value)], to=0)
    return np.zeros(session.runs)


def bit_revealed_to_first(session, holds):
    revealed_bits([truth(session, holds)], to=0)
    return np.zeros(session.runs)


@pytest.mark.parametrize("parties", [2, 3])
def test_what_one_party_learns_tells_the_others_nothing(parties):
    make = functools.partial(Enumerated, parties, 3)

    def known(secret, coalition):
        return secret if 0 in coalition else None

    check_same(make, revealed_to_first, ALL, known)
    check_same(make, bit_revealed_to_first, BITS, known)


@pytest.mark.parametrize("kind", [Enumerated, Against])
def test_the_check_of_results_tells_results_apart(kind):
    """A protocol that reveals more than it says fails it."""

    def more(session, values):
        sum_revealed(session, values)
        return np.zeros(session.runs)

    with pytest.raises(AssertionError, match=r"can tell the secret \(1, 1\) from \(0, 0\)"):
        check_same(functools.partial(kind, 2, 3), more, [(0, 0), (1, 1)])
