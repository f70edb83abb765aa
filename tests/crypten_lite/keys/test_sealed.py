"""Sealed files: what is read is what was written, by whom it was written, or an error."""

import json
import os
import stat
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crypten_lite.errors import MaterialError
from crypten_lite.keys import sealed
from crypten_lite.keys.files import write_all
from crypten_lite.keys.identity import Identity, create
from crypten_lite.keys.sealed import LONGEST_HEADER, Reader, Writer

CHUNK = 16  # bytes here, so that a small file has many
DATA = bytes(range(4 * CHUNK + 5))
HEADER = {"id": "a", "of": ["alice", "bob"]}
DAMAGED = (
    r"x is damaged or cut off, or it was not sealed by the pinned dealer for this alice: copy it again, or"
)
FEW = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    return {name: create(name, folder) for name in ("alice", "bob", "dealer")}


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(sealed, "CHUNK", CHUNK)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x"


def write(
    path: Path, keys: dict[str, Identity], data: bytes = DATA, reader="alice", writer="dealer", header=HEADER
):
    path.unlink(missing_ok=True)
    with Writer(path, keys[writer], keys[reader].certificate, header) as file:
        file.write(data)
    return path.read_bytes()


def read(path: Path, keys: dict[str, Identity], reader="alice", writer="dealer") -> bytes:
    with Reader(path, keys[reader], keys[writer].certificate) as file:
        data = bytearray(file.size)
        file.readinto(data)
        assert file.header == HEADER
    return bytes(data)


def start_of_chunks() -> int:
    return 8 + 32 + 4 + len(json.dumps(HEADER, sort_keys=True)) + 16


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 31, 32, 33, 48, 69])
def test_what_is_written_is_read(small, path, keys, size):
    assert len(write(path, keys, DATA[:size])) == start_of_chunks() + size + 16 * max(1, -(-size // CHUNK))
    assert read(path, keys) == DATA[:size]


@pytest.mark.parametrize("size", [0, 1 << 16, (1 << 16) + 1, 200_000])
def test_chunks_of_the_real_size(path, keys, size):
    data = np.random.default_rng(size).bytes(size)
    write(path, keys, data)
    assert read(path, keys) == data


@FEW
@given(pieces=st.lists(st.integers(0, 40), max_size=8), cuts=st.lists(st.integers(0, 40), max_size=8))
def test_pieces_do_not_matter(small, path, keys, pieces, cuts):
    """Of writes, nor of reads: the file is one stream."""
    data = bytes(i % 251 for i in range(sum(pieces)))
    path.unlink(missing_ok=True)
    start = 0
    with Writer(path, keys["dealer"], keys["alice"].certificate, HEADER) as file:
        for size in pieces:
            assert file.write(data[start : start + size]) == size
            start += size
    got, start = bytearray(len(data)), 0
    with Reader(path, keys["alice"], keys["dealer"].certificate) as file:
        for size in [*cuts, len(data)]:
            end = min(start + size, len(data))
            file.readinto(memoryview(got)[start:end])
            start = end
    assert got == data


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype=np.uint64).reshape(2, 3),
        np.ones((3, 5), bool),
        np.float16(1.5) * np.ones(3, np.float16),
        np.array(7, np.int32),
        np.zeros((0, 3), np.uint64),
    ],
    ids=lambda a: f"{a.dtype}{a.shape}",
)
def test_arrays_are_written_and_filled(small, path, keys, array):
    write(path, keys, array)
    got = np.full_like(array, 0)
    with Reader(path, keys["alice"], keys["dealer"].certificate) as file:
        assert file.size == array.nbytes
        file.readinto(got)
    np.testing.assert_array_equal(got, array)


def test_arrays_without_an_order_of_bytes_are_refused(path, keys):
    columns = np.ones((3, 3))[:, 1]
    with Writer(path, keys["dealer"], keys["alice"].certificate, HEADER) as file:
        with pytest.raises(TypeError, match="not C-contiguous"):
            file.write(columns)
        file.write(bytes(24))
    with Reader(path, keys["alice"], keys["dealer"].certificate) as file:
        with pytest.raises(TypeError, match="not C-contiguous"):
            file.readinto(columns)
        with pytest.raises(TypeError):
            file.readinto(bytes(3))  # it cannot be written to


def test_more_than_there_is_says_how_much_is_there(small, path, keys):
    write(path, keys)
    got = bytearray(len(DATA))
    with Reader(path, keys["alice"], keys["dealer"].certificate) as file:
        file.readinto(memoryview(got)[:60])
        with pytest.raises(MaterialError, match=r"x holds 9 bytes where 10 are needed\."):
            file.readinto(bytearray(10))
        file.readinto(memoryview(got)[60:])  # nothing was lost
    assert got == DATA
    with pytest.raises(MaterialError, match=r"x holds 0 bytes where 1 are needed\."):
        file.readinto(bytearray(1))


# What others do to a file


def test_every_flipped_bit_is_refused(small, path, keys):
    good = write(path, keys)
    for place in range(len(good)):
        changed = bytearray(good)
        changed[place] ^= 1 << place % 8
        path.write_bytes(changed)
        with pytest.raises(MaterialError):
            read(path, keys)


def test_every_truncation_is_refused_at_opening(small, path, keys):
    good = write(path, keys)
    for size in range(len(good)):
        path.write_bytes(good[:size])
        with pytest.raises(MaterialError):
            Reader(path, keys["alice"], keys["dealer"].certificate)


@pytest.mark.parametrize("extra", [1, 15, 16, 17, 32, 33])
def test_what_is_appended_is_refused_at_opening(small, path, keys, extra):
    good = write(path, keys)
    for more in (bytes(extra), good[-extra:]):
        path.write_bytes(good + more)
        with pytest.raises(MaterialError, match=DAMAGED):
            Reader(path, keys["alice"], keys["dealer"].certificate)


def chunks_of(content: bytes) -> tuple[bytes, list[bytes]]:
    start, step = start_of_chunks(), CHUNK + 16
    return content[:start], [content[i : i + step] for i in range(start, len(content), step)]


def moved(chunks, *order):
    return [chunks[i] for i in order]


@pytest.mark.parametrize(
    "order",
    [
        (1, 0, 2, 3, 4),
        (0, 1, 3, 2, 4),
        (0, 1, 2, 4),
        (0, 1, 2, 3),
        (0, 0, 1, 2, 3, 4),
        (4,),
        (0, 4),
        (0, 1, 2, 3, 4, 4),
    ],
)
def test_chunks_have_their_places(small, path, keys, order):
    head, chunks = chunks_of(write(path, keys))
    assert len(chunks) == 5
    path.write_bytes(head + b"".join(moved(chunks, 0, 1, 2, 3, 4)))
    assert read(path, keys) == DATA
    path.write_bytes(head + b"".join(moved(chunks, *order)))
    with pytest.raises(MaterialError, match=DAMAGED):
        read(path, keys)


def test_chunks_of_another_file_are_refused(small, path, keys):
    """Of the same two, with the same header and the same contents."""
    (head, ours), (_, others) = chunks_of(write(path, keys)), chunks_of(write(path, keys))
    for place in range(5):
        path.write_bytes(head + b"".join([*ours[:place], others[place], *ours[place + 1 :]]))
        with pytest.raises(MaterialError, match=DAMAGED):
            read(path, keys)


@FEW
@given(data=st.data())
def test_no_edit_is_read_as_something_else(small, path, keys, data):
    """Cut, doubled, moved or overwritten: what opens is the file itself."""
    good = write(path, keys)
    places = st.integers(0, len(good))
    start, end, to = data.draw(places), data.draw(places), data.draw(places)
    piece = data.draw(st.sampled_from([b"", good[start:end], bytes(max(end - start, 0))]))
    changed = good[:to] + piece + good[data.draw(places) :]
    path.write_bytes(changed)
    if changed == good:
        assert read(path, keys) == DATA
        return
    with pytest.raises(MaterialError):
        read(path, keys)


def test_a_damaged_chunk_gives_nothing_of_itself(small, path, keys):
    content = bytearray(write(path, keys))
    content[start_of_chunks() + CHUNK + 16] ^= 1  # the second chunk
    path.write_bytes(content)
    got = bytearray(2 * CHUNK)
    with (
        Reader(path, keys["alice"], keys["dealer"].certificate) as file,
        pytest.raises(MaterialError, match=DAMAGED),
    ):
        file.readinto(got)
    assert got == DATA[:CHUNK] + bytes(CHUNK)


def test_a_file_that_shrinks_while_it_is_read(small, path, keys):
    write(path, keys)
    with Reader(path, keys["alice"], keys["dealer"].certificate) as file:
        os.truncate(path, start_of_chunks() + 40)
        file.readinto(bytearray(CHUNK))
        with pytest.raises(MaterialError, match=DAMAGED):
            file.readinto(bytearray(CHUNK))


# Who wrote it, and for whom


@pytest.mark.parametrize(
    ("reader", "writer"),
    [("bob", "dealer"), ("alice", "bob"), ("bob", "alice"), ("dealer", "alice"), ("alice", "alice")],
)
def test_only_the_reader_opens_it_and_only_the_writer_made_it(path, keys, reader, writer):
    write(path, keys)
    assert read(path, keys) == DATA
    message = (
        rf"not sealed by the pinned {writer} for this {reader}: copy it again, or check the certificates\."
    )
    with pytest.raises(MaterialError, match=message):
        read(path, keys, reader, writer)


def test_contents_are_not_in_the_file(path, keys):
    secret = b"a secret that is long enough"
    assert secret not in write(path, keys, secret)


def test_two_files_of_the_same_contents_differ(path, keys):
    first, second = write(path, keys), write(path, keys)
    start = start_of_chunks()
    assert first[8:40] != second[8:40]
    assert not set(zip(first[start:], second[start:], strict=True)) <= {(b, b) for b in range(256)}


def test_the_layout_is_what_is_documented(small, path, keys):
    """Opened with nothing but the package `cryptography`."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    content = write(path, keys)
    text = json.dumps(HEADER, sort_keys=True).encode()
    assert content[:8] == b"ctseal\x00\x01"
    assert content[40:44] == len(text).to_bytes(4, "big")
    assert content[44 : 44 + len(text)] == text
    dealer = keys["dealer"].certificate
    info = b"crypten_lite sealed file " + text
    cipher = AESGCM(keys["alice"].key_to_open(dealer, content[8:40], info))
    head, chunks = chunks_of(content)
    assert cipher.decrypt(bytes(11) + b"\x02", head[-16:], None) == b""
    nonces = [bytes(10) + bytes([i, i == 4]) for i in range(5)]
    assert b"".join(cipher.decrypt(n, c, None) for n, c in zip(nonces, chunks, strict=True)) == DATA


# Headers


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", DAMAGED),
        (b"short", DAMAGED),
        (b"PK\x03\x04" + bytes(100), r"x is no sealed file, or one of another version\."),
        (b"ctseal\x00\x02" + bytes(100), r"x is no sealed file, or one of another version\."),
        (b"ctseal\x00\x01" + bytes(32) + b"\xff\xff\xff\xff" + bytes(99), "x is no sealed file"),
        (b"ctseal\x00\x01" + bytes(32) + b"\x00\x01\x00\x00" + bytes(99), DAMAGED),
    ],
)
def test_rubbish_is_refused(path, keys, content, message):
    path.write_bytes(content)
    with pytest.raises(MaterialError, match=message):
        Reader(path, keys["alice"], keys["dealer"].certificate)


@pytest.mark.parametrize("text", [b"[1]", b"{", b"\xff", b"[" * 50_000])
def test_a_header_of_a_writer_gone_wrong(path, keys, monkeypatch, text):
    class Wrong(str):
        def encode(self):
            return text

    monkeypatch.setattr(sealed.json, "dumps", lambda *_, **__: Wrong())
    write(path, keys)
    with pytest.raises(MaterialError, match=DAMAGED):
        Reader(path, keys["alice"], keys["dealer"].certificate)


def test_headers_are_bounded(path, keys):
    most = {"a": "x" * (LONGEST_HEADER - len('{"a": ""}'))}
    write(path, keys, header=most)
    with Reader(path, keys["alice"], keys["dealer"].certificate) as file:
        assert file.header == most
    path.unlink()
    with pytest.raises(ValueError, match="the header has 65537 bytes: at most 65536"):
        write(path, keys, header={"a": most["a"] + "x"})
    assert list(path.parent.iterdir()) == []


def test_a_file_that_is_none(path, keys):
    with pytest.raises(MaterialError, match=r"x cannot be read: No such file or directory\."):
        read(path, keys)
    path.mkdir()
    with pytest.raises(MaterialError, match=r"x cannot be read: (not a plain file|Is a directory)\."):
        read(path, keys)


# Writing


def test_nothing_has_the_name_before_it_is_complete(path, keys):
    part = path.with_name("x.part")
    file = Writer(path, keys["dealer"], keys["alice"].certificate, HEADER)
    file.write(DATA)
    assert [p.name for p in path.parent.iterdir()] == ["x.part"]
    assert stat.S_IMODE(part.stat().st_mode) == 0o600
    file.finish()
    assert [p.name for p in path.parent.iterdir()] == ["x.part"]
    file.publish()
    assert [p.name for p in path.parent.iterdir()] == ["x"]
    file.close()  # again: nothing
    assert read(path, keys) == DATA


def test_a_block_that_raises_leaves_nothing(path, keys):
    file = Writer(path, keys["dealer"], keys["alice"].certificate, HEADER)

    def stopped():
        with file:
            file.write(DATA)
            raise KeyError

    with pytest.raises(KeyError):
        stopped()
    assert list(path.parent.iterdir()) == []
    with pytest.raises(ValueError, match="closed file"):
        file.close()


@pytest.mark.parametrize("name", ["x", "x.part"])
def test_nothing_is_overwritten(path, keys, name):
    path.with_name(name).write_text("mine")
    with pytest.raises(FileExistsError):
        Writer(path, keys["dealer"], keys["alice"].certificate, HEADER)
    assert path.with_name(name).read_text() == "mine"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("after", [1, 2, 3, 6])
def test_a_full_disk_leaves_nothing(small, path, keys, monkeypatch, after):
    written = []

    def filling(file, data):
        written.append(len(data))
        if len(written) >= after:
            with open("/dev/full", "wb", buffering=0) as full:
                write_all(full, data)
        write_all(file, data)

    monkeypatch.setattr(sealed, "write_all", filling)
    with pytest.raises(OSError, match="No space left on device"):
        write(path, keys)
    assert len(written) == after
    assert list(path.parent.iterdir()) == []


def test_a_disk_that_fails_at_the_end_leaves_nothing(path, keys, monkeypatch):
    def failing(descriptor):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(OSError, match="Input/output error"):
        write(path, keys)
    assert list(path.parent.iterdir()) == []


def test_an_error_that_is_swallowed_does_not_become_a_file(path, keys, monkeypatch):
    def failing(file, data):
        raise OSError(5, "Input/output error")

    file = Writer(path, keys["dealer"], keys["alice"].certificate, HEADER)
    monkeypatch.setattr(sealed, "write_all", failing)
    with pytest.raises(OSError, match="Input/output"):
        file.write(bytes(200_000))
    monkeypatch.undo()
    with pytest.raises(ValueError, match="closed file"):
        file.close()
    assert list(path.parent.iterdir()) == []


def test_memory_is_bounded(path, keys):
    piece, pieces = np.ones(1 << 18, np.uint8), 32  # 8 MiB in all
    with Writer(path, keys["dealer"], keys["alice"].certificate, HEADER) as file:
        tracemalloc.start()
        for _ in range(pieces):
            file.write(piece)
        written = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    with Reader(path, keys["alice"], keys["dealer"].certificate) as file:
        tracemalloc.start()
        for _ in range(pieces):
            file.readinto(piece)
        read = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert max(written, read) < 1 << 20
