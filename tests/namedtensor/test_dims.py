"""Names: their grammar, their interning, and the algebra by which operations combine them."""

import copy
import pickle
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from namedtensor._dims import Dims, dims, pattern, require, require_new, sized, union, without
from namedtensor._errors import BadPattern, DuplicateDim, InvalidName, MissingDim, UnknownDim

GOOD = ["batch", "b", "_", "_1", "BATCH_5", "batch9", "seq'", "seq''", "größe", "class", "x_1'"]
BAD = ["", " ", "1st", "a b", "a,b", "a-b", "a.b", "a:3", "?", "...", "'", "'a", "a'b", "a\n", None, 3, b"a"]


@pytest.mark.parametrize("name", GOOD)
def test_a_good_name(name):
    assert dims([name]) == (name,)
    assert dims(name) is dims([name])


@pytest.mark.parametrize("name", BAD)
def test_a_bad_name(name):
    with pytest.raises(InvalidName, match="is not a name"):
        dims([name])


def test_a_size_is_not_part_of_a_name():
    with pytest.raises(InvalidName, match="write 'batch' here"):
        dims("batch:8")


@pytest.mark.parametrize("spec", ["a b a", "a a", ["b", "a", "b"]])
def test_a_name_stands_once(spec):
    with pytest.raises(DuplicateDim, match="stands twice"):
        dims(spec)


@pytest.mark.parametrize(
    "spec",
    ["a b", " a  b ", "a, b", "a,b", ["a", "b"], ("a", "b"), iter("ab"), Dims("ab")],
    ids=lambda s: type(s).__name__,
)
def test_every_spelling_is_one_object(spec):
    assert dims(spec) is dims("a b")


def test_order_is_part_of_the_content():
    assert dims("a b") is not dims("b a")
    assert dims("a b") != dims("b a")


def test_no_names_are_one_object_too():
    assert dims("") is dims([]) is Dims() is without(dims("a"), "a")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("spec", ["", "a", "a b'"])
def test_pickle_interns_again(spec, protocol):
    assert pickle.loads(pickle.dumps(dims(spec), protocol)) is dims(spec)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_copy_is_the_same_object(copied):
    assert copied(dims("a b")) is dims("a b")
    assert copied([dims("a b")])[0] is dims("a b")


def test_threads_agree_on_one_object():
    workers, rounds = 8, 200
    gate, made = threading.Barrier(workers), [[None] * workers for _ in range(rounds)]

    def work(which):
        for i in range(rounds):
            gate.wait()
            made[i][which] = Dims([f"thread_{i}", "other"])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(len({id(d) for d in row}) == 1 for row in made)


def test_str_reads_back():
    assert str(dims("a b'")) == "a b'"
    assert dims(str(dims("a b'"))) is dims("a b'")


@pytest.mark.parametrize(
    ("spec", "names", "sizes"),
    [("", "", ()), ("a:0", "a", (0,)), ("batch:8  embed':64", "batch embed'", (8, 64))],
)
def test_sized(spec, names, sizes):
    assert sized(spec) == (dims(names), sizes)


@pytest.mark.parametrize("spec", ["a", "a:", "a:b", "a:-1", "a:1.5", "a:2 b", "a:2:3"])
def test_a_factory_needs_sizes(spec):
    with pytest.raises(BadPattern, match="has no size"):
        sized(spec)


some_dims = st.lists(st.sampled_from("abcdef"), unique=True).map(Dims)
algebra = settings(max_examples=200, deadline=None)


@algebra
@given(st.lists(some_dims, min_size=1, max_size=4))
def test_union_has_all_names_once(operands):
    out = union(*operands)
    assert set(out) == set().union(*operands)
    assert out is dims(out)


@algebra
@given(some_dims, some_dims, some_dims)
def test_union_is_commutative_associative_idempotent(a, b, c):
    assert set(union(a, b)) == set(union(b, a))
    assert set(union(union(a, b), c)) == set(union(a, union(b, c)))
    assert union(a, a) is a
    assert union(a, Dims()) is union(Dims(), a) is a


@algebra
@given(some_dims, st.data())
def test_union_with_fewer_names_moves_nothing(a, data):
    fewer = data.draw(st.lists(st.sampled_from(a), unique=True).map(Dims) if a else st.just(a))
    assert union(a, fewer) is a
    if len(fewer) < len(a):
        assert union(fewer, a) is a


@algebra
@given(some_dims, some_dims)
def test_without_is_the_difference_in_order(a, b):
    left = without(a, b)
    assert set(left) == set(a) - set(b)
    assert sorted(left, key=a.index) == list(left)
    assert without(left, b) is left
    assert set(union(left, without(a, left))) == set(a)


@algebra
@given(some_dims, some_dims)
def test_require_returns_what_is_there_and_refuses_the_rest(there, wanted):
    missing = [d for d in wanted if d not in there]
    if not missing:
        assert require(there, list(wanted)) is wanted
        return
    with pytest.raises(UnknownDim) as caught:
        require(there, wanted)
    assert repr(missing[0]) in str(caught.value)


@algebra
@given(some_dims, st.sampled_from("abcdef"))
def test_require_new_is_the_opposite(there, name):
    if name not in there:
        assert require_new(there, name) == name
        return
    with pytest.raises(DuplicateDim):
        require_new(there, name)


@algebra
@given(some_dims, st.data())
def test_pattern_is_a_permutation(there, data):
    listed = data.draw(st.permutations(there))[: data.draw(st.integers(0, len(there)))]
    at = data.draw(st.integers(0, len(listed)))
    spec = [*listed[:at], "...", *listed[at:]]
    out = pattern(" ".join(spec), there)
    rest = list(without(there, listed))
    assert list(out) == [*listed[:at], *rest, *listed[at:]]
    assert out is pattern(spec, there) is dims(out)


@algebra
@given(some_dims, st.data())
def test_pattern_without_dots_lists_every_name(there, data):
    target = Dims(data.draw(st.permutations(there)))
    assert pattern(str(target), there) is target
    if there:
        with pytest.raises(MissingDim, match="leaves out"):
            pattern(target[1:], there)


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        ("... a ...", BadPattern),
        ("... ...", BadPattern),
        ("a", MissingDim),
        ("", MissingDim),
        ("a c", MissingDim),
        ("c ...", UnknownDim),
        ("a a b", DuplicateDim),
        ("a ... a", DuplicateDim),
        ("a .. b", InvalidName),
    ],
)
def test_pattern_refuses(spec, error):
    with pytest.raises(error):
        pattern(spec, dims("a b"))
