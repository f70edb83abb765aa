"""The table of secret rules, and what every rule shares.

A rule gets the equation and its operands, of which at least one is a `Secret`; the others are public arrays
and stay so. What it returns has the shape and dtype of the equation's result. A result is remembered: the
same equation on the same operands is computed once, so a gradient finds the comparison of its ReLU.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from crypten_lite.protocols.lookup import evaluated
from crypten_lite.rules import facts, fusion
from crypten_lite.rules.public import evaluate
from crypten_lite.rules.shapes import repeated
from crypten_lite.values import Number, Secret
from namedtensor.interpreter import Equation, RuleTable, UnsupportedPrimitiveError

secret_rules = RuleTable("secret_rules", lifted=Secret, unlifted=evaluate)


_LAZY = ("max", "select_n")  # whose rules do no work at once, or pass on an operand


def rule(*primitives: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function as the rule of primitives with one result."""

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def counted(eqn: Equation, *values: Any) -> Any:
            secret = next(v for v in values if isinstance(v, Secret))
            secret.session.journal.public(v for v in values if not isinstance(v, Secret))
            with secret.session.meter.at(place_of(eqn)):
                return remembered(secret, function, eqn, tuple(_wide(eqn, v) for v in values))

        secret_rules.register(*primitives)(counted)
        return function

    return add


# Between these, JAX repeats axes of one element without saying so.
_ELEMENTWISE = {"add", "add_any", "sub", "mul", "div", "max", "min", "pow", "and", "or", "xor"}
_ELEMENTWISE |= {"eq", "ne", "lt", "le", "gt", "ge"}


def _wide(eqn: Equation, value: Any) -> Any:
    """An operand in the shape of the result, if the operation is elementwise."""
    shape = eqn.outputs[0].shape
    if eqn.primitive not in _ELEMENTWISE or np.shape(value) == shape:
        return value
    if not isinstance(value, Secret):
        return np.broadcast_to(value, shape) if np.ndim(value) else value

    def move(a: Any) -> Any:
        return repeated(a, shape)

    key = ("wide", id(value), shape)
    if key not in value.session.memo:
        result = value.moved(move, shape) if isinstance(value, Number) else value.map(move, shape)
        facts.follow(result, value, move)
        value.session.memo[key] = result, value
    return value.session.memo[key][0]


def place_of(eqn: Equation) -> str:
    """Where costs are counted: the named scopes, or else the user's line."""
    return eqn.path or eqn.source


def remembered(secret: Any, function: Callable[..., Any], eqn: Equation, values: tuple[Any, ...]) -> Any:
    """The rule's result, of earlier where operands and parameters are the same."""
    key, memo = (eqn.primitive, str(eqn.params), *map(_identity, values)), secret.session.memo
    if key not in memo:
        chain = fusion.chained(eqn, values)
        if chain is None or eqn.primitive in _LAZY:
            result = _typed(eqn, function(eqn, *values))
        else:
            result = _typed(eqn, _postponed(chain, function, eqn, values))
        if chain is not None and isinstance(result, Number):
            result.known["chain"] = chain
        facts.learn(eqn, values, result)
        memo[key] = result, values  # the operands are kept, so that no other one takes their identity
    return memo[key][0]


def _postponed(
    chain: fusion.Chain, function: Callable[..., Any], eqn: Equation, values: tuple[Any, ...]
) -> Number:
    """An elementwise result that is computed when it is needed: by one table if the whole chain has one."""
    session, out = chain.root.session, eqn.outputs[0]

    def later() -> Number:
        from crypten_lite.rules.linear import bilinear  # whose rules are registered here

        with session.meter.at(place_of(eqn)):
            known = fusion.recognized(chain)
            if known is None:
                return function(eqn, *values)
            value = evaluated(chain.root, known)
            return value if chain.times is None else bilinear(eqn, chain.times, value, np.multiply)

    return Number(session, out.shape, out.dtype, None, later=later)


def _identity(value: Any) -> Any:
    if isinstance(value, Secret):
        return id(value)
    array = np.asarray(value)
    return (array.dtype.str, array.item()) if not array.ndim else id(value)


def _typed(eqn: Equation, result: Any) -> Any:
    """The result, whose dtype is that of the equation."""
    out = eqn.outputs[0]
    assert not isinstance(result, Secret) or result.shape == out.shape, (eqn, result.shape, out.shape)
    return result.typed(out.dtype) if isinstance(result, Number) else result


def refuse(eqn: Equation, why: str, advice: str) -> UnsupportedPrimitiveError:
    """The error of an equation that cannot be computed on shares."""
    return UnsupportedPrimitiveError.refused(secret_rules, eqn, why, advice)
