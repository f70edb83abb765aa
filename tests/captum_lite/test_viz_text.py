"""Attributed text, read back from its HTML: colours, scale, words, escaping."""

import html
import re
from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest

import namedtensor as nt
from captum_lite import IntegratedGradients, viz
from captum_lite.viz._text import tint
from captum_lite.viz._tokens import shown
from tests.markup import Checker

WORDS = ["never", "a", "dull", "moment"]
VALUES = np.array([-2.0, 0.0, 0.5, 1.0])
MARK = re.compile(r"( ?)<mark style='background: rgba\((\d+), (\d+), (\d+), ([\d.]+)\)[^>]*>(.*?)</mark>")


def marks(text):
    """For each token, whether a space is before it, its colour, its opacity and its text."""
    return [
        (bool(space), tuple(map(int, colour)), float(opacity), html.unescape(word))
        for space, *colour, opacity, word in MARK.findall(text.html)
    ]


def opacities(text):
    return [opacity for _, _, opacity, _ in marks(text)]


def written(text):
    return "".join(" " * space + word for space, _, _, word in marks(text))


def captums(values, words, **more):
    fields = {"pred_prob": 0.93, "pred_class": 1, "true_class": "good", "attr_class": 1, "attr_score": -0.5}
    return viz.VisualizationDataRecord(values, **fields | more, raw_input_ids=words, convergence_score=0.001)


# colours


def test_red_is_for_and_blue_against():
    (_, against, _, _), _, (_, for_it, _, _), _ = marks(viz.visualize_text(VALUES, WORDS))
    assert against[2] > against[0]
    assert for_it[0] > for_it[2]


def test_the_colour_is_proportional_to_the_attribution():
    np.testing.assert_allclose(
        opacities(viz.visualize_text(VALUES, WORDS)), 0.75 * np.abs(VALUES) / 2, atol=1e-3
    )


@pytest.mark.parametrize(
    ("sign", "expected"),
    [("all", [2, 0, 0.5, 1]), ("positive", [0, 0, 1, 2]), ("negative", [2, 0, 0, 0]), ("absolute_value", [2, 0, 0.5, 1])],
)  # fmt: skip
def test_signs(sign, expected):
    found = opacities(viz.visualize_text(VALUES, WORDS, sign=sign))
    np.testing.assert_allclose(found, 0.75 * np.array(expected) / 2, atol=1e-3)


def test_one_scale_for_all_texts():
    text = viz.visualize_text([captums([1.0, 0.5], ["a", "b"]), captums([4.0], ["c"])])
    np.testing.assert_allclose(opacities(text), 0.75 * np.array([0.25, 0.125, 1.0]), atol=1e-3)


@pytest.mark.parametrize(("limit", "expected"), [(1.0, [1, 0, 0.5, 1]), (4.0, [0.5, 0, 0.125, 0.25])])
def test_the_limit_may_be_given(limit, expected):
    text = viz.visualize_text(VALUES, WORDS, limit=limit)
    np.testing.assert_allclose(opacities(text), 0.75 * np.array(expected), atol=1e-3)
    assert f"{limit:g} (clipped at the given limit)" in text.html


def test_the_legend_says_the_scale():
    page = viz.visualize_text(VALUES, WORDS, units="logit").html
    assert "attribution (logit)" in page
    assert "\N{MINUS SIGN}2" in page
    assert "2 (not clipped)" in page
    assert "linear-gradient" not in viz.visualize_text(VALUES, WORDS, legend=False).html


def test_nothing_attributed_is_no_colour():
    text = viz.visualize_text(np.zeros(4), WORDS)
    assert opacities(text) == [0, 0, 0, 0]
    assert "all zero" in text.html


def contrast(one, other):
    """As the web accessibility guidelines define it."""

    def luminance(colour):
        c = np.asarray(colour) / 255
        return np.where(c <= 0.03928, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize(("paper", "ink"), [(255, 0), (17, 230)], ids=["light", "dark"])
@pytest.mark.parametrize("sign", ["all", "absolute_value"])
@pytest.mark.parametrize("fraction", [-1.0, -0.3, 0.0, 0.3, 1.0])
def test_words_are_legible_on_every_colour(paper, ink, sign, fraction):
    *colour, opacity = map(float, re.findall(r"[\d.]+", tint(fraction, sign)))
    behind = opacity * np.array(colour) + (1 - opacity) * paper
    assert contrast(behind, [ink] * 3) > 4.5


# words


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        (["never", "mind"], "never mind"),
        (["[CLS]", "un", "##like", "##ly", ",", "[SEP]"], "[CLS] unlikely , [SEP]"),
        (["<s>", "▁The", "▁un", "like", "ly", "."], "<s> The unlikely."),
        (["The", "Ġun", "likely", ".", "<|endoftext|>"], "The unlikely. <|endoftext|>"),
        (["un", "likely</w>", "so</w>"], "unlikely so"),
        (["a", "Ċ", "Ġb"], "a↵ b"),
        (["a", "▁", "b"], "a ␣b"),
        (["<", "b", ">"], "< b >"),
    ],
)
def test_subwords_are_put_together(tokens, expected):
    assert written(viz.visualize_text(np.ones(len(tokens)), tokens)) == expected


def test_special_tokens_are_told_apart():
    assert [t.special for t in shown(["[CLS]", "[a]", "<unk>", "x < y", "[MASK]"])] == [
        True, False, True, False, True,
    ]  # fmt: skip


def test_tokens_and_labels_are_escaped():
    nasty = ["<script>alert(1)</script>", "'\"&", "<b>"]
    record = captums([1.0, 2.0, 3.0], nasty, true_class="<i>x</i>", pred_class="' onload='x")
    checker = Checker()
    checker.feed(viz.visualize_text(record, units="<u>").html)
    assert checker.open == []
    assert checker.seen <= {"div", "span", "table", "thead", "tbody", "tr", "th", "td", "mark"}
    assert {*nasty, "<i>x</i>"} <= set(checker.words)


# records


def test_captums_records():
    text = viz.visualize_text(
        [captums([1.0, -0.5], ["so", "bad"]), captums([0.5], ["fine"], pred_class="bad")]
    )
    assert [line.cells for line in text.lines] == [
        {"true": "good", "predicted": "1 (0.93)", "explained": "1", "sum": "\N{MINUS SIGN}0.5"},
        {"true": "good", "predicted": "bad (0.93)", "explained": "1", "sum": "\N{MINUS SIGN}0.5"},
    ]
    assert str(text).splitlines() == [
        "true good, predicted 1 (0.93), explained 1, sum \N{MINUS SIGN}0.5",
        "so   +1    ++++++++++++++++++++",
        "bad  -0.5  ----------",
        "",
        "true good, predicted bad (0.93), explained 1, sum \N{MINUS SIGN}0.5",
        "fine  +0.5  ++++++++++",
    ]


def test_captum_allows_padding_behind_the_tokens():
    assert written(viz.visualize_text(captums([1.0, 2.0, 0.0, 0.0], ["a", "b"]))) == "a b"


EMBEDDED = np.random.default_rng(2).normal(size=(2, 3, 4))  # [batch, token, embed]


@pytest.mark.parametrize(
    ("attr", "tokens", "expected"),
    [
        (EMBEDDED[0], ["a", "b", "c"], EMBEDDED[0].sum(-1)),
        (nt.tensor(EMBEDDED[0], "seq embed"), ["a", "b", "c"], EMBEDDED[0].sum(-1)),
        (
            nt.tensor(EMBEDDED, "batch seq embed").order("embed seq batch"),
            [["a", "b", "c"]] * 2,
            EMBEDDED.sum(-1),
        ),
        (nt.tensor(EMBEDDED[0, :, 0], "letters"), ["a", "b", "c"], EMBEDDED[0, :, 0]),
        (SimpleNamespace(attributions=EMBEDDED[:1]), ["a", "b", "c"], EMBEDDED[0].sum(-1)),
        (SimpleNamespace(attributions=(EMBEDDED,)), [["a", "b", "c"], ["d", "e", "f"]], EMBEDDED.sum(-1)),
    ],
    ids=["array", "named", "named batch", "one dim", "record", "record of two"],
)
def test_attributions_are_summed_to_one_number_a_token(attr, tokens, expected):
    found = [line.attributions for line in viz.visualize_text(attr, tokens).lines]
    np.testing.assert_allclose(np.squeeze(found), expected, rtol=1e-6)


def test_the_dim_of_the_tokens_may_be_given():
    attr = nt.tensor(EMBEDDED[0], "letters embed")
    found = viz.visualize_text(attr, ["a", "b", "c"], dim="letters").lines[0].attributions
    np.testing.assert_allclose(found, EMBEDDED[0].sum(-1), rtol=1e-6)


def test_a_record_brings_its_evidence():
    embedded = jnp.asarray(EMBEDDED[:1])
    record = IntegratedGradients(lambda x: (x**3).sum((1, 2))).explain(embedded)
    (line,) = viz.visualize_text(record, ["a", "b", "c"]).lines
    np.testing.assert_allclose(line.attributions, (EMBEDDED[0] ** 3).sum(-1), rtol=1e-2)
    assert list(line.cells) == ["prediction", "at baseline", "gap"]
    assert line.cells["prediction"] == f"{(EMBEDDED[0] ** 3).sum():.3g}".replace("-", "\N{MINUS SIGN}")


# files


def test_files(tmp_path):
    text = viz.visualize_text(VALUES, ["schön", "<b>", "c", "d"])
    text.save(tmp_path / "a.html")
    text.save(tmp_path / "a.txt")
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert text._repr_html_() in page
    assert (tmp_path / "a.txt").read_text(encoding="utf-8").splitlines()[0].startswith("schön  -2")


# refusals

NAMED = nt.tensor(EMBEDDED[0], "letters embed")
ERRORS = {
    "no tokens": (lambda: viz.visualize_text(VALUES), ValueError, "needs the tokens"),
    "no records": (lambda: viz.visualize_text([]), ValueError, "there are none"),
    "too few tokens": (lambda: viz.visualize_text(VALUES, ["a"]), ValueError, "1 tokens and 4 attributions"),
    "too many tokens": (lambda: viz.visualize_text(captums([1.0], ["a", "b"])), ValueError, r"datarecords\[0\] has 2 tokens and 1"),
    "numbers for tokens": (lambda: viz.visualize_text(VALUES, [1, 2, 3, 4]), TypeError, "hold 1: give their text, .*convert_ids_to_tokens"),
    "which dim": (lambda: viz.visualize_text(NAMED, ["a", "b", "c"]), ValueError, r"\[letters:3, embed:4\].*give dim=, one of \['letters', 'embed'\]"),
    "no such dim": (lambda: viz.visualize_text(NAMED, ["a"], dim="word"), ValueError, "no dim 'word': give dim=, one of"),
    "texts of a batch": (lambda: viz.visualize_text(SimpleNamespace(attributions=EMBEDDED), ["a", "b", "c"]), ValueError, "2 examples and the tokens of 1"),
    "NaN": (lambda: viz.visualize_text(np.array([1.0, np.nan]), ["a", "b"]), ValueError, "1 values of 2 .*not finite.*token=1"),
    "a matrix of Captum": (lambda: viz.visualize_text(captums(np.ones((2, 3)), ["a", "b"])), ValueError, r"word_attributions has the shape \(2, 3\), expected \[token\]"),
    "sign": (lambda: viz.visualize_text(VALUES, WORDS, sign="postive"), ValueError, "Did you mean 'positive'"),
}  # fmt: skip


@pytest.mark.parametrize(("call", "error", "message"), ERRORS.values(), ids=ERRORS)
def test_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
