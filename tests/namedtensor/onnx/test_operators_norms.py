"""Normalisations, recurrent layers and losses, as onnxruntime computes them."""

import jax
import numpy as np
import pytest

from namedtensor.interop.onnx import OnnxError
from tests.namedtensor.onnx.agrees import agrees, computed
from tests.namedtensor.onnx.rows import Held, floats, groups, ints, loaded, row, slopes

IMAGE, LINE = floats(2, 6, 3, 4), floats(2, 6, 5)
STATISTICS = [floats(6), floats(1, 6)[0], floats(6, 1)[:, 0], abs(floats(3, 6)[0]) + 0.1]

NORMS = [
    row("BatchNormalization", IMAGE, *map(Held, STATISTICS), epsilon=0.01), row("BatchNormalization", LINE, *STATISTICS, momentum=0.5, opset=9),
    row("BatchNormalization", floats(4, 6), *STATISTICS, opset=7, spatial=1),
    row("InstanceNormalization", IMAGE, floats(6), floats(1, 6)[0]),
    row("LayerNormalization", IMAGE, floats(4), floats(1, 4)[0], outputs=3, epsilon=0.01), row("LayerNormalization", IMAGE, floats(3, 4), axis=-2),
    row("LayerNormalization", LINE, floats(6, 5), floats(6, 5), axis=1, outputs=3),
    row("GroupNormalization", IMAGE, floats(6), floats(1, 6)[0], num_groups=2),
    row("RMSNormalization", IMAGE, floats(3, 4), axis=2, epsilon=0.1, opset=23),
    row("LpNormalization", IMAGE, axis=1, p=1), row("LpNormalization", IMAGE, axis=-2),
    row("LRN", IMAGE, size=3, alpha=0.5, beta=0.6, bias=2.0), row("LRN", floats(2, 6, 2, 2), size=5, alpha=0.2),
]  # fmt: skip

SEQUENCE, LENGTHS = floats(5, 3, 4), np.array([5, 2, 4], np.int32)


def recurrent(op, gates, directions, *more, initial="", **attributes):
    """A node with a bias, lengths or None, and states; there are three sequences."""
    shapes = [(directions, gates * 2, 4), (directions, gates * 2, 2), (directions, gates * 4)]
    more = more or (None,) * bool(initial)
    states = [floats(directions, 3, 2, i + 1)[..., 0] for i, _ in enumerate(initial)]
    operands = (SEQUENCE, *(floats(*s) / 3 for s in shapes), *more, *states)
    return row(op, *operands, outputs=3 if op == "LSTM" else 2, hidden_size=2, **attributes)


BOTH = {"directions": 2, "direction": "bidirectional"}
RECURRENT = [
    recurrent("RNN", 1, 1), recurrent("RNN", 1, 1, LENGTHS, initial="h", direction="reverse"),
    recurrent("RNN", 1, **BOTH, activations=["LeakyRelu", "HardSigmoid"], activation_alpha=[0.3, 0.1], activation_beta=[0.4]),
    recurrent("RNN", 1, 1, activations=["ScaledTanh"], activation_alpha=[0.7], activation_beta=[1.3], clip=0.5),
    recurrent("GRU", 3, 1, initial="h"), recurrent("GRU", 3, **BOTH, linear_before_reset=1),
    row("GRU", SEQUENCE, floats(1, 6, 4), floats(1, 6, 2), hidden_size=2, linear_before_reset=1, direction="reverse", outputs=2, opset=7),
    recurrent("GRU", 3, 2, LENGTHS, initial="h", direction="bidirectional", activations=["Softsign", "Elu", "Sigmoid", "Relu"], activation_alpha=[0.6]),
    recurrent("LSTM", 4, 1), recurrent("LSTM", 4, 2, LENGTHS, initial="hc", direction="bidirectional"),
    recurrent("LSTM", 4, 1, None, None, None, floats(1, 6), direction="reverse", clip=1.5),
    recurrent("LSTM", 4, 1, None, None, None, floats(1, 6), input_forget=1),
    recurrent("LSTM", 4, **BOTH, activations=["Sigmoid", "Softplus", "Affine"] * 2, activation_alpha=[0.5, 1.5], activation_beta=[0.1, 0.2]),
]  # fmt: skip
CLASSES, SPACES, WEIGHT = ints(0, 5, 4), ints(0, 5, 2, 3, 2), abs(floats(5))
LOSSES = [
    row("SoftmaxCrossEntropyLoss", floats(4, 5), CLASSES, WEIGHT, outputs=2, opset=13),
    row("SoftmaxCrossEntropyLoss", floats(2, 5, 3, 2), SPACES, reduction="sum", ignore_index=3, outputs=2, opset=13),
    row("SoftmaxCrossEntropyLoss", floats(4, 5), np.array([1, -1, 4, -1]), WEIGHT, ignore_index=-1, outputs=2, opset=13),
    row("NegativeLogLikelihoodLoss", floats(2, 5, 3, 2), SPACES, WEIGHT, ignore_index=2, opset=13),
    row("NegativeLogLikelihoodLoss", floats(4, 5), CLASSES, reduction="none", opset=13),
]  # fmt: skip


@pytest.mark.parametrize("rows", groups([*NORMS, *RECURRENT]))
def test_agrees_with_onnxruntime(rows):
    agrees(rows)


@pytest.mark.parametrize("rows", groups(LOSSES))
def test_losses(rows):
    agrees(rows)


def test_the_batch_in_front_is_the_same_with_axes_swapped():
    """onnxruntime has no kernel for this layout."""
    behind = RECURRENT[9]
    x, w, r, b, lengths, h, c = behind.operands
    operands = (x.swapaxes(0, 1), w, r, b, lengths, h.swapaxes(0, 1), c.swapaxes(0, 1))
    y, *last = computed(behind)
    ahead = row("LSTM", *operands, outputs=3, layout=1, **behind.attributes)
    agrees([ahead], [np.moveaxis(y, 2, 0), *(np.swapaxes(v, 0, 1) for v in last)])


def test_a_mean_that_is_far_from_zero_costs_few_digits():
    """The variance as a difference of squares would be wrong by 4e-3 here."""
    given = row("LayerNormalization", LINE + 300, np.ones(5, np.float32))
    x = LINE.astype(np.float64) + 300
    expected = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    found = computed(given)
    np.testing.assert_allclose(found, expected, atol=3e-4)


def test_half_precision_is_normalized_in_32_bits():
    """The squares of these numbers have no place in float16."""
    x = floats(2, 6, dtype=np.float16) * np.float16(200)
    for given in (
        row("LayerNormalization", x, np.ones(6, np.float16)),
        row("RMSNormalization", x, np.ones(6, np.float16), opset=23),
    ):
        found = computed(given)
        wide = x.astype(np.float64)
        wide = wide - wide.mean(-1, keepdims=True) * (given.op == "LayerNormalization")
        expected = wide / np.sqrt((wide**2).mean(-1, keepdims=True))
        assert found.dtype == np.float16
        np.testing.assert_allclose(np.asarray(found, np.float64), expected, rtol=2e-3)


def test_groups_are_scaled_one_by_one_before_opset_21():
    one, other = floats(2), floats(1, 2)[0]
    early = row("GroupNormalization", IMAGE, one, other, num_groups=2, opset=18)
    late = row("GroupNormalization", IMAGE, np.repeat(one, 3), np.repeat(other, 3), num_groups=2)
    agrees([early], [computed(late)])


def test_an_even_window_of_channels_reaches_further_up():
    x = IMAGE.astype(np.float64)
    squares = np.pad(x**2, [(0, 0), (1, 2), (0, 0), (0, 0)])
    expected = x / (1 + 0.05 * sum(squares[:, i : i + 6] for i in range(4))) ** 0.75
    agrees([row("LRN", IMAGE, size=4, alpha=0.2)], [expected.astype(np.float32)])


SMOOTH = [
    NORMS[0], NORMS[3], NORMS[5], NORMS[7], NORMS[8], NORMS[9], NORMS[10], NORMS[11], NORMS[12],
    RECURRENT[0], RECURRENT[4], RECURRENT[10], LOSSES[0],
]  # fmt: skip


@pytest.mark.parametrize("rows", groups(SMOOTH))
def test_derivatives(rows):
    slopes(rows)


def test_the_norm_of_zeros_has_derivative_0():
    model = loaded(row("LpNormalization", LINE))
    assert np.isfinite(jax.grad(lambda x: model(x).sum())(0 * LINE)).all()


TRAINED = row("BatchNormalization", LINE, *STATISTICS, training_mode=1, opset=15)
WRONG = [
    (TRAINED, "the file was saved in training mode"),
    (row("BatchNormalization", LINE, *STATISTICS, outputs=3, opset=15), "save the model for inference again"),
    (row("LayerNormalization", LINE, floats(5), axis=3), "axis 3 of an input with 3 axes"),
    (row("LayerNormalization", LINE, floats(5), stash_type=7), "stash_type 7 is no floating-point type"),
    (row("GroupNormalization", IMAGE, floats(6), floats(6), num_groups=4), "6 channels cannot be split into 4 groups"),
    (recurrent("RNN", 1, 1, activations=["Tanhh"]), "the activation 'Tanhh' is none of .*Did you mean 'tanh'"),
    (recurrent("GRU", 3, 1, activations=["Tanh"]), "2 are needed for each direction"),
    (recurrent("GRU", 3, 1, direction="backward"), "direction 'backward' is none of forward, reverse, bidirectional"),
    (row("NegativeLogLikelihoodLoss", floats(4, 5), CLASSES, reduction="median", opset=13), "reduction 'median' is none of"),
]  # fmt: skip


@pytest.mark.parametrize(("row", "message"), WRONG, ids=str)
def test_errors(row, message):
    with pytest.raises(OnnxError, match=message):
        computed(row)
