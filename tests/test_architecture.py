"""The shape of the code: imports go one way, nothing private, no file that is two concepts."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("namedtensor", "captum_lite", "crypten_lite", "notebooks")
FILES = [p for package in PACKAGES for p in sorted((ROOT / package).rglob("*.py"))]
LONGEST = 400

# Each module may import those of its own row and of the rows above it.
LAYERS = [
    ("_errors",),
    ("_dims",),
    ("_strict", "_tensor"),
    ("_plan",),
    ("ops",),
    ("_signature", "_lift", "_wrap"),
    ("kernels",),
    ("interpreter", "nn", "transforms", "sharding", "datasets"),
    ("interop", "testing", "typing", "viz", "display"),
    ("models",),
    ("widgets",),
]
# The same of crypten_lite, whose other modules compute, and know of none of these.
BETWEEN_PARTIES = ("errors", "keys", "transport", "roles", "processes")
OPTIONAL = {
    "anywidget",
    "matplotlib",
    "ipywidgets",
    "traitlets",
    "sklearn",
    "optax",
    "tqdm",
    "platformdirs",
    "scipy",
}
OPTIONAL |= {
    "onnx",
    "onnxruntime",
    "google",
    "safetensors",
    "tokenizers",
    "treescope",
    "xarray",
    "cryptography",
    "cloudpickle",
}


def imports(path: Path, *, top_level: bool = False) -> set[str]:
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_level else list(ast.walk(tree))
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", FILES, ids=name)
def test_siblings_do_not_import_each_other(path):
    may = {
        "namedtensor": set(),
        "captum_lite": {"namedtensor"},
        "crypten_lite": {"namedtensor"},
        "notebooks": {"namedtensor", "captum_lite", "crypten_lite"},
    }
    package = path.relative_to(ROOT).parts[0]
    used = {i.split(".")[0] for i in imports(path)} & set(PACKAGES)
    assert used <= may[package] | {package}


@pytest.mark.parametrize("path", FILES, ids=name)
def test_nothing_private_of_jax(path):
    assert not [i for i in imports(path) if i.startswith("jax._src")]


@pytest.mark.parametrize("path", FILES, ids=name)
def test_widgets_are_imported_by_widgets_alone(path):
    if "widgets" not in path.parts:
        assert not [i for i in imports(path) if ".widgets" in i or i.split(".")[0] == "ipywidgets"]


@pytest.mark.parametrize("path", FILES, ids=name)
def test_one_concept_a_file(path):
    text = path.read_text()
    docstring = ast.get_docstring(ast.parse(text))
    assert docstring, "a module docstring is the module's reason"
    assert len(text.splitlines()) <= LONGEST or "lines long because" in docstring


@pytest.mark.parametrize("path", [p for p in FILES if p.parts[-2] != "notebooks"], ids=name)
def test_optional_packages_are_imported_where_they_are_needed(path):
    if {"viz", "widgets"} & set(path.parts):
        return
    assert not {i.split(".")[0] for i in imports(path, top_level=True)} & OPTIONAL


def layer_of(module: str) -> int | None:
    part = module.split(".")[1] if module.startswith("namedtensor.") else None
    return next((i for i, names in enumerate(LAYERS) if part in names), None)


@pytest.mark.parametrize("path", [p for p in FILES if "namedtensor" in p.parts], ids=name)
def test_namedtensor_imports_downwards(path):
    here = layer_of("namedtensor." + path.relative_to(ROOT / "namedtensor").parts[0].removesuffix(".py"))
    if here is not None:
        above = [i for i in imports(path) if (layer_of(i) or 0) > here]
        assert not above


def between_parties(module: str) -> int:
    part = module.split(".")[1] if module.startswith("crypten_lite.") else ""
    return BETWEEN_PARTIES.index(part) if part in BETWEEN_PARTIES else -1


@pytest.mark.parametrize("path", [p for p in FILES if "crypten_lite" in p.parts], ids=name)
def test_what_computes_knows_of_no_network(path):
    place = path.relative_to(ROOT / "crypten_lite").parts[0].removesuffix(".py")
    if place not in ("__init__", "__main__", "widgets"):  # which show everything
        here = between_parties(f"crypten_lite.{place}")
        assert not [i for i in imports(path) if between_parties(i) > here]


def test_the_core_needs_jax_and_numpy_alone():
    blocked = "".join(f"sys.modules[{m!r}] = None\n" for m in sorted(OPTIONAL - {"scipy"}))
    code = f"import sys\n{blocked}import namedtensor, captum_lite, crypten_lite\nassert 'captum_lite.viz' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_dependencies_have_their_reason():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    names = {r.split(">")[0].split("[")[0] for group in groups for r in group} - {"namedtensor-workbench"}
    table = (ROOT / "docs/dependencies.md").read_text()
    assert {n for n in names if f"\n| {n} |" not in table} == set()


@pytest.mark.parametrize(
    ("missing", "statement", "extra"),
    [
        ("sklearn", "from namedtensor.datasets import digits; digits.load()", "models"),
        ("optax", "from namedtensor.models import digits_cnn as m; m.train(None, None)", "models"),
        ("platformdirs", "from namedtensor.models import digits_cnn as m; m.load()", "models"),
        ("matplotlib", "from captum_lite import viz", "lab"),
        ("ipywidgets", "from captum_lite import widgets", "lab"),
        ("matplotlib", "import namedtensor as nt; nt.ones('a:2').plot()", "lab"),
        ("cryptography", "import crypten_lite as ct; ct.simulate()", "private"),
        ("cryptography", "from crypten_lite.keys.identity import create; create('a', '.')", "private"),
        ("cloudpickle", "import crypten_lite as ct; ct.launch(lambda session: None)", "private"),
        ("safetensors", "import namedtensor as nt; nt.save('a.safetensors', {})", "interop"),
        ("xarray", "import namedtensor as nt; nt.interop.from_xarray(None)", "interop"),
    ],
)
def test_a_missing_package_says_how_to_install_it(missing, statement, extra):
    code = f"import os, sys\nos.environ.pop('NAMEDTENSOR_CACHE', 0)\nsys.modules[{missing!r}] = None\n{statement}"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (
        f"ImportError: {missing} is not installed: pip install 'namedtensor-workbench[{extra}]'" in run.stderr
    )
