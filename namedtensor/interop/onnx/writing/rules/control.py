"""Control flow: a scan stays a `Scan`, a while loop becomes a `Loop`, a choice an `If` in another one.

Bodies read what is outside of them by name, so only what changes from one iteration to the next is passed.
"""

from typing import Any

import numpy as np

from namedtensor.interop.onnx.writing.graph import Graph
from namedtensor.interop.onnx.writing.rules.shape import counted, unsqueezed
from namedtensor.interop.onnx.writing.table import composed, operand, rule
from namedtensor.interop.onnx.writing.values import Body, Value
from namedtensor.interpreter import Equation, compat


def _variables(g: Graph, like: list[Value], name: str) -> list[Value]:
    return [Value(g.name(f"{g.place}/{name}" if g.place else name), v.shape, v.dtype) for v in like]


def _run(g: Graph, eqn: Equation, jaxpr: Any, *values: Value) -> list[Value]:
    """The nodes of an inner jaxpr, in the body that is being written."""
    closed = compat.closed(jaxpr)
    results = eqn.walk(closed, *values)
    return [operand(g, r, v) for r, v in zip(results, closed.out_avals, strict=True)]


@rule(*compat.REMAT)
def _remat(g: Graph, eqn: Equation, *values: Value) -> list[Value]:
    return _run(g, eqn, compat.called(eqn.params), *values)


@rule("call_hi_primitive")
def _expanded(g: Graph, eqn: Equation, *values: Value) -> Any:
    """An operation that JAX itself writes with simpler ones, when it comes to it."""
    return composed(eqn, eqn.params["_prim"].expand, *values)


@rule("scan")
def _scan(g: Graph, eqn: Equation, *values: Value) -> list[Value]:
    p = eqn.params
    consts, init, xs = compat.scan_operands(p, list(values))
    back, length = int(p["reverse"]), p["length"]
    scanned = xs or [counted(g, length, "int64")]  # the operator wants something to count its iterations by
    with g.inside() as nodes:
        carry = _variables(g, init, "carry")
        rows = [Value(v.name, v.shape[1:], v.dtype) for v in _variables(g, scanned, "row")]
        results = _run(g, eqn, p["jaxpr"], *consts, *carry, *(rows if xs else ()))
        body = g.body("scan", [*carry, *rows], results, nodes)
    outer = [((length, *v.shape), v.dtype) for v in body.outputs[len(init) :]]
    return g.ops(
        "Scan",
        *init,
        *scanned,
        results=[*((v.shape, v.dtype) for v in init), *outer],
        body=body,
        num_scan_inputs=len(scanned),
        scan_input_directions=[back] * len(scanned),
        scan_output_directions=[back] * len(outer),
    )


@rule("while")
def _while(g: Graph, eqn: Equation, *values: Value) -> list[Value]:
    p = eqn.params
    n_test, n_body = p["cond_nconsts"], p["body_nconsts"]
    test_consts, body_consts = values[:n_test], values[n_test : n_test + n_body]
    init = list(values[n_test + n_body :])
    (before,) = _run(g, eqn, p["cond_jaxpr"], *test_consts, *init)
    with g.inside() as nodes:
        inputs = [
            Value(g.name("iteration"), (), np.dtype("int64")),
            Value(g.name("condition"), (), before.dtype),
        ]
        carry = _variables(g, init, "carry")
        results = _run(g, eqn, p["body_jaxpr"], *body_consts, *carry)
        if before.shape:  # of a loop under jax.vmap each element goes on as long as it wants to
            (mine,) = _run(g, eqn, p["cond_jaxpr"], *test_consts, *carry)
            results = [_chosen(g, mine, new, old) for new, old in zip(results, carry, strict=True)]
        (more,) = _run(g, eqn, p["cond_jaxpr"], *test_consts, *results)
        body = g.body("loop", [*inputs, *carry], [_any(g, more), *results], nodes)
    first = _any(g, before)
    return g.ops("Loop", None, first, *init, results=[(v.shape, v.dtype) for v in init], like=1, body=body)


def _any(g: Graph, x: Value) -> Value:
    if not x.shape:
        return x
    return g.op("ReduceMax", x, g.ints(*range(x.ndim)), shape=(), keepdims=0)


def _chosen(g: Graph, which: Value, new: Value, old: Value) -> Value:
    which = unsqueezed(g, which, range(which.ndim, new.ndim))
    return g.map("Where", which, new, old, like=1)


@rule("cond")
def _cond(g: Graph, eqn: Equation, index: Value, *operands: Value) -> list[Value]:
    branches = eqn.params["branches"]
    if index.known is not None:
        return _run(g, eqn, branches[min(max(int(index.known), 0), len(branches) - 1)], *operands)
    if len(branches) == 2:  # JAX's own choice between two: the index is the truth value
        which = g.cast(index, bool)
        return _either(g, eqn, which, branches[1], branches[0], operands)
    return _choice(g, eqn, index, list(branches), operands, 0)


def _choice(g: Graph, eqn: Equation, index: Value, left: list[Any], operands: Any, at: int) -> list[Value]:
    """The first of the branches that are left, or one of the others."""
    if len(left) == 1:
        return _run(g, eqn, left[0], *operands)
    first = g.map("Equal", index, g.constant(at, index.dtype), dtype=bool)
    with g.inside() as then_nodes:
        then = _body(g, eqn, left[0], operands, then_nodes)
    with g.inside() as else_nodes:
        otherwise = g.body("else", [], _choice(g, eqn, index, left[1:], operands, at + 1), else_nodes)
    return _if(g, eqn, first, then, otherwise)


def _either(g: Graph, eqn: Equation, which: Value, yes: Any, no: Any, operands: Any) -> list[Value]:
    with g.inside() as then_nodes:
        then = _body(g, eqn, yes, operands, then_nodes)
    with g.inside() as else_nodes:
        otherwise = _body(g, eqn, no, operands, else_nodes)
    return _if(g, eqn, which, then, otherwise)


def _body(g: Graph, eqn: Equation, jaxpr: Any, operands: Any, nodes: Any) -> Body:
    return g.body("branch", [], _run(g, eqn, jaxpr, *operands), nodes)


def _if(g: Graph, eqn: Equation, which: Value, then: Body, otherwise: Body) -> list[Value]:
    results = [(v.shape, v.dtype) for v in eqn.outputs]
    return g.ops("If", which, results=results, then_branch=then, else_branch=otherwise)
