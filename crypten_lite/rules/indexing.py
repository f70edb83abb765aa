"""Reading and writing at positions: public ones move elements for nothing, a secret one is a one-hot row.

Which element goes where is computed by NumPy on numbers of places: no program is compiled for a shape.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from crypten_lite.rules import constants, logic
from crypten_lite.rules.linear import total
from crypten_lite.rules.onehot import looked_up, moved, spread
from crypten_lite.rules.table import refuse, rule
from crypten_lite.values import Secret, flat
from namedtensor.interpreter import Equation

_ADVICE = "Write the index as a one-hot vector and multiply: jax.nn.one_hot(i, n) @ table."


@dataclass(frozen=True)
class Windows:
    """The windows that a gather reads and a scatter writes, in the words of `jax.lax.GatherDimensionNumbers`.

    Attributes:
      shape: of the array.
      sizes: of a window, for each axis of the array.
      inner: the axes of the result along which a window lies.
      dropped: axes of the array that windows lose.
      batch: axes of the array that go with axes of the indices.
      batch_indices: these axes of the indices.
      indexed: the axes of the array that the numbers of an index are for.
    """

    shape: tuple[int, ...]
    sizes: tuple[int, ...]
    inner: tuple[int, ...]
    dropped: tuple[int, ...]
    batch: tuple[int, ...]
    batch_indices: tuple[int, ...]
    indexed: tuple[int, ...]

    @property
    def kept(self) -> list[int]:
        """The axes of the array that windows have."""
        return [a for a in range(len(self.shape)) if a not in (*self.dropped, *self.batch)]

    def along(self, axis: int, outer: int) -> "Windows":
        """Windows as long as an axis, which come after the axes of the indices."""
        sizes = tuple(
            n if a == axis else s for a, (n, s) in enumerate(zip(self.shape, self.sizes, strict=True))
        )
        longer = replace(self, sizes=sizes, dropped=tuple(a for a in self.dropped if a != axis))
        return replace(longer, inner=tuple(range(outer, outer + len(longer.kept))))

    def places(self, indices: Any, *, clip: bool) -> Any:
        """For each element of the result its place in the flat array; -1 where the window is not inside."""
        indices = np.asarray(indices).astype(np.int64)
        starts, valid = self._starts(indices), np.ones(indices.shape[:-1], bool)
        most = [n - size for n, size in zip(self.shape, self.sizes, strict=True)]
        for axis, last in enumerate(most):
            if not clip:
                valid &= (starts[axis] >= 0) & (starts[axis] <= last)
            starts[axis] = np.clip(starts[axis], 0, last)
        outer, kept = indices.ndim - 1, self.kept
        place = np.zeros((1,) * (outer + len(kept)), np.int64)
        for axis, stride in enumerate(_strides(self.shape)):
            wide = starts[axis].reshape((*starts[axis].shape, *(1,) * len(kept)))
            if axis in kept:
                inside = [1] * len(kept)
                inside[kept.index(axis)] = self.sizes[axis]
                wide = wide + np.arange(self.sizes[axis]).reshape(inside)
            place = place + wide * stride
        place = np.where(valid.reshape((*valid.shape, *(1,) * len(kept))), place, -1)
        whole = (*indices.shape[:-1], *(self.sizes[a] for a in kept))
        return np.moveaxis(np.broadcast_to(place, whole), range(outer, outer + len(kept)), self.inner)

    def _starts(self, indices: Any) -> list[Any]:
        outer = indices.shape[:-1]
        starts = [np.zeros(outer, np.int64) for _ in self.shape]
        for axis, along in zip(self.batch, self.batch_indices, strict=True):
            starts[axis] = np.broadcast_to(
                np.arange(outer[along]).reshape([-1 if a == along else 1 for a in range(len(outer))]), outer
            )
        for number, axis in enumerate(self.indexed):
            starts[axis] = indices[..., number]
        return starts


def _strides(shape: Sequence[int]) -> list[int]:
    return [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]


def read_windows(eqn: Equation) -> Windows:
    """Those of a gather."""
    d = eqn.params["dimension_numbers"]
    batch = (d.operand_batching_dims, d.start_indices_batching_dims)
    return Windows(
        eqn.inputs[0].shape,
        eqn.params["slice_sizes"],
        d.offset_dims,
        d.collapsed_slice_dims,
        *batch,
        d.start_index_map,
    )


def written_windows(eqn: Equation) -> Windows:
    """Those of a scatter."""
    d, shape, updates = eqn.params["dimension_numbers"], eqn.inputs[0].shape, eqn.inputs[2].shape
    inner = iter([updates[a] for a in d.update_window_dims])
    dropped = (*d.inserted_window_dims, *d.operand_batching_dims)
    sizes = tuple(1 if a in dropped else next(inner) for a in range(len(shape)))
    batch = (d.operand_batching_dims, d.scatter_indices_batching_dims)
    return Windows(
        shape, sizes, d.update_window_dims, d.inserted_window_dims, *batch, d.scatter_dims_to_operand_dims
    )


def _clips(eqn: Equation) -> bool:
    return "FILL" not in str(eqn.params["mode"]).upper()


@rule("gather")
def _(eqn: Equation, x: Any, indices: Any) -> Any:
    windows = read_windows(eqn)
    if isinstance(indices, Secret):
        return looked_up(eqn, x, indices, windows)
    places = windows.places(indices, clip=_clips(eqn))
    fill = eqn.params["fill_value"]
    outside = places < 0
    if not outside.any():
        return moved(x, places)
    if fill is None or not np.isfinite(fill):
        raise refuse(eqn, "it reads beyond the array, where JAX gives NaN", "Use indices within the array.")
    inside = moved(x, np.maximum(places, 0))
    filled = constants.elements(eqn, np.where(outside, fill, 0), inside.scale, x.session)
    return inside.map(lambda a: a * ~outside, inside.shape).plus_public(filled)


@rule("dynamic_slice")
def _(eqn: Equation, x: Any, *starts: Any) -> Any:
    sizes = tuple(eqn.params["slice_sizes"])
    axes = tuple(range(len(sizes)))
    windows = Windows(eqn.inputs[0].shape, sizes, axes, (), (), (), axes)
    secret = [a for a, s in enumerate(starts) if isinstance(s, Secret)]
    if not secret:
        return moved(x, windows.places(np.array([int(s) for s in starts]), clip=True))
    if len(secret) > 1 or sizes[secret[0]] != 1:
        raise refuse(eqn, "where it reads is secret", _ADVICE)
    (axis,) = secret
    rest = [0 if a == axis else int(s) for a, s in enumerate(starts)]
    whole = tuple(windows.shape[a] if a == axis else n for a, n in enumerate(sizes))
    places = Windows(windows.shape, whole, axes, (), (), (), axes).places(np.array(rest), clip=True)
    table = moved(x, places) if isinstance(x, Secret) else np.asarray(x).reshape(-1)[places]
    one = Windows(whole, sizes, axes, (), (), (), (axis,))
    index = starts[axis].map(lambda a: a.reshape(len(a), 1), (1,))
    return looked_up(eqn, table, index, one)


@rule("scatter", "dynamic_update_slice")
def _(eqn: Equation, x: Any, *others: Any) -> Any:
    if eqn.primitive == "scatter":
        indices, update = others
        places = _written(eqn, indices)
    else:
        update, *starts = others
        places = _updated(eqn, starts)
    size = math.prod(eqn.outputs[0].shape)
    found = np.arange(size)
    found[places[places >= 0]] = size + np.arange(places.size)[(places >= 0).reshape(-1)]
    found = found.reshape(eqn.outputs[0].shape)

    def take(parts: Any) -> Any:
        return np.concatenate([flat(p) for p in parts], 1)[:, found]

    if logic.is_truth(x) and logic.is_truth(update):
        return logic.joined(eqn, (x, update), take)
    return constants.joined(constants.aligned(eqn, x, update), take, found.shape)


def _written(eqn: Equation, indices: Any) -> Any:
    if isinstance(indices, Secret):
        raise refuse(
            eqn, "where it writes is secret", "Write with a one-hot mask: jnp.where(mask, new, old)."
        )
    return written_windows(eqn).places(indices, clip=_clips(eqn))


def _updated(eqn: Equation, starts: Sequence[Any]) -> Any:
    if any(isinstance(s, Secret) for s in starts):
        raise refuse(
            eqn, "where it writes is secret", "Write with a one-hot mask: jnp.where(mask, new, old)."
        )
    sizes = eqn.inputs[1].shape
    axes = tuple(range(len(sizes)))
    windows = Windows(eqn.inputs[0].shape, sizes, axes, (), (), (), axes)
    return windows.places(np.array([int(s) for s in starts]), clip=True)


@rule("scatter-add")
def _(eqn: Equation, x: Any, indices: Any, update: Any) -> Any:
    if isinstance(indices, Secret):  # the gradient of a look-up
        update, places = spread(eqn, update, indices, written_windows(eqn))
    else:
        places = _written(eqn, indices)
    inside, size = (places >= 0).reshape(-1), math.prod(eqn.outputs[0].shape)

    def added(a: Any) -> Any:
        out = np.zeros((len(a), size), a.dtype)
        for row, values in zip(out, flat(a)[:, inside], strict=True):
            np.add.at(row, places.reshape(-1)[inside], values)
        return out.reshape(len(a), *eqn.outputs[0].shape)

    if isinstance(update, Secret):
        number = constants.roomy(constants.number(eqn, update))
        return total(eqn, number.map(added, eqn.outputs[0].shape), x)
    return total(eqn, x, added(np.asarray(update).astype(np.float64)[None])[0])
