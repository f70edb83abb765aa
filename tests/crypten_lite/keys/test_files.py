"""Files of secrets: for their owner only, never over another file, never waiting for what is none."""

import os
import stat

import pytest

from crypten_lite.keys.files import make_folder, new_file, plain_file, sync_folder, write_all
from tests.crypten_lite.keys.bounded import within

pytestmark = pytest.mark.skipif(os.name != "posix", reason="modes, pipes and alarms are POSIX")


def test_a_pipe_is_no_file_and_its_reader_does_not_wait(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with within(10), pytest.raises(OSError, match="not a plain file"):
        plain_file(tmp_path / "pipe")


@pytest.mark.parametrize("path", ["/dev/zero", "/"])
def test_devices_and_folders_are_no_files(path):
    with within(10), pytest.raises(OSError, match=r"not a plain file|Is a directory"):
        plain_file(path)


def test_a_new_file_is_its_owners_and_is_read_back(tmp_path):
    with new_file(tmp_path / "x") as file:
        write_all(file, b"some bytes")
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o600
    with plain_file(tmp_path / "x") as file:
        assert file.read() == b"some bytes"


@pytest.mark.parametrize("there", ["file", "folder", "link", "link to nothing"])
def test_a_new_file_is_new(tmp_path, there):
    path, other = tmp_path / "x", tmp_path / "other"
    if there == "file":
        path.write_text("mine")
    elif there == "folder":
        path.mkdir()
    else:
        path.symlink_to(other)
    if there == "link":
        other.write_text("mine")
    with pytest.raises(FileExistsError):
        new_file(path)
    assert not other.exists() or other.read_text() == "mine"


def test_folders_are_their_owners_down_from_what_was_there(tmp_path):
    tmp_path.chmod(0o755)
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    sync_folder(tmp_path / "a")
    modes = [stat.S_IMODE(p.stat().st_mode) for p in (tmp_path, tmp_path / "a", tmp_path / "a" / "b")]
    assert modes == [0o755, 0o700, 0o700]
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        make_folder(tmp_path / "file" / "below")


def test_what_takes_few_bytes_at_once_gets_all():
    class Slow:
        got = b""

        def write(self, data):
            self.got += bytes(data[:3])
            return min(3, len(data))

    file = Slow()
    write_all(file, b"some bytes")
    assert file.got == b"some bytes"
