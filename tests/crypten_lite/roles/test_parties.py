"""Real parties over real connections: they compute what a simulation computes, and send what it counts."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import crypten_lite as ct
import namedtensor as nt
from crypten_lite.errors import AgreementError, MaterialError, PeerAbortedError
from crypten_lite.roles.running import prepare
from tests.crypten_lite.roles.roles import identities, play, settings
from tests.crypten_lite.test_roles import PROGRAMS, X

THREE = ("alice", "bob", "carol")


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return identities(tmp_path_factory.mktemp("keys"), (*THREE, "dealer"))


def private_program(fun, to=None):
    def program(session):
        x, w = session.input("x", owner="alice"), session.input("w", owner="bob")
        results = ct.private(fun)(x, w)
        return jax.tree.map(
            lambda y: y.reveal(to=to), results, is_leaf=lambda y: isinstance(y, ct.SharedTensor)
        )

    return program


def checked(outcomes):
    for outcome in outcomes.values():
        if isinstance(outcome, Exception):
            raise outcome
    return outcomes


@pytest.mark.parametrize("names", [THREE[:2], THREE], ids=len)
@pytest.mark.parametrize(
    ("fun", "w"), PROGRAMS, ids=["mlp", "gradient", "cnn", "its gradient", "norm", "logic"]
)
def test_parties_compute_what_a_simulation_does(fun, w, names, keys):
    inputs = {"alice": {"x": X}, "bob": {"w": w}}
    outcomes = checked(play(settings(keys, names), private_program(fun), inputs))
    with ct.simulate(names, inputs=inputs) as session:
        simulated = private_program(fun)(session)
    for name in names:
        for found, expected, plain in zip(
            *map(jax.tree.leaves, (outcomes[name].results, simulated, fun(X, w))), strict=True
        ):
            np.testing.assert_allclose(found, plain, atol=0.02)
            assert found.dtype == expected.dtype
    assert all(o.cost == session.cost for o in outcomes.values())
    shared = {"alice": X.size * 8, "bob": w.size * 8}
    cost = session.cost
    for name in names:
        others = [n for n in names if n != name]
        each = cost.bytes_per_party // len(others) + shared.get(name, 0)
        assert outcomes[name].sent == dict.fromkeys(others, each)
        assert outcomes[name].received.get("dealer", 0) == (cost.dealer_bytes if name == names[-1] else 0)
    assert sum(shared.values()) * (len(names) - 1) == cost.sharing_bytes


def test_a_result_for_one_party_is_seen_by_no_other(keys):
    inputs = {"alice": {"x": X}, "bob": {"w": PROGRAMS[0][1]}}
    outcomes = checked(play(settings(keys), private_program(PROGRAMS[0][0], to="alice"), inputs))
    np.testing.assert_allclose(outcomes["alice"].results, PROGRAMS[0][0](X, PROGRAMS[0][1]), atol=0.01)
    hidden = outcomes["bob"].results
    assert (hidden.shape, hidden.dtype) == ((6, 5), np.float32)
    assert outcomes["dealer"].results is None
    for use in (np.asarray, bool, float, lambda u: u + 1, lambda u: 1.0 * u, np.argmax, lambda u: u[0], list):
        with pytest.raises(TypeError, match=r"Unrevealed\(float32\[6, 5\]\) was revealed to another party"):
            use(hidden)


def test_names_of_dims_and_trees_come_through(keys):
    inputs = {
        "alice": {"image": nt.tensor(np.ones((2, 3), np.float32), "row col")},
        "bob": {"model": [{"w": np.full((3,), 2, np.int32)}, {"flag": np.array(True)}]},
    }

    def program(session):
        image, model = session.input("image", owner="alice"), session.input("model", owner="bob")
        seen = image.dims, model[0]["w"].dtype, model[1]["flag"].dtype
        return (
            image.sum("row").reveal(),
            (model[0]["w"] * 3).reveal(to="bob"),
            model[1]["flag"].reveal(),
            seen,
        )

    outcomes = checked(play(settings(keys), program, inputs))
    total, _, flag, (dims, *dtypes) = outcomes["alice"].results
    assert tuple(total.dims) == ("col",)
    assert tuple(dims) == ("row", "col")
    assert dtypes == [np.int32, np.bool_]
    np.testing.assert_array_equal(total.array, [2, 2, 2])
    assert bool(flag)
    np.testing.assert_array_equal(outcomes["bob"].results[1], [6, 6, 6])


def test_prepared_material_serves_each_run_once(keys, tmp_path):
    program = private_program(PROGRAMS[0][0])
    inputs = {"alice": {"x": X}, "bob": {"w": PROGRAMS[0][1]}}
    shapes = [
        {k: jax.ShapeDtypeStruct(v.shape, v.dtype) for k, v in inputs[name].items()}
        for name in ("alice", "bob")
    ]
    dealer = settings(keys)["dealer"]
    cost = prepare(dealer, program, shapes, tmp_path, runs=2, log=lambda _: None)
    found = []
    for _ in range(2):
        given = settings(keys, material=tmp_path)
        given = {n: _with_folder(s, tmp_path / n) for n, s in given.items()}
        outcomes = checked(play(given, program, inputs))
        assert outcomes["alice"].cost == cost
        found.append(outcomes["bob"].results)
        np.testing.assert_allclose(found[-1], PROGRAMS[0][0](X, PROGRAMS[0][1]), atol=0.01)
    given = {n: _with_folder(s, tmp_path / n) for n, s in settings(keys, material=tmp_path).items()}
    outcomes = play(given, program, inputs)
    assert {type(o) for o in outcomes.values()} <= {MaterialError, PeerAbortedError}
    assert any(isinstance(o, MaterialError) for o in outcomes.values())


def _with_folder(setting, folder):
    from dataclasses import replace

    return replace(setting, material=folder)


def two(x, w):
    return jnp.tanh(x @ w) * 2


def three(x, w):
    return jnp.tanh(x @ w) * 3


def longer(x, w):
    return jax.nn.relu(jnp.tanh(x @ w))


@pytest.mark.parametrize(
    ("other", "text"),
    [
        (three, r"bob runs another program. Its private function 0 is three of \d+ equations"),
        (longer, r"bob runs another program. Its private function 0 is longer of \d+ equations"),
    ],
)
def test_other_programs_stop_all_before_the_first_round(other, text, keys):
    inputs = {"alice": {"x": X}, "bob": {"w": PROGRAMS[0][1]}}
    programs = {n: private_program(other if n == "bob" else two) for n in ("alice", "bob", "dealer")}
    outcomes = play(settings(keys), programs, inputs)
    for name, error in outcomes.items():
        assert isinstance(error, AgreementError | PeerAbortedError), name
    with pytest.raises(AgreementError, match=text):
        raise outcomes["alice"]
    assert isinstance(outcomes["bob"], AgreementError)


def test_other_public_numbers_stop_all(keys):
    inputs = {"alice": {"x": X}, "bob": {"w": PROGRAMS[0][1]}}

    def with_table(table):
        return private_program(lambda x, w: x @ w + jnp.asarray(table)[None])

    table = np.arange(5, dtype=np.float32)
    programs = {n: with_table(table + (n == "bob")) for n in ("alice", "bob", "dealer")}
    outcomes = play(settings(keys), programs, inputs)
    with pytest.raises(AgreementError, match="its shapes or its public numbers are not those here"):
        raise outcomes["alice"]
    assert all(isinstance(o, AgreementError | PeerAbortedError) for o in outcomes.values())


def test_other_settings_stop_all(keys):
    inputs = {"alice": {"x": X}, "bob": {"w": PROGRAMS[0][1]}}
    given = settings(keys)
    given["bob"] = type(given["bob"])(**{**vars(given["bob"]), "fraction": 20})
    outcomes = play(given, private_program(two), inputs)
    text = r"bob has other settings. the binary places \(fraction\): 16 here, 20 at bob"
    with pytest.raises(AgreementError, match=text):
        raise outcomes["alice"]
    assert all(isinstance(o, AgreementError | PeerAbortedError) for o in outcomes.values())


def test_a_program_that_changes_after_its_rehearsal_stops(keys):
    inputs = {"alice": {"x": X}, "bob": {"w": PROGRAMS[0][1]}}
    chance = np.random.default_rng()

    def program(session):
        noise = chance.normal(size=5).astype(np.float32)
        return private_program(lambda x, w: x @ w + noise[None])(session)

    def longer_at_last(session):
        x = session.input("x", owner="alice")
        if not session.is_rehearsal:
            x = x * x
        return x.reveal()

    def shorter_at_last(session):
        x = session.input("x", owner="alice")
        return x.reveal() if session.is_rehearsal else None

    for each, text in [
        (dict.fromkeys(("alice", "bob", "dealer"), program), "runs another program|does something else than"),
        (longer_at_last, "does something else than in its rehearsal: step 3 was reveal"),
        (shorter_at_last, "the program ended after 3 of the 5 steps it rehearsed"),
    ]:
        outcomes = play(settings(keys), each, inputs)
        assert all(isinstance(o, AgreementError | PeerAbortedError) for o in outcomes.values()), outcomes
        with pytest.raises(AgreementError, match=text):
            raise outcomes["alice"]


def test_what_fails_at_one_party_is_told_without_its_numbers(keys):
    inputs = {"alice": {"x": X}, "bob": {"w": PROGRAMS[0][1] * np.float32(1e30)}}
    outcomes = play(settings(keys), private_program(two), inputs)
    assert isinstance(outcomes["bob"], ValueError)
    assert isinstance(outcomes["alice"], PeerAbortedError)
    assert "ValueError" in str(outcomes["alice"])
    assert not any(c.isdigit() for c in str(outcomes["alice"]))
    text = (
        "the value has numbers that cannot be shared: NaN, infinity, or 1.07374e+09 and more. They are secret"
    )
    assert str(outcomes["bob"]).startswith(text)
    assert isinstance(outcomes["dealer"], Exception) or outcomes["dealer"].results is None


def wired(session, swapped=False, other=False):
    """Two products of equal shapes; which of them is revealed, and of what they are, is all that differs."""
    times = ct.private(lambda x, y: x * y)
    a, b = session.input("a", owner="alice"), session.input("b", owner="alice")
    w = session.input("w", owner="bob")
    pairs = [(w, w), (a, b)] if swapped else [(a, b), (w, w)]
    products = [times(*pair) for pair in pairs]
    return products[1 if other else 0].reveal(to="bob")


@pytest.mark.parametrize("role", ["alice", "bob", "dealer"])
@pytest.mark.parametrize("difference", ["swapped", "other"])
def test_programs_that_differ_in_which_value_is_meant_stop_all(difference, role, keys):
    """Messages would be alike, and masks would not: somebody would learn an input."""
    inputs = {"alice": {"a": X, "b": X + 1}, "bob": {"w": X}}
    programs = {
        n: lambda s, n=n: wired(s, **({difference: True} if n == role else {}))
        for n in ("alice", "bob", "dealer")
    }
    outcomes = play(settings(keys), programs, inputs)
    assert all(isinstance(o, AgreementError | PeerAbortedError) for o in outcomes.values()), outcomes
    assert isinstance(outcomes[role], AgreementError)


def test_what_is_revealed_to_whom_is_told_before(keys):
    said = []
    inputs = {"alice": {"a": X, "b": X + 1}, "bob": {"w": X}}
    checked(play(settings(keys), wired, inputs, log=said.append))
    for line in ("alice brings a", "alice brings b", "bob brings w", "float32[6, 8] is revealed to bob"):
        assert said.count(line) == 3, line


def test_results_for_somebody_else_stop_all_and_say_so(keys):
    inputs = {"alice": {"x": X}, "bob": {"w": PROGRAMS[0][1]}}
    programs = {
        n: private_program(two, to="bob" if n == "bob" else "alice") for n in ("alice", "bob", "dealer")
    }
    outcomes = play(settings(keys), programs, inputs)
    text = "There float32[6, 5] is revealed to bob, here float32[6, 5] is revealed to alice"
    with pytest.raises(AgreementError, match=re.escape(text)):
        raise outcomes["alice"]
    assert all(isinstance(o, AgreementError | PeerAbortedError) for o in outcomes.values())


def test_results_together_take_one_round(keys):
    inputs = {"alice": {"x": X}, "bob": {"w": X}}

    def program(session):
        x, w = session.input("x", owner="alice"), session.input("w", owner="bob")
        values = {"sum": x + w, "more": [x < w, x - w], "public": 7}
        return session.reveal(values, to="alice")

    outcomes = checked(play(settings(keys), program, inputs))
    found = outcomes["alice"].results
    np.testing.assert_array_equal(found["more"][0], X < X)
    np.testing.assert_allclose(found["sum"], 2 * X, atol=1e-4)
    assert (found["public"], outcomes["bob"].results["public"]) == (7, 7)
    assert outcomes["alice"].cost.by_layer["revealing"].rounds == 2  # one of numbers, one of truths


def test_another_version_of_the_code_stops_all(keys, monkeypatch):
    """Two versions may deal tables of equal shapes that say something else."""
    given = settings(keys)
    terms = {**given["bob"].terms, "code": "0" * 64}
    monkeypatch.setattr(
        type(given["bob"]), "terms", property(lambda s: terms if s.name == "bob" else {**terms, "code": "1"})
    )
    outcomes = play(given, private_program(two), {"alice": {"x": X}, "bob": {"w": PROGRAMS[0][1]}})
    with pytest.raises(
        AgreementError, match=r"the version of crypten_lite \(a digest of its source\): 1 here"
    ):
        raise outcomes["alice"]
    assert all(isinstance(o, AgreementError | PeerAbortedError) for o in outcomes.values())


def test_a_revealed_number_that_has_no_place_is_not_shown(keys):
    inputs = {"alice": {"x": np.array([100], np.int8)}}

    def program(session):
        x = session.input("x", owner="alice")
        return (x * x).reveal(to="alice")

    outcomes = play(settings(keys), program, inputs)
    with pytest.raises(
        OverflowError, match="a revealed number is beyond int8: in shares whole numbers do not wrap"
    ):
        raise outcomes["alice"]
