"""Linear algebra by name: what a row of the table of operations cannot say, and the text of errors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

import namedtensor as nt
from namedtensor._errors import (
    BadPattern,
    DuplicateDim,
    InvalidName,
    MissingName,
    RankMismatch,
    SizeMismatch,
    UnknownDim,
    Unsupported,
)
from tests.namedtensor.operations.row import DOMAINS

EPS = float(np.finfo(np.float32).eps)
ROUNDED = {"rtol": 0, "atol": 16 * 12 * EPS}  # the square of the condition number 4, for up to 12 entries
RNG = np.random.default_rng(0)
MATRIX = DOMAINS["matrix"](RNG, (2, 3, 3))
SPD = DOMAINS["spd"](RNG, (2, 3, 3))
TALL = DOMAINS["matrix"](RNG, (2, 4, 3))


def shuffled(array, names):
    """A tensor that is stored in the reverse of the order of its names."""
    return nt.tensor(array.T, names.split()[::-1])


def x():
    return nt.ones("row:3 col:4 batch:2")


def square():
    return nt.ones("row:3 col:3 batch:2")


def test_the_density_of_the_multivariate_normal():
    """Named Tensor Notation (Chiang, Rush, Barak 2021, arXiv:2102.13196)."""
    mean, at = RNG.normal(size=(2, 5, 3)).astype(np.float32)
    s, z = shuffled(SPD[0], "d1 d2"), shuffled(at - mean, "batch d")
    squares = nt.linalg.inv(s, "d1 d2").dot("d1 d2", z.rename(d="d1") * z.rename(d="d2"))
    density = nt.exp(-squares / 2) / nt.sqrt((2 * np.pi) ** 3 * nt.linalg.det(s, "d1 d2"))
    want = [scipy.stats.multivariate_normal.pdf(a, m, SPD[0]) for a, m in zip(at, mean, strict=True)]
    # the exponent is off by some roundings of its own size, which the exponential makes relative
    roundings = 16 * 9 * EPS * (1 + float(squares.max()))
    np.testing.assert_allclose(density.to_array("batch"), want, rtol=roundings)


def test_the_rows_of_an_inverse_are_the_columns():
    a = shuffled(MATRIX, "b i j")
    inverse = nt.linalg.inv(a, "i j")
    np.testing.assert_allclose(inverse.to_array("b j i"), np.linalg.inv(MATRIX), **ROUNDED)
    product = a.dot("j", inverse.rename(i="i'"))
    np.testing.assert_allclose(product.to_array("b i i'"), np.broadcast_to(np.eye(3), (2, 3, 3)), **ROUNDED)
    product = inverse.dot("i", a.rename(j="j'"))
    np.testing.assert_allclose(product.to_array("b j j'"), np.broadcast_to(np.eye(3), (2, 3, 3)), **ROUNDED)


def test_the_inverse_of_the_transposed_is_the_transposed_inverse():
    a = shuffled(MATRIX, "b i j")
    inverse, other = nt.linalg.inv(a, "i j"), nt.linalg.inv(a, "j i")
    np.testing.assert_allclose(inverse.to_array("b i j"), other.to_array("b i j"), **ROUNDED)
    again = nt.linalg.inv(inverse, "j i")
    np.testing.assert_allclose(again.to_array("b i j"), MATRIX, **ROUNDED)
    power = nt.linalg.matrix_power(a, "i j", -1)
    np.testing.assert_allclose(power.to_array("b i j"), inverse.to_array("b i j"), **ROUNDED)


def test_the_pseudo_inverse_has_the_names_of_the_inverse():
    a = shuffled(TALL, "b i j")
    found = nt.linalg.pinv(a, "i j")
    assert dict(found.shape) == {"b": 2, "j": 3, "i": 4}
    product = found.dot("i", a.rename(j="j'"))
    np.testing.assert_allclose(product.to_array("b j j'"), np.broadcast_to(np.eye(3), (2, 3, 3)), **ROUNDED)


def test_solving_with_a_cholesky_factor():
    a, b = shuffled(SPD, "b i j"), shuffled(RNG.normal(size=(2, 3)).astype(np.float32), "b i")
    factor = nt.linalg.cholesky(a, "i j")
    half = nt.linalg.solve_triangular(factor, b, over="i j", lower=True)
    found = nt.linalg.solve_triangular(factor, half, over="j i", lower=False)
    want = nt.linalg.solve(a.rename(i="j", j="i"), b.rename(i="j"), over="j i")
    np.testing.assert_allclose(found.to_array("b i"), want.to_array("b i"), **ROUNDED)


def test_the_triangle_of_qr_and_of_cholesky():
    _, r = nt.linalg.qr(shuffled(TALL, "b i j"), "i j", new="k")
    below = np.tril(r.to_array("b k j"), -1)
    np.testing.assert_array_equal(below, np.zeros_like(below))
    for upper in (False, True):
        factor = nt.linalg.cholesky(shuffled(SPD, "b i j"), "i j", upper=upper).to_array("b i j")
        zeros = (np.tril if upper else np.triu)(factor, -1 if upper else 1)
        np.testing.assert_array_equal(zeros, np.zeros_like(zeros))


def test_eigenvectors_of_a_hermitian_matrix():
    real, imaginary = RNG.normal(size=(2, 3, 3))
    h = ((real + real.T) + 1j * (imaginary - imaginary.T)).astype(np.complex64)
    w, v = nt.linalg.eigh(shuffled(h, "i j"), "i j", new="k")
    assert w.dtype == jnp.float32
    assert (np.diff(w.array) > 0).all()
    vectors = v.to_array("i k")
    back = (vectors * w.array[None]) @ vectors.conj().T
    np.testing.assert_allclose(back, h, rtol=0, atol=16 * 9 * EPS * abs(h).max())


def test_a_new_dim_may_take_the_name_of_one_that_goes():
    w, v = nt.linalg.eigh(shuffled(SPD, "b i j"), "i j", new="j")
    assert (set(w.dims), set(v.dims)) == ({"b", "j"}, {"b", "i", "j"})
    assert set(nt.linalg.svdvals(x(), "row col", new="row").dims) == {"batch", "row"}


def test_full_matrices_by_lift():
    full = nt.lift(jnp.linalg.svd, "i j -> i k, s, l j")
    u, s, vh = full(shuffled(TALL, "b i j"))
    assert (dict(u.shape), dict(s.shape), dict(vh.shape)) == (
        {"b": 2, "i": 4, "k": 4}, {"b": 2, "s": 3}, {"b": 2, "l": 3, "j": 3},
    )  # fmt: skip


def test_no_transposes_of_what_is_stored_in_order():
    a, array = nt.tensor(MATRIX, "b i j"), jnp.asarray(MATRIX)
    got = jax.make_jaxpr(lambda a: nt.linalg.inv(a, "i j").array)(a)
    assert str(got) == str(jax.make_jaxpr(jnp.linalg.inv)(array))


def test_an_eager_call_is_one_program(compilations):
    a, b = shuffled(DOMAINS["matrix"](RNG, (5, 3, 3)), "b i j"), nt.ones("i:3 c:2")
    for program in (
        lambda: nt.linalg.eigh(a, "i j", new="k"),
        lambda: nt.linalg.solve(a, b, over="i j"),
        lambda: nt.linalg.matrix_rank(a, "i j", rtol=0.5),
    ):
        assert compilations.since(program) == 1
        assert compilations.since(program) == 0


@pytest.mark.parametrize("batch", [0, 2])
def test_matrices_of_nothing(batch):
    a, b = nt.zeros(f"batch:{batch} row:0 col:0"), nt.zeros(f"batch:{batch} row:0 k:2")
    assert dict(nt.linalg.inv(a, "row col").shape) == {"batch": batch, "col": 0, "row": 0}
    assert dict(nt.linalg.solve(a, b, over="row col").shape) == {"batch": batch, "col": 0, "k": 2}
    np.testing.assert_array_equal(nt.linalg.det(a, "row col").array, np.ones(batch))
    np.testing.assert_array_equal(nt.linalg.trace(a, "row col").array, np.zeros(batch))
    assert nt.linalg.matrix_rank(a, "row col", rtol=0.5).shape["batch"] == batch


def test_integers_become_floats():
    a = nt.tensor([[2, 1], [0, 4]], "i j")
    np.testing.assert_array_equal(nt.linalg.inv(a, "i j").to_array("j i"), [[0.5, -0.125], [0, 0.25]])
    assert nt.linalg.matrix_rank(a, "i j", rtol=0.1).item() == 2
    assert nt.linalg.trace(a, "i j").dtype == jnp.int32


def test_half_precision_where_nothing_is_factorised():
    half = square().astype(jnp.bfloat16)
    assert (
        nt.linalg.trace(half, "row col").dtype == nt.linalg.matrix_norm(half, "row col").dtype == jnp.bfloat16
    )
    mixed = nt.linalg.solve(nt.tensor(jnp.eye(3, dtype=jnp.bfloat16), "i j"), nt.ones("i:3"), over="i j")
    np.testing.assert_array_equal(mixed.array, np.ones(3, np.float32))


def test_under_vmap_and_jit():
    a, b = shuffled(MATRIX, "b i j"), shuffled(RNG.normal(size=(2, 3)).astype(np.float32), "b i")

    def solve(a, b):
        return nt.linalg.solve(a, b, over="i j")

    want = solve(a, b).to_array("b j")
    for other in (jax.jit(solve)(a, b), nt.vmap(solve, over="b")(a, b)):
        np.testing.assert_allclose(other.to_array("b j"), want, **ROUNDED)


X, SQUARE = "f32[row:3 col:4 batch:2]", "f32[row:3 col:3 batch:2]"
ERRORS = {
    "one dim": (lambda: nt.linalg.inv(x(), "row"), RankMismatch,
        ["RankMismatch in nt.linalg.inv(over='row')", X, "two dims", "'row' are 1", "'row col'"]),
    "three dims": (lambda: nt.linalg.det(x(), "row col batch"), RankMismatch,
        ["nt.linalg.det(over='row col batch')", X, "'row col batch' are 3"]),
    "no dims": (lambda: nt.linalg.svd(x(), None, new="k"), InvalidName, ["nt.linalg.svd(new='k')", X, "None"]),
    "a set": (lambda: nt.linalg.inv(x(), {"row", "col"}), BadPattern, [X, "which dim is first", "'row col'"]),
    "a dim twice": (lambda: nt.linalg.inv(x(), "row row"), DuplicateDim, [X, "'row' stands twice"]),
    "unknown": (lambda: nt.linalg.eigh(x(), "row cal", new="k"), UnknownDim,
        ["nt.linalg.eigh(over='row cal', new='k', symmetrize_input=True)", X, "no dim 'cal'", "'col'"]),
    **{
        f"{name} of what is not square": (call, SizeMismatch,
            [f"SizeMismatch in nt.linalg.{name}(over='row col'", X, "'row' is 3, 'col' is 4", "not square", "pinv"])
        for name, call in {
            "inv": lambda: nt.linalg.inv(x(), "row col"),
            "det": lambda: nt.linalg.det(x(), "row col"),
            "slogdet": lambda: nt.linalg.slogdet(x(), "row col"),
            "trace": lambda: nt.linalg.trace(x(), "row col"),
            "cholesky": lambda: nt.linalg.cholesky(x(), "row col"),
            "eig": lambda: nt.linalg.eig(x(), "row col", new="k"),
            "eigvals": lambda: nt.linalg.eigvals(x(), "row col", new="k"),
            "eigh": lambda: nt.linalg.eigh(x(), "row col", new="k"),
            "eigvalsh": lambda: nt.linalg.eigvalsh(x(), "row col", new="k"),
            "expm": lambda: nt.linalg.expm(x(), "row col"),
            "matrix_power": lambda: nt.linalg.matrix_power(x(), "row col", 2),
            "cond": lambda: nt.linalg.cond(x(), "row col", p="fro"),
        }.items()
    },
    "solve of what is not square": (lambda: nt.linalg.solve(x(), nt.ones("row:3"), over="row col"), SizeMismatch,
        ["nt.linalg.solve(over='row col')", f"left {X}", "right f32[row:3]", "not square", "lstsq"]),
    "a new dim that is there": (lambda: nt.linalg.svd(x(), "row col", new="batch"), DuplicateDim,
        ["nt.linalg.svd(over='row col', new='batch')", X, "'batch' already", "x.rename(batch='batch_2')"]),
    "a new dim that stays": (lambda: nt.linalg.qr(x(), "row col", new="row"), DuplicateDim, [X, "'row' already"]),
    "a new dim that is no name": (lambda: nt.linalg.qr(x(), "row col", new="k:3"), InvalidName, [X, "'k:3' is not a name"]),
    "a new dim that is no word": (lambda: nt.linalg.qr(x(), "row col", new=["k"]), InvalidName, [X, "['k'] is not a name"]),
    "an array": (lambda: nt.linalg.inv(np.eye(3), "row col"), MissingName, ["nt.linalg.inv", "f64[3, 3] has no names"]),
    "a number": (lambda: nt.linalg.inv(2.0, "row col"), UnknownDim, ["no dim 'row'", "it is a scalar"]),
    "in transit": (lambda: nt.linalg.inv(square().peel("batch"), "row col"), RankMismatch,
        ["nt.linalg.inv", "(2, 3, 3)", "in transit"]),
    "b lacks the rows": (lambda: nt.linalg.solve(square(), nt.ones("rows:3"), over="row col"), UnknownDim,
        [f"left {SQUARE}", "right f32[rows:3]", "no dim 'row'", "Did you mean 'rows'?"]),
    "b has the columns": (lambda: nt.linalg.solve(square(), nt.ones("row:3 col:3"), over="row col"), DuplicateDim,
        [SQUARE, "'col' is a dim of the solution", "b.rename(col='col_2')"]),
    "b has other rows": (lambda: nt.linalg.lstsq(square(), nt.ones("row:2"), over="row col"), SizeMismatch,
        ["nt.linalg.lstsq(over='row col')", "'row' is 3 on the left, 2 on the right"]),
    "b has another batch": (lambda: nt.linalg.solve(square(), nt.ones("row:3 batch:1"), over="row col"), SizeMismatch,
        ["'batch' is 2 on the left, 1 on the right"]),
    "b without names": (lambda: nt.linalg.solve(square(), np.ones(3), over="row col"), MissingName, ["right f64[3]"]),
    "half a power": (lambda: nt.linalg.matrix_power(square(), "row col", 0.5), BadPattern,
        ["nt.linalg.matrix_power(over='row col', n=0.5)", SQUARE, "n=0.5 is no whole number"]),
    "a traced power": (lambda: jax.jit(lambda n: nt.linalg.matrix_power(square(), "row col", n).array)(2), BadPattern,
        ["n=a traced value is no whole number"]),
    "an unknown norm": (lambda: nt.linalg.matrix_norm(x(), "row col", ord="max"), BadPattern,
        ["nt.linalg.matrix_norm(over='row col', ord='max')", X, "'max' is no norm of a matrix", "'fro', 'nuc', inf"]),
    "a list of norms": (lambda: nt.linalg.matrix_norm(x(), "row col", ord=[1, 2]), BadPattern,
        [X, "ord=[1, 2] is neither a number nor a word"]),
    "a norm of a vector": (lambda: nt.linalg.vector_norm(x(), "row", ord="fro"), BadPattern,
        ["nt.linalg.vector_norm(over='row', ord='fro')", X, "'fro' is no norm of a vector"]),
    "a traced norm": (lambda: jax.jit(lambda p: nt.linalg.vector_norm(x(), ord=p).array)(2.0), BadPattern, ["no norm of a vector"]),
    "an unknown condition": (lambda: nt.linalg.cond(square(), "row col", p=3), BadPattern, [SQUARE, "3 is no norm of a matrix"]),
    "a norm of three dims": (lambda: nt.linalg.norm(x(), ord=1), RankMismatch,
        ["nt.linalg.norm(over=None, ord=1)", X, "'row col batch' are 3 dims"]),
    "a norm of an unknown dim": (lambda: nt.linalg.norm(x(), "time"), UnknownDim, [X, "no dim 'time'"]),
    "a list of conditions": (lambda: nt.linalg.cond(x(), "row col", p=[1]), BadPattern, ["nt.linalg.cond(", X, "p=[1] is neither"]),
    "a tolerance for each": (lambda: nt.linalg.pinv(x(), "row col", rtol=np.ones(2)), BadPattern, [X, "rtol=array([1., 1.]) is no number"]),
    "no flag": (lambda: nt.linalg.solve_triangular(square(), nt.ones("row:3"), over="row col", lower=None), BadPattern,
        ["nt.linalg.solve_triangular", SQUARE, "lower=None is neither True nor False"]),
    "half precision": (lambda: nt.linalg.inv(square().astype(jnp.bfloat16), "row col"), Unsupported,
        ["bf16[row:3 col:3 batch:2]", "the values are bfloat16", "32 bits", "x.astype('float32')"]),
    "half precision of both": (
        lambda: nt.linalg.solve(square().astype("float16"), nt.ones("row:3", dtype="float16"), over="row col"), Unsupported,
        ["the values are float16"]),
    "half precision of singular values": (lambda: nt.linalg.norm(x().astype("float16"), "row col", ord=2), Unsupported,
        ["f16[row:3 col:4 batch:2]", "the values are float16"]),
    "cross of four": (lambda: nt.linalg.cross(x(), nt.ones("col:4"), over="col"), SizeMismatch,
        ["nt.linalg.cross(over='col')", f"left {X}", "right f32[col:4]", "'col' is 4", "vectors of 3"]),
    "cross without the dim": (lambda: nt.linalg.cross(x(), nt.ones("col:4"), over="row"), UnknownDim,
        ["nt.linalg.cross(over='row')", "no dim 'row'", "'col'"]),
    "cross along two": (lambda: nt.linalg.cross(x(), x(), over="row col"), RankMismatch, ["one dim", "'row col' are 2"]),
}  # fmt: skip


@pytest.mark.parametrize(("call", "error", "parts"), ERRORS.values(), ids=ERRORS)
def test_error(call, error, parts):
    with pytest.raises(error) as caught:
        call()
    assert not [part for part in parts if part not in str(caught.value)], str(caught.value)
