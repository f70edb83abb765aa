"""Constants, shapes, padding and blocks, as onnxruntime computes them."""

import jax
import numpy as np
import pytest

import namedtensor as nt
from namedtensor.interop.onnx import OnnxError
from namedtensor.interop.onnx.operators.constants import range_
from tests.namedtensor.onnx.rows import (
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

FAR = 2**62

ROWS = [
    row("Constant", value_int=3), row("Constant", value_ints=[3, 4]), row("Constant", value_floats=[0.5, 2.5]),
    row("Constant", value_float=0.1),
    row("ConstantOfShape", held(2, 3)), row("ConstantOfShape", held(dtype=np.int64)),
    row("Range", scalar(10), scalar(-5), scalar(-4)), row("Range", scalar(5), scalar(1), scalar(2)),
    row("Range", scalar(0.5, np.float32), scalar(2.01, np.float32), scalar(0.3, np.float32)),
    row("EyeLike", floats(3, 5), k=-1), row("EyeLike", floats(2, 4), k=2, dtype=7),
    row("Shape", floats(2, 3, 4), start=-2), row("Shape", floats(2, 3, 4), start=2, end=1),
    row("Shape", floats(2, 3, 4), end=-9), row("Size", floats(2, 3, 4)),
    row("Reshape", floats(2, 3, 4), held(0, -1)), row("Reshape", floats(2, 3, 4), held(4, 0, -1)),
    row("Reshape", floats(0, 3, 4), held(3, 4, 0), allowzero=1),
    row("Flatten", floats(2, 3, 4), axis=-1), row("Flatten", floats(2, 3, 4), axis=0), row("Flatten", floats(2, 3, 4), axis=3),
    row("Squeeze", floats(1, 3, 1, 2), held(-2)), row("Squeeze", floats(1, 3, 1, 2)),
    row("Squeeze", floats(1, 3, 1, 2), axes=[0, 2], opset=9),
    row("Unsqueeze", floats(2, 3), held(-1, 0)), row("Unsqueeze", floats(2, 3), axes=[3, 1], opset=9),
    row("Transpose", floats(2, 3, 4)), row("Transpose", floats(2, 3, 4), perm=[1, 2, 0]),
    row("Expand", floats(3, 1), held(2, 1, 4)), row("Expand", floats(3, 4), held(1)),
    row("Tile", floats(2, 3), held(2, 3)), row("Concat", floats(2, 3), floats(2, 1), axis=-1),
    row("Split", floats(7, 2), num_outputs=3, outputs=3), row("Split", floats(2, 6), axis=-1, outputs=2, opset=13),
    row("Split", floats(7, 2), held(2, 0, 5), outputs=3), row("Split", floats(2, 6), split=[1, 5], axis=1, outputs=2, opset=9),
    row("Slice", floats(6, 5), held(-2, 4), held(-FAR, 1), held(0, -1), held(-2, -1)),
    row("Slice", floats(6, 5), held(1), held(FAR), held(-1), held(2)), row("Slice", floats(6, 5), held(9), held(2), None, held(-3)),
    row("Slice", floats(6, 5), held(4, -3), held(2, FAR)), row("Slice", floats(6, 5), starts=[1, -2], ends=[-1, FAR], opset=9),
    row("Slice", ints(0, 9, 6), held(-1), held(-FAR), held(0), held(-1)),
    row("Pad", floats(3, 4), held(1, 0, 2, 3)), row("Pad", floats(3, 4), held(2, -1), scalar(7, np.float32), held(-1)),
    row("Pad", floats(3, 4), held(-1, 2, 1, -3), scalar(-1, np.float32)),
    row("Pad", ints(0, 9, 3, 4), held(0, 1, 2, 0), scalar(5)),
    row("Pad", floats(2, 3, 4), held(0, 1, 3, 1, 2, 0), mode="reflect"), row("Pad", floats(2, 3, 4), held(0, 1, 3, 1, 2, 0), mode="edge"),
    row("Pad", floats(2, 3, 4), held(0, 2, 3, 1, 1, 0), mode="wrap"), row("Pad", floats(3, 4), pads=[1, 0, 2, 3], value=2.0, opset=9),
    row("Pad", floats(3, 4), held(1, -1, 2, -1), mode="edge"), row("Pad", floats(3, 4), held(2, 1), None, held(1), mode="reflect"),
    row("Trilu", floats(2, 3, 4), scalar(1)), row("Trilu", floats(2, 3, 4), scalar(-1), upper=0),
    row("Trilu", ints(1, 9, 4, 3), upper=0), row("CenterCropPad", floats(5, 4, 7), held(2, 10), axes=[-1, 0]),
    row("CenterCropPad", floats(5, 4), held(2, 7)),
    row("DepthToSpace", floats(2, 12, 2, 3), blocksize=2), row("DepthToSpace", floats(2, 18, 2, 3), blocksize=3, mode="CRD"),
    row("SpaceToDepth", floats(2, 3, 4, 6), blocksize=2),
    row("Col2Im", floats(2, 12, 3), held(4, 5), held(2, 3), dilations=[2, 1], strides=[3, 2], pads=[1, 0, 0, 2]),
    row("ReverseSequence", floats(4, 3, 2), ints(1, 5, 3)),
    row("ReverseSequence", floats(3, 4, 2), ints(0, 5, 3), time_axis=1, batch_axis=0),
    row("Compress", floats(3, 4), held(0, 1, 1, dtype=bool), axis=-1), row("Compress", floats(3, 4), held(0, 1, 0, 0, 1, dtype=bool)),
    row("Dropout", floats(3, 4), scalar(0.5, np.float32), scalar(False, bool), outputs=2),
    row("Dropout", floats(3, 4), ratio=0.3, opset=10), row("Dropout", floats(3, 4), ratio=0.3, opset=9),
]  # fmt: skip


@pytest.mark.parametrize("rows", groups(ROWS))
def test_agrees_with_onnxruntime(rows):
    compared(rows)


X = floats(2, 3)
# Versions that onnxruntime does not run any more, by what their text says
OLD = [
    (row("Reshape", X, shape=[3, -1], opset=1), X.reshape(3, 2)),
    (row("Tile", X, scalar(2), scalar(1), opset=1), np.tile(X, (1, 2))),
    (row("Split", X, held(1, 2), axis=1, outputs=2, opset=1), [X[:, :1], X[:, 1:]]),
    (row("Pad", X, paddings=[0, 1, 0, 2], value=4.0, opset=1), np.pad(X, [(0, 0), (1, 2)], constant_values=4)),
    (row("Concat", X, X, opset=1), np.concatenate([X, X], 1)),
    (row("Dropout", X, is_test=1, outputs=2, opset=6), [X, np.ones_like(X)]),
    (row("BitCast", X, to=6, opset=26), X.view(np.int32)),
    (row("BitCast", X > 0, to=2, opset=26), (X > 0).view(np.uint8)),
    (row("SpaceToDepth", floats(1, 2, 4, 2), blocksize=2, mode="CRD", opset=28),
     floats(1, 2, 4, 2).reshape(1, 2, 2, 2, 1, 2).transpose(0, 1, 3, 5, 2, 4).reshape(1, 8, 2, 1)),
]  # fmt: skip


@pytest.mark.parametrize(("row", "expected"), OLD, ids=str)
def test_first_and_last_versions(row, expected):
    compared([row], expected if isinstance(expected, list) else [expected])


SMOOTH = [
    row("Slice", floats(6, 5), held(-2, 4), held(-FAR, 1), held(0, -1), held(-2, -1)),
    row("Pad", floats(3, 4), held(-1, 2, 1, -3), np.asarray(2, np.float32)),
    row("Pad", floats(2, 3, 4), held(0, 2, 3, 1, 1, 0), mode="reflect"),
    row("Split", floats(7, 2), num_outputs=3, outputs=3),
    row(
        "Col2Im",
        floats(2, 12, 4),
        held(4, 5),
        held(2, 3),
        dilations=[2, 1],
        strides=[3, 2],
        pads=[1, 0, 1, 0],
    ),
    row("ReverseSequence", floats(4, 3, 2), ints(1, 5, 3)),
    row("DepthToSpace", floats(2, 12, 2, 3), blocksize=2),
    row("Expand", floats(3, 1), held(2, 1, 4)),
    row("Trilu", floats(2, 3, 4), scalar(1)),
]


def test_derivatives():
    slopes(SMOOTH)


WRONG = [
    (row("ConstantOfShape", held(2**40, 2**40)), r"more than 2\.15e\+09 are refused"),
    (row("ConstantOfShape", held(2, -1)), r"\(2, -1\) has a negative size"),
    (row("Constant", value_string="a"), "texts are not supported"),
    (row("Range", scalar(0), scalar(2**60), scalar(1)), "are refused"),
    (row("Range", scalar(0), scalar(1), scalar(0)), "its step is 0"),
    (row("Reshape", X, held(4, -1)), "cannot reshape|not divisible|Cannot divide"),
    (row("Reshape", X, held(1, 1, 0)), "copies a size that an array of 2 dimensions has not"),
    (row("Transpose", X, perm=[0, 0]), "repeated axis|permutation"),
    (row("Squeeze", X, held(0)), "size not equal to one|size 1|not equal to 1"),
    (row("Unsqueeze", X, held(5)), r"the axes \[5\] are not different axes of 3 dimensions"),
    (row("Unsqueeze", X, held(0, 0)), r"the axes \[0, 0\] are not different axes"),
    (row("Tile", X, held(2)), "it has 1 repeats for 2 dimensions"),
    (row("Tile", X, held(2**40, 2)), "are refused"),
    (row("Split", X, axis=1, outputs=2, opset=13), "its axis of size 3 has no 2 equal parts"),
    (
        row("Split", X, held(1, 1), axis=1, outputs=2),
        r"the parts \[1, 1\] are not those of an axis of size 3",
    ),
    (row("Flatten", X, axis=3), "the axis 3 is none of 2 dimensions"),
    (row("Slice", X, held(0), held(1), held(2)), r"the axes \[2\] are not different axes of 2"),
    (row("Slice", X, held(0), held(1), None, held(0)), "step cannot be zero"),
    (row("Pad", X, held(1, 1)), "it has 2 pads for 2 axes: two for each are needed"),
    (row("Pad", X, held(2**40, 0, 0, 2**40)), "are refused"),
    (row("Pad", X, held(-3, 0, 0, 0)), "negative size"),
    (
        row("Pad", X, held(0, 0, 0, 0), mode="mirror"),
        "the mode 'mirror' is none of constant, reflect, edge, wrap",
    ),
    (row("SpaceToDepth", floats(1, 1, 3, 2), blocksize=2), r"the sizes \[3, 2\] have no blocks of 2"),
    (row("Dropout", X, None, scalar(True, bool)), "training mode, which draws random numbers"),
    (row("Dropout", X, opset=6), "its is_test is 0, training mode"),
    (row("BitCast", X, to=10, opset=26), "the bits of float32 are not those of float16"),
]


@pytest.mark.parametrize(("row", "message"), WRONG, ids=str)
def test_errors(row, message):
    m = together(row)
    with pytest.raises(OnnxError, match=message):
        nt.interop.onnx.load(m.proto)(**m.given)


def test_large_numbers_of_a_range_are_exact():
    assert range_(np.asarray(2**62), np.asarray(2**62 + 3), np.asarray(2)).tolist() == [
        2**62,
        2**62 + 2,
    ]


def test_a_shape_that_an_input_computes_is_named():
    given = row("Reshape", X, ints(3, 4, 1))
    model = loaded(given)
    assert model(X, np.array([6])).shape == (6,)
    with pytest.raises(
        OnnxError, match=r"node 'node0' \(Reshape\) .* its operand 'shape' depends on the values"
    ):
        jax.jit(model)(X, np.array([6]))
