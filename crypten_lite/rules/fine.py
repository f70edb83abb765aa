"""Products with what may be small: an inverse, an inverse root, and what is made of them.

Truncated to the usual binary places, the inverse of a large number has hardly a digit left, and a product of
all places has no room. So the other factor is split, ``x * y = floor(x) * y + (x - floor(x)) * y``: the first
product has room for all places of ``y``, and in the second one the usual places do.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from crypten_lite.protocols.opening import opened
from crypten_lite.protocols.product import product
from crypten_lite.protocols.truncation import truncated
from crypten_lite.rules import constants
from crypten_lite.rules.facts import is_fine
from crypten_lite.values import Number, Secret
from namedtensor.interpreter import Equation


def fine_product(x: Secret, y: Secret, shape: Sequence[int], room: int) -> Number | None:
    """The elementwise product; None if neither factor is fine, or there is room for all places."""
    fine, other = (y, x) if is_fine(y) else (x, y)
    if not is_fine(fine) or not isinstance(fine, Number) or not isinstance(other, Number):
        return None
    fraction = fine.session.point.fraction
    if fine.scale <= fraction or other.scale + fine.scale <= room:
        return None
    opened(other, fine)
    other, fine = truncated(other, fraction), truncated(fine, 2 * fraction)
    opened(other, fine)
    whole, coarse = truncated(other, 0), truncated(fine, fraction)
    opened(whole, coarse)
    rest = other.minus(whole.at(other.scale))
    first, second = (product(a, b, np.multiply, shape) for a, b in ((whole, fine), (rest, coarse)))
    scale = max(first.scale, second.scale)
    return first.at(scale).plus(second.at(scale))


def fine_multiple(eqn: Equation, number: Secret, factor: Any) -> Number | None:
    """The product with public numbers; None if it is not fine, or there is room for all places."""
    if not is_fine(number) or not isinstance(number, Number):
        return None
    values, fraction = np.asarray(factor).astype(np.float64), number.session.point.fraction
    places, spare = constants.places_of(values, fraction)
    if number.scale != 2 * fraction or number.scale + places <= 2 * fraction + spare or places > 2 * fraction:
        return None
    opened(number)
    whole = truncated(number, 0)
    rest = number.minus(whole.at(number.scale))
    elements = constants.elements(eqn, values, places, number.session)
    first, second = (n.map(lambda a: a * elements, eqn.outputs[0].shape) for n in (whole, rest))
    second = truncated(second.tagged(scale=number.scale + places), 2 * fraction)
    return first.tagged(scale=places).at(2 * fraction).plus(second)
