"""The tensor explorer: what is sent and sliced, and its page under a pointer and keys in a real browser."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import traitlets

import namedtensor as nt
from namedtensor.widgets import TensorExplorer
from namedtensor.widgets.tensor_roles import by_default, cropped, sliced
from tests.widgets import IN_BROWSER, named_controls, opened, settled, unreadable

RNG = np.random.default_rng(0)
VALUES = RNG.normal(size=(3, 4, 5, 2)).astype(np.float32)


def tensor():
    return nt.tensor(VALUES, "batch height width feature")


def held(view):
    """What the browser has, as an array of the dims that it has."""
    return np.frombuffer(view.numbers, "<f4").reshape(view.held["sizes"])


# roles ------------------------------------------------------------------------------------------------


DEFAULTS = {
    "one dim": ({"time": 9}, {"time": "columns"}),
    "an image": ({"height": 8, "width": 9}, {"height": "rows", "width": "columns"}),
    "channels last": (
        {"batch": 4, "height": 8, "width": 9, "channel": 3},
        {"batch": "slider", "height": "rows", "width": "columns", "channel": "facets"},
    ),
    "attention": (
        {"batch": 4, "head": 3, "seq": 8, "seq'": 8},
        {"batch": "slider", "head": "facets", "seq": "rows", "seq'": "columns"},
    ),
    "many": ({"time": 100, "seq": 8, "embed": 9}, {"time": "slider", "seq": "rows", "embed": "columns"}),
    "size one": ({"seq": 8, "embed": 9, "one": 1}, {"seq": "rows", "embed": "columns", "one": "slider"}),
    "none": ({}, {}),
}


@pytest.mark.parametrize("case", DEFAULTS)
def test_default_roles(case):
    sizes, roles = DEFAULTS[case]
    assert by_default(sizes) == roles


SLICES = {
    "picture": ({"height": "rows", "width": "columns"}, {"batch": 2, "feature": 1}, VALUES[2, :, :, 1][None]),
    "transposed": ({"height": "columns", "width": "rows"}, {}, VALUES[0, :, :, 0].T[None]),
    "facets": ({"feature": "facets", "height": "rows", "width": "columns"}, {"batch": 1}, VALUES[1].transpose(2, 0, 1)),
    "mean": ({"batch": "mean", "height": "rows", "width": "columns"}, {"feature": 1}, VALUES.mean(0)[:, :, 1][None]),
    "means": ({"batch": "mean", "feature": "mean", "width": "columns"}, {"height": 3}, VALUES.mean((0, 3))[3][None, None]),
    "all means": (dict.fromkeys(["batch", "height", "width", "feature"], "mean"), {}, VALUES.mean().reshape(1, 1, 1)),
    "one value": ({}, {"batch": 2, "width": 4}, VALUES[2, 0, 4, 0].reshape(1, 1, 1)),
}  # fmt: skip


@pytest.mark.parametrize("case", SLICES)
@pytest.mark.parametrize("kind", [np.asarray, jnp.asarray], ids=["numpy", "jax"])
def test_a_slice(case, kind):
    roles, at, expected = SLICES[case]
    dims = ("batch", "height", "width", "feature")
    got = sliced(kind(VALUES), dims, {d: roles.get(d, "slider") for d in dims}, at)
    np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    ("sizes", "most", "kept"),
    [
        ([4, 5, 6], 120, [4, 5, 6]),
        ([4, 5, 6], 60, [2, 5, 6]),
        ([4, 5, 6], 12, [1, 2, 6]),
        ([4, 5, 6], 4, [1, 1, 4]),
    ],
)
def test_what_is_too_much_is_left_out(sizes, most, kept):
    assert cropped(sizes, most) == kept


# what is sent -----------------------------------------------------------------------------------------


def test_the_whole_tensor_is_sent_once():
    explorer = TensorExplorer(tensor())
    view = explorer.view
    np.testing.assert_array_equal(held(view), VALUES)
    version = view.version
    explorer.arrange(rows="height", columns="feature", mean="batch")
    view.at = {"width": 3}
    assert (view.version, view.whole) == (version, True)
    assert view.roles == {"batch": "mean", "height": "rows", "width": "slider", "feature": "columns"}


def test_a_tensor_too_large_is_sent_by_the_slice():
    explorer = TensorExplorer(tensor(), rows="height", columns="width", most_bytes=4 * 60)
    view = explorer.view
    assert not view.whole
    assert "too large to send (480 B): the kernel sends what is shown" in view.note
    np.testing.assert_array_equal(held(view), VALUES[0, :, :, 0])
    version = view.version
    view.at = {"batch": 2, "feature": 1}
    np.testing.assert_array_equal(held(view), VALUES[2, :, :, 1])
    explorer.arrange(rows="feature", columns="batch", mean="height width")
    np.testing.assert_allclose(held(view), VALUES.mean((1, 2)).T, rtol=1e-6)
    assert (view.held["roles"], view.held["at"], view.version) == (view.roles, view.at, version + 2)


def test_a_slice_too_large_says_which_part_is_shown():
    explorer = TensorExplorer(tensor(), rows="height", columns="width", facets="batch", most_bytes=4 * 40)
    assert "the first 2 of 3 along batch" in explorer.view.note
    np.testing.assert_array_equal(held(explorer.view), VALUES[:2, :, :, 0])


def test_the_next_tensor_of_these_dims_keeps_their_roles():
    explorer = TensorExplorer(tensor(), rows="height", columns="feature", mean="batch")
    explorer.view.at = {"width": 4}
    roles = explorer.view.roles
    explorer.show(tensor().isel(width=slice(0, 2)).order("feature width height batch"))
    assert (explorer.view.roles, explorer.view.at) == (roles, {"width": 1})
    explorer.show(tensor(), rows="width")
    assert explorer.view.roles["height"] == "slider"
    explorer.show(tensor().isel(batch=0))
    assert explorer.view.roles == {"height": "rows", "width": "columns", "feature": "facets"}


KINDS = {
    "ints": (np.arange(6, dtype=np.int32).reshape(2, 3), "int", [0, 5], ""),
    "large ints": (np.asarray([0, 2**24 + 1]), "int", [0, 2**24 + 1], "integers beyond 16 777 216 are shown rounded, as float32 has them."),
    "bools": (np.asarray([True, False]), "bool", [0, 1], ""),
    "halves": (jnp.ones((2, 2), jnp.bfloat16), "float", [1, 1], ""),
    "a list": ([[1.0, 2.0], [3.0, 4.0]], "float", [1, 4], ""),
    "a number": (2.5, "float", [2.5, 2.5], ""),
    "not finite": (np.asarray([np.nan, 1, np.inf, -np.inf]), "float", [1, 1], "1 NaN (grey), 2 infinite (magenta)"),
    "all missing": (np.full(3, np.nan), "float", [], "3 NaN (grey)"),
}  # fmt: skip


@pytest.mark.parametrize("case", KINDS)
def test_a_kind(case):
    x, kind, limits, note = KINDS[case]
    view = TensorExplorer(x).view
    assert (view.kind, view.limits, view.note) == (kind, limits, note)
    np.testing.assert_array_equal(held(view), np.asarray(x, np.float32))
    assert view.dims == [f"axis{i}" for i in range(np.ndim(x))]


BAD = {
    "complex": (jnp.ones(2, jnp.complex64), "c64[2] is complex, and a colour is one number: explore x.real, x.imag or abs(x)."),
    "empty": (nt.zeros("batch:0 embed:3"), "f32[batch:0 embed:3] is empty: there is nothing to draw."),
    "keys": (jax.random.key(0), "holds no numbers"),
    "text": ("words", "a str is no tensor"),
    "ragged": ([[1.0], [1.0, 2.0]], "NumPy makes no array of this list"),
    "names": (np.asarray(["a"]), "holds no numbers"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_drawn_is_a_message(case):
    x, message = BAD[case]
    explorer = TensorExplorer(tensor())
    explorer.show(x)
    assert message in explorer.message.value
    assert "role='alert'" in explorer.message.value
    assert (explorer.view.numbers, explorer.view.dims, explorer.selected) == (b"", [], None)
    with pytest.raises(ValueError, match="there is no tensor to show"):
        explorer.figure()
    explorer.show(tensor())
    assert explorer.message.value == ""


def test_a_traced_tensor_is_a_message():
    messages = []
    jax.make_jaxpr(lambda x: messages.append(TensorExplorer(x).message.value) or x)(jnp.ones(2))
    assert "a tensor inside jit has no values" in messages[0]


ERRORS = {
    "unknown": ({"rows": "depth"}, r"no dim 'depth': there are 'batch', 'height', 'width', 'feature'"),
    "twice": ({"rows": "height", "mean": "height"}, "'height' cannot be both rows and mean"),
    "labels of no dim": ({"labels": {"depth": ["a"]}}, "labels for 'depth', and no such dim"),
    "labels too few": ({"labels": {"feature": ["a"]}}, "'feature' has 2 positions and 1 labels"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_a_wrong_role_is_an_error(case):
    given, message = ERRORS[case]
    with pytest.raises(ValueError, match=message):
        TensorExplorer(tensor(), **given)


def test_roles_set_by_hand_are_checked():
    explorer = TensorExplorer(tensor())
    with pytest.raises(traitlets.TraitError, match="rows can show one dim, not 'batch' and 'height'"):
        explorer.view.roles = {"batch": "rows", "height": "rows"}
    explorer.view.at = {"batch": 99, "elsewhere": 1}
    assert explorer.view.at == {"batch": 2}


def test_the_selection_selects():
    explorer = TensorExplorer(tensor())
    explorer.view.selection = {"batch": 2, "height": 1, "width": 4, "feature": 0}  # as a click does
    assert explorer.selection == explorer.view.selection
    assert explorer.selected.item() == VALUES[2, 1, 4, 0]
    explorer.selection = {"batch": 2, "width": 4}
    assert nt.equal(explorer.selected, tensor().isel(batch=2, width=4))
    array = TensorExplorer(VALUES)
    array.selection = {"axis1": 3}
    np.testing.assert_array_equal(array.selected, VALUES[:, 3])


# pictures for papers -------------------------------------------------------------------------------------


def test_the_figure_shows_the_slice():
    explorer = TensorExplorer(tensor(), rows="height", columns="width", facets="feature", unit="mV")
    explorer.view.at = {"batch": 1}
    figure = explorer.figure()
    shown = [ax.images[0].get_array() for ax in figure.axes if ax.images]
    assert len(shown) == 2
    for k, picture in enumerate(shown):
        np.testing.assert_allclose(picture, VALUES[1, :, :, k])
    limits = {ax.images[0].get_clim() for ax in figure.axes if ax.images}
    largest = np.abs(VALUES[1]).max().astype(float)
    assert limits == {(-largest, largest)}
    assert figure.get_suptitle() == "x  batch=1"
    assert "mV" in {ax.get_ylabel() for ax in figure.axes}


def test_a_figure_of_what_is_not_finite():
    image = TensorExplorer(np.asarray([[1.0, np.nan], [np.inf, 2.0]])).figure().axes[0].images[0]
    assert image.get_clim() == (1.0, 2.0)
    colours = image.to_rgba(image.get_array())
    np.testing.assert_allclose(colours[0, 1], [0.5, 0.5, 0.5, 1])  # grey
    np.testing.assert_allclose(colours[1, 0], [1, 0, 1, 1])  # magenta


@pytest.mark.parametrize("size", [5, 100], ids=["bars", "a line"])
def test_a_figure_of_one_row(size):
    values = np.linspace(-1, 2, size)
    labels = {"class": [f"c{i}" for i in range(size)]}
    (ax,) = TensorExplorer(nt.tensor(values, "class"), unit="nats", labels=labels).figure().axes
    drawn = [bar.get_height() for bar in ax.patches] if size == 5 else ax.lines[0].get_ydata()
    np.testing.assert_allclose(drawn, values, rtol=1e-6)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("class", "nats")
    assert ([text.get_text() for text in ax.get_xticklabels()] == labels["class"]) == (size == 5)


# in the browser -----------------------------------------------------------------------------------------


def chip_to(page, dim, role):
    start = page.locator(f'[data-dim="{dim}"]').bounding_box()
    end = page.locator(f'[data-role="{role}"]').bounding_box()
    page.mouse.move(start["x"] + 8, start["y"] + 8)
    page.mouse.down()
    page.mouse.move(end["x"] + end["width"] - 8, end["y"] + end["height"] / 2, steps=4)
    page.mouse.up()
    settled(page)


def at_cell(page, picture, row, column, rows, columns):
    """Point at a value of a picture."""
    canvas = page.locator("canvas").nth(picture)
    box = canvas.bounding_box()
    x, y = (column + 0.5) * box["width"] / columns, (row + 0.5) * box["height"] / rows
    canvas.hover(position={"x": x, "y": y})
    settled(page)
    return {"x": x, "y": y}


def readout(page):
    return page.locator(".nt-tensor > .nt-readout").inner_text()


def value_in(text):
    return float(re.search(r"x=(\S+)", text)[1])


def roles(page):
    return {
        zone.get_attribute("data-role"): [c.get_attribute("data-dim") for c in zone.locator(".nt-chip").all()]
        for zone in page.locator(".nt-zone").all()
    }


class TestInBrowser:
    pytestmark = IN_BROWSER

    @pytest.fixture
    def page(self, browser, tmp_path):
        explorer = TensorExplorer(tensor(), facets="feature", rows="height", columns="width")
        with opened(browser, explorer.to_html(tmp_path / "page.html")) as page:
            yield page

    def test_pointing_reads_the_named_index_and_the_value(self, page):
        at_cell(page, 1, 2, 3, 4, 5)
        assert readout(page).split()[:4] == ["batch=0", "height=2", "width=3", "feature=1"]
        np.testing.assert_allclose(value_in(readout(page)), VALUES[0, 2, 3, 1], rtol=1e-5)

    def test_a_click_gives_a_line_to_copy(self, page):
        spot = at_cell(page, 0, 1, 4, 4, 5)
        page.locator("canvas").nth(0).click(position=spot)
        settled(page)
        assert page.locator(".nt-picked code").inner_text() == "x.isel(batch=0, height=1, width=4, feature=0)"
        page.get_by_role("button", name="copy the line").click()
        page.get_by_role("status").filter(has_text=re.compile("copied|marked")).wait_for()

    def test_a_slider_shows_another_position_without_a_kernel(self, page):
        slider = page.get_by_role("slider", name="batch")
        slider.focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        assert (slider.input_value(), page.evaluate("document.activeElement.type")) == ("2", "range")
        at_cell(page, 0, 3, 0, 4, 5)
        np.testing.assert_allclose(value_in(readout(page)), VALUES[2, 3, 0, 0], rtol=1e-5)

    def test_a_dim_dragged_to_the_mean(self, page):
        chip_to(page, "feature", "mean")
        assert roles(page)["mean"] == ["feature"]
        assert page.locator("canvas").count() == 1
        spot = at_cell(page, 0, 1, 2, 4, 5)
        np.testing.assert_allclose(value_in(readout(page)), VALUES[0, 1, 2].mean(), rtol=1e-4)
        page.locator("canvas").click(position=spot)
        settled(page)
        code = page.locator(".nt-picked code").inner_text()
        assert code == "x.mean('feature').isel(batch=0, height=1, width=2)"
        np.testing.assert_allclose(eval(code, {"x": tensor()}).item(), VALUES[0, 1, 2].mean(), rtol=1e-6)

    def test_a_dim_that_is_displaced_takes_the_other_role(self, page):
        chip_to(page, "batch", "rows")
        assert roles(page) == {
            "rows": ["batch"], "columns": ["width"], "facets": ["feature"], "slider": ["height"], "mean": []
        }  # fmt: skip
        at_cell(page, 1, 2, 4, 3, 5)
        np.testing.assert_allclose(value_in(readout(page)), VALUES[2, 0, 4, 1], rtol=1e-5)

    def test_a_dim_moved_by_keys_keeps_the_focus(self, page):
        page.locator('[data-dim="height"]').focus()
        page.keyboard.press("ArrowRight")
        settled(page)
        assert (roles(page)["rows"], roles(page)["columns"]) == (["width"], ["height"])
        assert page.evaluate("document.activeElement.dataset.dim") == "height"
        page.keyboard.press("End")
        settled(page)
        assert roles(page)["mean"] == ["height"]
        assert page.locator(".nt-hidden-text").inner_text() == "height is in mean"

    def test_arrow_keys_read_values(self, page):
        at_cell(page, 0, 1, 1, 4, 5)
        page.locator("canvas").nth(0).focus()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowRight")
        settled(page)
        np.testing.assert_allclose(value_in(readout(page)), VALUES[0, 2, 2, 0], rtol=1e-5)
        assert "height=2, width=2" in page.locator(".nt-picked code").inner_text()

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_it_can_be_read_by_everyone(self, browser, tmp_path, scheme):
        bad = VALUES.copy()
        bad[0, 0, 0, 0] = np.nan
        path = TensorExplorer(nt.tensor(bad, "batch height width feature")).to_html(tmp_path / "page.html")
        with opened(browser, path, scheme=scheme) as page:
            assert unreadable(page) == []
            assert "" not in named_controls(page)
            assert len(named_controls(page)) > 8

    def test_colours_of_what_is_not_finite(self, browser, tmp_path):
        values = np.asarray([[0.0, np.nan], [np.inf, 1.0]])
        with opened(browser, TensorExplorer(values).to_html(tmp_path / "page.html")) as page:
            settled(page)
            colour = """([x, y]) => { const c = document.querySelector('canvas');
                return [...c.getContext('2d').getImageData(c.width * x, c.height * y, 1, 1).data].slice(0, 3); }"""
            assert page.evaluate(colour, [0.75, 0.25]) == [128, 128, 128]
            assert page.evaluate(colour, [0.25, 0.75]) == [255, 0, 255]
            assert page.evaluate(colour, [0.25, 0.25]) == [68, 1, 84]  # viridis begins so
            assert "1 NaN (grey), 1 infinite (magenta)" in page.locator(".nt-tensor").inner_text()
            at_cell(page, 0, 1, 0, 2, 2)
            assert readout(page).endswith("x=+∞")

    def test_one_row_is_bars_that_are_as_high_as_the_values(self, browser, tmp_path):
        with opened(
            browser, TensorExplorer(np.asarray([1.0, 0.5, -1.0])).to_html(tmp_path / "page.html")
        ) as page:
            settled(page)
            painted = """() => { const c = document.querySelector('canvas'), g = c.getContext('2d');
                return [1, 3, 5].map(k => { const column = g.getImageData(c.width * k / 6, 0, 1, c.height).data;
                    return column.filter((v, i) => i % 4 === 3 && v > 0).length / c.height; }); }"""
            heights = page.evaluate(painted)
            np.testing.assert_allclose(heights, [0.46, 0.23, 0.46], atol=0.03)
            assert page.locator(".nt-cell").inner_text() == "from \N{MINUS SIGN}1 to 1"
            at_cell(page, 0, 0, 1, 1, 3)
            assert readout(page) == "axis0=1  x=0.5"
            assert page.get_by_role("combobox", name="clip").count() == 0

    def test_a_page_of_a_large_tensor_says_that_it_holds_one_slice(self, browser, tmp_path):
        explorer = TensorExplorer(tensor(), rows="height", columns="width", most_bytes=4 * 60)
        with opened(browser, explorer.to_html(tmp_path / "page.html")) as page:
            assert "too large to send" in page.locator(".nt-tensor").inner_text()
            page.get_by_role("slider", name="batch").focus()
            page.keyboard.press("End")
            settled(page)
            assert "This page holds one slice" in page.locator(".nt-tensor").inner_text()

    def test_whole_numbers_and_truth_values_are_read_as_such(self, browser, tmp_path):
        for values, text in (([[123456, 2]], "x=123456"), ([[True, False]], "x=True")):
            path = TensorExplorer(np.asarray(values)).to_html(tmp_path / "page.html")
            with opened(browser, path) as page:
                at_cell(page, 0, 0, 0, 1, 2)
                assert readout(page).endswith(text)

    def test_a_primed_dim_is_indexed_by_a_dict(self, browser, tmp_path):
        x = nt.tensor(VALUES[0, :, :, 0], "seq seq'")
        with opened(browser, TensorExplorer(x).to_html(tmp_path / "page.html")) as page:
            page.locator("canvas").click(position=at_cell(page, 0, 1, 2, 4, 5))
            settled(page)
            code = page.locator(".nt-picked code").inner_text()
        assert eval(code, {"x": x}).item() == VALUES[0, 1, 2, 0]
