"""Division, remainders and shifts, where integers need care.

JAX truncates quotients as ONNX does, but it also says what a division by zero gives, where a processor
stops the program.
"""

import numpy as np

from namedtensor.interop.onnx.writing.graph import Graph
from namedtensor.interop.onnx.writing.table import rule
from namedtensor.interop.onnx.writing.values import Value
from namedtensor.interpreter import Equation


@rule("div")
def _div(g: Graph, eqn: Equation, x: Value, y: Value) -> Value:
    if x.dtype.kind not in "iu" or _safe(y):
        return g.map("Div", x, y)
    none, bad = _bad(g, y)
    quotient = g.map("Div", x, g.map("Where", bad, g.constant(1, y.dtype), y, like=1))
    if y.dtype.kind == "i":  # the least number has no negative: Div would overflow, Neg wraps around
        minus = g.map("Equal", y, g.constant(-1, y.dtype), dtype=bool)
        quotient = g.map("Where", minus, g.map("Neg", x), quotient, like=1)
    return g.map("Where", none, _ones(g, y), quotient, like=1)


@rule("rem")
def _rem(g: Graph, eqn: Equation, x: Value, y: Value) -> Value:
    if x.dtype.kind not in "iu" or _safe(y):
        return g.map("Mod", x, y, fmod=1)
    none, bad = _bad(g, y)
    rest = g.map("Mod", x, g.map("Where", bad, g.constant(1, y.dtype), y, like=1), fmod=1)
    return g.map("Where", none, x, rest, like=1)


def _safe(y: Value) -> bool:
    known = (y.thin or y).known
    return known is not None and not np.isin(known, (0, -1)).any()


def _bad(g: Graph, y: Value) -> tuple[Value, Value]:
    """Where the divisor is zero, and where it is zero or -1, by which a processor cannot always divide."""
    none = g.map("Equal", y, g.constant(0, y.dtype), dtype=bool)
    if y.dtype.kind == "u":
        return none, none
    return none, g.map("Or", none, g.map("Equal", y, g.constant(-1, y.dtype), dtype=bool))


def _ones(g: Graph, y: Value) -> Value:
    """All bits set: -1, or the largest number without a sign."""
    return g.constant(np.array(~np.zeros((), y.dtype)))


@rule("shift_left", "shift_right_logical", "shift_right_arithmetic")
def _shift(g: Graph, eqn: Equation, x: Value, by: Value) -> Value:
    if eqn.primitive == "shift_right_arithmetic" and x.dtype.kind == "i":
        low = g.map("Less", x, g.constant(0, x.dtype), dtype=bool)
        flipped = g.map("Where", low, g.map("BitwiseNot", x), x, like=1)  # not negative: zeros come in
        moved = _moved(g, flipped, by, "RIGHT")
        return g.map("Where", low, g.map("BitwiseNot", moved), moved, like=1)
    return _moved(g, x, by, "LEFT" if eqn.primitive == "shift_left" else "RIGHT")


def _moved(g: Graph, x: Value, by: Value, direction: str) -> Value:
    bits = 8 * x.dtype.itemsize
    unsigned = np.dtype(f"uint{bits}")
    wide = np.dtype("uint64" if bits == 64 else "uint32")
    count = g.cast(by, unsigned)
    known = (count.thin or count).known
    inside = known is not None and (known < bits).all()
    within = count if inside else g.map("BitwiseAnd", count, g.constant(bits - 1, unsigned))
    moved = g.map("BitShift", g.cast(g.cast(x, unsigned), wide), g.cast(within, wide), direction=direction)
    result = g.cast(g.cast(moved, unsigned), x.dtype)
    if inside:
        return result
    out = g.map("Equal", count, within, dtype=bool)  # a shift by all bits or more leaves none
    return g.map("Where", out, result, g.constant(0, x.dtype), like=1)
