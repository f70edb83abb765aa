"""ONNX's attention: by its definition as a graph, privately, and where a query sees nothing."""

import numpy as np
import onnx
import pytest
from onnx import helper

import crypten_lite as ct
import namedtensor as nt
from namedtensor.interop.onnx import OnnxError
from tests.namedtensor.onnx.agrees import computed
from tests.namedtensor.onnx.rows import Held, floats, loaded, row, slopes, together

Q, K, V = floats(2, 4, 3, 8) / 3, floats(2, 2, 5, 8) / 3, floats(2, 2, 5, 6)
FLAT = (floats(2, 3, 8), floats(2, 5, 4), floats(2, 5, 6))
SPARSE = np.where(floats(2, 1, 3, 5) > 0, floats(2, 1, 3, 5), -np.inf).astype(np.float32)
ROWS = [
    row("Attention", Q, K, V, opset=23, is_causal=1, outputs=4, qk_matmul_output_mode=2),
    row("Attention", *FLAT, q_num_heads=4, kv_num_heads=2, scale=0.3, opset=23),
    row("Attention", Q, K, V, SPARSE, floats(2, 2, 4, 8), floats(2, 2, 4, 6), softcap=1.5, is_causal=1, outputs=3, opset=24),
    row("Attention", Q, K, V, floats(5) > 0, None, None, np.array([2, 5]), is_causal=1, outputs=4, qk_matmul_output_mode=3, opset=24),
    row("Attention", Q, K, V, Held(floats(3, 5)[:, :4]), left_window_size=1, right_window_size=2, opset=25),
]  # fmt: skip


@pytest.mark.parametrize("given", ROWS, ids=str)
def test_agrees_with_the_definition(given):
    """ONNX writes the operator as a graph; this project's other operators compute it."""
    m = together(given)
    (node,) = m.proto.graph.node
    schema = onnx.defs.get_schema("Attention", given.opset)
    arrays = [x.array if isinstance(x, Held) else x for x in given.operands]
    types = [
        b"" if x is None
        else helper.make_tensor_type_proto(helper.np_dtype_to_tensor_dtype(x.dtype), x.shape).SerializeToString()
        for x in arrays
    ]  # fmt: skip
    body = schema.get_context_dependent_function_with_opset_version(
        given.opset, node.SerializeToString(), types
    )
    function = onnx.FunctionProto.FromString(body)
    function.domain, node.domain = "defined", "defined"
    m.proto.functions.append(function)
    m.proto.opset_import.append(helper.make_opsetid("defined", 1))
    expected = m.parted(nt.interop.onnx.load(m.proto)(**m.given))[0]
    found = m.parted(computed(given))[0]
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


def test_derivatives():
    slopes([ROWS[1]])


def test_a_query_that_sees_nothing_takes_nothing():
    mask = np.zeros((3, 5), bool)
    mask[1] = True
    out = computed(row("Attention", Q, K, V, Held(mask), opset=23))
    np.testing.assert_array_equal(out[:, :, ::2], np.zeros((2, 4, 2, 6)))
    assert np.abs(out[:, :, 1]).min() > 0


@pytest.mark.parametrize(
    "mask", [None, Held(np.where(np.tri(3, 5) > 0, 0, -np.inf).astype(np.float32))], ids=str
)
def test_private_masks(mask):
    """Minus infinity has no place among fixed-point numbers."""
    model = loaded(row("Attention", Q[:1], K[:1], V[:1], mask, is_causal=1, opset=23))
    with ct.simulate() as session:
        private = ct.private(lambda q: model(q, K[:1], V[:1]))(session.share(Q[:1])).reveal()
    np.testing.assert_allclose(private, model(Q[:1], K[:1], V[:1]), atol=2e-3)  # 16 binary places


WRONG = [
    (row("Attention", *FLAT, q_num_heads=3, kv_num_heads=2, opset=23), r"cannot be read as \[batch place feature\] of 3 heads"),
    (row("Attention", *FLAT, opset=23), "of unknown heads"),
    (row("Attention", Q[:, :3].copy(), K, V, opset=23), "3 heads of queries cannot share 2 heads of keys"),
]  # fmt: skip


@pytest.mark.parametrize(("row", "message"), WRONG, ids=str)
def test_errors(row, message):
    with pytest.raises(OnnxError, match=message):
        computed(row)
