"""Products of matrices, and of more general arrays."""

from typing import Any

import numpy as np

from namedtensor.interop.onnx.table import operator
from namedtensor.interop.onnx.values import Value, cast, lined_up, numpy_or_jax


@operator("MatMul")
def matmul(a: Value, b: Value) -> Value:
    """The product of the last two axes, for each place of those before them."""
    return numpy_or_jax(a, b).matmul(a, b)


@operator("Gemm")
def gemm(
    a: Value, b: Value, c: Value = None,
    *, alpha: float = 1.0, beta: float = 1.0, transA: int = 0, transB: int = 0, broadcast: int = 0,
) -> Value:  # fmt: skip
    """``alpha a b + beta c``, of matrices that may be transposed."""
    product = _times(numpy_or_jax(a, b).matmul(a.T if transA else a, b.T if transB else b), alpha)
    return product if c is None else _plus(product, _times(c, beta))


def _times(x: Value, factor: float) -> Value:
    if factor == 1:
        return x
    return cast(x * np.float64(factor), x.dtype) if x.dtype.kind in "iu" else x * np.asarray(factor, x.dtype)


def _plus(a: Value, b: Value) -> Value:
    a, b = lined_up(a, b)
    return a + b


@operator("Einsum")
def einsum(*xs: Value, equation: str) -> Value:
    """Einstein's sum: letters that the result lacks are summed over."""
    return numpy_or_jax(*xs).einsum(equation.replace(" ", ""), *xs)


@operator("Det")
def determinant(x: Value) -> Value:
    """The determinants of square matrices."""
    return numpy_or_jax(x).linalg.det(x)


@operator("MatMulInteger")
def matmul_integer(a: Value, b: Value, a_zero_point: Value = None, b_zero_point: Value = None) -> Value:
    """The product in int32 of integers less their zero points: one, or one for each row or column."""
    a, b = _less(a, a_zero_point, -1), _less(b, b_zero_point, -2)
    return matmul(a, b)


def _less(x: Value, zero: Value, axis: int) -> Any:
    x = cast(x, np.int32)
    if zero is None:
        return x
    zero = cast(zero, np.int32)
    if np.ndim(zero) == 1 and np.size(zero) > 1:
        zero = numpy_or_jax(zero).expand_dims(zero, axis) if np.ndim(x) > 1 else zero
    x, zero = lined_up(x, zero)
    return x - zero
