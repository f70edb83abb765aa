"""A user's copy of the gallery is made once, brought up to date, and never written over."""

import json
from pathlib import Path

import pytest

from notebooks import gallery
from notebooks.errors import CommandError
from notebooks.gallery import MANIFEST, Refreshed, refresh


def cell(source, kind="code", **more):
    outputs = {"outputs": [], "execution_count": None} if kind == "code" else {}
    return {
        "cell_type": kind,
        "id": source[:6] or "none",
        "metadata": {},
        "source": source,
        **outputs,
        **more,
    }


def write(path, *cells, **metadata):
    path.write_text(
        json.dumps({"cells": list(cells), "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})
    )


def sources(path):
    return ["".join(c["source"]) for c in json.loads(path.read_text())["cells"]]


def run_by_reader(path):
    """What JupyterLab does to the file of a notebook that is run and saved."""
    notebook = json.loads(path.read_text())
    for i, c in enumerate(notebook["cells"]):
        c["source"] = c["source"].splitlines(keepends=True)
        c["metadata"] = {"scrolled": True}
        if c["cell_type"] == "code":
            c.update(
                execution_count=i, outputs=[{"output_type": "stream", "name": "stdout", "text": "hello"}]
            )
    notebook["cells"].append(cell(""))  # Shift-Enter in the last cell
    notebook["metadata"] = {"kernelspec": {"name": "python3"}, "widgets": {"state": {}}}
    path.write_text(json.dumps(notebook, indent=1))


@pytest.fixture
def shipped(tmp_path):
    folder = tmp_path / "installed"
    folder.mkdir()
    write(folder / "00_index.ipynb", cell("# Index", "markdown"), cell("a = 1\nb = 2"))
    write(folder / "01_more.ipynb", cell("more = 1"))
    return folder


@pytest.fixture
def mine(tmp_path):
    return tmp_path / "mine"


def test_all_is_copied_to_a_new_directory(shipped, mine):
    assert refresh(mine / "below", "1", shipped) == Refreshed(2, 0)
    assert gallery.names(mine / "below") == gallery.names(shipped) == ["00_index.ipynb", "01_more.ipynb"]
    assert (mine / "below/00_index.ipynb").read_bytes() == (shipped / "00_index.ipynb").read_bytes()


def test_a_read_only_installation_gives_notebooks_that_can_be_saved(shipped, mine):
    for path in (*shipped.iterdir(), shipped):
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in shipped.iterdir()}
    refresh(mine, "1", shipped)
    assert all(p.stat().st_mode & 0o200 for p in mine.glob("*.ipynb"))
    assert {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in shipped.iterdir()} == before
    shipped.chmod(0o755)


def test_a_notebook_that_was_only_run_is_no_changed_one(shipped, mine):
    refresh(mine, "1", shipped)
    run_by_reader(mine / "00_index.ipynb")
    with_outputs = (mine / "00_index.ipynb").read_bytes()
    assert refresh(mine, "1", shipped) == Refreshed(0, 0)
    assert (mine / "00_index.ipynb").read_bytes() == with_outputs  # as long as nothing newer is shipped
    write(shipped / "00_index.ipynb", cell("a = 3"))
    assert refresh(mine, "2", shipped) == Refreshed(0, 1)
    assert sources(mine / "00_index.ipynb") == ["a = 3"]


@pytest.mark.parametrize(
    "change",
    [
        lambda cells: cells[1].update(source="a = 1\nb = 2  # mine"),
        lambda cells: cells[1].update(cell_type="raw"),
        lambda cells: cells[0].update(attachments={"photo.png": {"image/png": "AAAA"}}),
        lambda cells: cells.pop(),
        lambda cells: cells.reverse(),
        lambda cells: cells.append(cell("# a note", "markdown")),
    ],
    ids=["source", "kind", "attachment", "removed", "order", "added"],
)
def test_a_changed_notebook_stays_and_the_newer_one_is_put_beside_it(change, shipped, mine):
    refresh(mine, "1", shipped)
    path = mine / "00_index.ipynb"
    notebook = json.loads(path.read_text())
    change(notebook["cells"])
    path.write_text(json.dumps(notebook))
    changed = path.read_bytes()
    assert refresh(mine, "1", shipped) == Refreshed(0, 0)  # nothing newer, nothing to say
    write(shipped / "00_index.ipynb", cell("a = 3"))
    note = "00_index.ipynb is not as it was shipped and stays; the newer one is 00_index_v2.ipynb."
    assert refresh(mine, "2", shipped) == Refreshed(0, 0, (note,))
    assert path.read_bytes() == changed
    assert sources(mine / "00_index_v2.ipynb") == ["a = 3"]
    assert refresh(mine, "2", shipped) == Refreshed(0, 0)  # said once
    assert sorted(p.name for p in mine.iterdir()) == [
        MANIFEST,
        "00_index.ipynb",
        "00_index_v2.ipynb",
        "01_more.ipynb",
    ]


def test_what_was_put_beside_is_not_written_over_either(shipped, mine):
    refresh(mine, "1", shipped)
    write(mine / "00_index.ipynb", cell("mine"))
    write(mine / "00_index_v2.ipynb", cell("mine too"))
    write(shipped / "00_index.ipynb", cell("a = 3"))
    assert refresh(mine, "2", shipped).notes[0].endswith("the newer one is 00_index_v2_2.ipynb.")
    assert sources(mine / "00_index_v2.ipynb") == ["mine too"]
    assert sources(mine / "00_index_v2_2.ipynb") == ["a = 3"]


def test_a_notebook_of_the_same_name_that_was_never_copied_stays(shipped, mine):
    mine.mkdir()
    write(mine / "00_index.ipynb", cell("my own index"))
    done = refresh(mine, "1", shipped)
    assert (done.copied, len(done.notes)) == (1, 1)
    assert sources(mine / "00_index.ipynb") == ["my own index"]


def test_a_deleted_notebook_comes_back_and_others_are_let_be(shipped, mine):
    refresh(mine, "1", shipped)
    (mine / "01_more.ipynb").unlink()
    write(mine / "notes.ipynb", cell("mine"))
    assert refresh(mine, "1", shipped) == Refreshed(1, 0)
    assert sources(mine / "notes.ipynb") == ["mine"]


def test_a_notebook_that_is_no_longer_shipped_stays(shipped, mine):
    refresh(mine, "1", shipped)
    (shipped / "01_more.ipynb").unlink()
    assert refresh(mine, "2", shipped) == Refreshed(0, 0)
    assert sources(mine / "01_more.ipynb") == ["more = 1"]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"cells": 3}'])
def test_a_file_that_is_no_notebook_stays(content, shipped, mine):
    refresh(mine, "1", shipped)
    (mine / "00_index.ipynb").write_text(content)
    write(shipped / "00_index.ipynb", cell("a = 3"))
    assert len(refresh(mine, "2", shipped).notes) == 1
    assert (mine / "00_index.ipynb").read_text() == content


@pytest.mark.parametrize("content", ["", "{", "[]", '{"shipped": 3}'])
def test_without_a_readable_manifest_nothing_is_written_over(content, shipped, mine):
    refresh(mine, "1", shipped)
    write(mine / "00_index.ipynb", cell("mine"))
    (mine / MANIFEST).write_text(content)
    done = refresh(mine, "1", shipped)
    assert done.notes[0].startswith(f"{MANIFEST} cannot be read: each notebook that is not as shipped")
    assert sources(mine / "00_index.ipynb") == ["mine"]
    assert refresh(mine, "1", shipped) == Refreshed(0, 0)  # it has been written again


def interrupted(*_):
    raise KeyboardInterrupt


def test_a_run_that_breaks_off_loses_nothing(shipped, mine, monkeypatch):
    refresh(mine, "1", shipped)
    write(shipped / "00_index.ipynb", cell("a = 3"))
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", interrupted)
        with pytest.raises(KeyboardInterrupt):
            refresh(mine, "2", shipped)
    assert sorted(p.name for p in mine.iterdir()) == [MANIFEST, "00_index.ipynb", "01_more.ipynb"]
    assert refresh(mine, "2", shipped) == Refreshed(0, 1)


def test_the_installed_gallery_is_not_worked_in(shipped, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(shipped)
    for target in (shipped, link, shipped / "below"):
        with pytest.raises(
            CommandError, match="is the installed gallery itself, which is not worked in: give"
        ):
            refresh(target, "1", shipped)
    assert not (shipped / "below").exists()


def test_a_place_that_cannot_be_written_to_is_one_message(shipped, tmp_path):
    (tmp_path / "file").touch()
    for target in (tmp_path / "file", tmp_path / "file/below"):
        with pytest.raises(
            CommandError, match=r"cannot write to .*file.*Choose another place with --directory"
        ):
            refresh(target, "1", shipped)
