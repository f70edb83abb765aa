"""The model explorer: choices, activations and errors, and its tree under keys in a real browser."""

import equinox as eqx
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import namedtensor as nt
from namedtensor.interpreter import UnknownTapError
from namedtensor.widgets import ModelExplorer
from tests.widgets import IN_BROWSER, named_controls, opened, settled, unreadable

SOON = 30.0  # seconds after which a test that waits has failed
X = jnp.asarray(np.random.default_rng(0).normal(size=(4, 6)), jnp.float32)


def model(params, x):
    with jax.named_scope("front"):
        x = jnp.tanh(x)
    hidden = nt.tap(x @ params["block"]["hidden"]["kernel"], "block/hidden")
    return nt.tap(hidden.sum(1), "end") * 2


PARAMS = {"block": {"hidden": {"kernel": jnp.ones((6, 3))}}}


@pytest.fixture
def explorer():
    made = ModelExplorer(model, PARAMS, X, params=PARAMS)
    yield made
    made.cancel()
    made.wait(SOON)


def labels(explorer):
    return [row["path"] for row in explorer.tree.rows]


# python -------------------------------------------------------------------------------------------------


def test_the_tree(explorer):
    assert labels(explorer) == ["", "front", "block", "block/hidden", "block/hidden/kernel", "end"]
    row = explorer.tree.rows[3]
    assert (row["layer"], row["kind"], row["shape"], row["level"]) == ("block/hidden", "tap", "f32[4, 3]", 3)
    assert (row["size"], row["flops"], row["parameters"]) == ("48 B", "168", "18")  # tanh of 24, and 144
    assert row["share"] == 168 / explorer.outline.root.flops
    assert (explorer.selection, explorer.activation) == (None, None)


def test_a_place_that_is_clicked_on_is_shown(explorer):
    explorer.tree.chosen = "block/hidden"  # as a click does
    explorer.wait(SOON)
    assert (explorer.selection, explorer.message.value) == ("block/hidden", "")
    np.testing.assert_allclose(explorer.activation, np.tanh(X) @ np.ones((6, 3)), rtol=1e-5)
    np.testing.assert_array_equal(explorer.explorer.tensor, explorer.activation)
    assert explorer.explorer.view.name == "hidden"


def test_a_selection_that_is_set_is_shown(explorer):
    explorer.selection = "front"
    explorer.wait(SOON)
    np.testing.assert_allclose(explorer.activation, np.tanh(X), rtol=1e-5)
    assert explorer.tree.chosen == "front"


def test_a_parameter_is_shown_and_is_no_layer(explorer):
    explorer.selection = "front"
    explorer.wait(SOON)
    explorer.tree.chosen = "block/hidden/kernel"
    assert (explorer.selection, explorer.activation) == (None, None)
    assert explorer.explorer.tensor is PARAMS["block"]["hidden"]["kernel"]


def test_an_unknown_layer_is_an_error_that_lists_those_there(explorer):
    with pytest.raises(UnknownTapError, match="no tap 'hiden': there are 'front', 'block/hidden', 'end'"):
        explorer.selection = "hiden"


def test_a_named_activation_keeps_its_names():
    explorer = ModelExplorer(
        lambda x: nt.tap(x.order("embed batch") * 2, "p").sum(), nt.tensor(X, "batch embed")
    )
    explorer.selection = "p"
    explorer.wait(SOON)
    assert explorer.explorer.view.dims == ["embed", "batch"]
    np.testing.assert_array_equal(explorer.activation.array, 2 * np.asarray(X).T)


def test_an_activation_in_a_scan_has_its_iterations_as_a_dim():
    def f(x):
        return nt.scan(lambda c, v: (nt.tap(c + v, "p"), None), nt.zeros("embed:6"), x, over="batch")[0]

    explorer = ModelExplorer(f, nt.tensor(X, "batch embed"))
    explorer.selection = "p"
    explorer.wait(SOON)
    view = explorer.explorer.view
    assert (explorer.explorer.message.value, view.dims, view.name) == (
        "", ["iteration", "embed"], "p.name('iteration')"
    )  # fmt: skip
    explorer.explorer.selection = {"iteration": 3}
    np.testing.assert_allclose(explorer.explorer.selected.array, X.sum(0), rtol=1e-5, atol=1e-6)


class Linen(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(3, name="hidden")(x)


class Nnx(nnx.Module):
    def __init__(self, rngs):
        self.hidden = nnx.Linear(6, 3, rngs=rngs)

    def __call__(self, x):
        return self.hidden(x) * 2


class Equinox(eqx.Module):
    hidden: eqx.nn.Linear

    def __call__(self, x):
        return self.hidden(x) * 2


def linen_case():
    variables = Linen().init(jax.random.key(0), X)
    return Linen().apply, (variables, X), variables["params"]["hidden"]["kernel"]


def nnx_case():
    made = Nnx(nnx.Rngs(0))
    return made, (X,), made.hidden.kernel[...]


def equinox_case():
    made = Equinox(eqx.nn.Linear(6, 3, key=jax.random.key(0)))
    return jax.vmap(made), (X,), made.hidden.weight.T


@pytest.mark.parametrize("case", [linen_case, nnx_case, equinox_case], ids=["linen", "nnx", "equinox"])
def test_a_module_of_a_framework(case):
    f, args, kernel = case()
    explorer = ModelExplorer(f, *args)
    assert explorer.message.value == ""
    explorer.selection = "hidden"
    explorer.wait(SOON)
    assert explorer.message.value == ""
    bias = explorer.outline["hidden/bias"].value
    expected = np.asarray(X) @ np.asarray(kernel) + np.asarray(bias)
    np.testing.assert_allclose(explorer.activation, expected, rtol=1e-4, atol=1e-5)


def test_arguments_that_are_not_arrays():
    def f(x, mode, *, scale):
        assert mode == "sine"
        return nt.tap(jnp.sin(x) * scale, "p")

    explorer = ModelExplorer(f, X, "sine", scale=2.0)
    explorer.selection = "p"
    explorer.wait(SOON)
    np.testing.assert_allclose(explorer.activation, 2 * np.sin(X), rtol=1e-5, atol=1e-6)


# bad input ------------------------------------------------------------------------------------------------


def test_a_function_that_raises_is_a_message():
    explorer = ModelExplorer(lambda x: x @ jnp.ones((5, 2)), X)
    assert "role='alert'" in explorer.message.value
    assert explorer.outline is None
    with pytest.raises(ValueError, match="could not be traced"):
        explorer.figure()
    assert "image/png" not in explorer._repr_mimebundle_()


def test_shapes_alone_have_a_tree_and_no_activation():
    shapes = jax.eval_shape(lambda: PARAMS)
    explorer = ModelExplorer(model, shapes, jax.ShapeDtypeStruct(X.shape, X.dtype), params=shapes)
    assert len(labels(explorer)) == 6
    explorer.selection = "end"
    explorer.wait(SOON)
    assert "the arguments are shapes alone: give arrays" in explorer.message.value
    explorer.tree.chosen = "block/hidden/kernel"
    assert "block/hidden/kernel is a shape alone" in explorer.message.value


def test_an_activation_that_cannot_be_drawn_is_a_message():
    explorer = ModelExplorer(lambda x: nt.tap(jnp.fft.fft(x), "spectrum").real, X)
    explorer.selection = "spectrum"
    explorer.wait(SOON)
    assert "is complex" in explorer.explorer.message.value


def test_the_figure_has_a_bar_for_each_innermost_place(explorer):
    (ax,) = explorer.figure().axes
    assert [text.get_text() for text in ax.get_yticklabels()] == ["front", "block/hidden", "end"]
    assert [bar.get_width() for bar in ax.patches] == [24, 168, 8]


# in the browser -------------------------------------------------------------------------------------------


class TestInBrowser:
    pytestmark = IN_BROWSER

    @pytest.fixture
    def page(self, browser, tmp_path, explorer):
        explorer.selection = "block/hidden"
        explorer.wait(SOON)
        with opened(browser, explorer.to_html(tmp_path / "page.html")) as page:
            yield page

    def items(self, page):
        return [item.get_attribute("data-path") for item in page.get_by_role("treeitem").all()]

    def focused(self, page):
        return page.evaluate("document.activeElement.dataset.path")

    def press(self, page, *keys):
        for key in keys:
            page.keyboard.press(key)
        settled(page)

    def test_the_tree_and_the_activation_are_on_the_page(self, page):
        assert self.items(page) == ["", "front", "block", "block/hidden", "end"]
        assert page.get_by_role("treeitem", selected=True).get_attribute("data-path") == "block/hidden"
        assert page.locator("canvas").count() == 1
        assert page.locator(".nt-tree .nt-picked code").inner_text() == "layer='block/hidden'"

    def test_keys_move_open_and_choose(self, page):
        page.get_by_role("treeitem").first.focus()
        self.press(page, "ArrowDown", "ArrowDown", "ArrowRight")
        assert self.focused(page) == "block/hidden"
        self.press(page, "ArrowRight")
        assert self.items(page)[4] == "block/hidden/kernel"
        self.press(page, "ArrowLeft")
        assert "block/hidden/kernel" not in self.items(page)
        self.press(page, "ArrowLeft", "ArrowLeft")
        assert (self.focused(page), self.items(page)) == ("block", ["", "front", "block", "end"])
        self.press(page, "End", "Enter")
        assert page.get_by_role("treeitem", selected=True).get_attribute("data-path") == "end"
        assert page.locator(".nt-tree .nt-picked code").inner_text() == "layer='end'"
        self.press(page, "f")
        assert self.focused(page) == "front"

    def test_a_click_on_a_group_opens_it(self, page):
        group = page.locator('[data-path="block"]')
        assert group.get_attribute("aria-expanded") == "true"
        group.click()
        settled(page)
        assert page.locator('[data-path="block"]').get_attribute("aria-expanded") == "false"
        assert page.locator(".nt-tree .nt-picked code").inner_text() == "layer='block/hidden'"

    def test_a_name_is_text_and_never_markup(self, browser, tmp_path):
        explorer = ModelExplorer(lambda x: nt.tap(x + 1, "<b>bold</b></script>"), X)
        with opened(browser, explorer.to_html(tmp_path / "page.html")) as page:
            assert page.locator(".nt-tree b").count() == 0
            assert "bold" in page.locator(".nt-tree").inner_text()

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_it_can_be_read_by_everyone(self, browser, tmp_path, explorer, scheme):
        with opened(browser, explorer.to_html(tmp_path / "page.html"), scheme=scheme) as page:
            assert unreadable(page) == []
            names = named_controls(page)
            assert "" not in names
            assert any("block" in name for name in names)
