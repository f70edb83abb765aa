"""DeepLift's rescale rule through any primitive of JAX, as a rule table on pairs of values.

Every rule is exact: what it hands to its operands adds up to the change of its result, so the
attributions of a whole program add up to the change of its score. Where no exact rule is known the
part that is missed is noted (see `Losses`). A stop_gradient is passed like any identity: DeepLift
compares two values of a function and takes no gradient, and the shift that stabilises a softmax has
to be credited as what it is, a maximum.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from captum_lite._exported import refuse
from captum_lite._inputs import Arrays
from captum_lite.rules import _deeplift_max, _deeplift_products
from captum_lite.rules._deeplift_fallback import integrated
from captum_lite.rules._deeplift_products import both, product
from captum_lite.rules._deeplift_select import cond, indexed, select
from captum_lite.rules._deeplift_sort import sort, top_k
from captum_lite.rules._pair import Losses, Pair, at_x, at_x0, constant, is_continuous, live, paired, varies
from captum_lite.rules._scalar import scalar
from captum_lite.rules.primitives import (
    BILINEAR,
    BOOLEAN,
    COMPARISONS,
    ELEMENTWISE,
    JOINTLY_LINEAR,
    LINEAR_IN,
    LINEAR_WITH_INDICES,
    scalar_function,
)
from namedtensor.interpreter import Equation, RuleTable, UnsupportedPrimitiveError, compat, interpret
from namedtensor.interpreter.rules import EXPORTED

_SEVERAL = 2  # operands of a call up to which it is one function of them, if it is elementwise

exact = RuleTable("DeepLift", lifted=Pair)
_deeplift_max.register(exact)
_deeplift_products.register(exact)
exact.register("select_n")(select)
exact.register("cond")(cond)


@exact.register(*EXPORTED)
def _(eqn: Equation, *values: Any) -> Any:
    raise refuse(exact, eqn, behind=False)


# rules that may have to note what they miss
noting: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(BILINEAR, product),
    **dict.fromkeys(LINEAR_WITH_INDICES, indexed),
    "sort": sort,
    "top_k": top_k,
}
# what holds a jaxpr that the rules must not be looked for in
_WHOLE = (
    "custom_linear_solve",
    "reduce",
    "reduce_window",
    "scatter-min",
    "scatter-max",
    "select_and_scatter",
)


def table(losses: Losses) -> RuleTable:
    """All rules, noting in ``losses`` what they miss."""
    rules = RuleTable("DeepLift", functools.partial(integrated, losses), lifted=Pair)
    for name in exact:
        rules.register(name)(_known(exact, name))
    for name, rule in noting.items():
        rules.register(name)(functools.partial(rule, losses))
    for name in _WHOLE:
        rules.register(name)(functools.partial(integrated, losses))
    for name, operand in LINEAR_IN.items():
        if name not in exact:
            rules.register(name)(functools.partial(_linear_in, losses, operand))
    return rules


def _known(rules: RuleTable, name: str) -> Callable[..., Any]:
    rule = rules.get(name)
    assert rule is not None, "the table lists it"
    return rule


def multipliers(
    score: Callable[..., Any],
    inputs: Arrays,
    baselines: Arrays,
    moving: tuple[Arrays, Arrays] = ((), ()),
    fast: Callable[[Callable[..., Any]], Callable[..., Any]] = lambda fun: fun,
) -> tuple[Arrays, dict[str, Any]]:
    """DeepLift's multipliers of a function, and what it misses of each score.

    Args:
      score: of arrays, first those that are explained and then those of ``moving``; ``[batch]``.
      inputs: what is explained, batch first.
      baselines: of the same shapes.
      moving: further arrays at the inputs and at the baselines, which move too and are not explained.
      fast: makes what is differentiated faster (`Problem.fast`).

    Returns:
      The multipliers, of the inputs' shapes, and ``{"primitive at source": [batch]}``. The change of a
      score is ``sum of multiplier * (input - baseline)`` plus what is missed and what goes through
      ``moving``.
    """
    places: dict[str, int] = {}

    def run(xs: Arrays, slack: Any) -> Any:
        losses = Losses(slack)
        pairs = map(paired, (*xs, *moving[0]), (*baselines, *moving[1]))
        out = interpret(score, table(losses), wrap=constant)(*pairs)
        places.update(losses.places)
        return live(out)

    slack = jnp.zeros(Losses.SLOTS, jnp.result_type(*inputs, jnp.float32))
    scores, back = jax.vjp(fast(lambda xs: run(xs, slack)), inputs)
    (found,) = back(jnp.ones_like(scores))
    return found, _missed(functools.partial(run, inputs), slack, places)


def _missed(run: Callable[[Any], Any], slack: Any, places: dict[str, int]) -> dict[str, Any]:
    """For each place the derivative of the scores by its entry of the slack, one place at a time."""
    if not places:
        return {}
    directions = jnp.eye(slack.size, dtype=slack.dtype)[jnp.asarray(list(places.values()))]
    each = jax.lax.map(lambda d: jax.jvp(run, (slack,), (d,))[1], directions)
    return {name: abs(part) for name, part in zip(list(places), each, strict=True)}


_OTHERWISE = {"convert_element_type", "optimization_barrier", "reduce_precision"}


@exact.register(*JOINTLY_LINEAR - _OTHERWISE)
def _linear(eqn: Equation, *values: Any) -> Any:
    ys, y0s = eqn.bind(*map(at_x, values)), eqn.bind(*map(at_x0, values))
    if not eqn.several:
        credit = None if is_continuous(ys) else eqn.bind(*map(live, values))
        return Pair(ys, y0s, credit)
    credits = [None] * len(ys) if all(map(is_continuous, ys)) else eqn.bind(*map(live, values))
    return [Pair(y, y0, None if is_continuous(y) else c) for y, y0, c in zip(ys, y0s, credits, strict=True)]


@exact.register("optimization_barrier")
def _as_they_are(eqn: Equation, *values: Any) -> Sequence[Any]:
    return values


@exact.register("name", "stop_gradient")
def _identity(eqn: Equation, value: Pair) -> Pair:
    return value


@exact.register("convert_element_type")
def _convert(eqn: Equation, value: Pair) -> Pair:
    continuous = is_continuous(value) and is_continuous(eqn.outputs[0])
    return both(eqn, value) if continuous else scalar(eqn.bind, (value,))


# (the derivative of rounding to a precision is rounded too)
@exact.register(*ELEMENTWISE - {"div", "abs"}, *COMPARISONS, *BOOLEAN, "reduce_precision")
def _elementwise(eqn: Equation, *values: Any) -> Pair:
    return scalar(eqn.bind, values)


@exact.register("abs")
def _size(eqn: Equation, value: Pair) -> Pair:
    if not jnp.issubdtype(value.dtype, jnp.complexfloating):
        return scalar(eqn.bind, (value,))
    # of a complex number, which is two
    aval = jax.ShapeDtypeStruct(value.shape, value.dtype)
    (out,) = eqn.walk(jax.make_jaxpr(lambda z: jnp.sqrt(z.real**2 + z.imag**2))(aval), value)
    return out


@exact.register(*compat.CALLS, *compat.CUSTOM_DERIVATIVES)
def _call(eqn: Equation, *values: Any) -> Sequence[Any]:
    jaxpr = compat.called(eqn.params)
    depends = [varies(v) for v in values]
    if sum(depends) <= _SEVERAL and scalar_function(jaxpr, depends):
        return [scalar(lambda *xs: eqn.bind(*xs)[0], values)]
    return eqn.walk(jaxpr, *values)


@exact.register("jit:searchsorted")
def _place(eqn: Equation, table: Any, sought: Any) -> Sequence[Any]:
    # Where a value stands in a fixed table is a function of that value, however JAX looks it up.
    if varies(table):
        return _call(eqn, table, sought)
    return [scalar(lambda *xs: eqn.bind(*xs)[0], (table, sought))]


@exact.register("while")
def _while(eqn: Equation, *values: Any) -> Sequence[Any]:
    raise UnsupportedPrimitiveError.refused(
        exact,
        eqn,
        "the number of iterations of a loop on what is explained is not known beforehand, so that nothing "
        "can be passed back through it",
        "Write it as jax.lax.scan, or fori_loop with constant bounds, over the largest number of iterations "
        "with jnp.where inside; or use a method that only evaluates the function, such as FeatureAblation "
        "or ShapleyValueSampling. (IntegratedGradients too needs a gradient, which JAX does not have there.)",
    )


@exact.register("debug_callback", "debug_print")
def _shown(eqn: Equation, *values: Any) -> Sequence[Any]:
    return eqn.bind(*map(at_x, values))


def _linear_in(losses: Losses, operand: int, eqn: Equation, *values: Any) -> Any:
    if any(varies(v) for i, v in enumerate(values) if i != operand):
        return integrated(losses, eqn, *values)
    return both(eqn, *values)
