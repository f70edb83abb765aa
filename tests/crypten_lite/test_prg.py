"""The generator against published vectors, and what it refuses."""

import copy
import hashlib
import pickle
import sys

import numpy as np
import pytest
from scipy import stats

from crypten_lite import prg
from crypten_lite._memory import _LINE
from crypten_lite.prg import Generator
from crypten_lite.ring import Ring

KEY = bytes(range(16))


def test_counter_mode():
    """NIST SP 800-38A, F.5.1: CTR-AES128."""
    key, counter = (
        bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c"),
        bytes.fromhex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"),
    )
    plain = bytes.fromhex(
        "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
        "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
    )
    wanted = (
        "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff"
        "5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3009cee"
    )
    assert prg._cipher(key, counter).update(plain).hex() == wanted


def test_stream_of_zeros():
    """Blocks 0, 1 and 2 of the key 0: H, the tag of case 1 and the text of case 2 of McGrew and Viega 2005, GCM."""
    wanted = (
        "66e94bd4ef8a2c3b884cfa59ca342b2e58e2fccefa7e3061367f1d57a4e7455a0388dace60b6a392f328c2b971b2fe78"
    )
    assert Generator(bytes(16)).bytes(48).hex() == wanted


@pytest.mark.parametrize(
    ("key", "block"),  # NIST AESAVS 2002, appendix B.1: encryptions of zeros
    [
        ("10a58869d74be5a374cf867cfb473859", "6d251e6944b051e04eaa6fb4dbf78465"),
        ("caea65cdbb75e9169ecd22ebe6e54675", "6e29201190152df4ee058139def610bb"),
        ("b6364ac4e1de1e285eaf144a2415f7a0", "5d9b05578fc944b3cf1ccf0e746cd581"),
    ],
)
def test_first_block(key, block):
    assert Generator(bytes.fromhex(key)).bytes(16).hex() == block


def test_draws_are_parts_of_one_stream():
    """However it is cut, also within a block and beyond what is encrypted at once."""
    stream = np.frombuffer(Generator(KEY).bytes(1_000_003), np.uint8)
    generator, found = Generator(KEY), []
    for shape, dtype in [
        ((3,), "uint8"),
        ((5, 7), "uint16"),
        ((0, 4), "uint64"),
        ((), "uint32"),
        ((110_000,), "uint64"),
    ]:
        drawn = generator.draw(shape, dtype)
        assert (drawn.shape, drawn.dtype) == (shape, dtype)
        found.append(drawn.tobytes())
    found = np.frombuffer(b"".join(found), np.uint8)
    assert (found == stream[: found.size]).all()


def test_no_block_twice():
    generator = Generator(KEY)
    blocks = np.concatenate([generator.draw((n, 2)) for n in (1000, 1, 70_000, 3, 500)])
    assert len(np.unique(blocks, axis=0)) == len(blocks)


def test_bytes_are_uniform():
    counts = np.bincount(Generator(KEY).draw((1 << 22,), np.uint8), minlength=256)
    assert 1e-4 < stats.chisquare(counts).pvalue < 1 - 1e-4


@pytest.mark.parametrize("bits", [2, 3, 8, 13, 33, 64])
def test_elements_of_rings(bits):
    ring = Ring(bits)
    elements = Generator(KEY).draw_ring((1 << 16,), ring)
    assert elements.dtype == ring.dtype
    assert int(elements.max()) < 2**bits
    top = (elements >> ring.dtype.type(bits - 2)).astype(np.uint8)  # the two highest bits
    assert 1e-4 < stats.chisquare(np.bincount(top, minlength=4)).pvalue < 1 - 1e-4


@pytest.mark.parametrize("shape", [(1,), (3, 5), (10_007,)])
def test_drawn_arrays_are_ones_own_and_aligned(shape):
    generator = Generator(KEY)
    first, second = generator.draw(shape), generator.draw(shape)
    assert first.ctypes.data % _LINE == 0
    assert first.flags.writeable
    assert not np.shares_memory(first, second)


def test_derived_streams_differ():
    generator = Generator(KEY)
    streams = {
        g.bytes(16) for g in [Generator(KEY), *(generator.derive(x) for x in (b"", b"a", b"b", b"\0"))]
    }
    assert len(streams) == 5
    generator.bytes(100)
    assert generator.derive(b"a").bytes(16) == Generator(KEY).derive(b"a").bytes(16)


def test_derivation_is_an_hmac():
    """By the definition of RFC 2104, written out."""
    inner, outer = (bytes(k ^ pad for k in KEY.ljust(64, b"\0")) for pad in (0x36, 0x5C))
    digest = hashlib.sha256(
        outer + hashlib.sha256(inner + b"crypten_lite.prg derive\0label").digest()
    ).digest()
    assert Generator(KEY).derive(b"label").bytes(64) == Generator(digest[:16]).bytes(64)


def test_fresh_generators_differ():
    assert len({Generator.fresh().bytes(16) for _ in range(100)}) == 100


def test_the_key_is_not_shown():
    shown = repr(Generator(KEY)) + str(Generator(KEY))
    assert KEY.hex() not in shown
    assert repr(KEY) not in shown
    assert shown == "Generator(key hidden)" * 2


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, pickle.dumps])
def test_no_copies(way):
    with pytest.raises(TypeError, match=r"neither copied nor pickled.*derive\(label\)"):
        way(Generator(KEY))


def test_no_use_after_a_fork(monkeypatch):
    generator = Generator(KEY)
    monkeypatch.setattr(prg.os, "getpid", lambda: -1)
    with pytest.raises(RuntimeError, match="forked process"):
        generator.draw((1,))


def test_keys_of_another_length():
    with pytest.raises(ValueError, match="a key of 32 bytes: AES-128 takes 16"):
        Generator(bytes(32))


@pytest.mark.parametrize("dtype", ["int64", "float32", "bool"])
def test_other_dtypes(dtype):
    with pytest.raises(TypeError, match=f"random numbers of {dtype}: give uint8"):
        Generator(KEY).draw((1,), dtype)


def test_without_cryptography(monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers", None)
    line = r"cryptography is not installed: pip install 'namedtensor-workbench\[private\]'"
    with pytest.raises(ImportError, match=line):
        Generator(KEY)
