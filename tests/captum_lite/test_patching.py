"""Patching against replacing by hand, and the linear approximation where it is exact."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import namedtensor as nt
from captum_lite import activation_patching, attribution_patching
from namedtensor.interpreter import UnknownTapError
from namedtensor.models import transformer

RNG = np.random.default_rng(47)
BATCH, TIME, FEATURE, HIDDEN, CLASS = 3, 4, 5, 6, 2
CLEAN, CORRUPTED = RNG.normal(size=(2, BATCH, TIME, FEATURE))
W = {
    "in": RNG.normal(size=(FEATURE, HIDDEN)),
    "mid": RNG.normal(size=(HIDDEN, HIDDEN)),
    "mix": RNG.normal(size=(TIME, TIME)),
    "out": RNG.normal(size=(HIDDEN, CLASS)),
}
EXACT = {"rtol": 1e-10, "atol": 1e-12}
PLACES = ["one", "two", "branch"]


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def net(x: Any) -> Any:
    """``[batch, class]``: two hidden layers and a residual branch."""
    h = nt.tap(jnp.tanh(x @ W["in"]), "one")
    h = nt.tap(jnp.tanh(jnp.einsum("bth,ts->bsh", h @ W["mid"], W["mix"])), "two")
    return (h + nt.tap(jnp.sin(h), "branch")).sum(1) @ W["out"]


def named(x: Any) -> Any:
    """The same with names, stored in other orders."""
    w = {
        k: nt.tensor(v, d)
        for (k, v), d in zip(W.items(), ("feature a", "a b", "time next", "b class"), strict=True)
    }
    h = nt.tap(x.dot("feature", w["in"]).tanh().order(["a", "batch", "time"]), "one")
    h = h.dot("a", w["mid"]).dot("time", w["mix"]).rename(next="time").tanh()
    h = nt.tap(h, "two")
    return (h + nt.tap(h.sin(), "branch")).sum("time").dot("b", w["out"])


def there(x: Any) -> dict[str, Any]:
    return nt.capture(net)(jnp.asarray(x))[1]


def by_hand(place: str, value: Any, target: int = 1) -> Any:
    """How much the corrupted run changes with this value at a place."""
    return (nt.replace(net, {place: value})(CORRUPTED) - net(CORRUPTED))[:, target]


# activation patching


def test_whole_places():
    found = activation_patching(net, CLEAN, CORRUPTED, metric=1)
    assert list(found) == PLACES
    for place in PLACES:
        np.testing.assert_allclose(found[place], by_hand(place, there(CLEAN)[place]), **EXACT)
    np.testing.assert_allclose(found.clean, net(CLEAN)[:, 1], **EXACT)
    np.testing.assert_allclose(found.corrupted, net(CORRUPTED)[:, 1], **EXACT)
    assert found.evaluations == {"forward": BATCH * 5, "gradient": 0}


def test_a_cut_restores_everything():
    found = activation_patching(net, CLEAN, CORRUPTED, ["one"], metric=1)
    np.testing.assert_allclose(found.restored()["one"], 1, **EXACT)


@pytest.mark.parametrize("rows", [None, BATCH, 2 * BATCH])
def test_position_by_position(rows):
    found = activation_patching(net, CLEAN, CORRUPTED, "two", metric=1, over=1, internal_batch_size=rows)[
        "two"
    ]
    assert found.shape == (BATCH, TIME)
    for t in range(TIME):
        value = there(CORRUPTED)["two"].at[:, t].set(there(CLEAN)["two"][:, t])
        np.testing.assert_allclose(found[:, t], by_hand("two", value), **EXACT)


def test_two_axes():
    found = activation_patching(net, CLEAN, CORRUPTED, "one", metric=1, over=(-1, 1))["one"]
    assert found.shape == (BATCH, HIDDEN, TIME)
    value = there(CORRUPTED)["one"].at[:, 2, 5].set(there(CLEAN)["one"][:, 2, 5])
    np.testing.assert_allclose(found[:, 5, 2], by_hand("one", value), **EXACT)


def test_a_metric_of_ones_own():
    found = activation_patching(net, CLEAN, CORRUPTED, "one", metric=lambda out: out[:, 0] - out[:, 1])
    expected = by_hand("one", there(CLEAN)["one"], 0) - by_hand("one", there(CLEAN)["one"], 1)
    np.testing.assert_allclose(found["one"], expected, **EXACT)


METHODS = [activation_patching, attribution_patching]


@pytest.mark.parametrize("method", METHODS)
def test_names(method):
    x, c = nt.tensor(CLEAN, "batch time feature"), nt.tensor(CORRUPTED.swapaxes(0, 2), "feature time batch")
    whole = method(named, x, c, metric={"class": 1})
    expected = method(net, CLEAN, CORRUPTED, metric=1)
    for place in PLACES:
        np.testing.assert_allclose(whole[place].to_array("batch"), expected[place], **EXACT)
    by_time = method(named, x, c, ["one", "two"], metric={"class": 1}, over="time")
    expected = method(net, CLEAN, CORRUPTED, ["one", "two"], metric=1, over=1)
    for place in ("one", "two"):
        assert dict(by_time[place].shape) == {"batch": BATCH, "time": TIME}
        np.testing.assert_allclose(by_time[place].to_array("batch time"), expected[place], **EXACT)
    assert dict(by_time.restored()["one"].shape) == {"batch": BATCH, "time": TIME}
    both = method(named, x, c, "one", metric={"class": 1}, over="time a")["one"]
    assert dict(both.shape) == {"batch": BATCH, "time": TIME, "a": HIDDEN}


# attribution patching


def quadratic(x: Any) -> Any:
    """Affine in each tap: what follows is linear."""
    h = nt.tap(x @ W["in"], "one")
    return (nt.tap(h @ W["mid"], "two") + nt.tap(3 * h, "branch")).sum(1) @ W["out"]


@pytest.mark.parametrize("gradient_at", ["corrupted", "clean"])
def test_exact_where_what_follows_is_linear(gradient_at):
    exact = activation_patching(quadratic, CLEAN, CORRUPTED, metric=0, over=1)
    linear = attribution_patching(quadratic, CLEAN, CORRUPTED, metric=0, over=1, gradient_at=gradient_at)
    assert list(linear) == list(exact)
    for place, effect in exact.items():
        np.testing.assert_allclose(linear[place], effect, **EXACT)
    assert linear.evaluations == {"forward": 2 * BATCH, "gradient": BATCH}


@pytest.mark.parametrize("gradient_at", ["corrupted", "clean"])
def test_it_is_gradient_times_difference(gradient_at):
    found = attribution_patching(net, CLEAN, CORRUPTED, metric=1, gradient_at=gradient_at)
    at = CLEAN if gradient_at == "clean" else CORRUPTED
    for place in PLACES:
        value = there(at)[place]
        slopes = jax.grad(lambda v, place=place, at=at: nt.replace(net, {place: v})(at)[:, 1].sum())(value)
        expected = (slopes * (there(CLEAN)[place] - there(CORRUPTED)[place])).sum((1, 2))
        np.testing.assert_allclose(found[place], expected, **EXACT)


def test_it_approximates_small_changes():
    near = CLEAN + 1e-5 * CORRUPTED
    exact, linear = (method(net, CLEAN, near, metric=1) for method in METHODS)
    for place, effect in exact.items():
        np.testing.assert_allclose(linear[place], effect, rtol=1e-3)


# loops, places passed twice, tokens


def looped(x: Any) -> Any:
    def block(h: Any, w: Any) -> tuple[Any, None]:
        return nt.tap(jnp.tanh(h @ w), "block"), None

    h = jax.lax.scan(block, x @ W["in"], np.stack([W["mid"], -W["mid"], W["mid"].T]))[0]
    return h.sum(1) @ W["out"]


def unrolled(x: Any) -> Any:
    h = x @ W["in"]
    for w in (W["mid"], -W["mid"], W["mid"].T):
        h = nt.tap(jnp.tanh(h @ w), "block")
    return h.sum(1) @ W["out"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("over", [(), 1])
def test_an_iteration_is_a_place(method, over):
    """As many iterations as examples, so that an axis taken for another would fit."""
    found = method(looped, CLEAN, CORRUPTED, metric=1, over=over)
    expected = method(unrolled, CLEAN, CORRUPTED, metric=1, over=over)
    assert list(found) == ["block[0]", "block[1]", "block[2]"]
    assert list(expected) == ["block#1", "block#2", "block#3"]
    for i in range(3):
        np.testing.assert_allclose(found[f"block[{i}]"], expected[f"block#{i + 1}"], **EXACT)


def test_one_passage_of_several():
    whole = attribution_patching(unrolled, CLEAN, CORRUPTED, metric=1)
    one = attribution_patching(unrolled, CLEAN, CORRUPTED, "block#2", metric=1)
    np.testing.assert_allclose(one["block#2"], whole["block#2"], **EXACT)


@pytest.mark.parametrize("method", METHODS)
def test_on_a_transformer_of_tokens(method):
    """Only the first token differs: no later position of the embedding has an effect, its own has."""
    sizes = transformer.Sizes(layers=2, vocab=20, pos=4, embed=8, head=2, key=4, ff=8)
    params = transformer.init(jax.random.key(0), sizes)
    ids = nt.tensor(RNG.integers(0, 20, size=(2, 4)), "batch pos")
    other = nt.tensor(np.concatenate([(ids.array[:, :1] + 7) % 20, ids.array[:, 1:]], 1), "batch pos")

    def last(ids: Any) -> Any:
        return transformer.apply(params, ids).isel(pos=-1)

    found = method(last, ids, other, ["embedding", "block0/mlp"], metric=3, over="pos")
    embedding = found["embedding"].to_array("batch pos")
    np.testing.assert_allclose(embedding[:, 1:], 0, atol=1e-12)
    assert float(abs(embedding[:, 0]).min()) > 0
    if method is activation_patching:
        np.testing.assert_allclose(found.restored()["embedding"].to_array("batch pos")[:, 0], 1, **EXACT)


# the record, compiling, bad calls


def test_it_shows_itself():
    shown = repr(activation_patching(net, CLEAN, CORRUPTED, metric=1, over=1))
    assert shown.startswith("activation patching: metric ")
    assert "  branch  largest " in shown
    assert " at axis 1=" in shown


def test_progress_and_arguments():
    told = []
    found = activation_patching(
        lambda x, s: s * net(x), CLEAN, CORRUPTED, metric=1, over=1, additional_forward_args=2.0,
        internal_batch_size=BATCH, show_progress=told.append,
    )  # fmt: skip
    assert told == sorted(told)
    assert len(told) == 3 * TIME
    assert told[-1] == 1
    expected = activation_patching(net, CLEAN, CORRUPTED, metric=1, over=1)
    np.testing.assert_allclose(found["two"], 2 * expected["two"], **EXACT)


@pytest.mark.parametrize("method", METHODS)
def test_a_second_call_compiles_nothing(method, compilations):
    def call(x: Any, metric: int) -> None:
        jax.block_until_ready(method(net, x, jnp.asarray(CORRUPTED), metric=metric, over=1).effects)

    call(jnp.asarray(CLEAN), 1)
    assert compilations.since(lambda: call(jnp.asarray(CLEAN + 1), 0)) == 0


@pytest.mark.parametrize("method", METHODS)
def test_bad_calls(method):
    with pytest.raises(UnknownTapError, match=r"there is no tap 'tow'.*Did you mean 'two'"):
        method(net, CLEAN, CORRUPTED, "tow", metric=1)
    with pytest.raises(ValueError, match=r"the place 'two' is f64\[3, 4, 6\]: over=\('time',\) is not among"):
        method(net, CLEAN, CORRUPTED, "two", metric=1, over="time")
    with pytest.raises(ValueError, match=r"over=\(0,\) is not among the axes 1 to 2"):
        method(net, CLEAN, CORRUPTED, "two", metric=1, over=0)
    with pytest.raises(
        ValueError, match=r"none of the taps can be patched: the place 'one' is .* over=\(7,\)"
    ):
        method(net, CLEAN, CORRUPTED, metric=1, over=7)
    with pytest.raises(
        ValueError, match=r"the function has no taps: name places with nt.tap, or give layers="
    ):
        method(lambda x: x.sum((1, 2)), CLEAN, CORRUPTED)
    with pytest.raises(ValueError, match=r"the corrupted inputs, as baselines, do not fit the clean ones"):
        method(net, CLEAN, CORRUPTED[:, :2], metric=1)
    with pytest.raises(ValueError, match=r"target=None does not fit the output"):
        method(net, CLEAN, CORRUPTED)


def test_bad_gradients():
    with pytest.raises(ValueError, match=r"gradient_at='both' is not known: choose 'corrupted' or 'clean'"):
        attribution_patching(net, CLEAN, CORRUPTED, metric=1, gradient_at="both")
    with pytest.raises(TypeError, match=r"the place 'sign' is i64\[3, 4, 5\]: integers have no gradient"):
        attribution_patching(
            lambda x: (nt.tap((x > 0).astype(int), "sign") * x).sum((1, 2)), CLEAN, CORRUPTED, "sign"
        )


def test_places_of_modules():
    """A place may be a scope or a module as well."""

    def scoped(x: Any) -> Any:
        with jax.named_scope("encoder"):
            h = jnp.tanh(x @ W["in"])
        return h.sum(1) @ W["out"]

    found = activation_patching(scoped, CLEAN, CORRUPTED, "encoder", metric=1)
    np.testing.assert_allclose(found["encoder"], (scoped(CLEAN) - scoped(CORRUPTED))[:, 1], **EXACT)
    linear = attribution_patching(functools.partial(scoped), CLEAN, CORRUPTED, "encoder", metric=1)
    np.testing.assert_allclose(linear["encoder"], found["encoder"], **EXACT)
