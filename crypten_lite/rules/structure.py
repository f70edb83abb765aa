"""Rules that move elements: no rounds and no bytes; an opening moves along."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from crypten_lite.protocols.comparison import at_least
from crypten_lite.rules import constants, logic, shapes
from crypten_lite.rules.table import refuse, rule, secret_rules
from crypten_lite.values import Number, Secret, Truth
from namedtensor.interpreter import Equation


def _structural(eqn: Equation, x: Secret) -> Any:
    move = shapes.STRUCTURE[eqn.primitive]
    if move is shapes.same:
        return x
    how = x.moved if isinstance(x, Number) else x.map
    return how(lambda a: move(eqn, a), eqn.outputs[0].shape)


rule(*shapes.STRUCTURE)(_structural)


@rule("concatenate")
def _(eqn: Equation, *values: Any) -> Any:
    axis = eqn.params["dimension"]
    result = _joined(eqn, values, lambda parts: np.concatenate(parts, axis + 1))
    if isinstance(result, Number) and result.dtype.kind in "iu" and axis == result.ndim - 1:
        result.known["columns"] = values  # of an index, some of which may be public
    return result


@rule("stack")
def _(eqn: Equation, *values: Any) -> Any:
    return _joined(eqn, values, lambda parts: np.stack(parts, eqn.params["axis"] + 1))


def _joined(eqn: Equation, values: Sequence[Any], combine: Callable[[Any], Any]) -> Any:
    if all(map(logic.is_truth, values)):
        return logic.joined(eqn, values, combine)
    return constants.joined(constants.aligned(eqn, *values), combine, eqn.outputs[0].shape)


@rule("pad")
def _(eqn: Equation, x: Any, fill: Any) -> Any:
    shape = eqn.outputs[0].shape
    outside = shapes.padded(eqn, np.ones((1, *eqn.inputs[0].shape), np.uint64))[0] == 0
    if logic.is_truth(x) and not isinstance(fill, Secret):
        return logic.flipped(
            logic.truth_of(eqn, x).map(lambda a: shapes.padded(eqn, a), shape), outside & bool(fill)
        )
    if not isinstance(fill, Secret) and not (outside.any() and np.any(np.asarray(fill))):
        return constants.number(eqn, x).map(lambda a: shapes.padded(eqn, a), shape)
    x, fill = constants.aligned(eqn, x, fill)
    around = fill.map(lambda a: a.reshape(len(a), *(1,) * len(shape)) * outside.astype(a.dtype), shape)
    return x.map(lambda a: shapes.padded(eqn, a), shape).plus(around)


@rule("convert_element_type")
def _(eqn: Equation, x: Any) -> Any:
    new = np.dtype(eqn.params["new_dtype"])
    if isinstance(x, Truth):
        return x if new.kind == "b" else constants.number(eqn, x, new)
    if new.kind == "b":
        return Truth.differs(*at_least((x, 0), (x, 1))).negative()
    if new.kind in "iu" and x.scale > 0:
        raise refuse(
            eqn, f"a secret {x.dtype} becomes {new}, whose rounding is not supported", "Keep it a float."
        )
    return x.typed(new)


@secret_rules.register("optimization_barrier")
def _(eqn: Equation, *values: Any) -> Any:
    return values


@secret_rules.register("split")
def _(eqn: Equation, x: Secret) -> Any:
    axis, ends = eqn.params["axis"] + 1, np.cumsum([0, *eqn.params["sizes"]])
    return [
        x.map(lambda a, i=i: a[(slice(None),) * axis + (slice(ends[i], ends[i + 1]),)], out.shape)
        for i, out in enumerate(eqn.outputs)
    ]


@secret_rules.register("unstack")
def _(eqn: Equation, x: Secret) -> Any:
    axis = eqn.params["axis"] + 1
    return [x.map(lambda a, i=i: np.take(a, i, axis), out.shape) for i, out in enumerate(eqn.outputs)]
