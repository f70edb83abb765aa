"""The command ``attribute``: the evidence as text, the explanation as a picture."""

import dataclasses
import re

import numpy as np
import pytest

import namedtensor as nt
from captum_lite.methods import IMAGE_METHODS, METHODS
from namedtensor.datasets import digits
from namedtensor.models import digits_cnn
from notebooks import attribute, small_images
from notebooks.__main__ import main
from notebooks.cases import Case
from notebooks.cases import digits as digits_case


@pytest.fixture(scope="module")
def logits():
    """The model's scores of an image, and of an empty one."""
    held_out, params = digits.load("heldout"), digits_cnn.load(progress=False)
    image = held_out.images.isel(batch=slice(7, 8))
    return np.asarray(digits_cnn.apply(params, image).array)[0], np.asarray(
        digits_cnn.apply(params, 0 * image).array
    )[0]


def said(text, row):
    return re.search(rf"^{row} +(.*)$", text, re.MULTILINE)[1]


def number(text):
    return float(re.search(r"-?\d+\.\d+(e[-+]\d+)?", text)[0])


def test_it_explains_the_predicted_class(logits, tmp_path, capsys):
    from matplotlib.image import imread

    out = tmp_path / "fig.png"
    assert main(["attribute", "--index", "7", "--out", str(out)]) == 0
    text, (scores, empty) = capsys.readouterr().out, logits
    best, label = int(scores.argmax()), int(digits.load("heldout").labels.array[7])
    assert said(text, "prediction").startswith(f"class {best}, probability ")
    assert said(text, "prediction").endswith(f"; labelled class {label}")
    assert said(text, "explained") == f"logit {scores[best]:.3f} of class {best}, by integrated gradients"
    assert number(said(text, "at baseline")) == pytest.approx(empty[best], abs=1e-3)
    assert said(text, "gap").endswith("of the total attribution: a lower bound on the error")
    assert said(text, "error").endswith("estimated")
    assert said(text, "wrote") == str(out)
    pixels = imread(out)
    assert pixels.shape[1] > 900
    assert np.ptp(pixels[..., 0] - pixels[..., 2]) > 1  # red and blue


def test_the_gap_is_what_the_attributions_miss(logits, tmp_path, monkeypatch, capsys):
    records = []
    monkeypatch.setattr(attribute, "picture", lambda made: records.append(made.record) or attribute.Figure())
    arguments = ["attribute", "--index", "7", "--target", "3", "--method", "INPUT_X_gradient"]
    assert main([*arguments, "--out", str(tmp_path / "a.svg")]) == 0
    assert said(capsys.readouterr().out, "gap").startswith("none: ")
    arguments[-1] = "Integrated Gradients"
    assert main([*arguments, "--baseline", "1", "--out", str(tmp_path / "a.pdf")]) == 0
    text = capsys.readouterr().out
    whole = logits[0][3] - number(said(text, "at baseline"))
    missed = abs(float(records[-1].attributions.array.sum()) - whole)
    assert number(said(text, "gap")) == pytest.approx(missed, abs=2e-3)
    assert (tmp_path / "a.svg").read_text().startswith("<?xml")
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")


def test_the_file_has_a_name_of_its_own_by_default(monkeypatch):
    asked = []

    def interrupted(out):
        asked.append(str(out))
        raise KeyboardInterrupt

    monkeypatch.setattr(attribute, "_checked", interrupted)
    assert main(["attribute", "--index", "7", "--method", "guided_ig"]) == 130
    assert asked == ["digits_7_guided_IG.png"]


@pytest.mark.parametrize("name", METHODS | IMAGE_METHODS)
def test_every_method_is_found_by_its_name_with_underscores(name):
    assert attribute._method(name.replace(" ", "_").upper()) == name
    assert small_images.units(name, "ink").startswith("logit")


@pytest.mark.parametrize(("side", "n"), [(8, 8), (8, 4), (24, 8), (24, 4)])
def test_cells_are_squares_that_tile_the_image(side, n):
    mask = small_images.cells({"height": side, "width": side}, n).to_array("height width")
    square = np.ones((side // n, side // n), int)
    assert (mask == np.kron(np.arange(n * n).reshape(n, n), square)).all()


@pytest.mark.parametrize("method", ["occlusion", "LIME", "DeepLift"])
def test_a_value_of_whole_pixels_is_drawn_once_and_not_once_a_channel(method):
    values = np.random.default_rng(0).normal(size=(1, 8, 8))
    found = nt.tensor(np.repeat(values[..., None], 3, axis=3), "batch height width channel")
    image = nt.ones("batch:1 height:8 width:8 channel:3")

    def model(x):
        score = x.sum(("height", "width", "channel"))
        return nt.stack([score, 2 * score], "class")

    case = Case(model, image, image, 0, (), "light", lambda: image)
    explained = attribute.explain(case, method, 1, None)
    record = dataclasses.replace(explained.record, attributions=found)
    drawn = attribute.picture(dataclasses.replace(explained, record=record)).axes[1].images[0].get_array()
    factor = 3 if method == "DeepLift" else 1  # whose channels are features by themselves
    assert np.asarray(drawn) == pytest.approx(np.clip(factor * values[0], drawn.min(), drawn.max()), abs=1e-5)


def test_list_says_what_there_is(capsys):
    assert main(["attribute", "--list"]) == 0
    text = capsys.readouterr().out
    assert said(text, "models:") == "digits, planted"
    assert said(text, "methods:").split(", ") == [*METHODS, *IMAGE_METHODS]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--model digit", "there is no model 'digit'; there are: digits, planted. Did you mean 'digits'?"),
        (
            "--method deep_lit",
            "there is no method 'deep_lit'; there are: saliency, .*Did you mean 'DeepLift'?",
        ),
        ("--index 299", "--index 299 is out of range: there are 299 held-out images, 0 to 298."),
        ("--index -1", "--index -1 is out of range"),
        ("--target 10", "target 10 is out of range: the output .* has 10 there, 0 to 9"),
        ("--baseline red", "--baseline red: give a number, mean or blurred."),
        ("--baseline nan", "baseline 0"),
        ("--baseline mean --method lrp", "--baseline mean: LRP compares with no baseline. Leave it out."),
        ("--out {}/fig.txt", r"fig.txt: the suffix chooses the format, and may be .*\.png"),
        ("--out {}/fig", "fig: the suffix chooses the format"),
        ("--out {}/none/fig.png", "fig.png: there is no directory .*none. Make it first."),
        ("--out {}/dir.png", "dir.png: this is a directory. Give the name of a file."),
    ],
)
def test_what_does_not_exist_is_one_line(options, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dir.png").mkdir()
    assert main(["attribute", *options.format(tmp_path).split()]) == 1
    shown = capsys.readouterr()
    assert re.match(f"namedtensor-workbench: .*{message}", shown.err), shown.err
    assert (shown.err.count("\n"), shown.out) == (1, "")
    assert [path.name for path in tmp_path.iterdir()] == ["dir.png"]


@pytest.mark.parametrize("given", ["mean", "blurred", "0.5"])
def test_baselines_are_those_of_the_images(given):
    case = digits_case(7)
    made = attribute._baseline(given, case)
    ink = {"mean": float(case.others().array.mean()), "blurred": float(case.image.array.mean()), "0.5": 0.5}[
        given
    ]
    mean = float(made.array.mean()) if nt.is_named(made) else made
    assert mean == pytest.approx(ink, rel=0.25)  # a blur keeps ink, but for what the border repeats


def test_a_note_of_the_method_is_a_line(tmp_path, monkeypatch, capsys):
    import warnings

    from captum_lite import IncompleteWarning

    class Noisy(METHODS["saliency"]):
        def explain(self, *args, **options):
            warnings.warn("not complete: take more.", IncompleteWarning, stacklevel=1)
            return super().explain(*args, **options)

    monkeypatch.setitem(METHODS, "saliency", Noisy)
    monkeypatch.setattr(attribute, "picture", lambda _: attribute.Figure())
    assert main(["attribute", "--method", "saliency", "--out", str(tmp_path / "a.png")]) == 0
    assert said(capsys.readouterr().out, "note") == "not complete: take more."
