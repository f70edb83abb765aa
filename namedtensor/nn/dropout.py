"""Named dropout: the key is an argument, and names say along which dims the mask varies."""

from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer

from namedtensor._dims import Dims, Spec, dims, require
from namedtensor._errors import Unsupported, showing
from namedtensor._plan import Body, Operation, run
from namedtensor._tensor import NamedTensor, named
from namedtensor.nn._checks import number, require_floating, shown, widened
from namedtensor.ops._align import align


def _rule(names: tuple[Dims, ...], over: Dims | None) -> Body:
    there = names[0]
    # Drawn in the order of the names, so that the order in which x is stored does not change the mask.
    varying = Dims(sorted(there if over is None else require(there, over)))

    def dropout(x, key, rate):
        require_floating("x", x)
        sizes = [x.shape[there.index(d)] for d in varying]
        kept = align(jax.random.bernoulli(key, 1 - rate, sizes), varying, there)
        scaled = (x.astype(widened(x.dtype)) / (1 - rate)).astype(x.dtype)
        return jnp.where(kept, scaled, jnp.zeros((), x.dtype))

    return Body(dropout, there)


_dropout = Operation("nn.dropout", _rule, ("over",), lambda over: (None if over is None else dims(over),))


def _probability(rate: Any) -> Any:
    """The rate, checked where its value is known."""
    if isinstance(rate, NamedTensor) and rate.dims:
        raise Unsupported(f"the rate has the dims '{rate.dims}'.", "Give one number.")
    value = rate.array if isinstance(rate, NamedTensor) else rate
    if isinstance(value, Tracer):
        return value
    value = value.item() if isinstance(value, jax.Array) and value.ndim == 0 else value
    return number(value, "rate", "[0, 1)", lambda v: 0 <= v < 1)


def _one_key(key: Any) -> Any:
    """A typed key; JAX's old keys, arrays of uint32, are taken too."""
    array: Any = key.array if isinstance(key, NamedTensor) else key
    dtype = getattr(array, "dtype", None)
    if dtype == jnp.uint32 and array.ndim == 1 and array is key:
        return jax.random.wrap_key_data(array)
    is_key = dtype is not None and jnp.issubdtype(dtype, jax.dtypes.prng_key)
    if not is_key:
        raise Unsupported(
            f"key={shown(array)} is not a random key.", "Write key=jax.random.key(0), or None for no dropout."
        )
    if array.ndim:
        raise Unsupported(
            f"key={shown(key)} is several keys.", "Give one, or map over them: nt.vmap(f, over='...')."
        )
    return key


def dropout(x: NamedTensor, rate: float, *, key: Any, over: Spec | None = None) -> NamedTensor:
    """Zero each value with probability ``rate``, and divide the others by ``1 - rate``.

    The mask depends on the key, and on the names and sizes of ``over``: not on the order in which ``x``
    is stored.

    Args:
      x: a floating tensor.
      rate: a number in [0, 1). Another rate compiles nothing anew; one that is traced is not checked.
      key: a random key, or None for no dropout, as in inference: ``x`` is returned as it is.
      over: the dims along which the mask varies; along the others of ``x`` it is shared. All by default.
        ``over="batch channel"`` drops whole channels of images.

    Returns:
      The dims and the dtype of ``x``.

    Raises:
      BadPattern: the rate is outside [0, 1).
      UnknownDim: ``x`` lacks a dim of ``over``.
      Unsupported: ``key`` is not one key, or ``x`` is not floating.

    References:
      Srivastava et al. 2014, Dropout, JMLR 15(56):1929-1958.

    Example:
      >>> import jax, namedtensor as nt
      >>> x = nt.ones("batch:2 embed:3")
      >>> nt.nn.dropout(x, 0.5, key=jax.random.key(0)).array
      Array([[0., 0., 2.],
             [2., 0., 2.]], dtype=float32)
      >>> nt.nn.dropout(x, 0.5, key=None) is x
      True
    """
    with showing("nt.nn.dropout", x):
        there, rate = named(x).dims, _probability(rate)
        if key is None:
            require(there, () if over is None else dims(over))
            return x
        key = _one_key(key)
    return run(_dropout, (x, key, rate), (over,))
