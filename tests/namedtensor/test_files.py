"""Files: what goes in comes out, by name; what cannot is refused; what is damaged says so."""

import builtins
import collections
import copy
import json
import math
import os
import pickle
import stat
import subprocess
import sys
import zipfile

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import namedtensor as nt
from namedtensor._errors import RankMismatch, Unsupported
from namedtensor.interop import files

SUFFIXES = [".npz", ".safetensors"]


@pytest.fixture(params=SUFFIXES)
def path(request, tmp_path):
    if request.param == ".safetensors":
        pytest.importorskip("safetensors")
    return tmp_path / f"model{request.param}"


def round_trip(path, tree):
    nt.save(path, tree)
    return nt.load(path)


def same(a, b):
    """Equal in structure, types, dtypes, names, storage order and bits."""
    assert type(a) is type(b)
    if isinstance(a, dict):
        assert list(a) == list(b)
        return all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        assert len(a) == len(b)
        return all(map(same, a, b))
    if nt.is_named(a):
        assert a.dims is b.dims
        return same(a.array, b.array)
    if isinstance(a, jax.Array) and jnp.issubdtype(a.dtype, jax.dtypes.prng_key):
        assert a.dtype == b.dtype
        return same(jax.random.key_data(a), jax.random.key_data(b))
    if isinstance(a, jax.Array | np.ndarray | np.generic):
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()
    else:
        assert repr(a) == repr(b)
    return True


def x():
    return nt.random.normal(jax.random.key(0), "batch:3 seq':2 embed:4")


TREES = {
    "a tensor": x,
    "a stored order": lambda: x().order("embed batch seq'"),
    "a scalar": lambda: nt.tensor(2.5, ""),
    "nothing in it": lambda: nt.zeros("a:0 b:3"),
    "a dict": lambda: {"w": x(), "b": nt.ones("embed:4")},
    "nested": lambda: {"enc": [{"w": x()}, {"w": 2 * x()}], "dec": (x(), [], {}, ()), "none": None},
    "integer keys": lambda: {0: x(), 10: x(), "0": x(), -1: 2},
    "order of keys": lambda: {"b": x(), "a": x()},
    "awkward keys": lambda: {"a/b": x(), "a": {"b": 2 * x()}, "file": x(), "": x(), "__metadata__": x(), "namedtensor.json": x(), "namedtensor": x(), "allow_pickle": x(), "a.npy": x(), "../up": x(), "nul\0 und \ud800 ü": x(), "nul_ und _ ü": 2 * x()},
    "numbers": lambda: [1, -(2**70), True, 0.1, -0.0, math.inf, -math.inf, math.nan, 1e-320, 1 - 2j, complex(math.nan, -0.0), "text ü \0", None],
    "arrays": lambda: {"jax": jnp.arange(3), "numpy": np.arange(3.0), "both": (np.ones((2, 0)), jnp.ones(()))},
    "NumPy's numbers": lambda: [np.float32(1.5), np.int64(3), np.bool_(True), np.complex128(1j)],
    "a transposed view": lambda: np.arange(6.0).reshape(2, 3).T,
    "a strided view": lambda: np.arange(6.0)[::2],
    "a scalar array": lambda: np.array(3.0),
    "keys": lambda: {"one": jax.random.key(3), "many": nt.tensor(jax.random.split(jax.random.key(0), 3), "layer"), "other": jax.random.key(1, impl="rbg"), "old": jax.random.PRNGKey(0)},
    "nan": lambda: nt.tensor([math.nan, math.inf, -0.0], "a"),
}  # fmt: skip
DTYPES = "bool int8 uint8 int16 uint16 int32 uint32 int4 uint4 float16 bfloat16 float32 complex64 float8_e4m3fn float8_e5m2 float8_e4m3b11fnuz"


@pytest.mark.parametrize("tree", TREES.values(), ids=TREES)
def test_round_trip(path, tree):
    assert same(round_trip(path, tree()), tree())


@pytest.mark.parametrize("dtype", DTYPES.split())
def test_dtypes(path, dtype):
    value = nt.tensor(np.arange(6).reshape(2, 3) % 2, "a b", dtype=jnp.dtype(dtype))
    scalar = nt.tensor(1, "", dtype=jnp.dtype(dtype))
    assert same(
        round_trip(path, [value, value.order("b a"), scalar, np.asarray(value.array)]),
        [value, value.order("b a"), scalar, np.asarray(value.array)],
    )


@pytest.mark.parametrize("dtype", ["int64", "uint64", "float64", "complex128"])
def test_64_bits_are_kept_though_the_flag_is_off(path, dtype):
    values = np.array([2**62 + 1, 3]).astype(dtype)
    with jax.enable_x64(True):
        value = nt.tensor(values, "a")
    assert value.dtype == dtype
    back = round_trip(path, {"x": value, "numpy": values})
    assert back["x"].dtype == dtype
    np.testing.assert_array_equal(np.asarray(back["x"].array), values)
    assert same(back["numpy"], values)
    assert not jax.config.jax_enable_x64


def test_another_byte_order_keeps_its_values(path):
    back = round_trip(path, np.array([1.5, 2.5], ">f4"))
    np.testing.assert_array_equal(back, [1.5, 2.5])
    assert back.dtype == np.float32


def test_arrays_can_be_written_to(path):
    back = round_trip(path, {"a": np.ones(3), "b": np.ones(3, jnp.bfloat16), "c": np.ones(3, ">f8")})
    for array in back.values():
        array[0] = 2


def test_other_programs_read_the_arrays(path):
    nt.save(
        path,
        {
            "encoder": [{"kernel": nt.ones("embed:2 ff:3")}],
            "rate": 0.1,
            "low": nt.ones("a:2", dtype=jnp.bfloat16),
        },
    )
    if path.suffix == ".npz":
        with np.load(path) as file:
            np.testing.assert_array_equal(file["encoder/0/kernel"], np.ones((2, 3)))
            assert json.loads(file["namedtensor.json"])["version"] == 1
    else:
        from safetensors.numpy import load_file

        loaded = load_file(path)
        assert set(loaded) == {"encoder/0/kernel", "low"}
        assert loaded["low"].dtype == jnp.bfloat16


def test_files_from_elsewhere_are_plain_arrays(path):
    arrays = {"layers.0.kernel": np.arange(6.0).reshape(2, 3), "bias": np.ones(3, np.int64)}
    if path.suffix == ".npz":
        np.savez(path, **arrays)
    else:
        from safetensors.numpy import save_file

        save_file(arrays | {"low": np.ones(2, jnp.bfloat16)}, path, metadata={"format": "pt"})
        arrays["low"] = np.ones(2, jnp.bfloat16)
    back = nt.load(path)
    assert set(back) == set(arrays)
    assert all(same(back[k], arrays[k]) for k in arrays)


def test_compressed_files_from_elsewhere(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", a=np.ones(3))
    assert same(nt.load(tmp_path / "a.npz"), {"a": np.ones(3)})


Point = collections.namedtuple("Point", "a b")

REFUSED = {
    "a set": ({"a": {1, 2}}, "tree['a']: a set cannot be saved, only nested dicts", "jax.tree.unflatten"),
    "a named tuple": ([Point(1, 2)], "tree[0]: a Point cannot be saved", "jax.tree.leaves(tree, is_leaf=nt.is_named)"),
    "an ordered dict": (collections.OrderedDict(), "tree: a OrderedDict cannot be saved", ""),
    "a function": ({"f": print}, "a builtin_function_or_method cannot be saved", ""),
    "a shape": (jax.eval_shape(lambda: nt.ones("a:2")), "a ShapeDtypeStruct cannot be saved", ""),
    "objects": ([np.array([None])], "tree[0]: an array of object cannot be saved, only numbers", ""),
    "texts": (np.array(["a"]), "an array of <U1 cannot be saved", ""),
    "dates": (np.array(["2020-01-01"], "M8[D]"), "an array of datetime64[D] cannot be saved", ""),
    "records": (np.zeros(2, [("a", int)]), "cannot be saved, only numbers", ""),
    "a key of a dict": ({1.5: 2}, "tree: the key 1.5 of a dict cannot be saved", ""),
    "a bool for a key": ({"a": {True: 2}}, "tree['a']: the key True", ""),
}  # fmt: skip


@pytest.mark.parametrize(("tree", *("problem", "advice")), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(path, tree, problem, advice):
    with pytest.raises(Unsupported) as caught:
        nt.save(path, tree)
    assert problem in str(caught.value)
    assert advice in str(caught.value)
    assert list(path.parent.iterdir()) == []


def test_tensors_that_have_no_values(path):
    with pytest.raises(RankMismatch, match="in transit"):
        nt.save(path, nt.ones("a:2 b:3").peel("a"))
    with pytest.raises(Unsupported, match=r"tree\['x'\]: the values are not known while JAX traces"):
        jax.jit(lambda x: nt.save(path, {"x": x}))(nt.ones("a:2"))


def test_the_advice_for_other_trees_works(path):
    optax = pytest.importorskip("optax")
    state = optax.adam(0.1).init({"w": x(), "b": nt.ones("embed:4")})
    structure = jax.tree.structure(state, is_leaf=nt.is_named)
    leaves = round_trip(path, jax.tree.leaves(state, is_leaf=nt.is_named))
    nt.testing.assert_equal(jax.tree.unflatten(structure, leaves), state)


@pytest.mark.parametrize("name", ["model.pt", "model", "model.npy", ".npz"])
def test_the_suffix_says_the_format(tmp_path, name):
    for act in (lambda: nt.save(tmp_path / name, 1), lambda: nt.load(tmp_path / name)):
        with pytest.raises(ValueError, match=r"should end in \.npz or \.safetensors"):
            act()


def test_paths(path):
    assert round_trip(str(path), 3) == 3
    upper = path.with_suffix(path.suffix.upper())
    assert round_trip(upper, 4) == 4
    with pytest.raises(FileNotFoundError, match=r"there is no file .*other"):
        nt.load(path.with_stem("other"))
    with pytest.raises(FileNotFoundError, match=r"there is no directory .*nowhere"):
        nt.save(path.parent / "nowhere" / path.name, 1)


def test_a_link_keeps_pointing(path):
    link = path.with_stem("link")
    link.symlink_to(path)
    nt.save(link, 1)
    nt.save(link, 2)
    assert link.is_symlink()
    assert nt.load(path) == 2


def test_a_new_file_has_the_usual_rights_and_an_old_one_keeps_its_own(path):
    old = os.umask(0o022)
    try:
        nt.save(path, 1)
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    path.chmod(0o600)
    nt.save(path, 2)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_broken_run_leaves_the_old_file(path, monkeypatch):
    nt.save(path, {"x": x()})
    before = path.read_bytes()

    def fail(part, arrays, text):
        part.write_bytes(b"half")
        raise KeyboardInterrupt

    module = files._FORMATS[path.suffix]
    monkeypatch.setattr(module, "write", fail)
    with pytest.raises(KeyboardInterrupt):
        nt.save(path, {"x": 2 * x()})
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def rewritten(path, change):
    """The file with its text changed."""
    nt.save(path, {"x": nt.ones("a:2 b:3")})
    arrays, text = files._FORMATS[path.suffix].read(path)
    files._FORMATS[path.suffix].write(path, *change(arrays, text))


def of_tree(node):
    return lambda arrays, text: (arrays, json.dumps({"version": 1, "tree": node}))


LEAF = {"array": "x", "dtype": "float32", "kind": "named", "dims": "a b"}
DAMAGED = {
    "version": lambda arrays, text: (arrays, json.dumps({"version": 99, "tree": {}})),
    "no JSON": lambda arrays, text: (arrays, "{"),
    "no version": lambda arrays, text: (arrays, "[]"),
    "an array is missing": lambda arrays, text: ({"y": arrays["x"]}, text),
    "other names": of_tree(LEAF | {"dims": "a b c"}),
    "no names": of_tree(LEAF | {"dims": "a-b"}),
    "another dtype": of_tree(LEAF | {"dtype": "int32"}),
    "no dtype": of_tree(LEAF | {"dtype": "x", "shape": [2]}),
    "another shape": of_tree(LEAF | {"shape": [2, 2]}),
    "no kind of random keys": of_tree(LEAF | {"key": "none"}),
    "no node": of_tree({"surprise": []}),
    "no number": of_tree({"float": "__import__('os')"}),
    "very deep": lambda arrays, text: (
        arrays,
        '{"version": 1, "tree": ' + '{"list": [' * 100000 + "]}" * 100000 + "}",
    ),
}


@pytest.mark.parametrize("change", DAMAGED.values(), ids=DAMAGED)
def test_damaged_texts(path, change):
    rewritten(path, change)
    with pytest.raises(ValueError, match=rf"model\{path.suffix} cannot be read as \{path.suffix}: "):
        nt.load(path)


@pytest.mark.parametrize("content", [b"", b"garbage" * 20, None], ids=["empty", "garbage", "cut"])
def test_damaged_files(path, content):
    nt.save(path, {"x": nt.ones("a:20 b:30")})
    path.write_bytes(path.read_bytes()[:-50] if content is None else content)
    with pytest.raises(ValueError, match="cannot be read as"):
        nt.load(path)


def test_a_flipped_bit_in_a_zip_is_noticed(tmp_path):
    path = tmp_path / "a.npz"
    nt.save(path, {"x": nt.ones("a:20 b:30")})
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="CRC"):
        nt.load(path)


class Evil:
    ran = False

    def __reduce__(self):
        return setattr, (Evil, "ran", True)


def test_loading_runs_nothing(tmp_path, monkeypatch):
    path = tmp_path / "evil.npz"
    np.savez(path, a=np.array([Evil()], object))
    with pytest.raises(ValueError, match=r"evil\.npz cannot be read as \.npz: .*allow_pickle"):
        nt.load(path)
    path.write_bytes(pickle.dumps(Evil()))
    with pytest.raises(ValueError, match="no zip file"):
        nt.load(path)
    assert not Evil.ran
    nt.save(path, {"x": x()})
    for name in ("eval", "exec"):
        monkeypatch.setattr(builtins, name, lambda *_: pytest.fail("it ran"))
    nt.load(path)


def test_many_writers(path):
    import threading

    writers = [threading.Thread(target=nt.save, args=(path, {"x": nt.full("a:1000", i)})) for i in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    values = np.asarray(nt.load(path)["x"].array)
    assert (values == values[0]).all()
    assert list(path.parent.iterdir()) == [path]


def test_another_process_reads_it(path):
    nt.save(path, {"x": nt.ones("a:2 b:3")})
    code = f"import namedtensor as nt; x = nt.load({str(path)!r})['x']; assert x.dims is nt.dims('a b')"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_file_is_a_plain_zip(tmp_path):
    nt.save(tmp_path / "a.npz", {"x": x()})
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        assert archive.namelist() == ["namedtensor.json", "x.npy"]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda tree: pickle.loads(pickle.dumps(tree))])
def test_copies_and_pickles_of_trees_intern_their_names(copied):
    tree = {
        "w": x(),
        "dims": nt.dims("batch embed"),
        "key": nt.tensor(jax.random.split(jax.random.key(0)), "k"),
    }
    if copied is not copy.deepcopy:
        del tree["key"]  # JAX does not pickle random keys
    back = copied(tree)
    assert back["w"].dims is tree["w"].dims
    assert back["dims"] is tree["dims"]
    nt.testing.assert_equal(back["w"], tree["w"])
    assert nt.add(back["w"], tree["w"]).dims is tree["w"].dims
