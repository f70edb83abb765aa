"""Resized images, numbers between pixels, boxes and spectra, as onnxruntime computes them."""

import jax
import numpy as np
import pytest

from namedtensor.interop.onnx import OnnxError
from tests.namedtensor.onnx.agrees import agrees, computed
from tests.namedtensor.onnx.rows import Held, floats, groups, held, loaded, row, scalar, slopes

IMAGE, LINE = floats(2, 3, 7, 6), floats(2, 3, 9)


def real(*numbers):
    return held(*numbers, dtype=np.float32)


def scaled(down, across, **attributes):
    return row("Resize", IMAGE, None, real(1, 1, down, across), **attributes)


def sized(down, across, **attributes):
    return row("Resize", IMAGE, None, None, held(2, 3, down, across), **attributes)


def coordinates(how):
    return {"coordinate_transformation_mode": how}


RESIZED = [
    *(scaled(1.7, 0.6, nearest_mode=how) for how in ("floor", "ceil", "round_prefer_floor", "round_prefer_ceil")),
    scaled(2, 3, **coordinates("asymmetric"), nearest_mode="floor"), sized(5, 9, **coordinates("align_corners")),
    *(sized(5, 9, mode="linear", **coordinates(how)) for how in ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel")),
    sized(1, 1, mode="linear", **coordinates("align_corners")), sized(1, 1, mode="linear", **coordinates("pytorch_half_pixel")),
    scaled(1.7, 0.6, mode="linear", **coordinates("half_pixel_symmetric")), scaled(1.7, 0.6, mode="cubic", cubic_coeff_a=-0.5),
    scaled(0.6, 0.4, mode="cubic", exclude_outside=1), sized(3, 11, mode="cubic", **coordinates("align_corners")),
    *(scaled(0.6, 0.4, mode=mode, antialias=1, exclude_outside=1) for mode in ("linear", "cubic")), scaled(1.7, 0.5, mode="linear", antialias=1),
    row("Resize", IMAGE, real(0, 0, 0.1, 0.2, 1, 1, 1.2, 0.7), None, held(2, 3, 5, 4), mode="linear", extrapolation_value=9.0, **coordinates("tf_crop_and_resize")),
    *(row("Resize", IMAGE, None, None, held(10, 4), axes=[2, 3], mode="linear", keep_aspect_ratio_policy=how) for how in ("not_larger", "not_smaller")),
    row("Resize", LINE, None, None, held(4), axes=[2], mode="linear"),
    row("Resize", IMAGE, real(), real(1, 1, 2.5, 1.5), mode="linear", opset=11), row("Resize", IMAGE, real(1, 1, 0.6, 1.5), opset=10),
    row("Upsample", IMAGE, real(1, 1, 1.5, 2), mode="linear", opset=9), row("Upsample", IMAGE, real(1, 1, 1.5, 2), opset=9),
    row("Upsample", IMAGE, scales=[1.0, 1.0, 2.0, 3.0], opset=7),
]  # fmt: skip

GRID, CUBE = floats(2, 4, 5, 2) / 3, floats(2, 3, 4, 5, 3)
SAMPLED = [
    *(row("GridSample", IMAGE, GRID, mode=mode, padding_mode=pad, align_corners=corners, opset=20)
      for mode, pad, corners in (("linear", "border", 1), ("cubic", "border", 1), ("linear", "reflection", 0), ("nearest", "reflection", 0))),
    row("GridSample", CUBE, floats(2, 3, 2, 2, 3) / 3, opset=20),
    row("GridSample", CUBE, floats(2, 3, 2, 2, 3) / 3, padding_mode="border", mode="nearest", opset=20),
    row("AffineGrid", floats(2, 2, 3), held(2, 3, 4, 5), opset=20), row("AffineGrid", floats(2, 2, 3), held(2, 3, 4, 5), align_corners=1, opset=20),
]  # fmt: skip
OFFSET, MASK = floats(2, 2 * 2 * 6, 3, 4) / 3, floats(2, 2 * 6, 3, 4)
GEOMETRY = {"strides": [2, 1], "dilations": [1, 2], "pads": [0, 1, 1, 0], "offset_group": 2}
DEFORMED = row(
    "DeformConv",
    floats(2, 4, 6, 5),
    floats(6, 2, 3, 2),
    OFFSET,
    floats(6),
    MASK,
    group=2,
    opset=22,
    **GEOMETRY,
)

BOXES = np.array([[0, 0, 12, 10], [3, 2, 3.5, 9], [-4, 1, 5, 30], [9, 8, 2, 1]], np.float32)
AT = np.array([1, 0, 1, 0])
PIXELS = floats(2, 3, 6, 7)
ALIGNED = [
    row("RoiAlign", PIXELS, BOXES, AT, output_height=2, output_width=3, spatial_scale=0.5, sampling_ratio=2),
    row("RoiAlign", PIXELS, BOXES, AT, output_height=2, output_width=3, spatial_scale=0.5),
    row("RoiAlign", PIXELS, BOXES[:3], AT[:3], output_height=3, output_width=1, spatial_scale=0.6, opset=10),
    row("RoiAlign", PIXELS, BOXES[:3], AT[:3], output_height=2, output_width=2, coordinate_transformation_mode="output_half_pixel"),
    row("RoiAlign", PIXELS, BOXES, AT, output_height=2, output_width=3, spatial_scale=0.5, sampling_ratio=2, mode="max"),
    row("RoiAlign", PIXELS, BOXES, AT, output_height=2, output_width=3, spatial_scale=0.5, mode="max"),
    row("MaxRoiPool", PIXELS, np.concatenate([AT[:3, None], BOXES[:3]], 1).astype(np.float32), pooled_shape=[2, 3], spatial_scale=0.5),
]  # fmt: skip

SIGNAL = floats(2, 12, 1)
SPECTRA = [
    row("DFT", floats(2, 5, 3, 2), None, scalar(1), opset=20), row("DFT", floats(2, 5, 3, 1), scalar(8), scalar(-3), opset=20),
    row("DFT", floats(2, 6, 1), scalar(4), scalar(1), onesided=1, opset=20), row("DFT", floats(2, 5, 2), None, scalar(1), inverse=1, opset=20),
    row("DFT", floats(2, 5, 1), axis=1, opset=17),
    row("STFT", SIGNAL, scalar(3), held(1, 2, 3, 2, dtype=np.float32), opset=17), row("STFT", SIGNAL, scalar(2), None, scalar(5), onesided=0, opset=17),
    row("STFT", floats(2, 12, 2), scalar(3), floats(5), scalar(5), onesided=0, opset=17),
    row("HannWindow", scalar(7)), row("HammingWindow", scalar(7), periodic=0), row("BlackmanWindow", scalar(7)),
    row("MelWeightMatrix", scalar(5), scalar(32), scalar(8000), scalar(100, np.float32), scalar(4000, np.float32)),
    row("MelWeightMatrix", scalar(12), scalar(16), scalar(8000), scalar(0, np.float32), scalar(3000, np.float32)),
]  # fmt: skip


@pytest.mark.parametrize("rows", groups([*RESIZED, *SAMPLED, DEFORMED, *ALIGNED, *SPECTRA]))
def test_agrees_with_onnxruntime(rows):
    agrees(rows)


INSIDE = np.array([[0.71, 1.13, 9.37, 8.52], [3.3, 2.9, 4.1, 9.7]], np.float32)  # no sample lies on a pixel
SMOOTH = [
    RESIZED[0], RESIZED[13], RESIZED[14], RESIZED[16], RESIZED[19], SAMPLED[2], DEFORMED, SPECTRA[0], SPECTRA[5],
    row("RoiAlign", PIXELS, INSIDE, Held(AT[:2]), output_height=2, output_width=3, spatial_scale=0.5),
    row("MaxRoiPool", PIXELS, *(Held(x) for x in ALIGNED[6].operands[1:]), pooled_shape=[2, 3], spatial_scale=0.5),
]  # fmt: skip


@pytest.mark.parametrize("rows", groups(SMOOTH))
def test_derivatives(rows):
    slopes(rows)


def test_each_size_that_was_rounded_counts_as_it_was_before():
    """With aligned corners the suite of ONNX divides by 2.4 - 1 here, onnxruntime by 2 - 1."""
    x = np.array([[[1, 2, 3, 4]]], np.float32)
    given = row("Resize", x, None, real(1, 1, 0.6), mode="linear", **coordinates("align_corners"))
    agrees([given], [np.array([[[1, 3.142857]]], np.float32)])


def test_boxes_that_are_computed_are_sampled_as_densely_as_known_ones():
    """The number of samples depends on the boxes; under jit there is room for as many as an image can hold."""
    given = ALIGNED[1]
    model = loaded(given)
    known = computed(given)
    together_ = jax.jit(lambda x, boxes: model(x, boxes, AT))(PIXELS, BOXES)
    np.testing.assert_allclose(together_, known, rtol=1e-5, atol=1e-5)


def test_no_boxes():
    for given in (ALIGNED[0], ALIGNED[6]):
        operands = [x[:0] if i else x for i, x in given.given.items()]
        empty = row(given.op, *operands, **given.attributes)
        assert computed(empty).shape == (0, 3, 2, 3)


WRONG = [
    (scaled(0, 1), r"scales \[1.0, 1.0, 0.0, 1.0\] are not all positive"),
    (row("Resize", IMAGE, None, real(2, 3)), "there are 2 scales or sizes, for 4 axes"),
    (sized(10**6, 10**6), "more than .* are refused"),
    (sized(5, 5, mode="area"), "mode 'area' is none of nearest, linear, cubic"),
    (sized(5, 5, **coordinates("centre")), "coordinate_transformation_mode 'centre' is not known"),
    (sized(5, 5, nearest_mode="up"), "nearest_mode 'up' is none of round_prefer_floor"),
    (sized(5, 5, **coordinates("tf_crop_and_resize")), "a crop needs 8 numbers as roi"),
    (row("GridSample", IMAGE, floats(2, 4, 5, 3), opset=20), r"a grid of shape \(2, 4, 5, 3\) does not fit"),
    (row("GridSample", IMAGE, GRID, padding_mode="wrap", opset=20), "padding_mode 'wrap' is none of zeros, border, reflection"),
    (row("GridSample", IMAGE, GRID, mode="area", opset=20), "mode 'area' is none of nearest, linear, cubic"),
    (row("DFT", floats(2, 5, 3), None, scalar(1), opset=20), "it has 1 or 2 elements"),
    (row("DFT", floats(2, 5, 2), None, scalar(-1), opset=20), "of which the last holds complex numbers"),
    (row("DFT", floats(2, 5, 2), None, scalar(1), onesided=1, opset=20), "onesided=1 needs real ones"),
    (row("STFT", SIGNAL, scalar(3), None, scalar(20), opset=17), "frames of 20 every 3 of a signal of 12 numbers"),
    (row("DeformConv", floats(2, 4, 6), floats(6, 4, 3), OFFSET, opset=22), "images are needed"),
]  # fmt: skip


@pytest.mark.parametrize(("row", "message"), WRONG, ids=str)
def test_errors(row, message):
    with pytest.raises(OnnxError, match=message):
        computed(row)
