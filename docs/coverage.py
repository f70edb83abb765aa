"""What becomes of every public function of JAX's array API here: the tables, and `docs/coverage.md`.

A function of the same name is found by itself. The tables say the rest: how it is spelled by name, the
`nt.lift` line that reaches it, or why it is left out. A test walks JAX and fails for a function that no
table knows, runs every line, and compares the page.

Run: python docs/coverage.py        (writes docs/coverage.md)
"""

from pathlib import Path

import jax
import jax.numpy as jnp

import namedtensor as nt

PAGE = Path(__file__).with_name("coverage.md")
MODULES = {
    "jax.numpy": jnp,
    "jax.nn": jax.nn,
    "jax.numpy.linalg": jnp.linalg,
    "jax.numpy.fft": jnp.fft,
    "jax.random": jax.random,
}
PLACES = {  # where a function of the same name is looked for
    "jax.numpy": [("nt", nt)],
    "jax.nn": [("nt.nn", nt.nn), ("nt", nt)],
    "jax.numpy.linalg": [("nt.linalg", nt.linalg)],
    "jax.numpy.fft": [("nt.fft", nt.fft)],
    "jax.random": [("nt.random", nt.random)],
}

# Spelled otherwise: names make several functions one, or positions need a name.
SPELLED = {
    "jax.numpy": {
        "apply_along_axis": 'nt.vmap(lambda t: t - t.mean(), over="batch")(x)',
        "apply_over_axes": 'x.sum("batch seq")',
        "array": 'nt.tensor([1.0, 2.0], "seq")',
        "array_equal": "nt.equal(x, y)",
        "array_repr": "repr(x)",
        "array_str": "str(x)",
        "array_split": 'x.chunk("seq", 4)',
        "asarray": 'nt.tensor([1.0, 2.0], "seq")',
        "atleast_1d": 'x.expand("new:1")',
        "atleast_2d": 'x.expand("new:1")',
        "atleast_3d": 'x.expand("new:1")',
        "block": 'nt.concat([nt.concat([x, y], "seq"), nt.concat([y, x], "seq")], "batch")',
        "broadcast_arrays": "nt.broadcast(x, v)",
        "broadcast_to": 'x.expand("head:4")',
        "column_stack": 'nt.stack([v, v], "new")',
        "concatenate": 'nt.concat([x, y], "seq")',
        "compress": "x.isel(seq=slice(0, 6, 2))",
        "copy": "jax.tree.map(jnp.copy, x)",
        "diagonal": 'm.diag("i j", "k")',
        "cross": 'nt.linalg.cross(w, w + 1, over="j")',
        "dot": 'nt.dot(x, v, over="seq")',
        "dsplit": 'x.chunk("seq", 3)',
        "dstack": 'nt.stack([x, y], "new")',
        "equal": "x == y",
        "expand_dims": 'x.expand("new:1")',
        "fliplr": 'x.flip("seq")',
        "flipud": 'x.flip("batch")',
        "frombuffer": 'nt.tensor(jnp.frombuffer(b"abcd", "uint8"), "byte")',
        "fromfunction": 'nt.arange("row", 3) + 10 * nt.arange("col", 4)',
        "hsplit": 'x.chunk("seq", 3)',
        "hstack": 'nt.concat([x, y], "seq")',
        "identity": 'nt.eye("row:3 col:3")',
        "indices": 'nt.arange("row", 3), nt.arange("col", 4)',
        "inner": 'nt.dot(x, v, over="seq")',
        "ix_": 'x[{"batch": nt.tensor([0, 1], "b"), "seq": nt.tensor([2, 4], "s")}]',
        "matmul": 'nt.dot(m, n, over="j")',
        "matrix_transpose": "m.rename(i='j', j='i')",
        "matvec": 'nt.dot(m, w, over="j")',
        "meshgrid": 'nt.broadcast(nt.arange("row", 3), nt.arange("col", 4))',
        "mgrid": 'nt.broadcast(nt.arange("row", 3), nt.arange("col", 4))',
        "moveaxis": 'x.order("seq ...")',
        "ndim": "x.ndim",
        "ogrid": 'nt.arange("row", 3), nt.arange("col", 4)',
        "outer": 'nt.arange("row", 3) * nt.arange("col", 4)',
        "permute_dims": 'x.order("seq batch")',
        "place": "nt.where(x > 0, 0.0, x)",
        "put": 'x.at[{"seq": nt.tensor([0, 2], "where")}].set(0.0)',
        "put_along_axis": 'x.at[{"seq": x.argmax("seq")}].set(0.0)',
        "ravel": 'x.merge("batch seq", "all")',
        "reshape": 'x.split("seq", "word letter", letter=2)',
        "rollaxis": 'x.order("seq ...")',
        "rot90": 'm.flip("j").rename(i="j", j="i")',
        "save": 'nt.save("x.npz", x)',
        "load": 'nt.load("x.npz")',
        "savez": 'nt.save("x.npz", {"x": x, "y": y})',
        "shape": 'x.shape["seq"]',
        "size": "x.size",
        "swapaxes": 'x.order("seq batch")',
        "take": 'x[{"seq": nt.tensor([0, 2], "where")}]',
        "take_along_axis": 'x[{"seq": x.argsort("seq").rename(seq="rank")}]',
        "tensordot": 'nt.dot(m, n, over="j")',
        "transpose": 'x.order("seq batch")',
        "vdot": 'nt.dot(x, y, over="batch seq")',
        "vecdot": 'nt.dot(x, v, over="seq")',
        "vecmat": 'nt.dot(w.rename(j="i"), m, over="i")',
        "vectorize": 'nt.lift(lambda t: t / t.sum(), "seq")(x)',
        "vsplit": 'x.chunk("batch", 2)',
        "vstack": 'nt.concat([x, y], "batch")',
    },
    "jax.nn": {
        "identity": "x",
        "dot_product_attention": 'nt.nn.attention(q, k, k, over="seq", features="key")',
    },
    "jax.numpy.linalg": {
        "cross": 'nt.linalg.cross(w, w + 1, over="j")',
        "diagonal": 'm.diag("i j", "k")',
        "matmul": 'nt.dot(m, n, over="j")',
        "matrix_transpose": "m.rename(i='j', j='i')",
        "multi_dot": 'nt.dot(x, v, x, over="seq")',
        "outer": 'nt.arange("row", 3) * nt.arange("col", 4)',
        "tensordot": 'nt.dot(m, n, over="j")',
        "vecdot": 'nt.dot(x, v, over="seq")',
    },
    "jax.numpy.fft": {
        "fft2": 'nt.fft.fft(x, "batch seq")',
        "fftn": 'nt.fft.fft(x, "batch seq")',
        "ifft2": 'nt.fft.ifft(x, "batch seq")',
        "ifftn": 'nt.fft.ifft(x, "batch seq")',
        "irfft2": 'nt.fft.irfft(x, "batch seq")',
        "irfftn": 'nt.fft.irfft(x, "batch seq")',
        "rfft2": 'nt.fft.rfft(x, "batch seq")',
        "rfftn": 'nt.fft.rfft(x, "batch seq")',
    },
    "jax.random": {},
}

# Reached by `nt.lift`: any positional JAX function over the dims that are listed.
LIFTED = {
    "jax.numpy": {
        "convolve": 'nt.lift(jnp.convolve, "seq, k -> seq", mode="same")(x, kernel)',
        "correlate": 'nt.lift(jnp.correlate, "seq, k -> seq", mode="same")(x, kernel)',
        "corrcoef": 'nt.lift(jnp.corrcoef, "batch seq -> batch other")(x)',
        "cov": 'nt.lift(jnp.cov, "batch seq -> batch other")(x)',
        "diagflat": 'nt.lift(jnp.diagflat, "seq -> seq other")(x)',
        "ediff1d": 'nt.lift(jnp.ediff1d, "seq -> seq")(x)',
        "fill_diagonal": 'nt.lift(lambda a: jnp.fill_diagonal(a, 0.0, inplace=False), "i j")(m)',
        "histogram": 'nt.lift(lambda t: jnp.histogram(t, bins=4)[0], "seq -> bin")(x)',
        "histogram_bin_edges": 'nt.lift(lambda t: jnp.histogram_bin_edges(t, bins=4), "seq -> edge")(x)',
        "interp": 'nt.lift(jnp.interp, "seq, at, at -> seq")(x, grid, grid**2)',
        "kron": 'nt.lift(jnp.kron, "seq, k -> seq")(x, kernel)',
        "lexsort": 'nt.lift(lambda a, b: jnp.lexsort((a, b)), "seq, seq -> seq")(x, v)',
        "packbits": 'nt.lift(jnp.packbits, "seq -> byte")(x > 0)',
        "piecewise": 'nt.lift(lambda t: jnp.piecewise(t, [t < 0], [lambda s: -s, lambda s: s]), "seq")(x)',
        "polyadd": 'nt.lift(jnp.polyadd, "seq, k -> seq")(x, kernel)',
        "polyder": 'nt.lift(jnp.polyder, "seq -> seq")(x)',
        "polyfit": 'nt.lift(lambda a, b: jnp.polyfit(a, b, 2), "seq, seq -> power")(x, v)',
        "polyint": 'nt.lift(jnp.polyint, "seq -> seq")(x)',
        "polymul": 'nt.lift(jnp.polymul, "seq, k -> seq")(x, kernel)',
        "polysub": 'nt.lift(jnp.polysub, "seq, k -> seq")(x, kernel)',
        "polyval": 'nt.lift(jnp.polyval, "k, seq -> seq")(kernel, x)',
        "sort_complex": 'nt.lift(jnp.sort_complex, "seq -> seq")(x)',
        "unpackbits": 'nt.lift(jnp.unpackbits, "seq -> bit")(x.astype("uint8"))',
        "vander": 'nt.lift(jnp.vander, "seq -> seq power", N=3)(x)',
    },
    "jax.nn": {
        "scaled_matmul": 'nt.lift(jax.nn.scaled_matmul, "b i k, b j k, b i s, b j s -> b i j")',
        "scaled_dot_general": "nt.wrap_fn(lambda a, b: jax.nn.scaled_dot_general(a, b, (((1,), (1,)), ((), ()))), "
        '"i k, j k -> i j")',
    },
    "jax.numpy.linalg": {
        "tensorinv": 'nt.lift(lambda a: jnp.linalg.tensorinv(a, ind=1), "i j -> j i")(m)',
        "tensorsolve": 'nt.lift(jnp.linalg.tensorsolve, "i j, i -> j")(m, w.rename(j="i"))',
    },
    "jax.numpy.fft": {},
    "jax.random": {},
}

DTYPES = """bfloat16 bool bool_ cdouble character complex128 complex64 complex_ complexfloating csingle double
dtype e euler_gamma flexible float16 float32 float4_e2m1fn float64 float6_e2m3fn float6_e3m2fn float8_e3m4
float8_e4m3 float8_e4m3b11fnuz float8_e4m3fn float8_e4m3fnuz float8_e5m2 float8_e5m2fnuz float8_e8m0fnu float_
floating generic index_exp inexact inf int1 int16 int2 int32 int4 int64 int8 int_ integer nan ndarray newaxis
number object_ pi s_ signedinteger single ufunc uint uint1 uint16 uint2 uint32 uint4 uint64 uint8
unsignedinteger""".split()
QUERIES = """can_cast finfo get_printoptions iinfo iscomplexobj isdtype isrealobj isscalar issubdtype iterable
printoptions promote_types result_type set_printoptions""".split()
VALUES = """argwhere compress extract flatnonzero histogram2d histogramdd intersect1d nonzero poly polydiv
roots setdiff1d setxor1d trim_zeros union1d unique unique_all unique_counts unique_inverse
unique_values""".split()
POSITIONS = """array_equiv broadcast_shapes c_ diag_indices diag_indices_from einsum_path mask_indices r_
ravel_multi_index resize tril_indices tril_indices_from triu_indices triu_indices_from unravel_index""".split()
FILES = "fromfile fromiter fromstring".split()

# Left out, each group with its reason.
EXCLUDED = {
    "jax.numpy": {
        "types and constants: names do not concern them, use jax.numpy's": [*DTYPES, "ComplexWarning"],
        "questions about dtypes, and printing: use jax.numpy's": QUERIES,
        "the shape of the result depends on values, which JAX cannot compile: use `nt.where` with a mask, "
        "or a `size=` inside `nt.lift`": [v for v in VALUES if v != "compress"],
        "about positions of axes or flat indices, which named tensors do not have": POSITIONS,
        "reading and parsing belong to NumPy, then `nt.tensor`": FILES,
        "makes a ufunc object of a Python function; a named function needs none": ["frompyfunc"],
        "integer choices among arrays by position; write `nt.select` or `nt.where`": ["choose"],
    },
    "jax.nn": {
        "weight initialisers take positional shapes: `nt.tensor(init(key, shape), names)`": ["initializers"],
        "a configuration object for low-precision dots": ["get_scaled_dot_general_config"],
    },
    "jax.numpy.linalg": {},
    "jax.numpy.fft": {},
    "jax.random": {
        "keys are arrays without names: use jax.random's": [
            "Key", "PRNGKey", "clone", "key_data", "key_dtype", "key_impl", "wrap_key_data", "random_gamma_p",
        ],
    },
}  # fmt: skip


def examples() -> dict:
    """The operands that the lines of the tables speak of."""
    key = jax.random.key(0)
    x = nt.random.normal(key, "batch:2 seq:6")
    m = nt.random.normal(key, "i:3 j:3") + 3 * nt.eye("i:3 j:3")
    return {
        "nt": nt,
        "jax": jax,
        "jnp": jnp,
        "x": x,
        "y": x + 1,
        "v": x.isel(batch=0),
        "m": m,
        "n": m.rename(i="k"),
        "w": m.isel(i=0),
        "kernel": nt.tensor([0.25, 0.5, 0.25], "k"),
        "grid": nt.linspace("at", -1.0, 1.0, 5),
        "q": nt.random.normal(key, "pos:4 key:8"),
        "k": nt.random.normal(key, "seq:6 key:8"),
    }


def public_names(module: str) -> list[str]:
    """The public functions of this release of JAX."""
    return [name for name in dir(MODULES[module]) if not name.startswith("_")]


def same_name(module: str, name: str) -> str | None:
    """Where the function of this name is, ``nt.exp``."""
    where = [place for place, there in PLACES[module] if callable(getattr(there, name, None))]
    return f"{where[0]}.{name}" if where else None


def status(module: str, name: str) -> str | None:
    """What becomes of one function of JAX; None when no table knows it."""
    for table in (SPELLED, LIFTED):
        if table[module].get(name):
            return table[module][name]
    if any(name in names for names in EXCLUDED[module].values()):
        return "excluded"
    if module == "jax.numpy" and name in ("linalg", "fft"):
        return "module"
    return same_name(module, name)


HEAD = """# Coverage of JAX's array functions

What becomes of each public function of `jax.numpy`, `jax.nn`, `jax.numpy.linalg`, `jax.numpy.fft` and `jax.random`:
under its own name, spelled by names, reached by `nt.lift`, or left out for a reason. A test walks JAX, runs every
line, and fails for a function that is not here. The page is written by `python docs/coverage.py` with JAX {version}.

In the lines `x` and `y` are `[batch seq]`, `v` is `[seq]`, `m` is `[i j]`, `n` is `[k j]`, `w` is `[j]`.
"""


def table(lines: dict[str, str | None]) -> list[str]:
    """Two columns: JAX's name, and the line here."""
    rows = [f"| `{name}` | `{line}` |" for name, line in sorted(lines.items()) if line]
    return ["", "| JAX | here |", "|---|---|", *rows, ""] if rows else []


def section(module: str) -> list[str]:
    """What becomes of one module's functions."""
    same = {name: same_name(module, name) for name in public_names(module)}
    told = {*SPELLED[module], *LIFTED[module], *(n for names in EXCLUDED[module].values() for n in names)}
    same = {name: place for name, place in same.items() if place and name not in told}
    by_place: dict[str, list[str]] = {}
    for name, place in same.items():
        by_place.setdefault(place.rpartition(".")[0], []).append(name)
    lines = [f"## {module}", ""]
    for place, names in by_place.items():
        lines += [
            f"**{len(names)} of the same name**, in `{place}`: {', '.join(f'`{n}`' for n in names)}.",
            "",
        ]
    for title, lookup in (("Spelled by names", SPELLED), ("Reached by `nt.lift`", LIFTED)):
        if lookup[module]:
            lines += [f"**{title}**", *table(lookup[module])]
    for reason, names in EXCLUDED[module].items():
        lines += [f"**Left out**: {reason}: {', '.join(f'`{n}`' for n in sorted(names))}.", ""]
    return lines


def page() -> str:
    """The whole page."""
    parts = [line for module in MODULES for line in section(module)]
    return "\n".join([HEAD.format(version=jax.__version__), *parts]).rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
