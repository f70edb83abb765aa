"""The two photographs: what is shrunk, what the outlines say, and where the dahlia was pasted."""

import numpy as np
import pytest

from namedtensor.datasets import photographs

SMALL = {name: photographs.load(name, shrink=4) for name in photographs.NAMES}
PASTED = photographs.pasted(shrink=4)


def pixels(image):
    return np.asarray(image.to_array("height width channel"))


def places(x):
    return np.asarray(x.to_array("height width"))


def test_names_types_and_values():
    for photo in SMALL.values():
        assert dict(photo.image.shape) == {"height": 106, "width": 160, "channel": 3}
        assert dict(photo.classes.shape) == {"height": 106, "width": 160}
        assert (photo.image.dtype, photo.classes.dtype) == (np.float32, np.int32)
        assert 0 <= pixels(photo.image).min() < 0.1
        assert 0.9 < pixels(photo.image).max() <= 1


@pytest.mark.parametrize("name", photographs.NAMES)
def test_it_is_the_photograph_of_scikit_learn(name):
    from sklearn.datasets import load_sample_image

    given = load_sample_image(f"{name}.jpg")
    whole = photographs.load(name)
    np.testing.assert_array_equal(np.round(255 * pixels(whole.image)), given)
    corner = given[8:12, 40:44].reshape(16, 3).mean(0) / 255
    np.testing.assert_allclose(pixels(SMALL[name].image)[2, 10], corner, atol=1e-6)


def test_what_the_outlines_cover_has_the_colours_of_its_name():
    found = {}
    for photo in SMALL.values():
        for number in range(len(photographs.CLASSES)):
            inside = pixels(photo.image)[places(photo.classes) == number]
            if len(inside):
                found.setdefault(photographs.CLASSES[number], []).append(np.median(inside, axis=0))
    red, green, blue = found["sky"][0]
    assert red < green < blue
    assert blue > 0.8
    (red, green, blue) = found["dahlia"][0]
    assert red > green + 0.1 > blue + 0.2
    assert [len(found[name]) for name in photographs.CLASSES] == [1, 2, 1, 1]
    assert all(leaves.max() < 0.45 for leaves in found["leaves"])
    assert np.linalg.norm(found["temple"][0] - found["dahlia"][0]) > 0.3


def test_the_middle_cuts_the_temple_and_the_dahlia_in_half():
    for name, number in (("china", 2), ("flower", 3)):
        there = places(SMALL[name].classes) == number
        left = there[:, : SMALL[name].middle].sum() / there.sum()
        assert 0.4 < left < 0.6


def test_a_square_has_a_class_if_all_its_pixels_have():
    whole, small = places(photographs.load("china").classes), places(SMALL["china"].classes)
    for row, column in ((10, 10), (50, 50), (63, 105), (7, 50), (34, 4)):
        square = whole[4 * row : 4 * row + 4, 4 * column : 4 * column + 4]
        want = square[0, 0] if (square == square[0, 0]).all() else -1
        assert small[row, column] == want
    assert {-1, 0, 1, 2} == set(np.unique(small))


def test_the_dahlia_is_pasted_and_the_rest_is_left_as_it_is():
    there, whole = photographs.pasted(), photographs.load("china")
    mask = places(there.masks["dahlia"])
    same = (pixels(there.image) == pixels(whole.image)).all(-1)
    assert same[~mask].all()
    assert same[mask].mean() < 0.05
    moved = np.roll(pixels(photographs.load("flower").image), (-60, 185), (0, 1))
    np.testing.assert_array_equal(pixels(there.image)[mask], moved[mask])


def test_the_masks_do_not_meet():
    temple, dahlia = (places(PASTED.masks[name]) for name in ("temple", "dahlia"))
    assert not (temple & dahlia).any()
    assert 0.15 < temple.mean() < 0.3
    assert 0.15 < dahlia.mean() < 0.3


def test_errors():
    with pytest.raises(ValueError, match="no photograph 'cat'; there are: 'china', 'flower'"):
        photographs.load("cat")
    for shrink in (0, 428):
        with pytest.raises(
            ValueError, match=f"shrink={shrink}: the photographs are 427 x 640; give 1 to 427"
        ):
            photographs.pasted(shrink=shrink)
