"""Trees of arrays as flat tables, ``{"dense/w": a, "image[row,col]": b}``: what files and peers hold.

A key is a path: parts between ``/`` lead into dicts, or into a list where those of a level are 0 to n - 1.
Names in brackets at its end are those of a named tensor's axes. Parts that would read as something else are
written with percent signs, so that every tree of arrays has keys, and its keys give it back. Tuples come back
as lists, and other containers as dicts.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

import jax
from jax.tree_util import SequenceKey, tree_flatten_with_path

from crypten_lite.errors import ConfigError
from namedtensor import NamedShapeError, NamedTensor, dims, is_named

DEEPEST = 32
_LONGEST = 1000  # characters of a key
_KEY = re.compile(r"(?P<path>[^\[\]]*)(?:\[(?P<dims>[^\[\]]*)\])?")


class Empty:
    """What stands for a container without arrays, or None, in a flat table."""


def flatten(tree: Mapping[str, Any]) -> dict[str, Any]:
    """The arrays of a tree by key; `Empty` where a part of it has none.

    Args:
      tree: a dict by name; what is in it may be dicts, lists, tuples and other containers that JAX knows.

    Raises:
      TypeError: the tree is not a dict, so that its parts have no names.

    Example:
      >>> from crypten_lite.roles.trees import flatten
      >>> flatten({"model": [{"w": 1.0}, {"w": 2.0}], "rate": 0.5})
      {'model/0/w': 1.0, 'model/1/w': 2.0, 'rate': 0.5}
    """
    if not isinstance(tree, Mapping):
        raise TypeError(f"this is a {type(tree).__name__}, without names: write a dict, {{'image': array}}.")
    root = dict(tree)
    leaves, _ = tree_flatten_with_path(root, is_leaf=lambda x: x is not root and _is_leaf(x))
    flat: dict[str, Any] = {}
    for path, leaf in leaves:
        key = "/".join(_part(step) for step in path)
        if isinstance(leaf, NamedTensor):
            flat[f"{key}[{','.join(leaf.dims)}]"] = leaf.array
        else:
            flat[key] = leaf if jax.tree.leaves(leaf) else Empty()
    return flat


def unflatten(flat: Mapping[str, Any], what: str) -> dict[str, Any]:
    """The tree that keys make of arrays, or of shapes.

    Args:
      flat: what has a shape, or None, by key.
      what: the table is called in messages.

    Raises:
      ConfigError: keys that contradict each other, that are too long or too deep, or whose names are not
        those of the axes.

    Example:
      >>> from crypten_lite.roles.trees import unflatten
      >>> unflatten({"model/0/w": None, "model/1/w": None, "rate": None}, "the table")
      {'model': [{'w': None}, {'w': None}], 'rate': None}
    """
    nested: dict[str, Any] = {}
    for key, value in flat.items():
        path, names = _parsed(key, what)
        _put(nested, path, _Leaf(_named(value, names, key, what)), key, what)
    return _table(nested, what)


class _Leaf:
    """A value at its place, whatever it is: it may be a container itself."""

    def __init__(self, value: Any):
        self.value = value


def _is_leaf(x: Any) -> bool:
    return is_named(x) or not jax.tree.leaves(x)


def _part(step: Any) -> str:
    if isinstance(step, SequenceKey):
        return str(step.idx)
    key = next(getattr(step, a) for a in ("key", "name") if hasattr(step, a))
    part = "".join(
        c if c.isprintable() and c not in "%/[]" else quote(c, "", errors="replace") for c in str(key)
    )
    is_text_like_an_index = isinstance(key, str) and key.isdecimal() and key.isascii()
    return f"%3{part}" if is_text_like_an_index else part


def _parsed(key: Any, what: str) -> tuple[list[str], list[str] | None]:
    is_text = isinstance(key, str) and len(key) <= _LONGEST and key.isprintable()
    found = _KEY.fullmatch(key) if is_text else None
    if found is None:
        raise ConfigError(f"{what}: {shown(key)} is no key: write 'image', 'dense/w' or 'image[row,col]'.")
    path = found["path"].split("/")
    if len(path) > DEEPEST:
        raise ConfigError(f"{what}: {shown(key)} has {len(path)} parts: {DEEPEST} are allowed.")
    if found["dims"] is None:
        return path, None
    return path, [name.strip() for name in found["dims"].split(",")] if found["dims"].strip() else []


def _named(value: Any, names: list[str] | None, key: str, what: str) -> Any:
    if names is None or value is None:
        return value
    if len(names) != len(value.shape):
        raise ConfigError(
            f"{what}: {shown(key)} names {len(names)} axes, and the array has {len(value.shape)}: name each."
        )
    try:
        return NamedTensor(value, dims(names))
    except NamedShapeError as error:
        raise ConfigError(f"{what}: {shown(key)}: {shown_text(str(error))}") from error


def _put(nested: dict[str, Any], path: list[str], leaf: _Leaf, key: str, what: str) -> None:
    for part in path[:-1]:
        below = nested.setdefault(part, {})
        if isinstance(below, _Leaf):
            raise ConfigError(f"{what}: {shown(key)} is below {shown(part)}, which is an array itself.")
        nested = below
    if path[-1] in nested:
        raise ConfigError(f"{what}: {shown(key)} is there twice, or has arrays below it: rename one.")
    nested[path[-1]] = leaf


def _tree(node: Any, what: str) -> Any:
    if isinstance(node, _Leaf):
        return node.value
    if node.keys() == {str(i) for i in range(len(node))}:
        return [_tree(node[str(i)], what) for i in range(len(node))]
    return _table(node, what)


def _table(node: dict[str, Any], what: str) -> dict[str, Any]:
    parts: dict[str, str] = {}
    for part in node:
        twin = parts.setdefault(unquote(part), part)
        if twin != part:
            raise ConfigError(f"{what}: {shown(twin)} and {shown(part)} are the same key: rename one.")
    return {name: _tree(node[part], what) for name, part in parts.items()}


def shown(value: Any) -> str:
    """A key, or another short text of somebody else's, as it may stand in a message."""
    return repr(shown_text(value)) if isinstance(value, str) else type(value).__name__


def shown_text(text: str) -> str:
    """Text of somebody else's: printable, and cut."""
    clean = "".join(c if c.isprintable() else "?" for c in text[:81])
    return clean if len(text) <= 80 else f"{clean[:77]}..."
