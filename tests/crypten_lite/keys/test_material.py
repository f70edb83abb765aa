"""Prepared material: all of a run or none of it, and only what is meant for this party and program."""

import contextlib
import dataclasses
import os
import re
import stat
import sys

import numpy as np
import pytest

from crypten_lite.errors import ConfigError, MaterialError
from crypten_lite.keys import preparation, sealed
from crypten_lite.keys.identity import create
from crypten_lite.keys.material import Store, prepared
from tests.crypten_lite.keys.dealt import (
    CORRECTIONS,
    NAMES,
    OTHER,
    PLAN,
    full,
    prepare,
    running,
    spent,
    started,
    store,
    tree,
)


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    return {name: create(name, folder) for name in (*NAMES, "dealer", "eve")}


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "prepared"


# Preparing


def test_each_party_gets_its_seed_and_the_last_one_the_corrections(folder, keys):
    run = prepare(folder, keys)
    assert re.fullmatch("[0-9a-f]{32}", run.id)
    assert tree(folder) == [f"{name}/{run.id}.material" for name in NAMES]
    assert len({*run.seeds.values()}) == 3
    for name in NAMES:
        mine = store(folder, keys, name)
        assert mine.unspent(PLAN) == mine.require_unspent(PLAN) == [run.id]
        with mine.take(run.id, PLAN) as taken:
            assert (taken.id, taken.parties, taken.seed) == (run.id, NAMES, run.seeds[name])
            assert len(taken.seed) == 32
            assert taken.size == (CORRECTIONS.nbytes if name == "carol" else 0)
            got = np.zeros_like(CORRECTIONS)[: taken.size // 8]
            taken.readinto(memoryview(got[:3]))
            taken.readinto(got[3:])
            np.testing.assert_array_equal(got, CORRECTIONS[: len(got)])
            with pytest.raises(MaterialError, match=r"\.material holds 0 bytes where 1 are needed\."):
                taken.readinto(bytearray(1))
        assert tree(folder / name) == [f"spent/{run.id}"]


def test_every_run_is_another(folder, keys):
    runs = [prepare(folder, keys) for _ in range(3)]
    assert len({run.id for run in runs}) == 3
    assert len({seed for run in runs for seed in run.seeds.values()}) == 9
    assert store(folder, keys).unspent(PLAN) == sorted(run.id for run in runs)


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
def test_all_is_for_its_owner_only(folder, keys):
    run = prepare(folder, keys)
    store(folder, keys).take(run.id, PLAN).close()
    for path in (folder, *folder.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


def test_nothing_is_there_before_all_is(folder, keys):
    with started(folder, keys) as run:
        run.write(CORRECTIONS)
        assert tree(folder) == [f"{name}/{run.id}.material.part" for name in NAMES]
        assert store(folder, keys).unspent(PLAN) == []
    assert tree(folder) == [f"{name}/{run.id}.material" for name in NAMES]


@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt])
def test_a_run_that_stops_leaves_nothing(folder, keys, error):
    def stopped():
        with started(folder, keys) as run:
            run.write(CORRECTIONS)
            raise error

    with pytest.raises(error):
        stopped()
    assert tree(folder) == []


def test_other_errors_of_the_system_are_not_the_disks(folder, keys):
    with pytest.raises(FileNotFoundError), started(folder, keys):
        (folder / "none").read_bytes()
    assert tree(folder) == []


def test_no_file_gets_its_name_before_all_are_on_the_disk(folder, keys, monkeypatch):
    done = []
    for name in ("finish", "publish"):

        def step(self, name=name, real=getattr(sealed.Writer, name)):
            done.append(name)
            real(self)

        monkeypatch.setattr(sealed.Writer, name, step)
    prepare(folder, keys)
    assert done == ["finish"] * 3 + ["publish"] * 3


@pytest.mark.parametrize("names", [(), ("alice",), ("alice", "bob", "alice"), ("alice", "bob", "Bob")])
def test_parties_are_two_or_more_of_different_names(folder, keys, names):
    parties = [dataclasses.replace(keys[name.lower()].certificate, name=name) for name in names]
    with (
        pytest.raises(ConfigError, match="two or more parties of different names, not for"),
        prepared(folder, keys["dealer"], parties, PLAN),
    ):
        pass
    assert not folder.exists()


def test_seeds_are_not_shown(folder, keys):
    run = prepare(folder, keys)
    with store(folder, keys).take(run.id, PLAN) as taken:
        for shown in (repr(run), str(run), repr(taken), str(taken), repr(store(folder, keys))):
            for seed in run.seeds.values():
                assert repr(seed)[2:-1] not in shown
                assert seed.hex() not in shown


# A disk that is full, or fails


def failures(monkeypatch, times):
    """A function of the system that works some times, and then no more."""

    def failing(name, module):
        real, left = getattr(module, name), [times]

        def sometimes(*arguments):
            left[0] -= 1
            return real(*arguments) if left[0] >= 0 else full()

        monkeypatch.setattr(module, name, sometimes)

    return failing


FAILING = [
    ("make_folder", preparation),
    ("new_file", sealed),
    ("write_all", sealed),
    ("fsync", os),
    ("replace", os),
]


@pytest.mark.parametrize("times", [0, 1, 2])
@pytest.mark.parametrize(("name", "module"), FAILING, ids=[name for name, _ in FAILING])
def test_wherever_the_disk_fails_no_half_of_a_run_stays(folder, keys, monkeypatch, name, module, times):
    done = [prepare(folder, keys) for _ in range(2)]
    failures(monkeypatch, times)(name, module)
    message = (
        f"no material can be written to {folder}: No space left on device. The run that was being prepared is "
        "removed; 2 complete runs are there. Make room, then run `python -m crypten_lite prepare` for those that "
        "are missing."
    )
    with pytest.raises(MaterialError, match=re.escape(message)):
        prepare(folder, keys, corrections=bytes(200_000))
    monkeypatch.undo()
    assert tree(folder) == sorted(f"{name}/{run.id}.material" for run in done for name in NAMES)
    assert store(folder, keys).unspent(PLAN) == sorted(run.id for run in done)


def test_a_failed_run_stays_failed(folder, keys, monkeypatch):
    """A caller that swallows the error gets another one, and no file."""

    def swallowed():
        with started(folder, keys) as run:
            monkeypatch.setattr(sealed, "write_all", full)
            with contextlib.suppress(MaterialError):
                run.write(bytes(200_000))
            monkeypatch.undo()

    with pytest.raises(ValueError, match="closed file"):
        swallowed()
    assert tree(folder) == []


LIMITED = """
    import resource, sys
    from pathlib import Path
    from crypten_lite.errors import MaterialError
    from crypten_lite.keys.identity import Certificate, Identity
    from crypten_lite.keys.material import prepared

    keys, folder = Path(sys.argv[1]), Path(sys.argv[2])
    dealer = Identity.read(keys / "dealer.key", keys / "dealer.crt")
    parties = [Certificate.read(keys / f"{name}.crt") for name in ("alice", "bob", "carol")]
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
    for size in (100_000, 1_000_000):
        try:
            with prepared(folder, dealer, parties, "plan one") as run:
                run.write(bytes(size))
        except MaterialError as error:
            print(error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of the size of a file")
def test_a_file_that_the_system_does_not_let_grow(folder, keys):
    with running(LIMITED, keys["dealer"].key_file.parent, folder) as process:
        (said,) = process.stdout.read().splitlines()
    assert re.search("File too large.*removed; 1 complete runs are there", said)
    assert len(tree(folder)) == 3
    assert not [name for name in tree(folder) if not name.endswith(".material")]


# What else lies in a folder


def test_what_is_for_other_programs_is_left_alone(folder, keys):
    run, other, mine = prepare(folder, keys), prepare(folder, keys, OTHER), store(folder, keys)
    assert (mine.unspent(PLAN), mine.unspent(OTHER)) == ([run.id], [other.id])
    with pytest.raises(MaterialError, match=f"the material {other.id} is for another program"):
        mine.take(other.id, PLAN)
    mine.take(other.id, OTHER).close()


def test_an_empty_store_says_what_is_there(folder, keys):
    mine = store(folder, keys)
    for _ in range(2):
        prepare(folder, keys, OTHER)
    mine.take(prepare(folder, keys).id, PLAN).close()
    damaged = folder / "alice" / "x.material"
    damaged.write_bytes(b"ctseal")
    message = (
        "no unspent material for this program: here 2 for other programs, 1 spent, 1 not readable. Let the dealer run "
        "`python -m crypten_lite prepare` for this program, and bring the new files of alice here. x.material is "
        "damaged or cut off"
    )
    with pytest.raises(MaterialError, match=re.escape(message)):
        mine.require_unspent(PLAN)
    assert mine.unspent(PLAN) == []


def test_the_folder_of_all_parties_is_not_one_partys(folder, keys):
    prepare(folder, keys)
    all_of_them = Store(folder, keys["alice"], keys["dealer"].certificate)
    with pytest.raises(MaterialError, match=r"Or is it the folder alice in here\?"):
        all_of_them.require_unspent(PLAN)
    none = Store(folder / "none", keys["alice"], keys["dealer"].certificate)
    for asked in (none.unspent, none.require_unspent, lambda plan: none.take("ab" * 16, plan)):
        with pytest.raises(
            MaterialError, match=r"there is no folder .*none: it must hold the material that the dealer"
        ):
            asked(PLAN)


@pytest.mark.parametrize(
    "id", ["", "../../x", "/etc/passwd", "A" * 32, "a" * 31, "a" * 33, "a" * 32 + "\n", None, 3]
)
def test_an_id_is_no_path(folder, keys, id):
    prepare(folder, keys)
    with pytest.raises(MaterialError, match="what was asked for is no id of material: 32 hexadecimal digits"):
        store(folder, keys).take(id, PLAN)
    assert not (folder / "alice" / "spent").exists()


def test_material_of_a_stranger_is_not_used(folder, keys):
    run = prepare(folder, keys, dealer="eve")
    mine = store(folder, keys)
    assert mine.unspent(PLAN) == []
    with pytest.raises(MaterialError, match="not sealed by the pinned dealer for this alice"):
        mine.require_unspent(PLAN)
    with pytest.raises(
        MaterialError, match=f"there is no material {run.id} here. {run.id}.material is damaged"
    ):
        mine.take(run.id, PLAN)


def test_material_of_another_party_is_not_used(folder, keys):
    run = prepare(folder, keys)
    (folder / "bob" / f"{run.id}.material").replace(folder / "alice" / f"{run.id}.material")
    assert store(folder, keys).unspent(PLAN) == []
    with pytest.raises(MaterialError, match="not sealed by the pinned dealer for this alice"):
        store(folder, keys).take(run.id, PLAN)


@pytest.mark.parametrize(
    "change", [{"format": 2}, {"id": "../x"}, {"id": 3}, {"party": "bob"}, {"dealer": "?"}]
)
@pytest.mark.parametrize("missing", [False, True])
def test_a_header_of_another_format_is_not_used(folder, keys, monkeypatch, change, missing):
    def other(self, party, *, real=preparation.Preparation._header):
        header = real(self, party) | change
        return {k: v for k, v in header.items() if not missing or k not in change}

    monkeypatch.setattr(preparation.Preparation, "_header", other)
    run = prepare(folder, keys)
    assert store(folder, keys).unspent(PLAN) == []
    with pytest.raises(MaterialError, match=f"{run.id}.material holds no material of format 1 for alice"):
        store(folder, keys).take(run.id, PLAN)


def test_a_cut_off_file_is_not_offered_and_not_spent(folder, keys):
    run, mine = prepare(folder, keys), store(folder, keys, "carol")
    path = folder / "carol" / f"{run.id}.material"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert mine.unspent(PLAN) == []
    with pytest.raises(MaterialError, match="is damaged or cut off"):
        mine.take(run.id, PLAN)
    path.write_bytes(whole)  # it was still being copied
    mine.take(run.id, PLAN).close()


def test_damage_inside_is_found_when_it_is_reached(folder, keys):
    run, mine = prepare(folder, keys, corrections=bytes(300_000)), store(folder, keys, "carol")
    path = folder / "carol" / f"{run.id}.material"
    content = bytearray(path.read_bytes())
    content[150_000] ^= 1
    path.write_bytes(content)
    with mine.take(run.id, PLAN) as taken, pytest.raises(MaterialError, match="is damaged or cut off"):
        taken.readinto(bytearray(300_000))
    with pytest.raises(MaterialError, match=spent(run.id)):
        mine.take(run.id, PLAN)
