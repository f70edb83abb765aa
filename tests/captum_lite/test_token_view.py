"""Tokens on their colours: what is sent, what is plain HTML, what is refused; and in a real browser."""

import html
import re

import jax
import numpy as np
import pytest
import traitlets

import namedtensor as nt
from captum_lite import InputXGradient, ShapleyValues
from captum_lite.widgets import TokenView
from captum_lite.widgets._token_text import runs_left, visible
from namedtensor.models import transformer
from tests.markup import Checker
from tests.widgets import in_browser, messages, named_controls, opened, settled, unreadable

WORDS = ["not", "bad", "!"]
MATRIX = np.array([[0.5, -1.0, 0.0], [0.25, 2.0, -0.02]])
ODD = [
    "",
    " ",
    " a",
    "b\nc",
    "<b>&\"'",
    "שלום",
    "\u202e",
    "\u0301",
    "$x$",
    "\x00",
    "\ud800",
    "\u00a0",
    "👨\u200d👩",
]
SPAN = re.compile(
    r"<span title='(.*?)' style='background: rgba\((\d+), (\d+), (\d+), ([\d.]+)\).*?>(.*?)</span>"
)


def spans(page):
    """Of each token: what hovering says, its colour, its opacity, its underline and its text."""
    found = []
    for said, r, g, b, opacity, inner in SPAN.findall(page):
        line = re.search(r"underline (\w+) (\d)px", inner)
        text = html.unescape(re.sub(r"</?(bdi|u)[^>]*>", "", inner))
        found.append(
            (html.unescape(said), (int(r), int(g), int(b)), float(opacity), line and line.groups(), text)
        )
    return found


# ---- what is given


@pytest.mark.parametrize(
    ("given", "how"),
    [
        (MATRIX, {}),
        (nt.tensor(MATRIX, "output input"), {}),
        (nt.tensor(MATRIX.T, "pos output"), {}),
        (nt.tensor(MATRIX, "class token"), {"output_dim": "class"}),
        (nt.tensor(MATRIX, "row column"), {"output_dim": "row", "input_dim": "column"}),
        (nt.tensor(np.stack([MATRIX, 0 * MATRIX], 1), "output embed input"), {}),
        (nt.tensor(MATRIX, "batch pos"), {"output_dim": "batch"}),
        (nt.tensor(MATRIX[None], "batch output input"), {}),
    ],
)
def test_dims_may_come_in_any_order_and_are_found_by_name(given, how):
    view = TokenView(given, WORDS, **how)
    for i in (0, 1):
        view.selection = i
        assert [name for name, _ in view.selected] == WORDS
        np.testing.assert_allclose([value for _, value in view.selected], MATRIX[i], rtol=1e-6)


def test_one_vector_has_no_outputs_to_choose():
    view = TokenView(MATRIX[0], WORDS)
    assert view.tokens.outputs == []
    assert "<details" not in view.html
    named = TokenView(MATRIX[0], WORDS, ["class 3"])
    assert [t["text"] for t in named.tokens.outputs] == ["class 3"]


def test_the_tokens_of_a_transformer():
    """One text twice, each row explaining the next token at another position."""
    sizes = transformer.Sizes(layers=1, vocab=11, pos=4, embed=8, head=2, key=4, ff=8)
    params = transformer.init(jax.random.key(0), sizes)
    ids = nt.random.randint(jax.random.key(1), "pos:4", 0, 11)

    def logits(x):
        return transformer.encode(params, x).dot("embed", params["embedding"])

    x = nt.stack([transformer.embed(params, ids)] * 2, "batch")
    record = InputXGradient(logits).explain(x, target={"pos": np.array([1, 3]), "vocab": 3})
    view = TokenView(
        record, ["a", "b", "c", "d"], ["after b", "after d"], output_dim="batch", input_dim="pos"
    )
    values = []
    for view.selection in (0, 1):
        values.append([value for _, value in view.selected])
    np.testing.assert_allclose(values, record.attributions.sum("embed").to_array("batch pos"), rtol=1e-5)
    assert values[0][2:] == [0, 0]  # causal: at b no later token is seen
    assert np.abs(values[1]).min() > 0


REFUSED = {
    "too few tokens": (lambda: TokenView(MATRIX, WORDS[:2]), ValueError, r"2 tokens for 3 inputs \(input\): give one for each"),
    "too many outputs": (lambda: TokenView(MATRIX, WORDS, ["a"] * 3), ValueError, r"3 tokens for 2 outputs \(output\)"),
    "outputs of a vector": (lambda: TokenView(MATRIX[0], WORDS, ["a", "b"]), ValueError, "of one output, and there are names of 2"),
    "NaN": (lambda: TokenView(np.array([1.0, np.nan]), ["a", "b"]), ValueError, "1 values of 2 that are not finite.*input=1"),
    "infinite": (lambda: TokenView(np.array([[1.0, np.inf]]), ["a", "b"]), ValueError, "not finite.*output=0 input=1"),
    "empty": (lambda: TokenView(np.zeros(0), []), ValueError, "nothing to draw"),
    "one text": (lambda: TokenView(np.ones(3), "abc"), TypeError, "the text 'abc': give a list of its tokens"),
    "numbers for tokens": (lambda: TokenView(np.ones(2), [5, 6]), TypeError, "hold 5: give their text"),
    "which dim": (lambda: TokenView(nt.tensor(MATRIX, "row column"), WORDS), ValueError, r"\[row:2, column:3\]: say which dim the tokens are, input_dim="),
    "no such dim": (lambda: TokenView(nt.tensor(MATRIX, "output input"), WORDS, input_dim="word"), ValueError, "input_dim=, one of"),
    "no such output": (lambda: TokenView(nt.tensor(MATRIX, "output input"), WORDS, output_dim="x"), ValueError, "without 'x' beside the tokens"),
    "a batch": (lambda: TokenView(nt.tensor(MATRIX, "batch input"), WORDS), ValueError, r"a batch: select one example.*output_dim='batch'"),
    "selection": (lambda: setattr(TokenView(MATRIX, WORDS), "selection", 2), traitlets.TraitError, "selection=2 is no output: there are 2, 0 to 1"),
    "clip": (lambda: TokenView(MATRIX, WORDS, clip="most"), traitlets.TraitError, "clip"),
}  # fmt: skip


@pytest.mark.parametrize(("call", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


# ---- tokens that are hard to see


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ("", "⟨empty⟩"),
        (" ", "␣"),
        ("  ", "␣␣"),
        (" the", "␣the"),
        ("a b", "a b"),
        ("a\nb", "a↵b"),
        ("\t", "⇥"),
        ("\r", "⟨U+000D⟩"),
        ("\x00", "⟨U+0000⟩"),
        ("\u202e", "⟨U+202E⟩"),
        ("\u200b", "⟨U+200B⟩"),
        ("\u200d", "⟨U+200D⟩"),
        ("👨\u200d👩", "👨\u200d👩"),
        ("\u00a0", "⟨U+00A0⟩"),
        ("\u0301", "◌\u0301"),
        ("\ud800", "⟨U+D800⟩"),
        ("שלום", "שלום"),
    ],
)
def test_every_token_is_seen(token, expected):
    assert [t.text for t in visible([token])] == [expected]


@pytest.mark.parametrize(
    ("tokens", "left"),
    [
        (["שלום", "a"], True),
        (["مرحبا"], True),
        (["1", "a", "שלום"], False),
        (["1", "!"], False),
        ([""], False),
    ],
)
def test_the_direction_is_that_of_the_first_letter(tokens, left):
    assert runs_left(tokens) == left


# ---- plain HTML


def test_colour_underline_and_hover_say_the_same():
    for_it, against, zero = spans(TokenView(MATRIX[0], WORDS, unit="logit").html)
    assert for_it[0] == "not +0.5 logit"
    assert against[0] == "bad \N{MINUS SIGN}1 logit"
    assert for_it[1][0] > for_it[1][2]  # red
    assert against[1][2] > against[1][0]  # blue
    assert (for_it[3], against[3], zero[3]) == (("solid", "2"), ("dashed", "3"), None)
    np.testing.assert_allclose([for_it[2], against[2], zero[2]], [0.3, 0.6, 0], atol=1e-3)


def test_one_scale_for_all_outputs_or_one_each():
    shared, each = (TokenView(MATRIX, WORDS, scale=s) for s in ("shared", "each"))
    np.testing.assert_allclose([s[2] for s in spans(shared.html)][:3], [0.15, 0.3, 0], atol=5e-3)
    np.testing.assert_allclose([s[2] for s in spans(each.html)][:3], [0.3, 0.6, 0], atol=1e-3)
    assert "one scale for all outputs" in shared.html
    assert "colours end at 2" in each.html


@pytest.mark.parametrize(
    ("look", "opacities", "said"),
    [
        ({"threshold": 0.6}, [0, 0.6, 0], "no colour below 60% of the end"),
        ({"sign": "positive"}, [0.6, 0, 0], "positive attribution"),
        ({"sign": "absolute_value"}, [0.3, 0.6, 0], "|attribution|"),
        ({"clip": "percentile 98"}, [0.306, 0.6, 0], "clipped at percentile 98"),
    ],
)
def test_the_legend_says_what_is_drawn(look, opacities, said):
    page = TokenView(MATRIX[0], WORDS, **look).html
    np.testing.assert_allclose([s[2] for s in spans(page)], opacities, atol=1e-3)
    assert said in page


def test_the_chosen_output_is_open():
    view = TokenView(MATRIX, WORDS, ["good", "bad"])
    view.selection = 1
    heads = re.findall(r"<details( open)?><summary>output \d: <b><bdi>(\w+)", view.html)
    assert heads == [("", "good"), (" open", "bad")]


def test_a_long_text_shows_the_outputs_around_the_chosen_one():
    view = TokenView(np.ones((3000, 30)), ["a"] * 30)
    view.selection = 2000
    found = [int(i) for i in re.findall(r"<summary>output (\d+)", view.html)]
    assert len(found) == 5_000 // 30
    assert 2000 in found
    assert f"and {3000 - len(found)} more outputs" in view.html


def test_nothing_in_a_token_is_html():
    checker = Checker()
    view = TokenView(
        np.stack([np.linspace(-1, 1, len(ODD))] * 2), ODD, ["<i>x</i>", "' onload='x"], unit="<u>"
    )
    checker.feed(view._repr_html_())
    assert checker.open == []
    assert checker.seen <= {"div", "span", "details", "summary", "b", "bdi", "p", "u"}
    assert {"<b>&\"'", "<i>x</i>", "' onload='x"} <= set(checker.words)
    view.html.encode("utf-8")  # half of a surrogate pair could not be


def test_shown_in_a_notebook_with_html_for_where_widgets_do_not_run():
    view = TokenView(MATRIX, WORDS)
    data, _ = view._repr_mimebundle_()
    assert data["text/html"] == view.html
    assert "application/vnd.jupyter.widget-view+json" in data


@pytest.mark.parametrize("values", [MATRIX, MATRIX[0]], ids=["matrix", "vector"])
def test_a_figure_for_a_paper(values):
    figure = TokenView(values, ["$x$", "b", " "], unit="logit", clip="mass 90").figure()
    figure.canvas.draw()
    labels = [t.get_text() for ax in figure.axes for t in (*ax.get_xticklabels(), *ax.get_yticklabels())]
    assert {"$x$", "b", "␣"} <= set(labels)


# ---- in a browser


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    view = TokenView(MATRIX, WORDS, ["good", "bad"], unit="logit")
    return view.to_html(tmp_path_factory.mktemp("tokens") / "page.html")


@pytest.fixture
def page(request, browser, path):
    with opened(browser, path, scheme=getattr(request, "param", "light")) as page:
        messages(page)
        yield page


def drawn(page):
    """The opacity behind each input, as it is drawn."""
    settled(page)
    colours = page.locator("[role=listitem]").evaluate_all("all => all.map(e => e.style.background)")
    return [float(re.findall(r"[\d.]+", c)[3]) for c in colours]


@in_browser
def test_a_click_shows_the_inputs_of_an_output(page):
    np.testing.assert_allclose(drawn(page), [0.15, 0.3, 0], atol=5e-3)
    page.get_by_role("option", name="bad").click()
    np.testing.assert_allclose(drawn(page), [0.075, 0.6, 0.006], atol=5e-3)
    assert messages(page) == [{"selection": 1}]
    assert "output=1" in page.locator(".nt-readout").inner_text()


@in_browser
def test_keys_choose_an_output_and_tell_it_once(page):
    page.get_by_role("option", name="good").focus()
    page.keyboard.down("ArrowRight")
    settled(page)
    assert messages(page) == []  # not before the key is let go
    page.keyboard.up("ArrowRight")
    assert messages(page) == [{"selection": 1}]
    assert page.locator("[role=option][aria-selected=true]").inner_text() == "bad"
    page.keyboard.press("Home")
    assert messages(page)[1:] == [{"selection": 0}]


@in_browser
def test_hovering_and_keys_read_a_value(page):
    page.locator("[role=listitem]").nth(1).hover()
    settled(page)
    assert "input=1" in page.locator(".nt-readout").inner_text()
    assert "attr=\N{MINUS SIGN}1 logit" in page.locator(".nt-readout").inner_text()
    page.locator("[role=listitem]").nth(0).focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    settled(page)
    assert "input=2" in page.locator(".nt-readout").inner_text()


@in_browser
def test_the_threshold_draws_at_once_and_tells_once(page):
    slider = page.get_by_role("slider", name="threshold")
    slider.evaluate("e => { e.value = 0.4; e.dispatchEvent(new Event('input', {bubbles: true})); }")
    assert drawn(page) == [0, 0.3, 0]
    assert messages(page) == []
    slider.evaluate("e => e.dispatchEvent(new Event('change', {bubbles: true}))")
    assert messages(page) == [{"threshold": 0.4}]


@in_browser
@pytest.mark.parametrize("page", ["light", "dark"], indirect=True)
def test_all_controls_have_names_and_all_texts_are_legible(page):
    assert "" not in named_controls(page)
    assert unreadable(page) == []


@in_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("sign", ["all", "absolute_value"])
def test_tokens_are_legible_on_the_deepest_colours(browser, tmp_path, scheme, sign):
    view = TokenView(np.array([-1.0, 1.0]), ["against", "for"], sign=sign)
    with opened(browser, view.to_html(tmp_path / "page.html"), scheme=scheme) as page:
        np.testing.assert_allclose(drawn(page), [0.6, 0.6], atol=5e-3)
        assert unreadable(page) == []


@in_browser
def test_odd_tokens_are_text_in_the_page_too(browser, tmp_path):
    view = TokenView(np.linspace(-1, 1, len(ODD)), ODD)
    with opened(browser, view.to_html(tmp_path / "page.html")) as page:
        shown = page.locator("[role=listitem]").all_inner_texts()
    assert shown == [t.text for t in visible(ODD)]


@pytest.mark.parametrize("named", [True, False])
def test_a_token_that_is_one_feature_counts_once(named):
    rng = np.random.default_rng(3)
    weights, embedded = (
        rng.normal(size=(3, 4)).astype(np.float32),
        rng.normal(size=(1, 3, 4)).astype(np.float32),
    )
    if named:
        w = nt.tensor(weights, "seq embed")
        record = ShapleyValues(lambda x: (x * w).sum("seq embed")).explain(
            nt.tensor(embedded, "batch seq embed"), 0.5, feature_mask="seq"
        )
    else:
        mask = np.broadcast_to(np.arange(3)[None, :, None], (1, 3, 4))
        record = ShapleyValues(lambda x: (x * weights[None]).sum((1, 2))).explain(
            embedded, 0.5, feature_mask=mask
        )
    expected = (weights * (embedded[0] - 0.5)).sum(1)  # of a linear function: what each token adds
    shown = [value for _, value in TokenView(record, ["a", "b", "c"]).selected]
    np.testing.assert_allclose(shown, expected, rtol=1e-4, atol=1e-5)
