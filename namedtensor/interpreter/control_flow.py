"""How the walker passes through calls and control flow, once for every rule table.

Each handler runs the inner jaxprs with the same table inside JAX's own construct, so a scan stays a
scan. What inner bodies record comes out beside their results. A table that wants it otherwise (a
protocol that unrolls loops in Python, say) registers a rule of its own, which comes first.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from namedtensor._tensor import is_named
from namedtensor.interpreter import compat
from namedtensor.interpreter.equation import Equation
from namedtensor.interpreter.frame import Frame, Lists, alternatives, tap_counts
from namedtensor.interpreter.rules import UnsupportedPrimitiveError
from namedtensor.interpreter.walk import Walker, handles


@handles(*compat.CALLS)
def _call(walker: Walker, eqn: Equation, values: list[Any]) -> Sequence[Any]:
    return walker.inline(compat.called(eqn.params), eqn, values)


@handles(*compat.CUSTOM_DERIVATIVES)
def _custom_derivative(walker: Walker, eqn: Equation, values: list[Any]) -> Sequence[Any]:
    jaxpr = compat.called(eqn.params)
    if not walker.table.observes:
        return walker.inline(jaxpr, eqn, values)
    # A table that only looks must not lose the custom rule (relu's derivative at 0): the results are
    # the equation's own, and the compiler merges the two evaluations.
    shadow = Frame(shadow=True)
    Walker(walker.table, walker.wrap, shadow, eqn).run(jaxpr, values)
    walker.frame.merge(shadow.recorded)
    return eqn.bind(*values)


@handles(*compat.REMAT)
def _remat(walker: Walker, eqn: Equation, values: list[Any]) -> Sequence[Any]:
    jaxpr = compat.called(eqn.params)
    body = jax.checkpoint(
        walker.body(jaxpr, eqn), prevent_cse=eqn.params["prevent_cse"], policy=eqn.params["policy"]
    )
    results, recorded = body(walker.frame.take(jaxpr.jaxpr), *values)
    walker.frame.merge(recorded)
    return results


@handles("scan")
def _scan(walker: Walker, eqn: Equation, values: list[Any]) -> Sequence[Any]:
    params, jaxpr = eqn.params, compat.closed(eqn.params["jaxpr"])
    consts, init, xs = compat.scan_operands(params, values)
    n_carry = len(init)
    body = walker.body(jaxpr, eqn)

    def step(carry: list[Any], x: tuple[list[Any], Lists]) -> tuple[list[Any], tuple[list[Any], Lists]]:
        results, recorded = body(x[1], *consts, *carry, *x[0])
        return results[:n_carry], (results[n_carry:], recorded)

    stacked = (xs, walker.frame.take(jaxpr.jaxpr))  # what is fed to a loop is stacked, as what it records
    if walker.table.lifted is not None:
        first = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape[1:], x.dtype), stacked)
        init = _stable(lambda carry, x: step(carry, x)[0], init, walker.wrap, first)
    carry, (ys, recorded) = jax.lax.scan(
        step, init, stacked, length=params["length"], reverse=params["reverse"], unroll=params["unroll"]
    )
    walker.frame.merge(recorded)
    return [*carry, *ys]


@handles("while")
def _while(walker: Walker, eqn: Equation, values: list[Any]) -> Sequence[Any]:
    params = eqn.params
    test, body = compat.closed(params["cond_jaxpr"]), compat.closed(params["body_jaxpr"])
    n_test, n_body = params["cond_nconsts"], params["body_nconsts"]
    test_consts, body_consts, init = (
        values[:n_test],
        values[n_test : n_test + n_body],
        values[n_test + n_body :],
    )
    if taps := tap_counts(body.jaxpr) + tap_counts(test.jaxpr):
        names = ", ".join(map(repr, taps))
        raise UnsupportedPrimitiveError.refused(
            walker.table,
            eqn,
            f"the tap {names} is inside a while loop, whose number of iterations is not known",
            "Use jax.lax.scan, or move the tap out of the loop.",
        )

    def go_on(carry: list[Any]) -> Any:
        (more,), _ = walker.body(test, eqn)({}, *test_consts, *carry)
        return _plain(walker, eqn, more, "whether the loop goes on")

    def step(carry: list[Any]) -> list[Any]:
        return walker.body(body, eqn)({}, *body_consts, *carry)[0]

    if walker.table.lifted is not None:
        init = _stable(step, init, walker.wrap)
    return jax.lax.while_loop(go_on, step, init)


@handles("cond")
def _cond(walker: Walker, eqn: Equation, values: list[Any]) -> Sequence[Any]:
    index, *operands = values
    _plain(walker, eqn, index, "the branch taken")
    jaxprs = [compat.closed(b) for b in eqn.params["branches"]]
    counts = [tap_counts(j.jaxpr) for j in jaxprs]
    fed = [walker.frame.peek(j.jaxpr) for j in jaxprs]
    walker.frame.drop(alternatives(counts))
    branches = [walker.body(j, eqn) for j in jaxprs]
    shapes = [jax.eval_shape(branch, f, *operands) for branch, f in zip(branches, fed, strict=True)]
    lift = _lifted_results([results for results, _ in shapes])
    places = _places([recorded for _, recorded in shapes])

    def alternative(branch: Callable[..., Any], f: Lists) -> Callable[..., Any]:
        def call(*args: Any) -> tuple[list[Any], Lists]:
            results, recorded = branch(f, *args)
            return [_wrapped(r, up, walker.wrap) for r, up in zip(results, lift, strict=True)], _filled(
                recorded, places
            )

        return call

    results, recorded = jax.lax.switch(
        index, [alternative(b, f) for b, f in zip(branches, fed, strict=True)], *operands
    )
    walker.frame.merge(recorded)
    return results


def _plain(walker: Walker, eqn: Equation, value: Any, what: str) -> Any:
    if walker.table.lifted is not None and isinstance(value, walker.table.lifted):
        raise UnsupportedPrimitiveError.refused(
            walker.table,
            eqn,
            f"{what} depends on the data",
            "Write it with jnp.where, or register a rule for it.",
        )
    return value


def _stable(
    step: Callable[..., list[Any]], carry: list[Any], wrap: Callable[[Any], Any], *operands: Any
) -> list[Any]:
    """The carry with each plain entry wrapped that the loop turns into a value of the rules."""
    while True:
        after = jax.eval_shape(step, carry, *operands)
        changed = [jax.tree.structure(a) != jax.tree.structure(b) for a, b in zip(carry, after, strict=True)]
        if not any(changed):
            return carry
        carry = [_wrapped(c, up, wrap) for c, up in zip(carry, changed, strict=True)]


def _lifted_results(results: list[list[Any]]) -> list[bool]:
    """For each result, whether the branches disagree, so that the plain ones must be wrapped."""
    return [len({jax.tree.structure(r) for r in column}) > 1 for column in zip(*results, strict=True)]


def _wrapped(value: Any, up: bool, wrap: Callable[[Any], Any]) -> Any:
    plain = jax.tree_util.all_leaves([value])
    return wrap(value) if up and plain else value


def _places(recorded: list[Lists]) -> Lists:
    """The records of all branches together, as shapes: a place of one branch exists beside the others."""
    most: Lists = {}
    for lists in recorded:
        for name, shapes in lists.items():
            known = most.setdefault(name, [])
            known.extend(shapes[len(known) :])
    return most


def _filled(recorded: Lists, places: Lists) -> Lists:
    """A branch's records, with NaN at the places of the branches that were not taken."""

    def absent(shape: Any) -> Any:
        return jnp.full(shape.shape, jnp.nan if jnp.issubdtype(shape.dtype, jnp.inexact) else 0, shape.dtype)

    def filled(values: list[Any], shapes: list[Any]) -> list[Any]:
        there = [_stored_as(v, shape) for v, shape in zip(values, shapes, strict=False)]
        return [*there, *jax.tree.map(absent, shapes[len(values) :])]

    return {name: filled(recorded.get(name, []), shapes) for name, shapes in places.items()}


def _stored_as(value: Any, shape: Any) -> Any:
    """A named value with its axes in the order of another branch's."""
    return value.order(shape.dims) if is_named(value) and is_named(shape) else value
