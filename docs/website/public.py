"""The public names as the reference shows them: each at the place from which a user imports it.

mkdocstrings reads source code. It cannot see that ``exp = unary("exp", jnp.exp)`` is a function, that
`captum_lite.Saliency` lives in a private module only by chance, or that `crypten_lite.private` is a function,
and not the module of that name. So the packages are imported as well, and each public name is put where the
running code has it.
"""

import dataclasses
import importlib
import inspect
import re
from collections.abc import Iterator
from inspect import cleandoc
from typing import Any

import griffe

import namedtensor as nt

# In this order: a name that several of them export is documented where it comes first.
NAMESPACES = (
    "namedtensor.nn", "namedtensor", "namedtensor.linalg", "namedtensor.fft", "namedtensor.random",
    "namedtensor.interop", "namedtensor.interop.exported", "namedtensor.interop.onnx", "namedtensor.testing", "namedtensor.interpreter",
    *(f"namedtensor.datasets.{name}" for name in nt.datasets.__all__),
    *(f"namedtensor.models.{name}" for name in nt.models.__all__),
    "namedtensor.widgets",
    "captum_lite", "captum_lite.baselines", "captum_lite.methods", "captum_lite.metrics", "captum_lite.patching",
    "captum_lite.robust", "captum_lite.rules", "captum_lite.viz", "captum_lite.widgets", "captum_lite.aliases",
    "crypten_lite", "crypten_lite.inputs", "crypten_lite.widgets",
)  # fmt: skip
SHORT = {"nt": "namedtensor", "ct": "crypten_lite"}


def public(namespace: str) -> dict[str, Any]:
    """The public names of a module and what they are; modules among them are namespaces of their own."""
    try:
        module = importlib.import_module(namespace)
    except ModuleNotFoundError:  # `captum_lite.baselines` is a name, not a file
        parent, _, name = namespace.rpartition(".")
        module = getattr(importlib.import_module(parent), name)
    own = getattr(module, "__all__", None) or [n for n, v in vars(module).items() if _belongs(n, v, module)]
    return {n: getattr(module, n) for n in own if not inspect.ismodule(getattr(module, n))}


def _belongs(name: str, value: Any, module: Any) -> bool:
    """Without ``__all__`` a package exports what it imports, and a plain module what it defines."""
    where = getattr(value, "__module__", None) or ""
    return name[0] != "_" and (where == module.__name__ or hasattr(module, "__path__"))


def homes() -> dict[str, Any]:
    """The path under which each public thing is documented, and the thing."""
    found: dict[tuple[str, int], tuple[str, Any]] = {}
    for namespace in NAMESPACES:
        for name, value in public(namespace).items():
            found.setdefault((name, id(value)), (f"{namespace}.{name}", value))
    return dict(found.values())


class Public(griffe.Extension):
    """Moves what griffe has read to where users find it, and makes its docstrings Markdown."""

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """Once a package is read."""
        every = homes()
        own = {p: v for p, v in every.items() if p.startswith(f"{pkg.name}.")}
        moved = {path: _moved(pkg, path, value) for path, value in own.items()}
        for namespace in NAMESPACES:
            if namespace.split(".")[0] == pkg.name:
                _elsewhere(namespace, own, moved)
        for path, obj in moved.items():
            _rewrite(obj, Names(path, list(every), _methods(own[path], own, moved)))
        for obj in moved.values():
            obj.parent.docstring = None  # a page has its own introduction


def _rewrite(obj: Any, names: "Names") -> None:
    """Its docstring, and those of its members, as Markdown with links."""
    for part in (obj, *_members(obj)):
        if part.docstring:
            part.docstring.value = names.linked(markdown(part.docstring.value))


def _moved(pkg: griffe.Module, path: str, value: Any) -> Any:
    """What was read of this thing, or what can be seen of it, at its public path."""
    namespace, _, name = path.rpartition(".")
    obj = _read(pkg, path, value) or _seen(pkg, name, value)
    before = obj.path if obj.parent else path
    obj.name, obj.parent = name, _module(pkg, namespace)
    obj.parent.members[name] = obj
    obj.aliases[before] = obj  # a reference to the private place leads here as well
    if obj.is_class:
        _only_public(obj, value)
    return obj


def _module(pkg: griffe.Module, namespace: str) -> griffe.Module:
    """The module of this path; one is made for a namespace that is no file."""
    place = pkg
    for part in namespace.split(".")[1:]:
        there = place.members.get(part)
        if there is None or there.is_alias:
            there = place.members[part] = griffe.Module(part, parent=place, filepath=pkg.filepath)
        place = there
    return place


def _read(pkg: griffe.Module, path: str, value: Any) -> Any:
    """What the source says: of a function or a class where it is defined, of a value where it is imported."""
    place, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    try:
        if inspect.isclass(value) or inspect.isroutine(value):
            obj = pkg[f"{place}.{name}".split(".", 1)[1]] if f"{place}".split(".")[0] == pkg.name else None
            return obj if obj and (obj.is_class or obj.is_function) and path.endswith(f".{name}") else None
        obj = pkg[path.split(".", 1)[1]]
        return obj.final_target if obj.is_alias else obj
    except (KeyError, griffe.AliasResolutionError):
        return None


def _seen(pkg: griffe.Module, name: str, value: Any) -> Any:
    """A function that no ``def`` spells out, or that is another package's."""
    text = inspect.getdoc(value) or ""
    original = getattr(value, "__qualname__", name)
    package = (getattr(value, "__module__", None) or type(value).__module__).partition(".")[0]
    if package not in ("namedtensor", "captum_lite", "crypten_lite"):
        text = f"``{package}.{name}``, as it is."
    elif original != name:
        text = f"Another name of `{original}`."
    options = pkg.docstring.parser_options if pkg.docstring else {}
    docstring = griffe.Docstring(text, parser="google", parser_options=options)
    if not callable(value):
        return griffe.Attribute(name, docstring=docstring)
    return griffe.Function(name, parameters=_parameters(value), docstring=docstring)


def _parameters(value: Any, first: str = "") -> griffe.Parameters:
    """Those of a call: of a function, or of a class with the ``self`` that griffe expects."""
    found = [p for p in inspect.signature(value).parameters.values() if p.name[0] != "_"]
    me = [griffe.Parameter(first, kind=griffe.ParameterKind.positional_or_keyword)] if first else []
    return griffe.Parameters(*me, *(_parameter(p) for p in found))


def _parameter(p: inspect.Parameter) -> griffe.Parameter:
    kind = griffe.ParameterKind(p.kind.description)
    if p.default is p.empty:
        return griffe.Parameter(p.name, kind=kind, annotation=_annotation(p.annotation))
    default = getattr(p.default, "__name__", None) or repr(p.default)
    return griffe.Parameter(p.name, kind=kind, annotation=_annotation(p.annotation), default=default)


def _annotation(annotation: Any) -> str | None:
    if annotation is inspect.Parameter.empty:
        return None
    return re.sub(r"\b(?:\w+\.)+(?=[A-Z])", "", inspect.formatannotation(annotation))


def _only_public(cls: griffe.Class, value: type) -> None:
    """Without what is private, and without what only does what a base class has documented."""
    inherited = {name for base in value.__mro__[1:-1] for name, v in vars(base).items() if callable(v)}
    for name, member in list(cls.members.items()):
        if name != "__init__" and (name[0] == "_" or (member.is_function and name in inherited)):
            del cls.members[name]
    if "__init__" in cls.members and cls.docstring:
        cls.members["__init__"].docstring = None  # the class has said what its arguments are
    if dataclasses.is_dataclass(value):  # its fields, and those of its bases
        cls.set_member(
            "__init__", griffe.Function("__init__", parameters=_parameters(value, "self"), parent=cls)
        )


def _members(obj: Any) -> Iterator[Any]:
    if obj.is_class:
        yield from (m for m in obj.members.values() if not m.is_alias)


def _methods(value: Any, own: dict[str, Any], moved: dict[str, Any]) -> dict[str, str]:
    """Where the methods of a class are documented, those of its public bases included."""
    at = {id(v): path for path, v in own.items() if inspect.isclass(v)}
    bases = [at[id(base)] for base in reversed(getattr(value, "__mro__", ())) if id(base) in at]
    return {m.name: f"{base}.{m.name}" for base in bases for m in _members(moved[base]) if m.is_function}


def _elsewhere(namespace: str, own: dict[str, Any], moved: dict[str, Any]) -> None:
    """A name that several namespaces export is found under each of them."""
    at = {(path.rpartition(".")[2], id(value)): path for path, value in own.items()}
    for name, value in public(namespace).items():
        home = at.get((name, id(value)), f"{namespace}.{name}")
        if home != f"{namespace}.{name}":
            moved[home].aliases[f"{namespace}.{name}"] = moved[home]


_TITLES = [  # what our docstrings call a section, and what griffe does
    (r"Options of `(\w+)`(.*)", r"Other args: Options of \1\2"),
    (r"(Raises|Returns|Yields) ([^:]+)", r"\1: \1 \2"),
    (r"Traits", "Attributes: Traits"),
    (r"Examples?", "Examples:"),
]
_LINK = re.compile(r"(?<!`)`([A-Za-z_][\w.]*)(?:\(\))?`(?!`)")


def markdown(text: str) -> str:
    """A docstring of ours as the Markdown that mkdocstrings takes: section titles, examples in the text."""
    lines: list[str] = []
    for line in text.splitlines():
        if line and not line.startswith(" "):
            line = _title(line)
        lines.append(line)
    text = re.sub(
        r"(?m)^References:\n((?:  .*\n?)+)", lambda found: f"Source: {cleandoc(found[1])}\n", "\n".join(lines)
    )
    return re.sub(r"(?m)(^>>> .*(?:\n.+)*)", r"```pycon\n\1\n```", text)


def _title(line: str) -> str:
    for ours, theirs in _TITLES:
        if re.fullmatch(f"{ours}:", line):
            return re.sub(f"{ours}:", theirs if ":" in theirs else f"{theirs}:", line)
    return line


@dataclasses.dataclass
class Names:
    """What a name in single backticks means in the docstring of ``path``.

    Args:
      path: where the name is written.
      paths: all that there is.
      methods: the paths of the methods of the class that is described, by name.
    """

    path: str
    paths: list[str]
    methods: dict[str, str] = dataclasses.field(default_factory=dict)

    def linked(self, text: str) -> str:
        """The names of public things as references to them; every other stays code."""
        return _LINK.sub(self._link, text)

    def _link(self, found: re.Match[str]) -> str:
        target = self._target(found[1])
        return f"[{found[0]}][{target}]" if target and target != self.path else found[0]

    def _target(self, name: str) -> str | None:
        if name in self.methods and name != "__init__":
            return self.methods[name]
        head, _, rest = name.partition(".")
        full = f"{SHORT.get(head, head)}.{rest}" if rest else name
        there = [p for p in self.paths if p == full or p.endswith(f".{full}")]
        space, package = self.path.rpartition(".")[0], self.path.partition(".")[0]
        close = [
            [p for p in there if p.rpartition(".")[0] == space],
            [p for p in there if p.startswith(f"{package}.")],
        ]
        return next((found[0] for found in (*close, there) if len(found) == 1), None)
