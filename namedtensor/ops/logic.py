"""Rules U and B for truth and bits: comparisons, logical and bitwise operations, choices by a condition."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from namedtensor._dims import Dims, in_transit
from namedtensor._errors import BadPattern, showing
from namedtensor._plan import Body, Operation, run
from namedtensor._tensor import NamedTensor, operand
from namedtensor.ops._align import broadcasting
from namedtensor.ops._build import binary, unary
from namedtensor.ops._table import alias, method, public

# one line an operation ------------------------------------------------------------------------
bitwise_count = unary("bitwise_count", jnp.bitwise_count)
bitwise_not = unary("bitwise_not", jnp.bitwise_not)
clz = unary("clz", jax.lax.clz)
iscomplex = unary("iscomplex", jnp.iscomplex)
isfinite = unary("isfinite", jnp.isfinite)
isinf = unary("isinf", jnp.isinf)
isnan = unary("isnan", jnp.isnan)
isneginf = unary("isneginf", jnp.isneginf)
isposinf = unary("isposinf", jnp.isposinf)
isreal = unary("isreal", jnp.isreal)
logical_not = unary("logical_not", jnp.logical_not)
signbit = unary("signbit", jnp.signbit)

bitwise_and = binary("bitwise_and", jnp.bitwise_and)
bitwise_or = binary("bitwise_or", jnp.bitwise_or)
bitwise_xor = binary("bitwise_xor", jnp.bitwise_xor)
equal_to = binary("equal_to", jnp.equal)
greater = binary("greater", jnp.greater)
greater_equal = binary("greater_equal", jnp.greater_equal)
isclose = binary("isclose", jnp.isclose, rtol=1e-5, atol=1e-8, equal_nan=False)
left_shift = binary("left_shift", jnp.left_shift)
less = binary("less", jnp.less)
less_equal = binary("less_equal", jnp.less_equal)
logical_and = binary("logical_and", jnp.logical_and)
logical_or = binary("logical_or", jnp.logical_or)
logical_xor = binary("logical_xor", jnp.logical_xor)
not_equal = binary("not_equal", jnp.not_equal)
right_shift = binary("right_shift", jnp.right_shift)

# the second names that jax.numpy has
bitwise_invert = alias("bitwise_invert", bitwise_not)
bitwise_left_shift = alias("bitwise_left_shift", left_shift)
bitwise_right_shift = alias("bitwise_right_shift", right_shift)
invert = alias("invert", bitwise_not)


def _sizes(array: Any, there: Dims) -> dict[str, int]:
    shape = np.shape(array)
    if len(shape) != len(there):
        raise in_transit(shape, there)
    return dict(zip(there, shape, strict=True))


@method
def allclose(x: Any, y: Any, *, rtol: Any = 1e-5, atol: Any = 1e-8, equal_nan: bool = False) -> bool:
    """Whether all values agree, ``|x - y| <= atol + rtol * |y|``, in whatever order they are stored.

    Args:
      x: a tensor or a number.
      y: a tensor with the same names and sizes (else the answer is False), or a number.
      rtol: the tolerance relative to ``y``.
      atol: the absolute tolerance.
      equal_nan: whether NaN agrees with NaN.

    Example:
      >>> import namedtensor as nt
      >>> x = nt.tensor([1.0, 2.0], "seq")
      >>> nt.allclose(x, x + 1e-7), nt.allclose(x, x.rename(seq="time"))
      (True, False)
    """
    with showing("nt.allclose", x, y):
        sizes = [_sizes(*operand(t)) for t in (x, y)]
    if sizes[0] != sizes[1] and all(sizes):
        return False
    return bool(isclose(x, y, rtol=rtol, atol=atol, equal_nan=equal_nan).array.all())


_where = Operation("where", broadcasting(jnp.where))


def where(condition: Any, x: Any, y: Any) -> NamedTensor:
    """``x`` where ``condition`` holds, else ``y``; names: the union of all three.

    Example:
      >>> import namedtensor as nt
      >>> x = nt.tensor([-1.0, 2.0], "embed")
      >>> nt.where(x > 0, x, 0.0).array
      Array([0., 2.], dtype=float32)
    """
    return run(_where, (condition, x, y))


def _select_rule(names: tuple[Dims, ...]) -> Body:
    n = len(names) // 2

    def select(*arrays):
        *both, default = arrays
        return jnp.select(both[:n], both[n:], default)

    return broadcasting(select)(names)


_select_rule.broadcasts = True  # type: ignore[attr-defined]  (read by Operation)
_select = Operation("select", _select_rule)


def select(conditions: Sequence[Any], choices: Sequence[Any], default: Any = 0) -> NamedTensor:
    """The choice of the first condition that holds, or ``default``; names: the union of all.

    Args:
      conditions: a list of tensors of truth values.
      choices: as many tensors or numbers.
      default: where no condition holds.

    Raises:
      BadPattern: no lists, or lists of two lengths.

    Example:
      >>> import namedtensor as nt
      >>> x = nt.tensor([-2.0, 0.5, 3.0], "seq")
      >>> nt.select([x < 0, x > 1], [0.0, 1.0], x).array
      Array([0. , 0.5, 1. ], dtype=float32)
    """
    lists = [part if isinstance(part, list | tuple) else () for part in (conditions, choices)]
    n, m = map(len, lists)
    if not n or n != m:
        raise BadPattern(
            f"conditions and choices are lists of one length, not of {n} and {m}.",
            "Write nt.select([x < 0, x > 1], [0.0, 1.0], x).",
        ).within("nt.select", [*lists[0], *lists[1]] if n and m else [conditions, choices])
    return run(_select, (*conditions, *choices, default))


def _clip_rule(names: tuple[Dims, ...], bounds: tuple[str, ...]) -> Body:
    def clip(array, *limits):
        return jnp.clip(array, **dict(zip(bounds, limits, strict=True)))

    return broadcasting(clip)(names)


_clip_rule.broadcasts = True  # type: ignore[attr-defined]  (read by Operation)
_clip = Operation("clip", _clip_rule)


@method
def clip(x: Any, low: Any = None, high: Any = None) -> NamedTensor:
    """``x`` limited to ``low`` .. ``high``, of which one may be left out; names: the union of all.

    Example:
      >>> import namedtensor as nt
      >>> nt.tensor([-1.0, 0.5, 2.0], "seq").clip(0.0, 1.0).array
      Array([0. , 0.5, 1. ], dtype=float32)
    """
    bounds = {k: v for k, v in (("min", low), ("max", high)) if v is not None}
    return run(_clip, (x, *bounds.values()), (tuple(bounds),))


__all__ = public(globals())
