"""Windows: sums and maxima that slide, and their gradients."""

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from crypten_lite.protocols.maximum import Tournament, played
from crypten_lite.protocols.opening import opened
from crypten_lite.rules import constants
from crypten_lite.rules.choices import relu
from crypten_lite.rules.table import refuse, rule
from crypten_lite.values import Number, Secret
from namedtensor.interpreter import Equation

Array = Any


@rule("reduce_max")
def _(eqn: Equation, x: Number) -> Number:
    return _largest_along(x, eqn.params["axes"], eqn.outputs[0].shape)


@rule("reduce_min")
def _(eqn: Equation, x: Number) -> Number:
    return _largest_along(x.negative(), eqn.params["axes"], eqn.outputs[0].shape).negative()


def _largest_along(x: Number, axes: Sequence[int], shape: Sequence[int]) -> Number:
    if "relu of" in x.known and x.is_lazy:  # the larger of two positive parts is that of the larger
        return relu(_largest_along(x.known["relu of"], axes, shape))
    return _along(x, axes).winner


def _along(x: Number, axes: Sequence[int]) -> Tournament:
    """The tournament along axes, which is remembered with the number."""
    key, kept = ("tournament", tuple(axes)), [a for a in range(x.ndim) if a not in axes]
    if key not in x.known:
        size, shape = math.prod(x.shape[a] for a in axes), [x.shape[a] for a in kept]
        order = (0, *(d + 1 for d in (*axes, *kept)))
        opened(x)  # what follows a maximum is most often the difference to it
        rows = x.map(lambda a: a.transpose(order).reshape(len(a), size, *shape), (size, *shape))
        x.known[key] = played(rows, group=4)
    return x.known[key]


@rule("argmax", "argmin")
def _(eqn: Equation, x: Secret) -> Number:
    number = constants.number(eqn, x)
    number = number.negative() if eqn.primitive == "argmin" else number
    (axis,) = eqn.params["axes"]
    shape = (x.shape[axis], *eqn.outputs[0].shape)
    _require_some(eqn, shape[0])
    places = np.arange(shape[0]).reshape(-1, *(1,) * (len(shape) - 1))
    rows = constants.lifted(eqn, np.broadcast_to(places, shape), 0, x.session, eqn.outputs[0].dtype)
    return _along(number, (axis,)).carried(rows)


def _require_some(eqn: Equation, size: int) -> None:
    if not size:
        raise refuse(eqn, "there are no numbers to choose from", "Give an axis of one element or more.")


@rule("reduce_window_sum")
def _(eqn: Equation, x: Secret) -> Number:
    number = constants.roomy(constants.number(eqn, x))
    shape = eqn.outputs[0].shape

    def sums(a: Array) -> Array:
        padded, out = np.pad(a, [(0, 0), *eqn.params["padding"]]), np.zeros((len(a), *shape), a.dtype)
        for at in _places(eqn, shape):
            out += padded[at]
        return out

    return number.map(sums, shape)


@rule("reduce_window_max")
def _(eqn: Equation, x: Number) -> Number:
    if "relu of" in x.known and x.is_lazy:  # the larger of two positive parts is that of the larger
        return _positive(eqn, x.known["relu of"])
    result = x.later(eqn.outputs[0].shape, lambda: _of_windows(eqn, x, zero=False).winner)
    result.known["relu"] = lambda: _of_windows(eqn, x, zero=True).winner
    return result


def _positive(eqn: Equation, x: Number) -> Number:
    return x.later(eqn.outputs[0].shape, lambda: _of_windows(eqn, x, zero=True).winner)


@rule("reduce_window_min")
def _(eqn: Equation, x: Number) -> Number:
    return _of_windows(eqn, x.negative(), zero=False).winner.negative()


@rule("select_and_scatter_add")
def _(eqn: Equation, source: Any, x: Any) -> Number:
    """The gradient of the maxima of windows: each is added where its winner stood."""
    number = _tangent(eqn, source, x)
    number.settle()  # what it is computed from may be the maxima, and their tournament is played once
    tournament = _played_before(eqn, x)
    rows = tournament.routed(number)
    if tournament.has_zero:  # of equal numbers JAX takes the first
        first = _first_places(eqn, x, rows.shape[1:])
        rest = number.minus(rows.map(lambda a: a.sum(1, dtype=a.dtype), number.shape))
        rows = rows.plus(rest.map(lambda a: a[:, None] * first.astype(a.dtype), rows.shape))
    return _summed(eqn, rows, eqn.outputs[0].shape)


@rule("select_and_gather_add")
def _(eqn: Equation, tangents: Any, x: Any) -> Number:
    """The tangent of the maxima of windows: that of the winner."""
    rows = _rows(eqn, _tangent(eqn, tangents, x), eqn.outputs[0].shape)
    first = _first_places(eqn, x, rows.shape[1:])
    instead = rows.map(lambda a: (a * first.astype(a.dtype)).sum(1, dtype=a.dtype), rows.shape[1:])
    tournament = _played_before(eqn, x)
    return tournament.carried(rows, instead if tournament.has_zero else None)


def _first_places(eqn: Equation, x: Number, windows: Sequence[int]) -> Array:
    """1 at the first place of each window that is inside the array: ``[places, *windows]``."""
    inside = _stacked(eqn, np.ones((1, *x.shape), bool), windows)[0]
    return inside & (np.cumsum(inside, 0) == 1)


def _tangent(eqn: Equation, value: Any, x: Any) -> Number:
    if isinstance(value, Number):
        return value
    return constants.lifted(eqn, value, x.session.point.fraction, x.session, x.dtype)


def _played_before(eqn: Equation, x: Any) -> Tournament:
    """The tournament of the forward pass; that of a ReLU's result has a zero instead."""
    if not isinstance(x, Number):
        raise refuse(eqn, "the gradient is secret where the numbers compared are public", "Share them too.")
    before = x.known.get("relu of")
    least = str(eqn.params["select_prim"]) == "le"
    if before is not None and not least and (x.is_lazy or _key(eqn, True) in before.known):
        return _of_windows(eqn, before, zero=True)
    return _of_windows(eqn, x.negative() if least else x, zero=False)


def _key(eqn: Equation, zero: bool = False) -> Any:
    get, ones = eqn.params.get, (1,) * len(eqn.params["window_dimensions"])
    sizes = (eqn.params["window_dimensions"], eqn.params["window_strides"], eqn.params["padding"])
    return (
        ("tournament", zero),
        *map(tuple, sizes),
        tuple(get("window_dilation") or ones),
        tuple(get("base_dilation") or ones),
    )


def _of_windows(eqn: Equation, x: Number, *, zero: bool) -> Tournament:
    """The tournament of each window, with a zero or without, remembered with the number."""
    key = _key(eqn, zero)
    if key not in x.known:
        windows, size = _windows_shape(eqn), math.prod(eqn.params["window_dimensions"])
        group = 2 if size <= 4 else 3  # windows of four by pairs saves a quarter of the bytes
        overlap = size * math.prod(windows) * (group - 1) > x.size * group
        if overlap:  # fewer numbers than differences
            opened(x)
        x.known[key] = played(_rows(eqn, x, windows), group=group, zero=zero)
    return x.known[key]


def _windows_shape(eqn: Equation) -> tuple[int, ...]:
    return eqn.inputs[0].shape if eqn.primitive == "select_and_scatter_add" else eqn.outputs[0].shape


def _rows(eqn: Equation, x: Number, windows: Sequence[int]) -> Number:
    """What each place of the window holds, ``[places, *windows]``; outside of it a number below all."""
    session, shape = x.session, (math.prod(eqn.params["window_dimensions"]), *windows)
    inside = _stacked(eqn, np.ones((1, *x.shape), bool), windows)[0]
    rows = x.map(lambda a: _stacked(eqn, a, windows), shape)
    if inside.all():
        return rows
    least = session.ring.of(-(1 << (session.ring.bits - 2)))  # differences keep in range
    return rows.plus_public(np.where(inside, session.ring.of(0), least))


def _stacked(eqn: Equation, a: Array, windows: Sequence[int]) -> Array:
    padded = np.pad(a, [(0, 0), *eqn.params["padding"]])
    return np.stack([padded[at] for at in _places(eqn, windows)], 1)


def _summed(eqn: Equation, rows: Number, shape: Sequence[int]) -> Number:
    """The numbers of all windows added up where they stand: the transpose of `_rows`."""
    padding = eqn.params["padding"]
    crop = (slice(None), *(slice(low, low + n) for (low, _), n in zip(padding, shape, strict=True)))

    def added(a: Array) -> Array:
        out = np.zeros(
            (len(a), *(low + n + high for (low, high), n in zip(padding, shape, strict=True))), a.dtype
        )
        for i, at in enumerate(_places(eqn, rows.shape[1:])):
            out[at] += a[:, i]
        return out[crop]

    return rows.map(added, shape)


def _places(eqn: Equation, windows: Sequence[int]) -> Iterator[tuple[slice, ...]]:
    """For each place of the window, where it stands in the padded array for all windows."""
    _, size, strides, _, dilation, base = _key(eqn)
    if any(d != 1 for d in base):
        raise refuse(eqn, "its base is dilated", "Pool what is there before spreading it.")
    for place in itertools.product(*map(range, size)):
        starts = [p * d for p, d in zip(place, dilation, strict=True)]
        ends = [s + (n - 1) * step + 1 for s, n, step in zip(starts, windows, strides, strict=True)]
        yield (slice(None), *(slice(*r) for r in zip(starts, ends, strides, strict=True)))
