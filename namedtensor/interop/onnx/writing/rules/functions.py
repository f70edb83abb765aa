"""Functions that ONNX has no operator for, made of those that it has.

Each is an ordinary JAX function of simpler primitives, which the table walks in its place.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax.numpy as jnp
from jax import lax

from namedtensor.interop.onnx.writing.graph import Graph
from namedtensor.interop.onnx.writing.table import composed, rule
from namedtensor.interop.onnx.writing.values import Value
from namedtensor.interpreter import Equation


def exp2(x: Any) -> Any:
    """2 to a power."""
    return lax.pow(jnp.full_like(x, 2), x)


def expm1(x: Any) -> Any:
    """exp(x) - 1 = tanh(x/2) (exp(x) + 1), which loses nothing near zero."""
    return jnp.tanh(x / 2) * (jnp.exp(x) + 1)


def log1p(x: Any) -> Any:
    """log(1 + x) without loss near zero: x log(u) / (u - 1) with u = 1 + x rounded (Kahan)."""
    u = 1 + x
    less = u - 1
    safe = jnp.where(less == 0, jnp.ones_like(x), less)
    exact = jnp.log(u) * (x / safe)
    return jnp.where(less == 0, x, jnp.where(x == jnp.inf, x, exact))


def cbrt(x: Any) -> Any:
    """The cubic root, one step of Newton after the power."""
    size = jnp.abs(x)
    root = lax.pow(size, jnp.full_like(x, 1 / 3))
    safe = jnp.where((root == 0) | jnp.isinf(root), jnp.ones_like(x), root)
    better = safe - (safe * safe * safe - size) / (3 * safe * safe)
    return jnp.sign(x) * jnp.where((root == 0) | jnp.isinf(root), root, better)


def atan2(y: Any, x: Any) -> Any:
    """The angle of (x, y), from the half plane where the quotient is finite; it keeps the sign of zeros."""
    steep = jnp.abs(y) > jnp.abs(x)
    small, large = jnp.where(steep, x, y), jnp.where(steep, y, x)
    both_infinite = jnp.isinf(x) & jnp.isinf(y)
    small = jnp.where(both_infinite, jnp.sign(small), small)
    large = jnp.where(both_infinite, jnp.sign(large), large)
    zero = large == 0
    angle = jnp.arctan(small / jnp.where(zero, jnp.ones_like(large), large))
    up = jnp.where(_negative(y), -jnp.pi, jnp.pi).astype(x.dtype)
    flat = jnp.where(_negative(x), jnp.where(zero, up, angle + up), jnp.where(zero, y, angle))
    return jnp.where(steep, up / 2 - angle, flat)


def _negative(x: Any) -> Any:
    """Whether a number is below zero, the zero with a sign among them."""
    return (x < 0) | ((x == 0) & (1 / x < 0))


_ERFC_NEAR = (
    2.326819970068386e-2, -1.387039388740657e-1, 3.687424674597105e-1, -5.824733027278666e-1,
    6.210004621745983e-1, -4.944515323274145e-1, 3.404879937665872e-1, -2.741127028184656e-1,
    5.638259427386472e-1,
)  # fmt: skip
_ERFC_FAR = (
    -1.047766399936249e1, 1.297719955372516e1, -7.495518717768503e0, 2.921019019210786e0,
    -1.015265279202700e0, 4.218463358204948e-1, -2.820767439740514e-1, 5.641895067754075e-1,
)  # fmt: skip


def erfc(x: Any) -> Any:
    """1 - erf(x); beyond 1 by Cephes' polynomials of 1 / x^2 (Moshier 1989, erfcf), precise in the tail."""
    size = jnp.abs(x)
    outside = jnp.where(size > 1, size, jnp.ones_like(x))
    q = 1 / outside
    shape = jnp.where(outside < 2, _polynomial(q * q, _ERFC_NEAR), _polynomial(q * q, _ERFC_FAR))
    tail = jnp.exp(-(outside * outside)) * (q * shape)
    return jnp.where(size > 1, jnp.where(x < 0, 2 - tail, tail), 1 - lax.erf(x))


_INVERSE_NEAR = (
    2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087, -0.00125372503,
    -0.00417768164, 0.246640727, 1.50140941,
)  # fmt: skip
_INVERSE_FAR = (
    -0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613,
    0.00943887047, 1.00167406, 2.83297682,
)  # fmt: skip


def erf_inv(x: Any) -> Any:
    """The inverse of erf (Giles 2010, "Approximating the erfinv function"), in single precision."""
    w = -jnp.log1p(-x * x)
    near = w < 5
    shifted = jnp.where(near, w - 2.5, jnp.sqrt(jnp.where(near, jnp.ones_like(w), w)) - 3)
    value = jnp.where(near, _polynomial(shifted, _INVERSE_NEAR), _polynomial(shifted, _INVERSE_FAR))
    return jnp.where(jnp.abs(x) == 1, x * jnp.inf, value * x)


def _polynomial(x: Any, coefficients: tuple[float, ...]) -> Any:
    """Horner's scheme, the highest power first."""
    value = jnp.full_like(x, coefficients[0])
    for c in coefficients[1:]:
        value = value * x + c
    return value


def lt_to(x: Any, y: Any) -> Any:
    """X < y in the total order: NaN is the largest, and -0 lies below 0."""
    if not jnp.issubdtype(x.dtype, jnp.floating):
        return x < y
    zeros = (x == 0) & (y == 0) & _negative(x) & ~_negative(y)
    return (x < y) | (~jnp.isnan(x) & jnp.isnan(y)) | zeros


def le_to(x: Any, y: Any) -> Any:
    """X <= y in the total order."""
    return ~lt_to(y, x)


def eq_to(x: Any, y: Any) -> Any:
    """Neither is less."""
    return ~(lt_to(x, y) | lt_to(y, x))


def polynomial(x: Any, *coefficients: Any) -> Any:
    """The lowest power first."""
    value = jnp.broadcast_to(coefficients[-1], x.shape)
    for c in coefficients[-2::-1]:
        value = value * x + c
    return value


FUNCTIONS: dict[str, Callable[..., Any]] = {
    f.__name__: f for f in (exp2, expm1, log1p, cbrt, atan2, erfc, erf_inv, lt_to, le_to, eq_to, polynomial)
}


@rule(*FUNCTIONS)
def _function(g: Graph, eqn: Equation, *values: Value) -> Value:
    result = _composed(g, eqn, *values)
    if eqn.primitive != "erfc" or values[0].dtype.itemsize < 4:
        return result
    # As a factor (of a gelu) it needs no relative precision: what it is worth is what the other one is.
    rough = g.map("Sub", g.constant(1, result.dtype), g.map("Erf", values[0]))
    return replace(result, as_factor=rough)


def _composed(g: Graph, eqn: Equation, *values: Value) -> Value:
    if values[0].dtype.itemsize > 2 or values[0].dtype.kind in "iub":
        return composed(eqn, FUNCTIONS[eqn.primitive], *values)
    wide = [g.cast(v, "float32") for v in values]  # what is made of many operations rounds once, as JAX does
    return g.cast(composed(eqn, FUNCTIONS[eqn.primitive], *wide), eqn.outputs[0].dtype)
