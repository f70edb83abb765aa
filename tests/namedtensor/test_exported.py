"""Functions without code: what `jax.export` writes is called, mapped, differentiated, and says what it lacks."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import namedtensor as nt
from namedtensor.interop import exported
from namedtensor.interop._artifact import is_mappable, mappable

pytest.importorskip("flatbuffers")
RNG = np.random.default_rng(11)
W = RNG.normal(size=(3, 2)).astype(np.float32)
X = RNG.normal(size=(4, 3)).astype(np.float32)
MANY = RNG.normal(size=(5, 4, 3)).astype(np.float32)
EPS = float(np.finfo(np.float32).eps)


def close(a, b):
    np.testing.assert_allclose(a, b, rtol=32 * EPS, atol=32 * EPS)  # sums of three products


def squares(x):
    return (x @ W) ** 2


def slope(x):
    """Of the sum of the squares."""
    return 2 * (x @ W) @ W.T


def centred(x):
    """Examples that see each other."""
    return (x - x.mean(0)[None]) ** 2


def open_batch(*sizes, dtype=jnp.float32):
    return jax.ShapeDtypeStruct(jax.export.symbolic_shape(", ".join(map(str, ("batch", *sizes)))), dtype)


def written(fun, *args, vjp_order=1, **kwargs):
    return bytes(jax.export.export(jax.jit(fun))(*args, **kwargs).serialize(vjp_order=vjp_order))


OPEN = written(squares, open_batch(3), vjp_order=2)
FIXED = written(squares, X)
FORWARD = written(squares, X, vjp_order=0)


@pytest.mark.parametrize("source", [OPEN, FIXED, bytearray(FIXED), jax.export.deserialize(bytearray(FIXED))])
def test_it_is_the_function_that_was_written(source):
    model = exported.load(source)
    close(model(X), squares(X))
    close(jax.jit(model)(X), squares(X))
    close(jax.grad(lambda x: model(x).sum())(X), slope(X))
    assert model.__name__ == "squares"


def test_what_it_takes_and_gives_is_told():
    model = exported.load(OPEN)
    assert repr(model) == "ExportedFunction(0: f32[batch, 3]) -> f32[batch, 2], with derivatives"
    assert repr(exported.load(FORWARD)).endswith("without derivatives")
    assert list(model.inputs) == ["0"]
    assert str(model.inputs["0"].shape) == "(batch, 3)"
    assert model.outputs[""].dtype == jnp.float32


def test_trees_and_keyword_arguments():
    def fun(params, x, *, scale):
        return {"y": x @ params["w"] * scale, "norm": (x**2).sum()}

    model = exported.load(written(fun, {"w": W}, X, scale=jnp.float32(2)))
    assert list(model.inputs) == ["0/w", "1", "scale"]
    assert list(model.outputs) == ["norm", "y"]
    out = model({"w": W}, X, scale=3.0)
    close(out["y"], 3 * X @ W)
    grads = jax.grad(lambda p: model(p, X, scale=1.0)["y"].sum())({"w": W})
    close(grads["w"], np.broadcast_to(X.sum(0)[:, None], (3, 2)))


@pytest.mark.parametrize("source", [OPEN, FIXED, FORWARD], ids=["open", "fixed", "no derivative"])
def test_it_can_be_mapped(source):
    model = exported.load(source)
    close(jax.vmap(model)(MANY), squares(MANY))
    close(jax.jit(jax.vmap(model, in_axes=1))(MANY.transpose(1, 0, 2)), squares(MANY))


def test_gradients_can_be_mapped_and_what_is_mapped_has_gradients():
    model = exported.load(FIXED)
    close(jax.vmap(jax.grad(lambda x: model(x).sum()))(MANY), slope(MANY))
    close(jax.grad(lambda xs: jax.vmap(model)(xs).sum())(MANY), slope(MANY))
    close(jax.vmap(jax.vmap(model))(MANY[None])[0], squares(MANY))


@pytest.mark.parametrize("independent", [False, True])
def test_points_become_one_batch_only_where_examples_are_independent(independent):
    model = exported.load(OPEN, independent=independent)
    gradients = jax.vmap(jax.grad(lambda x: model(x).sum()))
    for f, by_hand in ((jax.vmap(model), squares), (gradients, slope)):
        close(f(MANY), by_hand(MANY))
        assert ("scan" in str(jax.make_jaxpr(f)(MANY))) is not independent


def test_examples_that_see_each_other_are_mapped_as_they_are():
    model = exported.load(written(centred, open_batch(3)))
    close(jax.vmap(model)(MANY), (MANY - MANY.mean(1, keepdims=True)) ** 2)


def test_what_has_no_open_batch_goes_one_by_one_though_examples_are_independent():
    for source in (FIXED, written(lambda x, k: x * k, open_batch(3), X[0, 0])):
        model = exported.load(source, independent=True)
        more = (np.arange(5, dtype=np.float32),) if "1" in model.inputs else ()
        expected = MANY * more[0][:, None, None] if more else squares(MANY)
        close(jax.vmap(model)(MANY, *more), expected)


def test_integers_pass_and_have_no_derivative():
    def fun(x, row):
        return x[row] * 2.0, row + 1

    model = exported.load(written(fun, X, jnp.asarray([0, 2])))
    rows = jnp.asarray([[0, 2], [1, 1]])
    value, following = jax.vmap(model, in_axes=(None, 0))(X, rows)
    close(value, 2 * X[np.asarray(rows)])
    assert np.array_equal(following, rows + 1)
    slopes = jax.vmap(jax.grad(lambda x, r: model(x, r)[0].sum()), in_axes=(None, 0))(X, rows)
    expected = np.zeros((2, 4, 3))
    for i, row in enumerate(np.asarray(rows)):
        for r in row:
            expected[i, r] += 2
    close(slopes, expected)


def test_second_derivatives_where_they_were_written():
    model = exported.load(OPEN)
    second = jax.grad(lambda x: (jax.grad(lambda x: model(x).sum())(x) ** 2).sum())
    close(jax.vmap(second)(MANY), 4 * slope(MANY) @ W @ W.T)  # each slope is 2 x W W', symmetric


def test_a_derivative_that_was_not_written_is_asked_for_by_name():
    first = lambda f: jax.grad(lambda x: f(x).sum())  # noqa: E731
    with pytest.raises(
        ValueError, match=r"'squares' has no derivative: .*vjp_order=0.*serialize\(vjp_order=1\)"
    ):
        first(exported.load(FORWARD))(X)
    model = exported.load(FIXED)
    with pytest.raises(ValueError, match=r"'squares' has no second derivative: .*serialize\(vjp_order=2\)"):
        first(lambda x: first(model)(x))(X)


def test_named_tensors_stay_named():
    def fun(t):
        return (t - t.mean("feature")).dot("feature", nt.tensor(W, "feature class"))

    shape = nt.NamedTensor(open_batch(3), nt.dims("batch feature"))
    model = exported.load(written(fun, shape))
    assert (
        repr(model)
        == "ExportedFunction(0: f32[batch:batch feature:3]) -> f32[batch:batch class:2], with derivatives"
    )
    t = nt.tensor(X, "batch feature")
    assert model(t).dims == ("batch", "class")
    close(model(t).array, (X - X.mean(1, keepdims=True)) @ W)
    with pytest.raises(ValueError, match="same pytree structure as when the function 'fun' was exported"):
        model(X)


def test_other_shapes_and_dtypes_are_refused_in_the_words_of_jax():
    model = exported.load(FIXED)
    for wrong, said in (
        (X[:2], r"args\[0\]"),
        (X.astype(np.int32), "Dtype mismatch for args"),
        (X[0], "Rank mismatch"),
    ):
        with pytest.raises(ValueError, match=said):
            model(wrong)


def test_save_and_load(tmp_path):
    path = tmp_path / "model"
    exported.save(path, squares, open_batch(3))
    close(jax.grad(lambda x: exported.load(path)(x).sum())(X), slope(X))
    exported.save(path, squares, X, vjp_order=0)
    assert not exported.load(str(path)).exported.has_vjp()
    assert [p.name for p in tmp_path.iterdir()] == ["model"]
    exported.save(path, squares, X, platforms=("cpu", "cuda"))
    assert exported.load(path).exported.platforms == ("cpu", "cuda")
    with pytest.raises(FileNotFoundError, match="there is no directory"):
        exported.save(tmp_path / "no" / "model", squares, X)


BAD = {
    "empty": b"",
    "text": b"not a model at all, but a sentence",
    "cut off": FIXED[: len(FIXED) // 2],
    "zeros": bytes(200),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_such_file_is_said(case, tmp_path):
    path = tmp_path / "model"
    path.write_bytes(BAD[case])
    with pytest.raises(
        ValueError, match=r"model: no function that jax\.export has written, or a damaged one"
    ):
        exported.load(path)
    with pytest.raises(ValueError, match=rf"{len(BAD[case])} bytes: no function"):
        exported.load(BAD[case])
    with pytest.raises(FileNotFoundError):
        exported.load(tmp_path / "other")


def test_without_flatbuffers_the_line_that_installs_it_is_said(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "flatbuffers", None)
    for act in (lambda: exported.load(FIXED), lambda: exported.save(tmp_path / "m", squares, X)):
        with pytest.raises(ImportError, match=r"pip install 'namedtensor-workbench\[interop\]'"):
            act()


# what JAX itself has read, inside of a function -------------------------------------------------------


def test_functions_that_call_one_of_jax_can_be_made_mappable():
    call = jax.export.deserialize(bytearray(FIXED)).call
    fun = lambda x: nt.tap(call(jnp.tanh(x)), "out") + 1  # noqa: E731
    assert not is_mappable(fun, X)
    assert is_mappable(mappable(fun), X)
    assert is_mappable(squares, X)
    close(jax.vmap(mappable(fun))(MANY), squares(np.tanh(MANY)) + 1)
    assert list(nt.list_taps(mappable(fun), X)) == ["out"]


@pytest.mark.parametrize("make", [exported.load, lambda blob: jax.export.deserialize(bytearray(blob)).call])
def test_it_has_no_places_and_says_so(make):
    f = make(FIXED)
    assert nt.list_taps(f, X) == {}
    with pytest.raises(
        nt.interpreter.UnknownTapError, match=r"no tap 'conv'.*'squares' is compiled code without places"
    ):
        nt.capture(f, "conv")(X)
    with pytest.raises(nt.interpreter.UnknownTapError, match=r"there are 'out'.*'squares' is compiled code"):
        nt.capture(lambda x: nt.tap(f(x), "out"), "conv")(X)
    assert nt.outline(f, X).notes[0].startswith("no cost is known for call_")
