"""Attributed time series, read back from the artists."""

from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, QuadMesh
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

import namedtensor as nt
from captum_lite import viz
from captum_lite.viz._timeseries import _MAPS

mpl.use("Agg")

RNG = np.random.default_rng(11)
ATTR, DATA = RNG.normal(size=(2, 9, 3))  # [time, channel]
METHODS = ["overlay_individual", "overlay_combined", "colored_graph"]


def draw(attr=ATTR, data=DATA, **how):
    """The axes, as an array."""
    figure, axes = viz.visualize_timeseries_attr(attr, data, **{"use_pyplot": False, "outlier_perc": 0} | how)
    FigureCanvasAgg(figure).draw()
    return np.atleast_1d(axes)


def carrier(ax):
    """The artist whose colours are the attributions."""
    (found,) = [a for a in ax.collections if isinstance(a, QuadMesh | LineCollection)]
    return found


def attributed(axes):
    return np.stack([np.ravel(carrier(ax).get_array()) for ax in axes], -1)


def curves(ax):
    return [line.get_ydata() for line in ax.lines]


CHOSEN = {
    "all": lambda a: a,
    "positive": lambda a: np.maximum(a, 0),
    "negative": lambda a: np.maximum(-a, 0),
    "absolute_value": np.abs,
}


@pytest.mark.parametrize("sign", CHOSEN)
@pytest.mark.parametrize("method", METHODS)
def test_the_attributions_drawn(method, sign):
    axes = draw(method=method, sign=sign)
    expected = CHOSEN[sign](ATTR.sum(1, keepdims=True) if method == "overlay_combined" else ATTR)
    np.testing.assert_allclose(attributed(axes), expected, rtol=1e-12)
    top = np.abs(expected).max()
    for ax in axes:  # one scale for all panels, 0 in the middle or at the end
        assert carrier(ax).get_clim() == pytest.approx((-top if sign == "all" else 0.0, top))


@pytest.mark.parametrize("method", METHODS)
def test_the_curves_drawn(method):
    axes = draw(method=method)
    drawn = [line for ax in axes for line in curves(ax)]
    np.testing.assert_array_equal(np.stack(drawn, -1), DATA)
    assert len(axes) == (1 if method == "overlay_combined" else 3)


@pytest.mark.parametrize("method", METHODS)
def test_colours_stand_where_their_values_stand(method):
    x = np.array([0.0, 1, 3, 4, 10, 11, 12, 20, 21])
    first = carrier(draw(method=method, x_values=x)[0])
    if isinstance(first, QuadMesh):
        edges = first.get_coordinates()[0, :, 0]
    else:
        edges = np.array([part[0, 0] for part in first.get_segments()] + [x[-1]])
    np.testing.assert_allclose(edges, [0, 0.5, 2, 3.5, 7, 10.5, 11.5, 16, 20.5, 21])


def test_a_coloured_curve_follows_the_data():
    ax = draw(method="colored_graph")[1]
    for i, part in enumerate(carrier(ax).get_segments()):
        np.testing.assert_allclose(part[1], [i, DATA[i, 1]])
        np.testing.assert_allclose(part[0], [max(i - 0.5, 0), DATA[max(i - 1, 0) : i + 1, 1].mean()])


def lightness(colours):
    """Perceived: CIE L*, from sRGB."""
    c = np.asarray(colours)[:, :3]
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    return 116 * np.cbrt(linear @ [0.2126, 0.7152, 0.0722]) - 16


@pytest.mark.parametrize("sign", CHOSEN)
def test_more_attribution_is_darker_and_none_is_white(sign):
    shades = _MAPS[sign](np.linspace(0, 1, 257))
    middle = 128 if sign == "all" else 0
    np.testing.assert_allclose(shades[middle], to_rgba("white"), atol=0.02)
    for half in (shades[middle:], shades[: middle + 1][::-1]):
        assert (np.diff(lightness(half)) < 0.1).all()
    if sign == "all":  # blue against, red for, equally dark
        ends = lightness(shades[[0, -1]])
        assert shades[0][2] > shades[0][0]
        assert shades[-1][0] > shades[-1][2]
        assert abs(ends[0] - ends[1]) < 5


@pytest.mark.parametrize("outlier_perc", [0, 2, 30])
def test_outlier_perc_is_the_mass_left_out(outlier_perc):
    ordered = np.sort(np.abs(ATTR), axis=None)
    limit = ordered[
        np.searchsorted(np.cumsum(ordered), ordered.sum() * (1 - outlier_perc / 100) * (1 - 1e-12))
    ]
    axes = draw(sign="all", outlier_perc=outlier_perc)
    assert carrier(axes[0]).get_clim() == pytest.approx((-limit, limit))
    np.testing.assert_allclose(attributed(axes), np.clip(ATTR, -limit, limit), rtol=1e-12)


# what comes in


@pytest.mark.parametrize(
    ("attr", "data", "how"),
    [
        (ATTR.T, DATA.T, {"channels_last": False}),
        (ATTR[None], DATA[None], {}),
        (nt.tensor(ATTR, "time channel"), nt.tensor(DATA.T, "channel time"), {}),
        (nt.tensor(ATTR.T, "sensor seq"), DATA, {}),
        (nt.tensor(ATTR[None], "batch time channel"), DATA, {}),
        (SimpleNamespace(attributions=ATTR[None], inputs=DATA[None]), None, {}),
        (SimpleNamespace(attributions=(ATTR[None],), inputs=(DATA[None],)), None, {}),
    ],
    ids=[
        "channels first",
        "batch of one",
        "named",
        "other names",
        "named batch",
        "record",
        "record of a tuple",
    ],
)
def test_layouts(attr, data, how):
    axes = draw(attr, data, sign="all", **how)
    np.testing.assert_allclose(attributed(axes), ATTR, rtol=1e-6)
    np.testing.assert_allclose(np.stack([curves(ax)[0] for ax in axes], -1), DATA, rtol=1e-6)


@pytest.mark.parametrize("attr", [ATTR[:, 0], nt.tensor(ATTR[:, 0], "time")], ids=["array", "named"])
def test_a_series_of_one_channel(attr):
    figure, ax = viz.visualize_timeseries_attr(
        attr, DATA[:, 0], sign="all", use_pyplot=False, channel_labels=["load"]
    )
    np.testing.assert_allclose(attributed([ax])[:, 0], ATTR[:, 0], rtol=0.2)
    assert ax.get_ylabel() == "load"
    assert figure.axes == [ax]


def test_gaps_in_the_data_are_gaps_in_the_curve():
    data = DATA.copy()
    data[3, 0] = np.nan
    assert np.isnan(curves(draw(ATTR, data)[0])[0][3])


def test_dates():
    x = np.arange("2024-01-01", "2024-01-10", dtype="datetime64[D]")
    ax = draw(x_values=x)[-1]
    np.testing.assert_allclose(curves(ax)[0], DATA[:, 2])
    assert ax.get_xlim() == pytest.approx((mpl.dates.date2num(x[0]), mpl.dates.date2num(x[-1])))
    assert "2024" in ax.xaxis.get_offset_text().get_text()


# what stands around


def test_names_of_channels_and_time():
    axes = draw(nt.tensor(ATTR, "seq channel"), channel_labels=["a", "b", "c"], title="three")
    assert [ax.get_ylabel() for ax in axes] == ["a", "b", "c"]
    assert axes[-1].get_xlabel() == "seq"
    assert axes[0].get_title() == "three"
    assert [ax.get_ylabel() for ax in draw()] == ["channel 0", "channel 1", "channel 2"]


def test_the_legend_of_curves_in_one_panel():
    (ax,) = draw(method="overlay_combined", channel_labels=["a", "b", "c"])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b", "c"]
    assert len({line.get_color() for line in ax.lines}) == 3


def test_many_curves_are_told_apart():
    many = RNG.normal(size=(30, 20))
    (ax,) = draw(many, many, method="overlay_combined")
    assert len({(line.get_color(), line.get_linestyle()) for line in ax.lines}) == 20


@pytest.mark.parametrize("method", METHODS)
def test_the_colour_bar(method):
    how = {"method": method, "sign": "all", "outlier_perc": 2, "show_colorbar": True, "units": "logit"}
    axes = draw(**how, alpha_overlay=0.4)
    (bar,) = set(axes[0].figure.axes) - set(axes)
    assert bar.get_ylim() == pytest.approx(carrier(axes[0]).get_clim())
    assert (
        bar.get_ylabel().replace("\n", " ") == "attribution (logit), clipped at 98 % of total |attribution|"
    )
    assert bar.get_yticklabels()[1].get_text() == "0"
    opacity = 1.0 if method == "colored_graph" else 0.4
    assert bar.collections[-1].get_alpha() == opacity
    assert (carrier(axes[0]).get_alpha() or 1.0) == opacity


def test_properties_of_the_curves():
    (line,) = draw(ATTR[:, 0], DATA[:, 0], linewidth=4, color="green")[0].lines
    assert (line.get_linewidth(), line.get_color()) == (4, "green")


def test_any_colour_map():
    assert carrier(draw(cmap="viridis")[0]).get_cmap().name == "viridis"


def test_axes_may_be_given():
    figure = Figure()
    axes = figure.subplots(3)
    got, drawn = viz.visualize_timeseries_attr(ATTR, DATA, plt_fig_axis=(figure, axes), use_pyplot=False)
    assert got is figure
    assert list(drawn) == list(axes)


@pytest.mark.parametrize("method", METHODS)
def test_nothing_attributed_is_said(method):
    axes = draw(0 * ATTR, method=method, show_colorbar=True)
    assert "no attribution: all zero" in [text.get_text() for text in axes[0].texts]
    assert not attributed(axes).any()


def test_a_series_of_one_value():
    for method in METHODS:
        axes = draw(np.ones((1, 2)), np.ones((1, 2)), method=method)
        assert attributed(axes).size == (1 if method == "overlay_combined" else 2)


# refusals

ERRORS = {
    "method": ({"method": "overlay"}, "unknown method 'overlay'. Did you mean 'overlay_"),
    "sign": ({"sign": "postive"}, "Did you mean 'positive'"),
    "outlier_perc": ({"outlier_perc": 100}, "outlier_perc is a percentage"),
    "another shape": ({"data": DATA[:4]}, "attr has 3 channels of 9 values and data 3 of 4"),
    "no data": ({"data": None}, r"needs the series: visualize_timeseries_attr\(attr, data\)"),
    "labels": ({"channel_labels": ["a"]}, "3 channels and 1 channel_labels"),
    "x of another length": ({"x_values": np.arange(4)}, r"x_values has the shape \(4,\); the series has 9"),
    "x not rising": ({"x_values": np.zeros(9)}, "x_values must rise"),
    "axes": ({"plt_fig_axis": (Figure(), Figure().subplots(2))}, "takes 3 axes, .* has 2"),
    "a batch": ({"attr": np.ones((4, 9, 3))}, r"attr has the shape \(4, 9, 3\), expected \[time, channel\]"),
    "a named batch": ({"attr": nt.ones("batch:4 time:9")}, r"holds a batch: select one example, attr.isel"),
    "no time": ({"attr": nt.ones("height:9 width:3")}, "dims 'height', 'width': a series has 'time'"),
    "three dims": ({"attr": nt.ones("time:9 channel:3 head:2")}, "at most one other. Select or sum"),
    "NaN": ({"attr": np.full((9, 3), np.nan)}, "attr holds 27 values of 27 that are not finite"),
}  # fmt: skip


@pytest.mark.parametrize(("how", "message"), ERRORS.values(), ids=ERRORS)
def test_refused(how, message):
    with pytest.raises(ValueError, match=message):
        draw(**how)
