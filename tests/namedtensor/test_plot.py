"""Plots: where each dim and each value goes, the scales, and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import namedtensor as nt
from namedtensor._errors import (
    BadPattern,
    DimMismatch,
    DuplicateDim,
    MissingName,
    RankMismatch,
    SizeMismatch,
    UnknownDim,
    Unsupported,
)

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def x(shape="pos:6 head:4"):
    return nt.random.normal(jax.random.key(0), shape)


def drawn(ax):
    """The values of an image, or of each line."""
    return (
        np.array(ax.get_images()[0].get_array())
        if ax.get_images()
        else np.array([line.get_ydata() for line in ax.get_lines()])
    )


def names(ax):
    return ax.get_xlabel(), ax.get_ylabel()


@pytest.mark.parametrize("stored", ["pos head", "head pos"])
def test_an_image_has_y_down_and_x_across(stored):
    ax = x().order(stored).plot(x="pos", y="head", label="score")
    np.testing.assert_array_equal(drawn(ax), x().to_numpy("head pos"))
    assert names(ax) == ("pos", "head")
    assert ax.yaxis_inverted()
    assert ax.figure.axes[1].get_ylabel() == "score"


@pytest.mark.parametrize("stored", ["pos head", "head pos"])
def test_lines(stored):
    ax = x().order(stored).plot(x="pos", hue="head", label="score")
    np.testing.assert_array_equal(drawn(ax), x().to_numpy("head pos"))
    assert names(ax) == ("pos", "score")
    assert [t.get_text() for t in ax.figure.legends[0].get_texts()] == [
        "head = 0",
        "head = 1",
        "head = 2",
        "head = 3",
    ]


def test_the_dim_that_is_left_is_x():
    assert names(x("pos:6").plot()) == ("pos", "")
    assert names(x().plot(hue="head")) == ("pos", "")
    assert names(x().plot(y="pos")) == ("head", "pos")
    assert names(x().plot("head", "pos")) == ("head", "pos")
    assert nt.plot(x("pos:6"), label="u").get_ylabel() == "u"


def test_many_lines_have_a_bar_and_colours_in_order():
    ax = x("pos:6 head:20").plot(hue="head")
    assert not ax.figure.legends
    assert ax.figure.axes[1].get_ylabel() == "head"
    first, last = (line.get_color() for line in (ax.get_lines()[0], ax.get_lines()[-1]))
    assert first == matplotlib.colormaps["viridis"](0.0)
    assert last == matplotlib.colormaps["viridis"](1.0)


def test_small_multiples():
    value = x("layer:3 head:2 seq:4 seq':5")
    axes = value.plot(x="seq'", y="seq", row="layer", col="head", label="score")
    assert axes.shape == (3, 2)
    for i in range(3):
        for j in range(2):
            np.testing.assert_array_equal(drawn(axes[i, j]), value.isel(layer=i, head=j).to_numpy("seq seq'"))
    assert [ax.get_title() for ax in axes[0]] == ["head = 0", "head = 1"]
    assert [ax.texts[0].get_text() for ax in axes[:, 1]] == ["layer = 0", "layer = 1", "layer = 2"]
    assert {ax.get_images()[0].get_clim() for ax in axes.flat} == {(axes[0, 0].get_images()[0].get_clim())}
    assert len(axes[0, 0].figure.axes) == 7  # one colour bar for all
    assert [ax.get_xlabel() for ax in axes.flat] == ["", "", "", "", "seq'", "seq'"]
    assert [ax.get_ylabel() for ax in axes.flat] == ["seq", "", "seq", "", "seq", ""]


@pytest.mark.parametrize(("number", "lines"), [(1, 1), (5, 1), (6, 2), (7, 2), (11, 3)])
def test_panels_are_wrapped_into_lines_of_about_equal_length(number, lines):
    value = x(f"layer:{number} pos:4")
    axes = value.plot(col="layer")
    assert axes.shape == (number,)
    tops = {round(ax.get_subplotspec().rowspan.start) for ax in axes}
    assert len(tops) == lines
    for i, ax in enumerate(axes):
        assert ax.get_title() == f"layer = {i}"
        np.testing.assert_array_equal(drawn(ax), value.isel(layer=i).to_numpy("pos")[None])
    lowest = [ax for ax in axes if ax.get_xlabel() == "pos"]
    assert len(lowest) == len({ax.get_subplotspec().colspan.start for ax in axes})


def test_rows_are_not_wrapped():
    axes = x("layer:7 pos:4 run:2").plot(row="layer", hue="run")
    assert axes.shape == (7,)
    assert {ax.get_subplotspec().colspan.start for ax in axes} == {0}
    assert len(axes[0].figure.legends) == 1


def test_panels_of_lines_share_their_heights():
    axes = x("layer:3 pos:4").plot(col="layer")
    assert len({ax.get_ylim() for ax in axes}) == 1


SCALES = {
    "both signs": ([[-1.0, 3.0]], "RdBu_r", (-3, 3)),
    "both signs, the other way": ([[-4.0, 3.0]], "RdBu_r", (-4, 4)),
    "positive": ([[1.0, 3.0]], "viridis", (1, 3)),
    "from 0": ([[0.0, 3.0]], "viridis", (0, 3)),
    "negative": ([[-3.0, -1.0]], "viridis", (-3, -1)),
    "flat": ([[2.0, 2.0]], "viridis", (0, 2)),
    "flat and negative": ([[-2.0, -2.0]], "viridis", (-2, 0)),
    "zeros": ([[0.0, 0.0]], "viridis", (0, 1)),
    "integers": ([[1, 5]], "viridis", (1, 5)),
    "bool": ([[True, False]], "viridis", (0, 1)),
    "not finite": ([[np.nan, np.inf]], "viridis", (0, 1)),
    "some finite": ([[np.nan, 1.0, -np.inf, 2.0]], "viridis", (1, 2)),
}


@pytest.mark.parametrize(("values", "cmap", "limits"), SCALES.values(), ids=SCALES)
def test_colours(values, cmap, limits):
    image = nt.tensor(values, "a b").plot(x="b", y="a").get_images()[0]
    assert image.get_cmap().name == cmap
    assert image.get_clim() == limits
    image.figure.canvas.draw()


def test_limits_and_maps_of_ones_own():
    ax = nt.tensor([[-2.0, 3.0]], "a b").plot(x="b", y="a", limits=(-1, 2), cmap="PuOr")
    image, bar = ax.get_images()[0], ax.figure.axes[1]
    assert image.get_cmap().name == "PuOr"
    assert image.norm(0.0) == 0.5
    assert image.get_clim() == (-1, 2)
    assert bar._colorbar.extend == "both"
    assert nt.tensor([1.0, 2.0], "a").plot(limits=(0, 5)).get_ylim() == (0, 5)
    own = matplotlib.colormaps["magma"]
    assert nt.ones("a:2 b:3").plot("a", "b", cmap=own).get_images()[0].get_cmap() == own


def test_nan_is_grey():
    ax = nt.tensor([[np.nan, 1.0]], "a b").plot("b", "a")
    assert ax.get_facecolor() == matplotlib.colors.to_rgba("0.8")
    assert np.isnan(drawn(ax)[0, 0])


def test_cells_are_square_unless_that_makes_a_strip():
    assert nt.ones("a:3 b:4").plot("a", "b").get_aspect() == 1
    assert nt.ones("a:3 b:40").plot("a", "b").get_aspect() == "auto"


def test_ticks():
    tokens = ["the", "cat", "sat"]
    ax = nt.ones("seq:3 seq':3").plot(x="seq'", y="seq", ticks={"seq": tokens, "seq'": tokens})
    assert [t.get_text() for t in ax.get_xticklabels()] == tokens
    assert [t.get_text() for t in ax.get_yticklabels()] == tokens
    axes = nt.ones("seq:3 layer:2").plot(col="layer", ticks={"layer": ["first", 2]})
    assert [ax.get_title() for ax in axes] == ["first", "2"]
    many = nt.ones("seq:100").plot(ticks={"seq": range(100)})
    assert 20 <= len(many.get_xticks()) <= 40


def test_positions_are_whole_numbers():
    ax = nt.ones("a:3").plot()
    ax.figure.canvas.draw()
    assert all(float(t).is_integer() for t in ax.get_xticks())


def test_axes_of_ones_own():
    figure, (left, right) = plt.subplots(1, 2)
    assert x().plot("pos", "head", ax=left) is left
    assert x().plot("pos", hue="head", ax=right) is right
    assert right.get_legend() is not None
    assert len(figure.axes) == 3
    assert not figure.legends
    figure.canvas.draw()


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "int8", "bool"])
def test_dtypes(dtype):
    value = nt.ones("a:2 b:3", dtype=jnp.dtype(dtype))
    np.testing.assert_array_equal(drawn(value.plot("a", "b")), np.ones((3, 2)))
    np.testing.assert_array_equal(drawn(value.plot("a", hue="b")), np.ones((3, 2)))


def test_one_position_is_a_point():
    assert nt.ones("a:1").plot().get_lines()[0].get_marker() == "o"


def test_the_users_settings_are_not_changed():
    before = dict(matplotlib.rcParams)
    x("layer:3 pos:4 head:2").plot(x="pos", y="head", col="layer")
    assert dict(matplotlib.rcParams) == before


X = "f32[pos:6 head:4]"
REFUSED = {
    "left over": (lambda: x().plot(), DimMismatch,
        ["DimMismatch in nt.plot", X, "'pos head' have no place in the plot", "x='head', y='head', hue='head', col='head', row='head'", "x.mean('head') or x.isel(head=0)"]),
    "left over with x": (lambda: x().plot(x="pos"), DimMismatch, ["'head' has no place", "y='head'"]),
    "left over with y": (lambda: x("a:2 b:2 c:2").plot(x="a", y="b"), DimMismatch, ["'c' has no place", "col='c', row='c'"]),
    "left over with hue": (lambda: x("a:2 b:2 c:2").plot(x="a", hue="b"), DimMismatch, ["Give one, col='c', row='c', or"]),
    "nothing left": (lambda: x().plot(y="head", row="pos"), BadPattern, ["no dim is left for x", "Leave out y"]),
    "scalar": (lambda: nt.tensor(1.0, "").plot(), Unsupported, ["a scalar has nothing along which to plot"]),
    "unknown": (lambda: x().plot(x="po", y="head"), UnknownDim, [X, "no dim 'po'", "Did you mean 'pos'?"]),
    "twice": (lambda: x().plot(x="pos", y="pos"), DuplicateDim, ["'pos' is both x and y"]),
    "y and hue": (lambda: x("a:2 b:2 c:2").plot(x="a", y="b", hue="c"), BadPattern, ["y is for images and hue for lines"]),
    "ax and col": (lambda: x().plot(x="pos", col="head", ax=plt.gca()), BadPattern, ["ax is one panel"]),
    "complex": (lambda: nt.tensor([1j], "a").plot(), Unsupported, ["complex values", "abs(x)"]),
    "empty": (lambda: nt.zeros("a:0").plot(), Unsupported, ["there are no values"]),
    "traced": (lambda: jax.jit(lambda t: t.plot())(x("a:2")), Unsupported, ["not known while JAX traces"]),
    "keys": (lambda: nt.tensor(jax.random.split(jax.random.key(0)), "a").plot(), Unsupported, ["random keys are no numbers"]),
    "in transit": (lambda: x().peel("head").plot(), RankMismatch, ["in transit"]),
    "no names": (lambda: nt.plot(np.ones(3)), MissingName, ["f64[3] has no names"]),
    "many panels": (lambda: nt.ones("a:2 vocab:1000").plot(col="vocab"), Unsupported, ["1000 panels cannot be told apart", "x.isel(vocab=slice(8))"]),
    "many rows": (lambda: nt.ones("a:2 vocab:1000").plot(row="vocab"), Unsupported, ["x.isel(vocab=slice(8))"]),
    "many lines": (lambda: nt.ones("a:2 vocab:1000").plot(hue="vocab"), Unsupported, ["1000 lines cannot be told apart"]),
    "ticks": (lambda: x().plot("pos", "head", ticks={"pos": ["a"]}), SizeMismatch, ["'pos' is 6, there are 1 ticks for it"]),
    "ticks of no dim": (lambda: x().plot("pos", "head", ticks={"seq": ["a"]}), UnknownDim, ["no dim 'seq'"]),
}  # fmt: skip


@pytest.mark.parametrize(("act", "kind", "parts"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(act, kind, parts):
    with pytest.raises(kind) as caught:
        act()
    assert type(caught.value) is kind
    for part in parts:
        assert part in str(caught.value)
