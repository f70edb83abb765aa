"""Keys by name: a dim of keys is as many independent streams."""

from typing import Any

import jax
import numpy as np

from namedtensor._dims import Dims, Sizes, union
from namedtensor._errors import Unsupported, showing
from namedtensor._plan import Body, Operation, run
from namedtensor._tensor import NamedTensor, is_named
from namedtensor.ops._align import align
from namedtensor.ops._batch import mapped
from namedtensor.ops._table import public
from namedtensor.ops.random._draw import as_key, drawing, parse_shape


def key(seed: int, *, impl: str | None = None) -> jax.Array:
    """`jax.random.key`: a plain key, which JAX's own functions take too.

    Example:
      >>> import namedtensor as nt
      >>> nt.random.normal(nt.random.key(0), "embed:4").shape
      Shape(embed:4)
    """
    return jax.random.key(seed, impl=impl)


def _split_rule(names: tuple[Dims, ...], shape: tuple) -> Body:
    return drawing(names, shape, lambda key, shape: jax.random.split(key, shape))


_split = Operation("random.split", _split_rule, (), lambda shape: (parse_shape(shape),))


def split(key: Any, shape: Sizes) -> NamedTensor:
    """Independent keys along new dims.

    Args:
      key: a random key; one with dims is split for each of its keys.
      shape: names and sizes, ``"layer:12"``.

    Returns:
      A tensor of keys. It can be indexed, unstacked, mapped over and drawn from like any other; its
      ``array`` is what `jax.random` takes.

    Raises:
      Unsupported: a key that is none.

    Example:
      >>> import jax, namedtensor as nt
      >>> keys = nt.random.split(jax.random.key(0), "layer:12")
      >>> nt.random.uniform(keys.isel(layer=3), "embed:4").shape
      Shape(embed:4)
    """
    with showing("nt.random.split", key):
        key = as_key(key)
    return run(_split, (key,), (shape,))


def _fold_in_rule(names: tuple[Dims, ...]) -> Body:
    target = union(*names)

    def fold_in(key, data):
        if np.dtype(data.dtype).kind not in "iu":
            raise Unsupported(f"the data are {data.dtype}.", "Fold in whole numbers.")
        arrays = (
            align(a, d, Dims([t for t in target if t in d])) for a, d in zip((key, data), names, strict=True)
        )
        return mapped(jax.random.fold_in, names, target)(*arrays)

    return Body(fold_in, target)


_fold_in = Operation("random.fold_in", _fold_in_rule)


def fold_in(key: Any, data: Any) -> Any:
    """A new key for each whole number of ``data``.

    Args:
      key: a random key, or a tensor of them.
      data: a whole number, or a tensor of them, such as ``nt.arange("layer", 12)``.

    Returns:
      Keys with the union of the names; a plain key where both are plain.

    Raises:
      Unsupported: a key that is none, or data that are no whole numbers.

    Example:
      >>> import jax, namedtensor as nt
      >>> nt.random.fold_in(jax.random.key(0), nt.arange("step", 3)).shape
      Shape(step:3)
    """
    with showing("nt.random.fold_in", key, data):
        key = as_key(key)
    out = run(_fold_in, (key, data))
    return out if is_named(key) or is_named(data) else out.array


__all__ = public(globals())
