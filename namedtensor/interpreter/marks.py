"""The mark that names a value: what `nt.tap` leaves in a program.

It is `jax.ad_checkpoint.checkpoint_name`, an identity that survives jit, vmap and grad and costs nothing
once compiled. The names of a tensor's dims travel in a named scope around it, so that what is captured
from a named function is named.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name
from jax.core import Tracer

from namedtensor._dims import Dims, dims
from namedtensor._tensor import NamedTensor, is_named
from namedtensor.interpreter.equation import Equation

DIMS = "dims["  # how the scope begins that says the names of a place's dims


def tap(x: Any, name: str) -> Any:
    """Name a place in a function: the identity, for `capture`, `replace` and ``layer=``.

    Args:
      x: an array, a named tensor, or a pytree of them. With several leaves, each becomes a place of
        its own: ``name['key']``.
      name: any string without ``#``, such as ``"block3/mlp"``.

    Returns:
      ``x``. (Under `jax.vmap`, what is seen at the place has the mapped axis in front.)

    Example:
      >>> import jax.numpy as jnp, namedtensor as nt
      >>> def f(x):
      ...     hidden = nt.tap(jnp.tanh(x), "hidden")
      ...     return hidden.sum()
      >>> nt.capture(f, ["hidden"])(jnp.zeros(2))
      (Array(0., dtype=float32), {'hidden': Array([0., 0.], dtype=float32)})
    """
    if not isinstance(name, str) or not name or "#" in name:
        raise ValueError(
            f"nt.tap: {name!r} is not a name for a place; write a string without '#', such as 'block3/mlp'."
        )
    leaves, tree = jax.tree_util.tree_flatten_with_path(x, is_leaf=is_named)
    if len(leaves) == 1:
        return jax.tree.unflatten(tree, [_tap_leaf(leaves[0][1], name)])
    return jax.tree.unflatten(
        tree, [_tap_leaf(leaf, f"{name}{jax.tree_util.keystr(path)}") for path, leaf in leaves]
    )


def _tap_leaf(x: Any, name: str) -> Any:
    if not is_named(x):
        return checkpoint_name(_mapped_in_front(x), name)
    with jax.named_scope(f"{DIMS}{x.dims}]"):
        return NamedTensor(checkpoint_name(_mapped_in_front(x.array), name), x.dims)


def _mapped_in_front(x: Any) -> Any:
    """``x``, with the axes that `jax.vmap` maps over in front, wherever it has them by now.

    vmap keeps a mapped axis where an operation happens to leave it: behind, after ``w @ x``. Whoever looks
    at the place from outside sees that axis and expects the batch in front. vmap of a reshape puts it
    there, of the trivial one too; the compiler drops that one.
    """
    if not isinstance(x, Tracer):
        return x
    return jax.lax.reshape_p.bind(x, new_sizes=x.shape, dimensions=None, sharding=None)


def dims_of(eqn: Equation, value: Any) -> Dims | None:
    """The names that the tap was given, unless jax.vmap has added an axis."""
    last = eqn.scope.rpartition("/")[2]
    names = dims(last[len(DIMS) : -1]) if last.startswith(DIMS) else None
    return names if names is not None and len(names) == jnp.ndim(value) else None
