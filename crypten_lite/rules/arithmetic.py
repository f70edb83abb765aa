"""Elementwise products, quotients and powers."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from crypten_lite.functions.rsqrt import RSQRT
from crypten_lite.functions.sqrt import SQRT
from crypten_lite.protocols.lookup import evaluated
from crypten_lite.rules import constants
from crypten_lite.rules.choices import either, selected
from crypten_lite.rules.facts import bound_of_product, inverted, range_of, refine
from crypten_lite.rules.fine import fine_multiple, fine_product
from crypten_lite.rules.functions import exponential, logarithm, reciprocal
from crypten_lite.rules.linear import bilinear, difference, room_of, times_public
from crypten_lite.rules.roots import norm_of, of_norm
from crypten_lite.rules.table import refuse, rule
from crypten_lite.values import Number, Secret
from namedtensor.interpreter import Equation


@rule("mul")
def _(eqn: Equation, x: Any, y: Any) -> Number:
    return multiplied(eqn, x, y)


@rule("div")
def _(eqn: Equation, x: Any, y: Any) -> Number:
    if eqn.outputs[0].dtype.kind in "iu":
        raise refuse(
            eqn, "a quotient of integers is rounded", "Divide floats, or reveal and round in public."
        )
    if not isinstance(y, Secret):
        with np.errstate(divide="ignore"):  # that the quotient is out of range is said where it is
            return multiplied(eqn, x, 1.0 / np.asarray(y, np.float64))
    root = isinstance(x, Number) and x.known.get("inverse root of") is y
    if root and (norm := norm_of(y, "sum")) is not None:
        return of_norm(norm, "rsqrt ** 3")
    inverse = _inverse(eqn, constants.number(eqn, y))
    refine(inverse)
    return inverse if _is_one(x) and inverse.shape == eqn.outputs[0].shape else multiplied(eqn, x, inverse)


def _inverse(eqn: Equation, y: Number) -> Number:
    if "either" in y.known and all(v.all() for v in y.known["either"][1:]):
        truth, yes, no = y.known["either"]
        return either(eqn, truth, 1 / yes, 1 / no)
    root = norm_of(y, "root")
    if root is not None:
        result = of_norm(root, "rsqrt")
        result.known["norm"] = inverted(root)
        return result
    fine = y.at(max(y.scale, y.session.point.fraction))
    fine.known.setdefault("range", range_of(y))
    return reciprocal(eqn, fine)


def _is_one(x: Any) -> bool:
    return not isinstance(x, Secret) and bool(np.all(np.asarray(x) == 1))


@rule("square")
def _(eqn: Equation, x: Number) -> Number:
    return multiplied(eqn, x, x)


@rule("one_minus_square")  # of which JAX makes the derivative of tanh, from 0.12 on
def _(eqn: Equation, x: Number) -> Number:
    return difference(eqn, np.float32(1), multiplied(eqn, x, x))


@rule("integer_pow")
def _(eqn: Equation, x: Number) -> Number:
    return _whole_power(eqn, x, eqn.params["y"])


def _whole_power(eqn: Equation, x: Number, power: int) -> Number:
    if power < 0:
        x, power = _inverse(eqn, x), -power
    result = None
    while power:
        if power & 1:
            result = x if result is None else multiplied(eqn, result, x)
        power >>= 1
        x = multiplied(eqn, x, x) if power else x
    assert result is not None  # JAX writes x ** 0 as a constant
    return result


def multiplied(eqn: Equation, x: Any, y: Any, shape: Sequence[int] | None = None) -> Number:
    """The elementwise product; its shape is that of the equation's result by default."""
    if isinstance(x, Secret) and isinstance(y, Secret):
        chosen = selected(eqn, x, y)
        if chosen is None:
            wide = eqn.outputs[0].shape if shape is None else shape
            chosen = fine_product(x, y, wide, room_of(x.session, bound_of_product(x, y)))
        return chosen or bilinear(eqn, x, y, np.multiply, shape)
    number, factor = (x, y) if isinstance(x, Secret) else (y, x)
    found = fine_multiple(eqn, number, factor) if shape is None else None
    return found or bilinear(eqn, x, y, np.multiply, shape)


_ROOTS = {0.5: SQRT, -0.5: RSQRT}


@rule("pow")
def _(eqn: Equation, x: Secret, power: Any) -> Number:
    values = np.unique(np.asarray(power)) if not isinstance(power, Secret) else ()
    if isinstance(power, Secret) or len(values) != 1:
        why = "the power is secret, or differs from element to element"
        raise refuse(eqn, why, "Write exp(power * log(x)).")
    number, exponent = constants.number(eqn, x), float(values[0])
    if exponent in _ROOTS:
        return evaluated(number, _ROOTS[exponent])
    if exponent.is_integer() and 0 < abs(exponent) <= _MOST:
        return _whole_power(eqn, number, int(exponent))
    return exponential(times_public(eqn, logarithm(number), exponent, np.multiply))


_MOST = 64  # a whole power
