"""A record's fields as named arrays and JSON, and back; nothing is pickled.

`np.savez` knows neither bfloat16 nor typed random keys: an array goes as its bits with the name of its
type, a key as its data.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from namedtensor import is_named, tensor

_BITS = {1: np.uint8, 2: np.uint16}


def pack(x: Any, name: str, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """A value as JSON, its arrays put into ``arrays`` under ``name`` and what follows it."""
    if isinstance(x, tuple | list):
        return {type(x).__name__: [pack(part, f"{name}.{i}", arrays) for i, part in enumerate(x)]}
    if isinstance(x, dict):  # by pairs: a key may be the number of an axis, and JSON has strings alone
        return {"dict": [[k, pack(v, f"{name}.{k}", arrays)] for k, v in x.items()]}
    if is_named(x):
        return {"named": pack(x.array, name, arrays), "dims": str(x.dims)}
    if isinstance(x, jax.Array) and jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
        return {"key": pack(jax.random.key_data(x), name, arrays), "impl": str(jax.random.key_impl(x))}
    if hasattr(x, "shape"):
        array = np.asarray(x)
        plain = array.dtype.kind in "fiub"
        arrays[name] = array if plain else array.view(_BITS[array.dtype.itemsize])
        return {"array": name, "dtype": str(array.dtype), "numpy": isinstance(x, np.ndarray | np.generic)}
    return {"value": x if isinstance(x, str | int | float | bool | None) else repr(x)}


def unpack(x: dict[str, Any], arrays: Any) -> Any:
    """The value that `pack` has packed."""
    if "tuple" in x or "list" in x:
        parts = [unpack(part, arrays) for part in x.get("tuple", x.get("list", ()))]
        return tuple(parts) if "tuple" in x else parts
    if "dict" in x:
        return {k: unpack(v, arrays) for k, v in x["dict"]}
    if "named" in x:
        return tensor(unpack(x["named"], arrays), x["dims"])
    if "key" in x:
        return jax.random.wrap_key_data(unpack(x["key"], arrays), impl=x["impl"])
    if "array" in x:
        array = arrays[x["array"]]
        array = array if str(array.dtype) == x["dtype"] else array.view(jnp.dtype(x["dtype"]))
        return array[()] if x["numpy"] else jnp.asarray(array)
    return x["value"]
