"""The generated images: the object is where the masks say, and nothing else tells the classes apart."""

import numpy as np
import pytest

from namedtensor.datasets import planted

SOME = planted.generate(60, seed=5)


def test_names_types_and_values():
    assert dict(SOME.images.shape) == {"batch": 60, "height": 24, "width": 24, "channel": 3}
    assert (SOME.images.dtype, SOME.labels.dtype, SOME.masks.dtype) == (np.float32, np.int32, bool)
    assert len(SOME) == 60
    assert float(SOME.images.min()) >= 0
    assert float(SOME.images.max()) <= 1
    assert set(np.unique(SOME.labels.array)) == set(range(len(planted.CLASSES)))


def test_the_strokes_in_the_mask_are_the_glyph_of_the_label():
    for i in range(60):
        mask, strokes = (
            np.asarray(v.isel(batch=i).to_array("height width")) for v in (SOME.masks, SOME.strokes)
        )
        (top, left), (bottom, right) = np.argwhere(mask)[[0, -1]]
        assert (bottom - top, right - left, mask.sum()) == (6, 6, 49)
        assert not (strokes & ~mask).any()
        rows = ["".join(".#"[int(v)] for v in row) for row in strokes[top : bottom + 1, left : right + 1]]
        assert " ".join(rows) == planted._GLYPHS[planted.CLASSES[int(SOME.labels.array[i])]]


def test_the_object_is_of_one_colour_that_stands_out():
    images, strokes, masks = (
        v.to_array("batch height width ...") for v in (SOME.images, SOME.strokes, SOME.masks)
    )
    for image, on, square in zip(*map(np.asarray, (images, strokes, masks)), strict=True):
        assert np.ptp(image[on], axis=0).max() == 0
        beside = image[square & ~on].mean(0)
        assert abs(image[on][0] - beside).max() > 0.1


def test_distractors_do_not_touch_the_object_and_are_as_large():
    with_none, with_many = (planted.generate(20, seed=5, distractors=k) for k in (0, 12))
    assert not np.array_equal(with_none.images.array, with_many.images.array)
    sizes = {text.count("#") for text in planted._GLYPHS.values()}
    assert sizes <= set(range(13, 22))


def test_an_example_depends_on_the_seed_and_its_number_alone():
    few = planted.generate(3, seed=5)
    np.testing.assert_array_equal(few.images.array, SOME.images.array[:3])
    assert not np.array_equal(planted.generate(3, seed=6).images.array, few.images.array)


def test_the_place_of_the_object_is_uniform():
    many = planted.generate(400, seed=9, size=9, distractors=0)
    masks = np.asarray(many.masks.to_array("batch height width"))
    tops = np.bincount([np.argwhere(m)[0][0] for m in masks])
    assert len(tops) == 3
    assert tops.min() > 100


def test_errors():
    with pytest.raises(ValueError, match="split='test' is not known: choose one of 'train', 'heldout'"):
        planted.load("test")
    with pytest.raises(ValueError, match="n=0, size=24, distractors=2: give at least one image"):
        planted.generate(0)
    with pytest.raises(ValueError, match="of at least 7 pixels"):
        planted.generate(1, size=6)
