"""docs/protocols.md and docs/threat_model.md: their cost formulas are what a session counts, their wire is the code's."""

import re
from collections.abc import Callable
from math import ceil
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import crypten_lite as ct
from crypten_lite import functions
from crypten_lite.estimate import Survey
from crypten_lite.keys import preparation, sealed
from crypten_lite.openings import Opening
from crypten_lite.protocols.comparison import at_least
from crypten_lite.protocols.conjunction import both
from crypten_lite.protocols.lookup import evaluated
from crypten_lite.protocols.maximum import largest, played
from crypten_lite.protocols.opening import opened, revealed, revealed_bits
from crypten_lite.protocols.product import product
from crypten_lite.protocols.selection import as_number, gated
from crypten_lite.protocols.truncation import truncated
from crypten_lite.roles import agreement, supply
from crypten_lite.session import Spec
from crypten_lite.sharing import entered
from crypten_lite.transport import frames, greeting
from crypten_lite.values import Number, Truth

ROOT = Path(__file__).parents[2]
PAGES = {name: (ROOT / f"docs/{name}.md").read_text() for name in ("protocols", "threat_model")}
WIRE = PAGES["protocols"].partition("\n# The wire\n")[2]
ROW = re.compile(r"^\| ([^|`]+?) \| `(.+?)` \| `(.+?)` \| `(.+?)` \|$", re.MULTILINE)
FORMULAS = {name: formulas for name, *formulas in ROW.findall(PAGES["protocols"])}


def nothing(*shape, dtype: Any = np.uint64):
    """What a session that only counts holds."""
    return np.empty((0, *shape), dtype)


def closed(s, *shape, scale=16):
    return Number(s, shape, np.float32, scale, shares=nothing(*shape))


def is_open(s, *shape, scale=16):
    return Number(s, shape, np.float32, scale, opening=Opening(*(nothing(*shape) for _ in range(3))))


def truth(s, *shape):
    bits = nothing(*shape, dtype=np.uint8)
    return Truth(s, shape, bits, bits)


def cut(s, *shape):
    return truncated(is_open(s, *shape, scale=32), 16)


def times(x, y):
    return lambda: product(x, y, np.multiply, x.shape)


def matmul(s, e):
    return lambda: product(is_open(s, e, 5), is_open(s, 5, 3), np.matmul, (e, 3))


def relu(x):
    return lambda: gated(at_least((x, 1))[0], x, places=16)


def carried(s, e):
    x = is_open(s, 4, e)
    return lambda: played(x, group=4).carried(is_open(s, 4, e))


def of(function, *shape, dtype=np.float32):
    """A function of shared inputs, which are open."""

    def prepared(s, e):
        x = s.share(np.zeros((e, *shape), dtype))
        return lambda: ct.private(function)(x)

    return prepared


def indexed(s, e):
    i, table = s.share(np.zeros(e, np.int32)), s.share(np.zeros((10, 3), np.float32))
    return lambda: ct.private(lambda i, t: jnp.take(t, i, axis=0, mode="clip"))(i, table)


def layer_norm(x):
    return (x - x.mean(-1, keepdims=True)) * jax.lax.rsqrt(x.var(-1, keepdims=True) + 1e-5)


def pooled(x):
    return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 2, 2), (1, 2, 2), "VALID")


# As the page calls it: what is prepared for ``e`` elements, which returns what is counted.
RUNS: dict[str, Callable[..., Callable[[], object]]] = {
    "words of 64 bits": lambda s, e: lambda: s.deal(list, Spec((e,), np.uint64)),
    "numbers or truths": lambda s, e: lambda: entered(s, np.zeros(e, np.float32), 0),
    "numbers": lambda s, e: lambda: opened(closed(s, e)),
    "numbers, to all": lambda s, e: lambda: revealed([closed(s, e)]),
    "numbers, to one": lambda s, e: lambda: revealed([closed(s, e)], to=0),
    "truths, to all": lambda s, e: lambda: revealed_bits([truth(s, e)]),
    "truths, to one": lambda s, e: lambda: revealed_bits([truth(s, e)], to=0),
    "products of open numbers": lambda s, e: times(is_open(s, e), is_open(s, e)),
    "products of numbers that are not open": lambda s, e: times(closed(s, e), closed(s, e)),
    "matrices e x 5 by 5 x 3, both open": matmul,
    "square of a truncated number": lambda s, e: (lambda x: times(x, x))(cut(s, e)),
    "product of a truncated and an open number": lambda s, e: times(cut(s, e), is_open(s, e)),
    "product of two truncated numbers": lambda s, e: times(cut(s, e), cut(s, e)),
    "open numbers, truncated": lambda s, e: lambda: truncated(is_open(s, e, scale=32), 16),
    "numbers that are not open, truncated": lambda s, e: lambda: truncated(closed(s, e, scale=32), 16),
    "one threshold": lambda s, e: lambda: at_least((is_open(s, e), 3)),
    "three thresholds": lambda s, e: lambda: at_least(*((is_open(s, e), t) for t in range(3))),
    "selection": lambda s, e: lambda: gated(truth(s, e), is_open(s, e)),
    "selection with truncation": lambda s, e: lambda: gated(truth(s, e), is_open(s, e, scale=32), places=16),
    "truth as a number": lambda s, e: lambda: as_number(truth(s, e)),
    "ReLU of open numbers, with truncation": lambda s, e: relu(is_open(s, e, scale=32)),
    "ReLU of products, with truncation": lambda s, e: relu(closed(s, e, scale=32)),
    "both": lambda s, e: lambda: both(truth(s, e), truth(s, e)),
    "larger of 2": lambda s, e: lambda: largest(is_open(s, 2, e), group=4),
    "largest of 4": lambda s, e: lambda: largest(is_open(s, 4, e), group=4),
    "largest of 16": lambda s, e: lambda: largest(is_open(s, 16, e), group=4),
    "max-pooling of windows 2 x 2": of(pooled, 2, 2),
    "argmax of 4": of(lambda x: x.argmax(-1), 4),
    "exp of what is at most 0": lambda s, e: lambda: evaluated(is_open(s, e), functions.EXP_NEGATIVE),
    "sigmoid": of(jax.nn.sigmoid),
    "gelu": of(jax.nn.gelu),
    "reciprocal": of(lambda x: 1 / x),
    "square root": of(jnp.sqrt),
    "inverse root": of(jax.lax.rsqrt),
    "logarithm": of(jnp.log),
    "softmax of rows of 10": of(jax.nn.softmax, 10),
    "LayerNorm of rows of 128": of(layer_norm, 128),
    "10 rows of 3 numbers": indexed,
}


def counted(session, prepare, size):
    run = prepare(session, size)
    before = session.cost
    run()
    cost = session.cost - before
    return cost.rounds, cost.bytes_per_party + cost.sharing_bytes, cost.dealer_bytes


def stated(name, e, n):
    return tuple(eval(f, {"e": e, "n": n, "ceil": ceil}) for f in FORMULAS[name])


def test_every_row_of_the_page_is_checked():
    assert list(FORMULAS) == list(RUNS)


@pytest.mark.parametrize("parties", [2, 3, 5])
@pytest.mark.parametrize("name", RUNS)
def test_the_page_says_what_a_session_counts(name, parties):
    for size in (1, 7, 24, 1000):
        assert stated(name, size, parties) == counted(Survey(parties), RUNS[name], size)


def test_a_wrong_formula_is_noticed():
    assert stated("both", 9, 2) == counted(Survey(2), RUNS["both"], 9) != stated("both", 8, 2)


def test_a_run_counts_the_same():
    with ct.simulate(parties=3) as session:
        x, before = session.share(np.linspace(-1, 1, 20, dtype=np.float32)), session.cost
        ct.private(jax.nn.sigmoid)(x)
        cost = session.cost - before
    assert (cost.rounds, cost.bytes_per_party, cost.dealer_bytes) == stated("sigmoid", 20, 3)


def test_the_kinds_of_frames_are_those_of_the_code():
    rows = re.findall(r"^\| ([A-Z]+) \| (\d) \|", WIRE, re.MULTILINE)
    assert {name: int(number) for name, number in rows} == {k.name: k.value for k in frames.Kind}


@pytest.mark.parametrize(
    "said",
    [
        f"a header of {len(frames.header(frames.Kind.CONTROL, 0, 0))} bytes",
        f"JSON object of at most {frames.LONGEST_CONTROL} bytes",
        f"at most {frames.LONGEST_REASON} bytes of text",
        f"of at most {greeting.LONGEST} bytes",
        f"MATERIAL frames of {supply.FRAME} bytes",
        f"| {sealed.CHUNK} + 16 each |",
        f"a seed of {preparation.SEED} bytes",
        f'"protocol": {greeting.PROTOCOL}',
        f"`FOLDER/PARTY/ID{preparation.ENDING}`",
    ],
)
def test_the_wire_is_that_of_the_code(said):
    assert said in " ".join(WIRE.split())


SETTINGS = {
    "protocol": "version of the protocol",
    "code": "digest of the source",
    "parties": "names of the parties and their order",
    "certificates": "fingerprints of all certificates",
    "dealer": "dealer and whether it is there or has prepared",
    "ring": "bits of the ring",
    "fraction": "binary places",
}


def test_the_settings_that_are_compared_are_told():
    point = ct.simulate().point
    compared = agreement.settings({"alice": "", "bob": ""}, ["dealer", "", "online"], point)
    assert set(compared) == set(SETTINGS)
    (told,) = re.findall(r"\*\*Settings and inputs\.\*\*(.*?)Any difference", " ".join(WIRE.split()))
    assert [words for words in SETTINGS.values() if words not in told] == []


def slugs(page):
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name):
    links = re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", PAGES[name])
    assert len(links) > 5
    for path, anchor in links:
        target = ROOT / "docs" / (path or f"{name}.md")
        assert target.exists(), path
        assert not anchor or anchor in slugs(target.read_text()), (path, anchor)


def test_every_test_that_a_page_names_is_there():
    named = {
        n for page in PAGES.values() for n in re.findall(r"`(?:tests/crypten_lite/)?(test_\w+\.py)`", page)
    }
    assert named
    assert {n for n in named if not (ROOT / "tests/crypten_lite" / n).exists()} == set()
