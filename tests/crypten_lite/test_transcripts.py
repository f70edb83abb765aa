"""Transcripts of whole programs at 64 bits: they look random, and alike for all inputs."""

import ast
import functools
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import crypten_lite as ct
from crypten_lite.functions import EXP
from crypten_lite.openings import Opening
from crypten_lite.protocols.comparison import at_least
from crypten_lite.protocols.conjunction import both
from crypten_lite.protocols.lookup import evaluated
from crypten_lite.protocols.maximum import largest
from crypten_lite.protocols.opening import opened
from crypten_lite.protocols.product import product
from crypten_lite.protocols.selection import as_number, gated
from crypten_lite.protocols.truncation import truncated
from crypten_lite.values import Number
from tests.crypten_lite.chances import Seeded, check_chances, structure


def truncation(session, value):
    opened(truncated(session.number(value, 32), 16))


def comparison(session, value):
    number = session.number(value)
    (truth,) = at_least((number, 1))
    opened(gated(truth, number, places=1), as_number(truth))


def conjunction(session, value):
    number = session.number(value)
    both(*at_least((number, 0), (number, 5)))


def multiplication(session, value):
    x, y = session.number(value), session.number(-value)
    z = product(x, y, np.multiply, x.shape)
    opened(z, product(z, x, np.multiply, x.shape))


def maximum(session, value):
    rows = session.number(value)
    opened(largest(rows.map(lambda a: a.reshape(len(a), 4, -1), (4, rows.size // 4)), group=4))


def table(session, value):
    opened(evaluated(session.number(value, 16), EXP))


PROTOCOLS = [truncation, comparison, conjunction, multiplication, maximum, table]


@pytest.mark.parametrize("parties", [2, 3])
@pytest.mark.parametrize("value", [0, -(2**61) + 12345])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_each_party_sees_looks_random(protocol, value, parties):
    check_chances(functools.partial(Seeded, parties), functools.partial(protocol, value=value))


def network(params, x):
    h = jax.nn.relu(x @ params["in"])
    h = h + jnp.tanh(h)
    return jax.nn.softmax(h @ params["out"])


def gradient(params, x):
    return jax.grad(lambda x: network(params, x)[:, 0].sum())(x)


def arguments(kind):
    shapes = {"in": (12, 16), "out": (16, 4)}
    if kind == "zeros":
        return {k: np.zeros(s, np.float32) for k, s in shapes.items()}, np.zeros((8, 12), np.float32)
    chance = np.random.default_rng(1)
    params = {k: chance.normal(size=s).astype(np.float32) for k, s in shapes.items()}
    return params, 100 * chance.normal(size=(8, 12)).astype(np.float32)


def transcript(function, kind, parties=2, make=Seeded):
    session = make(parties)
    params, x = arguments(kind)
    shared = session.share(params, owner=1), session.share(x)
    return session, ct.private(function)(*shared)


@pytest.mark.parametrize("parties", [2, 3])
@pytest.mark.parametrize("function", [network, gradient])
def test_transcripts_of_different_inputs_have_one_structure(function, parties):
    (zeros, _), (others, result) = (transcript(function, kind, parties) for kind in ("zeros", "others"))
    assert structure(zeros) == structure(others)
    assert zeros.cost == others.cost
    assert np.isfinite(result.reveal()).all()


@pytest.mark.parametrize("parties", [2, 3])
def test_costs_are_the_bytes_of_the_transcript(parties):
    session, result = transcript(gradient, "others", parties)
    result.reveal()
    total = dict.fromkeys(
        [("dealt", parties - 1), ("entered", 0), ("entered", 1), *(("sent", p) for p in range(parties))], 0
    )
    for e in session.entries:
        if e.kind != "drawn":
            total[e.kind, e.party] += e.words.nbytes
    assert total["dealt", parties - 1] == session.cost.dealer_bytes
    assert (total["entered", 0] + total["entered", 1]) * (parties - 1) == session.cost.sharing_bytes
    for party in range(parties):
        assert total["sent", party] * (parties - 1) == session.cost.bytes_per_party


@pytest.mark.parametrize("owner", [0, 1])
def test_what_is_computed_does_not_depend_on_inputs(owner):
    """Who skips a product with zeros is faster, and that can be seen."""
    counts = []
    for value in (0, 3):
        session = Seeded(2)
        elements = np.full((4, 4), value, np.uint64)
        x, y = (
            Number(session, (4, 4), np.float32, 16, opening=Opening(*session.enter(elements, owner)))
            for _ in range(2)
        )
        calls: list[object] = []
        product(x, y, lambda a, b, calls=calls: calls.append(a) or a @ b, (4, 4))
        counts.append(len(calls))
    assert counts[0] == counts[1]


def check_openings_differ(function, make=Seeded):
    """Of inputs and weights that are all zero most values are equal, and so is what is opened under one mask."""
    session, _ = transcript(function, "zeros", make=make)
    words = np.concatenate([o.ravel() for o in session.opened if o.dtype == np.uint64])
    assert len(words) > 200, "nothing was opened"
    assert len(np.unique(words)) == len(words), "what is opened is not random: some of it comes twice"


@pytest.mark.parametrize("function", [network, gradient])
def test_no_mask_is_used_twice(function):
    check_openings_differ(function)


def openers():
    """All functions that call ``session.open``, as the page on proofs names them."""
    package = Path(ct.__file__).parent
    for path in sorted(package.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and "session.open(" in ast.unparse(node):
                yield f"| `{path.relative_to(package).as_posix()}` `{node.name}` |"


def test_the_page_on_proofs_argues_for_everything_that_is_opened():
    page = (Path(__file__).parents[2] / "docs/private_proofs.md").read_text()
    found = list(openers())
    assert len(found) >= 6
    assert [o for o in found if o not in page] == []


def test_no_repr_shows_a_share():
    """A log or a traceback is no place for what hides a secret."""
    session = Seeded(2)
    number = truncated(session.number(5, 32), 16)
    (truth,) = at_least((number, 0))
    things = [session, session.mask((3,)), number, truth, number.opening, number.half, *session._generators]
    for thing in things:
        assert "array" not in repr(thing)
        assert len(repr(thing)) < 80


def test_the_flag_of_jax_stays_off():
    assert not jax.config.jax_enable_x64
    transcript(gradient, "others")
    assert not jax.config.jax_enable_x64
    assert jnp.arange(3).dtype == jnp.int32
