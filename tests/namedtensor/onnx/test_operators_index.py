"""Gathering, scattering, choosing and counting, as onnxruntime does it."""

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

TIED = np.array([[2, 5, 5, 1], [7, 7, 0, 7], [3, 3, 3, 3]], np.float32)
EDGES = np.array([[-128, 127, 0, -128], [5, 127, -128, 5]], np.int8)
PLACES = np.array([[0, -1, 2], [1, 1, -3]])  # in an axis of size 3, or larger
POINTS = np.array([[[0, -1], [2, 1]], [[-2, 0], [1, 2]]])  # in axes of sizes 3 and 4, say
BOXES = floats(2, 7, 4)
BOXES = np.concatenate([BOXES[..., :2], BOXES[..., :2] + abs(BOXES[..., 2:]) + 2], -1)
SCORES = np.array(
    [[[0.9, 0.2, 0.5, 0.5, 0.8, 0.1, 0.7], [0.3, 0.6, 0.2, 0.9, 0.9, 0.4, 0.5]]] * 2, np.float32
)

ROWS = [
    row("Gather", floats(4, 3, 2), PLACES, axis=-2), row("Gather", floats(4, 3, 2), scalar(-1), axis=1),
    row("Gather", ints(0, 9, 4), held(-1, 0)), row("Gather", floats(4, 3, 2), Held(PLACES)),
    row("Gather", floats(4, 3), np.asarray(-2), axis=1), row("Gather", floats(4, 3), ints(-4, 4, 2, dtype=np.int32)),
    row("GatherElements", floats(4, 5), PLACES), row("GatherElements", floats(4, 5), Held(PLACES), axis=-1),
    row("GatherND", floats(3, 4, 2), POINTS), row("GatherND", floats(2, 3, 4, 2), POINTS, batch_dims=1),
    row("GatherND", floats(2, 2, 3), POINTS[..., :1], batch_dims=2), row("GatherND", floats(3, 4), Held(POINTS)),
    row("ScatterElements", floats(3, 4), PLACES[:, ::2], floats(2, 2), axis=1),
    row("ScatterElements", floats(4, 3), Held(np.array([[0, -1, 2], [1, 0, 3]])), floats(2, 3)),
    row("Scatter", floats(4, 3), np.array([[0, -1, 2], [1, 0, 3]]), floats(2, 3), opset=9),
    *(row("ScatterElements", floats(3, 5), np.array([[1, 1, -4], [0, -1, 4]]), floats(2, 3), axis=1, reduction=how)
      for how in ("add", "mul", "max", "min")),
    row("ScatterND", floats(3, 4, 2), POINTS, floats(2, 2, 2)),
    row("ScatterND", floats(4, 3), np.array([[1], [-1]]), floats(2, 3)),
    *(row("ScatterND", floats(3, 4), np.array([[[0, 1], [-3, 1]], [[2, -1], [2, 3]]]), floats(2, 2), reduction=how)
      for how in ("add", "mul", "max", "min")),
    row("ScatterND", ints(0, 9, 5), np.array([[1], [1], [-1]]), ints(0, 9, 3), reduction="add"),
    row("OneHot", np.array([[0, -1], [3, 7]]), scalar(4), floats(2), axis=1),
    row("OneHot", np.array([0.0, 2.0, -3.0, 5.0], np.float32), held(4), np.array([5, 9])),
    row("TopK", TIED, held(2), outputs=2), row("TopK", TIED, held(3), outputs=2, largest=0),
    row("TopK", TIED, held(2), outputs=2, axis=0), row("TopK", EDGES, held(4), outputs=2, largest=0),
    row("TopK", EDGES, held(4), outputs=2), row("TopK", ints(0, 4, 60), held(40), outputs=2), row("TopK", TIED, k=3, outputs=2, opset=9),
    row("TopK", floats(2, 5, 3), held(4), outputs=2, axis=1, opset=10), row("TopK", TIED, held(0), outputs=2),
    *(row(op, TIED, axis=axis, keepdims=axis + 1, select_last_index=last)
      for op in ("ArgMax", "ArgMin") for axis in (-1, 0) for last in (0, 1)),
    row("Hardmax", TIED, axis=0), row("Hardmax", TIED), row("Hardmax", floats(2, 3, 4).round(), axis=1, opset=9),
    row("NonZero", TIED), row("NonZero", ints(0, 2, 2, 3, 2)), row("NonZero", np.zeros((2, 0), np.float32)),
    row("Compress", floats(3, 4), np.array([False, True]), axis=0),
    row("Unique", np.array([2, 1, 1, 3, 4, 3]), outputs=4), row("Unique", np.array([2, 1, 1, 3, 4, 3]), outputs=4, sorted=0), row("Unique", np.array([3, 1, 2, 1, 3]), outputs=4, sorted=0),
    row("Unique", np.array([[2.0, 1, 1], [0, 3, 3]]), outputs=4), row("Unique", np.array([[2, 1, 2], [0, 3, 0]]), outputs=4, axis=-1),
    row("Unique", np.array([[2, 1], [0, 3], [2, 1]]), outputs=4, axis=0, sorted=0),
    row("NonMaxSuppression", BOXES, SCORES, scalar(3), scalar(0.3, np.float32)),
    row("NonMaxSuppression", BOXES[..., [2, 1, 0, 3]], SCORES, scalar(9), scalar(0.2, np.float32), scalar(0.5, np.float32)),
    row("NonMaxSuppression", abs(BOXES), SCORES, scalar(5), scalar(0.4, np.float32), center_point_box=1),
    row("NonMaxSuppression", BOXES, SCORES, scalar(2)), row("NonMaxSuppression", BOXES, SCORES),
]  # fmt: skip


@pytest.mark.parametrize("rows", groups(ROWS))
def test_agrees_with_onnxruntime(rows):
    compared(rows)


def test_slices_of_a_cache_are_replaced_from_where_each_example_is():
    past, update = floats(2, 3, 5, 2), floats(2, 3, 2, 2)
    linear, circular = past.copy(), past.copy()
    for i, start in enumerate((3, 1)):
        linear[i, :, start : start + 2] = update[i]
    for i, start in enumerate((4, 5)):
        for k in range(2):
            circular[i, :, (start + k) % 5] = update[i, :, k]
    compared([row("TensorScatter", past, update, np.array([3, 1]), opset=24)], [linear])
    compared([row("TensorScatter", past, update, np.array([4, 5]), opset=24, mode="circular")], [circular])
    first = np.concatenate([update, past[:, :, 2:]], 2)
    compared([row("TensorScatter", past, update, opset=24)], [first])


SMOOTH = [
    row("Gather", floats(4, 3, 2), PLACES, axis=-2), row("Gather", floats(4, 3, 2), scalar(-1), axis=1),
    row("GatherElements", floats(4, 5), PLACES), row("GatherND", floats(2, 3, 4, 2), POINTS, batch_dims=1),
    row("ScatterElements", floats(3, 4), PLACES[:, ::2], floats(2, 2), axis=1),
    *(row("ScatterND", floats(3, 4), np.array([[[0, 1], [-2, 1]], [[2, -1], [2, 2]]]), floats(2, 2), reduction=how)
      for how in ("none", "add", "mul", "max", "min")),
    row("ScatterElements", floats(3, 5), np.array([[1, 1, -4], [0, -1, 4]]), floats(2, 3), axis=1, reduction="add"),
    row("TopK", floats(2, 5, 3), held(3), outputs=2, axis=1), row("TopK", floats(2, 5), held(3), outputs=2, largest=0),
    row("OneHot", np.array([[0, -1], [3, 7]]), scalar(4), floats(2), axis=1),
]  # fmt: skip


def test_derivatives():
    slopes(SMOOTH)


X = floats(3, 4)
WRONG = [
    (
        row("Gather", X, held(0, 3)),
        r"node 'node0' \(Gather\).*the indices 0 to 3 are not all those of an axis of size 3",
    ),
    (row("Gather", X, scalar(-5), axis=1), "indices -5 to -5 are not all those of an axis of size 4"),
    (row("Gather", X, held(0), axis=2), r"the axes \[2\] are not different axes of 2 dimensions"),
    (row("GatherElements", X, Held(np.array([[4]])), axis=1), "indices 4 to 4"),
    (row("GatherND", X, Held(np.array([[0, 0, 0]]))), "its indices name 3 axes, and the array has 2"),
    (row("ScatterND", X, Held(np.array([[3]])), floats(1, 4)), "indices 3 to 3"),
    (
        row("ScatterElements", X, PLACES, floats(2, 3), reduction="mean"),
        "'mean' is none of none, add, mul, max, min",
    ),
    (row("TopK", X, held(5)), "the 5 largest of 4 numbers were asked for"),
    (row("OneHot", np.array([0]), scalar(2**40), floats(2)), "are refused"),
    (row("TensorScatter", X, X, axis=0, opset=24), "the first axis is the batch"),
]


@pytest.mark.parametrize(("row", "message"), WRONG, ids=str)
def test_errors(row, message):
    m = together(row)
    with pytest.raises(OnnxError, match=message):
        nt.interop.onnx.load(m.proto)(**m.given)


def test_places_outside_that_are_traced_read_nan_and_write_nothing():
    x = floats(3)
    read, write = (
        loaded(r)
        for r in (row("Gather", x, np.array([1, 3])), row("ScatterElements", x, np.array([1, 3]), x[:2]))
    )
    np.testing.assert_array_equal(read(x, np.array([1, 3])), [x[1], np.nan])
    np.testing.assert_array_equal(write(x, np.array([1, 3]), x[:2]), [x[0], x[0], x[2]])


@pytest.mark.parametrize("op", ["NonZero", "Unique"])
def test_results_of_unknown_size_are_refused_under_jit(op):
    model = loaded(row(op, floats(2, 3)))
    with pytest.raises(OnnxError, match=rf"node 'node0' \({op}\) .*: its operand 'x' depends on the values"):
        jax.jit(model)(jnp.ones((2, 3)))


def test_each_example_of_a_batch_has_its_own_places():
    given = row("GatherElements", floats(4, 5), PLACES)
    model = loaded(given)
    xs, places = floats(3, 4, 5), np.stack([PLACES, PLACES[::-1], PLACES[:, ::-1]])
    expected = [np.take_along_axis(x, i, 0) for x, i in zip(xs[:, :, :3], places, strict=True)]
    np.testing.assert_array_equal(jax.vmap(model)(jnp.asarray(xs), jnp.asarray(places, jnp.int32)), expected)
