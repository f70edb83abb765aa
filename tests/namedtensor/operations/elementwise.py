"""Rules U and B: elementwise operations."""

import jax
import jax.numpy as jnp

import namedtensor as nt
from tests.namedtensor.operations.row import Row, jax_only, same


# rule U: name -> (positional, values, differentiable, roundings)
def unary_table(names, values, *, slopes=True, roundings=4):
    return {k: (same(k), values, slopes, roundings) for k in names.split()}


UNARY = {
    **unary_table("""absolute arcsinh arctan cbrt conj cos cosh deg2rad exp exp2 expm1 fabs negative positive rad2deg
        sin sinc sinh square tan tanh""", "real"),
    **unary_table("arccos arcsin arctanh", "inner"),
    **unary_table("arccosh", "above one"),
    **unary_table("log log10 log1p log2 reciprocal sqrt", "positive"),
    **unary_table("ceil floor rint sign trunc", "real", roundings=0),
    **unary_table("frexp modf spacing", "real", slopes=False, roundings=0),
    **unary_table("angle imag real", "complex"),
    **unary_table("nan_to_num", "special", slopes=False, roundings=0),
    "reduce_precision": (jax_only(lambda x: x.astype(jnp.bfloat16).astype(jnp.float32)), "real", False, 0),
    "round": (same("round"), "real", False, 0),
    "rsqrt": (lambda xp, x: 1 / xp.sqrt(x), "positive", True, 4),
    "stop_gradient": (jax_only(jax.lax.stop_gradient), "real", True, 0),
}  # fmt: skip
OPTIONS = {"reduce_precision": {"exponent_bits": 8, "mantissa_bits": 7}}


# rule B: name -> (positional, values of both, differentiable)
def binary_table(names, x, y, *, slopes=True):
    return {k: (same(k), (x, y), slopes) for k in names.split()}


BINARY = {
    **binary_table("""add arctan2 fmax fmin hypot logaddexp logaddexp2 maximum minimum multiply subtract""",
                   "real", "real"),
    **binary_table("copysign heaviside nextafter", "real", "real", slopes=False),
    **binary_table("divide", "real", "positive"),
    **binary_table("divmod floor_divide fmod gcd lcm remainder", "integer", "count", slopes=False),
    **binary_table("float_power power", "positive", "real"),
    **binary_table("ldexp", "real", "integer"),
}  # fmt: skip


def unary_row(name, positional, values, slopes, roundings):
    more = OPTIONS.get(name, {})
    return Row(name, "a b -> a b", lambda d, x: getattr(nt, name)(x, **more), positional,
               values=(values,), slopes=slopes, roundings=roundings, examples=2)  # fmt: skip


def binary_row(name, positional, values, slopes):
    return Row(name, "a b, b c -> a b c", lambda d, x, y: getattr(nt, name)(x, y),
               lambda xp, x, y: positional(xp, x[:, :, None], y[None]),
               values=values, slopes=slopes, roundings=4, examples=2)  # fmt: skip


# fmt: off
def other_rows():
    yield Row("round", "a b -> a b", lambda d, x: x.round(decimals=2), lambda xp, x: xp.round(x, 2), label="decimals")
    yield Row("angle", "a b -> a b", lambda d, x: x.angle(deg=True), lambda xp, x: xp.angle(x, deg=True),
              values=("complex",), roundings=4, label="degrees")
    yield Row("nan_to_num", "a b, b -> a b", lambda d, x, y: x.nan_to_num(nan=y, posinf=2.0, neginf=y),
              lambda xp, x, y: xp.where(xp.isposinf(x), 2, xp.where(xp.isnan(x) | xp.isneginf(x), y, x)),
              values=("special",), label="tensors as options")
    yield Row("divmod", "a b, b -> a b", lambda d, x, y: divmod(x, y), lambda xp, x, y: xp.divmod(x, y),
              values=("integer", "count"), label="operator")
    yield Row("astype", "a b -> a b", lambda d, x: nt.astype(x, jnp.int32), lambda xp, x: x.astype("int32"))
    yield Row("astype", "a -> a", lambda d, x: x.astype(float), lambda xp, x: x.astype("float32"),
              values=("bool",), label="from bool")
# fmt: on


ROWS = [
    *(unary_row(name, *line) for name, line in UNARY.items()),
    *(binary_row(name, *line) for name, line in BINARY.items()),
    *other_rows(),
]
