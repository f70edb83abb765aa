"""Structural operations on arrays with a first axis for roles: ``[role, *shape] -> [role, *new]``.

They move elements and compute nothing, so one function serves shares, openings, bits and public arrays.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from namedtensor.interpreter import Equation


def reshape(eqn: Equation, a: Any) -> Any:
    """Another shape, and, with ``dimensions``, first another order."""
    order = eqn.params.get("dimensions")
    a = a if order is None else a.transpose(0, *(d + 1 for d in order))
    return a.reshape(a.shape[0], *eqn.outputs[0].shape)


def sized(eqn: Equation, a: Any) -> Any:
    """With fewer or more axes of one element."""
    return a.reshape(a.shape[0], *eqn.outputs[0].shape)


def transpose(eqn: Equation, a: Any) -> Any:
    """Another order of the axes."""
    return a.transpose(0, *(d + 1 for d in eqn.params["permutation"]))


def broadcast_in_dim(eqn: Equation, a: Any) -> Any:
    """Repeated along new axes, without a copy."""
    shape = eqn.outputs[0].shape
    wide = [1] * len(shape)
    for size, dim in zip(a.shape[1:], eqn.params["broadcast_dimensions"], strict=True):
        wide[dim] = size
    return np.broadcast_to(a.reshape(a.shape[0], *wide), (a.shape[0], *shape))


def slice_(eqn: Equation, a: Any) -> Any:
    """A range of each axis."""
    params = eqn.params
    strides = params["strides"] or (1,) * len(params["start_indices"])
    ranges = zip(params["start_indices"], params["limit_indices"], strides, strict=True)
    return a[(slice(None), *(slice(*r) for r in ranges))]


def rev(eqn: Equation, a: Any) -> Any:
    """Turned around along some axes."""
    return np.flip(a, tuple(d + 1 for d in eqn.params["dimensions"]))


def padded(eqn: Equation, a: Any) -> Any:
    """Zeros around the elements and between them; negative numbers crop."""
    config = eqn.params["padding_config"]
    inner = [n + max(0, n - 1) * between for n, (_, _, between) in zip(a.shape[1:], config, strict=True)]
    spread = np.zeros((a.shape[0], *inner), a.dtype)
    spread[(slice(None), *(slice(None, None, between + 1) for _, _, between in config))] = a
    wide = np.pad(spread, [(0, 0), *((max(0, low), max(0, high)) for low, high, _ in config)])
    return wide[
        (
            slice(None),
            *(
                slice(max(0, -low), n - max(0, -high))
                for n, (low, high, _) in zip(wide.shape[1:], config, strict=True)
            ),
        )
    ]


def tile(eqn: Equation, a: Any) -> Any:
    """Repeated along its axes."""
    return np.tile(a, (1, *eqn.params["reps"]))


def repeated(a: Any, shape: tuple[int, ...]) -> Any:
    """Up to a shape, as NumPy broadcasts: axes of one element are repeated, and others added in front."""
    role, *sizes = a.shape
    return np.broadcast_to(a.reshape(role, *(1,) * (len(shape) - len(sizes)), *sizes), (role, *shape))


def same(eqn: Equation, a: Any) -> Any:
    """As it is."""
    return a


STRUCTURE: dict[str, Callable[[Equation, Any], Any]] = {
    "reshape": reshape,
    "transpose": transpose,
    "broadcast_in_dim": broadcast_in_dim,
    "squeeze": sized,
    "expand_dims": sized,
    "slice": slice_,
    "rev": rev,
    "tile": tile,
    "copy": same,
    "copy_p": same,
    "stop_gradient": same,
    "name": same,
    "reduce_precision": same,
    "sharding_constraint": same,
    "pvary": same,
}
