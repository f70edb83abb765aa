"""Trained parameters are kept with a checksum, and made again when they are not what was kept."""

import pytest

import namedtensor as nt
from namedtensor.models import _cache


@pytest.fixture
def made(tmp_path, monkeypatch):
    monkeypatch.setenv("NAMEDTENSOR_CACHE", str(tmp_path))
    calls = []

    def make():
        calls.append(1)
        return {"w": nt.tensor([[1.0, 2.0, 3.0]], "out embed'"), "w.bias": nt.tensor([0.5], "out")}

    def load(recipe="steps 1"):
        return _cache.cached("model", recipe, make)

    load.calls, load.folder = calls, tmp_path
    return load


def test_the_second_time_it_is_read(made):
    first, second = made(), made()
    assert len(made.calls) == 1
    assert list(second) == list(first)
    assert all(nt.equal(first[k], second[k]) and first[k].dims is second[k].dims for k in first)


def test_another_recipe_is_another_file(made):
    made(), made("steps 2")
    assert len(made.calls) == 2
    assert len(list(made.folder.glob("model-*.npz"))) == 2


def test_nothing_half_written_stays(made):
    made()
    assert {p.suffix for p in made.folder.iterdir()} == {".npz", ".sha256"}


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: data[:99] + b"?" + data[100:]])
def test_a_damaged_file_is_noticed_and_made_again(made, damage):
    made()
    (path,) = made.folder.glob("*.npz")
    path.write_bytes(damage(path.read_bytes()))
    with pytest.warns(UserWarning, match="does not match its checksum; the model is trained again"):
        made()
    assert len(made.calls) == 2
    made()
    assert len(made.calls) == 2


def test_a_missing_checksum_is_no_proof(made):
    made()
    (note,) = made.folder.glob("*.sha256")
    note.unlink()
    made()
    assert len(made.calls) == 2


def test_it_is_the_users_cache_directory_by_default(monkeypatch, tmp_path):
    monkeypatch.delenv("NAMEDTENSOR_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert _cache.directory().name == "namedtensor-workbench"
