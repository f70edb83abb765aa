"""Kernels: the same bits in NumPy and compiled, in pieces and whole; few programs, however deep the network."""

import itertools

import jax
import numpy as np
import pytest

import crypten_lite as ct
from crypten_lite import kernels
from crypten_lite.protocols import comparison, maximum, selection, truncation

rng = np.random.default_rng(0)
WORDS = np.array([0, 1, 2**31, 2**62, 2**63 - 1, 2**63, 2**64 - 1], np.uint64)


def words(*shape, dtype=np.uint64):
    array = rng.integers(0, 2**64, shape, dtype=np.uint64).astype(dtype)
    if dtype == np.uint64:
        array[..., : len(WORDS)] = WORDS
    return array


N = 1000
LEADS = np.array([[1], [0]], np.uint64)
BITS = {"bits": 64, "places": 16}
CASES = {
    "tables": (comparison._tables, [words(1, N)], {"groups": 4, "top": np.uint64(63)}),
    "look up": (
        comparison._look_up,
        [words(1, N), words(2, 16, N, dtype=np.uint32)],
        {"groups": 4, "top": np.uint64(63)},
    ),
    "monomials": (comparison._monomials, [words(1, N, dtype=np.uint32)], {"groups": 4}),
    "last monomials": (comparison._monomials, [words(1, N, dtype=np.uint8)], {"groups": 1}),
    "group": (
        comparison._group,
        [
            words(1, N, dtype=np.uint32),
            words(2, N, dtype=np.uint32),
            np.array([[1], [0]], np.uint8),
            words(2, N),
            words(2, N, dtype=np.uint32),
        ],
        {"groups": 4},
    ),
    "last group": (
        comparison._group,
        [
            words(1, N, dtype=np.uint8),
            words(2, N, dtype=np.uint8),
            np.array([[1], [0]], np.uint8),
            words(2, N, dtype=np.uint16),
        ],
        {"groups": 1},
    ),
    "parts": (truncation.parts, [words(1, N)], BITS),
    "public parts": (truncation.public_parts, [words(1, N)], BITS),
    "masks": (selection._masks, [words(1, N), words(1, N, dtype=np.uint8) & np.uint8(1)], BITS),
    "selected": (
        selection._selected,
        [words(1, N), words(1, N, dtype=np.uint8) & np.uint8(1), LEADS, *(words(2, N) for _ in range(5))],
        BITS,
    ),
    "lifted": (selection._lifted, [words(1, N, dtype=np.uint8) & np.uint8(1), words(2, N), LEADS], {}),
    "winner": (
        maximum._table,
        [words(1, N), *(words(1, N, dtype=np.uint8) & np.uint8(1) for _ in range(3))],
        {"entries": 8, "bits": 64, "places": 0},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_numpy_and_compiled_agree_to_the_bit(case):
    kernel, arrays, options = CASES[case]
    plain = kernel(np, *arrays, **options)
    with jax.enable_x64(True):
        fast = [np.asarray(r) for r in kernels.compiled(kernel, **options)(*arrays)]
    for a, b in zip(plain, fast, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("piece", [256, 500, 999])
def test_pieces_are_the_whole(case, piece, monkeypatch):
    kernel, arrays, options = CASES[case]
    monkeypatch.setattr(kernels, "PIECE", piece)
    whole = kernel(np, *arrays, **options)
    for a, b in zip(whole, kernels.Kernels()(kernel, *arrays, **options), strict=True):
        np.testing.assert_array_equal(a, b)


def network(depth, width):
    def apply(p, x):
        for w in p:
            x = jax.nn.relu(jax.lax.conv_general_dilated(x, w, (1, 1), "SAME"))
        return jax.nn.gelu(x).max((2, 3))

    sizes = [3] + [width] * depth
    p = [0.1 * rng.normal(size=(b, a, 3, 3)).astype(np.float32) for a, b in itertools.pairwise(sizes)]
    return apply, p, rng.normal(size=(2, 3, 24, 24)).astype(np.float32)


def test_compiled_programs_do_not_grow_with_depth(compilations):
    def run(depth, width):
        apply, p, x = network(depth, width)
        with ct.simulate() as session:
            ct.private(apply)(session.share(p), session.share(x)).reveal()

    jax.clear_caches()
    kernels.compiled.cache_clear()
    assert 0 < compilations.since(lambda: run(2, 16)) <= 20
    assert compilations.since(lambda: run(5, 16)) == 0
    assert compilations.since(lambda: run(3, 18)) <= 3  # products of another shape
