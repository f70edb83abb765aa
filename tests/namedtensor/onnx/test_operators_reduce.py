"""Reductions, running sums, softmax and products of matrices, as onnxruntime computes them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import namedtensor as nt
from namedtensor.interop.onnx import OnnxError
from tests.namedtensor.onnx.rows import (
    Held,
    compared,
    floats,
    groups,
    held,
    ints,
    loaded,
    row,
    scalar,
    slopes,
    together,
)

KINDS = ("Sum", "Prod", "Mean", "Max", "Min", "L1", "L2", "SumSquare", "LogSum", "LogSumExp")
X = floats(2, 3, 4)
POSITIVE = abs(X) + 0.1


def reduced(kind, *operands, **attributes):
    first = POSITIVE if kind == "LogSum" else X
    return row(f"Reduce{kind}", first, *operands, **attributes)


BYTES = [ints(-100, 100, 3, 4, dtype=np.int8), ints(0, 200, 3, 4, dtype=np.uint8)]
ROWS = [
    *(reduced(kind, held(-1, 0), keepdims=0) for kind in KINDS),
    *(reduced(kind, axes=[1], opset=9) for kind in KINDS),
    *(reduced(kind, noop_with_empty_axes=1) for kind in ("Sum", "Max")), reduced("Sum"), reduced("Max", keepdims=0),
    *(row(f"Reduce{kind}", ints(-9, 9, 3, 4, dtype=np.int32), held(1)) for kind in ("Sum", "Mean", "Prod", "Max", "L1", "SumSquare")),
    row("ReduceMax", BYTES[0], held(1)), row("ReduceMin", BYTES[1], held(0)), row("ReduceProd", ints(1, 9, 3), keepdims=0),
    row("ReduceSum", np.zeros((2, 0), np.float32), held(1)), row("ReduceLogSumExp", 300 + X, held(0)),
    row("CumSum", X, scalar(-2)), row("CumSum", X, scalar(1), exclusive=1, reverse=1), row("CumSum", X, scalar(2), exclusive=1),
    row("CumSum", ints(0, 9, 5), scalar(0), reverse=1),
    row("Softmax", X), row("Softmax", 200 * X, axis=1), row("Softmax", X, opset=11), row("Softmax", X, axis=2, opset=9),
    row("LogSoftmax", X, axis=0), row("LogSoftmax", 200 * X, axis=-1), row("LogSoftmax", X, axis=0, opset=11),
    row("MeanVarianceNormalization", floats(2, 3, 4, 2)), row("MeanVarianceNormalization", X, axes=[1, -1]),
    row("MatMul", floats(2, 3, 4), floats(4, 5)), row("MatMul", floats(4), floats(2, 4, 3)), row("MatMul", floats(3, 1, 2, 4), floats(2, 4, 3)),
    row("MatMul", floats(4), floats(4)), row("MatMul", ints(-9, 9, 2, 3, dtype=np.int32), ints(-9, 9, 3, 2, dtype=np.int32)),
    row("Gemm", floats(3, 2), floats(4, 3), floats(4), transA=1, transB=1, alpha=0.5, beta=-2.0),
    row("Gemm", floats(2, 3), floats(3, 4), floats(2, 1)), row("Gemm", floats(2, 3), floats(3, 4)),
    row("Gemm", floats(2, 3), floats(3, 4), np.asarray(2.5, np.float32), beta=3.0), row("Gemm", floats(2, 3), floats(3, 4), floats(4), opset=7),
    row("Einsum", floats(2, 3, 4), floats(2, 4, 5), equation="b i j, bjk -> bik"), row("Einsum", floats(3, 3), equation="ii"),
    row("Einsum", floats(2, 3, 4), floats(5, 4), equation="...i,ji->...j"), row("Einsum", floats(3, 4), equation="ba"),
    row("Einsum", floats(2, 3, 3), equation="...ii->...i"), row("Einsum", floats(3), floats(4), floats(3), equation="i,j,i->j"),
    row("Det", floats(2, 3, 3)), row("Det", floats(4, 4)),
    row("MatMulInteger", BYTES[1], ints(-100, 100, 4, 2, dtype=np.int8), scalar(7, np.uint8), held(3, -5, dtype=np.int8)),
    row("MatMulInteger", BYTES[1], ints(0, 200, 4, 2, dtype=np.uint8), None, scalar(9, np.uint8)),
    row("MatMulInteger", ints(0, 200, 2, 3, 4, dtype=np.uint8), ints(0, 200, 4, 2, dtype=np.uint8)),
]  # fmt: skip


@pytest.mark.parametrize("rows", groups(ROWS))
def test_agrees_with_onnxruntime(rows):
    compared(rows)


LEAST = np.iinfo(np.int32)
# What onnxruntime refuses or has no kernel for, by what the operators' text says
OTHERS = [
    (row("ReduceMax", np.zeros((2, 0), np.float32), held(1), keepdims=0), np.full(2, -np.inf, np.float32)),
    (row("ReduceMin", np.zeros((2, 0), np.int32), held(1), keepdims=0), np.full(2, LEAST.max, np.int32)),
    (row("ReduceMax", np.zeros((0, 2), bool), held(0), keepdims=0), np.zeros(2, bool)),
    (row("ReduceMin", np.array([[True, False], [True, True]]), held(1), keepdims=0), np.array([False, True])),
    (row("ReduceLogSumExp", np.zeros((2, 0), np.float32), held(1)), np.full((2, 1), -np.inf, np.float32)),
    (row("ReduceL1", X, noop_with_empty_axes=1), abs(X)),
    (row("ReduceLogSum", POSITIVE, noop_with_empty_axes=1), np.log(POSITIVE)),
    (row("ReduceL2", np.full((2, 8), 300, np.float16), held(1), keepdims=0), np.full(2, 848.5, np.float16)),
    (row("CumProd", X, scalar(-1), opset=26), np.cumprod(X, -1)),
    (row("CumProd", X[0, 0], scalar(0), exclusive=1, reverse=1, opset=26),
     np.array([X[0, 0, i + 1 :].prod() for i in range(4)], np.float32)),
    (row("Gemm", floats(2, 3), floats(3, 4), floats(4), broadcast=1, opset=6), floats(2, 3) @ floats(3, 4) + floats(4)),
    (row("MatMulInteger", BYTES[1], ints(0, 200, 4, 2, dtype=np.uint8), held(1, 2, 3, dtype=np.uint8)),
     (BYTES[1].astype(np.int32) - np.array([[1], [2], [3]])) @ ints(0, 200, 4, 2, dtype=np.int32)),
]  # fmt: skip


@pytest.mark.parametrize(("row", "expected"), OTHERS, ids=str)
def test_by_their_text(row, expected):
    compared([row], [expected.astype(np.int32) if row.op == "MatMulInteger" else expected])


SMOOTH = [
    *(reduced(kind, held(-1, 0), keepdims=0) for kind in KINDS),
    row("CumSum", X, scalar(1), exclusive=1, reverse=1),
    row("Softmax", X, axis=1), row("LogSoftmax", X, axis=0), row("MeanVarianceNormalization", X, axes=[1, -1]),
    row("MatMul", floats(3, 1, 2, 4), floats(2, 4, 3)), row("Gemm", floats(3, 2), floats(4, 3), floats(4), transA=1, transB=1, alpha=0.5),
    row("Einsum", floats(2, 3, 4), floats(5, 4), equation="...i,ji->...j"), row("Det", floats(2, 3, 3)),
]  # fmt: skip


def test_derivatives():
    slopes(SMOOTH)
    slopes([row("CumProd", X, scalar(1), exclusive=1, opset=26)])


def test_where_the_root_has_no_derivative_it_is_0():
    norm, deviation = (loaded(row("ReduceL2", X)), loaded(row("MeanVarianceNormalization", X, axes=[1, 2])))
    at_zero = [jax.grad(lambda x, f=f: f(x).sum())(jnp.zeros(X.shape)) for f in (norm, deviation)]
    np.testing.assert_array_equal(at_zero[0], np.zeros(X.shape))
    assert np.isfinite(at_zero[1]).all()  # rounding, divided by 1e-9


def test_half_precision_stays_half():
    for op in ("ReduceMean", "ReduceL2", "ReduceLogSumExp", "Softmax"):
        x = floats(2, 3, dtype=np.float16)
        assert loaded(row(op, x))(x).dtype == np.float16


WRONG = [
    (row("ReduceSum", X, held(3)), r"the axes \[3\] are not different axes of 3 dimensions"),
    (row("ReduceSum", X, held(0, -3)), r"the axes \[0, -3\] are not different axes"),
    (row("Softmax", X, axis=4, opset=9), "the axis 4 is none of 3 dimensions"),
    (row("MatMul", floats(2, 3), floats(2, 3)), r"node 'node0' \(MatMul\) of f32\[2, 3\], f32\[2, 3\]"),
    (row("Det", floats(2, 3)), "Det"),
    (row("Einsum", floats(2, 3), equation="ijk->k"), "Einsum"),
]


@pytest.mark.parametrize(("row", "message"), WRONG, ids=str)
def test_errors(row, message):
    m = together(row)
    with pytest.raises(OnnxError, match=message):
        nt.interop.onnx.load(m.proto)(**m.given)


def test_weights_that_are_products_stay_in_the_program():
    """A product of weights is computed from the parameters that are given, not folded when the file is read."""
    given = row("MatMul", floats(2, 3), Held(floats(3, 4)))
    model = loaded(given)
    doubled = {name: 2 * x for name, x in model.params.items()}
    np.testing.assert_allclose(model(doubled, floats(2, 3)), 2 * model(floats(2, 3)), rtol=1e-6)
