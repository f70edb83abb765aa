"""Products and extremes along an axis, by doubling: as many steps as the logarithm of its length."""

from collections.abc import Callable

import numpy as np

from crypten_lite.rules import constants
from crypten_lite.rules.arithmetic import multiplied
from crypten_lite.rules.choices import larger, smaller
from crypten_lite.rules.table import rule
from crypten_lite.values import Number, Secret
from namedtensor.interpreter import Equation

Combine = Callable[[Equation, Number, Number], Number]


@rule("cummax")
def _(eqn: Equation, x: Secret) -> Number:
    return _running(eqn, x, larger)


@rule("cummin")
def _(eqn: Equation, x: Secret) -> Number:
    return _running(eqn, x, smaller)


@rule("cumprod")
def _(eqn: Equation, x: Secret) -> Number:
    return _running(eqn, x, _product)


@rule("reduce_prod")
def _(eqn: Equation, x: Secret) -> Number:
    number, out = constants.number(eqn, x), eqn.outputs[0]
    axes = eqn.params["axes"]
    kept = [a for a in range(x.ndim) if a not in axes]
    size, order = x.size // max(1, int(np.prod(out.shape))), (0, *(a + 1 for a in (*axes, *kept)))
    rows = number.moved(lambda a: a.transpose(order).reshape(len(a), size, *out.shape), (size, *out.shape))
    if not size:
        return constants.lifted(eqn, np.ones(out.shape), 0, x.session, out.dtype)
    while rows.shape[0] > 1:
        half, odd = divmod(rows.shape[0], 2)
        product = _product(eqn, _part(rows, 0, 0, half), _part(rows, 0, half, 2 * half))
        rows = _joined(eqn, 0, product, _part(rows, 0, 2 * half, 2 * half + 1)) if odd else product
    return rows.map(lambda a: a[:, 0], out.shape)


def _running(eqn: Equation, x: Secret, combine: Combine) -> Number:
    """Each step joins what reaches twice as far back."""
    axis, step = eqn.params["axis"], 1
    number = _turned(constants.number(eqn, x), eqn)
    size = number.shape[axis]
    while step < size:
        longer = combine(eqn, _part(number, axis, step, size), _part(number, axis, 0, size - step))
        number = _joined(eqn, axis, _part(number, axis, 0, step), longer)
        step *= 2
    return _turned(number, eqn)


def _product(eqn: Equation, x: Number, y: Number) -> Number:
    return multiplied(eqn, x, y, x.shape)


def _turned(x: Number, eqn: Equation) -> Number:
    axis = eqn.params["axis"] + 1
    return x.moved(lambda a: np.flip(a, axis), x.shape) if eqn.params["reverse"] else x


def _part(x: Number, axis: int, start: int, end: int) -> Number:
    shape = (*x.shape[:axis], end - start, *x.shape[axis + 1 :])
    return x.moved(lambda a: a[(slice(None),) * (axis + 1) + (slice(start, end),)], shape)


def _joined(eqn: Equation, axis: int, *parts: Number) -> Number:
    first = parts[0].shape
    shape = (*first[:axis], sum(p.shape[axis] for p in parts), *first[axis + 1 :])
    return constants.joined(
        constants.aligned(eqn, *parts), lambda arrays: np.concatenate(arrays, axis + 1), shape
    )
