"""Values that are stored with their axes in another order than the program says, and the rules for them.

A transposition is only noted. Operations that do not care about the order of axes (elementwise ones,
reductions, windows) go on in the stored order; every other operation gets the axes as written. So a
program whose convolutions want another layout is transposed at its borders alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from namedtensor.interpreter.equation import Equation
from namedtensor.interpreter.rules import RuleTable

# one word a primitive
_ELEMENTWISE = """
    abs acos acosh add add_any and asin asinh atan atan2 atanh cbrt ceil clamp convert_element_type copy cos
    cosh digamma div eq erf erf_inv erfc exp exp2 expm1 floor ge gt integer_pow is_finite le lgamma log log1p
    logistic lt max min mul ne neg nextafter not or pow reduce_precision rem round rsqrt select_n sign sin
    sinh sqrt square stop_gradient sub tan tanh xor
"""
_REDUCTIONS = "reduce_sum reduce_max reduce_min reduce_prod reduce_and reduce_or argmax argmin"
_WINDOWS = "reduce_window_sum reduce_window_max reduce_window_min"


@dataclass(frozen=True)
class Stored:
    """A value of the program, as it is stored.

    Attributes:
      array: the values there are.
      axes: for each axis of the array, which axis of the value it is; along the others the value is
        constant.
      shape: of the value.
    """

    array: Any
    axes: tuple[int, ...]
    shape: tuple[int, ...]

    @property
    def dtype(self) -> Any:
        """Of the array."""
        return self.array.dtype

    @property
    def full(self) -> bool:
        """Whether all axes are there."""
        return len(self.axes) == len(self.shape)


Order = tuple[int, ...]


def stored(value: Any) -> Stored:
    """Any value, with its axes as written if nothing else is known."""
    if isinstance(value, Stored):
        return value
    return Stored(value, tuple(range(np.ndim(value))), np.shape(value))


def plain(value: Any) -> Any:
    """The value as the program writes it."""
    if not isinstance(value, Stored):
        return value
    return ordered(value, tuple(range(len(value.shape))))


def ordered(value: Any, order: Order, shape: Sequence[int] | None = None) -> Any:
    """The value as an array with its axes in this order, broadcast to ``shape`` (of the program)."""
    value = stored(value)
    sizes = value.shape if shape is None else tuple(shape)
    there = [axis for axis in order if axis in value.axes]
    permutation = tuple(value.axes.index(axis) for axis in there)
    array = (
        value.array if permutation == tuple(range(len(there))) else lax.transpose(value.array, permutation)
    )
    target = tuple(sizes[axis] for axis in order)
    if len(there) == len(order) and array.shape == target:
        return array
    kept = [i for i, axis in enumerate(there) if array.shape[i] == sizes[axis]]
    array = lax.squeeze(array, [i for i in range(len(there)) if i not in kept])
    return lax.broadcast_in_dim(array, target, [order.index(there[i]) for i in kept])


def dense(value: Any) -> Stored:
    """With all its axes."""
    value = stored(value)
    return value if value.full else stored(plain(value))


def order_of(values: Sequence[Any], rank: int) -> Order:
    """The order of axes in which an operation on these values goes on: a changed one if there is one."""
    written = tuple(range(rank))
    orders = [v.axes for v in values if isinstance(v, Stored) and v.full and len(v.axes) == rank]
    return next((o for o in orders if o != written), written)


def as_written(eqn: Equation, *values: Any) -> Any:
    """The rule for all other operations: the equation as it is."""
    return eqn.bind(*map(plain, values))


def unmoved(values: Sequence[Any]) -> bool:
    """Whether every value is stored as written."""
    return not any(isinstance(v, Stored) for v in values)


def _bind(eqn: Equation, *arrays: Any, **changed: Any) -> Any:
    """The equation's primitive with some of its parameters changed."""
    return getattr(lax, f"{eqn.primitive}_p").bind(*arrays, **{**eqn.params, **changed})


def elementwise(eqn: Equation, *values: Any) -> Any:
    """In the order of its operands; what is constant along some axes stays small where all are."""
    if unmoved(values):
        return eqn.bind(*values)
    shape = eqn.outputs[0].shape
    tensors = [v for v in values if _rank(v)]
    alike = {stored(v).axes for v in tensors}
    if len(alike) == 1 and all(stored(v).shape == shape for v in tensors):
        axes = alike.pop()
        return Stored(eqn.bind(*(v.array if isinstance(v, Stored) else v for v in values)), axes, shape)
    order = _order_of_all(tensors, len(shape))
    arrays = [ordered(v, order, shape) if _rank(v) else plain(v) for v in values]
    return Stored(eqn.bind(*arrays), order, shape)


def _order_of_all(values: Sequence[Any], rank: int) -> Order:
    """As `order_of`; where no value has all axes, those that some value has."""
    if any(stored(v).full for v in values):
        return order_of(values, rank)
    longest_first = sorted((v.axes for v in values), key=len, reverse=True)
    return tuple(dict.fromkeys(axis for axes in longest_first for axis in axes))


def _rank(value: Any) -> int:
    return len(value.shape) if isinstance(value, Stored) else np.ndim(value)


def reduction(eqn: Equation, value: Any) -> Any:
    """Over the same axes, wherever they are stored."""
    if unmoved([value]):
        return eqn.bind(value)
    order = order_of([value], len(value.shape))
    axes = eqn.params["axes"]
    array = _bind(eqn, ordered(value, order), axes=tuple(order.index(a) for a in axes))
    left = [a for a in range(len(value.shape)) if a not in axes]
    return Stored(array, tuple(left.index(a) for a in order if a in left), eqn.outputs[0].shape)


def transpose(eqn: Equation, value: Any) -> Any:
    """Noted only."""
    if unmoved([value]):
        return eqn.bind(value)
    new = {old: i for i, old in enumerate(eqn.params["permutation"])}
    return Stored(value.array, tuple(new[a] for a in value.axes), eqn.outputs[0].shape)


def broadcast(eqn: Equation, value: Any, *sizes: Any) -> Any:
    """Noted only: the new axes are not there."""
    shape = eqn.outputs[0].shape
    if sizes or eqn.params.get("sharding") is not None or len(shape) < 2:
        return as_written(eqn, value, *sizes)
    value, to = stored(value), eqn.params["broadcast_dimensions"]
    grown = [i for i, a in enumerate(value.axes) if value.shape[a] != shape[to[a]]]
    array = lax.squeeze(value.array, grown) if grown else value.array
    axes = tuple(to[a] for i, a in enumerate(value.axes) if i not in grown)
    return Stored(jnp.asarray(array), axes, shape)


def squeeze(eqn: Equation, value: Any) -> Any:
    """Axes of size 1 are left out wherever they are stored."""
    if unmoved([value]):
        return eqn.bind(value)
    gone = eqn.params["dimensions"]
    left = [a for a in range(len(value.shape)) if a not in gone]
    array = lax.squeeze(value.array, [i for i, a in enumerate(value.axes) if a in gone])
    return Stored(array, tuple(left.index(a) for a in value.axes if a in left), eqn.outputs[0].shape)


def reshape(eqn: Equation, value: Any, *sizes: Any) -> Any:
    """In the stored order where only axes that lie beside each other are merged, or one is split."""
    if unmoved([value]) or sizes or eqn.params.get("sharding") is not None:
        return as_written(eqn, value, *sizes)
    shape = eqn.outputs[0].shape
    value = value if value.full else stored(ordered(value, tuple(range(len(value.shape)))))
    groups = _groups(value.shape, shape)
    where = {old: k for k, (olds, _) in enumerate(groups) for old in olds}
    order: list[int] = []  # of the groups, as stored
    for axis in value.axes:
        if axis in where and where[axis] not in order:
            order.append(where[axis])
    if [a for k in order for a in groups[k][0]] != [a for a in value.axes if a in where]:
        return as_written(eqn, value)
    axes = [new for k in order for new in groups[k][1]]
    axes += [a for a in range(len(shape)) if a not in axes]
    return Stored(value.array.reshape([shape[a] for a in axes]), tuple(axes), shape)


def _groups(old: Sequence[int], new: Sequence[int]) -> list[tuple[list[int], list[int]]]:
    """The smallest runs of axes with as many elements before and after; axes of size 1 in none."""
    olds, news = ([a for a, n in enumerate(s) if n != 1] for s in (old, new))
    groups = []
    while olds and news:
        taken, given = [olds.pop(0)], [news.pop(0)]
        while (a := _size(old, taken)) != (b := _size(new, given)):
            side, rest = (taken, olds) if a < b else (given, news)
            side.append(rest.pop(0))
        groups.append((taken, given))
    return groups


def _size(shape: Sequence[int], axes: list[int]) -> int:
    return int(np.prod([shape[a] for a in axes], dtype=np.int64))


def slicing(eqn: Equation, value: Any) -> Any:
    """The same slice of each axis, wherever it is stored."""
    if unmoved([value]):
        return eqn.bind(value)
    order = order_of([value], len(value.shape))
    params = eqn.params
    start, limit = (tuple(params[k][a] for a in order) for k in ("start_indices", "limit_indices"))
    strides = params["strides"] and tuple(params["strides"][a] for a in order)
    return Stored(lax.slice(ordered(value, order), start, limit, strides), order, eqn.outputs[0].shape)


def pad(eqn: Equation, value: Any, fill: Any) -> Any:
    """The same margins of each axis, wherever it is stored."""
    if unmoved([value]):
        return as_written(eqn, value, fill)
    order = order_of([value], len(value.shape))
    edges = [eqn.params["padding_config"][a] for a in order]
    return Stored(lax.pad(ordered(value, order), plain(fill), edges), order, eqn.outputs[0].shape)


def concatenate(eqn: Equation, *values: Any) -> Any:
    """In the order of its operands."""
    if unmoved(values):
        return eqn.bind(*values)
    shape = eqn.outputs[0].shape
    order = order_of(values, len(shape))
    arrays = [ordered(v, order) for v in values]
    return Stored(lax.concatenate(arrays, order.index(eqn.params["dimension"])), order, shape)


def window(eqn: Equation, value: Any) -> Any:
    """The same window over each axis, wherever it is stored."""
    if unmoved([value]):
        return eqn.bind(value)
    order = order_of([value], len(value.shape))
    moved = {k: tuple(p[a] for a in order) for k, p in eqn.params.items() if isinstance(p, tuple)}
    return Stored(_bind(eqn, ordered(value, order), **moved), order, eqn.outputs[0].shape)


def identity(eqn: Equation, value: Any) -> Any:
    """A tap: its place is not kept."""
    return value


def register(table: RuleTable) -> None:
    """Add these rules to a table."""
    table.register(*_ELEMENTWISE.split())(elementwise)
    table.register(*_REDUCTIONS.split())(reduction)
    table.register(*_WINDOWS.split())(window)
    table.register("transpose")(transpose)
    table.register("broadcast_in_dim")(broadcast)
    table.register("squeeze")(squeeze)
    table.register("reshape")(reshape)
    table.register("slice")(slicing)
    table.register("pad")(pad)
    table.register("concatenate")(concatenate)
    table.register("name")(identity)
