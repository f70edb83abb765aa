"""Quantized numbers, and what onnxruntime's own tools write, as onnxruntime computes them."""

import dataclasses

import numpy as np
import pytest

from namedtensor.interop.onnx import OnnxError
from tests.namedtensor.onnx.agrees import agrees, computed
from tests.namedtensor.onnx.rows import Held, Row, compared, floats, groups, held, ints, row, scalar, slopes

X = floats(3, 4, 5)
BYTES, SIGNED = ints(0, 256, 3, 4, 5, dtype=np.uint8), ints(-128, 128, 3, 4, 5, dtype=np.int8)
MICROSOFT = {"domain": "com.microsoft"}
TIES = np.array([0.5, 1.5, 2.5, -0.5, -1.5, 300, -300, 0.49], np.float32)


def real(*numbers):
    return held(*numbers, dtype=np.float32)


def one(number, dtype=np.float32):
    return scalar(number, dtype)


QUANTIZED = [
    row("QuantizeLinear", X, one(0.1), one(3, np.uint8)), row("QuantizeLinear", TIES, one(1), one(0, np.int8)), row("QuantizeLinear", X, one(0.05)),
    row("QuantizeLinear", 100 * X, real(0.1, 0.02, 0.3, 0.04), held(1, 2, 3, -4, dtype=np.int16), axis=-2),
    row("QuantizeLinear", X, one(0.01), output_dtype=4),
    row("QuantizeLinear", X, Held(abs(floats(3, 2, 5))), Held(ints(-9, 9, 3, 2, 5, dtype=np.int8)), axis=1, block_size=2),
    row("DequantizeLinear", BYTES, one(0.1), one(200, np.uint8)), row("DequantizeLinear", ints(-(10**6), 10**6, 4, dtype=np.int32), one(0.3)),
    row("DequantizeLinear", SIGNED, real(0.1, 0.2, 0.3), held(1, -2, 3, dtype=np.int8), axis=0),
    row("DequantizeLinear", SIGNED, Held(floats(3, 4, 2)), Held(ints(-9, 9, 3, 4, 2, dtype=np.int8)), axis=-1, block_size=3),
    row("DequantizeLinear", ints(0, 2**16, 4, dtype=np.uint16), one(0.3), one(2**15, np.uint16)),
]  # fmt: skip
FACTORS = (BYTES, one(0.02), one(120, np.uint8), ints(-128, 128, 5, 6, dtype=np.int8))
# scales whose ratios are no fractions: where a number lies half-way, sums in another order round it differently
PAIR = (
    BYTES,
    one(0.0213),
    one(120, np.uint8),
    ints(0, 256, 4, 5, dtype=np.uint8),
    one(0.0717),
    one(9, np.uint8),
)
IMAGE = ints(0, 256, 2, 3, 5, 4, dtype=np.uint8)
PRODUCTS = [
    row("DynamicQuantizeLinear", X, outputs=3), row("DynamicQuantizeLinear", abs(X), outputs=3),
    row("QLinearMatMul", *FACTORS, one(0.1), one(3, np.int8), one(0.9), one(110, np.uint8)),
    row("QLinearMatMul", *FACTORS, real(*np.linspace(0.1, 0.6, 6)), held(*[0] * 6, dtype=np.int8), one(0.9), one(110, np.uint8)),
    row("QLinearAdd", *PAIR, one(0.1031), one(100, np.uint8), **MICROSOFT), row("QLinearMul", *PAIR, one(0.3), one(7, np.uint8), **MICROSOFT),
    row("QLinearSigmoid", *PAIR[:3], one(0.004), one(1, np.uint8), **MICROSOFT), row("QLinearLeakyRelu", *PAIR[:3], one(0.02), one(9, np.uint8), alpha=0.3, **MICROSOFT),
    *(Row("QLinearSoftmax", (*PAIR[:3], one(1 / 256), one(0, np.uint8)), {"axis": 1, "opset": v, **MICROSOFT}, 1, v) for v in (11, 13)),
    row("QLinearGlobalAveragePool", IMAGE, one(0.0213), one(9, np.uint8), one(0.0109), one(7, np.uint8), **MICROSOFT),
    row("QLinearAveragePool", IMAGE, one(0.0213), one(9, np.uint8), one(0.0109), one(7, np.uint8), kernel_shape=[2, 3], pads=[1, 0, 0, 1], **MICROSOFT),
    row("QLinearConcat", one(0.05), one(30, np.uint8), *PAIR[:3], BYTES, one(0.07), one(2, np.uint8), axis=-1, **MICROSOFT),
    row("QGemm", BYTES[0], one(0.02), one(120, np.uint8), ints(-128, 128, 6, 5, dtype=np.int8), real(*np.linspace(0.1, 0.6, 6)), held(*[0] * 6, dtype=np.int8),
        ints(-500, 500, 6, dtype=np.int32), one(1.1), one(110, np.uint8), transB=1, **MICROSOFT),
    row("QGemm", BYTES[0], one(0.02), one(120, np.uint8), ints(-128, 128, 5, 6, dtype=np.int8), one(0.2), one(3, np.int8), **MICROSOFT),
    row("MatMulIntegerToFloat", BYTES, ints(-128, 128, 5, 6, dtype=np.int8), one(0.02), real(*np.linspace(0.1, 0.6, 6)), one(3, np.uint8), one(1, np.int8), floats(6), **MICROSOFT),
    row("DynamicQuantizeMatMul", X, Held(ints(-128, 128, 5, 6, dtype=np.int8)), one(0.02), one(0, np.int8), floats(6), **MICROSOFT),
]  # fmt: skip


@pytest.mark.parametrize("rows", groups(QUANTIZED))
def test_known_and_computed_numbers_agree_with_onnxruntime(rows):
    compared(rows)


IDS = ints(0, 7, 2, 5, dtype=np.int32)
TEXT = floats(2, 5, 8)
SELF = (TEXT, floats(8, 24) / 5, floats(24))
FUSED = [
    row("FastGelu", TEXT, floats(8), **MICROSOFT), row("BiasGelu", TEXT, floats(8), **MICROSOFT), row("QuickGelu", TEXT, alpha=1.3, **MICROSOFT),
    row("FusedMatMul", floats(2, 5, 3), floats(2, 5, 4), transA=1, alpha=0.5, **MICROSOFT), row("FusedMatMul", floats(2, 5, 3), floats(4, 3), transB=1, **MICROSOFT),
    row("FusedMatMul", floats(5, 2, 3), floats(2, 3, 4), transBatchA=1, **MICROSOFT),
    row("SkipLayerNormalization", TEXT, floats(5, 8), floats(8), floats(8), floats(8, 1)[:, 0], epsilon=0.1, outputs=4, **MICROSOFT),
    row("SkipSimplifiedLayerNormalization", TEXT, floats(2, 5, 8), floats(8), floats(8, 1)[:, 0], **MICROSOFT),
    row("EmbedLayerNormalization", IDS, IDS % 2, floats(7, 8), floats(6, 8), floats(2, 8), floats(8), floats(8), (IDS > 2).astype(np.int32), outputs=3, **MICROSOFT),
    row("Attention", *SELF, num_heads=2, **MICROSOFT), row("Attention", *SELF, np.array([3, 5], np.int32), num_heads=2, **MICROSOFT),
    row("Attention", *SELF, (IDS > 2).astype(np.int32), num_heads=4, unidirectional=1, scale=0.7, **MICROSOFT),
    row("Attention", *SELF, None, floats(2, 2, 2, 3, 4), None, num_heads=2, outputs=2, unidirectional=1, **MICROSOFT),
    row("MultiHeadAttention", floats(2, 3, 8), TEXT, floats(2, 5, 6), floats(22), (IDS > 2).astype(np.int32), num_heads=2, **MICROSOFT),
    row("MultiHeadAttention", floats(2, 3, 8), TEXT, TEXT[::-1].copy(), None, None, floats(1, 2, 3, 5), num_heads=2, **MICROSOFT),
    row("FusedConv", floats(2, 3, 6, 5), floats(4, 3, 2, 3), floats(4), activation="LeakyRelu", activation_params=[0.2], strides=[2, 1], **MICROSOFT),
    row("FusedConv", floats(2, 3, 6, 5), floats(4, 3, 2, 3), floats(4), activation="Clip", activation_params=[-2.0, 3.0], **MICROSOFT),
]  # fmt: skip


@pytest.mark.parametrize("rows", groups([*PRODUCTS, *FUSED]))
def test_agrees_with_onnxruntime(rows):
    agrees(rows)


SMOOTH = [FUSED[3], dataclasses.replace(FUSED[6], outputs=1), FUSED[11], FUSED[13], FUSED[15]]


@pytest.mark.parametrize("rows", groups(SMOOTH))
def test_derivatives(rows):
    slopes(rows)


def test_an_exact_tie_is_rounded_to_the_even_number_under_jit_too():
    """XLA would multiply by the reciprocal of the scale: 127.5 instead of 127.49999."""
    x, scale = np.full(6, -2.5, np.float32), np.asarray(5 / 255, np.float32)
    given = row("QuantizeLinear", x, scale, one(153, np.uint8))
    np.testing.assert_array_equal(computed(given), np.full(6, 26))  # by the reciprocal it would be 25


WRONG = [
    (row("QuantizeLinear", X, real(1, 2), axis=0), r"axis 0 of an array of shape \(3, 4, 5\) has no scales of shape \(2,\)"),
    (row("QuantizeLinear", X, real(1, 2), axis=3), r"axis 3 of an array of shape \(3, 4, 5\)"),
    (row("QuantizeLinear", X, Held(floats(3, 3, 5)), axis=1, block_size=2), "blocks of 2 of an array"),
    (row("QuantizeLinear", X, one(1), output_dtype=6), "quantized numbers of kind int32 are not supported, only int8"),
    (row("DequantizeLinear", X, one(1)), "quantized numbers of kind float32 are not supported, only int8, uint8, int16, uint16, int32"),
    (row("QLinearConcat", one(1), one(0, np.uint8), BYTES, one(1), axis=0, **MICROSOFT), "2 are no multiple of 3"),
    (row("Attention", *SELF, IDS[:, :3], num_heads=2, **MICROSOFT), r"a mask of shape \(2, 3\) for scores"),
    (row("Attention", *SELF, num_heads=3, **MICROSOFT), r"cannot be read as \[batch place feature\] of 3 heads"),
    (row("MultiHeadAttention", floats(2, 5, 2, 3, 4), num_heads=2, **MICROSOFT), "packed into one array are not supported"),
]  # fmt: skip


@pytest.mark.parametrize(("row", "message"), WRONG, ids=str)
def test_errors(row, message):
    with pytest.raises(OnnxError, match=message):
        computed(row)
