"""Convolutions and pooling, as onnxruntime computes them."""

import jax
import numpy as np
import pytest

from namedtensor.interop.onnx import OnnxError
from tests.namedtensor.onnx.agrees import agrees, computed
from tests.namedtensor.onnx.rows import Held, floats, groups, held, ints, loaded, row, scalar, slopes

IMAGE, LINE, CUBE = floats(2, 4, 7, 6), floats(2, 4, 9), floats(1, 2, 4, 5, 3)
BYTES, SIGNED = ints(0, 256, 2, 4, 5, 6, dtype=np.uint8), ints(-128, 128, 6, 2, 3, 2, dtype=np.int8)
ZEROS = {"x": scalar(120, np.uint8), "w": scalar(-3, np.int8)}


def real(*numbers):
    return held(*numbers, dtype=np.float32)


CONV = [
    row("Conv", IMAGE, floats(6, 2, 3, 2), floats(6), group=2, dilations=[2, 1], strides=[1, 3], pads=[2, 0, 1, 3]),
    row("Conv", IMAGE, floats(8, 1, 2, 3), group=4, auto_pad="SAME_UPPER", strides=[2, 3]),
    row("Conv", IMAGE, floats(3, 4, 2, 3), kernel_shape=[2, 3], auto_pad="SAME_LOWER", strides=[2, 3]),
    row("Conv", IMAGE, Held(floats(3, 4, 2, 3)), Held(floats(3)), auto_pad="VALID"),
    row("Conv", LINE, floats(3, 4, 4), floats(3), pads=[3, 1], strides=[2]),
    row("Conv", CUBE, floats(3, 2, 2, 3, 2), dilations=[2, 1, 1], pads=[1, 0, 2, 0, 1, 0], opset=9),
]  # fmt: skip
TRANSPOSED = [
    row("ConvTranspose", IMAGE, floats(4, 3, 3, 2), floats(6), group=2, dilations=[2, 1], strides=[2, 3], pads=[1, 0, 2, 1], output_padding=[1, 2]),
    row("ConvTranspose", IMAGE, floats(4, 2, 3, 3), auto_pad="SAME_UPPER", strides=[2, 3]),
    row("ConvTranspose", IMAGE, floats(4, 2, 3, 2), auto_pad="SAME_LOWER", strides=[2, 1]),
    row("ConvTranspose", IMAGE, floats(4, 2, 3, 3), output_shape=[14, 20], strides=[2, 3], output_padding=[1, 0]),
    row("ConvTranspose", IMAGE, floats(4, 2, 3, 3), output_shape=[14, 18], strides=[2, 3], auto_pad="SAME_UPPER"),
    row("ConvTranspose", LINE, Held(floats(4, 1, 5)), group=4, strides=[3], pads=[2, 1], opset=9),
]  # fmt: skip
WHOLE = [
    row("ConvInteger", BYTES, SIGNED, ZEROS["x"], group=2, pads=[1, 0, 0, 2], strides=[2, 1]),
    row("ConvInteger", BYTES, ints(0, 256, 3, 4, 2, 2, dtype=np.uint8), scalar(3, np.uint8), scalar(9, np.uint8), auto_pad="SAME_UPPER"),
    row("QLinearConv", BYTES, scalar(0.02, np.float32), ZEROS["x"], Held(SIGNED), real(0.1, 0.2, 0.3, 0.25, 0.15, 0.05), Held(np.zeros(6, np.int8)),
        scalar(1.7, np.float32), scalar(110, np.uint8), held(100, -2000, 0, 500, 9, -9, dtype=np.int32), group=2, dilations=[1, 2]),
    row("QLinearConv", BYTES, scalar(0.02, np.float32), ZEROS["x"], Held(SIGNED), scalar(0.5, np.float32), ZEROS["w"],
        scalar(3.1, np.float32), scalar(131, np.uint8), group=2, pads=[1, 1, 1, 1]),
]  # fmt: skip
DILATED = {"dilations": [2, 1], "strides": [1, 2], "pads": [1, 0, 0, 1]}
MAX = [
    row("MaxPool", IMAGE, kernel_shape=[2, 3], strides=[3, 2], pads=[1, 0, 0, 2], outputs=2),
    row("MaxPool", IMAGE, kernel_shape=[3, 2], outputs=2, **DILATED),
    row("MaxPool", IMAGE, kernel_shape=[3, 2], outputs=2, storage_order=1, strides=[2, 2]),
    row("MaxPool", IMAGE, kernel_shape=[2, 4], strides=[2, 3], ceil_mode=1, outputs=2),
    row("MaxPool", IMAGE, kernel_shape=[2, 2], strides=[3, 4], pads=[1, 1, 1, 1], ceil_mode=1),
    row("MaxPool", IMAGE, kernel_shape=[3, 2], ceil_mode=1, dilations=[1, 2], strides=[3, 3], pads=[1, 0, 1, 1]),
    row("MaxPool", LINE.round(), kernel_shape=[4], auto_pad="SAME_UPPER", strides=[3], outputs=2),
    row("MaxPool", LINE, kernel_shape=[4], auto_pad="SAME_LOWER", strides=[3]),
    row("MaxPool", CUBE, kernel_shape=[2, 2, 3], pads=[1, 0, 1, 0, 1, 1], outputs=2),
    row("MaxPool", BYTES, kernel_shape=[2, 3], pads=[0, 1, 1, 1], opset=12),
]  # fmt: skip
MEAN = [
    *(row("AveragePool", IMAGE, kernel_shape=[2, 3], strides=[3, 2], pads=[1, 0, 0, 2], count_include_pad=c, ceil_mode=m)
      for c in (0, 1) for m in (0, 1)),
    row("AveragePool", IMAGE, kernel_shape=[2, 4], strides=[2, 3], ceil_mode=1, count_include_pad=1, pads=[0, 1, 1, 1]),
    row("AveragePool", IMAGE, kernel_shape=[3, 2], count_include_pad=1, **DILATED),
    row("AveragePool", LINE, kernel_shape=[4], auto_pad="SAME_LOWER", strides=[3]),
    row("AveragePool", CUBE, kernel_shape=[2, 2, 3], auto_pad="SAME_UPPER", count_include_pad=1, opset=9),
    row("LpPool", IMAGE, kernel_shape=[2, 3], strides=[3, 2], pads=[1, 0, 0, 2], p=3),
    row("LpPool", IMAGE, kernel_shape=[3, 2], p=1, **DILATED), row("LpPool", LINE, kernel_shape=[3], auto_pad="SAME_UPPER"),
    row("GlobalAveragePool", CUBE), row("GlobalMaxPool", IMAGE), row("GlobalLpPool", LINE, p=3),
]  # fmt: skip
PLACES = np.array([[[[0, 3], [9, 14]], [[16, 19], [25, 30]]]])
UNPOOL = row("MaxUnpool", floats(1, 2, 2, 2), PLACES, kernel_shape=[2, 2], strides=[2, 2])
LARGE = row("MaxUnpool", floats(1, 2, 2, 2), PLACES, held(1, 2, 5, 4), kernel_shape=[2, 2], strides=[2, 2])


@pytest.mark.parametrize("rows", groups([*CONV, *TRANSPOSED, *WHOLE, *MAX, *MEAN, UNPOOL]))
def test_agrees_with_onnxruntime(rows):
    agrees(rows)


def test_unpooled_into_a_larger_array():
    """Places count in the shape that follows from the window: the suite of ONNX says so, onnxruntime differs."""
    expected = np.zeros((1, 2, 5, 4), np.float32)
    expected[:, :, :4] = computed(UNPOOL)
    agrees([LARGE], [expected])


SMOOTH = [
    CONV[0],
    CONV[1],
    TRANSPOSED[0],
    TRANSPOSED[3],
    MAX[1],
    MAX[3],
    MAX[4],
    MEAN[1],
    MEAN[5],
    MEAN[8],
    UNPOOL,
]


@pytest.mark.parametrize("rows", groups(SMOOTH))
def test_derivatives(rows):
    slopes(rows)


def test_the_root_of_nothing_has_derivative_0():
    model = loaded(row("LpPool", LINE, kernel_shape=[3]))
    np.testing.assert_array_equal(jax.grad(lambda x: model(x).sum())(0 * LINE), 0 * LINE)


def test_the_largest_of_what_has_no_limit_is_inside():
    """Padding never wins, not even against minus infinity."""
    lowest = np.full((1, 1, 2), -np.inf, np.float32)
    given = row("MaxPool", lowest, kernel_shape=[2], pads=[1, 1], outputs=2)
    agrees([given], [np.full((1, 1, 3), -np.inf, np.float32), np.array([[[0, 0, 1]]])])


WRONG = [
    (row("Conv", IMAGE, floats(3, 5, 2, 2)), r"the input has 4 channels, the kernel of shape \(3, 5, 2, 2\) takes 5"),
    (row("Conv", IMAGE, floats(3, 4, 2, 2), kernel_shape=[2, 3]), r"kernel_shape is \[2, 3\], the kernel's shape is"),
    (row("Conv", IMAGE, floats(3, 4, 9, 2)), "the window spans 9 rows of an axis that has 7 with its padding"),
    (row("Conv", IMAGE, floats(3, 4, 2)), r"an input of shape .* and a kernel of shape \(3, 4, 2\) do not fit"),
    (row("MaxPool", IMAGE, kernel_shape=[2, 2], strides=[0, 1]), r"strides is \[0, 1\]: there are 2 spatial axes"),
    (row("MaxPool", IMAGE, kernel_shape=[2]), r"kernel_shape is \[2\]: there are 2 spatial axes"),
    (row("ConvTranspose", IMAGE, floats(4, 2, 1, 1), pads=[4, 0, 4, 0]), r"the padding .* takes away more than the \[7, 6\] rows"),
    (row("MaxUnpool", floats(1, 2, 2, 2), PLACES, held(1, 2, 3, 4), kernel_shape=[2, 2], strides=[2, 2]), r"output_shape \[1, 2, 3, 4\] has no room"),
]  # fmt: skip


@pytest.mark.parametrize(("row", "message"), WRONG, ids=str)
def test_errors(row, message):
    with pytest.raises(OnnxError, match=message):
        computed(row)
