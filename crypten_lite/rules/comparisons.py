"""Comparisons: what they tell is a `Truth`, remembered on the number, so that a gradient costs no second one.

JAX finds the gradient of a maximum by comparing the operands with it. The maximum has been truncated on its
way, so it is not compared again: which operand it was is what the first comparison told.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from crypten_lite.protocols.comparison import at_least
from crypten_lite.rules import constants, facts, logic
from crypten_lite.rules.linear import difference
from crypten_lite.rules.table import rule
from crypten_lite.values import Number, Secret, Truth
from namedtensor.interpreter import Equation

_MIRRORED = {"gt": "lt", "lt": "gt", "ge": "le", "le": "ge", "eq": "eq", "ne": "ne"}


@rule("gt", "lt", "ge", "le", "eq", "ne")
def _(eqn: Equation, x: Any, y: Any) -> Any:
    x, y = constants.spread(eqn, x, y)
    relation = eqn.primitive
    if x is y:  # how NaN is looked for
        return np.full(x.shape, relation in ("ge", "le", "eq"))
    if not isinstance(x, Secret):
        x, y, relation = y, x, _MIRRORED[relation]
    if x is y:  # no secret is NaN
        return np.full(x.shape, relation in ("ge", "le", "eq"))
    if relation in ("eq", "ne") and (known := _with_extreme(eqn, x, y)) is not None:
        return known if relation == "eq" else known.negative()
    if relation in ("eq", "ne") and isinstance(x, Truth) and logic.is_truth(y):
        return logic.differ(eqn, x, y if relation == "ne" else logic.opposite(eqn, y))
    number = constants.number(eqn, x, np.float32)
    return (
        _related(eqn, number, relation, y)
        if isinstance(y, Secret)
        else _with_public(eqn, number, relation, y)
    )


def _with_public(eqn: Equation, number: Number, relation: str, y: Any) -> Any:
    """No secret number reaches infinity or the end of the range, and none is NaN: that answer is public."""
    values = np.asarray(y).astype(np.float64)
    outside = ~(np.abs(values) < 2.0 ** (number.session.ring.bits - 2 - number.scale))
    if not outside.any():
        return _related(eqn, number, relation, values)
    answer = _PUBLIC[relation](0.0, values)
    if outside.all():
        return answer
    truth = _related(eqn, number, relation, np.where(outside, 0.0, values))
    return logic.flipped(logic.both_of(eqn, truth, ~outside), answer & outside)


_PUBLIC = {
    "gt": np.greater,
    "lt": np.less,
    "ge": np.greater_equal,
    "le": np.less_equal,
    "eq": np.equal,
    "ne": np.not_equal,
}


def _related(eqn: Equation, number: Number, relation: str, y: Any) -> Truth:
    constant = _constant(y)
    if constant is not None:
        return _compared(number, relation, math.ldexp(constant, number.scale))
    return _compared(difference(eqn, number, y), relation, 0)


def _constant(y: Any) -> float | None:
    """A public number that is the same for all elements."""
    if isinstance(y, Secret) or not np.size(y):
        return None
    values = np.asarray(y)
    return float(values.flat[0]) if (values == values.flat[0]).all() else None


def _compared(number: Number, relation: str, at: float) -> Truth:
    """Relation with a threshold in units of the last place, which may lie between two of them."""
    reached, above = math.ceil(at), math.floor(at) + 1  # the least numbers that are >= and > the threshold
    if relation in ("ge", "lt"):
        (truth,) = at_least((number, reached))
    elif relation in ("gt", "le"):
        (truth,) = at_least((number, above))
    else:
        truth = Truth.differs(*at_least((number, reached), (number, above)))
    return truth if relation in ("ge", "gt", "eq") else truth.negative()


@dataclass(frozen=True, eq=False)
class Extreme:
    """That a number is the larger or the smaller of two.

    Attributes:
      first: an operand, secret or public.
      second: the other one.
      ahead: what the first one is ahead of the second.
      is_larger: or the smaller one.
    """

    first: Any
    second: Any
    ahead: Number
    is_larger: bool

    def equals(self, value: Any) -> Truth | None:
        """Where it is this operand; None if it is neither."""
        if _is_same(value, self.first):
            return self._reached(self.is_larger)
        return self._reached(not self.is_larger) if _is_same(value, self.second) else None

    def _reached(self, ahead: bool) -> Truth:
        (truth,) = at_least((self.ahead, 0 if ahead else 1))
        return truth if ahead else truth.negative()


def _is_same(a: Any, b: Any) -> bool:
    if isinstance(a, Secret) or isinstance(b, Secret):
        return a is b
    return np.array_equal(np.asarray(a), np.asarray(b))


def _with_extreme(eqn: Equation, x: Any, y: Any) -> Truth | None:
    """Equality with a maximum or minimum of what is compared; None of other numbers."""
    for extreme, other in ((x, y), (y, x)):
        known = extreme.known.get("extreme") if isinstance(extreme, Number) else None
        if known is not None and (truth := known.equals(other)) is not None:
            return truth
        if isinstance(extreme, Number) and facts.is_below_its_peak(other, extreme):
            return _at_peak(eqn, other, extreme)
    return None


def _at_peak(eqn: Equation, x: Number, peak: Number) -> Truth:
    """Where a number is the maximum of its group; it is never above it."""
    axes, number, most = facts.peak_axes(peak), before_relu(x), before_relu(peak)
    if number is None or most is None:
        number, most = x, peak
    (truth,) = at_least((difference(eqn, number, most), 0))
    truth.known["has one"] = axes
    return truth


def before_relu(x: Number) -> Number | None:
    """What a number is the positive part of."""
    if "relu of" in x.known or x.origin is None:
        return x.known.get("relu of")
    before, move = x.origin
    inner = before_relu(before)
    return None if inner is None else inner.moved(move, x.shape)
