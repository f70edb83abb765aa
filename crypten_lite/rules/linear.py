"""Sums and products, and what is linear in each operand.

With a public operand there is nothing to send, and an opening survives. Of two secret ones see
`crypten_lite.protocols.product`. Products have the binary places of both factors and are truncated only where
a further product would have too many.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from crypten_lite.convolutions import Geometry, convolve
from crypten_lite.products import matmul
from crypten_lite.protocols.opening import opened
from crypten_lite.protocols.product import product
from crypten_lite.protocols.truncation import truncated
from crypten_lite.rules import constants
from crypten_lite.rules.facts import bound_of_product
from crypten_lite.rules.table import rule
from crypten_lite.session import Session
from crypten_lite.values import Number, Secret
from namedtensor.interpreter import Equation

Array = Any


@rule("add", "add_any")
def _(eqn: Equation, x: Any, y: Any) -> Number:
    return total(eqn, *constants.spread(eqn, x, y))


@rule("sub")
def _(eqn: Equation, x: Any, y: Any) -> Number:
    return difference(eqn, *constants.spread(eqn, x, y))


@rule("neg")
def _(eqn: Equation, x: Secret) -> Number:
    return constants.number(eqn, x).negative()


def total(eqn: Equation, x: Any, y: Any) -> Number:
    """The sum; a public operand is added to one share."""
    if not isinstance(x, Secret):
        x, y = y, x
    if isinstance(y, Secret):
        a, b = constants.aligned(eqn, x, y)
        return a.plus(b)
    number = constants.roomy(constants.number(eqn, x))
    number = number.at(max(number.scale, number.session.point.fraction))
    return number.plus_public(constants.elements(eqn, y, number.scale, number.session))


def difference(eqn: Equation, x: Any, y: Any) -> Number:
    """The difference; that of two secret numbers is remembered, with what is known of it."""
    if not isinstance(y, Secret):
        return total(eqn, x, constants.opposite(eqn, y))
    if not isinstance(x, Secret):
        return total(eqn, constants.number(eqn, y).negative(), x)
    key, memo = ("minus", id(x), id(y)), x.session.memo
    if key not in memo:
        a, b = constants.aligned(eqn, x, y)
        memo[key] = a.minus(b), (x, y)
    return memo[key][0]


def bilinear(
    eqn: Equation, x: Any, y: Any, apply: Callable[[Array, Array], Array], shape: Any = None, terms: int = 1
) -> Number:
    """A bilinear function of two operands, of which one or both are secret.

    Args:
      eqn: the equation.
      x: an operand.
      y: the other one.
      apply: on ring elements, without an axis for roles.
      shape: of the result; that of the equation's by default.
      terms: products that are added up.
    """
    shape = eqn.outputs[0].shape if shape is None else shape
    if not isinstance(y, Secret):
        return times_public(eqn, x, y, apply, shape, terms)
    if not isinstance(x, Secret):
        return times_public(eqn, y, x, lambda a, b: apply(b, a), shape, terms)
    a, b = factors(eqn, x, y, terms)
    return product(a, b, apply, shape)


def factors(eqn: Equation, x: Secret, y: Secret, terms: int = 1) -> tuple[Number, Number]:
    """Two secrets whose product has room for its places: if need be one is truncated first, or both."""
    a, b = (_cheapest(constants.number(eqn, v)) for v in (x, y))
    fraction = a.session.point.fraction
    room = room_of(a.session, bound_of_product(x, y) * terms)
    if a.scale + b.scale <= room:
        return a, b
    few, many = sorted((a, b), key=lambda n: (n.scale <= fraction, n.source.size))
    if fraction + many.scale <= room:
        cut = truncated(few, room - many.scale)
        return (cut, b) if few is a else (a, cut)
    opened(*(n for n in (a, b) if n.scale > fraction))
    return truncated(a, fraction), truncated(b, fraction)


def _cheapest(number: Number) -> Number:
    """Its truncation, where there is one already."""
    return number.from_source(number.source.known.get(("at", number.session.point.fraction), number.source))


def room_of(session: Session, most: float) -> int:
    """How many places a product may have: twice the usual ones, or more if it is known to be small."""
    point = session.point
    spare = (
        point.ring.bits - 3 - math.ceil(math.log2(max(most, 2.0**-point.fraction))) if most < 2.0**60 else 0
    )
    return max(2 * point.fraction, spare)


def times_public(
    eqn: Equation,
    x: Secret,
    factor: Any,
    apply: Callable[[Array, Array], Array],
    shape: Sequence[int] | None = None,
    terms: int = 1,
) -> Number:
    """A bilinear function of a secret and a public operand: linear, so nothing is sent."""
    number, values = constants.number(eqn, x), np.asarray(factor).astype(np.float64)
    session, shape = number.session, tuple(eqn.outputs[0].shape if shape is None else shape)
    fraction, bits = session.point.fraction, session.ring.bits
    places, spare = constants.places_of(values, fraction, terms, bits - 2 - 2 * fraction)
    room = 2 * fraction + spare - places
    if number.scale > room:  # of what is small, the many places count
        number = truncated(number, fraction if number.scale <= 2 * fraction else max(fraction, room))
    encoded = constants.elements(eqn, values, places, session)
    scaled = number.map(per_role(lambda a: apply(a, encoded), shape), shape)
    return scaled.tagged(scale=number.scale + places)


def per_role(function: Callable[[Array], Array], shape: Sequence[int]) -> Callable[[Array], Array]:
    """A function of one array for each entry of the axis of roles, which may have none."""

    def mapped(arrays: Array) -> Array:
        out = np.empty((len(arrays), *shape), arrays.dtype)
        for i, array in enumerate(arrays):
            out[i] = function(array)
        return out

    return mapped


@rule("reduce_sum")
def _(eqn: Equation, x: Secret) -> Number:
    axes = tuple(a + 1 for a in eqn.params["axes"])
    number = constants.roomy(constants.number(eqn, x))
    return number.map(lambda a: a.sum(axes, dtype=a.dtype), eqn.outputs[0].shape)


@rule("cumsum")
def _(eqn: Equation, x: Secret) -> Number:
    axis, backwards = eqn.params["axis"] + 1, eqn.params["reverse"]

    def sums(a: Array) -> Array:
        a = np.flip(a, axis) if backwards else a
        a = np.cumsum(a, axis, dtype=a.dtype)
        return np.flip(a, axis) if backwards else a

    return constants.roomy(constants.number(eqn, x)).map(sums, x.shape)


@rule("dot_general")
def _(eqn: Equation, x: Any, y: Any) -> Number:
    (summed, _), _ = eqn.params["dimension_numbers"]
    terms = math.prod(np.shape(x)[d] for d in summed)
    return bilinear(eqn, x, y, lambda a, b: _dot(eqn, a, b), terms=terms)


def _dot(eqn: Equation, a: Array, b: Array) -> Array:
    (sums_a, sums_b), (batch_a, batch_b) = eqn.params["dimension_numbers"]
    left = _matrices(a, batch_a, sums_a, last=True)
    right = _matrices(b, batch_b, sums_b, last=False)
    return matmul(left, right).reshape(eqn.outputs[0].shape)


def _matrices(a: Array, batch: Sequence[int], sums: Sequence[int], *, last: bool) -> Array:
    """``[*batch, free, summed]``, or with the summed axis first of the two."""
    free = [d for d in range(a.ndim) if d not in (*batch, *sums)]
    size = [int(np.prod([a.shape[d] for d in dims])) for dims in (free, sums)]
    order = (*batch, *free, *sums) if last else (*batch, *sums, *free)
    rows = size if last else size[::-1]
    return a.transpose(order).reshape(*(a.shape[d] for d in batch), *rows)


@rule("conv_general_dilated")
def _(eqn: Equation, x: Any, kernel: Any) -> Number:
    terms = math.prod(np.shape(kernel))  # of one feature there are fewer
    if isinstance(kernel, Number):
        feature, *summed = eqn.params["dimension_numbers"].rhs_spec
        kernel.lie((*summed, feature))  # as the product reads it, in this call and in later ones
    return bilinear(eqn, x, kernel, lambda a, b: _convolution(eqn, a, b), terms=terms)


def _convolution(eqn: Equation, x: Array, kernel: Array) -> Array:
    params, layout = eqn.params, eqn.params["dimension_numbers"]
    geometry = Geometry(
        params["window_strides"],
        params["padding"],
        params["lhs_dilation"],
        params["rhs_dilation"],
        params["feature_group_count"],
        params["batch_group_count"],
    )
    result = convolve(x.transpose(layout.lhs_spec), kernel.transpose(layout.rhs_spec), geometry)
    return result.transpose(np.argsort(layout.out_spec))
