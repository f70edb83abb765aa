"""Prepared material is used once: by one process, after a restart, under any name, whatever fails."""

import os
import re
import shutil

import pytest

from crypten_lite.errors import MaterialError
from crypten_lite.keys import material
from crypten_lite.keys.identity import create
from tests.crypten_lite.keys.dealt import NAMES, PLAN, SPENT, full, prepare, running, spent, store, tree


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    return {name: create(name, folder) for name in (*NAMES, "dealer", "eve")}


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "prepared"


def test_a_second_use_is_refused(folder, keys):
    run, mine = prepare(folder, keys), store(folder, keys)
    taken = mine.take(run.id, PLAN)
    with pytest.raises(MaterialError, match=spent(run.id)):  # while it is open
        mine.take(run.id, PLAN)
    assert mine.unspent(PLAN) == []
    taken.close()
    with pytest.raises(MaterialError, match=spent(run.id)):  # its file is gone
        mine.take(run.id, PLAN)


def test_a_second_use_of_the_same_file_brought_back_is_refused(folder, keys, tmp_path):
    run, mine = prepare(folder, keys), store(folder, keys)
    shutil.copy(folder / "alice" / f"{run.id}.material", tmp_path / "copy")
    mine.take(run.id, PLAN).close()
    shutil.copy(tmp_path / "copy", folder / "alice" / f"{run.id}.material")
    assert mine.unspent(PLAN) == []
    with pytest.raises(MaterialError, match=spent(run.id)):
        mine.take(run.id, PLAN)


@pytest.mark.parametrize("copied", [shutil.copy, os.link, os.symlink])
def test_a_copy_under_another_name_is_the_same_material(folder, keys, copied):
    run, mine, name = prepare(folder, keys), store(folder, keys), "ab" * 16
    copied(folder / "alice" / f"{run.id}.material", folder / "alice" / f"{name}.material")
    assert mine.unspent(PLAN) == [run.id]
    with pytest.raises(MaterialError, match=f"there is no material {name} here"):
        mine.take(name, PLAN)
    taken = mine.take(run.id, PLAN)
    assert mine.unspent(PLAN) == []
    with pytest.raises(MaterialError, match=spent(run.id)):
        mine.take(name, PLAN)
    taken.close()
    with pytest.raises(MaterialError, match=spent(run.id)):
        mine.take(run.id, PLAN)


def test_a_renamed_file_is_found_by_what_is_in_it(folder, keys):
    run, mine = prepare(folder, keys), store(folder, keys)
    (folder / "alice" / f"{run.id}.material").rename(folder / "alice" / "x.material")
    assert mine.unspent(PLAN) == [run.id]
    with mine.take(run.id, PLAN) as taken:
        assert taken.seed == run.seeds["alice"]
    assert tree(folder / "alice") == [f"spent/{run.id}"]


def test_nothing_is_read_before_the_mark_is_on_the_disk(folder, keys, monkeypatch):
    run, mine, done = prepare(folder, keys), store(folder, keys), []
    real_sync, real_read = material.sync_folder, material.Reader.readinto

    def sync(path):
        done.append(path.name)
        real_sync(path)

    def read(self, target):
        done.append("read")
        real_read(self, target)

    monkeypatch.setattr(material, "sync_folder", sync)
    monkeypatch.setattr(material.Reader, "readinto", read)
    mine.take(run.id, PLAN).close()
    assert done == ["spent", "alice", "read"]


@pytest.mark.parametrize("failing", ["new_file", "make_folder", "sync_folder"])
def test_what_cannot_be_marked_is_not_used(folder, keys, monkeypatch, failing):
    run, mine = prepare(folder, keys), store(folder, keys)
    message = f"the material {run.id} cannot be marked as spent, so it is not used: No space left on device."
    monkeypatch.setattr(material, failing, full)
    with pytest.raises(MaterialError, match=re.escape(message)):
        mine.take(run.id, PLAN)
    monkeypatch.undo()
    assert mine.unspent(PLAN) == ([] if failing == "sync_folder" else [run.id])


def test_marks_that_have_no_folder_are_no_marks(folder, keys):
    run, mine = prepare(folder, keys), store(folder, keys)
    (folder / "alice" / "spent").write_text("")
    with pytest.raises(MaterialError, match="cannot be marked as spent, so it is not used"):
        mine.take(run.id, PLAN)


def test_a_mark_that_is_a_link_to_nowhere_is_a_mark(folder, keys):
    run, mine = prepare(folder, keys), store(folder, keys)
    (folder / "alice" / "spent").mkdir()
    (folder / "alice" / "spent" / run.id).symlink_to("nowhere")
    assert mine.unspent(PLAN) == []
    with pytest.raises(MaterialError, match=spent(run.id)):
        mine.take(run.id, PLAN)


TAKING = """
    import os, sys
    from pathlib import Path
    from crypten_lite.errors import MaterialError
    from crypten_lite.keys.identity import Certificate, Identity
    from crypten_lite.keys.material import Store

    keys, folder, ids = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
    alice = Identity.read(keys / "alice.key", keys / "alice.crt")
    store = Store(folder / "alice", alice, Certificate.read(keys / "dealer.crt"))
    print("ready", flush=True)
    sys.stdin.readline()
    won, lost = [], []
    for id in ids:
        try:
            taken = store.take(id, "plan one")
        except MaterialError as error:
            lost.append(str(error))
        else:
            won.append(id)
    print(*won)
    print(*lost, sep="|", flush=True)
    os._exit(0)  # killed: nothing is closed, no file is deleted
"""


def test_of_two_processes_one_wins_and_after_a_restart_none(folder, keys):
    ids = [prepare(folder, keys).id for _ in range(12)]
    arguments = keys["alice"].key_file.parent, folder, *ids
    with running(TAKING, *arguments) as one, running(TAKING, *arguments) as other:
        assert [process.stdout.readline() for process in (one, other)] == ["ready\n"] * 2
        for process in (one, other):
            process.stdin.write("\n")
            process.stdin.flush()
        (won, lost), (also_won, also_lost) = (p.stdout.read().splitlines() for p in (one, other))
    assert sorted([*won.split(), *also_won.split()]) == sorted(ids)
    assert sorted(filter(None, (lost + "|" + also_lost).split("|"))) == sorted(SPENT.format(id) for id in ids)
    mine = store(folder, keys)
    assert len(tree(folder / "alice")) == 24  # the files and the marks
    assert mine.unspent(PLAN) == []
    for id in ids:
        with pytest.raises(MaterialError, match=spent(id)):
            mine.take(id, PLAN)
