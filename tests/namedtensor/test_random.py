"""Random tensors by name: what the key, the shape and tensors as parameters mean together."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import namedtensor as nt
from namedtensor._errors import (
    BadPattern,
    DuplicateDim,
    MissingDim,
    MissingName,
    RankMismatch,
    SizeMismatch,
    UnknownDim,
    Unsupported,
)

KEY = jax.random.key(3)


def keys():
    return nt.random.split(KEY, "layer:3")


def test_every_sampler_of_jax_is_there():
    """Keys are arrays of JAX's, whose own functions serve for them."""
    of_keys = {
        "PRNGKey",
        "clone",
        "key_data",
        "key_dtype",
        "key_impl",
        "wrap_key_data",
        "Key",
        "random_gamma_p",
    }
    there = {n for n in dir(jax.random) if n[0] != "_" and callable(getattr(jax.random, n))}
    assert there - of_keys - set(nt.random.__all__) == set()


def test_the_shape_sets_the_order_of_the_values():
    first = nt.random.normal(KEY, "batch:2 embed:3")
    np.testing.assert_array_equal(first.array, jax.random.normal(KEY, (2, 3)))
    assert nt.equal(first, nt.random.normal(KEY, {"batch": 2, "embed": 3}))
    assert not nt.equal(first, nt.random.normal(KEY, "embed:3 batch:2"))


def test_storage_never_changes_a_draw():
    p = nt.tensor(np.linspace(0.1, 0.9, 6).reshape(2, 3), "b a")
    draws = [nt.random.bernoulli(KEY, p.order(order)) for order in ("a b", "b a")]
    assert nt.equal(*draws)
    np.testing.assert_array_equal(draws[0].to_array("a b"), jax.random.bernoulli(KEY, p.to_array("a b")))


def test_names_that_the_shape_lacks_are_added():
    low, high = nt.zeros("z:2"), nt.ones("b:3 a:4")
    out = nt.random.uniform(KEY, "s:5 b:3", low, high)
    assert dict(out.shape) == {"s": 5, "b": 3, "a": 4, "z": 2}
    assert out.dims == ("s", "b", "a", "z")


def test_numbers_alone_make_a_scalar():
    assert nt.random.bernoulli(KEY, 0.5).dims == ()
    assert bool(nt.random.bernoulli(KEY, 1))
    assert nt.random.bernoulli(KEY, shape="a:3").dims == ("a",)


@pytest.mark.parametrize("draw", [
    lambda key: nt.random.normal(key, "embed:4"),
    lambda key: nt.random.randint(key, "embed:4", 0, 9),
    lambda key: nt.random.permutation(key, nt.arange("seq", 5), "seq"),
    lambda key: nt.random.choice(key, nt.arange("seq", 5), "seq", "k:2", replace=False),
    lambda key: nt.random.categorical(key, nt.arange("class", 5.0), "class"),
    lambda key: nt.random.split(key, "step:2"),
], ids=["normal", "randint", "permutation", "choice", "categorical", "split"])  # fmt: skip
def test_a_key_with_dims_draws_for_each_of_its_keys(draw):
    got = draw(keys())
    want = nt.stack([draw(key) for key in jax.random.split(KEY, 3)], "layer")
    assert nt.equal(got, want)


def test_a_parameter_may_have_the_dims_of_the_keys():
    scale = nt.tensor([1.0, 2.0, 3.0], "layer")
    got = nt.random.uniform(keys(), "embed:4", high=scale)
    each = [nt.random.uniform(keys().isel(layer=i), "embed:4", high=float(i + 1)) for i in range(3)]
    assert nt.equal(got, nt.stack(each, "layer"))
    x = nt.random.normal(KEY, "layer:3 seq:5")
    got = nt.random.permutation(keys(), x, "seq")
    want = [nt.random.permutation(keys().isel(layer=i), x.isel(layer=i), "seq") for i in range(3)]
    assert nt.equal(got, nt.stack(want, "layer"))


def test_keys_are_tensors_like_any_other():
    """Of an extended dtype, with which all that moves values must work."""
    grid = nt.random.split(KEY, "layer:3 step:2")
    assert repr(grid) == "key<fry>[layer:3 step:2]"
    assert nt.equal(grid.isel(layer=1, step=slice(1)), grid[{"layer": 1}].isel(step=slice(1)))
    assert nt.equal(grid[{"layer": nt.tensor([2, 0], "k")}].isel(k=1), grid.isel(layer=0))
    assert nt.equal(nt.concat([grid, grid], "step").chunk("step", 2)[1], grid)
    assert nt.equal(nt.stack(grid.unstack("layer"), "layer"), grid)
    assert nt.equal(grid.merge("layer step", "all").split("all", "layer step", step=2), grid)
    assert nt.equal(grid.expand("x:2").isel(x=1), grid)
    assert nt.equal(grid.order("step layer").rename(step="s").rename(s="step"), grid)
    assert nt.equal(grid.flip("layer").flip("layer"), grid)
    assert nt.equal(grid.tile("step", 2).isel(step=slice(2)), grid)
    assert nt.equal(grid.pool("step", "k", 2).squeeze("step").rename(k="step"), grid)
    assert nt.equal(
        grid.diag("layer step", "d"), grid[{"layer": nt.arange("d", 2), "step": nt.arange("d", 2)}]
    )
    assert nt.equal(nt.where(nt.tensor([True, False], "step"), grid, grid), grid)


def test_keys_in_transformations():
    grid = nt.random.split(KEY, "layer:3")
    out = nt.vmap(lambda key: nt.random.normal(key, "embed:4"), over="layer")(grid)
    assert nt.equal(out, nt.random.normal(grid, "embed:4"))
    jitted = jax.jit(lambda key: nt.random.normal(key, "embed:4"))
    assert nt.equal(jitted(grid), out)
    _, scanned = jax.lax.scan(lambda c, key: (c, nt.random.normal(key, "embed:4")), 0, grid.peel("layer"))
    assert nt.equal(scanned.name("layer"), out)


def test_keys_of_the_old_kind():
    old = jax.random.PRNGKey(3)
    want = jax.random.normal(old, (4,))
    np.testing.assert_array_equal(nt.random.normal(old, "a:4").array, want)
    np.testing.assert_array_equal(nt.random.normal(np.asarray(old), "a:4").array, want)
    np.testing.assert_array_equal(jax.jit(lambda key: nt.random.normal(key, "a:4"))(old).array, want)


def test_fold_in_is_plain_for_what_is_plain():
    assert not nt.is_named(nt.random.fold_in(KEY, 3))
    each = nt.random.fold_in(keys(), nt.arange("step", 2))
    assert each.dims == ("layer", "step")
    want = jax.random.fold_in(keys().array[2], 1)
    assert nt.equal(each.isel(layer=2, step=1), nt.tensor(want, ""))


def test_moments():
    """Against the distribution itself: 6 standard errors of the mean of 4000 draws."""
    n = 4000
    mean, cov = nt.tensor([1.0, -2.0], "x"), nt.tensor([[2.0, 0.6], [0.6, 1.0]], "x x'")
    draws = nt.random.multivariate_normal(KEY, mean, cov, "x x'", f"n:{n}")
    assert draws.dims == ("n", "x")
    centred = draws - mean
    np.testing.assert_allclose(draws.mean("n").to_array("x"), mean.array, atol=6 * (2 / n) ** 0.5)
    got = nt.dot(centred, centred.rename(x="x'"), over="n") / n
    np.testing.assert_allclose(got.to_array("x x'"), cov.array, atol=6 * 2 * (2 / n) ** 0.5)


def test_orthogonal_matrices_are():
    q = nt.random.orthogonal(KEY, "head:2 row:3 col:5", "row col")
    got = nt.dot(q, q.rename(row="row'"), over="col")
    eye = nt.eye("row:3 row':3")
    # as many roundings as a QR factorisation of 5 columns makes
    np.testing.assert_allclose(
        got.to_array("head row row'"), np.broadcast_to(eye.array, (2, 3, 3)), atol=5e-6
    )


def test_permutation_and_choice_keep_rows_whole():
    x = nt.arange("seq", 6) * 10 + nt.arange("k", 2)
    shuffled = nt.random.permutation(KEY, x, "seq")
    assert nt.equal((shuffled - nt.arange("k", 2)).isel(k=0).sort("seq"), nt.arange("seq", 6) * 10)
    some = nt.random.choice(KEY, x, "seq", "seq:4", replace=False)
    assert len(set(some.isel(k=0).array.tolist())) == 4
    certain = nt.random.choice(KEY, x, "seq", "draw:3", p=nt.one_hot(nt.tensor(2, ""), "seq", 6))
    assert set(certain.isel(k=0).array.tolist()) == {20}


def test_a_draw_is_one_program(compilations):
    nt.random.uniform(KEY, "compiled:7 once:3", 0.0, 2.0)
    other = jax.random.key(4)
    assert compilations.since(lambda: nt.random.uniform(other, "compiled:7 once:3", 1.0, 3.0)) == 0


def test_signatures_are_shown():
    assert list(inspect.signature(nt.random.gamma).parameters) == ["key", "a", "shape", "dtype"]
    assert list(inspect.signature(nt.random.uniform).parameters) == ["key", "shape", "low", "high", "dtype"]
    assert "nt.random.gamma(key, a, shape=None, *, dtype=None)" in nt.random.gamma.__doc__
    with pytest.raises(TypeError, match="missing a required argument: 'a'"):
        nt.random.gamma(KEY)


def x():
    return nt.ones("batch:2 class:3")


ERRORS = {
    "a seed": (lambda: nt.random.normal(3, "a:2"), Unsupported, ["nt.random.normal", "3 is no random key", "jax.random.key(0)"]),
    "no key": (lambda: nt.random.uniform(None, "a:2"), Unsupported, ["is no random key"]),
    "numbers as a key": (lambda: nt.random.normal(x(), "a:2"), Unsupported, ["f32[batch:2 class:3] is no random key"]),
    "an array as a key": (lambda: nt.random.normal(np.ones(2), "a:2"), Unsupported, ["f64[2] is no random key"]),
    "too short a key": (lambda: nt.random.normal(np.ones(3, np.uint32), "a:2"), nt.NamedShapeError, ["no random key"]),
    "keys without names": (lambda: nt.random.normal(jax.random.split(KEY), "a:2"), MissingName,
        ["key<fry>[2] has no names", "nt.tensor(keys, 'layer')"]),
    "no shape": (lambda: nt.random.normal(KEY, None), BadPattern, ["there is no shape"]),
    "a shape of numbers": (lambda: nt.random.normal(KEY, (2, 3)), BadPattern, ["(2, 3) has no names", "'batch:8 embed:64'"]),
    "no size": (lambda: nt.random.normal(KEY, "a b:2"), BadPattern, ["nt.random.normal", "'a' has no size"]),
    "another size": (lambda: nt.random.bernoulli(KEY, x(), "batch:3"), SizeMismatch,
        ["nt.random.bernoulli", "f32[batch:2 class:3]", "'batch' is 3 in the shape, 2 in a parameter"]),
    "two sizes": (lambda: nt.random.uniform(KEY, "a:2", x(), nt.ones("batch:4")), SizeMismatch, ["'batch' is 2"]),
    "the key's dim": (lambda: nt.random.normal(keys(), "layer:3"), DuplicateDim, ["the key has the dim 'layer'", "Leave 'layer' out"]),
    "an array as a parameter": (lambda: nt.random.gamma(KEY, np.ones(2)), MissingName, ["f64[2] has no names"]),
    "a dtype that is none": (lambda: nt.random.normal(KEY, "a:2", dtype=int), Unsupported, ["JAX refuses it"]),
    "ends that are no whole numbers": (lambda: nt.random.randint(KEY, "a:2", 0.5, 3), Unsupported, ["an end is float32"]),
    "no such class": (lambda: nt.random.categorical(KEY, x(), "clas"), UnknownDim, ["no dim 'clas'", "Did you mean 'class'?"]),
    "class in the shape": (lambda: nt.random.dirichlet(KEY, x(), "class", "class:3"), DuplicateDim, ["'class' already"]),
    "one dim of two": (lambda: nt.random.multivariate_normal(KEY, x(), x(), "class"), RankMismatch, ["two dims"]),
    "no mean": (lambda: nt.random.multivariate_normal(KEY, 0.0, nt.eye("a:2 b:2"), "a b"), UnknownDim, ["no dim 'a'"]),
    "no size of the matrix": (lambda: nt.random.orthogonal(KEY, "row:3", "row col"), MissingDim, ["lacks 'col'", "'col:8'"]),
    "no size of the ball": (lambda: nt.random.ball(KEY, "row:3", "col"), MissingDim, ["lacks 'col'"]),
    "balls of several kinds": (lambda: nt.random.ball(KEY, "a:3", "a", nt.ones("b:2")), Unsupported, ["p has the dims 'b'"]),
    "too many draws": (lambda: nt.random.choice(KEY, x(), "class", "d:4", replace=False), SizeMismatch,
        ["'class' is 3, and 4 are drawn", "replace=True"]),
    "draws of nothing": (lambda: nt.random.choice(KEY, nt.zeros("a:0"), "a", "d:4"), SizeMismatch, ["'a' is 0"]),
    "draws along a dim that is there": (lambda: nt.random.choice(KEY, x(), "class", "batch:4"), DuplicateDim, ["'batch' already"]),
    "a probability too many": (lambda: nt.random.choice(KEY, x(), "class", "d:4", p=x()), Unsupported, ["p has the dims 'batch class'"]),
    "no such dim": (lambda: nt.random.permutation(KEY, x(), "clas"), UnknownDim, ["nt.random.permutation", "no dim 'clas'"]),
    "a key for each position": (lambda: nt.random.permutation(keys(), nt.arange("layer", 3), "layer"), Unsupported, ["'layer'"]),
    "an array": (lambda: nt.random.permutation(KEY, np.ones(3), "a"), MissingName, ["f64[3] has no names"]),
    "fractions folded in": (lambda: nt.random.fold_in(KEY, 0.5), Unsupported, ["whole numbers"]),
    "a split without sizes": (lambda: nt.random.split(KEY, "layer"), BadPattern, ["nt.random.split", "'layer' has no size"]),
    "a split of nothing": (lambda: nt.random.split(4, "layer:2"), Unsupported, ["4 is no random key"]),
}  # fmt: skip


@pytest.mark.parametrize(("call", "error", "parts"), ERRORS.values(), ids=ERRORS)
def test_error(call, error, parts):
    with pytest.raises(error) as caught:
        call()
    assert not [part for part in parts if part not in str(caught.value)], str(caught.value)


def test_a_parameter_of_the_wrong_size_is_found_under_jit():
    with pytest.raises(SizeMismatch, match="'batch' is 3 in the shape"):
        jax.jit(lambda p: nt.random.bernoulli(KEY, p, "batch:3"))(x())
    assert jnp.issubdtype(
        jax.eval_shape(lambda: nt.random.split(KEY, "a:2")).array.dtype, jax.dtypes.prng_key
    )
