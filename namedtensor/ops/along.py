"""Rule K: an operation along one or more dims keeps all names."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from namedtensor._dims import Dims, axis_of, check_name
from namedtensor._errors import BadPattern
from namedtensor._plan import Body, Operation, run
from namedtensor._tensor import NamedTensor
from namedtensor.ops._build import along
from namedtensor.ops._options import TENSOR
from namedtensor.ops._static import whole
from namedtensor.ops._table import method, public

# in two passes: JAX's default, E[x^2] - E[x]^2, loses all digits where the mean is far from zero
_standardize = functools.partial(jax.nn.standardize, algorithm="stable")  # type: ignore[call-arg]


def _of_fractions(positional: Callable[..., Any]) -> Callable[..., Any]:
    """A function that JAX has for fractions alone: of whole numbers it casts an infinity to an integer."""

    def work(x: Any, **more: Any) -> Any:
        return positional(jnp.asarray(x, jnp.result_type(x, 1.0)), **more)

    return work


# one line an operation ------------------------------------------------------------------------
cumlogsumexp = along("cumlogsumexp", _of_fractions(jax.lax.cumlogsumexp), reverse=False)
cummax = along("cummax", jax.lax.cummax, reverse=False)
cummin = along("cummin", jax.lax.cummin, reverse=False)
cumprod = along("cumprod", jnp.cumprod, dtype=None)
cumsum = along("cumsum", jnp.cumsum, dtype=None)
cumulative_prod = along("cumulative_prod", jnp.cumulative_prod, dtype=None, include_initial=False)
cumulative_sum = along("cumulative_sum", jnp.cumulative_sum, dtype=None, include_initial=False)
flip = along("flip", jnp.flip, several_dims=True)
log_softmax = along("log_softmax", _of_fractions(jax.nn.log_softmax), several_dims=True, where=TENSOR)
nancumprod = along("nancumprod", jnp.nancumprod, dtype=None)
nancumsum = along("nancumsum", jnp.nancumsum, dtype=None)
softmax = along("softmax", _of_fractions(jax.nn.softmax), several_dims=True, where=TENSOR)
standardize = along("standardize", _standardize, several_dims=True, epsilon=1e-5, where=TENSOR)
standardize.__doc__ = (
    """``(x - mean) / sqrt(variance + epsilon)`` along the dims ``over``; names unchanged."""
)


def _roll_rule(names: tuple[Dims, ...], over: str, shift: int | None) -> Body:
    there, *by = names
    axis = axis_of(there, over)
    if shift is not None:
        return Body(lambda x: jnp.roll(x, shift, axis), there)

    def roll(x, shift):
        if by[0] or not jnp.issubdtype(shift.dtype, jnp.integer):
            raise BadPattern("the shift is a tensor, and not one whole number.", "Give one for all: shift=1.")
        return jnp.roll(x, shift, axis)

    return Body(roll, there)


_roll = Operation(
    "roll",
    _roll_rule,
    ("over", "shift"),
    lambda over, shift: (check_name(over), shift if shift is None else whole(shift, "shift")),
)


@method
def roll(x: NamedTensor, over: str, *, shift: Any) -> NamedTensor:
    """Move all values by ``shift`` places along the dim ``over``; what leaves at the end enters at the start.

    Args:
      x: a tensor.
      over: the dim to move along.
      shift: a whole number, negative to move towards the start. A scalar tensor may be traced.

    Raises:
      UnknownDim: ``x`` lacks ``over``.
      BadPattern: ``shift`` is no whole number.

    Example:
      >>> import namedtensor as nt
      >>> nt.arange("seq", 4).roll("seq", shift=1).array
      Array([3, 0, 1, 2], dtype=int32)
    """
    if hasattr(shift, "dtype"):
        return run(_roll, (x, shift), (over, None))
    return run(_roll, (x,), (over, shift))


__all__ = public(globals())
