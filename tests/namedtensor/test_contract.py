"""What a contraction costs, and what it leaves in a program."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import namedtensor as nt
from namedtensor._errors import (
    BadPattern,
    DimMismatch,
    DuplicateDim,
    InvalidName,
    MissingName,
    UnknownDim,
    Unsupported,
)


def equations(function, *args):
    return jax.make_jaxpr(function)(*args).jaxpr.eqns


def names_of(eqns):
    return [str(e.primitive) for e in eqns]


ORDERS = list(itertools.product(itertools.permutations("abc"), itertools.permutations("adc")))[::7]


@pytest.mark.parametrize(("left", "right"), ORDERS, ids=lambda o: "".join(o))
def test_einsum_of_two_is_one_dot_general(left, right):
    """In any order of storage, with nothing beside it."""
    x, y = nt.ones(dict.fromkeys(left, 2)), nt.ones(dict.fromkeys(right, 2))
    got = equations(lambda x, y: nt.einsum("a b c, a d c -> a b d", x, y), x, y)
    assert names_of(got) == ["dot_general"]
    assert names_of(equations(lambda x, y: x.dot("c", y), x, y)) == ["dot_general"]


def test_three_are_two_dot_generals_and_no_transpose():
    x, y, z = nt.ones("i:8 j:8"), nt.ones("j:8 k:8"), nt.ones("k:8 l:8")
    assert names_of(equations(lambda *t: nt.dot(*t, over="j k"), x, y, z)) == ["dot_general"] * 2
    formula = "i j, j k, k l -> l i"
    assert names_of(equations(lambda *t: nt.einsum(formula, *t), x, y, z)) == ["dot_general"] * 2


def flops(function, *args):
    return jax.jit(function).lower(*args).compile().cost_analysis()["flops"]


def test_no_outer_product_where_another_order_is_cheap():
    """``a_i b_j m_ij`` from left to right would make a matrix of a and b first."""
    n = 64
    a, b, m = nt.ones({"i": n}), nt.ones({"j": n}), nt.ones({"i": n, "j": n})
    got = flops(lambda a, b, m: nt.dot(a, b, m, over="i j"), a, b, m)
    best = flops(lambda a, b, m: a @ (m @ b), a.array, b.array, m.array)
    assert got <= best
    shapes = [e.outvars[0].aval.size for e in equations(lambda a, b, m: nt.dot(a, b, m, over="i j"), a, b, m)]
    assert max(shapes) <= n


@pytest.mark.parametrize("thin", ["i", "l"])
def test_a_chain_starts_at_its_thin_end(thin):
    sizes = {"i": 64, "j": 64, "k": 64, "l": 64} | {thin: 1}
    x, y, z = (nt.ones({d: sizes[d] for d in pair}) for pair in ("ij", "jk", "kl"))
    matrices = [t.array for t in (x, y, z)]
    best = flops((lambda x, y, z: (x @ y) @ z) if thin == "i" else (lambda x, y, z: x @ (y @ z)), *matrices)
    assert flops(lambda x, y, z: nt.dot(x, y, z, over="j k"), x, y, z) <= best
    assert flops(lambda x, y, z: nt.einsum("i j, j k, k l -> i l", x, y, z), x, y, z) <= best


def test_the_order_that_is_best_does_not_change_the_names():
    for sizes in ({"i": 1, "l": 9}, {"i": 9, "l": 1}):
        x, y, z = nt.ones({"i": sizes["i"], "j": 3}), nt.ones("j:3 k:4"), nt.ones({"k": 4, "l": sizes["l"]})
        assert nt.dot(x, y, z, over="j k").dims == ("i", "l")


def test_many_operands():
    """More than the alphabet has letters."""
    tensors = [
        nt.ones({f"d{i}": 1, f"d{i + 1}": 2 - i % 2}).isel(**{f"d{i + 1}": slice(1)}) for i in range(60)
    ]
    out = nt.dot(*tensors, over=[f"d{i}" for i in range(1, 60)])
    assert set(out.dims) == {"d0", "d60"}


def test_small_integers_are_added_up_in_large_ones():
    x = nt.full("a:4", 100, dtype=jnp.int8)
    assert int(nt.dot(x, x, over="a", preferred_element_type=jnp.int32)) == 40_000
    assert int(x.dot("a", x, preferred_element_type="int32")) == 40_000
    assert int(nt.einsum("a, a ->", x, x, preferred_element_type=jnp.int32)) == 40_000
    assert nt.dot(x, x, over="a").dtype == jnp.int8


def test_half_precision_is_added_up_in_single():
    x, y, z = (nt.full({a: 3, b: 3}, 1.0, dtype=jnp.bfloat16) for a, b in ("ij", "jk", "kl"))
    out = nt.dot(x, y, z, over="j k", preferred_element_type=jnp.float32)
    assert out.dtype == jnp.float32
    assert float(out.max()) == 9.0


def test_precision_reaches_the_program():
    x = nt.ones("a:2")
    for precision in ("highest", ["highest", "highest"], jax.lax.Precision.HIGHEST):
        (eqn,) = equations(lambda t, p=precision: nt.einsum("a, a ->", t, t, precision=p), x)
        assert "HIGHEST" in str(eqn.params["precision"])


def test_numbers_multiply():
    x, w = nt.ones("a:2 b:3", dtype=jnp.bfloat16), nt.ones("b:3", dtype=jnp.bfloat16)
    out = nt.dot(x, 2, w, over="b")
    assert out.dtype == jnp.bfloat16
    np.testing.assert_array_equal(out.array, [6, 6])
    assert float(nt.dot(2.0, nt.tensor(3.0, ""), over="")) == 6.0


def test_booleans_are_counted_or_not_as_jax_does():
    x = nt.tensor([True, True], "a")
    assert bool(nt.dot(x, x, over="a"))


def x():
    return nt.ones("batch:2 seq:3")


def w():
    return nt.ones("seq:3 embed:4")


ERRORS = {
    "no arrow": (lambda: nt.einsum("batch seq, seq embed", x(), w()), BadPattern,
        ["nt.einsum(formula='batch seq, seq embed')", "left f32[batch:2 seq:3]", "does not say which names stay", "->"]),
    "two arrows": (lambda: nt.einsum("batch seq -> batch -> seq", x()), BadPattern, ["more than one result"]),
    "two results": (lambda: nt.einsum("batch seq -> batch, seq", x()), BadPattern, ["more than one result"]),
    "no text": (lambda: nt.einsum(x(), w()), BadPattern, ["is no formula"]),
    "too few": (lambda: nt.einsum("batch seq, seq embed -> batch embed", x()), BadPattern, ["2 operands, there are 1"]),
    "too many": (lambda: nt.einsum("batch seq -> batch", x(), w()), BadPattern, ["1 operands, there are 2"]),
    "a name that is not there": (lambda: nt.einsum("batch seg, seq embed -> batch embed", x(), w()), UnknownDim,
        ["no dim 'seg'", "Did you mean 'seq'?"]),
    "a name that is not listed": (lambda: nt.einsum("batch, seq embed -> batch embed", x(), w()), DimMismatch,
        ["operand 0 has 'batch seq', the formula lists 'batch'", "List 'seq' too", "'batch ...'"]),
    "a result from nowhere": (lambda: nt.einsum("batch seq -> batch embe", x()), UnknownDim, ["no dim 'embe'"]),
    "dots on the left alone": (lambda: nt.einsum("batch ... -> batch", x()), BadPattern, ["on the left alone", "both sides"]),
    "dots on the right alone": (lambda: nt.einsum("batch seq -> batch ...", x()), BadPattern, ["on the right alone"]),
    "dots twice": (lambda: nt.einsum("... batch ... -> ...", x()), BadPattern, ["stands twice"]),
    "a name twice": (lambda: nt.einsum("batch batch -> batch", x()), DuplicateDim, ["'batch' stands twice", "x.diag("]),
    "no name": (lambda: nt.einsum("batch 1 -> batch", x()), InvalidName, ["'1' is not a name"]),
    "two sizes": (lambda: nt.einsum("batch seq, seq embed -> batch embed", x(), nt.ones("seq:2 embed:4")), nt.NamedShapeError,
        ["'seq' is 3 on the left, 2 on the right"]),
    "an array": (lambda: nt.einsum("batch seq, seq -> batch", x(), np.ones(3)), MissingName, ["f64[3] has no names"]),
    "@": (lambda: x() @ w(), Unsupported, ["left f32[batch:2 seq:3]", "right f32[seq:3 embed:4]", "x.dot('seq', w)"]),
    "@ of nothing shared": (lambda: x() @ nt.ones("embed:4"), Unsupported, ["x.dot('embed', w)"]),
    "@ an array": (lambda: x() @ np.ones((3, 4)), Unsupported, ["does not say which dim"]),
    "an array @": (lambda: jnp.ones((4, 2)) @ x(), Unsupported, ["does not say which dim", "right f32[batch:2 seq:3]"]),
    "a NumPy array @": (lambda: np.ones((4, 2)) @ x(), Unsupported, ["does not say which dim"]),
    "masked_select": (lambda: x().masked_select(x() > 0), Unsupported,
        ["nt.masked_select", "depend on values", "nt.where(mask, x, 0)"]),
}  # fmt: skip


@pytest.mark.parametrize(("call", "error", "parts"), ERRORS.values(), ids=ERRORS)
def test_error(call, error, parts):
    with pytest.raises(error) as caught:
        call()
    assert not [part for part in parts if part not in str(caught.value)], str(caught.value)
