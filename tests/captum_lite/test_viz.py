"""Pictures of attributions, read back from the artists: the numbers drawn, not the look of them."""

import itertools
import subprocess
import sys
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.text import Text

from captum_lite import viz
from captum_lite.viz._scale import SIGNS, describe, scale, scale_together

mpl.use("Agg")

METHODS = ["original_image", "heat_map", "blended_heat_map", "masked_image", "alpha_scaling"]
MASKS = ["masked_image", "alpha_scaling"]


@dataclass
class Tensor:
    """What viz needs to know of a named tensor."""

    array: Any
    dims: tuple[str, ...]

    def __array__(self, *args: Any, **kwargs: Any):
        """Refuse, as a named tensor does."""
        raise TypeError("a named tensor refuses to lose its names")


@dataclass
class Record:
    """What viz needs to know of an attribution record."""

    attributions: Any


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.fixture
def attr(rng):
    return rng.normal(size=(6, 5, 3))


@pytest.fixture
def image(rng):
    return rng.uniform(size=(6, 5, 3))


@pytest.fixture
def pyplot():
    from matplotlib import pyplot

    yield pyplot
    pyplot.close("all")


def render(figure):
    """Draw for good: the canvas of a bare figure would draw nothing."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return canvas.get_renderer()


def drawn(picture):
    return np.asarray(picture.image.get_array())


# ---- the scale ----


def slow_mass(attr, percent):
    """Captum's rule in exact arithmetic, one element after the other."""
    magnitudes = sorted(abs(Fraction(float(value))) for value in attr.ravel())
    running = Fraction(0)
    for value in magnitudes:
        running += value
        if 100 * running >= percent * sum(magnitudes):
            return float(value)
    raise AssertionError("the running sum must reach the total")


@pytest.mark.parametrize("percent", [1, 50, 90, 98, 99.5, 100])
@pytest.mark.parametrize("seed", range(5))
def test_mass_is_where_the_running_sum_reaches_the_share(seed, percent):
    attr = np.random.default_rng(seed).normal(size=(9, 7)) ** 3
    assert scale(attr, clip=("mass", percent)).limit == slow_mass(attr, Fraction(percent))


@pytest.mark.parametrize(("percent", "limit"), [(10, 1), (30, 2), (31, 3), (60, 3), (61, 4)])
def test_mass_worked_example(percent, limit):
    """The running sums of 1, 2, 3, 4 are 1, 3, 6, 10."""
    assert scale(np.array([[4.0, -1.0], [-3.0, 2.0]]), clip=("mass", percent)).limit == limit


def test_mass_is_not_a_percentile():
    attr = np.zeros((10, 10))
    attr[0, :2] = 1.0, 99.0
    assert scale(attr, clip=("mass", 98)).limit == 99.0
    assert scale(attr, clip=("percentile", 98)).limit < 1.0


def test_percentile_interpolates_between_neighbours():
    attr = np.arange(101.0).reshape(1, 101) * -1
    assert scale(attr, clip=("percentile", 98)).limit == 98.0
    assert scale(attr, clip=("percentile", 97.5)).limit == 97.5


def test_without_a_clip_the_largest_magnitude_is_the_limit(attr):
    scaled = scale(attr[..., 0], clip=None)
    assert scaled.limit == np.abs(attr[..., 0]).max()
    assert scaled.clip is None


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("clip", [("mass", 50), ("percentile", 80)])
def test_values_are_the_clipped_fraction_of_the_limit(attr, sign, clip):
    flat = attr.sum(axis=-1)
    chosen = {
        "all": flat,
        "positive": np.where(flat > 0, flat, 0),
        "negative": np.where(flat < 0, -flat, 0),
        "absolute_value": np.where(flat < 0, -flat, flat),
    }[sign]
    scaled = scale(flat, sign=sign, clip=clip)
    inside = np.abs(chosen) <= scaled.limit
    assert 0 < inside.sum() < inside.size
    np.testing.assert_allclose(scaled.values[inside] * scaled.limit, chosen[inside], rtol=1e-14)
    np.testing.assert_array_equal(scaled.values[~inside], np.sign(chosen[~inside]))
    assert scaled.signed == (sign == "all")
    assert scaled.ends == (-scaled.limit if sign == "all" else 0, scaled.limit)


@pytest.mark.parametrize("clip", [("mass", 98), ("percentile", 98), None])
@pytest.mark.parametrize("sign", SIGNS)
def test_a_map_of_zeros_is_flat_and_flagged(sign, clip):
    scaled = scale(np.zeros((3, 4)), sign=sign, clip=clip)
    assert scaled.empty
    assert scaled.limit == 0
    assert not scaled.values.any()


def test_nothing_left_of_the_sign_is_empty_too():
    assert scale(-np.ones((2, 2)), sign="positive").empty
    assert not scale(-np.ones((2, 2)), sign="negative").empty


def test_a_percentile_of_zero_falls_back_to_the_largest_and_says_so():
    attr = np.zeros((10, 10))
    attr[3, 4] = 5.0
    scaled = scale(attr, clip=("percentile", 98))
    assert scaled.limit == 5.0
    assert describe(scaled) == ("attribution", "not clipped")


@pytest.mark.parametrize("size", [1e-310, 1e-30, 1e30])
def test_extreme_sizes_neither_overflow_nor_vanish(size):
    attr = np.array([[1.0, -0.5], [0.25, 0.0]])
    np.testing.assert_allclose(scale(attr * size, clip=None).values, attr, rtol=1e-12)
    render(viz.show(attr * size).figure)


def test_maps_scaled_together_have_the_limit_of_all_their_values(rng):
    maps = [rng.normal(size=(4, 4)), 100 * rng.normal(size=(3, 5))]
    pooled = np.concatenate([one.ravel() for one in maps])
    assert {one.limit for one in scale_together(maps)} == {slow_mass(pooled, 98)}


# ---- one picture ----


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_every_method_draws_what_it_says(attr, image, method, sign, grey):
    image = image[..., 0] if grey else image
    picture = viz.show(attr, image, method=method, sign=sign, opacity=0.4)
    render(picture.figure)
    values = scale(attr.sum(axis=-1), sign=sign).values
    weights = np.abs(values) if grey or method == "alpha_scaling" else np.abs(values)[..., None]
    if method in ("heat_map", "blended_heat_map"):
        limit = slow_mass(SIGNS[sign](attr.sum(axis=-1)), 98)
        assert picture.image.get_clim() == (-limit if sign == "all" else 0, limit)
        np.testing.assert_allclose(drawn(picture), values * limit, rtol=1e-14)
        assert picture.colorbar.mappable is picture.image
    if method == "blended_heat_map":
        below = np.asarray(picture.axes.images[0].get_array())
        np.testing.assert_allclose(below, image if grey else image.mean(axis=-1), rtol=1e-14)
        assert picture.image.get_alpha() == 0.4
    if method == "masked_image":
        np.testing.assert_array_equal(drawn(picture), image * weights)
    if method == "alpha_scaling":
        assert drawn(picture).shape == (6, 5, 4)
        np.testing.assert_array_equal(drawn(picture)[..., 3], weights)
        np.testing.assert_array_equal(drawn(picture)[..., 0], image if grey else image[..., 0])
    if method == "original_image":
        np.testing.assert_array_equal(drawn(picture), image)


@pytest.mark.parametrize("method", [*MASKS, "original_image"])
def test_pictures_without_a_colour_scale_have_no_colour_bar(attr, image, method):
    picture = viz.show(attr, image, method=method)
    assert picture.colorbar is None
    assert len(picture.figure.axes) == 1


def test_sign_selects():
    attr = np.array([[3.0, -4.0], [0.0, -1.0]])
    positive, negative = (viz.show(attr, sign=sign, clip=None) for sign in ("positive", "negative"))
    np.testing.assert_array_equal(drawn(positive), [[3, 0], [0, 0]])
    np.testing.assert_array_equal(drawn(negative), [[0, 4], [0, 1]])


def test_colours_are_symmetric_about_zero():
    picture = viz.show(np.array([[-0.5, 2.0, 0.0]]), clip=None)
    assert picture.image.get_clim() == (-2, 2)
    assert picture.image.get_cmap().name == "RdBu_r"
    red, _, blue, _ = picture.image.to_rgba(0.0)
    assert abs(red - blue) < 0.01  # the middle of the map is grey
    assert viz.show(np.ones((2, 2)), sign="positive").image.get_cmap().name == "viridis"


def test_a_given_limit_replaces_the_clip(attr):
    picture = viz.show(attr, limit=0.25)
    assert picture.image.get_clim() == (-0.25, 0.25)
    assert np.abs(drawn(picture)).max() == 0.25
    assert "given limit" in picture.colorbar.ax.get_ylabel()


@pytest.mark.parametrize(
    ("arguments", "label"),
    [
        ({}, "attribution, clipped at 98 % of total |attribution|"),
        ({"units": "logit", "clip": None}, "attribution (logit), not clipped"),
        ({"sign": "positive"}, "positive attribution, clipped at 98 % of its total"),
        ({"sign": "negative", "clip": None}, "|negative attribution|, not clipped"),
        ({"clip": ("percentile", 95)}, "attribution, clipped at percentile 95"),
    ],
)
def test_colour_bars_say_units_and_clipping(attr, arguments, label):
    bar = viz.show(attr, **arguments).colorbar
    assert bar.ax.get_ylabel().replace("\n", " ") == label


def test_the_numbers_on_a_colour_bar_are_attributions():
    bar = viz.show(np.array([[0.0, -0.00025]]), clip=None).colorbar
    texts = [text.get_text().replace("\N{MINUS SIGN}", "-") for text in bar.ax.get_yticklabels()]
    assert list(map(float, texts)) == [-0.00025, 0, 0.00025]


@pytest.mark.parametrize("method", METHODS[1:])
def test_an_empty_map_draws_with_a_note(image, method):
    picture = viz.show(-np.ones((6, 5)), image, method=method, sign="positive")
    assert "no attribution\nof this sign" in [text.get_text() for text in picture.axes.texts]
    assert_legible(picture.figure)


def test_a_map_that_is_not_empty_has_no_note(attr):
    assert not viz.show(attr).axes.texts


@pytest.mark.parametrize("layout", [None, "constrained", "compressed"])
@pytest.mark.parametrize("place", ["right", "bottom"])
def test_draws_on_the_axes_given_and_takes_the_room_from_them(attr, place, layout):
    figure = Figure(figsize=(7, 3), layout=layout)
    left, right = figure.subplots(1, 2, width_ratios=[3, 2])
    assert viz.show(1e-5 * attr, ax=left, colorbar=place, units="logit").axes is left
    assert viz.show(attr, ax=right, colorbar=place, title="right").figure is figure
    assert_legible(figure)


def test_the_numbers_below_a_picture_end_with_it(attr):
    picture = viz.show(1e-5 * attr, colorbar="bottom")
    found = boxes(picture.figure)
    first, *_, last = (found[text] for text in picture.colorbar.ax.get_xticklabels())
    assert first.x0 >= picture.axes.bbox.x0 - 1  # pixels: half the width of a tick
    assert last.x1 <= picture.axes.bbox.x1 + 1


def test_pyplot_is_never_imported_by_the_core():
    code = """
import io, sys, numpy as np
from matplotlib.figure import Figure
from captum_lite import viz
attr = np.eye(4)
viz.show(attr, attr, method="blended_heat_map")._repr_png_()
viz.show(attr, ax=Figure().subplots()).figure.savefig(io.BytesIO())
viz.grid({"a": [attr]}, [attr])._repr_png_()
viz.visualize_image_attr(attr, attr, use_pyplot=False, show_colorbar=True)
sys.exit("matplotlib.pyplot" in sys.modules)
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_shows_itself_unless_pyplot_does(attr, pyplot):
    assert viz.show(attr)._repr_png_().startswith(b"\x89PNG")
    assert viz.show(attr, ax=pyplot.figure().subplots())._repr_png_() is None


# ---- what may be drawn ----


def test_channels_are_summed(attr):
    np.testing.assert_allclose(drawn(viz.show(attr, clip=None)), attr.sum(axis=2), rtol=1e-14)
    np.testing.assert_array_equal(
        drawn(viz.show(attr[..., 0], clip=None)), drawn(viz.show(attr[..., :1], clip=None))
    )


@pytest.mark.parametrize("dims", list(itertools.permutations(("height", "width", "channel"))))
def test_named_axes_may_stand_in_any_order(attr, image, dims):
    order = [("height", "width", "channel").index(dim) for dim in dims]
    named_attr, named_image = (Tensor(x.transpose(order), dims) for x in (attr, image))
    picture = viz.show(named_attr, named_image, method="masked_image", sign="positive")
    expected = viz.show(attr, image, method="masked_image", sign="positive")
    np.testing.assert_allclose(drawn(picture), drawn(expected), rtol=1e-12)


def test_records_of_one_example_are_drawn(attr):
    expected = drawn(viz.show(attr))
    named = Tensor(attr[None], ("batch", "height", "width", "channel"))
    for held in (attr[None], (attr[None],), named):
        np.testing.assert_array_equal(drawn(viz.show(Record(held))), expected)
    np.testing.assert_allclose(drawn(viz.show(Record(attr.sum(axis=2)[None]))), expected)


def test_a_batch_of_one_is_its_example(attr, image):
    expected = drawn(viz.show(attr, image, method="masked_image"))
    np.testing.assert_array_equal(drawn(viz.show(attr[None], image[None], method="masked_image")), expected)
    grey = attr[..., 0]
    np.testing.assert_array_equal(drawn(viz.show(grey[None])), drawn(viz.show(grey)))


@pytest.mark.parametrize("kind", [np.uint8, np.int32, float])
def test_images_in_0_to_1_and_0_to_255(kind):
    image = np.array([[0, 51], [102, 255]]).astype(kind) / (255 if kind is float else 1)
    image = image.astype(kind)
    picture = viz.show(None, image, method="original_image")
    np.testing.assert_allclose(drawn(picture), [[0, 0.2], [0.4, 1]], rtol=1e-14)
    assert picture.image.get_clim() == (0, 1)


def test_an_image_of_one_channel_is_grey(image):
    assert drawn(viz.show(None, image[..., :1], method="original_image")).shape == (6, 5)


# ---- refusals ----


def with_nan(attr):
    attr[4, 1, 2], attr[5, 0, 0] = np.nan, -np.inf
    return attr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "heatmap"}, r"unknown method 'heatmap'. Did you mean 'heat_map'\?.*alpha_scal"),
        ({"sign": "postive"}, r"unknown sign 'postive'. Did you mean 'positive'\? There is: all, "),
        (
            {"cmap": "virids"},
            r"unknown cmap 'virids'. Did you mean 'viridis'\?.*RdBu_r, PuOr, PRGn",
        ),
        ({"clip": ("masss", 98)}, r"unknown clip rule 'masss'. Did you mean 'mass'\?.*percentile"),
        ({"clip": 98}, r'clip is a rule and an amount in percent, \("mass", 98\).*got 98'),
        ({"clip": ("mass", 0)}, "a percentage above 0 and up to 100; got 0"),
        ({"limit": 0.0}, "limit is .* above 0; got 0.0"),
        ({"colorbar": "botom"}, r"unknown place for a colour bar 'botom'. Did you mean 'bottom'\?"),
        ({"method": "masked_image"}, "'masked_image' draws on the image: give image="),
        ({"image": np.zeros((8, 8))}, r"6 x 5 pixels and the image 8 x 8.*resize\(attr, \(8, 8\)"),
        ({"image": np.zeros((3, 6, 5))}, r"image has .* Write np.moveaxis\(image, -3, -1\)"),
        ({"image": np.full((6, 5), 16.0)}, r"image runs from 16 to 16.* Write image / 16"),
        ({"image": np.eye(6, 5) - 0.5}, r"Write \(image - -0.5\) / 1\."),
        ({"image": np.zeros((6, 5, 2))}, "image has the shape|2 channels"),
        (
            {"image": Tensor(np.zeros((6, 5, 2)), ("height", "width", "time"))},
            "select one of 'time'",
        ),
    ],
)
def test_words_and_images_refused(attr, arguments, message):
    method = "blended_heat_map" if "image" in arguments else "heat_map"
    with pytest.raises(ValueError, match=message):
        viz.show(attr, **{"method": method, **arguments})


def test_an_image_that_is_not_drawn_is_not_refused(attr):
    viz.show(attr, np.full((9, 9), -7.0), method="heat_map")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            with_nan,
            r"attr holds 2 values of 90 .*\(1 NaN, 1 infinite\).*height=4 width=1 channel=2",
        ),
        (
            lambda a: a.transpose(2, 0, 1),
            r"\(3, 6, 5\), which looks channel-first.*np.moveaxis\(attr,",
        ),
        (lambda a: np.stack([a, a]), r"attr holds a batch of 2 examples: select one, attr\[0\]"),
        (lambda a: a[:0], r"attr has the shape \(0, 5, 3\): there is nothing to draw"),
        (lambda a: a.ravel(), r"expected \[height, width\] or \[height, width, channel\]"),
        (lambda a: Tensor(a, ("height", "time", "channel")), "needs 'width' too"),
        (
            lambda a: Tensor(a, ("batch", "height", "width")),
            r"a batch of 6 examples: select one, attr.isel\(batch=0\)",
        ),
        (lambda a: Record(np.stack([a, a])), r"a batch of 2 examples.*attr.attributions\[0\]"),
        (lambda a: Record((a[None], a[None])), r"holds 2 attributions.*attr.attributions\[0\]"),
    ],
)
def test_attributions_refused(attr, change, message):
    with pytest.raises(ValueError, match=message):
        viz.show(change(attr))


def test_the_line_advised_for_channel_first_works(attr):
    first = attr.transpose(2, 0, 1)
    np.testing.assert_array_equal(np.moveaxis(first, -3, -1), attr)


# ---- the grid ----


def boxes(figure):
    """The texts drawn on a figure and where each one is, in pixels."""
    renderer = render(figure)
    texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text()]
    return {text: text.get_window_extent(renderer) for text in texts}


def crossing(one, other):
    return min(one.x1, other.x1) > max(one.x0, other.x0) and min(one.y1, other.y1) > max(one.y0, other.y0)


def assert_legible(figure):
    """No text lies over another one or over a foreign picture, and none is cut off by the paper."""
    found = boxes(figure)
    for (text, box), (other, its_box) in itertools.combinations(found.items(), 2):
        assert not crossing(box, its_box), f"{text.get_text()!r} lies over {other.get_text()!r}"
    for text, box in found.items():
        inside = box.x0 >= 0 and box.y0 >= 0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1
        assert inside, f"{text.get_text()!r} is cut off"
        for ax in figure.axes:
            if text not in ax.texts:  # the note on an empty map belongs there
                assert not crossing(box, ax.bbox), f"{text.get_text()!r} lies over a picture"


def test_the_check_of_legibility_can_fail():
    figure = Figure()
    figure.text(0.5, 0.5, "one")
    figure.text(0.5, 0.5, "two")
    with pytest.raises(AssertionError, match="lies over"):
        assert_legible(figure)
    figure = Figure()
    figure.text(0.99, 0.5, "a long text")
    with pytest.raises(AssertionError, match="is cut off"):
        assert_legible(figure)


@pytest.fixture
def rows(rng):
    sizes = {"integrated gradients": 0.04, "saliency": 1.5, "occlusion, window 2": 1e-5}
    return {name: list(size * rng.normal(size=(4, 8, 8))) for name, size in sizes.items()}


@pytest.mark.parametrize("norm", ["shared", "each"])
def test_a_grid_with_all_its_texts_is_legible(rng, rows, norm):
    rows["saliency"][1] = np.zeros((8, 8))
    drawn_grid = viz.grid(
        rows,
        rng.uniform(size=(4, 8, 8)),
        norm=norm,
        column_titles=[f"digit {i}" for i in range(4)],
        cell_notes={"saliency": ["gap 1.2e-04"] * 4, "integrated gradients": list("abcd")},
        units="logit",
        title="three methods",
    )
    assert drawn_grid.axes.shape == (4, 4)
    assert_legible(drawn_grid.figure)
    written = [text.get_text() for text in boxes(drawn_grid.figure)]
    assert written.count("gap 1.2e-04") == 4
    assert {"digit 0", "image", "saliency", "integrated\ngradients"} <= set(written)


@pytest.mark.parametrize("shape", [(8, 8), (30, 90), (90, 30)])
@pytest.mark.parametrize("columns", [1, 7])
def test_grids_of_any_shape_are_legible(rng, shape, columns):
    maps = list(rng.normal(size=(columns, *shape)))
    notes = {"saliency": ["1e-4"] * columns}
    assert_legible(viz.grid({"saliency": maps, "IG": maps}, cell_notes=notes).figure)


@pytest.mark.parametrize("shape", [(8, 8), (30, 90), (90, 30), (10, 100), (100, 10), (224, 224)])
@pytest.mark.parametrize("place", ["right", "bottom"])
def test_single_pictures_of_any_shape_are_legible(rng, shape, place):
    attr = 1e-5 * rng.normal(size=shape)
    assert_legible(viz.show(attr, colorbar=place, title="a title", units="logit").figure)


def test_long_texts_are_broken_into_lines(rows):
    notes = {"saliency": ["gap 1.2e-04 after 50 evaluations"] * 4}
    titles = ["a picture of the digit four"] * 4
    drawn_grid = viz.grid({"saliency": rows["saliency"]}, cell_notes=notes, column_titles=titles)
    assert_legible(drawn_grid.figure)


@pytest.mark.parametrize("norm", ["shared", "each"])
def test_the_colours_of_the_bar_are_those_of_the_cells(rng, rows, norm):
    images = rng.uniform(size=(4, 8, 8))
    drawn_grid = viz.grid(rows, images, method="blended_heat_map", norm=norm, opacity=0.3)
    for name, bar in drawn_grid.colorbars.items():
        assert bar.alpha == 0.3
        assert bar.cmap == drawn_grid.pictures[name][0].image.get_cmap()


def test_the_pictures_of_a_grid_have_one_size(rng, rows):
    drawn_grid = viz.grid(rows, rng.uniform(size=(4, 8, 8)))
    render(drawn_grid.figure)
    sizes = np.array([ax.bbox.size for ax in drawn_grid.axes.ravel()])
    np.testing.assert_allclose(sizes, sizes[0, 0], rtol=1e-6)


def test_the_labels_of_colour_bars_are_aligned(rows):
    drawn_grid = viz.grid(rows)
    found = boxes(drawn_grid.figure)
    left = [found[bar.ax.yaxis.label].x0 for bar in drawn_grid.colorbars.values()]
    numbers = [text for bar in drawn_grid.colorbars.values() for text in bar.ax.get_yticklabels()]
    np.testing.assert_allclose(left, left[0], atol=1)  # pixels: hinting rounds the widths of text
    assert max(found[text].x1 for text in numbers) < left[0]


def test_a_shared_norm_is_shared_within_a_method_only(rows):
    drawn_grid = viz.grid(rows)
    for name, maps in rows.items():
        limit = slow_mass(np.stack(maps), 98)
        clims = {picture.image.get_clim() for picture in drawn_grid.pictures[name]}
        assert clims == {(-limit, limit)}
        assert drawn_grid.colorbars[name].ax.get_ylim() == (-limit, limit)


def test_norm_each_scales_every_cell_and_labels_fractions(rows):
    drawn_grid = viz.grid(rows, norm="each")
    for name, maps in rows.items():
        for picture, attr in zip(drawn_grid.pictures[name], maps, strict=True):
            assert picture.image.get_clim()[1] == slow_mass(attr, 98)
        bar = drawn_grid.colorbars[name].ax
        assert bar.get_ylim() == (-1, 1)
        label = bar.get_ylabel().replace("\n", " ")
        assert label == "fraction of each map's limit, clipped at 98 % of total |attribution|"


def test_the_first_row_holds_the_images(rng, rows):
    images = rng.uniform(size=(4, 8, 8))
    with_images, without = viz.grid(rows, images), viz.grid(rows)
    assert with_images.axes.shape == (4, 4)
    assert without.axes.shape == (3, 4)
    for ax, image in zip(with_images.axes[0], images, strict=True):
        np.testing.assert_array_equal(ax.images[0].get_array(), image)


def test_batches_are_split_into_examples(rng):
    batch = rng.normal(size=(3, 6, 5, 2))
    named = Tensor(np.moveaxis(batch, 0, 2), ("height", "width", "batch", "channel"))
    expected = [drawn(picture) for picture in viz.grid({"a": list(batch)}).pictures["a"]]
    for row in (batch, named, Record(batch), Record(named)):
        got = [drawn(picture) for picture in viz.grid({"a": row}).pictures["a"]]
        np.testing.assert_allclose(got, expected, rtol=1e-14)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"norm": "row"}, "unknown norm 'row'. There is: shared, each"),
        (
            {"images": np.zeros((3, 8, 8))},
            r"one entry per sample.*'saliency'\] has 4.*images has 3",
        ),
        ({"column_titles": ["a"]}, "column_titles has 1"),
        ({"cell_notes": {"saliency": ["a"]}}, r"cell_notes\['saliency'\] has 1"),
        ({"cell_notes": {"salincy": ["a"] * 4}}, "cell_notes 'salincy'. Did you mean 'saliency'"),
        ({"rows": {}}, "needs a method with an attribution"),
        ({"rows": {"a": [np.eye(2), np.eye(2) * np.nan]}}, r"rows\['a'\]\[1\] holds 4 values of 4"),
    ],
)
def test_grids_refused(rows, arguments, message):
    with pytest.raises(ValueError, match=message):
        viz.grid(**{"rows": rows, **arguments})


# ---- Captum's words ----


def test_the_announcement_snippet_runs(attr, image, pyplot):
    cmap = LinearSegmentedColormap.from_list("custom", [(0, "#ffffff"), (1, "#000000")])
    figure, axes = viz.visualize_image_attr_multiple(
        attr,
        image,
        ["original_image", "heat_map"],
        ["all", "positive"],
        cmap=cmap,
        show_colorbar=True,
    )
    assert pyplot.fignum_exists(figure.number)
    assert axes.shape == (2,)
    np.testing.assert_array_equal(axes[0].images[0].get_array(), image)
    assert axes[1].images[0].get_cmap() == cmap
    assert axes[1].images[0].get_array().min() == 0
    assert not axes[0].child_axes
    assert "positive attribution" in axes[1].child_axes[0].get_xlabel()
    assert_legible(figure)
    np.testing.assert_allclose(axes[0].bbox.size, axes[1].bbox.size, rtol=1e-6)


@pytest.mark.parametrize("outlier_perc", [0, 2, 30])
def test_outlier_perc_is_the_mass_left_out(attr, outlier_perc):
    _, ax = viz.visualize_image_attr(attr, outlier_perc=outlier_perc, use_pyplot=False)
    limit = slow_mass(attr.sum(axis=-1), 100 - outlier_perc)
    assert ax.images[0].get_clim() == (0, limit)  # the default sign is absolute_value


def test_captum_figures_have_the_size_asked_for(attr, image):
    figure, ax = viz.visualize_image_attr(
        attr, image, "blended_heat_map", "all", alpha_overlay=0.3, title="t", use_pyplot=False
    )
    assert tuple(figure.get_size_inches()) == (6, 6)
    assert ax.get_title() == "t"
    assert ax.images[1].get_alpha() == 0.3
    figure, axes = viz.visualize_image_attr_multiple(
        attr, None, ["heat_map"], ["all"], ["one"], use_pyplot=False
    )
    assert tuple(figure.get_size_inches()) == (8, 6)
    assert [ax.get_title() for ax in axes] == ["one"]


def test_captum_draws_on_the_axes_given(attr):
    figure = Figure(figsize=(8, 4))
    left, _ = figure.subplots(1, 2)
    got = viz.visualize_image_attr(attr, plt_fig_axis=(figure, left), show_colorbar=True, use_pyplot=False)
    assert got == (figure, left)
    assert_legible(figure)


@pytest.mark.parametrize(("backend", "shown"), [("agg", 0), ("tkagg", 1), ("QtAgg", 1), ("svg", 0)])
def test_windows_open_on_interactive_backends_only(attr, pyplot, monkeypatch, backend, shown):
    calls = []
    figure = Figure()
    monkeypatch.setattr(mpl, "get_backend", lambda: backend)
    monkeypatch.setattr(pyplot, "show", lambda: calls.append(1))
    viz.visualize_image_attr(attr, plt_fig_axis=(figure, figure.subplots()))
    assert len(calls) == shown


def test_captum_words_refused(attr, image):
    with pytest.raises(ValueError, match="outlier_perc is a percentage from 0 to below 100; got 100"):
        viz.visualize_image_attr(attr, outlier_perc=100, use_pyplot=False)
    with pytest.raises(ValueError, match="2 methods, 1 signs and 2 titles"):
        viz.visualize_image_attr_multiple(attr, image, ["heat_map", "heat_map"], ["all"], use_pyplot=False)
