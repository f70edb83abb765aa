"""Products in the ring against Python's integers."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypten_lite import _tiles, limbs, products
from crypten_lite.ring import Ring

EXTREMES = [0, 1, 2**15, 2**16 - 1, 2**16, 2**31, 2**32 - 1, 2**32, 2**48 - 1, 2**63 - 1, 2**63, 2**64 - 1]
WAYS = {"numpy": lambda a, b: a.swapaxes(1, 2) @ b, "tiles": _tiles.multiply, "limbs": limbs.multiply}


def by_tile(tile, a, b):
    """With a tile that the size would not have chosen."""
    out = np.empty((len(a), a.shape[2], b.shape[2]), a.dtype)
    _tiles._fill(out, tile, a, b)
    return out


def name(tile):
    return f"tiles of {tile.rows} x {tile.columns}"


WAYS |= {name(tile): (lambda a, b, tile=tile: by_tile(tile, a, b)) for tile in _tiles.TILES}


def exactly(a, b):
    """By Python's integers."""
    bits = a.dtype.itemsize * 8
    return ((a.swapaxes(1, 2).astype(object) @ b.astype(object)) % 2**bits).astype(a.dtype)


def draw(stack, k, m, n, dtype="uint64", seed=0):
    rng = np.random.default_rng(seed)
    most = np.iinfo(dtype).max
    return [rng.integers(0, most, s, dtype=dtype, endpoint=True) for s in ((stack, k, m), (stack, k, n))]


@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32), k=st.integers(1, 300))
def test_extreme_digits(way, seed, k):
    rng = np.random.default_rng(seed)
    a, b = (rng.choice(np.array(EXTREMES, np.uint64), (2, k, n)) for n in (5, 3))
    assert (WAYS[way](a, b) == exactly(a, b)).all()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "shape",
    [
        (1, 1, 1, 1),
        (1, 16, 8, 8),
        (1, 17, 9, 1),
        (1, 300, 70, 66),
        (3, 65, 130, 9),
        (1, 3, 5, 260),
        (9, 40, 65, 12),
    ],
)
def test_shapes_around_the_tiles(way, shape):
    a, b = draw(*shape)
    assert (WAYS[way](a, b) == exactly(a, b)).all()


@pytest.mark.parametrize("tile", _tiles.TILES, ids=name)
@pytest.mark.parametrize(("k", "m", "n"), [(2100, 30, 140), (2049, 17, 3), (513, 520, 2)])
def test_long_sums(tile, k, m, n):
    """In several calls, whose last has few terms; NumPy's product is the one that `test_extreme_digits` checks."""
    a, b = draw(1, k, m, n)
    assert (by_tile(tile, a, b) == a.swapaxes(1, 2) @ b).all()


@pytest.mark.parametrize("way", ["tiles", name(_tiles.TILES[-1])])
@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (1, 0, 2), (2, 1, 0), (2, 0, 1), (1, 2, 0)])
def test_axes_in_any_order(way, order):
    """In memory: transposed, with gaps, backwards, repeated."""
    a, b = draw(3, 50, 24, 30)
    wanted = exactly(a, b)
    shuffled = [np.ascontiguousarray(x.transpose(order)).transpose(np.argsort(order)) for x in (a, b)]
    assert (WAYS[way](*shuffled) == wanted).all()
    gaps = [
        np.repeat(np.repeat(x, 2, 2), 3, 1).transpose(order).copy().transpose(np.argsort(order))
        for x in (a, b)
    ]
    assert (WAYS[way](*(x[:, ::3, ::2] for x in gaps)) == wanted).all()
    assert (WAYS[way](a[:, ::-1], b[:, ::-1]) == wanted).all()
    repeated = np.broadcast_to(a[:1], a.shape)
    assert (WAYS[way](repeated, b) == exactly(repeated, b)).all()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32"])
def test_small_dtypes(way, dtype):
    a, b = draw(2, 50, 9, 11, dtype)
    found = WAYS[way](a, b)
    assert found.dtype == dtype
    assert (found == exactly(a, b)).all()


@pytest.mark.parametrize("bits", [4, 8, 13])
@pytest.mark.parametrize("size", [9, 130])
def test_rings_smaller_than_their_dtype(bits, size):
    """The dtype's range is a multiple of the ring's: wrapping the result is enough."""
    ring, rng = Ring(bits), np.random.default_rng(bits)
    a, b = (rng.integers(0, 2**bits, (size, size)) for _ in range(2))
    found = ring.wrap(products.matmul(ring.of(a), ring.of(b)))
    assert found.dtype == ring.dtype
    assert (found == (a @ b) % 2**bits).all()


def test_largest_limbs_stay_exact():
    """Sums of 2 ** 21 products of the largest limbs, and of more in two parts."""
    a = np.full((1, 2**21 + 5, 1), 2**64 - 1, np.uint64)
    assert limbs.multiply(a, a)[0, 0, 0] == (2**21 + 5) * (2**64 - 1) ** 2 % 2**64


def test_the_size_chooses(monkeypatch):
    used = []
    ones = {"tiles": (_tiles, "multiply"), "limbs": (limbs, "multiply")}
    for name, (module, function) in ones.items():
        monkeypatch.setattr(
            module, function, lambda a, b, name=name: used.append(name) or np.zeros((1, 200, 200))
        )
    small, large = draw(1, 10, 10, 10), draw(1, 200, 200, 200)
    assert (products.product(small[0][0], small[1][0]) == exactly(*small)[0]).all()
    assert used == []
    products.product(large[0][0], large[1][0])
    products.matmul(large[0], large[1])
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    products.product(large[0][0], large[1][0])
    assert used == ["tiles", "tiles", "limbs"]


def matmul_shapes():
    return st.tuples(*(st.integers(1, 70) for _ in range(3)))


@settings(max_examples=25, deadline=None)
@given(matmul_shapes(), st.sampled_from([(), (2,), (3, 1), (4, 2)]), st.sampled_from([(), (1,), (2,)]))
def test_stacks_of_matrices(sizes, left, right):
    m, k, n = sizes
    rng = np.random.default_rng(k)
    a, b = (rng.integers(0, 2**64, s, dtype=np.uint64) for s in ((*left, m, k), (*right, k, n)))
    wanted = (a.astype(object) @ b.astype(object)) % 2**64
    found = products.matmul(a, b)
    assert found.shape == wanted.shape
    assert (found == wanted).all()


@pytest.mark.parametrize(
    "shapes", [((4, 64, 32), (4, 32, 64)), ((40, 1, 64, 32), (2, 32, 64)), ((2, 300, 70), (70, 90))]
)
def test_large_stacks(shapes):
    rng = np.random.default_rng(0)
    a, b = (rng.integers(0, 2**64, s, dtype=np.uint64) for s in shapes)
    assert (products.matmul(a, b) == a @ b).all()
    turned = np.ascontiguousarray(b.swapaxes(-1, -2)).swapaxes(-1, -2)
    assert (products.matmul(a, turned) == a @ b).all()


@pytest.mark.parametrize("shapes", [((0, 3), (3, 2)), ((2, 0), (0, 3)), ((0, 2, 3), (3, 4))])
def test_nothing_to_multiply(shapes):
    a, b = (np.ones(s, np.uint64) for s in shapes)
    found = products.matmul(a, b)
    assert found.shape == (a @ b).shape
    assert (found == 0).all()


def test_few_programs_for_all_shapes(compilations):
    rng = np.random.default_rng(0)

    def many():
        for _ in range(60):
            stack, k, m, n = (int(x) for x in rng.integers(1, [4, 400, 300, 300]))
            _tiles.multiply(*draw(stack, k, m, n))

    assert compilations.since(many) <= len(_tiles.TILES) == 5


def test_operands_that_do_not_fit():
    a, b = (x[0] for x in draw(1, 3, 2, 2))
    for multiply in (products.product, products.matmul):
        with pytest.raises(ValueError, match="a product of uint64 and int64: both are of one unsigned dtype"):
            multiply(a[:2], b[:2].astype(np.int64))
    with pytest.raises(ValueError, match=r"a product of \[3, 2\] and \[2, 2\]: both have the same first"):
        products.product(a, b[:2])
    with pytest.raises(ValueError, match=r"\(3, 2\) @ \(3, 2\): the last axis of the one"):
        products.matmul(a, b)
