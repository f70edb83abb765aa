"""The rule table of layer-wise relevance propagation.

Every equation is replaced by one of the same value whose derivative hands relevance down, so that
the derivative of the score, with the score itself put in, is the relevance of the inputs.
Kinds of equations:

- layers of weights (products and convolutions with constants), with bias and normalisation behind
  them: by the composite's rule, see `lrp_linear`;
- sums, and constants added elsewhere: by their contributions;
- what moves or selects elements, maxima and pooling by maximum included: relevance moves along;
- functions of each element: relevance goes through;
- products and quotients of two values, softmax, normalisation: see `lrp_attention`.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer

from captum_lite._exported import refuse
from captum_lite.rules._relevant import (
    Affine,
    Exponential,
    Factor,
    Peak,
    Relevant,
    Shifted,
    Total,
    flow,
    shared,
)
from captum_lite.rules.composites import Chosen, Place
from captum_lite.rules.lrp_attention import (
    contraction,
    is_log_softmax,
    passed_to,
    product,
    quotient,
)
from captum_lite.rules.lrp_linear import LinearMap, share
from captum_lite.rules.primitives import ELEMENTWISE, scalar_function
from namedtensor.interpreter import Equation, RuleTable, UnsupportedPrimitiveError, compat
from namedtensor.interpreter.rules import EXPORTED

_INSTEAD = (
    "Use DeepLift(f) or IntegratedGradients(f), which need no rule for it, or explain what comes behind it: "
    "LRP(f, layer='a tap behind it')."
)


def _unsupported(eqn: Equation, *values: Any) -> Any:
    if any(_is_float(out) for out in eqn.outputs):
        raise UnsupportedPrimitiveError.refused(LRP_RULES, eqn, "LRP has no rule for it", _INSTEAD)
    return eqn.bind(*map(_value, values))  # decisions and positions hand no relevance down


LRP_RULES = RuleTable("LRP", default=_unsupported, lifted=Relevant)


@LRP_RULES.register(*EXPORTED)
def _(eqn: Equation, *values: Any) -> Any:
    raise refuse(LRP_RULES, eqn)


def _is_float(x: Any) -> bool:
    return jnp.issubdtype(x.dtype, jnp.inexact)


def _value(x: Any) -> Any:
    return x.value if isinstance(x, Relevant) else x


def _array(x: Any) -> Any:
    return x.array if isinstance(x, Relevant) else x


def _relevant(values: Any) -> list[Relevant]:
    return [v for v in values if isinstance(v, Relevant)]


def _is_frozen(x: Any) -> bool:
    return isinstance(x, Relevant) and isinstance(x.origin, Peak) and x.origin.frozen


def rule(*primitives: str) -> Callable[..., Any]:
    """Register a rule to which a frozen maximum is a constant."""

    def add(act: Callable[..., Any]) -> Callable[..., Any]:
        def acting(eqn: Equation, *values: Any) -> Any:
            values = tuple(_value(v) if _is_frozen(v) else v for v in values)
            return act(eqn, *values) if _relevant(values) else eqn.bind(*values)

        return LRP_RULES.register(*primitives)(acting)

    return add


# elements are moved, or some of them are taken


def _moved(eqn: Equation, *values: Any) -> Any:
    results = eqn.bind(*map(_array, values))
    first = all(v.first for v in _relevant(values))
    several = [
        Relevant(r, first=first) if _is_float(r) else r for r in (results if eqn.several else [results])
    ]
    return several if eqn.several else several[0]


rule(
    "concatenate", "pad", "tile", "gather", "dynamic_slice", "dynamic_update_slice", "scatter", "split",
    "sort", "top_k", "approx_top_k", "optimization_barrier", "reduce_min", "reduce_window_max",
    "reduce_window_min", "cummax", "cummin", "select_and_gather_add", "stack",
)(_moved)  # fmt: skip


@rule("reduce_max")
def _(eqn: Equation, x: Relevant) -> Relevant:
    return replace(_moved(eqn, x), origin=Peak(x))


@LRP_RULES.register(
    "reshape", "transpose", "broadcast_in_dim", "squeeze", "expand_dims", "rev", "slice",
    "sharding_constraint", "copy", "copy_p", "convert_element_type", "reduce_precision", "device_put",
)  # fmt: skip
def _rearranged(eqn: Equation, x: Relevant, *sizes: Any) -> Any:
    out = _moved(eqn, x, *sizes)
    if not isinstance(out, Relevant):
        return out
    in_place = eqn.primitive in _IN_PLACE or _keeps_order(eqn)
    if isinstance(x.origin, Affine) and x.origin.place:
        layer = x.origin.moved(lambda value: eqn.bind(value, *sizes), x.shape)
        return layer.valued(out.array, *([x] if in_place else []))
    again = x.renamed and (lambda tap: _rearranged(eqn, _again(x, tap), *sizes))
    ancestors = shared((x,), out.shape) if in_place else ()
    return replace(out, origin=_moved_origin(eqn, x, sizes, in_place), ancestors=ancestors, renamed=again)


_IN_PLACE = ("copy", "copy_p", "convert_element_type", "reduce_precision")


def _keeps_order(eqn: Equation) -> bool:
    return eqn.primitive == "transpose" and list(eqn.params["permutation"]) == list(range(eqn.inputs[0].ndim))


def _moved_origin(eqn: Equation, x: Relevant, sizes: Any, in_place: bool) -> Any:
    match x.origin:
        case Peak() | Factor():
            return x.origin
        case Total(parts, of, log):
            return Total(parts, lambda value: eqn.bind(of(value), *sizes), log)
    return x.origin if in_place else None


def _again(x: Relevant, tap: str) -> Relevant:
    """The value made again, with a tap's name behind its layer."""
    return x if x.renamed is None else x.renamed(tap)


@LRP_RULES.register("select_n")
def _(eqn: Equation, which: Any, *cases: Any) -> Any:
    out = _moved(eqn, which, *cases)
    given = _relevant(cases)
    keeps = len(given) == 1 and isinstance(given[0].origin, Peak | Exponential)
    origin = given[0].origin if keeps else None
    return replace(out, origin=origin, ancestors=shared(given, out.shape)) if _is_float(out) else out


@LRP_RULES.register("stop_gradient")
def _(eqn: Equation, x: Relevant) -> Any:
    return Relevant(x.value, replace(x.origin, frozen=True)) if isinstance(x.origin, Peak) else x.value


@LRP_RULES.register("name")
def _(eqn: Equation, x: Relevant) -> Relevant:
    return _again(x, eqn.params["name"])


# functions of each element


def _elementwise(eqn: Equation, *values: Any) -> Any:
    given = _relevant(values)
    value = eqn.bind(*map(_value, values))
    (value,) = value if eqn.several else (value,)
    if not _is_float(value):
        return value
    if len(given) == 1:
        (x,) = given
        passed = passed_to(x, value, origin=_origin(eqn, x))
        return replace(passed, renamed=x.renamed and (lambda tap: _elementwise(eqn, *_named(values, tap))))
    if one := shared(given, value.shape):
        return passed_to(one[-1], value, *given)
    if eqn.primitive in ("max", "min"):
        return _moved(eqn, *values)
    raise UnsupportedPrimitiveError.refused(
        LRP_RULES, eqn, "LRP has no rule for it where several operands depend on the inputs", _INSTEAD
    )


def _named(values: Any, tap: str) -> list[Any]:
    return [_again(v, tap) if isinstance(v, Relevant) else v for v in values]


def _origin(eqn: Equation, x: Relevant) -> Any:
    match eqn.primitive, x.origin:
        case "exp", _:
            return Exponential(x)
        case "log", Total(parts, of, False):
            return Total(parts, of, log=True)
        case "max", Peak():  # with -inf, of an empty row
            return x.origin
        case (("rsqrt" | "div"), _):
            return Factor()
        case "integer_pow", _ if eqn.params["y"] < 0:
            return Factor()
    return None


rule(*(ELEMENTWISE - {"div", "max"}))(_elementwise)


@LRP_RULES.register("max")
def _(eqn: Equation, *values: Any) -> Any:
    frozen = [v for v in values if _is_frozen(v)]
    if frozen and len(_relevant(values)) == 1:
        return replace(frozen[0], array=eqn.bind(*map(_value, values)))
    return _elementwise(eqn, *values)


@LRP_RULES.register(*compat.CALLS, *compat.CUSTOM_DERIVATIVES)
def _(eqn: Equation, *values: Any) -> Any:
    jaxpr = compat.called(eqn.params)
    depends = [isinstance(v, Relevant) for v in values]
    if sum(depends) == 1 and _bends(jaxpr.jaxpr) and scalar_function(jaxpr, depends):
        return [_elementwise(eqn, *values)]
    return eqn.walk(jaxpr, *values)


def _bends(jaxpr: Any) -> bool:
    """Whether a jaxpr has more than sums and products: then it is an activation, no normalisation."""
    return any(
        eqn.primitive.name in ELEMENTWISE - {"div"}
        or any(_bends(j.jaxpr) for j in compat.inner_jaxprs(eqn.params))
        for eqn in jaxpr.eqns
    )


# sums


def _summed(eqn: Equation, *values: Any) -> Relevant:
    """A function linear in all operands: constants among them absorb what they contribute."""
    at = [i for i, v in enumerate(values) if isinstance(v, Relevant)]

    def backward(above: Any, z: Any, *sources: Any) -> tuple[Any, ...]:
        xs = [sources[i] for i in at]

        def of(*xs: Any) -> Any:
            there = dict(zip(at, xs, strict=True))
            return eqn.bind(*(there.get(i, s) for i, s in enumerate(sources)))

        shares = jax.vjp(of, *xs)[1](share(above, z))
        found = dict(zip(at, (x * s for x, s in zip(xs, shares, strict=True)), strict=True))
        return tuple(found.get(i) for i in range(len(sources)))

    value = eqn.bind(*map(_value, values))
    given = _relevant(values)
    array = flow(value, backward, *map(_array, values))
    return Relevant(array, ancestors=(), first=all(v.first for v in given))


rule("cumsum", "reduce_window_sum", "scatter-add", "scatter_add", "scatter-sub", "scatter_sub")(_summed)


@rule("reduce_sum")
def _(eqn: Equation, x: Relevant) -> Relevant:
    out = _summed(eqn, x)
    return replace(out, origin=Total(x, eqn.bind)) if isinstance(x.origin, Exponential) else out


@LRP_RULES.register("add", "add_any", "sub")
def _(eqn: Equation, a: Any, b: Any) -> Any:
    given = _relevant((a, b))
    if any(map(_is_frozen, given)):
        return _shifted(eqn, a, b)
    if len(given) == 1:
        return _biased(eqn, a, b)
    value = eqn.bind(a.value, b.value)
    if eqn.primitive == "sub" and is_log_softmax(a, b):
        return passed_to(a, value)
    out = replace(_summed(eqn, a, b), ancestors=shared(given, value.shape))
    less_peak = eqn.primitive == "sub" and isinstance(b.origin, Peak) and b.origin.over is a
    return replace(out, origin=Shifted(a)) if less_peak else out


def _shifted(eqn: Equation, a: Any, b: Any) -> Any:
    """By a maximum whose gradient is stopped: it is there for the rounding alone and absorbs nothing."""
    value = eqn.bind(_value(a), _value(b))
    moving = [v for v in _relevant((a, b)) if not _is_frozen(v)]
    if len(moving) != 1:
        return value
    less_peak = eqn.primitive == "sub" and moving[0] is a
    return passed_to(moving[0], value, origin=Shifted(a) if less_peak else None)


def _biased(eqn: Equation, a: Any, b: Any) -> Relevant:
    (x,) = _relevant((a, b))
    value, constant = eqn.bind(_value(a), _value(b)), b if x is a else a
    if isinstance(x.origin, Total) and not isinstance(constant, Tracer):  # total + 1e-9
        total, left = x.origin, x is a

        def of(v: Any) -> Any:
            return eqn.bind(total.of(v), constant) if left else eqn.bind(constant, total.of(v))

        return replace(_summed(eqn, a, b), origin=Total(total.parts, of))
    layer = x.origin if isinstance(x.origin, Affine) else Affine(x)
    if eqn.primitive == "sub":
        layer, constant = (layer, -constant) if x is a else (layer.scaled(-1), constant)
    return layer.plus(constant).valued(value, x)


# products with constants, and of two values


def _scaled(eqn: Equation, x: Relevant, factor: Any, value: Any) -> Relevant:
    if isinstance(x.origin, Factor | Exponential):
        return passed_to(x, value, origin=x.origin)
    layer = x.origin if isinstance(x.origin, Affine) else Affine(x)
    return layer.scaled(jnp.asarray(factor, x.dtype)).valued(value, x)


@rule("mul")
def _(eqn: Equation, a: Any, b: Any) -> Relevant:
    given = _relevant((a, b))
    if len(given) == 2:
        return product(eqn, a, b)
    return _scaled(eqn, given[0], b if given[0] is a else a, eqn.bind(_value(a), _value(b)))


@rule("neg")
def _(eqn: Equation, x: Relevant) -> Relevant:
    return _scaled(eqn, x, -1, eqn.bind(x.value))


@rule("div")
def _(eqn: Equation, a: Any, b: Any) -> Any:
    if len(_relevant((a, b))) == 2:
        return quotient(eqn, a, b)
    return (
        _elementwise(eqn, a, b) if isinstance(b, Relevant) else _scaled(eqn, a, 1 / b, eqn.bind(a.value, b))
    )


def lrp_rules(chosen: Chosen) -> RuleTable:
    """The table, with the rules that are chosen for layers of weights."""

    def layer(eqn: Equation, a: Any, b: Any) -> Relevant:
        a, b = (_value(v) if _is_frozen(v) else v for v in (a, b))
        if len(_relevant((a, b))) == 2:
            return contraction(eqn, a, b)
        (x,), left = _relevant((a, b)), isinstance(a, Relevant)

        def run(held: Any, x: Any, change: Any) -> Any:
            return eqn.bind(x, change.of(held)) if left else eqn.bind(change.of(held), x)

        kind = "dense" if eqn.primitive == "dot_general" else "conv"
        place = Place(kind, eqn.path, eqn.source, x.first)
        made = Affine(x, LinearMap(run, b if left else a), place=place, chosen=chosen)
        return made.valued(eqn.bind(_value(a), _value(b)))

    return LRP_RULES.extend("LRP", dot_general=layer, conv_general_dilated=layer)


@LRP_RULES.register("while")
def _(eqn: Equation, *values: Any) -> Any:
    raise UnsupportedPrimitiveError.refused(
        LRP_RULES,
        eqn,
        "a while loop cannot be run backwards",
        "Use jax.lax.scan, or jax.lax.fori_loop with a fixed number of steps; or a method that only "
        "evaluates the function, such as FeatureAblation or ShapleyValueSampling.",
    )
