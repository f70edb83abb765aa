"""Rules K and R by rank: sorting keeps all names, the k-th value removes one, the top k may rename it."""

import math
from typing import Any

import jax
import jax.numpy as jnp

from namedtensor._dims import Dims, axis_of, check_name, require_new, without
from namedtensor._errors import BadPattern, SizeMismatch
from namedtensor._plan import Body, Operation, run
from namedtensor._tensor import NamedTensor
from namedtensor.ops._build import along, refusing_nothing, selection
from namedtensor.ops._static import whole
from namedtensor.ops._table import method, public


def _mode(x: Any, *, axis: int) -> Any:
    # what jax.scipy.stats.mode does, which returns NaN for whole numbers where there are none
    def of_one(values):
        found, counts = jnp.unique(values, return_counts=True, size=values.size)
        return found[jnp.argmax(counts)], counts.max()

    rest = jnp.moveaxis(x, axis, -1)
    *shape, size = rest.shape
    values, counts = jax.vmap(of_one)(rest.reshape(math.prod(shape), size))
    return values.reshape(shape), counts.reshape(shape)


def _kthvalue(x: Any, *, axis: int, k: int) -> Any:
    size = jnp.shape(x)[axis]
    if not 1 <= k <= size:
        raise BadPattern(f"k={k} is outside 1 to {size}.", "k=1 is the smallest value.")
    position = jax.lax.index_in_dim(jnp.argsort(x, axis=axis), k - 1, axis)
    value = jnp.take_along_axis(x, position, axis)
    return jnp.squeeze(value, axis), jnp.squeeze(position, axis)


# one line an operation ------------------------------------------------------------------------
argpartition = along("argpartition", jnp.argpartition, kth=int)
argsort = along("argsort", jnp.argsort, descending=False, stable=True)
partition = along("partition", jnp.partition, kth=int)
sort = along("sort", jnp.sort, descending=False, stable=True)

kthvalue = selection("kthvalue", _kthvalue, results=2, k=int)
kthvalue.__doc__ = """The ``k``-th smallest value along the dim ``over``, counted from 1, and its position.

Names of both: those of ``x`` without ``over``. Of equal values the first comes first.
"""
mode = selection("mode", refusing_nothing(_mode), results=2)
mode.__doc__ = """The commonest value along the one dim ``over``, and how often it is there.

Names of both: those of ``x`` without ``over``. Of equally common values it is the smallest.
"""


def _top_k_rule(names: tuple[Dims, ...], over: str, k: int, new: str | None) -> Body:
    (there,) = names
    axis = axis_of(there, over)
    if new is not None:
        require_new(without(there, [over]), new)
    out = Dims(new if d == over and new else d for d in there)

    def top_k(x):
        if k > x.shape[axis]:
            raise SizeMismatch(
                f"there are {x.shape[axis]} values along {over!r}, and k={k}.", "Ask for fewer."
            )
        return jax.lax.top_k(x, k, axis=axis)

    return Body(top_k, (out, out))


_top_k = Operation(
    "top_k",
    _top_k_rule,
    ("over", "k", "new"),
    lambda over, k, new: (check_name(over), whole(k, "k", least=0), new and check_name(new)),
)


@method
def top_k(x: NamedTensor, over: str, *, k: int, new: str | None = None) -> tuple[NamedTensor, NamedTensor]:
    """The ``k`` largest values along the dim ``over``, the largest first, and their positions.

    Args:
      x: a tensor.
      over: the dim to look along.
      k: how many.
      new: what to call the dim of the ``k`` results; ``over`` by default.

    Returns:
      Values and positions, with the names of ``x``, ``over`` replaced by ``new``. The positions gather
      from any tensor with the dim ``over``: ``table[{"vocab": positions}]``.

    Raises:
      UnknownDim: ``x`` lacks ``over``.
      DuplicateDim: ``x`` has another dim ``new``.
      SizeMismatch: ``over`` has fewer than ``k`` values.

    Example:
      >>> import namedtensor as nt
      >>> values, positions = nt.tensor([1.0, 5.0, 3.0], "vocab").top_k("vocab", k=2, new="rank")
      >>> positions
      i32[rank:2] in [1, 2] on cpu
    """
    return run(_top_k, (x,), (over, k, new))


__all__ = public(globals())
