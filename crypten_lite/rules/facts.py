"""What is public knowledge about a secret number: a range that holds for any input.

A difference to the maximum is not positive, its exponential lies between 0 and 1 and their sum between 1
and their number. So a softmax compares less, and products of such numbers need no truncation. Ranges follow
from the operations alone, by interval arithmetic; they are never measured.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from crypten_lite.rules.shapes import STRUCTURE
from crypten_lite.values import Number, Secret, Truth
from namedtensor.interpreter import Equation

Range = tuple[float, float]
ANY: Range = (-math.inf, math.inf)


@dataclass(frozen=True, eq=False)
class Peak:
    """That a number is the maximum of another one over axes.

    Attributes:
      of: the other one.
      axes: that are gone.
      rows: ``[1, *shape]``, which of the maxima each element is; it moves with the number.
    """

    of: Secret
    axes: tuple[int, ...]
    rows: Any


@dataclass(frozen=True, eq=False)
class Norm:
    """That a number comes from sums of squares of another one over axes.

    Attributes:
      of: the other one. axes: that are gone. rows: as of a `Peak`. total: the sums. factor: it is ``factor
      * total + plus``; or, once inverted, the bound of the product with the other number. plus: see above,
      not negative; None where it is not one public number. state: a ``"sum"`` as above, its ``"root"``
      (plus ``offset``), or the ``"inverse"`` of that. offset: see above.
    """

    of: Secret
    axes: tuple[int, ...]
    rows: Any
    total: Number
    factor: float = 1.0
    plus: float | None = 0.0
    state: str = "sum"
    offset: float = 0.0


def range_of(value: Any) -> Range:
    """The smallest range known of a secret or public value."""
    if isinstance(value, Truth):
        return 0.0, 1.0
    if isinstance(value, Number):
        inherited = range_of(value.origin[0]) if value.origin is not None else ANY
        return value.known.get("range", inherited)
    array = np.asarray(value)
    return (float(array.min()), float(array.max())) if array.size else (0.0, 0.0)


def magnitude(value: Any) -> float:
    """The largest absolute value that is possible."""
    return max(map(abs, range_of(value)))


def bound_of_product(x: Any, y: Any) -> float:
    """The largest absolute value of an elementwise product."""
    return max(map(abs, _product(None, x, y)))


def learn(eqn: Equation, values: Sequence[Any], result: Any) -> None:
    """Note on the result of an equation what follows from its operands."""
    if not isinstance(result, Number):
        return
    find = _RANGES.get(eqn.primitive)
    if find is not None:
        low, high = find(eqn, *values)
        if (low, high) != ANY and not (math.isnan(low) or math.isnan(high)):
            result.known.setdefault("range", (low, high))
    follow = _FOLLOWED.get(eqn.primitive)
    if follow is not None:
        follow(eqn, result, *values)
    inverse = eqn.primitive == "rsqrt" or (eqn.primitive == "div" and isinstance(values[1], Secret))
    if inverse or (eqn.primitive in _REFINED and any(map(is_fine, values))):
        refine(result)


def is_fine(value: Any) -> bool:
    """Whether a number may be small and is known to more than the usual places: an inverse, for one."""
    return isinstance(value, Number) and "fine" in value.known


def refine(number: Number) -> None:
    """Note that a number is an inverse, or made of one, and may be small; not if it is bounded anyway."""
    if magnitude(number) == math.inf:
        number.known["fine"] = True


_REFINED = {"mul", "div", "neg", "add_any", "reduce_sum", *STRUCTURE}


def _sum(eqn: Equation, x: Any, y: Any) -> Range:
    (a, b), (c, d) = range_of(x), range_of(y)
    return a + c, b + d


def _difference(eqn: Equation, x: Any, y: Any) -> Range:
    (a, b), (c, d) = range_of(x), range_of(y)
    return a - d, 0.0 if is_below_its_peak(x, y) else b - c


def _product(eqn: Equation | None, x: Any, y: Any) -> Range:
    if x is y:
        return _power(eqn, x, 2)
    for a, b in ((x, y), (y, x)):
        if (
            isinstance(b, Number)
            and (norm := b.known.get("norm")) is not None
            and norm.state == "inverse"
            and _meets(a, norm)
        ):
            return -norm.factor, norm.factor
    ends = [_times(a, b) for a in range_of(x) for b in range_of(y)]
    return min(ends), max(ends)


def _times(a: float, b: float) -> float:
    return 0.0 if not a or not b else a * b  # infinity stands for a bound that is not known


def _quotient(eqn: Equation, x: Any, y: Any) -> Range:
    low, high = range_of(y)
    if low <= 0 <= high:
        return ANY
    ends = [_times(a, 1 / b) for a in range_of(x) for b in (low, high)]
    return min(ends), max(ends)


def _power(eqn: Equation | None, x: Any, power: int) -> Range:
    if power <= 0:
        return ANY
    low, high = (_raised_to(e, power) for e in map(abs, range_of(x)))
    if power % 2:
        a, b = range_of(x)
        return math.copysign(low, a), math.copysign(high, b)
    return 0.0, max(low, high)


def _raised_to(x: float, power: int) -> float:
    return math.inf if x > 1 and power * math.log2(x) > 1000 else x**power


def _negative(eqn: Equation, x: Any) -> Range:
    low, high = range_of(x)
    return -high, -low


def _total(eqn: Equation, x: Secret) -> Range:
    low, high = range_of(x)
    count = x.size // max(1, math.prod(eqn.outputs[0].shape))
    peaked = getattr(x, "known", {}).get("has one")
    return 1.0 if peaked is not None and set(peaked) <= set(
        eqn.params["axes"]
    ) and low >= 0 else count * low, count * high


def _same(eqn: Equation, x: Any, *others: Any) -> Range:
    return range_of(x)


def _monotone(function: Callable[[float], float]) -> Callable[..., Range]:
    def ends(eqn: Equation, x: Any) -> Range:
        low, high = range_of(x)
        return function(low), function(high)

    return ends


def _ends(choose: Callable[..., float], x: Any, y: Any) -> Range:
    (a, b), (c, d) = range_of(x), range_of(y)
    return choose(a, c), choose(b, d)


def _either(eqn: Equation, which: Any, *cases: Any) -> Range:
    ranges = [range_of(c) for c in cases]
    return min(r[0] for r in ranges), max(r[1] for r in ranges)


def _exp(x: float) -> float:
    return math.inf if x > 700 else math.exp(x)


_RANGES: dict[str, Callable[..., Range]] = {
    "add": _sum,
    "add_any": _sum,
    "sub": _difference,
    "mul": _product,
    "div": _quotient,
    "neg": _negative,
    "square": lambda eqn, x: _power(eqn, x, 2),
    "one_minus_square": lambda eqn, x: (1 - _power(eqn, x, 2)[1], 1 - _power(eqn, x, 2)[0]),
    "integer_pow": lambda eqn, x: _power(eqn, x, eqn.params["y"]),
    "reduce_sum": _total,
    "reduce_max": _same,
    "reduce_min": _same,
    "reduce_window_max": _same,
    "max": lambda eqn, x, y: _ends(max, x, y),
    "min": lambda eqn, x, y: _ends(min, x, y),
    "abs": lambda eqn, x: (max(0.0, range_of(x)[0], -range_of(x)[1]), magnitude(x)),
    "sign": lambda eqn, x: (-1.0, 1.0),
    "select_n": _either,
    "concatenate": lambda eqn, *values: _either(eqn, None, *values),
    "convert_element_type": _same,
    "exp": _monotone(_exp),
    "logistic": lambda eqn, x: (0.0, 1.0),
    "tanh": lambda eqn, x: (-1.0, 1.0),
    "erf": lambda eqn, x: (-1.0, 1.0),
    "erfc": lambda eqn, x: (0.0, 2.0),
    "sqrt": lambda eqn, x: (0.0, math.sqrt(max(0.0, range_of(x)[1]))),
}


def _maximum(eqn: Equation, result: Number, x: Secret) -> None:
    rows = np.arange(result.size, dtype=np.int64).reshape(1, *result.shape)
    result.known["peak"] = Peak(x, eqn.params["axes"], rows)


def _structure(eqn: Equation, result: Number, x: Secret) -> None:
    follow(result, x, lambda rows: STRUCTURE[eqn.primitive](eqn, rows))


def follow(result: Secret, x: Secret, move: Callable[[Any], Any]) -> None:
    """Note on a number what is known of the one whose elements it moves."""
    for name in ("peak", "norm"):
        known = x.known.get(name) if isinstance(x, Number) else None
        if known is not None and isinstance(result, Number) and result is not x:
            result.known[name] = replace(known, rows=move(known.rows))
    if is_fine(x) and isinstance(result, Number):
        result.known["fine"] = True


def _squared(eqn: Equation, result: Number, x: Secret, *same: Any) -> None:
    if eqn.primitive == "square" or eqn.params.get("y") == 2 or (same and same[0] is x):
        result.known["square of"] = x
    else:
        _scaled(eqn, result, x, *same)


def _scaled(eqn: Equation, result: Number, *values: Any) -> None:
    """A positive public multiple of sums of squares."""
    numbers = [v for v in values if isinstance(v, Number)]
    low, high = range_of(next((v for v in values if not isinstance(v, Secret)), 0.0))
    norm = numbers[0].known.get("norm") if len(numbers) == 1 else None
    if norm is None or norm.state != "sum" or not 0 < low == high < math.inf:
        return
    if eqn.primitive == "div" and numbers[0] is not values[0]:
        return
    times = 1 / low if eqn.primitive == "div" else low
    plus = None if norm.plus is None else norm.plus * times
    result.known["norm"] = replace(norm, factor=norm.factor * times, plus=plus)


def _increased(eqn: Equation, result: Number, *values: Any) -> None:
    for value, other in (values, values[::-1]):
        norm = value.known.get("norm") if isinstance(value, Number) else None
        low, high = range_of(other)
        public = not isinstance(other, Secret) and low == high < math.inf
        if norm is None or low < 0:
            continue
        if norm.state == "sum":
            plus = norm.plus + low if public and norm.plus is not None else None
            result.known["norm"] = replace(norm, plus=plus)
        elif norm.state == "root" and public:
            result.known["norm"] = replace(norm, offset=norm.offset + low)


def _summed(eqn: Equation, result: Number, x: Secret) -> None:
    of = x.known.get("square of") if isinstance(x, Number) else None
    if of is not None:
        rows = np.arange(result.size, dtype=np.int64).reshape(1, *result.shape)
        result.known["norm"] = Norm(of, eqn.params["axes"], rows, result)


def _rooted(eqn: Equation, result: Number, x: Number) -> None:
    norm = x.known.get("norm")
    if norm is not None and norm.state == "sum" and norm.plus is not None:
        result.known["norm"] = replace(norm, state="root")


def _divided(eqn: Equation, result: Number, x: Any, y: Any) -> None:
    norm = y.known.get("norm") if isinstance(y, Number) else None
    low, high = (math.nan, math.nan) if isinstance(x, Secret) else range_of(x)
    if norm is not None and norm.state == "root" and low == high:
        bounded = inverted(norm)
        result.known["norm"] = replace(bounded, factor=bounded.factor * abs(low))
    else:
        _scaled(eqn, result, x, y)


def _inverted(eqn: Equation, result: Number, x: Number) -> None:
    norm = x.known.get("norm")
    if norm is not None and norm.state == "sum" and norm.plus is not None:
        result.known["norm"] = inverted(norm)


def inverted(norm: Norm) -> Norm:
    """Of the inverse root: ``|z| / sqrt(factor * sum of z ** 2)`` is at most ``1 / sqrt(factor)``."""
    return replace(norm, factor=1.05 / math.sqrt(norm.factor), state="inverse")


def _centred(eqn: Equation, result: Number, x: Any, y: Any) -> None:
    if is_below_its_peak(x, y):
        result.known["peaked"] = y.known["peak"].axes  # along them an element is zero


def _raised(eqn: Equation, result: Number, x: Number) -> None:
    if "peaked" in x.known:
        result.known["has one"] = x.known["peaked"]


def _same_kind(eqn: Equation, result: Number, x: Secret) -> None:
    if isinstance(x, Number | Truth) and "has one" in x.known:
        result.known["has one"] = x.known["has one"]


_FOLLOWED: dict[str, Callable[..., None]] = {
    "reduce_max": _maximum,
    "sub": _centred,
    "exp": _raised,
    "convert_element_type": _same_kind,
    "square": _squared,
    "integer_pow": _squared,
    "mul": _squared,
    "div": _divided,
    "add": _increased,
    "reduce_sum": _summed,
    "rsqrt": _inverted,
    "sqrt": _rooted,
    **dict.fromkeys(STRUCTURE, _structure),
}


def peak_axes(y: Number) -> tuple[int, ...]:
    """The axes over which a number is a maximum, where it is one."""
    return y.known["peak"].axes


def is_below_its_peak(x: Any, y: Any) -> bool:
    """Whether each element of ``x`` meets, in ``y``, a maximum over a group that it is in itself."""
    peak = y.known.get("peak") if isinstance(y, Number) else None
    return peak is not None and _meets(x, peak)


def _meets(x: Any, known: Peak | Norm) -> bool:
    """Whether each element of ``x`` is one of those that the element in its place was made of."""
    if known.of is not x or known.rows.shape[1:] != x.shape:
        return False
    kept = [1 if a in known.axes else n for a, n in enumerate(x.shape)]
    rows = np.arange(math.prod(kept)).reshape(1, *kept)
    return bool((known.rows == np.broadcast_to(rows, known.rows.shape)).all())
