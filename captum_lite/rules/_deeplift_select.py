"""DeepLift through choices: select_n, cond, and data taken at indices, where the choice may itself vary.

A choice and what it chooses from are two players: each gets its Shapley value. The choice's part goes
to whatever decided (a comparison, say); what is chosen gets the mean of both choices.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from captum_lite.rules._pair import (
    Losses,
    Pair,
    at_x,
    at_x0,
    constant,
    in_floats,
    is_continuous,
    live,
    made,
    seen,
    varies,
)
from captum_lite.rules._scalar import finite
from captum_lite.rules.primitives import LINEAR_WITH_INDICES
from namedtensor.interpreter import Equation, compat


def select(eqn: Equation, which: Any, *cases: Any) -> Pair:
    """Elements of the cases, by a predicate or an index."""
    if not varies(which):
        y, y0 = eqn.bind(which, *map(at_x, cases)), eqn.bind(which, *map(at_x0, cases))
        return Pair(y, y0, None if is_continuous(y) else eqn.bind(which, *map(live, cases)))
    xs, x0s = [in_floats(seen(c)) for c in cases], [in_floats(at_x0(c)) for c in cases]
    new, old, new0, old0 = (eqn.bind(p, *v) for v in (xs, x0s) for p in (which.x, which.x0))
    half, m = _shared_with_choice(new, old, new0, old0, which)
    y, y0 = eqn.bind(which.x, *map(seen, cases)), eqn.bind(which.x0, *map(at_x0, cases))

    def rule(consts: Any, changes: Any) -> Any:
        (p, p0, half, m), (choice, *moved) = consts, changes
        return half * (eqn.bind(p, *moved) + eqn.bind(p0, *moved)) + m * choice

    return made(y, y0, rule, (which.x, which.x0, half, m), [live(which), *map(live, cases)])


def _shared_with_choice(new: Any, old: Any, new0: Any, old0: Any, which: Pair) -> tuple[Any, Any]:
    """The weight of each choice for what is chosen, and the multiplier of the choice.

    ``new`` and ``old`` are what the choices at the inputs and at the baselines take from the inputs,
    ``new0`` and ``old0`` from the baselines. Where one of the crossed two is not a number (the branch
    is there to be avoided) the choice gets everything.
    """
    both = jnp.isfinite(old) & jnp.isfinite(new0)
    part = jnp.where(both, ((new - old) + (new0 - old0)) / 2, new - old0)
    delta = in_floats(which.x) - in_floats(which.x0)
    m = jnp.where(delta == 0, 0, part / jnp.where(delta == 0, 1, delta).astype(part.dtype))
    return jnp.where(both | (delta == 0), 0.5, 0.0).astype(part.dtype), finite(m)


def cond(eqn: Equation, index: Any, *operands: Any) -> Sequence[Pair]:
    """The branches as pairs; with an index that varies, both choices of them."""
    branches = [_as_pairs(eqn, compat.closed(b)) for b in eqn.params["branches"]]
    new = lax.switch(at_x(index), branches, *operands)
    if not varies(index):
        return new
    return [
        _switched(a, b, index) for a, b in zip(new, lax.switch(index.x0, branches, *operands), strict=True)
    ]


def _as_pairs(eqn: Equation, jaxpr: Any) -> Any:
    def branch(*operands: Any) -> list[Pair]:
        return [r if varies(r) else constant(r) for r in eqn.walk(jaxpr, *operands)]

    return branch


def _switched(new: Pair, old: Pair, index: Pair) -> Pair:
    """A result of a cond from its pairs under the index at the inputs and that at the baselines."""
    ends = in_floats(seen(new)), in_floats(seen(old)), in_floats(new.x0), in_floats(old.x0)
    half, m = _shared_with_choice(*ends, index)
    return made(new.x, old.x0, _half_each, (half, m), (live(new), live(old), live(index)))


def _half_each(consts: Any, changes: Any) -> Any:
    (half, m), (new, old, index) = consts, changes
    return half * (new + old) + m * index


def indexed(losses: Losses, eqn: Equation, *values: Any) -> Pair:
    """Data at indices, or put there.

    Indices that vary are a player too, and what they move is credited to them where each element of the
    result belongs to one index; for a scatter it is missed.
    """
    data = LINEAR_WITH_INDICES[eqn.primitive]
    y, y0 = eqn.bind(*map(at_x, values)), eqn.bind(*map(at_x0, values))
    floats = [_floating(v) if i in data and not is_continuous(y) else v for i, v in enumerate(values)]
    chosen = [v for i, v in enumerate(values) if i not in data]
    if not any(map(varies, chosen)):
        given = [live(v) if i in data else v for i, v in enumerate(floats)]
        return Pair(y, y0, None if is_continuous(y) else eqn.bind(*given))
    places = [[seen(v) for v in chosen], [at_x0(v) for v in chosen]]

    def at(place: Sequence[Any], filled: Sequence[Any]) -> Any:
        rest = iter(place)
        return eqn.bind(*(filled[data.index(i)] if i in data else next(rest) for i in range(len(values))))

    xs, x0s = [seen(floats[i]) for i in data], [at_x0(floats[i]) for i in data]
    jumps = finite((at(places[0], xs) - at(places[1], xs) + at(places[0], x0s) - at(places[1], x0s)) / 2)
    credited = eqn.primitive in _BY_INDEX

    def rule(consts: Any, changes: Any) -> Any:
        (here, there, rates, jumps), (moved, indices) = consts, changes
        still = [jnp.zeros_like(d) for d in moved]  # (the derivative: a scatter itself has no transpose)

        def own_at(place: Sequence[Any]) -> Any:
            return jax.jvp(lambda *d: at(place, d), still, list(moved))[1]

        own = (own_at(here) + own_at(there)) / 2
        if not credited:
            return own
        steps = [(r * d).sum(-1) for r, d in zip(rates, indices, strict=True)]
        return own + jumps * _over_the_result(eqn, sum(steps))

    credits = [live(v) if jnp.ndim(live(v)) else live(v)[None] for v in chosen] if credited else []
    rates = _rates(chosen) if credited else []
    out = made(
        seen(Pair(y, y0)), y0, rule, (*places, rates, jumps), ([live(floats[i]) for i in data], credits)
    )
    if credited:
        return out
    noted = losses.add(eqn, live(out), jumps)
    return Pair(noted, out.x0) if is_continuous(y) else Pair(out.x, out.x0, noted)


_BY_INDEX = {"gather", "dynamic_slice", "dynamic_update_slice"}


def _rates(indices: Sequence[Any]) -> list[Any]:
    """For each component of the indices its share in a jump, by its step; those that change share alike."""
    steps = [in_floats(seen(v)) - in_floats(at_x0(v)) for v in indices]
    steps = [s if s.ndim else s[None] for s in steps]
    count = jnp.concatenate([s != 0 for s in steps], -1).sum(-1, keepdims=True)
    return [jnp.where(s != 0, 1 / jnp.where(s != 0, s * count, 1), 0) for s in steps]


def _over_the_result(eqn: Equation, weights: Any) -> Any:
    """One weight for each index, for each element of the result that it chooses."""
    if eqn.primitive != "gather":
        return weights
    shape, inside = eqn.outputs[0].shape, eqn.params["dimension_numbers"].offset_dims
    return lax.broadcast_in_dim(weights, shape, [k for k in range(len(shape)) if k not in inside])


def _floating(value: Any) -> Any:
    return Pair(in_floats(value.x), in_floats(value.x0), value.credit) if varies(value) else in_floats(value)
