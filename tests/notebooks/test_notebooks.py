"""Every notebook of the gallery ships without outputs, runs from top to bottom, and says where the others are."""

import re
import subprocess
import sys
from pathlib import Path

import nbclient
import nbformat
import pytest

from namedtensor.models import digits_cnn, photo_cnn, planted_cnn
from tests.sentences import needs_minilm

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
GALLERY = [
    "00_index",
    "01_named_tensors",
    "02_explore_attributions",
    "03_compare_methods",
    "04_layers_and_neurons",
    "05_private_inference",
    "06_private_explanations",
    "07_interpreter_from_scratch",
    "08_sentence_similarity",
]
EXPLORERS = {
    "01_named_tensors": {"TensorExplorer"},
    "02_explore_attributions": {"AttributionExplorer", "PerturbationBrush"},
    "03_compare_methods": {"MethodGrid"},
    "04_layers_and_neurons": {"ModelExplorer"},
    "05_private_inference": {"PrivacyExplorer"},
    "08_sentence_similarity": {"TokenView"},
}
MARKS = {"08_sentence_similarity": needs_minilm}
SECONDS = 90  # of one cell, at most
LINK = re.compile(r"\]\(([^)#]+)\)")
# the slowest and the stalled way to show things, and what corrupts figures in callbacks
FORBIDDEN = re.compile(r"\b(Output|interact|interactive|interactive_output|pyplot)\b")
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def code(path: Path) -> list[nbformat.NotebookNode]:
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def links(path: Path) -> list[str]:
    prose = "\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")
    return LINK.findall(prose)


def test_the_gallery_is_complete():
    assert [path.stem for path in NOTEBOOKS] == GALLERY


@each_notebook
def test_is_a_valid_notebook_with_stable_ids(path):
    notebook = read(path)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.metadata.kernelspec.name) == (4, "python3")
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)
    assert notebook.cells[0].source.startswith("# ")


@each_notebook
def test_ships_without_outputs(path):
    for cell in code(path):
        assert not cell.outputs
        assert cell.execution_count is None
    assert "widgets" not in read(path).metadata


@each_notebook
def test_has_no_output_widget_and_no_pyplot(path):
    assert [cell.id for cell in code(path) if FORBIDDEN.search(cell.source)] == []


@each_notebook
def test_cells_are_short(path):
    assert [cell.id for cell in code(path) if len(cell.source.splitlines()) > 40] == []


@each_notebook
def test_its_links_lead_somewhere(path):
    for target in links(path):
        assert target.startswith("https://") or (FOLDER / target).is_file(), target


@each_notebook
def test_it_leads_back_to_the_index(path):
    assert path.stem == "00_index" or "00_index.ipynb" in links(path)


def test_the_index_leads_to_each():
    there = {Path(target).stem for target in links(FOLDER / "00_index.ipynb")}
    assert there >= set(GALLERY) - {"00_index"}


def test_each_shows_its_explorer():
    for stem, widgets in EXPLORERS.items():
        source = "\n".join(cell.source for cell in code(FOLDER / f"{stem}.ipynb"))
        assert {name for name in widgets if f"{name}(" in source} == widgets


def test_the_interpreter_is_at_most_60_lines():
    marked = [
        cell.source
        for cell in code(FOLDER / "07_interpreter_from_scratch.ipynb")
        if "interpreter" in cell.metadata.get("tags", [])
    ]
    assert {"class Rules", "def walk", "def apply", "def interpret"} <= set(
        re.findall(r"^(?:class|def) \w+", "\n".join(marked), re.M)
    )
    lines = [line for source in marked for line in source.splitlines() if line.strip()]
    assert 20 < len(lines) <= 60


def test_ruff_has_nothing_to_say():
    ruff = [sys.executable, "-m", "ruff"]
    for command in (["check", "--no-cache"], ["format", "--check", "--no-cache"]):
        ended = subprocess.run(
            [*ruff, *command, str(FOLDER)], capture_output=True, text=True, timeout=60, check=False
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.fixture(scope="module")
def trained():
    """The networks that the notebooks load: trained once, outside of what is run here."""
    for model in (digits_cnn, photo_cnn, planted_cnn):
        model.load(progress=False)


def test_without_the_trained_weights_one_message_says_what_to_do(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    cells = {cell.id: cell.source for cell in code(FOLDER / "08_sentence_similarity.ipynb")}
    with pytest.raises(
        SystemExit, match=r"This notebook stops here: the trained MiniLM is not installed: `make minilm`"
    ):
        exec(f"import jax\nfrom namedtensor.models import minilm\n{cells['load']}", {})


@pytest.mark.slow
@pytest.mark.parametrize("path", [pytest.param(p, id=p.stem, marks=MARKS.get(p.stem, ())) for p in NOTEBOOKS])
# the kernel's own sockets and event loops, in libraries that are not ours
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::RuntimeWarning")
def test_runs_from_top_to_bottom(path, trained):
    notebook = read(path)
    client = nbclient.NotebookClient(notebook, timeout=SECONDS, resources={"metadata": {"path": str(FOLDER)}})
    client.execute()
    outputs = [o for cell in notebook.cells if cell.cell_type == "code" for o in cell.outputs]
    assert [o for o in outputs if o.output_type == "error"] == []
    views = [o for o in outputs if "application/vnd.jupyter.widget-view+json" in o.get("data", {})]
    assert len(views) >= len(EXPLORERS.get(path.stem, ()))
    state = notebook.metadata.get("widgets", {}).get("application/vnd.jupyter.widget-state+json", {})
    models = {model["model_name"] for model in state.get("state", {}).values()}
    assert "OutputModel" not in models
    assert bool(models) == bool(views)
    texts = [model["state"].get("value", "") for model in state.get("state", {}).values()]
    assert [text for text in texts if "role='alert'" in str(text)] == []
