"""DeepLift through products: of two values that both vary, of many along an axis, and quotients.

``d(ab) = da (b + b0)/2 + db (a + a0)/2`` is exact, and it is the Shapley value of two players. It is
what attention, gates and norms are made of.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from captum_lite.rules._deeplift_fallback import integrated
from captum_lite.rules._pair import (
    Losses,
    Pair,
    at_x,
    at_x0,
    in_floats,
    is_continuous,
    live,
    made,
    seen,
    varies,
)
from captum_lite.rules._scalar import finite, scalar, weighted
from namedtensor.interpreter import Equation, RuleTable


def register(table: RuleTable) -> None:
    """Put the rules into a table."""
    table.register("div")(_quotient)
    table.register("reduce_prod")(_product_along)
    table.register("cumprod")(lambda eqn, x: _scanned(eqn, x, jnp.multiply))
    table.register("cumlogsumexp")(lambda eqn, x: _scanned(eqn, x, jnp.logaddexp))


def both(eqn: Equation, *values: Any) -> Pair:
    """A linear function of all values that vary, in both runs."""
    return Pair(eqn.bind(*map(at_x, values)), eqn.bind(*map(at_x0, values)))


def product(losses: Losses, eqn: Equation, a: Any, b: Any, *others: Any) -> Pair:
    """Of two values, element by element or contracted."""
    if not all(is_continuous(v) for v in eqn.inputs[:2]):
        return scalar(eqn.bind, (a, b)) if eqn.primitive == "mul" else integrated(losses, eqn, a, b, *others)
    if not (varies(a) and varies(b)):
        return both(eqn, a, b, *others)

    def rule(consts: Any, changes: Any) -> Any:
        (mean_a, mean_b, others), (da, db) = consts, changes
        return eqn.bind(da, mean_b, *others) + eqn.bind(mean_a, db, *others)

    x, z = seen(a), seen(b)
    y, y0 = eqn.bind(x, z, *others), eqn.bind(a.x0, b.x0, *others)
    return made(y, y0, rule, ((x + a.x0) / 2, (z + b.x0) / 2, others), (a.x, b.x))


def _quotient(eqn: Equation, a: Any, b: Any) -> Pair:
    if not varies(b) and is_continuous(a):
        return both(eqn, a, b)
    if not (varies(a) and is_continuous(a)):
        return scalar(eqn.bind, (a, b))
    x, inverse, inverse0 = seen(a), 1 / seen(b), 1 / b.x0
    slopes = [finite((inverse + inverse0) / 2), finite(-(x + a.x0) / 2 * inverse * inverse0)]
    return made(eqn.bind(x, seen(b)), eqn.bind(a.x0, b.x0), weighted, slopes, [a.x, b.x])


def _product_along(eqn: Equation, value: Pair) -> Pair:
    """One factor after the other changes, from the first to the last and from the last to the first."""
    axes = eqn.params["axes"]
    kept = [k for k in range(len(value.shape)) if k not in axes]

    def rows(v: Any) -> Any:
        return lax.transpose(v, [*kept, *axes]).reshape(*[v.shape[k] for k in kept], -1)

    x, x0 = in_floats(rows(seen(value))), in_floats(rows(value.x0))
    m = (_before(x) * _after(x0) + _before(x0) * _after(x)) / 2
    return made(eqn.bind(seen(value)), eqn.bind(value.x0), _dotted, m, rows(live(value)))


def _dotted(m: Any, change: Any) -> Any:
    return jnp.einsum("...i,...i->...", m, change)


def _before(x: Any) -> Any:
    """The product of the elements before each."""
    return jnp.concatenate([jnp.ones_like(x[..., :1]), jnp.cumprod(x, -1)[..., :-1]], -1)


def _after(x: Any) -> Any:
    return jnp.flip(_before(jnp.flip(x, -1)), -1)


def _scanned(eqn: Equation, value: Pair, combine: Any) -> Pair:
    """A cumulative operation as the tree of operations of two values that it is."""
    axis, reverse = eqn.params["axis"], eqn.params["reverse"]

    def cumulative(x: Any) -> Any:
        return lax.associative_scan(combine, x, axis=axis, reverse=reverse)

    jaxpr = jax.make_jaxpr(cumulative)(jax.ShapeDtypeStruct(value.shape, value.dtype))
    (out,) = eqn.walk(jaxpr, value)
    return out
