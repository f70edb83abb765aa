"""A tree of tensors as arrays under names, and a text that says how to put it together again.

The text is JSON, so reading a file runs no code. Each array has the path of its leaf for a name,
"encoder/kernel", so that other programs can read the same file.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from namedtensor._dims import dims, in_transit
from namedtensor._errors import Unsupported, describe
from namedtensor._tensor import NamedTensor

Arrays = dict[str, np.ndarray]
Node = dict[str, Any]

_VERSION = 1
_RESERVED = ("__metadata__", "namedtensor.json")  # where the formats keep their texts
_PLAIN = (str, int, bool, type(None))
_ADVICE = (
    "For another tree save its leaves, jax.tree.leaves(tree, is_leaf=nt.is_named), and give them back to "
    "jax.tree.unflatten(structure, leaves)."
)


def encode(tree: Any, native: Callable[[np.dtype], bool]) -> tuple[Arrays, str]:
    """The arrays of a tree, and the text that `decode` needs.

    Args:
      tree: nested dicts, lists and tuples of tensors, arrays, numbers, texts and None.
      native: whether the format knows a dtype; other arrays become raw bytes.

    Raises:
      Unsupported: something else in the tree, or values that are traced.
      RankMismatch: a tensor in transit.
    """
    arrays: Arrays = {}

    def node(x: Any, path: tuple[Any, ...]) -> Node:
        if type(x) is dict:
            return {"dict": [[_key(k, path), node(v, (*path, k))] for k, v in x.items()]}
        if type(x) in (list, tuple):
            return {type(x).__name__: [node(v, (*path, i)) for i, v in enumerate(x)]}
        if type(x) in _PLAIN:
            return {"value": x}
        if type(x) in (float, complex):
            return {type(x).__name__: repr(x)}  # its text is exact, and JSON has no NaN
        return leaf(x, path)

    def leaf(x: Any, path: tuple[Any, ...]) -> Node:
        array, note = _array(x, _place(path))
        note |= {"array": _free_name(path, arrays), "dtype": array.dtype.name}
        if not native(array.dtype):
            note["shape"], array = array.shape, np.frombuffer(array.tobytes(), np.uint8)
        arrays[note["array"]] = array
        return note

    return arrays, json.dumps({"version": _VERSION, "tree": node(tree, ())})


def decode(arrays: Mapping[str, np.ndarray], text: str) -> Any:
    """The tree that `encode` took apart.

    Raises:
      ValueError: the text is not one of `encode`, or does not fit the arrays.
    """
    found = json.loads(text)
    if found["version"] != _VERSION:
        raise ValueError(f"its layout has the version {found['version']}, this program knows {_VERSION}")

    def tree(node: Node) -> Any:
        match node:
            case {"dict": items}:
                return {k: tree(v) for k, v in items}
            case {"list": items}:
                return [tree(v) for v in items]
            case {"tuple": items}:
                return tuple(tree(v) for v in items)
            case {"value": value}:
                return value
            case {"float": number}:
                return float(number)
            case {"complex": number}:
                return complex(number)
        return _restored(arrays[node["array"]], node)

    return tree(found["tree"])


def _key(key: Any, path: tuple[Any, ...]) -> Any:
    if type(key) not in (str, int):
        raise Unsupported(
            f"{_place(path)}: the key {key!r} of a dict cannot be saved, only texts and integers."
        )
    return key


def _array(x: Any, place: str) -> tuple[np.ndarray, Node]:
    """The values on the host, and what else makes the leaf."""
    array, note = (x.array, {"kind": "named", "dims": str(x.dims)}) if isinstance(x, NamedTensor) else (x, {})
    if isinstance(array, Tracer):
        raise Unsupported(f"{place}: the values are not known while JAX traces.", "Save outside of jax.jit.")
    if not isinstance(array, jax.Array | np.ndarray | np.generic):
        raise Unsupported(
            f"{place}: a {type(array).__name__} cannot be saved, only nested dicts, lists and tuples of "
            "tensors, arrays, numbers, texts and None.",
            _ADVICE,
        )
    if isinstance(x, NamedTensor) and array.ndim != len(x.dims):
        raise in_transit(array.shape, x.dims)
    note.setdefault("kind", "jax" if isinstance(array, jax.Array) else type(array).__name__)
    if isinstance(array, jax.Array) and jnp.issubdtype(array.dtype, jax.dtypes.prng_key):
        note["key"], array = str(jax.random.key_impl(array)), jax.random.key_data(array)
    if not (jnp.issubdtype(array.dtype, np.number) or jnp.issubdtype(array.dtype, np.bool_)):
        raise Unsupported(f"{place}: an array of {array.dtype} cannot be saved, only numbers.")
    # one byte order and one storage order, for the formats that write memory as it is
    return np.asarray(array, np.dtype(array.dtype).newbyteorder("="), order="C"), note


def _restored(array: np.ndarray, node: Node) -> Any:
    if "shape" in node:
        array = np.frombuffer(array.tobytes(), jnp.dtype(node["dtype"])).reshape(node["shape"])
    if array.dtype.name != node["dtype"]:
        raise ValueError(f"{node['array']} has the dtype {array.dtype} and not {node['dtype']}")
    kind = node.get("kind")
    if kind not in ("named", "jax"):
        return array.copy() if kind == "ndarray" else array[()]
    with jax.enable_x64(True):  # else 64-bit values would be cut to 32 bits
        value = jnp.asarray(array)
        value = jax.random.wrap_key_data(value, impl=node["key"]) if "key" in node else value
    if kind == "jax":
        return value
    if value.ndim != len(there := dims(node["dims"])):
        raise ValueError(f"{node['array']} is {describe(value)} and not '{there}'")
    return NamedTensor(value, there)


def _place(path: tuple[Any, ...]) -> str:
    return "tree" + "".join(f"[{k!r}]" for k in path)


def _free_name(path: tuple[Any, ...], taken: Mapping[str, Any]) -> str:
    """The path as a name that no other leaf has."""
    text = "/".join(map(str, path)) or "value"
    name = "".join(c if c.isprintable() else "_" for c in text)
    while name in taken or name in _RESERVED:
        name += "_"
    return name
