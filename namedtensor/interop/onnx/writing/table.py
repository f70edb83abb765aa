"""The table of the rules that write ONNX, and what every rule shares.

A rule is ``rule(graph, equation, *values) -> value`` (a sequence where the primitive has several results).
Its operands are values of the graph. An equation on constants alone is evaluated by JAX while the graph is
written, so constants are folded. An equation that cannot be written leaves a message and a value that stands
for its result, so that one walk finds all of them.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from namedtensor.interop.onnx.writing.graph import Graph
from namedtensor.interop.onnx.writing.values import Value, all_static, same, size
from namedtensor.interpreter import Equation, RuleTable, compat
from namedtensor.interpreter.marks import DIMS
from namedtensor.interpreter.modules import module_of

Rule = Callable[..., Any]

TABLE = "nt.interop.onnx.save"
_SIZE = "dim_as_value"  # the primitive that makes a number of a symbolic dim
_HUGE = 1 << 24  # elements: a larger constant is computed by the file and not stored in it


def evaluated(eqn: Equation, *values: Any) -> Any:
    """The result of an equation on constants; one with symbolic sizes is written as nodes."""
    inner = [j.jaxpr for j in compat.inner_jaxprs(eqn.params)]
    if eqn.primitive != _SIZE and all(map(_concrete, eqn.outputs)) and all(map(_closed_sizes, inner)):
        return eqn.bind(*values)
    if eqn.primitive in compat.CALLS + compat.CUSTOM_DERIVATIVES:
        return eqn.walk(compat.called(eqn.params), *values)
    rule = onnx_rules.get(eqn.primitive) or missing
    return rule(eqn, *values)


def _concrete(aval: Any) -> bool:
    shape = getattr(aval, "shape", ())
    return all_static(shape) and size(shape) <= _HUGE


def _closed_sizes(jaxpr: Any) -> bool:
    if any(e.primitive.name == _SIZE for e in jaxpr.eqns):
        return False
    avals = (v.aval for e in jaxpr.eqns for v in e.outvars)
    inner = (j.jaxpr for e in jaxpr.eqns for j in compat.inner_jaxprs(e.params))
    return all(map(_concrete, avals)) and all(map(_closed_sizes, inner))


def missing(eqn: Equation, *values: Any) -> Any:
    """The default: note that there is no rule."""
    return _refused(eqn, _WHY.get(_family(eqn.primitive), "there is no rule for it"))


_WHY = {
    "random": "a file draws no random numbers: draw outside and give them to the function as an input",
    "pooling": "the gradient of a pooling; only forward functions are written",
    "algebra": "ONNX has no operators for linear algebra",
    "exported": "an exported function is compiled code, without operations that could be written",
    "fft": "ONNX files have no complex numbers",
    "complex": "ONNX files have no complex numbers",
    "bitcast_convert_type": "ONNX has no operator that reads the bits of a number as another type",
    "pure_callback": "it calls Python, which the file's readers do not have",
}
_FAMILIES = {
    "random": ("random_", "threefry", "rng_"),
    "pooling": ("select_and_",),
    "exported": ("call_exported", "call_artifact"),
    "algebra": (
        "cholesky", "lu", "qr", "svd", "eig", "triangular_solve", "schur", "householder",
        "custom_linear_solve", "linear_solve", "tridiagonal", "geqrf",
    ),
}  # fmt: skip


def _family(primitive: str) -> str:
    return next((k for k, starts in _FAMILIES.items() if primitive.startswith(starts)), primitive)


def _refused(eqn: Equation, why: str) -> Any:
    graph: Any = eqn.frame
    graph.writing.refused.append(f"{eqn.primitive} at {eqn.place}: {why}")
    stands_for = [Value(graph.name("refused"), v.shape, v.dtype) for v in eqn.outputs]
    return stands_for if eqn.several else stands_for[0]


class Refused(Exception):
    """What a rule raises for an equation whose parameters it cannot write; it says why."""


onnx_rules = RuleTable(TABLE, default=missing, lifted=Value, unlifted=evaluated)


_HOLDING = ("custom_linear_solve", "shard_map", "pallas_call")


@onnx_rules.register(*_HOLDING)
def _with_functions(eqn: Equation, *values: Any) -> Any:
    """Primitives that hold functions, into which the walk would otherwise want to go."""
    return missing(eqn, *values)


def rule(*primitives: str) -> Callable[[Rule], Rule]:
    """Register a function as the rule of primitives."""

    def add(function: Rule) -> Rule:
        @functools.wraps(function)
        def written(eqn: Equation, *values: Any) -> Any:
            graph: Any = eqn.frame
            with graph.at(place_of(eqn)):
                operands = [operand(graph, v, a) for v, a in zip(values, eqn.inputs, strict=True)]
                try:
                    return _fitting(eqn, function(graph, eqn, *operands))
                except Refused as why:
                    return _refused(eqn, str(why))

        onnx_rules.register(*primitives)(written)
        return function

    return add


def operand(graph: Graph, value: Any, aval: Any) -> Value:
    """A value of the graph for what the walker passes: a value, or an array that is constant."""
    if isinstance(value, Value):
        return value
    if jnp.issubdtype(aval.dtype, jax.dtypes.extended):
        raise Refused("random keys are no numbers of a file: draw outside and give the draw as an input")
    return graph.constant(np.asarray(value), aval.dtype)


def _fitting(eqn: Equation, result: Any) -> Any:
    """The result, which must have the shapes and types that JAX says."""
    several = list(result) if eqn.several else [result]
    for value, aval in zip(several, eqn.outputs, strict=True):
        assert value.dtype == aval.dtype, (eqn, value, aval)
        assert same(value.shape, aval.shape), (eqn, value, aval)
    return several if eqn.several else several[0]


def place_of(eqn: Equation) -> str:
    """The scopes and modules that an equation stands in, as the beginning of its nodes' names."""
    parts: list[str] = []
    for part in _scopes(eqn):
        path = module_of(part)
        if path is not None:  # the whole path of a module
            parts = [path] if path else []
        elif not part.startswith(DIMS):
            parts.append(part)
    return "/".join(parts)


def _scopes(eqn: Equation) -> Iterator[str]:
    if eqn.outer is not None:
        yield from _scopes(eqn.outer)
    yield from (part for part in eqn.scope.split("/") if part)


def composed(eqn: Equation, function: Callable[..., Any], *values: Value) -> Any:
    """What a function of JAX, made of simpler primitives, gives on these values, walked by the table."""
    avals = [jax.ShapeDtypeStruct(v.shape, v.dtype) for v in values]
    with jax.numpy_rank_promotion("allow"):
        jaxpr, _ = compat.trace(function, *avals)
    results = eqn.walk(jaxpr, *values)
    return results if eqn.several else results[0]


def supported() -> Sequence[str]:
    """The primitives that can be written, in alphabetical order, calls and control flow among them."""
    calls = {*compat.CALLS, *compat.CUSTOM_DERIVATIVES}
    return sorted({*onnx_rules, *calls} - set(_HOLDING))
