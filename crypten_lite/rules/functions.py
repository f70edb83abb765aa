"""Functions of one variable: a table each (`crypten_lite.functions`), by what is known of the argument."""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from crypten_lite.functions.erf import ERF, ERFC
from crypten_lite.functions.exp import EXP_NEGATIVE, exp_below
from crypten_lite.functions.log import LOG, log_on
from crypten_lite.functions.piecewise import Piecewise, Segments
from crypten_lite.functions.reciprocal import RECIPROCAL, RECIPROCAL_SIGNED, reciprocal_on
from crypten_lite.functions.rsqrt import RSQRT
from crypten_lite.functions.shapes import saturated
from crypten_lite.functions.sigmoid import SIGMOID
from crypten_lite.functions.sqrt import SQRT
from crypten_lite.functions.tanh import TANH
from crypten_lite.protocols.lookup import evaluated
from crypten_lite.rules import constants
from crypten_lite.rules.facts import range_of
from crypten_lite.rules.linear import times_public, total
from crypten_lite.rules.roots import norm_of, of_norm, of_shifted
from crypten_lite.rules.table import rule, secret_rules
from crypten_lite.values import Number, Secret
from namedtensor.interpreter import Equation, compat

FUNCTIONS: dict[str, Piecewise] = {
    "erf": ERF,
    "erfc": ERFC,
    "logistic": SIGMOID,
    "tanh": TANH,
}


def _table(eqn: Equation, x: Secret) -> Number:
    return evaluated(constants.number(eqn, x), FUNCTIONS[eqn.primitive])


rule(*FUNCTIONS)(_table)


@rule("exp")
def _(eqn: Equation, x: Secret) -> Number:
    return exponential(constants.number(eqn, x))


def exponential(x: Number) -> Number:
    """``exp(x)``; of a number that cannot be positive one comparison less."""
    return evaluated(x, EXP_NEGATIVE if range_of(x)[1] <= 0 else _exp(x.session.point.limit))


@functools.cache
def _exp(limit: float) -> Piecewise:
    """The exponential up to what the session has room for."""
    return exp_below(min(17, math.floor(math.log(limit))))


@secret_rules.register("custom_jvp_call")
def _(eqn: Equation, *values: Any) -> Any:
    body = compat.called(eqn.params)
    if body.jaxpr.debug_info.func_name.partition(" ")[0] != "exp_neg_sq":
        return eqn.walk(body, *values)
    # JAX, from 0.12 on, makes the derivative of erf of it, with the bits of its argument.
    x = eqn.inputs[0]
    return eqn.walk(
        jax.make_jaxpr(lambda x: jnp.exp(-(x * x)))(jax.ShapeDtypeStruct(x.shape, x.dtype)), *values
    )


@rule("sqrt")
def _(eqn: Equation, x: Secret) -> Number:
    number = constants.number(eqn, x)

    def later() -> Number:  # a quotient by it asks for the inverse root instead
        norm = norm_of(number, "sum")
        return evaluated(number, SQRT) if norm is None else of_norm(norm, "sqrt")

    return Number(number.session, number.shape, number.dtype, None, later=later)


@rule("rsqrt")
def _(eqn: Equation, x: Secret) -> Number:
    number = constants.number(eqn, x)
    result = inverse_root(number).typed(eqn.outputs[0].dtype)
    result.known["inverse root of"] = number  # its derivative divides by that again
    return result


def inverse_root(x: Number) -> Number:
    """``1 / sqrt(x)``; of a sum of squares for any size of it."""
    norm = norm_of(x, "sum")
    if norm is not None:
        return of_norm(norm, "rsqrt")
    shifted = of_shifted(x)
    if shifted is not None:
        return shifted
    return evaluated(
        x,
        _rsqrt_above(
            range_of(x)[0], min(x.source.scale, 2 * x.session.point.fraction), x.session.point.fraction
        ),
    )


@functools.cache
def _rsqrt_above(low: float, scale: int, fraction: int) -> Piecewise:
    """``1 / sqrt(z)``; of a number that is known not to be negative up to large ones."""
    if not 0 <= low < math.inf:
        return RSQRT
    first = max(math.floor(math.log2(low)), -max(scale, fraction), -24) if low else -12
    last = first + 3 * ((min(30, 62 - 2 * fraction) - first) // 3)
    return saturated("rsqrt", lambda x: 1 / np.sqrt(x), (first, last), degree=5, power=-1, error=2.5e-4)


@rule("exp2")
def _(eqn: Equation, x: Secret) -> Number:
    return exponential(times_public(eqn, x, math.log(2), np.multiply))


@rule("expm1")
def _(eqn: Equation, x: Secret) -> Number:
    return total(eqn, exponential(constants.number(eqn, x)), -1.0)


@rule("log1p")
def _(eqn: Equation, x: Secret) -> Number:
    return logarithm(total(eqn, x, 1.0))


@rule("log")
def _(eqn: Equation, x: Secret) -> Number:
    return logarithm(constants.number(eqn, x))


def logarithm(x: Number) -> Number:
    """``log(x)``; of a number of a known range only what is needed for it."""
    span = _declarable(x)
    return evaluated(x, LOG if span is None else log_on(*span))


def _declarable(x: Number) -> tuple[float, float] | None:
    """The range of a positive number, and a little more, where tables can cover all of it."""
    low, high = range_of(x)
    return (low * 0.99, high * 1.01) if low >= 2.0**-10 and high <= 2.0**23 else None


def reciprocal(eqn: Equation, x: Number) -> Number:
    """``1 / x``: of either sign, of a positive number, or of one whose range is known."""
    low, high = range_of(x)
    if high < 0:
        opposite = x.negative()
        opposite.known["range"] = -high, -low
        return reciprocal(eqn, opposite).negative()
    span = _declarable(x)
    if low >= 1 and high <= _WIDEST:
        result = evaluated(x, _of_sum(2 ** max(2, math.ceil(math.log2(high)))))
    elif span is not None:
        result = evaluated(x, reciprocal_on(*span))
    else:
        result = evaluated(x, RECIPROCAL if low >= 0 else RECIPROCAL_SIGNED)
    if low > 0:
        result.source.known["range"] = (0.0 if high == math.inf else 1 / high, 1 / low)
    return result


_WIDEST = 4096


@functools.cache
def _of_sum(high: int) -> Piecewise:
    """``1 / z`` from 1 to a power of two, by segments of one half: no comparison, for few numbers."""

    def inverse(z: Any) -> Any:
        return 1 / z

    table = Segments(inverse, 1.0 - 2.0**-8, high + 2.0**-4, segments=2 * high, degree=5)
    return Piecewise("reciprocal of a sum", inverse, (table,), (), 1e-4, (1.0 - 2.0**-8, high + 2.0**-4))
