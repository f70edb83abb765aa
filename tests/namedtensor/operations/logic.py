"""Rules U and B for truth and bits."""

import numpy as np

import namedtensor as nt
from tests.namedtensor.operations.elementwise import binary_row, binary_table, unary_row, unary_table
from tests.namedtensor.operations.row import Row, same


def leading_zeros(xp, x):
    """Of 32-bit numbers, from their binary digits."""
    return xp.vectorize(lambda n: 32 - int(n).bit_length() if n >= 0 else 0, otypes=[np.int32])(x)


EXACT = {"slopes": False, "roundings": 0}
UNARY = {
    **unary_table("isfinite isinf isnan isneginf isposinf", "special", **EXACT),
    **unary_table("iscomplex isreal", "complex", **EXACT),
    **unary_table("signbit", "real", **EXACT),
    **unary_table("bitwise_count bitwise_not", "integer", **EXACT),
    **unary_table("logical_not", "bool", **EXACT),
    "clz": (leading_zeros, "integer", False, 0),
}
BINARY = {
    **binary_table("""bitwise_and bitwise_or bitwise_xor greater greater_equal isclose less less_equal
        not_equal""", "integer", "integer", slopes=False),
    **binary_table("left_shift right_shift", "integer", "count", slopes=False),
    **binary_table("logical_and logical_or logical_xor", "bool", "bool", slopes=False),
    "equal_to": (same("equal"), ("integer", "integer"), False),
}  # fmt: skip


# fmt: off
def other_rows():
    yield Row("isclose", "a b, b -> a b", lambda d, x, y: x.isclose(y, rtol=0.0, atol=0.5),
              lambda xp, x, y: abs(x - y) <= 0.5, label="tolerances")
    yield Row("isclose", "a -> a", lambda d, x: x.isclose(x, equal_nan=True), lambda xp, x: x == x if x.size == 0 else
              np.full(x.shape, True), values=("special",), label="equal_nan")
    yield Row("allclose", "a b -> ", lambda d, x: x.allclose(x.order(f"{d.b} {d.a}") + 1e-7), lambda xp, x: True)
    yield Row("allclose", "a b -> ", lambda d, x: x.allclose(x + 0.1, rtol=0.0), lambda xp, x: False, nonempty="a b",
              label="other values")
    yield Row("where", "a b, b c, c -> a b c", lambda d, p, x, y: nt.where(p, x, y),
              lambda xp, p, x, y: xp.where(p[:, :, None], x[None], y[None, None]), values=("bool",), slopes=True)
    yield Row("select", "a b, c, b c, a -> a b c", lambda d, p, q, x, y: nt.select([p, q], [x, y], 0.5),
              lambda xp, p, q, x, y: xp.where(p[:, :, None], x[None], xp.where(q, y[:, None, None], np.float32(0.5))),
              values=("bool", "bool"), slopes=True)
    yield Row("select", "a, b -> a b", lambda d, p, x: nt.select([p], [1.0], x),
              lambda xp, p, x: xp.where(p[:, None], np.float32(1), x), values=("bool",), label="default")
    yield Row("clip", "a b, b, c -> a b c", lambda d, x, low, high: nt.clip(x, low, high),
              lambda xp, x, low, high: xp.clip(x[:, :, None], low[None, :, None], high[None, None]),
              values=("real", "low", "high"), slopes=True)
    yield Row("clip", "a b, b -> a b", lambda d, x, low: x.clip(low), lambda xp, x, low: xp.maximum(x, low[None]),
              values=("real", "low"), slopes=True, label="low")
    yield Row("clip", "a b, b -> a b", lambda d, x, high: x.clip(high=high), lambda xp, x, high: xp.minimum(x, high[None]),
              values=("real", "high"), slopes=True, label="high")
    yield Row("clip", "a -> a", lambda d, x: x.clip(), lambda xp, x: x, label="no limits")
# fmt: on


ROWS = [
    *(unary_row(name, *line) for name, line in UNARY.items()),
    *(binary_row(name, *line) for name, line in BINARY.items()),
    *other_rows(),
]
