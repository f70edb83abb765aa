"""To and from NumPy, DLPack and xarray, and names for the parameters of Flax and Equinox models."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import namedtensor as nt
from namedtensor._errors import (
    BadPattern,
    DimMismatch,
    InvalidName,
    MissingDim,
    MissingName,
    RankMismatch,
    SizeMismatch,
    UnknownDim,
    Unsupported,
)
from namedtensor.interop import from_xarray, named_params, to_xarray, unnamed_params


def x():
    return nt.random.normal(jax.random.key(0), "batch:3 seq:2 embed:4")


def raises(kind, act, parts):
    with pytest.raises(kind) as caught:
        act()
    assert type(caught.value) is kind
    for part in parts:
        assert part in str(caught.value)


# NumPy and DLPack


def test_to_numpy_is_a_copy_in_the_order_asked_for():
    value = x()
    array = value.to_numpy("embed ... batch")
    assert type(array) is np.ndarray
    np.testing.assert_array_equal(array, np.transpose(np.asarray(value.array), (2, 1, 0)))
    array[:] = 0
    assert not nt.equal(value, 0 * value)
    assert nt.to_numpy(nt.ones("a:2", dtype=jnp.bfloat16), "a").dtype == jnp.bfloat16
    assert nt.tensor(2.0, "").to_numpy("") == 2.0


@pytest.mark.parametrize("stored", ["batch seq embed", "embed batch seq"])
def test_numpy_and_back(stored):
    value = x().order(stored)
    assert nt.equal(nt.tensor(value.to_numpy("seq embed batch"), "seq embed batch"), value)


TO_NUMPY = {
    "unknown": (lambda: x().to_numpy("batch sec embed"), MissingDim, ["Did you mean 'seq'?"]),
    "left out": (lambda: x().to_numpy("batch"), MissingDim, ["leaves out 'seq embed'"]),
    "traced": (lambda: jax.jit(lambda t: t.to_numpy("..."))(x()), Unsupported, ["nt.to_numpy", "not known while JAX traces", "x.to_array(...)"]),
    "keys": (lambda: nt.tensor(jax.random.split(jax.random.key(0)), "k").to_numpy("k"), Unsupported, ["jax.random.key_data"]),
    "in transit": (lambda: x().peel("seq").to_numpy("batch embed"), RankMismatch, ["in transit"]),
}  # fmt: skip


@pytest.mark.parametrize(("act", "kind", "parts"), TO_NUMPY.values(), ids=TO_NUMPY)
def test_to_numpy_refuses(act, kind, parts):
    raises(kind, act, parts)


def test_numpy_never_drops_names():
    for act in (np.asarray, np.from_dlpack, jnp.asarray, jnp.from_dlpack):
        with pytest.raises(Unsupported, match=r"to_array\('batch seq embed'\)"):
            act(x())


@pytest.mark.parametrize("dtype", ["float32", "int32", "uint8", "bool", "complex64"])
def test_dlpack_and_back(dtype):
    array = (np.arange(6).reshape(2, 3) % 2).astype(dtype)
    for given, names in ((array, "a b"), (array.T, "b a")):
        value = nt.from_dlpack(given, names)
        assert value.dtype == dtype
        np.testing.assert_array_equal(value.to_numpy("a b"), array)
    np.testing.assert_array_equal(np.from_dlpack(value.to_array("a b")), array)


def test_dlpack_of_jax():
    assert nt.equal(
        nt.from_dlpack(jnp.ones((2, 3), jnp.bfloat16), "a b"), nt.ones("a:2 b:3", dtype=jnp.bfloat16)
    )


def test_dlpack_of_64_bits():
    assert nt.from_dlpack(np.array([1.5]), "a").dtype == jnp.float32
    assert nt.equal(nt.from_dlpack(np.array([2**31 - 1]), "a"), nt.tensor(np.int32([2**31 - 1]), "a"))
    assert nt.from_dlpack(np.zeros(0, np.int64), "a").dtype == jnp.int32
    with jax.enable_x64(True):
        assert nt.from_dlpack(np.array([2**40]), "a").dtype == jnp.int64


def test_dlpack_of_torch():
    torch = pytest.importorskip("torch")
    given = torch.arange(6.0).reshape(2, 3)
    value = nt.from_dlpack(given, "a b")
    np.testing.assert_array_equal(value.to_numpy("a b"), given.numpy())
    assert torch.equal(torch.from_dlpack(value.to_array("b a")), given.T)


FROM_DLPACK = {
    "rank": (lambda: nt.from_dlpack(np.ones((2, 3)), "a"), RankMismatch, ["nt.from_dlpack('a')", "f64[2, 3]", "there are 2 axes and 1 names 'a'"]),
    "names": (lambda: nt.from_dlpack(np.ones(2), "a-b"), InvalidName, ["'a-b'"]),
    "named": (lambda: nt.from_dlpack(x(), "a b c"), Unsupported, ["it has names already"]),
    "a list": (lambda: nt.from_dlpack([1.0], "a"), Unsupported, ["a list has no __dlpack__", "nt.tensor(array"]),
    "strided": (lambda: nt.from_dlpack(np.ones((4, 4), np.float32)[:, ::2], "a b"), Unsupported, ["cannot take over its memory", "contiguous"]),
    "overflow": (lambda: nt.from_dlpack(np.array([1, 2**40]), "a"), Unsupported, ["values from 1 to 1099511627776 do not fit int32", "jax_enable_x64"]),
    "underflow": (lambda: nt.from_dlpack(np.array([-(2**40)]), "a"), Unsupported, ["do not fit int32"]),
    "texts": (lambda: nt.from_dlpack(np.array(["a"]), "a"), Unsupported, ["cannot take over its memory"]),
}  # fmt: skip


@pytest.mark.parametrize(("act", "kind", "parts"), FROM_DLPACK.values(), ids=FROM_DLPACK)
def test_from_dlpack_refuses(act, kind, parts):
    raises(kind, act, parts)


# xarray


@pytest.fixture
def xarray():
    return pytest.importorskip("xarray")


@pytest.fixture
def weather(xarray):
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    coords = {"time": [2000, 2001], "place": ["a", "b", "c"], "height": ("place", [1.0, 2.0, 3.0]), "run": 7}
    return xarray.DataArray(values, coords, ("time", "place"), name="rain", attrs={"units": "mm"})


def test_xarray_and_back(xarray, weather):
    value = from_xarray(weather)
    assert value.dims == ("time", "place")
    np.testing.assert_array_equal(value.to_numpy("time place"), weather.values)
    back = to_xarray(value, coords=weather.coords, name="rain")
    xarray.testing.assert_equal(back, weather)
    assert back.name == "rain"
    assert to_xarray(value).dims == ("time", "place")
    assert not to_xarray(value).coords


def test_xarray_coordinates_of_the_dims_that_are_left(xarray, weather):
    mean = to_xarray(from_xarray(weather).mean("time").order("place"), coords=weather.coords)
    xarray.testing.assert_equal(mean, weather.mean("time"))
    assert set(mean.coords) == {"place", "height", "run"}


def test_xarray_takes_any_stored_order(xarray, weather):
    back = to_xarray(from_xarray(weather).order("place time"), weather.coords)
    xarray.testing.assert_equal(back, weather.transpose("place", "time"))


def test_xarray_with_several_levels(xarray):
    pandas = pytest.importorskip("pandas")
    index = pandas.MultiIndex.from_product([["a", "b"], [1, 2]], names=["letter", "digit"])
    data = xarray.DataArray(
        np.ones((4, 2)), xarray.Coordinates.from_pandas_multiindex(index, "pair"), ("pair", "k")
    )
    back = to_xarray(from_xarray(data) + 1, coords=data.coords)
    assert float(back.sel(letter="b", digit=2)[0]) == 2.0
    assert not to_xarray(from_xarray(data).sum("pair"), coords=data.coords).coords


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "int32", "uint8", "bool", "complex64"])
def test_xarray_keeps_dtypes(xarray, dtype):
    data = xarray.DataArray(np.ones((2,), jnp.dtype(dtype)), dims="a")
    assert from_xarray(data).dtype == dtype
    assert to_xarray(from_xarray(data)).dtype == dtype


def test_xarray_64_bits_become_what_jax_is_set_to(xarray):
    assert from_xarray(xarray.DataArray([1.5, 2.5], dims="a")).dtype == jnp.float32
    with jax.enable_x64(True):
        assert from_xarray(xarray.DataArray([1.5, 2.5], dims="a")).dtype == jnp.float64


def test_xarray_datasets(xarray, weather):
    data = xarray.Dataset({"rain": weather, "mean": weather.mean("time")})
    values = from_xarray(data)
    assert {k: v.dims for k, v in values.items()} == {"rain": ("time", "place"), "mean": ("place",)}
    xarray.testing.assert_equal(to_xarray(values, coords=data.coords), data)
    xarray.testing.assert_equal(to_xarray(values), data.drop_vars(list(data.coords)))


def test_xarray_scalars_and_primes(xarray):
    assert float(from_xarray(xarray.DataArray(2.5))) == 2.5
    primed = to_xarray(nt.ones("seq:2 seq':3"))
    assert primed.dims == ("seq", "seq'")
    assert from_xarray(primed).dims == ("seq", "seq'")


FROM_XARRAY = {
    "no name": (lambda xr: from_xarray(xr.DataArray(np.ones((2, 3)), dims=["lat-lon", "2m height"])), InvalidName,
        ["nt.interop.from_xarray", "'lat-lon' is not a name", "data.rename({'lat-lon': 'lat_lon', '2m height': '_2m_height'})"]),
    "no text": (lambda xr: from_xarray(xr.DataArray(np.ones(2), dims=[3])), InvalidName, ["data.rename({3: '_3'})"]),
    "dates": (lambda xr: from_xarray(xr.DataArray(np.array(["2020-01-01"], "M8[ns]"), dims="t", name="when")), Unsupported,
        ["the values of 'when' are datetime64[ns], not numbers"]),
    "texts": (lambda xr: from_xarray(xr.DataArray(["a"], dims="t")), Unsupported, ["not numbers"]),
    "another type": (lambda xr: from_xarray(np.ones(2)), Unsupported, ["a ndarray is not of xarray", "nt.tensor(array"]),
    "overflow": (lambda xr: from_xarray(xr.DataArray([2**40], dims="t")), Unsupported, ["do not fit int32", "jax_enable_x64"]),
    "labels of another size": (lambda xr: to_xarray(nt.ones("t:3"), {"t": [1, 2]}), SizeMismatch, ["'t' is 3, there are 2 labels 't'", "isel"]),
    "labels of other data": (lambda xr: to_xarray(nt.ones("t:3"), xr.DataArray([1.0], {"t": [0]}, "t").coords), SizeMismatch, ["'t' is 3"]),
    "labels of a misspelled dim": (lambda xr: to_xarray(nt.ones("time:3"), {"tme": [1, 2, 3]}), UnknownDim, ["Did you mean 'time'?"]),
    "traced": (lambda xr: jax.jit(to_xarray)(nt.ones("t:3")), Unsupported, ["not known while JAX traces"]),
    "no names": (lambda xr: to_xarray(np.ones(3)), MissingName, ["f64[3] has no names"]),
    "in transit": (lambda xr: to_xarray(x().peel("seq")), RankMismatch, ["in transit"]),
}  # fmt: skip


@pytest.mark.parametrize(("act", "kind", "parts"), FROM_XARRAY.values(), ids=FROM_XARRAY)
def test_xarray_refuses(xarray, act, kind, parts):
    raises(kind, lambda: act(xarray), parts)


# parameters


def tree():
    return {
        "embed": np.arange(6.0, dtype=np.float32).reshape(3, 2),
        "layers": [
            {"kernel": jnp.ones((2, 4)), "bias": jnp.ones(4)},
            {"kernel": jnp.ones((4, 2)), "bias": jnp.ones(2)},
        ],
        "steps": jnp.zeros((), jnp.int32),
        "activation": jax.nn.relu,
        "text": "a",
        "none": None,
    }


NAMES = {
    "embed": "vocab embed",
    "layers/0/kernel": "embed ff",
    "layers/*/kernel": "ff embed",
    "layers/0/bias": ["ff"],
    "**/bias": "embed",
}


def test_named_params_and_back():
    named = named_params(tree(), NAMES)
    assert named["embed"].dims == ("vocab", "embed")
    assert [layer["kernel"].dims for layer in named["layers"]] == [("embed", "ff"), ("ff", "embed")]
    assert [layer["bias"].dims for layer in named["layers"]] == [("ff",), ("embed",)]
    assert {k: named[k] for k in ("activation", "text", "none")} == {
        "activation": jax.nn.relu,
        "text": "a",
        "none": None,
    }
    assert not nt.is_named(named["steps"])
    plain = unnamed_params(named, NAMES)
    numbers = [{k: v for k, v in t.items() if k not in ("activation", "text")} for t in (plain, tree())]
    nt.testing.assert_equal(*numbers)


def test_unnamed_params_restores_the_order_of_the_axes():
    named = named_params(tree(), NAMES)
    moved = jax.tree.map(
        lambda v: v.order("... embed") if nt.is_named(v) and "embed" in v.dims else v,
        named,
        is_leaf=nt.is_named,
    )
    assert moved["layers"][0]["kernel"].dims == ("ff", "embed")
    plain = unnamed_params(moved, NAMES)
    np.testing.assert_array_equal(plain["embed"], tree()["embed"])
    assert plain["layers"][0]["kernel"].shape == (2, 4)


MATCHES = {
    "itself": ("a/b", "a/b", True),
    "a part": ("a/b", "b", False),
    "a star": ("a/b", "*/b", True),
    "a star is one part": ("a/b/c", "*/c", False),
    "a star within a part": ("a/conv_1/c", "a/conv_*/c", True),
    "a choice": ("a/q_proj/c", "a/[qk]_proj/c", True),
    "a letter": ("a/k1", "a/k?", True),
    "two stars": ("a/b/c", "**/c", True),
    "two stars for nothing": ("c", "**/c", True),
    "two stars inside": ("a/b/c/d", "a/**/d", True),
    "two stars at the end": ("a/b/c", "a/**", True),
    "two stars alone": ("a/b/c", "**", True),
    "case counts": ("a/B", "a/b", False),
    "flat names of PyTorch": ("layers.0.weight", "layers.*.weight", True),
    "nnx": ("l/kernel/value", "**/kernel", True),
    "nnx in full": ("l/kernel/value", "**/kernel/value", True),
    "a value is no box": ("value", "**", True),
}  # fmt: skip


@pytest.mark.parametrize(("path", "pattern", "fits"), MATCHES.values(), ids=MATCHES)
def test_patterns(path, pattern, fits):
    nested = jnp.ones(3)
    for part in reversed(path.split("/")):
        nested = {part: nested}
    if fits:
        assert jax.tree.leaves(named_params(nested, {pattern: "a"}), is_leaf=nt.is_named)[0].dims == ("a",)
    else:
        with pytest.raises(BadPattern, match="matches nothing"):
            named_params(nested, {pattern: "a"})


def test_an_array_without_a_pattern_may_be_kept():
    named = named_params(tree(), {"**/bias": "embed"}, default="keep")
    assert not nt.is_named(named["embed"])
    assert named["layers"][1]["bias"].dims == ("embed",)
    again = named_params(named, {"embed": "vocab embed"}, default="keep")
    assert again["layers"][1]["bias"].dims == ("embed",)
    assert again["embed"].dims == ("vocab", "embed")


def test_named_params_while_traced_and_of_shapes():
    named = jax.jit(lambda t: named_params(t, {"w": "a b"}))({"w": jnp.ones((2, 3))})
    assert named["w"].shape == {"a": 2, "b": 3}
    shapes = jax.eval_shape(lambda: {"w": jnp.ones((2, 3))})
    assert named_params(shapes, {"w": "a b"})["w"].shape == {"a": 2, "b": 3}


MANY = {f"w{i}": jnp.ones(2) for i in range(20)}
PARAMS = {
    "not matched": (lambda: named_params(tree(), {"**/bias": "a"}), MissingName,
        ["nt.interop.named_params", "no pattern matches 'embed' f32[3, 2], 'layers/0/kernel' f32[2, 4]", "default='keep'"]),
    "many not matched": (lambda: named_params(MANY, {}), MissingName, ["and 12 more"]),
    "rank": (lambda: named_params(tree(), NAMES | {"**/bias": "a b"}), RankMismatch,
        ["'layers/1/bias', which '**/bias' matches, is f32[2]", "there are 2 names 'a b'"]),
    "misspelled": (lambda: named_params(tree(), NAMES | {"**/kernal": "a b"}), BadPattern,
        ["'**/kernal' matches nothing", "'layers/0/kernel'", "Did you mean '**/kernel'?"]),
    "misspelled in the middle": (lambda: named_params(tree(), {"layer/*/kernel": "a b"}), BadPattern, ["matches nothing"]),
    "taken": (lambda: named_params(tree(), {"**/bias": "a", "layers/0/bias": "b"}, default="keep"), BadPattern,
        ["all that 'layers/0/bias' matches is matched by earlier patterns", "Write it before them"]),
    "a leaf that is no array": (lambda: named_params(tree(), NAMES | {"activation": "a"}), BadPattern, ["'activation' matches nothing"]),
    "named already": (lambda: named_params(named_params(tree(), NAMES), NAMES), Unsupported, ["has names already: f32[vocab:3 embed:2]"]),
    "names": (lambda: named_params(tree(), {"**/bias": "a-b"}), InvalidName, ["'a-b'"]),
    "default": (lambda: named_params(tree(), NAMES, default="drop"), BadPattern, ["default='drop' is unknown"]),
    "nothing there": (lambda: named_params({}, {"a": "b"}), BadPattern, ["there are no arrays"]),
    "integers that do not fit": (lambda: named_params({"a": np.array([2**40])}, {"a": "b"}), Unsupported, ["do not fit int32"]),
    "back, not matched": (lambda: unnamed_params(named_params(tree(), NAMES), {"layers/0/bias": "ff"}), MissingName,
        ["nt.interop.unnamed_params", "no pattern matches 'embed' f32[vocab:3 embed:2]", "the patterns that named it"]),
    "back, other names": (lambda: unnamed_params({"w": nt.ones("a:2")}, {"w": "b"}), DimMismatch, ["'w', which 'w' matches, is f32[a:2], expected 'b'"]),
}  # fmt: skip


@pytest.mark.parametrize(("act", "kind", "parts"), PARAMS.values(), ids=PARAMS)
def test_params_refuse(act, kind, parts):
    raises(kind, act, parts)


def ff(w1, b1, w2, b2, inputs):
    return nt.relu(inputs.dot("embed", w1) + b1).dot("ff", w2) + b2


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_flax_linen():
    linen = pytest.importorskip("flax.linen")
    model = linen.Sequential([linen.Dense(5), linen.relu, linen.Dense(3)])
    inputs = nt.random.normal(jax.random.key(1), "batch:4 embed:3")
    params = model.init(jax.random.key(0), inputs.array)
    names = {
        "**/layers_0/kernel": "embed ff",
        "**/layers_0/bias": "ff",
        "**/kernel": "ff embed",
        "**/bias": "embed",
    }
    named = named_params(params, names)
    one, two = named["params"]["layers_0"], named["params"]["layers_2"]
    out = ff(one["kernel"], one["bias"], two["kernel"], two["bias"], inputs)
    np.testing.assert_allclose(
        out.to_array("batch embed"), model.apply(params, inputs.array), rtol=1e-5, atol=1e-6
    )
    back = unnamed_params(named, names)
    np.testing.assert_array_equal(model.apply(back, inputs.array), model.apply(params, inputs.array))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_flax_nnx():
    nnx = pytest.importorskip("flax.nnx")

    class Model(nnx.Module):
        def __init__(self, rngs):
            self.inner = nnx.List([nnx.Linear(3, 5, rngs=rngs), nnx.Linear(5, 3, rngs=rngs)])
            self.drop = nnx.Dropout(0.5, rngs=rngs)

        def __call__(self, inputs):
            return self.inner[1](jax.nn.relu(self.inner[0](inputs)))

    model = Model(nnx.Rngs(0))
    graph, state = nnx.split(model)
    names = {
        "inner/0/kernel": "embed ff",
        "inner/0/bias": "ff",
        "inner/1/kernel": "ff embed",
        "inner/1/bias": "embed",
    }
    named = named_params(state, names)
    assert type(named) is type(state)
    assert named["inner"][0]["kernel"].get_value().dims == ("embed", "ff")
    inputs = jnp.ones((2, 3))
    back = nnx.merge(graph, unnamed_params(named, names))
    np.testing.assert_array_equal(back(inputs), model(inputs))


def test_equinox():
    eqx = pytest.importorskip("equinox")
    model = eqx.nn.MLP(3, 3, 5, 1, key=jax.random.key(0))
    names = {
        "layers/0/weight": "ff embed",
        "layers/0/bias": "ff",
        "layers/1/weight": "embed ff",
        "layers/1/bias": "embed",
    }
    named = named_params(model, names)
    assert named.activation is not None
    inputs = nt.random.normal(jax.random.key(1), "batch:4 embed:3")
    one, two = named.layers
    out = ff(one.weight, one.bias, two.weight, two.bias, inputs)
    expected = jax.vmap(model)(inputs.array)
    np.testing.assert_allclose(out.to_array("batch embed"), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(jax.vmap(unnamed_params(named, names))(inputs.array), expected)


def test_parameters_of_a_file_from_elsewhere(tmp_path):
    arrays = {"layers.0.weight": np.ones((5, 3), np.float32), "layers.0.bias": np.ones(5, np.float32)}
    np.savez(tmp_path / "a.npz", **arrays)
    named = named_params(nt.load(tmp_path / "a.npz"), {"*.weight": "ff embed", "*.bias": "ff"})
    nt.save(tmp_path / "b.npz", named)
    nt.testing.assert_equal(nt.load(tmp_path / "b.npz"), named)
