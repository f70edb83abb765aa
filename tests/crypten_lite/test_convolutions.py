"""Convolutions in the ring against XLA's of the same integers."""

import jax
import numpy as np
import pytest
from jax import lax

from crypten_lite.convolutions import Geometry, convolve, windows
from crypten_lite.ring import Ring

CASES = {
    "same": ((2, 3, 7, 6), (4, 3, 3, 3), Geometry((1, 1), ((1, 1), (1, 1)), (1, 1), (1, 1))),
    "strided": ((2, 3, 8, 9), (4, 3, 3, 2), Geometry((2, 3), ((1, 0), (0, 2)), (1, 1), (1, 1))),
    "dilated window": ((1, 2, 9, 9), (3, 2, 3, 3), Geometry((1, 2), ((2, 2), (0, 0)), (1, 1), (2, 3))),
    "transposed": ((2, 3, 4, 5), (2, 3, 3, 3), Geometry((1, 1), ((2, 2), (1, 2)), (2, 3), (1, 1))),
    "cropped": ((2, 3, 8, 8), (2, 3, 3, 3), Geometry((1, 1), ((-1, 2), (1, -2)), (1, 1), (1, 1))),
    "groups": ((2, 6, 5, 5), (4, 3, 3, 3), Geometry((1, 1), ((1, 1), (1, 1)), (1, 1), (1, 1), 2)),
    "groups of examples": (
        (4, 3, 5, 5),
        (6, 3, 3, 3),
        Geometry((1, 1), ((0, 0), (0, 0)), (1, 1), (1, 1), 1, 2),
    ),
    "one axis": ((2, 3, 9), (4, 3, 4), Geometry((2,), ((1, 1),), (1,), (1,))),
    "three axes": (
        (1, 2, 4, 5, 3),
        (3, 2, 2, 2, 2),
        Geometry((1, 2, 1), ((0, 1), (1, 0), (0, 0)), (1,) * 3, (1,) * 3),
    ),
    "cropped and strided": (
        (1, 2, 9, 9),
        (3, 2, 2, 2),
        Geometry((2, 2), ((-3, -2), (0, -1)), (1, 1), (1, 1)),
    ),
    "transposed and cropped": (
        (1, 2, 5, 5),
        (3, 2, 3, 3),
        Geometry((1, 1), ((-1, 0), (2, -3)), (2, 2), (1, 1)),
    ),
    "all at once": ((2, 4, 6, 7), (6, 2, 2, 3), Geometry((2, 1), ((2, -1), (0, 3)), (2, 3), (3, 2), 2)),
    "depthwise": ((2, 5, 6, 6), (10, 1, 3, 3), Geometry((1, 1), ((1, 1), (1, 1)), (1, 1), (1, 1), 5)),
    "no window fits": ((1, 2, 2, 2), (3, 2, 3, 3), Geometry((1, 1), ((0, 0), (0, 0)), (1, 1), (1, 1))),
    "a product of many": (
        (2, 32, 20, 20),
        (64, 32, 3, 3),
        Geometry((1, 1), ((1, 1), (1, 1)), (1, 1), (1, 1)),
    ),
}


def in_memory(kernel, order):
    """The kernel with its axes in another order in memory."""
    axes = {
        "OIHW": range(kernel.ndim),
        "HWIO": [*range(2, kernel.ndim), 1, 0],
        "IOHW": [1, 0, *range(2, kernel.ndim)],
    }
    return np.ascontiguousarray(kernel.transpose(*axes[order])).transpose(np.argsort([*axes[order]]))


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("order", ["OIHW", "HWIO", "IOHW"])
def test_as_xla_of_small_integers(name, order):
    images, kernels, geometry = CASES[name]
    rng = np.random.default_rng(0)
    x, w = rng.integers(-99, 99, images), rng.integers(-99, 99, kernels)
    with jax.enable_x64(True):
        wanted = lax.conv_general_dilated(
            x.astype(np.float64),
            w.astype(np.float64),
            geometry.strides,
            geometry.padding,
            geometry.lhs_dilation,
            geometry.rhs_dilation,
            feature_group_count=geometry.feature_groups,
            batch_group_count=geometry.batch_groups,
            precision="highest",
        )
    found = convolve(x.astype(np.uint64), in_memory(w.astype(np.uint64), order), geometry)
    assert found.shape == wanted.shape
    assert (Ring(64).signed(found) == np.asarray(wanted)).all()


def by_definition(x, w, geometry):
    """The sum that a convolution is, of Python's integers, image by image and place by place."""
    pixels = spread(x.astype(object), geometry)
    per_feature, per_example = len(w) // geometry.feature_groups, len(x) // geometry.batch_groups
    reach = [(k - 1) * d + 1 for k, d in zip(w.shape[2:], geometry.rhs_dilation, strict=True)]
    out = [
        max(0, (n - r) // s + 1) for n, r, s in zip(pixels.shape[2:], reach, geometry.strides, strict=True)
    ]
    result = np.zeros((per_example, len(w), *out), object)
    for n, o, *place in np.ndindex(result.shape):
        starts = [p * s for p, s in zip(place, geometry.strides, strict=True)]
        seen = tuple(slice(a, a + r, d) for a, r, d in zip(starts, reach, geometry.rhs_dilation, strict=True))
        group = o // per_feature if geometry.feature_groups > 1 else 0
        example = n + per_example * (o // (len(w) // geometry.batch_groups))
        channels = slice(group * w.shape[1], (group + 1) * w.shape[1])
        result[(n, o, *place)] = (pixels[(example, channels, *seen)] * w[o].astype(object)).sum()
    return result


def spread(x, geometry):
    """Pixel by pixel."""
    ways = zip(x.shape[2:], geometry.lhs_dilation, geometry.padding, strict=True)
    sizes = [(n - 1) * d + 1 + low + high for n, d, (low, high) in ways]
    wide = np.zeros((*x.shape[:2], *sizes), object)
    for n, c, *place in np.ndindex(x.shape):
        there = [
            p * d + low for p, d, (low, _) in zip(place, geometry.lhs_dilation, geometry.padding, strict=True)
        ]
        if all(0 <= p < size for p, size in zip(there, sizes, strict=True)):
            wide[(n, c, *there)] = x[(n, c, *place)]
    return wide


@pytest.mark.parametrize("name", [name for name in CASES if name != "a product of many"])
@pytest.mark.parametrize("bits", [4, 8, 64])
def test_wraps_around(name, bits):
    """Rings of the size of their dtype do it by themselves; the others are wrapped once, at the end."""
    ring, (images, kernels, geometry) = Ring(bits), CASES[name]
    rng = np.random.default_rng(1)
    x, w = (
        ring.wrap(rng.integers(0, np.iinfo(ring.dtype).max, s, ring.dtype, True)) for s in (images, kernels)
    )
    found = convolve(x, w, geometry)
    assert found.dtype == ring.dtype
    assert (ring.wrap(found) == by_definition(x, w, geometry) % 2**bits).all()


def test_windows_in_an_order():
    x = np.arange(2 * 3 * 4 * 5, dtype=np.uint64).reshape(2, 3, 4, 5)
    geometry = CASES["same"][2]
    usual, other = windows(x, (3, 2), geometry), windows(x, (3, 2), geometry, [1, 2, 0])
    assert usual.shape == (3, 3, 2, 2, 4, 6)
    assert (other == usual.transpose(1, 2, 0, 3, 4, 5)).all()
    assert usual[1, 2, 0, 1, 3, 4] == 0  # below the image
    assert usual[1, 1, 0, 1, 3, 4] == x[1, 1, 3, 3]


@pytest.mark.parametrize(
    ("images", "kernels", "groups"),
    [
        ((2, 3, 4), (2, 2, 2), (1, 1)),
        ((2, 4, 4), (3, 2, 2), (2, 1)),
        ((3, 4, 4), (2, 4, 2), (1, 2)),
        ((4, 4, 4), (4, 2, 2), (2, 2)),
    ],
)
def test_groups_that_do_not_fit(images, kernels, groups):
    geometry = Geometry((1,), ((0, 0),), (1,), (1,), *groups)
    with pytest.raises(
        ValueError, match=rf"kernels .* with {groups[0]} groups of features and {groups[1]} of examples"
    ):
        convolve(np.ones(images, np.uint64), np.ones(kernels, np.uint64), geometry)
