"""What depends on comparisons: max, min, abs, sign, select.

A ReLU is computed when its result is first needed: a max-pool that follows takes its place before it.
"""

from typing import Any

import numpy as np

from crypten_lite.protocols.comparison import at_least
from crypten_lite.protocols.selection import gated
from crypten_lite.rules import constants, logic
from crypten_lite.rules.comparisons import Extreme
from crypten_lite.rules.facts import range_of
from crypten_lite.rules.linear import difference, times_public, total
from crypten_lite.rules.table import refuse, rule
from crypten_lite.values import Number, Secret, Truth
from namedtensor.interpreter import Equation


def relu(number: Number) -> Number:
    """The positive part, with the usual binary places; computed when it is first needed."""

    def later() -> Number:
        if number.is_lazy and "relu" in number.known:  # of a maximum: in its last level
            return number.known["relu"]()
        (truth,) = at_least((number, 1))
        return gated(truth, number, places=max(0, number.scale - number.session.point.fraction))

    result = number.later(number.shape, later)
    result.known["relu of"] = number
    return result


@rule("max")
def _(eqn: Equation, x: Any, y: Any) -> Any:
    return larger(eqn, *constants.spread(eqn, x, y))


@rule("min")
def _(eqn: Equation, x: Any, y: Any) -> Any:
    return smaller(eqn, *constants.spread(eqn, x, y))


@rule("clamp")
def _(eqn: Equation, low: Any, x: Any, high: Any) -> Any:
    low, x, high = constants.spread(eqn, low, x, high)
    return smaller(eqn, larger(eqn, x, low), high)


def larger(eqn: Equation, x: Any, y: Any) -> Number:
    """The larger of two operands of one shape: four rounds, or three of opened ones."""
    if not isinstance(x, Secret):
        x, y = y, x
    if not isinstance(y, Secret):
        unbounded = np.asarray(y).astype(np.float64) == -np.inf
        if unbounded.all():
            return constants.number(eqn, x)
        if unbounded.any():
            return _selected_publicly(eqn, unbounded, [larger(eqn, x, np.where(unbounded, 0.0, y)), x])
    is_positive_part = _is_zero(y)
    ahead = constants.number(eqn, x) if is_positive_part else difference(eqn, x, y)
    result = relu(ahead) if is_positive_part else total(eqn, relu(ahead), y)
    result.known["extreme"] = Extreme(x, y, ahead, True)
    return result


def smaller(eqn: Equation, x: Any, y: Any) -> Number:
    """The smaller of two operands of one shape."""
    if not isinstance(x, Secret):
        x, y = y, x
    if not isinstance(y, Secret) and (np.asarray(y) == np.inf).any():
        return larger(eqn, *(constants.opposite(eqn, v) for v in (x, y))).negative()
    ahead = difference(eqn, x, y)
    result = difference(eqn, x, relu(ahead))
    result.known["extreme"] = Extreme(x, y, ahead, False)
    return result


@rule("abs")
def _(eqn: Equation, x: Number) -> Number:
    if range_of(x)[0] >= 0:
        return x
    (truth,) = at_least((x, 1))
    positive = gated(truth, x)
    return positive.plus(positive).minus(x)


@rule("sign")
def _(eqn: Equation, x: Number) -> Number:
    lower, upper = (constants.number(eqn, t) for t in at_least((x, 0), (x, 1)))
    one = constants.elements(eqn, -1.0, 0, x.session)
    return lower.plus(upper).plus_public(np.broadcast_to(one, x.shape))


def selected(eqn: Equation, x: Secret, y: Secret) -> Any:
    """A product with a truth, which has no binary places of its own; None of two numbers."""
    truths = [v.known["truth"] if isinstance(v, Number) and "truth" in v.known else v for v in (x, y)]
    for truth, other in (truths, truths[::-1]):
        if isinstance(truth, Truth):
            number: Any = constants.number(eqn, other)
            wide: Any = (
                (truth, number) if truth.shape == number.shape else constants.spread(eqn, truth, number)
            )
            return gated(*wide)
    return None


@rule("select_n")
def _(eqn: Equation, *operands: Any) -> Any:
    which, *cases = constants.spread(eqn, *operands)
    if not isinstance(which, Secret):
        return _selected_publicly(eqn, which, cases)
    if len(cases) != 2 or which.dtype != bool:
        raise refuse(eqn, "the choice among several cases is a secret number", "Choose with jnp.where.")
    truth, (no, yes) = logic.truth_of(eqn, which), cases
    if all(map(logic.is_truth, cases)):
        return logic.chosen(eqn, truth, yes, no)
    if not isinstance(yes, Secret) and not isinstance(no, Secret):
        return either(eqn, truth, yes, no)
    if _is_zero(no):
        return _gated(eqn, truth, yes)
    if _is_zero(yes):
        return _gated(eqn, truth.negative(), no)
    return total(eqn, _gated(eqn, truth, difference_of(eqn, yes, no)), no)


def either(eqn: Equation, truth: Truth, yes: Any, no: Any) -> Number:
    """One of two public numbers: linear in the truth."""
    yes, no = (np.asarray(v).astype(np.float64) for v in (yes, no))
    if (yes == 1).all() and not no.any():
        result = constants.number(eqn, truth)
    elif no.any():
        result = total(eqn, times_public(eqn, truth, yes - no, np.multiply), no)
    else:
        result = times_public(eqn, truth, yes, np.multiply)
    result.known["either"] = truth, yes, no
    return result


def difference_of(eqn: Equation, x: Any, y: Any) -> Any:
    """The difference of operands that may both be public."""
    if isinstance(x, Secret) or isinstance(y, Secret):
        return difference(eqn, x, y)
    return np.asarray(x) - np.asarray(y)


def _gated(eqn: Equation, truth: Truth, value: Any) -> Number:
    if isinstance(value, Secret):
        return gated(truth, constants.number(eqn, value))
    return times_public(eqn, truth, value, np.multiply)


def _is_zero(value: Any) -> bool:
    return not isinstance(value, Secret) and not np.any(np.asarray(value))


def _selected_publicly(eqn: Equation, which: Any, cases: Any) -> Any:
    """Which case is public: each is kept where it is chosen, and nothing else of it matters."""
    which = np.asarray(which).astype(np.intp)
    used = np.unique(which)
    if len(used) == 1:
        return cases[int(used[0])]
    cases = [
        c if isinstance(c, Secret) else np.where(which == i, c, np.zeros_like(c)) for i, c in enumerate(cases)
    ]
    if all(map(logic.is_truth, cases)):
        return logic.joined(eqn, cases, lambda parts: np.choose(which, parts))
    numbers = constants.aligned(eqn, *cases)
    return constants.joined(numbers, lambda parts: np.choose(which, parts), eqn.outputs[0].shape)
