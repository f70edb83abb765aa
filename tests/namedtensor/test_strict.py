"""`nt.strict`: an outer product is refused, and nothing else is."""

import threading

import jax
import pytest

import namedtensor as nt
from namedtensor._errors import DimMismatch


def batch():
    return nt.ones("batch:2")


def matrix():
    return nt.ones("seq:3 batch:2")


def test_an_outer_product_is_refused_and_the_text_says_how_to_ask_for_it():
    with nt.strict(), pytest.raises(DimMismatch) as caught:
        batch() * nt.ones("seq:3")
    for part in (
        "nt.multiply",
        "left f32[batch:2]",
        "right f32[seq:3]",
        "x.expand('seq:...')",
        "nt.strict()",
    ):
        assert part in str(caught.value)


def test_what_was_computed_before_is_refused_too():
    product = batch() * nt.ones("seq:3")  # its plan is in the cache
    with nt.strict(), pytest.raises(DimMismatch):
        batch() * nt.ones("seq:3")
    assert (batch() * nt.ones("seq:3")).shape == product.shape


def test_containment_numbers_contractions_and_gathers_are_allowed():
    with nt.strict():
        assert (matrix() + batch()).shape == {"seq": 3, "batch": 2}
        assert (2.0 * batch()).shape == {"batch": 2}
        assert nt.where(matrix() > 0, batch(), 0.0).ndim == 2
        assert nt.dot(matrix(), nt.ones("batch:2 out:5"), over="batch").shape == {"seq": 3, "out": 5}
        assert matrix().isel(batch=nt.tensor([0, 1, 1], "new")).shape == {"new": 3, "seq": 3}


def test_the_one_with_most_names_counts_in_where():
    with nt.strict(), pytest.raises(DimMismatch, match="'embed batch seq'"):
        nt.where(batch() > 0, nt.ones("embed:2 batch:2"), nt.ones("seq:3"))


def test_composites_are_not_touched_inside_the_library():
    def loss(x):
        return nt.nn.cross_entropy(x, nt.tensor([0, 1, 0], "seq"), "batch").sum()

    with nt.strict():
        nt.clear_cache()
        assert nt.grad(loss)(matrix()).shape == {"seq": 3, "batch": 2}
        assert matrix().standardize("seq").shape == {"seq": 3, "batch": 2}


def test_under_jit_and_with_blocks_inside_each_other():
    with nt.strict():
        with pytest.raises(DimMismatch):
            jax.jit(lambda x, y: x * y)(batch(), nt.ones("seq:3"))
        with nt.strict(False):
            assert (batch() * nt.ones("seq:3")).ndim == 2
        with pytest.raises(DimMismatch):
            batch() * nt.ones("seq:3")


def test_it_ends_with_its_block_also_after_an_error_and_is_of_one_thread():
    with pytest.raises(KeyError), nt.strict():
        raise KeyError
    dims = []
    with nt.strict():
        thread = threading.Thread(target=lambda: dims.append((batch() * nt.ones("seq:3")).ndim))
        thread.start()
        thread.join()
    assert dims == [2]
