"""What notebooks show: the table of a tensor, and its picture in treescope."""

import re
import subprocess
import sys
from html.parser import HTMLParser

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import namedtensor as nt
from namedtensor.viz import table

ON = f" on {jax.default_backend()}"
GAP = "…"


class Page(HTMLParser):
    """The rows of the tables of a page, the rest of its text, and whether each tag is closed."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.text, self.open, self.tags = [], "", [], set()
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.tags.add(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "style":
            return
        if self.rows and self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data
        else:
            self.text += data


def page(x):
    return Page(x._repr_html_())


def test_two_dims_are_a_table_with_the_names_at_its_edges():
    shown = page(nt.tensor([[1.0, -2.5], [0.25, 10.0]], "batch embed"))
    assert shown.rows == [
        ["", "embed"],
        ["batch", "0", "1"],
        ["0", "1.00", "-2.50"],
        ["1", "0.25", "10.00"],
    ]
    assert shown.text == f"f32[batch:2 embed:2] ~N(2.19, 4.69) in [-2.5, 10]{ON}"


def test_one_dim_is_a_row():
    assert page(nt.arange("pos", 3)).rows == [["pos", "0", "1", "2"], ["", "0", "1", "2"]]


def test_long_dims_show_their_ends():
    shown = page(nt.arange("pos", 100).split("pos", "a b", a=5))
    positions = ["0", "1", "2", "3", "4", GAP, "15", "16", "17", "18", "19"]
    assert shown.rows[1] == ["a", *positions]
    assert shown.rows[2] == ["0", *positions]
    assert len(shown.rows) == 2 + 5
    tall = page(nt.arange("pos", 24).split("pos", "a b", b=2)).rows
    assert [row[0] for row in tall] == ["", "a", "0", "1", "2", "3", "4", GAP, "7", "8", "9", "10", "11"]
    assert tall[7] == [GAP, GAP, GAP]
    assert tall[8] == ["7", "14", "15"]
    assert [len(row) for row in page(nt.ones("a:10 b:10")).rows] == [2, *[11] * 11]


def test_more_dims_show_their_first_slice_when_opened():
    x = nt.arange("pos", 24).split("pos", "batch head seq", head=3, seq=4)
    shown = page(x)
    assert "details" in shown.tags
    assert shown.text.endswith("values at batch=0")
    assert shown.rows[:2] == [["", "seq"], ["head", "0", "1", "2", "3"]]
    assert shown.rows[4] == ["2", "8", "9", "10", "11"]


NUMBERS = {
    "few decimals": ([123.456, -0.5], ["123.5", "-0.5"]),
    "many decimals": ([0.012345, 0.5], ["0.0123", "0.5000"]),
    "large": ([12345.6, 1.0], ["12346", "1"]),
    "very large": ([1e9, 0.0], ["1.00e+09", "0"]),
    "very small": ([1e-9, -2e-9], ["1.00e-09", "-2.00e-09"]),
    "zeros": ([0.0, 0.0], ["0", "0"]),
    "not finite": ([float("nan"), float("-inf")], ["nan", "-inf"]),
    "some not finite": ([float("nan"), 1.5], ["nan", "1.500"]),
    "integers": ([1, -200], ["1", "-200"]),
    "bool": ([True, False], ["True", "False"]),
    "complex": ([1j, 2.0], ["0+1j", "2+0j"]),
    "bfloat16": (jnp.array([1.5, 2.0], jnp.bfloat16), ["1.500", "2.000"]),
    "4 bits": (jnp.array([1, -2], jnp.int4), ["1", "-2"]),
    "8 bits": (jnp.array([1, -2], jnp.float8_e4m3fn), ["1.000", "-2.000"]),
}


@pytest.mark.parametrize(("values", "texts"), NUMBERS.values(), ids=NUMBERS)
def test_numbers(values, texts):
    assert page(nt.tensor(values, "a")).rows[1][1:] == texts


WITHOUT_VALUES = {
    "scalar": lambda: nt.tensor(2.5, ""),
    "one element": lambda: nt.ones("a:1 b:1"),
    "empty": lambda: nt.zeros("a:0 b:3"),
    "shapes only": lambda: jax.eval_shape(lambda: nt.ones("a:2 b:2")),
    "keys": lambda: nt.tensor(jax.random.split(jax.random.key(0)), "layer"),
    "in transit": lambda: nt.ones("a:2 b:3").peel("a"),
    "deleted": lambda: deleted(),
    "a placeholder": lambda: nt.NamedTensor(object(), nt.dims("a")),
}


def deleted():
    x = nt.ones("a:2 b:3")
    x.array.delete()
    return x


@pytest.mark.parametrize("make", WITHOUT_VALUES.values(), ids=WITHOUT_VALUES)
def test_the_line_alone(make):
    shown = page(make())
    assert shown.rows == []
    assert shown.text == repr(make())


def test_a_deleted_tensor_says_so():
    assert repr(deleted()) == "f32[a:2 b:3] (deleted)"


def test_while_traced():
    seen = []
    jax.jit(lambda x: seen.append(page(x)) or x)(nt.ones("a:2 b:3"))
    assert seen[0].text == "f32[a:2 b:3] (traced)"
    assert seen[0].rows == []


def test_text_is_escaped():
    x = nt.NamedTensor(jnp.ones((2, 2)), nt.Dims(["<script>", "a&b"]))
    text = x._repr_html_()
    assert "<script" not in text
    assert "a&b" not in text
    assert page(x).rows[1][0] == "<script>"
    assert page(nt.tensor(jax.random.split(jax.random.key(0)), "k")).text == "key<fry>[k:2]"


def test_each_name_is_marked_in_the_line():
    text = nt.ones("b:2 bb:2 seq':2 class:2")._repr_html_()
    marked = re.findall(r'<span class="nt-dim">([^<]*)</span>:2', text)
    assert marked == ["b", "bb", "seq'", "class"]


def test_colours_follow_the_theme():
    style = re.search(r"<style>(.*)</style>", nt.ones("a:2")._repr_html_(), re.DOTALL).group(1)
    colours = re.findall(r"(?<![\w-])color: ([^;]*);", style)
    assert colours
    assert all(colour == "inherit" or colour.startswith("var(--jp-") for colour in colours)


def test_a_large_tensor_moves_what_is_shown_alone(monkeypatch):
    moved = []
    asarray = np.asarray

    def counted(value, *args, **kwargs):
        if isinstance(value, jax.Array):
            moved.append(value.size)
        return asarray(value, *args, **kwargs)

    large = nt.NamedTensor(jnp.zeros((4, 1 << 10, (1 << 10) + 1), jnp.int8), nt.dims("a b c"))
    monkeypatch.setattr(table.np, "asarray", counted)
    shown = page(large)
    assert moved == [100]
    assert len(shown.rows) == 2 + 11


def test_ipython_takes_the_table():
    formatters = pytest.importorskip("IPython.core.formatters")
    data, _ = formatters.DisplayFormatter().format(nt.ones("a:2"))
    assert data["text/html"] == nt.ones("a:2")._repr_html_()
    assert data["text/plain"] == repr(nt.ones("a:2"))


# treescope looks at each name of NumPy, the deprecated ones too
in_treescope = pytest.mark.filterwarnings("ignore:The chararray class:DeprecationWarning")


@pytest.fixture
def treescope():
    return pytest.importorskip("treescope")


@in_treescope
def test_treescope_shows_a_line_in_a_tree(treescope):
    tree = {name: make() for name, make in WITHOUT_VALUES.items()} | {"w": nt.ones("embed:3 ff:4")}
    text = treescope.render_to_text(tree)
    for name, x in tree.items():
        assert f"{name!r}: <{x!r}>" in text
    assert "Rich HTML" not in text


@in_treescope
def test_treescope_draws_the_values_by_name(treescope):
    x = nt.random.normal(jax.random.key(0), "batch:3 head:2 seq:4 seq':5")
    html = treescope.render_to_html(x, compressed=False)
    assert "Arrayviz" in treescope.render_to_text(x)
    for name, size in x.shape.items():
        assert f"{name}: {size}" in html.replace("\\u0027", "'").replace("&#x27;", "'")
    assert "axis 0" not in html


@in_treescope
def test_treescope_addresses_axes_by_name(treescope):
    x = nt.random.normal(jax.random.key(0), "batch:3 seq:4")
    figure = treescope.render_array(x, rows=["seq"], columns=["batch"])
    assert figure._repr_html_()
    with pytest.raises(KeyError):
        treescope.render_array(x, rows=["time"])


@pytest.mark.parametrize("dtype", ["bfloat16", "int8", "bool", "float16", "uint32"])
@in_treescope
def test_treescope_draws_each_dtype(treescope, dtype):
    x = nt.ones("a:3 b:4", dtype=jnp.dtype(dtype))
    assert "Arrayviz" in treescope.render_to_text(x)
    assert treescope.render_to_html(x)


@in_treescope
def test_treescope_leaves_large_tensors_out(treescope):
    html = treescope.render_to_html(nt.ones("a:3000 b:300"), compressed=False)
    assert len(html) < 200_000


@in_treescope
def test_treescope_while_traced(treescope):
    seen = []
    jax.jit(lambda x: seen.append(treescope.render_to_text({"x": x})) or x)(nt.ones("a:2"))
    assert seen == ["{'x': <f32[a:2] (traced)>}"]


IN_IPYTHON = """
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
import namedtensor as nt
import treescope
x = nt.ones("batch:3 embed:4")
before, _ = shell.display_formatter.format(x)
assert before["text/html"].startswith("<style>"), before
treescope.register_as_default(streaming=False, compress_html=False)
html = shell.display_formatter.format(x)[0]["text/html"]
assert "treescope" in html and "nt-tensor" not in html, html[:500]
print("fine")
"""


@in_treescope
def test_treescope_as_the_default_of_ipython_draws_tensors_too(treescope):
    pytest.importorskip("IPython")
    run = subprocess.run([sys.executable, "-c", IN_IPYTHON], capture_output=True, text=True, check=False)
    assert run.stdout.strip().endswith("fine"), run.stderr
