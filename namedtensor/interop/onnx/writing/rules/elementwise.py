"""Elementwise primitives that ONNX has an operator for."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from namedtensor.interop.onnx.writing.graph import Graph
from namedtensor.interop.onnx.writing.table import Refused, rule
from namedtensor.interop.onnx.writing.values import Value, broadcast, same
from namedtensor.interpreter import Equation

_SAME = {
    "abs": "Abs", "neg": "Neg", "floor": "Floor", "ceil": "Ceil", "exp": "Exp", "log": "Log", "sqrt": "Sqrt",
    "tanh": "Tanh", "logistic": "Sigmoid", "erf": "Erf", "sin": "Sin", "cos": "Cos", "tan": "Tan",
    "asin": "Asin", "acos": "Acos", "atan": "Atan", "sinh": "Sinh", "cosh": "Cosh", "asinh": "Asinh",
    "acosh": "Acosh", "atanh": "Atanh", "add": "Add", "add_any": "Add", "sub": "Sub",
}  # fmt: skip
_COMPARED = {"eq": "Equal", "lt": "Less", "le": "LessOrEqual", "gt": "Greater", "ge": "GreaterOrEqual"}
_BITWISE = {"and": "And", "or": "Or", "xor": "Xor", "not": "Not"}
_OF_BOOLS = {"min": "And", "mul": "And", "max": "Or", "add": "Or"}

IDENTITIES = (
    "copy", "copy_p", "stop_gradient", "sharding_constraint", "device_put", "pvary", "optimization_barrier",
    "mesh_cast", "reshard", "layout_constraint",
)  # fmt: skip


@rule(*_SAME)
def _same(g: Graph, eqn: Equation, *values: Value) -> Value:
    return g.map(_SAME[eqn.primitive], *values)


@rule(*_COMPARED)
def _compared(g: Graph, eqn: Equation, x: Value, y: Value) -> Value:
    if x.dtype == bool and eqn.primitive != "eq":
        x, y = g.cast(x, "int32"), g.cast(y, "int32")
    return g.map(_COMPARED[eqn.primitive], x, y, dtype=bool)


@rule("ne")
def _different(g: Graph, eqn: Equation, x: Value, y: Value) -> Value:
    return g.map("Not", g.map("Equal", x, y, dtype=bool))


@rule(*_BITWISE)
def _bitwise(g: Graph, eqn: Equation, *values: Value) -> Value:
    prefix = "" if values[0].dtype == bool else "Bitwise"
    return g.map(prefix + _BITWISE[eqn.primitive], *values)


@rule("mul", "min")
def _mul(g: Graph, eqn: Equation, x: Value, y: Value) -> Value:
    if x.dtype == bool:
        return g.map(_OF_BOOLS[eqn.primitive], x, y)
    if eqn.primitive == "min":
        return g.map("Min", x, y)
    return g.map("Mul", x.as_factor or x, y.as_factor or y)


@rule("max")
def _max(g: Graph, eqn: Equation, x: Value, y: Value) -> Value:
    if x.dtype == bool:
        return g.map("Or", x, y)
    for a, b in ((x, y), (y, x)):
        if _is_zero(b) and a.dtype.kind != "i" and same(broadcast(a.shape, b.shape), a.shape):
            return g.map("Relu", a)
    return g.map("Max", x, y)


def _is_zero(x: Value) -> bool:
    known = (x.thin or x).known
    return known is not None and known.size == 1 and not known.any() and not np.signbit(known).any()


@rule("sign")
def _sign(g: Graph, eqn: Equation, x: Value) -> Value:
    return g.map("Sign", x)


@rule("clamp")
def _clamp(g: Graph, eqn: Equation, low: Value, x: Value, high: Value) -> Value:
    return g.map("Min", g.map("Max", x, low), high)


@rule("pow")
def _pow(g: Graph, eqn: Equation, x: Value, y: Value) -> Value:
    return g.map("Pow", x, y)


@rule("square")
def _square(g: Graph, eqn: Equation, x: Value) -> Value:
    return g.map("Mul", x, x)


@rule("integer_pow")
def _integer_pow(g: Graph, eqn: Equation, x: Value) -> Value:
    power = eqn.params["y"]
    result = _product(g, x, abs(power))
    return result if power >= 0 else g.map("Reciprocal", result)


def _product(g: Graph, x: Value, times: int) -> Value:
    """By squaring, as JAX does it: exact for integers, and no worse than it for floats."""
    if times == 0:
        return g.expand(g.constant(1, x.dtype), x.shape)
    result, square = None, x
    while times:
        if times & 1:
            result = square if result is None else g.map("Mul", result, square)
        times >>= 1
        square = g.map("Mul", square, square) if times else square
    assert result is not None
    return result


@rule("rsqrt")
def _rsqrt(g: Graph, eqn: Equation, x: Value) -> Value:
    return g.map("Reciprocal", g.map("Sqrt", x))


@rule("round")
def _round(g: Graph, eqn: Equation, x: Value) -> Value:
    if eqn.params["rounding_method"] == lax.RoundingMethod.TO_NEAREST_EVEN:
        return g.map("Round", x)
    size = g.map("Abs", x)
    whole = g.map("Floor", size)
    up = g.map("GreaterOrEqual", g.map("Sub", size, whole), g.constant(0.5, x.dtype), dtype=bool)
    return g.map("Mul", g.map("Add", whole, g.cast(up, x.dtype)), g.map("Sign", x))


@rule("is_finite")
def _is_finite(g: Graph, eqn: Equation, x: Value) -> Value:
    strange = g.map("Or", g.map("IsNaN", x, dtype=bool), g.map("IsInf", x, dtype=bool))
    return g.map("Not", strange)


@rule("select_n")
def _select(g: Graph, eqn: Equation, which: Value, *cases: Value) -> Value:
    if len(cases) == 1:
        return cases[0]
    if which.dtype == bool:
        return _where(g, which, cases[1], cases[0])
    result = cases[-1]
    for i in reversed(range(len(cases) - 1)):
        chosen = g.map("Equal", which, g.constant(i, which.dtype), dtype=bool)
        result = _where(g, chosen, cases[i], result)
    return result


def _where(g: Graph, which: Value, yes: Value, no: Value) -> Value:
    return g.map("Where", which, yes, no, like=1)


@rule("convert_element_type")
def _convert(g: Graph, eqn: Equation, x: Value) -> Value:
    return g.cast(x, eqn.outputs[0].dtype)


@rule("reduce_precision")
def _reduce_precision(g: Graph, eqn: Equation, x: Value) -> Value:
    bits = eqn.params["exponent_bits"], eqn.params["mantissa_bits"]
    known = {(8, 7): "bfloat16", (8, 23): "float32", (11, 52): "float64"}
    if bits not in known:
        raise Refused(f"no type has {bits[0]} bits of exponent and {bits[1]} of mantissa")
    return g.cast(g.cast(x, jnp.dtype(known[bits])), x.dtype)


@rule(*IDENTITIES)
def _identity(g: Graph, eqn: Equation, *values: Value) -> Any:
    return list(values) if eqn.several else values[0]
