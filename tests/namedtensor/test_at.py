"""Writing at positions: ``x.at[{...}]`` against NumPy, one position at a time."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import namedtensor as nt
from namedtensor._errors import DimMismatch, DuplicateDim, MissingName, SizeMismatch, UnknownDim, Unsupported

METHODS = {
    "set": lambda old, v: v, "add": np.add, "subtract": np.subtract, "multiply": np.multiply, "divide": np.divide,
    "power": np.power, "min": np.minimum, "max": np.maximum,
}  # fmt: skip
SIZES = {"a": 3, "b": 4, "c": 2, "d": 5, "t": 2}
IDS = {  # the tensors of an index: their dims, and positions that reach over both ends of a dim of size 3
    "i": ("d", [0, 2, -1, 0, 7]),
    "j": ("d t", [[0, 1], [1, 2], [-3, 3], [2, 2], [0, -4]]),
    "k": ("b", [1, 0, -1, 2]),
    "l": ("b d", (np.arange(20).reshape(4, 5) % 5 - 2).tolist()),
    "m": ("d", [0, 3, 1, 9, 2]),
    "n": ("", 1),
}
CASES = {  # the index, and the dims of the values
    "integer": ({"a": 1}, "b c"),
    "integer from the end": ({"a": -1}, "c"),
    "integers": ({"a": np.int64(1), "c": 0}, "b"),
    "all integers": ({"a": 1, "b": 2, "c": 0}, ""),
    "slice": ({"b": slice(1, 3)}, "c"),
    "slices, values along them": ({"b": slice(None, None, 2), "a": slice(0, 2)}, "b a"),
    "slice and integer": ({"b": slice(1, 3), "c": 1}, "a"),
    "one new dim": ({"a": "i"}, "d c"),
    "one new dim, no position twice": ({"b": "m"}, "d c"),
    "two new dims": ({"a": "j"}, "t b"),
    "no dim": ({"a": "n"}, "b"),
    "shared dim": ({"a": "k"}, "c b"),
    "shared dim, values without it": ({"a": "k"}, "c"),
    "shared and new": ({"a": "l"}, "d b"),
    "with a slice": ({"a": "i", "c": slice(1, None)}, "d b"),
    "with an integer": ({"a": "i", "c": 1}, "b d"),
    "pairs": ({"a": "i", "b": "m"}, "d"),
    "pairs of other dims": ({"a": "i", "c": "j"}, "t b"),
    "pairs, one of them shared": ({"a": "l", "c": "i"}, "d b"),
    "everywhere": ({}, "a b"),
}


def written(index):
    """Every position that is written, and where its value is, by name."""
    ids = {dim: (IDS[i][0].split(), np.array(IDS[i][1])) for dim, i in index.items() if isinstance(i, str)}
    loops = {d: range(SIZES[d])[index[d]] for d in "abc" if isinstance(index.get(d), slice)}
    loops |= {d: range(SIZES[d]) for d in "abc" if d not in index}
    loops |= {d: range(SIZES[d]) for there, _ in ids.values() for d in there}
    for steps in itertools.product(*[enumerate(loop) for loop in loops.values()]):
        value_at = {d: n for d, (n, _) in zip(loops, steps, strict=True)}
        at = {d: i for d, (_, i) in zip(loops, steps, strict=True)}
        at |= {dim: int(array[tuple(at[d] for d in there)]) for dim, (there, array) in ids.items()}
        at |= {dim: int(i) for dim, i in index.items() if not isinstance(i, str | slice)}
        if all(-SIZES[d] <= at[d] < SIZES[d] for d in "abc"):
            yield tuple(at[d] % SIZES[d] for d in "abc"), value_at


def one_by_one(method, x, index, values, spec):
    out = x.copy()
    for where, value_at in written(index):
        out[where] = METHODS[method](out[where], values[tuple(value_at[d] for d in spec.split())])
    return out


def numbers(index, spec):
    """An array, and one of values, without zeros."""
    rng = np.random.default_rng(len(spec))
    lengths = [
        len(range(SIZES[d])[index[d]]) if isinstance(index.get(d), slice) else SIZES[d] for d in spec.split()
    ]
    shape = [SIZES[d] for d in "abc"]
    return [rng.uniform(0.5, 2, s).astype(np.float32) for s in (shape, lengths)]


def named(index):
    return {d: nt.tensor(IDS[i][1], IDS[i][0]) if isinstance(i, str) else i for d, i in index.items()}


def once(index):
    """Whether no position is written twice: then it is defined which value is set."""
    where = [w for w, _ in written(index)]
    return len(set(where)) == len(where)


WRITES = [
    (method, case)
    for method in METHODS
    for case in CASES
    if method == "add" or (once(CASES[case][0]) if method == "set" else case in ("slice", "shared and new"))
]


@pytest.mark.parametrize(("method", "case"), WRITES)
def test_as_one_by_one(method, case):
    index, spec = CASES[case]
    x, values = numbers(index, spec)
    tensor = nt.tensor(x, "a b c").order("c a b")
    got = getattr(tensor.at[named(index)], method)(nt.tensor(values, spec))
    assert got.dims == tensor.dims
    want = one_by_one(method, x, index, values, spec)
    np.testing.assert_allclose(got.to_array("a b c"), want, rtol=1e-5)  # up to 20 roundings of 6e-8


@pytest.mark.parametrize("spec", CASES.values(), ids=CASES)
def test_get_is_indexing(spec):
    index, _ = spec
    x, _ = numbers(*spec)
    tensor = nt.tensor(x, "a b c")
    np.testing.assert_array_equal(tensor.at[named(index)].get().array, tensor[named(index)].array)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "case", ["integer", "slice and integer", "one new dim, no position twice", "shared dim"]
)
def test_gradients(method, case):
    """Of both, against differences of the loop: linear between kinks, so a small step is exact enough."""
    index, spec = CASES[case]
    x, values = numbers(index, spec)
    weights = np.cos(np.arange(x.size, dtype=np.float32)).reshape(x.shape)

    def loss(x, values):
        out = getattr(nt.tensor(x, "a b c").at[named(index)], method)(nt.tensor(values, spec), unique=True)
        return jnp.sum(out.to_array("a b c") * weights)

    def by_hand(x, values):
        return float(np.sum(one_by_one(method, x, index, values, spec) * weights))

    slopes = jax.grad(loss, (0, 1))(x, values)
    rng, step = np.random.default_rng(0), 1e-5
    along = [rng.normal(size=a.shape) for a in (x, values)]
    ends = [
        by_hand(*[a.astype(np.float64) + s * v for a, v in zip((x, values), along, strict=True)])
        for s in (step, -step)
    ]
    got = sum(float(np.sum(np.asarray(s, np.float64) * v)) for s, v in zip(slopes, along, strict=True))
    np.testing.assert_allclose(got, (ends[0] - ends[1]) / (2 * step), rtol=1e-4, atol=1e-4)


def test_duplicates_add_up_and_so_do_their_gradients():
    ids = nt.tensor([0, 2, 0], "token")
    got = nt.zeros("vocab:3").at[{"vocab": ids}].add(nt.tensor([1.0, 2.0, 4.0], "token"))
    np.testing.assert_array_equal(got.array, [5, 0, 2])
    slope = nt.grad(lambda v: (nt.zeros("vocab:3").at[{"vocab": ids}].add(v) * nt.arange("vocab", 3)).sum())(
        nt.ones("token:3")
    )
    np.testing.assert_array_equal(slope.array, [0, 2, 0])


def test_a_number_is_written_everywhere():
    x = nt.zeros("a:2 b:3")
    np.testing.assert_array_equal(x.at[{"a": 0, "b": slice(1, None)}].set(7).array, [[0, 7, 7], [0, 0, 0]])
    np.testing.assert_array_equal(
        x.at[{"b": nt.tensor([0, 2], "k")}].add(np.float32(1)).array, [[1, 0, 1]] * 2
    )


def test_apply_is_a_named_function_of_what_is_there():
    x = nt.tensor(np.arange(6, dtype=np.float32).reshape(2, 3), "a b")
    got = x.at[{"b": nt.tensor([0, 2, 2], "k")}].apply(lambda t: t * t.max("k"))
    np.testing.assert_array_equal(got.array, [[0, 1, 4], [15, 4, 25]])
    np.testing.assert_array_equal(x.at[{"a": 1}].apply(nt.negative).array, [[0, 1, 2], [-3, -4, -5]])


@pytest.mark.parametrize("dtype", [jnp.int32, jnp.uint8, bool, jnp.complex64, jnp.bfloat16])
def test_any_dtype_stays(dtype):
    x = nt.zeros("a:3", dtype=dtype)
    got = x.at[{"a": 1}].set(True)
    assert got.dtype == dtype
    np.testing.assert_array_equal(got.array, jnp.asarray([0, 1, 0], dtype))


def test_keys_are_written():
    keys, other = nt.random.split(jax.random.key(0), "layer:3"), jax.random.key(5)
    got = keys.at[{"layer": 1}].set(nt.tensor(other, ""))
    assert nt.equal(got[{"layer": 1}], nt.tensor(other, ""))
    assert nt.equal(got[{"layer": 2}], keys[{"layer": 2}])


def test_under_jit_with_a_traced_position():
    x = nt.zeros("a:3 b:2")
    write = jax.jit(lambda x, i: x.at[{"a": i}].set(1.0))
    for i in (0, 2, -1):
        assert nt.equal(write(x, i), x.at[{"a": i}].set(1.0))
    assert nt.equal(write(x, 3), x)  # dropped


def test_nothing_is_there_to_write_to():
    x, ids = nt.zeros("a:0 b:2"), nt.tensor([0, 1], "k")
    assert nt.equal(x.at[{"a": ids}].set(1.0), x)
    assert np.isnan(np.asarray(x[{"a": ids}].array)).all()
    assert nt.equal(nt.ones("a:3").at[{"a": nt.zeros("k:0", dtype=int)}].add(1.0), nt.ones("a:3"))


def test_what_it_leaves_is_what_a_hand_writes():
    """No transposes, and the scatter that JAX makes of the same index."""
    x, v = np.zeros((3, 4, 2), np.float32), np.ones((3, 5, 2), np.float32)
    ids = np.array([0, 2, 1, 1, 0], np.int32)

    def primitives(function, *args):
        return [str(e.primitive) for e in jax.make_jaxpr(function)(*args).jaxpr.eqns]

    got = primitives(
        lambda x, i, v: x.at[{"b": i}].add(v),
        nt.tensor(x, "a b c"),
        nt.tensor(ids, "d"),
        nt.tensor(v, "a d c"),
    )
    assert got == primitives(lambda x, i, v: x.at[:, i].add(v), x, ids, v)
    assert "scatter-add" in got
    got = primitives(lambda x: x.at[{"b": -1, "c": slice(1)}].set(1.0), nt.tensor(x, "a b c"))
    assert got == primitives(lambda x: x.at[:, -1, :1].set(1.0), x)


def test_the_second_write_compiles_nothing(compilations):
    x, ids = nt.zeros("a:3 b:2"), nt.tensor([0, 2], "k")
    x.at[{"a": ids}].add(1.0)
    x.at[{"b": 0}].set(1.0)
    assert compilations.since(lambda: [x.at[{"a": ids}].add(2.0), x.at[{"b": 1}].set(3.0)]) == 0


def x():
    return nt.ones("batch:8 seq:16")


X = "f32[batch:8 seq:16]"
ERRORS = {
    "unknown dim": (lambda: x().at[{"sec": 0}].set(0.0), UnknownDim, [X, "no dim 'sec'", "Did you mean 'seq'?"]),
    "outside": (lambda: x().at[{"seq": 16}].set(0.0), IndexError, ["seq=16", X, "size 16, positions 0 to 15"]),
    "no dims": (lambda: x().at[3], Unsupported, ["x.at[3]", "no positions", "x.at[{'batch': 3}]"]),
    "a mask": (lambda: x().at[x() > 0], Unsupported, ["x.at[mask]", "depend on values", "nt.where(mask, new, x)"]),
    "a mask of a dim": (lambda: x().at[{"seq": nt.ones("seq_2:16", dtype=bool)}].set(0.0), Unsupported,
        ["'seq' cannot be indexed by values of bool", "nt.where(mask"]),
    "floats": (lambda: x().at[{"seq": nt.ones("k:2")}].set(0.0), Unsupported, ["'seq' cannot be indexed", "float32"]),
    "a dim too many": (lambda: x().at[{"seq": 0}].set(nt.ones("batch:8 embed:2")), DimMismatch,
        ["x.at[{'seq': ...}].set", X, "f32[batch:8 embed:2]", "the values have 'embed'", "selected has 'batch'",
         "values.sum('embed')"]),
    "the dim that is gone": (lambda: x().at[{"seq": 0}].add(nt.ones("seq:16")), DimMismatch, ["the values have 'seq'"]),
    "another size": (lambda: x().at[{"seq": 0}].add(nt.ones("batch:4")), SizeMismatch, ["'batch' is 8", X]),
    "another size than the slice": (lambda: x().at[{"seq": slice(4)}].add(nt.ones("seq:16")), SizeMismatch,
        ["x.at[{'seq': ...}].add", "'seq' is 4 on the left, 16 on the right"]),
    "an index of another size": (lambda: x().at[{"seq": nt.tensor([0, 1], "batch")}].set(0.0), SizeMismatch, ["'batch' is 8"]),
    "an index with the dim": (lambda: x().at[{"seq": nt.tensor([0], "seq")}].set(0.0), DuplicateDim,
        ["the dim 'seq' that it indexes", "ids.rename(seq='seq_2')"]),
    "an index with a dim that is indexed": (
        lambda: x()[{"batch": nt.tensor([0], "seq"), "seq": nt.tensor([0], "k")}], DuplicateDim,
        ["the dim 'seq' that it indexes"]),
    "sliced and matched": (lambda: x().at[{"batch": slice(2), "seq": nt.tensor([0, 1], "batch")}].set(0.0), Unsupported,
        ["'batch' is sliced", "nt.arange('batch_2', 8)"]),
    "an array": (lambda: x().at[{"seq": 0}].set(np.ones(8)), MissingName, ["has no names"]),
    "a fraction in integers": (lambda: nt.arange("seq", 3).at[{"seq": 0}].set(0.5), Unsupported,
        ["do not fit into int32", "x.astype('float32')"]),
    "division of integers": (lambda: nt.arange("seq", 3).at[{"seq": 0}].divide(2), Unsupported, ["divide is not defined for int32"]),
    "a sum of booleans": (lambda: nt.ones("seq:3", dtype=bool).at[{"seq": 0}].add(True), Unsupported,
        ["add is not defined for bool"]),
    "in transit": (lambda: nt.ones("l:2 seq:3").peel("l").at[{"seq": 0}].set(0.0), nt.NamedShapeError, ["in transit"]),
}  # fmt: skip


@pytest.mark.parametrize(("call", "error", "parts"), ERRORS.values(), ids=ERRORS)
def test_error(call, error, parts):
    with pytest.raises(error) as caught:
        call()
    assert isinstance(caught.value, nt.NamedShapeError)
    assert not [part for part in parts if part not in str(caught.value)], str(caught.value)
