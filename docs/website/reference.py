"""The pages of the reference, which no file spells out: a table of places, filled from the running code.

A new operation, method or metric is in the reference because it is public. A test asks for every public name.
"""

import importlib
import inspect
from dataclasses import dataclass
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from public import homes, markdown


@dataclass(frozen=True)
class Group:
    """The public names of a namespace, or those of them that are defined in some of its modules."""

    namespace: str
    defined_in: tuple[str, ...] = ()
    heading: str = ""
    intro: str = ""

    def members(self, names: dict[str, Any]) -> list[str]:
        """Those of ``names``, as `homes` gives them, that belong here."""
        here = {p.rpartition(".")[2]: v for p, v in names.items() if p.rpartition(".")[0] == self.namespace}
        return sorted((n for n, v in here.items() if not self.defined_in or self._defines(v)), key=str.lower)

    def _defines(self, value: Any) -> bool:
        module = getattr(value, "__module__", None) or type(value).__module__
        top = self.namespace.split(".")[0]
        places = [p if p == "jax" else f"{top}.{p}" for p in self.defined_in]
        return any(module == p or module.startswith(f"{p}.") for p in places)

    def text(self, names: dict[str, Any]) -> str:
        """What mkdocstrings reads."""
        heading = f"## {self.heading}\n\n{self.intro}\n\n" if self.heading else ""
        level = 3 if self.heading else 2
        lines = [f"::: {self.namespace}", "    options:", f"      heading_level: {level}", "      members:"]
        return heading + "\n".join(lines + [f"        - {name}" for name in self.members(names)]) + "\n"


@dataclass(frozen=True)
class Page:
    """A page of the reference."""

    title: str
    intro: str
    groups: tuple[Group, ...]

    def text(self, names: dict[str, Any]) -> str:
        """Its Markdown."""
        return "\n".join([f"# {self.title}\n\n{self.intro}\n", *(g.text(names) for g in self.groups)])


def operations(*tables: str, heading: str = "") -> Group:
    """The operations of these tables of `namedtensor.ops`."""
    return Group("namedtensor", tuple(f"ops.{t}" for t in tables), heading)


def modules(package: str) -> list[Group]:
    """One group for each module that a package exports, with the module's docstring."""
    found = {n: importlib.import_module(f"{package}.{n}") for n in importlib.import_module(package).__all__}
    return [Group(m.__name__, (), m.__name__, markdown(inspect.getdoc(m) or "")) for m in found.values()]


PAGES = {
    "tensors": Page(
        "Tensors and names",
        "Every operation whose first operand is a tensor is a method as well: `nt.sum(x, 'seq')` is `x.sum('seq')`.",
        (
            Group("namedtensor", ("_tensor", "_dims", "_errors", "_strict", "_plan", "typing")),
            operations("factories", "ranges", heading="Making tensors"),
        ),
    ),
    "elementwise": Page(
        "Elementwise operations",
        "The names of the operands are united; those that they share must have the same sizes.",
        (operations("elementwise", "logic"),),
    ),
    "special": Page("Special functions", "Elementwise, as those of `jax.scipy.special`.", (operations("special"),)),
    "reductions": Page(
        "Along dims",
        "What goes over a dim, or along it, names it: `x.mean('seq')`, `x.softmax('class')`.",
        (
            operations("reduce", "quantile", heading="Reductions, which remove dims"),
            operations("along", "calculus", "sorting", heading="Along a dim, which stays"),
            operations("search", "segment", "window", "scatter", heading="Searching, segments, windows"),
        ),
    ),
    "shapes": Page(
        "Shapes and indices",
        "Dims are renamed, split, merged, joined and indexed by name. Their order never changes a result.",
        (operations("rename", "shape", "join", "index", "edit", "pad", "diagonal", "refused"),),
    ),
    "products": Page(
        "Products and linear algebra",
        "A product names the dims that it sums over; all others stay.",
        (
            operations("contract", "einsum", heading="Products"),
            Group("namedtensor.linalg", heading="Linear algebra"),
            Group("namedtensor.fft", heading="Fourier transforms"),
        ),
    ),
    "random": Page(
        "Random numbers", "A key, and the shape by name: `nt.random.normal(key, 'batch:8 seq:16')`.",
        (Group("namedtensor.random"),),
    ),
    "transforms": Page(
        "Transformations",
        "Derivatives, loops and mapping, by name, and names for functions that know none.",
        (
            Group("namedtensor", ("transforms", "jax", "_lift", "_wrap")),
            Group("namedtensor", ("sharding",), "On several devices"),
        ),
    ),
    "nn": Page("Neural networks", "Functions of named tensors and named parameters.", (Group("namedtensor.nn"),)),
    "interpreter": Page(
        "The interpreter",
        "Watching, explaining and hiding a function are tables of rules for one interpreter.",
        (
            Group("namedtensor", ("interpreter",), "Places in a function"),
            Group("namedtensor.interpreter", (), "Interpreters and rules"),
        ),
    ),
    "data": Page(
        "Files, data, models",
        "To and from others, and something real to begin with.",
        (
            Group("namedtensor.interop", heading="Files and other libraries"),
            Group("namedtensor.interop.exported", heading="Models without code"),
            Group("namedtensor.interop.onnx", heading="ONNX"),
            Group("namedtensor", ("display", "interop"), "Plots"),
            *modules("namedtensor.datasets"),
            *modules("namedtensor.models"),
            Group("namedtensor.testing", heading="Testing"),
        ),
    ),
    "methods": Page(
        "Methods",
        "Each has `attribute`, `explain` and `stream` of [`AbstractMethod`][captum_lite.AbstractMethod].",
        (Group("captum_lite", ("methods",)), Group("captum_lite.methods", (), "By name")),
    ),
    "attribution": Page(
        "Attributions",
        "What all methods share: how they are called, what they return, and what they compare with.",
        (
            Group("captum_lite", ("_method", "_function_method", "_perturbation", "_record", "_interpolate")),
            Group("captum_lite.baselines", heading="Baselines"),
            Group("captum_lite", ("patching",), "Patching"),
            Group("captum_lite.patching"),
            Group("captum_lite", ("aliases",), "Captum's names of layer and neuron methods"),
            Group("captum_lite.aliases"),
        ),
    ),
    "metrics": Page(
        "Metrics", "How good an explanation is, and how robust the function.",
        (Group("captum_lite.metrics"), Group("captum_lite.robust", heading="Robustness")),
    ),
    "rules": Page("Rules of LRP", "Which rule applies where, and composites of them.", (Group("captum_lite.rules"),)),
    "viz": Page("Pictures", "On matplotlib, without `pyplot`.", (Group("captum_lite.viz"),)),
    "crypten_lite": Page(
        "Private computation", "Sharing, computing on shares, revealing.",
        (Group("crypten_lite"), Group("crypten_lite.inputs", heading="Inputs of a program")),
    ),
    "widgets": Page(
        "Widgets", "How to use them is on [the page of the widgets](../widgets.md).",
        (
            Group("namedtensor.widgets", heading="Tensors and models, and what widgets are made of"),
            Group("captum_lite.widgets", heading="Attributions"),
            Group("crypten_lite.widgets", heading="Private computation"),
        ),
    ),
}  # fmt: skip


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages."""
    names = homes()
    for name, page in PAGES.items():
        files.append(File.generated(config, f"api/{name}.md", content=page.text(names)))
    return files
