"""What onnxruntime's quantizer writes beside ONNX's own operators: arithmetic on numbers with a scale."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from namedtensor.interop.onnx.errors import OnnxError
from namedtensor.interop.onnx.operators._rounding import centred, fitting
from namedtensor.interop.onnx.operators.pooling import average_pool
from namedtensor.interop.onnx.operators.quantized import (
    MICROSOFT,
    dequantize,
    quantize,
    quantize_dynamically,
    requantized,
)
from namedtensor.interop.onnx.table import operator
from namedtensor.interop.onnx.values import Value, lined_up


@operator("QLinearAdd", domain=MICROSOFT)
def add(
    a: Value,
    a_scale: Value,
    a_zero: Value,
    b: Value,
    b_scale: Value,
    b_zero: Value,
    y_scale: Value,
    y_zero: Value = None,
) -> Value:
    """The sum of two quantized arrays, quantized again."""
    x, y = lined_up(dequantize(a, a_scale, a_zero), dequantize(b, b_scale, b_zero))
    return quantize(x + y, y_scale, y_zero)


@operator("QLinearMul", domain=MICROSOFT)
def multiply(
    a: Value,
    a_scale: Value,
    a_zero: Value,
    b: Value,
    b_scale: Value,
    b_zero: Value,
    y_scale: Value,
    y_zero: Value = None,
) -> Value:
    """The product of two quantized arrays, number by number, quantized again."""
    x, y = lined_up(dequantize(a, a_scale, a_zero), dequantize(b, b_scale, b_zero))
    return quantize(x * y, y_scale, y_zero)


@operator("QLinearSigmoid", domain=MICROSOFT)
def sigmoid(x: Value, x_scale: Value, x_zero: Value, y_scale: Value, y_zero: Value = None) -> Value:
    """``1 / (1 + exp(-x))``."""
    return quantize(jax.nn.sigmoid(dequantize(x, x_scale, x_zero)), y_scale, y_zero)


@operator("QLinearLeakyRelu", domain=MICROSOFT)
def leaky_relu(
    x: Value, x_scale: Value, x_zero: Value, y_scale: Value, y_zero: Value = None, *, alpha: float = 0.01
) -> Value:
    """``x``, or ``alpha x`` below zero."""
    return quantize(jax.nn.leaky_relu(dequantize(x, x_scale, x_zero), alpha), y_scale, y_zero)


@operator("QLinearSoftmax", domain=MICROSOFT)
def softmax(
    x: Value,
    x_scale: Value,
    x_zero: Value,
    y_scale: Value,
    y_zero: Value = None,
    *,
    axis: int = -1,
    opset: int,
) -> Value:
    """The softmax of an axis; before opset 13, of all axes from it on."""
    real = dequantize(x, x_scale, x_zero)
    if opset >= 13:
        return quantize(jax.nn.softmax(real, axis), y_scale, y_zero)
    return quantize(jax.nn.softmax(real, tuple(range(axis % x.ndim, x.ndim))), y_scale, y_zero)


@operator("QLinearGlobalAveragePool", domain=MICROSOFT)
def global_average_pool(
    x: Value, x_scale: Value, x_zero: Value, y_scale: Value, y_zero: Value, *, channels_last: int = 0
) -> Value:
    """The mean of each channel."""
    axes = tuple(range(1, x.ndim - 1) if channels_last else range(2, x.ndim))
    mean = dequantize(x, x_scale, x_zero).mean(axes, keepdims=True)
    return quantize(mean, y_scale, y_zero)


@operator("QLinearAveragePool", domain=MICROSOFT)
def quantized_average_pool(
    x: Value,
    x_scale: Value,
    x_zero: Value,
    y_scale: Value,
    y_zero: Value = None,
    *,
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    channels_last: int = 0,
    count_include_pad: int = 0,
    kernel_shape: Sequence[int],
    pads: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
) -> Value:
    """The mean of each window."""
    real = dequantize(x, x_scale, x_zero)
    y = average_pool(
        jnp.moveaxis(real, -1, 1) if channels_last else real,
        auto_pad=auto_pad,
        ceil_mode=ceil_mode,
        count_include_pad=count_include_pad,
        kernel_shape=kernel_shape,
        pads=pads,
        strides=strides,
    )
    return quantize(jnp.moveaxis(y, 1, -1) if channels_last else y, y_scale, y_zero)


@operator("QLinearConcat", domain=MICROSOFT)
def concatenate(y_scale: Value, y_zero: Value, *operands: Value, axis: int) -> Value:
    """Quantized arrays behind each other, each given with its scale and its zero point."""
    if len(operands) % 3:
        raise OnnxError(
            f"each array comes with its scale and its zero point: {len(operands)} are no multiple of 3."
        )
    parts = [dequantize(*operands[i : i + 3]) for i in range(0, len(operands), 3)]
    return quantize(jnp.concatenate(parts, axis), y_scale, y_zero)


@operator("QGemm", domain=MICROSOFT)
def gemm(
    a: Value,
    a_scale: Value,
    a_zero: Value,
    b: Value,
    b_scale: Value,
    b_zero: Value,
    c: Value = None,
    y_scale: Value = None,
    y_zero: Value = None,
    *,
    alpha: float = 1.0,
    transA: int = 0,
    transB: int = 0,
) -> Value:
    """The product of two quantized matrices and a bias in 32 bits; real numbers if no scale is given."""
    left, right = centred(a, a_zero), centred(b, _columns(b_zero, transB))
    total = (left.T if transA else left) @ (right.T if transB else right)
    total = total if c is None else total + lined_up(jnp.asarray(c), total)[0]
    b_scale = fitting(jnp.asarray(b_scale), 2, axis=1) * np.asarray(alpha, b_scale.dtype)
    if y_scale is None:
        return total.astype(b_scale.dtype) * (fitting(jnp.asarray(a_scale), 2) * b_scale)
    return requantized(total, a_scale, b_scale, y_scale, y_zero)


def _columns(zero: Value, transposed: int) -> Value:
    return None if zero is None else fitting(zero, 2, axis=0 if transposed else 1)


@operator("MatMulIntegerToFloat", domain=MICROSOFT)
def matmul_to_real(
    a: Value,
    b: Value,
    a_scale: Value,
    b_scale: Value,
    a_zero: Value = None,
    b_zero: Value = None,
    bias: Value = None,
) -> Value:
    """The product of two quantized matrices as real numbers."""
    right = centred(b, None if b_zero is None else fitting(b_zero, b.ndim, axis=b.ndim - 1))
    total = jnp.matmul(*lined_up(centred(a, a_zero), right))
    scale = fitting(jnp.asarray(a_scale), total.ndim) * fitting(
        jnp.asarray(b_scale), total.ndim, axis=total.ndim - 1
    )
    y = total.astype(scale.dtype) * scale
    return y if bias is None else y + lined_up(jnp.asarray(bias), y)[0]


@operator("DynamicQuantizeMatMul", domain=MICROSOFT)
def matmul_quantized_dynamically(
    a: Value, b: Value, b_scale: Value, b_zero: Value = None, bias: Value = None
) -> Value:
    """As `matmul_to_real`, of real numbers that are quantized by their own range first."""
    whole, scale, zero = quantize_dynamically(a)
    return matmul_to_real(whole, b, scale, b_scale, zero, b_zero, bias)
