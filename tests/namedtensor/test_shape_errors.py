"""What mistakes in shapes, windows, look-ups and factories raise, and the cases that no table of operations holds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import namedtensor as nt
from namedtensor._dims import sized
from namedtensor._errors import (
    BadPattern,
    DimMismatch,
    DuplicateDim,
    InvalidName,
    MissingName,
    RankMismatch,
    SizeMismatch,
    UnknownDim,
    Unsupported,
)

X, RAW = "f32[batch:8 seq:16]", np.ones((8, 16), np.float32)


def x():
    return nt.ones("batch:8 seq:16")


def ids():
    return nt.tensor([0, 1], "seq")


def traced(f):
    return lambda: jax.jit(f)(2)


SHAPES = {
    "expand another size": (lambda: x().expand("batch:3"), SizeMismatch,
        ["nt.expand(shape='batch:3')", X, "'batch' is there and is 8, not 3", "x.squeeze('batch')"]),
    "expand from 1": (lambda: nt.ones("a:1").expand("a:3"), SizeMismatch, ["Size 1 never stretches"]),
    "expand without a size": (lambda: x().expand("head"), BadPattern, [X, "'head' has no size", "'head:8'"]),
    "expand by numbers": (lambda: x().expand((2, 3)), BadPattern, ["(2, 3) has no names"]),
    "expand an array": (lambda: nt.expand(RAW, "a:2"), MissingName, ["f32[8, 16] has no names"]),
    "squeeze another size": (lambda: x().squeeze("seq"), SizeMismatch,
        ["nt.squeeze(over='seq')", X, "'seq' is 16", "x.isel(seq=0)", "x.sum('seq')"]),
    "squeeze unknown": (lambda: x().squeeze("sec"), UnknownDim, [X, "Did you mean 'seq'?"]),
    "broadcast sizes": (lambda: nt.broadcast(x(), nt.ones("seq:1")), SizeMismatch, ["nt.broadcast", "'seq' is 16 on the left, 1"]),
    "broadcast nothing": (lambda: nt.broadcast(), BadPattern, ["nothing to broadcast"]),
    "merge into two": (lambda: x().merge("batch seq", ["a"]), InvalidName, [X, "['a'] is not a name"]),
    "split of a fraction": (lambda: x().split("seq", "a b", a=2.5), BadPattern, [X, "a=2.5 is no whole number"]),
    "split of a traced size": (traced(lambda n: x().split("seq", "a b", a=n)), BadPattern, ["a=a traced value", "known before tracing"]),
    "order by numbers": (lambda: x().order(0), BadPattern, ["nt.order", X, "0 is no list of names"]),
    "order by a set": (lambda: x().order({"batch", "seq"}), BadPattern, ["is no list of names in order"]),
    "rename to no name": (lambda: x().rename({"seq": 3}), InvalidName, [X, "3 is not a name"]),
    "rename twice": (lambda: x().rename("a b", seq="c"), BadPattern, ["by position and by keyword"]),
    "peel twice": (lambda: x().peel("seq seq"), DuplicateDim, ["nt.peel('seq seq')", X, "'seq' stands twice"]),
    "name too few": (lambda: x().peel("batch seq").name("a"), Unsupported, ["2 axes for the names ''", "one axis in transit"]),
    "name too many": (lambda: x().peel("seq").name("a b"), Unsupported, ["2 axes in transit can be given the name 'a b'"]),
    # joining and cutting
    "concat of a number": (lambda: nt.concat(3, "seq"), BadPattern, ["3 is no list of tensors", "nt.concat([x, y], 'seq')"]),
    "concat of one tensor": (lambda: nt.concat(x(), "seq"), Unsupported, ["no first axis", "x.unstack("]),
    "concat, a dim missing": (lambda: nt.concat([x(), nt.ones("seq:3")], "seq"), DimMismatch, ["'batch seq' and 'seq'"]),
    "concat along a list": (lambda: nt.concat([x(), x()], ["seq"]), InvalidName, ["['seq'] is not a name"]),
    "chunk into none": (lambda: x().chunk("seq", 0), BadPattern, [X, "chunks=0 is no whole number of at least 1"]),
    "chunk of a fraction": (lambda: x().chunk("seq", 2.5), BadPattern, ["chunks=2.5"]),
    "chunk sizes": (lambda: x().chunk("seq", [3, 4]), SizeMismatch,
        ["nt.chunk(dim='seq', chunks=[3, 4])", X, "'seq' is 16, the chunks [3, 4] are 7"]),
    "chunk unknown": (lambda: x().chunk("sec", 2), UnknownDim, [X, "Did you mean 'seq'?"]),
    "unstack a list": (lambda: x().unstack(["seq"]), InvalidName, [X]),
    "insert outside": (lambda: x().insert("seq", 17, 0.0), IndexError, ["nt.insert(dim='seq', position=17)", X, "'seq' has size 16"]),
    "insert other names": (lambda: x().insert("seq", 0, nt.ones("head:2")), DimMismatch,
        ["the values have 'head'", "neither 'batch seq' nor 'batch'"]),
    "insert another size": (lambda: x().insert("seq", 0, nt.ones("batch:3")), SizeMismatch, ["'batch' is 8 on the left, 3"]),
    "insert at a fraction": (lambda: x().insert("seq", 0.5, 1.0), BadPattern, ["position=0.5"]),
    "insert at a traced position": (traced(lambda i: x().insert("seq", i, 1.0)), BadPattern, ["position=a traced value"]),
    "insert an array": (lambda: x().insert("seq", 0, np.ones(8)), MissingName, ["has no names"]),
    "append other names": (lambda: x().append("seq", nt.ones("head:2")), DimMismatch, ["nt.append(dim='seq')"]),
    "delete outside": (lambda: x().delete("seq", [0, 16]), IndexError, ["seq=16 is outside", "'seq' has size 16"]),
    "delete by a mask": (lambda: x().delete("seq", x() > 0), BadPattern, ["is no whole number"]),
    "delete in steps of 0": (lambda: x().delete("seq", slice(0, 4, 0)), Unsupported, ["steps of 0"]),
    "repeat below 0": (lambda: x().repeat("seq", -1), BadPattern, [X, "times=-1 is no whole number of at least 0"]),
    "repeat as often as values say": (lambda: x().repeat("seq", nt.ones("seq:16", dtype=int)), Unsupported,
        ["total=None: the size of the result is not known", "total=8"]),
    "repeat along another dim": (lambda: x().repeat("seq", nt.ones("batch:8", dtype=int), total=3), Unsupported, ["times has the dims 'batch'"]),
    "repeat by fractions": (lambda: x().repeat("seq", nt.ones("seq:16"), total=3), Unsupported, ["times are float32"]),
    "tile by a fraction": (lambda: x().tile("seq", 1.5), BadPattern, ["nt.tile(dim='seq', times=1.5)", "times=1.5"]),
    # windows and margins
    "pad by a number": (lambda: x().pad(2), BadPattern, ["nt.pad(", X, "2 does not say which dims", "x.pad({'height': 2"]),
    "pad unknown": (lambda: x().pad({"sec": 2}), UnknownDim, ["Did you mean 'seq'?"]),
    "pad below 0": (lambda: x().pad({"seq": -1}), BadPattern, ["a width=-1"]),
    "pad three ends": (lambda: x().pad({"seq": (1, 2, 3)}), BadPattern, ["(1, 2, 3) is not a width", "(before, after)"]),
    "pad by a fraction": (lambda: x().pad({"seq": 0.5}), BadPattern, ["a width=0.5"]),
    "pad in no mode": (lambda: x().pad({"seq": 1}, mode="mirror"), BadPattern, ["mode='mirror' is not known", "reflect"]),
    "pad with an option of another mode": (lambda: x().pad({"seq": 1}, stat_length=2), BadPattern, ["stat_length has no meaning with mode='constant'"]),
    "pad in no type": (lambda: x().pad({"seq": 1}, mode="reflect", reflect_type="up"), BadPattern, ["'even' or 'odd'"]),
    "pad integers with a fraction": (lambda: nt.arange("a", 3).pad({"a": 1}, value=0.5), Unsupported, ["no int32", "x.astype(float)"]),
    "pad with a tensor": (lambda: x().pad({"seq": 1}, value=nt.ones("batch:8")), Unsupported, ["the value has the dims 'batch'"]),
    "pad up to a tensor": (lambda: x().pad({"seq": 1}, mode="linear_ramp", value=nt.tensor(1.0, "")), Unsupported, ["no number that is known"]),
    "pad nothing": (lambda: nt.zeros("a:0").pad({"a": 1}, mode="edge"), SizeMismatch, ["'a' is 0", "mode='constant'"]),
    "unroll too long": (lambda: x().unroll("seq", "k", 17), SizeMismatch, ["nt.unroll(dim='seq', new='k', size=17)", X, "'seq' is 16, and a window is 17"]),
    "unroll into a dim that is there": (lambda: x().unroll("seq", "batch", 3), DuplicateDim, ["'batch' already"]),
    "unroll by nothing": (lambda: x().unroll("seq", "k", 0), BadPattern, ["size=0"]),
    "unroll in steps of nothing": (lambda: x().unroll("seq", "k", 2, stride=0), BadPattern, ["stride=0"]),
    "unroll unknown": (lambda: x().unroll("sec", "k", 2), UnknownDim, ["Did you mean 'seq'?"]),
    "pool does not divide": (lambda: x().pool("seq", "k", 3), SizeMismatch,
        ["nt.pool(dim='seq', new='k', size=3)", X, "16, which is no multiple of 3", "x.pad({'seq': (0, 2)})", "x.isel(seq=slice(15))"]),
    "pool into a dim that is there": (lambda: x().pool("seq", "seq", 2), DuplicateDim, ["'seq' already"]),
    # rows and columns
    "diag of one dim": (lambda: x().diag("seq", "k"), RankMismatch, ["nt.diag(over='seq', new='k'", X, "two dims are needed, 'seq' are 1"]),
    "diag of a set": (lambda: x().diag({"seq", "batch"}, "k"), BadPattern, ["does not say which dim is first"]),
    "diag into a dim that is there": (lambda: nt.ones("a:2 b:2 c:2").diag("a b", "c"), DuplicateDim, ["'c' already"]),
    "diag at a fraction": (lambda: x().diag("batch seq", "k", offset=0.5), BadPattern, ["offset=0.5"]),
    "diag_embed into one": (lambda: x().diag_embed("seq", "a"), RankMismatch, ["two dims are needed"]),
    "diag_embed into a dim that is there": (lambda: x().diag_embed("seq", "a batch"), DuplicateDim, ["'batch' already"]),
    "trace of one dim": (lambda: x().trace("seq"), RankMismatch, ["nt.trace", X]),
    "tril of three dims": (lambda: nt.ones("a:2 b:2 c:2").tril("a b c"), RankMismatch, ["'a b c' are 3"]),
    "triu unknown": (lambda: x().triu("batch sec"), UnknownDim, ["Did you mean 'seq'?"]),
}  # fmt: skip

LOOK_UPS = {
    "a mask": (lambda: x()[x() > 0], Unsupported, ["x[mask]", X, "depend on values", "nt.where(mask, x, 0)"]),
    "a mask along a dim": (lambda: x()[{"seq": nt.ones("k:3", dtype=bool)}], Unsupported, ["cannot be indexed by values of bool", "nt.where(mask, x, 0)"]),
    "no name": (lambda: x()[{0: 1}], InvalidName, [X, "0 is not a name"]),
    "a traced end": (traced(lambda n: x()[{"seq": slice(n)}]), Unsupported, ["'seq' cannot be sliced", "a traced value", "start + nt.arange('seq_2', 8)"]),
    "a fraction as an end": (lambda: x().isel(seq=slice(0.5)), Unsupported, ["0.5"]),
    "steps of 0": (lambda: x().isel(seq=slice(0, 4, 0)), Unsupported, ["steps of 0"]),
    "searchsorted unknown": (lambda: x().searchsorted(0.5, "sec"), UnknownDim, ["nt.searchsorted(over='sec'", X]),
    "searchsorted along the values": (lambda: x().searchsorted(nt.ones("seq:16"), "seq"), DuplicateDim, ["the values have the dim 'seq'"]),
    "searchsorted side": (lambda: x().searchsorted(0.5, "seq", side="middle"), BadPattern, ["'left' or 'right'"]),
    "searchsorted sizes": (lambda: x().searchsorted(nt.ones("batch:3"), "seq"), SizeMismatch, ["'batch' is 8 on the left, 3"]),
    "digitize along the values": (lambda: x().digitize(nt.ones("seq:3"), "seq"), DuplicateDim, ["nt.digitize"]),
    "isin unknown": (lambda: x().isin(nt.ones("k:3"), "l"), UnknownDim, ["nt.isin(over='l')"]),
    "isin without a set": (lambda: ids().isin(ids()), BadPattern, ["nt.isin", "x has all of 'seq'", "over='seq'", ".rename(seq='seq_2')"]),
    "isin a list": (lambda: x().isin([1, 2]), MissingName, ["a list has no names"]),
    "segments of fractions": (lambda: x().segment_sum(nt.ones("seq:16"), over="seq", new="k", size=2), Unsupported, ["the numbers are float32"]),
    "segments of another dim": (lambda: x().segment_sum(ids(), over="batch", new="k", size=2), UnknownDim, ["no dim 'batch'"]),
    "segments of nothing": (lambda: x().segment_sum(ids(), over="", new="k", size=2), BadPattern, ["no dim to reduce"]),
    "segments into a dim that stays": (lambda: x().segment_sum(nt.zeros("seq:16", dtype=int), over="seq", new="batch", size=2),
        DuplicateDim, ["'batch' already"]),
    "segments of a traced size": (traced(lambda n: x().segment_max(ids(), over="seq", new="k", size=n)), BadPattern, ["size=a traced value"]),
    "segments of an array": (lambda: nt.segment_sum(RAW, ids(), over="seq", new="k", size=2), MissingName, ["f32[8, 16] has no names"]),
    "bincount unknown": (lambda: ids().bincount("k", 3, over="sec"), UnknownDim, ["nt.bincount", "Did you mean 'seq'?"]),
    "bincount below 0": (lambda: ids().bincount("k", -1), BadPattern, ["length=-1"]),
    "bincount of fractions": (lambda: x().bincount("k", 3), Unsupported, ["the numbers are float32"]),
    "bincount weights": (lambda: ids().bincount("k", 3, weights=nt.ones("seq:4")), SizeMismatch, ["'seq' is 4"]),
}  # fmt: skip

FACTORIES = {
    "sizes without names": (lambda: nt.zeros((2, 3)), BadPattern, ["nt.zeros((2, 3))", "(2, 3) has no names", "{'batch': 8, 'embed': 64}"]),
    "a size below 0": (lambda: nt.ones({"a": -1}), BadPattern, ["the size of 'a' is -1", "{'a': 8}"]),
    "a size that is a fraction": (lambda: nt.full({"a": 2.0}, 1), BadPattern, ["the size of 'a' is 2.0"]),
    "a traced size": (traced(lambda n: nt.empty({"a": n})), BadPattern, ["the size of 'a' is"]),
    "a name that is none": (lambda: nt.zeros({3: 4}), InvalidName, ["3 is not a name"]),
    "a value with dims": (lambda: nt.full("a:2", nt.ones("a:2")), Unsupported, ["nt.full('a:2')", "not a number"]),
    "a value with axes": (lambda: nt.full("a:2", RAW), MissingName, ["f32[8, 16] has no names"]),
    "like a value with dims": (lambda: x().full_like(nt.ones("batch:8")), Unsupported, ["the value has the dims 'batch'"]),
    "like an array": (lambda: nt.zeros_like(RAW), MissingName, ["f32[8, 16] has no names"]),
    "a dtype that is none": (lambda: nt.ones_like(x(), dtype="flot"), Unsupported, ["flot"]),
    "eye of one": (lambda: nt.eye("a:3"), BadPattern, ["nt.eye('a:3')", "a matrix has two dims, 'a' are 1"]),
    "tri at a fraction": (lambda: nt.tri("a:3 b:3", k=0.5), BadPattern, ["k=0.5"]),
    "one_hot of a fraction": (lambda: ids().one_hot("class", 2.5), BadPattern, ["size=2.5"]),
    "arange of two dims": (lambda: nt.arange("a b", 3), InvalidName, ["nt.arange('a b')", "'a b' is not a name"]),
    "arange of a size in the name": (lambda: nt.arange("a:3", 3), InvalidName, ["write 'a' here"]),
    "arange of nothing": (lambda: nt.arange("a", None), BadPattern, ["there is no size", "nt.arange('a', 8)"]),
    "arange in steps of 0": (lambda: nt.arange("a", 0, 3, 0), BadPattern, ["the step is 0"]),
    "arange traced": (traced(lambda n: nt.arange("a", n)), Unsupported, ["the size of a range must be known", "start + nt.arange('pos', 8)"]),
    "arange of a tensor": (lambda: nt.arange("a", x()), Unsupported, [X]),
    "arange of an array": (lambda: nt.arange("a", RAW), Unsupported, ["f32[8, 16]"]),
    "arange without end": (lambda: nt.arange("a", 1e400), Unsupported, ["the size of a range must be known"]),
    "arange of a complex number": (lambda: nt.arange("a", 3j), Unsupported, ["start is 3j"]),
    "arange of a text": (lambda: nt.arange("a", "3"), Unsupported, ["start is '3'"]),
    "linspace in a dim that is there": (lambda: nt.linspace("seq", 0, x(), 3), DuplicateDim, ["nt.linspace(dim='seq', num=3)", "'seq' already"]),
    "linspace of a fraction": (lambda: nt.linspace("a", 0, 1, 2.5), BadPattern, ["num=2.5"]),
    "linspace of arrays": (lambda: nt.linspace("a", RAW, 1, 2), MissingName, ["f32[8, 16] has no names"]),
    "linspace of sizes": (lambda: nt.linspace("a", nt.ones("b:2"), nt.ones("b:3"), 2), SizeMismatch, ["'b' is 2 on the left, 3"]),
    "logspace of a traced base": (traced(lambda b: nt.logspace("a", 0, 1, 3, base=b)), Unsupported, ["base is"]),
    "a window below 0": (lambda: nt.hanning("a", -1), BadPattern, ["nt.hanning('a', -1)", "size=-1"]),
    "a window of two dims": (lambda: nt.kaiser("a b", 3, 1.0), InvalidName, ["'a b' is not a name"]),
    "a window of windows": (lambda: nt.kaiser("a", 3, x()), Unsupported, ["beta is f32[batch:8 seq:16]"]),
}  # fmt: skip
CASES = {**SHAPES, **LOOK_UPS, **FACTORIES}


@pytest.mark.parametrize(("call", "error", "parts"), CASES.values(), ids=CASES)
def test_error(call, error, parts):
    with pytest.raises(error) as caught:
        call()
    assert isinstance(caught.value, nt.NamedShapeError)
    assert not [part for part in parts if part not in str(caught.value)], str(caught.value)


MOVING = {
    "chunk": lambda t: t.chunk("seq", 2), "expand": lambda t: t.expand("new:2"), "squeeze": lambda t: t.squeeze("seq"),
    "unroll": lambda t: t.unroll("seq", "k", 2), "pad": lambda t: t.pad({"seq": 1}), "tril": lambda t: t.tril("batch seq"),
    "diag": lambda t: t.diag("batch seq", "k"), "append": lambda t: t.append("seq", 0.0), "einsum": lambda t: nt.einsum("batch seq -> ", t),
    "ones_like": lambda t: t.ones_like(), "unstack": lambda t: t.unstack("seq"), "tile": lambda t: t.tile("seq", 2),
    "searchsorted": lambda t: t.searchsorted(0.5, "seq"), "bincount": lambda t: t.astype(int).bincount("k", 2),
    "peel": lambda t: t.peel("seq"), "linspace": lambda t: nt.linspace("k", 0, t, 3),
}  # fmt: skip


@pytest.mark.parametrize("call", MOVING.values(), ids=MOVING)
def test_what_is_in_transit_is_refused(call):
    with pytest.raises(nt.NamedShapeError, match="in transit"):
        call(nt.ones("layer:4 batch:8 seq:16").peel("layer"))


@pytest.mark.parametrize(
    ("spec", "names", "sizes"),
    [
        ({"batch": 8, "embed'": 64}, ("batch", "embed'"), (8, 64)),
        ({"a": np.int64(0), "b": jnp.int32(3)}, ("a", "b"), (0, 3)),
        ({}, (), ()),
    ],
)
def test_sizes_by_name(spec, names, sizes):
    assert sized(spec) == (names, sizes)


def test_sizes_are_those_of_a_tensor():
    assert nt.zeros(x().shape).dims == x().dims


def test_dims_may_have_any_name():
    """Also those of our own parameters."""
    t = nt.ones("x:2 dim:6 into:1")
    assert dict(t.isel(x=0).split("dim", "x spec", x=2).shape) == {"x": 2, "spec": 3, "into": 1}
    assert dict(t.rename(x="spec", dim="x").shape) == {"spec": 2, "x": 6, "into": 1}


def test_a_position_outside_is_an_index_error_of_ours():
    with pytest.raises(IndexError, match="seq=16") as caught:
        x().isel(seq=16)
    assert isinstance(caught.value, nt.NamedShapeError)


def test_two_dims_in_transit():
    t = nt.tensor(np.arange(24.0).reshape(2, 3, 4), "a b c")
    moving = t.peel("c a")
    assert moving.dims == ("b",)
    assert moving.array.shape == (4, 2, 3)
    assert nt.equal(moving.name("c a"), t)
    sums = jax.vmap(jax.vmap(lambda row: row.sum()))(moving)
    assert nt.equal(sums.name(["c", "a"]), t.sum("b"))


def test_a_contraction_of_windows_is_a_convolution():
    """Named Tensor Notation's convolution, against NumPy's correlation."""
    rng = np.random.default_rng(0)
    signal, kernel = rng.normal(size=9).astype(np.float32), rng.normal(size=3).astype(np.float32)
    got = nt.tensor(signal, "seq").unroll("seq", "kernel", 3).dot("kernel", nt.tensor(kernel, "kernel"))
    np.testing.assert_allclose(got.array, np.correlate(signal, kernel, "valid"), rtol=1e-5, atol=1e-6)


def test_windows_are_slices_that_fuse():
    jaxpr = jax.make_jaxpr(lambda t: t.unroll("seq", "k", 3))(x())
    assert "gather" not in str(jaxpr)
    assert "gather" in str(jax.make_jaxpr(lambda t: t.unroll("seq", "k", 80))(nt.ones("seq:99")))


def test_an_unstack_is_one_program(compilations):
    t = nt.ones("unstacked:5 once:3")
    assert compilations.since(lambda: t.unstack("unstacked")) == 1


@pytest.mark.parametrize("dtype", [bool, jnp.int8, jnp.complex64, jnp.bfloat16])
def test_shapes_change_for_any_dtype(dtype):
    t = nt.tensor(jnp.arange(6).reshape(2, 3) > 2, "a b").astype(dtype)
    for out in (
        t.tril("a b"), t.diag("a b", "k"), t.diag("a b", "k").diag_embed("k", "a b"), t.unroll("b", "k", 2), t.pad({"b": 1}),
        t.expand("c:2"), *t.chunk("b", 2), t.append("b", t.isel(b=0)), t.delete("a", 0), t.repeat("a", 2), t.tile("b", 2),
        t[{"b": nt.tensor([0, 2], "k")}], t.merge("b a", "c"), nt.concat([t, t], "a"), t.ones_like(), t.full_like(1),
    ):  # fmt: skip
        assert out.dtype == t.dtype


@pytest.mark.parametrize(
    ("dtype", "fill"),
    [(jnp.float32, np.nan), (jnp.int8, -128), (jnp.uint8, 255), (bool, True), (jnp.complex64, np.nan)],
)
def test_a_position_outside_of_any_dtype(dtype, fill):
    out = nt.zeros("a:3", dtype=dtype)[{"a": nt.tensor([0, 3, -4], "k")}]
    np.testing.assert_array_equal(out.array, jnp.asarray([0, fill, fill], dtype))


def test_a_small_index_counts_a_large_dim():
    """JAX adds the size of the dim in the dtype of the index, where it may overflow."""
    t, where = nt.arange("a", 200), nt.tensor(np.array([-1, 5, 127], np.int8), "k")
    np.testing.assert_array_equal(t[{"a": where}].array, [199, 5, 127])
    assert int(t.at[{"a": where}].set(0).sum()) == 199 * 100 - 199 - 5 - 127
    both = nt.stack([t, t], "b")[{"a": where, "b": nt.tensor(np.array([0, 1, -1], np.int8), "k")}]
    np.testing.assert_array_equal(both.array, [199, 5, 127])


def test_the_slope_of_the_largest_of_a_segment():
    where = nt.tensor([0, 0, 1], "a")
    for f, slope in ((nt.segment_max, [0, 1, 1]), (nt.segment_min, [1, 0, 1])):
        loss = lambda t, f=f: f(t, where, over="a", new="k", size=2).sum()  # noqa: E731
        np.testing.assert_array_equal(nt.grad(loss)(nt.tensor([1.0, 2.0, 3.0], "a")).array, slope)


def test_a_weak_number_stays_weak():
    """What is made of a number takes the dtype of what it meets, as in JAX."""
    half = nt.ones("a:2", dtype=jnp.bfloat16)
    assert (half + nt.expand(2.0, "a:2")).dtype == half.append("a", 2.0).dtype == jnp.bfloat16
