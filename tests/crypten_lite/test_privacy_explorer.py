"""The privacy explorer without a browser: its shares, its costs, its errors, and what it says."""

import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import crypten_lite as ct
import namedtensor as nt
from crypten_lite.widgets import PrivacyExplorer
from crypten_lite.widgets.question import Question
from namedtensor.widgets import View

RNG = np.random.default_rng(7)
IMAGES = RNG.uniform(size=(5, 4, 6)).astype(np.float32)
WEIGHTS = [RNG.normal(size=(24, 8)).astype(np.float32), RNG.normal(size=(8, 3)).astype(np.float32)]


def model(weights, images):
    with jax.named_scope("hidden"):
        hidden = jax.nn.relu(images.reshape(len(images), -1) @ weights[0])
    with jax.named_scope("scores"):
        return hidden @ weights[1]


def public(images):
    return model(WEIGHTS, images)


def made(*args, **kwargs):
    explorer = PrivacyExplorer(*args, **kwargs)
    explorer.wait(30)
    return explorer


def total(shares, places):
    """What shares stand for, by Python's integers."""
    summed = [sum(map(int, s)) % 2**64 for s in shares.reshape(len(shares), -1).T]
    return np.array([(n - 2**64 if n >= 2**63 else n) / 2**places for n in summed]).reshape(shares.shape[1:])


def page_of(explorer):
    return [v.traits_of_page() if isinstance(v, View) else v for v in explorer.parts()]


@pytest.mark.parametrize("parties", [2, 3, 5])
def test_all_shares_add_up_to_the_image_and_fewer_do_not(parties):
    run = made(public, IMAGES, parties=parties, fraction=20).result
    assert run.shares.shape == (parties, 4, 6)
    assert run.shares.dtype == np.uint64
    np.testing.assert_allclose(total(run.shares, 20), IMAGES[0], atol=2.0**-21)
    for left_out in range(parties):
        # 24 numbers of uniform signs and sizes: none is near the image but with a chance of 2**-40
        rest = total(np.delete(run.shares, left_out, 0), 20)
        assert np.abs(rest - IMAGES[0]).min() > 2.0**3
        assert np.abs(rest).max() > 2.0**38


def test_each_share_is_flat_and_the_image_is_not():
    images = np.zeros((1, 64, 64), np.float32)
    run = made(lambda x: x.sum((1, 2)), images, parties=3).result
    for share in [*run.shares, run.shares[:2].sum(0, dtype=np.uint64)]:
        counts = np.bincount(share.view(np.uint8).ravel(), minlength=256)
        expected = share.nbytes / 256
        statistic = (
            (counts - expected) ** 2 / expected
        ).sum()  # chi squared of 255: 255 with a deviation of 22.6
        assert 255 - 8 * 22.6 < statistic < 255 + 8 * 22.6
    assert not run.shares.sum(0, dtype=np.uint64).any()


def test_the_browser_gets_the_shares_of_the_run():
    explorer = made(public, IMAGES, parties=3)
    first = explorer.result
    explorer.shares.together = 2
    assert explorer.shares.shares == first.shares.astype("<u8").tobytes()
    assert explorer.shares.image == IMAGES[0].astype("<f4").tobytes()
    assert explorer.shares.names == ["party 0: brought the image", "party 1", "party 2"]
    explorer.again.click()
    explorer.wait(30)
    assert (explorer.result.shares != first.shares).all()  # fresh ones, of the same image
    np.testing.assert_allclose(total(explorer.result.shares, 16), IMAGES[0], atol=2.0**-17)
    assert explorer.shares.together == 2  # as it was chosen
    explorer.parties.value = 2
    explorer.wait(30)
    explorer.parties.value = 5
    explorer.wait(30)
    assert explorer.shares.together == 2


@pytest.mark.parametrize("fraction", [12, 20])
@pytest.mark.parametrize(("fun", "weights"), [(public, None), (model, WEIGHTS)])
def test_costs_are_those_that_are_foreseen(fun, weights, fraction):
    explorer = made(fun, IMAGES, weights=weights, parties=3, fraction=fraction)
    args = (IMAGES[:1],) if weights is None else (weights, IMAGES[:1])
    point = ct.FixedPoint(fraction)
    assert explorer.cost == ct.estimate(fun, *args, parties=3, point=point)
    assert explorer.result.stretches == ct.timeline(fun, *args, parties=3, point=point)
    assert [s["layer"] for s in explorer.timeline.stretches][-1] == "revealing"
    assert sum(s["bytes"] for s in explorer.timeline.stretches) == explorer.cost.bytes_per_party
    assert explorer.timeline.sharing == explorer.cost.sharing_bytes


def test_what_is_revealed_and_what_is_said_of_it():
    explorer = made(
        model, IMAGES, weights=WEIGHTS, labels=[2, 0, 1, 1, 0], class_names=["ant", "<bee>", "cat"]
    )
    plain = np.asarray(public(IMAGES[:1]))
    np.testing.assert_allclose(explorer.result.result, plain, atol=1e-3)
    assert explorer.result.error == pytest.approx(np.abs(explorer.result.result - plain).max())
    said = explorer.facts.value
    assert "number 0 of 5, labelled cat" in said
    name = ["ant", "&lt;bee&gt;", "cat"][int(plain.argmax())]
    assert said.count(f"{name}, score {plain.max():.3f}"[:-2]) == 2
    assert "the image and the weights" in said
    assert f"{explorer.cost.rounds}" in said


def test_another_sample_or_fraction_runs_at_once():
    explorer = made(public, IMAGES)
    explorer.sample.value = 3
    explorer.wait(30)
    assert explorer.result.sample == 3
    np.testing.assert_array_equal(explorer.result.image, IMAGES[3])
    explorer.fraction.value = 6
    explorer.wait(30)
    assert explorer.result.fraction == 6
    assert 2.0**-12 < explorer.result.error < 1
    explorer.parties.value = 4
    explorer.wait(30)
    assert len(explorer.result.shares) == len(explorer.shares.names) == 4


def test_named_images_in_any_order():
    images = nt.tensor(IMAGES, "batch height width").order("width batch height")
    explorer = made(lambda x: x.sum("height width"), images)
    np.testing.assert_array_equal(explorer.result.image, IMAGES[0])
    np.testing.assert_allclose(total(explorer.result.shares, 16), IMAGES[0], atol=2.0**-17)
    colours = made(lambda x: x.mean((1, 2, 3)), RNG.uniform(size=(2, 3, 4, 3)))
    assert colours.shares.channels == 3
    assert colours.result.shares.shape == (2, 3, 4, 3)
    assert colours.figure().axes


def test_more_binary_places_are_more_exact():
    explorer = made(model, IMAGES, weights=WEIGHTS)
    assert "Nothing was compared yet" in explorer.compared.value
    explorer.measure.click()
    explorer.wait(60)
    assert explorer.message.value == ""
    found = {m.fraction: m for m in explorer.exactness}
    assert all(m.samples == 5 for m in found.values())
    assert found[4].error > 30 * found[12].error > 30 * found[20].error
    assert all(0 < m.mean <= m.error for m in found.values())
    assert found[20].agreement == 1
    largest, mean = explorer.errors.series
    assert largest["x"] == mean["x"] == list(found)
    assert largest["y"] == [m.error for m in found.values()]
    assert explorer.agreement.series[0]["y"][-1] == 100
    assert "5 images, with 4 to 28 binary places." in explorer.compared.value


def test_agreement_counts_classes_and_the_mean_is_over_all_images():
    steep = np.array([[0.0, 0.02], [1.0, 0.0], [0.0, 1.0]], np.float32)  # with 4 places the first is a tie
    question = Question(lambda x: x.reshape(len(x), -1), steep[:, :, None])
    for at_once in (1, 2, 3):
        (few, many) = list(question.measure(3, 2, (4, 16), at_once=at_once))[-1][1]
        assert few.agreement == pytest.approx(2 / 3)
        assert many.agreement == 1
        assert few.error == pytest.approx(0.02)
        assert few.mean == pytest.approx(0.02 / 6)


def test_no_error_at_all_is_told():
    explorer = made(lambda x: -x, np.ones((1, 2, 2), np.float32) / 32)
    explorer.compare()
    explorer.wait(60)
    assert explorer.exactness[0].error == 1 / 32  # with 4 places, to the even one
    assert "Without any error, which has no place on the axis, with 6, 8, 10," in explorer.compared.value


def test_numbers_without_a_place_are_told():
    explorer = made(lambda x: -x, 30 * IMAGES)
    explorer.compare()
    explorer.wait(60)
    assert "None with 30" not in explorer.compared.value  # 28 places leave room below 64
    explorer = made(lambda x: -x, 300 * IMAGES)
    explorer.compare()
    explorer.wait(60)
    assert "None with 28: the value has" in explorer.compared.value
    assert explorer.errors.series[0]["x"][-1] == 26
    assert explorer.agreement.series == []  # those are no classes


def test_a_stop_keeps_what_was_computed():
    inside, go_on = threading.Event(), threading.Event()
    calls = []

    def waits(images):
        calls.append(1)
        if len(calls) == 8:
            inside.set()
            assert go_on.wait(30)
        return jnp.tanh(images)

    explorer = made(waits, IMAGES)
    calls.clear()
    before = explorer.result
    explorer.compare()
    assert inside.wait(30)
    explorer.cancel()
    go_on.set()
    explorer.wait(30)
    assert not explorer.work.running
    assert explorer.message.value == ""
    # call 1 is the plain one, 2 to 7 were private runs, and the eighth was stopped
    assert [m.fraction for m in explorer.exactness] == [4, 6, 8, 10, 12, 14]
    assert all(m.samples == 4 for m in explorer.exactness)
    assert explorer.result is before


def test_a_run_that_is_stopped_leaves_the_one_before_on_display():
    inside, go_on = threading.Event(), threading.Event()

    def waits(images):
        if not isinstance(images, np.ndarray):  # traced
            inside.set()
            assert go_on.wait(30)
        return jnp.tanh(images)

    go_on.set()
    explorer = made(waits, IMAGES)
    before, shown = explorer.result, explorer.shares.shares
    inside.clear()
    go_on.clear()
    explorer.sample.value = 1
    assert inside.wait(30)
    explorer.cancel()
    go_on.set()
    explorer.wait(30)
    assert explorer.result is before
    assert explorer.shares.shares == shown
    assert explorer.message.value == ""


def crashes(images):
    raise RuntimeError("the model's own <mistake>")


BAD = {
    "shape": ((public, IMAGES[0]), {}, "images have the shape (4, 6): give [batch, height, width]"),
    "names": (
        (public, nt.ones("batch:2 pixel:3")),
        {},
        "expected &#x27;batch height width&#x27;, there is &#x27;batch pixel&#x27;",
    ),
    "empty": ((public, IMAGES[:0]), {}, "there are no images"),
    "channels": ((public, np.ones((1, 4, 6, 2))), {}, "images have 2 channels: one or three can be drawn"),
    "truths": ((public, IMAGES > 0), {}, "images are of bool"),
    "fraction": ((public, IMAGES), {"fraction": 40}, "fraction=40: a ring of 64 bits has room for 0 to 30"),
    "parties": ((public, IMAGES), {"parties": 1}, "parties=1: the explorer shows 2 to 6 of them"),
    "labels": ((public, IMAGES), {"labels": [1]}, "labels have the shape (1,) for 5 images"),
    "model": ((crashes, IMAGES), {}, "the model&#x27;s own &lt;mistake&gt;"),
    "primitive": ((lambda x: jnp.linalg.eigh(x[:, :, :4])[0], IMAGES), {}, "eigh"),
    "loop": ((lambda x: lax.while_loop(lambda y: y.sum() < 9, lambda y: y + 1, x), IMAGES), {}, "while"),
    "NaN": ((public, IMAGES * np.nan), {}, "NaN and infinity cannot be shared"),
    "range": ((public, IMAGES * 1e12), {}, "beyond the range: with fraction=16"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_one_message(name):
    args, kwargs, text = BAD[name]
    explorer = made(*args, **kwargs)
    assert explorer.message.value.count("role='alert'") == 1
    assert text in explorer.message.value
    assert explorer.result is explorer.cost is None
    assert explorer.shares.shares == b""
    with pytest.raises(ValueError, match="there is nothing to draw"):
        explorer.figure()


def test_an_explorer_of_wrong_arguments_cannot_be_asked():
    explorer = made(public, IMAGES[0])
    assert explorer.sample.disabled
    assert explorer.again.disabled
    for ask in (explorer.run, explorer.compare):
        with pytest.raises(ValueError, match="the explorer's message says which argument is wrong"):
            ask()


def test_after_a_mistake_it_goes_on():
    def picky(images):
        if not isinstance(images, np.ndarray) or images.max() <= 1:
            return jnp.tanh(images)
        raise RuntimeError("too bright")

    explorer = made(picky, IMAGES + np.arange(5, dtype=np.float32)[:, None, None])
    explorer.sample.value = 2
    explorer.wait(30)
    assert "too bright" in explorer.message.value
    assert explorer.result is None
    assert explorer.timeline.stretches == []
    explorer.sample.value = 0
    explorer.wait(30)
    assert explorer.message.value == ""
    assert explorer.result.sample == 0


def test_shares_too_large_for_a_browser(monkeypatch):
    monkeypatch.setattr("crypten_lite.widgets.views.MOST_BYTES", 100)
    explorer = made(public, IMAGES)
    assert "are sent to a browser at most: share a smaller image" in explorer.message.value


def test_it_says_that_nothing_is_hidden():
    explorer = made(public, IMAGES)
    (shown,) = [w.value for w in explorer._shown if "nt-notice" in getattr(w, "value", "")]
    assert "All parties run in this one process: nothing here is hidden." in shown
    (written,) = [part for part in page_of(explorer) if "nt-notice" in str(part)]
    assert "This page holds the shares of all parties: nothing in it is hidden." in written
    assert "docs/two_parties.md" in shown
    assert "docs/two_parties.md" in written


def test_a_page_asks_for_nothing_that_it_cannot_do():
    explorer = made(public, IMAGES)
    assert not [part for part in explorer.parts() if "binary places" in str(part) and "press" in str(part)]
    assert explorer.errors not in explorer.parts()
    assert explorer.timeline in explorer.parts()
    explorer.compare()
    explorer.wait(60)
    assert explorer.parts()[-2:] == [explorer.errors, explorer.agreement]
    assert "5 images" in explorer.parts()[-3]


def test_the_figure_shows_shares_layers_and_errors():
    explorer = made(public, IMAGES, parties=3)
    assert len(explorer.figure().axes) == 3 + 3 + 1
    explorer.compare()
    explorer.wait(60)
    figure = explorer.figure()
    assert len(figure.axes) == 3 + 3 + 2
    first, last = figure.axes[0].images[0].get_array(), figure.axes[5].images[0].get_array()
    np.testing.assert_allclose(first, last, atol=1e-4)  # all shares are the image
    but_one = figure.axes[4].images[0].get_array()
    assert np.abs(first - but_one).max() > 0.1
    assert "nothing was hidden" in figure.get_supxlabel()
    bars = figure.axes[6].patches
    assert sum(bar.get_width() for bar in bars) == explorer.cost.rounds
